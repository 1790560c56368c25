/*
 * live.h - a job that has not ended, as it is held in memory.
 *
 * Small, as there may be a million: what to run stays in the store until it is claimed.
 *
 * Loop thread only.
 */
#ifndef AW_LIVE_H
#define AW_LIVE_H

#include <sys/queue.h>

#include "daemon/engine/numtable.h"
#include "proto/lifecycle.h"

#define LIVE_SHARE_BITS 24

/* One line of the processor's cache, and nothing beside it (pool.h). */
#define LIVE_SIZE 64

/* Fields are read by all, written by sched.c and queues.c, except as noted. */
struct live {
    struct numnode node; /* node.number: of the job */
    TAILQ_ENTRY(live) link;
    union {
        uint64_t claim; /* RUNNING: written by the engine */
        int64_t due_us; /* not RUNNING: when it may start, if it is SCHEDULED now or will be */
    };
    int64_t deadline_us;  /* when its time to wait is over; 0: never */
    uint32_t attempt;     /* attempts begun; written by the engine */
    uint32_t timer_index; /* its place in the heap; NO_TIMER: not there */
    uint8_t state;
    uint8_t flags; /* LIVE_*: written by the engine */
    int8_t priority;
    uint8_t busy;                     /* operations that hold it; see sched_set_busy() */
    unsigned share : LIVE_SHARE_BITS; /* the index of its share (shares.h): its user and queue */
    bool timed : 1;  /* may have a time on it some day: a place in the heap is kept for it */
    bool listed : 1; /* stands in a list of its queue */
    bool active : 1; /* holds a slot of its queue, or would if that had any of its own */
};

_Static_assert(sizeof(struct live) == LIVE_SIZE, "what a queued job takes");

enum {
    LIVE_CANCEL_REQUESTED = 1 << 0,
    LIVE_POLICY = 1 << 1,  /* its specification says what happens after a failure */
    LIVE_OVERALL = 1 << 2, /* deadline_us is the end of its time in all, not of that in the queue */
};

#define NO_TIMER UINT32_MAX

#endif
