/*
 * exec.h - the worker for jobs of type exec: gives them to aw-runner, and takes back how they end.
 *
 * The runner outlives us. After a restart, adopt() every attempt that the engine says is running,
 * then call worker_exec_adopted_all(): only then does the worker connect, so that it knows what to
 * make of everything that the runner holds. Attempts started before are queued.
 *
 *  - The runner knows the attempt (it runs, or has ended): it goes on, or ends, as if we had
 *    started it.
 *  - The runner does not know it, but has been there since before the attempt was claimed: it never
 *    began, and is started now. Nothing is lost by a crash of awd alone.
 *  - Else it died with its runner: once the (new) runner has seen to it that nothing of it runs
 *    any more, ended() says AW_CLASS_INTERRUPTED.
 *  - What the runner holds and nobody adopted is stopped, and its record let go.
 *
 * The last two also hold when the runner dies while we run; it is started again at once.
 */
#ifndef AW_EXEC_H
#define AW_EXEC_H

#include <sys/types.h>

#include "daemon/workers/worker.h"

struct exec_config {
    const char *socket_path; /* where the runner listens */
    const char
        *runner_path;      /* the program to start if nobody does; NULL: somebody else starts it */
    const char *spool_dir; /* for the runner that we start */
    bool root_jobs;        /* the same: root's jobs run as root */
};

/* `config` is copied. NULL: out of memory. */
struct worker *worker_exec_new(struct event_base *base, const struct exec_config *config,
                               const struct worker_host *host, void *arg);

/* adopt() has been called for everything that was running: connect. */
void worker_exec_adopted_all(struct worker *w);

/* The runner's process; 0: none is connected. */
pid_t worker_exec_runner_pid(const struct worker *w);

/*
 * Tells the runner that awd goes down and will not come back soon: it may end as soon as it has
 * nothing to do. The last call before free(); without it, the runner stays for a minute.
 */
void worker_exec_release(struct worker *w);

#endif
