/*
 * store_private.h - shared by store*.c and nobody else.
 */
#ifndef AW_STORE_PRIVATE_H
#define AW_STORE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "daemon/engine/embedded/store.h"
#include "daemon/engine/embedded/store_effects.h"
#include "daemon/engine/embedded/store_sql.h"

enum store_sql {
#define X(NAME, sql) SQL_##NAME,
    STORE_SQL_MAP(X)
#undef X
        N_STORE_SQL
};

STAILQ_HEAD(store_queue, store_op);

struct event;
struct store_submit;

/* What store_space.c keeps in mind. Times are of the monotonic clock. */
struct store_space {
    bool can;       /* the file is of a kind that can get shorter */
    bool changed;   /* there may be more free pages, or more of a log, than there were */
    bool giving;    /* there are many free pages, and fewer with each slice */
    int64_t due_us; /* no look, and no slice, before this */
};

/* What store_log.c keeps in mind. */
struct store_log {
    bool works;
    int n_frames;    /* pages that are in it, and not yet in the database */
    int long_frames; /* so many go into it: as many as SQLite would let it have */
    int64_t size;    /* the file is at least this long */
};

struct store {
    /* The store's thread only, once it runs. */
    sqlite3 *db;
    struct store_space space;
    struct store_log log;
    sqlite3_stmt *sql[N_STORE_SQL];
    uint64_t high; /* the number that meta holds as given out */
    uint64_t n_sets;
    bool sets_counted;               /* n_sets is right */
    struct account_changes accounts; /* of this transaction: store_accounts.h */
    struct {
        struct {
            const struct store_submit *op;
            size_t i;
        } rows[STORE_ROWS];
        size_t n;
        uint64_t n_ever; /* that were added; never less */
    } late;              /* rows of this transaction that are to be written: store_rows.h */
    uint64_t bytes;      /* of all users */
    bool bytes_counted;  /* bytes is right */
    struct {
        int64_t first, last; /* no request is in a bucket beyond these */
        bool known;
    } buckets;

    /* Loop thread only. */
    char *path;
    struct event *ready;
    struct event *flush; /* hands `pushed` over, at the end of this turn of the loop or later */
    bool flushing;       /* it is at the end of this turn */
    struct store_queue pushed;
    void (*down)(void *arg, const struct aw_error *err);
    void *arg;
    int ready_fd; /* written by the store's thread */
    bool told_down;

    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    struct store_queue todo;
    struct store_queue finished;
    struct store_stats stats;
    struct aw_error failed; /* code AW_OK: it works */
    bool idle;              /* the thread waits */
    bool stop;
};

/*
 * Makes sure that the file st->path is ours or absent, opens it, brings the schema up to date,
 * prepares the statements. The caller closes st->db also on failure. Sentences do not name the
 * file.
 */
AW_MUSTCHECK enum aw_err store_db_open(struct store *st, struct store_info *ret_info,
                                       struct aw_error *err);
/*
 * Another connection to it, that reads what is in the database and not what is in the log. The
 * caller closes it, before anything is written. NULL: there is something in the log, or there is
 * none to be had.
 */
sqlite3 *store_db_second(const struct store *st);
/*
 * Makes it ours, once all that has to be read could be: counts the epoch, the first thing that is
 * written to a store that was there before.
 */
AW_MUSTCHECK enum aw_err store_db_take(struct store *st, struct aw_error *err);
void store_db_close(struct store *st);

/*
 * store_space.c gives room back to the disk that nothing is in any more. _begin: before anything is
 * in the file; _open: once the schema is there. All others are the store's thread's, between two
 * groups. The file gets shorter with the next checkpoint.
 */
AW_MUSTCHECK enum aw_err store_space_begin(struct store *st, struct aw_error *err);
AW_MUSTCHECK enum aw_err store_space_open(struct store *st, struct aw_error *err);
/* Something was written. */
void store_space_changed(struct store *st);
/* In how many milliseconds a turn is due; -1: not before something is written. */
int64_t store_space_wait_ms(const struct store *st);
/* A look whether there is something to give back, and a slice of it. idle: nobody is waiting. A
 * failure has changed nothing; AW_ERR_STORE leaves the disk in doubt, as with any commit. */
AW_MUSTCHECK enum aw_err store_space_turn(struct store *st, bool idle, struct aw_error *err);
/* No turn is due any more. */
void store_space_stop(struct store *st);

/* Tells the loader of each job that has not ended, in the order of their numbers. */
AW_MUSTCHECK enum aw_err store_live_load(struct store *st, const struct store_loader *loader,
                                         void *arg, struct aw_error *err);

/*
 * store_log.c looks after SQLite's log. _open: once the database is there. All others are the
 * store's thread's, between two groups.
 */
AW_MUSTCHECK enum aw_err store_log_open(struct store *st, struct aw_error *err);
/* Makes it longer ahead, or moves it into the database. idle: nobody is waiting. A failure has
 * changed nothing, and it is tried again after the next group; AW_ERR_STORE leaves the disk in
 * doubt, as with any commit. */
AW_MUSTCHECK enum aw_err store_log_turn(struct store *st, bool idle, struct aw_error *err);
/*
 * store_log_file.c is the log's file, which gathers what is written to it until it is synced.
 * _open_db opens the store's database so that it has such a log: SQLite's result; the caller
 * closes st->db also on failure. _file: NULL when there is no log.
 */
int store_log_open_db(struct store *st, int flags);
sqlite3_file *store_log_file(struct store *st);

/* It was cut off, and all that was in it is in the database. */
void store_log_cut(struct store *st);
/* It is not touched any more. */
void store_log_stop(struct store *st);

/*
 * Says what SQLite's result means: AW_ERR_DISK_FULL, AW_ERR_NO_MEMORY, AW_ERR_INTERNAL (a defect of
 * ours), or AW_ERR_STORE (everything else: what is on the disk is in doubt).
 */
enum aw_err store_fail(struct store *st, struct aw_error *err, const char *what);

/* The same, of any connection, while the store is opened. */
enum aw_err store_fail_of(sqlite3 *db, struct aw_error *err, const char *what);

/* Runs SQL that returns nothing; `what` is what the sentence says was being done. */
AW_MUSTCHECK enum aw_err store_run_sql(struct store *st, const char *sql, const char *what,
                                       struct aw_error *err);
/* Reads one number. */
AW_MUSTCHECK enum aw_err store_read_int(struct store *st, const char *sql, int64_t *ret,
                                        struct aw_error *err);

/* Runs a statement that returns no rows, with its bindings, and resets it. */
AW_MUSTCHECK enum aw_err store_exec(struct store *st, enum store_sql which, struct aw_error *err);

/* How many steps the prepared statements have made since it was asked last. */
uint64_t store_steps_take(struct store *st);

/* Reads a row of STORE_QUEUE_COLUMNS. AW_ERR_STORE: its limits are none; AW_ERR_NO_MEMORY. */
AW_MUSTCHECK enum aw_err store_queue_read(sqlite3_stmt *s, struct store_queue_row *ret);

/* Raises the number that survives the removal of its row. */
AW_MUSTCHECK enum aw_err store_raise_high(struct store *st, uint64_t number, struct aw_error *err);

#endif
