/*
 * engine.h - what decides and remembers: states, keys, queues, what runs next. The seam.
 *
 * Above it the server knows nothing of where jobs are kept; below it an implementation knows
 * nothing of sockets, workers or spool files. The embedded engine (embedded/) keeps one node's
 * jobs in memory and SQLite. Another one could keep many nodes' jobs in a database server; for
 * that the rules are strict:
 *
 *  - All calls are made on the loop thread and return at once. What happened comes as exactly one
 *    callback, on the loop thread; from inside the call only if it is refused out of hand
 *    (AW_ERR_QUEUE_FULL, AW_ERR_WRONG_STATE, AW_ERR_NO_MEMORY).
 *  - A callback without an error (err NULL) means durable. AW_ERR_IN_DOUBT means that nobody can
 * say; every other error means that nothing was changed.
 *  - What a callback or event passes is valid during it only. What a call is given is copied.
 *  - Callbacks and events come in the order in which things became durable: who registers for the
 *    end of a job and then calls engine_get() misses nothing.
 *  - Numbers of jobs rise but may have gaps, and a smaller one may become visible later.
 *  - Each attempt has a claim, a number never given out twice. Only its holder can end or release
 *    the attempt; for a claim that is over the answer is AW_ERR_WRONG_STATE, and nothing changes.
 *  - Time is the engine's: callers pass no "now".
 */
#ifndef AW_ENGINE_H
#define AW_ENGINE_H

#include "daemon/engine/outcome.h"

struct engine;

/* Flags of a record. */
enum {
    RECORD_CANCEL_REQUESTED = 1 << 0,
    RECORD_SPOOLED_STDOUT = 1 << 1, /* of the last attempt */
    RECORD_SPOOLED_STDERR = 1 << 2,
};

/* One of several attempts, as it is on record. */
struct attempt_record {
    uint64_t attempt;
    enum aw_class class;
    unsigned flags; /* RECORD_SPOOLED_* */
    int exit_code, signal;
    unsigned http_status;
    int64_t started_us, ended_us;
    uint64_t size[N_STREAMS];
    struct bytes message;
};

/* A job as it is on record. */
struct record {
    uint64_t number;
    enum aw_state state;
    enum aw_class class;
    unsigned flags;
    int exit_code;
    int signal;
    unsigned http_status;
    int priority;
    uint64_t attempt;
    uint64_t claim; /* of the last attempt; 0: none yet */
    uint32_t uid, gid;
    int64_t created_us, due_us, started_us, ended_us, expires_us;
    uint64_t size[N_STREAMS];
    uint64_t cpu_user_us, cpu_sys_us, max_rss_kib;
    uint64_t retry_of;
    struct bytes key;
    struct bytes message;
    struct bytes spec; /* the head of what was submitted, or all of it: see engine_get() */
    const struct attempt_record *attempts; /* with GET_ATTEMPTS: those before the last one, the */
    size_t n_attempts;                     /* newest first, AW_MAX_ATTEMPTS_SHOWN at most */
};

/* What engine_get() brings beside the record. */
enum {
    GET_WHOLE = 1 << 0,    /* record.spec is the whole specification, not its head */
    GET_ATTEMPTS = 1 << 1, /* record.attempts */
};

/* A job to be recorded. */
struct new_job {
    const struct job *job; /* decoded, for what the engine decides by */
    struct bytes spec;     /* encoded, as it will come back to who claims it */
    struct bytes head;     /* a shorter one for lists; empty: the spec is short enough itself */
    uint64_t retry_of;     /* 0: none */
};

struct submitted {
    uint64_t number;
    bool deduplicated; /* it existed before, under this key */
};

struct found {
    enum aw_err err; /* AW_OK, AW_ERR_UNKNOWN_ID, AW_ERR_EXPIRED_ID */
    struct record record;
};

/* An attempt that is the caller's to make. */
struct claimed {
    uint64_t claim;
    uint64_t number;
    uint64_t attempt;
    uint32_t uid, gid;
    int64_t started_us;
    int64_t overall_us; /* when the job's time in all is over; 0: never */
    uint64_t uncounted; /* earlier attempts that do not count, as they were interrupted */
    struct bytes spec;
};

/* What became of one job in a call on several. */
struct job_result {
    uint64_t number;
    enum aw_err err;
    enum aw_state state; /* after the call */
};

/* A record that is no more: whatever else was kept for it can go. */
struct gone {
    uint64_t number;
    uint64_t attempt; /* the last one: there may be spool files of 1 to this */
    bool spooled;     /* at least one attempt may have had some */
};

struct ended {
    uint64_t number;
    enum aw_state state;
};

struct list_filter {
    unsigned states;   /* bit mask of 1 << enum aw_state; 0: all */
    int64_t uid;       /* -1: all */
    struct bytes name; /* prefix; empty: all */
    uint64_t before;   /* only smaller numbers; 0: from the newest */
    size_t limit;
};

struct engine_stats {
    uint64_t live[AW_RUNNING + 1]; /* by state: scheduled, blocked, queued, running */
    uint64_t kept;
    uint64_t submitted, deduplicated, succeeded, failed, cancelled, pruned;
    uint64_t commits;
    uint64_t store_bytes;
    bool disk_full;
};

/* How the engine calls up, unasked. `arg` is what it was opened with. */
struct engine_events {
    /* There is something to claim that was not there before. */
    void (*runnable)(void *arg);
    /* These jobs have reached their final state, and that is durable. */
    void (*ended)(void *arg, const struct ended *jobs, size_t n);
    /* The holder of this claim shall stop; grace_ms: -1 as the job says. */
    void (*stop)(void *arg, uint64_t number, uint64_t claim, int64_t grace_ms);
    void (*gone)(void *arg, const struct gone *jobs, size_t n);
    /* The store can no longer be trusted: nothing will succeed any more; restart the daemon. */
    void (*down)(void *arg, const struct aw_error *err);
};

typedef void (*engine_done_fn)(void *arg, const struct aw_error *err);
typedef void (*engine_submit_fn)(void *arg, const struct aw_error *err,
                                 const struct submitted *jobs, size_t n);
typedef void (*engine_get_fn)(void *arg, const struct aw_error *err, const struct found *jobs,
                              size_t n);
typedef void (*engine_list_fn)(void *arg, const struct aw_error *err, const struct record *jobs,
                               size_t n, uint64_t next);
typedef void (*engine_claim_fn)(void *arg, const struct aw_error *err, const struct claimed *claims,
                                size_t n);
typedef void (*engine_results_fn)(void *arg, const struct aw_error *err,
                                  const struct job_result *jobs, size_t n);
typedef void (*engine_output_fn)(void *arg, const struct aw_error *err, struct bytes data);

/* One implementation. What each call means is said at the wrappers below. */
struct engine_ops {
    void (*close)(struct engine *e);
    void (*submit)(struct engine *e, uint32_t uid, uint32_t gid, struct bytes request,
                   const struct new_job *jobs, size_t n, engine_submit_fn done, void *arg);
    void (*get)(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                engine_get_fn done, void *arg);
    void (*list)(struct engine *e, const struct list_filter *filter, engine_list_fn done,
                 void *arg);
    void (*claim)(struct engine *e, size_t max, engine_claim_fn done, void *arg);
    void (*release)(struct engine *e, uint64_t number, uint64_t claim, engine_done_fn done,
                    void *arg);
    void (*finish)(struct engine *e, uint64_t number, uint64_t claim, const struct outcome *outcome,
                   engine_done_fn done, void *arg);
    void (*cancel)(struct engine *e, const uint64_t *numbers, size_t n, int64_t grace_ms,
                   engine_results_fn done, void *arg);
    void (*forget)(struct engine *e, const uint64_t *numbers, size_t n, engine_results_fn done,
                   void *arg);
    void (*output)(struct engine *e, uint64_t number, uint64_t attempt, int stream, uint64_t offset,
                   size_t max, engine_output_fn done, void *arg);
    void (*stats)(struct engine *e, struct engine_stats *ret);
    void (*recover)(struct engine *e, engine_claim_fn done, void *arg);
};

/* Embedded first in each implementation's own struct. */
struct engine {
    const struct engine_ops *ops;
    const char *tag; /* of the store: five characters */
};

/* Waits for what is under way to become durable, delivers its callbacks, and frees. */
static inline void engine_close(struct engine *e)
{
    if (e)
        e->ops->close(e);
}

/*
 * Records n jobs, all or none. `request` (16 bytes, or empty) names this call of this user: if a
 * call with the same name was recorded in the last hours, its answer comes again and nothing else
 * happens. A job with a key that the user has a record for is not recorded either; the answer has
 * the number of that one. AW_ERR_QUEUE_FULL, AW_ERR_DISK_FULL.
 */
static inline void engine_submit(struct engine *e, uint32_t uid, uint32_t gid, struct bytes request,
                                 const struct new_job *jobs, size_t n, engine_submit_fn done,
                                 void *arg)
{
    e->ops->submit(e, uid, gid, request, jobs, n, done, arg);
}

/* The records of n numbers, in their order, each with an error of its own. what: GET_*. */
static inline void engine_get(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                              engine_get_fn done, void *arg)
{
    e->ops->get(e, numbers, n, what, done, arg);
}

/*
 * Up to filter->limit records that match, newest first, and where to go on (0: that was all). A
 * page may hold fewer, even none, and still not be the last: one call looks at a bounded number.
 */
static inline void engine_list(struct engine *e, const struct list_filter *filter,
                               engine_list_fn done, void *arg)
{
    e->ops->list(e, filter, done, arg);
}

/* Takes up to `max` jobs that may run now, the most urgent first. */
static inline void engine_claim(struct engine *e, size_t max, engine_claim_fn done, void *arg)
{
    e->ops->claim(e, max, done, arg);
}

/* Gives a claim back that was not started: its job is next in line again. */
static inline void engine_release(struct engine *e, uint64_t number, uint64_t claim,
                                  engine_done_fn done, void *arg)
{
    e->ops->release(e, number, claim, done, arg);
}

/*
 * Records how an attempt ended, and what that means for the job. A full disk is not an error
 * here: the engine tries until there is room. AW_ERR_WRONG_STATE: the claim is over.
 */
static inline void engine_finish(struct engine *e, uint64_t number, uint64_t claim,
                                 const struct outcome *outcome, engine_done_fn done, void *arg)
{
    e->ops->finish(e, number, claim, outcome, done, arg);
}

/*
 * Cancels jobs. What waits is cancelled by the time of the callback; what runs is told to stop
 * (state AW_RUNNING in the result); what has ended stays as it is (AW_ERR_WRONG_STATE).
 */
static inline void engine_cancel(struct engine *e, const uint64_t *numbers, size_t n,
                                 int64_t grace_ms, engine_results_fn done, void *arg)
{
    e->ops->cancel(e, numbers, n, grace_ms, done, arg);
}

/* Removes the records of ended jobs; AW_ERR_WRONG_STATE for the others. */
static inline void engine_forget(struct engine *e, const uint64_t *numbers, size_t n,
                                 engine_results_fn done, void *arg)
{
    e->ops->forget(e, numbers, n, done, arg);
}

/* Bytes of an ended attempt's output that travelled in its outcome (struct output, data). */
static inline void engine_output(struct engine *e, uint64_t number, uint64_t attempt, int stream,
                                 uint64_t offset, size_t max, engine_output_fn done, void *arg)
{
    e->ops->output(e, number, attempt, stream, offset, max, done, arg);
}

static inline void engine_get_stats(struct engine *e, struct engine_stats *ret)
{
    e->ops->stats(e, ret);
}

/*
 * The claims that this node held when it went down: each is to be finished or released. Those of
 * jobs that were to be cancelled get their stop event after the callback.
 */
static inline void engine_recover(struct engine *e, engine_claim_fn done, void *arg)
{
    e->ops->recover(e, done, arg);
}

#endif
