/* Operations that remove records: forget and prune. */
#include "daemon/engine/embedded/store_accounts.h"
#include "daemon/engine/embedded/store_records.h"

/* A few thousand remembered requests a time, so that nobody waits for the sweep. */
#define REQUESTS_PER_PRUNE 2000

static enum aw_err exec_number(struct store *st, enum store_sql which, uint64_t number,
                               struct aw_error *err)
{
    sqlite3_bind_int64(st->sql[which], 1, (int64_t)number);
    return store_exec(st, which, err);
}

/* What its user has less of with it. */
static enum aw_err worth_read(struct store *st, uint64_t number, struct account_change *ret,
                              struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_JOB_BYTES];
    enum aw_err e = AW_OK;

    sqlite3_bind_int64(s, 1, (int64_t)number);
    if (sqlite3_step(s) == SQLITE_ROW)
        *ret = (struct account_change){.uid = (uint32_t)sqlite3_column_int64(s, 0),
                                       .kept = -1,
                                       .bytes = -sqlite3_column_int64(s, 1)};
    else
        e = store_fail(st, err, "looking at what to remove");
    sqlite3_reset(s);
    return e;
}

static enum aw_err remove_one(struct store *st, struct store_remove *op, const struct gone *gone,
                              struct aw_error *err)
{
    static const enum store_sql tables[] = {SQL_DELETE_JOB, SQL_DELETE_SPEC, SQL_DELETE_OUTPUT,
                                            SQL_DELETE_ATTEMPTS};
    struct account_change worth = {0};
    enum aw_err e = worth_read(st, gone->number, &worth, err);

    if (!e)
        e = store_raise_high(st, gone->number, err);
    for (size_t i = 0; !e && i < ARRAY_SIZE(tables); i++)
        e = exec_number(st, tables[i], gone->number, err);
    if (!e)
        e = store_account_add(st, &worth, &op->effects, err);
    if (e)
        return e;
    op->gone[op->n_gone++] = *gone;
    op->freed += (uint64_t)-worth.bytes;
    return AW_OK;
}

/* Jobs that are still to be told of its end. */
static enum aw_err has_children(struct store *st, uint64_t number, bool *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_DEP_CHILD];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)number);
    rc = sqlite3_step(s);
    *ret = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "looking for children");
    sqlite3_reset(s);
    return e;
}

static enum aw_err forget_given(struct store *st, struct store_remove *op, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < op->n; i++) {
        struct job_result *r = &op->results[i];
        struct gone gone = {0};
        bool awaited = false;

        e = store_state_read(st, op->numbers[i], r, &gone, err);
        if (!e && r->err != AW_ERR_EXPIRED_ID)
            e = has_children(st, op->numbers[i], &awaited, err);
        if (!e && !awaited && r->err == AW_ERR_WRONG_STATE && aw_state_is_final(r->state)) {
            r->err = AW_OK;
            e = remove_one(st, op, &gone, err);
        }
    }
    return e;
}

/* It is not time that makes them go. */
static bool by_excess(const struct store_remove *op)
{
    return op->excess || op->excess_bytes;
}

static sqlite3_stmt *prunable_query(struct store *st, const struct store_remove *op)
{
    sqlite3_stmt *s = st->sql[op->of_user ? SQL_PRUNABLE_OF : SQL_PRUNABLE];
    size_t max = op->excess && !op->excess_bytes ? MIN(op->excess, op->max) : op->max;

    if (op->of_user)
        sqlite3_bind_int64(s, 1, op->uid);
    else
        sqlite3_bind_int64(s, 1, by_excess(op) ? INT64_MAX : op->now_us);
    sqlite3_bind_int64(s, 2, (int64_t)max);
    return s;
}

/* Reads who goes before anything goes: a table is not changed under its own cursor. */
static enum aw_err prunable_read(struct store *st, const struct store_remove *op, struct gone *ret,
                                 size_t *ret_n, struct aw_error *err)
{
    sqlite3_stmt *s = prunable_query(st, op);
    enum aw_err e = AW_OK;
    size_t n = 0;
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t attempt = (uint64_t)sqlite3_column_int64(s, 1);
        unsigned flags = (unsigned)sqlite3_column_int64(s, 2);

        ret[n++] = (struct gone){
            .number = (uint64_t)sqlite3_column_int64(s, 0),
            .attempt = attempt,
            .spooled = attempt > 1 || flags & (RECORD_SPOOLED_STDOUT | RECORD_SPOOLED_STDERR),
        };
    }
    if (rc != SQLITE_DONE)
        e = store_fail(st, err, "looking for what to prune");
    sqlite3_reset(s);
    *ret_n = n;
    return e;
}

/* The one number that a query gives; 0 for none. */
static enum aw_err number_read(struct store *st, enum store_sql which, int64_t *ret,
                               struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[which];
    enum aw_err e = AW_OK;

    if (sqlite3_step(s) == SQLITE_ROW)
        *ret = sqlite3_column_int64(s, 0);
    else
        e = store_fail(st, err, "looking for what to prune next");
    sqlite3_reset(s);
    return e;
}

static enum aw_err next_expiry_read(struct store *st, int64_t *ret_us, struct aw_error *err)
{
    int64_t job_us = 0, bucket = 0, requests_us;
    enum aw_err e = number_read(st, SQL_NEXT_EXPIRY, &job_us, err);

    if (!e)
        e = number_read(st, SQL_REQUEST_OLDEST, &bucket, err);
    if (e)
        return e;
    requests_us = bucket ? (bucket + 1 + STORE_REQUEST_BUCKETS) * STORE_REQUEST_BUCKET_US : job_us;
    *ret_us = job_us ? MIN(job_us, requests_us) : requests_us;
    return AW_OK;
}

static enum aw_err requests_prune(struct store *st, struct store_remove *op, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_REQUEST_PRUNE];
    enum aw_err e;

    sqlite3_bind_int64(s, 1, op->now_us / STORE_REQUEST_BUCKET_US - STORE_REQUEST_BUCKETS);
    sqlite3_bind_int64(s, 2, REQUESTS_PER_PRUNE);
    e = store_exec(st, SQL_REQUEST_PRUNE, err);
    op->more = !e && sqlite3_changes(st->db) == REQUESTS_PER_PRUNE;
    return e;
}

static bool is_enough(const struct store_remove *op)
{
    return by_excess(op) && op->n_gone >= op->excess && op->freed >= op->excess_bytes;
}

static enum aw_err prune(struct store *st, struct store_remove *op, struct aw_error *err)
{
    _cleanup_free_ struct gone *rows = calloc(op->max, sizeof(*rows));
    size_t n = 0;
    enum aw_err e;

    if (!rows)
        return aw_fail(err, AW_ERR_NO_MEMORY, "prune: out of memory");
    e = prunable_read(st, op, rows, &n, err);
    for (size_t i = 0; !e && i < n && !is_enough(op); i++)
        e = remove_one(st, op, &rows[i], err);
    if (!e)
        e = requests_prune(st, op, err);
    op->more |= op->n_gone == op->max;
    return e ? e : next_expiry_read(st, &op->next_expiry_us, err);
}

static enum aw_err remove_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_remove *op = (struct store_remove *)base;

    op->n_gone = 0;
    op->freed = 0;
    store_effects_empty(&op->effects);
    return op->prune ? prune(st, op, err) : forget_given(st, op, err);
}

void store_remove_init(struct store_remove *op)
{
    op->op.run = remove_run;
    op->op.writes = true;
}
