/*
 * rlimits.h - those of a job's limits that each of its processes has for itself.
 *
 * The kernel keeps them by setrlimit(), niceness and disk priority; what holds for the whole tree
 * together is cgroup.h's. Nothing here gives a job more than the runner has: a limit above the
 * runner's own hard one is that one. No state, no threads.
 */
#ifndef AW_RUNNER_RLIMITS_H
#define AW_RUNNER_RLIMITS_H

#include <sys/resource.h>

#include "proto/job_limits.h"

#define RLIMITS_MAX 4

struct rlimits {
    size_t n;
    struct one_rlimit {
        int resource;
        struct rlimit limit;
        const char *what; /* "limit on open files" */
    } v[RLIMITS_MAX];
};

/*
 * `nofile` is what a job gets that has no limit on open files. `data`: its memory is to be kept by
 * RLIMIT_DATA, for want of a cgroup: each of its processes may have that much for itself.
 */
void rlimits_make(const struct limits *limits, const struct rlimit *nofile, bool data,
                  struct rlimits *ret);

/* The niceness to set for a job that wants `nice` (0: as the runner has it); 0: leave it. */
int rlimits_nice(const struct limits *limits, int nice, int runners);

/* The number for ioprio_set(); -1: leave it. */
int rlimits_ioprio(const struct limits *limits);

#endif
