/*
 * embedded_private.h - shared by embedded*.c and nobody else.
 *
 * How each call works: it decides by what the scheduler knows, marks the jobs that it is about to
 * move as busy, and pushes one operation to the store. When that comes back, the moves are made
 * in the scheduler (or the marks taken off), then events and the callback tell what happened.
 * embedded.c opens, closes and keeps time; embedded_submit.c, embedded_calls.c and
 * embedded_cancel.c have the calls that move jobs, embedded_reads.c those that read,
 * embedded_remove.c those that remove; embedded_deps.c sees to the jobs that wait for others;
 * embedded_set_calls.c has the calls on sets, embedded_sets.c what is told of them.
 */
#ifndef AW_EMBEDDED_PRIVATE_H
#define AW_EMBEDDED_PRIVATE_H

#include "daemon/engine/embedded/deps.h"
#include "daemon/engine/embedded/embedded.h"
#include "daemon/engine/embedded/policies.h"
#include "daemon/engine/embedded/sched.h"
#include "daemon/engine/embedded/sets.h"
#include "daemon/engine/embedded/store_ops.h"
#include "daemon/engine/embedded/store_set_ops.h"

struct event;
struct claim_call;
struct finish_call;
struct resolve_call;
STAILQ_HEAD(claim_queue, claim_call);
STAILQ_HEAD(finish_queue, finish_call);

/* Of what happened since the engine was opened. */
struct latencies {
    struct histogram first_result, queue_wait, run, total;
};

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
    struct pace pace;           /* of all users' jobs */
    struct account_list excess; /* users whose oldest records are to go */
    uint64_t wanted;            /* bytes of all that a submit has found no room for */
    uint64_t pending;           /* jobs in submits that the store has not answered */
    uint64_t pending_ahead;     /* of those, jobs that are claimed ahead */
    size_t n_claiming;          /* of the daemon's slots: taken by claims under way */
    struct engine_offer *offer; /* never NULL: */
    struct engine_offer no_offer;
    struct engine_stats counts;
    struct latencies latencies;
    struct sets sets;

    int clock_fd; /* a timer on the wall clock: starts and ends of times in the queue */
    struct event *clock;
    int64_t clock_us; /* what it is set to; 0: not */
    struct event *prune_timer;
    int64_t prune_us; /* when it will ring; 0: not set */
    bool pruning;
    struct event *sweep_timer;
    int64_t sweep_us; /* when it will ring, since boot; 0: not set */
    bool sweeping;
    struct event *retry_timer;   /* after a full disk */
    struct finish_queue stalled; /* ends that found no room, or no memory */
    bool claims_stalled;
    struct event *empty_event; /* answers the claims that found nothing: */
    struct claim_queue empty_claims;
    size_t queues_making;           /* on their way to the disk */
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
    bool backing_up;
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

/*
 * Tells what an operation did beside what it was asked for. To be called after embedded_job_ended()
 * for all jobs that it ended. *fresh: a head for the set that it may have
 * made, taken if it did; or NULL.
 */
void embedded_tell(struct embedded *em, const struct store_effects *effects, struct set **fresh);

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

/* embedded_accounts.c */
struct accounts *embedded_accounts(const struct embedded *em);
struct account *embedded_account_of(const struct embedded *em, const struct live *job);
/* That of struct store_loader. */
enum aw_err embedded_on_account(void *arg, const struct account_change *row);
/* Takes over what users have now. To be called before anything else is done about the operation: a
 * job that ends holds its user's account. */
void embedded_account(struct embedded *em, const struct store_effects *effects);
/* A job ends. */
void embedded_account_paced(struct embedded *em, const struct live *job);
struct user_limits embedded_limits_of(const struct embedded *em, uint32_t uid);
/* Whether a submit of n jobs, which are made already, finds room in memory. */
enum submit_full embedded_submit_full(const struct embedded *em, const struct account *account,
                                      size_t n, bool has_parents);
/* Sees to it that so many bytes find room on record, if old records can make it. */
void embedded_make_room(struct embedded *em, struct account *account, uint64_t bytes);
/* A submit that found no room. */
struct refusal {
    enum submit_full full;
    const struct account *account; /* of the user */
    size_t n;                      /* jobs, and their bytes */
    uint64_t bytes;
    uint64_t has_bytes; /* FULL_BYTES, FULL_USER_BYTES */
};
/* Says why, and when to try again. FULL_NOT: leaves it as it is. */
void embedded_refuse(const struct embedded *em, const struct refusal *r, struct aw_error *err);
struct user_limits embedded_user_limits(struct engine *e, uint32_t uid);
void embedded_users(struct engine *e, void (*fn)(void *arg, const struct engine_user *user),
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

/* embedded_sets.c */
void embedded_latencies(const struct embedded *em, struct engine_stats *ret);
/* Those of struct store_loader. */
enum aw_err embedded_on_set(void *arg, const struct set_info *info);
enum aw_err embedded_on_doomed_set(void *arg);
void embedded_sweep(int fd, short what, void *arg); /* of the sweep_timer */
/* Sees to it that sets go in their time: */
void embedded_sweep_idle(struct embedded *em);
void embedded_sweep_complete(struct embedded *em, int64_t complete_us);
void embedded_sweep_soon(struct embedded *em); /* looks what there is to do */

/* embedded_set_calls.c */
void embedded_set_add(struct engine *e, const struct set_add *what, engine_set_add_fn done,
                      void *arg);
void embedded_set_get(struct engine *e, uint32_t uid, struct bytes name, engine_set_fn done,
                      void *arg);
void embedded_set_list(struct engine *e, const struct set_list_filter *filter,
                       engine_set_list_fn done, void *arg);
void embedded_set_show(struct engine *e, uint32_t uid, struct bytes name, engine_set_show_fn done,
                       void *arg);
void embedded_set_members(struct engine *e, uint32_t uid, struct bytes name, uint64_t after,
                          size_t limit, engine_set_page_fn done, void *arg);
void embedded_set_read(struct engine *e, const struct set_read *read, engine_set_page_fn done,
                       void *arg);
void embedded_set_close(struct engine *e, uint32_t uid, struct bytes name, engine_set_fn done,
                        void *arg);
void embedded_set_forget(struct engine *e, uint32_t uid, struct bytes name, engine_done_fn done,
                         void *arg);
void embedded_sets_of(struct engine *e, uint64_t number, engine_sets_of_fn done, void *arg);

/* embedded_calls.c */
void embedded_claim(struct engine *e, size_t max, engine_claim_fn done, void *arg);
void embedded_offer(struct engine *e, struct engine_offer *offer);
void embedded_release(struct engine *e, uint64_t number, uint64_t claim, engine_done_fn done,
                      void *arg);
void embedded_finish(struct engine *e, uint64_t number, uint64_t claim,
                     const struct outcome *outcome, engine_done_fn done, void *arg);
void embedded_recover(struct engine *e, engine_claim_fn done, void *arg);
void embedded_retry_stalled(struct embedded *em);
/*
 * Claims the jobs of a submit that was just pushed, if slots are offered and they may start before
 * all others. True: they are to be taken by sched_take() as soon as they are in the scheduler, for
 * the claim's answer is the next.
 */
bool embedded_claim_ahead(struct embedded *em, const struct store_row *rows,
                          struct live *const *live, size_t n);
void embedded_answer_empty(struct embedded *em);

/* embedded_queues.c */
enum aw_err embedded_on_queue(void *arg, const struct store_queue_row *row);
/* The queue that a job names; NULL, and *ret_why says it: it cannot take jobs. */
struct queue *embedded_queue_of(struct embedded *em, const struct job *job, enum aw_err *ret_why);
struct queue_status embedded_queue_status(const struct queue *q);
void embedded_queue_set(struct engine *e, struct bytes name, const struct queue_change *change,
                        engine_queues_fn done, void *arg);
void embedded_queue_list(struct engine *e, engine_queues_fn done, void *arg);
void embedded_queue_remove(struct engine *e, struct bytes name, engine_done_fn done, void *arg);

/* embedded_change.c */
void embedded_change(struct engine *e, const uint64_t *numbers, size_t n,
                     const struct job_change *change, engine_results_fn done, void *arg);

/* embedded_explain.c */
void embedded_explain(struct engine *e, uint64_t number, engine_explain_fn done, void *arg);

/* embedded_cancel.c */
void embedded_cancel(struct engine *e, const uint64_t *numbers, size_t n, int64_t grace_ms,
                     const char *why, engine_results_fn done, void *arg);
/* The same, when nobody waits for the answer. */
void embedded_cancel_quietly(struct embedded *em, const uint64_t *numbers, size_t n);

/* embedded_reads.c */
void embedded_recall(struct engine *e, uint32_t uid, struct bytes request, engine_submit_fn done,
                     void *arg);
void embedded_get(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                  engine_get_fn done, void *arg);
void embedded_list(struct engine *e, const struct list_filter *filter, engine_list_fn done,
                   void *arg);
void embedded_output(struct engine *e, uint64_t number, uint64_t attempt, int stream,
                     uint64_t offset, size_t max, engine_output_fn done, void *arg);

/* embedded_backup.c */
void embedded_backup(struct engine *e, const char *path, engine_done_fn done, void *arg);

/* embedded_remove.c */
void embedded_forget(struct engine *e, const uint64_t *numbers, size_t n, engine_results_fn done,
                     void *arg);
void embedded_prune(struct embedded *em);
/* This user may have too much on record: sees to it. NULL: nobody. */
void embedded_prune_user(struct embedded *em, struct account *account);
/* Some of all users may. */
void embedded_prune_excess(struct embedded *em);
/* Whether all users together have, and something of it can go. */
bool embedded_is_excess(const struct embedded *em);

#endif
