/* The embedded engine: opening, closing, the clock. */
#include "daemon/engine/embedded/embedded_private.h"

#include <errno.h>
#include <sys/timerfd.h>

#include <event2/event.h>

#include "daemon/engine/embedded/store_sql.h"

/* A turn of the clock handles no more than this; the rest comes in the next turn of the loop. */
#define TIMERS_PER_TURN 1000
#define RETRY_MS        500
#define PRUNE_MIN_MS    1000
#define PRUNE_MAX_US    INT64_C(3600000000) /* remembered requests go by the hour */

const struct aw_error embedded_no_memory = {AW_ERR_NO_MEMORY, 0, "engine: out of memory"};

/* ---- Telling, and being told, when ---------------------------------------------------------- */

void embedded_runnable(struct embedded *em)
{
    queues_tick(sched_queues(em->sched), now_us());
    if (!em->closing && queues_any_open(sched_queues(em->sched)))
        em->events->runnable(em->arg);
}

void embedded_clock_set(struct embedded *em)
{
    struct itimerspec at = {0};
    int64_t at_us = 0, token_us = queues_next_tick(sched_queues(em->sched));

    if (!sched_next_timer(em->sched, &at_us) || (token_us && token_us < at_us))
        at_us = token_us;
    if (at_us == em->clock_us)
        return;
    em->clock_us = at_us;
    if (at_us) {
        at.it_value.tv_sec = at_us / 1000000;
        at.it_value.tv_nsec = at_us % 1000000 * 1000;
    }
    /* If the clock is set, what was waited for may be near, or a rate may count from too late. */
    timerfd_settime(em->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL);
}

struct expire_call {
    struct store_end_waiting op;
    struct embedded *em;
    uint64_t number;
};

static void expire_done(struct store_op *op)
{
    struct expire_call *call = (struct expire_call *)op;
    struct live *job = sched_find(call->em->sched, call->number);

    if (job && !op->error.code) {
        embedded_account(call->em, &call->op.effects);
        embedded_prune_at(call->em, call->op.expires_us);
        embedded_job_ended(call->em, job, AW_FAILED);
        embedded_tell(call->em, &call->op.effects, NULL);
    } else if (job) {
        /* Still waiting, and still too late: the clock comes back to it after a while. */
        sched_set_times(call->em->sched, job, job->due_us,
                        now_us() + call->em->config.retry_ms * 1000);
        sched_set_busy(call->em->sched, job, false);
        embedded_clock_set(call->em);
    }
    store_effects_free(&call->op.effects);
    free(call);
}

static void expire(struct embedded *em, struct live *job)
{
    struct expire_call *call = calloc(1, sizeof(*call));

    if (!call) {
        sched_set_times(em->sched, job, job->due_us, now_us() + em->config.retry_ms * 1000);
        return;
    }
    call->em = em;
    call->number = job->node.number;
    call->op.numbers = &call->number;
    call->op.n = 1;
    if (job->flags & LIVE_OVERALL) {
        call->op.class = AW_CLASS_TIMEOUT;
        call->op.message = "its time in all was over while it waited";
    } else {
        call->op.class = AW_CLASS_EXPIRED_IN_QUEUE;
        call->op.message = "was not started within its time in the queue";
    }
    call->op.now_us = now_us();
    call->op.default_retention_ms = em->config.retention_ms;
    call->op.op.done = expire_done;
    store_end_waiting_init(&call->op);
    sched_set_busy(em->sched, job, true);
    store_push(em->store, &call->op.op);
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
    struct embedded *em = arg;
    int64_t now = now_us(), at_us = 0;
    struct live *job;
    uint64_t ticks;

    (void)what;
    (void)!read(fd, &ticks, sizeof(ticks));
    em->clock_us = 0;
    for (int i = 0; i < TIMERS_PER_TURN; i++) {
        job = sched_next_timer(em->sched, &at_us);
        if (!job || at_us > now)
            break;
        if (job->deadline_us && job->deadline_us <= now)
            expire(em, job);
        else if (!sched_apply(em->sched, job, JOB_EV_DUE))
            break; /* impossible: only scheduled jobs have a start time in the heap */
    }
    embedded_runnable(em);
    embedded_clock_set(em);
}

static void timer_in(struct event *timer, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    /* Without memory for a timer it comes in the next turn: too early does no harm. */
    if (event_add(timer, &tv) < 0)
        event_active(timer, EV_TIMEOUT, 0);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct embedded *em = arg;

    (void)fd;
    (void)what;
    embedded_retry_stalled(em);
    embedded_resolve_retry(em);
    if (em->claims_stalled) {
        em->claims_stalled = false;
        embedded_runnable(em);
    }
}

void embedded_retry_later(struct embedded *em)
{
    if (!em->closing && !event_pending(em->retry_timer, EV_TIMEOUT, NULL))
        timer_in(em->retry_timer, em->config.retry_ms);
}

static void on_prune(evutil_socket_t fd, short what, void *arg)
{
    struct embedded *em = arg;

    (void)fd;
    (void)what;
    em->prune_us = 0;
    embedded_prune(em);
}

void embedded_prune_at(struct embedded *em, int64_t when_us)
{
    int64_t now = now_us();

    when_us = MIN(MAX(when_us, now + em->config.prune_ms * 1000), now + PRUNE_MAX_US);
    if (em->closing || em->pruning || (em->prune_us && em->prune_us <= when_us))
        return;
    em->prune_us = when_us;
    timer_in(em->prune_timer, (when_us - now) / 1000 + 1);
}

void embedded_job_ended(struct embedded *em, struct live *job, enum aw_state state)
{
    struct ended ended = {job->node.number, state};

    embedded_account_paced(em, job);
    deps_remove(em->deps, ended.number);
    deps_parent_ended(em->deps, ended.number, state);
    sched_remove(em->sched, job);
    if (state == AW_SUCCEEDED)
        em->counts.succeeded++;
    else if (state == AW_FAILED)
        em->counts.failed++;
    else
        em->counts.cancelled++;
    embedded_prune_at(em, now_us() + em->config.retention_ms * 1000);
    em->events->ended(em->arg, &ended, 1);
    embedded_resolve(em);
}

/* ---- Opening and closing -------------------------------------------------------------------- */

/* We went down between a cancel and what it was to do; it is done once the store is open. */
static enum aw_err cancel_note(struct embedded *em, uint64_t number)
{
    uint64_t *grown = reallocarray(em->cancels, em->n_cancels + 1, sizeof(*grown));

    if (!grown)
        return AW_ERR_NO_MEMORY;
    em->cancels = grown;
    grown[em->n_cancels++] = number;
    return AW_OK;
}

static enum aw_err lease_note(struct embedded *em, const struct store_live *row)
{
    struct lease *grown = reallocarray(em->leases, em->n_leases + 1, sizeof(*grown));

    if (!grown)
        return AW_ERR_NO_MEMORY;
    em->leases = grown;
    grown[em->n_leases++] = (struct lease){row->number, row->abandon_ms};
    return AW_OK;
}

static void embedded_each_lease(struct engine *e,
                                void (*fn)(void *arg, uint64_t number, int64_t abandon_ms),
                                void *arg)
{
    struct embedded *em = embedded_of(e);

    for (size_t i = 0; i < em->n_leases; i++)
        if (sched_find(em->sched, em->leases[i].number))
            fn(arg, em->leases[i].number, em->leases[i].abandon_ms);
    free(em->leases);
    em->leases = NULL;
    em->n_leases = 0;
}

static enum aw_err on_live(void *arg, const struct store_live *row)
{
    struct embedded *em = arg;
    struct queue *q = queues_find_id(sched_queues(em->sched), row->queue);
    bool overall = row->overall_us && (!row->deadline_us || row->overall_us < row->deadline_us);
    struct live *job;

    if (!q) /* nothing of ours leaves such a row; but to run it is better than to lose it */
        q = queues_find_id(sched_queues(em->sched), STORE_DEFAULT_QUEUE);
    job = sched_make(em->sched, row->number, (enum aw_state)row->state, q, row->uid, row->priority,
                     row->due_us, overall ? row->overall_us : row->deadline_us,
                     row->flags & STORE_POLICY);
    if (!job)
        return AW_ERR_NO_MEMORY;
    if (job->state == AW_RUNNING)
        job->claim = row->claim;
    job->attempt = (uint32_t)row->attempt;
    job->flags =
        (uint8_t)((row->flags & RECORD_CANCEL_REQUESTED ? LIVE_CANCEL_REQUESTED : 0) |
                  (row->flags & STORE_POLICY ? LIVE_POLICY : 0) | (overall ? LIVE_OVERALL : 0));
    sched_insert(em->sched, job);
    if (row->abandon_ms && lease_note(em, row))
        return AW_ERR_NO_MEMORY;
    if (job->flags & LIVE_CANCEL_REQUESTED && job->state != AW_RUNNING)
        return cancel_note(em, row->number);
    return AW_OK;
}

static const struct store_loader loader = {
    .queue = embedded_on_queue,
    .account = embedded_on_account,
    .live = on_live,
    .dep = embedded_on_dep,
    .ended_parent = embedded_on_ended_parent,
    .set = embedded_on_set,
    .doomed_set = embedded_on_doomed_set,
};

static void on_down(void *arg, const struct aw_error *err)
{
    struct embedded *em = arg;

    em->events->down(em->arg, err);
}

static void embedded_stats(struct engine *e, struct engine_stats *ret)
{
    struct embedded *em = embedded_of(e);
    struct store_stats store;

    *ret = em->counts;
    for (int s = 0; s <= AW_RUNNING; s++)
        ret->live[s] = sched_count(em->sched, (enum aw_state)s);
    ret->kept = embedded_accounts(em)->kept;
    ret->sets = sets_count(&em->sets);
    ret->sched_steps = sched_steps(em->sched);
    embedded_latencies(em, ret);
    store_get_stats(em->store, &store);
    ret->commits = store.commits;
    ret->store_bytes = store.bytes;
    ret->store_steps = store.steps;
    ret->disk_full = store.disk_full;
}

static void on_empty(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    embedded_answer_empty(arg);
}

static void embedded_free(struct embedded *em)
{
    if (em->clock)
        event_free(em->clock);
    if (em->prune_timer)
        event_free(em->prune_timer);
    if (em->sweep_timer)
        event_free(em->sweep_timer);
    if (em->retry_timer)
        event_free(em->retry_timer);
    if (em->empty_event)
        event_free(em->empty_event);
    if (em->clock_fd >= 0)
        close(em->clock_fd);
    policies_free_all(&em->policies);
    sets_done(&em->sets);
    sched_free(em->sched);
    deps_free(em->deps);
    free(em->dep_load.parents);
    free(em->cancels);
    free(em->leases);
    free(em);
}

static void embedded_close(struct engine *e)
{
    struct embedded *em = embedded_of(e);

    em->closing = true;
    embedded_retry_stalled(em);
    embedded_resolve_retry(em);
    store_close(em->store);
    embedded_answer_empty(em);
    embedded_free(em);
}

static const struct engine_ops ops = {
    .close = embedded_close,
    .submit = embedded_submit,
    .recall = embedded_recall,
    .get = embedded_get,
    .list = embedded_list,
    .claim = embedded_claim,
    .offer = embedded_offer,
    .release = embedded_release,
    .finish = embedded_finish,
    .cancel = embedded_cancel,
    .change = embedded_change,
    .forget = embedded_forget,
    .output = embedded_output,
    .set_add = embedded_set_add,
    .set_get = embedded_set_get,
    .set_list = embedded_set_list,
    .set_show = embedded_set_show,
    .set_members = embedded_set_members,
    .set_read = embedded_set_read,
    .set_close = embedded_set_close,
    .set_forget = embedded_set_forget,
    .sets_of = embedded_sets_of,
    .explain = embedded_explain,
    .queue_set = embedded_queue_set,
    .queue_list = embedded_queue_list,
    .queue_remove = embedded_queue_remove,
    .each_lease = embedded_each_lease,
    .users = embedded_users,
    .user_limits = embedded_user_limits,
    .stats = embedded_stats,
    .backup = embedded_backup,
    .recover = embedded_recover,
};

static enum aw_err timers_make(struct embedded *em, struct event_base *base, struct aw_error *err)
{
    em->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (em->clock_fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "engine: timerfd: %s", strerror(errno));
    em->clock = event_new(base, em->clock_fd, EV_READ | EV_PERSIST, on_clock, em);
    em->prune_timer = event_new(base, -1, 0, on_prune, em);
    em->sweep_timer = event_new(base, -1, 0, embedded_sweep, em);
    em->retry_timer = event_new(base, -1, 0, on_retry, em);
    em->empty_event = event_new(base, -1, 0, on_empty, em);
    if (!em->clock || !em->prune_timer || !em->sweep_timer || !em->retry_timer ||
        !em->empty_event || event_add(em->clock, NULL) < 0)
        return aw_fail(err, AW_ERR_NO_MEMORY, "engine: out of memory");
    return AW_OK;
}

enum aw_err embedded_open(struct event_base *base, const struct embedded_config *config,
                          const struct engine_events *events, void *arg, struct engine **ret,
                          struct aw_error *err)
{
    struct embedded *em = calloc(1, sizeof(*em));
    struct store_info info = {0};
    enum aw_err e;

    if (!em)
        return aw_fail(err, AW_ERR_NO_MEMORY, "engine: out of memory");
    em->clock_fd = -1;
    em->engine.ops = &ops;
    em->engine.tag = em->tag;
    em->events = events;
    em->arg = arg;
    em->config = *config;
    if (!em->config.retry_ms)
        em->config.retry_ms = RETRY_MS;
    if (!em->config.prune_ms)
        em->config.prune_ms = PRUNE_MIN_MS;
    STAILQ_INIT(&em->stalled);
    STAILQ_INIT(&em->empty_claims);
    em->offer = &em->no_offer;
    TAILQ_INIT(&em->excess);
    em->sched = sched_new();
    em->deps = deps_new();
    e = em->sched && em->deps && numtable_init(&em->policies) && sets_init(&em->sets)
            ? timers_make(em, base, err)
            : aw_fail(err, AW_ERR_NO_MEMORY, "engine: out of memory");
    if (!e) {
        sched_load_begin(em->sched);
        e = store_open(config->path, base, &loader, on_down, em, &em->store, &info, err);
    }
    if (!e && embedded_deps_loaded(em)) {
        store_close(em->store);
        e = aw_fail(err, AW_ERR_NO_MEMORY, "engine: out of memory");
    }
    if (e) {
        embedded_free(em);
        return e;
    }
    memcpy(em->tag, info.tag, sizeof(em->tag));
    em->next_number = info.high + 1;
    /* 2^40 claims each time the store is opened, 2^23 times: no two are ever the same. */
    em->next_claim = (info.epoch << 40) + 1;
    if (em->n_cancels)
        embedded_cancel_quietly(em, em->cancels, em->n_cancels);
    embedded_resolve(em);
    embedded_clock_set(em);
    embedded_prune_excess(em);
    embedded_prune_at(em, 0);
    *ret = &em->engine;
    return AW_OK;
}

void embedded_configure(struct engine *e, const struct embedded_config *config)
{
    struct embedded *em = embedded_of(e);

    em->config.max_queued = config->max_queued;
    em->config.max_kept = config->max_kept;
    em->config.max_bytes = config->max_bytes;
    em->config.user = config->user;
    em->config.retention_ms = config->retention_ms;
    em->config.set_idle_ms = config->set_idle_ms;
    embedded_sweep_soon(em);
    embedded_prune_excess(em);
}
