/* gather: the output of several jobs, in the order of their IDs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "client/awctl/waiting.h"

struct gather_values {
    const char *set;
    int64_t timeout_ms;
    bool strict, cancel_rest;
};

static struct gather_values values = {.timeout_ms = AW_FOREVER};

static const struct opt opts[] = {
    {"set", 0, OPT_TEXT, "NAME", "the members of a set, as they were added, once it is closed",
     offsetof(struct gather_values, set), 0, 0},
    {"strict", 0, OPT_FLAG, NULL, "all or nothing: end at the first that does not succeed",
     offsetof(struct gather_values, strict), 0, 0},
    {"cancel-rest", 0, OPT_FLAG, NULL, "--strict: and then cancel the others",
     offsetof(struct gather_values, cancel_rest), 0, 0},
    {"timeout", 't', OPT_DURATION, "TIME", "wait no longer for all (default: for ever)",
     offsetof(struct gather_values, timeout_ms), 0, 0},
};

/* ---- What is gathered --------------------------------------------------------------------- */

struct gathering {
    struct awctl *ctl;
    struct ids ids;
    struct aw_statuses *members; /* of the set, if that is what ids.v points to */
    int64_t end_us;              /* boottime; INT64_MAX: none */
    struct aw_error over;        /* time was over before the set was; code AW_OK: it was not */
};

static int64_t left_ms(const struct gathering *g)
{
    if (g->end_us == INT64_MAX)
        return AW_FOREVER;
    return MAX((g->end_us - boottime_us()) / 1000, INT64_C(0));
}

static struct aw_until until_over(void)
{
    struct aw_until until;

    aw_until_init(&until);
    until.first_error = values.strict;
    return until;
}

/* Waits for the set, and takes its members' IDs, also when time is over. */
static enum aw_err members_take(struct gathering *g, struct aw_error *err)
{
    struct aw_until until = until_over();
    enum aw_err e = waiting_for_set(g->ctl, values.set, &until, left_ms(g), err);
    size_t n;

    if (e == AW_ERR_TIMED_OUT)
        g->over = *err;
    else if (e)
        return e;
    e = aw_set_members(g->ctl->client, values.set, &g->members, err);
    if (e)
        return e;
    n = aw_statuses_count(g->members);
    g->ids.v = calloc(n + 1, sizeof(*g->ids.v));
    if (!g->ids.v)
        return aw_fail(err, AW_ERR_NO_MEMORY, "IDs: out of memory");
    for (size_t i = 0; i < n; i++)
        g->ids.v[g->ids.n++] = aw_statuses_at(g->members, i)->id;
    return AW_OK;
}

/* On a terminal there is a line of progress while they run; gathering is then only a look. */
static enum aw_err gather_wait(struct gathering *g, struct aw_error *err)
{
    struct aw_until until = until_over();
    struct aw_statuses *list;
    enum aw_err e;

    if (values.set)
        return members_take(g, err);
    if (!isatty(STDERR_FILENO))
        return AW_OK;
    e = waiting_until(g->ctl, g->ids.v, g->ids.n, &until, left_ms(g), &list, err);
    if (!e)
        aw_statuses_free(list);
    return e == AW_ERR_TIMED_OUT ? AW_OK : e;
}

/* ---- What is printed ---------------------------------------------------------------------- */

static int outputs_print(struct awctl *ctl, const struct aw_gathered *all)
{
    for (size_t i = 0; i < aw_gathered_count(all); i++) {
        const struct aw_result *r = aw_gathered_at(all, i);

        if (ctl->json) {
            json_gathered(r->status, r);
            continue;
        }
        if (!write_all(STDOUT_FILENO, r->data, r->len)) {
            complain("standard output: %s", strerror(errno));
            return aw_err_exit_code(AW_ERR_DISK_FULL);
        }
        if (r->len < r->size)
            complain("%s: its output is cut here; awctl result %s has all %" PRIu64 " bytes",
                     r->status->id, r->status->id, r->size);
    }
    return 0;
}

/* Names one that did not succeed, or has not ended. */
static void verdict_print(const struct aw_status *s, bool over)
{
    char text[VERDICT_TEXT];

    if (verdict_known(s) && verdict_code(s, false))
        complain("%s %s", s->id, verdict_text(s, text));
    else if (!verdict_known(s) && over)
        complain("%s has not ended (%s)", s->id, aw_state_name(s->state));
}

/* The exit code. JSON has said all by now. */
static int verdicts_print(const struct awctl *ctl, const struct aw_gathered *all, bool over)
{
    int code = 0;

    for (size_t i = 0; i < aw_gathered_count(all); i++) {
        const struct aw_status *s = aw_gathered_at(all, i)->status;

        code = verdict_add(code, s, false);
        if (!ctl->json)
            verdict_print(s, over);
    }
    return code;
}

static int gathered_print(struct awctl *ctl, const struct aw_gathered *all, bool over)
{
    /* All or nothing: but every line of JSON says itself what it is. */
    bool nothing = values.strict && aw_gathered_failed(all) >= 0 && !ctl->json;
    int failed = nothing ? 0 : outputs_print(ctl, all);
    int code = verdicts_print(ctl, all, over);

    return failed ? failed : code;
}

/* ---- The command -------------------------------------------------------------------------- */

static int gather(struct gathering *g)
{
    struct aw_gather_opts how;
    struct aw_gathered *all;
    struct aw_error err;
    enum aw_err e = gather_wait(g, &err);
    int code;

    if (e)
        return awctl_fail(&err);
    if (g->ids.n == 0)
        return g->over.code ? awctl_fail(&g->over) : 0; /* a set without members */
    aw_gather_opts_init(&how);
    how.strict = values.strict;
    how.cancel_rest = values.cancel_rest;
    how.timeout_ms = left_ms(g);
    e = aw_gather(g->ctl->client, g->ids.v, g->ids.n, &how, &all, &err);
    if (e && e != AW_ERR_TIMED_OUT)
        return awctl_fail(&err);
    code = gathered_print(g->ctl, all, e != AW_OK);
    aw_gathered_free(all);
    if (!e && g->over.code) /* all of them have ended, but there may be more */
        return awctl_fail(&g->over);
    return e ? awctl_fail(&err) : code;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    struct gathering g = {.ctl = ctl, .end_us = INT64_MAX};
    int code;

    if (values.cancel_rest && !values.strict)
        return bad_usage("gather", "--cancel-rest needs --strict");
    code = ids_or_set("gather", argc, argv, values.set, &g.ids);
    if (!code)
        code = awctl_prepare(ctl);
    if (values.timeout_ms >= 0)
        g.end_us = boottime_us() + values.timeout_ms * 1000;
    if (!code)
        code = output_code(gather(&g));
    ids_done(&g.ids);
    aw_statuses_free(g.members);
    return code;
}

const struct command command_gather = {
    .name = "gather",
    .usage = "[OPTION...] ID... | --set NAME",
    .help = "wait for all, then print their standard output in the order of the IDs",
    .notes = "What did not succeed is named on stderr, its output is printed all the same. With\n"
             "--strict there is no output unless all succeed. Exits like wait.",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .max_args = -1,
    .run = run,
};
