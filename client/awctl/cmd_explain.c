#include "client/awctl/awctl.h"

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_explanation *why;
    struct aw_error err;
    int code;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (aw_explain(ctl->client, ids.v[0], &why, &err))
        return awctl_fail(&err);
    if (ctl->json)
        json_explanation(ids.v[0], why);
    else
        print_explanation(ids.v[0], why);
    aw_explanation_free(why);
    return output_code(0);
}

const struct command command_explain = {
    .name = "explain",
    .usage = "ID",
    .help = "say why a job is not running yet, and what comes before it",
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
