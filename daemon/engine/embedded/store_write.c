/* Operations on jobs that are there: claim, finish, release, cancel. */
#include "daemon/engine/embedded/store_accounts.h"
#include "daemon/engine/embedded/store_sets.h"

/* ---- Claim and release --------------------------------------------------------------------- */

static enum aw_err claimed_read(struct store *st, sqlite3_stmt *s, struct store_claim *op,
                                struct claimed *c, struct aw_error *err)
{
    c->uid = (uint32_t)sqlite3_column_int64(s, 0);
    c->gid = (uint32_t)sqlite3_column_int64(s, 1);
    c->overall_us = sqlite3_column_int64(s, 4);
    c->uncounted = (uint64_t)sqlite3_column_int64(s, 5);
    if ((unsigned)sqlite3_column_int64(s, 2) & STORE_SPEC_APART)
        return store_spec_read(st, c->number, &op->arena, &c->spec, err);
    return store_column_copy(s, 3, &op->arena, &c->spec, err);
}

/* What there is to know of it; op->claimed[i].claim is 0 after that if it is not there. */
static enum aw_err claim_read(struct store *st, struct store_claim *op, size_t i,
                              struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[op->recover ? SQL_CLAIMED : SQL_CLAIMABLE];
    struct claimed *c = &op->claimed[i];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)c->number);
    if (op->recover)
        sqlite3_bind_int64(s, 2, (int64_t)c->claim);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        e = claimed_read(st, s, op, c, err);
    else if (rc == SQLITE_DONE && op->ahead)
        c->claim = 0;
    else if (rc == SQLITE_DONE)
        e = aw_fail(err, AW_ERR_INTERNAL, "store: job %llu is not there to be claimed",
                    (unsigned long long)c->number);
    else
        e = store_fail(st, err, "claiming a job");
    if (!e && op->recover)
        c->started_us = sqlite3_column_int64(s, 6);
    sqlite3_reset(s);
    return e;
}

static enum aw_err claim_one(struct store *st, struct store_claim *op, size_t i,
                             struct aw_error *err)
{
    const struct store_claim_row *row = &op->rows[i];
    sqlite3_stmt *s = st->sql[SQL_CLAIM];
    struct claimed *c = &op->claimed[i];
    enum aw_err e;

    *c = (struct claimed){.claim = row->claim,
                          .number = row->number,
                          .attempt = row->attempt,
                          .started_us = op->now_us};
    e = claim_read(st, op, i, err);
    if (e || op->recover || !c->claim)
        return e;
    sqlite3_bind_int64(s, 1, (int64_t)row->attempt);
    sqlite3_bind_int64(s, 2, (int64_t)row->claim);
    sqlite3_bind_int64(s, 3, op->now_us);
    sqlite3_bind_int64(s, 4, (int64_t)row->number);
    return store_exec(st, SQL_CLAIM, err);
}

static enum aw_err claim_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_claim *op = (struct store_claim *)base;
    enum aw_err e = AW_OK;

    store_arena_free(&op->arena);
    for (size_t i = 0; !e && i < op->n; i++)
        e = claim_one(st, op, i, err);
    return e;
}

void store_claim_init(struct store_claim *op)
{
    op->op.run = claim_run;
    op->op.writes = !op->recover;
}

static enum aw_err release_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_release *op = (struct store_release *)base;
    sqlite3_stmt *s = st->sql[SQL_RELEASE];

    sqlite3_bind_int64(s, 1, (int64_t)op->number);
    sqlite3_bind_int64(s, 2, (int64_t)op->claim);
    return store_exec(st, SQL_RELEASE, err);
}

void store_release_init(struct store_release *op)
{
    op->op.run = release_run;
    op->op.writes = true;
}

/* When the record of a job goes that ends now; `ms`: how long it is kept, 0: it does not say. */
static int64_t expiry_us(int64_t now_us, int64_t ms, int64_t default_ms)
{
    return now_us + 1000 * (ms ? ms : default_ms);
}

/* ---- Finish -------------------------------------------------------------------------------- */

static unsigned spool_flags(const struct outcome *o)
{
    return (o->output[STREAM_STDOUT].spooled ? RECORD_SPOOLED_STDOUT : 0u) |
           (o->output[STREAM_STDERR].spooled ? RECORD_SPOOLED_STDERR : 0u);
}

static struct bytes message_of(const struct outcome *o)
{
    return o->message[0] ? bytes_str(o->message) : (struct bytes){0};
}

/* An attempt may have ended long before anybody could record it; what it does not say is now. */
static int64_t ended_us(const struct store_finish *op)
{
    return op->outcome.ended_us ? op->outcome.ended_us : op->now_us;
}

/* The attempt as one of several, from the job's row and its outcome. */
static enum aw_err attempt_add(struct store *st, struct store_finish *op, int64_t *ret_attempt,
                               uint32_t *ret_uid, struct aw_error *err)
{
    const struct outcome *o = &op->outcome;
    sqlite3_stmt *s = st->sql[SQL_ATTEMPT_ADD];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int(s, 1, (int)o->class);
    sqlite3_bind_int(s, 2, o->exit_code);
    sqlite3_bind_int(s, 3, o->signal);
    sqlite3_bind_int(s, 4, (int)o->http_status);
    sqlite3_bind_int64(s, 5, o->started_us);
    sqlite3_bind_int64(s, 6, ended_us(op));
    sqlite3_bind_int64(s, 7, spool_flags(o));
    sqlite3_bind_int64(s, 8, (int64_t)o->output[STREAM_STDOUT].size);
    sqlite3_bind_int64(s, 9, (int64_t)o->output[STREAM_STDERR].size);
    store_bind_text(s, 10, message_of(o));
    sqlite3_bind_int64(s, 11, (int64_t)op->number);
    sqlite3_bind_int64(s, 12, (int64_t)op->claim);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *ret_attempt = sqlite3_column_int64(s, 0);
        *ret_uid = (uint32_t)sqlite3_column_int64(s, 1);
    } else if (rc == SQLITE_DONE) {
        op->stale = true;
    } else {
        e = store_fail(st, err, "recording an attempt");
    }
    sqlite3_reset(s);
    return e;
}

/* What an attempt wrote is on record, wherever it is. */
static enum aw_err output_count(struct store *st, struct store_finish *op, uint32_t uid,
                                struct aw_error *err)
{
    struct account_change more = {.uid = uid};

    for (int i = 0; i < N_STREAMS; i++)
        more.bytes += (int64_t)op->outcome.output[i].size;
    return more.bytes ? store_account_add(st, &more, &op->effects, err) : AW_OK;
}

/* The attempt is kept as one, and its job waits for the next. */
static enum aw_err finish_again(struct store *st, struct store_finish *op, int64_t *ret_attempt,
                                struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_AGAIN];
    uint32_t uid = 0;
    enum aw_err e = attempt_add(st, op, ret_attempt, &uid, err);

    if (e || op->stale)
        return e;
    sqlite3_bind_int64(s, 1, (int64_t)op->number);
    sqlite3_bind_int64(s, 2, (int64_t)op->claim);
    sqlite3_bind_int(s, 3, (int)op->to);
    sqlite3_bind_int64(s, 4, op->due_us);
    sqlite3_bind_int(s, 5, op->uncounted);
    e = store_exec(st, SQL_AGAIN, err);
    return e ? e : output_count(st, op, uid, err);
}

/* The row of the job that ends, as far as it matters. It sets op->stale, or op->expires_us. */
static enum aw_err running_read(struct store *st, struct store_finish *op,
                                struct store_ended *ended, int64_t *ret_attempt,
                                unsigned *ret_flags, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_RUNNING];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)op->number);
    sqlite3_bind_int64(s, 2, (int64_t)op->claim);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *ret_attempt = sqlite3_column_int64(s, 0);
        *ret_flags = (unsigned)sqlite3_column_int64(s, 2);
        op->expires_us =
            expiry_us(op->now_us, sqlite3_column_int64(s, 1), op->default_retention_ms);
        ended->created_us = sqlite3_column_int64(s, 3);
        ended->due_us = sqlite3_column_int64(s, 4);
        ended->uid = (uint32_t)sqlite3_column_int64(s, 5);
    } else if (rc == SQLITE_DONE) {
        op->stale = true;
    } else {
        e = store_fail(st, err, "recording an end");
    }
    sqlite3_reset(s);
    return e;
}

static enum aw_err ended_write(struct store *st, const struct store_finish *op,
                               const struct store_ended *ended, struct aw_error *err)
{
    const struct outcome *o = &op->outcome;
    sqlite3_stmt *s = st->sql[SQL_FINISH];

    sqlite3_bind_int64(s, 1, op->expires_us);
    sqlite3_bind_int64(s, 2, ended->ended_us);
    sqlite3_bind_int64(s, 3, (int64_t)op->number);
    sqlite3_bind_int(s, 4, (int)op->to);
    sqlite3_bind_int(s, 5, (int)ended->class);
    sqlite3_bind_int64(s, 6, spool_flags(o));
    sqlite3_bind_int(s, 7, o->exit_code);
    sqlite3_bind_int(s, 8, o->signal);
    sqlite3_bind_int64(s, 9, o->started_us);
    sqlite3_bind_int64(s, 10, (int64_t)o->output[STREAM_STDOUT].size);
    sqlite3_bind_int64(s, 11, (int64_t)o->output[STREAM_STDERR].size);
    sqlite3_bind_int64(s, 12, (int64_t)o->cpu_user_us);
    sqlite3_bind_int64(s, 13, (int64_t)o->cpu_sys_us);
    sqlite3_bind_int64(s, 14, (int64_t)o->max_rss_kib);
    store_bind_text(s, 15, message_of(o));
    sqlite3_bind_int(s, 16, (int)o->http_status);
    return store_exec(st, SQL_FINISH, err);
}

static enum aw_err finish_row(struct store *st, struct store_finish *op, int64_t *ret_attempt,
                              struct aw_error *err)
{
    struct store_ended ended = {.number = op->number,
                                .state = op->to,
                                .class = op->to == AW_FAILED ? op->outcome.class : AW_CLASS_NONE,
                                .started_us = op->outcome.started_us,
                                .ended_us = ended_us(op)};
    unsigned flags = 0;
    enum aw_err e = running_read(st, op, &ended, ret_attempt, &flags, err);

    if (e || op->stale)
        return e;
    e = ended_write(st, op, &ended, err);
    if (!e)
        e = store_job_ended(st, &ended, flags, &op->effects, err);
    return e ? e : output_count(st, op, ended.uid, err);
}

static enum aw_err output_add(struct store *st, uint64_t number, int64_t attempt, int stream,
                              struct bytes data, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_OUTPUT_ADD];

    sqlite3_bind_int64(s, 1, (int64_t)number);
    sqlite3_bind_int64(s, 2, attempt);
    sqlite3_bind_int(s, 3, stream);
    store_bind_bytes(s, 4, data);
    return store_exec(st, SQL_OUTPUT_ADD, err);
}

static enum aw_err finish_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_finish *op = (struct store_finish *)base;
    int64_t attempt = 0;
    enum aw_err e;

    op->stale = false;
    store_effects_empty(&op->effects);
    e = aw_state_is_final(op->to) ? finish_row(st, op, &attempt, err)
                                  : finish_again(st, op, &attempt, err);
    for (int i = 0; !e && !op->stale && i < N_STREAMS; i++)
        if (op->outcome.output[i].data.len)
            e = output_add(st, op->number, attempt, i, op->outcome.output[i].data, err);
    return e;
}

void store_finish_init(struct store_finish *op)
{
    op->op.run = finish_run;
    op->op.writes = true;
}

/* ---- Cancel, and other ends of what waits --------------------------------------------------- */

/* The row of one that waits, else *ret_found is false; as far as it matters when it ends. */
static enum aw_err waiting_read(struct store *st, const struct store_ending *end,
                                struct store_ended *ended, int64_t *ret_expires_us,
                                unsigned *ret_flags, bool *ret_found, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_WAITING];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)ended->number);
    rc = sqlite3_step(s);
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        *ret_expires_us =
            expiry_us(end->now_us, sqlite3_column_int64(s, 0), end->default_retention_ms);
        *ret_flags = (unsigned)sqlite3_column_int64(s, 1);
        ended->created_us = sqlite3_column_int64(s, 2);
        ended->due_us = sqlite3_column_int64(s, 3);
        ended->uid = (uint32_t)sqlite3_column_int64(s, 4);
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "recording an end");
    }
    sqlite3_reset(s);
    return e;
}

static enum aw_err end_write(struct store *st, uint64_t number, const struct store_ending *end,
                             int64_t expires, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_END_WAITING];

    sqlite3_bind_int64(s, 1, end->now_us);
    sqlite3_bind_int64(s, 2, expires);
    sqlite3_bind_int64(s, 3, (int64_t)number);
    sqlite3_bind_int(s, 4, (int)end->to);
    sqlite3_bind_int(s, 5, (int)end->class);
    store_bind_text(s, 6, bytes_str(end->message));
    return store_exec(st, SQL_END_WAITING, err);
}

enum aw_err store_end_one(struct store *st, uint64_t number, const struct store_ending *end,
                          int64_t *expires_us, struct aw_error *err)
{
    struct store_ended ended = {
        .number = number, .state = end->to, .class = end->class, .ended_us = end->now_us};
    int64_t expires = 0;
    unsigned flags = 0;
    bool found = false;
    enum aw_err e = waiting_read(st, end, &ended, &expires, &flags, &found, err);

    if (!e && found) {
        *expires_us = *expires_us ? MIN(*expires_us, expires) : expires;
        e = end_write(st, number, end, expires, err);
    }
    if (!e && found)
        e = store_job_ended(st, &ended, flags, end->effects, err);
    if (!e) {
        sqlite3_bind_int64(st->sql[SQL_DEP_DROP], 1, (int64_t)number);
        e = store_exec(st, SQL_DEP_DROP, err);
    }
    return e;
}

static enum aw_err end_waiting_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_end_waiting *op = (struct store_end_waiting *)base;
    struct store_ending end = {
        AW_FAILED, op->class, op->message, op->now_us, op->default_retention_ms, &op->effects};
    enum aw_err e = AW_OK;

    op->expires_us = 0;
    store_effects_empty(&op->effects);
    for (size_t i = 0; !e && i < op->n; i++)
        e = store_end_one(st, op->numbers[i], &end, &op->expires_us, err);
    return e;
}

void store_end_waiting_init(struct store_end_waiting *op)
{
    op->op.run = end_waiting_run;
    op->op.writes = true;
}

enum aw_err store_state_read(struct store *st, uint64_t number, struct job_result *ret,
                             struct gone *ret_gone, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_STATE];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)number);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        unsigned flags = (unsigned)sqlite3_column_int64(s, 2);

        *ret = (struct job_result){number, AW_ERR_WRONG_STATE,
                                   (enum aw_state)sqlite3_column_int(s, 0)};
        *ret_gone =
            (struct gone){.number = number, .attempt = (uint64_t)sqlite3_column_int64(s, 1)};
        ret_gone->spooled =
            ret_gone->attempt > 1 || flags & (RECORD_SPOOLED_STDOUT | RECORD_SPOOLED_STDERR);
    } else if (rc == SQLITE_DONE) {
        *ret = (struct job_result){.number = number, .err = AW_ERR_EXPIRED_ID};
    } else {
        e = store_fail(st, err, "reading a state");
    }
    sqlite3_reset(s);
    return e;
}

static enum aw_err cancel_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_cancel *op = (struct store_cancel *)base;
    struct store_ending end = {
        AW_CANCELLED, AW_CLASS_NONE, op->message, op->now_us, op->default_retention_ms,
        &op->effects};
    struct gone ignored;
    enum aw_err e = AW_OK;

    op->expires_us = 0;
    store_effects_empty(&op->effects);
    for (size_t i = 0; !e && i < op->n; i++) {
        uint64_t number = op->rows[i].number;

        if (op->rows[i].waits) {
            e = store_end_one(st, number, &end, &op->expires_us, err);
        } else {
            sqlite3_bind_int64(st->sql[SQL_CANCEL_REQUEST], 1, (int64_t)number);
            store_bind_text(st->sql[SQL_CANCEL_REQUEST], 2, bytes_str(op->message));
            e = store_exec(st, SQL_CANCEL_REQUEST, err);
        }
        if (!e)
            e = store_state_read(st, number, &op->results[i], &ignored, err);
    }
    return e;
}

void store_cancel_init(struct store_cancel *op)
{
    op->op.run = cancel_run;
    op->op.writes = true;
}
