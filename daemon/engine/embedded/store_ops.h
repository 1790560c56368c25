/*
 * store_ops.h - the operations on the store: what each is given, what it gives back.
 *
 * Each struct starts with its store_op; its maker fills the fields above the line "ret", sets
 * op.done, and pushes it. Results are valid in done() if op.error.code is AW_OK, and as long as
 * the struct and its arena. The maker frees both. Nothing a struct points to may change between
 * push and done.
 */
#ifndef AW_STORE_OPS_H
#define AW_STORE_OPS_H

#include "daemon/engine/embedded/deps.h"
#include "daemon/engine/embedded/store.h"
#include "daemon/engine/embedded/store_effects.h"
#include "daemon/engine/engine.h"

/* Memory for what was read: chunks that are freed together. */
struct store_arena {
    struct store_chunk *chunks;
};
void store_arena_free(struct store_arena *arena);

struct store_row {
    uint64_t number;
    int state, priority;
    unsigned flags; /* STORE_POLICY */
    int64_t due_us, deadline_us, overall_us, retention_ms;
    uint64_t retry_of;
    int queue;           /* its id */
    enum aw_err refused; /* why that queue does not take it; AW_OK: it does */
    struct bytes queue_name;
    struct bytes key, spec, head;
    const struct parent *parents; /* as deps_sort() leaves them; none: it begins in `state` */
    size_t n_parents;
    bool *open;           /* ret: which of them it waits for; the maker's memory */
    int64_t cache_ttl_ms; /* 0: whatever has the key answers for it */
    bool cache_failed;
    int64_t abandon_ms;
};

/* How a job begins. */
struct store_birth {
    enum aw_state state;       /* its row's own, AW_BLOCKED, or AW_FAILED: it has ended */
    struct parent cause;       /* AW_FAILED: because of this one, */
    enum aw_state cause_ended; /* which has ended so */
};

/* Why there is no room for what is new in a submit. */
enum submit_full {
    FULL_NOT,
    FULL_QUEUE, /* jobs of all users */
    FULL_USER,  /* the user's jobs */
    FULL_EDGES, /* parents of all jobs that wait */
    FULL_USER_EDGES,
    FULL_BYTES, /* of all users: here and below the store itself looks */
    FULL_USER_BYTES,
};

/* Adds jobs, unless the call is known by its name, or the job by its key. */
struct store_submit {
    struct store_op op;
    uint32_t uid, gid;
    bool admin;
    const char *tag; /* of the store */
    uint8_t request[16];
    bool has_request;
    enum submit_full full; /* if so, only what is known already is answered */
    uint64_t max_bytes;    /* that all users may have then; 0: any number */
    uint64_t max_user_bytes;
    int64_t now_us;
    int64_t default_retention_ms;
    const struct store_row *rows;
    size_t n;
    struct bytes set;  /* of which they become members, the maker's memory; empty: none */
    uint64_t max_sets; /* as in struct store_set_name */
    /* ret */
    struct store_effects effects;
    struct submitted *submitted; /* n of them; the maker's memory */
    struct store_birth *births;  /* n of them, for those that are new; the maker's memory */
    bool repeated;               /* the call is known: nothing was added */
    enum submit_full over;       /* with AW_ERR_QUEUE_FULL, unless FULL_NOT: why */
    uint64_t has_bytes;          /* FULL_BYTES, FULL_USER_BYTES: that all have, or the user */
    int64_t expires_us;          /* of the one that does first; 0: none has ended */
};
void store_submit_init(struct store_submit *op);

/* The answer that is remembered for a request. */
struct store_recall {
    struct store_op op;
    uint32_t uid;
    uint8_t request[16];
    int64_t now_us;
    /* ret */
    struct submitted *submitted; /* n of them, the maker's to free; NULL: there is none */
    size_t n;
};
void store_recall_init(struct store_recall *op);

struct store_get {
    struct store_op op;
    const uint64_t *numbers;
    size_t n;
    unsigned what; /* GET_* */
    /* ret */
    struct found *found; /* n of them; the maker's memory; err: AW_OK or AW_ERR_EXPIRED_ID */
    struct store_arena arena;
};
void store_get_init(struct store_get *op);

struct store_list {
    struct store_op op;
    struct list_filter filter; /* name: the maker's memory */
    /* ret */
    struct record *records; /* filter.limit of them; the maker's memory */
    size_t n;
    uint64_t next;
    struct store_arena arena;
};
void store_list_init(struct store_list *op);

struct store_claim_row {
    uint64_t number, claim, attempt;
    bool own_slot; /* for the maker */
};

/* Makes jobs running; or, with `recover`, only reads what a running job's claim was. */
struct store_claim {
    struct store_op op;
    const struct store_claim_row *rows;
    size_t n;
    int64_t now_us;
    bool recover;
    bool ahead; /* of jobs that may not come to be: those are left out */
    /* ret */
    struct claimed *claimed; /* n of them; the maker's memory; claim 0: it was left out */
    struct store_arena arena;
};
void store_claim_init(struct store_claim *op);

/*
 * Ends an attempt. to: a final state; or AW_QUEUED or AW_SCHEDULED, and the attempt is kept while
 * its job waits for the next one.
 */
struct store_finish {
    struct store_op op;
    uint64_t number, claim;
    enum aw_state to;
    int64_t due_us;         /* AW_SCHEDULED: of the next attempt */
    bool uncounted;         /* it does not count as one of the attempts that the job has */
    struct outcome outcome; /* what it points to: the maker's memory */
    int64_t now_us, default_retention_ms;
    /* ret */
    struct store_effects effects;
    bool stale;         /* the claim is over: nothing was changed */
    int64_t expires_us; /* of a job that has ended */
};
void store_finish_init(struct store_finish *op);

/* Gives a claim back as if it had never been taken. */
struct store_release {
    struct store_op op;
    uint64_t number, claim;
};
void store_release_init(struct store_release *op);

/* Ends jobs that wait, as failed. */
struct store_end_waiting {
    struct store_op op;
    const uint64_t *numbers;
    size_t n;
    enum aw_class class;
    const char *message;
    int64_t now_us;
    int64_t default_retention_ms;
    /* ret */
    struct store_effects effects;
    int64_t expires_us; /* of the one that does first; 0: none has ended */
};
void store_end_waiting_init(struct store_end_waiting *op);

struct store_cancel_row {
    uint64_t number;
    bool waits; /* to be ended here and now; otherwise: noted that it shall stop, if it runs */
};

/* Cancels what waits, notes what shall stop, and reads how each stands after that. */
struct store_cancel {
    struct store_op op;
    const struct store_cancel_row *rows;
    size_t n;
    const char *message; /* why; "": not said */
    int64_t now_us;
    int64_t default_retention_ms;
    /* ret */
    struct store_effects effects;
    struct job_result *results; /* n of them; the maker's memory; err as of store_state_read() */
    int64_t expires_us;         /* of the one that does first; 0: none has ended */
};
void store_cancel_init(struct store_cancel *op);

/* Removes edges whose parents have ended, and moves the children that this concerns. */
struct store_resolve {
    struct store_op op;
    const struct dep_pair *pairs;
    size_t n;
    const char *tag; /* of the store */
    int64_t now_us;
    int64_t default_retention_ms;
    /* ret */
    struct store_effects effects;
    enum aw_state *to;  /* n of them; the maker's memory; AW_BLOCKED: still is, or ended before */
    int64_t expires_us; /* of the one that does first; 0: none has ended */
};
void store_resolve_init(struct store_resolve *op);

/* Removes ended jobs: the given ones, or, with prune, those whose time is over, and old answers to
 * requests. */
struct store_remove {
    struct store_op op;
    const uint64_t *numbers;
    size_t n;
    bool prune;
    int64_t now_us;
    bool of_user; /* prune: nothing but this user's, and by excess */
    uint32_t uid;
    size_t excess;         /* prune: the oldest go even if their time is not over: this many, */
    uint64_t excess_bytes; /* and as many as have these bytes */
    size_t max;            /* prune: no more than this at once */
    /* ret */
    struct store_effects effects;
    uint64_t freed;             /* bytes */
    struct job_result *results; /* given ones: n of them; the maker's memory */
    struct gone *gone;          /* n, or max, of them; the maker's memory */
    size_t n_gone;
    bool more;              /* prune: there may be more that can go now */
    int64_t next_expiry_us; /* 0: nothing is left that will expire */
};
void store_remove_init(struct store_remove *op);

/* Makes a queue, or changes one. AW_ERR_WRONG_STATE, AW_ERR_NO_QUEUE. */
struct store_queue_set {
    struct store_op op;
    struct bytes name;          /* the maker's memory */
    struct queue_change change; /* what it points to, too */
    /* ret */
    struct store_queue_row row; /* as it is now */
};
void store_queue_set_init(struct store_queue_set *op);

struct store_queue_remove {
    struct store_op op;
    int id;
    /* ret */
    bool found;
};
void store_queue_remove_init(struct store_queue_remove *op);

/* Changes jobs that wait, each by itself. */
struct store_change {
    struct store_op op;
    const uint64_t *numbers;
    size_t n;
    bool set_priority;
    int priority;
    bool now; /* only those that wait for a time */
    int64_t now_us;
    /* ret */
    struct job_result *results; /* n of them; the maker's memory; err as of store_state_read(), */
};                              /* state as on disk: a scheduled job may be queued by now */
void store_change_init(struct store_change *op);

/* Nothing but its place in the order of operations. */
void store_nothing_init(struct store_op *op);

struct store_output {
    struct store_op op;
    uint64_t number, attempt, offset;
    int stream;
    size_t max;
    /* ret */
    struct bytes data;
    struct store_arena arena;
};
void store_output_init(struct store_output *op);

/*
 * Copies the store into a file, a slice each time that it is pushed, until it is complete or
 * fails. The copy is the store as it is when it becomes complete. The file is not synced.
 */
struct store_backup {
    struct store_op op;
    const char *path; /* of a file that is there, and empty; the maker's memory */
    bool stop;        /* no more slices: to be pushed once more, to end it */
    /* ret */
    bool complete;
    struct store_copy *copy; /* the store's own; NULL at first, and in the end */
};
void store_backup_init(struct store_backup *op);
/* After an error, in done(): lets go of what an operation that was not run left behind. */
void store_backup_end(struct store_backup *op);

#endif
