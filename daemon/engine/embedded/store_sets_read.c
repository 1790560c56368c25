/* Sets: what only reads them, and how far a consumer has come. */
#include "daemon/engine/embedded/store_sets.h"

#include <inttypes.h>

/* Rows of members that one operation looks at for their times. */
#define TIMES_SLICE 5000

/* ---- Pages --------------------------------------------------------------------------------- */

static enum aw_err cursor_read(struct store *st, uint64_t bag, struct bytes consumer,
                               bool *ret_found, uint64_t *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_CURSOR_FIND];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)bag);
    sqlite3_bind_text(s, 2, consumer.len ? consumer.data : "", (int)consumer.len, SQLITE_STATIC);
    rc = sqlite3_step(s);
    *ret_found = rc == SQLITE_ROW;
    *ret = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "reading a cursor");
    sqlite3_reset(s);
    return e;
}

static enum aw_err cursor_may_add(struct store *st, uint64_t bag, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_CURSOR_COUNT];
    enum aw_err e = AW_OK;

    sqlite3_bind_int64(s, 1, (int64_t)bag);
    if (sqlite3_step(s) != SQLITE_ROW)
        e = store_fail(st, err, "counting consumers");
    else if (sqlite3_column_int64(s, 0) >= AW_MAX_CONSUMERS)
        e = aw_fail(err, AW_ERR_LIMIT, "consumer: the set has %d of them, and no more are taken",
                    AW_MAX_CONSUMERS);
    sqlite3_reset(s);
    return e;
}

/* Moves the cursor to op->ack, unless it is there or further; *cursor: as it is then. */
static enum aw_err cursor_move(struct store *st, const struct store_set_page *op, bool found,
                               uint64_t *cursor, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_CURSOR_MOVE];
    struct bytes consumer = op->consumer;
    const struct set_info *info = &op->page.set;
    enum aw_err e = AW_OK;

    if (op->ack > info->status.n_ended)
        return aw_fail(err, AW_ERR_INVALID,
                       "ack: %" PRIu64 " is beyond the last completion, which is %" PRIu64, op->ack,
                       info->status.n_ended);
    if (op->ack <= *cursor)
        return AW_OK;
    if (!found)
        e = cursor_may_add(st, info->id, err);
    if (e)
        return e;
    sqlite3_bind_int64(s, 1, (int64_t)info->id);
    sqlite3_bind_text(s, 2, consumer.len ? consumer.data : "", (int)consumer.len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (int64_t)op->ack);
    *cursor = op->ack;
    return store_exec(st, SQL_CURSOR_MOVE, err);
}

/* One row of SQL_MEMBER_PAGE or SQL_COMPLETION_PAGE: the job's record, or what the row knows. */
static enum aw_err page_row(struct store_set_page *op, sqlite3_stmt *s, struct found *ret,
                            struct aw_error *err)
{
    enum { NUMBER = STORE_N_RECORD_COLUMNS, PLACE, STATE, CLASS, ENDED_US };
    uint64_t number = (uint64_t)sqlite3_column_int64(s, NUMBER);
    enum aw_err e = store_found_columns(s, number, &op->arena, ret, err);

    if (e || !ret->err || sqlite3_column_int64(s, PLACE) == 0)
        return e;
    ret->record.state = (enum aw_state)sqlite3_column_int(s, STATE);
    ret->record.class = (enum aw_class)sqlite3_column_int(s, CLASS);
    ret->record.ended_us = sqlite3_column_int64(s, ENDED_US);
    return AW_OK;
}

static enum aw_err page_read(struct store *st, struct store_set_page *op, enum store_sql which,
                             uint64_t after, size_t n, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[which];
    struct found *jobs = store_arena_take(&op->arena, n * sizeof(*jobs));
    enum aw_err e = AW_OK;
    int rc = SQLITE_DONE;

    if (!jobs)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    op->page.jobs = jobs;
    sqlite3_bind_int64(s, 1, (int64_t)op->page.set.id);
    sqlite3_bind_int64(s, 2, (int64_t)after);
    sqlite3_bind_int64(s, 3, (int64_t)n);
    while (!e && op->page.n < n && (rc = sqlite3_step(s)) == SQLITE_ROW)
        e = page_row(op, s, &jobs[op->page.n++], err);
    if (!e && rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "reading a set");
    sqlite3_reset(s);
    return e;
}

/* How many there are behind `after`, if `last` is the last one, and no more than the page takes. */
static size_t rows_behind(uint64_t after, uint64_t last, size_t limit)
{
    return after < last ? (size_t)MIN(last - after, (uint64_t)limit) : 0;
}

static enum aw_err completions_run(struct store *st, struct store_set_page *op,
                                   struct aw_error *err)
{
    uint64_t cursor = 0, after, n_ended = op->page.set.status.n_ended;
    bool found = false;
    size_t n;
    enum aw_err e = cursor_read(st, op->page.set.id, op->consumer, &found, &cursor, err);

    if (!e && op->ack)
        e = cursor_move(st, op, found, &cursor, err);
    if (e)
        return e;
    after = op->after < 0 ? cursor : (uint64_t)op->after;
    op->page.first = after + 1;
    op->page.cursor = cursor;
    n = rows_behind(after, n_ended, op->limit);
    return n ? page_read(st, op, SQL_COMPLETION_PAGE, after, n, err) : AW_OK;
}

static enum aw_err members_run(struct store *st, struct store_set_page *op, struct aw_error *err)
{
    uint64_t after = (uint64_t)op->after, n_members = op->page.set.status.n_members;
    size_t n = rows_behind(after, n_members, op->limit);

    op->page.first = after + 1;
    op->page.cursor = n && after + n < n_members ? after + n : 0;
    return n ? page_read(st, op, SQL_MEMBER_PAGE, after, n, err) : AW_OK;
}

static enum aw_err page_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_set_page *op = (struct store_set_page *)base;
    enum aw_err e;

    store_arena_free(&op->arena);
    op->page = (struct set_page){0};
    e = store_set_find(st, &op->set, &op->page.set, err);
    if (e)
        return e;
    return op->completions ? completions_run(st, op, err) : members_run(st, op, err);
}

void store_set_page_init(struct store_set_page *op)
{
    op->op.run = page_run;
    op->op.writes = op->ack > 0;
}

/* ---- Lists --------------------------------------------------------------------------------- */

static bool begins_with(struct bytes name, struct bytes prefix)
{
    return prefix.len <= name.len && memcmp(name.data, prefix.data, prefix.len) == 0;
}

/* In the order of names. */
static bool is_behind(struct bytes a, struct bytes b)
{
    int order = a.len && b.len ? memcmp(a.data, b.data, MIN(a.len, b.len)) : 0;

    return order ? order > 0 : a.len > b.len;
}

static enum aw_err list_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_set_list *op = (struct store_set_list *)base;
    const struct set_list_filter *f = &op->filter;
    struct bytes from = is_behind(f->after, f->prefix) ? f->after : f->prefix;
    sqlite3_stmt *s = st->sql[SQL_SET_LIST];
    enum aw_err e = AW_OK;
    int rc = SQLITE_ROW;

    store_arena_free(&op->arena);
    op->n = 0;
    op->more = false;
    sqlite3_bind_int64(s, 1, f->uid);
    /* Wherever the index is entered, it is near where the page begins. */
    sqlite3_bind_text(s, 2, from.len ? from.data : "", (int)from.len, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, f->after.len ? f->after.data : "", (int)f->after.len, SQLITE_STATIC);
    while (!e && !op->more && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct bytes name =
            bytes_of(sqlite3_column_blob(s, 11), (size_t)sqlite3_column_bytes(s, 11));

        if (f->prefix.len && (!name.data || !begins_with(name, f->prefix)))
            break;
        op->more = op->n == f->limit;
        if (op->more)
            break;
        store_set_columns(s, &op->infos[op->n]);
        e = store_column_copy(s, 11, &op->arena, &op->infos[op->n++].status.name, err);
    }
    if (!e && rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "listing sets");
    sqlite3_reset(s);
    return e;
}

void store_set_list_init(struct store_set_list *op)
{
    op->op.run = list_run;
    op->op.writes = false;
}

/* ---- Times --------------------------------------------------------------------------------- */

static void time_record(struct histogram *h, sqlite3_stmt *s, int col)
{
    if (sqlite3_column_type(s, col) != SQLITE_NULL)
        histogram_record(h, sqlite3_column_int64(s, col));
}

static void times_row(struct store_set_times *op, uint64_t upto, sqlite3_stmt *s)
{
    uint64_t place = (uint64_t)sqlite3_column_int64(s, 1);

    op->last = (uint64_t)sqlite3_column_int64(s, 0);
    if (place == 0 || place > upto)
        return;
    time_record(&op->queue_wait, s, 2);
    time_record(&op->run, s, 3);
    time_record(&op->total, s, 4);
}

static enum aw_err times_slice(struct store *st, struct store_set_times *op, uint64_t id,
                               uint64_t upto, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_MEMBER_TIMES];
    enum aw_err e = AW_OK;
    int rc, n = 0;

    sqlite3_bind_int64(s, 1, (int64_t)id);
    sqlite3_bind_int64(s, 2, (int64_t)op->after);
    sqlite3_bind_int64(s, 3, TIMES_SLICE);
    for (; (rc = sqlite3_step(s)) == SQLITE_ROW; n++)
        times_row(op, upto, s);
    if (rc != SQLITE_DONE)
        e = store_fail(st, err, "reading a set's times");
    if (n < TIMES_SLICE)
        op->last = 0;
    sqlite3_reset(s);
    return e;
}

static enum aw_err times_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_set_times *op = (struct store_set_times *)base;
    struct set_info now = {0};
    bool found = false;
    enum aw_err e;

    op->queue_wait = op->run = op->total = (struct histogram){0};
    op->last = 0;
    if (!op->id) {
        e = store_set_find(st, &op->set, &op->info, err);
        return e ? e : times_slice(st, op, op->info.id, op->info.status.n_ended, err);
    }
    e = store_set_by_id(st, op->id, &now, &found, err);
    if (!e && !found)
        e = aw_fail(err, AW_ERR_NO_SET, "set %.*s: it is gone", (int)op->set.name.len,
                    (const char *)op->set.name.data);
    return e ? e : times_slice(st, op, op->id, op->upto, err);
}

void store_set_times_init(struct store_set_times *op)
{
    op->op.run = times_run;
    op->op.writes = false;
}

/* ---- The sets of a job ---------------------------------------------------------------------- */

static enum aw_err id_add(struct store_sets_of *op, uint64_t id, struct aw_error *err)
{
    uint64_t *ids = store_list_grow(op->ids, op->n, &op->room, sizeof(*ids));

    if (!ids)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    op->ids = ids;
    ids[op->n++] = id;
    return AW_OK;
}

static enum aw_err sets_of_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_sets_of *op = (struct store_sets_of *)base;
    struct membership m = {0};
    bool found = false;
    enum aw_err e;

    op->n = 0;
    do {
        struct set_info info;

        e = store_membership_next(st, op->number, m.bag, &m, err);
        if (!e && m.bag)
            e = store_set_by_id(st, m.bag, &info, &found, err);
        if (e || !m.bag || !found)
            continue;
        e = id_add(op, m.bag, err);
    } while (!e && m.bag);
    return e;
}

void store_sets_of_init(struct store_sets_of *op)
{
    op->op.run = sets_of_run;
    op->op.writes = false;
}
