/*
 * store_records.h - pieces of reading that more than one of store_*.c needs.
 */
#ifndef AW_STORE_RECORDS_H
#define AW_STORE_RECORDS_H

#include "daemon/engine/embedded/store_ops.h"
#include "daemon/engine/embedded/store_private.h"

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
