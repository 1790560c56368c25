/*
 * queues.h - the named queues: which jobs wait in each, in what order, and which may start now.
 *
 * QUEUED jobs stand in the lane of their user and priority (shares.h), first come first served. One
 * that is busy (the store is about to record a move of it) keeps its place but is passed over, so
 * that it is still there if the move is refused.
 *
 * A queue is open if a job of it could start now: one is ready, the queue is not paused, it has
 * room, and its rate allows a start. Only open queues are looked at to find the next job, so that
 * a paused or busy one costs nothing and keeps nobody waiting. The order is: the
 * queue's priority, the job's own; then between users, who has fewer jobs running (in this queue,
 * if it has slots or a limit of its own, else on the daemon's slots), and those that are equal take
 * turns; a user's own jobs come in the order of their lane. Between queues, the same, and at last
 * the smaller number of the jobs in front.
 *
 *   slots > 0   it has slots of its own: as many of its jobs at once, whatever others do.
 *   slots 0     it shares the daemon's; no more than `limit` at once, if that is not 0.
 *
 * The rate is kept by virtual scheduling (the generic cell rate algorithm, ITU-T I.371): up to
 * `rate` starts at once after a quiet time, and in the long run `rate` in each period of rate_ms.
 * A period that has both a quiet time's starts and those that follow may see up to twice as many.
 * It is not kept on disk: after a restart a queue begins as if it had been quiet.
 *
 * Nothing here is slower than the number of open queues, or of those that wait for their rate, or
 * than the number of slots: of the users who wait, one without a running job is as good as any.
 *
 * Loop thread only.
 */
#ifndef AW_QUEUES_H
#define AW_QUEUES_H

#include "daemon/engine/embedded/shares.h"
#include "proto/job_limits.h"

/* The lanes of one priority. */
struct ready {
    struct lane_list turns; /* those with a job that is not busy; whose turn is next comes first */
    uint64_t n;             /* jobs that are not busy */
};

struct queue_settings {
    unsigned slots, limit;
    int priority;
    bool paused, draining;
    uint64_t rate, rate_ms;
    struct limits limits; /* of each of its jobs; no matter of which may start */
};

/* Read by all, written by queues.c, except as noted. */
struct queue {
    int id; /* on disk; no other queue ever has the same */
    char name[AW_MAX_QUEUE_NAME + 1];
    struct queue_settings set;
    uint8_t index;
    unsigned leaving; /* calls that are removing it: it takes no jobs; written by the engine */

    struct share_list shares; /* of the users who have jobs in it */
    uint64_t n_jobs;          /* all that name it, those that are only being made included */
    uint64_t n_by_state[N_JOB_STATES];
    uint64_t n_active; /* jobs that were taken, and were not given back nor have ended */

    struct ready ready[N_PRIORITIES]; /* [0] is the most urgent */
    uint32_t ready_mask;              /* bit i: ready[i].n is not 0 */
    uint64_t n_ready;                 /* the sum of all ready[].n */
    int64_t interval_ns, burst_ns;    /* between two starts; how much earlier one may come */
    int64_t arrival_ns;               /* when the next start would be due if they were even */
    enum { QUEUE_CLOSED, QUEUE_OPEN, QUEUE_THROTTLED } where;
    LIST_ENTRY(queue) link; /* OPEN, THROTTLED */
};

LIST_HEAD(queue_list, queue);

struct queues {
    struct queue *by_index[AW_MAX_QUEUES]; /* NULL: free */
    size_t n, n_indices; /* queues; all indices that are not free are below n_indices */
    struct shares shares;
    struct queue_list open;
    struct queue_list throttled; /* those that only wait for their rate */
    int64_t now_us;              /* as told last */
    int64_t token_us;            /* when the first of the throttled opens; 0: there is none */
    bool token_stale;            /* that is to be found anew */
    uint64_t steps;              /* jobs, lanes and queues that were looked at so far */
};

AW_MUSTCHECK bool queues_init(struct queues *qs); /* false: out of memory */
/* Frees the queues; their jobs are their owners'. Harmless on a zeroed one. */
void queues_done(struct queues *qs);

/* A queue that is in no list yet. NULL: out of memory. queue_free() takes NULL. */
struct queue *queue_make(int id, const char *name, const struct queue_settings *set);
void queue_free(struct queue *q);

/* Takes the queue over. False: AW_MAX_QUEUES are there. */
AW_MUSTCHECK bool queues_insert(struct queues *qs, struct queue *q);
/* Takes a queue without jobs (n_jobs) out and frees it. */
void queues_remove(struct queues *qs, struct queue *q);

/* NULL: there is none. Queues are few: these look through all, the default queue first. */
struct queue *queues_find(const struct queues *qs, struct bytes name);
struct queue *queues_find_id(const struct queues *qs, int id);
static inline struct queue *queues_of(const struct queues *qs, const struct live *job)
{
    return shares_of(&qs->shares, job)->queue;
}

/* New settings. Jobs that run go on, also those that are too many now. */
void queues_set(struct queues *qs, struct queue *q, const struct queue_settings *set);

/* Tells the time, in microseconds since 1970: some queues may open. It may go backwards. */
void queues_tick(struct queues *qs, int64_t now_us);
/* When queues_tick() is wanted; 0: never. */
int64_t queues_next_tick(struct queues *qs);
/* When the rate allows the next start; it may have been long ago. */
int64_t queue_token_us(const struct queue *q);

/* One job more, of that user. Its share is held until it is released. False: out of memory. */
AW_MUSTCHECK bool queues_hold(struct queues *qs, struct live *job, struct queue *q, uint32_t uid);
void queues_release(struct queues *qs, struct live *job);

/* A QUEUED job into the lane of its priority, at its end; and out. */
void queues_link(struct queues *qs, struct live *job);
void queues_unlink(struct queues *qs, struct live *job);
/* Before all of its user and priority; and its user's turn is next. */
void queues_to_front(struct queues *qs, struct live *job);
/* A job of its user was taken: the others of its queue and priority are next. */
void queues_took(struct queues *qs, const struct live *job);
/* One more operation holds a job, which may stand in a list, or one less. It keeps its place. */
void queues_set_busy(struct queues *qs, struct live *job, bool busy);

/* Counts a job among those that hold a slot, or not any more. Nothing happens if it is so. */
void queues_set_active(struct queues *qs, struct live *job, bool active);

/* A job is started: uses what the rate allows; or it was not after all. */
void queues_spend(struct queues *qs, struct queue *q);
void queues_refund(struct queues *qs, struct queue *q);

static inline bool queues_any_open(const struct queues *qs)
{
    return !LIST_EMPTY(&qs->open);
}

/* Whether there is room in a queue for another start, slots or its limit being what counts. */
bool queue_has_room(const struct queue *q);

/*
 * The job to start next; NULL: none. `shared`: one of the daemon's slots is free; otherwise only
 * queues with slots of their own are asked.
 */
struct live *queues_next(struct queues *qs, bool shared);

/* No more jobs than this could start now, if that many of the daemon's slots are free. */
size_t queues_startable(const struct queues *qs, size_t shared);

/*
 * What stands before a QUEUED job. Of its own user this is exact; of others it is what comes first
 * if all users go on taking turns, and their jobs run for as long.
 */
struct queue_ahead {
    uint64_t n; /* jobs that are ready, and come first for the slots that this one waits for */
    bool more;  /* there are more than n: counting ended there */
    uint64_t first[AW_MAX_EXPLAINED]; /* numbers of those that come first of all */
    size_t n_first;
};

/*
 * Counts what is ahead of a job, among the queues that are not paused and want the same slots. The
 * jobs of its own lane have to be walked through, 10,000 of them at most.
 */
void queues_ahead(struct queues *qs, const struct live *job, struct queue_ahead *ret);

#endif
