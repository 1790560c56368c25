/*
 * The file of SQLite's log: what is written there is gathered until it is synced.
 *
 * SQLite writes each page that a transaction has changed by two calls, and even a small one changes
 * several, all next to each other. They become one write, which takes a third of the time. A commit
 * syncs its log, so that nothing that counts is in memory only.
 *
 * A write that fails so is told later than SQLite expects it, perhaps to somebody who only reads.
 * What was gathered is lost then, and must stay so: it is of a transaction that cannot be committed
 * any more. Hence nothing is written behind such a hole, until SQLite begins at or before it again,
 * as it does after a rollback.
 */
#include "daemon/engine/embedded/store_private.h"

/* SQLite's unix layer takes no more than 131071 bytes for one write of its own. */
#define GATHER_MAX (31 * (4096 + 24))

/* What is larger than a page gains nothing. */
#define LARGE 4096

/* Our part of the file; the real one's follows. */
struct log_file {
    sqlite3_file base;
    sqlite3_file *real;
    uint8_t *gathered; /* GATHER_MAX octets; NULL: each write is made at once */
    size_t len;
    sqlite3_int64 at;
    sqlite3_int64 hole; /* what SQLite has behind this was lost; NO_HOLE: nothing was */
};

#define NO_HOLE INT64_MAX

static struct log_file *ours(sqlite3_file *file)
{
    return (struct log_file *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ours(file)->real;
}

static int write_out(struct log_file *f)
{
    int rc = SQLITE_OK;

    if (f->len)
        rc = f->real->pMethods->xWrite(f->real, f->gathered, (int)f->len, f->at);
    if (rc)
        f->hole = f->at;
    f->len = 0;
    return rc;
}

static bool follows(const struct log_file *f, int n, sqlite3_int64 at)
{
    return at == f->at + (sqlite3_int64)f->len && (size_t)n <= GATHER_MAX - f->len;
}

static int log_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
    struct log_file *f = ours(file);
    int rc = f->len && !follows(f, n, at) ? write_out(f) : SQLITE_OK;

    if (rc)
        return rc;
    if (at > f->hole)
        return SQLITE_FULL;
    f->hole = MAX(f->hole, at + n);
    if (!f->gathered || n > LARGE)
        return f->real->pMethods->xWrite(f->real, data, n, at);
    if (!f->len)
        f->at = at;
    memcpy(f->gathered + f->len, data, (size_t)n);
    f->len += (size_t)n;
    return SQLITE_OK;
}

/* A transaction that is too large for SQLite's memory reads again what it has put into the log. */
static int log_read(sqlite3_file *file, void *data, int n, sqlite3_int64 at)
{
    struct log_file *f = ours(file);
    sqlite3_int64 end = f->at + (sqlite3_int64)f->len;
    int rc = SQLITE_OK;

    if (f->len && at >= f->at && at + n <= end) {
        memcpy(data, f->gathered + (at - f->at), (size_t)n);
        return SQLITE_OK;
    }
    if (f->len && at < end && at + n > f->at)
        rc = write_out(f);
    if (!rc && at + n > f->hole)
        rc = SQLITE_FULL;
    return rc ? rc : f->real->pMethods->xRead(f->real, data, n, at);
}

static int log_sync(sqlite3_file *file, int flags)
{
    int rc = write_out(ours(file));

    return rc ? rc : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = write_out(ours(file));

    return rc ? rc : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    const struct log_file *f = ours(file);
    int rc = f->real->pMethods->xFileSize(f->real, ret);

    if (!rc && f->len && *ret < f->at + (sqlite3_int64)f->len)
        *ret = f->at + (sqlite3_int64)f->len;
    return rc;
}

static int log_close(sqlite3_file *file)
{
    free(ours(file)->gathered);
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int log_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int log_check_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int log_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int log_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int log_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_traits,
};

sqlite3_file *store_log_file(struct store *st)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(st->db, NULL, SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK ||
        !file || !file->pMethods)
        return NULL;
    return file;
}

/* ---- How SQLite comes to it ----------------------------------------------------------------- */

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
} layer;

/*
 * On a disk that may damage what is next to what it writes SQLite fills up each commit, and writes
 * the last of that after its sync. It would stay in memory: nothing is gathered there. NULL also
 * without memory.
 */
static uint8_t *gathered_new(sqlite3_file *log)
{
    int traits = log->pMethods->xDeviceCharacteristics(log);

    return traits & SQLITE_IOCAP_POWERSAFE_OVERWRITE ? malloc(GATHER_MAX) : NULL;
}

static int layer_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                      int *ret_flags)
{
    struct log_file *f = ours(file);
    int rc;

    (void)vfs;
    if (!(flags & SQLITE_OPEN_WAL))
        return layer.real->xOpen(layer.real, path, file, flags, ret_flags);
    *f = (struct log_file){.real = (sqlite3_file *)(f + 1), .hole = NO_HOLE};
    rc = layer.real->xOpen(layer.real, path, f->real, flags, ret_flags);
    if (rc)
        return rc;
    f->gathered = gathered_new(f->real);
    f->base.pMethods = &log_methods;
    return SQLITE_OK;
}

/* All but its opening of files is the real one's own, which knows itself by its pAppData. */
static const char *layer_name(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);

    if (!real || real == layer.real)
        return real ? layer.vfs.zName : NULL;
    if (layer.real)
        (void)!sqlite3_vfs_unregister(&layer.vfs);
    layer.real = real;
    layer.vfs = *real;
    layer.vfs.zName = "awd";
    layer.vfs.szOsFile = (int)sizeof(struct log_file) + real->szOsFile;
    layer.vfs.xOpen = layer_open;
    return sqlite3_vfs_register(&layer.vfs, 0) == SQLITE_OK ? layer.vfs.zName : NULL;
}

int store_log_open_db(struct store *st, int flags)
{
    return sqlite3_open_v2(st->path, &st->db, flags, layer_name());
}
