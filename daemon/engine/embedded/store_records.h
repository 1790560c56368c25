/*
 * store_records.h - pieces of reading and writing that more than one of store_*.c needs.
 */
#ifndef AW_STORE_RECORDS_H
#define AW_STORE_RECORDS_H

#include "daemon/engine/embedded/store_ops.h"
#include "daemon/engine/embedded/store_private.h"

/* Binds bytes that stay where they are until the statement ran; text: empty is NULL, too. */
static inline void store_bind_bytes(sqlite3_stmt *s, int col, struct bytes b)
{
    if (b.data)
        sqlite3_bind_blob(s, col, b.data, (int)b.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, col);
}

static inline void store_bind_text(sqlite3_stmt *s, int col, struct bytes b)
{
    if (b.data && b.len)
        sqlite3_bind_text(s, col, b.data, (int)b.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, col);
}

/* Copies a column into the arena; NULL and 0 for an SQL NULL. AW_ERR_NO_MEMORY. */
AW_MUSTCHECK enum aw_err store_column_copy(sqlite3_stmt *s, int col, struct store_arena *arena,
                                           struct bytes *ret, struct aw_error *err);

/* The whole specification of a job whose row has only its head (STORE_SPEC_APART). */
AW_MUSTCHECK enum aw_err store_spec_read(struct store *st, uint64_t number,
                                         struct store_arena *arena, struct bytes *ret,
                                         struct aw_error *err);

/*
 * The state of a job: ret->err is AW_ERR_WRONG_STATE (whoever asked decides whether it is wrong)
 * or AW_ERR_EXPIRED_ID; *ret_gone is what would go with it.
 */
AW_MUSTCHECK enum aw_err store_state_read(struct store *st, uint64_t number, struct job_result *ret,
                                          struct gone *ret_gone, struct aw_error *err);

#endif
