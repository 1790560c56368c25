/*
 * spawn.h - starts a program, in a process of its own session and with nothing of the runner's.
 *
 * This is vfork and exec by hand: the child borrows the runner's memory until it has become the
 * program, so that spawning costs the same however much memory the runner has, and so that the
 * child can say in plain memory which step failed and why. The runner stands still meanwhile.
 *
 * The program gets: its own session; the directory, environment, umask and niceness that it is to
 * have; descriptors 0, 1 and 2 and no others; no blocked, ignored or caught signals; the runner's
 * first limit on open files. It gets a SIGTERM if the runner dies.
 */
#ifndef AW_RUNNER_SPAWN_H
#define AW_RUNNER_SPAWN_H

#include <sys/resource.h>
#include <sys/types.h>

#include "proto/base.h"

struct spawn {
    char *const *argv; /* argv[0] without a slash is looked for in `path` */
    char *const *env;
    const char *path; /* directories with colons between */
    const char *cwd;
    const char *stdin_file;             /* NULL: stdin_fd */
    int stdin_fd, stdout_fd, stderr_fd; /* 3 or above */
    int umask;                          /* -1: as it is */
    int nice;                           /* 0: as it is */
    const struct rlimit *nofile;        /* NULL: as it is */
};

/* Makes what spawning needs; once, before spawn_run(). */
AW_MUSTCHECK enum aw_err spawn_open(struct aw_error *err);

/*
 * Runs it. All signals must be blocked by the caller. On AW_OK *ret_pid is a child of the caller;
 * otherwise there is none, and `err` says which step failed (AW_ERR_SYSTEM).
 */
AW_MUSTCHECK enum aw_err spawn_run(const struct spawn *spawn, pid_t *ret_pid, struct aw_error *err);

#endif
