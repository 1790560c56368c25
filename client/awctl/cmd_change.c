/* cancel, retry and forget: one request about several futures, one outcome for each. */
#include <stdio.h>

#include "client/awctl/awctl.h"

struct cancel_values {
    int64_t grace_ms;
};

static struct cancel_values cancel_values = {.grace_ms = -1};

static const struct opt cancel_opts[] = {
    {"grace", 0, OPT_DURATION, "TIME", "from SIGTERM to SIGKILL (default: as submitted)",
     offsetof(struct cancel_values, grace_ms), 0, 0},
};

typedef enum aw_err (*change_fn)(struct aw_client *client, const char *const *ids, size_t n,
                                 struct aw_outcomes **ret, struct aw_error *err);

static enum aw_err cancel(struct aw_client *client, const char *const *ids, size_t n,
                          struct aw_outcomes **ret, struct aw_error *err)
{
    return aw_cancel(client, ids, n, cancel_values.grace_ms, ret, err);
}

/* New IDs go to stdout, reasons to stderr. */
static void outcome_print(const struct aw_outcome *o)
{
    if (o->err)
        complain("%s %s: %s", o->id, aw_err_name(o->err),
                 *o->message ? o->message : aw_err_text(o->err));
    else if (*o->new_id)
        puts(o->new_id);
}

/* The exit code; a missing future counts more than a refusal. */
static int outcomes_code(const struct aw_outcomes *list)
{
    size_t n = aw_outcomes_count(list);
    int code = 0;

    for (size_t i = 0; i < n; i++) {
        enum aw_err e = aw_outcomes_at(list, i)->err;

        if (e && code != EXIT_NO_FUTURE)
            code = aw_err_exit_code(e);
    }
    return code;
}

static int change(struct awctl *ctl, int argc, char **argv, change_fn fn)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_outcomes *list;
    struct aw_error err;
    int code;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (fn(ctl->client, ids.v, ids.n, &list, &err))
        return awctl_fail(&err);
    if (ctl->json)
        json_outcomes(list);
    else
        for (size_t i = 0; i < aw_outcomes_count(list); i++)
            outcome_print(aw_outcomes_at(list, i));
    code = outcomes_code(list);
    aw_outcomes_free(list);
    return output_code(code);
}

static int run_cancel(struct awctl *ctl, int argc, char **argv)
{
    return change(ctl, argc, argv, cancel);
}

static int run_retry(struct awctl *ctl, int argc, char **argv)
{
    return change(ctl, argc, argv, aw_retry);
}

static int run_forget(struct awctl *ctl, int argc, char **argv)
{
    return change(ctl, argc, argv, aw_forget);
}

const struct command command_cancel = {
    .name = "cancel",
    .usage = "[OPTION...] ID...",
    .help = "end jobs before they end themselves",
    .notes = "Comes back at once; use wait to see the end of a job that was running.",
    .opts = cancel_opts,
    .n_opts = ARRAY_SIZE(cancel_opts),
    .values = &cancel_values,
    .min_args = 1,
    .max_args = -1,
    .run = run_cancel,
};

const struct command command_retry = {
    .name = "retry",
    .usage = "ID...",
    .help = "submit ended jobs again and print the IDs of the new futures",
    .min_args = 1,
    .max_args = -1,
    .run = run_retry,
};

const struct command command_forget = {
    .name = "forget",
    .usage = "ID...",
    .help = "remove the records and output of ended jobs",
    .min_args = 1,
    .max_args = -1,
    .run = run_forget,
};
