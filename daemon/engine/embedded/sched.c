#include "daemon/engine/embedded/sched.h"

#define N_PRIORITIES (AW_MAX_PRIORITY - AW_MIN_PRIORITY + 1)

/* Buckets come in segments that are never moved, so growing never copies more than pointers. */
#define SEGMENT_BITS 12
#define SEGMENT_SIZE (1u << SEGMENT_BITS)

TAILQ_HEAD(live_list, live);

/*
 * Jobs by number: linear hashing. Buckets 0 to n_buckets-1 exist; each new job beyond one a bucket
 * splits one more of them, so growth costs every insertion a little and none much.
 */
struct number_table {
    struct live ***segments;
    size_t n_segments;
    size_t n_buckets;
    size_t low_mask; /* of the round before: buckets not yet split in this one use it */
};

struct sched {
    struct number_table table;
    struct live_list ready[N_PRIORITIES]; /* [0] is the most urgent */
    uint32_t ready_mask;                  /* bit i: ready[i] is not empty */
    struct live **timers;                 /* binary heap, the earliest first */
    size_t n_timers, cap_timers;
    size_t n_timed; /* jobs that may be in the heap */
    uint64_t n_by_state[N_JOB_STATES];
    uint64_t total;
};

/* ---- By number ---------------------------------------------------------------------------- */

static size_t hash_number(uint64_t number)
{
    number *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(number >> 20);
}

static struct live **bucket_at(const struct number_table *t, size_t i)
{
    return &t->segments[i >> SEGMENT_BITS][i & (SEGMENT_SIZE - 1)];
}

static struct live **bucket_of(const struct number_table *t, uint64_t number)
{
    size_t h = hash_number(number);
    size_t i = h & (t->low_mask * 2 + 1);

    return bucket_at(t, i < t->n_buckets ? i : h & t->low_mask);
}

static bool segment_add(struct number_table *t)
{
    struct live ***grown = reallocarray(t->segments, t->n_segments + 1, sizeof(*grown));

    if (!grown)
        return false;
    t->segments = grown;
    grown[t->n_segments] = calloc(SEGMENT_SIZE, sizeof(**grown));
    if (!grown[t->n_segments])
        return false;
    t->n_segments++;
    return true;
}

/* Adds one bucket and moves to it what now belongs there. Without memory the table stays as it is:
 * slower, not wrong. */
static void table_grow(struct number_table *t)
{
    size_t fresh = t->n_buckets, split;
    struct live *job, **from, **to;

    if (fresh >> SEGMENT_BITS >= t->n_segments && !segment_add(t))
        return;
    if (fresh > t->low_mask * 2 + 1)
        t->low_mask = t->low_mask * 2 + 1;
    split = fresh & t->low_mask;
    t->n_buckets++;
    from = bucket_at(t, split);
    to = bucket_at(t, fresh);
    while ((job = *from)) {
        if (bucket_of(t, job->number) == to) {
            *from = job->bucket_next;
            job->bucket_next = *to;
            *to = job;
        } else {
            from = &job->bucket_next;
        }
    }
}

static bool table_init(struct number_table *t)
{
    if (!segment_add(t))
        return false;
    t->n_buckets = SEGMENT_SIZE;
    t->low_mask = SEGMENT_SIZE / 2 - 1;
    return true;
}

static void table_insert(struct number_table *t, struct live *job, uint64_t total)
{
    struct live **bucket;

    if (total >= t->n_buckets)
        table_grow(t);
    bucket = bucket_of(t, job->number);
    job->bucket_next = *bucket;
    *bucket = job;
}

static void table_remove(struct number_table *t, const struct live *job)
{
    struct live **at = bucket_of(t, job->number);

    while (*at != job)
        at = &(*at)->bucket_next;
    *at = job->bucket_next;
}

struct live *sched_find(const struct sched *s, uint64_t number)
{
    struct live *job = *bucket_of(&s->table, number);

    while (job && job->number != number)
        job = job->bucket_next;
    return job;
}

/* ---- By time ------------------------------------------------------------------------------ */

static int64_t timer_of(const struct live *job)
{
    if (job->state == AW_SCHEDULED)
        return job->deadline_us ? MIN(job->due_us, job->deadline_us) : job->due_us;
    return job->state == AW_QUEUED || job->state == AW_BLOCKED ? job->deadline_us : 0;
}

static void timer_put(struct sched *s, size_t i, struct live *job)
{
    s->timers[i] = job;
    job->timer_index = (uint32_t)i;
}

/* Moves the job at i to where it belongs. */
static void timer_sift(struct sched *s, size_t i)
{
    struct live *job = s->timers[i];
    int64_t at = timer_of(job);

    while (i > 0 && timer_of(s->timers[(i - 1) / 2]) > at) {
        timer_put(s, i, s->timers[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= s->n_timers)
            break;
        if (child + 1 < s->n_timers && timer_of(s->timers[child + 1]) < timer_of(s->timers[child]))
            child++;
        if (timer_of(s->timers[child]) >= at)
            break;
        timer_put(s, i, s->timers[child]);
        i = child;
    }
    timer_put(s, i, job);
}

static void timer_remove(struct sched *s, struct live *job)
{
    size_t i = job->timer_index;

    if (job->timer_index == NO_TIMER)
        return;
    job->timer_index = NO_TIMER;
    s->n_timers--;
    if (i == s->n_timers)
        return;
    timer_put(s, i, s->timers[s->n_timers]);
    timer_sift(s, i);
}

/* Room in the heap for every job that has a time on it, be it in there now or not. */
static bool timer_reserve(struct sched *s)
{
    size_t cap = s->cap_timers ? s->cap_timers * 2 : 64;
    struct live **grown;

    if (s->n_timed < s->cap_timers)
        return true;
    grown = reallocarray(s->timers, cap, sizeof(*grown));
    if (!grown)
        return false;
    s->timers = grown;
    s->cap_timers = cap;
    return true;
}

static bool job_is_timed(const struct live *job)
{
    return job->due_us || job->deadline_us;
}

/* ---- In and out of list and heap ----------------------------------------------------------- */

static size_t ready_index(const struct live *job)
{
    return (size_t)(AW_MAX_PRIORITY - job->priority);
}

static void job_unlink(struct sched *s, struct live *job)
{
    timer_remove(s, job);
    if (job->listed) {
        size_t i = ready_index(job);

        TAILQ_REMOVE(&s->ready[i], job, link);
        job->listed = false;
        if (TAILQ_EMPTY(&s->ready[i]))
            s->ready_mask &= ~(UINT32_C(1) << i);
    }
}

static void job_link(struct sched *s, struct live *job)
{
    if (job->busy)
        return;
    if (job->state == AW_QUEUED) {
        size_t i = ready_index(job);

        TAILQ_INSERT_TAIL(&s->ready[i], job, link);
        job->listed = true;
        s->ready_mask |= UINT32_C(1) << i;
    }
    if (timer_of(job)) {
        timer_put(s, s->n_timers++, job);
        timer_sift(s, s->n_timers - 1);
    }
}

struct sched *sched_new(void)
{
    struct sched *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    for (size_t i = 0; i < N_PRIORITIES; i++)
        TAILQ_INIT(&s->ready[i]);
    if (!table_init(&s->table)) {
        sched_free(s);
        return NULL;
    }
    return s;
}

void sched_free(struct sched *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->table.n_buckets; i++) {
        struct live *job = *bucket_at(&s->table, i), *next;

        for (; job; job = next) {
            next = job->bucket_next;
            free(job);
        }
    }
    for (size_t i = 0; i < s->table.n_segments; i++)
        free(s->table.segments[i]);
    free(s->table.segments);
    free(s->timers);
    free(s);
}

struct live *sched_make(struct sched *s, uint64_t number, enum aw_state state, int priority,
                        int64_t due_us, int64_t deadline_us)
{
    struct live *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->number = number;
    job->state = (uint8_t)state;
    job->priority = (int8_t)priority;
    job->due_us = due_us;
    job->deadline_us = deadline_us;
    job->timer_index = NO_TIMER;
    if (job_is_timed(job)) {
        if (!timer_reserve(s)) {
            free(job);
            return NULL;
        }
        s->n_timed++;
    }
    return job;
}

void sched_discard(struct sched *s, struct live *job)
{
    if (job && job_is_timed(job))
        s->n_timed--;
    free(job);
}

void sched_insert(struct sched *s, struct live *job)
{
    table_insert(&s->table, job, s->total);
    s->total++;
    s->n_by_state[job->state]++;
    job_link(s, job);
}

void sched_remove(struct sched *s, struct live *job)
{
    job_unlink(s, job);
    table_remove(&s->table, job);
    s->total--;
    s->n_by_state[job->state]--;
    sched_discard(s, job);
}

bool sched_apply(struct sched *s, struct live *job, enum job_event event)
{
    enum aw_state to;

    if (!job_transition((enum aw_state)job->state, event, &to))
        return false;
    job_unlink(s, job);
    s->n_by_state[job->state]--;
    s->n_by_state[to]++;
    job->state = (uint8_t)to;
    job_link(s, job);
    return true;
}

void sched_set_busy(struct sched *s, struct live *job, bool busy)
{
    job_unlink(s, job);
    job->busy = busy;
    job_link(s, job);
}

void sched_to_front(struct sched *s, struct live *job)
{
    if (job->listed) {
        struct live_list *list = &s->ready[ready_index(job)];

        TAILQ_REMOVE(list, job, link);
        TAILQ_INSERT_HEAD(list, job, link);
    }
}

struct live *sched_next(const struct sched *s)
{
    return s->ready_mask ? TAILQ_FIRST(&s->ready[__builtin_ctz(s->ready_mask)]) : NULL;
}

struct live *sched_next_timer(const struct sched *s, int64_t *ret_at_us)
{
    if (s->n_timers == 0)
        return NULL;
    *ret_at_us = timer_of(s->timers[0]);
    return s->timers[0];
}

uint64_t sched_count(const struct sched *s, enum aw_state state)
{
    return s->n_by_state[state];
}

uint64_t sched_total(const struct sched *s)
{
    return s->total;
}

void sched_each(const struct sched *s, void (*fn)(void *arg, struct live *job), void *arg)
{
    for (size_t i = 0; i < s->table.n_buckets; i++)
        for (struct live *job = *bucket_at(&s->table, i); job; job = job->bucket_next)
            fn(arg, job);
}
