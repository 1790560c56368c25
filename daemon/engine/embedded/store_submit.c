/* The operation that records jobs. */
#include "daemon/engine/embedded/store_records.h"

/* How a remembered answer looks: for each job 8 bytes, its number times two, plus one if it
 * existed before; in this machine's byte order. */
static uint64_t answer_pack(const struct submitted *s)
{
    return s->number << 1 | s->deduplicated;
}

static enum aw_err request_find(struct store *st, struct store_submit *op, int64_t bucket,
                                struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_REQUEST_FIND];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_int64(s, 2, op->uid);
    sqlite3_bind_blob(s, 3, op->request, sizeof(op->request), SQLITE_STATIC);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const char *answer = sqlite3_column_blob(s, 0);
        size_t n = (size_t)sqlite3_column_bytes(s, 0) / sizeof(uint64_t);

        if (n != op->n)
            e = aw_fail(err, AW_ERR_INVALID,
                        "request: this key came before, with %zu jobs instead of %zu; a new submit "
                        "needs a new key",
                        n, op->n);
        for (size_t i = 0; !e && i < n; i++) {
            uint64_t v;

            memcpy(&v, answer + i * sizeof(v), sizeof(v));
            op->submitted[i] = (struct submitted){.number = v >> 1, .deduplicated = v & 1};
        }
        op->repeated = true;
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "looking up a request");
    }
    sqlite3_reset(s);
    return e;
}

static enum aw_err request_add(struct store *st, struct store_submit *op, int64_t bucket,
                               struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_REQUEST_ADD];
    _cleanup_free_ uint64_t *answer = reallocarray(NULL, op->n, sizeof(*answer));

    if (!answer)
        return aw_fail(err, AW_ERR_NO_MEMORY, "submit: out of memory");
    for (size_t i = 0; i < op->n; i++)
        answer[i] = answer_pack(&op->submitted[i]);
    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_int64(s, 2, op->uid);
    sqlite3_bind_blob(s, 3, op->request, sizeof(op->request), SQLITE_STATIC);
    sqlite3_bind_blob(s, 4, answer, (int)(op->n * sizeof(*answer)), SQLITE_STATIC);
    return store_exec(st, SQL_REQUEST_ADD, err);
}

static enum aw_err key_find(struct store *st, uint32_t uid, struct bytes key, struct submitted *ret,
                            struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_KEY_FIND];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, uid);
    store_bind_text(s, 2, key);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret = (struct submitted){.number = (uint64_t)sqlite3_column_int64(s, 0),
                                  .deduplicated = true};
    else if (rc != SQLITE_DONE)
        e = store_fail(st, err, "looking up a key");
    sqlite3_reset(s);
    return e;
}

static enum aw_err row_insert(struct store *st, const struct store_submit *op,
                              const struct store_row *row, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_INSERT_JOB];
    bool apart = row->head.data != NULL;
    enum aw_err e;

    sqlite3_bind_int64(s, 1, (int64_t)row->number);
    sqlite3_bind_int(s, 2, row->state);
    sqlite3_bind_int64(s, 3, row->flags | (apart ? STORE_SPEC_APART : 0));
    sqlite3_bind_int(s, 4, row->priority);
    sqlite3_bind_int64(s, 5, op->uid);
    sqlite3_bind_int64(s, 6, op->gid);
    sqlite3_bind_int64(s, 7, op->now_us);
    sqlite3_bind_int64(s, 8, row->due_us);
    sqlite3_bind_int64(s, 9, row->deadline_us);
    sqlite3_bind_int64(s, 10, row->overall_us);
    sqlite3_bind_int64(s, 11, row->retention_ms);
    sqlite3_bind_int64(s, 12, (int64_t)row->retry_of);
    store_bind_text(s, 13, row->key);
    store_bind_bytes(s, 14, apart ? row->head : row->spec);
    sqlite3_bind_int(s, 15, row->queue);
    e = store_exec(st, SQL_INSERT_JOB, err);
    if (!e && apart) {
        sqlite3_bind_int64(st->sql[SQL_INSERT_SPEC], 1, (int64_t)row->number);
        store_bind_bytes(st->sql[SQL_INSERT_SPEC], 2, row->spec);
        e = store_exec(st, SQL_INSERT_SPEC, err);
    }
    return e;
}

/* Its queue does not take it. One that exists already, under its key, is not asked. */
static enum aw_err refuse_row(struct store *st, const struct store_submit *op, size_t i,
                              struct aw_error *err)
{
    const struct store_row *row = &op->rows[i];
    struct submitted known = {0};
    enum aw_err e = row->key.len ? key_find(st, op->uid, row->key, &known, err) : AW_OK;
    int len = (int)row->queue_name.len;
    const char *name = row->queue_name.data;

    if (e || known.deduplicated)
        return e;
    if (row->refused == AW_ERR_DRAINING)
        return aw_fail(err, AW_ERR_DRAINING, "jobs[%zu].queue: queue '%.*s' takes no new jobs now",
                       i, len, name);
    return aw_fail(err, row->refused,
                   "jobs[%zu].queue: there is no queue '%.*s'; awctl queue add %.*s makes one", i,
                   len, name, len, name);
}

static enum aw_err submit_row(struct store *st, struct store_submit *op, size_t i,
                              struct aw_error *err)
{
    const struct store_row *row = &op->rows[i];
    enum aw_err e = AW_OK;

    op->submitted[i] = (struct submitted){.number = row->number};
    if (row->key.len)
        e = key_find(st, op->uid, row->key, &op->submitted[i], err);
    if (e || op->submitted[i].deduplicated)
        return e;
    if (op->full)
        return aw_fail(err, AW_ERR_QUEUE_FULL, "submit: the queue is full");
    return row_insert(st, op, row, err);
}

static enum aw_err submit_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_submit *op = (struct store_submit *)base;
    int64_t bucket = op->now_us / STORE_REQUEST_BUCKET_US;
    enum aw_err e = AW_OK;

    op->repeated = false;
    for (int64_t b = bucket; op->has_request && !e && !op->repeated && b >= bucket - 1; b--)
        e = request_find(st, op, b, err);
    if (op->repeated)
        return e;
    /* Before anything is written, so that a refusal does not cost others their transaction. */
    for (size_t i = 0; !e && i < op->n; i++)
        if (op->rows[i].refused)
            e = refuse_row(st, op, i, err);
    for (size_t i = 0; !e && i < op->n; i++)
        e = submit_row(st, op, i, err);
    if (!e && op->has_request && !op->full)
        e = request_add(st, op, bucket, err);
    return e;
}

void store_submit_init(struct store_submit *op)
{
    op->op.run = submit_run;
    op->op.writes = !op->full;
}
