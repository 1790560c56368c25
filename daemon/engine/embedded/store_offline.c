/* A store that no engine has open: opening it to read, and beginning a new history. */
#include "daemon/engine/embedded/store_offline.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/engine/embedded/store_schema.h"
#include "proto/future_id.h"

/* ---- Opening ------------------------------------------------------------------------------- */

/* file:PATH with every byte escaped that could mean something else there. */
static char *uri_make(const char *path, const char *query)
{
    static const char hex[] = "0123456789abcdef";
    char *uri = malloc(strlen("file:") + 3 * strlen(path) + strlen(query) + 1), *p = uri;

    if (!uri)
        return NULL;
    memcpy(p, "file:", 5);
    p += 5;
    for (; *path; path++) {
        if (strchr("%?#", *path)) {
            *p++ = '%';
            *p++ = hex[(unsigned char)*path >> 4];
            *p++ = hex[*path & 15];
        } else {
            *p++ = *path;
        }
    }
    memcpy(p, query, strlen(query) + 1);
    return uri;
}

static bool has_log(const char *path)
{
    char log[AW_MAX_PATH + sizeof("-wal")];
    struct stat sb;

    snprintf(log, sizeof(log), "%s-wal", path);
    return stat(log, &sb) == 0 && sb.st_size > 0;
}

/* SQLite's own sentences for these do not say which system call failed. */
static enum aw_err file_check(const char *path, struct aw_error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat sb;

    if (fd < 0 || fstat(fd, &sb) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.160s: %s", path, strerror(errno));
    if (!S_ISREG(sb.st_mode))
        return aw_fail(err, AW_ERR_SYSTEM, "%.160s: not a regular file", path);
    return AW_OK;
}

/*
 * Without a log the file is all there is, and SQLite writes nothing if it is told so. A log has to
 * be read with the file open for writing: held alone, its index stays in memory, and as nothing is
 * written and nothing checkpointed, both are left as they were.
 */
static enum aw_err db_open(struct offline *off, const char *path, struct aw_error *err)
{
    bool log = has_log(path);
    _cleanup_free_ char *uri = uri_make(path, log ? "" : "?immutable=1");
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                (log ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);

    if (!uri)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%.160s: out of memory", path);
    if (sqlite3_open_v2(uri, &off->db, flags, NULL) != SQLITE_OK)
        return aw_fail(err, AW_ERR_SYSTEM, "%.160s: %s", path,
                       off->db ? sqlite3_errmsg(off->db) : "out of memory");
    sqlite3_db_config(off->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(off->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (sqlite3_exec(off->db,
                     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA query_only = ON;"
                     "PRAGMA cache_size = -16384; PRAGMA temp_store = FILE;"
                     "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
                     NULL, NULL, NULL) != SQLITE_OK)
        return aw_fail(err, AW_ERR_STORE, "%.160s: damaged, or no store of awd: %s", path,
                       sqlite3_errmsg(off->db));
    return AW_OK;
}

static enum aw_err read_int(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *s = NULL;
    enum aw_err e = AW_ERR_STORE;

    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        *ret = sqlite3_column_int64(s, 0);
        e = AW_OK;
    }
    sqlite3_finalize(s);
    return e;
}

static enum aw_err identify(struct offline *off, const char *path, struct aw_error *err)
{
    int64_t application = 0, version = 0;

    if (read_int(off->db, "PRAGMA application_id", &application) ||
        read_int(off->db, "PRAGMA user_version", &version))
        return aw_fail(err, AW_ERR_STORE, "%.160s: damaged, or no store of awd: %s", path,
                       sqlite3_errmsg(off->db));
    if (application != STORE_APPLICATION_ID)
        return aw_fail(err, AW_ERR_STORE, "%.160s: no store of awd", path);
    if (version < 0 || version > STORE_SCHEMA_VERSION)
        return aw_fail(err, AW_ERR_BAD_VERSION, "%.100s: " STORE_SCHEMA_NEWER, path,
                       (long long)version);
    if (version == 0)
        return aw_fail(err, AW_ERR_STORE, "%.160s: no store of awd: it has no version", path);
    off->version = (int)version;
    return AW_OK;
}

enum aw_err offline_open(const char *path, struct offline **ret, struct aw_error *err)
{
    struct offline *off = calloc(1, sizeof(*off));
    enum aw_err e;

    if (!off)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%.160s: out of memory", path);
    e = file_check(path, err);
    if (!e)
        e = db_open(off, path, err);
    if (!e)
        e = identify(off, path, err);
    if (e)
        offline_close(off);
    else
        *ret = off;
    return e;
}

void offline_close(struct offline *off)
{
    if (!off)
        return;
    sqlite3_finalize(off->has_job);
    sqlite3_close(off->db);
    free(off);
}

/* ---- Reading ------------------------------------------------------------------------------- */

static enum aw_err info_read(sqlite3 *db, struct offline_info *ret, struct aw_error *err)
{
    sqlite3_stmt *s = NULL;
    struct offline_info info = {0};
    int64_t high = 0, top = 0, epoch = 0;
    enum aw_err e = AW_OK;

    if (sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE name = 'tag'", -1, &s, NULL) ==
            SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW &&
        future_tag_valid(bytes_str((const char *)sqlite3_column_text(s, 0))))
        snprintf(info.tag, sizeof(info.tag), "%s", (const char *)sqlite3_column_text(s, 0));
    else
        e = aw_fail(err, AW_ERR_STORE, "damaged: it has no valid tag");
    sqlite3_finalize(s);
    if (!e && (read_int(db, "SELECT value FROM meta WHERE name = 'high'", &high) ||
               read_int(db, "SELECT max(number) FROM job", &top) ||
               read_int(db, "SELECT value FROM meta WHERE name = 'epoch'", &epoch)))
        e = aw_fail(err, AW_ERR_STORE, "damaged: %s", sqlite3_errmsg(db));
    if (e)
        return e;
    info.high = (uint64_t)MAX(MAX(high, top), 0);
    info.epoch = (uint64_t)MAX(epoch, 0);
    *ret = info;
    return AW_OK;
}

enum aw_err offline_get_info(struct offline *off, struct offline_info *ret, struct aw_error *err)
{
    return info_read(off->db, ret, err);
}

enum aw_err offline_has_job(struct offline *off, uint64_t number, bool *ret, struct aw_error *err)
{
    enum aw_err e = AW_OK;
    int rc;

    if (!off->has_job && sqlite3_prepare_v2(off->db, "SELECT 1 FROM job WHERE number = ?", -1,
                                            &off->has_job, NULL) != SQLITE_OK)
        return aw_fail(err, AW_ERR_STORE, "looking for job %" PRIu64 ": %s", number,
                       sqlite3_errmsg(off->db));
    sqlite3_bind_int64(off->has_job, 1, (int64_t)number);
    rc = sqlite3_step(off->has_job);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        *ret = rc == SQLITE_ROW;
    else
        e = aw_fail(err, AW_ERR_STORE, "looking for job %" PRIu64 ": %s", number,
                    sqlite3_errmsg(off->db));
    sqlite3_reset(off->has_job);
    return e;
}

/* ---- A new history ------------------------------------------------------------------------- */

#define NUMBERS_APART UINT64_C(1000000000000)

/*
 * Epochs have 23 bits (the claims of each are 2^40). One in five minutes from 2020 on lasts until
 * 2099, and is more than a daemon that is not restarted without pause can have used.
 */
#define EPOCHS_APART  64
#define EPOCH_US      INT64_C(300000000)
#define EPOCH_ZERO_US INT64_C(1577836800000000) /* 2020-01-01 */
#define EPOCH_MAX     ((UINT64_C(1) << 23) - 1)

static void info_advance(struct offline_info *info, const struct offline_info *old)
{
    int64_t now = now_us();
    uint64_t high = MAX(info->high, old ? old->high : 0);
    uint64_t epoch = MAX(info->epoch, old ? old->epoch : 0);

    info->high = MAX(high + NUMBERS_APART, (uint64_t)MAX(now, 0));
    info->epoch =
        MAX(epoch + EPOCHS_APART, (uint64_t)MAX((now - EPOCH_ZERO_US) / EPOCH_US, INT64_C(0)));
}

static enum aw_err history_write(sqlite3 *db, const struct offline_info *info, bool hold,
                                 struct aw_error *err)
{
    char sql[320];

    if (info->epoch >= EPOCH_MAX || info->high > INT64_MAX / 4)
        return aw_fail(err, AW_ERR_STORE, "its numbers are used up");
    snprintf(sql, sizeof(sql),
             "PRAGMA synchronous = FULL; BEGIN IMMEDIATE;"
             "UPDATE meta SET value = %" PRIu64 " WHERE name = 'high';"
             "UPDATE meta SET value = %" PRIu64 " WHERE name = 'epoch';"
             "%s COMMIT; PRAGMA wal_checkpoint(TRUNCATE)",
             info->high, info->epoch, hold ? "UPDATE queue SET paused = 1;" : "");
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return AW_OK;
    return aw_fail(err, sqlite3_errcode(db) == SQLITE_FULL ? AW_ERR_DISK_FULL : AW_ERR_STORE, "%s",
                   sqlite3_errmsg(db));
}

enum aw_err offline_new_history(const char *path, const struct offline_info *old, bool hold,
                                struct offline_info *ret, struct aw_error *err)
{
    struct offline_info info = {0};
    struct aw_error why = {0};
    sqlite3 *db = NULL;
    enum aw_err e = AW_OK;

    if (sqlite3_open_v2(path, &db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
        e = aw_fail(&why, AW_ERR_STORE, "%s", db ? sqlite3_errmsg(db) : "out of memory");
    if (!e)
        e = info_read(db, &info, &why);
    if (!e) {
        info_advance(&info, old);
        e = history_write(db, &info, hold, &why);
    }
    /* Its last transaction has to be in the file itself: nobody moves a log along. */
    if (sqlite3_close(db) != SQLITE_OK && !e)
        e = aw_fail(&why, AW_ERR_STORE, "it cannot be closed");
    if (!e && has_log(path))
        e = aw_fail(&why, AW_ERR_STORE, "its log could not be taken over");
    if (e)
        return aw_fail(err, e, "%.120s: %.120s", path, why.text);
    *ret = info;
    return AW_OK;
}
