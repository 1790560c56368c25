/*
 * running_private.h - what the files of running.h share: running.c (claims, and what others ask)
 * and running_end.c (how an attempt's end is recorded, whatever it takes).
 */
#ifndef AW_RUNNING_PRIVATE_H
#define AW_RUNNING_PRIVATE_H

#include <sys/queue.h>

#include "daemon/engine/numtable.h"
#include "daemon/giveback.h"
#include "daemon/running.h"
#include "daemon/workers/worker.h"
#include "proto/future_id.h"

struct event;

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
    TAILQ_ENTRY(attempt) unrecorded;
    struct outcome *outcome; /* kept while its spool files are made durable, or memory is out */
    struct outcome bare;     /* what that points to when there is no memory for more */
};

TAILQ_HEAD(attempt_list, attempt);

struct running {
    struct server *srv;
    struct worker *workers[N_WORKERS];
    struct address_set *http_deny;
    struct numtable by_number, by_claim;
    struct event *kick;
    struct event *again;            /* pending: memory is out, and nothing is claimed for now */
    struct attempt_list unrecorded; /* whose ends the engine had no memory for */
    bool no_memory;                 /* for the end that it was just told of */
    struct giveback giveback;
    struct engine_offer offer; /* of slots that are free, to what is submitted */
    unsigned slots;
    size_t n_started; /* attempts that hold one of these slots */
    size_t asked;     /* free slots that the claim under way was told of */
    bool claiming;    /* one is */
    bool claimable;   /* the engine said that there is something new */
    bool more;        /* there may be more for these slots, once one is free */
    bool quiet;
};

static inline uint64_t number_of(const struct attempt *a)
{
    return a->by_number.number;
}

static inline uint64_t claim_of(const struct attempt *a)
{
    return a->by_claim.number;
}

static inline struct attempt *attempt_of_claim(const struct running *r, uint64_t claim)
{
    return numtable_entry(numtable_find(&r->by_claim, claim), struct attempt, by_claim);
}

static inline struct attempt *attempt_of_number(const struct running *r, uint64_t number)
{
    return numtable_entry(numtable_find(&r->by_number, number), struct attempt, by_number);
}

/* ---- running.c ------------------------------------------------------------------------------- */

/* Claims something at the end of this turn of the loop, if that makes sense. */
void running_kick(struct running *r);

/* Nothing is claimed for a while; then `again` comes. */
void running_wait_for_memory(struct running *r);

/* ---- running_end.c --------------------------------------------------------------------------- */

/* A worker says that an attempt has ended: worker_host.ended(). */
void running_ended(void *arg, uint64_t claim, const struct outcome *o);

/* Tells the engine of the ends that it had no memory for. */
void running_record_again(struct running *r);

void running_outcome_free(struct attempt *a);

#endif
