#include "tests/bench/rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_FLAGS   32
#define PATIENCE_MS 60000
#define MAX_RUNNING 16

/* What runs in the background; pid 0: a free slot. */
struct background {
    pid_t pid;
    struct programs *programs; /* NULL: it is not awd */
};

static char dirs[2][256];
static struct background running[MAX_RUNNING];
static pid_t owner; /* whose they are: not what rig_fork() starts */

/* ---- The end -------------------------------------------------------------------------------- */

static double cpu_of(pid_t pid)
{
    struct timespec ts;
    clockid_t id;

    if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &ts) < 0)
        return 0;
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* With its children: of awd's, the runner. */
static double cpu_of_tree(pid_t pid)
{
    double sum = cpu_of(pid);
    char path[64];
    int child;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    f = fopen(path, "re");
    while (f && fscanf(f, "%d", &child) == 1)
        sum += cpu_of(child);
    if (f)
        fclose(f);
    return sum;
}

double rig_cpu_us(const struct programs *programs)
{
    double sum = programs->cpu_us;

    for (size_t i = 0; i < MAX_RUNNING; i++)
        if (running[i].pid && running[i].programs == programs)
            sum += cpu_of_tree(running[i].pid);
    return sum;
}

static void background_end(struct background *r)
{
    if (!r->pid)
        return;
    if (r->programs)
        r->programs->cpu_us += cpu_of_tree(r->pid);
    kill(r->pid, SIGTERM);
    while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    r->pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void rig_dirs_remove(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        if (*dirs[i])
            nftw(dirs[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
        dirs[i][0] = '\0';
    }
}

static void children_signal(int sig)
{
    char path[64];
    int child;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    f = fopen(path, "re");
    while (f && fscanf(f, "%d", &child) == 1)
        kill(child, sig);
    if (f)
        fclose(f);
}

/* What was started by what is no more, and is our child since. */
static void orphans_end(void)
{
    for (int ms = 0; waitpid(-1, NULL, WNOHANG) >= 0 && ms < PATIENCE_MS; ms++) {
        children_signal(ms < 2000 ? SIGTERM : SIGKILL);
        bench_rest(0.001);
    }
}

static void at_end(void)
{
    if (getpid() != owner)
        return;
    for (size_t i = 0; i < MAX_RUNNING; i++)
        background_end(&running[i]);
    orphans_end();
    rig_dirs_remove();
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void bench_fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("bench: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static volatile sig_atomic_t asked_to_stop;

/* Calls that block fail then, which ends the program in most places; the others ask. */
static void on_signal(int sig)
{
    asked_to_stop = sig;
}

void rig_stop_if_asked(void)
{
    if (asked_to_stop)
        exit(128 + asked_to_stop);
}

/* ---- The beginning -------------------------------------------------------------------------- */

static void program_check(const char *path)
{
    if (access(path, X_OK) < 0)
        bench_die(path);
}

static void program_find(char path[512], const char *variable, const char *name)
{
    const char *where = getenv(variable);

    if (!where)
        bench_fail("%s must say where %s is: run it by `make bench`", variable, name);
    snprintf(path, 512, "%s/%s", where, name);
    program_check(path);
}

void rig_programs(struct programs *ret)
{
    program_find(ret->awd, "AWD_SBINDIR", "awd");
    program_find(ret->awctl, "AWD_BINDIR", "awctl");
    program_find(ret->runner, "AWD_LIBEXECDIR", "aw-runner");
}

void rig_programs_below(struct programs *ret, const char *prefix)
{
    snprintf(ret->awd, sizeof(ret->awd), "%s/sbin/awd", prefix);
    snprintf(ret->awctl, sizeof(ret->awctl), "%s/bin/awctl", prefix);
    snprintf(ret->runner, sizeof(ret->runner), "%s/libexec/awd/aw-runner", prefix);
    program_check(ret->awd);
    program_check(ret->awctl);
    program_check(ret->runner);
}

void rig_open(void)
{
    const struct sigaction action = {.sa_handler = on_signal};

    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        bench_die("prctl");
    owner = getpid();
    atexit(at_end);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

const char *rig_dir_make(const char *parent)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = *dirs[0] ? dirs[1] : dirs[0];

    if (*dir)
        bench_fail("two directories at most");
    snprintf(dir, sizeof(dirs[0]), "%s/awd-bench-XXXXXX", parent ? parent : tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        bench_die(dir);
    return dir;
}

/* ---- In the background ---------------------------------------------------------------------- */

static struct background *background_find(pid_t pid)
{
    for (size_t i = 0; i < MAX_RUNNING; i++)
        if (running[i].pid == pid)
            return &running[i];
    bench_fail("more programs in the background than there is room for");
}

static struct background *background_start(const char *const *argv, const char *log)
{
    struct background *r = background_find(0);
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    error = posix_spawn(&pid, argv[0], &actions, NULL, (char **)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        bench_fail("%s: %s", argv[0], strerror(error));
    *r = (struct background){.pid = pid};
    return r;
}

pid_t rig_start(const char *const *argv, const char *log)
{
    return background_start(argv, log)->pid;
}

pid_t rig_fork(void (*run)(const void *arg), const void *arg)
{
    struct background *r = background_find(0);
    pid_t pid = fork();

    if (pid < 0)
        bench_die("fork");
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        run(arg);
        _exit(0);
    }
    *r = (struct background){.pid = pid};
    return pid;
}

void rig_end(pid_t pid)
{
    background_end(background_find(pid));
}

bool rig_has_ended(pid_t pid)
{
    bool ended = waitpid(pid, NULL, WNOHANG) == pid;

    if (ended)
        background_find(pid)->pid = 0;
    return ended;
}

/* ---- awd ------------------------------------------------------------------------------------ */

static bool answers(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    if (strlen(path) >= sizeof(addr.sun_path))
        bench_fail("%s: too long for a socket's name: use another --dir", path);
    memcpy(addr.sun_path, path, strlen(path));
    ok = fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    close(fd);
    return ok;
}

void daemon_start(struct bench *b, struct daemon *d, const char *name, const char *const *flags)
{
    const char *argv[MAX_FLAGS + 8] = {
        b->programs->awd,    "--dir",       d->dir,   "--runner-path",
        b->programs->runner, "--log-level", "warning"};
    struct background *r;
    char log[300];
    size_t n = 7;

    for (; flags && *flags && n < MAX_FLAGS; flags++)
        argv[n++] = *flags;
    snprintf(d->dir, sizeof(d->dir), "%s/%s", b->dir, name);
    snprintf(d->socket, sizeof(d->socket), "%s/awd.sock", d->dir);
    snprintf(log, sizeof(log), "%s/%s.log", b->dir, name);
    r = background_start(argv, log);
    r->programs = b->programs;
    d->pid = r->pid;
    for (int ms = 0; !answers(d->socket); ms++) {
        if (ms == PATIENCE_MS || rig_has_ended(d->pid))
            bench_fail("awd has not come up");
        bench_rest(0.001);
    }
}

void daemon_stop(struct daemon *d)
{
    rig_end(d->pid);
    d->pid = 0;
}

/* ---- What a process takes ------------------------------------------------------------------- */

/* The sum of what stands behind a word in a file of /proc. */
static double proc_sum(const char *path, const char *word)
{
    FILE *f = fopen(path, "re");
    double sum = 0, v;
    char line[256];

    if (!f)
        bench_die(path);
    while (fgets(line, sizeof(line), f)) {
        const char *at = strstr(line, word);

        if (at && sscanf(at + strlen(word), "%lf", &v) == 1)
            sum += v;
    }
    fclose(f);
    return sum;
}

double bench_memory(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    return proc_sum(path, "VmRSS:") * 1024;
}

double bench_switches(pid_t pid)
{
    char path[512];
    struct dirent *entry;
    double sum = 0;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    tasks = opendir(path);
    if (!tasks)
        bench_die(path);
    while ((entry = readdir(tasks))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, entry->d_name);
        sum += proc_sum(path, "ctxt_switches:"); /* voluntary_ and nonvoluntary_ */
    }
    closedir(tasks);
    return sum;
}

void bench_rest(double seconds)
{
    struct timespec ts = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}
