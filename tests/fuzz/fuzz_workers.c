/*
 * In place of the workers exec and http: no program is run and nobody is connected to. An attempt
 * ends in the next turn of the loop, as the first letter of its program or URL's host says: 'f'
 * fails, 'o' has output, 's' runs until it is told to stop, anything else succeeds.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "daemon/workers/exec.h"
#include "daemon/workers/http.h"
#include "proto/http_job.h"

struct attempt {
    TAILQ_ENTRY(attempt) link;
    uint64_t claim;
    char how;
    bool stopped;
};

TAILQ_HEAD(attempt_list, attempt);

struct instant_worker {
    struct worker worker;
    struct event turn;
    struct attempt_list list;
};

static struct instant_worker *instant(struct worker *w)
{
    return (struct instant_worker *)w;
}

static void attempt_end(struct instant_worker *x, struct attempt *a)
{
    int64_t now = now_us();
    struct outcome outcome = {.stopped = a->stopped,
                              .exit_code = a->stopped      ? NO_EXIT_CODE
                                           : a->how == 'f' ? 3
                                                           : 0,
                              .class = !a->stopped && a->how == 'f' ? AW_CLASS_EXIT : AW_CLASS_NONE,
                              .started_us = now,
                              .ended_us = now};
    uint64_t claim = a->claim;

    if (a->how == 'o') {
        outcome.output[STREAM_STDOUT].data = bytes_str("output");
        outcome.output[STREAM_STDOUT].size = strlen("output");
    }
    TAILQ_REMOVE(&x->list, a, link);
    free(a);
    x->worker.host->ended(x->worker.arg, claim, &outcome);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct instant_worker *x = arg;
    struct attempt *a, *next;

    (void)fd, (void)what;
    for (a = TAILQ_FIRST(&x->list); a; a = next) {
        next = TAILQ_NEXT(a, link);
        if (a->how != 's' || a->stopped)
            attempt_end(x, a);
    }
}

static char first_letter(const struct job *job)
{
    struct bytes text = job->argv.n ? job->argv.v[0] : http_host(job->url);

    return text.len ? *(const char *)text.data : ' ';
}

static bool instant_start(struct worker *w, const struct work *work)
{
    struct attempt *a = calloc(1, sizeof(*a));

    if (!a)
        return false;
    a->claim = work->claim;
    a->how = first_letter(work->job);
    TAILQ_INSERT_TAIL(&instant(w)->list, a, link);
    w->host->started(w->arg, work->claim, 1, now_us());
    event_active(&instant(w)->turn, EV_TIMEOUT, 0);
    return true;
}

static void instant_stop(struct worker *w, uint64_t claim, int64_t grace_ms)
{
    struct attempt *a;

    (void)grace_ms;
    TAILQ_FOREACH (a, &instant(w)->list, link)
        if (a->claim == claim)
            a->stopped = true;
    event_active(&instant(w)->turn, EV_TIMEOUT, 0);
}

static void instant_recorded(struct worker *w, uint64_t claim)
{
    (void)w, (void)claim;
}

static void instant_watch(struct worker *w, uint64_t claim)
{
    w->host->grown(w->arg, claim, STREAM_STDOUT, 0);
}

static void instant_free(struct worker *w)
{
    struct attempt *a;

    event_del(&instant(w)->turn);
    while ((a = TAILQ_FIRST(&instant(w)->list))) {
        TAILQ_REMOVE(&instant(w)->list, a, link);
        free(a);
    }
    free(w);
}

static const struct worker_ops exec_ops = {
    .type = "exec",
    .start = instant_start,
    .adopt = instant_start,
    .stop = instant_stop,
    .recorded = instant_recorded,
    .watch = instant_watch,
    .free = instant_free,
};

static const struct worker_ops http_ops = {
    .type = "http",
    .start = instant_start,
    .adopt = instant_start,
    .stop = instant_stop,
    .recorded = instant_recorded,
    .watch = instant_watch,
    .free = instant_free,
};

static struct worker *instant_new(struct event_base *base, const struct worker_ops *ops,
                                  const struct worker_host *host, void *arg)
{
    struct instant_worker *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->worker = (struct worker){ops, host, arg};
    TAILQ_INIT(&x->list);
    evtimer_assign(&x->turn, base, on_turn, x);
    return &x->worker;
}

struct worker *worker_exec_new(struct event_base *base, const struct exec_config *config,
                               const struct worker_host *host, void *arg)
{
    (void)config;
    return instant_new(base, &exec_ops, host, arg);
}

void worker_exec_adopted_all(struct worker *w)
{
    (void)w;
}

pid_t worker_exec_runner_pid(const struct worker *w)
{
    (void)w;
    return 0;
}

void worker_exec_release(struct worker *w)
{
    (void)w;
}

struct worker *worker_http_new(struct event_base *base, const struct http_config *config,
                               const struct worker_host *host, void *arg)
{
    (void)config;
    return instant_new(base, &http_ops, host, arg);
}
