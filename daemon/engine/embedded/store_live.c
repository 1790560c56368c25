/* The jobs that have not ended, read when the store is opened. */
#include "daemon/engine/embedded/store_private.h"

struct live_load {
    const struct store_loader *loader;
    void *arg;
    enum aw_err e;
};

static struct store_live live_read(sqlite3_value **v)
{
    return (struct store_live){
        .number = (uint64_t)sqlite3_value_int64(v[0]),
        .state = sqlite3_value_int(v[1]),
        .priority = sqlite3_value_int(v[2]),
        .flags = (unsigned)sqlite3_value_int(v[3]),
        .attempt = (uint64_t)sqlite3_value_int64(v[4]),
        .claim = (uint64_t)sqlite3_value_int64(v[5]),
        .due_us = sqlite3_value_int64(v[6]),
        .deadline_us = sqlite3_value_int64(v[7]),
        .overall_us = sqlite3_value_int64(v[8]),
        .queue = sqlite3_value_int(v[9]),
        .abandon_ms = sqlite3_value_int64(v[10]),
        .uid = (uint32_t)sqlite3_value_int64(v[11]),
    };
}

static void live_tell(sqlite3_context *c, int n, sqlite3_value **v)
{
    struct live_load *load = sqlite3_user_data(c);
    struct store_live live = live_read(v);

    (void)n;
    load->e = load->loader->live(load->arg, &live);
    if (load->e)
        sqlite3_result_error_code(c, SQLITE_ABORT);
}

/*
 * There may be millions. A function that the statement calls for each row has its columns at hand;
 * to step to each row and ask for them one by one takes a quarter more time. It finds no row.
 */
static const char sql[] =
    "SELECT NULL FROM job WHERE CASE WHEN state < 4 THEN"
    " live_tell(number, state, priority, flags, attempt, claim, due_us, deadline_us, overall_us,"
    " queue, abandon_ms, uid) END ORDER BY number";

enum { N_COLUMNS = 12, FLAGS = SQLITE_UTF8 | SQLITE_DIRECTONLY };

enum aw_err store_live_load(struct store *st, const struct store_loader *loader, void *arg,
                            struct aw_error *err)
{
    struct live_load load = {loader, arg, AW_OK};
    enum aw_err e = AW_OK;

    if (sqlite3_create_function(st->db, "live_tell", N_COLUMNS, FLAGS, &load, live_tell, NULL,
                                NULL) != SQLITE_OK ||
        sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        e = store_fail(st, err, "reading what is there");
    if (load.e)
        e = aw_fail(err, load.e, "reading what is there: %s", aw_err_text(load.e));
    sqlite3_create_function(st->db, "live_tell", N_COLUMNS, FLAGS, NULL, NULL, NULL, NULL);
    return e;
}
