/*
 * awctl_daemon.h - a fake daemon with a set, its jobs and a queue, for tests of awctl's commands.
 */
#ifndef AW_AWCTL_DAEMON_H
#define AW_AWCTL_DAEMON_H

#include "tests/unit/fake_daemon.h"

/*
 * A daemon with one set, "wanted", of jobs 1 to n_members. The first n_ended have ended, in this
 * order: every third (2, 5, ...) failed with exit code 3, the others succeeded; the rest runs.
 * 7 waits in a queue, 8 has ended; the queue "slow" takes no new jobs.
 */
struct daemon {
    uint64_t n_members, n_ended;
    bool closed;
    bool parks;      /* reads that find nothing are not answered */
    uint64_t page;   /* most completions in a reply */
    uint64_t cursor; /* moved by acknowledgements */
    char consumer[64];
    bool cancelled;
    unsigned n_statuses; /* requests of this kind */
    struct queue_set_req queue;
};

/* A fake_handler; `daemon` is its struct, which lives as long as the fake. */
void daemon_serve(struct fake_request *rq, void *daemon);

#endif
