/* Sets: becoming a member, ending as one, closing. */
#include "daemon/engine/embedded/store_accounts.h"
#include "daemon/engine/embedded/store_sets.h"

#include <inttypes.h>

#include "daemon/engine/embedded/sets.h"

/* ---- Effects ------------------------------------------------------------------------------- */

/* Room for one more in a list that doubles; NULL: out of memory, and the list is as it was. */
void *store_list_grow(void *list, size_t n, size_t *room, size_t size)
{
    size_t more = n < *room ? *room : MAX(n * 2, (size_t)1);
    void *grown = n < *room ? list : reallocarray(list, more, size);

    if (grown)
        *room = more;
    return grown;
}

static enum aw_err effects_end(struct store_effects *effects, const struct store_ended *end,
                               struct aw_error *err)
{
    struct store_ended *ends =
        store_list_grow(effects->ends, effects->n_ends, &effects->room_ends, sizeof(*ends));

    if (!ends)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    effects->ends = ends;
    ends[effects->n_ends++] = *end;
    return AW_OK;
}

enum aw_err store_set_changed(struct store_effects *effects, const struct set_info *info,
                              struct store_set_change **ret, struct aw_error *err)
{
    struct store_set_change *sets =
        store_list_grow(effects->sets, effects->n_sets, &effects->room_sets, sizeof(*sets));

    if (!sets)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    effects->sets = sets;
    sets += effects->n_sets++;
    *sets = (struct store_set_change){.info = *info};
    sets->info.status.name = (struct bytes){0};
    if (ret)
        *ret = sets;
    return AW_OK;
}

/* ---- Heads --------------------------------------------------------------------------------- */

void store_set_columns(sqlite3_stmt *s, struct set_info *ret)
{
    ret->id = (uint64_t)sqlite3_column_int64(s, 0);
    ret->gone = false;
    ret->status = (struct set_status){
        .name = ret->status.name,
        .uid = (uint64_t)sqlite3_column_int64(s, 1),
        .temporary = sqlite3_column_int(s, 2),
        .closed = sqlite3_column_int(s, 3),
        .n_members = (uint64_t)sqlite3_column_int64(s, 4),
        .n_ended = (uint64_t)sqlite3_column_int64(s, 5),
        .n_failed = (uint64_t)sqlite3_column_int64(s, 6),
        .created_us = (uint64_t)sqlite3_column_int64(s, 7),
        .closed_us = (uint64_t)sqlite3_column_int64(s, 8),
        .first_us = (uint64_t)sqlite3_column_int64(s, 9),
        .last_us = (uint64_t)sqlite3_column_int64(s, 10),
    };
}

/* Runs a statement that finds one head, or none. */
static enum aw_err head_read(struct store *st, enum store_sql which, struct set_info *ret,
                             bool *ret_found, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[which];
    enum aw_err e = AW_OK;
    int rc = sqlite3_step(s);

    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        store_set_columns(s, ret);
    else if (rc != SQLITE_DONE)
        e = store_fail(st, err, "reading a set");
    sqlite3_reset(s);
    return e;
}

static bool name_is_temporary(struct bytes name)
{
    return name.len && *(const char *)name.data == '~';
}

enum aw_err store_set_look(struct store *st, const struct store_set_name *set, struct set_info *ret,
                           bool *ret_found, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_SET_FIND];

    sqlite3_bind_int64(s, 1, set->uid);
    sqlite3_bind_int(s, 2, name_is_temporary(set->name));
    store_bind_text(s, 3, set->name);
    ret->status.name = set->name;
    return head_read(st, SQL_SET_FIND, ret, ret_found, err);
}

static enum aw_err no_set(const struct store_set_name *set, struct aw_error *err)
{
    return aw_fail(err, AW_ERR_NO_SET, "set %.*s: there is none of this name", (int)set->name.len,
                   (const char *)set->name.data);
}

enum aw_err store_set_find(struct store *st, const struct store_set_name *set, struct set_info *ret,
                           struct aw_error *err)
{
    bool found = false;
    enum aw_err e = store_set_look(st, set, ret, &found, err);

    return e || found ? e : no_set(set, err);
}

enum aw_err store_set_by_id(struct store *st, uint64_t id, struct set_info *ret, bool *ret_found,
                            struct aw_error *err)
{
    sqlite3_bind_int64(st->sql[SQL_SET_BY_ID], 1, (int64_t)id);
    ret->status.name = (struct bytes){0};
    return head_read(st, SQL_SET_BY_ID, ret, ret_found, err);
}

enum aw_err store_set_save(struct store *st, const struct set_info *info, struct aw_error *err)
{
    const struct set_status *set = &info->status;
    sqlite3_stmt *s = st->sql[SQL_SET_SAVE];

    sqlite3_bind_int64(s, 1, (int64_t)info->id);
    sqlite3_bind_int(s, 2, set->closed);
    sqlite3_bind_int64(s, 3, (int64_t)set->n_members);
    sqlite3_bind_int64(s, 4, (int64_t)set->n_ended);
    sqlite3_bind_int64(s, 5, (int64_t)set->n_failed);
    sqlite3_bind_int64(s, 6, (int64_t)set->closed_us);
    sqlite3_bind_int64(s, 7, (int64_t)set->first_us);
    sqlite3_bind_int64(s, 8, (int64_t)set->last_us);
    if (set_is_complete(set) && !set->temporary)
        sqlite3_bind_int64(s, 9, set_complete_us(set));
    else
        sqlite3_bind_null(s, 9);
    return store_exec(st, SQL_SET_SAVE, err);
}

/* How many sets there are, counted once. */
enum aw_err store_sets_count(struct store *st, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_SET_COUNT];
    enum aw_err e = AW_OK;

    if (st->sets_counted)
        return AW_OK;
    if (sqlite3_step(s) == SQLITE_ROW)
        st->n_sets = (uint64_t)sqlite3_column_int64(s, 0);
    else
        e = store_fail(st, err, "counting sets");
    sqlite3_reset(s);
    st->sets_counted = !e;
    return e;
}

static enum aw_err user_may_make(struct store *st, const struct store_set_name *set,
                                 struct aw_error *err)
{
    struct account_change has = {0};
    enum aw_err e = store_account_read(st, set->uid, &has, err);

    if (!e && (uint64_t)has.sets >= set->max_sets)
        e = aw_fail(err, AW_ERR_QUOTA,
                    "set %.*s: cannot be made: user %u has %" PRIi64 " sets; at most %" PRIu64
                    " are taken (max_user_sets)",
                    (int)set->name.len, (const char *)set->name.data, set->uid, has.sets,
                    set->max_sets);
    return e;
}

/* Whether a set may be made, of this name. */
enum aw_err store_set_may_make(struct store *st, const struct store_set_name *set, bool fresh,
                               struct aw_error *err)
{
    enum aw_err e;

    if (name_is_temporary(set->name) && !fresh)
        return no_set(set, err);
    e = store_sets_count(st, err);
    if (!e && set->max_sets)
        e = user_may_make(st, set, err);
    if (!e && st->n_sets >= AW_MAX_SETS)
        e = aw_fail(err, AW_ERR_QUEUE_FULL,
                    "set %.*s: cannot be made: there are %" PRIu64 " sets, and no more are taken",
                    (int)set->name.len, (const char *)set->name.data, st->n_sets);
    return e;
}

enum aw_err store_set_make(struct store *st, const struct store_set_name *set, int64_t now_us,
                           struct set_info *ret, struct store_effects *effects,
                           struct aw_error *err)
{
    const struct account_change made = {.uid = set->uid, .sets = 1};
    sqlite3_stmt *s = st->sql[SQL_SET_MAKE];
    enum aw_err e;

    sqlite3_bind_int64(s, 1, set->uid);
    sqlite3_bind_int(s, 2, name_is_temporary(set->name));
    store_bind_text(s, 3, set->name);
    sqlite3_bind_int64(s, 4, now_us);
    e = store_exec(st, SQL_SET_MAKE, err);
    if (!e)
        e = store_account_add(st, &made, effects, err);
    if (e)
        return e;
    st->n_sets++;
    *ret = (struct set_info){
        .id = (uint64_t)sqlite3_last_insert_rowid(st->db),
        .status = {.name = set->name,
                   .uid = set->uid,
                   .temporary = name_is_temporary(set->name),
                   .created_us = (uint64_t)now_us},
    };
    return AW_OK;
}

/* ---- The end of a member -------------------------------------------------------------------- */

static void bind_time(sqlite3_stmt *s, int col, bool known, int64_t us)
{
    if (known)
        sqlite3_bind_int64(s, col, MAX(us, 0));
    else
        sqlite3_bind_null(s, col);
}

/* The member's row says how it ended, unless it does already (*ret_first false). */
static enum aw_err member_end(struct store *st, const struct set_info *info, uint64_t position,
                              const struct store_ended *end, bool *ret_first, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_MEMBER_END];
    bool ran = end->started_us > 0;
    enum aw_err e;

    sqlite3_bind_int64(s, 1, (int64_t)info->id);
    sqlite3_bind_int64(s, 2, (int64_t)position);
    sqlite3_bind_int64(s, 3, (int64_t)info->status.n_ended + 1);
    sqlite3_bind_int(s, 4, (int)end->state);
    sqlite3_bind_int(s, 5, (int)end->class);
    sqlite3_bind_int64(s, 6, end->ended_us);
    bind_time(s, 7, ran, end->started_us - MAX(end->created_us, end->due_us));
    bind_time(s, 8, ran, end->ended_us - end->started_us);
    bind_time(s, 9, true, end->ended_us - end->created_us);
    e = store_exec(st, SQL_MEMBER_END, err);
    *ret_first = !e && sqlite3_changes(st->db) == 1;
    return e;
}

/* Gives a member that has ended the next place in its set, whose head is the caller's to save. */
enum aw_err store_set_complete(struct store *st, struct set_info *info, uint64_t position,
                               const struct store_ended *end, bool *ret_first, struct aw_error *err)
{
    struct set_status *set = &info->status;
    sqlite3_stmt *s = st->sql[SQL_COMPLETION_ADD];
    enum aw_err e = member_end(st, info, position, end, ret_first, err);

    if (e || !*ret_first)
        return e;
    set->n_ended++;
    if (end->state != AW_SUCCEEDED)
        set->n_failed++;
    if (set->n_ended == 1)
        set->first_us = (uint64_t)end->ended_us;
    set->last_us = MAX(set->last_us, (uint64_t)end->ended_us);
    sqlite3_bind_int64(s, 1, (int64_t)info->id);
    sqlite3_bind_int64(s, 2, (int64_t)set->n_ended);
    sqlite3_bind_int64(s, 3, (int64_t)position);
    return store_exec(st, SQL_COMPLETION_ADD, err);
}

/* The membership of a job in the set with the next higher ID. */
enum aw_err store_membership_next(struct store *st, uint64_t number, uint64_t after,
                                  struct membership *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_MEMBER_OF];
    enum aw_err e = AW_OK;
    int rc;

    *ret = (struct membership){0};
    sqlite3_bind_int64(s, 1, (int64_t)number);
    sqlite3_bind_int64(s, 2, (int64_t)after);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret = (struct membership){(uint64_t)sqlite3_column_int64(s, 0),
                                   (uint64_t)sqlite3_column_int64(s, 1)};
    else if (rc != SQLITE_DONE)
        e = store_fail(st, err, "looking for the sets of a job");
    sqlite3_reset(s);
    return e;
}

static enum aw_err end_in(struct store *st, const struct membership *m,
                          const struct store_ended *end, struct store_effects *effects,
                          struct aw_error *err)
{
    struct store_set_change *change = NULL;
    struct set_info info = {0};
    bool found = false, first = false;
    enum aw_err e = store_set_by_id(st, m->bag, &info, &found, err);

    if (e || !found)
        return e;
    e = store_set_complete(st, &info, m->position, end, &first, err);
    if (e || !first)
        return e;
    e = store_set_save(st, &info, err);
    if (!e)
        e = store_set_changed(effects, &info, &change, err);
    if (e)
        return e;
    change->place = info.status.n_ended;
    change->number = end->number;
    change->state = end->state;
    return AW_OK;
}

enum aw_err store_job_ended(struct store *st, const struct store_ended *end, unsigned flags,
                            struct store_effects *effects, struct aw_error *err)
{
    const struct account_change kept = {.uid = end->uid, .kept = 1};
    struct membership m = {0};
    enum aw_err e = effects_end(effects, end, err);

    if (!e)
        e = store_account_add(st, &kept, effects, err);
    if (e || !(flags & STORE_IN_SET))
        return e;
    do {
        if (!e)
            e = store_membership_next(st, end->number, m.bag, &m, err);
        if (!e && m.bag)
            e = end_in(st, &m, end, effects, err);
    } while (!e && m.bag);
    return e;
}

/* ---- Operations ----------------------------------------------------------------------------- */

bool store_set_close_head(struct set_info *info, int64_t now_us)
{
    if (info->status.closed)
        return false;
    info->status.closed = true;
    info->status.closed_us = (uint64_t)now_us;
    return true;
}

static enum aw_err get_run(struct store_op *base, struct store *st, struct aw_error *err)
{
    struct store_set_get *op = (struct store_set_get *)base;
    enum aw_err e = store_set_find(st, &op->set, &op->info, err);

    store_effects_empty(&op->effects);
    if (e || !op->close || !store_set_close_head(&op->info, op->now_us))
        return e;
    e = store_set_save(st, &op->info, err);
    return e ? e : store_set_changed(&op->effects, &op->info, NULL, err);
}

void store_set_get_init(struct store_set_get *op)
{
    op->op.run = get_run;
    op->op.writes = op->close;
}
