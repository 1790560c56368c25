/*
 * wait: answer once enough of these futures have ended, or the first has failed.
 *
 * First everything is watched, then the records are read: what ends in between is seen either
 * way. From then on events are counted, each at the same small cost, and the records are read once
 * more, for the answer. (Waiting for a set, which takes neither: wait_set.c.)
 */
#include "daemon/ops/ids.h"
#include "daemon/ops/statuses.h"
#include "daemon/ops/view.h"
#include "daemon/ops/wait.h"
#include "daemon/ops/wakes.h"
#include "daemon/timer.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct wait_one {
    struct watch watch; /* first */
    struct wait *wait;
    bool ended;
    bool ending; /* an attempt has ended, and that is being recorded */
};

struct wait {
    struct wake wake;   /* first */
    struct exchange *x; /* if its client goes: dropped when the engine has answered */
    struct ids ids;
    struct wait_one *ones;
    struct wait_goal goal;
    uint64_t n_ended, n_failed, n_ending;
    int64_t timeout_ms;
    struct event timer;
    bool timed; /* the timer was set up */
    bool known; /* the records were read: the numbers above are right */
    bool over;  /* the time is */
};

bool wait_goal_met(const struct wait_goal *goal, uint64_t n_ended, uint64_t n_failed, bool all)
{
    return all || (goal->n && n_ended >= goal->n) || (goal->first_error && n_failed);
}

static void wait_free(struct wait *w)
{
    if (w->timed)
        event_del(&w->timer);
    free(w->ones);
    ids_done(&w->ids);
    free(w);
}

static void watches_remove_all(struct server *srv, struct wait *w)
{
    for (size_t i = 0; w->ones && i < w->ids.n; i++)
        watch_remove(srv->watches, &w->ones[i].watch);
}

static bool wait_done(const struct wait *w)
{
    return wait_goal_met(&w->goal, w->n_ended, w->n_failed, w->n_ended == w->ids.n);
}

/* If what is being recorded are ends for good. */
static bool wait_nearly_done(const struct wait *w)
{
    uint64_t n = w->n_ended + w->n_ending;

    return wait_goal_met(&w->goal, n, w->n_failed, n == w->ids.n);
}

/* By what the answer is known again when others are to get the same; 0: by nothing. */
static uint64_t answer_key(const struct wait *w, const struct found *jobs)
{
    return w->ids.n == 1 && !id_error(w->x, &w->ids.v[0], &jobs[0]) ? w->ids.numbers[0] : 0;
}

/* `jobs` is NULL when it is not done: then nothing but the counts is told. */
static void wait_answer(struct wait *w, const struct found *jobs)
{
    struct exchange *x = w->x;
    struct wait_rep rep = {
        .done = jobs != NULL,
        .n_ended = w->n_ended,
        .n_failed = w->n_failed,
        .n_total = w->ids.n,
    };
    struct view view = {0};
    uint64_t key = jobs ? answer_key(w, jobs) : 0;

    watches_remove_all(x->srv, w);
    if (exchange_repeat(x, key)) {
        wait_free(w);
        return;
    }
    if (jobs && w->ids.n > STATUSES_SLICE) {
        statuses_answer(x, &w->ids, &rep);
        wait_free(w);
        return;
    }
    if (jobs) {
        if (!view_init(&view, x->srv, w->ids.n)) {
            exchange_failf(x, AW_ERR_NO_MEMORY, "wait: out of memory");
            wait_free(w);
            return;
        }
        view_set_all(&view, x, &w->ids, jobs);
        rep.jobs.v = view.jobs;
        rep.jobs.n = w->ids.n;
    }
    exchange_reply_as(x, &rep, key);
    view_done(&view);
    wait_free(w);
}

/* What the records say, those that the sender may not see left alone from here on. */
static void take_in(struct wait *w, const struct found *jobs)
{
    w->n_ended = w->n_failed = 0;
    for (size_t i = 0; i < w->ids.n; i++) {
        struct wait_one *one = &w->ones[i];
        enum aw_err e = id_error(w->x, &w->ids.v[i], &jobs[i]);

        one->ended = e || aw_state_is_final(jobs[i].record.state);
        w->n_ended += one->ended;
        w->n_failed += one->ended && (e || jobs[i].record.state != AW_SUCCEEDED);
        if (e)
            watch_remove(w->x->srv->watches, &one->watch);
        else
            watch_hold(&one->watch);
    }
}

/*
 * The records are there: answers or goes on waiting. Since events and answers of the engine come
 * in the order of their commits, these records are no older than any event that came while they
 * were being read.
 */
static void got(struct wake *wake, const struct aw_error *err, const struct found *jobs)
{
    struct wait *w = (struct wait *)wake;

    if (exchange_gone(w->x)) {
        exchange_drop(w->x);
        wait_free(w);
        return;
    }
    if (err) {
        watches_remove_all(w->x->srv, w);
        exchange_fail(w->x, err);
        wait_free(w);
        return;
    }
    take_in(w, jobs);
    w->known = true;
    if (wait_done(w))
        wait_answer(w, jobs);
    else if (w->over)
        wait_answer(w, NULL);
    else
        exchange_rest(w->x);
}

static void wait_read(struct wait *w)
{
    if (w->wake.state == WAKE_NOT)
        wake_line_up(w->x->srv->wakes, &w->wake);
}

static void unending(struct wait_one *one)
{
    one->wait->n_ending -= one->ending;
    one->ending = false;
}

/*
 * An end is told twice: when it is about to be recorded, and when it is. At the first time a wait
 * that it may end is read already: the engine does that behind the end, in the same transaction,
 * and the answer need not wait for another one. If it was not the job's last attempt, the wait goes
 * on.
 */
static void ending(struct wait_one *one)
{
    struct wait *w = one->wait;

    if (one->ending)
        return;
    one->ending = true;
    w->n_ending++;
    if (wait_nearly_done(w))
        wait_read(w);
}

static void on_event(struct watch *watch, const struct watch_news *news)
{
    struct wait_one *one = (struct wait_one *)watch;
    struct wait *w = one->wait;

    if (one->ended || !w->known)
        return;
    if (news->event == WATCH_ENDING)
        ending(one);
    else if (news->event == WATCH_ATTEMPT_ENDED)
        unending(one);
    if (news->event != WATCH_ENDED)
        return;
    unending(one);
    one->ended = true;
    w->n_ended++;
    w->n_failed += news->state != AW_SUCCEEDED;
    if (wait_done(w))
        wait_read(w);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct wait *w = arg;

    (void)fd;
    (void)what;
    w->over = true;
    if (w->wake.state == WAKE_NOT)
        wait_answer(w, NULL);
}

static void on_gone(struct exchange *x)
{
    struct wait *w = x->state;

    watches_remove_all(x->srv, w);
    if (w->timed) {
        event_del(&w->timer);
        w->timed = false;
    }
    if (!wake_leave(x->srv->wakes, &w->wake))
        return;
    exchange_drop(x);
    wait_free(w);
}

static bool wait_watch(struct exchange *x, struct wait *w)
{
    w->ones = calloc(w->ids.n, sizeof(*w->ones));
    for (size_t i = 0; w->ones && i < w->ids.n; i++) {
        w->ones[i].wait = w;
        if (!watch_add(x->srv->watches, &w->ones[i].watch, w->ids.numbers[i], on_event)) {
            watches_remove_all(x->srv, w);
            return false;
        }
    }
    return w->ones != NULL;
}

static void wait_begin(struct exchange *x, struct wait *w)
{
    struct timeval tv = {.tv_sec = w->timeout_ms / 1000, .tv_usec = w->timeout_ms % 1000 * 1000};

    w->x = x;
    w->wake = (struct wake){.numbers = w->ids.numbers, .n = w->ids.n, .fn = got};
    w->over = w->timeout_ms == 0;
    exchange_park(x, on_gone, w);
    if (!w->over) {
        event_assign(&w->timer, x->srv->base, -1, 0, on_timeout, w);
        timer_add(&w->timer, &tv);
        w->timed = true;
    }
    wait_read(w);
}

static void wait_for_ids(struct exchange *x, const struct wait_req *req)
{
    struct wait *w = calloc(1, sizeof(*w));
    struct aw_error err;

    if (!w) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "wait: out of memory");
        return;
    }
    w->goal = (struct wait_goal){req->n, req->first_error};
    w->timeout_ms = (int64_t)req->timeout_ms;
    if (ids_parse(&req->ids, &w->ids, &err)) {
        exchange_fail(x, &err);
        wait_free(w);
    } else if (!wait_watch(x, w)) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "wait: out of memory");
        wait_free(w);
    } else {
        wait_begin(x, w);
    }
}

void op_wait(struct exchange *x)
{
    const struct wait_req *req = x->args;

    if (req->ids.n && req->set.data)
        exchange_failf(x, AW_ERR_INVALID, "wait: ids and set exclude each other");
    else if (req->set.data)
        wait_for_set(x, req);
    else if (req->ids.n)
        wait_for_ids(x, req);
    else
        exchange_failf(x, AW_ERR_INVALID, "ids: 0 items; wait needs some, or a set");
}
