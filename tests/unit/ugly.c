/*
 * ugly - a job that goes about its children in one of the ways that programs have found to get away
 * from who started them.
 *
 *   ugly WAY FILE      does so, writes "N\n" to FILE once all of it runs, N being how many
 * processes it waited for, and then ends, or, with WAY/stay, stays ugly -             waits; what
 * chains of exec() end in
 *
 * Every process of it, now or later, is this very executable: whoever looks for what is left can
 * tell by /proc/PID/exe, which nobody can wipe as they can their environment. All of it is bounded:
 * no way makes more than MAX_PROCESSES, or lives for more than two minutes.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/ugly_ways.h"

#define MAX_PROCESSES 200
#define LIFETIME_S    120

static atomic_int *n_up; /* shared by all that are only forked */

static void die(const char *what)
{
    perror(what);
    _exit(99);
}

static pid_t child(void)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0)
        alarm(LIFETIME_S);
    return pid;
}

/* One of those that are to be there in the end. */
static void up(void)
{
    atomic_fetch_add(n_up, 1);
}

static void stay(void) __attribute__((noreturn));
static void stay(void)
{
    up();
    for (;;)
        pause();
}

static void ignore_all(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (int sig = 1; sig < NSIG; sig++)
        if (sig != SIGALRM)
            sigaction(sig, &ignore, NULL);
}

/* ---- The ways: each returns how many processes are to be up ---------------------------------- */

static int plain(void)
{
    if (child() == 0)
        stay();
    return 1;
}

static int double_fork(void)
{
    if (child() == 0) {
        if (child() == 0)
            stay();
        _exit(0);
    }
    return 1;
}

static int session(void)
{
    if (child() == 0) {
        setsid();
        stay();
    }
    return 1;
}

static int group(void)
{
    if (child() == 0) {
        setpgid(0, 0);
        stay();
    }
    return 1;
}

static int classic_daemon(void)
{
    if (child() == 0) {
        if (daemon(0, 0) < 0)
            die("daemon");
        stay();
    }
    return 1;
}

static int no_death_signal(void)
{
    if (child() == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        setsid();
        stay();
    }
    return 1;
}

/* Its environment is where the kernel looks for it, and empty. */
static int no_environment(void)
{
    extern char **environ;
    char **env = environ;

    if (child() == 0) {
        setsid();
        if (child() == 0) {
            while (*env) {
                memset(*env, 0, strlen(*env));
                env++;
            }
            stay();
        }
        _exit(0);
    }
    return 1;
}

static int stubborn(void)
{
    if (child() == 0) {
        setsid();
        ignore_all();
        stay();
    }
    return 1;
}

static int stopped(void)
{
    if (child() == 0) {
        setsid();
        up();
        for (;;)
            raise(SIGSTOP);
    }
    return 1;
}

static int closed(void)
{
    if (child() == 0) {
        setsid();
        close_range(0, ~0U, 0);
        stay();
    }
    return 1;
}

/* Many at once, each of which makes more until there are enough. */
static int bomb(void)
{
    for (int i = 0; i < 4; i++)
        if (child() == 0) {
            for (;;) {
                if (atomic_fetch_add(n_up, 1) >= MAX_PROCESSES / 2)
                    break;
                if (child() == 0)
                    setsid();
            }
            for (;;)
                pause();
        }
    return MAX_PROCESSES / 2;
}

/* A chain in which each loses its parent as soon as it is there; one link is always on its way. */
static int storm(void)
{
    if (child() == 0) {
        setsid();
        for (int i = 0; i < MAX_PROCESSES; i++)
            if (child() != 0) {
                if (i == 10)
                    up();
                _exit(0);
            }
        for (;;)
            pause();
    }
    return 1;
}

/* Some that are re-parented all at the same time. */
static int many_orphans(void)
{
    if (child() == 0) {
        for (int i = 0; i < 50; i++)
            if (child() == 0) {
                if (i % 2)
                    setsid();
                stay();
            }
        while (atomic_load(n_up) < 50)
            sched_yield();
        _exit(0);
    }
    return 50;
}

static char self[4096];

/* One program after the other in one process; the last one waits. */
static int exec_chain(void)
{
    int fds[2];
    char c;

    if (pipe(fds) < 0)
        die("pipe");
    if (child() == 0) {
        char *argv[] = {self, (char *)"+20", NULL}, *env[] = {NULL};

        setsid();
        dup2(fds[1], 3);
        close_range(4, ~0U, 0);
        execve(self, argv, env);
        die("exec");
    }
    close(fds[1]);
    if (read(fds[0], &c, 1) != 1)
        die("read");
    close(fds[0]);
    up();
    return 1;
}

static void vfork_one(void)
{
    if (vfork() == 0) { /* NOLINT(clang-analyzer-security.insecureAPI.vfork): that is the point */
        execl(self, self, "-", (char *)NULL);
        _exit(99);
    }
}

static void *vforker(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        vfork_one();
    up();
    return NULL;
}

/* Children whose parents are threads, one of which has ended. */
static int vfork_threads(void)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, vforker, NULL))
            die("pthread_create");
    return 4;
}

/* Its parent is the runner from the beginning. */
static int borrowed_parent(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

    if (pid == 0) {
        alarm(LIFETIME_S);
        setsid();
        stay();
    }
    return 1;
}

/* A subreaper of its own, which is gone with all the others. */
static int own_subreaper(void)
{
    if (child() == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        setsid();
        double_fork();
        stay();
    }
    return 2;
}

static char *first_arg;

/* Ends its process some time after its parent has ended. */
static void *faceless_thread(void *arg)
{
    const uintptr_t page = (uintptr_t)getpagesize();
    char *from = first_arg - (uintptr_t)first_arg % page;
    const struct timespec millisecond = {.tv_nsec = 1000000}, a_while = {.tv_nsec = 200000000};
    pid_t parent = *(const pid_t *)arg;

    if (munmap(from, getauxval(AT_EXECFN) - (uintptr_t)from) < 0)
        die("munmap");
    up();
    while (getppid() == parent)
        nanosleep(&millisecond, NULL);
    nanosleep(&a_while, NULL);
    _exit(0);
}

/*
 * One between the job and its grandchild has neither arguments nor an environment for a while, and
 * then it is gone: as the kernel shows one that dies on a busy machine. They are in the uppermost
 * pages of the stack; what takes these away must run on another one.
 */
static int faceless(void)
{
    static pid_t parent;
    pthread_t thread;

    parent = getpid();
    if (child() == 0) {
        setsid();
        if (child() == 0)
            stay();
        if (pthread_create(&thread, NULL, faceless_thread, &parent))
            die("pthread_create");
        pthread_join(thread, NULL);
    }
    return 2;
}

/* All of it together. */
static int everything(void)
{
    if (child() == 0) {
        setsid();
        ignore_all();
        if (child() == 0) {
            no_environment();
            close_range(0, ~0U, 0);
            prctl(PR_SET_PDEATHSIG, 0);
            setsid();
            if (child() == 0)
                stay();
            up();
            raise(SIGSTOP);
            stay();
        }
        _exit(0);
    }
    return 3;
}

static const struct {
    const char *name;
    int (*fn)(void);
} ways[] = {
#define X(name, fn, hides) {name, fn},
    UGLY_WAYS(X)
#undef X
};

static void run(const char *way, const char *file)
{
    size_t len = strcspn(way, "/");
    int want = -1;
    FILE *f;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strlen(ways[i].name) == len && memcmp(ways[i].name, way, len) == 0)
            want = ways[i].fn();
    if (want < 0)
        die(way);
    while (atomic_load(n_up) < want)
        sched_yield();
    f = fopen(file, "w");
    if (!f)
        die(file);
    fprintf(f, "%d\n", want);
    fclose(f);
    while (strcmp(way + len, "/stay") == 0)
        pause();
}

/* "+N": the next of a chain; "-": wait. */
static void go_on(const char *arg)
{
    char next[16];
    int n = atoi(arg + 1);

    alarm(LIFETIME_S);
    if (arg[0] == '+' && n > 0) {
        snprintf(next, sizeof(next), "+%d", n - 1);
        execl(self, self, next, (char *)NULL);
        die("exec");
    }
    if (arg[0] == '+' && write(3, "", 1) != 1)
        die("write");
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        die("/proc/self/exe");
    first_arg = argv[0];
    if (argc == 2)
        go_on(argv[1]);
    if (argc != 3)
        return 2;
    n_up = mmap(NULL, sizeof(*n_up), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (n_up == MAP_FAILED)
        die("mmap");
    alarm(LIFETIME_S);
    run(argv[1], argv[2]);
    return 0;
}
