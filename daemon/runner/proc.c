#include "daemon/runner/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>

void pids_done(struct pids *pids)
{
    free(pids->v);
    *pids = (struct pids){0};
}

bool pids_add(struct pids *pids, pid_t pid)
{
    if (pids->n == pids->cap) {
        size_t cap = pids->cap ? pids->cap * 2 : 64;
        pid_t *v = reallocarray(pids->v, cap, sizeof(*v));

        if (!v)
            return false;
        pids->v = v;
        pids->cap = cap;
    }
    pids->v[pids->n++] = pid;
    return true;
}

bool proc_read(pid_t pid, struct proc *ret)
{
    char path[32], buf[1024], *p;
    unsigned long long ticks;
    struct proc proc = {.pid = pid};
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return false;
    buf[n] = '\0';
    p = strrchr(buf, ')'); /* a process may be called anything, ") Z 1" too */
    if (!p || sscanf(p,
                     ") %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                     "%llu",
                     &proc.state, &proc.ppid, &proc.sid, &ticks) != 4)
        return false;
    proc.started_us = (int64_t)(ticks * 1000000 / (unsigned long long)sysconf(_SC_CLK_TCK));
    *ret = proc;
    return true;
}

/* The number that a file in /proc is called; 0: it is none. */
static pid_t entry_pid(const struct dirent *entry)
{
    char *end;
    long pid = strtol(entry->d_name, &end, 10);

    return *end == '\0' && pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

bool proc_list(struct pids *ret)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    bool good = true;

    if (!dir)
        return false;
    while (good && (entry = readdir(dir))) {
        pid_t pid = entry_pid(entry);

        if (pid)
            good = pids_add(ret, pid);
    }
    closedir(dir);
    return good;
}

/* Where the kernel has no `children` file: whoever names `pid` as the parent. */
static bool children_by_scan(pid_t pid, struct pids *ret)
{
    struct pids all = {0};
    struct proc proc;
    bool good = proc_list(&all);

    for (size_t i = 0; good && i < all.n; i++)
        if (proc_read(all.v[i], &proc) && proc.ppid == pid)
            good = pids_add(ret, proc.pid);
    pids_done(&all);
    return good;
}

static bool children_of_thread(const char *path, struct pids *ret)
{
    FILE *f = fopen(path, "re");
    bool good = true;
    int pid;

    if (!f)
        return false;
    while (good && fscanf(f, "%d", &pid) == 1)
        good = pids_add(ret, pid);
    fclose(f);
    return good;
}

bool proc_children(pid_t pid, struct pids *ret)
{
    char path[64];
    DIR *dir;
    struct dirent *entry;
    bool good = true;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    if (!dir)
        return false;
    while (good && (entry = readdir(dir))) {
        pid_t tid = entry_pid(entry);

        if (!tid)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)tid);
        if (!children_of_thread(path, ret) && errno == ENOENT &&
            access("/proc/thread-self/children", F_OK) < 0) {
            good = children_by_scan(pid, ret);
            break;
        }
    }
    closedir(dir);
    return good;
}

/* Whether an entry of an environment is `name`, which ends with `=`; then what is behind it. */
static const char *env_value(const char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 ? entry + len : NULL;
}

static void env_entry(const char *entry, char *id, size_t id_size, uint64_t *claim)
{
    const char *value;

    if ((value = env_value(entry, "AWD_JOB_ID=")))
        snprintf(id, id_size, "%s", value);
    else if ((value = env_value(entry, "AWD_CLAIM=")))
        *claim = strtoull(value, NULL, 10);
}

bool proc_env(pid_t pid, char *id, size_t id_size, uint64_t *ret_claim)
{
    char path[32];
    _cleanup_free_ char *entry = NULL;
    size_t cap = 0;
    uint64_t claim = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    *id = '\0';
    while ((!*id || !claim) && getdelim(&entry, &cap, '\0', f) > 0)
        env_entry(entry, id, id_size, &claim);
    fclose(f);
    if (!*id || !claim)
        return false;
    *ret_claim = claim;
    return true;
}

bool proc_is_between(pid_t pid)
{
    char path[32], c;
    struct proc proc;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &c, 1) > 0)
        return false;
    return proc_read(pid, &proc) && proc.state != 'Z';
}

/* By the descriptor that pins it; on a system that has none (valgrind), by its number. */
static void signal_send(int fd, pid_t pid, int sig)
{
    if (fd >= 0)
        (void)pidfd_send_signal(fd, sig, NULL, 0);
    else
        (void)kill(pid, sig);
}

/*
 * The descriptor comes first: what is read after that is about the process to be signalled, or
 * else about none. False: there is no such process.
 */
static bool signal_pin(pid_t pid, int *fd)
{
    *fd = pidfd_open(pid, 0);
    return *fd >= 0 || errno == ENOSYS;
}

void proc_signal(pid_t pid, pid_t ppid, int sig)
{
    _cleanup_close_ int fd = -1;
    struct proc proc;

    if (signal_pin(pid, &fd) && proc_read(pid, &proc) &&
        (proc.ppid == ppid || proc.ppid == getpid()))
        signal_send(fd, pid, sig);
}

void proc_signal_if(pid_t pid, bool (*fn)(const char *arg, pid_t pid), const char *arg, int sig)
{
    _cleanup_close_ int fd = -1;

    if (signal_pin(pid, &fd) && fn(arg, pid))
        signal_send(fd, pid, sig);
}

void proc_signal_same(const struct proc *proc, int sig)
{
    _cleanup_close_ int fd = -1;
    struct proc now;

    if (signal_pin(proc->pid, &fd) && proc_read(proc->pid, &now) &&
        now.started_us == proc->started_us)
        signal_send(fd, proc->pid, sig);
}
