/*
 * What is pruned gives its room back to the disk, while others go on, and harms nobody: not when
 * the disk is full or fails, not when the power goes, not a backup.
 *
 * POWER_LOSS_POINTS=n asks for more places at which the power goes (make power-loss POINTS=n).
 */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "daemon/engine/embedded/store_schema.h"
#include "daemon/engine/embedded/store_sql.h"
#include "daemon/engine/offline.h"
#include "tests/unit/faulty_vfs.h"
#include "tests/unit/powerloss_vfs.h"
#include "tests/unit/space_rig.h"

#define KEPT       100   /* jobs that stay */
#define FEW_PAGES  256   /* that may stay free */
#define STILL      300   /* submits in which nothing becomes smaller: it is done */
#define ANEW_PAGES 16384 /* more are not made anew at once */
#define PRUNE_MAX  500
#define FEW_POINTS 40 /* where the power goes */

/* Returns how many went. */
static size_t prune(struct store *st)
{
    struct gone gone[PRUNE_MAX];
    size_t n = 0;
    bool more = true;

    while (more) {
        struct store_remove op = {
            .prune = true, .now_us = now_us(), .max = PRUNE_MAX, .gone = gone};

        store_remove_init(&op);
        ck_assert_int_eq(run_op(st, &op.op), AW_OK);
        store_effects_free(&op.effects);
        n += op.n_gone;
        more = op.more;
    }
    return n;
}

/* ---- Its file -----------------------------------------------------------------------------------
 */

static void run(sqlite3 *sql, const char *text)
{
    char *error = NULL;

    ck_assert_msg(sqlite3_exec(sql, text, NULL, NULL, &error) == SQLITE_OK, "%s", error);
}

/* And what users have is as it is then. */
static void change(const char *text)
{
    sqlite3 *sql = by_hand(db);

    run(sql, text);
    if (sqlite3_table_column_metadata(sql, NULL, "account", NULL, NULL, NULL, NULL, NULL, NULL) ==
        SQLITE_OK)
        run(sql, "DELETE FROM account; INSERT INTO account " STORE_ACCOUNTS);
    sqlite3_close(sql);
}

/* Ended jobs with little output, whose time is over, and after each `every` of them one that is
 * kept: so what is kept is everywhere in the file. */
static void fill(int n, int every)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "PRAGMA synchronous = OFF; BEGIN;"
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO job (number, state, flags, priority, uid, gid, attempt, created_us,"
             " due_us, deadline_us, overall_us, started_us, ended_us, expires_us, retention_ms,"
             " retry_of, queue, abandon_ms, exit_code, message, spec)"
             " SELECT i, 4, 0, 0, 0, 0, 1, 1, 1, 0, 0, 2, 3, iif(i %% %d, 4, 4000000000000000), 0,"
             " 0, 1, 0, 0, printf('%%0200d', i), x'81a474797065a46e6f6f70' FROM n;"
             "INSERT INTO output SELECT number, 1, 0, zeroblob(300) FROM job;"
             "UPDATE meta SET value = %d WHERE name = 'high'; COMMIT",
             n, every, n);
    change(text);
}

static void on_wrong(void *arg, const char *text)
{
    (void)arg;
    ck_abort_msg("%s", text);
}

static void assert_sound(const char *path)
{
    static const struct offline_findings findings = {on_wrong, NULL};
    struct offline *off = NULL;
    struct aw_error err = {0};

    ck_assert_msg(offline_open(path, &off, &err) == AW_OK, "%s", err.text);
    ck_assert_msg(offline_check(off, &findings, NULL, &err) == AW_OK, "%s", err.text);
    offline_close(off);
}

static void assert_kept(const char *path)
{
    ck_assert_int_eq(number_in(path, "SELECT count(*) FROM job WHERE state = 4"), KEPT);
    ck_assert_int_eq(number_in(path, "SELECT count(*) FROM output WHERE length(data) = 300"), KEPT);
}

/* An empty store of the newest kind, then filled. */
static void make_full(int n)
{
    store_close(open_store());
    fill(n, n / KEPT);
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

START_TEST(a_store_that_was_emptied_becomes_small_while_it_is_used)
{
    const int n = 30000;
    int64_t full;
    uint64_t number = (uint64_t)n;
    struct store *st;

    make_full(n);
    full = size_of(db);
    ck_assert_int_gt(full, 16 << 20);
    st = open_store();
    ck_assert_uint_eq(prune(st), (size_t)n - KEPT);
    /* Somebody goes on all the time. */
    for (int still = 0; size_of(db) > full / 8 || still < STILL;) {
        int64_t size = size_of(db);

        ck_assert_int_eq(submit_one(st, ++number), AW_OK);
        turn();
        still = size_of(db) == size ? still + 1 : 0;
    }
    store_close(st);
    printf("# from %jd KiB to %jd, with %jd submits meanwhile\n", (intmax_t)full / 1024,
           (intmax_t)size_of(db) / 1024, (intmax_t)(number - (uint64_t)n));
    ck_assert_int_le(number_in(db, "PRAGMA freelist_count"), FEW_PAGES);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job WHERE state = 2"),
                     (int64_t)number - n);
    assert_kept(db);
    assert_sound(db);
}
END_TEST

START_TEST(a_store_that_nobody_uses_becomes_small_too)
{
    struct store *st;
    int64_t full;

    make_full(10000);
    full = size_of(db);
    st = open_store();
    prune(st);
    await_size(db, full / 4);
    store_close(st);
    assert_kept(db);
    assert_sound(db);
}
END_TEST

/* What is free is used again before the file grows. */
START_TEST(a_few_free_pages_stay)
{
    struct store *st = open_store();

    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(
            submit(st, 1 + 1000 * (uint64_t)i, 1000, bytes_of(noop_spec, sizeof(noop_spec))),
            AW_OK);
    store_close(st);
    change("DELETE FROM job WHERE number > 500; UPDATE meta SET value = 3000 WHERE name = 'high'");
    ck_assert_int_gt(number_in(db, "PRAGMA freelist_count"), 10);
    st = open_store();
    ck_assert_int_eq(submit_one(st, 3001), AW_OK);
    for (int i = 0; i < 10; i++)
        turn();
    store_close(st);
    ck_assert_int_gt(number_in(db, "PRAGMA freelist_count"), 10);
}
END_TEST

START_TEST(answers_to_old_requests_go_also_when_no_job_does)
{
    struct gone gone[PRUNE_MAX];
    struct store_remove op = {.prune = true, .now_us = now_us(), .max = PRUNE_MAX, .gone = gone};
    struct store *st;
    int64_t bucket = now_us() / STORE_REQUEST_BUCKET_US;
    char text[256];

    store_close(open_store());
    snprintf(text, sizeof(text),
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
             " INSERT INTO request SELECT %jd, 0, i, zeroblob(8) FROM n;"
             "INSERT INTO request VALUES (%jd, 0, 'x', zeroblob(8))",
             (intmax_t)bucket - 3, (intmax_t)bucket);
    change(text);
    st = open_store();
    ck_assert_uint_eq(prune(st), 0);
    store_remove_init(&op);
    ck_assert_int_eq(run_op(st, &op.op), AW_OK);
    store_effects_free(&op.effects);
    ck_assert_int_eq(op.next_expiry_us, (bucket + 3) * STORE_REQUEST_BUCKET_US);
    store_close(st);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM request"), 1);
}
END_TEST

/* One job under the request's name, at this time; the number that is answered. */
static uint64_t submit_request(struct store *st, uint64_t number, int64_t at_us)
{
    struct store_row row = {.number = number,
                            .state = AW_QUEUED,
                            .queue = STORE_DEFAULT_QUEUE,
                            .spec = bytes_of(noop_spec, sizeof(noop_spec))};
    struct submitted answer = {0};
    struct store_birth birth;
    struct store_submit op = {.n = 1,
                              .rows = &row,
                              .submitted = &answer,
                              .births = &birth,
                              .now_us = at_us,
                              .has_request = true,
                              .request = "a request's name"};

    store_submit_init(&op);
    ck_assert_int_eq(run_op(st, &op.op), AW_OK);
    store_effects_free(&op.effects);
    return answer.number;
}

START_TEST(a_request_is_remembered_for_a_day_whatever_becomes_of_the_clock)
{
    const int64_t hour = INT64_C(3600) * 1000000;
    int64_t now = now_us();

    /* From every hour of a bucket. */
    for (int h = 0; h < 12; h++) {
        int64_t begun = now + h * hour;
        struct gone gone[PRUNE_MAX];
        struct store_remove op = {
            .prune = true, .now_us = begun + 24 * hour, .max = PRUNE_MAX, .gone = gone};
        struct store *st = open_store();

        ck_assert_uint_eq(submit_request(st, 1, begun), 1);
        store_remove_init(&op);
        ck_assert_int_eq(run_op(st, &op.op), AW_OK);
        store_effects_free(&op.effects);
        ck_assert_uint_eq(submit_request(st, 2, begun + 24 * hour), 1);
        ck_assert_uint_eq(submit_request(st, 3, begun - 24 * hour), 1);
        store_close(st);
        st = open_store();
        ck_assert_uint_eq(submit_request(st, 4, begun + 24 * hour), 1);
        ck_assert_uint_eq(submit_request(st, 5, begun - 24 * hour), 1);
        ck_assert_uint_eq(submit_request(st, 6, begun + 48 * hour), 6);
        store_close(st);
        remove(db);
    }
}
END_TEST

/* ---- The first release's ------------------------------------------------------------------------
 */

static void make_first(int page)
{
    sqlite3 *sql = NULL;
    char text[256];

    ck_assert_int_eq(sqlite3_open_v2(db, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"),
                     SQLITE_OK);
    snprintf(text, sizeof(text), "PRAGMA page_size = %d", page);
    run(sql, text);
    ck_assert_int_eq(store_schema_make(sql, 1), SQLITE_OK);
    snprintf(text, sizeof(text),
             "INSERT INTO meta VALUES ('tag', 'aaaaa'), ('epoch', 4), ('high', 0);"
             "PRAGMA application_id = %d; PRAGMA user_version = 1; PRAGMA journal_mode = WAL",
             STORE_APPLICATION_ID);
    ck_assert_int_eq(sqlite3_exec(sql, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sql);
}

START_TEST(a_store_of_the_first_release_becomes_small_too)
{
    struct store *st;
    int64_t full;

    make_first(4096);
    fill(10000, 10000 / KEPT);
    full = size_of(db);
    st = open_store();
    prune(st);
    await_size(db, full / 4);
    store_close(st);
    assert_kept(db);
    assert_sound(db);
}
END_TEST

START_TEST(a_large_one_of_the_first_release_does_so_once_it_holds_little)
{
    make_first(512); /* which makes it large with few bytes */
    fill(KEPT * 2, 2);
    change("PRAGMA synchronous = OFF;"
           "CREATE TABLE t AS SELECT 1; DROP TABLE t;"
           "INSERT INTO output SELECT number, 1, 1, zeroblob(50000) FROM job");
    store_close(open_store());
    ck_assert_int_eq(number_in(db, "PRAGMA auto_vacuum"), 0);
    ck_assert_int_eq(number_in(db, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    change("DELETE FROM output WHERE stream = 1; DELETE FROM output WHERE number % 2;"
           "DELETE FROM job WHERE number % 2");
    ck_assert_int_gt(number_in(db, "PRAGMA page_count"), ANEW_PAGES);
    store_close(open_store());
    ck_assert_int_eq(number_in(db, "PRAGMA auto_vacuum"), 2);
    ck_assert_int_lt(size_of(db), 1 << 20);
    assert_kept(db);
    assert_sound(db);
}
END_TEST

START_TEST(without_room_for_a_copy_it_opens_as_it_is)
{
    struct store *st;

    make_first(4096);
    fill(10000, 10000 / KEPT);
    change("PRAGMA user_version = 3;" STORE_SCHEMA_2 STORE_SCHEMA_3);
    faulty_vfs_install();
    faulty_vfs_set_room(100000);
    st = open_store();
    store_close(st);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(number_in(db, "PRAGMA auto_vacuum"), 0);
    assert_sound(db);
    store_close(open_store());
    ck_assert_int_eq(number_in(db, "PRAGMA auto_vacuum"), 2);
    assert_sound(db);
}
END_TEST

/* ---- Faults -------------------------------------------------------------------------------------
 */

START_TEST(a_full_disk_does_no_harm)
{
    struct store *st;

    faulty_vfs_install();
    make_full(10000);
    st = open_store();
    prune(st);
    faulty_vfs_set_room(0);
    for (int i = 0; i < 70; i++)
        turn();
    ck_assert_int_eq(submit_one(st, 20000), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(submit_one(st, 20001), AW_OK);
    store_close(st);
    ck_assert_int_eq(n_down, 0);
    assert_kept(db);
    assert_sound(db);
}
END_TEST

START_TEST(a_disk_that_fails_is_told)
{
    struct store *st;
    uint64_t number = 20000;

    faulty_vfs_install();
    make_full(10000);
    st = open_store();
    prune(st);
    faulty_vfs_break_writes(true);
    while (!n_down)
        turn();
    ck_assert_int_eq(submit_one(st, ++number), AW_ERR_IN_DOUBT);
    store_close(st);
    faulty_vfs_break_writes(false);
    store_close(open_store());
    assert_kept(db);
    assert_sound(db);
}
END_TEST

static void backup_to(struct store *st, const char *path)
{
    struct store_backup op = {.path = path};

    store_backup_init(&op);
    while (!op.complete)
        ck_assert_int_eq(run_op(st, &op.op), AW_OK);
}

START_TEST(a_backup_meanwhile_is_whole)
{
    char path[SPACE_PATH];
    struct store *st;
    int64_t full;
    int n = 0;

    snprintf(path, sizeof(path), "%s/backup.db", space_dir());
    make_full(20000);
    full = size_of(db);
    st = open_store();
    prune(st);
    while (size_of(db) > full / 4) {
        FILE *f = fopen(path, "w");

        ck_assert_ptr_nonnull(f);
        fclose(f);
        backup_to(st, path);
        assert_kept(path);
        assert_sound(path);
        n++;
    }
    store_close(st);
    ck_assert_int_gt(n, 1);
}
END_TEST

START_TEST(nothing_is_lost_when_the_power_goes)
{
    const char *more = getenv("POWER_LOSS_POINTS");
    long points = more ? strtol(more, NULL, 10) : FEW_POINTS;
    struct dice dice = {3};
    struct store *st;
    int64_t full;
    size_t from, n;

    make_full(4000);
    full = size_of(db);
    powerloss_vfs_start(space_dir());
    st = open_store();
    prune(st);
    from = powerloss_vfs_length();
    await_size(db, full / 2);
    store_close(st);
    n = powerloss_vfs_length();
    ck_assert_uint_gt(n, from + 100);
    for (long i = 0; i < points; i++) {
        unlink(wal);
        powerloss_vfs_image(from + dice_roll(&dice, n - from + 1), POWERLOSS_HONEST, &dice,
                            space_dir());
        assert_sound(db);
        assert_kept(db);
    }
    printf("# %ld of %zu places\n", points, n - from);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_space");
    TCase *room = tcase_create("room"), *first = tcase_create("first release"),
          *faults = tcase_create("faults");

    suite_add_tcase(suite, room);
    tcase_add_checked_fixture(room, space_setup, space_teardown);
    tcase_set_timeout(room, 300);
    tcase_add_test(room, a_store_that_was_emptied_becomes_small_while_it_is_used);
    tcase_add_test(room, a_store_that_nobody_uses_becomes_small_too);
    tcase_add_test(room, a_few_free_pages_stay);
    tcase_add_test(room, a_request_is_remembered_for_a_day_whatever_becomes_of_the_clock);
    tcase_add_test(room, answers_to_old_requests_go_also_when_no_job_does);
    suite_add_tcase(suite, first);
    tcase_add_checked_fixture(first, space_setup, space_teardown);
    tcase_set_timeout(first, 300);
    tcase_add_test(first, a_store_of_the_first_release_becomes_small_too);
    tcase_add_test(first, a_large_one_of_the_first_release_does_so_once_it_holds_little);
    tcase_add_test(first, without_room_for_a_copy_it_opens_as_it_is);
    suite_add_tcase(suite, faults);
    tcase_add_checked_fixture(faults, space_setup, space_teardown);
    tcase_set_timeout(faults, 300);
    tcase_add_test(faults, a_full_disk_does_no_harm);
    tcase_add_test(faults, a_disk_that_fails_is_told);
    tcase_add_test(faults, a_backup_meanwhile_is_whole);
    tcase_add_test(faults, nothing_is_lost_when_the_power_goes);
    return unit_run(suite);
}
