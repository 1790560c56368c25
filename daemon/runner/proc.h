/*
 * proc.h - processes as /proc shows them.
 *
 * Everything here is a snapshot: a process may be gone, and its number in theory somebody else's,
 * by the time the caller looks at the answer. Only numbers of the runner's own children are safe
 * to keep, since nobody but the runner can release them. proc_signal() deals with the others.
 */
#ifndef AW_RUNNER_PROC_H
#define AW_RUNNER_PROC_H

#include <sys/types.h>

#include "proto/base.h"

struct pids {
    pid_t *v;
    size_t n, cap;
};

void pids_done(struct pids *pids);
/* False: out of memory. */
bool pids_add(struct pids *pids, pid_t pid);

struct proc {
    pid_t pid, ppid, sid;
    char state;         /* 'Z': ended, and waits for its parent to take note */
    int64_t started_us; /* microseconds since boot, as boottime_us() */
};

/* False: there is no such process (any more). */
AW_MUSTCHECK bool proc_read(pid_t pid, struct proc *ret);

/* Adds all processes to *ret. False: /proc cannot be read, or out of memory. */
AW_MUSTCHECK bool proc_list(struct pids *ret);

/* Adds the children of all threads of a process to *ret. False: cannot be read, or no memory. */
bool proc_children(pid_t pid, struct pids *ret);

/*
 * The attempt that a process belongs to, as its environment says it (AWD_JOB_ID and AWD_CLAIM):
 * the ID to `id`, cut to its size, and the claim to *ret_claim. False: it says nothing, or may not
 * be read.
 */
AW_MUSTCHECK bool proc_env(pid_t pid, char *id, size_t id_size, uint64_t *ret_claim);

/*
 * Whether a process is neither what it was nor what it will be: it is dying, but not dead, or in
 * the middle of an exec. It has no arguments then, nor an environment. One that has wiped them from
 * its memory looks the same for as long as it likes.
 */
AW_MUSTCHECK bool proc_is_between(pid_t pid);

/* Signals a process, if its parent still is `ppid` or the runner. */
void proc_signal(pid_t pid, pid_t ppid, int sig);
/* Signals a process, if fn() says so of what has the number then. */
void proc_signal_if(pid_t pid, bool (*fn)(const char *arg, pid_t pid), const char *arg, int sig);
/* Signals a process, if it still is the one that was read. */
void proc_signal_same(const struct proc *proc, int sig);

#endif
