/* Sets on a disk that fails: each member ends once, whatever happens on the way. */
#include "tests/unit/engine_disk.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/faulty_vfs.h"

/* Jobs in the set "s" that run. */
static struct claimed *running(size_t n)
{
    struct answer *r;

    for (size_t i = 0; i < n; i++)
        rig_queue(WANT(.name = "x", .set = "s"));
    r = rig_claim(n);
    ck_assert_uint_eq(r->n, n);
    return r->claims;
}

/*
 * As many as the head says have ended, each of them once, and just those whose records say so. For
 * less than AW_MAX_PAGE members.
 */
static uint64_t assert_consistent(void)
{
    uint64_t n_ended = rig_set_status("s").n_ended, n_final = 0;
    struct answer *members = rig_set_members("s", 0, AW_MAX_PAGE);
    struct answer *page = rig_set_read_at("s", 0, AW_MAX_PAGE);

    ck_assert_ok(members);
    ck_assert_ok(page);
    ck_assert_uint_eq(page->n, n_ended);
    for (size_t i = 0; i < members->n; i++)
        n_final += aw_state_is_final(members->page.jobs[i].record.state);
    ck_assert_uint_eq(n_final, n_ended);
    for (size_t i = 0; i < page->n; i++) {
        ck_assert(aw_state_is_final(page->page.jobs[i].record.state));
        for (size_t k = 0; k < i; k++)
            ck_assert_uint_ne(page->page.jobs[i].record.number, page->page.jobs[k].record.number);
    }
    return n_ended;
}

START_TEST(an_end_that_waits_for_room_has_no_place_until_there_is)
{
    struct claimed *c = running(2);
    struct outcome o = outcome_exit(0);
    struct answer *finish;

    faulty_vfs_set_room(0);
    finish = start_finish(&c[0], &o);
    ck_assert_err(rig_submit(&WANT(.name = "y", .set = "t"), 1), AW_ERR_DISK_FULL);
    rig_forget_notes();
    ck_assert_uint_eq(assert_consistent(), 0);
    ck_assert_err(rig_set_get("t"), AW_ERR_NO_SET);
    faulty_vfs_set_room(-1);
    rig_await(finish);
    ck_assert_ok(finish);
    ck_assert_uint_eq(assert_consistent(), 1);
    ck_assert_int_eq(rig_count(NOTE_SET), 1);
    ck_assert_uint_eq(rig_stats().total.count, 1);
    ck_assert_uint_eq(rig_stats().sets, 1);
}
END_TEST

START_TEST(ends_that_are_recorded_again_one_by_one_have_one_place_each)
{
    static struct want many[1000];
    struct claimed *c = running(3);
    struct outcome o = outcome_exit(0);
    struct answer *first, *large, *last;

    faulty_vfs_hold();
    start_submit(&WANT(.name = "x"), 1);
    disk_await_held();
    first = start_finish(&c[0], &o);
    large = start_submit(many, ARRAY_SIZE(many));
    last = start_finish(&c[1], &o);
    faulty_vfs_set_room(60 * 1024);
    faulty_vfs_go();
    rig_await(last);
    ck_assert_ok(first);
    ck_assert_err(large, AW_ERR_DISK_FULL);
    ck_assert_ok(last);
    faulty_vfs_set_room(-1);
    ck_assert_uint_eq(rig_await_note(NOTE_SET, c[0].number)->place, 1);
    ck_assert_uint_eq(rig_await_note(NOTE_SET, c[1].number)->place, 2);
    ck_assert_uint_eq(assert_consistent(), 2);
    rig_reopen();
    ck_assert_uint_eq(assert_consistent(), 2);
}
END_TEST

START_TEST(a_cursor_that_finds_no_room_stays_where_it_is)
{
    struct claimed *c = running(1);
    struct outcome o = outcome_exit(0);
    struct reading ack = {.name = bytes_str("s"), .ack = 1};

    ck_assert_ok(rig_finish(c, &o));
    faulty_vfs_set_room(0);
    ck_assert_err(rig_set_read(ack), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_uint_eq(rig_set_read((struct reading){.name = ack.name})->n, 1);
    ck_assert_uint_eq(rig_set_read(ack)->page.cursor, 1);
}
END_TEST

START_TEST(an_end_that_is_in_doubt_is_in_the_set_if_it_is_on_record)
{
    struct claimed *c = running(2);
    struct outcome o = outcome_exit(0);
    struct answer *r;

    faulty_vfs_break_syncs(true);
    ck_assert_err(rig_finish(&c[0], &o), AW_ERR_IN_DOUBT);
    rig_await_note(NOTE_DOWN, 0);
    ck_assert_int_eq(rig_note_at(NOTE_SET, c[0].number), -1);
    faulty_vfs_break_syncs(false);
    rig_reopen();
    assert_consistent();
    r = rig_recover();
    for (size_t i = 0; i < r->n; i++)
        ck_assert_ok(rig_finish(&r->claims[i], &o));
    ck_assert_uint_eq(assert_consistent(), 2);
}
END_TEST

/* ---- A crash ----------------------------------------------------------------------------------
 */

#define BEFORE_THE_CRASH 60

/* Ends members for ever, a few at a time, and tells each once it was answered. */
static void finish_until_killed(int fd)
{
    struct outcome o = outcome_exit(0);

    rig_open();
    for (;;) {
        struct claimed *c = running(3);
        struct answer *finished[3];

        for (int i = 0; i < 3; i++)
            finished[i] = start_finish(&c[i], &o);
        for (int i = 0; i < 3; i++) {
            rig_await(finished[i]);
            if (write(fd, &c[i].number, sizeof(c[i].number)) != sizeof(c[i].number))
                _exit(1);
        }
    }
}

START_TEST(a_crash_takes_no_end_that_was_told_and_doubles_none)
{
    uint64_t told = 0, number;
    int fds[2], status;
    pid_t pid;

    rig_close();
    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0)
        finish_until_killed(fds[1]);
    close(fds[1]);
    while (told < BEFORE_THE_CRASH && read(fds[0], &number, sizeof(number)) == sizeof(number))
        told++;
    kill(pid, SIGKILL);
    while (read(fds[0], &number, sizeof(number)) == sizeof(number))
        told++;
    close(fds[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    rig_open();
    ck_assert_uint_ge(told, BEFORE_THE_CRASH);
    ck_assert_uint_ge(assert_consistent(), told);
}
END_TEST

/* ---- Rows that go in slices -------------------------------------------------------------------
 */

/* Both in a store that is closed. */
static sqlite3 *db_open(void)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open_v2(disk_db(), &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000", NULL, NULL, NULL),
        SQLITE_OK);
    return db;
}

void disk_run(const char *sql)
{
    sqlite3 *db = db_open();

    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int64_t rows_left(const char *table)
{
    sqlite3 *db = db_open();
    sqlite3_stmt *s = NULL;
    char sql[64];
    int64_t n;

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* A set of n thousand, all cancelled, and a consumer. */
static void big_set(int thousands)
{
    static struct want wants[1000];
    uint64_t numbers[1000];

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        wants[i] = WANT(.set = "s");
    for (int k = 0; k < thousands; k++) {
        struct answer *r = rig_submit(wants, ARRAY_SIZE(wants));

        ck_assert_ok(r);
        for (size_t i = 0; i < r->n; i++)
            numbers[i] = r->submitted[i].number;
        ck_assert_ok(rig_cancel(numbers, r->n, -1));
    }
    ck_assert_ok(rig_set_read((struct reading){.name = bytes_str("s"), .ack = 5}));
}

START_TEST(of_a_big_set_the_name_goes_at_once_and_the_rest_in_slices)
{
    int64_t left, before = INT64_MAX;
    uint64_t commits;

    big_set(12);
    ck_assert_uint_eq(rig_set_status("s").n_ended, 12000);
    ck_assert_ok(rig_set_forget("s"));
    ck_assert_err(rig_set_get("s"), AW_ERR_NO_SET);
    rig_queue(WANT(.set = "s"));
    ck_assert_uint_eq(rig_set_status("s").n_members, 1);
    rig_close();
    ck_assert_int_eq(rows_left("consumer"), 0);
    while ((left = rows_left("doomed"))) {
        ck_assert_int_eq(left, 1);
        left = rows_left("member");
        ck_assert_int_lt(left, before);
        ck_assert(before == INT64_MAX || left >= before - 6000);
        ck_assert_int_eq(rows_left("completion"), left - 1);
        before = left;
        rig_open();
        commits = rig_stats().commits;
        while (rig_stats().commits == commits)
            rig_turn();
        rig_close();
    }
    ck_assert_int_eq(rows_left("member"), 1);
    ck_assert_int_eq(rows_left("completion"), 0);
    rig_open();
    ck_assert_uint_eq(rig_set_status("s").n_members, 1);
}
END_TEST

/* Nothing but a defect could lead there; the set does not believe it. */
START_TEST(one_that_ends_twice_keeps_its_place)
{
    struct claimed *c = running(2);
    struct outcome o = outcome_exit(0);
    struct answer *r;

    ck_assert_ok(rig_finish(&c[0], &o));
    rig_close();
    disk_run("UPDATE job SET state = 3, expires_us = NULL; UPDATE account SET kept = 0");
    rig_open();
    r = rig_recover();
    ck_assert_uint_eq(r->n, 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_ok(rig_finish(&r->claims[i], &o));
    ck_assert_uint_eq(assert_consistent(), 2);
}
END_TEST

/* ---- Limits -----------------------------------------------------------------------------------
 */

START_TEST(there_are_so_many_sets_and_no_more)
{
    struct answer *refused;
    char sql[320];

    rig_close();
    snprintf(
        sql, sizeof(sql),
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO bag (uid, temporary, name, created_us) SELECT 9, 0, 'set' || i, 1 FROM n;"
        "INSERT INTO account VALUES (9, 0, 0, %d)",
        AW_MAX_SETS - 1, AW_MAX_SETS - 1);
    disk_run(sql);
    rig_open();
    ck_assert_uint_eq(rig_stats().sets, AW_MAX_SETS - 1);
    faulty_vfs_set_room(0);
    ck_assert_err(rig_set_add("full", NULL, 0), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_ok(rig_set_add("last", NULL, 0));
    ck_assert_err(rig_set_add("more", NULL, 0), AW_ERR_QUEUE_FULL);
    ck_assert_err(rig_set_add(NULL, NULL, 0), AW_ERR_QUEUE_FULL);
    refused = rig_submit(&WANT(.set = "more"), 1);
    ck_assert_err(refused, AW_ERR_QUEUE_FULL);
    ck_assert_msg(strstr(refused->err.text, "sets"), "%s", refused->err.text);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 0);
    ck_assert_ok(rig_submit(&WANT(.set = "last"), 1));
    ck_assert_ok(rig_set_forget("last"));
    ck_assert_ok(rig_submit(&WANT(.set = "more"), 1));
    ck_assert_uint_eq(rig_stats().sets, AW_MAX_SETS);
}
END_TEST

START_TEST(a_set_has_so_many_members_and_no_more)
{
    uint64_t numbers[2];
    char sql[64];

    for (int i = 0; i < 2; i++)
        numbers[i] = rig_queue(WANT(.name = "x"));
    ck_assert_ok(rig_set_add("s", NULL, 0));
    rig_close();
    snprintf(sql, sizeof(sql), "UPDATE bag SET n_members = %d", AW_MAX_MEMBERS - 1);
    disk_damaged();
    disk_run(sql);
    rig_open();
    ck_assert_err(rig_set_add("s", numbers, 2), AW_ERR_LIMIT);
    ck_assert_uint_eq(rig_sets_of(numbers[0])->n, 0);
    ck_assert_ok(rig_set_add("s", numbers, 1));
    ck_assert_err(rig_submit(&WANT(.set = "s"), 1), AW_ERR_LIMIT);
}
END_TEST

void disk_sets_add(TCase *tc)
{
    tcase_add_test(tc, there_are_so_many_sets_and_no_more);
    tcase_add_test(tc, a_set_has_so_many_members_and_no_more);
    tcase_add_test(tc, an_end_that_waits_for_room_has_no_place_until_there_is);
    tcase_add_test(tc, ends_that_are_recorded_again_one_by_one_have_one_place_each);
    tcase_add_test(tc, a_cursor_that_finds_no_room_stays_where_it_is);
    tcase_add_test(tc, an_end_that_is_in_doubt_is_in_the_set_if_it_is_on_record);
    tcase_add_test(tc, a_crash_takes_no_end_that_was_told_and_doubles_none);
    tcase_add_test(tc, one_that_ends_twice_keeps_its_place);
    tcase_add_test(tc, of_a_big_set_the_name_goes_at_once_and_the_rest_in_slices);
}
