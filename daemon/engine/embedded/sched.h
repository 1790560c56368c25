/*
 * sched.h - the jobs that have not ended, in memory: found by number, taken in order.
 *
 * Holds what is needed to decide what runs next, and nothing else: about 90 bytes a job. What to
 * run stays in the store until it is claimed. No operation is slower than O(log n), none stalls
 * to grow (the table of numbers grows by one bucket at a time).
 *
 * Where a job is follows from its state: QUEUED jobs stand in the list of their priority, first
 * come first served; RUNNING jobs are in no list; any job with a time on it (a start time while
 * SCHEDULED, the end of its time in the queue) is in the heap of timers. `busy` jobs are waiting
 * for the store to record a move and are in neither, so nobody can take them twice.
 *
 * Loop thread only.
 */
#ifndef AW_SCHED_H
#define AW_SCHED_H

#include <sys/queue.h>

#include "daemon/engine/numtable.h"
#include "proto/lifecycle.h"
#include "proto/limits.h"

/* A job that has not ended. Fields are read by all, written by sched.c, except as noted. */
struct live {
    struct numnode node; /* node.number: of the job */
    TAILQ_ENTRY(live) link;
    uint64_t claim;       /* RUNNING: written by the engine */
    int64_t due_us;       /* SCHEDULED: when it may start */
    int64_t deadline_us;  /* when its time to wait is over; 0: never */
    uint32_t attempt;     /* attempts begun; written by the engine */
    uint32_t timer_index; /* its place in the heap; NO_TIMER: not there */
    uint8_t state;
    uint8_t flags; /* LIVE_*: written by the engine */
    int8_t priority;
    uint8_t busy; /* operations that hold it; see sched_set_busy() */
    bool timed;  /* may have a time on it some day: a place in the heap is kept for it */
    bool listed; /* stands in the list of its priority */
};

enum {
    LIVE_CANCEL_REQUESTED = 1 << 0,
    LIVE_POLICY = 1 << 1,  /* its specification says what happens after a failure */
    LIVE_OVERALL = 1 << 2, /* deadline_us is the end of its time in all, not of that in the queue */
};

#define NO_TIMER UINT32_MAX

struct sched;

struct sched *sched_new(void);
void sched_free(struct sched *s); /* and all jobs in it */

/*
 * Makes a job in one of the states that are not final, with all the memory that it will ever need,
 * so that nothing later can fail for want of it; `timed`: it may get times later, even if it has
 * none now. NULL: out of memory. The job is the caller's
 * until sched_insert(), or sched_discard() if it comes to nothing.
 */
struct live *sched_make(struct sched *s, uint64_t number, enum aw_state state, int priority,
                        int64_t due_us, int64_t deadline_us, bool timed);
void sched_insert(struct sched *s, struct live *job);
void sched_discard(struct sched *s, struct live *job);

struct live *sched_find(const struct sched *s, uint64_t number);

/* Takes a job out for good and frees it. */
void sched_remove(struct sched *s, struct live *job);

/* Moves a job by an event; false, and nothing changed, if the transition table forbids it. */
AW_MUSTCHECK bool sched_apply(struct sched *s, struct live *job, enum job_event event);

/*
 * Marks a job as waiting for the store (it can be neither taken nor time out), or not any more.
 * More than one operation may hold it, each once: it is busy until all have let go.
 */
void sched_set_busy(struct sched *s, struct live *job, bool busy);

/* Sets the times of a timed job that is busy or RUNNING, for when it waits again. */
void sched_set_times(struct live *job, int64_t due_us, int64_t deadline_us);

/* Puts a QUEUED job before all others of its priority. */
void sched_to_front(struct sched *s, struct live *job);

/* The job to run next; NULL: none. It stays where it is until it is made busy or moved. */
struct live *sched_next(const struct sched *s);

/*
 * The job whose time comes first, and when (its start, or the end of its time in the queue);
 * NULL: none.
 */
struct live *sched_next_timer(const struct sched *s, int64_t *ret_at_us);

uint64_t sched_count(const struct sched *s, enum aw_state state);
uint64_t sched_total(const struct sched *s);

/* Calls fn for each running job; fn may not add or remove. */
void sched_each_running(const struct sched *s, void (*fn)(void *arg, struct live *job), void *arg);

#endif
