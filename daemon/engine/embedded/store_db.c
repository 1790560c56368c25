/* Opening, creating, checking and migrating the database file. */
#include "daemon/engine/embedded/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "proto/future_id.h"

enum aw_err store_fail(struct store *st, struct aw_error *err, const char *what)
{
    int rc = sqlite3_errcode(st->db);
    int sys = sqlite3_system_errno(st->db);

    if (rc == SQLITE_FULL || (rc == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT)))
        return aw_fail(err, AW_ERR_DISK_FULL, "store: %s: no room on the disk", what);
    if (rc == SQLITE_CONSTRAINT || rc == SQLITE_MISUSE || rc == SQLITE_RANGE)
        return aw_fail(err, AW_ERR_INTERNAL, "store: %s: %s", what, sqlite3_errmsg(st->db));
    if (rc == SQLITE_NOMEM)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: %s: out of memory", what);
    return aw_fail(err, AW_ERR_STORE, "store: %s: %s", what, sqlite3_errmsg(st->db));
}

enum aw_err store_exec(struct store *st, enum store_sql which, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[which];
    enum aw_err e = AW_OK;
    int rc = sqlite3_step(s);

    if (rc != SQLITE_DONE)
        e = store_fail(st, err, sqlite3_sql(s));
    sqlite3_reset(s);
    return e;
}

enum aw_err store_raise_high(struct store *st, uint64_t number, struct aw_error *err)
{
    enum aw_err e;

    if (number <= st->high)
        return AW_OK;
    sqlite3_bind_text(st->sql[SQL_META_SET], 1, "high", -1, SQLITE_STATIC);
    sqlite3_bind_int64(st->sql[SQL_META_SET], 2, (int64_t)number);
    e = store_exec(st, SQL_META_SET, err);
    if (!e)
        st->high = number;
    return e;
}

/*
 * Looks at the file's header without SQLite, which would write next to the file just by opening
 * it. The offsets are those of https://www.sqlite.org/fileformat.html, section 1.3.
 */
static enum aw_err header_check(const char *path, bool *ret_fresh, struct aw_error *err)
{
    uint8_t h[100];
    struct stat sb;
    ssize_t n;
    uint32_t app, version;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT) {
        *ret_fresh = true;
        return AW_OK;
    }
    if (fd < 0 || fstat(fd, &sb) < 0)
        return aw_fail(err, AW_ERR_STORE, "store %s: %s", path, strerror(errno));
    if (!S_ISREG(sb.st_mode))
        return aw_fail(err, AW_ERR_STORE, "store %s: not a regular file", path);
    n = pread(fd, h, sizeof(h), 0);
    *ret_fresh = n == 0; /* created, and then the machine went down */
    if (n == 0)
        return AW_OK;
    if (n < (ssize_t)sizeof(h) || memcmp(h, "SQLite format 3", 16) != 0)
        return aw_fail(err, AW_ERR_STORE,
                       "store %s: damaged, or no store of awd: its header is not SQLite's; it was "
                       "left as it is",
                       path);
    version = (uint32_t)h[60] << 24 | h[61] << 16 | h[62] << 8 | h[63];
    app = (uint32_t)h[68] << 24 | h[69] << 16 | h[70] << 8 | h[71];
    /* 0 and 0: its creation was cut off before the first commit reached the file itself. */
    if (app != STORE_APPLICATION_ID && (app || version))
        return aw_fail(err, AW_ERR_STORE,
                       "store %s: a database of another program; it was left "
                       "as it is",
                       path);
    if (version > STORE_SCHEMA_VERSION)
        return aw_fail(err, AW_ERR_STORE,
                       "store %s: schema %" PRIu32 " is newer than this awd, which knows up to %d; "
                       "it was left as it is",
                       path, version, STORE_SCHEMA_VERSION);
    return AW_OK;
}

static enum aw_err run_sql(struct store *st, const char *sql, const char *what,
                           struct aw_error *err)
{
    if (sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return store_fail(st, err, what);
    return AW_OK;
}

static enum aw_err pragma_int(struct store *st, const char *sql, int64_t *ret, struct aw_error *err)
{
    sqlite3_stmt *s = NULL;
    enum aw_err e = AW_OK;

    if (sqlite3_prepare_v2(st->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        *ret = sqlite3_column_int64(s, 0);
    else
        e = store_fail(st, err, sql);
    sqlite3_finalize(s);
    return e;
}

/*
 * The settings. The order matters: locking_mode before the WAL is first used keeps its index in
 * memory and the file to ourselves.
 */
static enum aw_err settings_apply(struct store *st, struct aw_error *err)
{
    return run_sql(st,
                   "PRAGMA locking_mode = EXCLUSIVE;"
                   "PRAGMA page_size = 4096;"
                   "PRAGMA journal_mode = WAL;"
                   "PRAGMA synchronous = FULL;"
                   "PRAGMA cache_size = -8192;"
                   "PRAGMA temp_store = MEMORY;"
                   "PRAGMA trusted_schema = OFF;"
                   "PRAGMA cell_size_check = ON;",
                   "opening", err);
}

static enum aw_err schema_create(struct store *st, struct aw_error *err)
{
    char tag[AW_TAG_LEN + 1], sql[160];
    enum aw_err e = future_tag_make(tag, err);

    if (e)
        return e;
    snprintf(sql, sizeof(sql),
             "INSERT INTO meta VALUES ('tag', '%s'), ('epoch', 0), ('high', 0);"
             "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
             tag, STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
    e = run_sql(st, "BEGIN IMMEDIATE;" STORE_SCHEMA_1, "creating the schema", err);
    if (!e)
        e = run_sql(st, sql, "creating the schema", err);
    /* Into the file itself, where header_check() looks. */
    if (!e)
        e = run_sql(st, "PRAGMA wal_checkpoint(TRUNCATE);", "creating the schema", err);
    return e;
}

static enum aw_err schema_update(struct store *st, struct aw_error *err)
{
    int64_t version = 0;
    enum aw_err e = pragma_int(st, "PRAGMA user_version", &version, err);

    if (e)
        return e;
    if (version == 0)
        return schema_create(st, err);
    if (version > STORE_SCHEMA_VERSION)
        return aw_fail(err, AW_ERR_STORE, "store: schema %" PRId64 " is newer than this awd",
                       version);
    return AW_OK; /* the first release: there is nothing older to migrate from */
}

static enum aw_err meta_read(struct store *st, struct store_info *ret, struct aw_error *err)
{
    sqlite3_stmt *s = NULL;
    int64_t high = 0, top = 0, epoch = 0, kept = 0;
    enum aw_err e;

    if (sqlite3_prepare_v2(st->db, "SELECT value FROM meta WHERE name = 'tag'", -1, &s, NULL) !=
            SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW ||
        !future_tag_valid(bytes_str((const char *)sqlite3_column_text(s, 0)))) {
        sqlite3_finalize(s);
        return aw_fail(err, AW_ERR_STORE, "store: damaged: it has no valid tag");
    }
    snprintf(ret->tag, sizeof(ret->tag), "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    e = run_sql(st, "UPDATE meta SET value = value + 1 WHERE name = 'epoch'", "opening", err);
    if (!e)
        e = pragma_int(st, "SELECT value FROM meta WHERE name = 'epoch'", &epoch, err);
    if (!e)
        e = pragma_int(st, "SELECT value FROM meta WHERE name = 'high'", &high, err);
    if (!e)
        e = pragma_int(st, "SELECT max(number) FROM job", &top, err);
    if (!e)
        e = pragma_int(st, "SELECT count(*) FROM job WHERE expires_us IS NOT NULL", &kept, err);
    if (e)
        return e;
    st->high = (uint64_t)high;
    ret->high = (uint64_t)MAX(high, top);
    ret->epoch = (uint64_t)epoch;
    ret->kept = (uint64_t)kept;
    return AW_OK;
}

static enum aw_err statements_prepare(struct store *st, struct aw_error *err)
{
    static const char *const sql[] = {
#define X(NAME, text) text,
        STORE_SQL_MAP(X)
#undef X
    };

    for (size_t i = 0; i < N_STORE_SQL; i++)
        if (sqlite3_prepare_v3(st->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &st->sql[i], NULL) !=
            SQLITE_OK)
            return store_fail(st, err, sql[i]);
    return AW_OK;
}

enum aw_err store_db_open(struct store *st, const char *path, struct store_info *ret_info,
                          struct aw_error *err)
{
    bool fresh = false;
    enum aw_err e = header_check(path, &fresh, err);
    struct aw_error why = {0};

    if (e)
        return e;
    /* The store's thread is its only user once it runs: no mutexes inside SQLite. */
    if (sqlite3_open_v2(path, &st->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                            (fresh ? SQLITE_OPEN_CREATE : 0),
                        NULL) != SQLITE_OK)
        return aw_fail(err, AW_ERR_STORE, "store %s: %s", path,
                       st->db ? sqlite3_errmsg(st->db) : "out of memory");
    sqlite3_extended_result_codes(st->db, 0);
    e = settings_apply(st, &why);
    if (!e)
        e = schema_update(st, &why);
    if (!e)
        e = meta_read(st, ret_info, &why);
    if (!e)
        e = statements_prepare(st, &why);
    if (e)
        return aw_fail(err, e, "%.120s: %.120s", path, why.text);
    return AW_OK;
}

void store_db_close(struct store *st)
{
    for (size_t i = 0; i < N_STORE_SQL; i++)
        sqlite3_finalize(st->sql[i]);
    sqlite3_close(st->db);
    st->db = NULL;
}
