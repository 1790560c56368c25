/* Sets: plain calls. Reading them in the order of completion is in completions.c. */
#include <inttypes.h>

#include "client/libaw/call.h"
#include "client/libaw/copy.h"
#include "client/libaw/copy_fields.h"

DEFINE_COPY(set, set_status, aw_set, SET_STATUS_FIELDS)

DEFINE_LIST(sets, set, set, set_status)

/* ---- add -------------------------------------------------------------------------------- */

static enum aw_err add_some(struct aw_client *client, const struct set_add_req *req,
                            struct aw_outcomes **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct call call = {.op = OP_SET_ADD, .req = req, .deadline_us = NEVER_US};
    struct aw_outcomes *list;
    struct set_add_rep rep;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (!e)
        e = count_check(call.op, rep.jobs.n, req->ids.n, err);
    if (e)
        return e;
    list = outcomes_copy(rep.jobs.v, rep.jobs.n);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    return AW_OK;
}

/* At least one request: a set without members is made, too. The last one closes it. */
static enum aw_err add_all(struct aw_client *client, const char *set, struct strv ids, bool close,
                           struct aw_outcomes **ret, struct aw_error *err)
{
    struct aw_outcomes *list = NULL, **end = &list, *piece;
    size_t i = 0;
    enum aw_err e;

    do {
        size_t n = MIN(ids.n - i, (size_t)AW_MAX_IDS);
        struct set_add_req req = {
            .set = bytes_str(set), .ids = {ids.v + i, n}, .close = close && i + n == ids.n};

        e = add_some(client, &req, &piece, err);
        if (e) {
            aw_outcomes_free(list);
            return e;
        }
        *end = piece;
        end = &piece->next;
        i += n;
    } while (i < ids.n);
    *ret = list;
    return AW_OK;
}

enum aw_err aw_set_add(struct aw_client *client, const char *set, const char *const *ids, size_t n,
                       bool close, struct aw_outcomes **ret, struct aw_error *err)
{
    _hold_client_(client);
    _cleanup_free_ struct bytes *v = NULL;
    struct aw_outcomes *list;
    struct strv all = {NULL, 0};
    enum aw_err e = n ? ids_prepare(ids, n, &all, err) : AW_OK;

    v = all.v;
    /* Without a name the daemon would make a set of its own. */
    if (!e && (!set || !*set))
        e = aw_fail(err, AW_ERR_USAGE, "no name of a set was given");
    if (!e)
        e = add_all(client, set, (struct strv){v, all.n}, close, &list, err);
    if (e)
        return e;
    if (ret)
        *ret = list;
    else
        aw_outcomes_free(list);
    return AW_OK;
}

/* ---- list, show, members ---------------------------------------------------------------- */

/* One page. *ret_next, malloc'ed, is where the next one starts; NULL: that was the last. */
static enum aw_err list_page(struct aw_client *client, const char *prefix, const char *after,
                             struct aw_sets **ret, char **ret_next, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_list_req req = {
        .name = bytes_str(prefix), .after = bytes_str(after), .limit = AW_MAX_PAGE};
    struct call call = {.op = OP_SET_LIST, .req = &req, .deadline_us = NEVER_US};
    struct set_list_rep rep;
    struct aw_sets *list;
    char *next = NULL;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    if (rep.next.len) {
        next = strndup(rep.next.data, rep.next.len);
        if (!next)
            return list_failed(call.op, err);
    }
    list = sets_make(rep.sets.v, rep.sets.n, 0, NULL);
    if (!list) {
        free(next);
        return list_failed(call.op, err);
    }
    *ret = list;
    *ret_next = next;
    return AW_OK;
}

/* A daemon that never comes to an end must not keep us for ever. */
static enum aw_err endless(enum op op, struct aw_error *err)
{
    return aw_fail(err, AW_ERR_PROTOCOL,
                   "the daemon's pages of %s do not go on from where they "
                   "ended",
                   op_info(op)->name);
}

enum aw_err aw_set_list(struct aw_client *client, const char *prefix, struct aw_sets **ret,
                        struct aw_error *err)
{
    _hold_client_(client);
    struct aw_sets *list = NULL, **end = &list;
    _cleanup_free_ char *after = NULL;
    enum aw_err e;

    if (prefix && !*prefix)
        prefix = NULL;
    do {
        char *next = NULL;

        e = list_page(client, prefix, after, end, &next, err);
        if (!e && next && after && strcmp(next, after) <= 0)
            e = endless(OP_SET_LIST, err);
        if (e) {
            free(next);
            break;
        }
        end = &(*end)->next;
        free(after);
        after = next;
    } while (after);
    if (e)
        aw_sets_free(list);
    else
        *ret = list;
    return e;
}

enum aw_err aw_set_show(struct aw_client *client, const char *set, struct aw_set_info **ret,
                        struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_show_req req = {.set = bytes_str(set)};
    struct call call = {.op = OP_SET_SHOW, .req = &req, .deadline_us = NEVER_US};
    struct set_show_rep rep;
    struct {
        struct aw_set_info info;
        struct aw_set set;
        char texts[];
    } * b;
    char *next;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    b = malloc(sizeof(*b) + set_texts(&rep.set));
    if (!b)
        return list_failed(call.op, err);
    next = b->texts;
    set_fill(&b->set, &rep.set, &next);
    b->info = (struct aw_set_info){
        .set = &b->set,
        .queue_wait = latency_copy(&rep.queue_wait),
        .run = latency_copy(&rep.run),
        .total = latency_copy(&rep.total),
    };
    *ret = &b->info;
    return AW_OK;
}

void aw_set_info_free(struct aw_set_info *info)
{
    free(info); /* the first member of its block */
}

static enum aw_err members_page(struct aw_client *client, const char *set, uint64_t *after,
                                struct aw_statuses **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_members_req req = {.set = bytes_str(set), .after = *after, .limit = AW_MAX_PAGE};
    struct call call = {.op = OP_SET_MEMBERS, .req = &req, .deadline_us = NEVER_US};
    struct set_members_rep rep;
    struct aw_statuses *list;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (!e && rep.next && rep.next <= *after)
        e = endless(call.op, err);
    if (e)
        return e;
    list = statuses_copy(rep.jobs.v, rep.jobs.n, bytes_of(NULL, 0), NULL);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    *after = rep.next;
    return AW_OK;
}

enum aw_err aw_set_members(struct aw_client *client, const char *set, struct aw_statuses **ret,
                           struct aw_error *err)
{
    _hold_client_(client);
    struct aw_statuses *list = NULL, **end = &list;
    uint64_t after = 0;

    do {
        enum aw_err e = members_page(client, set, &after, end, err);

        if (e) {
            aw_statuses_free(list);
            return e;
        }
        end = &(*end)->next;
    } while (after);
    *ret = list;
    return AW_OK;
}

/* ---- wait ------------------------------------------------------------------------------- */

static enum aw_err wait_poll(struct aw_client *client, const char *set,
                             const struct aw_until *until, int64_t deadline, struct wait_rep *ret,
                             struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    int64_t left_ms = deadline == NEVER_US ? AW_LONG_POLL_MS
                                           : MAX((deadline - mono_us() + 999) / 1000, INT64_C(0));
    int64_t hold_ms = MIN(left_ms, AW_LONG_POLL_MS);
    struct wait_req req = {.set = bytes_str(set),
                           .n = until->n_ended,
                           .first_error = until->first_error,
                           .timeout_ms = (uint64_t)hold_ms};
    struct call call = {
        .op = OP_WAIT, .req = &req, .waits = true, .hold_ms = hold_ms, .deadline_us = deadline};

    return call_make(client, &call, ret, &answer, err);
}

/* A wait for enough members may be over and the set still be open: what more there may be is not
 * known. */
static enum aw_err not_complete(const char *set, const struct wait_rep *rep, struct aw_error *err)
{
    if (rep->n_ended < rep->n_total)
        aw_fail(err, AW_ERR_TIMED_OUT, "set %.80s: %" PRIu64 " of %" PRIu64 " have not ended yet",
                set, rep->n_total - rep->n_ended, rep->n_total);
    else
        aw_fail(err, AW_ERR_TIMED_OUT, "set %.80s: more members may come, it has not been closed",
                set);
    return AW_ERR_TIMED_OUT;
}

enum aw_err aw_set_wait(struct aw_client *client, const char *set, const struct aw_until *until,
                        int64_t timeout_ms, struct aw_progress *ret_progress, struct aw_error *err)
{
    _hold_client_(client);
    int64_t deadline = deadline_us(timeout_ms);
    struct aw_until ours = {.size = sizeof(ours)};
    struct wait_rep rep;
    enum aw_err e;

    if (until)
        memcpy(&ours, until, MIN(until->size, sizeof(ours)));
    for (;;) {
        int64_t asked_us = mono_us();

        e = wait_poll(client, set, &ours, deadline, &rep, err);
        if (e)
            return e;
        if (rep.done)
            break;
        if (mono_us() >= deadline) {
            e = not_complete(set, &rep, err);
            break;
        }
        /* A daemon that answers "not yet" at once would have us ask without a pause. */
        if (mono_us() - asked_us < 1000) {
            e = mux_sleep(&client->mux, 10, err);
            if (e)
                return e;
        }
    }
    if (ret_progress)
        *ret_progress = (struct aw_progress){rep.n_ended, rep.n_failed};
    return e;
}

/* ---- close, cancel, forget -------------------------------------------------------------- */

enum aw_err aw_set_close(struct aw_client *client, const char *set, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_close_req req = {.set = bytes_str(set)};
    struct call call = {.op = OP_SET_CLOSE, .req = &req, .deadline_us = NEVER_US};
    struct set_close_rep rep;

    return call_make(client, &call, &rep, &answer, err);
}

enum aw_err aw_set_cancel(struct aw_client *client, const char *set, int64_t grace_ms,
                          uint64_t *ret_cancelled, uint64_t *ret_stopping, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_cancel_req req = {.set = bytes_str(set), .grace_ms = grace_ms};
    struct call call = {.op = OP_SET_CANCEL, .req = &req, .deadline_us = NEVER_US};
    struct set_cancel_rep rep;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    if (ret_cancelled)
        *ret_cancelled = rep.cancelled;
    if (ret_stopping)
        *ret_stopping = rep.stopping;
    return AW_OK;
}

enum aw_err aw_set_forget(struct aw_client *client, const char *set, bool jobs,
                          struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_forget_req req = {.set = bytes_str(set), .jobs = jobs};
    /* Once: sent again, it would find nothing, or another set of that name. */
    struct call call = {.op = OP_SET_FORGET, .req = &req, .once = true, .deadline_us = NEVER_US};
    struct set_forget_rep rep;

    return call_make(client, &call, &rep, &answer, err);
}
