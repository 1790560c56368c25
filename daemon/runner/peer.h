/*
 * peer.h - the connection to awd.
 *
 * One peer at a time: a new one, if it may connect at all, takes the place of the one before. The
 * runner listens to nothing else from it before its HELLO; after that it tells all it holds
 * (RUNNING, EXITED), then READY, and goes on with what happens.
 *
 * What is to be told is not kept as a queue of messages but as flags on the jobs (job->tell), and
 * a message is made when the socket has room. So a peer that does not read costs one packet, and
 * nothing is lost when it goes away: the next one is told everything anew.
 */
#ifndef AW_RUNNER_PEER_H
#define AW_RUNNER_PEER_H

#include "daemon/runner/job.h"

struct runner;

struct peer {
    struct source listener;
    struct source source; /* fd -1: nobody is connected */
    pid_t pid;            /* 0: nobody, or not known */
    bool greeted;         /* HELLO has come */
    bool welcome_due, ready_due;
    struct job_list tell;
    uint64_t instance;
    int64_t started_us;
    struct runner_packet out; /* made, and not sent yet */
    struct runner *runner;
};

/* Begins to listen. AW_ERR_SYSTEM. */
AW_MUSTCHECK enum aw_err peer_open(struct runner *runner, int listen_fd, struct aw_error *err);
void peer_close(struct runner *runner);

static inline bool peer_connected(const struct peer *peer)
{
    return peer->source.fd >= 0;
}

/* There is something to tell of this job: TELL_ flags. */
void peer_tell(struct runner *runner, struct job *job, unsigned what);

/* Sends what there is to say, as far as it can be sent now. Once at the end of a loop's turn. */
void peer_flush(struct runner *runner);

#endif
