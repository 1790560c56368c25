/*
 * runner_link.h - the connection to aw-runner: starts it, finds it again, moves messages.
 *
 * It is either down, or welcomed: connected, HELLO and WELCOME exchanged. When it goes down, for
 * whatever reason, it comes up again by itself, with a runner that may be the same or another
 * (runner_welcome.instance). Nothing that was on its way is kept: the owner asks anew.
 *
 * Tries come after pauses that double each time, up to half a minute, less up to a half of each at
 * random. A runner that had lived for two seconds is replaced without one, and begins the row anew.
 *
 * Sending is by pulling: after runner_link_kick(), at the end of the loop's turn, the link asks
 * for packets until there is none. So all that happened in one turn goes out in one packet.
 *
 * Loop thread only; callbacks come from the loop, never from inside a call.
 */
#ifndef AW_RUNNER_LINK_H
#define AW_RUNNER_LINK_H

#include "daemon/workers/exec.h"
#include "proto/runner_wire.h"

struct event_base;
struct runner_link;

struct runner_link_out {
    struct runner_packet packet;
    int fds[RUNNER_MAX_FDS]; /* stay the owner's; must live until the packet is sent, or down() */
    size_t n_fds;
};

struct runner_link_owner {
    void (*up)(void *arg, const struct runner_welcome *welcome);
    void (*down)(void *arg);
    /* Any other message. It is valid during the call only. */
    void (*message)(void *arg, const struct runner_msg *msg);
    /* Fills an empty packet; leaves it empty when there is nothing to send. */
    void (*fill)(void *arg, struct runner_link_out *out);
};

/* NULL: out of memory. */
struct runner_link *runner_link_new(struct event_base *base, const struct exec_config *config,
                                    const struct runner_link_owner *owner, void *arg);

/* Sends what can be sent at once, and closes. A runner that we started goes on. */
void runner_link_free(struct runner_link *link);

/* Begins to connect. */
void runner_link_open(struct runner_link *link);

/* There is something to send. */
void runner_link_kick(struct runner_link *link);

/* Sends what there is to send, and then RELEASE. */
void runner_link_release(struct runner_link *link);

/* 0: it is down. */
pid_t runner_link_pid(const struct runner_link *link);

#endif
