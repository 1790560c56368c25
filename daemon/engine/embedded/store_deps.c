/* Operations on jobs that wait for others: what parents say at submit, and by their ends. */
#include "daemon/engine/embedded/deps.h"
#include "daemon/engine/embedded/store_records.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *field; /* of a submit */
    const char *need;
} kinds[] = {
    [PARENT_SUCCEEDED] = {"after", "to succeed"},
    [PARENT_ENDED] = {"after_any", "to end"},
    [PARENT_FAILED] = {"after_fail", "to fail"},
};

/* Why a job cannot run any more. */
static void cause_write(char *text, size_t size, const char *tag, const struct parent *parent,
                        enum aw_state ended)
{
    snprintf(text, size, "%s-%" PRIu64 ", which it needs %s, %s%s", tag, parent->number,
             kinds[parent->kind].need, ended == AW_CANCELLED ? "was " : "", aw_state_name(ended));
}

struct parent_row {
    bool found;
    enum aw_state state;
    uint32_t uid;
};

static enum aw_err parent_read(struct store *st, uint64_t number, struct parent_row *ret,
                               struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_PARENT];
    enum aw_err e = AW_OK;
    int rc;

    *ret = (struct parent_row){0};
    sqlite3_bind_int64(s, 1, (int64_t)number);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret = (struct parent_row){true, (enum aw_state)sqlite3_column_int(s, 0),
                                   (uint32_t)sqlite3_column_int64(s, 1)};
    else if (rc != SQLITE_DONE)
        e = store_fail(st, err, "reading a parent");
    sqlite3_reset(s);
    return e;
}

/* ---- At submit ------------------------------------------------------------------------------ */

static enum aw_err refuse_parent(const struct store_submit *op, size_t i,
                                 const struct parent *parent, enum aw_err code,
                                 struct aw_error *err)
{
    return aw_fail(err, code, "jobs[%zu].%s: %s-%" PRIu64 ": %s", i, kinds[parent->kind].field,
                   op->tag, parent->number, aw_err_text(code));
}

/* Numbers from the submit's first one on were not issued when it was made. */
static bool is_unknown(const struct store_submit *op, uint64_t number, const struct parent_row *row)
{
    return number == 0 || number >= op->rows[0].number ||
           (row->found && row->uid != op->uid && !op->admin);
}

enum aw_err store_parents_judge(struct store *st, struct store_submit *op, size_t i,
                                struct aw_error *err)
{
    const struct store_row *row = &op->rows[i];
    struct store_birth *birth = &op->births[i];

    for (size_t k = 0; k < row->n_parents; k++) {
        const struct parent *parent = &row->parents[k];
        struct parent_row found;
        enum aw_err e = parent_read(st, parent->number, &found, err);

        if (e)
            return e;
        if (is_unknown(op, parent->number, &found))
            return refuse_parent(op, i, parent, AW_ERR_UNKNOWN_ID, err);
        if (!found.found && parent->kind != PARENT_ENDED)
            return refuse_parent(op, i, parent, AW_ERR_EXPIRED_ID, err);
        row->open[k] = found.found && !aw_state_is_final(found.state);
        if (row->open[k] && birth->state != AW_FAILED)
            birth->state = AW_BLOCKED;
        if (!found.found || row->open[k] || deps_holds(parent->kind, found.state) ||
            birth->state == AW_FAILED)
            continue;
        birth->state = AW_FAILED;
        birth->cause = *parent;
        birth->cause_ended = found.state;
    }
    return AW_OK;
}

static enum aw_err edges_add(struct store *st, const struct store_row *row, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_DEP_ADD];
    enum aw_err e = AW_OK;

    for (size_t k = 0; !e && k < row->n_parents; k++) {
        if (!row->open[k])
            continue;
        sqlite3_bind_int64(s, 1, (int64_t)row->parents[k].number);
        sqlite3_bind_int64(s, 2, (int64_t)row->number);
        sqlite3_bind_int(s, 3, (int)row->parents[k].kind);
        e = store_exec(st, SQL_DEP_ADD, err);
    }
    return e;
}

enum aw_err store_birth_record(struct store *st, struct store_submit *op, size_t i,
                               struct aw_error *err)
{
    const struct store_birth *birth = &op->births[i];
    char why[AW_MAX_MESSAGE_TEXT];
    struct store_ending end = {AW_FAILED,  AW_CLASS_DEPENDENCY,      why,
                               op->now_us, op->default_retention_ms, &op->effects};

    if (birth->state == AW_BLOCKED)
        return edges_add(st, &op->rows[i], err);
    if (birth->state != AW_FAILED)
        return AW_OK;
    cause_write(why, sizeof(why), op->tag, &birth->cause, birth->cause_ended);
    return store_end_one(st, op->rows[i].number, &end, &op->expires_us, err);
}

/* ---- After a parent's end -------------------------------------------------------------------- */

/* Removes the edges between the two; those that do not hold are *ret_cause. */
static enum aw_err edges_take(struct store *st, const struct dep_pair *pair, enum aw_state ended,
                              size_t *ret_n, struct parent *ret_cause, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_DEP_KINDS];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)pair->parent);
    sqlite3_bind_int64(s, 2, (int64_t)pair->child);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        enum parent_kind kind = (enum parent_kind)sqlite3_column_int(s, 0);

        ++*ret_n;
        if (!deps_holds(kind, ended))
            *ret_cause = (struct parent){pair->parent, kind};
    }
    if (rc != SQLITE_DONE)
        e = store_fail(st, err, "reading a dependency");
    sqlite3_reset(s);
    if (e || *ret_n == 0)
        return e;
    sqlite3_bind_int64(st->sql[SQL_DEP_TAKE], 1, (int64_t)pair->parent);
    sqlite3_bind_int64(st->sql[SQL_DEP_TAKE], 2, (int64_t)pair->child);
    return store_exec(st, SQL_DEP_TAKE, err);
}

/* Does it still wait for somebody? */
static enum aw_err is_waiting(struct store *st, uint64_t child, bool *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_DEP_PARENT];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)child);
    rc = sqlite3_step(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "reading a dependency");
    *ret = rc == SQLITE_ROW;
    sqlite3_reset(s);
    return e;
}

/*
 * The look beforehand is for those with many parents: an UPDATE with RETURNING costs several times
 * as much, also if it changes nothing.
 */
static enum aw_err unblock(struct store *st, uint64_t child, int64_t now_us, enum aw_state *ret_to,
                           struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_UNBLOCK];
    bool waiting = false;
    enum aw_err e = is_waiting(st, child, &waiting, err);
    int rc;

    if (e || waiting)
        return e;
    sqlite3_bind_int64(s, 1, (int64_t)child);
    sqlite3_bind_int64(s, 2, now_us);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret_to = (enum aw_state)sqlite3_column_int(s, 0);
    else if (rc != SQLITE_DONE)
        e = store_fail(st, err, "unblocking a job");
    sqlite3_reset(s);
    return e;
}

/* The edges are gone when the child was cancelled, or failed by an earlier pair: nothing to do. */
static enum aw_err resolve_one(struct store *st, struct store_resolve *op, size_t i,
                               enum aw_state ended, struct aw_error *err)
{
    const struct dep_pair *pair = &op->pairs[i];
    struct parent cause = {0};
    char why[AW_MAX_MESSAGE_TEXT];
    struct store_ending end = {AW_FAILED,  AW_CLASS_DEPENDENCY,      why,
                               op->now_us, op->default_retention_ms, &op->effects};
    size_t n = 0;
    enum aw_err e = edges_take(st, pair, ended, &n, &cause, err);

    op->to[i] = AW_BLOCKED;
    if (e || n == 0)
        return e;
    if (!cause.number)
        return unblock(st, pair->child, op->now_us, &op->to[i], err);
    cause_write(why, sizeof(why), op->tag, &cause, ended);
    op->to[i] = AW_FAILED;
    return store_end_one(st, pair->child, &end, &op->expires_us, err);
}

static enum aw_err resolve_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_resolve *op = (struct store_resolve *)base;
    struct parent_row parent = {0};
    enum aw_err e = AW_OK;

    op->expires_us = 0;
    store_effects_empty(&op->effects);
    for (size_t i = 0; !e && i < op->n; i++) {
        if (i == 0 || op->pairs[i].parent != op->pairs[i - 1].parent)
            e = parent_read(st, op->pairs[i].parent, &parent, err);
        if (!e && (!parent.found || !aw_state_is_final(parent.state)))
            e = aw_fail(err, AW_ERR_INTERNAL, "store: job %" PRIu64 " has not ended",
                        op->pairs[i].parent);
        if (!e)
            e = resolve_one(st, op, i, parent.state, err);
    }
    return e;
}

void store_resolve_init(struct store_resolve *op)
{
    op->op.run = resolve_run;
    op->op.writes = true;
}
