/* What is claimed before there is a slot for it: struct ahead. */
#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/running_private.h"
#include "daemon/server.h"
#include "daemon/timer.h"

#define MAX_AHEAD   64
#define TOGETHER_US 6000  /* what ends in this time may be claimed anew together */
#define HOLD_US     20000 /* at most, before it goes back to the queue */
#define SHORT_US    10000 /* jobs that take longer do not get others claimed ahead of them */
#define REST_US     20000 /* a rest that is longer parts what came before from what comes next */
#define WORTH       10    /* nor do those that take so many times as long as a claim */
#define WEIGHT      4     /* of all that came before, against one more */
#define UNKNOWN_US  (100 * SHORT_US) /* so that it takes some in a row to be called short */

/* ---- How many ------------------------------------------------------------------------------- */

static void average(int64_t *value, int64_t one)
{
    *value += (one - *value) / WEIGHT;
}

void ahead_note_job(struct running *r, int64_t us)
{
    average(&r->ahead.job_us, us);
}

static void forget_jobs(struct running *r)
{
    r->ahead.job_us = UNKNOWN_US;
}

/*
 * Many clients that wait for each other's commits come in step: all of them at once, then none. It
 * is the same work, so the pause between two such crowds must not make the next one start anew.
 */
void ahead_rest(struct running *r)
{
    const struct timeval tv = {.tv_usec = REST_US};

    r->ahead.rest_us = boottime_us();
    if (!event_pending(r->ahead.rested, EV_TIMEOUT, NULL))
        timer_add(r->ahead.rested, &tv);
}

static void rested(evutil_socket_t fd, short what, void *arg)
{
    struct running *r = arg;
    struct timeval tv = {0};

    (void)fd;
    (void)what;
    if (!running_is_resting(r))
        return;
    tv.tv_usec = (suseconds_t)(r->ahead.rest_us + REST_US - boottime_us());
    if (tv.tv_usec > 0) {
        timer_add(r->ahead.rested, &tv);
        return;
    }
    forget_jobs(r);
    running_kick(r); /* less is offered now */
}

void ahead_note_claim(struct running *r, int64_t us)
{
    average(&r->ahead.claim_us, us);
}

/* How many end in so many microseconds; 0: jobs are not claimed ahead. */
static size_t n_ending(const struct running *r, int64_t us)
{
    const struct ahead *ahead = &r->ahead;

    if (ahead->job_us >= SHORT_US || ahead->job_us >= ahead->claim_us * WORTH)
        return 0;
    return (size_t)MIN((int64_t)r->slots * us / MAX(ahead->job_us, INT64_C(1)) + 1, MAX_AHEAD / 2);
}

size_t ahead_together(const struct running *r)
{
    return r->slots ? n_ending(r, TOGETHER_US) : 0;
}

/*
 * As many as end in the time of two claims, since a slot that gets free just after one was made has
 * to wait for the next one; and as many again as are claimed together. All in all no more than have
 * begun in half of the time that they may be held: what goes back was claimed in vain.
 */
size_t ahead_depth(const struct running *r)
{
    int64_t us = MIN(2 * r->ahead.claim_us, HOLD_US / 2 - TOGETHER_US);

    return r->slots ? n_ending(r, us) + n_ending(r, TOGETHER_US) : 0;
}

/* ---- Holding -------------------------------------------------------------------------------- */

static struct plan *plan_copy(const struct claimed *claimed)
{
    struct plan *plan = calloc(1, sizeof(*plan) + claimed->spec.len);

    if (!plan)
        return NULL;
    plan->claimed = *claimed;
    plan->claimed.spec = bytes_of(plan + 1, claimed->spec.len);
    memcpy(plan + 1, claimed->spec.data, claimed->spec.len);
    return plan;
}

static void plan_free(struct plan *plan)
{
    codec_close(&plan->doc);
    free(plan);
}

bool ahead_hold(struct attempt *a, const struct claimed *claimed)
{
    const struct timeval tv = {.tv_usec = HOLD_US};
    struct running *r = a->running;
    struct plan *plan = plan_copy(claimed);
    struct aw_error err;
    enum aw_err e = plan ? running_plan_open(a, plan, &err) : AW_ERR_NO_MEMORY;

    if (e) {
        free(plan);
        if (e != AW_ERR_NO_MEMORY) {
            running_fail(a, err.text);
            return true;
        }
        running_wait_for_memory(r);
        return false;
    }
    if (a->worker && !a->worker->ops->may_be_held) {
        forget_jobs(r); /* nor is what comes behind it claimed before there is a slot */
        plan_free(plan);
        return false;
    }
    a->plan = plan;
    a->info.held = true;
    a->since_us = boottime_us();
    TAILQ_INSERT_TAIL(&r->ahead.held, a, held);
    r->ahead.n_held++;
    if (!event_pending(r->ahead.too_long, EV_TIMEOUT, NULL))
        timer_add(r->ahead.too_long, &tv);
    return true;
}

/* It is held no more. What it was to do is the caller's. */
static struct plan *let_go(struct attempt *a)
{
    struct ahead *ahead = &a->running->ahead;

    TAILQ_REMOVE(&ahead->held, a, held);
    ahead->n_held--;
    return take_ptr(a->plan);
}

void ahead_forget(struct attempt *a)
{
    a->running->ahead.n_returning -= a->returns;
    if (a->plan)
        plan_free(let_go(a));
}

/* ---- Beginning ------------------------------------------------------------------------------ */

/* It was told to stop while it was held. */
static void end_stopped(struct attempt *a)
{
    const struct outcome outcome = {
        .stopped = true, .exit_code = NO_EXIT_CODE, .ended_us = now_us()};

    plan_free(let_go(a));
    running_ended(a->running, claim_of(a), &outcome);
}

static void begin(struct attempt *a)
{
    struct plan *plan = let_go(a);
    struct worker *worker = a->worker;
    uint64_t claim = claim_of(a);
    bool watched = a->watched;

    plan->claimed.started_us = now_us();
    a->info.held = false;
    running_plan_begin(a, plan, false); /* and `a` may be gone */
    free(plan);
    if (watched)
        worker->ops->watch(worker, claim);
}

bool ahead_is_ready(const struct running *r)
{
    return r->ahead.n_stops || (r->ahead.n_held && r->n_started < r->slots);
}

void ahead_begin(struct running *r)
{
    struct attempt *a, *next;

    for (a = TAILQ_FIRST(&r->ahead.held); r->ahead.n_stops && a; a = next) {
        next = TAILQ_NEXT(a, held);
        if (a->stop)
            end_stopped(a);
    }
    r->ahead.n_stops = 0;
    while (r->n_started < r->slots && (a = TAILQ_FIRST(&r->ahead.held)))
        begin(a);
}

/* ---- Back to the queue ---------------------------------------------------------------------- */

static void returned(void *arg, const struct aw_error *err)
{
    struct attempt *a = arg;
    struct running *r = a->running;

    if (err && err->code != AW_ERR_WRONG_STATE) {
        log_job(LOG_WARNING, a->id, "it cannot be given back to its queue yet: %s", err->text);
        TAILQ_INSERT_TAIL(&r->ahead.stuck, a, held);
        running_wait_for_memory(r);
        return;
    }
    running_attempt_free(a);
    running_kick(r);
    server_drained(r->srv);
}

void ahead_return(struct attempt *a)
{
    a->running->ahead.n_returning += !a->returns;
    a->returns = a->info.held = true;
    a->running->offer.slots = 0;
    engine_release(a->running->srv->engine, number_of(a), claim_of(a), returned, a);
}

void ahead_return_all(struct running *r)
{
    struct attempt *a;

    while ((a = TAILQ_LAST(&r->ahead.held, attempt_list))) {
        plan_free(let_go(a));
        ahead_return(a);
    }
}

void ahead_return_again(struct running *r)
{
    struct attempt *last = TAILQ_LAST(&r->ahead.stuck, attempt_list), *a = NULL;

    while (a != last) {
        a = TAILQ_FIRST(&r->ahead.stuck);
        TAILQ_REMOVE(&r->ahead.stuck, a, held);
        ahead_return(a);
    }
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

static void too_long(evutil_socket_t fd, short what, void *arg)
{
    struct running *r = arg;
    const struct attempt *first = TAILQ_FIRST(&r->ahead.held);
    struct timeval tv = {0};

    (void)fd;
    (void)what;
    if (!first)
        return;
    tv.tv_usec = (suseconds_t)(first->since_us + HOLD_US - boottime_us());
    if (tv.tv_usec > 0) {
        timer_add(r->ahead.too_long, &tv);
        return;
    }
    r->ahead.job_us = MAX(r->ahead.job_us, SHORT_US); /* until it is known better */
    ahead_return_all(r);
    running_kick(r);
}

bool ahead_init(struct running *r, struct event_base *base)
{
    TAILQ_INIT(&r->ahead.held);
    TAILQ_INIT(&r->ahead.stuck);
    forget_jobs(r);
    r->ahead.too_long = event_new(base, -1, 0, too_long, r);
    r->ahead.rested = event_new(base, -1, 0, rested, r);
    return r->ahead.too_long && r->ahead.rested;
}

void ahead_done(struct running *r)
{
    if (r->ahead.too_long)
        event_free(r->ahead.too_long);
    if (r->ahead.rested)
        event_free(r->ahead.rested);
}
