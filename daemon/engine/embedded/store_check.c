/* Whether all is well in a store: the file, the schema, and the rules between rows. */
#include <stdio.h>

#include "daemon/engine/embedded/store_check_sql.h"
#include "daemon/engine/embedded/store_offline.h"
#include "daemon/engine/embedded/store_schema.h"

/* ---- Telling ------------------------------------------------------------------------------- */

void check_wrong(struct check *check, const char *fmt, ...)
{
    char text[AW_ERROR_TEXT * 2];
    va_list ap;

    if (++check->n_kind > CHECK_TOLD_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    /* A name from a damaged row must not make two lines of one. */
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = '?';
    check->to->wrong(check->arg, text);
}

void check_kind_end(struct check *check)
{
    uint64_t n = check->n_kind;

    check->n_kind = 0;
    if (n > CHECK_TOLD_MAX)
        check_wrong(check, "and %llu more of this kind", (unsigned long long)n - CHECK_TOLD_MAX);
    check->n_kind = 0;
}

enum aw_err check_failed(struct check *check, const char *what, struct aw_error *err)
{
    int rc = sqlite3_errcode(check->off->db);

    if (rc == SQLITE_NOMEM)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%s: out of memory", what);
    check_wrong(check, "%s: %s", what, sqlite3_errmsg(check->off->db));
    return AW_OK;
}

/* ---- The file and the schema ---------------------------------------------------------------- */

static enum aw_err check_file(struct check *check, struct aw_error *err)
{
    static const char what[] = "reading the file";
    sqlite3_stmt *s = NULL;
    enum aw_err e = AW_OK;
    int rc = sqlite3_prepare_v2(check->off->db, "PRAGMA integrity_check", -1, &s, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        const char *text;

        rc = sqlite3_step(s);
        text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
        if (text && strcmp(text, "ok") != 0)
            check_wrong(check, "the file is damaged: %s", text);
    }
    if (rc != SQLITE_DONE)
        e = check_failed(check, what, err);
    sqlite3_finalize(s);
    check_kind_end(check);
    return e;
}

static bool text_eq(sqlite3_stmt *a, sqlite3_stmt *b)
{
    const char *x = (const char *)sqlite3_column_text(a, 2);
    const char *y = (const char *)sqlite3_column_text(b, 2);

    return x && y ? strcmp(x, y) == 0 : x == y;
}

/* Each table and index of `a` that is not in `b`, or is otherwise there. */
static enum aw_err schema_compare(struct check *check, sqlite3 *a, sqlite3 *b, const char *how,
                                  struct aw_error *err)
{
    sqlite3_stmt *all = NULL, *one = NULL;
    enum aw_err e = AW_OK;
    int rc = SQLITE_ERROR;

    if (sqlite3_prepare_v2(a, "SELECT type, name, sql FROM sqlite_schema", -1, &all, NULL) ==
            SQLITE_OK &&
        sqlite3_prepare_v2(b,
                           "SELECT type, name, sql FROM sqlite_schema WHERE type = ? AND name = ?",
                           -1, &one, NULL) == SQLITE_OK)
        while ((rc = sqlite3_step(all)) == SQLITE_ROW) {
            sqlite3_bind_value(one, 1, sqlite3_column_value(all, 0));
            sqlite3_bind_value(one, 2, sqlite3_column_value(all, 1));
            if (sqlite3_step(one) != SQLITE_ROW || !text_eq(all, one))
                check_wrong(check, "schema: %s %s %s", (const char *)sqlite3_column_text(all, 0),
                            (const char *)sqlite3_column_text(all, 1), how);
            sqlite3_reset(one);
        }
    if (rc != SQLITE_DONE)
        e = check_failed(check, "reading the schema", err);
    sqlite3_finalize(all);
    sqlite3_finalize(one);
    return e;
}

/* Held against one of the same version that is made for this. */
static enum aw_err check_schema(struct check *check, bool *ret_same, struct aw_error *err)
{
    sqlite3 *fresh = NULL;
    enum aw_err e = AW_OK;

    if (sqlite3_open(":memory:", &fresh) != SQLITE_OK ||
        store_schema_make(fresh, check->off->version) != SQLITE_OK)
        e = aw_fail(err, AW_ERR_NO_MEMORY, "reading the schema: out of memory");
    if (!e)
        e = schema_compare(check, fresh, check->off->db, "is missing, or not as it should be", err);
    if (!e)
        e = schema_compare(check, check->off->db, fresh, "should not be there, or not so", err);
    sqlite3_close(fresh);
    *ret_same = check->n_kind == 0;
    check_kind_end(check);
    return e;
}

/* ---- Rules between rows ---------------------------------------------------------------------- */

static enum aw_err check_rule(struct check *check, const char *sql, struct aw_error *err)
{
    sqlite3_stmt *s = NULL;
    enum aw_err e = AW_OK;
    int rc = sqlite3_prepare_v2(check->off->db, sql, -1, &s, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
            check_wrong(check, "%s", (const char *)sqlite3_column_text(s, 0));
    }
    if (rc != SQLITE_DONE)
        e = check_failed(check, "looking at its records", err);
    sqlite3_finalize(s);
    check_kind_end(check);
    return e;
}

static enum aw_err check_rules(struct check *check, struct aw_error *err)
{
    static const struct {
        int since; /* which schema */
        const char *sql;
    } rules[] = {
#define X(sql) {1, sql},
        STORE_CHECK_MAP_1(X)
#undef X
#define X(sql) {2, sql},
            STORE_CHECK_MAP_2(X)
#undef X
#define X(sql) {3, sql},
                STORE_CHECK_MAP_3(X)
#undef X
    };
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < ARRAY_SIZE(rules); i++)
        if (rules[i].since <= check->off->version)
            e = check_rule(check, rules[i].sql, err);
    return e;
}

static void check_tag(struct check *check)
{
    struct offline_info info;
    struct aw_error why;

    if (offline_get_info(check->off, &info, &why))
        check_wrong(check, "%s", why.text);
    check_kind_end(check);
}

enum aw_err offline_check(struct offline *off, const struct offline_findings *to, void *arg,
                          struct aw_error *err)
{
    struct check check = {.off = off, .to = to, .arg = arg};
    bool same = false;
    enum aw_err e = check_file(&check, err);

    if (!e)
        e = check_schema(&check, &same, err);
    if (e || !same) /* then the rules below mean nothing */
        return e;
    check_tag(&check);
    e = check_rules(&check, err);
    return e ? e : check_rows(&check, err);
}
