/*
 * launch.h - from a START message to a running process: arguments, environment, pipes.
 */
#ifndef AW_RUNNER_LAUNCH_H
#define AW_RUNNER_LAUNCH_H

#include "daemon/runner/runner.h"

/*
 * Spawns the job's program, with its output in pipes whose reading ends are job->out[].stream.fd
 * then. The environment is the given one, and where none is given a small one from the runner's
 * own (PATH, HOME, USER, LOGNAME, SHELL, LANG, TZ); in any case with this attempt's AWD_JOB_ID,
 * AWD_ATTEMPT and AWD_CLAIM, and nobody else's.
 * AW_ERR_SYSTEM, AW_ERR_NO_MEMORY: there is no process, and `err` says why; pipes may be open.
 */
AW_MUSTCHECK enum aw_err launch(struct runner *runner, struct job *job,
                                const struct runner_start *start, int stdin_fd, pid_t *ret_pid,
                                struct aw_error *err);

#endif
