#include <stdio.h>

#include "client/awctl/awctl.h"

struct status_values {
    bool attempts;
};

static struct status_values values;

static const struct opt opts[] = {
    {"attempts", 'a', OPT_FLAG, NULL, "with every attempt that was made",
     offsetof(struct status_values, attempts), 0, 0},
};

/* Behind the jobs themselves. */
static int attempts_print(struct awctl *ctl, const struct aw_statuses *jobs)
{
    for (size_t i = 0; i < aw_statuses_count(jobs); i++) {
        const struct aw_status *s = aw_statuses_at(jobs, i);
        struct aw_attempts *list;
        struct aw_error err;

        if (s->err)
            continue;
        if (aw_attempts(ctl->client, s->id, &list, &err))
            return awctl_fail(&err);
        for (size_t k = 0; k < aw_attempts_count(list); k++) {
            if (ctl->json)
                json_attempt(s->id, aw_attempts_at(list, k));
            else
                print_attempt(s->id, aw_attempts_at(list, k));
        }
        aw_attempts_free(list);
    }
    return 0;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_statuses *list;
    struct aw_error err;
    int code = 0, failed = 0;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (aw_status(ctl->client, ids.v, ids.n, &list, &err))
        return awctl_fail(&err);
    for (size_t i = 0; i < ids.n; i++)
        if (aw_statuses_at(list, i)->err)
            code = verdict_code(aw_statuses_at(list, i), false);
    if (ctl->json)
        json_statuses(list);
    else if (ids.n > 1)
        failed = print_table(list);
    else if (!code)
        print_status(aw_statuses_at(list, 0));
    if (code && !ctl->json && ids.n == 1)
        verdict_complain(list);
    if (values.attempts && !failed)
        failed = attempts_print(ctl, list);
    aw_statuses_free(list);
    return output_code(failed ? failed : code);
}

const struct command command_status = {
    .name = "status",
    .usage = "[OPTION...] ID...",
    .help = "say how futures stand now",
    .notes = "Exits with 0 when they exist, whatever became of them, and with 4 when one does not.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
