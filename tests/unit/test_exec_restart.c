/*
 * The exec worker and the real aw-runner, when one of the two goes away and comes back.
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tests/unit/exec_rig.h"

static struct rig *rig;

static void setup(void)
{
    rig = rig_new();
}

static void setup_bare(void)
{
    rig = rig_new_bare();
}

static void teardown(void)
{
    rig_free(rig);
}

/* awd goes, and another one comes. */
static void restart_awd(void)
{
    rig_worker_free(rig);
    rig_worker_new(rig);
}

static bool another_is_connected(struct rig *r, const void *arg)
{
    pid_t pid = worker_exec_runner_pid(r->worker);

    return pid && pid != *(const pid_t *)arg;
}

static void kill_runner(void)
{
    pid_t pid = rig_until_connected(rig);

    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    rig_until(rig, another_is_connected, &pid);
}

static bool exists(const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
    return access(path, F_OK) == 0;
}

/* ---- awd goes away -------------------------------------------------------------------------- */

START_TEST(a_job_goes_on_without_awd_and_its_end_and_output_arrive)
{
    struct job job;
    uint64_t claim;
    pid_t pid;

    rig_job_init(rig, &job, RIG_SH("echo before; " UNTIL_GO "echo after; exit 7"));
    claim = rig_start(rig, &job);
    pid = rig_started(rig, claim);
    restart_awd();
    ck_assert(process_runs(pid));
    rig_adopt(rig, claim, &job, rig->jobs[claim].started_us);
    worker_exec_adopted_all(rig->worker);
    rig_until_connected(rig);
    rig_write(rig, "go", "");
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 7);
    ck_assert_uint_eq(rig->jobs[claim].n_started, 2); /* told by both runners' peers, once each */
    ck_assert_int_eq(rig->jobs[claim].pid, pid);
    rig_check_output(rig, claim, STREAM_STDOUT, "before\nafter\n");
}
END_TEST

START_TEST(a_job_that_ends_while_awd_is_away_is_told_to_the_next)
{
    struct job job;
    uint64_t claim;
    pid_t pid;

    rig_job_init(rig, &job, RIG_SH("seq 1 10000; " UNTIL_GO "exit 6"));
    claim = rig_start(rig, &job);
    pid = rig_started(rig, claim);
    rig_worker_free(rig);
    rig_write(rig, "go", "");
    rig_until_gone(rig, pid);
    rig_worker_new(rig);
    rig_adopt(rig, claim, &job, rig->jobs[claim].started_us);
    worker_exec_adopted_all(rig->worker);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 6);
    ck_assert_uint_eq(rig->jobs[claim].outcome.output[STREAM_STDOUT].size, 48894);
}
END_TEST

START_TEST(a_record_is_told_again_until_it_is_recorded)
{
    struct job job;
    uint64_t claim;

    rig->leave_unrecorded = true;
    rig_job_init(rig, &job, RIG_SH("echo kept; exit 3"));
    claim = rig_start(rig, &job);
    for (int i = 0; i < 3; i++) {
        rig->jobs[claim].n_ended = 0;
        ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 3);
        rig_check_output(rig, claim, STREAM_STDOUT, "kept\n");
        restart_awd();
        rig_adopt(rig, claim, &job, rig->jobs[claim].outcome.started_us);
        worker_exec_adopted_all(rig->worker);
    }
}
END_TEST

START_TEST(what_was_recorded_is_not_told_again)
{
    uint64_t claim = rig_sh(rig, "exit 3");

    rig_ended(rig, claim); /* the rig's host records at once */
    rig_ended(rig, rig_sh(rig, "exit 0"));
    restart_awd();
    worker_exec_adopted_all(rig->worker);
    rig_ended(rig, rig_sh(rig, "exit 0"));
    ck_assert_uint_eq(rig->jobs[claim].n_ended, 1);
}
END_TEST

/* More may have been claimed than there are slots: it is not started, but claimed anew. */
START_TEST(a_job_that_was_claimed_but_never_reached_the_runner_is_given_back)
{
    struct job job;

    rig_ended(rig, rig_sh(rig, "exit 0"));
    restart_awd();
    rig_job_init(rig, &job, RIG_SH("touch $D/began"));
    rig->n_claims = 5;
    rig_adopt(rig, 5, &job, now_us());
    worker_exec_adopted_all(rig->worker);
    ck_assert(rig_ended(rig, 5)->unbegun);
    ck_assert(!exists("began"));
}
END_TEST

START_TEST(a_job_that_was_to_be_stopped_and_never_reached_the_runner_is_not_started)
{
    struct job job;

    rig_ended(rig, rig_sh(rig, "exit 0"));
    restart_awd();
    rig_job_init(rig, &job, RIG_SH("touch $D/began"));
    rig_adopt(rig, 5, &job, now_us());
    rig->worker->ops->stop(rig->worker, 5, 0);
    worker_exec_adopted_all(rig->worker);
    ck_assert(rig_ended(rig, 5)->stopped);
    ck_assert(!rig_ended(rig, 5)->unbegun);
    ck_assert(!exists("began"));
}
END_TEST

START_TEST(a_stop_of_an_adopted_job_waits_for_the_runner)
{
    struct job job;
    uint64_t claim;

    rig_job_init(rig, &job, RIG_SH("sleep 60"));
    claim = rig_start(rig, &job);
    rig_started(rig, claim);
    restart_awd();
    rig_adopt(rig, claim, &job, rig->jobs[claim].started_us);
    rig->worker->ops->stop(rig->worker, claim, 0);
    worker_exec_adopted_all(rig->worker);
    ck_assert(rig_ended(rig, claim)->stopped);
    ck_assert_int_eq(rig->jobs[claim].outcome.signal, SIGKILL);
}
END_TEST

START_TEST(a_job_that_nobody_adopts_is_ended)
{
    pid_t pid = rig_started(rig, rig_sh(rig, "sleep 60"));

    restart_awd();
    worker_exec_adopted_all(rig->worker);
    rig_until_gone(rig, pid);
}
END_TEST

START_TEST(a_timeout_holds_while_awd_is_away)
{
    struct job job;
    uint64_t claim;
    pid_t pid;

    rig_job_init(rig, &job, RIG_SH("sleep 60"));
    job.timeout_ms = 300;
    claim = rig_start(rig, &job);
    pid = rig_started(rig, claim);
    rig_worker_free(rig);
    rig_until_gone(rig, pid);
    rig_worker_new(rig);
    rig_adopt(rig, claim, &job, rig->jobs[claim].started_us);
    worker_exec_adopted_all(rig->worker);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_TIMEOUT);
}
END_TEST

START_TEST(starts_wait_until_all_is_adopted)
{
    uint64_t claim;

    rig_worker_new(rig);
    claim = rig_sh(rig, "exit 2");
    rig_run_ms(rig, 50);
    ck_assert_uint_eq(rig->jobs[claim].n_ended, 0);
    worker_exec_adopted_all(rig->worker);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 2);
}
END_TEST

/* ---- The runner goes away ------------------------------------------------------------------- */

START_TEST(jobs_are_interrupted_when_the_runner_is_killed)
{
    uint64_t claim = rig_sh(rig, "sleep 60");
    const struct outcome *o;
    pid_t pid = rig_started(rig, claim);

    kill_runner();
    o = rig_ended(rig, claim);
    ck_assert_int_eq(o->class, AW_CLASS_INTERRUPTED);
    ck_assert(!o->stopped);
    ck_assert_int_eq(o->exit_code, NO_EXIT_CODE);
    ck_assert_int_eq(o->started_us, rig->jobs[claim].started_us);
    ck_assert(!process_runs(pid));
    ck_assert_int_eq(rig_ended(rig, rig_sh(rig, "exit 4"))->exit_code, 4);
}
END_TEST

START_TEST(nothing_of_an_interrupted_job_runs_when_that_is_said)
{
    uint64_t claim = rig_sh(rig, "trap '' TERM; (setsid sh -c 'echo $$ >$D/pid; "
                                 "while :; do sleep 1; done' &); while :; do sleep 1; done");
    pid_t pid = rig_started(rig, claim), orphan = (pid_t)rig_until_number(rig, "pid");

    kill_runner();
    ck_assert(process_runs(orphan));
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_INTERRUPTED);
    ck_assert(!process_runs(pid));
    ck_assert(!process_runs(orphan));
}
END_TEST

START_TEST(jobs_of_others_are_not_touched_by_that)
{
    uint64_t claim = rig_sh(rig, "sleep 60");
    struct bytes env[] = {bytes_str("AWD_JOB_ID=other-1"), bytes_str("AWD_CLAIM=1")};
    char *const envp[] = {(char *)env[0].data, (char *)env[1].data, NULL};
    char *const argv[] = {(char *)"sleep", (char *)"60", NULL};
    pid_t other;

    ck_assert_uint_eq(claim, 1);
    rig_started(rig, claim);
    ck_assert_int_eq(posix_spawn(&other, "/bin/sleep", NULL, NULL, argv, envp), 0);
    kill_runner();
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_INTERRUPTED);
    ck_assert(process_runs(other));
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}
END_TEST

START_TEST(a_job_that_was_being_stopped_counts_as_stopped_when_it_is_interrupted)
{
    uint64_t claim = rig_sh(rig, "trap '' TERM; echo $$ >$D/pid; while :; do sleep 1; done");

    rig_until_number(rig, "pid");
    rig->worker->ops->stop(rig->worker, claim, 3600000);
    kill_runner();
    ck_assert(rig_ended(rig, claim)->stopped);
}
END_TEST

START_TEST(after_awd_and_runner_both_died_jobs_are_interrupted_and_gone)
{
    struct job job;
    uint64_t claim;
    pid_t runner = rig_until_connected(rig), pid;

    rig_job_init(rig, &job, RIG_SH("trap '' TERM; echo $$ >$D/pid; while :; do sleep 1; done"));
    claim = rig_start(rig, &job);
    pid = (pid_t)rig_until_number(rig, "pid");
    rig_started(rig, claim);
    rig_worker_free(rig);
    kill(runner, SIGKILL);
    rig_until_gone(rig, runner);
    ck_assert(process_runs(pid));
    rig_worker_new(rig);
    rig_adopt(rig, claim, &job, rig->jobs[claim].started_us);
    worker_exec_adopted_all(rig->worker);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_INTERRUPTED);
    ck_assert(!process_runs(pid));
}
END_TEST

START_TEST(a_runner_that_is_told_to_end_ends_its_jobs_and_says_so)
{
    uint64_t claim = rig_sh(rig, "trap 'echo bye; exit 0' TERM; echo $$ >$D/pid; "
                                 "while :; do sleep 0.01; done");
    pid_t runner = rig_until_connected(rig);

    rig_until_number(rig, "pid");
    kill(runner, SIGTERM);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_INTERRUPTED);
    ck_assert_int_eq(rig->jobs[claim].outcome.exit_code, 0);
    rig_check_output(rig, claim, STREAM_STDOUT, "bye\n");
    rig_until_gone(rig, runner);
}
END_TEST

START_TEST(a_runner_that_cannot_be_started_is_tried_again)
{
    char path[128];
    const char *real = rig->runner_path;
    uint64_t claim;

    snprintf(path, sizeof(path), "%s/aw-runner", rig->dir);
    rig->runner_path = path;
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    claim = rig_sh(rig, "exit 5");
    rig_run_ms(rig, 100);
    ck_assert_uint_eq(rig->jobs[claim].n_ended, 0);
    ck_assert_int_eq(symlink(real, path), 0);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 5);
}
END_TEST

/* ---- The runner's own end ------------------------------------------------------------------- */

START_TEST(a_released_runner_ends_when_it_has_nothing_to_do)
{
    pid_t runner;

    rig_ended(rig, rig_sh(rig, "exit 0"));
    runner = rig_until_connected(rig);
    worker_exec_release(rig->worker);
    rig_worker_free(rig);
    rig_until_gone(rig, runner);
}
END_TEST

START_TEST(a_released_runner_stays_for_its_jobs_and_their_records)
{
    struct job job;
    uint64_t claim;
    pid_t runner, pid;

    rig_job_init(rig, &job, RIG_SH(UNTIL_GO "exit 9"));
    claim = rig_start(rig, &job);
    pid = rig_started(rig, claim);
    runner = rig_until_connected(rig);
    worker_exec_release(rig->worker);
    rig_worker_free(rig);
    rig_write(rig, "go", "");
    rig_until_gone(rig, pid);
    rig_run_ms(rig, 100);
    ck_assert(process_runs(runner));
    rig_worker_new(rig);
    rig_adopt(rig, claim, &job, rig->jobs[claim].started_us);
    worker_exec_adopted_all(rig->worker);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 9);
    ck_assert_int_eq(rig_until_connected(rig), runner);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exec_restart");
    TCase *tcase = tcase_create("restart");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_job_goes_on_without_awd_and_its_end_and_output_arrive);
    tcase_add_test(tcase, a_job_that_ends_while_awd_is_away_is_told_to_the_next);
    tcase_add_test(tcase, a_record_is_told_again_until_it_is_recorded);
    tcase_add_test(tcase, what_was_recorded_is_not_told_again);
    tcase_add_test(tcase, a_job_that_was_claimed_but_never_reached_the_runner_is_given_back);
    tcase_add_test(tcase, a_job_that_was_to_be_stopped_and_never_reached_the_runner_is_not_started);
    tcase_add_test(tcase, a_stop_of_an_adopted_job_waits_for_the_runner);
    tcase_add_test(tcase, a_job_that_nobody_adopts_is_ended);
    tcase_add_test(tcase, a_timeout_holds_while_awd_is_away);
    tcase_add_test(tcase, jobs_are_interrupted_when_the_runner_is_killed);
    tcase_add_test(tcase, nothing_of_an_interrupted_job_runs_when_that_is_said);
    tcase_add_test(tcase, jobs_of_others_are_not_touched_by_that);
    tcase_add_test(tcase, a_job_that_was_being_stopped_counts_as_stopped_when_it_is_interrupted);
    tcase_add_test(tcase, after_awd_and_runner_both_died_jobs_are_interrupted_and_gone);
    tcase_add_test(tcase, a_runner_that_is_told_to_end_ends_its_jobs_and_says_so);
    tcase_add_test(tcase, a_released_runner_ends_when_it_has_nothing_to_do);
    tcase_add_test(tcase, a_released_runner_stays_for_its_jobs_and_their_records);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("by hand");
    tcase_add_checked_fixture(tcase, setup_bare, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, starts_wait_until_all_is_adopted);
    tcase_add_test(tcase, a_runner_that_cannot_be_started_is_tried_again);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
