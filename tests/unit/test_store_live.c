/* Many jobs that have not ended, read by two threads when the store is opened. */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <sqlite3.h>

#include "tests/unit/store_ignore.h"
#include "tests/unit/store_rig.h"

static int n_opened; /* connections to databases */

static int database_opened(sqlite3 *sql, const char **error, const void *api)
{
    (void)sql, (void)error, (void)api;
    n_opened++;
    return SQLITE_OK;
}

/* ---- What is there ------------------------------------------------------------------------------
 */

static sqlite3 *by_hand(const char *path)
{
    sqlite3 *sql = NULL;

    ck_assert_int_eq(sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    return sql;
}

static void run(sqlite3 *sql, const char *text)
{
    char *error = NULL;

    ck_assert_msg(sqlite3_exec(sql, text, NULL, NULL, &error) == SQLITE_OK, "%s", error);
}

/*
 * Numbers in a row, numbers with gaps, and the first and the last that there can be. Two of six
 * have ended; all else that is told of a job follows from its number.
 */
static const char jobs[] =
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000),"
    " numbers(number) AS (SELECT CASE WHEN i <= 20000 THEN i WHEN i < 24990 THEN i * 1001"
    " ELSE 9223372036854775807 - (25000 - i) * (25000 - i) * 5000 END FROM n"
    " UNION ALL SELECT -9223372036854775807 - 1)"
    " INSERT INTO job (number, state, flags, priority, uid, gid, attempt, claim, created_us,"
    " due_us, deadline_us, overall_us, retention_ms, retry_of, queue, abandon_ms, spec)"
    " SELECT number, abs(number % 6), number & 3, number % 10, number & 0xffff, 0,"
    " number & 7, number & 0xffffff, 0, number & 0xfffffff, number >> 1, number >> 2, 0, 0, 1,"
    " number >> 3, zeroblob(150) FROM numbers";

static int64_t live_count(sqlite3 *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t n;

    ck_assert_int_eq(
        sqlite3_prepare_v2(sql, "SELECT count(*) FROM job WHERE state < 4", -1, &s, NULL),
        SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

/* A store with them, so large that a helper is worth it; the log is empty. Returns how many have
 * not ended. */
static int64_t fill(const char *path)
{
    sqlite3 *sql = by_hand(path);
    int64_t n;

    run(sql, jobs);
    n = live_count(sql);
    ck_assert_int_eq(sqlite3_close(sql), SQLITE_OK);
    ck_assert_int_gt(file_size(path), 4 << 20);
    return n;
}

/* ---- What is told -------------------------------------------------------------------------------
 */

struct told {
    int64_t n, last;
    int64_t n_before_error; /* 0: there is none */
};

static enum aw_err live_check(void *arg, const struct store_live *live)
{
    struct told *told = arg;
    int64_t number = (int64_t)live->number;

    ck_assert_msg(told->n == 0 || number > told->last, "%" PRId64 " after %" PRId64, number,
                  told->last);
    ck_assert_msg(live->priority == number % 10 && live->flags == (number & 3) &&
                      live->uid == (number & 0xffff) && live->attempt == (uint64_t)(number & 7) &&
                      live->claim == (uint64_t)(number & 0xffffff) &&
                      live->due_us == (number & 0xfffffff) && live->deadline_us == number >> 1 &&
                      live->overall_us == number >> 2 && live->queue == 1 &&
                      live->abandon_ms == number >> 3,
                  "%" PRId64, number);
    ck_assert_int_lt(live->state, 4);
    told->last = number;
    return ++told->n == told->n_before_error ? AW_ERR_NO_MEMORY : AW_OK;
}

static const struct store_loader loader = {
    .queue = ignore_queue, .account = ignore_account, .live = live_check};

static void unexpected_down(void *arg, const struct aw_error *err)
{
    (void)arg;
    ck_abort_msg("down: %s", err->text);
}

static enum aw_err load(const char *path, struct told *told, struct aw_error *err)
{
    struct store_info info;
    struct store *st = NULL;
    enum aw_err e = store_open(path, base, &loader, unexpected_down, told, &st, &info, err);

    store_close(st);
    return e;
}

/* All are told of, by so many connections. */
static void all_told(const char *path, int64_t n, int connections)
{
    struct aw_error err = {0};
    struct told told = {0};

    n_opened = 0;
    ck_assert_msg(load(path, &told, &err) == AW_OK, "%s", err.text);
    ck_assert_int_eq(n_opened, connections);
    ck_assert_int_eq(told.n, n);
    ck_assert_int_eq(told.last, INT64_MAX);
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

START_TEST(all_are_told_of_in_their_order)
{
    struct store_info info;

    store_close(open_store(NULL, &info));
    all_told(db, fill(db), 2);
}
END_TEST

/* What a path may have in it means something else in a URI. */
START_TEST(a_path_may_be_odd)
{
    char path[STORE_PATH];
    struct told told = {0};
    struct aw_error err = {0};

    ck_assert_int_eq(load(store_path(path, "/odd %41?mode=ro#\xc3\xa4.db"), &told, &err), AW_OK);
    all_told(path, fill(path), 2);
}
END_TEST

/* What is in the log is newer than the database, which only one connection can read then. */
START_TEST(what_is_in_the_log_counts)
{
    struct store_info info;
    sqlite3 *sql;
    int64_t n;

    store_close(open_store(NULL, &info));
    (void)fill(db);
    sql = by_hand(db);
    sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    run(sql, "DELETE FROM job WHERE number % 1000 = 1; UPDATE job SET state = 5"
             " WHERE number BETWEEN 19002 AND 19005");
    n = live_count(sql);
    ck_assert_int_eq(sqlite3_close(sql), SQLITE_OK);
    ck_assert_int_gt(file_size(wal), 0);
    all_told(db, n, 1);
}
END_TEST

START_TEST(an_error_ends_it)
{
    struct store_info info;
    struct image before;

    store_close(open_store(NULL, &info));
    (void)fill(db);
    before = read_file(db);
    for (int64_t n = 1; n <= 15001; n += 7500) {
        struct told told = {.n_before_error = n};
        struct aw_error err = {0};

        ck_assert_int_eq(load(db, &told, &err), AW_ERR_NO_MEMORY);
        ck_assert_int_eq(err.code, AW_ERR_NO_MEMORY);
        ck_assert_msg(strstr(err.text, "reading what is there: ") != NULL, "%s", err.text);
        ck_assert_int_eq(told.n, n);
    }
    assert_unchanged(db, before);
}
END_TEST

/* No matter which of the two meets it. */
START_TEST(damage_is_refused)
{
    static const char junk[4096] = {1};
    struct store_info info;
    struct image whole;
    int refused = 0;

    store_close(open_store(NULL, &info));
    (void)fill(db);
    whole = read_file(db);
    for (size_t page = 100; page < whole.len / sizeof(junk); page += 150) {
        struct aw_error err = {0};
        struct told told = {0};

        patch_file(db, (long)(page * sizeof(junk)), junk, sizeof(junk));
        if (load(db, &told, &err)) {
            ck_assert_int_eq(err.code, AW_ERR_STORE);
            ck_assert_msg(strstr(err.text, "reading what is there: damaged") != NULL, "%s",
                          err.text);
            ck_assert_int_lt(file_size(wal), 1);
            refused++;
        }
        patch_file(db, (long)(page * sizeof(junk)), whole.data + page * sizeof(junk), sizeof(junk));
    }
    ck_assert_int_gt(refused, 4);
    free(whole.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_live");
    TCase *tests = tcase_create("load");

    if (sqlite3_auto_extension((void (*)(void))database_opened) != SQLITE_OK)
        return 1;
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, store_setup, store_teardown);
    tcase_add_test(tests, all_are_told_of_in_their_order);
    tcase_add_test(tests, a_path_may_be_odd);
    tcase_add_test(tests, what_is_in_the_log_counts);
    tcase_add_test(tests, an_error_ends_it);
    tcase_add_test(tests, damage_is_refused);
    return unit_run(suite);
}
