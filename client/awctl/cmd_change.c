/* cancel, change, renew, retry and forget: one outcome for each of several futures. */
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "proto/limits.h"

/* ---- What they have in common --------------------------------------------------------------- */

/* New IDs go to stdout, reasons to stderr. */
static void outcome_print(const struct awctl *ctl, const struct aw_outcome *o)
{
    if (ctl->json)
        json_outcome(o);
    else if (o->err)
        complain("%s %s: %s", o->id, aw_err_name(o->err),
                 *o->message ? o->message : aw_err_text(o->err));
    else if (*o->new_id)
        puts(o->new_id);
}

/* A missing future counts more than a refusal. */
static int outcome_code(int code, const struct aw_outcome *o)
{
    return o->err && code != EXIT_NO_FUTURE ? aw_err_exit_code(o->err) : code;
}

int outcomes_print(const struct awctl *ctl, const struct aw_outcomes *list)
{
    int code = 0;

    for (size_t i = 0; i < aw_outcomes_count(list); i++) {
        outcome_print(ctl, aw_outcomes_at(list, i));
        code = outcome_code(code, aw_outcomes_at(list, i));
    }
    return code;
}

typedef enum aw_err (*change_fn)(struct aw_client *client, const char *const *ids, size_t n,
                                 struct aw_outcomes **ret, struct aw_error *err);

static int change_ids(struct awctl *ctl, int argc, char **argv, change_fn fn)
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
    code = outcomes_print(ctl, list);
    aw_outcomes_free(list);
    return output_code(code);
}

/* ---- cancel --------------------------------------------------------------------------------- */

static struct cancel_values {
    int64_t grace_ms;
} cancel_values = {.grace_ms = -1};

static const struct opt cancel_opts[] = {
    {"grace", 0, OPT_DURATION, "TIME", "from SIGTERM to SIGKILL (default: as submitted)",
     offsetof(struct cancel_values, grace_ms), 0, 0},
};

static enum aw_err cancel(struct aw_client *client, const char *const *ids, size_t n,
                          struct aw_outcomes **ret, struct aw_error *err)
{
    return aw_cancel(client, ids, n, cancel_values.grace_ms, ret, err);
}

static int run_cancel(struct awctl *ctl, int argc, char **argv)
{
    return change_ids(ctl, argc, argv, cancel);
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

/* ---- change --------------------------------------------------------------------------------- */

#define NO_PRIORITY INT64_MAX

static struct change_values {
    int64_t priority;
    bool now;
} change_values = {.priority = NO_PRIORITY};

static const struct opt change_opts[] = {
    {"priority", 'p', OPT_INT, "N", "-10 to 10; higher runs first",
     offsetof(struct change_values, priority), AW_MIN_PRIORITY, AW_MAX_PRIORITY},
    {"now", 0, OPT_FLAG, NULL, "end its delay, or the pause before its next attempt",
     offsetof(struct change_values, now), 0, 0},
};

static enum aw_err set_priority(struct aw_client *client, const char *const *ids, size_t n,
                                struct aw_outcomes **ret, struct aw_error *err)
{
    return aw_set_priority(client, ids, n, (int)change_values.priority, ret, err);
}

/* Both of them: of each future the first refusal is said, if there is one. */
static int change_both(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_outcomes *first, *second;
    struct aw_error err;
    int code;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (set_priority(ctl->client, ids.v, ids.n, &first, &err))
        return awctl_fail(&err);
    if (aw_start_now(ctl->client, ids.v, ids.n, &second, &err)) {
        aw_outcomes_free(first);
        return awctl_fail(&err);
    }
    for (size_t i = 0; i < ids.n; i++) {
        const struct aw_outcome *a = aw_outcomes_at(first, i), *b = aw_outcomes_at(second, i);

        outcome_print(ctl, a->err ? a : b);
        code = outcome_code(code, a->err ? a : b);
    }
    aw_outcomes_free(first);
    aw_outcomes_free(second);
    return output_code(code);
}

static int run_change(struct awctl *ctl, int argc, char **argv)
{
    bool priority = change_values.priority != NO_PRIORITY;

    if (!priority && !change_values.now)
        return bad_usage("change", "what shall change? --priority, or --now");
    if (priority && change_values.now)
        return change_both(ctl, argc, argv);
    return change_ids(ctl, argc, argv, priority ? set_priority : aw_start_now);
}

const struct command command_change = {
    .name = "change",
    .usage = "OPTION... ID...",
    .help = "change jobs that wait: another priority, or start now",
    .opts = change_opts,
    .n_opts = ARRAY_SIZE(change_opts),
    .values = &change_values,
    .min_args = 1,
    .max_args = -1,
    .run = run_change,
};

/* ---- renew, retry, forget ------------------------------------------------------------------- */

/* A command that calls the function of its own name for some IDs. */
#define IDS_COMMAND(verb, text)                                     \
    static int run_##verb(struct awctl *ctl, int argc, char **argv) \
    {                                                               \
        return change_ids(ctl, argc, argv, aw_##verb);              \
    }                                                               \
    const struct command command_##verb = {                         \
        .name = #verb,                                              \
        .usage = "ID...",                                           \
        .help = text,                                               \
        .min_args = 1,                                              \
        .max_args = -1,                                             \
        .run = run_##verb,                                          \
    };

IDS_COMMAND(renew, "say that these are still wanted (see submit --cancel-if-abandoned)")
IDS_COMMAND(retry, "submit ended jobs again and print the IDs of the new futures")
IDS_COMMAND(forget, "remove the records and output of ended jobs")
