/*
 * store.h - the embedded engine's memory on disk: SQLite behind one thread, with group commit.
 *
 * Work comes as operations (struct store_op, embedded first in a struct of its own, see
 * store_ops.h). The loop thread pushes them and never waits. The store's thread takes whatever
 * has queued up, runs it in one transaction, commits, and hands everything back; done() is then
 * called on the loop thread, in the order of the pushes. Since reads stand in the same queue as
 * writes, and nothing is handed back before the commit, nobody is ever shown what a crash could
 * take away.
 *
 * If an operation fails, the transaction is rolled back and each of the group is run by itself,
 * so that an error (a full disk, say) hits only those that cannot do without the room. If the
 * disk fails in a way that leaves open what was written, everything fails with AW_ERR_IN_DOUBT
 * and the store stays down: only opening it anew can tell.
 *
 * Only store*.c know SQLite. A store has one user at a time: the database is locked exclusively.
 */
#ifndef AW_STORE_H
#define AW_STORE_H

#include <sys/queue.h>

#include "daemon/engine/engine.h"
#include "proto/base.h"
#include "proto/limits.h"

struct event_base;
struct store;
struct store_op;

/* Runs on the store's thread, inside a transaction; perhaps again, after a rollback. */
typedef enum aw_err (*store_run_fn)(struct store_op *op, struct store *st, struct aw_error *err);
/* Runs on the loop thread; the operation is the pusher's again. */
typedef void (*store_done_fn)(struct store_op *op);

struct store_op {
    STAILQ_ENTRY(store_op) next;
    store_run_fn run;
    store_done_fn done;
    bool writes;
    bool alone;     /* it runs by itself, and outside of any transaction; it does not write */
    bool adds_only; /* all that it has to do with jobs is to add some: store_rows.h */
    bool may_wait;  /* for the next one that may not, but no longer than STORE_PUT_OFF_US */
    struct aw_error error; /* code AW_OK when done() is called: it is durable */
};

#define STORE_PUT_OFF_US 8000

struct store_info {
    char tag[AW_TAG_LEN + 1];
    uint64_t high;  /* the highest number ever recorded */
    uint64_t epoch; /* how often the store was opened, this time counted */
    uint64_t kept;  /* ended jobs on record */
};

/* A job that has not ended, as found when the store was opened. */
struct store_live {
    uint64_t number, claim, attempt;
    uint32_t uid;
    int state, priority;
    unsigned flags;
    int64_t due_us, deadline_us, overall_us;
    int queue; /* the id of a queue */
    int64_t abandon_ms;
};

/* A queue, as it is on disk. */
struct store_queue_row {
    int id;
    char name[AW_MAX_QUEUE_NAME + 1];
    unsigned slots, limit;
    int priority;
    bool paused, draining;
    uint64_t rate, rate_ms;
    struct limits limits;
};

/* What a job waits for. */
struct store_dep {
    uint64_t child;
    struct parent parent;
};

struct account_change;
struct set_info;

/* Who is told what is found when a store is opened, in this order; an error ends it. */
struct store_loader {
    enum aw_err (*queue)(void *arg, const struct store_queue_row *row);
    /* What a user has on record; none who has nothing. */
    enum aw_err (*account)(void *arg, const struct account_change *row);
    enum aw_err (*live)(void *arg, const struct store_live *row);
    /* Child by child. */
    enum aw_err (*dep)(void *arg, const struct store_dep *row);
    /* A job that has ended, with children that were not told so. */
    enum aw_err (*ended_parent)(void *arg, const struct ended *parent);
    enum aw_err (*set)(void *arg, const struct set_info *info);
    /* There are rows of sets that are gone: store_set_sweep removes them. */
    enum aw_err (*doomed_set)(void *arg);
};

/*
 * Opens the database file, makes it if there is none, migrates an older one, and tells the loader
 * all that is needed in memory. Blocks. `down` is called on the loop if the store fails later.
 * AW_ERR_STORE with a sentence when it is damaged, newer than this program, in use, not readable
 * or not ours; a store that is refused is left as it was found.
 */
AW_MUSTCHECK enum aw_err store_open(const char *path, struct event_base *base,
                                    const struct store_loader *loader,
                                    void (*down)(void *arg, const struct aw_error *err), void *arg,
                                    struct store **ret, struct store_info *ret_info,
                                    struct aw_error *err);

/* Does all that was pushed, calls the done() of each, closes. Harmless on NULL. */
void store_close(struct store *st);

/*
 * Hands an operation over. It belongs to the store until its done() is called. One that may wait
 * is not begun before there is one that may not: so it costs no transaction of its own.
 */
void store_push(struct store *st, struct store_op *op);

struct store_stats {
    uint64_t commits;
    uint64_t steps; /* of statements, in SQLite's virtual machine */
    uint64_t bytes; /* of the database file */
    bool disk_full; /* the last transaction that had anything to write found no room */
};
void store_get_stats(struct store *st, struct store_stats *ret);

#endif
