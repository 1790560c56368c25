#include "daemon/running.h"

#include <inttypes.h>
#include <stdio.h>

#include <event2/event.h>

#include "daemon/engine/numtable.h"
#include "daemon/log.h"
#include "daemon/server.h"
#include "daemon/workers/exec.h"
#include "daemon/workers/http.h"
#include "proto/future_id.h"

enum { WORKER_EXEC, WORKER_HTTP, WORKER_SLEEP, WORKER_NOOP, N_WORKERS };

struct attempt {
    struct numnode by_number;
    struct numnode by_claim;
    struct running *running;
    struct worker *worker;
    uint64_t attempt;
    bool own_slot; /* of its queue */
    char id[AW_MAX_ID];
    struct running_info info;
    bool watched;
    struct outcome *outcome; /* kept while its spool files are made durable */
};

struct running {
    struct server *srv;
    struct worker *workers[N_WORKERS];
    struct address_set *http_deny;
    struct numtable by_number, by_claim;
    struct event *kick;
    unsigned slots;
    size_t n_started; /* attempts that hold one of these slots */
    size_t asked;     /* free slots that the claim under way was told of */
    bool claiming;    /* one is */
    bool claimable;   /* the engine said that there is something new */
    bool more;        /* there may be more for these slots, once one is free */
    bool quiet;
};

static uint64_t number_of(const struct attempt *a)
{
    return a->by_number.number;
}

static uint64_t claim_of(const struct attempt *a)
{
    return a->by_claim.number;
}

static struct attempt *attempt_of_claim(const struct running *r, uint64_t claim)
{
    return numtable_entry(numtable_find(&r->by_claim, claim), struct attempt, by_claim);
}

static struct attempt *attempt_of_number(const struct running *r, uint64_t number)
{
    return numtable_entry(numtable_find(&r->by_number, number), struct attempt, by_number);
}

/* ---- The life of an attempt ------------------------------------------------------------------ */

static struct attempt *attempt_new(struct running *r, const struct claimed *c)
{
    struct attempt *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->running = r;
    a->by_number.number = c->number;
    a->by_claim.number = c->claim;
    a->attempt = c->attempt;
    a->own_slot = c->own_slot;
    future_id_format(a->id, r->srv->engine->tag, c->number);
    numtable_insert(&r->by_number, &a->by_number);
    numtable_insert(&r->by_claim, &a->by_claim);
    r->n_started += !a->own_slot;
    return a;
}

static void attempt_free(struct attempt *a)
{
    numtable_remove(&a->running->by_number, &a->by_number);
    numtable_remove(&a->running->by_claim, &a->by_claim);
    free(a->outcome);
    free(a);
}

/* The engine has it (or does not want it: the claim was over). Now the worker may forget it. */
static void finished(void *arg, const struct aw_error *err)
{
    struct attempt *a = arg;
    struct server *srv = a->running->srv;
    uint64_t number;

    if (err && err->code != AW_ERR_WRONG_STATE) {
        /* The runner still has its record, and tells it again after a restart. */
        log_job(LOG_ERR, a->id, "its end could not be recorded: %s", err->text);
        return;
    }
    if (a->worker)
        a->worker->ops->recorded(a->worker, claim_of(a));
    number = number_of(a);
    attempt_free(a);
    watches_notify(srv->watches, number, WATCH_ATTEMPT_ENDED);
    server_drained(srv);
}

static void attempt_finish(struct attempt *a, const struct outcome *outcome)
{
    engine_finish(a->running->srv->engine, number_of(a), claim_of(a), outcome, finished, a);
}

/* An outcome and what it points to, in one piece. */
static struct outcome *outcome_copy(const struct outcome *o)
{
    struct outcome *copy = malloc(sizeof(*copy) + o->output[0].data.len + o->output[1].data.len);
    char *at = (char *)(copy + 1);

    if (!copy)
        return NULL;
    *copy = *o;
    for (int i = 0; i < N_STREAMS; i++) {
        if (o->output[i].data.len)
            memcpy(at, o->output[i].data.data, o->output[i].data.len);
        copy->output[i].data.data = at;
        at += o->output[i].data.len;
    }
    return copy;
}

/* On the helper thread. What cannot be synced is still the output, and is told as such. */
static void spool_sync_run(void *arg)
{
    struct attempt *a = arg;
    struct aw_error err;

    for (int i = 0; i < N_STREAMS; i++) {
        struct spool_file file = {number_of(a), a->attempt, i};

        if (a->outcome->output[i].spooled && spool_sync(&a->running->srv->spool, file, &err))
            log_job(LOG_ERR, a->id, "its output may not survive a power cut: %s", err.text);
    }
}

static void spool_sync_done(void *arg)
{
    struct attempt *a = arg;

    attempt_finish(a, a->outcome);
}

static void running_kick(struct running *r);

static void on_ended(void *arg, uint64_t claim, const struct outcome *o)
{
    struct running *r = arg;
    struct attempt *a = attempt_of_claim(r, claim);

    if (!a || a->info.ended)
        return;
    a->info.ended = true;
    a->info.pid = 0;
    r->n_started -= !a->own_slot;
    running_kick(r);
    if (o->output[0].spooled || o->output[1].spooled) {
        a->outcome = outcome_copy(o);
        if (a->outcome && offload_run(r->srv->offload, spool_sync_run, spool_sync_done, a))
            return;
    }
    attempt_finish(a, o);
}

static void on_started(void *arg, uint64_t claim, pid_t pid, int64_t started_us)
{
    struct running *r = arg;
    struct attempt *a = attempt_of_claim(r, claim);

    (void)started_us;
    if (!a || a->info.ended)
        return;
    a->info.pid = pid;
    log_job(LOG_DEBUG, a->id, "started, attempt %" PRIu64 ", pid %d", a->attempt, (int)pid);
    watches_notify(r->srv->watches, number_of(a), WATCH_STARTED);
}

static void on_grown(void *arg, uint64_t claim, int stream, uint64_t size)
{
    struct running *r = arg;
    struct attempt *a = attempt_of_claim(r, claim);

    if (!a || a->info.ended || stream < 0 || stream >= N_STREAMS)
        return;
    a->info.size[stream] = size;
    a->info.sizes_known = true;
    watches_notify(r->srv->watches, number_of(a), WATCH_GROWN);
}

static const struct worker_host host = {
    .started = on_started,
    .grown = on_grown,
    .ended = on_ended,
};

/* ---- Claims ---------------------------------------------------------------------------------- */

static struct worker *worker_for(const struct running *r, const struct job *job)
{
    struct bytes type = job->type.data ? job->type : bytes_str("exec");

    for (size_t i = 0; i < N_WORKERS; i++)
        if (bytes_eq(type, bytes_str(r->workers[i]->ops->type)))
            return r->workers[i];
    return NULL;
}

/* It cannot even be tried: an end like any other. */
static void attempt_fail(struct attempt *a, const char *why)
{
    struct outcome o = {
        .class = AW_CLASS_SPAWN,
        .exit_code = NO_EXIT_CODE,
        .ended_us = now_us(),
    };

    snprintf(o.message, sizeof(o.message), "%s", why);
    on_ended(a->running, claim_of(a), &o);
}

static uint64_t output_limit(const struct running *r, const struct job *job)
{
    uint64_t ours = (uint64_t)r->srv->config->output_limit;

    return job->output_limit ? MIN(job->output_limit, ours) : ours;
}

/* How long an attempt may take: its own limit, or what is left of the job's time in all. */
static uint64_t time_limit(const struct job *job, const struct claimed *c)
{
    uint64_t left;

    if (!c->overall_us)
        return job->timeout_ms;
    left = (uint64_t)MAX((c->overall_us - c->started_us) / 1000, INT64_C(1));
    return job->timeout_ms ? MIN(job->timeout_ms, left) : left;
}

static void attempt_begin(struct running *r, struct attempt *a, const struct claimed *c, bool adopt)
{
    struct codec_doc doc = {0};
    struct aw_error err;
    struct job job;
    struct work work;

    if (codec_open(c->spec.data, c->spec.len, &doc, &err) ||
        codec_read(&doc, &job_schema, &job, &err)) {
        attempt_fail(a, err.text);
        codec_close(&doc);
        return;
    }
    a->worker = worker_for(r, &job);
    job.timeout_ms = time_limit(&job, c);
    work = (struct work){
        .claim = c->claim,
        .number = c->number,
        .attempt = c->attempt,
        .id = a->id,
        .job = &job,
        .uid = c->uid,
        .gid = c->gid,
        .output_limit = output_limit(r, &job),
        .limits = limits_stricter(&job.limits, &c->limits),
        .started_us = c->started_us,
    };
    if (!a->worker) {
        attempt_fail(a, "this awd has no worker for jobs of its type");
    } else {
        a->info.has_output = a->worker->ops->watch != NULL;
        if (adopt)
            a->worker->ops->adopt(a->worker, &work);
        else
            a->worker->ops->start(a->worker, &work);
    }
    codec_close(&doc);
}

static void released(void *arg, const struct aw_error *err)
{
    (void)arg;
    if (err)
        log_msg(LOG_ERR, "a job that could not be started could not be given back: %s", err->text);
}

static void release_all(struct running *r, const struct claimed *claims, size_t n)
{
    for (size_t i = 0; i < n; i++)
        engine_release(r->srv->engine, claims[i].number, claims[i].claim, released, NULL);
}

static void begin_all(struct running *r, const struct claimed *claims, size_t n, bool adopt)
{
    for (size_t i = 0; i < n; i++) {
        struct attempt *a = attempt_new(r, &claims[i]);

        if (a)
            attempt_begin(r, a, &claims[i], adopt);
        else
            release_all(r, &claims[i], 1);
    }
}

/* What a claim that brought all this says about the next one. */
static void claim_judge(struct running *r, const struct claimed *claims, size_t n)
{
    size_t shared = 0;

    for (size_t i = 0; i < n; i++)
        shared += !claims[i].own_slot;
    if (n == ENGINE_CLAIM_MAX)
        r->claimable = true; /* it was cut off */
    if (r->asked)
        r->more = shared == r->asked || n == ENGINE_CLAIM_MAX;
}

static void claimed(void *arg, const struct aw_error *err, const struct claimed *claims, size_t n)
{
    struct running *r = arg;

    r->claiming = false;
    if (err) {
        log_msg(LOG_WARNING, "no jobs can be started: %s", err->text);
        server_drained(r->srv);
        return;
    }
    if (r->quiet) {
        release_all(r, claims, n);
        server_drained(r->srv);
        return;
    }
    claim_judge(r, claims, n);
    begin_all(r, claims, n, false);
    running_kick(r);
}

static size_t slots_free(const struct running *r)
{
    return r->slots > r->n_started ? r->slots - r->n_started : 0;
}

/*
 * Not before it is known what runs already, as that takes slots, too.
 *
 * Something new may be for a queue with slots of its own, so it is asked for whether one of ours
 * is free or not. What is known to wait for ours is asked for only then.
 */
static bool claim_makes_sense(const struct running *r)
{
    return r->srv->recovered && !r->claiming && !r->quiet && r->slots > 0 &&
           (r->claimable || (r->more && slots_free(r) > 0));
}

/* One claim at a time: its answer tells whether another one makes sense. */
static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    struct running *r = arg;

    (void)fd;
    (void)what;
    if (!claim_makes_sense(r))
        return;
    r->more |= r->claimable;
    r->claimable = false;
    r->asked = slots_free(r);
    r->claiming = true;
    engine_claim(r->srv->engine, r->asked, claimed, r);
}

static void running_kick(struct running *r)
{
    if (claim_makes_sense(r))
        event_active(r->kick, EV_TIMEOUT, 0);
}

void running_runnable(struct running *r)
{
    r->claimable = true;
    running_kick(r);
}

static void recovered(void *arg, const struct aw_error *err, const struct claimed *claims, size_t n)
{
    struct running *r = arg;

    if (err) {
        log_msg(LOG_CRIT, "the jobs that were running cannot be read: %s", err->text);
        r->srv->exit_code = 1;
        server_stop(r->srv, STOP_LEAVE);
        return;
    }
    if (n)
        log_msg(LOG_INFO, "%zu jobs were running; looking for them", n);
    begin_all(r, claims, n, true);
    worker_exec_adopted_all(r->workers[WORKER_EXEC]);
    r->srv->recovered = true;
    running_kick(r);
}

void running_recover(struct running *r)
{
    engine_recover(r->srv->engine, recovered, r);
}

/* ---- What others ask ------------------------------------------------------------------------- */

void running_set_slots(struct running *r, unsigned slots)
{
    r->slots = slots;
    running_kick(r);
}

unsigned running_slots(const struct running *r)
{
    return r->slots;
}

size_t running_slots_taken(const struct running *r)
{
    return r->n_started;
}

size_t running_count(const struct running *r)
{
    return r->by_number.n_nodes;
}

void running_quiet(struct running *r)
{
    r->quiet = true;
}

bool running_claiming(const struct running *r)
{
    return r->claiming;
}

void running_stop(struct running *r, uint64_t number, uint64_t claim, int64_t grace_ms)
{
    struct attempt *a = attempt_of_number(r, number);

    if (a && a->worker && claim_of(a) == claim && !a->info.ended)
        a->worker->ops->stop(a->worker, claim, grace_ms);
}

struct number_list {
    uint64_t *v;
    size_t n;
};

static void collect(void *arg, struct numnode *node)
{
    struct number_list *list = arg;

    list->v[list->n++] = node->number;
}

static void stopped_all(void *arg, const struct aw_error *err, const struct job_result *jobs,
                        size_t n)
{
    (void)arg;
    (void)jobs;
    (void)n;
    if (err)
        log_msg(LOG_ERR, "the running jobs could not be cancelled: %s", err->text);
}

void running_stop_all(struct running *r)
{
    _cleanup_free_ uint64_t *numbers = calloc(r->by_number.n_nodes + 1, sizeof(*numbers));
    struct number_list list = {numbers, 0};

    if (!numbers) {
        log_msg(LOG_ERR, "the running jobs could not be cancelled: out of memory");
        return;
    }
    numtable_each(&r->by_number, collect, &list);
    if (list.n)
        engine_cancel(r->srv->engine, list.v, list.n, -1, NULL, stopped_all, NULL);
}

bool running_find(const struct running *r, uint64_t number, struct running_info *ret)
{
    const struct attempt *a = attempt_of_number(r, number);

    if (a)
        *ret = a->info;
    return a != NULL;
}

void running_watch(struct running *r, uint64_t number)
{
    struct attempt *a = attempt_of_number(r, number);

    if (!a || a->watched || a->info.ended || !a->info.has_output)
        return;
    a->watched = true;
    a->worker->ops->watch(a->worker, claim_of(a));
}

pid_t running_runner_pid(const struct running *r)
{
    return worker_exec_runner_pid(r->workers[WORKER_EXEC]);
}

/* ---- Making and unmaking --------------------------------------------------------------------- */

static struct worker *http_make(struct running *r)
{
    const struct config *config = r->srv->config;
    struct http_config http = {
        .spool = &r->srv->spool,
        .offload = r->srv->offload,
        .ca_file = config->http_ca,
    };

    if (address_set_new(config->http_deny.v, config->http_deny.n, &r->http_deny, NULL))
        return NULL; /* the configuration was checked: memory is out */
    http.deny = r->http_deny;
    return worker_http_new(r->srv->base, &http, &host, r);
}

static bool workers_make(struct running *r)
{
    const struct config *config = r->srv->config;
    struct exec_config exec = {
        .socket_path = config->runner_socket,
        .runner_path = strcmp(config->runner_path, "none") ? config->runner_path : NULL,
        .spool_dir = r->srv->dirs->spool,
    };

    r->workers[WORKER_EXEC] = worker_exec_new(r->srv->base, &exec, &host, r);
    r->workers[WORKER_HTTP] = http_make(r);
    r->workers[WORKER_SLEEP] = worker_sleep_new(r->srv->base, &host, r);
    r->workers[WORKER_NOOP] = worker_noop_new(r->srv->base, &host, r);
    for (size_t i = 0; i < N_WORKERS; i++)
        if (!r->workers[i])
            return false;
    return true;
}

enum aw_err running_new(struct server *srv, struct running **ret, struct aw_error *err)
{
    struct running *r = calloc(1, sizeof(*r));

    if (!r)
        return aw_fail(err, AW_ERR_NO_MEMORY, "running: out of memory");
    r->srv = srv;
    r->slots = (unsigned)srv->config->slots;
    r->kick = event_new(srv->base, -1, 0, on_kick, r);
    if (!r->kick || !numtable_init(&r->by_number) || !numtable_init(&r->by_claim) ||
        !workers_make(r)) {
        running_free(r);
        return aw_fail(err, AW_ERR_NO_MEMORY, "running: out of memory");
    }
    *ret = r;
    return AW_OK;
}

static void forget(void *arg, struct numnode *node)
{
    struct attempt *a = numtable_entry(node, struct attempt, by_number);

    (void)arg;
    free(a->outcome);
    free(a);
}

void running_free(struct running *r)
{
    if (!r)
        return;
    if (r->workers[WORKER_EXEC])
        worker_exec_release(r->workers[WORKER_EXEC]);
    for (size_t i = 0; i < N_WORKERS; i++)
        if (r->workers[i])
            r->workers[i]->ops->free(r->workers[i]);
    address_set_free(r->http_deny);
    if (r->by_number.segments)
        numtable_each(&r->by_number, forget, NULL);
    numtable_done(&r->by_number);
    numtable_done(&r->by_claim);
    if (r->kick)
        event_free(r->kick);
    free(r);
}
