/*
 * Queues: first by hand, with a clock of the test's own, then against a model that looks through
 * everything each time.
 */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "daemon/engine/embedded/sched.h"

#define SECOND INT64_C(1000000)
#define START  (1700000000 * SECOND)

static struct sched *s;
static struct queues *qs;
static uint64_t last_number;

static void setup(void)
{
    s = sched_new();
    ck_assert_ptr_nonnull(s);
    qs = sched_queues(s);
    last_number = 0;
    queues_tick(qs, START);
}

static void teardown(void)
{
    sched_free(s);
}

static struct queue *queue_add(const char *name, struct queue_settings set)
{
    struct queue *q = queue_make((int)qs->n + 1, name, &set);

    ck_assert_ptr_nonnull(q);
    ck_assert(queues_insert(qs, q));
    return q;
}

#define SET(...) ((struct queue_settings){__VA_ARGS__})

static struct live *add(struct queue *q, int priority)
{
    struct live *job = sched_make(s, ++last_number, AW_QUEUED, q, priority, 0, 0, false);

    ck_assert_ptr_nonnull(job);
    sched_insert(s, job);
    return job;
}

static uint64_t next(bool shared)
{
    const struct live *job = queues_next(qs, shared);

    return job ? job->node.number : 0;
}

/* Takes the next one, which must be there; its number. */
static uint64_t take(void)
{
    struct live *job = queues_next(qs, true);

    ck_assert_ptr_nonnull(job);
    sched_take(s, job);
    return job->node.number;
}

static size_t take_all(void)
{
    size_t n = 0;

    for (; next(true); n++)
        take();
    return n;
}

static void end(uint64_t number)
{
    sched_remove(s, sched_find(s, number));
}

/* ---- Order -------------------------------------------------------------------------------------
 */

START_TEST(queue_then_job_then_who_came_first)
{
    struct queue *plain = queue_add("plain", SET(0)), *other = queue_add("other", SET(0));
    struct queue *high = queue_add("high", SET(.priority = 3));

    add(plain, 0);
    add(other, 0);
    add(other, 5);
    add(high, -10);
    add(plain, 0);
    ck_assert_uint_eq(take(), 4);
    ck_assert_uint_eq(take(), 3);
    ck_assert_uint_eq(take(), 1);
    ck_assert_uint_eq(take(), 2);
    ck_assert_uint_eq(take(), 5);
    ck_assert_uint_eq(next(true), 0);
}
END_TEST

START_TEST(two_queues_share_by_who_came_first)
{
    struct queue *a = queue_add("a", SET(0)), *b = queue_add("b", SET(0));

    for (int i = 0; i < 100; i++)
        add(i % 3 ? a : b, 0);
    for (uint64_t i = 1; i <= 100; i++)
        ck_assert_uint_eq(take(), i);
}
END_TEST

START_TEST(a_queue_that_may_not_start_anything_starves_nobody)
{
    struct queue *paused = queue_add("paused", SET(.priority = 10, .paused = true));
    struct queue *full = queue_add("full", SET(.priority = 10, .limit = 1));
    struct queue *rated = queue_add("rated", SET(.priority = 10, .rate = 1, .rate_ms = 1000));
    struct queue *plain = queue_add("plain", SET(.priority = -10));

    for (int i = 0; i < 10; i++) {
        add(paused, 10);
        add(full, 10);
        add(rated, 10);
        add(plain, -10);
    }
    ck_assert_uint_eq(take(), 2);
    ck_assert_uint_eq(take(), 3);
    ck_assert_uint_eq(take(), 4);
    ck_assert_uint_eq(take_all(), 9);
    ck_assert_uint_eq(paused->n_ready + full->n_ready + rated->n_ready, 28);
    ck_assert_uint_eq(plain->n_ready, 0);
}
END_TEST

START_TEST(a_job_that_is_held_keeps_its_place_and_is_passed_over)
{
    struct queue *q = queue_add("q", SET(0));
    struct live *a = add(q, 0), *b = add(q, 0), *c = add(q, 0);

    sched_set_busy(s, a, true);
    sched_set_busy(s, b, true);
    ck_assert_uint_eq(next(true), 3);
    sched_set_busy(s, c, true);
    ck_assert_uint_eq(next(true), 0);
    sched_set_busy(s, c, false);
    sched_set_busy(s, b, false);
    ck_assert_uint_eq(next(true), 2);
    sched_set_busy(s, a, true); /* by another operation, too */
    sched_set_busy(s, a, false);
    ck_assert_uint_eq(next(true), 2);
    sched_set_busy(s, a, false);
    ck_assert_uint_eq(next(true), 1);
    end(1);
    ck_assert_uint_eq(next(true), 2);
}
END_TEST

START_TEST(what_was_taken_and_not_started_is_where_it_was)
{
    struct queue *q = queue_add("q", SET(.limit = 2, .rate = 2, .rate_ms = 1000000));
    struct live *a = add(q, 0), *b = add(q, 0);

    add(q, 0);
    take();
    take();
    ck_assert_uint_eq(next(true), 0);
    sched_untake(s, b);
    ck_assert_uint_eq(next(true), 2);
    sched_untake(s, a);
    ck_assert_uint_eq(take(), 1);
    ck_assert_uint_eq(take(), 2);
    ck_assert_uint_eq(next(true), 0);
}
END_TEST

START_TEST(another_priority_puts_a_job_behind_its_equals)
{
    struct queue *q = queue_add("q", SET(0));
    struct live *a = add(q, 0);

    add(q, 4);
    add(q, 4);
    sched_set_priority(s, a, 4);
    ck_assert_uint_eq(take(), 2);
    ck_assert_uint_eq(take(), 3);
    ck_assert_uint_eq(take(), 1);
}
END_TEST

/* ---- Slots and limits --------------------------------------------------------------------------
 */

START_TEST(only_slots_of_its_own_count_when_no_other_is_free)
{
    struct queue *own = queue_add("own", SET(.slots = 2, .priority = -5));
    struct queue *shared = queue_add("shared", SET(0));

    add(shared, 0);
    for (int i = 0; i < 3; i++)
        add(own, 0);
    ck_assert_uint_eq(next(true), 1);
    ck_assert_uint_eq(next(false), 2);
    ck_assert_uint_eq(queues_startable(qs, 0), 2);
    ck_assert_uint_eq(queues_startable(qs, 10), 3);
    sched_take(s, sched_find(s, 2));
    sched_take(s, sched_find(s, 3));
    ck_assert_uint_eq(next(false), 0);
    ck_assert_uint_eq(queues_startable(qs, 0), 0);
    sched_set_active(s, sched_find(s, 2), false);
    ck_assert_uint_eq(next(false), 4);
    sched_set_active(s, sched_find(s, 2), false); /* nothing happens twice */
    ck_assert_uint_eq(own->n_active, 1);
}
END_TEST

START_TEST(a_limit_is_kept_and_may_change)
{
    struct queue *q = queue_add("q", SET(.limit = 3));

    for (int i = 0; i < 10; i++)
        add(q, 0);
    ck_assert_uint_eq(take_all(), 3);
    queues_set(qs, q, &SET(.limit = 5));
    ck_assert_uint_eq(take_all(), 2);
    queues_set(qs, q, &SET(.limit = 1));
    for (uint64_t i = 1; i <= 4; i++) {
        end(i);
        ck_assert_uint_eq(next(true), 0);
    }
    end(5);
    ck_assert_uint_eq(take_all(), 1);
    queues_set(qs, q, &SET(0));
    ck_assert_uint_eq(take_all(), 4);
}
END_TEST

START_TEST(what_ran_before_counts)
{
    struct queue *q = queue_add("q", SET(.slots = 1));
    struct live *runs = sched_make(s, 99, AW_RUNNING, q, 0, 0, 0, false);

    sched_insert(s, runs);
    add(q, 0);
    ck_assert_uint_eq(next(true), 0);
    end(99);
    ck_assert_uint_eq(next(true), 1);
}
END_TEST

/* ---- Rates -------------------------------------------------------------------------------------
 */

START_TEST(a_rate_gives_its_burst_and_then_one_at_a_time)
{
    struct queue *q = queue_add("q", SET(.rate = 5, .rate_ms = 1000));

    for (int i = 0; i < 20; i++)
        add(q, 0);
    ck_assert_int_eq(queues_next_tick(qs), 0);
    ck_assert_uint_eq(take_all(), 5);
    for (int64_t i = 1; i <= 4; i++) {
        int64_t at = START + i * SECOND / 5;

        ck_assert_int_eq(queues_next_tick(qs), at);
        queues_tick(qs, at - 1);
        ck_assert_uint_eq(take_all(), 0);
        ck_assert_int_eq(queues_next_tick(qs), at);
        queues_tick(qs, at);
        ck_assert_int_eq(queues_next_tick(qs), 0);
        ck_assert_uint_eq(take_all(), 1);
    }
    queues_tick(qs, START + 100 * SECOND);
    ck_assert_uint_eq(take_all(), 5);
}
END_TEST

START_TEST(in_the_long_run_a_rate_is_what_it_says)
{
    struct queue *q = queue_add("q", SET(.rate = 7, .rate_ms = 60000));
    size_t n = 0;

    for (int i = 0; i < 1000; i++)
        add(q, 0);
    for (int64_t t = 0; t < 3600; t++) {
        queues_tick(qs, START + t * SECOND);
        n += take_all();
    }
    ck_assert_uint_le(n, 7 + 7 * 60);
    ck_assert_uint_ge(n, 7 * 60);
}
END_TEST

START_TEST(a_clock_that_is_set_back_holds_up_no_longer_than_a_full_bucket)
{
    struct queue *q = queue_add("q", SET(.rate = 2, .rate_ms = 1000));

    for (int i = 0; i < 10; i++)
        add(q, 0);
    ck_assert_uint_eq(take_all(), 2);
    queues_tick(qs, START - 3600 * SECOND);
    ck_assert_uint_eq(take_all(), 0);
    ck_assert_int_le(queues_next_tick(qs), START - 3600 * SECOND + SECOND / 2);
    queues_tick(qs, START - 3600 * SECOND + SECOND / 2);
    ck_assert_uint_eq(take_all(), 1);
}
END_TEST

START_TEST(the_largest_rates_and_periods_are_counted_right)
{
    struct queue *fast = queue_add("fast", SET(.rate = AW_MAX_RATE, .rate_ms = 1));
    struct queue *slow = queue_add("slow", SET(.rate = 1, .rate_ms = AW_MAX_DURATION_MS));
    int64_t at = START + INT64_C(1000) * AW_MAX_DURATION_MS;

    for (int i = 0; i < 1000; i++)
        add(fast, 0);
    ck_assert_uint_eq(take_all(), 1000);
    add(slow, 0);
    add(slow, 0);
    ck_assert_uint_eq(take_all(), 1);
    ck_assert_int_eq(queues_next_tick(qs), at);
    queues_tick(qs, at);
    ck_assert_uint_eq(take_all(), 1);
}
END_TEST

START_TEST(of_several_the_first_time_is_told)
{
    struct queue *a = queue_add("a", SET(.rate = 1, .rate_ms = 9000));
    struct queue *b = queue_add("b", SET(.rate = 1, .rate_ms = 4000));

    for (int i = 0; i < 2; i++) {
        add(a, 0);
        add(b, 0);
    }
    take_all();
    ck_assert_int_eq(queues_next_tick(qs), START + 4 * SECOND);
    queues_set(qs, b, &SET(.rate = 1, .rate_ms = 4000, .paused = true));
    ck_assert_int_eq(queues_next_tick(qs), START + 9 * SECOND);
    queues_set(qs, a, &SET(0));
    ck_assert_int_eq(queues_next_tick(qs), 0);
    ck_assert_uint_eq(next(true), 3);
}
END_TEST

/* ---- Queues by themselves ----------------------------------------------------------------------
 */

START_TEST(places_of_queues_that_went_are_used_again)
{
    struct queue *q;
    char name[16];

    for (int i = 0; i < AW_MAX_QUEUES; i++) {
        snprintf(name, sizeof(name), "q%d", i);
        queue_add(name, SET(.limit = (unsigned)i));
    }
    q = queue_make(1000, "one more", &SET(0));
    ck_assert(!queues_insert(qs, q));
    queues_remove(qs, queues_find(qs, bytes_str("q77")));
    ck_assert_ptr_null(queues_find(qs, bytes_str("q77")));
    ck_assert(queues_insert(qs, q));
    ck_assert_ptr_eq(queues_find_id(qs, 1000), q);
    ck_assert_ptr_eq(queues_find(qs, bytes_str("one more")), q);
    ck_assert_uint_eq(queues_find(qs, bytes_str("q255"))->set.limit, 255);
}
END_TEST

/* ---- Against a model ---------------------------------------------------------------------------
 */

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
    job = sched_make(s, number, AW_QUEUED, queues[j->queue].real, j->priority, 0, 0, false);
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
    Suite *suite = suite_create("queues");
    TCase *tc = tcase_create("by hand"), *random = tcase_create("against a model");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, queue_then_job_then_who_came_first);
    tcase_add_test(tc, two_queues_share_by_who_came_first);
    tcase_add_test(tc, a_queue_that_may_not_start_anything_starves_nobody);
    tcase_add_test(tc, a_job_that_is_held_keeps_its_place_and_is_passed_over);
    tcase_add_test(tc, what_was_taken_and_not_started_is_where_it_was);
    tcase_add_test(tc, another_priority_puts_a_job_behind_its_equals);
    tcase_add_test(tc, only_slots_of_its_own_count_when_no_other_is_free);
    tcase_add_test(tc, a_limit_is_kept_and_may_change);
    tcase_add_test(tc, what_ran_before_counts);
    tcase_add_test(tc, a_rate_gives_its_burst_and_then_one_at_a_time);
    tcase_add_test(tc, in_the_long_run_a_rate_is_what_it_says);
    tcase_add_test(tc, a_clock_that_is_set_back_holds_up_no_longer_than_a_full_bucket);
    tcase_add_test(tc, the_largest_rates_and_periods_are_counted_right);
    tcase_add_test(tc, of_several_the_first_time_is_told);
    tcase_add_test(tc, places_of_queues_that_went_are_used_again);
    suite_add_tcase(suite, random);
    tcase_add_checked_fixture(random, setup, teardown);
    tcase_set_timeout(random, 120);
    tcase_add_loop_test(random, whatever_is_done_they_agree_with_the_model, 0, 4);
    return unit_run(suite);
}
