#include "client/libaw/completions.h"

static enum aw_err not_ended(size_t n, const struct aw_progress *progress, struct aw_error *err)
{
    if (n == 1)
        aw_fail(err, AW_ERR_TIMED_OUT, "the job has not ended yet");
    else
        aw_fail(err, AW_ERR_TIMED_OUT, "%zu of %zu jobs have not ended yet",
                n - (size_t)MIN(progress->n_ended, n), n);
    return AW_ERR_TIMED_OUT;
}

/* What is waited for, and for how long. */
struct wait {
    struct aw_client *client;
    struct aw_until until;
    int64_t deadline_us;
    struct aw_progress progress;
};

/* One long poll. *ret stays NULL when that has not come about. */
static enum aw_err wait_poll(struct wait *w, struct strv ids, struct aw_statuses **ret,
                             struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    int64_t left_ms = w->deadline_us == NEVER_US
                          ? AW_LONG_POLL_MS
                          : MAX((w->deadline_us - mono_us() + 999) / 1000, INT64_C(0));
    int64_t hold_ms = MIN(left_ms, AW_LONG_POLL_MS);
    struct wait_req req = {.ids = ids,
                           .n = w->until.n_ended,
                           .first_error = w->until.first_error,
                           .timeout_ms = (uint64_t)hold_ms};
    struct call call = {.op = OP_WAIT,
                        .req = &req,
                        .waits = true,
                        .hold_ms = hold_ms,
                        .deadline_us = w->deadline_us};
    struct aw_statuses *list;
    struct wait_rep rep;
    enum aw_err e = call_make(w->client, &call, &rep, &answer, err);

    if (!e && rep.done)
        e = count_check(call.op, rep.jobs.n, ids.n, err);
    if (e)
        return e;
    w->progress = (struct aw_progress){rep.n_ended, rep.n_failed};
    if (!rep.done)
        return AW_OK;
    list = statuses_copy(rep.jobs.v, rep.jobs.n, bytes_of(NULL, 0), NULL);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    return AW_OK;
}

static enum aw_err wait_some(struct wait *w, struct strv ids, struct aw_statuses **ret,
                             struct aw_error *err)
{
    struct aw_statuses *list = NULL;
    enum aw_err e;

    for (;;) {
        int64_t asked_us = mono_us();

        e = wait_poll(w, ids, &list, err);
        if (e)
            return e;
        if (list)
            break;
        if (mono_us() >= w->deadline_us)
            return not_ended(ids.n, &w->progress, err);
        /* A daemon that answers "not yet" at once would have us ask without a pause. */
        if (mono_us() - asked_us < 1000) {
            e = mux_sleep(&w->client->mux, 10, err);
            if (e)
                return e;
        }
    }
    *ret = list;
    return AW_OK;
}

/*
 * As many as one request may name at a time: that is fine for all, and for few. Once time is over,
 * those behind are only looked at, so that all are counted.
 */
static enum aw_err wait_in_pieces(struct wait *w, struct strv ids, struct aw_statuses **ret,
                                  struct aw_error *err)
{
    struct aw_statuses *list = NULL, **end = &list;
    struct aw_progress total = {0, 0};
    enum aw_err e = AW_OK;
    bool late = false;

    for (size_t i = 0; !e && i < ids.n; i += IDS_AT_ONCE) {
        struct strv some = {ids.v + i, MIN(ids.n - i, (size_t)IDS_AT_ONCE)};

        w->progress = (struct aw_progress){0, 0};
        e = wait_some(w, some, end, err);
        total.n_ended += w->progress.n_ended;
        total.n_failed += w->progress.n_failed;
        if (!e)
            end = &(*end)->next;
        late = late || e == AW_ERR_TIMED_OUT;
        if (e == AW_ERR_TIMED_OUT)
            e = AW_OK;
    }
    w->progress = total;
    if (!e && late)
        e = not_ended(ids.n, &total, err);
    if (e)
        aw_statuses_free(list);
    else
        *ret = list;
    return e;
}

/* Whether enough have come; those of an iterator come one by one. */
static bool is_enough(const struct wait *w, size_t n_come, bool failed)
{
    return (w->until.first_error && failed) || (w->until.n_ended && n_come >= w->until.n_ended);
}

/* Of many: as they complete, until enough have. */
static enum aw_err wait_one_by_one(struct wait *w, struct aw_completions *each,
                                   struct aw_error *err)
{
    struct aw_completions_progress progress;
    const struct aw_status *status = NULL;
    bool failed = false;
    size_t n = 0;
    enum aw_err e = AW_OK;

    do {
        e = aw_completions_next(each, &status, err);
        if (!e && status) {
            n++;
            failed = failed || status->err || status->state != AW_SUCCEEDED;
        }
    } while (!e && status && !is_enough(w, n, failed));
    aw_completions_get_progress(each, &progress);
    w->progress = (struct aw_progress){progress.n_ended, progress.n_failed};
    return e;
}

static enum aw_err wait_for_some(struct wait *w, const char *const *ids, size_t n,
                                 struct aw_statuses **ret, struct aw_error *err)
{
    int64_t left_ms = w->deadline_us == NEVER_US
                          ? AW_FOREVER
                          : MAX((w->deadline_us - mono_us() + 999) / 1000, INT64_C(0));
    struct aw_completions *each;
    enum aw_err e = aw_as_completed(w->client, ids, n, left_ms, &each, err);

    if (e)
        return e;
    e = wait_one_by_one(w, each, err);
    aw_completions_free(each);
    return e ? e : aw_status(w->client, ids, n, ret, err);
}

static enum aw_err wait_for_all(struct wait *w, const char *const *ids, size_t n,
                                struct aw_statuses **ret, struct aw_error *err)
{
    _cleanup_free_ struct bytes *v = NULL;
    struct strv all;
    enum aw_err e = ids_prepare(ids, n, &all, err);

    if (e)
        return e;
    v = all.v;
    return wait_in_pieces(w, (struct strv){v, n}, ret, err);
}

void aw_until_init_sized(struct aw_until *until, size_t size)
{
    memset(until, 0, size);
    memcpy(until, &size, MIN(size, sizeof(size)));
}

enum aw_err aw_wait_until(struct aw_client *client, const char *const *ids, size_t n,
                          const struct aw_until *until, int64_t timeout_ms,
                          struct aw_progress *ret_progress, struct aw_statuses **ret,
                          struct aw_error *err)
{
    _hold_client_(client);
    struct wait w = {.client = client, .deadline_us = deadline_us(timeout_ms)};
    bool all;
    enum aw_err e;

    if (until)
        memcpy(&w.until, until, MIN(until->size, sizeof(w.until)));
    all = !w.until.first_error && (w.until.n_ended == 0 || w.until.n_ended >= n);
    if (all)
        w.until.n_ended = 0;
    if (all || n <= IDS_AT_ONCE)
        e = wait_for_all(&w, ids, n, ret, err);
    else
        e = wait_for_some(&w, ids, n, ret, err);
    if (ret_progress && (!e || e == AW_ERR_TIMED_OUT))
        *ret_progress = w.progress;
    return e;
}

enum aw_err aw_wait(struct aw_client *client, const char *const *ids, size_t n, int64_t timeout_ms,
                    struct aw_progress *ret_progress, struct aw_statuses **ret,
                    struct aw_error *err)
{
    return aw_wait_until(client, ids, n, NULL, timeout_ms, ret_progress, ret, err);
}
