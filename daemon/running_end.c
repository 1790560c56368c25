/* The end of an attempt, until it is durable. */
#include <inttypes.h>
#include <stdio.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/running_private.h"
#include "daemon/server.h"

void running_outcome_free(struct attempt *a)
{
    if (a->outcome != &a->bare)
        free(a->outcome);
}

void running_attempt_free(struct attempt *a)
{
    numtable_remove(&a->running->by_number, &a->by_number);
    numtable_remove(&a->running->by_claim, &a->by_claim);
    ahead_forget(a);
    running_outcome_free(a);
    free(a);
}

/* The engine has it (or does not want it: the claim was over). Now the worker may forget it. */
static void finished(void *arg, const struct aw_error *err)
{
    struct attempt *a = arg;
    struct server *srv = a->running->srv;
    uint64_t number;

    if (err && err->code == AW_ERR_NO_MEMORY) {
        a->running->no_memory = true; /* attempt_finish() goes on with it */
        return;
    }
    if (err && err->code != AW_ERR_WRONG_STATE) {
        /* The runner still has its record, and tells it again after a restart. */
        log_job(LOG_ERR, a->id, "its end could not be recorded: %s", err->text);
        return;
    }
    if (a->worker)
        a->worker->ops->recorded(a->worker, claim_of(a));
    number = number_of(a);
    running_attempt_free(a);
    watches_notify(srv->watches, number, WATCH_ATTEMPT_ENDED);
    server_drained(srv);
}

/* An outcome and what it points to, in one piece. */
static struct outcome *outcome_copy(const struct outcome *o)
{
    struct outcome *copy = malloc(sizeof(*copy) + o->output[0].data.len + o->output[1].data.len);
    char *at;

    if (!copy)
        return NULL;
    at = (char *)(copy + 1);
    *copy = *o;
    for (int i = 0; i < N_STREAMS; i++) {
        if (o->output[i].data.len)
            memcpy(at, o->output[i].data.data, o->output[i].data.len);
        copy->output[i].data.data = at;
        at += o->output[i].data.len;
    }
    return copy;
}

/* Whatever it takes: without memory for its output that is lost, and its end says so. */
static void outcome_keep(struct attempt *a, const struct outcome *o)
{
    if (!a->outcome)
        a->outcome = outcome_copy(o);
    if (a->outcome)
        return;
    a->outcome = &a->bare;
    a->bare = *o;
    for (int i = 0; i < N_STREAMS; i++) {
        struct output *out = &a->bare.output[i];

        if (!out->data.len)
            continue;
        snprintf(a->bare.message, sizeof(a->bare.message),
                 "%zu bytes of its output are lost: out of memory", out->data.len);
        *out = (struct output){0};
    }
}

/*
 * The next ones will end soon, and nobody waits for what an end does to a set. (Who waits for a job
 * asks the engine for it when that is WATCH_ENDING, which it does not wait beyond.)
 */
static bool ends_may_wait(const struct running *r)
{
    return r->ahead.n_held > 0 && !watches_any(r->srv->set_watches);
}

static void attempt_finish(struct attempt *a, const struct outcome *outcome)
{
    struct running *r = a->running;
    uint64_t number = number_of(a);

    r->no_memory = false;
    r->offer.ends_may_wait = ends_may_wait(r);
    engine_finish(r->srv->engine, number, claim_of(a), outcome, finished, a);
    if (!r->no_memory) { /* `a` may be gone */
        watches_notify(r->srv->watches, number, WATCH_ENDING);
        return;
    }
    outcome_keep(a, outcome);
    TAILQ_INSERT_TAIL(&r->unrecorded, a, unrecorded);
    running_wait_for_memory(r);
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

static void slot_leave(struct attempt *a)
{
    struct running *r = a->running;

    if (!a->has_slot)
        return;
    a->has_slot = false;
    r->n_started--;
    ahead_note_job(r, boottime_us() - a->since_us);
    running_rest(r);
}

void running_ended(void *arg, uint64_t claim, const struct outcome *o)
{
    struct running *r = arg;
    struct attempt *a = attempt_of_claim(r, claim);

    if (!a || a->info.ended)
        return;
    a->info.ended = true;
    a->info.pid = 0;
    slot_leave(a);
    running_kick(r);
    if (o->unbegun) {
        a->worker->ops->recorded(a->worker, claim); /* there is nothing to record */
        ahead_return(a);
        return;
    }
    if (o->output[0].spooled || o->output[1].spooled) {
        a->outcome = outcome_copy(o);
        if (a->outcome && offload_run(r->srv->offload, spool_sync_run, spool_sync_done, a))
            return;
    }
    attempt_finish(a, o);
}

void running_record_again(struct running *r)
{
    struct attempt *last = TAILQ_LAST(&r->unrecorded, attempt_list), *a = NULL;

    while (a != last) {
        a = TAILQ_FIRST(&r->unrecorded);
        TAILQ_REMOVE(&r->unrecorded, a, unrecorded);
        attempt_finish(a, a->outcome);
    }
}
