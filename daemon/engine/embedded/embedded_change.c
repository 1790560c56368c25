/* The embedded engine's call that changes jobs that wait. */
#include "daemon/engine/embedded/embedded_private.h"

/*
 * The store decides, as it has seen all moves before this one; nothing is held back meanwhile. A
 * job that is claimed after this call but before its callback ran at its old place.
 */
struct change_call {
    struct store_change op;
    struct embedded *em;
    engine_results_fn done;
    void *arg;
    struct job_result *results;
    uint64_t numbers[];
};

static void change_settle(struct change_call *call, struct job_result *r)
{
    struct embedded *em = call->em;
    struct live *job = sched_find(em->sched, r->number);

    if (r->err == AW_ERR_EXPIRED_ID && embedded_is_unknown(em, r->number))
        r->err = AW_ERR_UNKNOWN_ID;
    if (!job)
        return;
    if (!r->err && call->op.set_priority)
        sched_set_priority(em->sched, job, call->op.priority);
    if (!r->err && call->op.now && job->state == AW_SCHEDULED) {
        sched_set_times(em->sched, job, call->op.now_us, job->deadline_us);
        if (!job->busy)
            (void)!sched_apply(em->sched, job, JOB_EV_DUE);
    }
    r->state = (enum aw_state)job->state; /* a start time passes without being recorded */
}

static void change_done(struct store_op *op)
{
    struct change_call *call = (struct change_call *)op;
    struct embedded *em = call->em;

    for (size_t i = 0; !op->error.code && i < call->op.n; i++)
        change_settle(call, &call->results[i]);
    call->done(call->arg, op_error(op), call->results, call->op.n);
    free(call->results);
    free(call);
    embedded_clock_set(em);
    embedded_runnable(em);
}

void embedded_change(struct engine *e, const uint64_t *numbers, size_t n,
                     const struct job_change *change, engine_results_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct change_call *call = calloc(1, sizeof(*call) + n * sizeof(*numbers));

    if (call)
        call->results = calloc(n + 1, sizeof(*call->results));
    if (!call || !call->results) {
        free(call);
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    memcpy(call->numbers, numbers, n * sizeof(*numbers));
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.numbers = call->numbers;
    call->op.n = n;
    call->op.set_priority = change->priority != NULL;
    call->op.priority = change->priority ? *change->priority : 0;
    call->op.now = change->now;
    call->op.now_us = now_us();
    call->op.results = call->results;
    call->op.op.done = change_done;
    store_change_init(&call->op);
    store_push(em->store, &call->op.op);
}
