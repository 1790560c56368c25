/* Making a store, and bringing an older one up to date. */
#include "daemon/engine/embedded/store_schema.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/engine/embedded/store_private.h"
#include "proto/future_id.h"

/* How the schema came to be: step i leads from version i to i + 1. What was released stays. */
static const char *const steps[] = {STORE_SCHEMA_1, STORE_SCHEMA_2, STORE_SCHEMA_3};
_Static_assert(ARRAY_SIZE(steps) == STORE_SCHEMA_VERSION, "one step for each version");

int store_schema_make(sqlite3 *db, int version)
{
    int rc = SQLITE_OK;

    for (int v = 0; rc == SQLITE_OK && v < version && v < STORE_SCHEMA_VERSION; v++)
        rc = sqlite3_exec(db, steps[v], NULL, NULL, NULL);
    return rc;
}

static enum aw_err run(struct store *st, const char *sql, struct aw_error *err)
{
    return store_run_sql(st, sql, "updating the schema", err);
}

/* One transaction: a crash leaves either version, whole. */
static enum aw_err advance(struct store *st, int64_t from, int64_t to, const char *also,
                           struct aw_error *err)
{
    char end[64];
    enum aw_err e = run(st, "BEGIN IMMEDIATE", err);

    for (int64_t v = from; !e && v < to; v++)
        e = run(st, steps[v], err);
    if (!e)
        e = run(st, also, err);
    snprintf(end, sizeof(end), "PRAGMA user_version = %" PRId64 "; COMMIT", to);
    return e ? e : run(st, end, err);
}

/* Into the file itself, where header_check() looks. */
static enum aw_err settle(struct store *st, struct aw_error *err)
{
    return run(st, "PRAGMA wal_checkpoint(TRUNCATE)", err);
}

/* No version but the newest is ever in the file. */
static enum aw_err create(struct store *st, struct aw_error *err)
{
    char tag[AW_TAG_LEN + 1], sql[160];
    enum aw_err e = future_tag_make(tag, err);

    if (e)
        return e;
    snprintf(sql, sizeof(sql),
             "INSERT INTO meta VALUES ('tag', '%s'), ('epoch', 0), ('high', 0);"
             "PRAGMA application_id = %d",
             tag, STORE_APPLICATION_ID);
    e = advance(st, 0, STORE_SCHEMA_VERSION, sql, err);
    return e ? e : settle(st, err);
}

static enum aw_err create_if_empty(struct store *st, struct aw_error *err)
{
    int64_t n = 0;
    enum aw_err e = store_read_int(st, "SELECT count(*) FROM sqlite_schema", &n, err);

    if (!e && n > 0)
        e = aw_fail(err, AW_ERR_STORE, "a database of another program");
    return e ? e : create(st, err);
}

/* What is damaged is left as it was found, for awd --verify and whoever can mend it. */
static enum aw_err look_before(struct store *st, struct aw_error *err)
{
    sqlite3_stmt *s = NULL;
    const char *text = NULL;
    enum aw_err e = AW_OK;

    if (sqlite3_prepare_v2(st->db, "PRAGMA quick_check(1)", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(s, 0);
    if (!text)
        e = store_fail(st, err, "updating the schema");
    else if (strcmp(text, "ok") != 0)
        e = aw_fail(err, AW_ERR_STORE, "damaged: %.120s; it was left as it is", text);
    sqlite3_finalize(s);
    return e;
}

static enum aw_err migrate(struct store *st, int64_t version, struct aw_error *err)
{
    enum aw_err e = look_before(st, err);

    for (int64_t v = version; !e && v < STORE_SCHEMA_VERSION; v++)
        e = advance(st, v, v + 1, "", err);
    return e ? e : settle(st, err);
}

enum aw_err store_schema_update(struct store *st, struct aw_error *err)
{
    int64_t version = 0;
    enum aw_err e = store_read_int(st, "PRAGMA user_version", &version, err);

    if (e)
        return e;
    if (version == 0)
        return create_if_empty(st, err);
    if (version < 0 || version > STORE_SCHEMA_VERSION)
        return aw_fail(err, AW_ERR_STORE, STORE_SCHEMA_NEWER, (long long)version);
    return version < STORE_SCHEMA_VERSION ? migrate(st, version, err) : AW_OK;
}
