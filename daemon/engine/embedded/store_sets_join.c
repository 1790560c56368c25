/* Sets: how jobs become members. */
#include "daemon/engine/embedded/store_sets.h"

#include <inttypes.h>

/* A job that is to become a member. */
struct candidate {
    struct store_ended end; /* state: as it is now, final or not */
    unsigned flags;
    uint64_t position; /* that it got; 0: it was a member already */
};

/* All that store_set_add and store_set_join have in common. */
struct join {
    const struct store_set_name *set;
    struct set_info info;
    bool found; /* there is such a set */
    bool check; /* other users' jobs are unknown */
    int64_t now_us;
    struct candidate *candidates;
    size_t n;
};

static enum aw_err member_find(struct store *st, uint64_t bag, uint64_t number, bool *ret_found,
                               enum aw_state *ret_state, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_MEMBER_FIND];
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, (int64_t)number);
    sqlite3_bind_int64(s, 2, (int64_t)bag);
    rc = sqlite3_step(s);
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW && sqlite3_column_int64(s, 0))
        *ret_state = (enum aw_state)sqlite3_column_int(s, 1);
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        e = store_fail(st, err, "looking for a member");
    sqlite3_reset(s);
    return e;
}

/* err: AW_OK, AW_ERR_EXPIRED_ID, or for somebody else's, AW_ERR_UNKNOWN_ID. */
static enum aw_err job_look(struct store *st, const struct join *join, uint64_t number,
                            struct candidate *ret, struct job_result *r, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_MEMBER_JOB];
    enum aw_err e = AW_OK;
    int rc;

    *r = (struct job_result){.number = number, .err = AW_ERR_EXPIRED_ID};
    sqlite3_bind_int64(s, 1, (int64_t)number);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        bool mine = !join->check || sqlite3_column_int64(s, 2) == join->set->uid;

        *ret = (struct candidate){.end = {.number = number,
                                          .state = (enum aw_state)sqlite3_column_int(s, 0),
                                          .class = (enum aw_class)sqlite3_column_int(s, 1),
                                          .created_us = sqlite3_column_int64(s, 4),
                                          .due_us = sqlite3_column_int64(s, 5),
                                          .started_us = sqlite3_column_int64(s, 6),
                                          .ended_us = sqlite3_column_int64(s, 7)},
                                  .flags = (unsigned)sqlite3_column_int64(s, 3)};
        if (ret->end.state == AW_SCHEDULED && ret->end.due_us <= join->now_us)
            ret->end.state = AW_QUEUED;
        r->err = mine ? AW_OK : AW_ERR_UNKNOWN_ID;
        r->state = ret->end.state;
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "reading a job");
    }
    sqlite3_reset(s);
    return e;
}

static enum aw_err has_room(struct store *st, uint64_t number, bool *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_MEMBER_COUNT];
    enum aw_err e = AW_OK;

    sqlite3_bind_int64(s, 1, (int64_t)number);
    sqlite3_bind_int64(s, 2, AW_MAX_SETS_OF_JOB);
    if (sqlite3_step(s) == SQLITE_ROW)
        *ret = sqlite3_column_int64(s, 0) < AW_MAX_SETS_OF_JOB;
    else
        e = store_fail(st, err, "counting the sets of a job");
    sqlite3_reset(s);
    return e;
}

/* Finds out what is to be done about one job; changes nothing. */
static enum aw_err join_look(struct store *st, struct join *join, uint64_t number,
                             struct job_result *r, struct aw_error *err)
{
    struct candidate *c = &join->candidates[join->n];
    bool member = false, room = true;
    enum aw_err e = job_look(st, join, number, c, r, err);

    if (!e && join->found)
        e = member_find(st, join->info.id, number, &member, &r->state, err);
    if (!e && !member && !r->err && c->flags & STORE_IN_SET)
        e = has_room(st, number, &room, err);
    if (e)
        return e;
    if (!room)
        r->err = AW_ERR_LIMIT;
    if (member)
        r->err = AW_OK;
    else if (r->err)
        r->state = AW_SCHEDULED; /* not said */
    else
        join->n++;
    return AW_OK;
}

static enum aw_err member_add(struct store *st, struct join *join, struct candidate *c,
                              struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_MEMBER_ADD];
    enum aw_err e;

    sqlite3_bind_int64(s, 1, (int64_t)join->info.id);
    sqlite3_bind_int64(s, 2, (int64_t)join->info.status.n_members + 1);
    sqlite3_bind_int64(s, 3, (int64_t)c->end.number);
    e = store_exec(st, SQL_MEMBER_ADD, err);
    if (e || sqlite3_changes(st->db) == 0)
        return e; /* it was named twice */
    c->position = ++join->info.status.n_members;
    if (c->flags & STORE_IN_SET)
        return AW_OK;
    sqlite3_bind_int64(st->sql[SQL_MEMBER_MARK], 1, STORE_IN_SET);
    sqlite3_bind_int64(st->sql[SQL_MEMBER_MARK], 2, (int64_t)c->end.number);
    return store_exec(st, SQL_MEMBER_MARK, err);
}

static int compare_ends(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->end.ended_us != y->end.ended_us)
        return x->end.ended_us < y->end.ended_us ? -1 : 1;
    return x->end.number < y->end.number ? -1 : x->end.number > y->end.number;
}

/* Makes the set if need be, and all candidates its members; the head is the caller's to save. */
static enum aw_err join_do(struct store *st, struct join *join, struct store_effects *effects,
                           struct aw_error *err)
{
    enum aw_err e = AW_OK;
    bool first;

    if (!join->found)
        e = store_set_make(st, join->set, join->now_us, &join->info, effects, err);
    for (size_t i = 0; !e && i < join->n; i++)
        e = member_add(st, join, &join->candidates[i], err);
    qsort(join->candidates, join->n, sizeof(*join->candidates), compare_ends);
    for (size_t i = 0; !e && i < join->n; i++) {
        const struct candidate *c = &join->candidates[i];

        if (c->position && aw_state_is_final(c->end.state))
            e = store_set_complete(st, &join->info, c->position, &c->end, &first, err);
    }
    return e;
}

static enum aw_err join_may(struct store *st, const struct join *join, size_t n, bool fresh,
                            struct aw_error *err)
{
    struct bytes name = join->set->name;

    if (!join->found)
        return store_set_may_make(st, join->set, fresh, err);
    if (n && join->info.status.closed)
        return aw_fail(err, AW_ERR_WRONG_STATE, "set %.*s: it is closed, nothing can be added",
                       (int)name.len, (const char *)name.data);
    if (join->info.status.n_members + n > AW_MAX_MEMBERS)
        return aw_fail(err, AW_ERR_LIMIT,
                       "set %.*s: %" PRIu64 " members and %zu more; at most %d are possible",
                       (int)name.len, (const char *)name.data, join->info.status.n_members, n,
                       AW_MAX_MEMBERS);
    return AW_OK;
}

enum aw_err store_set_may_join(struct store *st, const struct store_set_name *set, size_t n,
                               struct aw_error *err)
{
    struct join join = {.set = set};
    enum aw_err e = store_set_look(st, set, &join.info, &join.found, err);

    return e ? e : join_may(st, &join, n, false, err);
}

enum aw_err store_set_holds(struct store *st, const struct store_set_name *set, uint64_t number,
                            bool *ret, struct aw_error *err)
{
    struct set_info info = {0};
    enum aw_state ignored;
    enum aw_err e = store_set_find(st, set, &info, err);

    return e ? e : member_find(st, info.id, number, ret, &ignored, err);
}

enum aw_err store_set_has_room(struct store *st, const struct store_set_name *set, uint64_t number,
                               bool *ret, struct aw_error *err)
{
    struct set_info info = {0};
    bool found = false, member = false;
    enum aw_state ignored;
    enum aw_err e = has_room(st, number, ret, err);

    if (!e && !*ret)
        e = store_set_look(st, set, &info, &found, err);
    if (!e && found)
        e = member_find(st, info.id, number, &member, &ignored, err);
    if (!e && member)
        *ret = true;
    return e;
}

enum aw_err store_set_join(struct store *st, const struct store_set_name *set,
                           const uint64_t *numbers, size_t n, int64_t now_us,
                           struct store_effects *effects, struct aw_error *err)
{
    _cleanup_free_ struct candidate *candidates = calloc(n + 1, sizeof(*candidates));
    struct join join = {.set = set, .now_us = now_us, .candidates = candidates};
    struct job_result ignored;
    uint64_t n_before;
    enum aw_err e;

    if (!candidates)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    e = store_set_look(st, set, &join.info, &join.found, err);
    for (size_t i = 0; !e && i < n; i++)
        e = join_look(st, &join, numbers[i], &ignored, err);
    n_before = join.info.status.n_members;
    if (!e)
        e = join_do(st, &join, effects, err);
    if (e || (join.found && join.info.status.n_members == n_before))
        return e;
    e = store_set_save(st, &join.info, err);
    return e ? e : store_set_changed(effects, &join.info, NULL, err);
}

static enum aw_err add_settle(struct store *st, struct store_set_add *op, struct join *join,
                              struct aw_error *err)
{
    uint64_t n_before = join->info.status.n_members;
    bool changed;
    enum aw_err e = join_do(st, join, &op->effects, err);

    if (e)
        return e;
    changed = !join->found || join->info.status.n_members != n_before;
    if (op->close && store_set_close_head(&join->info, op->now_us))
        changed = true;
    if (changed)
        e = store_set_save(st, &join->info, err);
    if (!e && changed)
        e = store_set_changed(&op->effects, &join->info, NULL, err);
    op->info = join->info;
    return e;
}

static enum aw_err add_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_set_add *op = (struct store_set_add *)base;
    _cleanup_free_ struct candidate *candidates = calloc(op->n + 1, sizeof(*candidates));
    struct join join = {
        .set = &op->set, .check = !op->admin, .now_us = op->now_us, .candidates = candidates};
    enum aw_err e;

    store_effects_empty(&op->effects);
    if (!candidates)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    e = store_set_look(st, &op->set, &join.info, &join.found, err);
    for (size_t i = 0; !e && i < op->n; i++)
        e = join_look(st, &join, op->numbers[i], &op->results[i], err);
    if (!e)
        e = join_may(st, &join, join.n, op->fresh, err);
    return e ? e : add_settle(st, op, &join, err);
}

void store_set_add_init(struct store_set_add *op)
{
    op->op.run = add_run;
    op->op.writes = true;
}
