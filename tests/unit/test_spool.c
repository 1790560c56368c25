#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/spool.h"

static char dir[64];
static char path[96];
static struct spool spool;

static void setup(void)
{
    struct aw_error err;

    snprintf(dir, sizeof(dir), "/tmp/awd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/spool", dir);
    ck_assert_int_eq(spool_open(path, &spool, &err), AW_OK);
}

static bool keep_none(void *arg, struct spool_file file)
{
    (void)arg;
    (void)file;
    return false;
}

static void teardown(void)
{
    spool_sweep(&spool, keep_none, NULL);
    spool_close(&spool);
    ck_assert_int_eq(rmdir(path), 0);
    rmdir(dir);
}

static void write_file(struct spool_file file, const char *text)
{
    int fd = spool_create(&spool, file);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static const struct spool_file out = {7, 2, 0}, err_file = {7, 2, 1};

START_TEST(the_directory_is_private)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
}
END_TEST

START_TEST(a_directory_that_was_removed_is_made_anew)
{
    struct aw_error err;
    struct stat st;
    int fd;

    write_file(out, "lost");
    spool_remove(&spool, out.number, out.attempt);
    ck_assert_int_eq(rmdir(path), 0);
    write_file(err_file, "kept");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    ck_assert_int_eq(spool_open_file(&spool, err_file, &fd, &err), AW_OK);
    close(fd);
    ck_assert_int_eq(spool_open_file(&spool, out, &fd, &err), AW_ERR_UNKNOWN_ID);
}
END_TEST

START_TEST(a_directory_that_others_may_write_to_is_not_taken_instead)
{
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chmod(path, 0777), 0);
    ck_assert_int_lt(spool_create(&spool, out), 0);
    ck_assert_int_eq(chmod(path, 0700), 0);
    write_file(out, "kept");
}
END_TEST

START_TEST(names_are_made_and_understood)
{
    static const char *const bad[] = {
        "",        "7",        "7.2",      "7.2.",     "7.2.log",  "0.2.out",
        "7.0.out", "07.2.out", "-7.2.out", "7.2.out~", "7 .2.out", "99999999999999999999999.1.out",
        "..",      "a.b.out",
    };
    struct spool_file got = {0};
    char name[SPOOL_NAME];

    spool_name(err_file, name);
    ck_assert_str_eq(name, "7.2.err");
    ck_assert(spool_name_parse(name, &got));
    ck_assert(got.number == 7 && got.attempt == 2 && got.stream == 1);
    spool_name((struct spool_file){UINT64_MAX, UINT64_MAX, 0}, name);
    ck_assert(spool_name_parse(name, &got));
    ck_assert_uint_eq(got.number, UINT64_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!spool_name_parse(bad[i], &got), "%s", bad[i]);
}
END_TEST

START_TEST(a_chunk_is_read_from_any_offset)
{
    char buf[8];
    size_t len;
    uint64_t size;

    write_file(out, "0123456789");
    ck_assert_int_eq(spool_read(&spool, out, 4, buf, 3, &len, &size, NULL), AW_OK);
    ck_assert(len == 3 && size == 10 && memcmp(buf, "456", 3) == 0);
    ck_assert_int_eq(spool_read(&spool, out, 8, buf, 8, &len, &size, NULL), AW_OK);
    ck_assert(len == 2 && memcmp(buf, "89", 2) == 0);
    ck_assert_int_eq(spool_read(&spool, out, 100, buf, 8, &len, &size, NULL), AW_OK);
    ck_assert_uint_eq(len, 0);
    ck_assert_int_eq(spool_read(&spool, out, UINT64_MAX, buf, 8, &len, &size, NULL), AW_OK);
    ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_told_apart)
{
    struct aw_error err;
    uint64_t size;
    size_t len;
    char c;
    int fd;

    ck_assert_int_eq(spool_size(&spool, out, &size, &err), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(spool_read(&spool, out, 0, &c, 1, &len, &size, &err), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(spool_sync(&spool, out, &err), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(spool_open_file(&spool, out, &fd, &err), AW_ERR_UNKNOWN_ID);
    ck_assert_msg(strstr(err.text, "7.2.out"), "%s", err.text);
}
END_TEST

START_TEST(creating_removes_what_a_crash_left)
{
    uint64_t size;

    write_file(out, "old and long");
    write_file(out, "new");
    ck_assert_int_eq(spool_size(&spool, out, &size, NULL), AW_OK);
    ck_assert_uint_eq(size, 3);
    ck_assert_int_eq(spool_sync(&spool, out, NULL), AW_OK);
}
END_TEST

START_TEST(symbolic_links_are_not_followed)
{
    char victim[96], name[SPOOL_NAME], buf[8];
    struct aw_error err;
    uint64_t size;
    size_t len;
    int fd;

    snprintf(victim, sizeof(victim), "%s/victim", dir);
    fd = open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, "secret", 6), 6);
    close(fd);
    spool_name(out, name);
    ck_assert_int_eq(symlinkat(victim, spool.dir_fd, name), 0);
    ck_assert_int_eq(spool_read(&spool, out, 0, buf, 8, &len, &size, &err), AW_ERR_SYSTEM);
    write_file(out, "ours");
    fd = open(victim, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(read(fd, buf, 8), 6);
    close(fd);
    unlink(victim);
}
END_TEST

START_TEST(what_the_runner_did_not_make_is_not_read)
{
    char name[SPOOL_NAME];
    struct aw_error err;
    int fd;

    spool_name(out, name);
    ck_assert_int_eq(mkfifoat(spool.dir_fd, name, 0600), 0);
    ck_assert_int_eq(spool_open_file(&spool, out, &fd, &err), AW_ERR_SYSTEM);
    ck_assert_msg(strstr(err.text, name) != NULL, "%s", err.text);
    write_file(out, "mine");
    ck_assert_int_eq(linkat(spool.dir_fd, name, spool.dir_fd, "another", 0), 0);
    ck_assert_int_eq(spool_open_file(&spool, out, &fd, &err), AW_ERR_SYSTEM);
    ck_assert_int_eq(unlinkat(spool.dir_fd, "another", 0), 0);
    ck_assert_int_eq(spool_open_file(&spool, out, &fd, &err), AW_OK);
    close(fd);
}
END_TEST

START_TEST(a_directory_of_others_is_refused)
{
    struct aw_error err;
    struct spool other;
    char alias[96];

    snprintf(alias, sizeof(alias), "%s/alias", dir);
    ck_assert_int_eq(symlink(path, alias), 0);
    ck_assert_int_eq(spool_open(alias, &other, &err), AW_ERR_SYSTEM);
    ck_assert_int_eq(unlink(alias), 0);
    ck_assert_int_eq(chmod(path, 0770), 0);
    ck_assert_int_eq(spool_open(path, &other, &err), AW_ERR_NOT_PERMITTED);
    ck_assert_int_eq(chmod(path, 0700), 0);
}
END_TEST

START_TEST(removing_an_attempt_leaves_the_others)
{
    uint64_t size;

    write_file(out, "a");
    write_file(err_file, "b");
    write_file((struct spool_file){7, 3, 0}, "c");
    spool_remove(&spool, 7, 2);
    spool_remove(&spool, 8, 1); /* there is nothing: no error */
    ck_assert_int_eq(spool_size(&spool, out, &size, NULL), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(spool_size(&spool, err_file, &size, NULL), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(spool_size(&spool, (struct spool_file){7, 3, 0}, &size, NULL), AW_OK);
}
END_TEST

static bool keep_even(void *arg, struct spool_file file)
{
    (*(int *)arg)++;
    return file.number % 2 == 0;
}

START_TEST(a_sweep_removes_what_is_not_kept_and_nothing_strange)
{
    int n_asked = 0, fd;
    uint64_t size;

    for (uint64_t number = 1; number <= 10; number++)
        write_file((struct spool_file){number, 1, 0}, "x");
    fd = openat(spool.dir_fd, "README", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    ck_assert_int_eq(spool_sweep(&spool, keep_even, &n_asked), 5);
    ck_assert_int_eq(n_asked, 10);
    ck_assert_int_eq(spool_size(&spool, (struct spool_file){3, 1, 0}, &size, NULL),
                     AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(spool_size(&spool, (struct spool_file){4, 1, 0}, &size, NULL), AW_OK);
    ck_assert_int_eq(unlinkat(spool.dir_fd, "README", 0), 0);
}
END_TEST

START_TEST(a_directory_that_cannot_be_is_named)
{
    struct spool other = {.dir_fd = -1};
    struct aw_error err;
    char bad[160];

    snprintf(bad, sizeof(bad), "%s/missing/spool", dir);
    ck_assert_int_eq(spool_open(bad, &other, &err), AW_ERR_SYSTEM);
    ck_assert_msg(strstr(err.text, bad), "%s", err.text);
    ck_assert_int_eq(other.dir_fd, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("spool");
    TCase *tcase = tcase_create("spool");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_directory_is_private);
    tcase_add_test(tcase, a_directory_that_was_removed_is_made_anew);
    tcase_add_test(tcase, a_directory_that_others_may_write_to_is_not_taken_instead);
    tcase_add_test(tcase, names_are_made_and_understood);
    tcase_add_test(tcase, a_chunk_is_read_from_any_offset);
    tcase_add_test(tcase, a_file_that_is_not_there_is_told_apart);
    tcase_add_test(tcase, creating_removes_what_a_crash_left);
    tcase_add_test(tcase, symbolic_links_are_not_followed);
    tcase_add_test(tcase, what_the_runner_did_not_make_is_not_read);
    tcase_add_test(tcase, a_directory_of_others_is_refused);
    tcase_add_test(tcase, removing_an_attempt_leaves_the_others);
    tcase_add_test(tcase, a_sweep_removes_what_is_not_kept_and_nothing_strange);
    tcase_add_test(tcase, a_directory_that_cannot_be_is_named);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
