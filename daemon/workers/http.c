#include "daemon/workers/http_private.h"

#include <ctype.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/log.h"
#include "proto/http_job.h"

#define BUCKETS 1024

/*
 * Transfers that may be looking up a name at a time: libcurl has a thread for each, where it was
 * built without c-ares. Those to an address are not counted.
 */
#define MAX_STARTING 64

LIST_HEAD(transfer_list, transfer);
TAILQ_HEAD(transfer_queue, transfer);

struct http_worker {
    struct worker worker;
    struct http_config config;
    struct event_base *base;
    struct http_multi *multi; /* NULL: there was no job yet */
    struct event kick;        /* there is something to do, or to start */
    struct transfer_queue pending, todo;
    size_t n_starting;
    struct transfer_list transfers[BUCKETS];
};

static struct http_worker *http_worker(struct worker *w)
{
    return (struct http_worker *)w; /* `worker` is its first member */
}

static struct transfer *transfer_find(struct http_worker *x, uint64_t claim)
{
    struct transfer *t;

    LIST_FOREACH (t, &x->transfers[claim % BUCKETS], by_claim)
        if (t->claim == claim)
            return t;
    return NULL;
}

static void kick(struct http_worker *x)
{
    event_active(&x->kick, EV_TIMEOUT, 0);
}

/* Looks at it from the loop, in a moment. */
static void transfer_todo(struct transfer *t)
{
    if (!t->on_todo)
        TAILQ_INSERT_TAIL(&t->worker->todo, t, todo);
    t->on_todo = true;
    kick(t->worker);
}

/* ---- The end ----------------------------------------------------------------------------------
 */

static void transfer_free(struct transfer *t)
{
    struct http_worker *x = t->worker;

    evtimer_del(&t->timer);
    LIST_REMOVE(t, by_claim);
    if (t->on_todo)
        TAILQ_REMOVE(&x->todo, t, todo);
    if (t->easy)
        lazy_curl_easy_cleanup(t->easy);
    if (t->headers)
        lazy_curl_slist_free_all(t->headers);
    for (int i = 0; i < N_STREAMS; i++)
        http_stream_done(&t->streams[i]);
    free(t);
}

/* What could not be kept makes a failure of a success: the body is the result. */
static void judge_streams(struct transfer *t)
{
    int error = t->streams[STREAM_STDOUT].error ? t->streams[STREAM_STDOUT].error
                                                : t->streams[STREAM_STDERR].error;

    if (!error)
        return;
    t->outcome.class = AW_CLASS_OUTPUT_LIMIT;
    t->outcome.exit_code = NO_EXIT_CODE;
    snprintf(t->outcome.message, sizeof(t->outcome.message), "the answer could not be kept: %s",
             strerror(error));
}

/* Tells the host, once all output is where it should be. */
static void transfer_settle(struct transfer *t)
{
    struct worker *w = &t->worker->worker;
    bool busy = false;

    for (int i = 0; i < N_STREAMS; i++)
        busy |= http_stream_flush(&t->streams[i]);
    if (busy)
        return;
    judge_streams(t);
    for (int i = 0; i < N_STREAMS; i++)
        t->outcome.output[i] = http_stream_output(&t->streams[i]);
    w->host->ended(w->arg, t->claim, &t->outcome);
    transfer_free(t);
}

/* It is not under way any more, in whatever state it was. */
static void transfer_leave(struct transfer *t, bool remove)
{
    struct http_worker *x = t->worker;

    evtimer_del(&t->timer);
    if (t->state == TRANSFER_PENDING)
        TAILQ_REMOVE(&x->pending, t, pending);
    else if (remove)
        http_multi_remove(x->multi, t->easy);
    transfer_connects(t);
    t->state = TRANSFER_ENDING;
    t->outcome.ended_us = now_us();
}

/* Ends it from outside of libcurl; outcome.class and message are set. */
static void transfer_end(struct transfer *t)
{
    if (t->state != TRANSFER_PENDING)
        http_summary(t);
    transfer_leave(t, true);
    transfer_settle(t);
}

static void on_over(void *arg, CURL *easy, CURLcode result)
{
    struct transfer *t = NULL;

    (void)arg;
    lazy_curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
    http_summary(t);
    http_verdict(t, result);
    transfer_leave(t, false);
    transfer_settle(t);
}

/* libcurl waits for something that the loop has no memory to wait for. */
static void on_stuck(void *arg, CURL *easy)
{
    struct transfer *t = NULL;

    (void)arg;
    lazy_curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
    if (!t || t->state == TRANSFER_ENDING)
        return;
    t->stuck = true;
    transfer_todo(t);
}

static const char *phase(const struct transfer *t)
{
    if (t->state != TRANSFER_ACTIVE)
        return "connecting";
    return t->n_headers ? "in the middle of the answer" : "waiting for the answer";
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct transfer *t = arg;

    (void)fd;
    (void)what;
    t->outcome.class = AW_CLASS_TIMEOUT;
    snprintf(t->outcome.message, sizeof(t->outcome.message),
             "ran longer than %" PRIu64 " ms and was ended, %s", t->timeout_ms, phase(t));
    transfer_end(t);
}

/* ---- While it goes on ------------------------------------------------------------------------ */

void transfer_connects(struct transfer *t)
{
    struct http_worker *x = t->worker;

    if (t->state != TRANSFER_STARTING)
        return;
    t->state = TRANSFER_ACTIVE;
    if (t->numeric)
        return;
    x->n_starting--;
    if (!TAILQ_EMPTY(&x->pending))
        kick(x);
}

static void grown(struct transfer *t, struct http_stream *s)
{
    struct worker *w = &t->worker->worker;

    w->host->grown(w->arg, t->claim, s->file.stream, s->written);
}

/* A stream has written what it had; what came meanwhile may be waiting. */
static void on_idle(void *arg, struct http_stream *s)
{
    struct transfer *t = arg;

    if (t->state == TRANSFER_ENDING) {
        transfer_settle(t);
        return;
    }
    if (t->watched) {
        grown(t, s);
        http_stream_flush(s);
    }
    http_request_resume(t);
}

static void transfer_watch(struct transfer *t)
{
    t->watched = true;
    for (int i = 0; i < N_STREAMS; i++) {
        http_stream_spill(&t->streams[i]);
        if (!t->streams[i].busy)
            grown(t, &t->streams[i]);
    }
}

/* False: not now; others are looking up names. */
static bool transfer_begin(struct transfer *t)
{
    struct http_worker *x = t->worker;

    if (!t->numeric && x->n_starting >= MAX_STARTING)
        return false;
    TAILQ_REMOVE(&x->pending, t, pending);
    t->state = TRANSFER_STARTING;
    x->n_starting += !t->numeric;
    if (http_multi_add(x->multi, t->easy) != CURLE_OK)
        on_over(x, t->easy, CURLE_OUT_OF_MEMORY);
    return true;
}

static void todo_do(struct transfer *t)
{
    if (t->state == TRANSFER_ENDING) {
        transfer_settle(t);
    } else if (t->stop_wanted) {
        t->outcome.stopped = true;
        transfer_end(t);
    } else if (t->stuck) {
        t->outcome.class = AW_CLASS_CONNECTION;
        snprintf(t->outcome.message, sizeof(t->outcome.message), "out of memory, or of files, %s",
                 phase(t));
        transfer_end(t);
    } else if (t->watch_wanted && !t->watched) {
        transfer_watch(t);
    }
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    struct http_worker *x = arg;
    struct transfer *t, *next;

    (void)fd;
    (void)what;
    while ((t = TAILQ_FIRST(&x->todo))) {
        TAILQ_REMOVE(&x->todo, t, todo);
        t->on_todo = false;
        todo_do(t);
    }
    for (t = TAILQ_FIRST(&x->pending); t; t = next) {
        next = TAILQ_NEXT(t, pending);
        transfer_begin(t);
    }
}

/* ---- From the host --------------------------------------------------------------------------- */

/* NULL: out of memory. */
static struct transfer *transfer_new(struct http_worker *x, const struct work *work)
{
    const struct job *job = work->job;
    struct transfer *t = calloc(1, sizeof(*t) + job->expect.len);

    if (!t)
        return NULL;
    t->worker = x;
    t->claim = work->claim;
    t->timeout_ms = job->timeout_ms;
    t->output_limit = work->output_limit;
    t->deny = x->config.deny;
    if (job->expect.len)
        t->expect = bytes_of(memcpy(t + 1, job->expect.data, job->expect.len), job->expect.len);
    evtimer_assign(&t->timer, x->base, on_timeout, t);
    for (int i = 0; i < N_STREAMS; i++) {
        http_stream_init(&t->streams[i], (struct spool_file){work->number, work->attempt, i},
                         x->config.spool, x->config.offload);
        t->streams[i].idle = on_idle;
        t->streams[i].arg = t;
    }
    t->outcome.exit_code = NO_EXIT_CODE;
    LIST_INSERT_HEAD(&x->transfers[t->claim % BUCKETS], t, by_claim);
    return t;
}

/* It never gets under way. */
static void transfer_refuse(struct transfer *t, enum aw_class class, const char *why)
{
    t->state = TRANSFER_ENDING;
    t->outcome.class = class;
    t->outcome.ended_us = now_us();
    snprintf(t->outcome.message, sizeof(t->outcome.message), "%s", why);
    transfer_todo(t);
}

static bool is_numeric(struct bytes host)
{
    const char *s = host.data;

    for (size_t i = 0; i < host.len; i++)
        if (!isdigit((unsigned char)s[i]) && s[i] != '.')
            return s[0] == '[';
    return true;
}

static bool timer_start(struct transfer *t)
{
    const struct timeval tv = {(time_t)(t->timeout_ms / 1000),
                               (suseconds_t)(t->timeout_ms % 1000 * 1000)};

    return !t->timeout_ms || evtimer_add(&t->timer, &tv) == 0;
}

/* libcurl comes with the first job. */
static enum aw_err multi_make(struct http_worker *x, struct aw_error *err)
{
    enum aw_err e = x->multi ? AW_OK : http_curl_use(err);

    if (e || x->multi)
        return e;
    x->multi = http_multi_new(x->base, on_over, on_stuck, x);
    if (x->multi)
        return AW_OK;
    http_curl_done();
    return aw_fail(err, AW_ERR_NO_MEMORY, "out of memory");
}

static bool http_start(struct worker *w, const struct work *work)
{
    struct http_worker *x = http_worker(w);
    struct transfer *t = transfer_new(x, work);
    struct aw_error err;

    if (!t)
        return false;
    if (multi_make(x, &err) || http_request_make(t, &x->config, work, &err)) {
        transfer_refuse(t, AW_CLASS_SPAWN, err.text);
        return true;
    }
    if (!timer_start(t)) {
        transfer_refuse(t, AW_CLASS_SPAWN, "out of memory");
        return true;
    }
    t->outcome.started_us = now_us();
    t->numeric = is_numeric(http_host(work->job->url));
    TAILQ_INSERT_TAIL(&x->pending, t, pending);
    kick(x);
    return true;
}

/* The connection went down with the awd that had it; and with it, what nobody has read yet. */
static bool http_adopt(struct worker *w, const struct work *work)
{
    struct http_worker *x = http_worker(w);
    struct transfer *t = transfer_new(x, work);

    if (!t)
        return false;
    spool_remove(x->config.spool, work->number, work->attempt);
    t->outcome.started_us = work->started_us;
    transfer_refuse(t, AW_CLASS_INTERRUPTED, "awd went down while the request was under way");
    return true;
}

static void http_stop(struct worker *w, uint64_t claim, int64_t grace_ms)
{
    struct transfer *t = transfer_find(http_worker(w), claim);

    (void)grace_ms; /* there is nothing that could end by itself */
    if (!t || t->state == TRANSFER_ENDING)
        return;
    t->stop_wanted = true;
    transfer_todo(t);
}

static void http_recorded(struct worker *w, uint64_t claim)
{
    (void)w;
    (void)claim;
}

static void http_watch(struct worker *w, uint64_t claim)
{
    struct transfer *t = transfer_find(http_worker(w), claim);

    if (!t || t->state == TRANSFER_ENDING)
        return;
    t->watch_wanted = true;
    transfer_todo(t);
}

/* ---- Making and unmaking --------------------------------------------------------------------- */

static void http_free(struct worker *w)
{
    struct http_worker *x = http_worker(w);
    struct transfer *t;

    if (!x)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while ((t = LIST_FIRST(&x->transfers[i]))) {
            if (t->state != TRANSFER_ENDING)
                transfer_leave(t, true);
            transfer_free(t);
        }
    if (x->multi) {
        http_multi_free(x->multi);
        http_curl_done();
    }
    event_del(&x->kick);
    free(x);
}

struct worker *worker_http_new(struct event_base *base, const struct http_config *config,
                               const struct worker_host *host, void *arg)
{
    static const struct worker_ops ops = {
        .type = "http",
        .start = http_start,
        .adopt = http_adopt,
        .stop = http_stop,
        .recorded = http_recorded,
        .watch = http_watch,
        .free = http_free,
    };
    struct http_worker *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->worker = (struct worker){&ops, host, arg};
    x->base = base;
    x->config = *config;
    TAILQ_INIT(&x->pending);
    TAILQ_INIT(&x->todo);
    event_assign(&x->kick, base, -1, 0, on_kick, x);
    return &x->worker;
}
