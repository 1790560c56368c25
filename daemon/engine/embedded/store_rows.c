/* The rows of new jobs, several in one statement. */
#include "daemon/engine/embedded/store_rows.h"

/* A row that waits, or is being written. */
static const struct store_row *row_at(const struct store *st, size_t k)
{
    return &st->late.rows[k].op->rows[st->late.rows[k].i];
}

static int state_of(const struct store *st, size_t k)
{
    enum aw_state state = st->late.rows[k].op->births[st->late.rows[k].i].state;

    return (int)(state == AW_FAILED ? AW_BLOCKED : state);
}

static int64_t flags_of(const struct store *st, size_t k)
{
    const struct store_row *row = row_at(st, k);

    return row->flags | (row->head.data ? STORE_SPEC_APART : 0) |
           (st->late.rows[k].op->set.len ? STORE_IN_SET : 0);
}

static struct bytes spec_of(const struct store_row *row)
{
    return row->head.data ? row->head : row->spec;
}

/* Binds the k-th row from column `at` on. */
static void row_bind(sqlite3_stmt *s, int at, const struct store *st, size_t k)
{
    const struct store_submit *op = st->late.rows[k].op;
    const struct store_row *row = row_at(st, k);

    sqlite3_bind_int64(s, at + 1, (int64_t)row->number);
    sqlite3_bind_int(s, at + 2, state_of(st, k));
    sqlite3_bind_int64(s, at + 3, flags_of(st, k));
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
    store_bind_bytes(s, at + 14, spec_of(row));
    sqlite3_bind_int(s, at + 15, row->queue);
    sqlite3_bind_int64(s, at + 16, row->abandon_ms);
}

/* Nothing was asked for that most do not ask for. */
static bool is_plain(const struct store_row *row)
{
    return !row->key.len && !row->due_us && !row->deadline_us && !row->overall_us &&
           !row->retry_of && !row->abandon_ms;
}

/* Do rows a and b differ in nothing but what INSERT_ALIKE lets differ? */
static bool are_alike(const struct store *st, size_t a, size_t b)
{
    const struct store_row *row = row_at(st, a), *other = row_at(st, b);
    const struct store_submit *op = st->late.rows[a].op, *other_op = st->late.rows[b].op;

    return is_plain(row) && op->uid == other_op->uid && op->gid == other_op->gid &&
           row->priority == other->priority && row->retention_ms == other->retention_ms &&
           row->queue == other->queue && state_of(st, a) == state_of(st, b) &&
           flags_of(st, a) == flags_of(st, b);
}

static bool all_alike(const struct store *st)
{
    for (size_t k = 0; k < STORE_ROWS; k++)
        if (!are_alike(st, k, 0))
            return false;
    return true;
}

static void alike_bind(sqlite3_stmt *s, const struct store *st)
{
    const struct store_row *first = row_at(st, 0);

    sqlite3_bind_int(s, 1, state_of(st, 0));
    sqlite3_bind_int64(s, 2, flags_of(st, 0));
    sqlite3_bind_int(s, 3, first->priority);
    sqlite3_bind_int64(s, 4, st->late.rows[0].op->uid);
    sqlite3_bind_int64(s, 5, st->late.rows[0].op->gid);
    sqlite3_bind_int64(s, 6, first->retention_ms);
    sqlite3_bind_int(s, 7, first->queue);
    for (size_t k = 0; k < STORE_ROWS; k++) {
        int at = STORE_ALIKE_SHARED + (int)k * STORE_ALIKE_COLUMNS;

        sqlite3_bind_int64(s, at + 1, (int64_t)row_at(st, k)->number);
        sqlite3_bind_int64(s, at + 2, st->late.rows[k].op->now_us);
        store_bind_bytes(s, at + 3, spec_of(row_at(st, k)));
    }
}

enum aw_err store_rows_write(struct store *st, struct aw_error *err)
{
    size_t n = st->late.n;
    enum aw_err e = AW_OK;

    st->late.n = 0;
    if (n == STORE_ROWS && all_alike(st)) {
        alike_bind(st->sql[SQL_INSERT_ALIKE], st);
        return store_exec(st, SQL_INSERT_ALIKE, err);
    }
    if (n == STORE_ROWS) {
        for (size_t k = 0; k < n; k++)
            row_bind(st->sql[SQL_INSERT_JOBS], (int)k * STORE_ROW_COLUMNS, st, k);
        return store_exec(st, SQL_INSERT_JOBS, err);
    }
    for (size_t k = 0; !e && k < n; k++) {
        row_bind(st->sql[SQL_INSERT_JOB], 0, st, k);
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
