#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/unit.h"

static int pipe_fds[2], stderr_before;

/* stderr becomes a pipe. The library looks once where it goes: each test has its own process. */
static void setup(void)
{
    unsetenv("JOURNAL_STREAM");
    stderr_before = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
}

static const char *logged(void)
{
    static char text[8192];
    ssize_t n;

    dup2(stderr_before, STDERR_FILENO);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

START_TEST(a_line_has_its_priority_and_its_job)
{
    log_msg(LOG_WARNING, "disk at %d%%", 90);
    log_job(LOG_INFO, "k3f9q-7", "ended");
    ck_assert_str_eq(logged(), "<4>disk at 90%\n<6>ended job=k3f9q-7\n");
}
END_TEST

START_TEST(less_important_lines_are_left_out)
{
    log_msg(LOG_DEBUG, "unseen");
    log_set_level(LOG_DEBUG);
    log_msg(LOG_DEBUG, "seen");
    log_set_level(LOG_ERR);
    log_msg(LOG_WARNING, "unseen");
    ck_assert_str_eq(logged(), "<7>seen\n");
}
END_TEST

START_TEST(nothing_can_forge_a_line)
{
    const struct log_field fields[] = {{"job", "x\n<0>panic"}, {"say", "a \"b\" \\"}, {"no", ""}};

    log_event(LOG_INFO, fields, 3, "one\n<0>two\033[2J\177");
    ck_assert_str_eq(logged(), "<6>one\\x0a<0>two\\x1b[2J\\x7f job=x\\x0a<0>panic "
                               "say=\"a \\\"b\\\" \\\\\" no=\"\"\n");
}
END_TEST

START_TEST(long_lines_are_cut_and_still_end)
{
    char long_text[5000];
    const char *text;

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    log_job(LOG_INFO, long_text, "%s", long_text);
    text = logged();
    ck_assert_uint_le(strlen(text), 2048);
    ck_assert(text[strlen(text) - 1] == '\n');
}
END_TEST

START_TEST(errno_can_be_said_and_is_kept)
{
    errno = ENOSPC;
    log_msg(LOG_ERR, "cannot write: %m");
    ck_assert_int_eq(errno, ENOSPC);
    ck_assert_str_eq(logged(), "<3>cannot write: No space left on device\n");
}
END_TEST

static void *log_many(void *arg)
{
    for (int i = 0; i < 20; i++)
        log_msg(LOG_INFO, "%s", (const char *)arg);
    return NULL;
}

START_TEST(lines_of_several_threads_stay_whole)
{
    static const char *const words[] = {"aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb"};
    pthread_t threads[2];
    char *rest;
    int n = 0;

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, log_many, (void *)words[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    rest = strdup(logged());
    for (char *line = strtok(rest, "\n"); line; line = strtok(NULL, "\n"), n++)
        ck_assert(!strcmp(line + 3, words[0]) || !strcmp(line + 3, words[1]));
    ck_assert_int_eq(n, 40);
    free(rest);
}
END_TEST

START_TEST(another_stream_is_not_the_journal)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    log_msg(LOG_INFO, "plain");
    ck_assert_str_eq(logged(), "<6>plain\n");
}
END_TEST

static char sent[200];
static bool journal_is_there;

static bool send_to_journal(int level, const char *message, const struct log_field *fields,
                            size_t n_fields)
{
    if (journal_is_there)
        snprintf(sent + strlen(sent), sizeof(sent) - strlen(sent), "%d %s %zu %s;", level, message,
                 n_fields, n_fields ? fields[0].value : "");
    return journal_is_there;
}

static void name_stream(void)
{
    char stream[64];
    struct stat st;

    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

START_TEST(a_program_with_a_way_into_the_journal_uses_it)
{
    name_stream();
    log_set_journal(send_to_journal);
    journal_is_there = true;
    log_job(LOG_INFO, "k3f9q-7", "ended");
    log_msg(LOG_ERR, "no");
    log_msg(LOG_DEBUG, "unseen");
    journal_is_there = false;
    log_msg(LOG_INFO, "not lost");
    ck_assert_str_eq(logged(), "<6>not lost\n");
    ck_assert_str_eq(sent, "6 ended 1 k3f9q-7;3 no 0 ;");
}
END_TEST

START_TEST(a_program_without_one_writes_lines_there)
{
    name_stream();
    log_job(LOG_INFO, "k3f9q-7", "ended");
    ck_assert_str_eq(logged(), "<6>ended job=k3f9q-7\n");
}
END_TEST

START_TEST(what_is_no_journal_gets_lines_whatever_there_is)
{
    log_set_journal(send_to_journal);
    journal_is_there = true;
    log_msg(LOG_INFO, "plain");
    ck_assert_str_eq(logged(), "<6>plain\n");
}
END_TEST

START_TEST(on_a_terminal_a_line_has_the_time)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
    char text[100] = "";

    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    dup2(slave, STDERR_FILENO);
    log_msg(LOG_INFO, "hello");
    dup2(stderr_before, STDERR_FILENO);
    ck_assert_int_gt(read(master, text, sizeof(text) - 1), 0);
    ck_assert(text[2] == ':' && text[5] == ':');
    ck_assert(!strncmp(text + 9, "hello", 5));
}
END_TEST

START_TEST(levels_have_names)
{
    int level = -1;

    ck_assert(log_level_parse("warning", &level));
    ck_assert_int_eq(level, LOG_WARNING);
    ck_assert(!log_level_parse("loud", &level));
    ck_assert_int_eq(level, LOG_WARNING);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_line_has_its_priority_and_its_job);
    tcase_add_test(tc, less_important_lines_are_left_out);
    tcase_add_test(tc, nothing_can_forge_a_line);
    tcase_add_test(tc, long_lines_are_cut_and_still_end);
    tcase_add_test(tc, errno_can_be_said_and_is_kept);
    tcase_add_test(tc, lines_of_several_threads_stay_whole);
    tcase_add_test(tc, another_stream_is_not_the_journal);
    tcase_add_test(tc, a_program_with_a_way_into_the_journal_uses_it);
    tcase_add_test(tc, a_program_without_one_writes_lines_there);
    tcase_add_test(tc, what_is_no_journal_gets_lines_whatever_there_is);
    tcase_add_test(tc, on_a_terminal_a_line_has_the_time);
    tcase_add_test(tc, levels_have_names);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
