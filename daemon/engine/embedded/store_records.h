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

/* Memory of the arena's, aligned for whatever it is to hold; NULL: out of memory. */
void *store_arena_take(struct store_arena *arena, size_t size);

/* Copies a column into the arena; NULL and 0 for an SQL NULL. AW_ERR_NO_MEMORY. */
AW_MUSTCHECK enum aw_err store_column_copy(sqlite3_stmt *s, int col, struct store_arena *arena,
                                           struct bytes *ret, struct aw_error *err);

/* What engine_get() says about one job; ret->err: AW_OK or AW_ERR_EXPIRED_ID. */
AW_MUSTCHECK enum aw_err store_found_read(struct store *st, uint64_t number, unsigned what,
                                          struct store_arena *arena, struct found *ret,
                                          struct aw_error *err);

#define STORE_N_RECORD_COLUMNS 26 /* STORE_RECORD_COLUMNS */

/* The same of a row whose first columns are STORE_RECORD_COLUMNS; all NULL: there is no record. */
AW_MUSTCHECK enum aw_err store_found_columns(sqlite3_stmt *s, uint64_t number,
                                             struct store_arena *arena, struct found *ret,
                                             struct aw_error *err);

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

/* How a job that waits ends. */
struct store_ending {
    enum aw_state to;
    enum aw_class class;
    const char *message; /* "": none, or the one that is there */
    int64_t now_us, default_retention_ms;
    struct store_effects *effects;
};

/*
 * Ends a job, if it waits; what it waited for is forgotten. *expires_us becomes the smaller of
 * what it is, if not 0, and the time when the job expires.
 */
AW_MUSTCHECK enum aw_err store_end_one(struct store *st, uint64_t number,
                                       const struct store_ending *end, int64_t *expires_us,
                                       struct aw_error *err);

/*
 * Looks at the parents of a new job and writes op->births[i] (made with the state of its row) and
 * the row's open[]. Only reads. AW_ERR_UNKNOWN_ID, AW_ERR_EXPIRED_ID, with a sentence.
 */
AW_MUSTCHECK enum aw_err store_parents_judge(struct store *st, struct store_submit *op, size_t i,
                                             struct aw_error *err);

/* Records what was found, for a job whose row was just added as op->births[i] says (a failed one
 * as blocked). */
AW_MUSTCHECK enum aw_err store_birth_record(struct store *st, struct store_submit *op, size_t i,
                                            struct aw_error *err);

#endif
