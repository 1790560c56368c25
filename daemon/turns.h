/*
 * turns.h - how long the event loop was away from its events, and what it did.
 *
 * A turn lasts from the return of the loop's poll to the next poll: all that has become ready
 * meanwhile waits for it, so the longest turn is the longest that the daemon lets anybody wait.
 * (What libevent calls at once, event_active() from within a callback, belongs to the same turn; a
 * timer belongs to a later one.) libevent 2.1 has no hook around its poll. Therefore epoll_wait.c,
 * a part of the daemon's program, stands in for the C library's epoll_wait() and says here when it
 * is called and when it returns: two looks at the clock for a turn.
 *
 * A turn of SLOW_US or more is told in the log, with what was counted in it: at level debug, or as
 * a warning from VERY_SLOW_US on; of each kind one line a second at most.
 *
 * One thread's turns are measured: that of the thread which called turns_measure(). Calls on other
 * threads do nothing.
 */
#ifndef AW_TURNS_H
#define AW_TURNS_H

#include "proto/messages.h"

#define SLOW_US      5000
#define VERY_SLOW_US 100000

/* What a turn may have done, to be told when it was a slow one. */
enum turn_work {
    TURN_ANSWER, /* a request was answered */
    TURN_END,    /* a job has ended */
    TURN_SET,    /* a set has changed */
    N_TURN_WORK
};

/* From now on; all that was measured before is forgotten. */
void turns_measure(void);

/* For epoll_wait.c: the loop is about to poll, and has polled. */
void turns_end(void);
void turns_begin(void);

void turns_note(enum turn_work what);
void turns_note_request(enum op op);

/* How long they took; the one that is under way is not among them. Measuring thread. */
void turns_read(struct latency *ret);

#endif
