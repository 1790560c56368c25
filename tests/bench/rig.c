#include "tests/bench/rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_FLAGS   32
#define PATIENCE_MS 60000

static char awd_path[512], awctl_path[512], runner_path[512];
static char dir[256];
static pid_t running[2]; /* 0: none */

/* ---- The end -------------------------------------------------------------------------------- */

static void end_awd(pid_t *pid)
{
    if (*pid)
        kill(*pid, SIGTERM);
    while (*pid && waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void rig_dir_remove(void)
{
    if (*dir)
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    dir[0] = '\0';
}

static void at_end(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(running); i++)
        end_awd(&running[i]);
    rig_dir_remove();
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

static void on_signal(int sig)
{
    exit(128 + sig);
}

/* ---- The beginning -------------------------------------------------------------------------- */

static void program_find(char path[512], const char *variable, const char *name)
{
    const char *where = getenv(variable);

    if (!where)
        bench_fail("%s must say where %s is: run it by `make bench`", variable, name);
    snprintf(path, 512, "%s/%s", where, name);
    if (access(path, X_OK) < 0)
        bench_die(path);
}

void rig_open(void)
{
    program_find(awd_path, "AWD_SBINDIR", "awd");
    program_find(awctl_path, "AWD_BINDIR", "awctl");
    program_find(runner_path, "AWD_LIBEXECDIR", "aw-runner");
    atexit(at_end);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
}

const char *rig_awctl(void)
{
    return awctl_path;
}

const char *rig_dir_make(const char *parent)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/awd-bench-XXXXXX", parent ? parent : tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        bench_die(dir);
    return dir;
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

static pid_t *running_slot(pid_t pid)
{
    for (size_t i = 0; i < ARRAY_SIZE(running); i++)
        if (running[i] == pid)
            return &running[i];
    bench_fail("two daemons at most");
}

void daemon_start(struct bench *b, struct daemon *d, const char *name, const char *const *flags)
{
    const char *argv[MAX_FLAGS + 8] = {awd_path,    "--dir",       d->dir,   "--runner-path",
                                       runner_path, "--log-level", "warning"};
    posix_spawn_file_actions_t actions;
    pid_t *slot = running_slot(0);
    char log[300];
    size_t n = 7;
    int error;

    for (; flags && *flags && n < MAX_FLAGS; flags++)
        argv[n++] = *flags;
    snprintf(d->dir, sizeof(d->dir), "%s/%s", b->dir, name);
    snprintf(d->socket, sizeof(d->socket), "%s/awd.sock", d->dir);
    snprintf(log, sizeof(log), "%s/%s.log", b->dir, name);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    error = posix_spawn(&d->pid, awd_path, &actions, NULL, (char **)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        bench_fail("%s: %s", awd_path, strerror(error));
    *slot = d->pid;
    for (int ms = 0; !answers(d->socket); ms++) {
        if (ms == PATIENCE_MS || waitpid(d->pid, NULL, WNOHANG) == d->pid)
            bench_fail("awd has not come up");
        bench_rest(0.001);
    }
}

void daemon_stop(struct daemon *d)
{
    end_awd(running_slot(d->pid));
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
