#include "daemon/runner/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/runner/cgroup_dir.h"
#include "daemon/runner/cgroup_find.h"

#define MAX_IDLE      64
#define NAME_SIZE     32
#define CPU_PERIOD_US 100000
#define GRACE_US      2000000  /* for what a dead runner has left */
#define GIVE_UP_US    15000000 /* on what SIGKILL does not end; now and then it is tried again */
#define PAUSE_US      10000
#define PAUSE_MAX_US  500000
#define PAUSE_VAIN_US 10000000

static const char *name_of(const struct cgroup *cgroup, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "job-%u", cgroup->n);
    return name;
}

static void path_of(const struct cgroups *cgroups, const struct cgroup *cgroup,
                    char path[PATH_MAX + NAME_SIZE])
{
    snprintf(path, PATH_MAX + NAME_SIZE, "%s/job-%u", cgroups->home.path, cgroup->n);
}

/* ---- One group ------------------------------------------------------------------------------ */

static void cgroup_free(struct cgroup *cgroup)
{
    LIST_REMOVE(cgroup, by_n);
    cleanup_close(&cgroup->dir_fd);
    cleanup_close(&cgroup->events_fd);
    free(cgroup);
}

/* A directory that is there. NULL with errno. */
static struct cgroup *cgroup_open(struct cgroups *cgroups, unsigned n)
{
    struct cgroup *cgroup = calloc(1, sizeof(*cgroup));
    char name[NAME_SIZE];

    if (!cgroup)
        return NULL;
    cgroup->n = n;
    cgroup->events_fd = -1;
    cgroup->dir_fd =
        openat(cgroups->home.dir_fd, name_of(cgroup, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup->dir_fd >= 0)
        cgroup->events_fd = openat(cgroup->dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (cgroup->events_fd < 0) {
        cleanup_close(&cgroup->dir_fd);
        free(cgroup);
        return NULL;
    }
    LIST_INSERT_HEAD(&cgroups->by_n[n % CGROUP_BUCKETS], cgroup, by_n);
    return cgroup;
}

static struct cgroup *cgroup_new(struct cgroups *cgroups)
{
    struct cgroup *cgroup;
    char name[NAME_SIZE];

    do
        snprintf(name, sizeof(name), "job-%u", ++cgroups->last_n);
    while (mkdirat(cgroups->home.dir_fd, name, 0755) < 0 && errno == EEXIST);
    cgroup = cgroup_open(cgroups, cgroups->last_n);
    if (!cgroup) {
        int error = errno;

        (void)unlinkat(cgroups->home.dir_fd, name, AT_REMOVEDIR);
        errno = error;
    }
    return cgroup;
}

/* Its cgroup.events, which are short; empty if it is gone. */
static void events_read(const struct cgroup *cgroup, char buf[128])
{
    ssize_t n = pread(cgroup->events_fd, buf, 127, 0);

    buf[MAX(n, 0)] = '\0';
}

bool cgroup_populated(const struct cgroup *cgroup)
{
    char text[128];

    events_read(cgroup, text);
    return cgroup_value(text, "populated") != 0;
}

/* As its counters are now. */
static struct cgroup_events counters_read(const struct cgroups *cgroups,
                                          const struct cgroup *cgroup)
{
    struct cgroup_events now = {0};
    char text[512];

    if ((cgroups->home.controllers & CGROUP_MEMORY) &&
        cgroup_dir_read(cgroup->dir_fd, "memory.events", text, sizeof(text)))
        now.n_oom_killed = cgroup_value(text, "oom_kill");
    if ((cgroup->set & CGROUP_PIDS) &&
        cgroup_dir_read(cgroup->dir_fd, "pids.events", text, sizeof(text)))
        now.n_refused = cgroup_value(text, "max");
    return now;
}

struct cgroup_events cgroup_events(const struct cgroups *cgroups, const struct cgroup *cgroup)
{
    struct cgroup_events now = counters_read(cgroups, cgroup);

    now.n_oom_killed -= cgroup->before.n_oom_killed;
    now.n_refused -= cgroup->before.n_refused;
    return now;
}

/*
 * Some kernels (6.18 for one) compare how often the new group of a clone was killed to how often
 * the old one was, and kill the child when that differs: what was killed is not used again.
 */
void cgroup_signal(const struct cgroups *cgroups, struct cgroup *cgroup, int sig)
{
    char path[PATH_MAX + NAME_SIZE];

    cgroup->once |= sig == SIGKILL;
    if (sig == SIGKILL && cgroup_dir_write(cgroup->dir_fd, "cgroup.kill", "1"))
        return;
    path_of(cgroups, cgroup, path);
    cgroup_dir_signal(cgroup->dir_fd, path, sig);
}

bool cgroup_has(const struct cgroups *cgroups, const struct cgroup *cgroup, pid_t pid)
{
    char path[PATH_MAX + NAME_SIZE];

    path_of(cgroups, cgroup, path);
    return cgroup_path_has(path, pid);
}

struct job *cgroup_owner(const struct cgroups *cgroups, pid_t pid)
{
    size_t len = strlen(cgroups->home.path);
    const struct cgroup *cgroup;
    char path[PATH_MAX];
    unsigned n;

    if (cgroups->home.dir_fd < 0 || !cgroup_of(pid, path, sizeof(path)) ||
        strncmp(path, cgroups->home.path, len) != 0 || strncmp(path + len, "/job-", 5) != 0)
        return NULL;
    n = (unsigned)strtoul(path + len + 5, NULL, 10);
    LIST_FOREACH (cgroup, &cgroups->by_n[n % CGROUP_BUCKETS], by_n)
        if (cgroup->n == n)
            return cgroup->owner;
    return NULL;
}

/* ---- Limits --------------------------------------------------------------------------------- */

static unsigned controllers_for(const struct limits *limits)
{
    return (limits->memory ? (unsigned)CGROUP_MEMORY : 0) | (limits->cpu ? CGROUP_CPU : 0) |
           (limits->processes ? CGROUP_PIDS : 0);
}

static bool memory_set(const struct cgroup *cgroup, const struct limits *limits)
{
    char text[32];

    if (!limits->memory)
        return true;
    snprintf(text, sizeof(text), "%" PRIu64, limits->memory);
    /* A job is not half alive: with one of its processes all go. And what is swapped out is not
     * less memory. Where there is no swap there is no such file. */
    return cgroup_dir_write(cgroup->dir_fd, "memory.max", text) &&
           cgroup_dir_write(cgroup->dir_fd, "memory.oom.group", "1") &&
           (cgroup_dir_write(cgroup->dir_fd, "memory.swap.max", "0") || errno == ENOENT);
}

static bool cpu_set(const struct cgroup *cgroup, const struct limits *limits)
{
    char text[64] = "max";

    if (!limits->cpu && !(cgroup->set & CGROUP_CPU))
        return true;
    if (limits->cpu)
        snprintf(text, sizeof(text), "%" PRIu64 " %d", limits->cpu * (CPU_PERIOD_US / 100),
                 CPU_PERIOD_US);
    return cgroup_dir_write(cgroup->dir_fd, "cpu.max", text);
}

static bool processes_set(const struct cgroup *cgroup, const struct limits *limits)
{
    char text[32] = "max";

    if (!limits->processes && !(cgroup->set & CGROUP_PIDS))
        return true;
    if (limits->processes)
        snprintf(text, sizeof(text), "%" PRIu64, limits->processes);
    return cgroup_dir_write(cgroup->dir_fd, "pids.max", text);
}

static enum aw_err limits_set(const struct cgroups *cgroups, struct cgroup *cgroup,
                              const struct limits *limits, struct aw_error *err)
{
    unsigned set = controllers_for(limits) & cgroups->home.controllers;
    const char *what = NULL;

    if ((set & CGROUP_MEMORY) && !memory_set(cgroup, limits))
        what = "memory";
    else if (!cpu_set(cgroup, limits))
        what = "cpu";
    else if (!processes_set(cgroup, limits))
        what = "processes";
    if (what)
        return aw_fail(err, AW_ERR_SYSTEM, "limit on %s: %s", what, strerror(errno));
    cgroup->once |= (set & CGROUP_MEMORY) != 0;
    cgroup->set = set;
    cgroup->before = counters_read(cgroups, cgroup);
    return AW_OK;
}

/* ---- For an attempt ------------------------------------------------------------------------- */

static void group_doom(struct cgroups *cgroups, struct cgroup *cgroup, int64_t grace_us)
{
    int64_t boot_us = boottime_us();

    cgroup->owner = NULL;
    cgroup->kill_us = boot_us + grace_us;
    cgroup->give_up_us = boot_us + GIVE_UP_US;
    TAILQ_INSERT_TAIL(&cgroups->doomed, cgroup, link);
    cgroups->due_us = 0;
    cgroups->pause_us = PAUSE_US;
}

/* Removes it; what cannot be removed is doomed. */
static void group_end(struct cgroups *cgroups, struct cgroup *cgroup)
{
    char name[NAME_SIZE];

    if (cgroup_dir_remove(cgroups->home.dir_fd, name_of(cgroup, name)))
        cgroup_free(cgroup);
    else
        group_doom(cgroups, cgroup, 0);
}

static enum aw_err limits_possible(const struct cgroups *cgroups, const struct limits *limits,
                                   struct aw_error *err)
{
    const char *what;

    if (limits->cpu && !cgroup_can(cgroups, CGROUP_CPU))
        what = "cpu";
    else if (limits->processes && !cgroup_can(cgroups, CGROUP_PIDS))
        what = "processes";
    else
        return AW_OK;
    if (cgroups->home.dir_fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "limit on %s: it takes a cgroup, but %s", what,
                       cgroups->home.why);
    return aw_fail(
        err, AW_ERR_SYSTEM, "limit on %s: the runner's cgroup %.200s has no %s controller", what,
        *cgroups->home.path ? cgroups->home.path : "/", strcmp(what, "cpu") == 0 ? what : "pids");
}

static struct cgroup *idle_take(struct cgroups *cgroups)
{
    struct cgroup *cgroup = TAILQ_FIRST(&cgroups->idle);

    if (cgroup) {
        TAILQ_REMOVE(&cgroups->idle, cgroup, link);
        cgroups->n_idle--;
    }
    return cgroup;
}

enum aw_err cgroup_take(struct cgroups *cgroups, const struct limits *limits, struct job *owner,
                        struct cgroup **ret, struct aw_error *err)
{
    unsigned set = controllers_for(limits) & cgroups->home.controllers;
    struct cgroup *cgroup = NULL;
    enum aw_err e = limits_possible(cgroups, limits, err);

    if (e != AW_OK)
        return e;
    *ret = NULL;
    if (cgroups->home.dir_fd < 0)
        return AW_OK;
    if (!(set & CGROUP_MEMORY))
        cgroup = idle_take(cgroups);
    if (!cgroup)
        cgroup = cgroup_new(cgroups);
    if (!cgroup)
        return set ? aw_fail(err, AW_ERR_SYSTEM, "cgroup: %s", strerror(errno)) : AW_OK;
    e = limits_set(cgroups, cgroup, limits, err);
    if (e != AW_OK) {
        group_end(cgroups, cgroup);
        return e;
    }
    cgroup->owner = owner;
    *ret = cgroup;
    return AW_OK;
}

/* What its last job, if that was our own user, may have done to it is not for the next one. */
static bool is_as_new(const struct cgroup *cgroup)
{
    char text[128];

    events_read(cgroup, text);
    return *text && !cgroup_value(text, "populated") && !cgroup_value(text, "frozen") &&
           !cgroup_dir_has_children(cgroup->dir_fd);
}

void cgroup_give(struct cgroups *cgroups, struct cgroup *cgroup)
{
    cgroup->owner = NULL;
    if (cgroup->once || cgroups->n_idle >= MAX_IDLE || !is_as_new(cgroup)) {
        group_end(cgroups, cgroup);
        return;
    }
    TAILQ_INSERT_HEAD(&cgroups->idle, cgroup, link);
    cgroups->n_idle++;
}

/* ---- Doomed ones ---------------------------------------------------------------------------- */

void cgroups_tick(struct cgroups *cgroups, int64_t boot_us)
{
    struct cgroup_list doomed = TAILQ_HEAD_INITIALIZER(doomed);
    struct cgroup *cgroup;
    char name[NAME_SIZE];

    if (boot_us < cgroups->due_us)
        return;
    TAILQ_CONCAT(&doomed, &cgroups->doomed, link);
    while ((cgroup = TAILQ_FIRST(&doomed))) {
        TAILQ_REMOVE(&doomed, cgroup, link);
        if (boot_us >= cgroup->kill_us && cgroup_populated(cgroup))
            cgroup_signal(cgroups, cgroup, SIGKILL);
        if (!cgroup_populated(cgroup) &&
            cgroup_dir_remove(cgroups->home.dir_fd, name_of(cgroup, name)))
            cgroup_free(cgroup);
        else
            TAILQ_INSERT_TAIL(&cgroups->doomed, cgroup, link);
    }
    cgroups->due_us = INT64_MAX;
    if (!TAILQ_EMPTY(&cgroups->doomed))
        cgroups->due_us = boot_us + (cgroups_pending(cgroups) ? cgroups->pause_us : PAUSE_VAIN_US);
    cgroups->pause_us = MIN(cgroups->pause_us * 2, PAUSE_MAX_US);
}

bool cgroups_pending(const struct cgroups *cgroups)
{
    const struct cgroup *cgroup;
    int64_t boot_us = boottime_us();

    TAILQ_FOREACH (cgroup, &cgroups->doomed, link)
        if (boot_us < cgroup->give_up_us)
            return true;
    return false;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Nobody will take the jobs of a dead runner over: whatever of them is left is to end. */
static void leftovers_doom(struct cgroups *cgroups)
{
    int fd = openat(cgroups->home.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir) {
        cleanup_close(&fd);
        return;
    }
    while ((entry = readdir(dir))) {
        struct cgroup *cgroup;
        char *end = entry->d_name;
        unsigned long n = 0;

        if (strncmp(entry->d_name, "job-", 4) == 0)
            n = strtoul(entry->d_name + 4, &end, 10);
        if (n == 0 || n > UINT32_MAX || *end)
            continue;
        cgroup = cgroup_open(cgroups, (unsigned)n);
        if (!cgroup)
            continue;
        cgroup_signal(cgroups, cgroup, SIGTERM);
        group_doom(cgroups, cgroup, GRACE_US);
    }
    closedir(dir);
}

enum aw_err cgroups_open(struct cgroups *cgroups, const char *where, struct aw_error *err)
{
    enum aw_err e;

    memset(cgroups, 0, sizeof(*cgroups));
    cgroups->home.dir_fd = -1;
    cgroups->due_us = INT64_MAX;
    TAILQ_INIT(&cgroups->idle);
    TAILQ_INIT(&cgroups->doomed);
    e = cgroup_home_open(where, &cgroups->home, err);
    if (e == AW_OK && cgroups->home.dir_fd >= 0)
        leftovers_doom(cgroups);
    return e;
}

static void list_free(struct cgroups *cgroups, struct cgroup_list *list)
{
    struct cgroup *cgroup;
    char name[NAME_SIZE];

    while ((cgroup = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, cgroup, link);
        (void)cgroup_dir_remove(cgroups->home.dir_fd, name_of(cgroup, name));
        cgroup_free(cgroup);
    }
}

void cgroups_close(struct cgroups *cgroups)
{
    if (cgroups->home.dir_fd < 0)
        return;
    list_free(cgroups, &cgroups->idle);
    list_free(cgroups, &cgroups->doomed);
    cgroup_home_close(&cgroups->home);
}
