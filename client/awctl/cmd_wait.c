#include "client/awctl/waiting.h"

struct wait_values {
    int64_t timeout_ms;
    bool exit_status;
};

static struct wait_values values = {.timeout_ms = AW_FOREVER};

static const struct opt opts[] = {
    {"timeout", 't', OPT_DURATION, "TIME", "wait no longer (0: look once; default: for ever)",
     offsetof(struct wait_values, timeout_ms), 0, 0},
    {"exit-status", 'x', OPT_FLAG, NULL, "exit with the job's own code, or 128 and its signal",
     offsetof(struct wait_values, exit_status), 0, 0},
};

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_statuses *list;
    struct aw_error err;
    int code;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (waiting_for(ctl, ids.v, ids.n, values.timeout_ms, &list, &err))
        return awctl_fail(&err);
    code = verdict_all(list, values.exit_status);
    if (ctl->json)
        json_statuses(list);
    else
        verdict_complain(list);
    aw_statuses_free(list);
    return output_code(code);
}

const struct command command_wait = {
    .name = "wait",
    .usage = "[OPTION...] ID...",
    .help = "wait until all of these have ended",
    .notes = "Exits with 0 when all succeeded, 1 when one did not, 4 when one does not exist, 124\n"
             "when the time is over (the jobs go on). A lone - reads the IDs from stdin.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .min_args = 1,
    .max_args = -1,
    .run = run,
};
