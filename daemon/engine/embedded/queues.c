#include "daemon/engine/embedded/queues.h"

#include <stdio.h>

/* ---- Queues by themselves ------------------------------------------------------------------- */

void queues_init(struct queues *qs)
{
    LIST_INIT(&qs->open);
    LIST_INIT(&qs->throttled);
}

void queues_done(struct queues *qs)
{
    for (size_t i = 0; i < AW_MAX_QUEUES; i++)
        queue_free(qs->by_index[i]);
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
        TAILQ_INIT(&q->ready[i].jobs);
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
    qs->n--;
    queue_free(q);
}

struct queue *queues_find(const struct queues *qs, struct bytes name)
{
    for (size_t i = 0; i < AW_MAX_QUEUES; i++)
        if (qs->by_index[i] && bytes_eq(bytes_str(qs->by_index[i]->name), name))
            return qs->by_index[i];
    return NULL;
}

struct queue *queues_find_id(const struct queues *qs, int id)
{
    for (size_t i = 0; i < AW_MAX_QUEUES; i++)
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

void queues_set(struct queues *qs, struct queue *q, const struct queue_settings *set)
{
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
    for (size_t i = 0; back && i < AW_MAX_QUEUES; i++)
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
    struct queue *q = queues_of(qs, job);

    if (job->active == active)
        return;
    job->active = active;
    if (active)
        q->n_active++;
    else
        q->n_active--;
    queue_refresh(qs, q);
}

/* ---- Jobs in line --------------------------------------------------------------------------- */

static size_t ready_index(const struct live *job)
{
    return (size_t)(AW_MAX_PRIORITY - job->priority);
}

/* One more, or one less, that may be taken. */
static void ready_count(struct queues *qs, const struct live *job, bool more)
{
    struct queue *q = queues_of(qs, job);
    size_t i = ready_index(job);

    if (more) {
        q->ready[i].n++;
        q->n_ready++;
        q->ready_mask |= UINT32_C(1) << i;
    } else {
        q->ready[i].n--;
        q->n_ready--;
        if (q->ready[i].n == 0)
            q->ready_mask &= ~(UINT32_C(1) << i);
    }
    queue_refresh(qs, q);
}

void queues_link(struct queues *qs, struct live *job)
{
    struct ready *r = &queues_of(qs, job)->ready[ready_index(job)];

    TAILQ_INSERT_TAIL(&r->jobs, job, link);
    job->listed = true;
    if (job->busy)
        return;
    if (!r->first)
        r->first = job;
    ready_count(qs, job, true);
}

void queues_unlink(struct queues *qs, struct live *job)
{
    struct ready *r = &queues_of(qs, job)->ready[ready_index(job)];

    if (!job->listed)
        return;
    if (r->first == job)
        r->first = TAILQ_NEXT(job, link);
    TAILQ_REMOVE(&r->jobs, job, link);
    job->listed = false;
    if (!job->busy)
        ready_count(qs, job, false);
}

void queues_to_front(struct queues *qs, struct live *job)
{
    struct ready *r = &queues_of(qs, job)->ready[ready_index(job)];

    if (!job->listed)
        return;
    if (r->first == job)
        r->first = TAILQ_NEXT(job, link);
    TAILQ_REMOVE(&r->jobs, job, link);
    TAILQ_INSERT_HEAD(&r->jobs, job, link);
    if (!job->busy)
        r->first = job;
}

void queues_set_busy(struct queues *qs, struct live *job, bool busy)
{
    struct ready *r = &queues_of(qs, job)->ready[ready_index(job)];

    bool was_busy = job->busy;

    job->busy = (uint8_t)(busy ? job->busy + 1 : job->busy - 1);
    if (!job->listed || was_busy == (job->busy > 0))
        return;
    if (busy && r->first == job)
        r->first = TAILQ_NEXT(job, link);
    else if (!busy)
        r->first = TAILQ_FIRST(&r->jobs); /* it may stand before what was the first */
    ready_count(qs, job, !busy);
}

static struct live *next_ready(struct live *job)
{
    while (job && job->busy)
        job = TAILQ_NEXT(job, link);
    return job;
}

/* The job in front of an open queue. */
static struct live *queue_head(struct queue *q)
{
    struct ready *r = &q->ready[__builtin_ctz(q->ready_mask)];

    r->first = next_ready(r->first);
    return r->first;
}

/* Whether a comes before b, each being the first of its queue. */
static bool precedes(const struct queue *of_a, const struct live *a, const struct queue *of_b,
                     const struct live *b)
{
    if (of_a->set.priority != of_b->set.priority)
        return of_a->set.priority > of_b->set.priority;
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->node.number < b->node.number;
}

struct live *queues_next(struct queues *qs, bool shared)
{
    struct live *best = NULL;
    struct queue *q;

    LIST_FOREACH (q, &qs->open, link) {
        struct live *job;

        if (!shared && q->set.slots == 0)
            continue;
        job = queue_head(q);
        if (!best || precedes(q, job, queues_of(qs, best), best))
            best = job;
    }
    return best;
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

#define WALK_MAX 10000

/* Where one queue's jobs are walked through in their order. */
struct cursor {
    const struct queue *q;
    size_t i;
    struct live *job; /* NULL: no more */
};

static void cursor_settle(struct cursor *c)
{
    c->job = next_ready(c->job);
    while (!c->job && ++c->i < N_PRIORITIES)
        c->job = next_ready(c->q->ready[c->i].first);
}

static bool competes(const struct queue *q, const struct queue *own)
{
    if (q == own)
        return true;
    return q && q->where == QUEUE_OPEN && !q->set.slots && !own->set.slots;
}

/* The first `max` that would be started, if slots became free one after the other. */
static void first_of(const struct queues *qs, const struct queue *own, size_t max,
                     struct queue_ahead *ret)
{
    struct cursor cursors[AW_MAX_QUEUES];
    size_t n = 0;

    for (size_t i = 0; i < AW_MAX_QUEUES; i++) {
        if (!competes(qs->by_index[i], own))
            continue;
        cursors[n] = (struct cursor){qs->by_index[i], 0, qs->by_index[i]->ready[0].first};
        cursor_settle(&cursors[n++]);
    }
    while (ret->n_first < max) {
        struct cursor *best = NULL;

        for (struct cursor *c = cursors; c < cursors + n; c++)
            if (c->job && (!best || precedes(c->q, c->job, best->q, best->job)))
                best = c;
        if (!best)
            return;
        ret->first[ret->n_first++] = best->job->node.number;
        best->job = TAILQ_NEXT(best->job, link);
        cursor_settle(best);
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

/* Counts those before the job in its own list; *ret_last: the largest number of them and it. */
static void count_own(const struct ready *r, const struct live *job, size_t *walk,
                      struct queue_ahead *ret, uint64_t *ret_last)
{
    const struct live *other;

    *ret_last = job->node.number;
    for (other = r->first; other && other != job; other = TAILQ_NEXT(other, link)) {
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

/* Counts those of another queue's list that come before all of up to `last` are gone. */
static void count_peers(const struct ready *r, uint64_t last, size_t *walk, struct queue_ahead *ret)
{
    const struct live *other;

    for (other = r->first; other && (other->busy || other->node.number < last);
         other = TAILQ_NEXT(other, link)) {
        if ((*walk)-- == 0) {
            ret->more = true;
            return;
        }
        if (!other->busy)
            ret->n++;
    }
}

void queues_ahead(struct queues *qs, const struct live *job, struct queue_ahead *ret)
{
    const struct queue *own = queues_of(qs, job);
    size_t list = ready_index(job), walk = WALK_MAX;
    uint64_t last;

    *ret = (struct queue_ahead){0};
    if (job->busy)
        return; /* it is on its way, or about to end */
    ret->n = count_before(own, list);
    count_own(&own->ready[list], job, &walk, ret, &last);
    for (size_t i = 0; i < AW_MAX_QUEUES; i++) {
        const struct queue *q = qs->by_index[i];

        if (q == own || !competes(q, own) || q->set.priority < own->set.priority)
            continue;
        if (q->set.priority > own->set.priority) {
            ret->n += q->n_ready;
            continue;
        }
        ret->n += count_before(q, list);
        if (!ret->more)
            count_peers(&q->ready[list], last, &walk, ret);
    }
    first_of(qs, own, MIN(ret->n, (uint64_t)AW_MAX_EXPLAINED), ret);
}
