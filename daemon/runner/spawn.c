#include "daemon/runner/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/runner/clone_into.h"

/* The child runs on the parent's memory and a stack of its own: keep the sanitizers out of it. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined"), no_stack_protector))

#define IOPRIO_WHO_PROCESS 1 /* as in linux/ioprio.h, which not every system's headers have */

#define STACK_SIZE  (64u << 10)
#define MAX_SUBJECT 200 /* bytes of a path, in a sentence */

enum step {
    STEP_NONE,
    STEP_PARENT,
    STEP_CGROUP,
    STEP_STDIO,
    STEP_IDENTITY,
    STEP_CHDIR,
    STEP_STDIN_FILE,
    STEP_NICE,
    STEP_IOPRIO,
    STEP_LIMIT,
    STEP_EXEC,
};

/* How far a child has come that did not become its program. */
struct report {
    SLIST_ENTRY(report) link; /* of those that nobody uses */
    enum step step;
    int error;
    char subject[MAX_SUBJECT]; /* what the step was about */
};

/* What the child has. */
struct child {
    const struct spawn *spawn;
    struct report *report;
    int procs_fd; /* where it moves itself to its control group; -1: it need not */
    pid_t parent;
    char path[PATH_MAX];
};

/*
 * What parent and child share. It is mapped shared, and not just borrowed, so that it works as
 * well where vfork is made a fork (valgrind), and where it is one.
 */
struct shared {
    struct child child; /* of one that borrows our memory */
    struct report reports[SPAWN_MAX_REPORTS];
    char stack[STACK_SIZE] __attribute__((aligned(16)));
};

static struct shared *shared;
static struct child own_child; /* of one that has a copy of our memory */
static SLIST_HEAD(, report) free_reports = SLIST_HEAD_INITIALIZER(free_reports);
static unsigned n_reports; /* that were ever used */

enum aw_err spawn_open(struct aw_error *err)
{
    void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return aw_fail(err, AW_ERR_NO_MEMORY, "spawn: %s", strerror(errno));
    shared = p;
    shared->child.parent = own_child.parent = getpid();
    return AW_OK;
}

/* ---- The child: nothing here may allocate, lock, or touch what the parent relies on --------- */

IN_CHILD static void child_fail(struct child *c, enum step step, const char *subject)
{
    struct report *report = c->report;
    size_t n = 0;

    report->error = errno;
    for (; subject && subject[n] && n + 1 < sizeof(report->subject); n++)
        report->subject[n] = subject[n];
    report->subject[n] = '\0';
    report->step = step;
    _exit(127);
}

/* Never blocks, not even on a FIFO that nobody writes to: the runner waits for us. */
IN_CHILD static int child_open_stdin(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;

    return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -1 : fd;
}

IN_CHILD static void child_stdio(struct child *c)
{
    const struct spawn *spawn = c->spawn;

    if (dup2(spawn->stdin_fd, 0) < 0 || dup2(spawn->stdout_fd, 1) < 0 ||
        dup2(spawn->stderr_fd, 2) < 0)
        child_fail(c, STEP_STDIO, NULL);
    /* By hand and not by close-on-exec, which comes after the parent has been let go: a pipe that
     * it closes meanwhile would stay in its epoll set. */
    (void)close_range(3, UINT_MAX, 0);
}

/* Replaces standard input by a file: as the user, and from the job's own directory. */
IN_CHILD static void child_stdin_file(struct child *c)
{
    const char *path = c->spawn->stdin_file;
    int fd = child_open_stdin(path);

    if (fd < 0)
        child_fail(c, STEP_STDIN_FILE, path);
    if (dup2(fd, 0) < 0)
        child_fail(c, STEP_STDIO, NULL);
}

/* Joins a directory of the path and the program in c->path; false when that is too long. */
IN_CHILD static bool child_join(struct child *c, const char *dir, size_t len, const char *program)
{
    size_t n = 0;

    if (len + 1 >= sizeof(c->path))
        return false;
    for (; n < len; n++)
        c->path[n] = dir[n];
    if (n > 0)
        c->path[n++] = '/';
    for (; *program; program++) {
        if (n + 1 >= sizeof(c->path))
            return false;
        c->path[n++] = *program;
    }
    c->path[n] = '\0';
    return true;
}

/* Like execvpe(), but with the job's own path, and without making a shell run what is no program.
 */
IN_CHILD static void child_exec(struct child *c)
{
    const struct spawn *spawn = c->spawn;
    const char *program = spawn->argv[0], *dir = spawn->path;
    int error = ENOENT;

    if (strchr(program, '/')) {
        execve(program, spawn->argv, spawn->env);
        return;
    }
    for (;;) {
        size_t len = strcspn(dir, ":");

        if (*program && child_join(c, dir, len, program) && access(c->path, F_OK) == 0) {
            execve(c->path, spawn->argv, spawn->env);
            if (errno != ENOENT && errno != ENOTDIR)
                error = errno;
            if (error != ENOENT && error != EACCES)
                break;
        }
        if (!dir[len])
            break;
        dir += len + 1;
    }
    errno = error;
}

/* Above this, what takes the runner's rights; below it, what the job's user must be allowed to. */
IN_CHILD static void child_identity(struct child *c)
{
    const struct spawn *spawn = c->spawn;

    if (spawn->identity ? !identity_assume(spawn->identity) : spawn->privileged && !identity_drop())
        child_fail(c, STEP_IDENTITY, spawn->identity ? spawn->identity->name : NULL);
    /* Only now, for a change of credentials forgets it. If the runner is gone already, the signal
     * will never come. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != c->parent)
        child_fail(c, STEP_PARENT, NULL);
}

/* What the kernel keeps for each process by itself. */
IN_CHILD static void child_limits(struct child *c)
{
    const struct spawn *spawn = c->spawn;

    if (spawn->nice != 0 && setpriority(PRIO_PROCESS, 0, spawn->nice) < 0)
        child_fail(c, STEP_NICE, NULL);
    if (spawn->ioprio >= 0 && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, spawn->ioprio) < 0)
        child_fail(c, STEP_IOPRIO, NULL);
    for (size_t i = 0; i < spawn->rlimits->n; i++) {
        const struct one_rlimit *one = &spawn->rlimits->v[i];

        if (setrlimit((__rlimit_resource_t)one->resource, &one->limit) < 0)
            child_fail(c, STEP_LIMIT, one->what);
    }
}

IN_CHILD static int child_main(void *arg)
{
    struct child *c = arg;
    const struct spawn *spawn = c->spawn;
    sigset_t none;

    setsid();
    if (c->procs_fd >= 0 && write(c->procs_fd, "0", 1) < 0)
        child_fail(c, STEP_CGROUP, NULL);
    child_stdio(c);
    child_identity(c);
    if (chdir(spawn->cwd) < 0)
        child_fail(c, STEP_CHDIR, spawn->cwd);
    if (spawn->stdin_file)
        child_stdin_file(c);
    if (spawn->umask >= 0)
        umask((mode_t)spawn->umask);
    child_limits(c);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    child_exec(c);
    child_fail(c, STEP_EXEC, spawn->argv[0]);
    return 127;
}

/* ---- The parent ----------------------------------------------------------------------------- */

static enum aw_err report_fail(const struct report *report, struct aw_error *err)
{
    const char *subject = report->subject, *why = strerror(report->error);

    switch (report->step) {
    case STEP_IDENTITY:
        return aw_fail(err, AW_ERR_SYSTEM, "become %s: %s", *subject ? subject : "that user", why);
    case STEP_CHDIR:
        return aw_fail(err, AW_ERR_SYSTEM, "chdir %s: %s", subject, why);
    case STEP_STDIN_FILE:
        return aw_fail(err, AW_ERR_SYSTEM, "open %s: %s", subject, why);
    case STEP_NICE:
        return aw_fail(err, AW_ERR_SYSTEM, "niceness: %s", why);
    case STEP_EXEC:
        return aw_fail(err, AW_ERR_SYSTEM, "exec %s: %s", subject, why);
    case STEP_STDIO:
        return aw_fail(err, AW_ERR_SYSTEM, "standard input and output: %s", why);
    case STEP_LIMIT:
        return aw_fail(err, AW_ERR_SYSTEM, "%s: %s", subject, why);
    case STEP_IOPRIO:
        return aw_fail(err, AW_ERR_SYSTEM, "disk priority: %s", why);
    case STEP_CGROUP:
        return aw_fail(err, AW_ERR_SYSTEM, "cgroup: %s", why);
    case STEP_PARENT:
    case STEP_NONE:
        break;
    }
    return aw_fail(err, AW_ERR_SYSTEM, "the runner ended meanwhile");
}

static struct report *report_new(void)
{
    struct report *report = SLIST_FIRST(&free_reports);

    if (report)
        SLIST_REMOVE_HEAD(&free_reports, link);
    else if (n_reports < SPAWN_MAX_REPORTS)
        report = &shared->reports[n_reports++];
    if (report)
        report->step = STEP_NONE;
    return report;
}

static void report_free(struct report *report)
{
    SLIST_INSERT_HEAD(&free_reports, report, link);
}

enum aw_err spawn_ended(struct report *report, struct aw_error *err)
{
    report_free(report);
    return report->step == STEP_NONE ? AW_OK : report_fail(report, err);
}

static void child_init(struct child *c, const struct spawn *spawn, struct report *report)
{
    c->spawn = spawn;
    c->report = report;
    c->procs_fd = -1;
}

/* Into its control group from the beginning, where that can be. */
static pid_t child_new(struct child *c, void *stack, size_t size)
{
    static bool cannot;
    int group_fd = c->spawn->cgroup_fd;
    pid_t pid = -1;

    if (group_fd >= 0 && !cannot) {
        pid = clone_into(child_main, stack, size, group_fd, c);
        cannot = pid < 0 && errno == ENOSYS;
        if (!cannot)
            return pid;
    }
    if (group_fd >= 0)
        c->procs_fd = openat(group_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (group_fd >= 0 && c->procs_fd < 0)
        return -1;
    if (stack)
        pid = clone(child_main, (char *)stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD, c);
    else
        pid = _Fork();
    if (pid == 0)
        _exit(child_main(c));
    cleanup_close(&c->procs_fd);
    return pid;
}

/* The child borrows our memory, and we stand still: nothing is copied. */
static pid_t child_borrowing(const struct spawn *spawn, struct report *report)
{
    child_init(&shared->child, spawn, report);
    return child_new(&shared->child, shared->stack, STACK_SIZE);
}

/*
 * The child gets a copy, and we go on: another user's directories may keep it waiting, and their
 * signals stop it, for as long as they like.
 */
static pid_t child_copying(const struct spawn *spawn, struct report *report)
{
    child_init(&own_child, spawn, report);
    return child_new(&own_child, NULL, 0);
}

enum aw_err spawn_run(const struct spawn *spawn, struct spawned *ret, struct aw_error *err)
{
    struct report *report = report_new();
    enum aw_err e;
    pid_t pid;

    if (!report)
        return aw_fail(err, AW_ERR_SYSTEM, "fork: %u children are being started or run",
                       SPAWN_MAX_REPORTS);
    pid = spawn->identity ? child_copying(spawn, report) : child_borrowing(spawn, report);
    if (pid < 0) {
        e = aw_fail(err, AW_ERR_SYSTEM, "fork: %s", strerror(errno));
        report_free(report);
        return e;
    }
    if (!spawn->identity) {
        e = spawn_ended(take_ptr(report), err);
        if (e != AW_OK) {
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
            return e;
        }
    }
    *ret = (struct spawned){pid, report};
    return AW_OK;
}
