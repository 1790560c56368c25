/*
 * spawn.h - starts a program, in a process of its own session and with nothing of the runner's.
 *
 * This is vfork and exec by hand: the child borrows the runner's memory until it has become the
 * program, so that spawning costs the same however much memory the runner has, and so that the
 * child can say in plain memory which step failed and why. The runner stands still meanwhile.
 *
 * A child that is to be another user must not make the runner wait, since that user can: with a
 * directory that does not answer, or by stopping it. It gets a copy of the runner's memory, and
 * what it has to say is asked for when it has ended.
 *
 * The program gets: its own session; the user, directory, environment, umask and niceness that it
 * is to have; descriptors 0, 1 and 2 and no others; no blocked, ignored or caught signals; its
 * limits, and its control group. It gets a SIGTERM if the runner dies.
 */
#ifndef AW_RUNNER_SPAWN_H
#define AW_RUNNER_SPAWN_H

#include <sys/types.h>

#include "daemon/runner/identity.h"
#include "daemon/runner/rlimits.h"

struct spawn {
    char *const *argv; /* argv[0] without a slash is looked for in `path` */
    char *const *env;
    const char *path; /* directories with colons between */
    const char *cwd;
    const char *stdin_file;             /* NULL: stdin_fd */
    int stdin_fd, stdout_fd, stderr_fd; /* 3 or above */
    int umask;                          /* -1: as it is */
    int nice;                           /* 0: as it is */
    int ioprio;                         /* for ioprio_set(); -1: as it is */
    const struct rlimits *rlimits;
    int cgroup_fd;                   /* the directory of its control group; -1: the runner's */
    const struct identity *identity; /* NULL: as the runner */
    bool privileged;                 /* the runner has capabilities, which are not for a job */
};

/* A child, and where it says why it did not become its program; NULL: it did. */
struct spawned {
    pid_t pid;
    struct report *report;
};

#define SPAWN_MAX_REPORTS 16384

/* Makes what spawning needs; once, before spawn_run(). */
AW_MUSTCHECK enum aw_err spawn_open(struct aw_error *err);

/*
 * Runs it. All signals must be blocked by the caller. On AW_OK ret->pid is a child of the caller;
 * otherwise there is none, and `err` says which step failed (AW_ERR_SYSTEM). With an identity, a
 * step may also fail later: ret->report is to be given to spawn_ended() once the child was reaped.
 */
AW_MUSTCHECK enum aw_err spawn_run(const struct spawn *spawn, struct spawned *ret,
                                   struct aw_error *err);

/* AW_OK: it had become its program. AW_ERR_SYSTEM: it had not, and `err` says why. */
AW_MUSTCHECK enum aw_err spawn_ended(struct report *report, struct aw_error *err);

#endif
