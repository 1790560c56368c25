/*
 * sched.h - the jobs that have not ended, in memory: found by number, taken in order.
 *
 * Holds what is needed to decide what runs next, and nothing else: 64 bytes a job, and some 8 to
 * find it by its number. What to run stays in the store until it is claimed. No operation is slower
 * than O(log n), or than the number of queues that are open; none stalls to grow (the table of
 * numbers grows by one bucket at a time).
 *
 * Where a job is follows from its state: QUEUED jobs stand in a lane of their queue (queues.h);
 * RUNNING jobs in a list of their own; any job with a time on it (a start time while SCHEDULED, the
 * end of its time in the queue) is in the heap of timers. `busy` jobs are waiting for the store to
 * record a move: they keep their place in the list, but are passed over there, and have no timer,
 * so nobody can take them twice.
 *
 * A job is `active` from when it is taken until whoever runs it says that it has ended or gives it
 * back: so long it counts against the slots, or the limit, of its queue.
 *
 * Loop thread only.
 */
#ifndef AW_SCHED_H
#define AW_SCHED_H

#include "daemon/engine/embedded/queues.h"

struct sched;

struct sched *sched_new(void);
void sched_free(struct sched *s); /* and all jobs and queues in it */

/* The queues, of which there are none at first. */
struct queues *sched_queues(struct sched *s);

/*
 * Makes a job in one of the states that are not final, with all the memory that it will ever need,
 * so that nothing later can fail for want of it; `timed`: it may get times later, even if it has
 * none now. NULL: out of memory. Its queue must stay as long as the job. The job is the caller's
 * until sched_insert(), or sched_discard() if it comes to nothing.
 */
struct live *sched_make(struct sched *s, uint64_t number, enum aw_state state, struct queue *q,
                        uint32_t uid, int priority, int64_t due_us, int64_t deadline_us,
                        bool timed);
void sched_insert(struct sched *s, struct live *job);
void sched_discard(struct sched *s, struct live *job);

/*
 * Before a great many are inserted, the first of all: until sched_load_end(), which may be called
 * again, none is looked for or removed, and each takes less time.
 */
void sched_load_begin(struct sched *s);
void sched_load_end(struct sched *s);

struct live *sched_find(const struct sched *s, uint64_t number);

/* Takes a job out for good and frees it. */
void sched_remove(struct sched *s, struct live *job);

/* Moves a job by an event; false, and nothing changed, if the transition table forbids it. */
AW_MUSTCHECK bool sched_apply(struct sched *s, struct live *job, enum job_event event);

/*
 * Marks a job as waiting for the store (it can be neither taken nor time out), or not any more.
 * More than one operation may hold it, each once: it is busy until all have let go. A job that is
 * moved by the store's answer is moved first, and then let go.
 */
void sched_set_busy(struct sched *s, struct live *job, bool busy);

/* Sets the times of a timed job. */
void sched_set_times(struct sched *s, struct live *job, int64_t due_us, int64_t deadline_us);

/* Another priority: the job goes behind those that have it already. The same one: it stays. */
void sched_set_priority(struct sched *s, struct live *job, int priority);

/* Puts a QUEUED job before all others of its user and priority; and its user is next in turn. */
void sched_to_front(struct sched *s, struct live *job);

/* Takes a job that queues_next() gave: it is busy and active, and its queue has one start less. */
void sched_take(struct sched *s, struct live *job);
/* Nothing came of that: all is as it was before. */
void sched_untake(struct sched *s, struct live *job);

/* Whoever ran it says that it has ended, or gives it back; or not after all. */
void sched_set_active(struct sched *s, struct live *job, bool active);

/*
 * The job whose time comes first, and when (its start, or the end of its time in the queue);
 * NULL: none.
 */
struct live *sched_next_timer(const struct sched *s, int64_t *ret_at_us);

uint64_t sched_count(const struct sched *s, enum aw_state state);
uint64_t sched_total(const struct sched *s);

/* How many jobs, users and queues were looked at so far to find what is next. */
uint64_t sched_steps(const struct sched *s);

/* Calls fn for each running job; fn may not add or remove. */
void sched_each_running(const struct sched *s, void (*fn)(void *arg, struct live *job), void *arg);

#endif
