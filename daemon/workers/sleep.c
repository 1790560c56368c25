/*
 * The worker for jobs of type sleep: a timer each. One that is adopted goes on with the time that
 * is left, so that a restart of awd does not make it longer.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/queue.h>

#include "daemon/workers/worker.h"

#define BUCKETS 1024

struct sleeper {
    LIST_ENTRY(sleeper) link;
    struct sleep_worker *owner;
    uint64_t claim;
    int64_t started_us;
    int64_t due_us;      /* of boottime_us(): when it is over */
    uint64_t timeout_ms; /* 0: it sleeps as long as it wants */
    bool stopped;
    struct event timer;
};

struct sleep_worker {
    struct worker worker;
    struct event_base *base;
    LIST_HEAD(, sleeper) sleepers[BUCKETS];
};

static struct sleep_worker *sleep_worker(struct worker *w)
{
    return (struct sleep_worker *)w; /* `worker` is its first member */
}

static void sleeper_free(struct sleeper *s)
{
    event_del(&s->timer);
    LIST_REMOVE(s, link);
    free(s);
}

/* False: out of memory. */
static bool timer_set(struct sleeper *s, int64_t us)
{
    struct timeval tv = {us / 1000000, us % 1000000};

    return evtimer_add(&s->timer, &tv) == 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sleeper *s = arg;
    struct worker *w = &s->owner->worker;
    uint64_t claim = s->claim;
    struct outcome outcome = {
        .stopped = s->stopped,
        .exit_code = NO_EXIT_CODE,
        .started_us = s->started_us,
    };
    int64_t left_us = s->due_us - boottime_us();

    (void)fd;
    (void)what;
    /* The loop's clock is coarse, and may ring a few milliseconds early: without memory, it ends
     * so. */
    if (!s->stopped && left_us > 0 && timer_set(s, MAX(left_us, INT64_C(1000))))
        return;
    outcome.ended_us = now_us();
    if (!s->stopped && s->timeout_ms) {
        outcome.class = AW_CLASS_TIMEOUT;
        snprintf(outcome.message, sizeof(outcome.message),
                 "ran longer than %" PRIu64 " ms and was ended", s->timeout_ms);
    } else if (!s->stopped) {
        outcome.exit_code = 0;
    }
    sleeper_free(s);
    w->host->ended(w->arg, claim, &outcome);
}

/* `slept_us` of its time are over already. */
static bool sleep_take(struct worker *w, const struct work *work, int64_t slept_us)
{
    struct sleep_worker *x = sleep_worker(w);
    const struct job *job = work->job;
    struct sleeper *s = calloc(1, sizeof(*s));
    uint64_t ms = job->sleep_ms;
    int64_t left_us;

    if (!s)
        return false;
    s->owner = x;
    s->claim = work->claim;
    s->started_us = now_us() - slept_us;
    if (job->timeout_ms && job->timeout_ms < ms)
        ms = s->timeout_ms = job->timeout_ms;
    left_us = MAX((int64_t)ms * 1000 - slept_us, 0);
    s->due_us = boottime_us() + left_us;
    LIST_INSERT_HEAD(&x->sleepers[s->claim % BUCKETS], s, link);
    evtimer_assign(&s->timer, x->base, on_timer, s);
    if (timer_set(s, left_us))
        return true;
    sleeper_free(s);
    return false;
}

static bool sleep_start(struct worker *w, const struct work *work)
{
    return sleep_take(w, work, 0);
}

static bool sleep_adopt(struct worker *w, const struct work *work)
{
    return sleep_take(w, work, work->started_us ? MAX(now_us() - work->started_us, 0) : 0);
}

static void sleep_stop(struct worker *w, uint64_t claim, int64_t grace_ms)
{
    struct sleeper *s;

    (void)grace_ms;
    LIST_FOREACH (s, &sleep_worker(w)->sleepers[claim % BUCKETS], link)
        if (s->claim == claim) {
            s->stopped = true;
            event_active(&s->timer, EV_TIMEOUT, 0);
            return;
        }
}

static void sleep_recorded(struct worker *w, uint64_t claim)
{
    (void)w;
    (void)claim;
}

static void sleep_free(struct worker *w)
{
    struct sleep_worker *x = sleep_worker(w);
    struct sleeper *s;

    if (!x)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((s = LIST_FIRST(&x->sleepers[i])))
            sleeper_free(s);
    free(x);
}

struct worker *worker_sleep_new(struct event_base *base, const struct worker_host *host, void *arg)
{
    static const struct worker_ops ops = {
        .type = "sleep",
        .start = sleep_start,
        .adopt = sleep_adopt,
        .stop = sleep_stop,
        .recorded = sleep_recorded,
        .free = sleep_free,
    };
    struct sleep_worker *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->worker = (struct worker){&ops, host, arg};
    x->base = base;
    return &x->worker;
}
