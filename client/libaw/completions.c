#include "client/libaw/completions.h"

#include <inttypes.h>

#define ACK_EVERY_US 100000 /* how much work is done twice, at most, by a consumer that crashes */
#define HASTE_MS     500

/* ---- Reading ----------------------------------------------------------------------------- */

void completions_progress(struct aw_completions *each, const struct set_status *set)
{
    struct aw_completions_progress *p = &each->progress;

    p->n = each->n_before + set->n_members + each->n_missing;
    p->n_ended = each->n_before + set->n_ended + each->n_missing;
    p->n_failed = each->n_failed_before + set->n_failed + each->n_missing;
    /* Of those that had ended before the set was made the first came at once. */
    if (!p->first_us && set->first_us)
        p->first_us = MAX((int64_t)(set->first_us - set->created_us), INT64_C(1));
}

void completions_leave_page(struct aw_completions *each)
{
    struct aw_statuses *page = take_ptr(each->page);

    if (!each->keeps) {
        aw_statuses_free(page);
    } else if (page) {
        page->next = each->kept;
        each->kept = page;
    }
}

struct aw_statuses *completions_take_kept(struct aw_completions *each)
{
    completions_leave_page(each);
    return take_ptr(each->kept);
}

static enum aw_err page_take(struct aw_completions *each, const struct set_read_rep *rep,
                             struct aw_error *err)
{
    struct aw_statuses *page = NULL;

    if (rep->jobs.n > 0) {
        page = statuses_copy(rep->jobs.v, rep->jobs.n, bytes_of(NULL, 0), NULL);
        if (!page)
            return list_failed(OP_SET_READ, err);
        each->page_first = rep->first;
        each->page_at = 0;
        each->read_to = rep->first + rep->jobs.n - 1;
    } else if (each->from_cursor) {
        each->read_to = rep->cursor;
    }
    completions_leave_page(each);
    each->page = page;
    each->from_cursor = false;
    each->done = rep->done;
    each->renewed = false;
    each->acked = MAX(each->acked, rep->cursor);
    each->acked_us = mono_us();
    completions_progress(each, &rep->set);
    return AW_OK;
}

static struct set_read_req read_request(const struct aw_completions *each)
{
    struct set_read_req req;

    codec_defaults(&set_read_req_schema, &req);
    req.set = bytes_str(each->set);
    req.consumer = bytes_or_none(each->consumer);
    req.after = each->from_cursor ? -1 : (int64_t)each->read_to;
    req.ack = each->taken_to;
    return req;
}

/* The next page, which may be empty: waits for it, if it shall, but not beyond the deadline. */
static enum aw_err page_read(struct aw_completions *each, bool wait, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_read_req req = read_request(each);
    struct call call = {.op = OP_SET_READ, .req = &req, .deadline_us = NEVER_US};
    int64_t asked_us = mono_us();
    bool in_time = asked_us < each->deadline_us;
    struct set_read_rep rep;
    enum aw_err e;

    if (in_time && wait) {
        call.waits = true;
        call.hold_ms = MIN((each->deadline_us - asked_us + 999) / 1000, AW_LONG_POLL_MS);
        call.deadline_us = each->deadline_us;
    }
    req.timeout_ms = (uint64_t)call.hold_ms;
    e = call_make(each->client, &call, &rep, &answer, err);
    if (e == AW_ERR_NO_SET && each->n_ids && !each->renewed)
        return completions_renew(each, err);
    if (!e)
        e = page_take(each, &rep, err);
    if (e)
        return e;
    if (!in_time && !each->late)
        each->late_to = rep.set.n_ended;
    if (!in_time && rep.jobs.n == 0)
        each->late_to = 0;
    each->late = !in_time;
    /* A daemon that answers "nothing yet" at once would have us ask without a pause. */
    if (call.waits && rep.jobs.n == 0 && !rep.done && mono_us() - asked_us < 1000)
        e = mux_sleep(&each->client->mux, 10, err);
    return e;
}

enum aw_err completions_look(struct aw_completions *each, struct aw_error *err)
{
    return page_read(each, false, err);
}

/* ---- Acknowledging ----------------------------------------------------------------------- */

/* `hasty`: for what it is worth, without waiting for a daemon that is away. */
static enum aw_err ack_send(struct aw_completions *each, bool hasty, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_read_req req = read_request(each);
    struct call call = {.op = OP_SET_READ, .req = &req, .hasty = hasty, .deadline_us = NEVER_US};
    struct set_read_rep rep;
    enum aw_err e;

    req.after = (int64_t)each->read_to;
    req.limit = 0;
    req.timeout_ms = 0;
    if (hasty)
        call.deadline_us = deadline_us(HASTE_MS);
    each->acked_us = mono_us();
    e = call_make(each->client, &call, &rep, &answer, err);
    if (!e)
        each->acked = MAX(each->acked, req.ack);
    return e;
}

enum aw_err aw_completions_ack(struct aw_completions *each, struct aw_error *err)
{
    if (each->n_ids || each->taken_to <= each->acked)
        return AW_OK;
    return ack_send(each, false, err);
}

/*
 * The one before is done with, now that another one is asked for. While a page lasts nothing else
 * tells the daemon.
 */
static void ack_now_and_then(struct aw_completions *each)
{
    if (!each->n_ids && each->taken_to > each->acked &&
        mono_us() - each->acked_us >= ACK_EVERY_US && ack_send(each, true, NULL))
        return; /* it rides on the next page */
}

/* ---- Handing out ------------------------------------------------------------------------- */

static bool missing_next(struct aw_completions *each, const struct aw_status **ret)
{
    size_t i = each->n_missing_out;

    if (i == each->n_missing)
        return false;
    *ret = aw_statuses_at(each->missing, i);
    each->index = each->missing_at[i];
    each->states[each->index] = COMPLETION_COME;
    each->place = 0;
    each->n_missing_out++;
    return true;
}

static bool page_next(struct aw_completions *each, const struct aw_status **ret)
{
    while (each->page && each->page_at < each->page->n) {
        const struct aw_status *status = &each->page->v[each->page_at];
        size_t i = each->n_ids ? completions_find(each, status->id) : 0;

        each->taken_to = each->page_first + each->page_at++;
        if (each->n_ids && (i == SIZE_MAX || each->states[i] != COMPLETION_OPEN))
            continue;
        if (each->n_ids)
            each->states[i] = COMPLETION_COME;
        each->n_failed_out += status->state != AW_SUCCEEDED;
        each->index = i;
        each->place = each->n_before + each->taken_to;
        *ret = status;
        return true;
    }
    return false;
}

static enum aw_err too_late(const struct aw_completions *each, struct aw_error *err)
{
    const struct aw_completions_progress *p = &each->progress;

    return aw_fail(err, AW_ERR_TIMED_OUT, "%" PRIu64 " of %" PRIu64 " jobs have not ended yet",
                   p->n - MIN(p->n_ended, p->n), p->n);
}

enum aw_err aw_completions_next(struct aw_completions *each, const struct aw_status **ret_status,
                                struct aw_error *err)
{
    ack_now_and_then(each);
    for (;;) {
        enum aw_err e;

        if (missing_next(each, ret_status) || page_next(each, ret_status))
            return AW_OK;
        if (each->done) {
            e = aw_completions_ack(each, err);
            if (!e)
                *ret_status = NULL;
            return e;
        }
        if (each->late && each->read_to >= each->late_to)
            return too_late(each, err);
        e = page_read(each, true, err);
        if (e)
            return e;
    }
}

uint64_t aw_completions_place(const struct aw_completions *each)
{
    return each->place;
}

void aw_completions_get_progress(const struct aw_completions *each,
                                 struct aw_completions_progress *ret)
{
    *ret = each->progress;
}
