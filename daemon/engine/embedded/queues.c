#include "daemon/engine/embedded/queues.h"

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

static size_t ready_index(const struct live *job)
{
    return (size_t)(AW_MAX_PRIORITY - job->priority);
}

static struct lane *lane_of(const struct queues *qs, const struct live *job)
{
    return &shares_of(&qs->shares, job)->lanes[ready_index(job)];
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
    struct ready *r = &lane->share->queue->ready[ready_index(job)];

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
    struct ready *r = &lane->share->queue->ready[ready_index(job)];

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

static struct live *next_ready(struct queues *qs, struct live *job)
{
    for (qs->steps++; job && job->busy; qs->steps++)
        job = TAILQ_NEXT(job, link);
    return job;
}

/* ---- What is next --------------------------------------------------------------------------- */

/* How many of the slots that a lane's jobs wait for its user has. */
static uint64_t lane_load(const struct lane *lane)
{
    const struct queue_settings *set = &lane->share->queue->set;

    return set->slots || set->limit ? lane->share->n_active : lane->share->account->n_on_shared;
}

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
    lane->first = next_ready(qs, lane->first);
    return lane->first;
}

/* The first job of a queue. */
struct candidate {
    const struct queue *q;
    struct live *job;
    uint64_t load; /* of its user, on the daemon's slots; means nothing if q has slots of its own */
};

static bool precedes(const struct candidate *a, const struct candidate *b)
{
    if (a->q->set.priority != b->q->set.priority)
        return a->q->set.priority > b->q->set.priority;
    if (a->job->priority != b->job->priority)
        return a->job->priority > b->job->priority;
    if (a->load != b->load && !a->q->set.slots && !b->q->set.slots)
        return a->load < b->load;
    return a->job->node.number < b->job->node.number;
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
        if (!best.job || precedes(&c, &best))
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

/* ---- What is ahead of a job ----------------------------------------------------------------- */

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
    return next_ready(qs, job);
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
            struct candidate c;
            const struct lane *lane = competes(qs->by_index[i], own)
                                          ? queue_after(qs, qs->by_index[i], &started, &c)
                                          : NULL;

            if (!lane || (from && !precedes(&c, &best)))
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
    size_t list = ready_index(job), walk = WALK_MAX;
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
