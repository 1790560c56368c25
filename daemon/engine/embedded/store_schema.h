/*
 * store_schema.h - the versions of the schema, and the way from each to the next.
 *
 * The version is in the database's header (PRAGMA user_version). A store is made at the newest one;
 * an older one is brought there when it is opened, step by step. Each step is one transaction, and
 * the version is written in it: whenever the process or the machine dies, the store is whole, at
 * the version before the step or at the one after it. One that is damaged is refused, and left as
 * it is. No copy is made first, as a transaction that fails leaves nothing behind; whoever wants
 * to be able to go back makes a backup (awctl backup).
 *
 * There is no way back: a store that is newer than this program is refused, and left as it is.
 *
 * How to add a version: a string STORE_SCHEMA_n in store_sql.h, which is what leads there from
 * n - 1; its name in store_schema.c; STORE_SCHEMA_VERSION one more; the rules that hold from then
 * on in store_check_sql.h; a fixture of what was released before (tests/fixtures/README.md). A step
 * that was released is never changed again.
 */
#ifndef AW_STORE_SCHEMA_H
#define AW_STORE_SCHEMA_H

#include <sqlite3.h>

#include "daemon/engine/embedded/store_sql.h"
#include "proto/base.h"

struct store;

/* A sentence's part for a version that is newer; takes the version as long long. */
#define STORE_SCHEMA_NEWER                                                      \
    "schema %lld is newer than this awd, which knows up to " STORE_SCHEMA_TEXT( \
        STORE_SCHEMA_VERSION) "; there is no way back: it was left as it is"
#define STORE_SCHEMA_TEXT_(x) #x
#define STORE_SCHEMA_TEXT(x)  STORE_SCHEMA_TEXT_(x)

/*
 * Brings the store to the newest version; one without tables is made. The store's thread, or the
 * one that opens it. AW_ERR_STORE: it is newer, or another program's; as store_fail() otherwise.
 * The caller closes the database on failure, by which an open transaction is rolled back.
 */
AW_MUSTCHECK enum aw_err store_schema_update(struct store *st, struct aw_error *err);

/*
 * Makes the tables of a version in an empty database, to hold another one against them. Returns
 * what SQLite says. version: 1 to STORE_SCHEMA_VERSION.
 */
AW_MUSTCHECK int store_schema_make(sqlite3 *db, int version);

#endif
