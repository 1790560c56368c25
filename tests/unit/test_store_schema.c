/*
 * A store of an older version: it is brought up to date as a whole or not at all, looked at as what
 * it is, and there is no way back.
 *
 * tests/e2e/upgrade.test does the same with stores that older programs have made.
 */
#include "tests/unit/store_ignore.h"
#include "tests/unit/unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "daemon/engine/embedded/store_ops.h"
#include "daemon/engine/embedded/store_schema.h"
#include "daemon/engine/offline.h"
#include "tests/unit/faulty_vfs.h"
#include "tests/unit/powerloss_vfs.h"
#include "tests/unit/private_dir.h"

#define FIRST_JOBS 50
#define TRIES      6 /* at each place of a record */

static struct event_base *base;
static char db[PRIVATE_PATH], wal[PRIVATE_PATH];

static void setup(void)
{
    private_dir_make();
    private_path(db, "awd.db");
    private_path(wal, "awd.db-wal");
    base = event_base_new();
    ck_assert_ptr_nonnull(base);
}

static void teardown(void)
{
    event_base_free(base);
    private_dir_remove();
}

/* ---- By hand ------------------------------------------------------------------------------------
 */

static sqlite3 *by_hand(const char *path)
{
    sqlite3 *sql = NULL;

    ck_assert_int_eq(
        sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"), SQLITE_OK);
    return sql;
}

static void run(sqlite3 *sql, const char *text)
{
    char *error = NULL;

    ck_assert_msg(sqlite3_exec(sql, text, NULL, NULL, &error) == SQLITE_OK, "%s", error);
}

static int64_t number(sqlite3 *sql, const char *text)
{
    sqlite3_stmt *s = NULL;
    int64_t n;

    ck_assert_msg(sqlite3_prepare_v2(sql, text, -1, &s, NULL) == SQLITE_OK, "%s: %s", text,
                  sqlite3_errmsg(sql));
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static int64_t number_in(const char *path, const char *text)
{
    sqlite3 *sql = by_hand(path);
    int64_t n = number(sql, text);

    sqlite3_close(sql);
    return n;
}

static void change(const char *text)
{
    sqlite3 *sql = by_hand(db);

    run(sql, text);
    sqlite3_close(sql);
}

/* Ended jobs, as a daemon of the first release could have left them, and a queue. */
static void make_first(int n_jobs)
{
    char text[640];
    sqlite3 *sql = by_hand(db);

    run(sql, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL");
    ck_assert_int_eq(store_schema_make(sql, 1), SQLITE_OK);
    snprintf(text, sizeof(text),
             "BEGIN; INSERT INTO meta VALUES ('tag', 'aaaaa'), ('epoch', 4), ('high', %d);"
             "PRAGMA application_id = %d; PRAGMA user_version = 1;"
             "INSERT INTO queue (name, slots) VALUES ('slow', 3);"
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO job (number, state, flags, priority, uid, gid, attempt, created_us,"
             " due_us, deadline_us, overall_us, started_us, ended_us, expires_us, retention_ms,"
             " retry_of, queue, abandon_ms, exit_code, message, spec)"
             " SELECT i, 4, 0, 0, 0, 0, 1, 1, 1, 0, 0, 2, 3, 4000000000000000, 0, 0, 2, 0, 0,"
             " printf('%%0200d', i), x'81a474797065a46e6f6f70' FROM n; COMMIT",
             n_jobs, STORE_APPLICATION_ID, n_jobs);
    run(sql, text);
    sqlite3_close(sql);
    ck_assert_int_eq(chmod(db, 0600), 0);
}

/* ---- By the store -------------------------------------------------------------------------------
 */

static int n_queues;

static enum aw_err on_queue(void *arg, const struct store_queue_row *row)
{
    (void)arg;
    if (!strcmp(row->name, "slow") && row->slots == 3)
        n_queues++;
    return AW_OK;
}

static const struct store_loader loader = {.queue = on_queue, .account = ignore_account};

static void unexpected_down(void *arg, const struct aw_error *err)
{
    (void)arg;
    ck_abort_msg("down: %s", err->text);
}

static enum aw_err open_and_close(struct store_info *info, struct aw_error *err)
{
    struct store *st = NULL;
    enum aw_err e = store_open(db, base, &loader, unexpected_down, NULL, &st, info, err);

    store_close(st);
    return e;
}

static void assert_opens(void)
{
    struct store_info info = {0};
    struct aw_error err = {0};

    n_queues = 0;
    ck_assert_msg(open_and_close(&info, &err) == AW_OK, "%s", err.text);
    ck_assert_str_eq(info.tag, "aaaaa");
    ck_assert_uint_eq(info.high, FIRST_JOBS);
    ck_assert_uint_eq(info.kept, FIRST_JOBS);
    ck_assert_int_eq(n_queues, 1);
}

struct verdict {
    int n;
    char text[256];
};

static void on_wrong(void *arg, const char *text)
{
    struct verdict *f = arg;

    f->n++;
    snprintf(f->text, sizeof(f->text), "%s", text);
}

/* How much is wrong, of what there is a look at; the last of it. */
static struct verdict look(void)
{
    static const struct offline_findings findings = {on_wrong, NULL};
    struct offline *off = NULL;
    struct aw_error err = {0};
    struct verdict f = {0};

    ck_assert_msg(offline_open(db, &off, &err) == AW_OK, "%s", err.text);
    ck_assert_msg(offline_check(off, &findings, &f, &err) == AW_OK, "%s", err.text);
    offline_close(off);
    return f;
}

static void assert_sound(int version)
{
    struct verdict f = look();

    ck_assert_msg(f.n == 0, "%s", f.text);
    ck_assert_int_eq(number_in(db, "PRAGMA user_version"), version);
}

struct image {
    char data[1 << 18];
    size_t len;
};

static struct image read_file(const char *path)
{
    struct image im = {.len = 0};
    FILE *f = fopen(path, "r");

    ck_assert_ptr_nonnull(f);
    im.len = fread(im.data, 1, sizeof(im.data), f);
    ck_assert_uint_lt(im.len, sizeof(im.data));
    fclose(f);
    return im;
}

static void assert_unchanged(const struct image *before)
{
    struct image after = read_file(db);

    ck_assert_uint_eq(after.len, before->len);
    ck_assert_int_eq(memcmp(after.data, before->data, after.len), 0);
}

/* ---- Tests --------------------------------------------------------------------------------------
 */

START_TEST(a_store_of_the_first_release_is_brought_up_to_date)
{
    make_first(FIRST_JOBS);
    assert_opens();
    assert_sound(STORE_SCHEMA_VERSION);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job WHERE length(message) = 200"),
                     FIRST_JOBS);
    ck_assert_int_eq(number_in(db, "SELECT count(*) FROM queue WHERE limits IS NULL"), 2);
    assert_opens();
    assert_sound(STORE_SCHEMA_VERSION);
}
END_TEST

START_TEST(an_older_store_is_looked_at_as_what_it_is)
{
    struct image before;

    make_first(FIRST_JOBS);
    before = read_file(db);
    assert_sound(1);
    assert_unchanged(&before);
    change("UPDATE job SET state = 2, queue = 77 WHERE number = 9");
    ck_assert_int_gt(look().n, 0);
}
END_TEST

START_TEST(tables_of_another_version_are_told)
{
    make_first(FIRST_JOBS);
    change("PRAGMA user_version = 2");
    ck_assert_int_gt(look().n, 0);
    change("PRAGMA user_version = 1; ALTER TABLE queue ADD COLUMN limits BLOB");
    ck_assert_int_gt(look().n, 0);
    change("PRAGMA user_version = 2");
    ck_assert_int_eq(look().n, 0);
}
END_TEST

START_TEST(rules_of_a_newer_version_are_kept)
{
    make_first(FIRST_JOBS);
    assert_opens();
    change("UPDATE queue SET limits = 5");
    ck_assert_int_gt(look().n, 0);
}
END_TEST

START_TEST(a_newer_store_is_refused_by_all_who_look)
{
    struct store_info info;
    struct offline *off = NULL;
    struct aw_error err = {0};
    struct image before;

    make_first(FIRST_JOBS);
    change("PRAGMA user_version = 99");
    before = read_file(db);
    ck_assert_int_eq(open_and_close(&info, &err), AW_ERR_STORE);
    ck_assert_ptr_nonnull(strstr(err.text, "schema 99 is newer than this awd"));
    ck_assert_int_eq(offline_open(db, &off, &err), AW_ERR_BAD_VERSION);
    ck_assert_ptr_nonnull(strstr(err.text, "schema 99 is newer than this awd"));
    assert_unchanged(&before);
}
END_TEST

/* The version is in the log only, where the header of the file does not show it. */
START_TEST(a_newer_store_is_refused_also_when_only_its_log_says_so)
{
    char copy[PRIVATE_PATH], copied_log[PRIVATE_PATH];
    struct store_info info;
    struct aw_error err = {0};
    sqlite3 *sql;

    make_first(FIRST_JOBS);
    sql = by_hand(db);
    run(sql, "PRAGMA user_version = 99");
    private_path(copy, "copy.db");
    private_path(copied_log, "copy.db-wal");
    ck_assert_int_eq(link(db, copy), 0);
    ck_assert_int_eq(link(wal, copied_log), 0);
    sqlite3_db_config(sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(sql);
    ck_assert_int_eq(rename(copy, db), 0);
    ck_assert_int_eq(access(wal, F_OK), 0);
    ck_assert_int_eq(open_and_close(&info, &err), AW_ERR_STORE);
    ck_assert_msg(strstr(err.text, "schema 99 is newer than this awd") != NULL, "%s", err.text);
    ck_assert_int_eq(number_in(db, "PRAGMA user_version"), 99);
}
END_TEST

START_TEST(a_damaged_store_is_not_brought_up_to_date)
{
    char junk[4096];
    struct store_info info;
    struct aw_error err = {0};
    struct image before;
    int64_t page;
    FILE *f;

    make_first(FIRST_JOBS * 4);
    /* A page that opening has no need of: the job table's last one. */
    page = number_in(db, "SELECT max(pageno) FROM dbstat WHERE name = 'job'");
    memset(junk, 0xee, sizeof(junk));
    f = fopen(db, "r+");
    ck_assert_int_eq(fseek(f, (long)(page - 1) * 4096, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(junk, 1, sizeof(junk), f), sizeof(junk));
    fclose(f);
    before = read_file(db);
    ck_assert_int_eq(open_and_close(&info, &err), AW_ERR_STORE);
    ck_assert_msg(strstr(err.text, "damaged") != NULL, "%s", err.text);
    assert_unchanged(&before);
}
END_TEST

START_TEST(without_room_on_the_disk_it_stays_what_it_is)
{
    struct store_info info;
    struct aw_error err = {0};
    int refused = 0;

    faulty_vfs_install();
    make_first(FIRST_JOBS);
    for (int64_t room = 0;; room += 1000) {
        faulty_vfs_set_room(room);
        if (open_and_close(&info, &err) == AW_OK)
            break;
        refused++;
        ck_assert_msg(err.code == AW_ERR_DISK_FULL, "%s", err.text);
        faulty_vfs_set_room(-1);
        assert_sound((int)number_in(db, "PRAGMA user_version"));
    }
    ck_assert_int_gt(refused, 2);
    faulty_vfs_set_room(-1);
    assert_opens();
    assert_sound(STORE_SCHEMA_VERSION);
}
END_TEST

/* Every place of the record of a migration, several times, with what a disk may do with it. */
START_TEST(when_the_power_goes_it_has_the_one_version_or_the_other)
{
    struct dice dice = {1};
    size_t n, n_at[STORE_SCHEMA_VERSION + 1] = {0};

    make_first(FIRST_JOBS);
    powerloss_vfs_start(private_dir);
    assert_opens();
    n = powerloss_vfs_length();
    for (size_t cut = 0; cut <= n; cut++)
        for (int i = 0; i < TRIES; i++) {
            int64_t version;

            unlink(wal);
            powerloss_vfs_image(cut, POWERLOSS_HONEST, &dice, private_dir);
            version = number_in(db, "PRAGMA user_version");
            ck_assert_int_ge(version, 1);
            ck_assert_int_le(version, STORE_SCHEMA_VERSION);
            n_at[version]++;
            assert_sound((int)version);
            ck_assert_int_eq(number_in(db, "SELECT count(*) FROM job WHERE length(message) = 200"),
                             FIRST_JOBS);
            if (i == 0)
                assert_opens();
        }
    for (int v = 1; v <= STORE_SCHEMA_VERSION; v++)
        ck_assert_msg(n_at[v] > 0, "never found at version %d", v);
    printf("# %zu places of %zu changes, %zu times still version 1\n", (n + 1) * TRIES, n, n_at[1]);
}
END_TEST

START_TEST(a_new_store_is_never_at_an_older_version)
{
    struct dice dice = {2};
    struct store_info info;
    struct aw_error err = {0};
    size_t n, made = 0;

    powerloss_vfs_start(private_dir);
    ck_assert_msg(open_and_close(&info, &err) == AW_OK, "%s", err.text);
    n = powerloss_vfs_length();
    for (size_t cut = 0; cut <= n; cut++)
        for (int i = 0; i < TRIES; i++) {
            int64_t version;

            powerloss_vfs_image(cut, POWERLOSS_HONEST, &dice, private_dir);
            if (access(db, F_OK) < 0)
                continue;
            version = number_in(db, "PRAGMA user_version");
            ck_assert(version == 0 || version == STORE_SCHEMA_VERSION);
            made += version == STORE_SCHEMA_VERSION;
            unlink(db);
            unlink(wal);
        }
    ck_assert_uint_gt(made, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_schema");
    TCase *tc = tcase_create("versions");

    /* Small files, and many of them: in memory if there is such a place. */
    if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_store_of_the_first_release_is_brought_up_to_date);
    tcase_add_test(tc, an_older_store_is_looked_at_as_what_it_is);
    tcase_add_test(tc, tables_of_another_version_are_told);
    tcase_add_test(tc, rules_of_a_newer_version_are_kept);
    tcase_add_test(tc, a_newer_store_is_refused_by_all_who_look);
    tcase_add_test(tc, a_newer_store_is_refused_also_when_only_its_log_says_so);
    tcase_add_test(tc, a_damaged_store_is_not_brought_up_to_date);
    tcase_add_test(tc, without_room_on_the_disk_it_stays_what_it_is);
    tcase_add_test(tc, when_the_power_goes_it_has_the_one_version_or_the_other);
    tcase_add_test(tc, a_new_store_is_never_at_an_older_version);
    return unit_run(suite);
}
