/*
 * The exec worker and the real aw-runner: how jobs are ended, and all that they began.
 */
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

/* ---- Ending jobs ---------------------------------------------------------------------------- */

START_TEST(a_stopped_job_ends_as_stopped)
{
    uint64_t claim = rig_sh(rig, "sleep 60");
    const struct outcome *o;

    rig_started(rig, claim);
    rig->worker->ops->stop(rig->worker, claim, 5000);
    rig->worker->ops->stop(rig->worker, claim, 5000);
    o = rig_ended(rig, claim);
    ck_assert(o->stopped);
    ck_assert_int_eq(o->signal, SIGTERM);
    rig->worker->ops->stop(rig->worker, claim, 5000); /* of one that has ended: nothing happens */
    rig->worker->ops->stop(rig->worker, 77, 5000);    /* of one that never was */
    rig_run_ms(rig, 20);
    ck_assert_uint_eq(rig->jobs[claim].n_ended, 1);
}
END_TEST

START_TEST(a_job_that_is_stopped_before_it_began_never_begins)
{
    uint64_t claim = rig_sh(rig, "touch $D/began");
    const struct outcome *o;

    rig->worker->ops->stop(rig->worker, claim, 5000);
    ck_assert_uint_eq(rig->jobs[claim].n_ended, 0); /* never from inside of stop() */
    o = rig_ended(rig, claim);
    ck_assert(o->stopped);
    ck_assert_int_eq(o->started_us, 0);
    ck_assert_int_eq(rig_ended(rig, rig_sh(rig, "test ! -e $D/began"))->exit_code, 0);
}
END_TEST

START_TEST(a_stop_right_behind_the_start_is_not_lost)
{
    uint64_t claim;

    rig_ended(rig, rig_sh(rig, "exit 0")); /* the runner is ready now */
    claim = rig_sh(rig, "sleep 60");
    rig_run_ms(rig, 0);
    rig->worker->ops->stop(rig->worker, claim, 0);
    ck_assert(rig_ended(rig, claim)->stopped);
}
END_TEST

START_TEST(a_job_that_ignores_sigterm_is_killed_after_its_grace)
{
    uint64_t claim = rig_sh(rig, "trap '' TERM; echo $$ >$D/pid; while :; do sleep 1; done");
    const struct outcome *o;

    rig_until_number(rig, "pid");
    rig->worker->ops->stop(rig->worker, claim, 100);
    o = rig_ended(rig, claim);
    ck_assert(o->stopped);
    ck_assert_int_eq(o->signal, SIGKILL);
}
END_TEST

START_TEST(a_second_stop_can_shorten_the_grace)
{
    uint64_t claim = rig_sh(rig, "trap '' TERM; echo $$ >$D/pid; while :; do sleep 1; done");

    rig_until_number(rig, "pid");
    rig->worker->ops->stop(rig->worker, claim, 3600000);
    rig->worker->ops->stop(rig->worker, claim, 0);
    ck_assert_int_eq(rig_ended(rig, claim)->signal, SIGKILL);
}
END_TEST

START_TEST(a_job_that_handles_sigterm_may_end_in_its_own_way)
{
    uint64_t claim = rig_sh(rig, "trap 'echo bye; exit 9' TERM; echo $$ >$D/pid; "
                                 "while :; do sleep 0.01; done");
    const struct outcome *o;

    rig_until_number(rig, "pid");
    rig->worker->ops->stop(rig->worker, claim, 10000);
    o = rig_ended(rig, claim);
    ck_assert(o->stopped);
    ck_assert_int_eq(o->exit_code, 9);
    rig_check_output(rig, claim, STREAM_STDOUT, "bye\n");
}
END_TEST

START_TEST(a_job_that_runs_too_long_is_ended)
{
    struct job job;
    const struct outcome *o;

    rig_job_init(rig, &job, RIG_SH("echo begun; sleep 60"));
    job.timeout_ms = 1000; /* time to begin even on a slow machine */
    o = rig_ended(rig, rig_start(rig, &job));
    ck_assert_int_eq(o->class, AW_CLASS_TIMEOUT);
    ck_assert_int_eq(o->signal, SIGTERM);
    ck_assert(!o->stopped);
    ck_assert_msg(strstr(o->message, "1000 ms"), "%s", o->message);
    ck_assert_int_ge(o->ended_us - o->started_us, 1000000);
    rig_check_output(rig, 1, STREAM_STDOUT, "begun\n");
}
END_TEST

START_TEST(a_timeout_kills_what_ignores_sigterm)
{
    struct job job;
    const struct outcome *o;

    rig_job_init(rig, &job, RIG_SH("trap '' TERM; while :; do sleep 1; done"));
    job.timeout_ms = 1000; /* by then it does */
    job.grace_ms = 100;
    o = rig_ended(rig, rig_start(rig, &job));
    ck_assert_int_eq(o->class, AW_CLASS_TIMEOUT);
    ck_assert_int_eq(o->signal, SIGKILL);
}
END_TEST

START_TEST(a_stopped_process_gets_to_see_the_signal)
{
    uint64_t claim = rig_sh(rig, "echo $$ >$D/pid; kill -STOP $$; sleep 60");

    rig_until_number(rig, "pid");
    rig->worker->ops->stop(rig->worker, claim, 3600000);
    ck_assert_int_eq(rig_ended(rig, claim)->signal, SIGTERM);
}
END_TEST

/* ---- The whole tree ------------------------------------------------------------------------- */

/* A grandchild that ignores SIGTERM, in whatever way it is begun. */
#define STUBBORN "trap \"\" TERM; echo $$ >$D/pid; while :; do sleep 1; done"

static void check_tree_stop(const char *text)
{
    uint64_t claim = rig_sh(rig, text);
    pid_t pid = (pid_t)rig_until_number(rig, "pid");

    ck_assert(process_runs(pid));
    rig->worker->ops->stop(rig->worker, claim, 100);
    rig_ended(rig, claim);
    ck_assert(!process_runs(pid));
}

START_TEST(grandchildren_are_ended_with_a_stopped_job)
{
    check_tree_stop("sh -c '" STUBBORN "' & wait");
}
END_TEST

START_TEST(grandchildren_in_other_sessions_are_ended_with_a_stopped_job)
{
    check_tree_stop("setsid sh -c '" STUBBORN "' & wait");
}
END_TEST

START_TEST(orphans_in_other_sessions_are_ended_with_a_stopped_job)
{
    check_tree_stop("(setsid sh -c '" STUBBORN "' &); sleep 60");
}
END_TEST

/* In a session of its own, and without the environment that tells whose it is. */
#define HIDDEN(what) \
    "(env -i PATH=$PATH D=$D setsid sh -c 'echo $$ >$D/pid; exec >&- 2>&-; " what "' &); "

START_TEST(orphans_that_hide_their_environment_too_are_ended_with_the_job)
{
    check_tree_stop(HIDDEN("trap \"\" TERM; while :; do sleep 1; done") "sleep 60");
}
END_TEST

START_TEST(where_several_jobs_could_have_left_it_an_orphan_is_ended_after_the_last)
{
    uint64_t other, claim;
    pid_t pid;

    rig_free(rig); /* that has cgroups, perhaps, which would tell whose it is */
    rig = rig_new_bare();
    rig_use_cgroups(rig, false);
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    other = rig_sh(rig, "sleep 60");
    claim = rig_sh(rig, HIDDEN("sleep 60") "while [ ! -s $D/pid ]; do sleep 0.01; done");
    pid = (pid_t)rig_until_number(rig, "pid");
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_NONE);
    ck_assert(process_runs(pid));
    rig->worker->ops->stop(rig->worker, other, 0);
    rig_ended(rig, other);
    rig_until_gone(rig, pid);
}
END_TEST

static void check_leftover(const char *text)
{
    uint64_t claim = rig_sh(rig, text);
    pid_t pid = (pid_t)rig_until_number(rig, "pid");
    const struct outcome *o = rig_ended(rig, claim);

    ck_assert_int_eq(o->class, AW_CLASS_EXIT);
    ck_assert_int_eq(o->exit_code, 5);
    ck_assert(!process_runs(pid));
}

#define AND_EXIT "while [ ! -s $D/pid ]; do sleep 0.01; done; exit 5"

START_TEST(what_a_job_leaves_behind_is_ended)
{
    check_leftover("sh -c 'echo $$ >$D/pid; sleep 60' & " AND_EXIT);
}
END_TEST

START_TEST(a_daemon_that_a_job_leaves_behind_is_ended)
{
    check_leftover("(setsid sh -c 'echo $$ >$D/pid; exec >&- 2>&-; sleep 60' &) ; " AND_EXIT);
}
END_TEST

START_TEST(a_leftover_that_ignores_sigterm_is_killed)
{
    struct job job;
    uint64_t claim;
    pid_t pid;

    rig_job_init(rig, &job, RIG_SH("setsid sh -c '" STUBBORN "' & " AND_EXIT));
    job.grace_ms = 100;
    claim = rig_start(rig, &job);
    pid = (pid_t)rig_until_number(rig, "pid");
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 5);
    ck_assert(!process_runs(pid));
}
END_TEST

START_TEST(other_jobs_are_not_touched_when_one_is_stopped)
{
    uint64_t other = rig_sh(rig, "(setsid sh -c 'echo $$ >$D/pid; sleep 60' &); sleep 60");
    uint64_t claim = rig_sh(rig, "(setsid sleep 60 &); sleep 60");
    pid_t pid = (pid_t)rig_until_number(rig, "pid");

    rig_started(rig, claim);
    rig->worker->ops->stop(rig->worker, claim, 0);
    rig_ended(rig, claim);
    rig_ended(rig, rig_sh(rig, "exit 0"));
    ck_assert(process_runs(pid));
    ck_assert(process_runs(rig_started(rig, other)));
    rig->worker->ops->stop(rig->worker, other, 0);
    rig_ended(rig, other);
    ck_assert(!process_runs(pid));
}
END_TEST

START_TEST(a_job_that_forks_and_forks_is_ended)
{
    uint64_t claim;
    char path[128];

    /* Each generation starts the next, in a new session, and ends. */
    rig_write(rig, "again", "#!/bin/sh\necho $$ >$D/pid\nsetsid $0 &\n");
    claim = rig_sh(rig, "chmod +x $D/again; $D/again; sleep 60");
    rig_until_number(rig, "pid");
    rig->worker->ops->stop(rig->worker, claim, 100);
    rig_ended(rig, claim);
    snprintf(path, sizeof(path), "%s/pid", rig->dir);
    unlink(path);
    rig_run_ms(rig, 200);
    ck_assert_int_ne(access(path, F_OK), 0); /* were one of them left, it would be there again */
}
END_TEST

START_TEST(a_pipe_that_is_held_by_a_stranger_does_not_hold_up_the_job)
{
    /* The other job has the pipe, and not the process tree: it opened it by /proc. */
    uint64_t claim = rig_sh(rig, "echo $$ >$D/pid; while [ ! -e $D/held ]; do sleep 0.01; done");
    long pid = rig_until_number(rig, "pid");
    char text[256];
    uint64_t holder;

    snprintf(text, sizeof(text), "exec 7>/proc/%ld/fd/1; touch $D/held; sleep 60", pid);
    holder = rig_sh(rig, text);
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    ck_assert_msg(strstr(rig->jobs[claim].outcome.message, "kept its output open"), "%s",
                  rig->jobs[claim].outcome.message);
    rig->worker->ops->stop(rig->worker, holder, 0);
    rig_ended(rig, holder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exec_end");

    RIG_SUITE_ADD(
        suite, "stop", a_stopped_job_ends_as_stopped,
        a_job_that_is_stopped_before_it_began_never_begins,
        a_stop_right_behind_the_start_is_not_lost,
        a_job_that_ignores_sigterm_is_killed_after_its_grace, a_second_stop_can_shorten_the_grace,
        a_job_that_handles_sigterm_may_end_in_its_own_way, a_job_that_runs_too_long_is_ended,
        a_timeout_kills_what_ignores_sigterm, a_stopped_process_gets_to_see_the_signal);
    RIG_SUITE_ADD(suite, "tree", grandchildren_are_ended_with_a_stopped_job,
                  grandchildren_in_other_sessions_are_ended_with_a_stopped_job,
                  orphans_in_other_sessions_are_ended_with_a_stopped_job,
                  orphans_that_hide_their_environment_too_are_ended_with_the_job,
                  where_several_jobs_could_have_left_it_an_orphan_is_ended_after_the_last,
                  what_a_job_leaves_behind_is_ended, a_daemon_that_a_job_leaves_behind_is_ended,
                  a_leftover_that_ignores_sigterm_is_killed,
                  other_jobs_are_not_touched_when_one_is_stopped,
                  a_job_that_forks_and_forks_is_ended,
                  a_pipe_that_is_held_by_a_stranger_does_not_hold_up_the_job);
    return unit_run(suite);
}
