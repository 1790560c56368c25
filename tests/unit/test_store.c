/* Which files the store takes, which it refuses, and that it leaves those as they were. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/engine/embedded/store_sql.h"
#include "tests/unit/store_rig.h"

/* ---- Taken ------------------------------------------------------------------------------------
 */

START_TEST(a_store_is_made_where_there_is_none)
{
    struct store_info info;
    int n = 0;

    store_close(open_store(&n, &info));
    ck_assert_uint_eq(strlen(info.tag), AW_TAG_LEN);
    ck_assert_uint_eq(info.high, 0);
    ck_assert_uint_eq(info.epoch, 1);
    ck_assert_uint_eq(info.kept, 0);
    ck_assert_int_eq(n, 0);
}
END_TEST

START_TEST(a_store_is_made_of_an_empty_file)
{
    struct store_info info;

    write_file(db, "", 0);
    store_close(open_store(NULL, &info));
    ck_assert_uint_eq(info.epoch, 1);
}
END_TEST

START_TEST(two_stores_have_two_tags)
{
    struct store_info a, b;

    store_close(open_store(NULL, &a));
    remove(db);
    store_close(open_store(NULL, &b));
    ck_assert_str_ne(a.tag, b.tag);
}
END_TEST

START_TEST(what_was_recorded_is_found_again)
{
    struct store_info first, second;
    struct store *st = open_store(NULL, &first);
    int n = 0;

    add_job(st, 7);
    add_job(st, 9);
    store_close(st);
    store_close(open_store(&n, &second));
    ck_assert_str_eq(first.tag, second.tag);
    ck_assert_uint_eq(second.high, 9);
    ck_assert_uint_eq(second.epoch, 2);
    ck_assert_int_eq(n, 2);
}
END_TEST

START_TEST(only_its_owner_can_read_it)
{
    struct store_info info;
    struct store *st;
    struct stat sb;

    umask(0);
    st = open_store(NULL, &info);
    add_job(st, 1);
    ck_assert_int_eq(stat(db, &sb), 0);
    ck_assert_uint_eq(sb.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(wal, &sb), 0);
    ck_assert_uint_eq(sb.st_mode & 0777, 0600);
    store_close(st);
}
END_TEST

/* A store that was in use when its process was killed: its log is full of commits. */
static void crash_with_jobs(int n_jobs)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct store_info info;
        struct store *st;

        event_base_free(base);
        base = event_base_new();
        st = open_store(NULL, &info);
        for (int i = 1; i <= n_jobs; i++)
            add_job(st, info.high + (uint64_t)i);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_gt(file_size(wal), 0);
}

START_TEST(a_store_is_whole_after_a_crash)
{
    struct store_info info;
    int n = 0;

    crash_with_jobs(20);
    store_close(open_store(&n, &info));
    ck_assert_int_eq(n, 20);
    ck_assert_uint_eq(info.high, 20);
}
END_TEST

START_TEST(a_commit_that_was_cut_off_is_as_if_it_never_was)
{
    struct store_info info;
    struct image log;
    int n = 0;

    crash_with_jobs(20);
    log = read_file(wal);
    while (log.len > 0 && log.data[log.len - 1] == 0) /* it is longer than what is in it */
        log.len--;
    write_file(wal, log.data, log.len - 2000);
    free(log.data);
    store_close(open_store(&n, &info));
    ck_assert_int_eq(n, 19);
    ck_assert_uint_eq(info.high, 19);
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------
 */

START_TEST(a_newer_schema_is_refused)
{
    make_store(3);
    patch_file(db, 60, "\0\0\0\x63", 4);
    assert_refused("newer");
}
END_TEST

START_TEST(a_newer_schema_is_refused_also_when_its_log_is_full)
{
    crash_with_jobs(3);
    patch_file(db, 60, "\0\0\0\x63", 4);
    assert_refused("newer");
}
END_TEST

START_TEST(a_database_with_another_mark_is_refused)
{
    make_store(3);
    patch_file(db, 68, "abcd", 4);
    assert_refused("another program");
}
END_TEST

static void make_foreign(const char *sql)
{
    sqlite3 *other = NULL;

    ck_assert_int_eq(sqlite3_open(db, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}

START_TEST(a_database_without_any_mark_is_refused)
{
    make_foreign("CREATE TABLE job (number INTEGER); INSERT INTO job VALUES (1);");
    assert_refused("another program");
}
END_TEST

START_TEST(a_large_database_without_any_mark_is_refused)
{
    char sql[64 * 200] = "BEGIN;";

    for (int i = 0; i < 200; i++)
        snprintf(sql + strlen(sql), 64, "CREATE TABLE a_rather_long_name_%d (x, y, z);", i);
    snprintf(sql + strlen(sql), 8, "COMMIT");
    make_foreign(sql);
    assert_refused("another program");
}
END_TEST

START_TEST(a_store_whose_making_was_cut_off_is_made_again)
{
    struct store_info info;

    make_foreign("PRAGMA journal_mode = WAL");
    ck_assert_int_gt(file_size(db), 0);
    store_close(open_store(NULL, &info));
    ck_assert_uint_eq(info.epoch, 1);
}
END_TEST

/* A file of noise, and a journal that says how many pages it had before. */
static void make_half_written(uint8_t n_pages)
{
    static const uint8_t magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    char page[4096], journal[512] = {[19] = (char)n_pages, [22] = 2, [26] = 16};
    char path[STORE_PATH];

    memset(page, 'x', sizeof(page));
    write_file(db, page, sizeof(page));
    memcpy(journal, magic, sizeof(magic));
    write_file(store_path(path, "awd.db-journal"), journal, sizeof(journal));
}

START_TEST(a_store_whose_first_page_was_torn_is_made_again)
{
    struct store_info info;

    make_half_written(0);
    store_close(open_store(NULL, &info));
    ck_assert_uint_eq(info.epoch, 1);
}
END_TEST

START_TEST(garbage_that_was_more_before_is_refused)
{
    make_half_written(1);
    assert_refused("no store");
}
END_TEST

START_TEST(garbage_is_refused)
{
    char noise[20000];

    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * 131 >> 3);
    write_file(db, noise, sizeof(noise));
    assert_refused("no store");
    write_file(db, "x", 1);
    assert_refused("no store");
    write_file(db, "SQLite format 3", 16);
    assert_refused("no store");
}
END_TEST

/* Its jobs would run without any. */
START_TEST(a_queue_whose_limits_cannot_be_read_is_refused)
{
    static const char *const blobs[] = {
        "x''", "x'c1'", "x'8100'", "'text'", "5", "x'81a3637075a178'", "x'81a46e69636514'"};

    for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
        char sql[128];

        make_store(3);
        snprintf(sql, sizeof(sql), "UPDATE queue SET limits = %s", blobs[i]);
        make_foreign(sql);
        assert_refused("a row of it is damaged");
        remove(db);
    }
}
END_TEST

START_TEST(a_file_that_was_cut_off_is_refused)
{
    struct image whole;

    make_store(200);
    whole = read_file(db);
    ck_assert_uint_gt(whole.len, 5 * 4096);
    write_file(db, whole.data, whole.len / 2 / 4096 * 4096);
    assert_refused("damaged");
    write_file(db, whole.data, 4096);
    assert_refused("damaged");
    write_file(db, whole.data, 150);
    assert_refused("damaged");
    write_file(db, whole.data, 99);
    assert_refused("damaged");
    free(whole.data);
}
END_TEST

/* Damages one page after the other; returns how often that was noticed, and nothing touched. */
static int refusals_of_damaged_pages(void)
{
    struct image whole = read_file(db), log = read_file(wal);
    char junk[4096];
    int refused = 0;

    memset(junk, 0xee, sizeof(junk));
    for (size_t page = 1; page < whole.len / sizeof(junk); page++) {
        struct image db_before, wal_before;
        struct store_info info;
        struct aw_error err = {0};
        struct store *st = NULL;

        write_file(db, whole.data, whole.len);
        write_file(wal, log.data, log.len);
        patch_file(db, (long)(page * sizeof(junk)), junk, sizeof(junk));
        db_before = read_file(db);
        wal_before = read_file(wal);
        if (try_open(NULL, &st, &info, &err) == AW_OK) {
            /* An empty table's page, or one that is in the log: nobody needed it. */
            store_close(st);
            free(db_before.data);
            free(wal_before.data);
            continue;
        }
        refused++;
        ck_assert_msg(err.code == AW_ERR_STORE && strstr(err.text, "damaged"), "it says: %s",
                      err.text);
        assert_unchanged(db, db_before);
        assert_unchanged(wal, wal_before);
    }
    free(whole.data);
    free(log.data);
    return refused;
}

START_TEST(damage_in_the_middle_is_refused)
{
    make_store(500);
    ck_assert_int_gt(refusals_of_damaged_pages(), 5);
}
END_TEST

START_TEST(damage_in_the_middle_is_refused_also_when_the_log_is_full)
{
    make_store(500);
    crash_with_jobs(3);
    ck_assert_int_gt(refusals_of_damaged_pages(), 5);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    char target[STORE_PATH];

    ck_assert_int_eq(mkdir(db, 0700), 0);
    assert_refused("not a regular file");
    rmdir(db);
    ck_assert_int_eq(mkfifo(db, 0600), 0);
    assert_refused("not a regular file");
    remove(db);
    store_path(target, "elsewhere.db");
    write_file(target, "", 0);
    ck_assert_int_eq(symlink(target, db), 0);
    assert_refused(strerror(ELOOP));
    ck_assert_int_eq(file_size(target), 0);
}
END_TEST

START_TEST(a_directory_that_is_missing_is_named)
{
    store_path(db, "missing/awd.db");
    store_path(wal, "missing/awd.db-wal");
    assert_refused("missing/awd.db");
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_refused)
{
    if (geteuid() == 0)
        return; /* root can write it all the same */
    make_store(3);
    ck_assert_int_eq(chmod(db, 0400), 0);
    assert_refused("");
    ck_assert_int_eq(chmod(db, 0000), 0);
    assert_refused(strerror(EACCES));
}
END_TEST

/* Another process that has the store open until the other end of *ret_fd is closed. */
static pid_t fork_holder(int *ret_fd)
{
    int go[2], ready[2];
    pid_t pid;
    char c;

    ck_assert_int_eq(pipe(go), 0);
    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        struct store_info info;
        struct store *st;

        close(go[1]);
        event_base_free(base);
        base = event_base_new();
        st = open_store(NULL, &info);
        add_job(st, info.high + 1);
        add_job(st, info.high + 2); /* now the log has got what length it needs for a while */
        if (write(ready[1], "r", 1) != 1 || read(go[0], &c, 1) < 0)
            _exit(1);
        add_job(st, info.high + 3);
        store_close(st);
        event_base_free(base);
        _exit(0);
    }
    close(go[0]);
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    close(ready[0]);
    *ret_fd = go[1];
    return pid;
}

START_TEST(a_store_in_use_is_refused_and_its_user_unharmed)
{
    struct store_info info;
    int fd, status, n = 0;
    pid_t pid = fork_holder(&fd);

    assert_refused("locked");
    close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    store_close(open_store(&n, &info));
    ck_assert_int_eq(n, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *taken = tcase_create("taken"), *refused = tcase_create("refused");

    suite_add_tcase(suite, taken);
    tcase_add_checked_fixture(taken, store_setup, store_teardown);
    tcase_set_timeout(taken, 60);
    tcase_add_test(taken, a_store_is_made_where_there_is_none);
    tcase_add_test(taken, a_store_is_made_of_an_empty_file);
    tcase_add_test(taken, a_store_whose_making_was_cut_off_is_made_again);
    tcase_add_test(taken, a_store_whose_first_page_was_torn_is_made_again);
    tcase_add_test(taken, two_stores_have_two_tags);
    tcase_add_test(taken, what_was_recorded_is_found_again);
    tcase_add_test(taken, only_its_owner_can_read_it);
    tcase_add_test(taken, a_store_is_whole_after_a_crash);
    tcase_add_test(taken, a_commit_that_was_cut_off_is_as_if_it_never_was);
    suite_add_tcase(suite, refused);
    tcase_add_checked_fixture(refused, store_setup, store_teardown);
    tcase_set_timeout(refused, 60);
    tcase_add_test(refused, a_newer_schema_is_refused);
    tcase_add_test(refused, a_newer_schema_is_refused_also_when_its_log_is_full);
    tcase_add_test(refused, a_database_with_another_mark_is_refused);
    tcase_add_test(refused, a_database_without_any_mark_is_refused);
    tcase_add_test(refused, a_large_database_without_any_mark_is_refused);
    tcase_add_test(refused, garbage_is_refused);
    tcase_add_test(refused, garbage_that_was_more_before_is_refused);
    tcase_add_test(refused, a_queue_whose_limits_cannot_be_read_is_refused);
    tcase_add_test(refused, a_file_that_was_cut_off_is_refused);
    tcase_add_test(refused, damage_in_the_middle_is_refused);
    tcase_add_test(refused, damage_in_the_middle_is_refused_also_when_the_log_is_full);
    tcase_add_test(refused, what_is_no_file_is_refused);
    tcase_add_test(refused, a_directory_that_is_missing_is_named);
    tcase_add_test(refused, a_file_that_cannot_be_written_is_refused);
    tcase_add_test(refused, a_store_in_use_is_refused_and_its_user_unharmed);
    return unit_run(suite);
}
