/* Sets: how they go. */
#include "daemon/engine/embedded/store_accounts.h"
#include "daemon/engine/embedded/store_sets.h"

/*
 * A head goes at once, and with it the name; what ends from then on finds no head and stays out.
 * The rows of members and completions go in slices, the first with the head: a set that has more is
 * doomed, and what is left of it goes in later operations.
 */
#define REMOVE_SLICE 1000
/* Rows in one sweep, roughly. */
#define SWEEP_ROWS 5000

static enum aw_err exec_id(struct store *st, enum store_sql which, uint64_t id,
                           struct aw_error *err)
{
    sqlite3_bind_int64(st->sql[which], 1, (int64_t)id);
    return store_exec(st, which, err);
}

/* The first rows of what is left. *ret_all: nothing was left. */
static enum aw_err slice_delete(struct store *st, uint64_t id, bool *ret_all, struct aw_error *err)
{
    static const enum store_sql tables[] = {SQL_DOOMED_MEMBERS, SQL_DOOMED_COMPLETIONS};
    enum aw_err e = AW_OK;

    *ret_all = true;
    for (size_t i = 0; !e && i < ARRAY_SIZE(tables); i++) {
        sqlite3_bind_int64(st->sql[tables[i]], 2, REMOVE_SLICE);
        e = exec_id(st, tables[i], id, err);
        if (sqlite3_changes(st->db))
            *ret_all = false;
    }
    return e;
}

/* *ret_more: rows of it are left. */
static enum aw_err set_remove(struct store *st, const struct set_info *info,
                              struct store_effects *effects, bool *ret_more, struct aw_error *err)
{
    const struct account_change less = {.uid = (uint32_t)info->status.uid, .sets = -1};
    struct store_set_change *change = NULL;
    bool all;
    enum aw_err e = store_sets_count(st, err);

    if (!e)
        e = exec_id(st, SQL_SET_DELETE, info->id, err);
    if (!e)
        e = exec_id(st, SQL_CURSOR_DELETE, info->id, err);
    if (!e)
        e = slice_delete(st, info->id, &all, err);
    *ret_more = info->status.n_members > REMOVE_SLICE;
    if (!e && *ret_more)
        e = exec_id(st, SQL_DOOMED_ADD, info->id, err);
    if (!e)
        e = store_account_add(st, &less, effects, err);
    if (!e)
        e = store_set_changed(effects, info, &change, err);
    if (e)
        return e;
    change->gone = true;
    st->n_sets--;
    return AW_OK;
}

static enum aw_err forget_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_set_forget *op = (struct store_set_forget *)base;
    struct set_info info;
    enum aw_err e;

    store_effects_empty(&op->effects);
    e = store_set_find(st, &op->set, &info, err);
    return e ? e : set_remove(st, &info, &op->effects, &op->more, err);
}

void store_set_forget_init(struct store_set_forget *op)
{
    op->op.run = forget_run;
    op->op.writes = true;
}

/* ---- Sweeping ------------------------------------------------------------------------------- */

/* Runs a statement that finds one integer; 0 for NULL, and for none. */
static enum aw_err find_int(struct store *st, enum store_sql which, int64_t *ret,
                            struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[which];
    enum aw_err e = AW_OK;
    int rc = sqlite3_step(s);

    *ret = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "looking for sets to remove");
    sqlite3_reset(s);
    return e;
}

static enum aw_err sweep_doomed(struct store *st, int64_t *rows, struct aw_error *err)
{
    int64_t id = 0;
    bool all = false;
    enum aw_err e = find_int(st, SQL_DOOMED_FIRST, &id, err);

    while (!e && id && *rows > 0) {
        e = slice_delete(st, (uint64_t)id, &all, err);
        *rows -= REMOVE_SLICE;
        if (!e && all)
            e = exec_id(st, SQL_DOOMED_DELETE, (uint64_t)id, err);
        if (!e && all)
            e = find_int(st, SQL_DOOMED_FIRST, &id, err);
    }
    return e;
}

static enum aw_err sweep_one(struct store *st, struct store_set_sweep *op, uint64_t id,
                             int64_t *rows, struct aw_error *err)
{
    struct set_info info;
    bool found = false, more = false;
    enum aw_err e = store_set_by_id(st, id, &info, &found, err);

    if (e || !found)
        return e;
    e = set_remove(st, &info, &op->effects, &more, err);
    op->more |= more;
    *rows -= 1 + (int64_t)MIN(info.status.n_members, (uint64_t)REMOVE_SLICE);
    return e;
}

static enum aw_err sweep_complete(struct store *st, struct store_set_sweep *op, int64_t *rows,
                                  struct aw_error *err)
{
    int64_t id = 1;
    enum aw_err e = AW_OK;

    while (!e && id && *rows > 0) {
        sqlite3_bind_int64(st->sql[SQL_SET_COMPLETE], 1, op->complete_us);
        e = find_int(st, SQL_SET_COMPLETE, &id, err);
        if (!e && id)
            e = sweep_one(st, op, (uint64_t)id, rows, err);
    }
    return e;
}

static enum aw_err sweep_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_set_sweep *op = (struct store_set_sweep *)base;
    int64_t rows = SWEEP_ROWS;
    enum aw_err e;

    store_effects_empty(&op->effects);
    op->more = false;
    e = sweep_doomed(st, &rows, err);
    for (size_t i = 0; !e && rows > 0 && i < op->n; i++)
        e = sweep_one(st, op, op->ids[i], &rows, err);
    if (!e)
        e = sweep_complete(st, op, &rows, err);
    op->more |= rows <= 0;
    return e ? e : find_int(st, SQL_SET_NEXT_COMPLETE, &op->next_us, err);
}

void store_set_sweep_init(struct store_set_sweep *op)
{
    op->op.run = sweep_run;
    op->op.writes = true;
}
