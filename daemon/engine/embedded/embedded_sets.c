/* The embedded engine's sets: what is told of them, and how they go. */
#include "daemon/engine/embedded/embedded_private.h"

#include <event2/event.h>

/* ---- Telling ------------------------------------------------------------------------------- */

static void latency_record(struct embedded *em, const struct store_ended *end)
{
    struct latencies *l = &em->latencies;

    histogram_record(&l->total, end->ended_us - end->created_us);
    if (end->started_us == 0)
        return;
    histogram_record(&l->queue_wait, end->started_us - MAX(end->created_us, end->due_us));
    histogram_record(&l->run, end->ended_us - end->started_us);
}

static void tell_gone(struct embedded *em, struct set *set)
{
    sets_remove(&em->sets, set);
    set->info.gone = true;
    em->events->set_changed(em->arg, &set->info, 0, 0, AW_SCHEDULED);
    set_free(set);
}

static void tell_change(struct embedded *em, const struct store_set_change *change,
                        struct set **fresh)
{
    struct set *set = sets_find(&em->sets, change->info.id);
    bool had_ended = set && set->info.status.n_ended;
    const struct set_status *now;

    if (set && change->gone) {
        tell_gone(em, set);
        return;
    }
    if (set) {
        sets_update(set, &change->info);
    } else if (fresh && *fresh) {
        set = take_ptr(*fresh);
        sets_insert(&em->sets, set, &change->info);
        embedded_sweep_idle(em);
    } else {
        return; /* impossible: who can make one brings a head */
    }
    if (change->place == 0)
        sets_touch(&em->sets, set); /* it was not time that changed it */
    now = &set->info.status;
    /* Members that had ended before they were added are none that anybody waited for. */
    if (!had_ended && now->n_ended && now->first_us > now->created_us)
        histogram_record(&em->latencies.first_result,
                         (int64_t)now->first_us - (int64_t)now->created_us);
    if (set_is_complete(now) && !now->temporary)
        embedded_sweep_complete(em, set_complete_us(now));
    em->events->set_changed(em->arg, &set->info, change->place, change->number, change->state);
}

void embedded_tell(struct embedded *em, const struct store_effects *effects, struct set **fresh)
{
    for (size_t i = 0; i < effects->n_ends; i++)
        latency_record(em, &effects->ends[i]);
    for (size_t i = 0; i < effects->n_sets; i++)
        tell_change(em, &effects->sets[i], fresh);
}

void embedded_latencies(const struct embedded *em, struct engine_stats *ret)
{
    histogram_read(&em->latencies.first_result, &ret->first_result);
    histogram_read(&em->latencies.queue_wait, &ret->queue_wait);
    histogram_read(&em->latencies.run, &ret->run);
    histogram_read(&em->latencies.total, &ret->total);
}

enum aw_err embedded_on_set(void *arg, const struct set_info *info)
{
    struct embedded *em = arg;
    struct set *set = set_new(info->status.name);

    if (!set)
        return AW_ERR_NO_MEMORY;
    sets_insert(&em->sets, set, info);
    if (set_is_complete(&info->status) && !info->status.temporary)
        embedded_sweep_complete(em, set_complete_us(&info->status));
    else if (info->status.temporary)
        embedded_sweep_idle(em);
    return AW_OK;
}

enum aw_err embedded_on_doomed_set(void *arg)
{
    embedded_sweep_soon(arg);
    return AW_OK;
}

/* ---- Sweeping ------------------------------------------------------------------------------- */

/*
 * One timer for all reasons: the temporary set that was not read for the longest time, the named
 * one that is complete for the longest time, and rows of sets that are gone. It may ring too early
 * (somebody read that set meanwhile) and is set again then.
 */
#define SWEEP_MAX      100 /* sets at once */
#define SWEEP_MIN_US   INT64_C(50000)
#define SWEEP_MAX_US   INT64_C(3600000000)
#define SWEEP_RETRY_US INT64_C(10000000)

struct sweep_call {
    struct store_set_sweep op;
    struct embedded *em;
    uint64_t ids[SWEEP_MAX];
};

static void sweep_in(struct embedded *em, int64_t us)
{
    int64_t at;

    us = MIN(MAX(us, SWEEP_MIN_US), SWEEP_MAX_US);
    at = boottime_us() + us;
    if (em->closing || em->sweeping || (em->sweep_us && em->sweep_us <= at))
        return;
    em->sweep_us = at;
    if (event_add(em->sweep_timer,
                  &(struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000}) < 0)
        event_active(em->sweep_timer, EV_TIMEOUT, 0);
}

static int64_t idle_us(const struct embedded *em)
{
    return (em->config.set_idle_ms ? em->config.set_idle_ms : AW_SET_IDLE_MS) * INT64_C(1000);
}

void embedded_sweep_idle(struct embedded *em)
{
    const struct set *idlest = sets_idlest(&em->sets);

    if (idlest)
        sweep_in(em, idlest->touched_us + idle_us(em) - boottime_us());
}

void embedded_sweep_complete(struct embedded *em, int64_t complete_us)
{
    sweep_in(em, complete_us + em->config.retention_ms * 1000 - now_us());
}

void embedded_sweep_soon(struct embedded *em)
{
    sweep_in(em, 0);
}

static void sweep_done(struct store_op *op)
{
    struct sweep_call *call = (struct sweep_call *)op;
    struct embedded *em = call->em;

    em->sweeping = false;
    if (op->error.code) {
        sweep_in(em, SWEEP_RETRY_US);
    } else {
        embedded_account(em, &call->op.effects);
        embedded_tell(em, &call->op.effects, NULL);
        if (call->op.more)
            embedded_sweep_soon(em);
        if (call->op.next_us)
            embedded_sweep_complete(em, call->op.next_us);
        embedded_sweep_idle(em);
    }
    store_effects_free(&call->op.effects);
    free(call);
}

static size_t idle_ones(struct embedded *em, uint64_t ids[SWEEP_MAX])
{
    int64_t until_us = boottime_us() - idle_us(em);
    const struct set *set = sets_idlest(&em->sets);
    size_t n = 0;

    for (; set && n < SWEEP_MAX && set->touched_us <= until_us; set = TAILQ_NEXT(set, link))
        ids[n++] = set->node.number;
    return n;
}

void embedded_sweep(int fd, short what, void *arg)
{
    struct embedded *em = arg;
    struct sweep_call *call = calloc(1, sizeof(*call));

    (void)fd;
    (void)what;
    em->sweep_us = 0;
    if (!call) {
        sweep_in(em, SWEEP_RETRY_US);
        return;
    }
    call->em = em;
    call->op.ids = call->ids;
    call->op.n = idle_ones(em, call->ids);
    call->op.complete_us = now_us() - em->config.retention_ms * 1000;
    call->op.op.done = sweep_done;
    store_set_sweep_init(&call->op);
    em->sweeping = true;
    store_push(em->store, &call->op.op);
}
