#include "client/awctl/waiting.h"

struct wait_values {
    int64_t timeout_ms, n_ended;
    const char *set;
    bool exit_status, any, first_error;
};

static struct wait_values values = {.timeout_ms = AW_FOREVER};

static const struct opt opts[] = {
    {"timeout", 't', OPT_DURATION, "TIME", "wait no longer (0: look once; default: for ever)",
     offsetof(struct wait_values, timeout_ms), 0, 0},
    {"any", 0, OPT_FLAG, NULL, "until one has ended", offsetof(struct wait_values, any), 0, 0},
    {"ended", 'n', OPT_INT, "N", "until N have ended", offsetof(struct wait_values, n_ended), 1,
     INT64_MAX},
    {"first-error", 0, OPT_FLAG, NULL, "or one has ended without success",
     offsetof(struct wait_values, first_error), 0, 0},
    {"set", 0, OPT_TEXT, "NAME", "for the members of a set: until it is closed, too",
     offsetof(struct wait_values, set), 0, 0},
    {"exit-status", 'x', OPT_FLAG, NULL, "exit with the job's own code, or 128 and its signal",
     offsetof(struct wait_values, exit_status), 0, 0},
};

static enum aw_err wait_for(struct awctl *ctl, const struct ids *ids, struct aw_statuses **ret,
                            struct aw_error *err)
{
    struct aw_until until;
    enum aw_err e;

    aw_until_init(&until);
    until.n_ended = values.any ? 1 : (uint64_t)values.n_ended;
    until.first_error = values.first_error;
    if (!values.set)
        return waiting_until(ctl, ids->v, ids->n, &until, values.timeout_ms, ret, err);
    e = waiting_for_set(ctl, values.set, &until, values.timeout_ms, err);
    return e ? e : aw_set_members(ctl->client, values.set, ret, err);
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_statuses *list;
    struct aw_error err;
    int code;

    if (values.any && values.n_ended)
        return bad_usage("wait", "--any and --ended exclude each other");
    code = ids_or_set("wait", argc, argv, values.set, &ids);
    if (!code)
        code = awctl_prepare(ctl);
    if (code)
        return code;
    if (wait_for(ctl, &ids, &list, &err))
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
    .usage = "[OPTION...] ID... | --set NAME",
    .help = "wait until all of these have ended",
    .notes = "Exits with 0 when all succeeded, 1 when one did not, 4 when one does not exist, 124\n"
             "when the time is over (the jobs go on); those that have not ended do not count. A\n"
             "lone - reads the IDs from stdin.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .max_args = -1,
    .run = run,
};
