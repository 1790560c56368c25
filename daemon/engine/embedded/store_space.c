/*
 * What is pruned gives its room back to the disk.
 *
 * Pages that hold nothing any more go to the end of the file, which is cut off (SQLite's
 * incremental vacuum). This is done in slices of a few milliseconds, between two groups of
 * operations, and takes a tenth of the thread's time at most; so a commit waits for one slice, once
 * in ten of its lengths. Some free pages stay: what comes next would only have to ask for them
 * again.
 */
#include "daemon/engine/embedded/store_private.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* A slice ends at either. */
#define SLICE_PAGES 64
#define SLICE_US    2000

/* After a slice this many of its lengths belong to others. */
#define SLICE_PAUSES 9

#define LOOK_US 1000000 /* at most so often, while there is nothing to give back */

/* It begins when a quarter of the file, and more than 1 MiB, is free, and goes on down to 1 MiB. */
#define MANY_PART 4
#define FEW_PAGES 256

/*
 * SQLite's log is written again from its beginning once all of it is in the database. One that a
 * burst has made long stays long; beyond this it is cut off.
 */
#define LOG_MAX  8388608
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

/* A store that was made without what this needs is made anew if it takes no more than a second. */
#define ANEW_PAGES 16384

static int64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- When it is opened ---------------------------------------------------------------------- */

#define INCREMENTAL "PRAGMA auto_vacuum = INCREMENTAL;"

enum aw_err store_space_begin(struct store *st, struct aw_error *err)
{
    int64_t pages = 0;
    enum aw_err e = store_read_int(st, "PRAGMA page_count", &pages, err);

    return !e && pages == 0 ? store_run_sql(st, INCREMENTAL, "opening", err) : e;
}

static enum aw_err figures_read(struct store *st, int64_t *ret_pages, int64_t *ret_free,
                                struct aw_error *err)
{
    enum aw_err e = store_read_int(st, "PRAGMA page_count", ret_pages, err);

    return e ? e : store_read_int(st, "PRAGMA freelist_count", ret_free, err);
}

/* Without room for a copy it stays as it is, until it is opened the next time. */
static enum aw_err make_anew(struct store *st, struct aw_error *err)
{
    enum aw_err e = store_run_sql(st, INCREMENTAL "VACUUM", "opening", err);

    return e == AW_ERR_DISK_FULL ? AW_OK : e;
}

enum aw_err store_space_open(struct store *st, struct aw_error *err)
{
    int64_t how = 0, pages = 0, n_free = 0;
    enum aw_err e = store_run_sql(st, "PRAGMA journal_size_limit = " TEXT(LOG_MAX), "opening", err);

    if (!e)
        e = store_read_int(st, "PRAGMA auto_vacuum", &how, err);
    if (!e)
        e = figures_read(st, &pages, &n_free, err);
    if (!e && how == 0 && pages - n_free <= ANEW_PAGES)
        e = make_anew(st, err);
    if (!e)
        e = store_read_int(st, "PRAGMA auto_vacuum", &how, err);
    st->space = (struct store_space){.can = how != 0, .due_us = clock_us()};
    return e;
}

/* ---- Slices (the store's thread) ------------------------------------------------------------ */

/* SQLite gives back one page for each step. */
static enum aw_err slice_run(struct store *st, int64_t until_us, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_GIVE_BACK];
    enum aw_err e = store_exec(st, SQL_BEGIN, err);
    int rc = SQLITE_ROW;

    if (e)
        return e;
    for (int n = 0; rc == SQLITE_ROW && n < SLICE_PAGES && (n == 0 || clock_us() < until_us); n++)
        rc = sqlite3_step(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "giving room back");
    sqlite3_reset(s);
    return e ? e : store_exec(st, SQL_COMMIT, err);
}

static bool log_is_long(const struct store *st)
{
    char path[AW_MAX_PATH + sizeof("-wal")];
    struct stat sb;

    snprintf(path, sizeof(path), "%s-wal", st->path);
    return stat(path, &sb) == 0 && sb.st_size > LOG_MAX;
}

/* Also what makes the file as short as it has become: until then that is only in the log. */
static enum aw_err log_cut(struct store *st, struct aw_error *err)
{
    enum aw_err e = store_run_sql(st, "PRAGMA wal_checkpoint(TRUNCATE)", "giving room back", err);

    if (!e)
        store_log_cut(st);
    return e;
}

static enum aw_err look(struct store *st, bool idle, struct aw_error *err)
{
    struct store_space *space = &st->space;
    bool was_giving = space->giving;
    int64_t pages = 0, n_free = 0;
    enum aw_err e = figures_read(st, &pages, &n_free, err);

    if (e)
        return e;
    space->giving = space->can && n_free > FEW_PAGES && (was_giving || n_free > pages / MANY_PART);
    if (space->giving)
        return AW_OK;
    return was_giving || (idle && log_is_long(st)) ? log_cut(st, err) : AW_OK;
}

void store_space_changed(struct store *st)
{
    if (!st->space.giving && !st->space.changed)
        st->space.due_us = MAX(st->space.due_us, clock_us() + LOOK_US);
    st->space.changed = true;
}

int64_t store_space_wait_ms(const struct store *st)
{
    int64_t us = st->space.due_us - clock_us();

    if (!st->space.giving && !st->space.changed)
        return -1;
    return us > 0 ? us / 1000 + 1 : 0;
}

enum aw_err store_space_turn(struct store *st, bool idle, struct aw_error *err)
{
    struct store_space *space = &st->space;
    int64_t begun = clock_us(), ended;
    enum aw_err e = look(st, idle, err);

    if (!e && space->giving)
        e = slice_run(st, begun + SLICE_US, err);
    if (e && !sqlite3_get_autocommit(st->db))
        (void)!store_exec(st, SQL_ROLLBACK, NULL);
    ended = clock_us();
    space->due_us = ended + (space->giving ? SLICE_PAUSES * (ended - begun) : LOOK_US);
    if (e) /* no room for the log, say: there is no hurry */
        space->due_us = ended + 60 * LOOK_US;
    space->changed = !idle; /* a log that has become long is cut in the first quiet moment */
    return e;
}

void store_space_stop(struct store *st)
{
    st->space = (struct store_space){0};
}
