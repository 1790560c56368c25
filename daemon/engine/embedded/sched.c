#include "daemon/engine/embedded/sched.h"

#define N_PRIORITIES (AW_MAX_PRIORITY - AW_MIN_PRIORITY + 1)

TAILQ_HEAD(live_list, live);

struct sched {
    struct numtable table;
    struct live_list ready[N_PRIORITIES]; /* [0] is the most urgent */
    uint32_t ready_mask;                  /* bit i: ready[i] is not empty */
    struct live **timers;                 /* binary heap, the earliest first */
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
    if (!numtable_init(&s->table)) {
        sched_free(s);
        return NULL;
    }
    return s;
}

static void job_free(void *arg, struct numnode *node)
{
    (void)arg;
    free(numtable_entry(node, struct live, node));
}

void sched_free(struct sched *s)
{
    if (!s)
        return;
    if (s->table.segments)
        numtable_each(&s->table, job_free, NULL);
    numtable_done(&s->table);
    free(s->timers);
    free(s);
}

struct live *sched_make(struct sched *s, uint64_t number, enum aw_state state, int priority,
                        int64_t due_us, int64_t deadline_us, bool timed)
{
    struct live *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    job->node.number = number;
    job->state = (uint8_t)state;
    job->priority = (int8_t)priority;
    job->due_us = due_us;
    job->deadline_us = deadline_us;
    job->timer_index = NO_TIMER;
    job->timed = timed || due_us || deadline_us;
    if (job->timed) {
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
    if (job && job->timed)
        s->n_timed--;
    free(job);
}

void sched_insert(struct sched *s, struct live *job)
{
    numtable_insert(&s->table, &job->node);
    s->n_by_state[job->state]++;
    job_link(s, job);
}

void sched_remove(struct sched *s, struct live *job)
{
    job_unlink(s, job);
    numtable_remove(&s->table, &job->node);
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
    job->busy = (uint8_t)(busy ? job->busy + 1 : job->busy - 1);
    job_link(s, job);
}

void sched_set_times(struct live *job, int64_t due_us, int64_t deadline_us)
{
    job->due_us = due_us;
    job->deadline_us = deadline_us;
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
    return s->table.n_nodes;
}

struct each_running {
    void (*fn)(void *arg, struct live *job);
    void *arg;
};

static void each_running(void *arg, struct numnode *node)
{
    const struct each_running *each = arg;
    struct live *job = numtable_entry(node, struct live, node);

    if (job->state == AW_RUNNING)
        each->fn(each->arg, job);
}

void sched_each_running(const struct sched *s, void (*fn)(void *arg, struct live *job), void *arg)
{
    struct each_running each = {fn, arg};

    numtable_each(&s->table, each_running, &each);
}
