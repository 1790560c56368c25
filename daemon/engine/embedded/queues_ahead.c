/* What stands before a job in line: how much, and what of it is first. */
#include "daemon/engine/embedded/queues_private.h"

#define WALK_MAX  10000
#define LANES_MAX 1000 /* users that are looked at for each of the jobs that are named */

static bool competes(const struct queue *q, const struct queue *own)
{
    if (q == own)
        return true;
    return q && q->where == QUEUE_OPEN && !q->set.slots && !own->set.slots;
}

/* What would have been started so far, if slots became free one after the other. */
struct started {
    struct {
        const struct lane *lane;
        struct live *job;
    } v[AW_MAX_EXPLAINED];
    size_t n;
};

/* The lane's next job after those; *ret_got: how many of them are its user's. */
static struct live *lane_after(struct queues *qs, const struct lane *lane,
                               const struct started *started, uint64_t *ret_got)
{
    struct live *job = lane->first;

    *ret_got = 0;
    for (size_t i = 0; i < started->n; i++) {
        *ret_got += started->v[i].lane->share->account == lane->share->account;
        if (started->v[i].lane == lane)
            job = TAILQ_NEXT(started->v[i].job, link);
    }
    return lane_next_ready(qs, job);
}

/* What would be next of one queue. NULL: nothing. */
static const struct lane *queue_after(struct queues *qs, const struct queue *q,
                                      const struct started *started, struct candidate *ret)
{
    const struct lane *lane, *best = NULL;
    size_t walk = LANES_MAX;

    for (size_t i = 0; i < N_PRIORITIES && !best; i++) {
        uint64_t least = UINT64_MAX;

        TAILQ_FOREACH (lane, &q->ready[i].turns, turn) {
            uint64_t got;
            struct live *job = lane_after(qs, lane, started, &got);

            if (walk-- == 0)
                return best;
            if (!job || lane_load(lane) + got >= least)
                continue;
            best = lane;
            least = lane_load(lane) + got;
            *ret = (struct candidate){q, job, lane->share->account->n_on_shared + got};
        }
    }
    return best;
}

/* The first `max` that would be started. */
static void first_of(struct queues *qs, const struct queue *own, size_t max,
                     struct queue_ahead *ret)
{
    struct started started = {.n = 0};

    while (ret->n_first < max) {
        const struct lane *from = NULL;
        struct candidate best = {0};

        for (size_t i = 0; i < qs->n_indices; i++) {
            struct candidate c = {0};
            const struct lane *lane = competes(qs->by_index[i], own)
                                          ? queue_after(qs, qs->by_index[i], &started, &c)
                                          : NULL;

            if (!lane || (from && !candidate_precedes(&c, &best)))
                continue;
            from = lane;
            best = c;
        }
        if (!from)
            return;
        started.v[started.n].lane = from;
        started.v[started.n++].job = best.job;
        ret->first[ret->n_first++] = best.job->node.number;
    }
}

/* How many of a queue are of lists before this one. */
static uint64_t count_before(const struct queue *q, size_t list)
{
    uint64_t n = 0;

    for (size_t i = 0; i < list; i++)
        n += q->ready[i].n;
    return n;
}

/* Counts those before the job in its own lane; *ret_last: the largest number of them and it. */
static void count_own(const struct lane *own, const struct live *job, size_t *walk,
                      struct queue_ahead *ret, uint64_t *ret_last)
{
    const struct live *other;

    *ret_last = job->node.number;
    for (other = own->first; other && other != job; other = TAILQ_NEXT(other, link)) {
        if ((*walk)-- == 0) {
            ret->more = true;
            return;
        }
        if (other->busy)
            continue;
        ret->n++;
        *ret_last = MAX(*ret_last, other->node.number);
    }
}

/* Counts those of the same user in another queue that come before all of up to `last` are gone. */
static void count_lane(const struct lane *lane, uint64_t last, size_t *walk,
                       struct queue_ahead *ret)
{
    const struct live *other;

    for (other = lane->first; other && (other->busy || other->node.number < last);
         other = TAILQ_NEXT(other, link)) {
        if ((*walk)-- == 0) {
            ret->more = true;
            return;
        }
        if (!other->busy)
            ret->n++;
    }
}

/*
 * Counts what a queue has of the same urgency. The user's own jobs stand in line by number; each
 * other user gets as many turns as this one has jobs (n_own) to wait for, and perhaps one before.
 */
static void count_peers(const struct ready *r, const struct lane *own, uint64_t n_own,
                        uint64_t last, size_t *walk, struct queue_ahead *ret)
{
    const struct lane *lane;
    bool behind = false;

    TAILQ_FOREACH (lane, &r->turns, turn) {
        behind |= lane == own;
        if (lane == own)
            continue;
        if (lane->share->account == own->share->account) {
            count_lane(lane, last, walk, ret);
        } else if ((*walk)-- == 0) {
            ret->more = true;
        } else {
            bool earlier =
                lane_load(lane) < lane_load(own) || (lane_load(lane) == lane_load(own) && !behind);

            ret->n += MIN(lane->n, n_own + earlier);
        }
        if (ret->more)
            return;
    }
}

void queues_ahead(struct queues *qs, const struct live *job, struct queue_ahead *ret)
{
    const struct queue *own = queues_of(qs, job);
    const struct lane *lane = lane_of(qs, job);
    size_t list = lane_index(job), walk = WALK_MAX;
    uint64_t last, n_own;

    *ret = (struct queue_ahead){0};
    if (job->busy)
        return; /* it is on its way, or about to end */
    count_own(lane, job, &walk, ret, &last);
    n_own = ret->n;
    for (size_t i = 0; i < qs->n_indices; i++) {
        const struct queue *q = qs->by_index[i];

        if (!competes(q, own) || q->set.priority < own->set.priority)
            continue;
        if (q->set.priority > own->set.priority) {
            ret->n += q->n_ready;
            continue;
        }
        ret->n += count_before(q, list);
        if (!ret->more)
            count_peers(&q->ready[list], lane, n_own, last, &walk, ret);
    }
    qs->steps += walk > WALK_MAX ? WALK_MAX : WALK_MAX - walk; /* it may have gone below 0 */
    first_of(qs, own, MIN(ret->n, (uint64_t)AW_MAX_EXPLAINED), ret);
}
