/* Operations on queues, and on the place of jobs in them. */
#include "daemon/engine/embedded/store_records.h"

#include "proto/codec.h"

/* ---- Limits: a map as in messages, or NULL for none ------------------------------------------ */

static enum aw_err limits_decode(struct bytes blob, struct limits *ret)
{
    struct codec_doc doc = {0};
    enum aw_err e;

    *ret = (struct limits){0};
    if (!blob.data)
        return AW_OK;
    e = codec_open(blob.data, blob.len, &doc, NULL);
    if (!e)
        e = codec_read(&doc, &limits_schema, ret, NULL);
    codec_close(&doc);
    return e && e != AW_ERR_NO_MEMORY ? AW_ERR_STORE : e;
}

static enum aw_err limits_column(sqlite3_stmt *s, int col, struct limits *ret)
{
    const void *data = sqlite3_column_blob(s, col);
    struct bytes blob = bytes_of(data, (size_t)sqlite3_column_bytes(s, col));

    if (!data && sqlite3_column_type(s, col) != SQLITE_NULL)
        return AW_ERR_STORE; /* empty */
    return limits_decode(blob, ret);
}

enum aw_err store_queue_read(sqlite3_stmt *s, struct store_queue_row *ret)
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
    return limits_column(s, 9, &ret->limits);
}

/* ---- Changes -------------------------------------------------------------------------------- */

static void bind_setting(sqlite3_stmt *s, int col, int64_t value)
{
    if (value < 0)
        sqlite3_bind_null(s, col);
    else
        sqlite3_bind_int64(s, col, value);
}

/* Whatever is not to be changed is NULL; only limits can be NULL themselves. */
static void queue_bind(sqlite3_stmt *s, const struct store_queue_set *op, struct bytes limits)
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
    sqlite3_bind_int(s, 9, c->limits != NULL);
    store_bind_bytes(s, 10, limits);
}

/* Those that it has now: none, if it is not there. */
static enum aw_err limits_present(struct store *st, struct bytes name, struct limits *ret,
                                  struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_QUEUE_LIMITS];
    enum aw_err e = AW_OK;
    int rc;

    *ret = (struct limits){0};
    store_bind_text(s, 1, name);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        e = limits_column(s, 0, ret);
        if (e)
            e = aw_fail(err, e, "queue '%.*s': its limits: %s", (int)name.len,
                        (const char *)name.data, aw_err_text(e));
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "reading a queue");
    }
    sqlite3_reset(s);
    return e;
}

/*
 * What is to be written: the change, put upon what is there at this moment, so that two who change
 * different limits do not undo each other. Leaves the buffer empty for none at all.
 */
static enum aw_err limits_encode(struct store *st, const struct store_queue_set *op,
                                 struct codec_buf *buf, struct aw_error *err)
{
    const struct queue_change *c = &op->change;
    unsigned mask = c->limits_mask ? c->limits_mask : ~0u;
    struct limits limits;
    struct codec_part part = {&limits_schema, &limits};
    enum aw_err e = limits_present(st, op->name, &limits, err);

    if (e)
        return e;
    limits = limits_changed(&limits, c->limits, mask);
    if (limits_none(&limits))
        return AW_OK;
    e = codec_write(buf, &part, 1);
    return e ? aw_fail(err, e, "changing a queue: %s", aw_err_text(e)) : AW_OK;
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

static enum aw_err queue_update(struct store *st, struct store_queue_set *op, struct bytes limits,
                                struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_QUEUE_SET];
    enum aw_err e = AW_OK;
    int rc;

    queue_bind(s, op, limits);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        e = store_queue_read(s, &op->row);
        if (e)
            e = aw_fail(err, e, "changing a queue: %s", aw_err_text(e));
    } else if (rc == SQLITE_DONE) {
        e = aw_fail(err, AW_ERR_NO_QUEUE,
                    "there is no queue '%.*s'; awctl queue add %.*s makes one", (int)op->name.len,
                    (const char *)op->name.data, (int)op->name.len, (const char *)op->name.data);
    } else {
        e = store_fail(st, err, "changing a queue");
    }
    sqlite3_reset(s);
    return e;
}

static enum aw_err queue_set_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_queue_set *op = (struct store_queue_set *)base;
    struct codec_buf limits = {0};
    enum aw_err e = op->change.create ? queue_add(st, op, err) : AW_OK;

    if (!e && op->change.limits)
        e = limits_encode(st, op, &limits, err);
    if (!e)
        e = queue_update(st, op, bytes_of(limits.data, limits.len), err);
    codec_buf_done(&limits);
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
