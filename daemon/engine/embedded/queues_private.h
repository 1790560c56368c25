/*
 * queues_private.h - what the files of queues.h share: queues.c (jobs in line, and who is next) and
 * queues_ahead.c (what is ahead of a job).
 */
#ifndef AW_QUEUES_PRIVATE_H
#define AW_QUEUES_PRIVATE_H

#include "daemon/engine/embedded/queues.h"

/* Of its share's lanes, and of its queue's ready[]. */
static inline size_t lane_index(const struct live *job)
{
    return (size_t)(AW_MAX_PRIORITY - job->priority);
}

static inline struct lane *lane_of(const struct queues *qs, const struct live *job)
{
    return &shares_of(&qs->shares, job)->lanes[lane_index(job)];
}

/* The first job from here on, in its lane, that is not busy. */
static inline struct live *lane_next_ready(struct queues *qs, struct live *job)
{
    for (qs->steps++; job && job->busy; qs->steps++)
        job = TAILQ_NEXT(job, link);
    return job;
}

/* How many of the slots that a lane's jobs wait for its user has. */
static inline uint64_t lane_load(const struct lane *lane)
{
    const struct queue_settings *set = &lane->share->queue->set;

    return set->slots || set->limit ? lane->share->n_active : lane->share->account->n_on_shared;
}

/* The first job of a queue. */
struct candidate {
    const struct queue *q;
    struct live *job;
    uint64_t load; /* of its user, on the daemon's slots; means nothing if q has slots of its own */
};

/* Which of two queues is next. */
static inline bool candidate_precedes(const struct candidate *a, const struct candidate *b)
{
    if (a->q->set.priority != b->q->set.priority)
        return a->q->set.priority > b->q->set.priority;
    if (a->job->priority != b->job->priority)
        return a->job->priority > b->job->priority;
    if (a->load != b->load && !a->q->set.slots && !b->q->set.slots)
        return a->load < b->load;
    return a->job->node.number < b->job->node.number;
}

#endif
