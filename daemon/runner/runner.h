/*
 * runner.h - aw-runner: spawns jobs, takes their output, ends them, and keeps how they ended.
 *
 *      peer <--- runner_wire.h ---> awd
 *       |  ^
 *       |  | tells                      spawn    starts the program
 *       v  |                            output   pipes, memory, spool files
 *       |                               identity as whom
 *       |                               cgroup   where, and with how much
 *     supervise ----------------------> tree     what a job left behind; whole-tree signals
 *       |                               clean    the same for jobs of a runner that is dead
 *       v
 *     jobs (job.h: states and tables)
 *
 * One process, one thread, one struct. Signals are blocked for good and come by a signalfd, so
 * that no handler exists and a child has nothing to undo. The runner never waits for anything but
 * its loop, with three exceptions: a spawn as its own user (until the program is loaded), looking
 * up a user for one as another, and writes to spool files.
 *
 * It goes on without awd: records of ended attempts are kept, in memory, until awd has
 * acknowledged them. It ends by itself when it holds nothing and nobody wants it.
 */
#ifndef AW_RUNNER_H
#define AW_RUNNER_H

#include "daemon/runner/cgroup.h"
#include "daemon/runner/clean.h"
#include "daemon/runner/identity.h"
#include "daemon/runner/job.h"
#include "daemon/runner/peer.h"
#include "daemon/runner/reactor.h"
#include "daemon/runner/tree.h"

#define RUNNER_MAX_UIDS 8

struct runner_config {
    int listen_fd;
    const char *spool_dir;
    const char *cgroup; /* cgroup_home_open() */
    int64_t idle_us;    /* how long it stays, with nothing to do, when nobody is connected */
    uid_t allow_uids[RUNNER_MAX_UIDS]; /* who may connect besides root and its own user */
    size_t n_allow_uids;
    struct identity_config identity;
};

struct runner {
    struct runner_config config;
    struct reactor reactor;
    struct source signals;
    struct jobs jobs;
    struct tree tree;
    struct cgroups cgroups;
    struct peer peer;
    struct cleaner cleaner;
    struct spool spool;
    struct identities identities;
    int null_fd;
    struct rlimit nofile;   /* the limit on open files that jobs get; the runner's own is higher */
    int niceness;           /* our own, and of jobs that want no other */
    int64_t next_due_us;    /* no job is due before that */
    int64_t settle_due_us;  /* when to look again what ended jobs have left; INT64_MAX: no need */
    bool children_ended;    /* a SIGCHLD has come */
    bool tree_known;        /* in this turn of the loop orphans have been looked for */
    bool going_down;        /* a SIGTERM has come */
    int64_t down_due_us;    /* going down: when to stop waiting for acknowledgements */
    int64_t alone_since_us; /* since when nobody is connected */
    bool released;          /* the last one who was said that it would not come back */
};

/*
 * Takes the listening socket over, in any outcome. AW_ERR_SYSTEM and a sentence when something
 * that it cannot do without is not to be had.
 */
AW_MUSTCHECK enum aw_err runner_open(const struct runner_config *config, struct runner *ret,
                                     struct aw_error *err);
/* Returns when the runner is to end. */
void runner_run(struct runner *runner);
void runner_close(struct runner *runner);

#endif
