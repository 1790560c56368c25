/*
 * cgroup.h - a control group (cgroup v2) for each attempt, where the runner has a place for them.
 *
 *      DIR/             delegated to the runner, and to nobody else
 *      DIR/runner/      the runner itself: a group that has groups below it may hold no processes
 *      DIR/job-1/ ...   one for each attempt that runs, and some that wait for the next one
 *
 * A group holds the whole tree of an attempt, whatever its processes do to their sessions, parents
 * and environment: it tells whose they are, says when nothing is left, and is killed at one stroke.
 * What limits a tree as a whole (memory, processor, processes) is set on its group.
 *
 * Making and removing a group costs more than spawning, so groups are used again. Their counters
 * go on, and what one attempt has left in memory (files in a tmpfs) stays charged to them: an
 * attempt with a limit on memory gets a new one, which goes with it.
 *
 * Groups that a dead runner has left, and those with a process in them that would not die, are
 * *doomed*: they are emptied by force, and removed.
 *
 * Where there is no such place all of this does nothing, and sessions and parents are all that the
 * runner has; tree.h. No threads.
 */
#ifndef AW_RUNNER_CGROUP_H
#define AW_RUNNER_CGROUP_H

#include <sys/queue.h>

#include "daemon/runner/cgroup_home.h"
#include "proto/job_limits.h"

#define CGROUP_BUCKETS 256

struct job;

/* What has happened in a group, from the beginning of its attempt on. */
struct cgroup_events {
    uint64_t n_oom_killed; /* processes */
    uint64_t n_refused;    /* processes that would have been too many */
};

struct cgroup {
    unsigned n;        /* its name is job-<n> */
    int dir_fd;        /* the directory */
    int events_fd;     /* its cgroup.events: EPOLLPRI when what they say changes */
    struct job *owner; /* NULL: none, any more */
    bool once;         /* not to be used again */
    unsigned set;      /* limits that are set now: CGROUP_CPU, CGROUP_PIDS */
    struct cgroup_events before;
    LIST_ENTRY(cgroup) by_n;
    TAILQ_ENTRY(cgroup) link;    /* idle or doomed */
    int64_t kill_us, give_up_us; /* doomed: since boot */
};

TAILQ_HEAD(cgroup_list, cgroup);

struct cgroups {
    struct cgroup_home home;
    unsigned last_n;
    size_t n_idle;
    struct cgroup_list idle, doomed;
    LIST_HEAD(, cgroup) by_n[CGROUP_BUCKETS];
    int64_t due_us; /* since boot: when cgroups_tick() wants to be called; INT64_MAX: no need */
    int64_t pause_us;
};

/*
 * Finds DIR (`where` and errors: see cgroup_home_open()). What a dead runner has left there is
 * doomed.
 */
AW_MUSTCHECK enum aw_err cgroups_open(struct cgroups *cgroups, const char *where,
                                      struct aw_error *err);
/* Removes what is not in use. */
void cgroups_close(struct cgroups *cgroups);

/*
 * A group for an attempt, with its limits set. *ret is NULL where there are none, or none could be
 * made and no limit needs one. AW_ERR_SYSTEM: one of the limits cannot be kept; the sentence says
 * what is missing. A limit on memory that no group can keep is for the caller: cgroup_can().
 */
AW_MUSTCHECK enum aw_err cgroup_take(struct cgroups *cgroups, const struct limits *limits,
                                     struct job *owner, struct cgroup **ret, struct aw_error *err);
/* The attempt has ended. The group is used again, or removed, or doomed. */
void cgroup_give(struct cgroups *cgroups, struct cgroup *cgroup);

static inline bool cgroup_can(const struct cgroups *cgroups, unsigned controllers)
{
    return cgroups->home.dir_fd >= 0 && (cgroups->home.controllers & controllers) == controllers;
}

/* Whether there is a process in it, or in a group below it, that is not only waiting for wait().
 * After this events_fd reports the next change. */
bool cgroup_populated(const struct cgroup *cgroup);

struct cgroup_events cgroup_events(const struct cgroups *cgroups, const struct cgroup *cgroup);

/* Signals all that is in it and below it. SIGKILL leaves no way out, not even to a fork bomb. */
void cgroup_signal(const struct cgroups *cgroups, struct cgroup *cgroup, int sig);

/* Whether the process is in it, or below it. */
bool cgroup_has(const struct cgroups *cgroups, const struct cgroup *cgroup, pid_t pid);

/* Whose group the process is in; NULL: nobody's that runs. */
struct job *cgroup_owner(const struct cgroups *cgroups, pid_t pid);

/* Ends and removes what is doomed, as far as that is possible now. */
void cgroups_tick(struct cgroups *cgroups, int64_t boot_us);
/* Groups that are doomed and may yet become empty. */
bool cgroups_pending(const struct cgroups *cgroups);

#endif
