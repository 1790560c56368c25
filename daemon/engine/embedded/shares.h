/*
 * shares.h - what each user has in each queue: the lines that jobs wait in, and who runs how many.
 *
 * A share is one user's part of one queue. It has a lane for each priority, in which the user's
 * QUEUED jobs stand, first come first served. Between lanes of the same queue and priority it is
 * the number of running jobs that decides (queues.c). A share is there as long as a job of its
 * user names its queue, so that nothing that happens to such a job can fail for want of memory;
 * about a kilobyte each. It holds its user's account.
 *
 * A job holds its share by a small index. All is found in O(1).
 *
 * Loop thread only.
 */
#ifndef AW_SHARES_H
#define AW_SHARES_H

#include "daemon/engine/embedded/accounts.h"
#include "daemon/engine/embedded/live.h"
#include "proto/limits.h"

#define N_PRIORITIES (AW_MAX_PRIORITY - AW_MIN_PRIORITY + 1)

struct queue;
struct share;

TAILQ_HEAD(live_list, live);

/* One user's jobs of one priority in one queue. Written by queues.c. */
struct lane {
    struct live_list jobs;
    struct live *first; /* all before this one are busy; NULL: all are */
    uint64_t n;         /* that are not busy */
    struct share *share;
    TAILQ_ENTRY(lane) turn; /* among those of its queue and priority, if n is not 0 */
};

TAILQ_HEAD(lane_list, lane);

struct share {
    struct numnode node; /* private */
    uint32_t index;
    struct queue *queue;
    struct account *account;
    LIST_ENTRY(share) of_queue;
    uint64_t n_jobs;   /* that hold it */
    uint64_t n_active; /* of those: hold a slot, or would if the queue had any of its own */
    struct lane lanes[N_PRIORITIES]; /* [0] is the most urgent */
};

LIST_HEAD(share_list, share);

struct shares {
    struct numtable table; /* of shares, by user and queue */
    struct accounts accounts;
    struct share **by_index; /* those that are free: NULL */
    uint32_t n, cap;         /* used up to; room */
    uint32_t *free;          /* indices below n that are free; as much room as by_index */
    uint32_t n_free;
};

AW_MUSTCHECK bool shares_init(struct shares *s); /* false: out of memory */
/* Frees all of them; their jobs are their owners'. Harmless on a zeroed one. */
void shares_done(struct shares *s);

/* The share, made if it is not there, with one job more. NULL: out of memory, or too many. */
struct share *shares_hold(struct shares *s, struct queue *q, uint32_t uid);
/* One job less; without any it goes. */
void shares_release(struct shares *s, struct share *share);

static inline struct share *shares_of(const struct shares *s, const struct live *job)
{
    return s->by_index[job->share];
}

static inline uint32_t share_uid(const struct share *share)
{
    return account_uid(share->account);
}

#endif
