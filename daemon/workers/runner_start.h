/*
 * runner_start.h - a connection to aw-runner, from nothing: connects, and starts it if need be.
 *
 * Where nobody listens and the runner is ours to start, we make the socket, listen on it, and give
 * it to the new runner as descriptor 3. So connecting works at once, and there is no moment in
 * which two runners could want the same path: whoever starts one holds awd's lock.
 *
 * The runner is made by posix_spawn() (awd has threads), in a session of its own, with clean
 * signals and no descriptors but its own. Its end is watched by a pidfd, logged, and reaped; while
 * awd is away, init does that.
 *
 * Loop thread only.
 */
#ifndef AW_RUNNER_START_H
#define AW_RUNNER_START_H

#include "daemon/workers/exec.h"

struct event_base;
struct runner_starter;

/* NULL: out of memory. */
struct runner_starter *runner_starter_new(struct event_base *base,
                                          const struct exec_config *config);
void runner_starter_free(struct runner_starter *starter);

/*
 * A connected, non-blocking socket, which is the caller's. AW_ERR_UNREACHABLE: nobody listens, and
 * it is not ours to start one. AW_ERR_NOT_PERMITTED: who listens is neither root nor our own user.
 * AW_ERR_SYSTEM: it cannot be started. Does not block.
 */
AW_MUSTCHECK enum aw_err runner_starter_connect(struct runner_starter *starter, int *ret_sock,
                                                struct aw_error *err);

#endif
