#include "daemon/dirs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/unit.h"

static char top[64], state[100], run[100];
static struct aw_error error;

static void setup(void)
{
    snprintf(top, sizeof(top), "/tmp/awd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(state, sizeof(state), "%s/a/b/state", top);
    snprintf(run, sizeof(run), "%s/run", top);
    error = (struct aw_error){0};
}

static void teardown(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -rf '%s'", top);
    ck_assert_int_eq(system(command), 0);
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void ck_error_has(const char *part)
{
    ck_assert_msg(strstr(error.text, part) != NULL, "'%s' lacks '%s'", error.text, part);
}

START_TEST(what_is_missing_is_made_and_private)
{
    struct dirs dirs;

    umask(0);
    ck_assert_msg(!dirs_open(state, run, false, &dirs, &error), "%s", error.text);
    ck_assert_uint_eq(mode_of(state), 0700);
    ck_assert_uint_eq(mode_of(run), 0700);
    ck_assert_uint_eq(mode_of(dirs.store), 0700);
    ck_assert_uint_eq(mode_of(dirs.spool), 0700);
    ck_assert_str_eq(dirs.store + strlen(state), "/store");
    ck_assert_str_eq(dirs.spool + strlen(state), "/spool");
    dirs_close(&dirs);
}
END_TEST

START_TEST(others_reach_into_the_systems_run_dir)
{
    struct dirs dirs;

    umask(022);
    ck_assert_int_eq(dirs_open(state, run, true, &dirs, &error), AW_OK);
    ck_assert_uint_eq(mode_of(run), 0755);
    ck_assert_uint_eq(mode_of(state), 0700);
    dirs_close(&dirs);
}
END_TEST

/* In a process of its own, as a second daemon would be. Its sentence, or "". */
static const char *second_daemon(const char *state_dir, const char *run_dir)
{
    static char text[AW_ERROR_TEXT];
    int fds[2];
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        struct aw_error why = {.text = ""};
        struct dirs dirs;

        if (dirs_open(state_dir, run_dir, false, &dirs, &why) == AW_OK)
            dirs_close(&dirs);
        _exit(write(fds[1], why.text, sizeof(why.text)) < 0);
    }
    ck_assert_int_eq(read(fds[0], text, sizeof(text)), sizeof(text));
    waitpid(pid, NULL, 0);
    close(fds[0]);
    close(fds[1]);
    return text;
}

START_TEST(a_second_daemon_is_refused_and_told_by_whom)
{
    char want[64], other[100];
    struct dirs dirs;

    snprintf(other, sizeof(other), "%s/other", top);
    snprintf(want, sizeof(want), "another awd (pid %d)", (int)getpid());
    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_OK);
    ck_assert_ptr_nonnull(strstr(second_daemon(state, run), want));
    ck_assert_ptr_nonnull(strstr(second_daemon(state, other), want)); /* the store is ours alone */
    ck_assert_ptr_nonnull(strstr(second_daemon(other, run), want));
    ck_assert_str_eq(second_daemon(other, other), "");
    ck_assert_ptr_nonnull(strstr(second_daemon(state, run), want)); /* still */
    dirs_close(&dirs);
    ck_assert_str_eq(second_daemon(state, run), "");
}
END_TEST

START_TEST(a_lock_goes_with_its_process)
{
    struct dirs dirs;
    pid_t pid = fork();

    if (pid == 0)
        _exit(dirs_open(state, run, false, &dirs, NULL) != AW_OK);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_OK);
    dirs_close(&dirs);
}
END_TEST

/* A process that was killed, and one more that still has its lock for a moment. */
START_TEST(the_lock_of_a_dying_daemon_is_waited_for)
{
    const struct timespec moment = {.tv_nsec = 100 * 1000000};
    int status = -1, fds[2];
    struct dirs dirs;
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        if (dirs_open(state, run, false, &dirs, NULL) == AW_OK && fork() == 0) {
            close(fds[0]);
            nanosleep(&moment, NULL);
        }
        _exit(0);
    }
    close(fds[1]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_OK);
    ck_assert_int_eq(read(fds[0], &byte, 1), 0);
    close(fds[0]);
    dirs_close(&dirs);
}
END_TEST

START_TEST(one_directory_for_both_is_locked_once)
{
    char alias[100];
    struct dirs dirs;

    ck_assert_int_eq(dirs_open(run, run, false, &dirs, &error), AW_OK);
    ck_assert_str_ne(second_daemon(run, run), "");
    dirs_close(&dirs);
    snprintf(alias, sizeof(alias), "%s/alias", top);
    ck_assert_int_eq(symlink(run, alias), 0);
    ck_assert_msg(!dirs_open(alias, run, false, &dirs, &error), "%s", error.text);
    dirs_close(&dirs);
}
END_TEST

START_TEST(a_directory_to_which_others_write_is_refused)
{
    struct dirs dirs;

    ck_assert_int_eq(mkdir(run, 0700), 0);
    ck_assert_int_eq(chmod(run, 0770), 0);
    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_ERR_NOT_PERMITTED);
    ck_error_has(run);
    ck_error_has("0770");
}
END_TEST

START_TEST(a_directory_of_somebody_else_is_refused)
{
    struct dirs dirs;

    if (geteuid() != 0)
        return; /* nobody else's directory can be made */
    ck_assert_int_eq(mkdir(run, 0700), 0);
    ck_assert_int_eq(chown(run, 65534, 65534), 0);
    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_ERR_NOT_PERMITTED);
    ck_error_has("uid 65534");
}
END_TEST

START_TEST(a_file_in_the_way_is_named)
{
    struct dirs dirs;

    close(open(run, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_ERR_SYSTEM);
    ck_error_has(run);
    ck_error_has("Not a directory");
}
END_TEST

/* A directory that may be swapped from above. */
START_TEST(a_directory_below_one_that_all_may_write_to_is_refused)
{
    char above[100], below[120];
    struct dirs dirs;

    snprintf(above, sizeof(above), "%s/above", top);
    snprintf(below, sizeof(below), "%s/run", above);
    ck_assert_int_eq(mkdir(above, 0700), 0);
    ck_assert_int_eq(chmod(above, 0777), 0);
    ck_assert_int_eq(dirs_open(state, below, false, &dirs, &error), AW_ERR_NOT_PERMITTED);
    ck_error_has(above);
    ck_error_has("0777");
    ck_assert_int_eq(chmod(above, 01777), 0);
    ck_assert_msg(!dirs_open(state, below, false, &dirs, &error), "%s", error.text);
    dirs_close(&dirs);
}
END_TEST

START_TEST(a_link_of_somebody_else_is_refused)
{
    char alias[100];
    struct dirs dirs;

    if (geteuid() != 0)
        return; /* nobody else's link can be made */
    ck_assert_int_eq(mkdir(run, 0700), 0);
    snprintf(alias, sizeof(alias), "%s/alias", top);
    ck_assert_int_eq(symlink(run, alias), 0);
    ck_assert_int_eq(lchown(alias, 65534, 65534), 0);
    ck_assert_int_eq(dirs_open(state, alias, false, &dirs, &error), AW_ERR_NOT_PERMITTED);
    ck_error_has("symbolic link of uid 65534");
}
END_TEST

START_TEST(store_and_spool_are_no_links)
{
    static const char *const names[] = {"store", "spool"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char path[120];
        struct dirs dirs;

        ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_OK);
        dirs_close(&dirs);
        snprintf(path, sizeof(path), "%s/%s", state, names[i]);
        ck_assert_int_eq(rmdir(path), 0);
        ck_assert_int_eq(symlink(run, path), 0);
        ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_ERR_NOT_PERMITTED);
        ck_error_has(path);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

/* What an earlier umask, or a copy, left open. */
START_TEST(store_and_spool_are_closed_to_others)
{
    char path[120];
    struct dirs dirs;

    snprintf(path, sizeof(path), "%s/store", run);
    ck_assert_int_eq(mkdir(run, 0700), 0);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    ck_assert_int_eq(chmod(path, 0755), 0);
    ck_assert_int_eq(dirs_open(run, run, false, &dirs, &error), AW_OK);
    ck_assert_uint_eq(mode_of(path), 0700);
    dirs_close(&dirs);
    ck_assert_int_eq(chmod(path, 0777), 0);
    ck_assert_int_eq(dirs_open(run, run, false, &dirs, &error), AW_ERR_NOT_PERMITTED);
    ck_error_has("0777");
}
END_TEST

static void store_is_refused(const char *path, const char *why)
{
    struct dirs dirs;

    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_ERR_NOT_PERMITTED);
    ck_error_has(path);
    ck_error_has(why);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(a_store_that_is_something_else_is_refused)
{
    char path[140], other[140];
    struct dirs dirs;

    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_OK);
    snprintf(path, sizeof(path), "%s/awd.db", dirs.store);
    snprintf(other, sizeof(other), "%s/other.db", dirs.store);
    dirs_close(&dirs);
    close(open(other, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(symlink(other, path), 0);
    store_is_refused(path, "not a regular file");
    ck_assert_int_eq(link(other, path), 0);
    store_is_refused(path, "2 names");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    store_is_refused(path, "not a regular file");
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(chmod(path, 0662), 0);
    store_is_refused(path, "0662");
    if (geteuid() == 0) {
        close(open(path, O_CREAT | O_WRONLY, 0600));
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
        store_is_refused(path, "uid 65534");
    }
    ck_assert_int_eq(dirs_open(state, run, false, &dirs, &error), AW_OK);
    dirs_close(&dirs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dirs");
    TCase *tc = tcase_create("dirs");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_missing_is_made_and_private);
    tcase_add_test(tc, others_reach_into_the_systems_run_dir);
    tcase_add_test(tc, a_second_daemon_is_refused_and_told_by_whom);
    tcase_add_test(tc, a_lock_goes_with_its_process);
    tcase_add_test(tc, the_lock_of_a_dying_daemon_is_waited_for);
    tcase_add_test(tc, one_directory_for_both_is_locked_once);
    tcase_add_test(tc, a_directory_to_which_others_write_is_refused);
    tcase_add_test(tc, a_directory_of_somebody_else_is_refused);
    tcase_add_test(tc, a_file_in_the_way_is_named);
    tcase_add_test(tc, a_directory_below_one_that_all_may_write_to_is_refused);
    tcase_add_test(tc, a_link_of_somebody_else_is_refused);
    tcase_add_test(tc, store_and_spool_are_no_links);
    tcase_add_test(tc, store_and_spool_are_closed_to_others);
    tcase_add_test(tc, a_store_that_is_something_else_is_refused);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
