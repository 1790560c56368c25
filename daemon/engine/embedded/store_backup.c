/* The operation that copies the store into a file, slice by slice, while it is in use. */
#include <errno.h>

#include "daemon/engine/embedded/store_ops.h"
#include "daemon/engine/embedded/store_private.h"

/* Half a megabyte: about a millisecond, which is how long a commit may have to wait for it. */
#define SLICE_PAGES 128

/* A commit that is rolled back makes SQLite begin anew; a store that does so all the time is
 * given up on. */
#define MAX_ROUNDS 16

struct store_copy {
    sqlite3 *db;
    sqlite3_backup *backup;
    int64_t pages; /* copied, those that were copied again counted again */
};

static enum aw_err copy_fail(const struct store_copy *copy, int rc, struct aw_error *err)
{
    int sys = copy->db ? sqlite3_system_errno(copy->db) : 0;

    rc &= 0xff;
    if (rc == SQLITE_FULL || (rc == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT)))
        return aw_fail(err, AW_ERR_DISK_FULL, "backup: no room for it on its disk");
    if (rc == SQLITE_NOMEM)
        return aw_fail(err, AW_ERR_NO_MEMORY, "backup: out of memory");
    return aw_fail(err, AW_ERR_STORE, "backup: %s%s%s", sqlite3_errstr(rc), sys ? ": " : "",
                   sys ? strerror(sys) : "");
}

void store_backup_end(struct store_backup *op)
{
    struct store_copy *copy = take_ptr(op->copy);

    if (!copy)
        return;
    if (copy->backup)
        sqlite3_backup_finish(copy->backup);
    sqlite3_close(copy->db);
    free(copy);
}

/*
 * Whoever made the file syncs it: neither a journal nor an fsync of SQLite's is needed, which
 * would keep the store's thread from its work.
 */
static enum aw_err copy_open(struct store_backup *op, struct store *st, struct aw_error *err)
{
    struct store_copy *copy = op->copy = calloc(1, sizeof(*copy));
    int rc;

    if (!copy)
        return aw_fail(err, AW_ERR_NO_MEMORY, "backup: out of memory");
    rc = sqlite3_open_v2(op->path, &copy->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(copy->db,
                          "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
                          "PRAGMA synchronous = OFF; PRAGMA cache_size = -1024",
                          NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return copy_fail(copy, rc, err);
    copy->backup = sqlite3_backup_init(copy->db, "main", st->db, "main");
    return copy->backup ? AW_OK : copy_fail(copy, sqlite3_errcode(copy->db), err);
}

/* Also what the last close says: it may have had something to write. */
static enum aw_err copy_close(struct store_backup *op, struct aw_error *err)
{
    struct store_copy *copy = op->copy;
    int rc = sqlite3_backup_finish(take_ptr(copy->backup));

    if (rc == SQLITE_OK)
        rc = sqlite3_close(copy->db);
    if (rc != SQLITE_OK)
        return copy_fail(copy, rc, err);
    copy->db = NULL;
    op->complete = true;
    return AW_OK;
}

static enum aw_err slice_copy(struct store_backup *op, struct aw_error *err)
{
    struct store_copy *copy = op->copy;
    int rc = sqlite3_backup_step(copy->backup, SLICE_PAGES);

    if (rc == SQLITE_DONE)
        return copy_close(op, err);
    if (rc != SQLITE_OK)
        return copy_fail(copy, rc, err);
    copy->pages += SLICE_PAGES;
    if (copy->pages / MAX_ROUNDS > sqlite3_backup_pagecount(copy->backup) + SLICE_PAGES)
        return aw_fail(err, AW_ERR_BUSY, "backup: the store did not let it come to an end");
    return AW_OK;
}

static enum aw_err backup_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_backup *op = (struct store_backup *)base;
    enum aw_err e = AW_OK;

    if (!op->copy && !op->stop)
        e = copy_open(op, st, err);
    if (!e && !op->stop)
        e = slice_copy(op, err);
    if (e || op->stop || op->complete)
        store_backup_end(op);
    return e;
}

void store_backup_init(struct store_backup *op)
{
    op->op.run = backup_run;
    op->op.writes = false;
    op->op.alone = true;
}
