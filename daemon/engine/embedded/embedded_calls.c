/* The embedded engine's calls that run jobs: claim, release, finish. */
#include "daemon/engine/embedded/embedded_private.h"

#include <inttypes.h>

#include <event2/event.h>
#include <event2/util.h>

#include "daemon/engine/embedded/store_sql.h"
#include "daemon/engine/job_next.h"

/* ---- Claim ---------------------------------------------------------------------------------- */

struct claim_call {
    struct store_claim op;
    STAILQ_ENTRY(claim_call) next; /* one that found nothing */
    struct embedded *em;
    engine_claim_fn done;
    void *arg;
    struct engine_offer *offer; /* whose slots they take; NULL: they were asked for */
    size_t n_shared;            /* of the daemon's slots that they take */
    struct claimed *claimed;
    struct store_claim_row rows[];
};

/* With room for n jobs. NULL: out of memory. */
static struct claim_call *claim_make(struct embedded *em, size_t n, engine_claim_fn done, void *arg)
{
    struct claim_call *call = calloc(1, sizeof(*call) + n * sizeof(*call->rows));

    if (call)
        call->claimed = calloc(n + 1, sizeof(*call->claimed));
    if (!call || !call->claimed) {
        free(call);
        return NULL;
    }
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.now_us = now_us();
    call->op.rows = call->rows;
    call->op.claimed = call->claimed;
    return call;
}

static void claim_free(struct claim_call *call)
{
    store_arena_free(&call->op.arena);
    free(call->claimed);
    free(call);
}

/* Nothing can be claimed for now. The next runnable event is ours to give: nothing else may come.
 */
static void claims_stall(struct embedded *em)
{
    em->claims_stalled = true;
    embedded_retry_later(em);
}

/* Nothing was recorded: the jobs are where they were. */
static void claim_undo(struct claim_call *call)
{
    struct embedded *em = call->em;

    for (size_t i = 0; i < call->op.n; i++) {
        struct live *job = sched_find(em->sched, call->rows[i].number);

        if (job) /* else its submit has failed, too */
            sched_untake(em->sched, job);
    }
    claims_stall(em);
    call->op.n = 0;
}

/*
 * Tells of those that were to be cancelled before their holder was there to be told: they ran when
 * we went down, or they waited and their cancel found no room on the disk.
 */
static void claim_stop_unwanted(const struct claim_call *call)
{
    struct embedded *em = call->em;

    for (size_t i = 0; i < call->op.n; i++) {
        const struct live *job = sched_find(em->sched, call->rows[i].number);

        if (job && job->flags & LIVE_CANCEL_REQUESTED)
            em->events->stop(em->arg, job->node.number, job->claim, -1);
    }
}

/* Those that were left out are out: their submits led to jobs that were there before. */
static void claim_compact(struct claim_call *call)
{
    size_t n = 0;

    for (size_t i = 0; i < call->op.n; i++) {
        if (!call->claimed[i].claim)
            continue;
        call->rows[n] = call->rows[i];
        call->claimed[n++] = call->claimed[i];
    }
    call->op.n = n;
}

static void claim_slots_free(struct claim_call *call)
{
    if (call->offer)
        call->offer->n_taken -= call->n_shared;
    else
        call->em->n_claiming -= call->n_shared;
}

static void claim_done(struct store_op *op)
{
    struct claim_call *call = (struct claim_call *)op;
    struct embedded *em = call->em;

    claim_slots_free(call);
    if (op->error.code)
        claim_undo(call);
    else
        claim_compact(call);
    for (size_t i = 0; i < call->op.n; i++) {
        struct live *job = sched_find(em->sched, call->rows[i].number);
        bool moved = sched_apply(em->sched, job, JOB_EV_CLAIM);

        sched_set_busy(em->sched, job, false);
        call->claimed[i].own_slot = call->rows[i].own_slot;
        call->claimed[i].limits = queues_of(sched_queues(em->sched), job)->set.limits;
        if (!moved)
            continue; /* impossible: it was queued, and busy since */
        job->claim = call->rows[i].claim;
        job->attempt = (uint32_t)call->rows[i].attempt;
        if (job->flags & LIVE_POLICY)
            policies_add(&em->policies, &call->claimed[i]);
    }
    call->done(call->arg, op_error(op), call->claimed, call->op.n);
    claim_stop_unwanted(call);
    claim_free(call);
}

/* Answers those that found nothing: later in this turn of the loop, as nothing is to be written. */
void embedded_answer_empty(struct embedded *em)
{
    struct claim_queue empty = STAILQ_HEAD_INITIALIZER(empty);
    struct claim_call *call;

    STAILQ_CONCAT(&empty, &em->empty_claims);
    while ((call = STAILQ_FIRST(&empty))) {
        STAILQ_REMOVE_HEAD(&empty, next);
        call->done(call->arg, NULL, call->claimed, 0);
        claim_free(call);
    }
}

static struct store_claim_row claim_row(struct embedded *em, const struct live *job)
{
    return (struct store_claim_row){
        .number = job->node.number,
        .claim = em->next_claim++,
        .attempt = job->attempt + 1u,
        .own_slot = queues_of(sched_queues(em->sched), job)->set.slots > 0,
    };
}

/* Takes what there is room for, n jobs at most; only so many share the daemon's slots. */
static void claim_take(struct claim_call *call, size_t n, size_t shared)
{
    struct embedded *em = call->em;

    while (call->op.n < n) {
        struct live *job = queues_next(sched_queues(em->sched), shared > 0);
        struct store_claim_row *row = &call->rows[call->op.n];

        if (!job)
            return;
        *row = claim_row(em, job);
        shared -= !row->own_slot;
        call->n_shared += !row->own_slot;
        sched_take(em->sched, job);
        call->op.n++;
    }
}

void embedded_claim(struct engine *e, size_t max, engine_claim_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct claim_call *call;
    size_t n = 0;

    queues_tick(sched_queues(em->sched), now_us());
    if (!em->claims_stalled)
        n = MIN(queues_startable(sched_queues(em->sched), max), (size_t)ENGINE_CLAIM_MAX);
    call = claim_make(em, n, done, arg);
    if (!call) {
        claims_stall(em);
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    claim_take(call, n, max);
    if (call->op.n == 0) {
        STAILQ_INSERT_TAIL(&em->empty_claims, call, next);
        event_active(em->empty_event, EV_TIMEOUT, 0);
        return;
    }
    em->n_claiming += call->n_shared;
    call->op.op.done = claim_done;
    store_claim_init(&call->op);
    store_push(em->store, &call->op.op);
    embedded_clock_set(em);
}

/* ---- Claims ahead ---------------------------------------------------------------------------- */

void embedded_offer(struct engine *e, struct engine_offer *offer)
{
    embedded_of(e)->offer = offer;
}

/* Slots that a job may have, if nobody else is before it: in a queue, or on the way to one. */
static size_t slots_idle(struct embedded *em)
{
    const struct engine_offer *offer = em->offer;
    size_t used = offer->n_taken + em->n_claiming;

    if (offer->slots <= used || em->claims_stalled || em->closing ||
        em->pending > em->pending_ahead || queues_next(sched_queues(em->sched), true))
        return 0;
    return offer->slots - used;
}

/* Nothing but a slot is between it and its start. */
static bool is_startable(const struct embedded *em, const struct store_row *row,
                         const struct live *job)
{
    const struct queue_settings *set = &queues_of(sched_queues(em->sched), job)->set;

    return row->state == AW_QUEUED && row->n_parents == 0 && !set->paused && !set->slots &&
           !set->limit && !set->rate;
}

bool embedded_claim_ahead(struct embedded *em, const struct store_row *rows,
                          struct live *const *live, size_t n)
{
    struct claim_call *call;

    if (n > slots_idle(em) || n > ENGINE_CLAIM_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_startable(em, &rows[i], live[i]))
            return false;
    call = claim_make(em, n, em->offer->done, em->offer->arg);
    if (!call)
        return false;
    for (size_t i = 0; i < n; i++)
        call->rows[i] = claim_row(em, live[i]);
    call->offer = em->offer;
    call->offer->n_taken += n;
    call->n_shared = n;
    call->op.n = n;
    call->op.ahead = true;
    call->op.op.done = claim_done;
    store_claim_init(&call->op);
    store_push(em->store, &call->op.op);
    return true;
}

/* ---- Recover, release ------------------------------------------------------------------------ */

/* The slot that a job held in its queue is free, whatever is still to be recorded. */
static void slot_free(struct embedded *em, struct live *job)
{
    const struct queue *q = queues_of(sched_queues(em->sched), job);
    bool was_open = q->where == QUEUE_OPEN;

    sched_set_active(em->sched, job, false);
    if (!was_open && q->where == QUEUE_OPEN)
        embedded_runnable(em);
}

static void recover_done(struct store_op *op)
{
    struct claim_call *call = (struct claim_call *)op;
    struct embedded *em = call->em;

    for (size_t i = 0; !op->error.code && i < call->op.n; i++) {
        const struct live *job = sched_find(em->sched, call->rows[i].number);

        call->claimed[i].own_slot = call->rows[i].own_slot;
        /* It may be that it never began, and begins now. */
        call->claimed[i].limits = queues_of(sched_queues(em->sched), job)->set.limits;
        if (job->flags & LIVE_POLICY)
            policies_add(&em->policies, &call->claimed[i]);
    }
    call->done(call->arg, op_error(op), call->claimed, call->op.n);
    if (!op->error.code)
        claim_stop_unwanted(call);
    claim_free(call);
}

static void recover_add(void *arg, struct live *job)
{
    struct claim_call *call = arg;

    if (job->state == AW_RUNNING)
        call->rows[call->op.n++] = (struct store_claim_row){
            .number = job->node.number,
            .claim = job->claim,
            .attempt = job->attempt,
            .own_slot = queues_of(sched_queues(call->em->sched), job)->set.slots > 0,
        };
}

void embedded_recover(struct engine *e, engine_claim_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct claim_call *call = claim_make(em, sched_count(em->sched, AW_RUNNING), done, arg);

    if (!call) {
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    sched_each_running(em->sched, recover_add, call);
    call->op.recover = true;
    call->op.op.done = recover_done;
    store_claim_init(&call->op);
    store_push(em->store, &call->op.op);
}

/* The running job that this claim holds; NULL: the claim is over. */
static struct live *claim_holder(struct embedded *em, uint64_t number, uint64_t claim)
{
    struct live *job = sched_find(em->sched, number);

    return job && job->state == AW_RUNNING && job->claim == claim && !job->busy ? job : NULL;
}

static void refuse_stale(engine_done_fn done, void *arg, uint64_t number)
{
    struct aw_error err;

    aw_fail(&err, AW_ERR_WRONG_STATE, "job %" PRIu64 ": this claim on it is over", number);
    done(arg, &err);
}

/* A job waits again: if in the queue, next in line; unless it was to be cancelled meanwhile. */
static void job_returned(struct embedded *em, struct live *job)
{
    policies_remove(&em->policies, job->node.number);
    sched_to_front(em->sched, job);
    if (job->flags & LIVE_CANCEL_REQUESTED)
        embedded_cancel_quietly(em, &job->node.number, 1);
}

struct release_call {
    struct store_release op;
    struct embedded *em;
    engine_done_fn done;
    void *arg;
};

static void release_done(struct store_op *op)
{
    struct release_call *call = (struct release_call *)op;
    struct embedded *em = call->em;
    struct live *job = sched_find(em->sched, call->op.number);

    sched_set_busy(em->sched, job, false);
    if (op->error.code) {
        sched_set_active(em->sched, job, true); /* it is its holder's still */
    } else if (sched_apply(em->sched, job, JOB_EV_RELEASE)) {
        job->attempt--;
        job_returned(em, job);
    }
    call->done(call->arg, op_error(op));
    free(call);
    embedded_runnable(em);
}

void embedded_release(struct engine *e, uint64_t number, uint64_t claim, engine_done_fn done,
                      void *arg)
{
    struct embedded *em = embedded_of(e);
    struct live *job = claim_holder(em, number, claim);
    struct release_call *call;

    if (!job) {
        refuse_stale(done, arg, number);
        return;
    }
    call = calloc(1, sizeof(*call));
    if (!call) {
        done(arg, &embedded_no_memory);
        return;
    }
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.number = number;
    call->op.claim = claim;
    call->op.op.done = release_done;
    store_release_init(&call->op);
    sched_set_busy(em->sched, job, true);
    queues_refund(sched_queues(em->sched), queues_of(sched_queues(em->sched), job));
    slot_free(em, job);
    store_push(em->store, &call->op.op);
}

/* ---- Finish -------------------------------------------------------------------------------- */

struct finish_call {
    struct store_finish op;
    STAILQ_ENTRY(finish_call) next;
    struct embedded *em;
    engine_done_fn done;
    void *arg;
    enum job_event event;
    char output[];
};

/* From the second attempt on, only the job's time in all limits how long it may wait. */
static void times_for_next(struct embedded *em, struct live *job, int64_t due_us)
{
    const struct policy *p = policies_find(&em->policies, job->node.number);

    sched_set_times(em->sched, job, due_us, p ? p->overall_us : 0);
    job->flags |= LIVE_OVERALL;
}

/* What the end of the attempt means, once it is durable. */
static void finish_apply(struct finish_call *call)
{
    struct embedded *em = call->em;
    struct live *job = sched_find(em->sched, call->op.number);

    sched_set_busy(em->sched, job, false);
    if (!aw_state_is_final(call->op.to))
        times_for_next(em, job, call->op.due_us);
    if (!sched_apply(em->sched, job, call->event))
        return; /* impossible: job_next() asked the same table */
    if (aw_state_is_final((enum aw_state)job->state)) {
        policies_remove(&em->policies, job->node.number);
        embedded_prune_at(em, call->op.expires_us);
        embedded_job_ended(em, job, (enum aw_state)job->state);
        return;
    }
    job_returned(em, job);
    embedded_clock_set(em);
    embedded_runnable(em);
}

static void finish_done(struct store_op *op)
{
    struct finish_call *call = (struct finish_call *)op;
    struct embedded *em = call->em;
    struct aw_error stale;

    if ((op->error.code == AW_ERR_DISK_FULL || op->error.code == AW_ERR_NO_MEMORY) &&
        !em->closing) {
        STAILQ_INSERT_TAIL(&em->stalled, call, next);
        embedded_retry_later(em);
        return;
    }
    if (op->error.code) {
        call->done(call->arg, &op->error);
    } else if (call->op.stale) {
        aw_fail(&stale, AW_ERR_WRONG_STATE, "job %" PRIu64 ": this claim on it is over",
                call->op.number);
        call->done(call->arg, &stale);
    } else {
        embedded_account(em, &call->op.effects);
        finish_apply(call);
        embedded_tell(em, &call->op.effects, NULL);
        call->done(call->arg, NULL);
    }
    store_effects_free(&call->op.effects);
    free(call);
}

void embedded_retry_stalled(struct embedded *em)
{
    struct finish_call *call;

    while ((call = STAILQ_FIRST(&em->stalled))) {
        STAILQ_REMOVE_HEAD(&em->stalled, next);
        store_push(em->store, &call->op.op);
    }
}

static struct finish_call *finish_make(const struct outcome *outcome)
{
    size_t size = outcome->output[0].data.len + outcome->output[1].data.len;
    struct finish_call *call = calloc(1, sizeof(*call) + size);
    char *at;

    if (!call)
        return NULL;
    at = call->output;
    call->op.outcome = *outcome;
    for (int i = 0; i < N_STREAMS; i++)
        call->op.outcome.output[i].data = bytes_put(&at, outcome->output[i].data);
    return call;
}

static struct job_move move_of(struct embedded *em, const struct live *job,
                               const struct outcome *outcome)
{
    static const struct job_policy none = {.max_attempts = 1};
    const struct policy *p = policies_find(&em->policies, job->node.number);
    struct job_facts facts = {
        .attempts = job->attempt - (p ? p->uncounted : 0),
        .cancel_requested = job->flags & LIVE_CANCEL_REQUESTED,
        .now_us = now_us(),
        .overall_us = p ? p->overall_us : 0,
    };

    if (p)
        evutil_secure_rng_get_bytes(&facts.random, sizeof(facts.random));
    return job_next(outcome, p ? &p->policy : &none, &facts);
}

void embedded_finish(struct engine *e, uint64_t number, uint64_t claim,
                     const struct outcome *outcome, engine_done_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct live *job = claim_holder(em, number, claim);
    struct finish_call *call;
    struct job_move move;

    if (!job) {
        refuse_stale(done, arg, number);
        return;
    }
    call = finish_make(outcome);
    if (!call) {
        done(arg, &embedded_no_memory);
        return;
    }
    move = move_of(em, job, outcome);
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->event = move.event;
    call->op.number = number;
    call->op.claim = claim;
    call->op.to = move.to;
    call->op.due_us = move.due_us;
    call->op.uncounted = move.event == JOB_EV_RELEASE;
    call->op.now_us = now_us();
    call->op.default_retention_ms = em->config.retention_ms;
    call->op.op.done = finish_done;
    call->op.op.may_wait = em->offer->ends_may_wait && aw_state_is_final(move.to) &&
                           !deps_has_children(em->deps, number);
    store_finish_init(&call->op);
    sched_set_busy(em->sched, job, true);
    slot_free(em, job); /* first, so that the claim that follows shares our transaction */
    store_push(em->store, &call->op.op);
}
