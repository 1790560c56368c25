/*
 * The worker for jobs of type noop: they succeed in the next turn of the loop, however many there
 * are, for one wake-up. What is left of a job's cost then is awd's own.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "daemon/workers/worker.h"

struct noop {
    STAILQ_ENTRY(noop) link;
    uint64_t claim;
    int64_t started_us;
    bool stopped;
};

STAILQ_HEAD(noop_list, noop);

struct noop_worker {
    struct worker worker;
    struct event turn;
    struct noop_list list;
};

static struct noop_worker *noop_worker(struct worker *w)
{
    return (struct noop_worker *)w; /* `worker` is its first member */
}

/* Those that are started meanwhile have their turn in the next one. */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct noop_worker *x = arg;
    struct noop_list list = STAILQ_HEAD_INITIALIZER(list);
    struct noop *noop;

    (void)fd;
    (void)what;
    STAILQ_CONCAT(&list, &x->list);
    while ((noop = STAILQ_FIRST(&list))) {
        struct outcome outcome = {.stopped = noop->stopped,
                                  .exit_code = noop->stopped ? NO_EXIT_CODE : 0,
                                  .started_us = noop->started_us,
                                  .ended_us = now_us()};
        uint64_t claim = noop->claim;

        STAILQ_REMOVE_HEAD(&list, link);
        free(noop);
        x->worker.host->ended(x->worker.arg, claim, &outcome);
    }
}

static bool noop_take(struct worker *w, const struct work *work)
{
    struct noop_worker *x = noop_worker(w);
    struct noop *noop = malloc(sizeof(*noop));

    if (!noop)
        return false;
    *noop = (struct noop){.claim = work->claim,
                          .started_us = work->started_us ? work->started_us : now_us()};
    if (STAILQ_EMPTY(&x->list))
        event_active(&x->turn, EV_TIMEOUT, 0);
    STAILQ_INSERT_TAIL(&x->list, noop, link);
    return true;
}

static void noop_stop(struct worker *w, uint64_t claim, int64_t grace_ms)
{
    struct noop *noop;

    (void)grace_ms;
    STAILQ_FOREACH (noop, &noop_worker(w)->list, link)
        if (noop->claim == claim)
            noop->stopped = true;
}

static void noop_recorded(struct worker *w, uint64_t claim)
{
    (void)w;
    (void)claim;
}

static void noop_free(struct worker *w)
{
    struct noop_worker *x = noop_worker(w);
    struct noop *noop;

    if (!x)
        return;
    event_del(&x->turn);
    while ((noop = STAILQ_FIRST(&x->list))) {
        STAILQ_REMOVE_HEAD(&x->list, link);
        free(noop);
    }
    free(x);
}

struct worker *worker_noop_new(struct event_base *base, const struct worker_host *host, void *arg)
{
    static const struct worker_ops ops = {
        .type = "noop",
        .may_be_held = true,
        .start = noop_take,
        .adopt = noop_take,
        .stop = noop_stop,
        .recorded = noop_recorded,
        .free = noop_free,
    };
    struct noop_worker *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->worker = (struct worker){&ops, host, arg};
    STAILQ_INIT(&x->list);
    evtimer_assign(&x->turn, base, on_turn, x);
    return &x->worker;
}
