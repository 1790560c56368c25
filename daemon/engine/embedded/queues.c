#include "daemon/engine/embedded/queues_private.h"

#include <stdio.h>

/* ---- Queues by themselves ------------------------------------------------------------------- */

bool queues_init(struct queues *qs)
{
    LIST_INIT(&qs->open);
    LIST_INIT(&qs->throttled);
    return shares_init(&qs->shares);
}

void queues_done(struct queues *qs)
{
    for (size_t i = 0; i < AW_MAX_QUEUES; i++)
        queue_free(qs->by_index[i]);
    shares_done(&qs->shares);
}

static void settings_take(struct queue *q, const struct queue_settings *set)
{
    int64_t period_ns = (int64_t)MAX(set->rate_ms, UINT64_C(1)) * 1000000;
    int64_t rate = (int64_t)set->rate;

    q->set = *set;
    q->interval_ns = rate ? (period_ns + rate - 1) / rate : 0;
    q->burst_ns = rate ? (rate - 1) * q->interval_ns : 0;
}

struct queue *queue_make(int id, const char *name, const struct queue_settings *set)
{
    struct queue *q = calloc(1, sizeof(*q));

    if (!q)
        return NULL;
    q->id = id;
    snprintf(q->name, sizeof(q->name), "%s", name);
    for (size_t i = 0; i < N_PRIORITIES; i++)
        TAILQ_INIT(&q->ready[i].turns);
    LIST_INIT(&q->shares);
    settings_take(q, set);
    return q;
}

void queue_free(struct queue *q)
{
    free(q);
}

bool queues_insert(struct queues *qs, struct queue *q)
{
    size_t i = 0;

    while (i < AW_MAX_QUEUES && qs->by_index[i])
        i++;
    if (i == AW_MAX_QUEUES)
        return false;
    q->index = (uint8_t)i;
    qs->by_index[i] = q;
    qs->n_indices = MAX(qs->n_indices, i + 1);
    qs->n++;
    return true;
}

static void queue_close(struct queues *qs, struct queue *q)
{
    if (q->where == QUEUE_CLOSED)
        return;
    LIST_REMOVE(q, link);
    qs->token_stale |= q->where == QUEUE_THROTTLED;
    q->where = QUEUE_CLOSED;
}

void queues_remove(struct queues *qs, struct queue *q)
{
    queue_close(qs, q);
    qs->by_index[q->index] = NULL;
    while (qs->n_indices > 0 && !qs->by_index[qs->n_indices - 1])
        qs->n_indices--;
    qs->n--;
    queue_free(q);
}

struct queue *queues_find(const struct queues *qs, struct bytes name)
{
    for (size_t i = 0; i < qs->n_indices; i++)
        if (qs->by_index[i] && bytes_eq(bytes_str(qs->by_index[i]->name), name))
            return qs->by_index[i];
    return NULL;
}

struct queue *queues_find_id(const struct queues *qs, int id)
{
    for (size_t i = 0; i < qs->n_indices; i++)
        if (qs->by_index[i] && qs->by_index[i]->id == id)
            return qs->by_index[i];
    return NULL;
}

/* ---- Rates ---------------------------------------------------------------------------------- */

int64_t queue_token_us(const struct queue *q)
{
    int64_t ns = q->arrival_ns - q->burst_ns;

    return ns > 0 ? (ns + 999) / 1000 : 0;
}

/* No start can be due later than this, unless the clock was set back. */
static void arrival_limit(const struct queues *qs, struct queue *q)
{
    q->arrival_ns = MIN(q->arrival_ns, qs->now_us * 1000 + q->burst_ns + q->interval_ns);
}

/* ---- Which are open ------------------------------------------------------------------------- */

bool queue_has_room(const struct queue *q)
{
    unsigned most = q->set.slots ? q->set.slots : q->set.limit;

    return most == 0 || q->n_active < most;
}

/* After anything that it depends on has changed. */
static void queue_refresh(struct queues *qs, struct queue *q)
{
    bool wants = q->ready_mask && !q->set.paused && queue_has_room(q);
    bool throttled = queue_token_us(q) > qs->now_us;

    if (q->where == (!wants ? QUEUE_CLOSED : throttled ? QUEUE_THROTTLED : QUEUE_OPEN))
        return;
    queue_close(qs, q);
    if (!wants)
        return;
    q->where = throttled ? QUEUE_THROTTLED : QUEUE_OPEN;
    LIST_INSERT_HEAD(throttled ? &qs->throttled : &qs->open, q, link);
    qs->token_stale |= throttled;
}

/* From now on its running jobs hold the daemon's slots, or do not any more. */
static void slots_change(struct queue *q, bool shared)
{
    struct share *share;

    LIST_FOREACH (share, &q->shares, of_queue)
        share->account->n_on_shared += shared ? share->n_active : -share->n_active;
}

void queues_set(struct queues *qs, struct queue *q, const struct queue_settings *set)
{
    if (!q->set.slots != !set->slots)
        slots_change(q, set->slots == 0);
    settings_take(q, set);
    arrival_limit(qs, q);
    qs->token_stale = true;
    queue_refresh(qs, q);
}

void queues_tick(struct queues *qs, int64_t now_us)
{
    bool back = now_us < qs->now_us;
    struct queue *q, *next;

    qs->now_us = now_us;
    for (size_t i = 0; back && i < qs->n_indices; i++)
        if (qs->by_index[i])
            queues_set(qs, qs->by_index[i], &qs->by_index[i]->set);
    for (q = LIST_FIRST(&qs->throttled); q; q = next) {
        next = LIST_NEXT(q, link);
        queue_refresh(qs, q);
    }
}

int64_t queues_next_tick(struct queues *qs)
{
    const struct queue *q;

    if (!qs->token_stale)
        return qs->token_us;
    qs->token_stale = false;
    qs->token_us = 0;
    LIST_FOREACH (q, &qs->throttled, link)
        if (!qs->token_us || queue_token_us(q) < qs->token_us)
            qs->token_us = queue_token_us(q);
    return qs->token_us;
}

void queues_spend(struct queues *qs, struct queue *q)
{
    if (q->set.rate == 0)
        return;
    q->arrival_ns = MAX(q->arrival_ns, qs->now_us * 1000) + q->interval_ns;
    queue_refresh(qs, q);
}

void queues_refund(struct queues *qs, struct queue *q)
{
    if (q->set.rate == 0)
        return;
    q->arrival_ns = MAX(q->arrival_ns - q->interval_ns, INT64_C(0));
    qs->token_stale = true;
    queue_refresh(qs, q);
}

void queues_set_active(struct queues *qs, struct live *job, bool active)
{
    struct share *share = shares_of(&qs->shares, job);
    struct queue *q = share->queue;
    uint64_t one = active ? 1 : (uint64_t)-1;

    if (job->active == active)
        return;
    job->active = active;
    q->n_active += one;
    share->n_active += one;
    share->account->n_active += one;
    if (q->set.slots == 0)
        share->account->n_on_shared += one;
    queue_refresh(qs, q);
}

/* ---- Jobs in line --------------------------------------------------------------------------- */

bool queues_hold(struct queues *qs, struct live *job, struct queue *q, uint32_t uid)
{
    struct share *share = shares_hold(&qs->shares, q, uid);

    if (!share)
        return false;
    job->share = share->index & ((1u << LIVE_SHARE_BITS) - 1);
    q->n_jobs++;
    return true;
}

void queues_release(struct queues *qs, struct live *job)
{
    struct share *share = shares_of(&qs->shares, job);

    share->queue->n_jobs--;
    shares_release(&qs->shares, share);
}

/* One more, or one less, that may be taken. */
static void ready_count(struct queues *qs, struct lane *lane, bool more)
{
    struct queue *q = lane->share->queue;
    size_t i = (size_t)(lane - lane->share->lanes);
    struct ready *r = &q->ready[i];

    if (more) {
        if (lane->n++ == 0)
            TAILQ_INSERT_TAIL(&r->turns, lane, turn);
        r->n++;
        q->n_ready++;
        q->ready_mask |= UINT32_C(1) << i;
    } else {
        if (--lane->n == 0)
            TAILQ_REMOVE(&r->turns, lane, turn);
        q->n_ready--;
        if (--r->n == 0)
            q->ready_mask &= ~(UINT32_C(1) << i);
    }
    queue_refresh(qs, q);
}

void queues_link(struct queues *qs, struct live *job)
{
    struct lane *lane = lane_of(qs, job);

    TAILQ_INSERT_TAIL(&lane->jobs, job, link);
    job->listed = true;
    if (job->busy)
        return;
    if (!lane->first)
        lane->first = job;
    ready_count(qs, lane, true);
}

void queues_unlink(struct queues *qs, struct live *job)
{
    struct lane *lane = lane_of(qs, job);

    if (!job->listed)
        return;
    if (lane->first == job)
        lane->first = TAILQ_NEXT(job, link);
    TAILQ_REMOVE(&lane->jobs, job, link);
    job->listed = false;
    if (!job->busy)
        ready_count(qs, lane, false);
}

void queues_to_front(struct queues *qs, struct live *job)
{
    struct lane *lane = lane_of(qs, job);
    struct ready *r = &lane->share->queue->ready[lane_index(job)];

    if (!job->listed)
        return;
    if (lane->first == job)
        lane->first = TAILQ_NEXT(job, link);
    TAILQ_REMOVE(&lane->jobs, job, link);
    TAILQ_INSERT_HEAD(&lane->jobs, job, link);
    if (job->busy)
        return;
    lane->first = job;
    TAILQ_REMOVE(&r->turns, lane, turn);
    TAILQ_INSERT_HEAD(&r->turns, lane, turn);
}

void queues_took(struct queues *qs, const struct live *job)
{
    struct lane *lane = lane_of(qs, job);
    struct ready *r = &lane->share->queue->ready[lane_index(job)];

    if (lane->n == 0 || lane == TAILQ_LAST(&r->turns, lane_list))
        return;
    TAILQ_REMOVE(&r->turns, lane, turn);
    TAILQ_INSERT_TAIL(&r->turns, lane, turn);
}

void queues_set_busy(struct queues *qs, struct live *job, bool busy)
{
    struct lane *lane = lane_of(qs, job);
    bool was_busy = job->busy;

    job->busy = (uint8_t)(busy ? job->busy + 1 : job->busy - 1);
    if (!job->listed || was_busy == (job->busy > 0))
        return;
    if (busy && lane->first == job)
        lane->first = TAILQ_NEXT(job, link);
    else if (!busy)
        lane->first = TAILQ_FIRST(&lane->jobs); /* it may stand before what was the first */
    ready_count(qs, lane, !busy);
}

/* ---- What is next --------------------------------------------------------------------------- */

/* The lane that is next in an open queue: no more of them have running jobs than there are slots.
 */
static struct lane *queue_lane(struct queues *qs, const struct queue *q)
{
    const struct ready *r = &q->ready[__builtin_ctz(q->ready_mask)];
    struct lane *lane, *best = NULL;
    uint64_t least = UINT64_MAX;

    TAILQ_FOREACH (lane, &r->turns, turn) {
        uint64_t load = lane_load(lane);

        qs->steps++;
        if (load >= least)
            continue;
        best = lane;
        least = load;
        if (load == 0)
            break;
    }
    return best;
}

static struct live *lane_head(struct queues *qs, struct lane *lane)
{
    lane->first = lane_next_ready(qs, lane->first);
    return lane->first;
}

struct live *queues_next(struct queues *qs, bool shared)
{
    struct candidate best = {0};
    struct queue *q;

    LIST_FOREACH (q, &qs->open, link) {
        struct candidate c;
        struct lane *lane;

        qs->steps++;
        if (!shared && q->set.slots == 0)
            continue;
        lane = queue_lane(qs, q);
        c = (struct candidate){q, lane_head(qs, lane), lane->share->account->n_on_shared};
        if (!best.job || candidate_precedes(&c, &best))
            best = c;
    }
    return best.job;
}

size_t queues_startable(const struct queues *qs, size_t shared)
{
    uint64_t own = 0, others = 0;
    const struct queue *q;

    LIST_FOREACH (q, &qs->open, link) {
        if (q->set.slots)
            own += MIN(q->n_ready, q->set.slots - q->n_active);
        else
            others += q->set.limit ? MIN(q->n_ready, q->set.limit - q->n_active) : q->n_ready;
    }
    return own + MIN(others, shared);
}
