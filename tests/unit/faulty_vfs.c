#include "tests/unit/faulty_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* Our part of a file; the real one's follows. */
struct faulty_file {
    sqlite3_file base;
    bool is_log, is_database, damages_neighbours;
    sqlite3_file *real;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t room;     /* negative: there is no end */
    int64_t log_most; /* where the disk ends; negative: to be counted from the next write on */
    bool break_writes, break_syncs, damage_neighbours;
    int database_rc; /* what syncs, or writes, of the database come to */
    bool hold, held;
    int syncs, log_writes;
    int64_t log_bytes;
    sqlite3_vfs *real, vfs;
} faulty = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .room = -1};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

/* The log gets longer ahead of what will be in it. */
static bool is_zeroes(const char *data, int amount)
{
    return data[0] == 0 && !memcmp(data, data + 1, (size_t)amount - 1);
}

static int write_allowed(const void *data, int amount, sqlite3_int64 offset)
{
    int rc = SQLITE_OK;

    pthread_mutex_lock(&faulty.lock);
    if (faulty.room >= 0 && is_zeroes(data, amount)) {
        pthread_mutex_unlock(&faulty.lock);
        return SQLITE_FULL;
    }
    if (faulty.log_most < 0)
        faulty.log_most = offset + faulty.room;
    if (faulty.break_writes)
        rc = SQLITE_IOERR_WRITE;
    else if (faulty.room >= 0 && offset + amount > faulty.log_most)
        rc = SQLITE_FULL;
    if (!rc && !is_zeroes(data, amount)) {
        faulty.log_writes++;
        faulty.log_bytes += amount;
    }
    pthread_mutex_unlock(&faulty.lock);
    return rc;
}

static int database_allowed(bool sync)
{
    int rc;

    pthread_mutex_lock(&faulty.lock);
    rc = (faulty.database_rc == SQLITE_IOERR_FSYNC) == sync ? faulty.database_rc : SQLITE_OK;
    pthread_mutex_unlock(&faulty.lock);
    return rc;
}

static int faulty_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
    const struct faulty_file *f = (struct faulty_file *)file;
    int rc = SQLITE_OK;

    if (f->is_log)
        rc = write_allowed(data, amount, offset);
    else if (f->is_database)
        rc = database_allowed(false);
    return rc ? rc : real_of(file)->pMethods->xWrite(real_of(file), data, amount, offset);
}

static int sync_allowed(void)
{
    int rc;

    pthread_mutex_lock(&faulty.lock);
    while (faulty.hold) {
        faulty.held = true;
        pthread_cond_broadcast(&faulty.changed);
        pthread_cond_wait(&faulty.changed, &faulty.lock);
    }
    faulty.held = false;
    faulty.syncs++;
    rc = faulty.break_syncs ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    pthread_mutex_unlock(&faulty.lock);
    return rc;
}

/* The real disk is not asked: what was written is there for the next process, also after kill -9,
 * and powerloss_vfs.h is for what is not. A slow disk would be most of what these tests take. */
static int faulty_sync(sqlite3_file *file, int flags)
{
    const struct faulty_file *f = (struct faulty_file *)file;

    (void)flags;
    if (f->is_log)
        return sync_allowed();
    return f->is_database ? database_allowed(true) : SQLITE_OK;
}

/* ---- What goes straight through ---------------------------------------------------------------
 */

static int faulty_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *data, int amount, sqlite3_int64 offset)
{
    return real_of(file)->pMethods->xRead(real_of(file), data, amount, offset);
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int faulty_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int faulty_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_check_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int faulty_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int faulty_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_traits(sqlite3_file *file)
{
    const struct faulty_file *f = (struct faulty_file *)file;
    int traits = real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));

    return f->damages_neighbours ? traits & ~SQLITE_IOCAP_POWERSAFE_OVERWRITE : traits;
}

/* Version 1: without shared memory, so a store that is not locked exclusively does not even open.
 */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_check_lock,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector_size,
    .xDeviceCharacteristics = faulty_traits,
};

static int faulty_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                       int *ret_flags)
{
    struct faulty_file *f = (struct faulty_file *)file;
    int rc;

    (void)vfs;
    memset(f, 0, sizeof(*f));
    f->real = (sqlite3_file *)(f + 1);
    f->is_log = flags & SQLITE_OPEN_WAL;
    f->is_database = flags & SQLITE_OPEN_MAIN_DB;
    pthread_mutex_lock(&faulty.lock);
    f->damages_neighbours = faulty.damage_neighbours;
    pthread_mutex_unlock(&faulty.lock);
    rc = faulty.real->xOpen(faulty.real, path, f->real, flags, ret_flags);
    if (rc == SQLITE_OK)
        f->base.pMethods = &methods;
    return rc;
}

void faulty_vfs_install(void)
{
    if (faulty.real)
        return;
    faulty.real = sqlite3_vfs_find(NULL);
    faulty.vfs = *faulty.real;
    faulty.vfs.zName = "faulty";
    faulty.vfs.szOsFile = (int)sizeof(struct faulty_file) + faulty.real->szOsFile;
    faulty.vfs.xOpen = faulty_open;
    if (sqlite3_vfs_register(&faulty.vfs, 1) != SQLITE_OK)
        abort();
}

/* ---- The switches -----------------------------------------------------------------------------
 */

static void set_flag(bool *flag, bool value)
{
    pthread_mutex_lock(&faulty.lock);
    *flag = value;
    pthread_cond_broadcast(&faulty.changed);
    pthread_mutex_unlock(&faulty.lock);
}

void faulty_vfs_set_room(int64_t bytes)
{
    pthread_mutex_lock(&faulty.lock);
    faulty.room = bytes;
    faulty.log_most = -1;
    pthread_mutex_unlock(&faulty.lock);
}

void faulty_vfs_break_writes(bool broken)
{
    set_flag(&faulty.break_writes, broken);
}

void faulty_vfs_break_syncs(bool broken)
{
    set_flag(&faulty.break_syncs, broken);
}

void faulty_vfs_damage_neighbours(bool damaged)
{
    set_flag(&faulty.damage_neighbours, damaged);
}

void faulty_vfs_fail_database(int rc)
{
    pthread_mutex_lock(&faulty.lock);
    faulty.database_rc = rc;
    pthread_mutex_unlock(&faulty.lock);
}

void faulty_vfs_hold(void)
{
    set_flag(&faulty.hold, true);
}

void faulty_vfs_go(void)
{
    set_flag(&faulty.hold, false);
}

bool faulty_vfs_is_held(void)
{
    bool held;

    pthread_mutex_lock(&faulty.lock);
    held = faulty.held;
    pthread_mutex_unlock(&faulty.lock);
    return held;
}

void faulty_vfs_await_held(void)
{
    pthread_mutex_lock(&faulty.lock);
    while (!faulty.held)
        pthread_cond_wait(&faulty.changed, &faulty.lock);
    pthread_mutex_unlock(&faulty.lock);
}

int faulty_vfs_syncs(void)
{
    int n;

    pthread_mutex_lock(&faulty.lock);
    n = faulty.syncs;
    pthread_mutex_unlock(&faulty.lock);
    return n;
}

void faulty_vfs_log_written(int *ret_writes, int64_t *ret_bytes)
{
    pthread_mutex_lock(&faulty.lock);
    *ret_writes = faulty.log_writes;
    *ret_bytes = faulty.log_bytes;
    pthread_mutex_unlock(&faulty.lock);
}
