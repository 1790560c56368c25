/*
 * embedded_private.h - shared by embedded*.c and nobody else.
 *
 * How each call works: it decides by what the scheduler knows, marks the jobs that it is about to
 * move as busy, and pushes one operation to the store. When that comes back, the moves are made
 * in the scheduler (or the marks taken off), then events and the callback tell what happened.
 * embedded.c opens, closes and keeps time; embedded_submit.c, embedded_calls.c and
 * embedded_cancel.c have the calls that move jobs, embedded_reads.c those that read,
 * embedded_remove.c those that remove.
 */
#ifndef AW_EMBEDDED_PRIVATE_H
#define AW_EMBEDDED_PRIVATE_H

#include "daemon/engine/embedded/deps.h"
#include "daemon/engine/embedded/embedded.h"
#include "daemon/engine/embedded/policies.h"
#include "daemon/engine/embedded/sched.h"
#include "daemon/engine/embedded/store_ops.h"

struct event;
struct finish_call;
struct resolve_call;
STAILQ_HEAD(finish_queue, finish_call);

struct embedded {
    struct engine engine; /* first: engine_ops get a pointer to it */
    struct store *store;
    struct sched *sched;
    struct deps *deps;
    struct numtable policies; /* of running jobs */
    const struct engine_events *events;
    void *arg;
    struct embedded_config config;
    char tag[AW_TAG_LEN + 1];
    uint64_t next_number;
    uint64_t next_claim;
    uint64_t kept;
    uint64_t pending; /* jobs in submits that the store has not answered */
    struct engine_stats counts;

    int clock_fd; /* a timer on the wall clock: starts and ends of times in the queue */
    struct event *clock;
    int64_t clock_us; /* what it is set to; 0: not */
    struct event *prune_timer;
    int64_t prune_us; /* when it will ring; 0: not set */
    bool pruning;
    struct event *retry_timer;   /* after a full disk */
    struct finish_queue stalled; /* ends that found no room */
    bool claims_stalled;
    struct resolve_call *resolving; /* what follows from ends for those that wait: under way */
    struct dep_load {               /* while the store is opened: parents of one job so far */
        struct parent *parents;
        size_t n;
        uint64_t child;
    } dep_load;
    struct lease *leases; /* found when opened, until they were asked for */
    size_t n_leases;
    uint64_t *cancels; /* found when opened: in the queue, but to be cancelled */
    size_t n_cancels;
    bool closing;
};

/* A job that has a lease. */
struct lease {
    uint64_t number;
    int64_t abandon_ms;
};

static inline struct embedded *embedded_of(struct engine *e)
{
    return (struct embedded *)e;
}

/* A number that is not on record: was it never given out? Otherwise its record is gone. */
static inline bool embedded_is_unknown(const struct embedded *em, uint64_t number)
{
    return number == 0 || number >= em->next_number;
}

extern const struct aw_error embedded_no_memory;

/* NULL when it succeeded, for callbacks. */
static inline const struct aw_error *op_error(const struct store_op *op)
{
    return op->error.code ? &op->error : NULL;
}

/* After jobs were queued, or times may have come to the front: says so, sets the clock. */
void embedded_runnable(struct embedded *em);
void embedded_clock_set(struct embedded *em);

/* A job has ended for good, and that is durable: out of memory, and into the counts. */
void embedded_job_ended(struct embedded *em, struct live *job, enum aw_state state);

/* Tries again in a moment what found no room on the disk. */
void embedded_retry_later(struct embedded *em);
/* Sees to it that old records go at that time, or soon after; an earlier date stands. */
void embedded_prune_at(struct embedded *em, int64_t when_us);

/* Puts a copy at *at, which moves on; NULL stays NULL. */
static inline struct bytes bytes_put(char **at, struct bytes b)
{
    struct bytes copy = {b.data ? *at : NULL, b.len};

    if (b.data && b.len)
        memcpy(*at, b.data, b.len);
    *at += b.len;
    return copy;
}

/* embedded_submit.c */
void embedded_submit(struct engine *e, const struct submit *submit, engine_submit_fn done,
                     void *arg);

/* embedded_deps.c */
/* Goes on with the children of what has ended. */
void embedded_resolve(struct embedded *em);
/* The same, after a while without room on the disk, or memory. */
void embedded_resolve_retry(struct embedded *em);
/* Those of struct store_loader; and to be called after it. */
enum aw_err embedded_on_dep(void *arg, const struct store_dep *row);
enum aw_err embedded_on_ended_parent(void *arg, const struct ended *parent);
AW_MUSTCHECK enum aw_err embedded_deps_loaded(struct embedded *em);

/* embedded_calls.c */
void embedded_claim(struct engine *e, size_t max, engine_claim_fn done, void *arg);
void embedded_release(struct engine *e, uint64_t number, uint64_t claim, engine_done_fn done,
                      void *arg);
void embedded_finish(struct engine *e, uint64_t number, uint64_t claim,
                     const struct outcome *outcome, engine_done_fn done, void *arg);
void embedded_recover(struct engine *e, engine_claim_fn done, void *arg);
void embedded_retry_stalled(struct embedded *em);

/* embedded_cancel.c */
void embedded_cancel(struct engine *e, const uint64_t *numbers, size_t n, int64_t grace_ms,
                     const char *why, engine_results_fn done, void *arg);
/* The same, when nobody waits for the answer. */
void embedded_cancel_quietly(struct embedded *em, const uint64_t *numbers, size_t n);

/* embedded_reads.c */
void embedded_get(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                  engine_get_fn done, void *arg);
void embedded_list(struct engine *e, const struct list_filter *filter, engine_list_fn done,
                   void *arg);
void embedded_output(struct engine *e, uint64_t number, uint64_t attempt, int stream,
                     uint64_t offset, size_t max, engine_output_fn done, void *arg);

/* embedded_remove.c */
void embedded_forget(struct engine *e, const uint64_t *numbers, size_t n, engine_results_fn done,
                     void *arg);
void embedded_prune(struct embedded *em);

#endif
