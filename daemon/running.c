#include "daemon/running.h"

#include <inttypes.h>
#include <stdio.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/running_private.h"
#include "daemon/server.h"
#include "daemon/timer.h"
#include "daemon/workers/exec.h"
#include "daemon/workers/http.h"

/* How long to wait when memory is out. */
#define AGAIN_US 200000

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
    return a;
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
    .ended = running_ended,
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

void running_fail(struct attempt *a, const char *why)
{
    struct outcome o = {
        .class = AW_CLASS_SPAWN,
        .exit_code = NO_EXIT_CODE,
        .ended_us = now_us(),
    };

    snprintf(o.message, sizeof(o.message), "%s", why);
    running_ended(a->running, claim_of(a), &o);
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

enum aw_err running_plan_open(struct attempt *a, struct plan *plan, struct aw_error *err)
{
    struct bytes spec = plan->claimed.spec;
    enum aw_err e = codec_open(spec.data, spec.len, &plan->doc, err);

    if (e)
        return e;
    e = codec_read(&plan->doc, &job_schema, &plan->job, err);
    if (e) {
        codec_close(&plan->doc);
        return e;
    }
    a->worker = worker_for(a->running, &plan->job);
    a->info.has_output = a->worker && a->worker->ops->watch;
    return AW_OK;
}

static void slot_enter(struct attempt *a)
{
    a->has_slot = !a->own_slot;
    a->running->n_started += a->has_slot;
    a->since_us = boottime_us();
}

bool running_plan_begin(struct attempt *a, struct plan *plan, bool adopt)
{
    const struct claimed *c = &plan->claimed;
    struct job *job = &plan->job;
    struct work work = {
        .claim = c->claim,
        .number = c->number,
        .attempt = c->attempt,
        .id = a->id,
        .job = job,
        .uid = c->uid,
        .gid = c->gid,
        .output_limit = output_limit(a->running, job),
        .limits = limits_stricter(&job->limits, &c->limits),
        .started_us = c->started_us,
    };
    bool taken = true;

    job->timeout_ms = time_limit(job, c);
    slot_enter(a);
    if (!a->worker) {
        running_fail(a, "this awd has no worker for jobs of its type");
    } else {
        taken = (adopt ? a->worker->ops->adopt : a->worker->ops->start)(a->worker, &work);
        if (!taken && !adopt)
            running_fail(a, "awd is out of memory");
    }
    codec_close(&plan->doc);
    return taken || !adopt;
}

/* False: it could not be adopted for want of memory. */
static bool attempt_begin(struct attempt *a, const struct claimed *c, bool adopt)
{
    struct plan plan = {.claimed = *c};
    struct aw_error err;
    enum aw_err e = running_plan_open(a, &plan, &err);

    if (!e)
        return running_plan_begin(a, &plan, adopt);
    if (adopt && e == AW_ERR_NO_MEMORY)
        return false;
    running_fail(a, err.text);
    return true;
}

void running_wait_for_memory(struct running *r)
{
    const struct timeval tv = {.tv_usec = AGAIN_US};

    r->offer.slots = 0;
    if (!event_pending(r->again, EV_TIMEOUT, NULL))
        timer_add(r->again, &tv);
}

/* One that there is no memory for: it waits in the queue again. */
static void release(struct running *r, const struct claimed *c)
{
    giveback_add(&r->giveback, c->number, c->claim);
    giveback_try(&r->giveback);
    if (!giveback_is_empty(&r->giveback))
        running_wait_for_memory(r);
}

/* False: it is to be returned to the queue. */
static bool begin(struct running *r, struct attempt *a, const struct claimed *c)
{
    if (r->quiet)
        return false;
    if (a->own_slot || (r->n_started < r->slots && TAILQ_EMPTY(&r->ahead.held)))
        return attempt_begin(a, c, false);
    return ahead_hold(a, c);
}

static void begin_all(struct running *r, const struct claimed *claims, size_t n)
{
    struct attempt_list back = TAILQ_HEAD_INITIALIZER(back);
    struct attempt *a;

    for (size_t i = 0; i < n; i++) {
        bool behind = !TAILQ_EMPTY(&back) && !claims[i].own_slot;

        a = attempt_new(r, &claims[i]);
        if (!a)
            release(r, &claims[i]);
        else if (behind || !begin(r, a, &claims[i]))
            TAILQ_INSERT_HEAD(&back, a, held);
    }
    while ((a = TAILQ_FIRST(&back))) {
        TAILQ_REMOVE(&back, a, held);
        ahead_return(a);
    }
}

/* False: out of memory. What runs already cannot wait in the queue again. */
static bool adopt_all(struct running *r, const struct claimed *claims, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct attempt *a = attempt_new(r, &claims[i]);

        if (!a || !attempt_begin(a, &claims[i], true))
            return false;
    }
    return true;
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

static void claims_take(struct running *r, const struct aw_error *err, const struct claimed *claims,
                        size_t n)
{
    if (err) {
        log_msg(LOG_WARNING, "no jobs can be started: %s", err->text);
        if (err->code == AW_ERR_NO_MEMORY) {
            r->claimable = true;
            running_wait_for_memory(r);
        }
        server_drained(r->srv);
        return;
    }
    begin_all(r, claims, n);
    if (r->quiet)
        server_drained(r->srv);
    else
        running_kick(r);
}

static void claimed(void *arg, const struct aw_error *err, const struct claimed *claims, size_t n)
{
    struct running *r = arg;

    r->claiming = false;
    if (n)
        ahead_note_claim(r, boottime_us() - r->ahead.asked_us);
    if (!err)
        claim_judge(r, claims, n);
    if (!n)
        running_rest(r);
    claims_take(r, err, claims, n);
}

/* The engine has made use of the offer, or tried to. */
static void offered(void *arg, const struct aw_error *err, const struct claimed *claims, size_t n)
{
    claims_take(arg, err, claims, n);
}

/* How many jobs to have for our slots, beside those that are here: now, and for when one ends. */
static size_t n_wanted(const struct running *r)
{
    size_t want = r->slots + ahead_depth(r), have = r->n_started + r->ahead.n_held;

    return want > have ? want - have : 0;
}

static size_t n_missing(const struct running *r)
{
    size_t wanted = n_wanted(r);

    return wanted > r->offer.n_taken ? wanted - r->offer.n_taken : 0;
}

/* After anything that it depends on has changed. */
static void offer_refresh(struct running *r)
{
    bool able = !r->quiet && !r->ahead.n_returning && !event_pending(r->again, EV_TIMEOUT, NULL);

    r->offer.slots = able ? n_wanted(r) : 0;
}

/*
 * Not before it is known what runs already, as that takes slots, too.
 *
 * Something new may be for a queue with slots of its own, so it is asked for whether one of ours
 * is free or not. What is known to wait for ours is asked for only then. What is on its way back
 * to the queue comes before what is there: nothing is asked for until it is.
 */
static bool claim_makes_sense(const struct running *r)
{
    return r->srv->recovered && !r->claiming && !r->quiet && r->slots > 0 &&
           !r->ahead.n_returning && !event_pending(r->again, EV_TIMEOUT, NULL) &&
           (r->claimable || (r->more && n_missing(r) > ahead_together(r)));
}

bool running_is_resting(const struct running *r)
{
    return !r->n_started && !r->ahead.n_held && !r->claiming && !r->offer.n_taken && !r->more &&
           !r->claimable;
}

void running_rest(struct running *r)
{
    if (running_is_resting(r))
        ahead_rest(r);
}

/* One claim at a time: its answer tells whether another one makes sense. */
static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    struct running *r = arg;

    (void)fd;
    (void)what;
    ahead_begin(r);
    if (!claim_makes_sense(r))
        return;
    r->more |= r->claimable;
    r->claimable = false;
    r->asked = n_missing(r);
    r->claiming = true;
    r->ahead.asked_us = boottime_us();
    engine_claim(r->srv->engine, r->asked, claimed, r);
}

void running_kick(struct running *r)
{
    offer_refresh(r);
    if (claim_makes_sense(r) || ahead_is_ready(r))
        event_active(r->kick, EV_TIMEOUT, 0);
}

/* There may be memory again. */
static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct running *r = arg;

    (void)fd;
    (void)what;
    running_record_again(r);
    ahead_return_again(r);
    giveback_try(&r->giveback);
    if (!giveback_is_empty(&r->giveback))
        running_wait_for_memory(r);
    running_kick(r);
}

void running_runnable(struct running *r)
{
    r->claimable = true;
    running_kick(r);
}

static void recovered(void *arg, const struct aw_error *err, const struct claimed *claims, size_t n)
{
    struct running *r = arg;

    if (n && !err)
        log_msg(LOG_INFO, "%zu jobs were running; looking for them", n);
    if (err || !adopt_all(r, claims, n)) {
        log_msg(LOG_CRIT, "the jobs that were running cannot be taken over: %s",
                err ? err->text : "out of memory");
        r->srv->exit_code = 1;
        server_stop(r->srv, STOP_LEAVE);
        return;
    }
    worker_exec_adopted_all(r->workers[WORKER_EXEC]);
    r->srv->recovered = true;
    engine_offer(r->srv->engine, &r->offer);
    running_kick(r);
}

void running_recover(struct running *r)
{
    engine_recover(r->srv->engine, recovered, r);
}

/* ---- What others ask ------------------------------------------------------------------------- */

void running_set_slots(struct running *r, unsigned slots)
{
    if (slots < r->slots)
        ahead_return_all(r);
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

size_t running_held(const struct running *r)
{
    return r->ahead.n_held + r->ahead.n_returning;
}

void running_quiet(struct running *r)
{
    r->quiet = true;
    offer_refresh(r);
    ahead_return_all(r);
}

void running_reconsider(struct running *r)
{
    ahead_return_all(r);
    offer_refresh(r);
}

bool running_claiming(const struct running *r)
{
    return r->claiming || r->offer.n_taken;
}

void running_stop(struct running *r, uint64_t number, uint64_t claim, int64_t grace_ms)
{
    struct attempt *a = attempt_of_number(r, number);

    if (!a || claim_of(a) != claim || a->info.ended || a->returns)
        return;
    a->stop = true;
    if (a->plan) {
        r->ahead.n_stops++;
        running_kick(r);
    } else if (a->worker) {
        a->worker->ops->stop(a->worker, claim, grace_ms);
    }
}

static void stopped(void *arg, const struct aw_error *err, const struct job_result *jobs, size_t n)
{
    (void)arg;
    (void)jobs;
    (void)n;
    if (err)
        log_msg(LOG_ERR, "a running job could not be cancelled: %s", err->text);
}

static void stop_one(void *arg, struct numnode *node)
{
    const struct attempt *a = numtable_entry(node, struct attempt, by_number);
    struct running *r = arg;

    if (a && !a->returns)
        engine_cancel(r->srv->engine, &node->number, 1, -1, NULL, stopped, NULL);
}

void running_stop_all(struct running *r)
{
    numtable_each(&r->by_number, stop_one, r);
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
    if (!a->plan) /* one that is held is watched once it begins */
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
        .root_jobs = config->root_jobs,
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
    TAILQ_INIT(&r->unrecorded);
    giveback_init(&r->giveback, &srv->engine);
    r->offer.done = offered;
    r->offer.arg = r;
    r->kick = event_new(srv->base, -1, 0, on_kick, r);
    r->again = event_new(srv->base, -1, 0, on_again, r);
    if (!r->kick || !r->again || !ahead_init(r, srv->base) || !numtable_init(&r->by_number) ||
        !numtable_init(&r->by_claim) || !workers_make(r)) {
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
    ahead_forget(a);
    running_outcome_free(a);
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
    ahead_done(r);
    if (r->kick)
        event_free(r->kick);
    if (r->again)
        event_free(r->again);
    free(r);
}
