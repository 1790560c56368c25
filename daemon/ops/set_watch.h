/*
 * set_watch.h - a request that is parked until something happens to a set: what wait and set-read
 * have in common.
 *
 *     parked_set_init --> (engine: the set as it is) --> parked_set_watch --> changed, over, gone
 *
 * Embedded first in the operation's own struct, which is freed by free() when its request is over.
 * The engine's answers come in the order of its events: who watches from inside the answer that
 * told the state of the set misses nothing.
 */
#ifndef AW_OPS_SET_WATCH_H
#define AW_OPS_SET_WATCH_H

#include <event2/event_struct.h>

#include "daemon/dispatch.h"

struct parked_set {
    struct watch watch; /* first */
    struct exchange *x; /* if its client goes: dropped when the engine has answered */
    struct event timer;
    bool timed;   /* the timer was set up */
    bool reading; /* the engine is to answer */
    bool over;    /* the time is */
    void (*changed)(struct parked_set *p, const struct set_info *set);
    void (*timeout)(struct parked_set *p); /* the time is over, and nothing is being read */
};

/*
 * Parks the exchange: its args are gone after this. timeout_ms 0: `over` from the start. The two
 * callbacks are set.
 */
void parked_set_init(struct parked_set *p, struct exchange *x, int64_t timeout_ms);

/*
 * At the beginning of each answer of the engine: false when the client is gone, and with it *p.
 */
AW_MUSTCHECK bool parked_set_back(struct parked_set *p);

/* From now on changed() is called; the set's jobs are wanted. False: out of memory. */
AW_MUSTCHECK bool parked_set_watch(struct parked_set *p, uint64_t set);

/* The request is over: answers (rep), or fails (err), and frees *p. */
void parked_set_reply(struct parked_set *p, const void *rep);
void parked_set_fail(struct parked_set *p, const struct aw_error *err);

#endif
