/* The embedded engine's calls that remove records: forget, and pruning by age and number. */
#include "daemon/engine/embedded/embedded_private.h"

#define PRUNE_MAX 500 /* at once: others want to commit, too */

static void tell_gone(struct embedded *em, const struct gone *gone, size_t n)
{
    em->kept -= MIN(em->kept, n);
    if (n)
        em->events->gone(em->arg, gone, n);
}

struct forget_call {
    struct store_remove op;
    struct embedded *em;
    engine_results_fn done;
    void *arg;
    struct job_result *results;
    struct gone *gone;
    uint64_t numbers[];
};

static void forget_done(struct store_op *op)
{
    struct forget_call *call = (struct forget_call *)op;

    if (!op->error.code) {
        tell_gone(call->em, call->gone, call->op.n_gone);
        for (size_t i = 0; i < call->op.n; i++)
            if (embedded_is_unknown(call->em, call->results[i].number))
                call->results[i].err = AW_ERR_UNKNOWN_ID;
    }
    call->done(call->arg, op_error(op), call->results, call->op.n);
    free(call->results);
    free(call->gone);
    free(call);
}

void embedded_forget(struct engine *e, const uint64_t *numbers, size_t n, engine_results_fn done,
                     void *arg)
{
    struct embedded *em = embedded_of(e);
    struct forget_call *call = calloc(1, sizeof(*call) + n * sizeof(*numbers));

    if (call) {
        call->results = calloc(n + 1, sizeof(*call->results));
        call->gone = calloc(n + 1, sizeof(*call->gone));
    }
    if (!call || !call->results || !call->gone) {
        if (call) {
            free(call->results);
            free(call->gone);
        }
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
    call->op.results = call->results;
    call->op.gone = call->gone;
    call->op.op.done = forget_done;
    store_remove_init(&call->op);
    store_push(em->store, &call->op.op);
}

struct prune_call {
    struct store_remove op;
    struct embedded *em;
    struct gone gone[PRUNE_MAX];
};

static void prune_done(struct store_op *op)
{
    struct prune_call *call = (struct prune_call *)op;
    struct embedded *em = call->em;

    em->pruning = false;
    if (op->error.code) {
        embedded_prune_at(em, now_us() + INT64_C(60) * 1000000);
    } else {
        em->counts.pruned += call->op.n_gone;
        tell_gone(em, call->gone, call->op.n_gone);
        if (call->op.more)
            embedded_prune(em);
        else if (em->kept > em->config.max_kept)
            embedded_prune_at(em, 0); /* what is left has children that are to be told */
        else if (call->op.next_expiry_us)
            embedded_prune_at(em, call->op.next_expiry_us);
    }
    free(call);
}

void embedded_prune(struct embedded *em)
{
    struct prune_call *call;

    if (em->pruning || em->closing)
        return;
    call = calloc(1, sizeof(*call));
    if (!call) {
        embedded_prune_at(em, now_us() + INT64_C(60) * 1000000);
        return;
    }
    em->pruning = true;
    call->em = em;
    call->op.prune = true;
    call->op.now_us = now_us();
    call->op.excess = em->kept > em->config.max_kept ? em->kept - em->config.max_kept : 0;
    call->op.max = PRUNE_MAX;
    call->op.gone = call->gone;
    call->op.op.done = prune_done;
    store_remove_init(&call->op);
    store_push(em->store, &call->op.op);
}
