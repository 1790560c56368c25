/*
 * supervise.h - the life of an attempt: start, output, limits, end, and what it leaves behind.
 *
 * All times are since boot. Nothing here fails towards the caller: whatever goes wrong becomes the
 * attempt's outcome.
 *
 * A job is *young* for its first milliseconds. Then its pipes are not in the reactor and awd has
 * not been told that it started: most short jobs end before, and cost one wake-up, for the end of
 * the process, instead of four. (A pipe holds 64 KiB; a job that writes more than that at once is
 * held up until it is no longer young.)
 *
 * Ending a job means SIGTERM to its whole tree, and SIGKILL when the grace is over. When the main
 * process has ended by itself, what it left behind is ended too, so that nothing of a job runs
 * after it is said to have ended.
 */
#ifndef AW_RUNNER_SUPERVISE_H
#define AW_RUNNER_SUPERVISE_H

#include "daemon/runner/runner.h"

/* False: there is no memory even to record the failure. stdin_fd (-1: none) stays the caller's. */
AW_MUSTCHECK bool supervise_start(struct runner *runner, const struct runner_start *start,
                                  int stdin_fd);

void supervise_stop(struct runner *runner, struct job *job, uint64_t grace_ms);

/* From now on output goes to the spool files, and awd is told how it grows. */
void supervise_watch(struct runner *runner, struct job *job);

/* Takes note of all children that have ended. */
void supervise_reap(struct runner *runner);

/* Does what is due. */
void supervise_tick(struct runner *runner, int64_t boot_us);

/* When supervise_tick() wants to be called; INT64_MAX: no need. */
int64_t supervise_due_us(const struct runner *runner);

/* Ends all jobs: the runner goes down. */
void supervise_shutdown(struct runner *runner);

#endif
