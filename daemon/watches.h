/*
 * watches.h - who wants to know when something happens to a job, or to a set.
 *
 * One `struct watches` is for things of one kind, known by number: jobs, or sets. A watch is a
 * member of its owner's struct and costs no allocation of its own beyond one small node for each
 * thing that is watched at all. What happens comes from server.c and running.c; a watch that is
 * called back may be removed, and others added, from inside the callback.
 *
 * A watch also keeps what it watches wanted, once its owner has found that whoever asks may see
 * that: watch_hold(). When the last such watch of a thing goes, watches_idle_fn says so; leases.h
 * is who listens.
 *
 * Loop thread only.
 */
#ifndef AW_WATCHES_H
#define AW_WATCHES_H

#include <sys/queue.h>

#include "proto/base.h"

struct set_info;

enum watch_event {
    WATCH_STARTED,       /* an attempt has begun */
    WATCH_GROWN,         /* its output has grown */
    WATCH_ENDING,        /* an attempt has ended, and the engine has been told */
    WATCH_ATTEMPT_ENDED, /* an attempt has ended, durably; if it was the last, WATCH_ENDED came
                            before */
    WATCH_ENDED,         /* the job has reached its final state, durably */
    WATCH_SET,           /* the set has members that it had not, is closed, or a member has ended */
    WATCH_SET_GONE,      /* the set is no more */
};

/* What happened, and as far as the event has them, its particulars. Valid during the call only. */
struct watch_news {
    enum watch_event event;
    enum aw_state state;        /* WATCH_ENDED: the final state */
    const struct set_info *set; /* WATCH_SET: as it is now; else NULL */
};

struct watch;
struct watched;
typedef void (*watch_fn)(struct watch *w, const struct watch_news *news);

struct watch {
    TAILQ_ENTRY(watch) entry;
    struct watched *watched; /* NULL: not registered */
    watch_fn fn;
    bool holds;
};

struct watches;

struct watches *watches_new(void); /* NULL: out of memory */
void watches_free(struct watches *ws);

/* The last watch that held `number` has gone. */
typedef void (*watches_idle_fn)(void *arg, uint64_t number);
void watches_on_idle(struct watches *ws, watches_idle_fn fn, void *arg);

/* False: out of memory. */
AW_MUSTCHECK bool watch_add(struct watches *ws, struct watch *w, uint64_t number, watch_fn fn);

/* Keeps what a registered watch watches wanted, until it is removed. */
void watch_hold(struct watch *w);

/* Harmless on one that is not registered. */
void watch_remove(struct watches *ws, struct watch *w);

/* Whether a watch holds that number. */
bool watches_held(const struct watches *ws, uint64_t number);

/* Whether there is any watch at all. */
bool watches_any(const struct watches *ws);

/* Something happened to that number; watches_notify() is for events without particulars. */
void watches_tell(struct watches *ws, uint64_t number, const struct watch_news *news);
void watches_notify(struct watches *ws, uint64_t number, enum watch_event event);

#endif
