#include "daemon/runner/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#define STRAY_GRACE_US 1000000
#define STRAY_TRIES    3
#define STRAY_DOUBT_US 2000000 /* at most, about one that is between two states, or seems to be */
#define LONGEST        16      /* bytes of one number in the list of children, and more */
#define MAX_DEPTH      1000 /* of a tree: the walk is recursive; the next round gets what is below */

enum aw_err tree_open(struct tree *tree, const struct cgroups *cgroups, struct aw_error *err)
{
    memset(tree, 0, sizeof(*tree));
    tree->cgroups = cgroups;
    tree->strays_due_us = INT64_MAX;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "subreaper: %s", strerror(errno));
    tree->children_fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (tree->children_fd < 0 && errno != ENOENT)
        return aw_fail(err, AW_ERR_SYSTEM, "/proc/thread-self/children: %s", strerror(errno));
    return AW_OK;
}

static struct orphan *orphan_find(struct tree *tree, pid_t pid)
{
    struct orphan *orphan;

    LIST_FOREACH (orphan, &tree->by_pid[pid % TREE_BUCKETS], by_pid)
        if (orphan->pid == pid)
            return orphan;
    return NULL;
}

static void orphan_drop(struct tree *tree, struct orphan *orphan)
{
    LIST_REMOVE(orphan, by_pid);
    LIST_REMOVE(orphan, link);
    tree->n_orphans--;
    free(orphan);
}

void tree_close(struct tree *tree)
{
    struct orphan *orphan;

    for (size_t i = 0; i < TREE_BUCKETS; i++)
        while ((orphan = LIST_FIRST(&tree->by_pid[i])))
            orphan_drop(tree, orphan);
    pids_done(&tree->scratch);
    if (tree->children_fd >= 0)
        close(tree->children_fd);
}

static int64_t tv_us(struct timeval tv)
{
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

void tree_reaped(struct tree *tree, pid_t pid, const struct rusage *usage)
{
    struct orphan *orphan = orphan_find(tree, pid);
    struct job *job = orphan ? orphan->job : NULL;

    if (job) {
        job->cpu_user_us += (uint64_t)tv_us(usage->ru_utime);
        job->cpu_sys_us += (uint64_t)tv_us(usage->ru_stime);
        job->max_rss_kib = MAX(job->max_rss_kib, (uint64_t)usage->ru_maxrss);
    }
    if (orphan)
        orphan_drop(tree, orphan);
}

/* ---- Finding them --------------------------------------------------------------------------- */

/* The list is decimal numbers, each with a space behind it. Nobody reaps but us: it is exact. */
static bool children_parse(struct tree *tree, const char *buf, size_t len, pid_t *part)
{
    for (size_t i = 0; i < len; i++) {
        if (buf[i] != ' ') {
            *part = *part * 10 + (buf[i] - '0');
            continue;
        }
        if (!pids_add(&tree->scratch, *part))
            return false;
        *part = 0;
    }
    return true;
}

/* All of our children, to tree->scratch. */
static bool children_read(struct tree *tree)
{
    char buf[4096];
    off_t offset = 0;
    pid_t part = 0;
    ssize_t n;

    tree->scratch.n = 0;
    if (tree->children_fd < 0)
        return proc_children(getpid(), &tree->scratch);
    while ((n = pread(tree->children_fd, buf, sizeof(buf), offset)) > 0) {
        if (!children_parse(tree, buf, (size_t)n, &part))
            return false;
        if (n < (ssize_t)sizeof(buf) - LONGEST)
            return true; /* the kernel stops short only where the next number would not fit */
        offset += n;
    }
    return n == 0;
}

static struct job *orphan_owner(const struct tree *tree, struct jobs *jobs, pid_t pid)
{
    pid_t sid = getsid(pid);
    struct job *job = sid > 0 ? job_by_pid(jobs, sid) : NULL;
    char id[AW_MAX_ID];
    uint64_t claim;

    if (!job)
        job = cgroup_owner(tree->cgroups, pid);
    if (job)
        return job;
    if (proc_env(pid, id, sizeof(id), &claim)) {
        job = job_by_claim(jobs, claim);
        if (job && job->state != JOB_ENDED && strcmp(job->id, id) == 0)
            return job;
    }
    return jobs->n_live == 1 ? TAILQ_FIRST(&jobs->live) : NULL;
}

static void orphan_add(struct tree *tree, struct jobs *jobs, pid_t pid)
{
    struct orphan *orphan = calloc(1, sizeof(*orphan));

    if (!orphan)
        return; /* it is found again next time */
    orphan->pid = pid;
    orphan->job = orphan_owner(tree, jobs, pid);
    orphan->serial = jobs->serial;
    orphan->found_us = boottime_us();
    LIST_INSERT_HEAD(&tree->by_pid[pid % TREE_BUCKETS], orphan, by_pid);
    if (orphan->job) {
        LIST_INSERT_HEAD(&orphan->job->orphans, orphan, link);
    } else {
        LIST_INSERT_HEAD(&tree->strays, orphan, link);
        tree->strays_due_us = 0;
    }
    tree->n_orphans++;
}

/*
 * One that dies has no environment from some point on, and only later are its children ours; one
 * that is about to be another program has none for a while. On a busy machine either takes longer
 * than a few looks, so that these do not count. There is an end to it, since others wait, and since
 * a process can make itself look like that.
 */
static bool stray_between(const struct orphan *orphan)
{
    return proc_is_between(orphan->pid) && boottime_us() < orphan->found_us + STRAY_DOUBT_US;
}

static void strays_retry(struct tree *tree, struct jobs *jobs)
{
    struct orphan *orphan, *next;

    for (orphan = LIST_FIRST(&tree->strays); orphan; orphan = next) {
        next = LIST_NEXT(orphan, link);
        if (orphan->phase != PHASE_NONE || orphan->n_tries >= STRAY_TRIES)
            continue;
        orphan->job = orphan_owner(tree, jobs, orphan->pid);
        if (!orphan->job) {
            orphan->n_tries = stray_between(orphan) ? 0 : orphan->n_tries + 1;
            continue;
        }
        LIST_REMOVE(orphan, link);
        LIST_INSERT_HEAD(&orphan->job->orphans, orphan, link);
    }
}

static bool strays_in_doubt(const struct tree *tree)
{
    const struct orphan *orphan;

    LIST_FOREACH (orphan, &tree->strays, link)
        if (orphan->phase == PHASE_NONE && orphan->n_tries < STRAY_TRIES)
            return true;
    return false;
}

static void orphans_look(struct tree *tree, struct jobs *jobs)
{
    if (!children_read(tree) || tree->scratch.n == jobs->n_mains + tree->n_orphans)
        return;
    for (size_t i = 0; i < tree->scratch.n; i++) {
        pid_t pid = tree->scratch.v[i];
        const struct job *main_of = job_by_pid(jobs, pid);

        if (!(main_of && main_of->state == JOB_RUNNING) && !orphan_find(tree, pid))
            orphan_add(tree, jobs, pid);
    }
}

void tree_refresh(struct tree *tree, struct jobs *jobs)
{
    strays_retry(tree, jobs);
    orphans_look(tree, jobs);
    tree->unsure = strays_in_doubt(tree);
}

/* ---- Signalling them ------------------------------------------------------------------------ */

struct walk {
    int sig;
    const struct cgroups *cgroups;
    struct cgroup *except; /* whoever is in it is signalled otherwise; NULL: nobody */
};

static void signal_one(const struct walk *walk, pid_t pid, pid_t ppid, int sig)
{
    if (walk->except && cgroup_has(walk->cgroups, walk->except, pid))
        return;
    if (ppid)
        proc_signal(pid, ppid, sig);
    else
        kill(pid, sig); /* our own child: nobody else can have its number */
}

/*
 * A process that has been killed makes no new ones, so that the list of its children is complete
 * when it is read after that. One that is asked to end, though, may be gone by then, and its
 * children be ours: there the list comes first.
 */
static void signal_below(const struct walk *walk, pid_t pid, pid_t ppid, unsigned depth)
{
    struct pids children = {0};

    if (depth > MAX_DEPTH)
        return;
    if (walk->sig != SIGKILL)
        proc_children(pid, &children);
    signal_one(walk, pid, ppid, walk->sig);
    if (walk->sig == SIGTERM)
        signal_one(walk, pid, ppid, SIGCONT);
    if (walk->sig == SIGKILL)
        proc_children(pid, &children);
    for (size_t i = 0; i < children.n; i++)
        signal_below(walk, children.v[i], pid, depth + 1);
    pids_done(&children);
}

/* All at one stroke, which nobody can outrun: the control group, or else the process group. */
static void kill_most(const struct tree *tree, const struct job *job)
{
    if (job->cgroup)
        cgroup_signal(tree->cgroups, job->cgroup, SIGKILL);
    else if (job->state == JOB_RUNNING)
        kill(-job->pid, SIGKILL);
}

void tree_signal(const struct tree *tree, const struct job *job, int sig)
{
    struct walk walk = {.sig = sig, .cgroups = tree->cgroups};
    const struct orphan *orphan;

    if (sig == SIGKILL)
        kill_most(tree, job);
    else
        walk.except = job->cgroup;
    if (job->state == JOB_RUNNING)
        signal_below(&walk, job->pid, 0, 0);
    LIST_FOREACH (orphan, &job->orphans, link)
        signal_below(&walk, orphan->pid, 0, 0);
    if (walk.except)
        cgroup_signal(tree->cgroups, walk.except, sig);
}

void tree_let_go(struct tree *tree, struct job *job)
{
    struct orphan *orphan;

    while ((orphan = LIST_FIRST(&job->orphans))) {
        LIST_REMOVE(orphan, link);
        LIST_INSERT_HEAD(&tree->strays, orphan, link);
        orphan->job = NULL;
        orphan->serial = job->serial;
        tree->strays_due_us = 0;
    }
}

static void stray_end(struct orphan *stray, int64_t boot_us)
{
    struct walk walk = {.sig = stray->phase == PHASE_NONE ? SIGTERM : SIGKILL};

    if (stray->phase == PHASE_NONE) {
        stray->phase = PHASE_TERM;
        stray->kill_us = boot_us + STRAY_GRACE_US;
        signal_below(&walk, stray->pid, 0, 0);
    } else if (boot_us >= stray->kill_us) {
        stray->phase = PHASE_KILL;
        signal_below(&walk, stray->pid, 0, 0);
    }
}

void tree_end_strays(struct tree *tree, const struct jobs *jobs, int64_t boot_us)
{
    const struct job *oldest = TAILQ_FIRST(&jobs->live);
    struct orphan *orphan;

    tree->strays_due_us = INT64_MAX;
    LIST_FOREACH (orphan, &tree->strays, link) {
        if (orphan->phase != PHASE_KILL && !(oldest && oldest->serial <= orphan->serial))
            stray_end(orphan, boot_us);
        if (orphan->phase == PHASE_TERM)
            tree->strays_due_us = MIN(tree->strays_due_us, orphan->kill_us);
    }
}
