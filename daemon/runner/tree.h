/*
 * tree.h - the processes of a job that are not its main process: finds them and signals them.
 *
 * The runner is a subreaper: when a process of a job's tree loses its parent, it becomes a child
 * of the runner, an orphan. So once a job's main process is gone, all that is left of its tree
 * hangs below orphans; and where the runner has no children but main processes, nothing is left of
 * anybody. That is one short read of the kernel's list of our children, which is all that a job
 * without leftovers costs.
 *
 * A new orphan is given to its job by its session (each job has one), else by its control group
 * (where there are such), else by AWD_CLAIM in its environment, else because only one job lives.
 * What none of these tells is a stray: it must come from a job that lives at that time, and is
 * ended when the last of those has ended.
 *
 * One that is dying, or in the middle of an exec, has no environment, and whom it leaves behind
 * only the next look may see: until it is dead or has become another program, and a few looks have
 * passed, no job without a control group is said to have left nothing. That takes two seconds at
 * the most.
 */
#ifndef AW_RUNNER_TREE_H
#define AW_RUNNER_TREE_H

#include <sys/resource.h>

#include "daemon/runner/cgroup.h"
#include "daemon/runner/job.h"
#include "daemon/runner/proc.h"

struct orphan {
    pid_t pid;
    struct job *job; /* NULL: a stray */
    LIST_ENTRY(orphan) by_pid;
    LIST_ENTRY(orphan) link; /* of its job, or of the strays */
    uint64_t serial;         /* stray: of the newest job when it was found */
    unsigned n_tries;        /* stray: to find its job, since it could last be no one's */
    int64_t found_us;        /* since boot */
    enum job_phase phase;    /* stray */
    int64_t kill_us;         /* stray, PHASE_TERM: since boot */
};

#define TREE_BUCKETS 256

struct tree {
    const struct cgroups *cgroups;
    int children_fd; /* the kernel's list of our children; -1: it keeps none */
    size_t n_orphans;
    bool unsure; /* the last look found one whose job another look may yet tell */
    struct pids scratch;
    int64_t strays_due_us; /* when tree_end_strays() wants to be called; INT64_MAX: no need */
    LIST_HEAD(, orphan) strays;
    LIST_HEAD(, orphan) by_pid[TREE_BUCKETS];
};

/* Makes the runner a subreaper. `cgroups` stay the caller's. */
AW_MUSTCHECK enum aw_err tree_open(struct tree *tree, const struct cgroups *cgroups,
                                   struct aw_error *err);
void tree_close(struct tree *tree);

/* A child that is no main process was reaped: its costs go to its job, if that lives. */
void tree_reaped(struct tree *tree, pid_t pid, const struct rusage *usage);

/* Looks for new orphans. Costs one read when there are none. */
void tree_refresh(struct tree *tree, struct jobs *jobs);

/*
 * Signals everything that the job has: main process, orphans, and all below, and whatever is in its
 * control group. Each process once. SIGTERM is followed by SIGCONT, so that stopped ones get to see
 * it.
 */
void tree_signal(const struct tree *tree, const struct job *job, int sig);

/* The job is done with; orphans that it still has become strays. */
void tree_let_go(struct tree *tree, struct job *job);

/* Ends the strays that no live job can have left. */
void tree_end_strays(struct tree *tree, const struct jobs *jobs, int64_t boot_us);

#endif
