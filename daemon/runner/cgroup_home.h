/*
 * cgroup_home.h - the directory of control groups that the runner has for itself: cgroup.h.
 *
 * It is held by a lock while the runner lives, so that no two runners make groups in the same one.
 * No threads.
 */
#ifndef AW_RUNNER_CGROUP_HOME_H
#define AW_RUNNER_CGROUP_HOME_H

#include <limits.h>

#include "proto/base.h"

/* What the kernel lets us limit by a group. */
enum {
    CGROUP_MEMORY = 1 << 0,
    CGROUP_CPU = 1 << 1,
    CGROUP_PIDS = 1 << 2,
};

struct cgroup_home {
    int dir_fd;           /* -1: there is none, and nothing but `why` means anything */
    char path[PATH_MAX];  /* as /proc/PID/cgroup has it, without a slash at its end */
    unsigned controllers; /* that the groups in it have */
    char why[256];        /* there is none */
};

/*
 * Moves the runner into the directory's group `runner`, and enables the controllers for the other
 * groups there. `where` is "none"; "auto": the runner's own group, if that was delegated to it and
 * nobody else is in it; or a directory.
 * AW_ERR_SYSTEM: the directory cannot be had. With "auto" that is no error: there is none then.
 */
AW_MUSTCHECK enum aw_err cgroup_home_open(const char *where, struct cgroup_home *ret,
                                          struct aw_error *err);
/* Harmless when there is none. */
void cgroup_home_close(struct cgroup_home *home);

#endif
