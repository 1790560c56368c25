/* The rows of new jobs, several in one statement. */
#include "daemon/engine/embedded/store_rows.h"

/* Binds a row as the k-th of its statement. */
static void row_bind(sqlite3_stmt *s, int k, const struct store_submit *op, size_t i)
{
    const struct store_row *row = &op->rows[i];
    enum aw_state state = op->births[i].state;
    bool apart = row->head.data != NULL;
    int at = k * STORE_ROW_COLUMNS;

    sqlite3_bind_int64(s, at + 1, (int64_t)row->number);
    sqlite3_bind_int(s, at + 2, (int)(state == AW_FAILED ? AW_BLOCKED : state));
    sqlite3_bind_int64(
        s, at + 3, row->flags | (apart ? STORE_SPEC_APART : 0) | (op->set.len ? STORE_IN_SET : 0));
    sqlite3_bind_int(s, at + 4, row->priority);
    sqlite3_bind_int64(s, at + 5, op->uid);
    sqlite3_bind_int64(s, at + 6, op->gid);
    sqlite3_bind_int64(s, at + 7, op->now_us);
    sqlite3_bind_int64(s, at + 8, row->due_us);
    sqlite3_bind_int64(s, at + 9, row->deadline_us);
    sqlite3_bind_int64(s, at + 10, row->overall_us);
    sqlite3_bind_int64(s, at + 11, row->retention_ms);
    sqlite3_bind_int64(s, at + 12, (int64_t)row->retry_of);
    store_bind_text(s, at + 13, row->key);
    store_bind_bytes(s, at + 14, apart ? row->head : row->spec);
    sqlite3_bind_int(s, at + 15, row->queue);
    sqlite3_bind_int64(s, at + 16, row->abandon_ms);
}

enum aw_err store_rows_write(struct store *st, struct aw_error *err)
{
    size_t n = st->late.n;
    enum aw_err e = AW_OK;

    st->late.n = 0;
    if (n == STORE_ROWS) {
        for (size_t i = 0; i < n; i++)
            row_bind(st->sql[SQL_INSERT_JOBS], (int)i, st->late.rows[i].op, st->late.rows[i].i);
        return store_exec(st, SQL_INSERT_JOBS, err);
    }
    for (size_t i = 0; !e && i < n; i++) {
        row_bind(st->sql[SQL_INSERT_JOB], 0, st->late.rows[i].op, st->late.rows[i].i);
        e = store_exec(st, SQL_INSERT_JOB, err);
    }
    return e;
}

enum aw_err store_row_add(struct store *st, const struct store_submit *op, size_t i,
                          struct aw_error *err)
{
    st->late.rows[st->late.n].op = op;
    st->late.rows[st->late.n].i = i;
    st->late.n++;
    st->late.n_ever++;
    return op->op.adds_only && st->late.n < STORE_ROWS ? AW_OK : store_rows_write(st, err);
}

void store_rows_undo(struct store *st)
{
    st->late.n = 0;
}
