/* What each user has on record: kept up with every transaction. */
#include "daemon/engine/embedded/store_accounts.h"

#include "daemon/engine/embedded/store_sets.h"

/* ---- Lists of changes ------------------------------------------------------------------------ */

/* Who changed last is looked at first: there are few users in one transaction. */
static struct account_change *change_of(struct account_changes *list, uint32_t uid)
{
    struct account_change *v;

    for (size_t i = list->n; i > 0; i--)
        if (list->v[i - 1].uid == uid)
            return &list->v[i - 1];
    v = store_list_grow(list->v, list->n, &list->room, sizeof(*v));
    if (!v)
        return NULL;
    list->v = v;
    v += list->n++;
    *v = (struct account_change){.uid = uid};
    return v;
}

static enum aw_err changes_add(struct account_changes *list, const struct account_change *change,
                               struct aw_error *err)
{
    struct account_change *to = change_of(list, change->uid);

    if (!to)
        return aw_fail(err, AW_ERR_NO_MEMORY, "store: out of memory");
    to->kept += change->kept;
    to->bytes += change->bytes;
    to->sets += change->sets;
    return AW_OK;
}

/* ---- In a transaction ------------------------------------------------------------------------ */

enum aw_err store_account_add(struct store *st, const struct account_change *change,
                              struct store_effects *effects, struct aw_error *err)
{
    enum aw_err e = changes_add(&effects->accounts, change, err);

    if (!e)
        e = changes_add(&st->accounts, change, err);
    if (!e)
        st->bytes += (uint64_t)change->bytes;
    return e;
}

static enum aw_err account_write(struct store *st, const struct account_change *change,
                                 struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_ACCOUNT_ADD];
    enum aw_err e;

    sqlite3_bind_int64(s, 1, change->uid);
    sqlite3_bind_int64(s, 2, change->kept);
    sqlite3_bind_int64(s, 3, change->bytes);
    sqlite3_bind_int64(s, 4, change->sets);
    e = store_exec(st, SQL_ACCOUNT_ADD, err);
    if (e || (change->bytes >= 0 && change->sets >= 0))
        return e;
    sqlite3_bind_int64(st->sql[SQL_ACCOUNT_DROP], 1, change->uid);
    return store_exec(st, SQL_ACCOUNT_DROP, err);
}

enum aw_err store_accounts_save(struct store *st, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < st->accounts.n; i++)
        e = account_write(st, &st->accounts.v[i], err);
    if (!e)
        st->accounts.n = 0;
    return e;
}

void store_accounts_undo(struct store *st)
{
    st->accounts.n = 0;
    st->bytes_counted = false;
}

enum aw_err store_account_read(struct store *st, uint32_t uid, struct account_change *ret,
                               struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_ACCOUNT];
    struct account_change found = {.uid = uid};
    enum aw_err e = AW_OK;
    int rc;

    sqlite3_bind_int64(s, 1, uid);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        found.kept = sqlite3_column_int64(s, 0);
        found.bytes = sqlite3_column_int64(s, 1);
        found.sets = sqlite3_column_int64(s, 2);
    } else if (rc != SQLITE_DONE) {
        e = store_fail(st, err, "reading what a user has");
    }
    sqlite3_reset(s);
    for (size_t i = 0; !e && i < st->accounts.n; i++) {
        const struct account_change *change = &st->accounts.v[i];

        if (change->uid != uid)
            continue;
        found.kept += change->kept;
        found.bytes += change->bytes;
        found.sets += change->sets;
    }
    if (!e)
        *ret = found;
    return e;
}

enum aw_err store_bytes_read(struct store *st, uint64_t *ret, struct aw_error *err)
{
    sqlite3_stmt *s = st->sql[SQL_ACCOUNT_BYTES];
    enum aw_err e = AW_OK;

    if (!st->bytes_counted) {
        if (sqlite3_step(s) == SQLITE_ROW)
            st->bytes = (uint64_t)sqlite3_column_int64(s, 0);
        else
            e = store_fail(st, err, "adding up what users have");
        sqlite3_reset(s);
        for (size_t i = 0; !e && i < st->accounts.n; i++)
            st->bytes += (uint64_t)st->accounts.v[i].bytes;
        st->bytes_counted = !e;
    }
    if (!e)
        *ret = st->bytes;
    return e;
}
