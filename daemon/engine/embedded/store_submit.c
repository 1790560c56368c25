/* The operation that records jobs. */
#include "daemon/engine/embedded/store_accounts.h"
#include "daemon/engine/embedded/store_rows.h"
#include "daemon/engine/embedded/store_sets.h"

/* How a remembered answer looks: for each job 8 bytes, its number times four, plus one if it
 * existed before, plus two if it had ended; in this machine's byte order. */
static uint64_t answer_pack(const struct submitted *s)
{
    return s->number << 2 | (uint64_t)s->cached << 1 | s->deduplicated;
}

static struct submitted answer_unpack(uint64_t v)
{
    return (struct submitted){
        .number = v >> 2, .deduplicated = v & 1, .cached = v & 2, .repeated = true};
}

/* In one bucket. *ret stays NULL: nothing. */
static enum aw_err request_read(struct store *st, uint32_t uid, const uint8_t request[16],
                                int64_t bucket, struct submitted **ret, size_t *ret_n,
                                struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_REQUEST_FIND];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_int64(s, 2, uid);
    sqlite3_bind_blob(s, 3, request, 16, SQLITE_STATIC);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        const char *answer = sqlite3_column_blob(s, 0);
        size_t n = (size_t)sqlite3_column_bytes(s, 0) / sizeof(uint64_t);
        struct submitted *list = calloc(n + 1, sizeof(*list));

        if (!list)
            e = aw_fail(err, AW_ERR_NO_MEMORY, "request: out of memory");
        for (size_t i = 0; !e && i < n; i++) {
            uint64_t v;

            memcpy(&v, answer + i * sizeof(v), sizeof(v));
            list[i] = answer_unpack(v);
        }
        *ret = list;
        *ret_n = n;
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "looking up a request");
    }
    sqlite3_reset(s);
    return e;
}

/* Which buckets there may be: few, and so few to look into. */
static enum aw_err buckets_know(struct store *st, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    if (st->buckets.known)
        return AW_OK;
    e = store_read_int(st, "SELECT min(bucket) FROM request", &st->buckets.first, err);
    if (!e)
        e = store_read_int(st, "SELECT max(bucket) FROM request", &st->buckets.last, err);
    st->buckets.known = !e;
    return e;
}

/*
 * *ret: the answer that is remembered, the caller's to free; NULL: there is none. A clock that was
 * set, a day back or forth, makes nobody's answer unknown.
 */
static enum aw_err request_find(struct store *st, uint32_t uid, const uint8_t request[16],
                                int64_t now_us, struct submitted **ret, size_t *ret_n,
                                struct aw_error *err)
{
    int64_t bucket = now_us / STORE_REQUEST_BUCKET_US, first, last;
    enum aw_err e = buckets_know(st, err);

    *ret = NULL;
    *ret_n = 0;
    first = MAX(bucket - STORE_REQUEST_BUCKETS, st->buckets.first);
    last = MIN(bucket + STORE_REQUEST_BUCKETS, st->buckets.last);
    for (int64_t b = last; !e && !*ret && b >= first; b--)
        e = request_read(st, uid, request, b, ret, ret_n, err);
    return e;
}

/* Whether this call was recorded before; its answer, then. */
static enum aw_err request_repeat(struct store *st, struct store_submit *op, struct aw_error *err)
{
    _cleanup_free_ struct submitted *known = NULL;
    size_t n;
    enum aw_err e = request_find(st, op->uid, op->request, op->now_us, &known, &n, err);

    if (e || !known)
        return e;
    op->repeated = true;
    if (n != op->n)
        return aw_fail(err, AW_ERR_INVALID,
                       "request: this key came before, with %zu jobs instead of %zu; a new submit "
                       "needs a new key",
                       n, op->n);
    memcpy(op->submitted, known, n * sizeof(*known));
    return AW_OK;
}

static enum aw_err request_add(struct store *st, struct store_submit *op, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_REQUEST_ADD];
    int64_t bucket = op->now_us / STORE_REQUEST_BUCKET_US;
    _cleanup_free_ uint64_t *answer = reallocarray(NULL, op->n, sizeof(*answer));

    if (!answer)
        return aw_fail(err, AW_ERR_NO_MEMORY, "submit: out of memory");
    for (size_t i = 0; i < op->n; i++)
        answer[i] = answer_pack(&op->submitted[i]);
    st->buckets.first = st->buckets.last ? MIN(st->buckets.first, bucket) : bucket;
    st->buckets.last = MAX(st->buckets.last, bucket);
    sqlite3_bind_int64(s, 1, bucket);
    sqlite3_bind_int64(s, 2, op->uid);
    sqlite3_bind_blob(s, 3, op->request, sizeof(op->request), SQLITE_STATIC);
    sqlite3_bind_blob(s, 4, answer, (int)(op->n * sizeof(*answer)), SQLITE_STATIC);
    return store_exec(st, SQL_REQUEST_ADD, err);
}

/* Who has a key. */
struct keyed {
    uint64_t number; /* 0: nobody */
    enum aw_state state;
    int64_t ended_us;
};

static enum aw_err key_find(struct store *st, uint32_t uid, struct bytes key, struct keyed *ret,
                            struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_KEY_FIND];
    enum aw_err e = AW_OK;
    int rc;

    *ret = (struct keyed){0};
    sqlite3_bind_int64(s, 1, uid);
    store_bind_text(s, 2, key);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret = (struct keyed){(uint64_t)sqlite3_column_int64(s, 0),
                              (enum aw_state)sqlite3_column_int(s, 1), sqlite3_column_int64(s, 2)};
    else if (rc != SQLITE_DONE)
        e = store_fail(st, err, "looking up a key");
    sqlite3_reset(s);
    return e;
}

/* May it answer for the job that is being submitted? One of the same submit always does. */
static bool key_answers(const struct store_submit *op, const struct store_row *row,
                        const struct keyed *keyed)
{
    if (row->cache_ttl_ms == 0 || !aw_state_is_final(keyed->state) ||
        keyed->number >= op->rows[0].number)
        return true;
    return (keyed->state == AW_SUCCEEDED || row->cache_failed) &&
           keyed->ended_us + row->cache_ttl_ms * 1000 > op->now_us;
}

/*
 * Looks whether the job exists already, under its key: then it is in *ret. Otherwise *ret_keyed is
 * who has the key and must give it up, if anybody.
 */
static enum aw_err row_known(struct store *st, const struct store_submit *op,
                             const struct store_row *row, struct submitted *ret,
                             uint64_t *ret_keyed, struct aw_error *err)
{
    struct keyed keyed = {0};
    enum aw_err e = row->key.len ? key_find(st, op->uid, row->key, &keyed, err) : AW_OK;

    *ret = (struct submitted){.number = row->number};
    if (!e && keyed.number && key_answers(op, row, &keyed))
        *ret = (struct submitted){
            .number = keyed.number, .deduplicated = true, .cached = aw_state_is_final(keyed.state)};
    *ret_keyed = keyed.number;
    return e;
}

static uint64_t row_bytes(const struct store_row *row)
{
    return row->spec.len + row->head.len;
}

static enum aw_err row_insert(struct store *st, struct store_submit *op, size_t i,
                              struct aw_error *err)
{
    const struct store_row *row = &op->rows[i];
    bool apart = row->head.data != NULL;
    enum aw_err e = store_row_add(st, op, i, err);

    if (!e && apart) {
        sqlite3_bind_int64(st->sql[SQL_INSERT_SPEC], 1, (int64_t)row->number);
        store_bind_bytes(st->sql[SQL_INSERT_SPEC], 2, row->spec);
        e = store_exec(st, SQL_INSERT_SPEC, err);
    }
    if (!e)
        e = store_account_add(
            st, &(struct account_change){.uid = op->uid, .bytes = (int64_t)row_bytes(row)},
            &op->effects, err);
    return e;
}

/* Its queue does not take it. */
static enum aw_err refuse_row(const struct store_row *row, size_t i, struct aw_error *err)
{
    int len = (int)row->queue_name.len;
    const char *name = row->queue_name.data;

    if (row->refused == AW_ERR_DRAINING)
        return aw_fail(err, AW_ERR_DRAINING, "jobs[%zu].queue: queue '%.*s' takes no new jobs now",
                       i, len, name);
    return aw_fail(err, row->refused,
                   "jobs[%zu].queue: there is no queue '%.*s'; awctl queue add %.*s makes one", i,
                   len, name, len, name);
}

/* May one that exists already become a member? */
static enum aw_err examine_member(struct store *st, const struct store_submit *op, size_t i,
                                  uint64_t number, struct aw_error *err)
{
    const struct store_set_name set = {op->uid, op->set, op->max_sets};
    bool room = true;
    enum aw_err e = op->set.len ? store_set_has_room(st, &set, number, &room, err) : AW_OK;

    if (!e && !room)
        e = aw_fail(err, AW_ERR_LIMIT,
                    "jobs[%zu].key: the future of this key is in %d sets, and in no more", i,
                    AW_MAX_SETS_OF_JOB);
    return e;
}

/*
 * May it be recorded, and how does it begin? Of a job that exists already, under its key, only
 * whether it may become a member is asked.
 */
static enum aw_err examine_row(struct store *st, struct store_submit *op, size_t i,
                               struct aw_error *err)
{
    const struct store_row *row = &op->rows[i];
    struct submitted known;
    uint64_t keyed;
    enum aw_err e;

    op->births[i] = (struct store_birth){.state = (enum aw_state)row->state};
    if (!row->refused && (!row->n_parents || op->over) && !(op->set.len && row->key.len))
        return AW_OK;
    e = row_known(st, op, row, &known, &keyed, err);
    if (e)
        return e;
    if (known.deduplicated)
        return examine_member(st, op, i, known.number, err);
    if (!row->refused && op->over)
        return AW_OK;
    return row->refused ? refuse_row(row, i, err) : store_parents_judge(st, op, i, err);
}

static enum aw_err submit_row(struct store *st, struct store_submit *op, size_t i,
                              struct aw_error *err)
{
    const struct store_row *row = &op->rows[i];
    uint64_t keyed;
    enum aw_err e = row_known(st, op, row, &op->submitted[i], &keyed, err);

    if (e || op->submitted[i].deduplicated)
        return e;
    if (op->over)
        return aw_fail(err, AW_ERR_QUEUE_FULL, "submit: there is no room for it");
    if (keyed) {
        sqlite3_bind_int64(st->sql[SQL_KEY_DROP], 1, (int64_t)keyed);
        e = store_exec(st, SQL_KEY_DROP, err);
    }
    if (!e)
        e = row_insert(st, op, i, err);
    return e ? e : store_birth_record(st, op, i, err);
}

/* Are they all there already, under their keys, and members? */
static enum aw_err all_members(struct store *st, const struct store_submit *op,
                               const struct store_set_name *set, bool *ret, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    *ret = true;
    for (size_t i = 0; !e && *ret && i < op->n; i++) {
        struct submitted known;
        uint64_t keyed;

        e = row_known(st, op, &op->rows[i], &known, &keyed, err);
        if (!e && known.deduplicated)
            e = store_set_holds(st, set, known.number, ret, err);
        else
            *ret = false;
    }
    return e;
}

/* May they become members? Only asks. A closed set has those that it has. */
static enum aw_err examine_set(struct store *st, const struct store_submit *op,
                               struct aw_error *err)
{
    const struct store_set_name set = {op->uid, op->set, op->max_sets};
    struct aw_error failed;
    bool members = false;
    enum aw_err e = op->set.len ? store_set_may_join(st, &set, op->n, err) : AW_OK;

    if (e != AW_ERR_WRONG_STATE)
        return e;
    e = all_members(st, op, &set, &members, &failed);
    if (e && err)
        *err = failed;
    return e || members ? e : AW_ERR_WRONG_STATE;
}

/* All of them do, those too that were there before. */
static enum aw_err set_join(struct store *st, struct store_submit *op, struct aw_error *err)
{
    const struct store_set_name set = {op->uid, op->set, op->max_sets};
    _cleanup_free_ uint64_t *numbers = NULL;

    if (!op->set.len)
        return AW_OK;
    numbers = calloc(op->n + 1, sizeof(*numbers));
    if (!numbers)
        return aw_fail(err, AW_ERR_NO_MEMORY, "submit: out of memory");
    for (size_t i = 0; i < op->n; i++)
        numbers[i] = op->submitted[i].number;
    return store_set_join(st, &set, numbers, op->n, op->now_us, &op->effects, err);
}

/* Whether there is room for the bytes, if all of it is new. */
static enum aw_err examine_bytes(struct store *st, struct store_submit *op, struct aw_error *err)
{
    struct account_change account = {0};
    uint64_t more = 0, all = 0;
    enum aw_err e = AW_OK;

    for (size_t i = 0; i < op->n; i++)
        more += row_bytes(&op->rows[i]);
    if (op->max_user_bytes)
        e = store_account_read(st, op->uid, &account, err);
    if (!e && op->max_bytes)
        e = store_bytes_read(st, &all, err);
    if (e)
        return e;
    if (op->max_user_bytes && (uint64_t)account.bytes + more > op->max_user_bytes) {
        op->over = FULL_USER_BYTES;
        op->has_bytes = (uint64_t)account.bytes;
    } else if (op->max_bytes && all + more > op->max_bytes) {
        op->over = FULL_BYTES;
        op->has_bytes = all;
    }
    return AW_OK;
}

static enum aw_err submit_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_submit *op = (struct store_submit *)base;
    enum aw_err e = AW_OK;

    op->repeated = false;
    op->over = FULL_NOT;
    op->expires_us = 0;
    store_effects_empty(&op->effects);
    if (op->has_request)
        e = request_repeat(st, op, err);
    if (e || op->repeated)
        return e;
    op->over = op->full;
    if (!op->over)
        e = examine_bytes(st, op, err);
    /* Before anything is written, so that a refusal does not cost others their transaction. */
    for (size_t i = 0; !e && i < op->n; i++)
        e = examine_row(st, op, i, err);
    if (!e)
        e = examine_set(st, op, err);
    for (size_t i = 0; !e && i < op->n; i++)
        e = submit_row(st, op, i, err);
    if (!e)
        e = set_join(st, op, err);
    if (!e && op->has_request && !op->over)
        e = request_add(st, op, err);
    return e;
}

/* Neither are there other jobs to be looked at, nor does anything but their rows come of them. */
static bool adds_only(const struct store_submit *op)
{
    for (size_t i = 0; i < op->n; i++)
        if (op->rows[i].key.len || op->rows[i].n_parents)
            return false;
    return op->set.len == 0;
}

void store_submit_init(struct store_submit *op)
{
    op->op.run = submit_run;
    op->op.writes = !op->full || op->set.len;
    op->op.adds_only = adds_only(op);
}

static enum aw_err recall_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_recall *op = (struct store_recall *)base;

    free(take_ptr(op->submitted)); /* of a run that was undone */
    return request_find(st, op->uid, op->request, op->now_us, &op->submitted, &op->n, err);
}

void store_recall_init(struct store_recall *op)
{
    op->op.run = recall_run;
}
