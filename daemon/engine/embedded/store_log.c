/*
 * SQLite's log: how long it is, and when it goes into the database.
 *
 * To write again where something was written before takes a disk half as long as to make a file
 * longer, which has to be noted in the filesystem's journal each time. So the log is made longer
 * ahead, with zeroes, a piece at a time; and it is used from its beginning again once all of it is
 * in the database. That is done between two groups, when the answers of the first have been handed
 * back, and in a quiet moment.
 */
#include "daemon/engine/embedded/store_private.h"

#include <errno.h>
#include <sys/statvfs.h>

#define FRAME (4096 + 24) /* a page and what the log says about it */

/* A log that is long goes into the database; in a quiet moment a quarter of that is worth it. */
#define QUIET_PART 4

/* When there is room for fewer frames than this the log gets longer by a piece. */
#define FEW_FRAMES 128
#define PIECE      1048576
#define BLOCK      65536
#define LONGEST    8388608 /* longer than this only by what is in it */

/* Room on the disk that is left to others. */
#define SPARE 67108864

/* ---- Its length ----------------------------------------------------------------------------- */

static bool has_room(const struct store *st)
{
    struct statvfs fs;

    return statvfs(st->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize > SPARE;
}

/* What is behind the log's end means nothing to SQLite: whether it was written does not matter. */
static void lengthen(struct store *st, sqlite3_file *file)
{
    static const char zeroes[BLOCK];
    int64_t end = st->log.size + PIECE;

    while (st->log.size < end &&
           file->pMethods->xWrite(file, zeroes, BLOCK, st->log.size) == SQLITE_OK)
        st->log.size += BLOCK;
}

static void look_ahead(struct store *st)
{
    int64_t needed = (int64_t)(st->log.n_frames + FEW_FRAMES) * FRAME;
    sqlite3_file *file;

    if (st->log.size >= needed || needed > LONGEST)
        return;
    file = store_log_file(st);
    if (!file || file->pMethods->xFileSize(file, (sqlite3_int64 *)&st->log.size) != SQLITE_OK)
        return;
    if (st->log.size < needed && has_room(st))
        lengthen(st, file);
}

/* ---- Into the database ---------------------------------------------------------------------- */

static int on_commit(void *arg, sqlite3 *db, const char *name, int n_frames)
{
    struct store *st = arg;

    (void)db, (void)name;
    st->log.n_frames = n_frames;
    return SQLITE_OK;
}

enum aw_err store_log_open(struct store *st, struct aw_error *err)
{
    int64_t frames = 0;
    enum aw_err e = store_read_int(st, "PRAGMA wal_autocheckpoint", &frames, err);

    if (e)
        return e;
    st->log = (struct store_log){.works = true, .long_frames = (int)frames};
    sqlite3_wal_hook(st->db, on_commit, st);
    return AW_OK;
}

static enum aw_err checkpoint(struct store *st, struct aw_error *err)
{
    int n_frames = 0, n_done = 0;

    errno = 0; /* for store_fail() */
    if (sqlite3_wal_checkpoint_v2(st->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &n_frames, &n_done) !=
        SQLITE_OK)
        return store_fail(st, err, "moving the log into the database");
    if (n_done == n_frames)
        st->log.n_frames = 0;
    return AW_OK;
}

enum aw_err store_log_turn(struct store *st, bool idle, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    if (!st->log.works)
        return AW_OK;
    if (st->log.n_frames >= st->log.long_frames / (idle ? QUIET_PART : 1))
        e = checkpoint(st, err);
    if (!e && st->log.n_frames > 0)
        look_ahead(st);
    return e;
}

void store_log_cut(struct store *st)
{
    st->log.n_frames = 0;
    st->log.size = 0;
}

void store_log_stop(struct store *st)
{
    st->log.works = false;
}
