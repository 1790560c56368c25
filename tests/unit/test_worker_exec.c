/*
 * The exec worker and the real aw-runner: how jobs are started, and how they end.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/exec_rig.h"

static struct rig *rig;

static void setup(void)
{
    rig = rig_new();
}

static void teardown(void)
{
    rig_free(rig);
}

#define check_spawn_failed(outcome, why)                                            \
    do {                                                                            \
        ck_assert_int_eq((outcome)->class, AW_CLASS_SPAWN);                         \
        ck_assert_int_eq((outcome)->exit_code, NO_EXIT_CODE);                       \
        ck_assert_int_eq((outcome)->started_us, 0);                                 \
        ck_assert_msg(strstr((outcome)->message, (why)), "%s", (outcome)->message); \
    } while (0)

/* ---- Exit codes and signals ----------------------------------------------------------------- */

START_TEST(a_job_that_exits_with_0_has_succeeded)
{
    int64_t before_us = now_us();
    const struct outcome *o = rig_ended(rig, rig_sh(rig, "exit 0"));

    ck_assert_int_eq(o->class, AW_CLASS_NONE);
    ck_assert_int_eq(o->exit_code, 0);
    ck_assert_int_eq(o->signal, 0);
    ck_assert(!o->stopped);
    ck_assert_str_eq(o->message, "");
    ck_assert_int_ge(o->started_us, before_us);
    ck_assert_int_ge(o->ended_us, o->started_us);
    ck_assert_int_le(o->ended_us, now_us());
    ck_assert_uint_gt(o->max_rss_kib, 0);
}
END_TEST

START_TEST(another_exit_code_is_a_failure_with_that_code)
{
    const struct outcome *o = rig_ended(rig, rig_sh(rig, "exit 255"));

    ck_assert_int_eq(o->class, AW_CLASS_EXIT);
    ck_assert_int_eq(o->exit_code, 255);
}
END_TEST

START_TEST(a_signal_from_elsewhere_is_a_failure_with_that_signal)
{
    const struct outcome *o = rig_ended(rig, rig_sh(rig, "kill -SEGV $$"));

    ck_assert_int_eq(o->class, AW_CLASS_SIGNAL);
    ck_assert_int_eq(o->signal, SIGSEGV);
    ck_assert_int_eq(o->exit_code, NO_EXIT_CODE);
    ck_assert_msg(strstr(o->message, "SIGSEGV"), "%s", o->message);
}
END_TEST

START_TEST(two_hundred_jobs_at_once_each_end_once_with_their_own_code)
{
    uint64_t first = rig->n_claims + 1;
    char text[32];

    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "echo %d; exit %d", i, i % 7);
        rig_sh(rig, text);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "%d\n", i);
        ck_assert_int_eq(rig_ended(rig, first + (uint64_t)i)->exit_code, i % 7);
        rig_check_output(rig, first + (uint64_t)i, STREAM_STDOUT, text);
    }
}
END_TEST

START_TEST(processor_time_is_counted)
{
    const struct outcome *o =
        rig_ended(rig, rig_sh(rig, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));

    ck_assert_uint_gt(o->cpu_user_us + o->cpu_sys_us, 1000);
}
END_TEST

/* ---- What cannot be started ----------------------------------------------------------------- */

START_TEST(a_program_that_is_not_there_is_named)
{
    struct job job;

    rig_job_init(rig, &job, RIG_ARGV("/no/such/program"));
    check_spawn_failed(rig_ended(rig, rig_start(rig, &job)),
                       "exec /no/such/program: No such file or directory");
}
END_TEST

START_TEST(a_program_that_is_not_in_the_path_is_named)
{
    struct job job;

    rig_job_init(rig, &job, RIG_ARGV("no-such-program"));
    check_spawn_failed(rig_ended(rig, rig_start(rig, &job)),
                       "exec no-such-program: No such file or directory");
}
END_TEST

START_TEST(a_file_that_may_not_be_run_is_named)
{
    struct job job;

    rig_job_init(rig, &job, RIG_ARGV("/etc/passwd"));
    check_spawn_failed(rig_ended(rig, rig_start(rig, &job)), "exec /etc/passwd: Permission denied");
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_named)
{
    struct job job;

    rig_job_init(rig, &job, RIG_ARGV("true"));
    job.cwd = bytes_str("/no/such/dir");
    check_spawn_failed(rig_ended(rig, rig_start(rig, &job)),
                       "chdir /no/such/dir: No such file or directory");
}
END_TEST

START_TEST(an_input_file_that_is_not_there_is_named)
{
    struct job job;

    rig_job_init(rig, &job, RIG_ARGV("true"));
    job.stdin_file = bytes_str("/no/such/file");
    check_spawn_failed(rig_ended(rig, rig_start(rig, &job)),
                       "open /no/such/file: No such file or directory");
}
END_TEST

START_TEST(an_argument_with_a_nul_is_refused)
{
    struct job job;

    rig_job_init(rig, &job, RIG_ARGV("true", "x"));
    job.argv.v[1] = bytes_of("a\0b", 3);
    check_spawn_failed(rig_ended(rig, rig_start(rig, &job)), "argv[1]: has a NUL byte");
}
END_TEST

/* ---- What a job gets ------------------------------------------------------------------------ */

START_TEST(the_environment_is_the_given_one_and_three_names_of_ours)
{
    struct bytes env[] = {bytes_str("B=2"), bytes_str("AWD_CLAIM=999"), bytes_str("A=x y"),
                          bytes_str("AWD_JOB_ID=zzzzz-1")};
    struct job job;
    char want[256];
    uint64_t claim;

    setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    rig_job_init(rig, &job, RIG_ARGV("/usr/bin/env"));
    job.env = (struct strv){env, ARRAY_SIZE(env)};
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    snprintf(want, sizeof(want), "AWD_JOB_ID=%s-%ju\nAWD_ATTEMPT=1\nAWD_CLAIM=%ju\nB=2\nA=x y\n",
             rig->tag, (uintmax_t)rig->jobs[claim].number, (uintmax_t)claim);
    rig_check_output(rig, claim, STREAM_STDOUT, want);
}
END_TEST

START_TEST(without_an_environment_there_is_a_small_one)
{
    struct job job;
    uint64_t claim;

    setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    rig_job_init(rig, &job, RIG_SH("echo ${NOTIFY_SOCKET-none}; [ -n \"$PATH\" ] && echo path"));
    job.env.n = 0;
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    rig_check_output(rig, claim, STREAM_STDOUT, "none\npath\n");
}
END_TEST

START_TEST(the_program_is_looked_for_in_the_jobs_own_path)
{
    char path[128], file[160];
    struct bytes env[1];
    struct job job;
    uint64_t claim;

    rig_write(rig, "hello", "#!/bin/sh\necho found $0\n");
    snprintf(file, sizeof(file), "%s/hello", rig->dir);
    ck_assert_int_eq(chmod(file, 0755), 0);
    snprintf(path, sizeof(path), "PATH=/nowhere:%s:/bin", rig->dir);
    env[0] = bytes_str(path);
    rig_job_init(rig, &job, RIG_ARGV("hello"));
    job.env = (struct strv){env, 1};
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    snprintf(file, sizeof(file), "found %s/hello\n", rig->dir);
    rig_check_output(rig, claim, STREAM_STDOUT, file);
}
END_TEST

START_TEST(directory_umask_and_niceness_are_as_given)
{
    char want[160];
    struct job job;
    uint64_t claim;

    rig_job_init(rig, &job, RIG_SH("pwd; umask; nice"));
    job.cwd = bytes_str(rig->dir);
    job.umask = 0137;
    job.nice = 7;
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    snprintf(want, sizeof(want), "%s\n0137\n7\n", rig->dir);
    rig_check_output(rig, claim, STREAM_STDOUT, want);
}
END_TEST

START_TEST(no_descriptors_but_three_and_no_blocked_or_ignored_signals)
{
    uint64_t claim = rig_sh(rig, "ls /proc/self/fd | tr '\\n' ' '; "
                                 "cat /proc/self/status | grep -E '^Sig(Blk|Ign|Cgt)' | cut -f2");

    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    /* ls opens the directory: that is its 3. */
    rig_check_output(rig, claim, STREAM_STDOUT,
                     "0 1 2 3 0000000000000000\n0000000000000000\n0000000000000000\n");
}
END_TEST

START_TEST(a_job_leads_a_session_of_its_own)
{
    uint64_t claim = rig_sh(rig, "cut -d' ' -f5,6 /proc/$$/stat; echo $$ $$");
    size_t len;
    char *text, *nl;

    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    text = rig_output(rig, claim, STREAM_STDOUT, &len);
    nl = strchr(text, '\n');
    ck_assert_ptr_nonnull(nl);
    ck_assert_msg(strncmp(text, nl + 1, (size_t)(nl - text)) == 0, "%s", text);
    free(text);
}
END_TEST

START_TEST(input_is_empty_unless_there_is_some)
{
    uint64_t claim = rig_sh(rig, "cat; readlink /proc/self/fd/0");

    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    rig_check_output(rig, claim, STREAM_STDOUT, "/dev/null\n");
}
END_TEST

START_TEST(input_of_four_megabytes_arrives)
{
    struct job job;
    uint64_t claim;
    char *input = malloc(AW_MAX_STDIN);

    memset(input, 'i', AW_MAX_STDIN);
    rig_job_init(rig, &job, RIG_ARGV("wc", "-c"));
    job.stdin = bytes_of(input, AW_MAX_STDIN);
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    rig_check_output(rig, claim, STREAM_STDOUT, "4194304\n");
    free(input);
}
END_TEST

START_TEST(input_comes_from_a_file)
{
    char path[128];
    struct job job;
    uint64_t claim;

    rig_write(rig, "input", "from a file\n");
    snprintf(path, sizeof(path), "%s/input", rig->dir);
    rig_job_init(rig, &job, RIG_ARGV("cat"));
    job.stdin_file = bytes_str(path);
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    rig_check_output(rig, claim, STREAM_STDOUT, "from a file\n");
}
END_TEST

START_TEST(a_fifo_that_nobody_writes_to_does_not_hold_up_the_runner)
{
    char path[128];
    struct job job;
    uint64_t claim;

    snprintf(path, sizeof(path), "%s/fifo", rig->dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    rig_job_init(rig, &job, RIG_ARGV("true"));
    job.stdin_file = bytes_str(path);
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, rig_sh(rig, "exit 3"))->exit_code, 3);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
}
END_TEST

START_TEST(arguments_and_environment_of_two_megabytes_arrive)
{
    enum { N_VARS = 19, SIZE = 100000 };
    struct bytes env[N_VARS + 1];
    char *value = malloc(SIZE);
    struct job job;
    uint64_t claim;

    memset(value, 'v', SIZE);
    value[0] = 'X';
    value[1] = '=';
    rig_job_init(rig, &job,
                 RIG_ARGV("/bin/sh", "-c", "tr '\\0' '\\n' </proc/$$/environ | grep -c ^X; cat"));
    for (int i = 0; i < N_VARS; i++)
        env[i] = bytes_of(value, SIZE);
    env[N_VARS] = bytes_str("PATH=/usr/bin:/bin");
    job.env = (struct strv){env, ARRAY_SIZE(env)};
    job.stdin = bytes_str("and input\n");
    claim = rig_start(rig, &job);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    rig_check_output(rig, claim, STREAM_STDOUT, "19\nand input\n");
    free(value);
}
END_TEST

/* ---- Output --------------------------------------------------------------------------------- */

START_TEST(small_output_travels_and_touches_no_disk)
{
    uint64_t claim = rig_sh(rig, "echo out; echo err >&2");
    const struct outcome *o = rig_ended(rig, claim);
    struct spool_file file = {rig->jobs[claim].number, 1, STREAM_STDOUT};
    struct aw_error err;
    uint64_t size;

    ck_assert(!o->output[STREAM_STDOUT].spooled && !o->output[STREAM_STDERR].spooled);
    rig_check_output(rig, claim, STREAM_STDOUT, "out\n");
    rig_check_output(rig, claim, STREAM_STDERR, "err\n");
    ck_assert_int_eq(spool_size(&rig->spool, file, &size, &err), AW_ERR_UNKNOWN_ID);
}
END_TEST

START_TEST(merged_output_is_one_stream_in_order)
{
    struct job job;
    uint64_t claim;

    rig_job_init(rig, &job, RIG_SH("echo 1; echo 2 >&2; echo 3"));
    job.merge_stderr = true;
    claim = rig_start(rig, &job);
    rig_ended(rig, claim);
    rig_check_output(rig, claim, STREAM_STDOUT, "1\n2\n3\n");
    rig_check_output(rig, claim, STREAM_STDERR, "");
}
END_TEST

START_TEST(output_up_to_the_limit_travels_and_one_byte_more_is_spooled)
{
    uint64_t all = rig_sh(rig, "head -c 16384 /dev/zero");
    uint64_t more = rig_sh(rig, "head -c 16385 /dev/zero");

    ck_assert(!rig_ended(rig, all)->output[0].spooled);
    ck_assert_uint_eq(rig->jobs[all].outcome.output[0].size, 16384);
    ck_assert(rig_ended(rig, more)->output[0].spooled);
    ck_assert_uint_eq(rig->jobs[more].outcome.output[0].size, 16385);
}
END_TEST

START_TEST(a_hundred_megabytes_arrive_unharmed)
{
    uint64_t claim = rig_sh(rig, "seq 1 13000000 | head -c 100000000; echo done >&2");
    size_t len;
    char *text, *p;
    unsigned long n = 0;

    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    text = rig_output(rig, claim, STREAM_STDOUT, &len);
    ck_assert_uint_eq(len, 100000000);
    for (p = text; p < text + len - 16; p++)
        if (strtoul(p, &p, 10) != ++n)
            ck_abort_msg("line %lu is another one", n);
    ck_assert_uint_gt(n, 10000000);
    free(text);
    rig_check_output(rig, claim, STREAM_STDERR, "done\n");
}
END_TEST

START_TEST(a_job_may_close_its_output_and_go_on)
{
    uint64_t claim = rig_sh(rig, "echo before; exec >&- 2>&-; sleep 0.05; exit 4");

    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 4);
    rig_check_output(rig, claim, STREAM_STDOUT, "before\n");
}
END_TEST

static bool has_grown_to(struct rig *r, const void *arg)
{
    return r->jobs[r->n_claims].grown[STREAM_STDOUT] == *(const uint64_t *)arg;
}

START_TEST(watched_output_is_told_as_it_grows_and_can_be_read)
{
    uint64_t claim = rig_sh(rig, "echo one; while [ ! -e $D/go ]; do sleep 0.01; done; "
                                 "echo two");
    struct spool_file file;
    uint64_t size;
    size_t len;
    char buf[16];
    struct aw_error err;

    rig_started(rig, claim);
    rig->worker->ops->watch(rig->worker, claim);
    rig_until(rig, has_grown_to, &(uint64_t){4});
    file = (struct spool_file){rig->jobs[claim].number, 1, STREAM_STDOUT};
    ck_assert_int_eq(spool_read(&rig->spool, file, 0, buf, sizeof(buf), &len, &size, &err), AW_OK);
    ck_assert(bytes_eq(bytes_of(buf, len), bytes_str("one\n")));
    rig_write(rig, "go", "");
    ck_assert(rig_ended(rig, claim)->output[STREAM_STDOUT].spooled);
    rig_check_output(rig, claim, STREAM_STDOUT, "one\ntwo\n");
}
END_TEST

START_TEST(watching_tells_the_sizes_at_once_even_if_there_is_nothing)
{
    uint64_t claim = rig_sh(rig, "sleep 60");

    rig->worker->ops->watch(rig->worker, claim);
    rig_started(rig, claim);
    while (rig->jobs[claim].n_grown < 2)
        rig_run_ms(rig, 1);
    ck_assert_uint_eq(rig->jobs[claim].grown[STREAM_STDOUT], 0);
    rig->worker->ops->stop(rig->worker, claim, 0);
    rig_ended(rig, claim);
}
END_TEST

START_TEST(the_output_limit_is_exact)
{
    struct job job;
    uint64_t claim;
    const struct outcome *o;

    rig_job_init(rig, &job, RIG_SH("while :; do echo 0123456789; done"));
    claim = rig_start_limited(rig, &job, 100003);
    o = rig_ended(rig, claim);
    ck_assert_int_eq(o->class, AW_CLASS_OUTPUT_LIMIT);
    ck_assert_uint_eq(o->output[0].size + o->output[1].size, 100003);
    ck_assert_msg(strstr(o->message, "100003"), "%s", o->message);
}
END_TEST

START_TEST(as_much_output_as_the_limit_says_is_allowed)
{
    struct job job;
    uint64_t claim;

    rig_job_init(rig, &job, RIG_SH("head -c 5000 /dev/zero; head -c 5000 /dev/zero >&2"));
    claim = rig_start_limited(rig, &job, 10000);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_NONE);
}
END_TEST

START_TEST(one_byte_over_the_limit_is_a_failure_even_if_the_job_has_ended)
{
    struct job job;
    uint64_t claim;
    const struct outcome *o;

    rig_job_init(rig, &job, RIG_SH("head -c 10001 /dev/zero"));
    claim = rig_start_limited(rig, &job, 10000);
    o = rig_ended(rig, claim);
    ck_assert_int_eq(o->class, AW_CLASS_OUTPUT_LIMIT);
    ck_assert_uint_eq(o->output[0].size, 10000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_exec");

    RIG_SUITE_ADD(suite, "ends", a_job_that_exits_with_0_has_succeeded,
                  another_exit_code_is_a_failure_with_that_code,
                  a_signal_from_elsewhere_is_a_failure_with_that_signal,
                  two_hundred_jobs_at_once_each_end_once_with_their_own_code,
                  processor_time_is_counted);
    RIG_SUITE_ADD(suite, "spawn", a_program_that_is_not_there_is_named,
                  a_program_that_is_not_in_the_path_is_named, a_file_that_may_not_be_run_is_named,
                  a_directory_that_is_not_there_is_named, an_input_file_that_is_not_there_is_named,
                  an_argument_with_a_nul_is_refused);
    RIG_SUITE_ADD(suite, "gets", the_environment_is_the_given_one_and_three_names_of_ours,
                  without_an_environment_there_is_a_small_one,
                  the_program_is_looked_for_in_the_jobs_own_path,
                  directory_umask_and_niceness_are_as_given,
                  no_descriptors_but_three_and_no_blocked_or_ignored_signals,
                  a_job_leads_a_session_of_its_own, input_is_empty_unless_there_is_some,
                  input_of_four_megabytes_arrives, input_comes_from_a_file,
                  a_fifo_that_nobody_writes_to_does_not_hold_up_the_runner,
                  arguments_and_environment_of_two_megabytes_arrive);
    RIG_SUITE_ADD(suite, "output", small_output_travels_and_touches_no_disk,
                  merged_output_is_one_stream_in_order,
                  output_up_to_the_limit_travels_and_one_byte_more_is_spooled,
                  a_hundred_megabytes_arrive_unharmed, a_job_may_close_its_output_and_go_on,
                  watched_output_is_told_as_it_grows_and_can_be_read,
                  watching_tells_the_sizes_at_once_even_if_there_is_nothing,
                  the_output_limit_is_exact, as_much_output_as_the_limit_says_is_allowed,
                  one_byte_over_the_limit_is_a_failure_even_if_the_job_has_ended);
    return unit_run(suite);
}
