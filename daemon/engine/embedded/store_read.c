/* Operations that read: records, pages of records, output. */
#include "daemon/engine/embedded/store_records.h"

#include "proto/codec.h"

/* ---- Memory for what is read --------------------------------------------------------------- */

#define CHUNK_SIZE 16384

struct store_chunk {
    struct store_chunk *next;
    size_t used, size;
    _Alignas(max_align_t) char data[];
};

void store_arena_free(struct store_arena *arena)
{
    struct store_chunk *c, *next;

    for (c = arena->chunks; c; c = next) {
        next = c->next;
        free(c);
    }
    arena->chunks = NULL;
}

void *store_arena_take(struct store_arena *arena, size_t size)
{
    struct store_chunk *c = arena->chunks;

    size = (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    if (!c || c->size - c->used < size) {
        size_t room = MAX(size, (size_t)CHUNK_SIZE);

        c = malloc(sizeof(*c) + room);
        if (!c)
            return NULL;
        *c = (struct store_chunk){.next = arena->chunks, .size = room};
        arena->chunks = c;
    }
    c->used += size;
    return c->data + c->used - size;
}

enum aw_err store_column_copy(sqlite3_stmt *s, int col, struct store_arena *arena,
                              struct bytes *ret, struct aw_error *err)
{
    const void *data = sqlite3_column_blob(s, col);
    size_t len = (size_t)sqlite3_column_bytes(s, col);
    void *copy;

    *ret = (struct bytes){0};
    if (sqlite3_column_type(s, col) == SQLITE_NULL)
        return AW_OK;
    copy = store_arena_take(arena, MAX(len, (size_t)1));
    if (!copy || (len && !data))
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    if (len)
        memcpy(copy, data, len);
    *ret = bytes_of(copy, len);
    return AW_OK;
}

/* ---- Records ------------------------------------------------------------------------------- */

/*
 * The state as it is now: a start time passes without anything being written, so a job that is
 * scheduled on disk may long be queued.
 */
static enum aw_state state_now(sqlite3_stmt *s)
{
    enum aw_state state = (enum aw_state)sqlite3_column_int(s, 1);

    return state == AW_SCHEDULED && sqlite3_column_int64(s, 12) <= now_us() ? AW_QUEUED : state;
}

static void record_numbers(sqlite3_stmt *s, struct record *r)
{
    *r = (struct record){
        .number = (uint64_t)sqlite3_column_int64(s, 0),
        .state = state_now(s),
        .class = (enum aw_class)sqlite3_column_int(s, 2),
        .flags = (unsigned)sqlite3_column_int(s, 3),
        .exit_code = sqlite3_column_int(s, 4),
        .signal = sqlite3_column_int(s, 5),
        .http_status = (unsigned)sqlite3_column_int(s, 25),
        .priority = sqlite3_column_int(s, 6),
        .attempt = (uint64_t)sqlite3_column_int64(s, 7),
        .claim = (uint64_t)sqlite3_column_int64(s, 8),
        .uid = (uint32_t)sqlite3_column_int64(s, 9),
        .gid = (uint32_t)sqlite3_column_int64(s, 10),
        .created_us = sqlite3_column_int64(s, 11),
        .due_us = sqlite3_column_int64(s, 12),
        .started_us = sqlite3_column_int64(s, 13),
        .ended_us = sqlite3_column_int64(s, 14),
        .expires_us = sqlite3_column_int64(s, 15),
        .size = {(uint64_t)sqlite3_column_int64(s, 16), (uint64_t)sqlite3_column_int64(s, 17)},
        .cpu_user_us = (uint64_t)sqlite3_column_int64(s, 18),
        .cpu_sys_us = (uint64_t)sqlite3_column_int64(s, 19),
        .max_rss_kib = (uint64_t)sqlite3_column_int64(s, 20),
        .retry_of = (uint64_t)sqlite3_column_int64(s, 21),
    };
}

static enum aw_err record_read(sqlite3_stmt *s, struct store_arena *arena, struct record *r,
                               struct aw_error *err)
{
    enum aw_err e;

    record_numbers(s, r);
    e = store_column_copy(s, 22, arena, &r->key, err);
    if (!e)
        e = store_column_copy(s, 23, arena, &r->message, err);
    if (!e)
        e = store_column_copy(s, 24, arena, &r->spec, err);
    return e;
}

enum aw_err store_spec_read(struct store *st, uint64_t number, struct store_arena *arena,
                            struct bytes *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_SPEC];
    enum aw_err e;

    sqlite3_bind_int64(s, 1, (int64_t)number);
    if (sqlite3_step(s) == SQLITE_ROW)
        e = store_column_copy(s, 0, arena, ret, err);
    else
        e = aw_fail(err, AW_ERR_INTERNAL, "store: job %llu has lost its specification",
                    (unsigned long long)number);
    sqlite3_reset(s);
    return e;
}

static enum aw_err attempt_read(sqlite3_stmt *s, struct store_arena *arena,
                                struct attempt_record *a, struct aw_error *err)
{
    *a = (struct attempt_record){
        .attempt = (uint64_t)sqlite3_column_int64(s, 0),
        .class = (enum aw_class)sqlite3_column_int(s, 1),
        .exit_code = sqlite3_column_int(s, 2),
        .signal = sqlite3_column_int(s, 3),
        .started_us = sqlite3_column_int64(s, 4),
        .ended_us = sqlite3_column_int64(s, 5),
        .flags = (unsigned)sqlite3_column_int64(s, 6),
        .size = {(uint64_t)sqlite3_column_int64(s, 7), (uint64_t)sqlite3_column_int64(s, 8)},
        .http_status = (unsigned)sqlite3_column_int(s, 10),
    };
    return store_column_copy(s, 9, arena, &a->message, err);
}

static enum aw_err attempts_read(struct store *st, struct store_arena *arena, struct record *r,
                                 struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_ATTEMPTS];
    struct attempt_record *attempts;
    enum aw_err e = AW_OK;
    int rc = SQLITE_ROW;

    if (r->attempt == 0)
        return AW_OK;
    attempts = store_arena_take(arena, AW_MAX_ATTEMPTS_SHOWN * sizeof(*attempts));
    if (!attempts)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    sqlite3_bind_int64(s, 1, (int64_t)r->number);
    sqlite3_bind_int(s, 2, AW_MAX_ATTEMPTS_SHOWN);
    while (!e && (rc = sqlite3_step(s)) == SQLITE_ROW)
        e = attempt_read(s, arena, &attempts[r->n_attempts++], err);
    if (!e && rc != SQLITE_DONE)
        e = store_fail(st, err, "reading attempts");
    sqlite3_reset(s);
    r->attempts = attempts;
    return e;
}

enum aw_err store_found_read(struct store *st, uint64_t number, unsigned what,
                             struct store_arena *arena, struct found *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_RECORD];
    enum aw_err e = AW_OK;
    int rc;

    *ret = (struct found){.err = AW_ERR_EXPIRED_ID, .record = {.number = number}};
    sqlite3_bind_int64(s, 1, (int64_t)number);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        ret->err = AW_OK;
        e = record_read(s, arena, &ret->record, err);
        if (!e && what & GET_ATTEMPTS)
            e = attempts_read(st, arena, &ret->record, err);
        if (!e && what & GET_WHOLE && ret->record.flags & STORE_SPEC_APART)
            e = store_spec_read(st, number, arena, &ret->record.spec, err);
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "reading a job");
    }
    sqlite3_reset(s);
    return e;
}

enum aw_err store_found_columns(sqlite3_stmt *s, uint64_t number, struct store_arena *arena,
                                struct found *ret, struct aw_error *err)
{
    *ret = (struct found){.err = AW_ERR_EXPIRED_ID, .record = {.number = number}};
    if (sqlite3_column_type(s, 0) == SQLITE_NULL)
        return AW_OK;
    ret->err = AW_OK;
    return record_read(s, arena, &ret->record, err);
}

static enum aw_err get_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_get *op = (struct store_get *)base;
    enum aw_err e = AW_OK;

    store_arena_free(&op->arena);
    for (size_t i = 0; !e && i < op->n; i++)
        e = store_found_read(st, op->numbers[i], op->what, &op->arena, &op->found[i], err);
    return e;
}

void store_get_init(struct store_get *op)
{
    op->op.run = get_run;
    op->op.writes = false;
}

/* ---- Pages --------------------------------------------------------------------------------- */

/* A filter that matches little must not hold up everybody else's commits. */
#define LIST_LOOK_MAX 20000

static bool name_matches(const struct record *r, struct bytes prefix)
{
    struct codec_doc doc = {0};
    struct job job;
    bool matches;

    if (prefix.len == 0)
        return true;
    if (codec_open(r->spec.data, r->spec.len, &doc, NULL) != AW_OK)
        return false;
    matches = codec_read(&doc, &job_schema, &job, NULL) == AW_OK && job.name.len >= prefix.len &&
              memcmp(job.name.data, prefix.data, prefix.len) == 0;
    codec_close(&doc);
    return matches;
}

static bool row_matches(sqlite3_stmt *s, const struct list_filter *f)
{
    return (!f->states || f->states >> state_now(s) & 1) &&
           (f->uid < 0 || sqlite3_column_int64(s, 9) == f->uid);
}

static enum aw_err list_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_list *op = (struct store_list *)base;
    sqlite3_stmt *s = st->sql[SQL_LIST];
    size_t looked = 0;
    enum aw_err e = AW_OK;
    int rc = SQLITE_ROW;

    store_arena_free(&op->arena);
    op->n = 0;
    op->next = 0;
    sqlite3_bind_int64(s, 1, op->filter.before ? (int64_t)op->filter.before : INT64_MAX);
    while (!e && op->n < op->filter.limit && looked < LIST_LOOK_MAX &&
           (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct record *r = &op->records[op->n];

        looked++;
        op->next = (uint64_t)sqlite3_column_int64(s, 0);
        if (!row_matches(s, &op->filter))
            continue;
        e = record_read(s, &op->arena, r, err);
        if (!e && name_matches(r, op->filter.name))
            op->n++;
    }
    if (!e && rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "listing jobs");
    if (rc == SQLITE_DONE)
        op->next = 0;
    sqlite3_reset(s);
    return e;
}

void store_list_init(struct store_list *op)
{
    op->op.run = list_run;
    op->op.writes = false;
}

/* ---- Output -------------------------------------------------------------------------------- */

static enum aw_err output_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_output *op = (struct store_output *)base;
    sqlite3_stmt *s = st->sql[SQL_OUTPUT];
    enum aw_err e = AW_OK;
    int rc;

    store_arena_free(&op->arena);
    op->data = (struct bytes){0};
    sqlite3_bind_int64(s, 1, (int64_t)op->number);
    sqlite3_bind_int64(s, 2, (int64_t)op->attempt);
    sqlite3_bind_int(s, 3, op->stream);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        e = store_column_copy(s, 0, &op->arena, &op->data, err);
        if (op->offset >= op->data.len) {
            op->data.len = 0;
        } else {
            op->data.data = (const char *)op->data.data + op->offset;
            op->data.len = MIN(op->data.len - op->offset, op->max);
        }
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "reading output");
    }
    sqlite3_reset(s);
    return e;
}

void store_output_init(struct store_output *op)
{
    op->op.run = output_run;
    op->op.writes = false;
}
