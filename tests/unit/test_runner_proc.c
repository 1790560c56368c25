#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/runner/proc.h"
#include "proto/limits.h"

/* A child that waits for a signal, in an environment of its own, with whatever name. */
static pid_t child_new(const char *comm)
{
    int fds[2];
    char c;
    pid_t pid;

    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, comm);
        close(fds[0]);
        close(fds[1]);
        for (;;)
            pause();
    }
    close(fds[1]);
    ck_assert_int_eq(read(fds[0], &c, 1), 0); /* until it has got so far */
    close(fds[0]);
    return pid;
}

static void child_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool has(const struct pids *pids, pid_t pid)
{
    for (size_t i = 0; i < pids->n; i++)
        if (pids->v[i] == pid)
            return true;
    return false;
}

START_TEST(a_process_is_read_whatever_it_is_called)
{
    static const char *const names[] = {"a", "a b", ") Z 1 1", "x) S 0 (", "\n"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        pid_t pid = child_new(names[i]);
        struct proc proc;

        ck_assert(proc_read(pid, &proc));
        ck_assert_int_eq(proc.pid, pid);
        ck_assert_int_eq(proc.ppid, getpid());
        ck_assert_int_eq(proc.sid, getsid(0));
        ck_assert_msg(proc.state == 'S' || proc.state == 'R', "%c", proc.state);
        ck_assert_int_le(proc.started_us, boottime_us());
        ck_assert_int_ge(proc.started_us, boottime_us() - 60000000);
        child_end(pid);
        ck_assert(!proc_read(pid, &proc));
    }
}
END_TEST

START_TEST(a_process_that_has_ended_says_so_until_it_is_reaped)
{
    pid_t pid = child_new("z");
    siginfo_t info;
    struct proc proc;

    ck_assert(!proc_is_between(pid));
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert(proc_read(pid, &proc));
    ck_assert_int_eq(proc.state, 'Z');
    ck_assert(!proc_is_between(pid)); /* whom it leaves behind was given away before that */
    waitpid(pid, NULL, 0);
    ck_assert(!proc_is_between(pid));
}
END_TEST

START_TEST(children_are_listed_and_grandchildren_are_not)
{
    struct pids mine = {0}, its = {0};
    pid_t a = child_new("a"), b = child_new("b");

    ck_assert(proc_children(getpid(), &mine));
    ck_assert_uint_eq(mine.n, 2);
    ck_assert(has(&mine, a) && has(&mine, b));
    ck_assert(proc_children(a, &its));
    ck_assert_uint_eq(its.n, 0);
    child_end(a);
    child_end(b);
    ck_assert(!proc_children(a, &its));
    pids_done(&mine);
    pids_done(&its);
}
END_TEST

START_TEST(all_processes_are_listed)
{
    struct pids all = {0};
    pid_t pid = child_new("a");

    ck_assert(proc_list(&all));
    ck_assert(has(&all, pid) && has(&all, getpid()));
    pids_done(&all);
    child_end(pid);
}
END_TEST

/* Runs a program that waits, in this environment. */
static pid_t exec_new(char *const env[])
{
    pid_t pid = fork();
    char id[AW_MAX_ID];
    uint64_t claim;

    if (pid == 0) {
        char *const argv[] = {(char *)"sleep", (char *)"60", NULL};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execve("/bin/sleep", argv, env);
        _exit(127);
    }
    while (env[0] && !proc_env(pid, id, sizeof(id), &claim) && waitpid(pid, NULL, WNOHANG) == 0)
        ;
    return pid;
}

START_TEST(the_environment_tells_the_attempt)
{
    static char big[100000];
    char *const env[] = {(char *)"XAWD_CLAIM=5", big, (char *)"AWD_CLAIM=42",
                         (char *)"AWD_JOB_ID=k3f9q-7", NULL};
    char id[AW_MAX_ID];
    uint64_t claim = 0;
    pid_t pid;

    memset(big, 'x', sizeof(big) - 1);
    big[1] = '=';
    pid = exec_new(env);
    ck_assert(proc_env(pid, id, sizeof(id), &claim));
    ck_assert_uint_eq(claim, 42);
    ck_assert_str_eq(id, "k3f9q-7");
    child_end(pid);
    ck_assert(!proc_env(pid, id, sizeof(id), &claim));
}
END_TEST

START_TEST(half_of_it_tells_nothing)
{
    char id[AW_MAX_ID];
    uint64_t claim = 77;
    pid_t pid;

    unsetenv("AWD_JOB_ID");
    unsetenv("AWD_CLAIM");
    pid = child_new("a");
    ck_assert(!proc_env(pid, id, sizeof(id), &claim));
    ck_assert_uint_eq(claim, 77);
    child_end(pid);
}
END_TEST

static int ended_by(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

START_TEST(a_signal_goes_only_to_the_process_that_was_meant)
{
    pid_t a = child_new("a");
    struct proc proc, other;

    ck_assert(proc_read(a, &proc));
    other = proc;
    other.started_us -= 1000000; /* one that had this number before */
    proc_signal_same(&other, SIGKILL);
    ck_assert(proc_read(a, &other) && other.state != 'Z');
    proc_signal_same(&proc, SIGUSR2);
    ck_assert_int_eq(ended_by(a), SIGUSR2);
    proc_signal_same(&proc, SIGUSR2); /* it is gone: nothing happens */

    a = child_new("a");
    proc_signal(a, 1, SIGUSR1); /* ours, though not the child of 1 */
    ck_assert_int_eq(ended_by(a), SIGUSR1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("runner_proc");
    TCase *tcase = tcase_create("proc");

    tcase_add_test(tcase, a_process_is_read_whatever_it_is_called);
    tcase_add_test(tcase, a_process_that_has_ended_says_so_until_it_is_reaped);
    tcase_add_test(tcase, children_are_listed_and_grandchildren_are_not);
    tcase_add_test(tcase, all_processes_are_listed);
    tcase_add_test(tcase, the_environment_tells_the_attempt);
    tcase_add_test(tcase, half_of_it_tells_nothing);
    tcase_add_test(tcase, a_signal_goes_only_to_the_process_that_was_meant);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
