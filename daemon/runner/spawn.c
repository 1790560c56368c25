#include "daemon/runner/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The child runs on the parent's memory and a stack of its own: keep the sanitizers out of it. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined"), no_stack_protector))

#define STACK_SIZE (64u << 10)

enum step {
    STEP_NONE,
    STEP_PARENT,
    STEP_STDIO,
    STEP_CHDIR,
    STEP_STDIN_FILE,
    STEP_NICE,
    STEP_LIMIT,
    STEP_EXEC,
};

/*
 * What parent and child share. It is mapped shared, and not just borrowed, so that it works as
 * well where vfork is made a fork (valgrind).
 */
struct shared {
    const struct spawn *spawn;
    pid_t parent;
    enum step step;
    int error;
    char path[PATH_MAX];
    char stack[STACK_SIZE] __attribute__((aligned(16)));
};

static struct shared *shared;

enum aw_err spawn_open(struct aw_error *err)
{
    void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);

    if (p == MAP_FAILED)
        return aw_fail(err, AW_ERR_NO_MEMORY, "spawn: %s", strerror(errno));
    shared = p;
    shared->parent = getpid();
    return AW_OK;
}

/* ---- The child: nothing here may allocate, lock, or touch what the parent relies on --------- */

IN_CHILD static void child_fail(struct shared *s, enum step step)
{
    s->error = errno;
    s->step = step;
    _exit(127);
}

/* Never blocks, not even on a FIFO that nobody writes to: the runner waits for us. */
IN_CHILD static int child_open_stdin(const char *path)
{
    int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int flags = fd >= 0 ? fcntl(fd, F_GETFL) : -1;

    return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -1 : fd;
}

IN_CHILD static void child_stdio(struct shared *s)
{
    const struct spawn *spawn = s->spawn;
    int in = spawn->stdin_fd;

    if (spawn->stdin_file) {
        in = child_open_stdin(spawn->stdin_file);
        if (in < 0)
            child_fail(s, STEP_STDIN_FILE);
    }
    if (dup2(in, 0) < 0 || dup2(spawn->stdout_fd, 1) < 0 || dup2(spawn->stderr_fd, 2) < 0)
        child_fail(s, STEP_STDIO);
    /* By hand and not by close-on-exec, which comes after the parent has been let go: a pipe that
     * it closes meanwhile would stay in its epoll set. */
    (void)close_range(3, UINT_MAX, 0);
}

/* Joins a directory of the path and the program in s->path; false when that is too long. */
IN_CHILD static bool child_join(struct shared *s, const char *dir, size_t len, const char *program)
{
    size_t n = 0;

    if (len + 1 >= sizeof(s->path))
        return false;
    for (; n < len; n++)
        s->path[n] = dir[n];
    if (n > 0)
        s->path[n++] = '/';
    for (; *program; program++) {
        if (n + 1 >= sizeof(s->path))
            return false;
        s->path[n++] = *program;
    }
    s->path[n] = '\0';
    return true;
}

/* Like execvpe(), but with the job's own path, and without making a shell run what is no program.
 */
IN_CHILD static void child_exec(struct shared *s)
{
    const struct spawn *spawn = s->spawn;
    const char *program = spawn->argv[0], *dir = spawn->path;
    int error = ENOENT;

    if (strchr(program, '/')) {
        execve(program, spawn->argv, spawn->env);
        return;
    }
    for (;;) {
        size_t len = strcspn(dir, ":");

        if (*program && child_join(s, dir, len, program) && access(s->path, F_OK) == 0) {
            execve(s->path, spawn->argv, spawn->env);
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

IN_CHILD static int child_main(void *arg)
{
    struct shared *s = arg;
    const struct spawn *spawn = s->spawn;
    sigset_t none;

    setsid();
    /* If the runner is gone already, the signal that prctl() asks for will never come. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != s->parent)
        child_fail(s, STEP_PARENT);
    if (chdir(spawn->cwd) < 0)
        child_fail(s, STEP_CHDIR);
    child_stdio(s);
    if (spawn->umask >= 0)
        umask((mode_t)spawn->umask);
    if (spawn->nice != 0 && setpriority(PRIO_PROCESS, 0, spawn->nice) < 0)
        child_fail(s, STEP_NICE);
    if (spawn->nofile && setrlimit(RLIMIT_NOFILE, spawn->nofile) < 0)
        child_fail(s, STEP_LIMIT);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    child_exec(s);
    child_fail(s, STEP_EXEC);
    return 127;
}

/* ---- The parent ----------------------------------------------------------------------------- */

static enum aw_err spawn_failed(const struct shared *s, struct aw_error *err)
{
    const struct spawn *spawn = s->spawn;
    const char *why = strerror(s->error);

    switch (s->step) {
    case STEP_CHDIR:
        return aw_fail(err, AW_ERR_SYSTEM, "chdir %.200s: %s", spawn->cwd, why);
    case STEP_STDIN_FILE:
        return aw_fail(err, AW_ERR_SYSTEM, "open %.200s: %s", spawn->stdin_file, why);
    case STEP_NICE:
        return aw_fail(err, AW_ERR_SYSTEM, "nice %d: %s", spawn->nice, why);
    case STEP_EXEC:
        return aw_fail(err, AW_ERR_SYSTEM, "exec %.200s: %s", spawn->argv[0], why);
    case STEP_STDIO:
        return aw_fail(err, AW_ERR_SYSTEM, "standard input and output: %s", why);
    case STEP_LIMIT:
        return aw_fail(err, AW_ERR_SYSTEM, "limit on open files: %s", why);
    case STEP_PARENT:
    case STEP_NONE:
        break;
    }
    return aw_fail(err, AW_ERR_SYSTEM, "the runner ended meanwhile");
}

enum aw_err spawn_run(const struct spawn *spawn, pid_t *ret_pid, struct aw_error *err)
{
    pid_t pid;

    shared->spawn = spawn;
    shared->step = STEP_NONE;
    pid = clone(child_main, shared->stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, shared);
    if (pid < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "fork: %s", strerror(errno));
    if (shared->step != STEP_NONE) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return spawn_failed(shared, err);
    }
    *ret_pid = pid;
    return AW_OK;
}
