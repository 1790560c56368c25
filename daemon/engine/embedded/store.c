/* The store's thread: what is pushed, in groups, into transactions, and back. */
#include "daemon/engine/embedded/store_accounts.h"
#include "daemon/engine/embedded/store_rows.h"
#include "daemon/engine/embedded/store_sets.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <event2/event.h>

/* A transaction takes no more than this, so that the first of a flood is not kept waiting. */
#define GROUP_MAX 4096

static enum aw_err queue_tell(sqlite3_stmt *s, const struct store_loader *loader, void *arg)
{
    struct store_queue_row queue;
    enum aw_err e = store_queue_read(s, &queue);

    return e ? e : loader->queue(arg, &queue);
}

static enum aw_err account_tell(sqlite3_stmt *s, const struct store_loader *loader, void *arg)
{
    struct account_change account = {
        .uid = (uint32_t)sqlite3_column_int64(s, 0),
        .kept = sqlite3_column_int64(s, 1),
        .bytes = sqlite3_column_int64(s, 2),
        .sets = sqlite3_column_int64(s, 3),
    };

    return loader->account(arg, &account);
}

static enum aw_err dep_tell(sqlite3_stmt *s, const struct store_loader *loader, void *arg)
{
    struct store_dep dep = {
        .child = (uint64_t)sqlite3_column_int64(s, 0),
        .parent = {(uint64_t)sqlite3_column_int64(s, 1),
                   (enum parent_kind)sqlite3_column_int(s, 2)},
    };

    return loader->dep(arg, &dep);
}

static enum aw_err ended_parent_tell(sqlite3_stmt *s, const struct store_loader *loader, void *arg)
{
    struct ended ended = {(uint64_t)sqlite3_column_int64(s, 0),
                          (enum aw_state)sqlite3_column_int(s, 1)};

    return loader->ended_parent(arg, &ended);
}

static enum aw_err set_tell(sqlite3_stmt *s, const struct store_loader *loader, void *arg)
{
    struct set_info info = {0};

    info.status.name = bytes_of(sqlite3_column_blob(s, 11), (size_t)sqlite3_column_bytes(s, 11));
    store_set_columns(s, &info);
    return loader->set(arg, &info);
}

static enum aw_err doomed_set_tell(sqlite3_stmt *s, const struct store_loader *loader, void *arg)
{
    (void)s;
    return loader->doomed_set(arg);
}

/* Tells the loader each row that the statement finds. */
static enum aw_err load_rows(struct store *st, const char *sql,
                             enum aw_err (*tell)(sqlite3_stmt *s, const struct store_loader *,
                                                 void *arg),
                             const struct store_loader *loader, void *arg, struct aw_error *err)
{
    sqlite3_stmt *s = NULL;
    enum aw_err e = AW_OK;
    int rc;

    if (sqlite3_prepare_v2(st->db, sql, -1, &s, NULL) != SQLITE_OK)
        return store_fail(st, err, "reading what is there");
    while (!e && (rc = sqlite3_step(s)) != SQLITE_DONE) {
        if (rc != SQLITE_ROW) {
            e = store_fail(st, err, "reading what is there");
            break;
        }
        e = tell(s, loader, arg);
        if (e)
            e = aw_fail(err, e, "reading what is there: %s",
                        e == AW_ERR_STORE ? "a row of it is damaged" : aw_err_text(e));
    }
    sqlite3_finalize(s);
    return e;
}

/* The database opened, read, and made ours; on failure it is as it was. */
static enum aw_err load(struct store *st, const struct store_loader *loader, void *arg,
                        struct store_info *ret_info, struct aw_error *err)
{
    struct aw_error why = {0};
    enum aw_err e = store_db_open(st, ret_info, &why);

    if (!e)
        e = load_rows(st, "SELECT " STORE_QUEUE_COLUMNS " FROM queue", queue_tell, loader, arg,
                      &why);
    if (!e)
        e = load_rows(st, "SELECT uid, kept, bytes, sets FROM account", account_tell, loader, arg,
                      &why);
    if (!e)
        e = store_live_load(st, loader, arg, &why);
    if (!e)
        e = load_rows(st, "SELECT " STORE_SET_COLUMNS " FROM bag", set_tell, loader, arg, &why);
    if (!e)
        e = load_rows(st, "SELECT bag FROM doomed LIMIT 1", doomed_set_tell, loader, arg, &why);
    if (!e)
        e = load_rows(st, "SELECT child, parent, kind FROM dep ORDER BY child, parent, kind",
                      dep_tell, loader, arg, &why);
    if (!e)
        e = load_rows(st,
                      "SELECT number, state FROM job WHERE state >= 4"
                      " AND number IN (SELECT parent FROM dep) ORDER BY number",
                      ended_parent_tell, loader, arg, &why);
    if (!e)
        e = store_db_take(st, &why);
    return e ? aw_fail(err, e, "store %.120s: %.120s", st->path, why.text) : AW_OK;
}

/* ---- Transactions (the store's thread) ----------------------------------------------------- */

static void rollback(struct store *st)
{
    /* A full disk or an I/O error may have rolled back already. */
    if (!sqlite3_get_autocommit(st->db))
        (void)!store_exec(st, SQL_ROLLBACK, NULL);
    st->high = 0; /* what was raised may be rolled back: to be written again */
    st->sets_counted = false;
    store_rows_undo(st);
    store_accounts_undo(st);
}

/* After these the disk may hold anything: half of it, or all of it. */
static bool leaves_doubt(enum aw_err e)
{
    return e == AW_ERR_STORE;
}

/* After these the transaction itself may be gone. */
static bool fails_group(enum aw_err e)
{
    return leaves_doubt(e) || e == AW_ERR_DISK_FULL || e == AW_ERR_NO_MEMORY;
}

/* So many rows were changed, or wait to be added; never less. */
static int64_t changes_ever(const struct store *st)
{
    return sqlite3_total_changes64(st->db) + (int64_t)st->late.n_ever;
}

/*
 * Whether an operation that failed can be left out: it changed nothing, and the transaction is
 * still there. A damaged page that only a reader met is that reader's, too.
 */
static bool is_own_affair(const struct store *st, const struct store_op *op, int64_t changes,
                          bool in_transaction)
{
    if (in_transaction && sqlite3_get_autocommit(st->db))
        return false;
    return changes_ever(st) == changes && (!op->writes || !fails_group(op->error.code));
}

/* Runs the operations and commits. On failure everything is rolled back and the code returned. */
static enum aw_err transaction(struct store *st, struct store_op *first, const struct store_op *end,
                               struct aw_error *err)
{
    bool writes = false;
    enum aw_err e;

    for (const struct store_op *op = first; op != end; op = STAILQ_NEXT(op, next))
        writes |= op->writes;
    e = writes ? store_exec(st, SQL_BEGIN, err) : AW_OK;
    for (struct store_op *op = first; !e && op != end; op = STAILQ_NEXT(op, next)) {
        int64_t changes;

        if (!op->adds_only)
            e = store_rows_write(st, err);
        if (e)
            break;
        changes = changes_ever(st);
        op->error.code = op->run(op, st, &op->error);
        if (!op->error.code || is_own_affair(st, op, changes, writes))
            continue;
        e = op->error.code;
        if (err)
            *err = op->error;
    }
    if (!e && writes)
        e = store_rows_write(st, err);
    if (!e && writes)
        e = store_accounts_save(st, err);
    if (!e && writes)
        e = store_exec(st, SQL_COMMIT, err);
    if (e && writes)
        rollback(st);
    return e;
}

static void fail_all(struct store_queue *group, const struct aw_error *why)
{
    struct store_op *op;

    STAILQ_FOREACH (op, group, next)
        op->error = *why;
}

static void store_break(struct store *st, struct store_queue *group, const struct aw_error *why)
{
    struct aw_error doubt;

    aw_fail(&doubt, AW_ERR_IN_DOUBT, "%.200s", why->text);
    fail_all(group, &doubt);
    store_space_stop(st);
    store_log_stop(st);
    pthread_mutex_lock(&st->lock);
    st->failed = doubt;
    pthread_mutex_unlock(&st->lock);
}

/* Each by itself, so that one that cannot be done does not take the others along. */
static void run_singly(struct store *st, struct store_queue *group)
{
    struct store_op *op;

    STAILQ_FOREACH (op, group, next) {
        struct aw_error err = {0};
        enum aw_err e = transaction(st, op, STAILQ_NEXT(op, next), &err);

        if (leaves_doubt(e)) {
            store_break(st, group, &err);
            return;
        }
        if (e)
            op->error = err;
    }
}

static bool group_writes(const struct store_queue *group)
{
    const struct store_op *op;

    STAILQ_FOREACH (op, group, next)
        if (op->writes)
            return true;
    return false;
}

static bool any_full(const struct store_queue *group)
{
    const struct store_op *op;

    STAILQ_FOREACH (op, group, next)
        if (op->error.code == AW_ERR_DISK_FULL)
            return true;
    return false;
}

/* One that found nothing to change has tried nothing, and says nothing about the disk. */
static void count_group(struct store *st, const struct store_queue *group, bool writes,
                        bool changed)
{
    uint64_t steps = store_steps_take(st);
    bool disk_full = any_full(group);

    pthread_mutex_lock(&st->lock);
    st->stats.steps += steps;
    st->stats.commits += writes;
    if (writes && (changed || disk_full))
        st->stats.disk_full = disk_full;
    pthread_mutex_unlock(&st->lock);
}

static void run_group(struct store *st, struct store_queue *group)
{
    struct aw_error err = {0};
    bool broken, writes = group_writes(group);
    int64_t changes = changes_ever(st);
    enum aw_err e;

    pthread_mutex_lock(&st->lock);
    broken = st->failed.code != AW_OK;
    err = st->failed;
    pthread_mutex_unlock(&st->lock);
    if (broken) {
        fail_all(group, &err);
        return;
    }
    e = transaction(st, STAILQ_FIRST(group), NULL, &err);
    if (leaves_doubt(e))
        store_break(st, group, &err);
    else if (e)
        run_singly(st, group);
    count_group(st, group, writes, changes_ever(st) != changes);
    if (writes)
        store_space_changed(st);
}

static void take_group(struct store *st, struct store_queue *ret)
{
    struct store_op *op;

    STAILQ_INIT(ret);
    for (int n = 0; n < GROUP_MAX && (op = STAILQ_FIRST(&st->todo)); n++) {
        if (op->alone && n > 0)
            break;
        STAILQ_REMOVE_HEAD(&st->todo, next);
        STAILQ_INSERT_TAIL(ret, op, next);
        if (op->alone)
            break;
    }
}

/* The loop is woken when the lock is free again, or it would wait for that at once. */
static void hand_back(struct store *st, struct store_queue *group)
{
    bool wake;

    pthread_mutex_lock(&st->lock);
    wake = STAILQ_EMPTY(&st->finished) && !STAILQ_EMPTY(group);
    STAILQ_CONCAT(&st->finished, group);
    pthread_mutex_unlock(&st->lock);
    if (wake)
        eventfd_write(st->ready_fd, 1);
}

/* Until there is something to do: room to be given back counts, if nobody has work. */
static void await_work(struct store *st)
{
    int64_t ms;

    while (STAILQ_EMPTY(&st->todo) && !st->stop && (ms = store_space_wait_ms(st)) != 0) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += ms / 1000;
        until.tv_nsec += ms % 1000 * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        st->idle = true;
        if (ms < 0)
            pthread_cond_wait(&st->wake, &st->lock);
        else
            pthread_cond_timedwait(&st->wake, &st->lock, &until);
        st->idle = false;
    }
}

/* What is done between two groups. */
static void tidy(struct store *st, bool idle)
{
    struct store_queue nobody = STAILQ_HEAD_INITIALIZER(nobody);
    struct aw_error err = {0};
    enum aw_err e = store_log_turn(st, idle, &err);

    if (!leaves_doubt(e) && store_space_wait_ms(st) == 0)
        e = store_space_turn(st, idle, &err);
    if (!leaves_doubt(e))
        return;
    store_break(st, &nobody, &err);
    eventfd_write(st->ready_fd, 1);
}

static void *store_main(void *arg)
{
    struct store *st = arg;
    struct store_queue group;

    pthread_setname_np(pthread_self(), "awd-store");
    pthread_mutex_lock(&st->lock);
    for (;;) {
        bool idle;

        await_work(st);
        idle = STAILQ_EMPTY(&st->todo);
        if (idle && st->stop)
            break;
        take_group(st, &group);
        pthread_mutex_unlock(&st->lock);
        if (!idle)
            run_group(st, &group);
        hand_back(st, &group);
        tidy(st, idle);
        pthread_mutex_lock(&st->lock);
    }
    pthread_mutex_unlock(&st->lock);
    return NULL;
}

/* ---- The loop's side ----------------------------------------------------------------------- */

static void deliver(struct store *st)
{
    struct store_queue finished = STAILQ_HEAD_INITIALIZER(finished);
    struct aw_error failed;
    struct store_op *op;

    pthread_mutex_lock(&st->lock);
    STAILQ_CONCAT(&finished, &st->finished);
    failed = st->failed;
    pthread_mutex_unlock(&st->lock);
    while ((op = STAILQ_FIRST(&finished))) {
        STAILQ_REMOVE_HEAD(&finished, next);
        op->done(op);
    }
    if (failed.code && !st->told_down) {
        st->told_down = true;
        st->down(st->arg, &failed);
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    eventfd_t n;

    (void)what;
    eventfd_read(fd, &n);
    deliver(arg);
}

static void hand_over(struct store *st)
{
    bool wake;

    st->flushing = false;
    pthread_mutex_lock(&st->lock);
    STAILQ_CONCAT(&st->todo, &st->pushed);
    wake = st->idle;
    st->idle = false;
    pthread_mutex_unlock(&st->lock);
    if (wake)
        pthread_cond_signal(&st->wake);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    hand_over(arg);
}

static void flush_now(struct store *st)
{
    st->flushing = true;
    event_active(st->flush, EV_TIMEOUT, 0); /* a timer that is pending is over with that */
}

static void flush_later(struct store *st)
{
    static const struct timeval tv = {.tv_usec = STORE_PUT_OFF_US};

    if (event_add(st->flush, &tv) < 0)
        flush_now(st);
}

/*
 * What one turn of the loop pushes goes to the store's thread together, and so into one
 * transaction: the end of an attempt and the claim for its slot, or all submits of one read. What
 * may wait lets others join it in later turns; the order stays that of the pushes.
 */
void store_push(struct store *st, struct store_op *op)
{
    bool first = STAILQ_EMPTY(&st->pushed);

    op->error.code = AW_OK;
    STAILQ_INSERT_TAIL(&st->pushed, op, next);
    if (!op->may_wait && !st->flushing)
        flush_now(st);
    else if (op->may_wait && first)
        flush_later(st);
}

void store_get_stats(struct store *st, struct store_stats *ret)
{
    struct stat sb;

    pthread_mutex_lock(&st->lock);
    *ret = st->stats;
    pthread_mutex_unlock(&st->lock);
    ret->bytes = stat(st->path, &sb) == 0 ? (uint64_t)sb.st_size : 0;
}

static enum aw_err thread_start(struct store *st, struct event_base *base, struct aw_error *err)
{
    sigset_t all, old;
    int rc;

    st->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    st->ready =
        st->ready_fd < 0 ? NULL : event_new(base, st->ready_fd, EV_READ | EV_PERSIST, on_ready, st);
    st->flush = event_new(base, -1, 0, on_flush, st);
    if (!st->ready || !st->flush || event_add(st->ready, NULL) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "store: eventfd: %s", strerror(errno));
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&st->thread, NULL, store_main, st);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc)
        return aw_fail(err, AW_ERR_SYSTEM, "store: starting its thread: %s", strerror(rc));
    return AW_OK;
}

static void store_free(struct store *st)
{
    store_db_close(st);
    if (st->ready)
        event_free(st->ready);
    if (st->flush)
        event_free(st->flush);
    if (st->ready_fd >= 0)
        close(st->ready_fd);
    pthread_mutex_destroy(&st->lock);
    pthread_cond_destroy(&st->wake);
    free(st->accounts.v);
    free(st->path);
    free(st);
}

enum aw_err store_open(const char *path, struct event_base *base, const struct store_loader *loader,
                       void (*down)(void *arg, const struct aw_error *err), void *arg,
                       struct store **ret, struct store_info *ret_info, struct aw_error *err)
{
    struct store *st = calloc(1, sizeof(*st));
    pthread_condattr_t attr;
    enum aw_err e;

    if (!st)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    st->ready_fd = -1;
    st->path = strdup(path);
    if (!st->path) {
        free(st);
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    }
    st->down = down;
    st->arg = arg;
    pthread_mutex_init(&st->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&st->wake, &attr);
    pthread_condattr_destroy(&attr);
    STAILQ_INIT(&st->todo);
    STAILQ_INIT(&st->pushed);
    STAILQ_INIT(&st->finished);
    e = load(st, loader, arg, ret_info, err);
    if (!e)
        e = thread_start(st, base, err);
    if (e) {
        store_free(st);
        return e;
    }
    *ret = st;
    return AW_OK;
}

void store_close(struct store *st)
{
    if (!st)
        return;
    hand_over(st);
    pthread_mutex_lock(&st->lock);
    st->stop = true;
    pthread_mutex_unlock(&st->lock);
    pthread_cond_signal(&st->wake);
    pthread_join(st->thread, NULL);
    deliver(st);
    /* A done() may have pushed more. The thread is gone, so that is done here. */
    while (!STAILQ_EMPTY(&st->pushed)) {
        struct store_queue group;

        STAILQ_CONCAT(&st->todo, &st->pushed);
        take_group(st, &group);
        run_group(st, &group);
        STAILQ_CONCAT(&st->finished, &group);
        deliver(st);
    }
    store_free(st);
}
