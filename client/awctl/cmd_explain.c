#include "client/awctl/awctl.h"

/* The ID in full, as the daemon has it; what was typed, when that cannot be had. */
static const char *full_id(struct awctl *ctl, const char *id, struct aw_statuses **ret)
{
    if (strchr(id, '-') || aw_status(ctl->client, &id, 1, ret, NULL))
        return id;
    return aw_statuses_at(*ret, 0)->id;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_statuses *list = NULL;
    struct aw_explanation *why;
    struct aw_error err;
    const char *id;
    int code;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (aw_explain(ctl->client, ids.v[0], &why, &err))
        return awctl_fail(&err);
    id = full_id(ctl, ids.v[0], &list);
    if (ctl->json)
        json_explanation(id, why);
    else
        print_explanation(id, why);
    aw_statuses_free(list);
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
