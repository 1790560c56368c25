/* The embedded engine's call that says why a job does not run yet. */
#include "daemon/engine/embedded/embedded_private.h"

#include <inttypes.h>

/*
 * Asks the store as a get does, so that the answer holds what was asked for earlier, and for what
 * has ended. Why a job waits stands in memory.
 */
struct explain_call {
    struct store_get op;
    struct embedded *em;
    engine_explain_fn done;
    void *arg;
    uint64_t number;
    struct found found;
};

/*
 * The time is not told to the queues here: one that opens has to be told of, and that is left to
 * embedded_runnable() alone.
 */
static enum explain_reason why_queued(const struct queue *q, int64_t *ret_due_us)
{
    if (q->set.paused)
        return EXPLAIN_PAUSED;
    if (!queue_has_room(q))
        return EXPLAIN_LIMIT;
    if (queue_token_us(q) > now_us()) {
        *ret_due_us = queue_token_us(q);
        return EXPLAIN_RATE;
    }
    return EXPLAIN_READY;
}

static void explain_queued(struct embedded *em, const struct live *job, struct explanation *why)
{
    struct queues *qs = sched_queues(em->sched);
    struct queue_ahead ahead;

    why->reason = why_queued(queues_of(qs, job), &why->due_us);
    queues_ahead(qs, job, &ahead);
    why->n_before = ahead.n;
    why->more_before = ahead.more;
    memcpy(why->before, ahead.first, sizeof(why->before));
    why->n_before_named = ahead.n_first;
}

static void explain_blocked(struct embedded *em, const struct live *job, struct explanation *why)
{
    uint64_t n = 0;

    why->reason = EXPLAIN_DEPENDENCY;
    why->n_parents_named =
        deps_parents_of(em->deps, job->node.number, why->parents, AW_MAX_EXPLAINED, &n);
    why->n_parents = n;
}

static void explain_live(struct embedded *em, const struct live *job, struct explanation *why)
{
    why->state = (enum aw_state)job->state;
    why->queue = embedded_queue_status(queues_of(sched_queues(em->sched), job));
    if (job->state == AW_RUNNING) {
        why->reason = EXPLAIN_RUNNING;
    } else if (job->state == AW_SCHEDULED) {
        why->reason = job->attempt ? EXPLAIN_BACKOFF : EXPLAIN_DELAY;
        why->due_us = job->due_us;
    } else if (job->state == AW_BLOCKED) {
        explain_blocked(em, job, why);
    } else {
        explain_queued(em, job, why);
    }
}

static void explain_done(struct store_op *op)
{
    struct explain_call *call = (struct explain_call *)op;
    struct embedded *em = call->em;
    const struct live *job = sched_find(em->sched, call->number);
    struct explanation why = {.state = call->found.record.state, .reason = EXPLAIN_ENDED};

    if (!op->error.code && !job && call->found.err) {
        bool unknown = embedded_is_unknown(em, call->number);

        aw_fail(&op->error, unknown ? AW_ERR_UNKNOWN_ID : AW_ERR_EXPIRED_ID,
                unknown ? "job %" PRIu64 ": was never issued"
                        : "job %" PRIu64 ": its record is gone",
                call->number);
    }
    if (job)
        explain_live(em, job, &why);
    call->done(call->arg, op_error(op), op->error.code ? NULL : &why);
    store_arena_free(&call->op.arena);
    free(call);
}

void embedded_explain(struct engine *e, uint64_t number, engine_explain_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct explain_call *call = calloc(1, sizeof(*call));

    if (!call) {
        done(arg, &embedded_no_memory, NULL);
        return;
    }
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->number = number;
    call->op.numbers = &call->number;
    call->op.n = 1;
    call->op.found = &call->found;
    call->op.op.done = explain_done;
    store_get_init(&call->op);
    store_push(em->store, &call->op.op);
}
