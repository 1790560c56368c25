/* Queues against a model that looks through everything each time. */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/queues_rig.h"

#define N_QUEUES 6
#define N_JOBS   150
#define N_STEPS  60000

/* A job of the model; its number is its index plus one. */
struct model_job {
    enum { NONE, READY, TAKEN, RUNS } is;
    bool held, active;
    size_t queue;
    int priority;
    int64_t place;
};

struct model_queue {
    struct queue *real;
    int64_t debt_ns; /* how much later than now the next start would be due */
};

static struct model_job jobs[N_JOBS];
static struct model_queue queues[N_QUEUES];
static int64_t now, last_place, first_place;
static uint64_t seed;

static uint64_t any(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static int64_t interval_ns(const struct queue_settings *set)
{
    return set->rate ? (int64_t)set->rate_ms * 1000000 / (int64_t)set->rate : 0;
}

static bool queue_opens(size_t q)
{
    const struct queue_settings *set = &queues[q].real->set;
    unsigned most = set->slots ? set->slots : set->limit, active = 0;

    for (size_t i = 0; i < N_JOBS; i++)
        active += jobs[i].is != NONE && jobs[i].active && jobs[i].queue == q;
    return !set->paused && (!most || active < most) &&
           queues[q].debt_ns <= interval_ns(set) * ((int64_t)set->rate - 1);
}

static bool before(const struct model_job *a, const struct model_job *b)
{
    int qa = queues[a->queue].real->set.priority, qb = queues[b->queue].real->set.priority;

    if (qa != qb)
        return qa > qb;
    return a->priority != b->priority ? a->priority > b->priority : a < b;
}

/* The first in line of one queue that is not in `gone`; NULL: none. */
static const struct model_job *head_of(size_t q, const bool *gone)
{
    const struct model_job *best = NULL;

    for (const struct model_job *j = jobs; j < jobs + N_JOBS; j++)
        if (j->is == READY && !j->held && j->queue == q && !gone[j - jobs] &&
            (!best || j->priority > best->priority ||
             (j->priority == best->priority && j->place < best->place)))
            best = j;
    return best;
}

static const struct model_job *best_of(const bool *asked, const bool *gone)
{
    const struct model_job *best = NULL;

    for (size_t q = 0; q < N_QUEUES; q++) {
        const struct model_job *head = asked[q] ? head_of(q, gone) : NULL;

        if (head && (!best || before(head, best)))
            best = head;
    }
    return best;
}

static uint64_t model_next(bool shared)
{
    bool asked[N_QUEUES], gone[N_JOBS] = {false};
    const struct model_job *best;

    for (size_t q = 0; q < N_QUEUES; q++)
        asked[q] = queue_opens(q) && (shared || queues[q].real->set.slots);
    best = best_of(asked, gone);
    return best ? (uint64_t)(best - jobs) + 1 : 0;
}

/* Starts one after the other until it is this one's turn. */
static void compare_ahead(const struct model_job *j)
{
    bool asked[N_QUEUES], gone[N_JOBS] = {false};
    const struct model_job *best;
    struct queue_ahead ahead;
    uint64_t n = 0;

    for (size_t q = 0; q < N_QUEUES; q++)
        asked[q] = q == j->queue || (queue_opens(q) && !queues[q].real->set.slots &&
                                     !queues[j->queue].real->set.slots);
    queues_ahead(qs, sched_find(s, (uint64_t)(j - jobs) + 1), &ahead);
    for (; (best = best_of(asked, gone)) != j; n++) {
        ck_assert_ptr_nonnull(best);
        if (n < AW_MAX_EXPLAINED)
            ck_assert_uint_eq(ahead.first[n], (uint64_t)(best - jobs) + 1);
        gone[best - jobs] = true;
    }
    ck_assert_uint_eq(ahead.n, n);
    ck_assert(!ahead.more);
    ck_assert_uint_eq(ahead.n_first, MIN(n, (uint64_t)AW_MAX_EXPLAINED));
}

static void step_settings(void)
{
    struct model_queue *q = &queues[any(N_QUEUES)];
    struct queue_settings set = {
        .slots = any(3) ? 0 : (unsigned)any(5),
        .limit = any(2) ? 0 : (unsigned)any(5),
        .priority = (int)any(3),
        .paused = any(4) == 0,
        .rate = any(2) ? 0 : 1 + any(5),
    };
    int64_t cap;

    set.rate_ms = set.rate * (1 + any(20)); /* so that nothing has to be rounded */
    queues_set(qs, q->real, &set);
    cap = interval_ns(&set) * (int64_t)set.rate;
    q->debt_ns = MIN(q->debt_ns, cap);
}

static void step_time(void)
{
    int64_t us = (int64_t)any(4000);

    now += us;
    queues_tick(qs, now);
    for (size_t q = 0; q < N_QUEUES; q++)
        queues[q].debt_ns = MAX(queues[q].debt_ns - us * 1000, INT64_C(0));
}

static void step_add(struct model_job *j, uint64_t number)
{
    struct live *job;

    *j = (struct model_job){
        .is = READY,
        .queue = any(N_QUEUES),
        .priority = (int)any(3) - 1,
        .place = ++last_place,
    };
    job =
        sched_make(s, number, AW_QUEUED, queues[j->queue].real, RIG_UID, j->priority, 0, 0, false);
    ck_assert_ptr_nonnull(job);
    sched_insert(s, job);
}

static void step_take(void)
{
    struct live *job = queues_next(qs, any(4) != 0);
    struct model_job *j;

    if (!job)
        return;
    j = &jobs[job->node.number - 1];
    sched_take(s, job);
    j->is = TAKEN;
    j->active = true;
    queues[j->queue].debt_ns += interval_ns(&queues[j->queue].real->set);
}

static void debt_less(struct model_queue *q)
{
    q->debt_ns = MAX(q->debt_ns - interval_ns(&q->real->set), INT64_C(0));
}

/* The store's answer to a claim. */
static void step_taken(struct model_job *j, struct live *job)
{
    if (any(3) == 0) {
        sched_untake(s, job);
        j->is = READY;
        j->active = false;
        debt_less(&queues[j->queue]);
        return;
    }
    ck_assert(sched_apply(s, job, JOB_EV_CLAIM));
    sched_set_busy(s, job, false);
    j->is = RUNS;
}

static void step_runs(struct model_job *j, struct live *job)
{
    if (j->active) {
        sched_set_active(s, job, false);
        j->active = false;
    } else if (any(3) == 0) {
        ck_assert(sched_apply(s, job, JOB_EV_RELEASE));
        sched_to_front(s, job);
        j->is = READY;
        j->place = --first_place;
    } else {
        sched_remove(s, job);
        j->is = NONE;
    }
}

static void step_ready(struct model_job *j, struct live *job)
{
    switch (any(5)) {
    case 0:
        sched_remove(s, job);
        j->is = NONE;
        break;
    case 1:
    case 2:
        j->held = !j->held;
        sched_set_busy(s, job, j->held);
        break;
    case 3:
        sched_to_front(s, job);
        j->place = --first_place;
        break;
    default: {
        int priority = (int)any(3) - 1;

        sched_set_priority(s, job, priority);
        if (priority != j->priority)
            j->place = ++last_place;
        j->priority = priority;
    }
    }
}

static void step(void)
{
    uint64_t number = any(N_JOBS) + 1;
    struct model_job *j = &jobs[number - 1];
    struct live *job = sched_find(s, number);
    uint64_t what = any(20);

    ck_assert((job != NULL) == (j->is != NONE));
    if (what < 1)
        step_settings();
    else if (what < 4)
        step_time();
    else if (what < 10)
        step_take();
    else if (!job)
        step_add(j, number);
    else if (j->is == READY)
        step_ready(j, job);
    else if (j->is == TAKEN)
        step_taken(j, job);
    else
        step_runs(j, job);
}

static void compare(void)
{
    const struct model_job *j = &jobs[any(N_JOBS)];
    uint64_t n_startable = 0;

    ck_assert_uint_eq(next(true), model_next(true));
    ck_assert_uint_eq(next(false), model_next(false));
    for (size_t q = 0; q < N_QUEUES; q++) {
        uint64_t n = 0, n_ready = 0, n_active = 0;

        for (size_t i = 0; i < N_JOBS; i++) {
            if (jobs[i].is == NONE || jobs[i].queue != q)
                continue;
            n++;
            n_ready += jobs[i].is == READY && !jobs[i].held;
            n_active += jobs[i].active;
        }
        ck_assert_uint_eq(queues[q].real->n_jobs, n);
        ck_assert_uint_eq(queues[q].real->n_ready, n_ready);
        ck_assert_uint_eq(queues[q].real->n_active, n_active);
        n_startable += queue_opens(q) ? n_ready : 0;
    }
    ck_assert_uint_le(queues_startable(qs, SIZE_MAX), n_startable);
    ck_assert((queues_startable(qs, SIZE_MAX) > 0) == (model_next(true) > 0));
    if (j->is == READY && !j->held)
        compare_ahead(j);
}

START_TEST(whatever_is_done_they_agree_with_the_model)
{
    const char *given = getenv("AW_TEST_SEED");
    char name[16];

    seed = given ? strtoull(given, NULL, 0) : (uint64_t)now_us() * 2 + 1;
    printf("# AW_TEST_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    now = START;
    memset(jobs, 0, sizeof(jobs));
    memset(queues, 0, sizeof(queues));
    for (size_t q = 0; q < N_QUEUES; q++) {
        snprintf(name, sizeof(name), "q%zu", q);
        queues[q].real = queue_add(name, SET(0));
    }
    for (int i = 0; i < N_STEPS; i++) {
        step();
        if (i % 7 == 0)
            compare();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queues model");
    TCase *tc = tcase_create("against a model");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, queues_setup, queues_teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, whatever_is_done_they_agree_with_the_model, 0, 4);
    return unit_run(suite);
}
