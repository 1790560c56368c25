/* Opening and checking the database file. */
#include "daemon/engine/embedded/store_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/engine/embedded/store_schema.h"
#include "proto/future_id.h"

/* While it is opened the sentence gets the path in front, later this. */
static const char *subject(bool runs)
{
    return runs ? "store: " : "";
}

static enum aw_err fail(sqlite3 *db, bool runs, struct aw_error *err, const char *what)
{
    int error = errno; /* a COMMIT that fails leaves it only there */
    int rc = sqlite3_errcode(db);
    int sys = sqlite3_system_errno(db);
    const char *text = sqlite3_errmsg(db), *who = subject(runs);

    if (rc == SQLITE_FULL || (rc == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT)))
        return aw_fail(err, AW_ERR_DISK_FULL, "%s%s: no room on the disk", who, what);
    /* Nothing was written: once it can be written to again, all goes on. */
    if (runs && (rc == SQLITE_READONLY || (rc == SQLITE_IOERR && (sys == EROFS || error == EROFS))))
        return aw_fail(err, AW_ERR_DISK_FULL, "%s%s: the disk is read-only", who, what);
    if (rc == SQLITE_CONSTRAINT || rc == SQLITE_MISUSE || rc == SQLITE_RANGE)
        return aw_fail(err, AW_ERR_INTERNAL, "%s%s: %s", who, what, text);
    if (rc == SQLITE_NOMEM)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%s%s: out of memory", who, what);
    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB)
        return aw_fail(err, AW_ERR_STORE, "%s%s: damaged: %s", who, what, text);
    return aw_fail(err, AW_ERR_STORE, "%s%s: %s", who, what, text);
}

enum aw_err store_fail(struct store *st, struct aw_error *err, const char *what)
{
    return fail(st->db, st->ready, err, what);
}

enum aw_err store_fail_of(sqlite3 *db, struct aw_error *err, const char *what)
{
    return fail(db, false, err, what);
}

enum aw_err store_exec(struct store *st, enum store_sql which, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[which];
    enum aw_err e = AW_OK;
    int rc;

    errno = 0; /* for store_fail() */
    rc = sqlite3_step(s);
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
    sqlite3_bind_int64(st->sql[SQL_RAISE_HIGH], 1, (int64_t)number);
    e = store_exec(st, SQL_RAISE_HIGH, err);
    if (!e)
        st->high = number;
    return e;
}

/* What header_check() reads: the file's header, and the beginning of the first page's tree. */
#define HEADER_SIZE 108

static uint32_t header_u32(const uint8_t *h, size_t at)
{
    return (uint32_t)h[at] << 24 | (uint32_t)h[at + 1] << 16 | (uint32_t)h[at + 2] << 8 | h[at + 3];
}

/* A database without tables: its creation was cut off before the first commit reached the file. */
static bool header_is_blank(const uint8_t *h)
{
    return header_u32(h, 60) == 0 && header_u32(h, 68) == 0 && h[100] == 0x0d && h[103] == 0 &&
           h[104] == 0;
}

/* Whether the file is shorter than its header says. Only meaningful while nothing is in the log. */
static bool header_is_cut_off(const uint8_t *h, off_t size)
{
    uint32_t page_size = (uint32_t)h[16] << 8 | h[17], n_pages = header_u32(h, 28);

    if (page_size == 1)
        page_size = 65536;
    return header_u32(h, 24) == header_u32(h, 92) && size < (off_t)n_pages * page_size;
}

static enum aw_err header_judge(const uint8_t *h, off_t size, bool has_log, struct aw_error *err)
{
    uint32_t version = header_u32(h, 60);

    if (memcmp(h, "SQLite format 3", 16) != 0)
        return aw_fail(err, AW_ERR_STORE,
                       "damaged, or no store of awd: its header is not SQLite's; it was "
                       "left as it is");
    if (header_u32(h, 68) != STORE_APPLICATION_ID && !header_is_blank(h))
        return aw_fail(err, AW_ERR_STORE, "a database of another program; it was left as it is");
    if (version > STORE_SCHEMA_VERSION)
        return aw_fail(err, AW_ERR_STORE, STORE_SCHEMA_NEWER, (long long)version);
    if (!has_log && header_is_cut_off(h, size))
        return aw_fail(err, AW_ERR_STORE, "damaged: the file was cut off; it was left as it is");
    return AW_OK;
}

static bool log_has_content(const char *path)
{
    char log[AW_MAX_PATH + sizeof("-wal")];
    struct stat sb;

    snprintf(log, sizeof(log), "%s-wal", path);
    return stat(log, &sb) == 0 && sb.st_size > 0;
}

/*
 * Whether the file was just being made when the machine went down: it may hold anything, and its
 * journal says that it was empty before, which is what SQLite will make of it. The offsets are
 * those of https://www.sqlite.org/fileformat.html, section 3.
 */
static bool is_half_made(const char *path)
{
    static const uint8_t magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    char journal[AW_MAX_PATH + sizeof("-journal")];
    uint8_t h[20];
    _cleanup_close_ int fd = -1;

    snprintf(journal, sizeof(journal), "%s-journal", path);
    fd = open(journal, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd >= 0 && pread(fd, h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
           memcmp(h, magic, sizeof(magic)) == 0 && header_u32(h, 16) == 0;
}

/*
 * Looks at the file's header without SQLite, which would write next to the file just by opening
 * it. The offsets are those of https://www.sqlite.org/fileformat.html, sections 1.3 and 1.6.
 */
static enum aw_err header_check(const char *path, bool has_log, bool *ret_fresh,
                                struct aw_error *err)
{
    uint8_t h[HEADER_SIZE];
    struct stat sb;
    ssize_t n;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        *ret_fresh = true;
        return AW_OK;
    }
    if (fd < 0 || fstat(fd, &sb) < 0)
        return aw_fail(err, AW_ERR_STORE, "%s", strerror(errno));
    if (!S_ISREG(sb.st_mode))
        return aw_fail(err, AW_ERR_STORE, "not a regular file");
    /* SQLite would say "disk I/O error", later. */
    if (access(path, W_OK) < 0)
        return aw_fail(err, AW_ERR_STORE, "cannot be written: %s", strerror(errno));
    n = pread(fd, h, sizeof(h), 0);
    *ret_fresh = n == 0; /* created, and then the machine went down */
    if (n == 0 || is_half_made(path))
        return AW_OK;
    if (n < (ssize_t)sizeof(h))
        return aw_fail(err, AW_ERR_STORE,
                       "damaged, or no store of awd: too short; it was left as it is");
    return header_judge(h, sb.st_size, has_log, err);
}

/* The specifications hold environments: nobody else may read them. SQLite's log does the same. */
static enum aw_err file_create(const char *path, struct aw_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return aw_fail(err, AW_ERR_STORE, "%s", strerror(errno));
    close(fd);
    return AW_OK;
}

enum aw_err store_run_sql(struct store *st, const char *sql, const char *what, struct aw_error *err)
{
    if (sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return store_fail(st, err, what);
    return AW_OK;
}

enum aw_err store_read_int(struct store *st, const char *sql, int64_t *ret, struct aw_error *err)
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
    enum aw_err e = store_run_sql(st, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = 4096",
                                  "opening", err);

    if (!e)
        e = store_space_begin(st, err);
    if (e)
        return e;
    return store_run_sql(st,
                         "PRAGMA journal_mode = WAL;"
                         "PRAGMA synchronous = FULL;"
                         "PRAGMA cache_size = -8192;"
                         "PRAGMA temp_store = MEMORY;"
                         "PRAGMA trusted_schema = OFF;"
                         "PRAGMA cell_size_check = ON;",
                         "opening", err);
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
        return aw_fail(err, AW_ERR_STORE, "damaged: it has no valid tag");
    }
    snprintf(ret->tag, sizeof(ret->tag), "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    e = store_read_int(st, "SELECT value FROM meta WHERE name = 'epoch'", &epoch, err);
    if (!e)
        e = store_read_int(st, "SELECT value FROM meta WHERE name = 'high'", &high, err);
    if (!e)
        e = store_read_int(st, "SELECT max(number) FROM job", &top, err);
    if (!e)
        e = store_read_int(st, "SELECT coalesce(sum(kept), 0) FROM account", &kept, err);
    if (e)
        return e;
    st->high = (uint64_t)high;
    ret->high = (uint64_t)MAX(high, top);
    ret->epoch = (uint64_t)epoch + 1;
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

/*
 * SQLite counts the bytes it has, under a lock, with each allocation; nobody asks. It stays as it
 * is when SQLite was in use before.
 */
static void sqlite_configure(void)
{
    (void)!sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum aw_err store_db_open(struct store *st, struct store_info *ret_info, struct aw_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bool fresh = false, has_log = log_has_content(st->path);
    enum aw_err e = header_check(st->path, has_log, &fresh, err);

    if (!e && fresh)
        e = file_create(st->path, err);
    if (e)
        return e;
    pthread_once(&once, sqlite_configure);
    /* The store's thread is its only user once it runs: no mutexes inside SQLite. */
    if (store_log_open_db(st, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW) !=
        SQLITE_OK)
        return aw_fail(err, AW_ERR_STORE, "%s", st->db ? sqlite3_errmsg(st->db) : "out of memory");
    sqlite3_extended_result_codes(st->db, 0);
    /* Until it is taken, a log that somebody left behind is to stay: store_db_take(). */
    sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log, NULL);
    e = settings_apply(st, err);
    if (!e)
        e = store_schema_update(st, err);
    if (!e)
        e = meta_read(st, ret_info, err);
    if (!e)
        e = store_space_open(st, err);
    if (!e)
        e = store_log_open(st, err);
    return e ? e : statements_prepare(st, err);
}

/*
 * The file as a URI, with which alone SQLite takes it as one that nobody changes: it is read
 * without a lock, which SQLite would not get beside the one that we hold, and without its log.
 */
static void still_uri(const char *path, char *uri)
{
    static const char hex[] = "0123456789ABCDEF";

    uri = mempcpy(uri, "file:", 5);
    for (const uint8_t *c = (const uint8_t *)path; *c; c++) {
        if (isalnum(*c)) {
            *uri++ = (char)*c;
        } else {
            *uri++ = '%';
            *uri++ = hex[*c >> 4];
            *uri++ = hex[*c & 15];
        }
    }
    memcpy(uri, "?immutable=1", sizeof("?immutable=1"));
}

sqlite3 *store_db_second(const struct store *st)
{
    char uri[3 * AW_MAX_PATH + sizeof("file:?immutable=1")];
    sqlite3 *db = NULL;

    if (log_has_content(st->path) || strlen(st->path) > AW_MAX_PATH)
        return NULL;
    still_uri(st->path, uri);
    if (sqlite3_open_v2(uri, &db,
                        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                            SQLITE_OPEN_NOFOLLOW,
                        NULL) == SQLITE_OK &&
        sqlite3_exec(db,
                     "PRAGMA cache_size = -256; PRAGMA trusted_schema = OFF;"
                     "PRAGMA cell_size_check = ON",
                     NULL, NULL, NULL) == SQLITE_OK)
        return db;
    sqlite3_close(db);
    return NULL;
}

enum aw_err store_db_take(struct store *st, struct aw_error *err)
{
    enum aw_err e =
        store_run_sql(st, "UPDATE meta SET value = value + 1 WHERE name = 'epoch'", "opening", err);

    if (!e)
        sqlite3_db_config(st->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return e;
}

uint64_t store_steps_take(struct store *st)
{
    uint64_t n = 0;

    for (size_t i = 0; i < N_STORE_SQL; i++)
        n += (uint64_t)sqlite3_stmt_status(st->sql[i], SQLITE_STMTSTATUS_VM_STEP, 1);
    return n;
}

void store_db_close(struct store *st)
{
    for (size_t i = 0; i < N_STORE_SQL; i++)
        sqlite3_finalize(st->sql[i]);
    sqlite3_close(st->db);
    st->db = NULL;
}
