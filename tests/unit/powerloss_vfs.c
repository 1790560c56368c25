#include "tests/unit/powerloss_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR   512
#define MAX_PATH 512

enum { DATABASE, JOURNAL, LOG, N_FILES };
static const char *const file_names[N_FILES] = {"awd.db", "awd.db-journal", "awd.db-wal"};

/* One change of the file system. */
struct change {
    enum { MADE, WRITTEN, CUT_OFF, SYNCED, REMOVED } what;
    int file;
    bool and_directory; /* SYNCED, REMOVED: that is synced, too */
    size_t at, len;     /* WRITTEN; CUT_OFF: len is the size */
    uint8_t *data;
};

struct content {
    uint8_t *data;
    size_t len, room;
};

static struct {
    pthread_mutex_t lock;
    char dir[MAX_PATH];
    struct content before[N_FILES]; /* data NULL: was not there */
    bool there[N_FILES];            /* now */
    struct change *changes;
    size_t n, room;
    sqlite3_vfs *real, vfs;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Nothing can be tested without. */
static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- The record ---------------------------------------------------------------------------------
 */

static void record(struct change change, const void *data)
{
    pthread_mutex_lock(&disk.lock);
    if (disk.n == disk.room) {
        disk.room = disk.room * 2 + 1024;
        disk.changes = need(reallocarray(disk.changes, disk.room, sizeof(*disk.changes)));
    }
    if (change.what == WRITTEN) {
        change.data = need(malloc(change.len + 1));
        memcpy(change.data, data, change.len);
    }
    if (change.what == MADE || change.what == REMOVED)
        disk.there[change.file] = change.what == MADE;
    disk.changes[disk.n++] = change;
    pthread_mutex_unlock(&disk.lock);
}

size_t powerloss_vfs_length(void)
{
    size_t n;

    pthread_mutex_lock(&disk.lock);
    n = disk.n;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

size_t powerloss_vfs_next_sync(size_t from)
{
    while (from < disk.n && disk.changes[from].what != SYNCED)
        from++;
    return from;
}

/* Which file of the recorded directory this is; -1: another one. */
static int file_of(const char *path)
{
    char name[MAX_PATH * 2];

    for (int i = 0; path && i < N_FILES; i++) {
        snprintf(name, sizeof(name), "%s/%s", disk.dir, file_names[i]);
        if (strcmp(path, name) == 0)
            return i;
    }
    return -1;
}

/* ---- Files --------------------------------------------------------------------------------------
 */

/* Our part of a file; the real one's follows. */
struct powerloss_file {
    sqlite3_file base;
    int file;            /* -1: not recorded */
    bool sync_directory; /* with the next sync, as SQLite's unix layer does for new files */
    sqlite3_file *real;
};

static struct powerloss_file *ours(sqlite3_file *file)
{
    return (struct powerloss_file *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ours(file)->real;
}

static int powerloss_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
    if (ours(file)->file >= 0)
        record((struct change){.what = WRITTEN,
                               .file = ours(file)->file,
                               .at = (size_t)offset,
                               .len = (size_t)amount},
               data);
    return real_of(file)->pMethods->xWrite(real_of(file), data, amount, offset);
}

static int powerloss_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (ours(file)->file >= 0)
        record((struct change){.what = CUT_OFF, .file = ours(file)->file, .len = (size_t)size},
               NULL);
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

/* The real one is spared: what it costs is not what is tested. */
static int powerloss_sync(sqlite3_file *file, int flags)
{
    struct powerloss_file *f = ours(file);

    (void)flags;
    if (f->file >= 0)
        record((struct change){.what = SYNCED, .file = f->file, .and_directory = f->sync_directory},
               NULL);
    f->sync_directory = false;
    return SQLITE_OK;
}

static int powerloss_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int powerloss_read(sqlite3_file *file, void *data, int amount, sqlite3_int64 offset)
{
    return real_of(file)->pMethods->xRead(real_of(file), data, amount, offset);
}

static int powerloss_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int powerloss_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int powerloss_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int powerloss_check_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int powerloss_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int powerloss_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int powerloss_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: nothing is mapped into memory, where a write would pass unseen. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = powerloss_close,
    .xRead = powerloss_read,
    .xWrite = powerloss_write,
    .xTruncate = powerloss_truncate,
    .xSync = powerloss_sync,
    .xFileSize = powerloss_size,
    .xLock = powerloss_lock,
    .xUnlock = powerloss_unlock,
    .xCheckReservedLock = powerloss_check_lock,
    .xFileControl = powerloss_control,
    .xSectorSize = powerloss_sector_size,
    .xDeviceCharacteristics = powerloss_traits,
};

static int powerloss_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                          int *ret_flags)
{
    struct powerloss_file *f = ours(file);
    int rc;

    (void)vfs;
    memset(f, 0, sizeof(*f));
    f->real = (sqlite3_file *)(f + 1);
    f->file = file_of(path);
    f->sync_directory = flags & SQLITE_OPEN_CREATE;
    rc = disk.real->xOpen(disk.real, path, f->real, flags, ret_flags);
    if (rc == SQLITE_OK && f->file >= 0 && !disk.there[f->file])
        record((struct change){.what = MADE, .file = f->file}, NULL);
    if (rc == SQLITE_OK)
        f->base.pMethods = &methods;
    return rc;
}

static int powerloss_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    int file = file_of(path);

    (void)vfs;
    if (file >= 0)
        record((struct change){.what = REMOVED, .file = file, .and_directory = sync_directory},
               NULL);
    return disk.real->xDelete(disk.real, path, 0);
}

static void install(void)
{
    if (disk.real)
        return;
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "powerloss";
    disk.vfs.szOsFile = (int)sizeof(struct powerloss_file) + disk.real->szOsFile;
    disk.vfs.xOpen = powerloss_open;
    disk.vfs.xDelete = powerloss_delete;
    if (sqlite3_vfs_register(&disk.vfs, 1) != SQLITE_OK)
        abort();
}

static struct content read_whole(const char *path)
{
    struct content c = {0};
    FILE *f = fopen(path, "r");
    long size;

    if (!f)
        return c;
    if (fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0)
        abort();
    rewind(f);
    c.len = (size_t)size;
    c.data = need(malloc(c.len + 1));
    if (fread(c.data, 1, c.len, f) != c.len)
        abort();
    fclose(f);
    return c;
}

void powerloss_vfs_start(const char *dir)
{
    char path[MAX_PATH * 2];

    install();
    for (size_t i = 0; i < disk.n; i++)
        free(disk.changes[i].data);
    disk.n = 0;
    snprintf(disk.dir, sizeof(disk.dir), "%s", dir);
    for (int i = 0; i < N_FILES; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, file_names[i]);
        free(disk.before[i].data);
        disk.before[i] = read_whole(path);
        disk.there[i] = disk.before[i].data != NULL;
    }
}

/* ---- What is left -------------------------------------------------------------------------------
 */

/* A file, whatever its name: what is safe of it, and what was done since. */
struct inode {
    struct content safe;
    const struct change **since;
    size_t n_since;
};

/* What becomes of the writes that were not synced. */
enum fate { ALL_KEPT, ALL_LOST, LOST_FROM, EACH_BY_ITSELF, N_FATES };

struct aftermath {
    struct dice *dice;
    enum fate fate;
    bool garbage; /* instead of zeros */
};

static void grow(struct content *c, size_t len, const struct aftermath *how)
{
    if (len <= c->len)
        return;
    if (len > c->room) { /* page by page it would be copied as often as it has pages */
        c->room = len * 2;
        c->data = need(realloc(c->data, c->room));
    }
    for (size_t i = c->len; i < len; i++)
        c->data[i] = how && how->garbage ? (uint8_t)dice_roll(how->dice, 256) : 0;
    c->len = len;
}

static void apply(struct content *c, const struct change *change)
{
    if (change->what == CUT_OFF) {
        grow(c, change->len, NULL);
        c->len = change->len;
        return;
    }
    grow(c, change->at + change->len, NULL);
    memcpy(c->data + change->at, change->data, change->len);
}

/* Some of its sectors only. */
static void apply_torn(struct content *c, const struct change *change, const struct aftermath *how)
{
    size_t end = change->at + change->len, next;

    if (change->what == CUT_OFF) {
        if (dice_once_in(how->dice, 2))
            apply(c, change);
        return;
    }
    if (dice_once_in(how->dice, 2))
        grow(c, end, how);
    for (size_t at = change->at; at < end; at = next) {
        next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
        if (dice_once_in(how->dice, 2))
            continue;
        grow(c, next, how);
        memcpy(c->data + at, change->data + (at - change->at), next - at);
    }
}

static void apply_pending(struct inode *inode, const struct aftermath *how)
{
    size_t whole = how->fate == ALL_KEPT ? inode->n_since : 0;

    if (how->fate == LOST_FROM && inode->n_since)
        whole = dice_roll(how->dice, inode->n_since + 1);
    for (size_t i = 0; i < inode->n_since; i++) {
        size_t luck = how->fate == EACH_BY_ITSELF ? dice_roll(how->dice, 3) : 0;

        if (i < whole || luck == 1)
            apply(&inode->safe, inode->since[i]);
        else if (luck == 2 || (how->fate == LOST_FROM && i == whole))
            apply_torn(&inode->safe, inode->since[i], how);
    }
    inode->n_since = 0;
}

/* Which inode each name leads to: now, and for sure. */
struct names {
    struct inode *now[N_FILES], *safe[N_FILES];
    enum powerloss_lie lie;
};

static struct inode *inode_new(const struct content *content)
{
    struct inode *inode = need(calloc(1, sizeof(*inode)));

    if (content) {
        inode->safe.data = need(malloc(content->len + 1));
        memcpy(inode->safe.data, content->data, content->len);
        inode->safe.len = inode->safe.room = content->len;
    }
    return inode;
}

static void inode_free(struct inode *inode)
{
    if (!inode)
        return;
    free(inode->safe.data);
    free(inode->since);
    free(inode);
}

static void directory_sync(struct names *names)
{
    if (names->lie & POWERLOSS_NO_DIRECTORY_SYNC)
        return;
    for (int i = 0; i < N_FILES; i++) {
        if (names->safe[i] != names->now[i])
            inode_free(names->safe[i]);
        names->safe[i] = names->now[i];
    }
}

static void file_sync(const struct names *names, int file, struct inode *inode)
{
    static const struct aftermath safe = {.fate = ALL_KEPT};
    enum powerloss_lie lies = file == DATABASE ? POWERLOSS_NO_DATABASE_SYNC : POWERLOSS_NO_LOG_SYNC;

    if (!(names->lie & lies))
        apply_pending(inode, &safe);
}

static void name_set(struct names *names, int file, struct inode *inode)
{
    if (names->now[file] != names->safe[file])
        inode_free(names->now[file]);
    names->now[file] = inode;
}

static void replay(struct names *names, const struct change *change)
{
    struct inode *inode = names->now[change->file];

    switch (change->what) {
    case MADE:
        name_set(names, change->file, inode_new(NULL));
        break;
    case REMOVED:
        name_set(names, change->file, NULL);
        break;
    case SYNCED:
        if (inode)
            file_sync(names, change->file, inode);
        break;
    case WRITTEN:
    case CUT_OFF:
        if (!inode)
            break; /* removed while it was open: nobody finds it */
        if ((inode->n_since & (inode->n_since + 1)) == 0)
            inode->since =
                need(reallocarray(inode->since, inode->n_since * 2 + 2, sizeof(struct change *)));
        inode->since[inode->n_since++] = change;
        break;
    }
    if (change->and_directory)
        directory_sync(names);
}

static void write_whole(const char *path, const struct content *c)
{
    FILE *f = need(fopen(path, "w"));

    if (fwrite(c->data ? c->data : (const uint8_t *)"", 1, c->len, f) != c->len || fclose(f) != 0)
        abort();
}

/* Leaves the file of that name, or none. */
static void settle(struct names *names, int file, const struct aftermath *how, const char *dir)
{
    struct inode *now = names->now[file], *safe = names->safe[file], *left;
    bool as_now = how->fate == ALL_KEPT || (how->fate != ALL_LOST && dice_once_in(how->dice, 2));
    char path[MAX_PATH * 2];

    left = as_now ? now : safe;
    snprintf(path, sizeof(path), "%s/%s", dir, file_names[file]);
    unlink(path);
    if (left) {
        apply_pending(left, how);
        write_whole(path, &left->safe);
    }
    if (now != safe)
        inode_free(now);
    inode_free(safe);
}

void powerloss_vfs_image(size_t cut, enum powerloss_lie lie, struct dice *dice, const char *dir)
{
    struct names names = {.lie = lie};
    struct aftermath how = {.dice = dice, .garbage = dice_once_in(dice, 3)};

    how.fate = (enum fate)dice_roll(dice, N_FATES);
    for (int i = 0; i < N_FILES; i++)
        if (disk.before[i].data)
            names.now[i] = names.safe[i] = inode_new(&disk.before[i]);
    for (size_t i = 0; i < cut && i < disk.n; i++)
        replay(&names, &disk.changes[i]);
    for (int i = 0; i < N_FILES; i++)
        settle(&names, i, &how, dir);
}
