/*
 * running_private.h - what the files of running.h share: running.c (claims, and what others ask),
 * running_ahead.c (what is claimed before there is a slot for it) and running_end.c (how an
 * attempt's end is recorded, whatever it takes).
 */
#ifndef AW_RUNNING_PRIVATE_H
#define AW_RUNNING_PRIVATE_H

#include <sys/queue.h>

#include "daemon/engine/numtable.h"
#include "daemon/giveback.h"
#include "daemon/running.h"
#include "daemon/workers/worker.h"
#include "proto/codec.h"
#include "proto/future_id.h"

struct event;
struct plan;

enum { WORKER_EXEC, WORKER_HTTP, WORKER_SLEEP, WORKER_NOOP, N_WORKERS };

struct attempt {
    struct numnode by_number;
    struct numnode by_claim;
    struct running *running;
    struct worker *worker;
    uint64_t attempt;
    bool own_slot;     /* of its queue */
    bool has_slot;     /* one of the daemon's: it began, and has not ended */
    bool stop;         /* it is held, and shall not begin */
    bool returns;      /* to the queue: it neither began nor will */
    int64_t since_us;  /* since boot: when it began, or was held */
    struct plan *plan; /* while it is held */
    TAILQ_ENTRY(attempt) held;
    char id[AW_MAX_ID];
    struct running_info info;
    bool watched;
    TAILQ_ENTRY(attempt) unrecorded;
    struct outcome *outcome; /* kept while its spool files are made durable, or memory is out */
    struct outcome bare;     /* what that points to when there is no memory for more */
};

TAILQ_HEAD(attempt_list, attempt);

/*
 * Claims that wait here for a slot. A slot that is free must not stand empty until a claim for it
 * is durable, which takes as long as some jobs do: where that is so, more is claimed than there are
 * slots, as much as will be begun meanwhile. They are given back when none of the slots gets free
 * soon, so that what is more urgent and came later waits no longer than that.
 */
struct ahead {
    struct attempt_list held;  /* the next one first */
    struct attempt_list stuck; /* on the way back to the queue, which had no room for that */
    size_t n_held;
    size_t n_returning;       /* they are not held any more, and not in the queue yet */
    size_t n_stops;           /* of those that are held: to be ended in this turn of the loop */
    int64_t job_us, claim_us; /* what one takes, on average, of the last ones */
    int64_t asked_us;         /* since boot: when the claim under way was made */
    struct event *too_long;   /* pending: something may be held for too long then */
    int64_t rest_us;          /* since boot: when there was nothing to do any more, the last time */
    struct event *rested;     /* pending: the rest may have been a long one then */
};

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
    struct ahead ahead;
    size_t asked;   /* jobs for these slots, that the claim under way may bring */
    bool claiming;  /* one is */
    bool claimable; /* the engine said that there is something new */
    bool more;      /* there may be more for these slots, once one is free */
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

/* To be called when there may be nothing to do any more. */
void running_rest(struct running *r);
/* Nothing runs, is held or on its way, or is known to wait for our slots. */
bool running_is_resting(const struct running *r);

/* Nothing is claimed for a while; then `again` comes. */
void running_wait_for_memory(struct running *r);

/* What is to be done, and by whom; all of it points into the specification. */
struct plan {
    struct claimed claimed;
    struct codec_doc doc;
    struct job job;
};

/*
 * Reads the specification: plan->claimed is set, the rest zero. On failure there is nothing to
 * close. The attempt knows its worker then, if there is one.
 */
AW_MUSTCHECK enum aw_err running_plan_open(struct attempt *a, struct plan *plan,
                                           struct aw_error *err);

/*
 * Gives it to its worker, and closes the plan. It takes a slot, if there are none of its queue's
 * own. False: it could not be adopted for want of memory; what cannot be started has ended.
 */
bool running_plan_begin(struct attempt *a, struct plan *plan, bool adopt);

/* It cannot even be tried: an end like any other. */
void running_fail(struct attempt *a, const char *why);

/* ---- running_ahead.c ------------------------------------------------------------------------- */

bool ahead_init(struct running *r, struct event_base *base);
void ahead_done(struct running *r);

/* How many more jobs may be claimed than there are slots. */
size_t ahead_depth(const struct running *r);
/* How many of them can be missing before it makes sense to claim them; 0: none. */
size_t ahead_together(const struct running *r);

/* An attempt held its slot for so long; a claim took so long. */
void ahead_note_job(struct running *r, int64_t us);
void ahead_note_claim(struct running *r, int64_t us);
/* A rest begins. If it is long, the jobs that were there before it say nothing about the next. */
void ahead_rest(struct running *r);

/*
 * Keeps it for the next slot, or records that it has failed. False: its worker does not want that,
 * or there is no memory for it; the caller returns it to the queue.
 */
AW_MUSTCHECK bool ahead_hold(struct attempt *a, const struct claimed *claimed);

/* Whether ahead_begin() has something to do. */
bool ahead_is_ready(const struct running *r);
/* Begins as many as there are slots for, and ends those that were told to stop. */
void ahead_begin(struct running *r);

/* All that is held goes back to the queue. */
void ahead_return_all(struct running *r);
/*
 * One that neither began nor will; its slot must be free. Once it is in the queue, it is freed. It
 * is next in line then: of several, the last one is to be returned first.
 */
void ahead_return(struct attempt *a);
/* Tries again what there was no room for. */
void ahead_return_again(struct running *r);

/* Before it is freed. */
void ahead_forget(struct attempt *a);

/* ---- running_end.c --------------------------------------------------------------------------- */

/* A worker says that an attempt has ended: worker_host.ended(). */
void running_ended(void *arg, uint64_t claim, const struct outcome *o);

/* Tells the engine of the ends that it had no memory for. */
void running_record_again(struct running *r);

void running_outcome_free(struct attempt *a);

/* It is known no more. */
void running_attempt_free(struct attempt *a);

#endif
