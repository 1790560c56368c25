#include "daemon/leases.h"

#include <inttypes.h>
#include <stdio.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/engine/numtable.h"
#include "daemon/log.h"
#include "daemon/server.h"
#include "daemon/timer.h"
#include "proto/future_id.h"
#include "proto/text.h"

/* Sets that were used are swept when there are twice as many as after the last time, and these. */
#define SWEEP_SLACK 64

/* A timer runs at least so long; and after the engine was asked, so long. */
#define TIMER_US     INT64_C(1000)
#define ASK_AGAIN_US INT64_C(1000000)

struct lease {
    struct numnode node;
    struct leases *ls;
    struct event timer; /* runs unless a watch holds the job, or the engine is asked */
    int64_t ms;
    int64_t wanted_us; /* when somebody last wanted it */
    bool armed;
    bool asking; /* the engine is to answer: not to be freed before */
    bool over;   /* the job has ended meanwhile */
};

struct set_use {
    struct numnode node;
    int64_t used_us;
};

struct leases {
    struct server *srv;
    struct numtable jobs;
    struct numtable sets;
    uint64_t sweep_at; /* sets in the table by which it is swept */
    int64_t longest_ms;
};

/* ---- Sets that somebody was told of ---------------------------------------------------------- */

static void use_free(void *arg, struct numnode *node)
{
    struct leases *ls = arg;

    numtable_remove(&ls->sets, node);
    free(numtable_entry(node, struct set_use, node));
}

static void use_sweep(void *arg, struct numnode *node)
{
    const struct leases *ls = arg;
    const struct set_use *use = numtable_entry(node, struct set_use, node);

    if (use && use->used_us + ls->longest_ms * 1000 < boottime_us())
        use_free(arg, node);
}

void leases_set_used(struct leases *ls, uint64_t set)
{
    struct set_use *use = numtable_entry(numtable_find(&ls->sets, set), struct set_use, node);

    if (ls->jobs.n_nodes == 0)
        return;
    if (!use) {
        if (ls->sets.n_nodes >= ls->sweep_at) {
            numtable_each(&ls->sets, use_sweep, ls);
            ls->sweep_at = 2 * ls->sets.n_nodes + SWEEP_SLACK;
        }
        use = calloc(1, sizeof(*use));
        if (!use)
            return; /* a job of it may be cancelled too early, as far as it has a lease */
        use->node.number = set;
        numtable_insert(&ls->sets, &use->node);
    }
    use->used_us = boottime_us();
}

/* When that set was last used; 0: not lately. */
static int64_t set_used_us(const struct leases *ls, uint64_t set)
{
    const struct set_use *use;

    if (watches_held(ls->srv->set_watches, set))
        return boottime_us();
    use = numtable_entry(numtable_find(&ls->sets, set), struct set_use, node);
    return use ? use->used_us : 0;
}

/* ---- One lease ------------------------------------------------------------------------------- */

static struct lease *lease_find(const struct leases *ls, uint64_t number)
{
    return numtable_entry(numtable_find(&ls->jobs, number), struct lease, node);
}

static void lease_free(struct lease *l)
{
    struct leases *ls = l->ls;

    event_del(&l->timer);
    numtable_remove(&ls->jobs, &l->node);
    free(l);
    if (ls->jobs.n_nodes == 0) {
        numtable_each(&ls->sets, use_free, ls);
        ls->longest_ms = 0;
    }
}

static int64_t lease_left_us(const struct lease *l)
{
    return l->wanted_us + l->ms * 1000 - boottime_us();
}

static void lease_arm(struct lease *l, int64_t least_us)
{
    int64_t us = MAX(lease_left_us(l), least_us);
    struct timeval tv = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

    if (l->armed || l->asking)
        return;
    l->armed = true;
    timer_add(&l->timer, &tv);
}

static void lease_renew(struct lease *l)
{
    l->wanted_us = boottime_us();
    lease_arm(l, TIMER_US);
}

static void why_text(const struct lease *l, char buf[64])
{
    char time[32];

    duration_format(time, sizeof(time), l->ms);
    snprintf(buf, 64, "nobody waited for it or renewed it for %.20s", time);
}

static void log_cancelled(const struct lease *l)
{
    char why[64], id[AW_MAX_ID];

    why_text(l, why);
    future_id_format(id, l->ls->srv->engine->tag, l->node.number);
    log_job(LOG_INFO, id, "cancelled: %s", why);
}

static void cancelled(void *arg, const struct aw_error *err, const struct job_result *jobs,
                      size_t n)
{
    struct lease *l = arg;

    (void)n;
    l->asking = false;
    if (!err && !jobs->err)
        log_cancelled(l);
    if (l->over || (!err && jobs->err)) {
        lease_free(l); /* it has ended by itself */
    } else if (err) {
        l->wanted_us = boottime_us(); /* no room on the disk: another time */
        lease_arm(l, ASK_AGAIN_US);
    }
    /* Else it was told to stop, or its end is on its way here. */
}

static void lease_cancel(struct lease *l)
{
    char why[64];

    why_text(l, why);
    l->asking = true;
    engine_cancel(l->ls->srv->engine, &l->node.number, 1, -1, why, cancelled, l);
}

static void sets_known(void *arg, const struct aw_error *err, const uint64_t *ids, size_t n)
{
    struct lease *l = arg;

    l->asking = false;
    if (l->over) {
        lease_free(l);
        return;
    }
    if (err)
        l->wanted_us = boottime_us(); /* nobody can say: another time */
    for (size_t i = 0; !err && i < n; i++)
        l->wanted_us = MAX(l->wanted_us, set_used_us(l->ls, ids[i]));
    if (err || lease_left_us(l) > 0)
        lease_arm(l, ASK_AGAIN_US);
    else if (!watches_held(l->ls->srv->watches, l->node.number))
        lease_cancel(l);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct lease *l = arg;

    (void)fd;
    (void)what;
    l->armed = false;
    if (watches_held(l->ls->srv->watches, l->node.number))
        return; /* the end of the last watch starts the clock again */
    if (lease_left_us(l) > 0) {
        lease_arm(l, TIMER_US);
        return;
    }
    l->asking = true;
    engine_sets_of(l->ls->srv->engine, l->node.number, sets_known, l);
}

/* ---- All of them ----------------------------------------------------------------------------- */

void leases_hold(struct leases *ls, uint64_t number, int64_t abandon_ms)
{
    struct lease *l = lease_find(ls, number);

    if (l) {
        lease_renew(l);
        return;
    }
    l = calloc(1, sizeof(*l));
    if (!l) {
        log_msg(LOG_WARNING, "out of memory: job %" PRIu64 " goes on even if nobody wants it",
                number);
        return;
    }
    l->node.number = number;
    l->ls = ls;
    l->ms = abandon_ms;
    event_assign(&l->timer, ls->srv->base, -1, 0, on_timer, l);
    numtable_insert(&ls->jobs, &l->node);
    ls->longest_ms = MAX(ls->longest_ms, abandon_ms);
    lease_renew(l);
}

void leases_renew(struct leases *ls, uint64_t number)
{
    struct lease *l = lease_find(ls, number);

    if (l)
        lease_renew(l);
}

void leases_ended(struct leases *ls, uint64_t number)
{
    struct lease *l = lease_find(ls, number);

    if (!l)
        return;
    l->over = true;
    if (!l->asking)
        lease_free(l);
}

static void watch_idle(void *arg, uint64_t number)
{
    leases_renew(arg, number);
}

static void set_watch_idle(void *arg, uint64_t set)
{
    leases_set_used(arg, set);
}

static void start_one(void *arg, uint64_t number, int64_t abandon_ms)
{
    leases_hold(arg, number, abandon_ms);
}

void leases_start(struct leases *ls)
{
    engine_each_lease(ls->srv->engine, start_one, ls);
}

enum aw_err leases_new(struct server *srv, struct leases **ret, struct aw_error *err)
{
    struct leases *ls = calloc(1, sizeof(*ls));

    if (!ls || !numtable_init(&ls->jobs) || !numtable_init(&ls->sets)) {
        leases_free(ls);
        return aw_fail(err, AW_ERR_NO_MEMORY, "leases: out of memory");
    }
    ls->srv = srv;
    watches_on_idle(srv->watches, watch_idle, ls);
    watches_on_idle(srv->set_watches, set_watch_idle, ls);
    *ret = ls;
    return AW_OK;
}

static void free_one(void *arg, struct numnode *node)
{
    struct lease *l = numtable_entry(node, struct lease, node);

    (void)arg;
    event_del(&l->timer);
    numtable_remove(&l->ls->jobs, node);
    free(l);
}

void leases_free(struct leases *ls)
{
    if (!ls)
        return;
    numtable_each(&ls->jobs, free_one, ls);
    numtable_each(&ls->sets, use_free, ls);
    numtable_done(&ls->jobs);
    numtable_done(&ls->sets);
    free(ls);
}
