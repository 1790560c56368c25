/* The embedded engine's call that cancels jobs, wherever they are. */
#include "daemon/engine/embedded/embedded_private.h"

#include <stdio.h>

/*
 * What waits is ended by one operation of the store. For what runs, or is about to move (busy),
 * the request is noted on its row, which outlives a restart, and in memory; then its holder is
 * told. A job that goes back to the queue with that note on it is cancelled there.
 */
struct cancel_call {
    struct store_cancel op;
    struct embedded *em;
    engine_results_fn done;
    void *arg;
    int64_t grace_ms;
    char why[AW_MAX_MESSAGE_TEXT];
    struct job_result *results;
    struct store_cancel_row rows[];
};

/* One that runs, or that moved while the cancel was on its way to the disk. */
static void cancel_running(struct cancel_call *call, struct job_result *r)
{
    struct embedded *em = call->em;
    struct live *job = sched_find(em->sched, r->number);

    if (!job)
        return;
    r->err = AW_OK;
    r->state = AW_RUNNING;
    job->flags |= LIVE_CANCEL_REQUESTED;
    if (job->state == AW_RUNNING)
        em->events->stop(em->arg, job->node.number, job->claim, call->grace_ms);
    else if (!deps_is_taken(em->deps, r->number))
        embedded_cancel_quietly(em, &r->number, 1); /* it went back, or its claim failed */
    /* Else what its parents' ends mean is not settled: it is cancelled once it is, not before. */
}

static void cancel_settle(struct cancel_call *call, size_t i)
{
    struct embedded *em = call->em;
    struct job_result *r = &call->results[i];

    if (call->rows[i].waits) {
        embedded_prune_at(em, call->op.expires_us);
        embedded_job_ended(em, sched_find(em->sched, r->number), AW_CANCELLED);
        r->err = AW_OK;
    } else if (r->err == AW_ERR_EXPIRED_ID) {
        if (embedded_is_unknown(em, r->number))
            r->err = AW_ERR_UNKNOWN_ID;
    } else if (!aw_state_is_final(r->state)) {
        cancel_running(call, r);
    }
}

static void cancel_done(struct store_op *op)
{
    struct cancel_call *call = (struct cancel_call *)op;
    struct embedded *em = call->em;

    if (!op->error.code)
        embedded_account(em, &call->op.effects);
    for (size_t i = 0; i < call->op.n; i++) {
        if (!op->error.code)
            cancel_settle(call, i);
        else if (call->rows[i].waits)
            sched_set_busy(em->sched, sched_find(em->sched, call->rows[i].number), false);
    }
    if (!op->error.code)
        embedded_tell(em, &call->op.effects, NULL);
    call->done(call->arg, op_error(op), call->results, call->op.n);
    store_effects_free(&call->op.effects);
    free(call->results);
    free(call);
    embedded_clock_set(em);
    embedded_runnable(em); /* if nothing came of it: it was out of sight meanwhile */
}

void embedded_cancel(struct engine *e, const uint64_t *numbers, size_t n, int64_t grace_ms,
                     const char *why, engine_results_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct cancel_call *call = calloc(1, sizeof(*call) + n * sizeof(*call->rows));

    if (call)
        call->results = calloc(n + 1, sizeof(*call->results));
    if (!call || !call->results) {
        free(call);
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->grace_ms = grace_ms;
    snprintf(call->why, sizeof(call->why), "%s", why ? why : "");
    call->op.message = call->why;
    for (size_t i = 0; i < n; i++) {
        struct live *job = sched_find(em->sched, numbers[i]);

        call->rows[i].number = numbers[i];
        call->rows[i].waits = job && !job->busy && job->state < AW_RUNNING;
        if (call->rows[i].waits)
            sched_set_busy(em->sched, job, true);
    }
    call->op.rows = call->rows;
    call->op.n = n;
    call->op.now_us = now_us();
    call->op.default_retention_ms = em->config.retention_ms;
    call->op.results = call->results;
    call->op.op.done = cancel_done;
    store_cancel_init(&call->op);
    store_push(em->store, &call->op.op);
}

static void ignore_results(void *arg, const struct aw_error *err, const struct job_result *jobs,
                           size_t n)
{
    (void)arg;
    (void)err;
    (void)jobs;
    (void)n;
}

void embedded_cancel_quietly(struct embedded *em, const uint64_t *numbers, size_t n)
{
    embedded_cancel(&em->engine, numbers, n, -1, NULL, ignore_results, NULL);
}
