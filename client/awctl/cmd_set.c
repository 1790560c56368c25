/* set: named collections of futures. What is in them is read by as-completed, gather and wait. */
#include <inttypes.h>
#include <stdio.h>

#include "client/awctl/waiting.h"

/* ---- add ------------------------------------------------------------------------------------ */

static struct add_values {
    bool close;
} add_values;

static const struct opt add_opts[] = {
    {"close", 0, OPT_FLAG, NULL, "and close it: no more members will come",
     offsetof(struct add_values, close), 0, 0},
};

static int run_add(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_outcomes *list;
    struct aw_error err;
    int code;

    if (argc > 1 && ids_parse(argc - 1, argv + 1, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (aw_set_add(ctl->client, argv[0], ids.v, ids.n, add_values.close, &list, &err))
        return awctl_fail(&err);
    code = outcomes_print(ctl, list);
    aw_outcomes_free(list);
    return output_code(code);
}

static const struct command command_add = {
    .name = "set add",
    .usage = "[OPTION...] NAME [ID...]",
    .help = "make futures members of a set, which is made if it is not there",
    .notes = "A lone - reads the IDs from stdin.",
    .opts = add_opts,
    .n_opts = ARRAY_SIZE(add_opts),
    .values = &add_values,
    .min_args = 1,
    .max_args = -1,
    .run = run_add,
};

/* ---- list ----------------------------------------------------------------------------------- */

static int run_list(struct awctl *ctl, int argc, char **argv)
{
    struct aw_sets *list;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    if (code)
        return code;
    if (aw_set_list(ctl->client, argc ? argv[0] : NULL, &list, &err))
        return awctl_fail(&err);
    if (ctl->json)
        for (size_t i = 0; i < aw_sets_count(list); i++)
            json_set(aw_sets_at(list, i));
    else
        code = print_sets(list);
    aw_sets_free(list);
    return output_code(code);
}

static const struct command command_list_ = {
    .name = "set list",
    .usage = "[PREFIX]",
    .help = "list one's sets, by name",
    .max_args = 1,
    .run = run_list,
};

/* ---- show, members -------------------------------------------------------------------------- */

static int run_show(struct awctl *ctl, int argc, char **argv)
{
    struct aw_set_info *info;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (aw_set_show(ctl->client, argv[0], &info, &err))
        return awctl_fail(&err);
    if (ctl->json)
        json_set_info(info);
    else
        print_set(info);
    aw_set_info_free(info);
    return output_code(0);
}

static const struct command command_show = {
    .name = "set show",
    .usage = "NAME",
    .help = "say how a set stands, and what took its members how long",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};

static struct members_values {
    bool ids;
} members_values;

static const struct opt members_opts[] = {
    {"ids", 'q', OPT_FLAG, NULL, "print IDs only", offsetof(struct members_values, ids), 0, 0},
};

static int run_members(struct awctl *ctl, int argc, char **argv)
{
    struct aw_statuses *list;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (aw_set_members(ctl->client, argv[0], &list, &err))
        return awctl_fail(&err);
    if (ctl->json)
        json_statuses(list);
    else if (members_values.ids)
        for (size_t i = 0; i < aw_statuses_count(list); i++)
            puts(aw_statuses_at(list, i)->id);
    else
        code = print_table(list);
    aw_statuses_free(list);
    return output_code(code);
}

static const struct command command_members = {
    .name = "set members",
    .usage = "[OPTION...] NAME",
    .help = "list the members of a set, as they were added",
    .opts = members_opts,
    .n_opts = ARRAY_SIZE(members_opts),
    .values = &members_values,
    .min_args = 1,
    .max_args = 1,
    .run = run_members,
};

/* ---- close ---------------------------------------------------------------------------------- */

static int run_close(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"set:s", "closed:b"};
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (aw_set_close(ctl->client, argv[0], &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, argv[0], 1);
    return output_code(0);
}

static const struct command command_close = {
    .name = "set close",
    .usage = "NAME",
    .help = "say that no more members will come",
    .min_args = 1,
    .max_args = 1,
    .run = run_close,
};

/* ---- wait ----------------------------------------------------------------------------------- */

static struct wait_values {
    int64_t timeout_ms;
} wait_values = {AW_FOREVER};

static const struct opt wait_opts[] = {
    {"timeout", 't', OPT_DURATION, "TIME", "wait no longer (0: look once; default: for ever)",
     offsetof(struct wait_values, timeout_ms), 0, 0},
};

static int run_wait(struct awctl *ctl, int argc, char **argv)
{
    struct aw_set_info *info;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (waiting_for_set(ctl, argv[0], NULL, wait_values.timeout_ms, &err) ||
        aw_set_show(ctl->client, argv[0], &info, &err))
        return awctl_fail(&err);
    code = info->set->n_failed ? EXIT_JOB_FAILED : 0;
    if (ctl->json)
        json_set_info(info);
    else if (code)
        complain("set %s: %" PRIu64 " of %" PRIu64 " did not succeed", argv[0], info->set->n_failed,
                 info->set->n_members);
    aw_set_info_free(info);
    return output_code(code);
}

static const struct command command_wait_ = {
    .name = "set wait",
    .usage = "[OPTION...] NAME",
    .help = "wait until a set is closed, and all its members have ended",
    .notes = "Exits like wait. `awctl wait --set NAME` names those that did not succeed, and can\n"
             "wait for the first.",
    .opts = wait_opts,
    .n_opts = ARRAY_SIZE(wait_opts),
    .values = &wait_values,
    .min_args = 1,
    .max_args = 1,
    .run = run_wait,
};

/* ---- cancel --------------------------------------------------------------------------------- */

static struct cancel_values {
    int64_t grace_ms;
} cancel_values = {-1};

static const struct opt cancel_opts[] = {
    {"grace", 0, OPT_DURATION, "TIME", "from SIGTERM to SIGKILL (default: as submitted)",
     offsetof(struct cancel_values, grace_ms), 0, 0},
};

static int run_cancel(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"cancelled:i", "stopping:i"};
    uint64_t cancelled, stopping;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (aw_set_cancel(ctl->client, argv[0], cancel_values.grace_ms, &cancelled, &stopping, &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, (int64_t)cancelled, (int64_t)stopping);
    return output_code(0);
}

static const struct command command_cancel_ = {
    .name = "set cancel",
    .usage = "[OPTION...] NAME",
    .help = "cancel all members of a set",
    .notes = "Comes back at once; use set wait to see the end of those that were running.",
    .opts = cancel_opts,
    .n_opts = ARRAY_SIZE(cancel_opts),
    .values = &cancel_values,
    .min_args = 1,
    .max_args = 1,
    .run = run_cancel,
};

/* ---- forget --------------------------------------------------------------------------------- */

static struct forget_values {
    bool jobs;
} forget_values;

static const struct opt forget_opts[] = {
    {"jobs", 0, OPT_FLAG, NULL, "and the records of its members, which must have ended",
     offsetof(struct forget_values, jobs), 0, 0},
};

static int run_forget(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"set:s", "jobs:b"};
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (aw_set_forget(ctl->client, argv[0], forget_values.jobs, &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, argv[0], (int)forget_values.jobs);
    return output_code(0);
}

static const struct command command_forget_ = {
    .name = "set forget",
    .usage = "[OPTION...] NAME",
    .help = "remove a set; its members stay, unless an option says otherwise",
    .opts = forget_opts,
    .n_opts = ARRAY_SIZE(forget_opts),
    .values = &forget_values,
    .min_args = 1,
    .max_args = 1,
    .run = run_forget,
};

/* ---- All of them ---------------------------------------------------------------------------- */

static const struct command *const subs[] = {
    &command_add,   &command_list_, &command_show,    &command_members,
    &command_close, &command_wait_, &command_cancel_, &command_forget_,
};

const struct command command_set = {
    .name = "set",
    .usage = "COMMAND [ARG...]",
    .help = "named collections of futures",
    .notes =
        "Jobs become members by `awctl submit --set NAME` or `awctl set add`. They are read by\n"
        "`awctl as-completed --set NAME`, `awctl gather --set NAME` and `awctl wait --set\n"
        "NAME`.",
    .subs = subs,
    .n_subs = ARRAY_SIZE(subs),
};
