#include "client/libaw/call.h"
#include "client/libaw/copy.h"

static enum aw_err not_ended(size_t n, const struct aw_progress *progress, struct aw_error *err)
{
    if (n == 1)
        aw_fail(err, AW_ERR_TIMED_OUT, "the job has not ended yet");
    else
        aw_fail(err, AW_ERR_TIMED_OUT, "%zu of %zu jobs have not ended yet",
                n - (size_t)MIN(progress->n_ended, n), n);
    return AW_ERR_TIMED_OUT;
}

/* One long poll. *ret stays NULL when they have not all ended. */
static enum aw_err wait_poll(struct aw_client *client, struct strv ids, int64_t deadline,
                             struct aw_progress *progress, struct aw_statuses **ret,
                             struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    int64_t left_ms = deadline == NEVER_US ? AW_LONG_POLL_MS
                                           : MAX((deadline - mono_us() + 999) / 1000, INT64_C(0));
    int64_t hold_ms = MIN(left_ms, AW_LONG_POLL_MS);
    struct wait_req req = {.ids = ids, .timeout_ms = (uint64_t)hold_ms};
    struct call call = {
        .op = OP_WAIT, .req = &req, .waits = true, .hold_ms = hold_ms, .deadline_us = deadline};
    struct aw_statuses *list;
    struct wait_rep rep;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (!e && rep.done)
        e = count_check(call.op, rep.jobs.n, ids.n, err);
    if (e)
        return e;
    *progress = (struct aw_progress){rep.n_ended, rep.n_failed};
    if (!rep.done)
        return AW_OK;
    list = statuses_copy(rep.jobs.v, rep.jobs.n, bytes_of(NULL, 0), NULL);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    return AW_OK;
}

static enum aw_err wait_some(struct aw_client *client, struct strv ids, int64_t deadline,
                             struct aw_progress *progress, struct aw_statuses **ret,
                             struct aw_error *err)
{
    struct aw_statuses *list = NULL;
    enum aw_err e;

    for (;;) {
        int64_t asked_us = mono_us();

        e = wait_poll(client, ids, deadline, progress, &list, err);
        if (e)
            return e;
        if (list)
            break;
        if (mono_us() >= deadline)
            return not_ended(ids.n, progress, err);
        /* A daemon that answers "not yet" at once would have us ask without a pause. */
        if (mono_us() - asked_us < 1000) {
            e = mux_sleep(&client->mux, 10, err);
            if (e)
                return e;
        }
    }
    *ret = list;
    return AW_OK;
}

enum aw_err aw_wait(struct aw_client *client, const char *const *ids, size_t n, int64_t timeout_ms,
                    struct aw_progress *ret_progress, struct aw_statuses **ret,
                    struct aw_error *err)
{
    _hold_client_(client);
    int64_t deadline = deadline_us(timeout_ms);
    struct aw_statuses *list = NULL, **end = &list, *piece;
    struct aw_progress total = {0, 0};
    _cleanup_free_ struct bytes *v = NULL;
    struct strv all;
    enum aw_err e = ids_prepare(ids, n, &all, err);

    if (!e)
        v = all.v;
    for (size_t i = 0; !e && i < n; i += IDS_AT_ONCE) {
        struct strv some = {v + i, MIN(n - i, (size_t)IDS_AT_ONCE)};
        struct aw_progress progress = {0, 0};

        e = wait_some(client, some, deadline, &progress, &piece, err);
        total.n_ended += progress.n_ended;
        total.n_failed += progress.n_failed;
        if (!e) {
            *end = piece;
            end = &piece->next;
        }
    }
    if (ret_progress && (!e || e == AW_ERR_TIMED_OUT))
        *ret_progress = total;
    if (e)
        aw_statuses_free(list);
    else
        *ret = list;
    return e;
}
