/*
 * watches.h - who wants to know when something happens to a job.
 *
 * A watch is a member of its owner's struct and costs no allocation of its own beyond one small
 * node for each job that is watched at all. What happens comes from server.c; a watch that is
 * called back may be removed, and others added, from inside the callback.
 *
 * Loop thread only.
 */
#ifndef AW_WATCHES_H
#define AW_WATCHES_H

#include <sys/queue.h>

#include "proto/base.h"

enum watch_event {
    WATCH_STARTED,       /* an attempt has begun */
    WATCH_GROWN,         /* its output has grown */
    WATCH_ATTEMPT_ENDED, /* an attempt has ended, durably; if it was the last, WATCH_ENDED came
                            before */
    WATCH_ENDED,         /* the job has reached its final state, durably */
};

struct watch;
struct watched;
typedef void (*watch_fn)(struct watch *w, enum watch_event event);

struct watch {
    TAILQ_ENTRY(watch) entry;
    struct watched *watched; /* NULL: not registered */
    watch_fn fn;
};

struct watches;

struct watches *watches_new(void); /* NULL: out of memory */
void watches_free(struct watches *ws);

/* False: out of memory. */
AW_MUSTCHECK bool watch_add(struct watches *ws, struct watch *w, uint64_t number, watch_fn fn);

/* Harmless on one that is not registered. */
void watch_remove(struct watches *ws, struct watch *w);

void watches_notify(struct watches *ws, uint64_t number, enum watch_event event);

#endif
