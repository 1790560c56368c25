/*
 * wait: answer once all of these futures have ended.
 *
 * First everything is watched, then the records are read: what ends in between is seen either
 * way. When the last one has ended (or the time is over) the records are read for the answer.
 */
#include "daemon/ops/ids.h"
#include "daemon/ops/view.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct wait_one {
    struct watch watch;
    struct wait *wait;
    bool ended;
};

struct wait {
    struct exchange *x; /* NULL: the client is gone; freed when the engine has answered */
    struct ids ids;
    struct wait_one *ones;
    size_t n_left;
    int64_t timeout_ms;
    struct event timer;
    bool timed; /* the timer was set up */
    bool reading;
    bool over; /* the time is */
};

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

static void wait_answer(struct wait *w, const struct found *jobs)
{
    struct exchange *x = w->x;
    struct wait_rep rep = {.done = w->n_left == 0};
    struct view view = {0};

    for (size_t i = 0; i < w->ids.n; i++) {
        rep.n_ended += w->ones[i].ended;
        rep.n_failed += w->ones[i].ended && (id_error(x, &w->ids.v[i], &jobs[i]) ||
                                             jobs[i].record.state != AW_SUCCEEDED);
    }
    watches_remove_all(x->srv, w);
    if (rep.done) {
        if (!view_init(&view, x->srv, w->ids.n)) {
            exchange_failf(x, AW_ERR_NO_MEMORY, "wait: out of memory");
            wait_free(w);
            return;
        }
        view_set_all(&view, x, &w->ids, jobs);
        rep.jobs.v = view.jobs;
        rep.jobs.n = w->ids.n;
    }
    exchange_reply(x, &rep);
    view_done(&view);
    wait_free(w);
}

/*
 * The records are there: takes in what has ended, then answers or goes on waiting. Since events
 * and answers of the engine come in the order of their commits, these records are no older than
 * any event that came while they were being read.
 */
static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct wait *w = arg;

    w->reading = false;
    if (!w->x) {
        wait_free(w);
        return;
    }
    if (err) {
        watches_remove_all(w->x->srv, w);
        exchange_fail(w->x, err);
        wait_free(w);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!w->ones[i].ended &&
            (id_error(w->x, &w->ids.v[i], &jobs[i]) || aw_state_is_final(jobs[i].record.state))) {
            w->ones[i].ended = true;
            w->n_left--;
        }
    if (w->n_left == 0 || w->over)
        wait_answer(w, jobs);
}

static void wait_read(struct wait *w)
{
    if (w->reading)
        return;
    w->reading = true;
    engine_get(w->x->srv->engine, w->ids.numbers, w->ids.n, 0, got, w);
}

static void on_event(struct watch *watch, enum watch_event event)
{
    struct wait_one *one = (struct wait_one *)watch;
    struct wait *w = one->wait;

    if (event != WATCH_ENDED || one->ended)
        return;
    one->ended = true;
    if (--w->n_left == 0)
        wait_read(w);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct wait *w = arg;

    (void)fd;
    (void)what;
    w->over = true;
    wait_read(w);
}

static void on_gone(struct exchange *x)
{
    struct wait *w = x->state;

    watches_remove_all(x->srv, w);
    if (w->timed) {
        event_del(&w->timer);
        w->timed = false;
    }
    exchange_drop(x);
    w->x = NULL;
    if (!w->reading)
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
    w->n_left = w->ids.n;
    w->over = w->timeout_ms == 0;
    exchange_park(x, on_gone, w);
    if (!w->over) {
        event_assign(&w->timer, x->srv->base, -1, 0, on_timeout, w);
        event_add(&w->timer, &tv);
        w->timed = true;
    }
    wait_read(w);
}

void op_wait(struct exchange *x)
{
    const struct wait_req *req = x->args;
    struct wait *w = calloc(1, sizeof(*w));
    struct aw_error err;

    if (!w) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "wait: out of memory");
        return;
    }
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
