/*
 * Jobs that go about their children in ugly ways (ugly.c), under the exec worker and a real
 * aw-runner: when one has ended nothing of it runs, and its neighbour has not noticed.
 *
 * All of it without control groups, and with AWD_TEST_CGROUP (exec_rig.h) with them, too.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "tests/unit/exec_rig.h"
#include "tests/unit/ugly_ways.h"

static const struct {
    const char *name;
    bool hides;
} ways[] = {
#define X(name, fn, hides) {name, hides},
    UGLY_WAYS(X)
#undef X
};

static struct rig *rig;
static bool cgroups;
static char program[128], neighbour[128]; /* two copies of `ugly`: each has processes of its own */

static void copy(const char *to)
{
    int in = open(AW_UGLY_BUILT, O_RDONLY | O_CLOEXEC), out;
    struct stat st;
    ssize_t n = 1;

    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    ck_assert_int_ge(in, 0);
    ck_assert_int_ge(out, 0);
    ck_assert_int_eq(fstat(in, &st), 0);
    for (off_t done = 0; n > 0 && done < st.st_size; done += n)
        n = sendfile(out, in, NULL, (size_t)(st.st_size - done));
    ck_assert_int_gt(n, 0);
    close(in);
    close(out);
}

static void setup(void)
{
    rig = rig_new_bare();
    rig_use_cgroups(rig, cgroups);
    rig_worker_new(rig);
    worker_exec_adopted_all(rig->worker);
    snprintf(program, sizeof(program), "%s/ugly", rig->dir);
    snprintf(neighbour, sizeof(neighbour), "%s/neighbour", rig->dir);
    copy(program);
    copy(neighbour);
}

static void setup_without(void)
{
    cgroups = false;
    setup();
}

static void setup_with(void)
{
    cgroups = true;
    setup();
}

/* ---- What runs ------------------------------------------------------------------------------ */

/* Calls kill() for each process that runs this program, unless sig is -1; returns how many do. */
static unsigned each_of(const char *path, int sig)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    unsigned n = 0;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir))) {
        char link[300], exe[PATH_MAX];
        ssize_t len;

        snprintf(link, sizeof(link), "/proc/%s/exe", entry->d_name);
        len = readlink(link, exe, sizeof(exe) - 1);
        if (len <= 0)
            continue;
        exe[len] = '\0';
        if (strcmp(exe, path) != 0)
            continue;
        n++;
        if (sig >= 0)
            kill((pid_t)strtol(entry->d_name, NULL, 10), sig);
    }
    closedir(dir);
    return n;
}

/* A test that has failed must not leave them, either. */
static void teardown(void)
{
    while (each_of(program, SIGKILL) + each_of(neighbour, SIGKILL) > 0)
        rig_run_ms(rig, 10);
    rig_free(rig);
}

static void check_nothing_left(void)
{
    ck_assert_uint_eq(each_of(program, -1), 0);
}

static bool nothing_left(struct rig *r, const void *arg)
{
    (void)r;
    (void)arg;
    return each_of(program, -1) == 0;
}

/* ---- Jobs ----------------------------------------------------------------------------------- */

static uint64_t start(const char *path, const char *way, const char *suffix, const char *file)
{
    char what[64], where[128];
    struct job job;

    snprintf(what, sizeof(what), "%s%s", way, suffix);
    snprintf(where, sizeof(where), "%s/%s", rig->dir, file);
    rig_job_init(rig, &job, RIG_ARGV(path, what, where));
    job.grace_ms = 100;
    return rig_start(rig, &job);
}

static bool neighbour_settled(struct rig *r, const void *arg)
{
    (void)r;
    (void)arg;
    return each_of(neighbour, -1) == 2; /* the one between the two has gone */
}

static uint64_t start_neighbour(void)
{
    uint64_t claim = start(neighbour, "double-fork", "/stay", "near");

    rig_until_number(rig, "near");
    rig_until(rig, neighbour_settled, NULL);
    return claim;
}

/*
 * The job has ended. What hides is known to be its own only where there are cgroups: else it is
 * ended when nobody lives whose it might be.
 */
static void check_after(int way, uint64_t near)
{
    bool known = cgroups || !ways[way].hides;

    if (known)
        check_nothing_left();
    ck_assert_uint_eq(each_of(neighbour, -1), 2);
    rig->worker->ops->stop(rig->worker, near, 0);
    rig_ended(rig, near);
    if (!known)
        rig_until(rig, nothing_left, NULL);
    ck_assert_uint_eq(each_of(neighbour, -1), 0);
}

/* ---- The tests: each with every way --------------------------------------------------------- */

START_TEST(a_job_that_ends_leaves_nothing)
{
    uint64_t near = start_neighbour(), claim = start(program, ways[_i].name, "", "file");
    const struct outcome *o;

    ck_assert_int_gt(rig_until_number(rig, "file"), 0);
    o = rig_ended(rig, claim);
    ck_assert_msg(o->class == AW_CLASS_NONE, "%s: %s", ways[_i].name, o->message);
    check_after(_i, near);
}
END_TEST

START_TEST(a_job_that_is_stopped_leaves_nothing)
{
    uint64_t near = start_neighbour(), claim = start(program, ways[_i].name, "/stay", "file");

    ck_assert_int_gt(rig_until_number(rig, "file"), 0);
    rig->worker->ops->stop(rig->worker, claim, 100);
    ck_assert(rig_ended(rig, claim)->stopped);
    check_after(_i, near);
}
END_TEST

START_TEST(a_job_that_is_killed_leaves_nothing)
{
    uint64_t near = start_neighbour(), claim = start(program, ways[_i].name, "/stay", "file");

    ck_assert_int_gt(rig_until_number(rig, "file"), 0);
    rig->worker->ops->stop(rig->worker, claim, 0);
    ck_assert_int_eq(rig_ended(rig, claim)->signal, SIGKILL);
    check_after(_i, near);
}
END_TEST

/* In the midst of it, whatever it is doing. */
START_TEST(a_job_that_is_killed_at_once_leaves_nothing)
{
    uint64_t near = start_neighbour(), claim = start(program, ways[_i].name, "/stay", "file");

    rig_started(rig, claim);
    rig->worker->ops->stop(rig->worker, claim, 0);
    ck_assert(rig_ended(rig, claim)->stopped);
    check_after(_i, near);
}
END_TEST

/* Its runner dies, and the next one finds the groups. */
START_TEST(what_a_dead_runner_leaves_is_ended)
{
    uint64_t claim = start(program, ways[_i].name, "/stay", "file");

    ck_assert_int_gt(rig_until_number(rig, "file"), 0);
    kill(worker_exec_runner_pid(rig->worker), SIGKILL);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_INTERRUPTED);
    check_nothing_left();
    rig_ended(rig, rig_sh(rig, "exit 0"));
}
END_TEST

static void add(TCase *tcase, Suite *suite, void (*setup_fn)(void))
{
    const int n = (int)ARRAY_SIZE(ways);

    tcase_add_checked_fixture(tcase, setup_fn, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_job_that_ends_leaves_nothing, 0, n);
    tcase_add_loop_test(tcase, a_job_that_is_stopped_leaves_nothing, 0, n);
    tcase_add_loop_test(tcase, a_job_that_is_killed_leaves_nothing, 0, n);
    tcase_add_loop_test(tcase, a_job_that_is_killed_at_once_leaves_nothing, 0, n);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("containment");
    TCase *with;

    add(tcase_create("without_cgroups"), suite, setup_without);
    if (getenv("AWD_TEST_CGROUP")) {
        with = tcase_create("with_cgroups");
        add(with, suite, setup_with);
        tcase_add_loop_test(with, what_a_dead_runner_leaves_is_ended, 0, (int)ARRAY_SIZE(ways));
    }
    return unit_run(suite);
}
