/*
 * clean.h - ends what is left of attempts whose runner is dead.
 *
 * Their processes are nobody's children now, so they are looked for among all processes: by
 * AWD_JOB_ID and AWD_CLAIM in the environment, by the session of the main process while that
 * lives, and whatever descends from those. SIGTERM, two seconds later SIGKILL, until nothing is
 * found, or until nothing helped for 15 s. One look at /proc serves all tasks.
 *
 * Where a dead runner has left control groups (cgroup.h) these are emptied first of all, by
 * cgroups_tick(), whosever they are, and no task is over before that.
 */
#ifndef AW_RUNNER_CLEAN_H
#define AW_RUNNER_CLEAN_H

#include <sys/queue.h>

#include "daemon/runner/proc.h"
#include "proto/runner_wire.h"

struct runner;

struct clean_task {
    TAILQ_ENTRY(clean_task) link;
    uint64_t claim;
    char id[AW_MAX_ID];
    pid_t pid; /* of the main process; 0: not known */
    int64_t started_us;
    int64_t kill_us, give_up_us; /* since boot; 0: nothing was found so far */
    bool termed;
    uint32_t n_left;
    struct proc *found; /* the last time: n_left of them */
};

TAILQ_HEAD(clean_list, clean_task);

struct cleaner {
    struct clean_list tasks;
    struct clean_list done; /* awd is to be told: peer.h */
    int64_t due_us;         /* since boot: when to look again; INT64_MAX: never */
    int64_t pause_us;
};

void clean_init(struct cleaner *cleaner);
void clean_close(struct cleaner *cleaner);
void clean_task_free(struct clean_task *task);

/* False: out of memory. A claim that is being cleaned already is not taken twice. */
AW_MUSTCHECK bool clean_add(struct cleaner *cleaner, const struct runner_clean *clean);

/* Looks, and ends what it finds. */
void clean_tick(struct runner *runner, int64_t boot_us);

#endif
