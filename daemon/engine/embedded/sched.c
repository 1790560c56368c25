#include "daemon/engine/embedded/sched.h"

#include "daemon/engine/pool.h"

struct sched {
    struct pool jobs;
    struct numtable table;
    struct queues queues;
    struct live_list running;
    struct live **timers; /* binary heap, the earliest first */
    size_t n_timers, cap_timers;
    size_t n_timed; /* jobs that may be in the heap */
    uint64_t n_by_state[N_JOB_STATES];
};

struct live *sched_find(const struct sched *s, uint64_t number)
{
    return numtable_entry(numtable_find(&s->table, number), struct live, node);
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
        s->queues.steps++;
        timer_put(s, i, s->timers[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;

        s->queues.steps++;
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

/* In the heap stands what has a time on it and is not busy. */
static void timer_add(struct sched *s, struct live *job)
{
    if (job->busy || !timer_of(job))
        return;
    timer_put(s, s->n_timers++, job);
    timer_sift(s, s->n_timers - 1);
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

struct sched *sched_new(void)
{
    struct sched *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    pool_init(&s->jobs, sizeof(struct live));
    TAILQ_INIT(&s->running);
    if (!numtable_init(&s->table) || !queues_init(&s->queues)) {
        sched_free(s);
        return NULL;
    }
    return s;
}

struct queues *sched_queues(struct sched *s)
{
    return &s->queues;
}

void sched_free(struct sched *s)
{
    if (!s)
        return;
    numtable_done(&s->table);
    queues_done(&s->queues);
    pool_done(&s->jobs);
    free(s->timers);
    free(s);
}

struct live *sched_make(struct sched *s, uint64_t number, enum aw_state state, struct queue *q,
                        uint32_t uid, int priority, int64_t due_us, int64_t deadline_us, bool timed)
{
    struct live *job = pool_take(&s->jobs);

    if (!job)
        return NULL;
    job->node.number = number;
    job->state = (uint8_t)state;
    job->priority = (int8_t)priority;
    job->due_us = due_us;
    job->deadline_us = deadline_us;
    job->timer_index = NO_TIMER;
    job->timed = timed || due_us || deadline_us;
    if ((job->timed && !timer_reserve(s)) || !queues_hold(&s->queues, job, q, uid)) {
        pool_give(&s->jobs, job);
        return NULL;
    }
    s->n_timed += job->timed;
    return job;
}

void sched_discard(struct sched *s, struct live *job)
{
    if (!job)
        return;
    if (job->timed)
        s->n_timed--;
    queues_release(&s->queues, job);
    pool_give(&s->jobs, job);
}

/* Where it stands follows from its state. */
static void job_link(struct sched *s, struct live *job)
{
    if (job->state == AW_QUEUED)
        queues_link(&s->queues, job);
    else if (job->state == AW_RUNNING)
        TAILQ_INSERT_TAIL(&s->running, job, link);
    timer_add(s, job);
}

static void job_unlink(struct sched *s, struct live *job)
{
    if (job->state == AW_RUNNING)
        TAILQ_REMOVE(&s->running, job, link);
    queues_unlink(&s->queues, job);
    timer_remove(s, job);
}

static void job_count(struct sched *s, const struct live *job, uint64_t one)
{
    s->n_by_state[job->state] += one;
    queues_of(&s->queues, job)->n_by_state[job->state] += one;
}

void sched_insert(struct sched *s, struct live *job)
{
    numtable_insert(&s->table, &job->node);
    job_count(s, job, 1);
    queues_set_active(&s->queues, job, job->state == AW_RUNNING);
    job_link(s, job);
}

void sched_load_begin(struct sched *s)
{
    numtable_collect(&s->table);
}

void sched_load_end(struct sched *s)
{
    numtable_collected(&s->table);
}

void sched_remove(struct sched *s, struct live *job)
{
    job_unlink(s, job);
    queues_set_active(&s->queues, job, false);
    numtable_remove(&s->table, &job->node);
    job_count(s, job, (uint64_t)-1);
    sched_discard(s, job);
}

bool sched_apply(struct sched *s, struct live *job, enum job_event event)
{
    enum aw_state to;

    if (!job_transition((enum aw_state)job->state, event, &to))
        return false;
    job_unlink(s, job);
    job_count(s, job, (uint64_t)-1);
    job->state = (uint8_t)to;
    job_count(s, job, 1);
    job_link(s, job);
    return true;
}

void sched_set_busy(struct sched *s, struct live *job, bool busy)
{
    timer_remove(s, job);
    queues_set_busy(&s->queues, job, busy);
    timer_add(s, job);
}

void sched_set_times(struct sched *s, struct live *job, int64_t due_us, int64_t deadline_us)
{
    timer_remove(s, job);
    job->due_us = due_us;
    job->deadline_us = deadline_us;
    timer_add(s, job);
}

void sched_set_priority(struct sched *s, struct live *job, int priority)
{
    bool listed = job->listed;

    if (job->priority == priority)
        return;
    queues_unlink(&s->queues, job);
    job->priority = (int8_t)priority;
    if (listed)
        queues_link(&s->queues, job);
}

void sched_to_front(struct sched *s, struct live *job)
{
    queues_to_front(&s->queues, job);
}

void sched_take(struct sched *s, struct live *job)
{
    sched_set_busy(s, job, true);
    queues_set_active(&s->queues, job, true);
    queues_took(&s->queues, job);
    queues_spend(&s->queues, queues_of(&s->queues, job));
}

void sched_untake(struct sched *s, struct live *job)
{
    queues_refund(&s->queues, queues_of(&s->queues, job));
    queues_set_active(&s->queues, job, false);
    sched_set_busy(s, job, false);
}

void sched_set_active(struct sched *s, struct live *job, bool active)
{
    queues_set_active(&s->queues, job, active);
}

uint64_t sched_steps(const struct sched *s)
{
    return s->queues.steps;
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
    return s->table.n_nodes;
}

void sched_each_running(const struct sched *s, void (*fn)(void *arg, struct live *job), void *arg)
{
    struct live *job;

    TAILQ_FOREACH (job, &s->running, link)
        fn(arg, job);
}
