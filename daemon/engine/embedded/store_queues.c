/* Operations on queues, and on the place of jobs in them. */
#include "daemon/engine/embedded/store_records.h"

void store_queue_read(sqlite3_stmt *s, struct store_queue_row *ret)
{
    const void *name = sqlite3_column_blob(s, 1);
    size_t len = MIN((size_t)sqlite3_column_bytes(s, 1), sizeof(ret->name) - 1);

    *ret = (struct store_queue_row){
        .id = sqlite3_column_int(s, 0),
        .slots = (unsigned)sqlite3_column_int(s, 2),
        .limit = (unsigned)sqlite3_column_int(s, 3),
        .priority = sqlite3_column_int(s, 4),
        .paused = sqlite3_column_int(s, 5),
        .draining = sqlite3_column_int(s, 6),
        .rate = (uint64_t)sqlite3_column_int64(s, 7),
        .rate_ms = (uint64_t)sqlite3_column_int64(s, 8),
    };
    if (name && len)
        memcpy(ret->name, name, len);
}

static void bind_setting(sqlite3_stmt *s, int col, int64_t value)
{
    if (value < 0)
        sqlite3_bind_null(s, col);
    else
        sqlite3_bind_int64(s, col, value);
}

/* Whatever is not to be changed is NULL. */
static void queue_bind(sqlite3_stmt *s, const struct store_queue_set *op)
{
    const struct queue_change *c = &op->change;

    store_bind_text(s, 1, op->name);
    bind_setting(s, 2, c->slots);
    bind_setting(s, 3, c->limit);
    if (c->priority)
        sqlite3_bind_int(s, 4, *c->priority);
    else
        sqlite3_bind_null(s, 4);
    bind_setting(s, 5, c->paused);
    bind_setting(s, 6, c->draining);
    bind_setting(s, 7, c->rate);
    bind_setting(s, 8, c->rate_ms);
}

static enum aw_err queue_add(struct store *st, const struct store_queue_set *op,
                             struct aw_error *err)
{
    enum aw_err e;

    store_bind_text(st->sql[SQL_QUEUE_ADD], 1, op->name);
    e = store_exec(st, SQL_QUEUE_ADD, err);
    if (!e && sqlite3_changes(st->db) == 0)
        e = aw_fail(err, AW_ERR_WRONG_STATE, "queue '%.*s': it is there already", (int)op->name.len,
                    (const char *)op->name.data);
    return e;
}

static enum aw_err queue_set_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_queue_set *op = (struct store_queue_set *)base;
    sqlite3_stmt *s = st->sql[SQL_QUEUE_SET];
    enum aw_err e = op->change.create ? queue_add(st, op, err) : AW_OK;
    int rc;

    if (e)
        return e;
    queue_bind(s, op);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        store_queue_read(s, &op->row);
    else if (rc == SQLITE_DONE)
        e = aw_fail(err, AW_ERR_NO_QUEUE,
                    "there is no queue '%.*s'; awctl queue add %.*s makes one", (int)op->name.len,
                    (const char *)op->name.data, (int)op->name.len, (const char *)op->name.data);
    else
        e = store_fail(st, err, "changing a queue");
    sqlite3_reset(s);
    return e;
}

void store_queue_set_init(struct store_queue_set *op)
{
    op->op.run = queue_set_run;
    op->op.writes = true;
}

static enum aw_err queue_remove_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_queue_remove *op = (struct store_queue_remove *)base;
    enum aw_err e;

    sqlite3_bind_int(st->sql[SQL_QUEUE_REMOVE], 1, op->id);
    e = store_exec(st, SQL_QUEUE_REMOVE, err);
    op->found = !e && sqlite3_changes(st->db) > 0;
    return e;
}

void store_queue_remove_init(struct store_queue_remove *op)
{
    op->op.run = queue_remove_run;
    op->op.writes = true;
}

static enum aw_err change_one(struct store *st, struct store_change *op, size_t i,
                              struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_CHANGE];
    struct gone ignored;
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)op->numbers[i]);
    if (op->set_priority)
        sqlite3_bind_int(s, 2, op->priority);
    else
        sqlite3_bind_null(s, 2);
    if (op->now)
        sqlite3_bind_int64(s, 3, op->now_us);
    else
        sqlite3_bind_null(s, 3);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        op->results[i] = (struct job_result){.number = op->numbers[i],
                                             .state = (enum aw_state)sqlite3_column_int(s, 0)};
    else if (rc != SQLITE_DONE)
        e = store_fail(st, err, "changing a job");
    sqlite3_reset(s);
    if (!e && rc == SQLITE_DONE)
        e = store_state_read(st, op->numbers[i], &op->results[i], &ignored, err);
    return e;
}

static enum aw_err change_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_change *op = (struct store_change *)base;
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < op->n; i++)
        e = change_one(st, op, i, err);
    return e;
}

void store_change_init(struct store_change *op)
{
    op->op.run = change_run;
    op->op.writes = true;
}

static enum aw_err nothing_run(struct store_op *op, struct store *st, struct aw_error *err)
{
    (void)op;
    (void)st;
    (void)err;
    return AW_OK;
}

void store_nothing_init(struct store_op *op)
{
    op->run = nothing_run;
    op->writes = false;
}
