/*
 * watch_proc.h - what a process has just now: memory, descriptors, threads.
 */
#ifndef AW_WATCH_PROC_H
#define AW_WATCH_PROC_H

#include <sys/types.h>

#include "proto/base.h"

struct proc_sample {
    unsigned long rss_kib, pss_kib;
    unsigned long n_fds, n_threads;
};

/* False: there is no such process, or it is somebody else's. */
AW_MUSTCHECK bool proc_sample(pid_t pid, struct proc_sample *ret);

/* Each figure becomes the larger of the two. */
void proc_sample_max(struct proc_sample *max, const struct proc_sample *now);

#endif
