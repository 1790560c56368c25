/*
 * SQLite's log: how long it is, when it goes into the database, and what a disk that is full or
 * fails does to that.
 */
#include "daemon/engine/embedded/store_private.h"
#include "tests/unit/faulty_vfs.h"
#include "tests/unit/space_rig.h"
#include "tests/unit/unit.h"

#define LARGE 100000 /* bytes of a specification */

static uint8_t large[LARGE];

/* Records n jobs that take as many pages as 25 n others. */
static enum aw_err submit_large(struct store *st, uint64_t first, size_t n)
{
    return submit(st, first, n, bytes_of(large, sizeof(large)));
}

/* ---- Its length ---------------------------------------------------------------------------------
 */

START_TEST(the_log_is_longer_than_what_is_in_it)
{
    struct store *st = open_store();
    int64_t size;

    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    ck_assert_int_eq(submit_one(st, 2), AW_OK); /* so what is done after the first is done */
    size = size_of(wal);
    ck_assert_int_ge(size, 1 << 20);
    for (uint64_t i = 3; i < 30; i++)
        ck_assert_int_eq(submit_one(st, i), AW_OK);
    ck_assert_int_eq(size_of(wal), size);
    store_close(st);
}
END_TEST

START_TEST(a_log_that_is_long_goes_into_the_database_and_begins_anew)
{
    struct store *st = open_store();
    int64_t size;

    ck_assert_int_eq(submit_large(st, 1, 50), AW_OK);
    ck_assert_int_eq(submit_one(st, 100), AW_OK);
    ck_assert_int_gt(size_of(db), 4 << 20);
    size = size_of(wal);
    for (uint64_t i = 1; i < 4; i++)
        ck_assert_int_eq(submit_large(st, 200 * i, 10), AW_OK);
    ck_assert_int_eq(size_of(wal), size);
    store_close(st);
}
END_TEST

START_TEST(a_log_that_a_burst_made_long_is_cut)
{
    struct store *st = open_store();

    ck_assert_int_eq(submit_large(st, 1, 120), AW_OK);
    ck_assert_int_gt(size_of(wal), 10 << 20);
    await_size(wal, 8 << 20);
    ck_assert_int_eq(submit_one(st, 1000), AW_OK);
    store_close(st);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job"), 121);
}
END_TEST

/* ---- What is written to it ----------------------------------------------------------------------
 */

struct written {
    int writes;
    int64_t bytes;
};

static struct written written(void)
{
    struct written w;

    faulty_vfs_log_written(&w.writes, &w.bytes);
    return w;
}

START_TEST(a_commit_is_one_write)
{
    struct store *st;

    faulty_vfs_install();
    st = open_store();
    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    for (uint64_t i = 2; i < 10; i++) {
        struct written before = written();

        ck_assert_int_eq(submit_one(st, i), AW_OK);
        ck_assert_int_eq(written().writes, before.writes + 1);
    }
    store_close(st);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job"), 9);
}
END_TEST

/* Of what comes next all is written, and nothing else. */
START_TEST(what_a_commit_left_that_failed_is_never_written)
{
    struct written before;
    struct store *st;

    faulty_vfs_install();
    st = open_store();
    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    before = written();
    faulty_vfs_set_room(0);
    ck_assert_int_eq(submit_large(st, 2, 1), AW_ERR_DISK_FULL);
    ck_assert_int_eq(written().writes, before.writes);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(submit_one(st, 3), AW_OK);
    ck_assert_int_eq(written().writes, before.writes + 1);
    ck_assert_int_lt(written().bytes, before.bytes + LARGE / 2);
    store_close(st);
    ck_assert_int_eq(number_in(db, "SELECT sum(number) FROM job"), 4);
}
END_TEST

/* What is done with the log itself, on the thread whose it is: each call's answer, and pages. */
struct direct {
    struct store_op op;
    int answers[10];
    uint8_t gathered[4096], written[4096];
};

static const uint8_t page[4096] = {1}, other[4096] = {2};

static enum aw_err direct_run(struct store_op *op, struct store *st, struct aw_error *err)
{
    static const sqlite3_int64 at = 800000, behind = at + 4096; /* where nothing is yet */
    struct direct *x = (struct direct *)op;
    sqlite3_file *log = store_log_file(st);
    const sqlite3_io_methods *m = log->pMethods;
    int *answer = x->answers;

    (void)err;
    faulty_vfs_set_room(0);
    *answer++ = m->xWrite(log, page, sizeof(page), at);
    *answer++ = m->xRead(log, x->gathered, sizeof(x->gathered), at);
    *answer++ = m->xSync(log, SQLITE_SYNC_NORMAL);
    faulty_vfs_set_room(-1);
    *answer++ = m->xRead(log, x->written, sizeof(x->written), at);
    *answer++ = m->xWrite(log, page, sizeof(page), behind);
    *answer++ = m->xSync(log, SQLITE_SYNC_NORMAL);
    *answer++ = m->xWrite(log, other, sizeof(other), at);
    *answer++ = m->xWrite(log, page, sizeof(page), behind);
    *answer++ = m->xSync(log, SQLITE_SYNC_NORMAL);
    *answer++ = m->xRead(log, x->written, sizeof(x->written), at);
    return AW_OK;
}

/* Who was told of the failure may have been somebody else than who goes on. */
START_TEST(nothing_is_written_behind_what_was_lost)
{
    static const int answers[] = {SQLITE_OK,   SQLITE_OK,   SQLITE_FULL, /* the page is lost here */
                                  SQLITE_FULL, SQLITE_FULL, SQLITE_OK,   SQLITE_OK,
                                  SQLITE_OK,   SQLITE_OK,   SQLITE_OK};
    struct direct x = {.op.run = direct_run};
    struct store *st;

    faulty_vfs_install();
    st = open_store();
    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    ck_assert_int_eq(run_op(st, &x.op), AW_OK);
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
        ck_assert_int_eq(x.answers[i], answers[i]);
    ck_assert_mem_eq(x.gathered, page, sizeof(page));
    ck_assert_mem_eq(x.written, other, sizeof(other));
    ck_assert_int_eq(submit_one(st, 2), AW_OK);
    store_close(st);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job"), 2);
}
END_TEST

/* SQLite writes a part of it before the commit, and reads that again. */
START_TEST(a_transaction_that_is_larger_than_memory_finds_no_room)
{
    struct store *st;

    faulty_vfs_install();
    st = open_store();
    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    faulty_vfs_set_room(4 << 20);
    ck_assert_int_eq(submit_large(st, 2, 150), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(submit_large(st, 2, 150), AW_OK);
    ck_assert_int_eq(submit_one(st, 1000), AW_OK);
    store_close(st);
    ck_assert_int_eq(n_down, 0);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job"), 152);
    ck_assert_int_eq(number_in(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}
END_TEST

/* What SQLite writes behind a commit's sync is part of its log, too. */
START_TEST(a_full_disk_takes_nothing_from_a_commit_that_is_filled_up)
{
    struct store *st;

    faulty_vfs_install();
    faulty_vfs_damage_neighbours(true);
    st = open_store();
    faulty_vfs_damage_neighbours(false);
    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    faulty_vfs_set_room(0);
    ck_assert_int_eq(submit_one(st, 2), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(submit_one(st, 3), AW_OK);
    store_close(st);
    ck_assert_int_eq(n_down, 0);
    ck_assert_int_eq(number_in(db, "SELECT sum(number) FROM job"), 4);
}
END_TEST

/* ---- Faults -------------------------------------------------------------------------------------
 */

static void assert_jobs(int64_t n)
{
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job"), n);
    ck_assert_int_eq(number_in(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
}

static const int broken[] = {SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC};

START_TEST(a_log_that_cannot_go_into_the_database_stops_the_store)
{
    struct store *st;

    faulty_vfs_install();
    st = open_store();
    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    faulty_vfs_fail_database(broken[_i]);
    ck_assert_int_eq(submit_one(st, 2), AW_OK); /* what is written to the log is on the disk */
    ck_assert_int_eq(submit_large(st, 100, 50), AW_OK);
    while (!n_down)
        turn();
    ck_assert_msg(strstr(down_text, "moving the log into the database") != NULL, "%s", down_text);
    ck_assert_int_eq(submit_one(st, 3), AW_ERR_IN_DOUBT);
    ck_assert_int_eq(n_down, 1);
    store_close(st);
    faulty_vfs_fail_database(SQLITE_OK);
    st = open_store();
    ck_assert_int_eq(submit_one(st, 4), AW_OK);
    store_close(st);
    assert_jobs(53);
}
END_TEST

START_TEST(a_log_that_finds_no_room_in_the_database_goes_there_later)
{
    struct store *st;
    int64_t size;

    faulty_vfs_install();
    st = open_store();
    ck_assert_int_eq(submit_one(st, 1), AW_OK);
    size = size_of(db);
    faulty_vfs_fail_database(SQLITE_FULL);
    ck_assert_int_eq(submit_large(st, 100, 50), AW_OK);
    for (uint64_t i = 2; i < 10; i++) {
        ck_assert_int_eq(submit_one(st, i), AW_OK);
        turn();
    }
    ck_assert_int_eq(size_of(db), size);
    faulty_vfs_fail_database(SQLITE_OK);
    ck_assert_int_eq(submit_one(st, 10), AW_OK);
    while (size_of(db) < 50 * LARGE)
        turn();
    store_close(st);
    ck_assert_int_eq(n_down, 0);
    assert_jobs(60);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_log");
    TCase *length = tcase_create("length"), *written = tcase_create("written"),
          *faults = tcase_create("faults");

    suite_add_tcase(suite, length);
    tcase_add_checked_fixture(length, space_setup, space_teardown);
    tcase_set_timeout(length, 300);
    tcase_add_test(length, the_log_is_longer_than_what_is_in_it);
    tcase_add_test(length, a_log_that_is_long_goes_into_the_database_and_begins_anew);
    tcase_add_test(length, a_log_that_a_burst_made_long_is_cut);
    suite_add_tcase(suite, written);
    tcase_add_checked_fixture(written, space_setup, space_teardown);
    tcase_set_timeout(written, 300);
    tcase_add_test(written, a_commit_is_one_write);
    tcase_add_test(written, what_a_commit_left_that_failed_is_never_written);
    tcase_add_test(written, nothing_is_written_behind_what_was_lost);
    tcase_add_test(written, a_transaction_that_is_larger_than_memory_finds_no_room);
    tcase_add_test(written, a_full_disk_takes_nothing_from_a_commit_that_is_filled_up);
    suite_add_tcase(suite, faults);
    tcase_add_checked_fixture(faults, space_setup, space_teardown);
    tcase_set_timeout(faults, 300);
    tcase_add_loop_test(faults, a_log_that_cannot_go_into_the_database_stops_the_store, 0,
                        ARRAY_SIZE(broken));
    tcase_add_test(faults, a_log_that_finds_no_room_in_the_database_goes_there_later);
    return unit_run(suite);
}
