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

/* A call of engine_claim() takes no more than this. */
#define ENGINE_CLAIM_MAX 256

/* What a job waits for. */
enum parent_kind {
    PARENT_SUCCEEDED, /* that it has succeeded */
    PARENT_ENDED,     /* that it has ended */
    PARENT_FAILED,    /* that it has ended without success */
};

struct parent {
    uint64_t number;
    enum parent_kind kind;
};

/* A job to be recorded. */
struct new_job {
    const struct job *job; /* decoded, for what the engine decides by; its lists of parents are */
    const struct parent *parents; /* not looked at: these are */
    size_t n_parents;
    struct bytes spec; /* encoded, as it will come back to who claims it */
    struct bytes head; /* a shorter one for lists; empty: the spec is short enough itself */
    uint64_t retry_of; /* 0: none */
};

/* Who asks, and one call's worth of jobs. */
struct submit {
    uint32_t uid, gid;
    bool admin;           /* may name other users' jobs as parents */
    struct bytes request; /* 16 bytes by which this call is known again, or empty */
    struct bytes set;     /* of this user: the jobs become members; empty: none */
    const struct new_job *jobs;
    size_t n;
};

struct submitted {
    uint64_t number;
    bool deduplicated; /* it existed before, under this key */
    bool cached;       /* and has ended */
    bool repeated;     /* the answer is that of an earlier call, by the name of the request */
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
    int64_t overall_us;   /* when the job's time in all is over; 0: never */
    uint64_t uncounted;   /* earlier attempts that do not count, as they were interrupted */
    bool own_slot;        /* of its queue: does not take one of the daemon's */
    struct limits limits; /* of its queue */
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

/* A set. `status.name` is valid as long as what it came in. */
struct set_info {
    uint64_t id; /* never given to another set */
    bool gone;   /* it is no more; this is how it stood. Only in set_changed() */
    struct set_status status;
};

/* No member is left that could end, and none will come. */
static inline bool set_is_complete(const struct set_status *s)
{
    return s->closed && s->n_ended == s->n_members;
}

struct set_list_filter {
    uint32_t uid;
    struct bytes prefix; /* empty: all names */
    struct bytes after;  /* only names behind this one; empty: from the first */
    size_t limit;
};

struct set_add {
    uint32_t uid, gid;
    bool admin;        /* may add other users' jobs */
    struct bytes name; /* empty: a new one, temporary */
    bool close;
    const uint64_t *numbers;
    size_t n;
};

struct set_read {
    uint32_t uid;
    struct bytes name;
    struct bytes consumer; /* may be empty */
    int64_t after;         /* -1: the consumer's cursor */
    uint64_t ack;          /* 0: none */
    size_t limit;
};

/* Members of a set, in one of two orders. */
struct set_page {
    struct set_info set;
    uint64_t first;  /* the place of jobs[0], from 1; the others follow without a gap */
    uint64_t cursor; /* engine_set_read(): the consumer's; engine_set_members(): see there */
    const struct found *jobs; /* of one whose record is gone, number, state and class are known */
    size_t n;                 /* if it has ended */
};

/* What a change leaves alone: -1, or NULL. */
struct queue_change {
    bool create; /* it must not be there; otherwise it must */
    int slots, limit, paused, draining;
    const int *priority;
    int64_t rate, rate_ms;
    const struct limits *limits;
    unsigned limits_mask; /* with limits: those that change (see limits_changed()); 0: all */
};

struct job_change {
    const int *priority; /* NULL: leave it */
    bool now;            /* its start time has come */
};

/* Why a job is where it is. */
enum explain_reason {
    EXPLAIN_ENDED,
    EXPLAIN_RUNNING,
    EXPLAIN_DELAY,
    EXPLAIN_BACKOFF,
    EXPLAIN_DEPENDENCY,
    EXPLAIN_PAUSED, /* its queue is */
    EXPLAIN_LIMIT,  /* its queue has as many running as it may */
    EXPLAIN_RATE,   /* its queue has started as many as it may */
    EXPLAIN_READY,  /* nothing but free slots, and those before it */
};

struct explanation {
    enum aw_state state;
    enum explain_reason reason;
    int64_t due_us;            /* delay, backoff, rate */
    struct queue_status queue; /* of a job that has not ended */
    uint64_t n_before;         /* queued jobs that come before it */
    bool more_before;          /* there are more: only so many were counted */
    uint64_t before[AW_MAX_EXPLAINED];
    size_t n_before_named;
    uint64_t n_parents; /* that it still waits for */
    uint64_t parents[AW_MAX_EXPLAINED];
    size_t n_parents_named;
};

/* What one user may have. 0: no limit of its own. */
struct user_limits {
    uint64_t max_queued; /* jobs that have not ended */
    uint64_t max_kept;   /* ended jobs: the oldest go when there are more */
    uint64_t max_bytes;  /* specifications and output of both: first the oldest ended jobs go */
    uint64_t max_sets;   /* the temporary ones, too */
    uint64_t max_dependencies; /* futures that jobs wait for, together */
};

/* What one user has. */
struct engine_user {
    uint32_t uid;
    uint64_t waiting, running, kept, bytes, sets, dependencies;
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
    uint64_t sets;
    uint64_t store_steps, sched_steps;                   /* work done: see STATS_REP_FIELDS */
    struct latency first_result, queue_wait, run, total; /* see STATS_REP_FIELDS */
};

/* How the engine calls up, unasked. `arg` is what it was opened with. */
struct engine_events {
    /* There is something to claim that was not there before. */
    void (*runnable)(void *arg);
    /* These jobs have reached their final state, and that is durable. */
    void (*ended)(void *arg, const struct ended *jobs, size_t n);
    /*
     * A set has other members, or was closed, or is gone (set->gone; whatever removed it, and
     * nothing follows), or one of its members has ended: then `job` is that one, and `place` its
     * place in the order of completion; else 0. After ended(), if both. Those that had ended before
     * they were added come with the change that added them.
     */
    void (*set_changed)(void *arg, const struct set_info *set, uint64_t place, uint64_t job,
                        enum aw_state state);
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
typedef void (*engine_set_fn)(void *arg, const struct aw_error *err, const struct set_info *set);
typedef void (*engine_set_add_fn)(void *arg, const struct aw_error *err, const struct set_info *set,
                                  const struct job_result *jobs, size_t n);
typedef void (*engine_set_list_fn)(void *arg, const struct aw_error *err,
                                   const struct set_info *sets, size_t n, bool more);
typedef void (*engine_set_show_fn)(void *arg, const struct aw_error *err,
                                   const struct set_show_rep *show);
typedef void (*engine_set_page_fn)(void *arg, const struct aw_error *err,
                                   const struct set_page *page);
typedef void (*engine_sets_of_fn)(void *arg, const struct aw_error *err, const uint64_t *ids,
                                  size_t n);
typedef void (*engine_queues_fn)(void *arg, const struct aw_error *err,
                                 const struct queue_status *queues, size_t n);
typedef void (*engine_explain_fn)(void *arg, const struct aw_error *err,
                                  const struct explanation *why);

/*
 * Slots that are free while nothing is known that could take them: see engine_offer().
 */
struct engine_offer {
    size_t slots;         /* the caller says how many, at any time */
    size_t n_taken;       /* by the engine: those of them that done() is still to be called for */
    engine_claim_fn done; /* called as often as it takes */
    void *arg;
    bool ends_may_wait; /* the caller says so, too: see engine_finish() */
};

/* One implementation. What each call means is said at the wrappers below. */
struct engine_ops {
    void (*close)(struct engine *e);
    void (*submit)(struct engine *e, const struct submit *submit, engine_submit_fn done, void *arg);
    void (*recall)(struct engine *e, uint32_t uid, struct bytes request, engine_submit_fn done,
                   void *arg);
    void (*get)(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                engine_get_fn done, void *arg);
    void (*list)(struct engine *e, const struct list_filter *filter, engine_list_fn done,
                 void *arg);
    void (*claim)(struct engine *e, size_t max, engine_claim_fn done, void *arg);
    void (*offer)(struct engine *e, struct engine_offer *offer);
    void (*release)(struct engine *e, uint64_t number, uint64_t claim, engine_done_fn done,
                    void *arg);
    void (*finish)(struct engine *e, uint64_t number, uint64_t claim, const struct outcome *outcome,
                   engine_done_fn done, void *arg);
    void (*cancel)(struct engine *e, const uint64_t *numbers, size_t n, int64_t grace_ms,
                   const char *why, engine_results_fn done, void *arg);
    void (*change)(struct engine *e, const uint64_t *numbers, size_t n,
                   const struct job_change *change, engine_results_fn done, void *arg);
    void (*forget)(struct engine *e, const uint64_t *numbers, size_t n, engine_results_fn done,
                   void *arg);
    void (*output)(struct engine *e, uint64_t number, uint64_t attempt, int stream, uint64_t offset,
                   size_t max, engine_output_fn done, void *arg);
    void (*explain)(struct engine *e, uint64_t number, engine_explain_fn done, void *arg);
    void (*set_add)(struct engine *e, const struct set_add *add, engine_set_add_fn done, void *arg);
    void (*set_get)(struct engine *e, uint32_t uid, struct bytes name, engine_set_fn done,
                    void *arg);
    void (*set_list)(struct engine *e, const struct set_list_filter *filter,
                     engine_set_list_fn done, void *arg);
    void (*set_show)(struct engine *e, uint32_t uid, struct bytes name, engine_set_show_fn done,
                     void *arg);
    void (*set_members)(struct engine *e, uint32_t uid, struct bytes name, uint64_t after,
                        size_t limit, engine_set_page_fn done, void *arg);
    void (*set_read)(struct engine *e, const struct set_read *read, engine_set_page_fn done,
                     void *arg);
    void (*set_close)(struct engine *e, uint32_t uid, struct bytes name, engine_set_fn done,
                      void *arg);
    void (*set_forget)(struct engine *e, uint32_t uid, struct bytes name, engine_done_fn done,
                       void *arg);
    void (*sets_of)(struct engine *e, uint64_t number, engine_sets_of_fn done, void *arg);
    void (*queue_set)(struct engine *e, struct bytes name, const struct queue_change *change,
                      engine_queues_fn done, void *arg);
    void (*queue_list)(struct engine *e, engine_queues_fn done, void *arg);
    void (*queue_remove)(struct engine *e, struct bytes name, engine_done_fn done, void *arg);
    void (*each_lease)(struct engine *e, void (*fn)(void *arg, uint64_t number, int64_t abandon_ms),
                       void *arg);
    void (*users)(struct engine *e, void (*fn)(void *arg, const struct engine_user *user),
                  void *arg);
    struct user_limits (*user_limits)(struct engine *e, uint32_t uid);
    void (*stats)(struct engine *e, struct engine_stats *ret);
    void (*backup)(struct engine *e, const char *path, engine_done_fn done, void *arg);
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
 * Records jobs, all or none. If a call with the same request name was recorded in the last hours,
 * its answer comes again and nothing else happens. A job with a key that the user has a record
 * for, one that may answer for it (cache_ttl_ms, cache_failed), is not recorded either; the answer
 * has the number of that one. With a set, all of them (those, too) become members in the same
 * step.
 *
 * Parents that have ended are judged at once: a job that cannot run any more is recorded and ends,
 * failed with AW_CLASS_DEPENDENCY. A parent whose record is gone will do for PARENT_ENDED only.
 *
 * AW_ERR_QUEUE_FULL, AW_ERR_DISK_FULL; AW_ERR_QUOTA: this user has as much as one may have;
 * AW_ERR_LIMIT: a job that there never can be room for, or a job would be in too many sets, or a
 * set have too many members; AW_ERR_NO_QUEUE; AW_ERR_DRAINING: that queue is; AW_ERR_UNKNOWN_ID,
 * AW_ERR_EXPIRED_ID: a parent; AW_ERR_WRONG_STATE: the set is closed, and not all of them are its
 * members already; AW_ERR_NO_SET: it was a temporary one, and is gone.
 */
static inline void engine_submit(struct engine *e, const struct submit *submit,
                                 engine_submit_fn done, void *arg)
{
    e->ops->submit(e, submit, done, arg);
}

/*
 * What a submit of that user with that request name (16 bytes) was answered with, if one was
 * recorded in the last hours; n 0: none was. For callers that must read before they know what to
 * submit: a submit that was called, but not answered yet, may not be found, and is recognized when
 * it is repeated.
 */
static inline void engine_recall(struct engine *e, uint32_t uid, struct bytes request,
                                 engine_submit_fn done, void *arg)
{
    e->ops->recall(e, uid, request, done, arg);
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

/*
 * Takes jobs that may run now, the most urgent first: up to `max` of queues that share the
 * daemon's slots, and beside those, of queues with slots of their own, what has room there. A
 * slot of a queue is free again from the call of engine_finish() or engine_release() on. One call
 * takes ENGINE_CLAIM_MAX jobs at most; if it takes `max` shared ones, or is cut at that bound,
 * there may be more, and no runnable event tells. A call that finds nothing is answered without
 * the disk: perhaps before others that were made earlier. After an error a runnable event comes
 * when it is time to try again.
 */
static inline void engine_claim(struct engine *e, size_t max, engine_claim_fn done, void *arg)
{
    e->ops->claim(e, max, done, arg);
}

/*
 * From now on, jobs that are submitted while nothing else waits may be claimed for the free slots
 * of this offer, in the transaction that records them: they start one commit sooner. done() then
 * gets the claims as from engine_claim(), after the submit was answered; or none, if that came to
 * nothing, with or without an error. Slots that are taken so are not for engine_claim(). An engine
 * may as well let an offer be. It stays the caller's, who keeps it until the engine is closed.
 */
static inline void engine_offer(struct engine *e, struct engine_offer *offer)
{
    e->ops->offer(e, offer);
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
 * AW_ERR_NO_MEMORY, from inside the call only: the claim is held, and the call is to be made again.
 *
 * While the offer says that ends may wait, a final one that moves no other job may be recorded some
 * milliseconds later, together with those that follow. It does not wait beyond any other call: who
 * asks for the job gets to know its end.
 */
static inline void engine_finish(struct engine *e, uint64_t number, uint64_t claim,
                                 const struct outcome *outcome, engine_done_fn done, void *arg)
{
    e->ops->finish(e, number, claim, outcome, done, arg);
}

/*
 * Cancels jobs. What waits is cancelled by the time of the callback; what runs is told to stop
 * (state AW_RUNNING in the result); what has ended stays as it is (AW_ERR_WRONG_STATE). `why`
 * becomes the message of those that are cancelled, unless their attempt says more; NULL: none.
 */
static inline void engine_cancel(struct engine *e, const uint64_t *numbers, size_t n,
                                 int64_t grace_ms, const char *why, engine_results_fn done,
                                 void *arg)
{
    e->ops->cancel(e, numbers, n, grace_ms, why, done, arg);
}

/*
 * Changes jobs that wait. AW_ERR_WRONG_STATE: it runs or has ended; or, for `now`, it does not
 * wait for a time. A new priority counts from the callback on, behind those that have it already;
 * after a restart, equals stand in the order of their numbers. A job that is about to move is
 * judged by where that leads: one that is just being claimed runs. What is asked for in one call is
 * done to a job as a whole or not at all.
 */
static inline void engine_change(struct engine *e, const uint64_t *numbers, size_t n,
                                 const struct job_change *change, engine_results_fn done, void *arg)
{
    e->ops->change(e, numbers, n, change, done, arg);
}

/* Why a job does not run yet. AW_ERR_UNKNOWN_ID, AW_ERR_EXPIRED_ID. */
static inline void engine_explain(struct engine *e, uint64_t number, engine_explain_fn done,
                                  void *arg)
{
    e->ops->explain(e, number, done, arg);
}

/*
 * Removes the records of ended jobs; AW_ERR_WRONG_STATE for the others, and for those whose end
 * other jobs are just being told of.
 */
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

/* ---- Sets: AW_ERR_NO_SET where there is none of that user and name -------------------------- */

/*
 * Makes jobs members of a set, which is made if it is not there; each has a result of its own
 * (AW_ERR_UNKNOWN_ID, AW_ERR_EXPIRED_ID). A temporary one gets its name here, one that begins with
 * '~'; a set by such a name that is not there is not made: AW_ERR_NO_SET. Jobs that have ended
 * complete at once, in the order of their ends. AW_ERR_WRONG_STATE: it is closed, and a job is no
 * member yet. AW_ERR_QUEUE_FULL, AW_ERR_QUOTA: too many sets, of all or of the user; AW_ERR_LIMIT:
 * too many members, or of a single job, that it is in too many sets.
 */
static inline void engine_set_add(struct engine *e, const struct set_add *add,
                                  engine_set_add_fn done, void *arg)
{
    e->ops->set_add(e, add, done, arg);
}

static inline void engine_set_get(struct engine *e, uint32_t uid, struct bytes name,
                                  engine_set_fn done, void *arg)
{
    e->ops->set_get(e, uid, name, done, arg);
}

/* A page of a user's sets, by name, without the temporary ones; `more`: there are. */
static inline void engine_set_list(struct engine *e, const struct set_list_filter *filter,
                                   engine_set_list_fn done, void *arg)
{
    e->ops->set_list(e, filter, done, arg);
}

/* The set and its latencies: reads all of its completions, in slices. */
static inline void engine_set_show(struct engine *e, uint32_t uid, struct bytes name,
                                   engine_set_show_fn done, void *arg)
{
    e->ops->set_show(e, uid, name, done, arg);
}

/*
 * Members in the order in which they were added, behind the place `after`. page->cursor is the
 * `after` of the next page; 0: that was all.
 */
static inline void engine_set_members(struct engine *e, uint32_t uid, struct bytes name,
                                      uint64_t after, size_t limit, engine_set_page_fn done,
                                      void *arg)
{
    e->ops->set_members(e, uid, name, after, limit, done, arg);
}

/*
 * Completions: moves the cursor if asked, then reads. Never waits: set_changed() tells when to
 * read again. AW_ERR_INVALID: `ack` is beyond the last completion. AW_ERR_LIMIT: too many
 * consumers.
 */
static inline void engine_set_read(struct engine *e, const struct set_read *read,
                                   engine_set_page_fn done, void *arg)
{
    e->ops->set_read(e, read, done, arg);
}

static inline void engine_set_close(struct engine *e, uint32_t uid, struct bytes name,
                                    engine_set_fn done, void *arg)
{
    e->ops->set_close(e, uid, name, done, arg);
}

/* Removes the set; its members stay what they are. */
static inline void engine_set_forget(struct engine *e, uint32_t uid, struct bytes name,
                                     engine_done_fn done, void *arg)
{
    e->ops->set_forget(e, uid, name, done, arg);
}

/* The IDs of the sets that a job is a member of. */
static inline void engine_sets_of(struct engine *e, uint64_t number, engine_sets_of_fn done,
                                  void *arg)
{
    e->ops->sets_of(e, number, done, arg);
}

/* ---- Queues: AW_ERR_NO_QUEUE where there is none of that name ------------------------------- */

/* Makes or changes one; the callback has it as it is now. AW_ERR_WRONG_STATE: it is there already.
 * AW_ERR_LIMIT: AW_MAX_QUEUES are. */
static inline void engine_queue_set(struct engine *e, struct bytes name,
                                    const struct queue_change *change, engine_queues_fn done,
                                    void *arg)
{
    e->ops->queue_set(e, name, change, done, arg);
}

static inline void engine_queue_list(struct engine *e, engine_queues_fn done, void *arg)
{
    e->ops->queue_list(e, done, arg);
}

/* AW_ERR_WRONG_STATE: jobs are in it, or it is the default queue. */
static inline void engine_queue_remove(struct engine *e, struct bytes name, engine_done_fn done,
                                       void *arg)
{
    e->ops->queue_remove(e, name, done, arg);
}

/* Calls fn, at once, for each job that has not ended and has a lease: for after a restart. */
static inline void engine_each_lease(struct engine *e,
                                     void (*fn)(void *arg, uint64_t number, int64_t abandon_ms),
                                     void *arg)
{
    e->ops->each_lease(e, fn, arg);
}

/* Calls fn, at once, for each user who has anything, in no order. */
static inline void engine_users(struct engine *e,
                                void (*fn)(void *arg, const struct engine_user *user), void *arg)
{
    e->ops->users(e, fn, arg);
}

/* What that user may have, whether or not they have anything. */
static inline struct user_limits engine_user_limits(struct engine *e, uint32_t uid)
{
    return e->ops->user_limits(e, uid);
}

static inline void engine_get_stats(struct engine *e, struct engine_stats *ret)
{
    e->ops->stats(e, ret);
}

/*
 * Copies all that is on record into a file, which is there and empty, while everything else goes
 * on: as it is at one moment before the callback; whatever was durable at the call is in it. The
 * file is not synced; after an error its content is of no use. It can be looked at, and be made a
 * store again, by offline.h.
 *
 * AW_ERR_BUSY: one is being made; or the store did not let it come to an end. AW_ERR_DISK_FULL: its
 * disk is. AW_ERR_STOPPING: the engine closes. AW_ERR_STORE: the file cannot be written, or the
 * store not be read.
 */
static inline void engine_backup(struct engine *e, const char *path, engine_done_fn done, void *arg)
{
    e->ops->backup(e, path, done, arg);
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
