/*
 * launch.h - from a START message to a running process: arguments, environment, pipes.
 */
#ifndef AW_RUNNER_LAUNCH_H
#define AW_RUNNER_LAUNCH_H

#include "daemon/runner/runner.h"
#include "daemon/runner/spawn.h"

/*
 * Spawns the job's program, as its submitter or as the runner (identity.h), with its output in
 * pipes whose reading ends are job->out[].stream.fd then. The environment is the given one, and
 * where none is given a small one from the runner's own (PATH, LANG, TZ) and the user's (HOME,
 * USER, LOGNAME, SHELL); in any case with this attempt's AWD_JOB_ID, AWD_ATTEMPT and AWD_CLAIM,
 * and nobody else's.
 * AW_ERR_SYSTEM, AW_ERR_NOT_PERMITTED, AW_ERR_NO_MEMORY: there is no process, and `err` says why;
 * pipes may be open. For what may come later see spawn_run().
 */
AW_MUSTCHECK enum aw_err launch(struct runner *runner, struct job *job,
                                const struct runner_start *start, int stdin_fd, struct spawned *ret,
                                struct aw_error *err);

#endif
