/* What a schema cannot say about a job, and about names. */
#include "tests/unit/unit.h"

#include "proto/codec.h"
#include "proto/messages.h"

static struct job exec_job(struct bytes *argv, size_t n)
{
    struct job job;

    codec_defaults(&job_schema, &job);
    job.argv = (struct strv){argv, n};
    return job;
}

static void job_refused(const struct job *job, enum aw_err code, const char *because)
{
    struct aw_error err = {0};

    ck_assert_int_eq(job_check(job, &err), code);
    ck_assert_int_eq(err.code, code);
    ck_assert_msg(strstr(err.text, because) != NULL, "%s", err.text);
}

START_TEST(a_program_is_all_that_a_job_needs)
{
    struct bytes argv[] = {bytes_str("/bin/true"), bytes_str("")};
    struct job job = exec_job(argv, 2);

    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.type = bytes_str("exec");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
}
END_TEST

START_TEST(a_job_without_a_program_is_refused)
{
    struct bytes argv[] = {bytes_str("")};
    struct job job = exec_job(argv, 1);

    job_refused(&job, AW_ERR_INVALID, "argv");
    job.argv.n = 0;
    job_refused(&job, AW_ERR_INVALID, "argv");
}
END_TEST

START_TEST(jobs_of_other_types_need_no_program)
{
    struct job job = exec_job(NULL, 0);

    job.type = bytes_str("sleep");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.type = bytes_str("noop");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.type = bytes_str("dance");
    job_refused(&job, AW_ERR_INVALID, "dance");
    job.type = bytes_str("execx");
    job_refused(&job, AW_ERR_INVALID, "execx");
}
END_TEST

START_TEST(only_programs_have_limits)
{
    static const char *const types[] = {"http", "sleep", "noop"};
    struct bytes argv[] = {bytes_str("a")};
    struct job job = exec_job(argv, 1);

    job.limits.nice = 1;
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.url = bytes_str("http://a/");
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        job.type = bytes_str(types[i]);
        job_refused(&job, AW_ERR_INVALID, "limits: only jobs of type exec have them");
    }
    job.type = bytes_str("dance");
    job_refused(&job, AW_ERR_INVALID, "dance");
}
END_TEST

START_TEST(environment_strings_are_name_and_value)
{
    static const char *const right[] = {"A=", "A=b", "A=b=c", "a b=c"};
    static const char *const wrong[] = {"", "A", "=", "=b"};
    struct bytes argv[] = {bytes_str("x")}, env[1];
    struct job job = exec_job(argv, 1);

    job.env = (struct strv){env, 1};
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        env[0] = bytes_str(right[i]);
        ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        env[0] = bytes_str(wrong[i]);
        job_refused(&job, AW_ERR_INVALID, "env[0]");
    }
}
END_TEST

START_TEST(arguments_and_environment_share_a_limit)
{
    static char big[AW_MAX_ARG];
    struct bytes argv[17], env[1] = {bytes_str("A=b")};
    struct job job = exec_job(argv, 16);

    memset(big, 'x', sizeof(big));
    for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
        argv[i] = bytes_of(big, sizeof(big)); /* with its NUL: an eighth of a megabyte */
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.env = (struct strv){env, 1};
    job_refused(&job, AW_ERR_TOO_LARGE, "argv and env");
    job.env.n = 0;
    job.argv.n = 17;
    job_refused(&job, AW_ERR_TOO_LARGE, "2228224 bytes");
}
END_TEST

START_TEST(paths_are_absolute)
{
    struct bytes argv[] = {bytes_str("x")};
    struct job job = exec_job(argv, 1);

    job.cwd = bytes_str("tmp");
    job_refused(&job, AW_ERR_INVALID, "cwd");
    job.cwd = bytes_str("/tmp");
    job.stdin_file = bytes_str("./x");
    job_refused(&job, AW_ERR_INVALID, "stdin_file");
    job.stdin_file = bytes_str("/dev/null");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
}
END_TEST

START_TEST(what_excludes_each_other_is_not_taken_together)
{
    struct bytes argv[] = {bytes_str("x")};
    struct job job = exec_job(argv, 1);

    job.stdin_file = bytes_str("/dev/null");
    job.stdin = bytes_str("");
    job_refused(&job, AW_ERR_INVALID, "stdin");
    job = exec_job(argv, 1);
    job.delay_ms = 1;
    job.not_before_us = 1;
    job_refused(&job, AW_ERR_INVALID, "delay_ms");
}
END_TEST

START_TEST(an_interrupted_job_fails_or_is_tried_again)
{
    struct bytes argv[] = {bytes_str("x")};
    struct job job = exec_job(argv, 1);

    job.on_interrupt = bytes_str("retry");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.on_interrupt = bytes_str("fail");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.on_interrupt = bytes_str("pray");
    job_refused(&job, AW_ERR_INVALID, "on_interrupt");
}
END_TEST

START_TEST(a_cache_needs_a_key)
{
    struct bytes argv[] = {bytes_str("x")};
    struct job job = exec_job(argv, 1);

    job.cache_ttl_ms = 1000;
    job_refused(&job, AW_ERR_INVALID, "cache_ttl_ms: needs a key");
    job.key = bytes_str("k");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.cache_failed = true;
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.cache_ttl_ms = 0;
    job_refused(&job, AW_ERR_INVALID, "cache_failed: needs cache_ttl_ms");
}
END_TEST

START_TEST(parents_of_all_kinds_share_a_limit)
{
    static struct bytes ids[AW_MAX_PARENTS];
    struct bytes argv[] = {bytes_str("x")};
    struct job job = exec_job(argv, 1);

    job.after = (struct strv){ids, AW_MAX_PARENTS - 1};
    job.after_fail = (struct strv){ids, 1};
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
    job.after_any = (struct strv){ids, 1};
    job_refused(&job, AW_ERR_TOO_LARGE, "1001 futures together; at most 1000");
}
END_TEST

START_TEST(names_are_one_printable_word)
{
    static const char *const right[] = {"a", "night-2", "a~", "\xc3\xbc", "!", "/"};
    static const char *const wrong[] = {"", "~a", "a b", "a\n", "\x7f", "a\t"};
    struct bytes argv[] = {bytes_str("x")};
    struct job job = exec_job(argv, 1);
    struct aw_error err = {0};

    for (size_t i = 0; i < ARRAY_SIZE(right); i++)
        ck_assert_msg(name_check(bytes_str(right[i]), "set", NULL) == AW_OK, "%s", right[i]);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        ck_assert_msg(name_check(bytes_str(wrong[i]), "set", &err) == AW_ERR_INVALID, "'%s'",
                      wrong[i]);
        ck_assert_ptr_eq(strstr(err.text, "set: "), err.text);
        job.queue = bytes_str(wrong[i]);
        job_refused(&job, AW_ERR_INVALID, "queue: ");
    }
    job.queue = bytes_str("fast");
    ck_assert_int_eq(job_check(&job, NULL), AW_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job check");
    TCase *tc = tcase_create("jobs");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_program_is_all_that_a_job_needs);
    tcase_add_test(tc, a_job_without_a_program_is_refused);
    tcase_add_test(tc, jobs_of_other_types_need_no_program);
    tcase_add_test(tc, only_programs_have_limits);
    tcase_add_test(tc, environment_strings_are_name_and_value);
    tcase_add_test(tc, arguments_and_environment_share_a_limit);
    tcase_add_test(tc, paths_are_absolute);
    tcase_add_test(tc, what_excludes_each_other_is_not_taken_together);
    tcase_add_test(tc, an_interrupted_job_fails_or_is_tried_again);
    tcase_add_test(tc, a_cache_needs_a_key);
    tcase_add_test(tc, parents_of_all_kinds_share_a_limit);
    tcase_add_test(tc, names_are_one_printable_word);
    return unit_run(suite);
}
