/*
 * The exec worker and the real aw-runner: what a job may use.
 *
 * What takes a control group is tested with AWD_TEST_CGROUP (exec_rig.h), as far as that directory
 * has the controllers for it; `make check-cgroup` has one with all of them.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/unit/exec_rig.h"

#define MIB (UINT64_C(1) << 20)

static struct rig *rig;

static void setup_with(bool cgroups)
{
    rig = rig_new_bare();
    rig_use_cgroups(rig, cgroups);
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
}

static void setup_without(void)
{
    setup_with(false);
}

static void setup(void)
{
    setup_with(true);
}

static void teardown(void)
{
    rig_free(rig);
}

static uint64_t start(const char *const *argv, struct limits limits)
{
    struct job job;

    rig_job_init(rig, &job, argv);
    job.limits = limits;
    return rig_start(rig, &job);
}

static const struct outcome *run(const char *const *argv, struct limits limits)
{
    return rig_ended(rig, start(argv, limits));
}

static void check_says(const char *text, struct limits limits, const char *want)
{
    uint64_t claim = start(RIG_SH(text), limits);
    const struct outcome *o = rig_ended(rig, claim);

    ck_assert_msg(o->class == AW_CLASS_NONE, "%s", o->message);
    rig_check_output(rig, claim, STREAM_STDOUT, want);
}

/* ---- What each process has for itself -------------------------------------------------------- */

START_TEST(open_files_are_limited)
{
    check_says("ulimit -Sn; ulimit -Hn", (struct limits){.files = 50}, "50\n50\n");
}
END_TEST

/* What a shell says that has our limits, as the runner does. */
static void shell_says(const char *command, char *buf, size_t size)
{
    FILE *f = popen(command, "re");
    size_t len;

    ck_assert_ptr_nonnull(f);
    len = fread(buf, 1, size - 1, f);
    buf[len] = '\0';
    ck_assert_int_eq(pclose(f), 0);
    ck_assert_uint_gt(len, 0);
}

START_TEST(a_limit_above_the_runners_own_is_the_runners)
{
    char own[32];

    shell_says("ulimit -Hn", own, sizeof(own));
    check_says("ulimit -Hn", (struct limits){.files = AW_MAX_FILES}, own);
}
END_TEST

START_TEST(without_limits_a_job_has_those_of_the_runner)
{
    static const char command[] = "ulimit -n; ulimit -f";
    char own[96];

    shell_says(command, own, sizeof(own));
    check_says(command, (struct limits){0}, own);
}
END_TEST

START_TEST(a_file_that_grows_too_large_ends_the_job)
{
    char of[96];
    const struct outcome *o;

    snprintf(of, sizeof(of), "of=%s/large", rig->dir);
    o = run(RIG_ARGV("dd", "if=/dev/zero", of, "bs=1000", "count=100"),
            (struct limits){.file_size = 10000});
    ck_assert_int_eq(o->class, AW_CLASS_SIGNAL);
    ck_assert_int_eq(o->signal, SIGXFSZ);
    ck_assert_msg(strstr(o->message, "10000 bytes"), "%s", o->message);
}
END_TEST

/* Some seconds of a processor may take minutes where others want it, too. */
static const struct outcome *run_patiently(const char *const *argv, struct limits limits)
{
    uint64_t claim = start(argv, limits);

    while (!rig->jobs[claim].n_ended)
        rig_run_ms(rig, 100); /* or until Check has had enough */
    return rig_ended(rig, claim);
}

START_TEST(processor_time_is_limited)
{
    const struct outcome *o =
        run_patiently(RIG_SH("while :; do :; done"), (struct limits){.cpu_time_ms = 900});

    ck_assert_int_eq(o->class, AW_CLASS_SIGNAL);
    ck_assert_int_eq(o->signal, SIGXCPU);
    ck_assert_msg(strstr(o->message, "900 ms of processor time"), "%s", o->message);
    ck_assert_uint_gt(o->cpu_user_us, 0);
}
END_TEST

START_TEST(who_does_not_end_on_sigxcpu_is_killed)
{
    const struct outcome *o = run_patiently(RIG_SH("trap : XCPU; while :; do :; done"),
                                            (struct limits){.cpu_time_ms = 1});

    ck_assert_int_eq(o->class, AW_CLASS_SIGNAL);
    ck_assert_int_eq(o->signal, SIGKILL);
    ck_assert_msg(strstr(o->message, "1 ms of processor time"), "%s", o->message);
}
END_TEST

static void check_nice(int64_t nice, uint64_t limit, int want)
{
    int own = getpriority(PRIO_PROCESS, 0);
    struct job job;
    pid_t pid;
    uint64_t claim;

    rig_job_init(rig, &job, RIG_ARGV("sleep", "60"));
    job.nice = nice;
    job.limits.nice = limit;
    claim = rig_start(rig, &job);
    pid = rig_started(rig, claim);
    ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)pid), MAX(nice ? want : own, want));
    rig->worker->ops->stop(rig->worker, claim, 0);
    rig_ended(rig, claim);
}

START_TEST(a_job_is_at_least_as_nice_as_its_limit)
{
    check_nice(0, 7, 7);
    check_nice(3, 7, 7);
    if (getpriority(PRIO_PROCESS, 0) == 0)
        check_nice(12, 7, 12);
}
END_TEST

static void check_ioprio(uint64_t limit, long want)
{
    uint64_t claim = start(RIG_ARGV("sleep", "60"), (struct limits){.io_priority = limit});
    pid_t pid = rig_started(rig, claim);

    ck_assert_int_eq(syscall(SYS_ioprio_get, 1, pid), want);
    rig->worker->ops->stop(rig->worker, claim, 0);
    rig_ended(rig, claim);
}

START_TEST(disk_priority_is_set)
{
    check_ioprio(1, 2 << 13);
    check_ioprio(8, (2 << 13) + 7);
    check_ioprio(9, 3 << 13);
}
END_TEST

/* ---- What takes a control group, where there is none ----------------------------------------- */

START_TEST(without_a_cgroup_each_process_may_have_the_memory)
{
    const struct outcome *o;

    check_says("ulimit -Sd; ulimit -Hd", (struct limits){.memory = 64 * MIB}, "65536\n65536\n");
    o = run(RIG_ARGV("tail", "/dev/zero"), (struct limits){.memory = 64 * MIB});
    ck_assert_int_eq(o->class, AW_CLASS_EXIT); /* it was refused more, and gave up */
}
END_TEST

static void check_refused(struct limits limits, const char *what, const char *why)
{
    const struct outcome *o = run(RIG_SH("exit 0"), limits);

    ck_assert_int_eq(o->class, AW_CLASS_SPAWN);
    ck_assert_int_eq(o->started_us, 0);
    ck_assert_msg(strstr(o->message, what) && strstr(o->message, why), "%s", o->message);
}

START_TEST(without_a_cgroup_what_cannot_be_kept_is_refused)
{
    check_refused((struct limits){.cpu = 50}, "limit on cpu", "told to use none");
    check_refused((struct limits){.processes = 5}, "limit on processes", "told to use none");
}
END_TEST

/* ---- With one -------------------------------------------------------------------------------- */

static bool has_controller(const char *name)
{
    char text[512] = " ";
    int fd = -1;
    ssize_t n;

    snprintf(text, sizeof(text), "%s/cgroup.controllers", rig->cgroup_dir);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[MAX(n, 0)] = '\0';
    return strstr(text, name) != NULL;
}

/* A command that shows a file of the job's own group. */
static const char *of_group(char buf[512], const char *before, const char *file, const char *after)
{
    snprintf(buf, 512, "%s %s/$(sed -n 's|^0::.*/||p' /proc/self/cgroup)/%s%s", before,
             rig->cgroup_dir, file, after);
    return buf;
}

START_TEST(without_a_controller_what_cannot_be_kept_is_refused)
{
    if (!has_controller("cpu"))
        check_refused((struct limits){.cpu = 50}, "limit on cpu", "no cpu controller");
    if (!has_controller("pids"))
        check_refused((struct limits){.processes = 5}, "limit on processes", "no pids controller");
    if (!has_controller("memory"))
        check_says("ulimit -d", (struct limits){.memory = 64 * MIB}, "65536\n");
    rig_ended(rig, rig_sh(rig, "exit 0"));
}
END_TEST

START_TEST(who_uses_more_memory_than_its_limit_is_oom)
{
    uint64_t other = start(RIG_ARGV("sleep", "60"), (struct limits){.memory = 64 * MIB});
    const struct outcome *o;

    if (!has_controller("memory"))
        return;
    rig_started(rig, other);
    o = run(RIG_ARGV("tail", "/dev/zero"), (struct limits){.memory = 32 * MIB});
    ck_assert_msg(o->class == AW_CLASS_OOM, "%s", o->message);
    ck_assert_int_eq(o->signal, SIGKILL);
    ck_assert_msg(strstr(o->message, "33554432 bytes"), "%s", o->message);
    ck_assert_uint_lt(o->max_rss_kib, 64 * 1024); /* libraries are charged to who read them first */
    o = run(RIG_SH("exit 0"), (struct limits){.memory = 32 * MIB});
    ck_assert_msg(o->class == AW_CLASS_NONE, "%s", o->message);
    ck_assert(process_runs(rig_started(rig, other)));
    ck_assert_uint_eq(rig->jobs[other].n_ended, 0);
}
END_TEST

START_TEST(when_one_process_uses_too_much_all_of_the_job_go)
{
    const struct outcome *o;

    if (!has_controller("memory"))
        return;
    o = run(RIG_SH("(setsid sleep 60 &); tail /dev/zero; exit 0"),
            (struct limits){.memory = 32 * MIB});
    ck_assert_msg(o->class == AW_CLASS_OOM, "%s", o->message);
    ck_assert_int_eq(o->signal, SIGKILL);
}
END_TEST

/* Each process has little, all of them too much. */
START_TEST(memory_is_counted_for_all_processes_together)
{
    const struct outcome *o;

    if (!has_controller("memory"))
        return;
    o = run(RIG_SH("for i in 1 2 3 4 5 6 7 8; do head -c 8000000 /dev/zero | tail -c 7999999 "
                   "| (sleep 30; cat >/dev/null) & done; wait"),
            (struct limits){.memory = 32 * MIB});
    ck_assert_msg(o->class == AW_CLASS_OOM, "%s", o->message);
}
END_TEST

START_TEST(what_is_killed_by_somebody_else_is_no_oom)
{
    const struct outcome *o;

    if (!has_controller("memory"))
        return;
    o = run(RIG_SH("kill -9 $$"), (struct limits){.memory = 32 * MIB});
    ck_assert_msg(o->class == AW_CLASS_SIGNAL, "%s", o->message);
    ck_assert_int_eq(o->signal, SIGKILL);
}
END_TEST

START_TEST(processor_share_is_limited)
{
    char text[512];

    if (!has_controller("cpu"))
        return;
    check_says(of_group(text, "cat", "cpu.max", ""), (struct limits){.cpu = 50}, "50000 100000\n");
    check_says(of_group(text, "cat", "cpu.max", ""), (struct limits){.cpu = 250},
               "250000 100000\n");
    /* The next one has the same group, and not its limit. */
    check_says(of_group(text, "cat", "cpu.max", ""), (struct limits){0}, "max 100000\n");
    check_says(of_group(text, "while ! grep -q 'nr_throttled [1-9]'", "cpu.stat", "; do :; done"),
               (struct limits){.cpu = 5}, "");
}
END_TEST

START_TEST(processes_are_limited)
{
    const struct outcome *o;
    char text[512];

    if (!has_controller("pids"))
        return;
    o = run(RIG_SH("for i in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done"),
            (struct limits){.processes = 5});
    ck_assert_msg(o->class == AW_CLASS_EXIT, "%s", o->message);
    ck_assert_msg(strstr(o->message, "limit of 5"), "%s", o->message);
    check_says(of_group(text, "cat", "pids.max", ""), (struct limits){0}, "max\n");
    check_says("for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.01 & done; wait",
               (struct limits){.processes = 20}, "");
}
END_TEST

/* As many of the groups as there are in the runner's directory that begin with job-. */
static unsigned n_groups(void)
{
    char text[256], number[32];

    snprintf(text, sizeof(text), "ls -d %s/job-* 2>/dev/null | wc -l", rig->cgroup_dir);
    shell_says(text, number, sizeof(number));
    return (unsigned)strtoul(number, NULL, 10);
}

static bool one_group(struct rig *r, const void *arg)
{
    (void)r;
    (void)arg;
    return n_groups() == 1;
}

START_TEST(groups_are_used_again_unless_memory_was_limited)
{
    for (int i = 0; i < 5; i++)
        rig_ended(rig, rig_sh(rig, "exit 0"));
    ck_assert_uint_eq(n_groups(), 1);
    for (int i = 0; has_controller("memory") && i < 5; i++)
        run(RIG_SH("exit 0"), (struct limits){.memory = 32 * MIB});
    rig_until(rig, one_group, NULL);
}
END_TEST

/* What a job that is the runner's own user has done to its group is not for the next one. */
START_TEST(a_group_that_its_job_has_changed_goes)
{
    char text[512];
    uint64_t claim;

    rig_ended(rig, rig_sh(rig, "exit 0"));
    claim = rig_sh(rig, of_group(text, "mkdir -p", "a/b", ""));
    ck_assert_int_eq(rig_ended(rig, claim)->exit_code, 0);
    rig_ended(rig, rig_sh(rig, "exit 0"));
    rig_until(rig, one_group, NULL);
    claim = rig_sh(
        rig, of_group(text, "exec 3>", "cgroup.freeze", "; echo $$ >$D/pid; echo 1 >&3; exit 0"));
    rig_until_number(rig, "pid");
    rig->worker->ops->stop(rig->worker, claim, 0);
    rig_ended(rig, claim);
    ck_assert_int_eq(rig_ended(rig, rig_sh(rig, "exit 0"))->exit_code, 0);
    rig_until(rig, one_group, NULL);
}
END_TEST

static void add(Suite *suite, const char *name, void (*setup_fn)(void), const TTest *const *tests,
                size_t n)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup_fn, teardown);
    tcase_set_timeout(tcase, 300);
    for (size_t i = 0; i < n; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    const TTest *const each[] = {open_files_are_limited,
                                 a_limit_above_the_runners_own_is_the_runners,
                                 without_limits_a_job_has_those_of_the_runner,
                                 a_file_that_grows_too_large_ends_the_job,
                                 processor_time_is_limited,
                                 who_does_not_end_on_sigxcpu_is_killed,
                                 a_job_is_at_least_as_nice_as_its_limit,
                                 disk_priority_is_set};
    const TTest *const without[] = {without_a_cgroup_each_process_may_have_the_memory,
                                    without_a_cgroup_what_cannot_be_kept_is_refused};
    const TTest *const with[] = {without_a_controller_what_cannot_be_kept_is_refused,
                                 who_uses_more_memory_than_its_limit_is_oom,
                                 when_one_process_uses_too_much_all_of_the_job_go,
                                 memory_is_counted_for_all_processes_together,
                                 what_is_killed_by_somebody_else_is_no_oom,
                                 processor_share_is_limited,
                                 processes_are_limited,
                                 groups_are_used_again_unless_memory_was_limited,
                                 a_group_that_its_job_has_changed_goes};
    Suite *suite = suite_create("exec_limits");

    add(suite, "each_process", setup_without, each, ARRAY_SIZE(each));
    add(suite, "without_a_cgroup", setup_without, without, ARRAY_SIZE(without));
    if (getenv("AWD_TEST_CGROUP")) {
        add(suite, "with_cgroups", setup, each, ARRAY_SIZE(each));
        add(suite, "cgroups", setup, with, ARRAY_SIZE(with));
    }
    return unit_run(suite);
}
