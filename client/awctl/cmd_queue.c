/* queue: where jobs wait, each with limits of its own. */
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "client/awctl/limit_opts.h"
#include "proto/limits.h"
#include "proto/text.h"

/* ---- list, show ----------------------------------------------------------------------------- */

static int queues_print(const struct awctl *ctl, const struct aw_queues *list)
{
    if (!ctl->json)
        return print_queues(list);
    for (size_t i = 0; i < aw_queues_count(list); i++)
        json_queue(aw_queues_at(list, i));
    return 0;
}

static int run_list(struct awctl *ctl, int argc, char **argv)
{
    struct aw_queues *list;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    (void)argv;
    if (code)
        return code;
    if (aw_queue_list(ctl->client, &list, &err))
        return awctl_fail(&err);
    code = queues_print(ctl, list);
    aw_queues_free(list);
    return output_code(code);
}

static const struct command command_list_ = {
    .name = "queue list",
    .usage = "",
    .help = "list all queues",
    .run = run_list,
};

static const struct aw_queue *queue_in(const struct aw_queues *list, const char *name)
{
    for (size_t i = 0; i < aw_queues_count(list); i++)
        if (!strcmp(aw_queues_at(list, i)->name, name))
            return aw_queues_at(list, i);
    return NULL;
}

static int queue_print(const struct awctl *ctl, const struct aw_queue *q, const char *name)
{
    if (!q) {
        complain("there is no queue '%s'", name);
        return aw_err_exit_code(AW_ERR_NO_QUEUE);
    }
    if (ctl->json)
        json_queue(q);
    else
        print_queue(q);
    return 0;
}

static int run_show(struct awctl *ctl, int argc, char **argv)
{
    struct aw_queues *list;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (aw_queue_list(ctl->client, &list, &err))
        return awctl_fail(&err);
    code = queue_print(ctl, queue_in(list, argv[0]), argv[0]);
    aw_queues_free(list);
    return output_code(code);
}

static const struct command command_show = {
    .name = "queue show",
    .usage = "NAME",
    .help = "say how a queue stands",
    .min_args = 1,
    .max_args = 1,
    .run = run_show,
};

/* ---- add, set, pause, resume, drain --------------------------------------------------------- */

struct queue_values {
    int64_t slots, limit, priority;
    const char *rate;
    struct limit_values limits;
    const char *limit_names[N_LIMITS + 1];
};

static struct queue_values values = {.slots = -1, .limit = -1, .priority = AW_QUEUE_LEAVE};

static const struct opt opts[] = {
    {"slots", 0, OPT_INT, "N", "slots of its own (0: it shares the daemon's)",
     offsetof(struct queue_values, slots), 0, AW_MAX_SLOTS},
    {"limit", 0, OPT_INT, "N", "most of its jobs at once (0: no limit)",
     offsetof(struct queue_values, limit), 0, AW_MAX_SLOTS},
    {"priority", 'p', OPT_INT, "N", "-10 to 10; jobs of a higher queue run first",
     offsetof(struct queue_values, priority), AW_MIN_PRIORITY, AW_MAX_PRIORITY},
    {"rate", 0, OPT_TEXT, "N/TIME", "most starts in a time, like 10/s, 100/1m (0: no limit)",
     offsetof(struct queue_values, rate), 0, 0},
    LIMIT_OPTIONS(queue_values, limits),
    {"nice", 0, OPT_LIMIT, "N", "at least this niceness, 0 to 19",
     LIMIT_OPT(queue_values, limits, nice)},
};

enum aw_err rate_parse(const char *text, int *ret_rate, int64_t *ret_ms, struct aw_error *err)
{
    char *end, period[32];
    long long n = strtoll(text, &end, 10);
    int64_t ms = 1000;
    bool ok = end != text && n >= 0 && n <= AW_MAX_RATE && (*end == '/' || (n == 0 && !*end));

    /* "s" alone is one of them. */
    if (ok && *end) {
        bool unit = end[1] >= 'a' && end[1] <= 'z';

        ok = snprintf(period, sizeof(period), "%s%s", unit ? "1" : "", end + 1) < 32 &&
             duration_parse(period, &ms, NULL) == AW_OK && ms > 0;
    }
    if (!ok)
        return aw_fail(err, AW_ERR_USAGE,
                       "--rate: '%.40s' is no rate (10/s, 100/1m, and 0 for no limit are)", text);
    *ret_rate = (int)n;
    *ret_ms = ms;
    return AW_OK;
}

static const char limit_notes[] =
    "Limits from --memory on are what each of its jobs may use at most; none takes one away.";

static enum aw_err change_make(struct aw_queue_change *change, struct aw_error *err)
{
    aw_queue_change_init(change);
    change->slots = (int)values.slots;
    change->limit = (int)values.limit;
    change->priority = (int)values.priority;
    if (values.limits.mask) {
        limit_names(values.limits.mask, values.limit_names);
        change->limits = &values.limits.limits;
        change->only_limits = values.limit_names;
    }
    return values.rate ? rate_parse(values.rate, &change->rate, &change->rate_ms, err) : AW_OK;
}

static int queue_change(struct awctl *ctl, const char *name, const struct aw_queue_change *change)
{
    struct aw_queues *list;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    if (code)
        return code;
    if (aw_queue_set(ctl->client, name, change, &list, &err))
        return awctl_fail(&err);
    if (ctl->json)
        json_queue(aw_queues_at(list, 0));
    aw_queues_free(list);
    return output_code(0);
}

static int run_add(struct awctl *ctl, int argc, char **argv)
{
    struct aw_queue_change change;
    struct aw_error err;

    (void)argc;
    if (change_make(&change, &err))
        return bad_usage("queue add", "%s", err.text);
    change.create = true;
    return queue_change(ctl, argv[0], &change);
}

static const struct command command_add = {
    .name = "queue add",
    .usage = "[OPTION...] NAME",
    .help = "make a queue",
    .notes = limit_notes,
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .min_args = 1,
    .max_args = 1,
    .run = run_add,
};

static int run_set(struct awctl *ctl, int argc, char **argv)
{
    struct aw_queue_change change;
    struct aw_error err;

    (void)argc;
    if (values.slots < 0 && values.limit < 0 && values.priority == AW_QUEUE_LEAVE && !values.rate &&
        !values.limits.mask)
        return bad_usage("queue set", "what shall change?");
    if (change_make(&change, &err))
        return bad_usage("queue set", "%s", err.text);
    return queue_change(ctl, argv[0], &change);
}

static const struct command command_set_ = {
    .name = "queue set",
    .usage = "OPTION... NAME",
    .help = "change a queue; jobs that run go on",
    .notes = limit_notes,
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .min_args = 1,
    .max_args = 1,
    .run = run_set,
};

static int pause_or_resume(struct awctl *ctl, const char *name, bool paused)
{
    struct aw_queue_change change;

    aw_queue_change_init(&change);
    change.paused = paused;
    return queue_change(ctl, name, &change);
}

static int run_pause(struct awctl *ctl, int argc, char **argv)
{
    (void)argc;
    return pause_or_resume(ctl, argv[0], true);
}

static int run_resume(struct awctl *ctl, int argc, char **argv)
{
    (void)argc;
    return pause_or_resume(ctl, argv[0], false);
}

static const struct command command_pause = {
    .name = "queue pause",
    .usage = "NAME",
    .help = "start no more of its jobs; those that run go on",
    .min_args = 1,
    .max_args = 1,
    .run = run_pause,
};

static const struct command command_resume = {
    .name = "queue resume",
    .usage = "NAME",
    .help = "start its jobs again",
    .min_args = 1,
    .max_args = 1,
    .run = run_resume,
};

static struct drain_values {
    bool off;
} drain_values;

static const struct opt drain_opts[] = {
    {"off", 0, OPT_FLAG, NULL, "take new jobs again", offsetof(struct drain_values, off), 0, 0},
};

static int run_drain(struct awctl *ctl, int argc, char **argv)
{
    struct aw_queue_change change;

    (void)argc;
    aw_queue_change_init(&change);
    change.draining = !drain_values.off;
    return queue_change(ctl, argv[0], &change);
}

static const struct command command_drain_ = {
    .name = "queue drain",
    .usage = "[--off] NAME",
    .help = "take no new jobs; those that are there are run",
    .opts = drain_opts,
    .n_opts = ARRAY_SIZE(drain_opts),
    .values = &drain_values,
    .min_args = 1,
    .max_args = 1,
    .run = run_drain,
};

/* ---- remove --------------------------------------------------------------------------------- */

static int run_remove(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"queue:s"};
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    if (code)
        return code;
    if (aw_queue_remove(ctl->client, argv[0], &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, argv[0]);
    return output_code(0);
}

static const struct command command_remove = {
    .name = "queue remove",
    .usage = "NAME",
    .help = "remove a queue that has no jobs",
    .min_args = 1,
    .max_args = 1,
    .run = run_remove,
};

/* ---- All of them ---------------------------------------------------------------------------- */

static const struct command *const subs[] = {
    &command_list_, &command_show,   &command_add,    &command_set_,
    &command_pause, &command_resume, &command_drain_, &command_remove,
};

const struct command command_queue = {
    .name = "queue",
    .usage = "COMMAND [ARG...]",
    .help = "where jobs wait, each with limits of its own",
    .notes = "Jobs are put into one by `awctl submit --queue NAME`; without it, into \"default\".",
    .subs = subs,
    .n_subs = ARRAY_SIZE(subs),
};
