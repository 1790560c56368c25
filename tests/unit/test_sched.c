/*
 * The scheduler, first by hand, then against a model that is too simple to be wrong: an array that
 * is searched from end to end.
 */
#include "tests/unit/unit.h"

#include <malloc.h>
#include <stdio.h>

#include "daemon/engine/embedded/sched.h"

#define UID 1000

static struct sched *s;
static struct queue *q; /* a plain one */

static struct queue *queue_add(int id, const char *name, struct queue_settings set)
{
    struct queue *new = queue_make(id, name, &set);

    ck_assert_ptr_nonnull(new);
    ck_assert(queues_insert(sched_queues(s), new));
    return new;
}

static void setup(void)
{
    s = sched_new();
    ck_assert_ptr_nonnull(s);
    q = queue_add(1, "default", (struct queue_settings){0});
}

static void teardown(void)
{
    sched_free(s);
}

static struct live *add(uint64_t number, enum aw_state state, int priority, int64_t due,
                        int64_t deadline)
{
    struct live *job = sched_make(s, number, state, q, UID, priority, due, deadline, false);

    ck_assert_ptr_nonnull(job);
    sched_insert(s, job);
    return job;
}

static uint64_t next_number(void)
{
    const struct live *job = queues_next(sched_queues(s), true);

    return job ? job->node.number : 0;
}

static uint64_t timer_number(int64_t want_at)
{
    int64_t at = -1;
    const struct live *job = sched_next_timer(s, &at);

    if (job)
        ck_assert_int_eq(at, want_at);
    return job ? job->node.number : 0;
}

START_TEST(an_empty_one_has_nothing)
{
    ck_assert_uint_eq(next_number(), 0);
    ck_assert_uint_eq(timer_number(0), 0);
    ck_assert_ptr_null(sched_find(s, 1));
    ck_assert_uint_eq(sched_total(s), 0);
}
END_TEST

START_TEST(jobs_are_found_by_number)
{
    struct live *a = add(1, AW_QUEUED, 0, 0, 0), *b = add(UINT64_MAX, AW_QUEUED, 0, 0, 0);

    ck_assert_ptr_eq(sched_find(s, 1), a);
    ck_assert_ptr_eq(sched_find(s, UINT64_MAX), b);
    ck_assert_ptr_null(sched_find(s, 2));
    sched_remove(s, a);
    ck_assert_ptr_null(sched_find(s, 1));
    ck_assert_uint_eq(sched_total(s), 1);
}
END_TEST

START_TEST(a_busy_job_is_neither_taken_nor_does_its_time_come)
{
    struct live *job = add(1, AW_QUEUED, 0, 0, 500);

    ck_assert_uint_eq(next_number(), 1);
    ck_assert_uint_eq(timer_number(500), 1);
    sched_set_busy(s, job, true);
    ck_assert_uint_eq(next_number(), 0);
    ck_assert_uint_eq(timer_number(0), 0);
    sched_set_busy(s, job, false);
    ck_assert_uint_eq(next_number(), 1);
    ck_assert_uint_eq(timer_number(500), 1);
}
END_TEST

START_TEST(one_put_in_front_is_before_its_own_priority_only)
{
    struct live *c;

    add(1, AW_QUEUED, 5, 0, 0);
    add(2, AW_QUEUED, 0, 0, 0);
    c = add(3, AW_QUEUED, 0, 0, 0);
    sched_to_front(s, c);
    ck_assert_uint_eq(next_number(), 1);
    sched_remove(s, sched_find(s, 1));
    ck_assert_uint_eq(next_number(), 3);
    sched_remove(s, c);
    ck_assert_uint_eq(next_number(), 2);
}
END_TEST

START_TEST(a_scheduled_job_has_the_earlier_of_its_two_times)
{
    struct live *job = add(1, AW_SCHEDULED, 0, 100, 200);

    ck_assert_uint_eq(timer_number(100), 1);
    ck_assert_uint_eq(next_number(), 0);
    ck_assert(sched_apply(s, job, JOB_EV_DUE));
    ck_assert_uint_eq(timer_number(200), 1);
    ck_assert_uint_eq(next_number(), 1);
    ck_assert(sched_apply(s, job, JOB_EV_CLAIM));
    ck_assert_uint_eq(timer_number(0), 0);
    ck_assert_uint_eq(next_number(), 0);
    ck_assert(sched_apply(s, job, JOB_EV_RELEASE));
    ck_assert_uint_eq(timer_number(200), 1);
    ck_assert_uint_eq(next_number(), 1);
}
END_TEST

START_TEST(a_move_that_the_table_forbids_changes_nothing)
{
    struct live *job = add(1, AW_QUEUED, 0, 0, 0);

    ck_assert(!sched_apply(s, job, JOB_EV_SUCCEED));
    ck_assert_int_eq(job->state, AW_QUEUED);
    ck_assert_uint_eq(next_number(), 1);
    ck_assert_uint_eq(sched_count(s, AW_QUEUED), 1);
}
END_TEST

START_TEST(one_that_comes_to_nothing_leaves_nothing)
{
    sched_discard(s, sched_make(s, 1, AW_SCHEDULED, q, UID, 0, 100, 0, false));
    sched_discard(s, NULL);
    ck_assert_ptr_null(sched_find(s, 1));
    ck_assert_uint_eq(sched_total(s), 0);
    ck_assert_uint_eq(timer_number(0), 0);
}
END_TEST

static void count_job(void *arg, struct live *job)
{
    ck_assert_int_eq(job->state, AW_RUNNING);
    ++*(int *)arg;
}

START_TEST(only_the_running_are_visited)
{
    int n = 0;

    for (uint64_t i = 1; i <= 1000; i++)
        add(i, i % 10 ? AW_QUEUED : AW_RUNNING, 0, 0, 0);
    sched_each_running(s, count_job, &n);
    ck_assert_int_eq(n, 100);
}
END_TEST

/* ---- Against a model --------------------------------------------------------------------------
 */

#define N_MODEL 10000
#define N_STEPS 200000

/* A job of the model; number is its index plus one. */
struct model {
    bool there, busy;
    enum aw_state state;
    int priority;
    int64_t due, deadline;
    int64_t place; /* among its equals: the smallest is first */
};

static struct model model[N_MODEL];
static int64_t last_place, first_place;
static uint64_t seed;

static uint64_t any(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

static int64_t model_time(const struct model *m)
{
    if (!m->there || m->busy || m->state == AW_RUNNING)
        return 0;
    if (m->state == AW_SCHEDULED && (!m->deadline || m->due < m->deadline))
        return m->due;
    return m->deadline;
}

static uint64_t model_next(void)
{
    const struct model *best = NULL;

    for (const struct model *m = model; m < model + N_MODEL; m++)
        if (m->there && !m->busy && m->state == AW_QUEUED &&
            (!best || m->priority > best->priority ||
             (m->priority == best->priority && m->place < best->place)))
            best = m;
    return best ? (uint64_t)(best - model) + 1 : 0;
}

static int64_t model_next_time(void)
{
    int64_t first = 0;

    for (const struct model *m = model; m < model + N_MODEL; m++)
        if (model_time(m) && (!first || model_time(m) < first))
            first = model_time(m);
    return first;
}

static void model_add(struct model *m, uint64_t number)
{
    *m = (struct model){
        .there = true,
        .state = any(3) ? AW_QUEUED : AW_SCHEDULED,
        .priority = (int)any(21) - 10,
        .deadline = any(3) ? 0 : (int64_t)any(1000) + 1,
        .place = ++last_place,
    };
    if (m->state == AW_SCHEDULED)
        m->due = (int64_t)any(1000) + 1;
    add(number, m->state, m->priority, m->due, m->deadline);
}

static void model_apply(struct model *m, struct live *job)
{
    static const enum job_event events[] = {JOB_EV_DUE, JOB_EV_CLAIM, JOB_EV_RELEASE};
    enum job_event event = events[any(ARRAY_SIZE(events))];
    enum aw_state to = m->state;
    bool possible = job_transition(m->state, event, &to);

    ck_assert(sched_apply(s, job, event) == possible);
    if (possible) {
        m->state = to;
        m->place = ++last_place;
    }
}

static void model_busy(struct model *m, struct live *job)
{
    m->busy = !m->busy;
    sched_set_busy(s, job, m->busy);
}

static void model_front(struct model *m, struct live *job)
{
    if (m->state == AW_QUEUED)
        m->place = --first_place;
    sched_to_front(s, job);
}

static void model_step(void)
{
    uint64_t number = any(N_MODEL) + 1;
    struct model *m = &model[number - 1];
    struct live *job = sched_find(s, number);

    ck_assert((job != NULL) == m->there);
    if (!job) {
        model_add(m, number);
        return;
    }
    switch (any(8)) {
    case 0:
        sched_remove(s, job);
        m->there = false;
        break;
    case 1:
    case 2:
        model_busy(m, job);
        break;
    case 3:
        model_front(m, job);
        break;
    default:
        model_apply(m, job);
    }
}

static void model_compare(void)
{
    uint64_t n[N_JOB_STATES] = {0}, total = 0;
    int64_t at = 0;

    for (uint64_t i = 0; i < N_MODEL; i++)
        if (model[i].there) {
            n[model[i].state]++;
            total++;
        }
    for (int state = 0; state < N_JOB_STATES; state++)
        ck_assert_uint_eq(sched_count(s, (enum aw_state)state), n[state]);
    ck_assert_uint_eq(sched_total(s), total);
    ck_assert_uint_eq(next_number(), model_next());
    if (!sched_next_timer(s, &at))
        at = 0;
    ck_assert_int_eq(at, model_next_time());
}

START_TEST(whatever_is_done_to_it_it_agrees_with_the_model)
{
    seed = UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)_i;
    memset(model, 0, sizeof(model));
    for (int i = 0; i < N_STEPS; i++) {
        model_step();
        if (i % 200 == 0)
            model_compare();
    }
    /* Emptied from the front, it gives all that can run, in order. */
    for (uint64_t number; (number = next_number());) {
        if (number % 16 == 0)
            ck_assert_uint_eq(number, model_next());
        sched_remove(s, sched_find(s, number));
        model[number - 1].there = false;
    }
    model_compare();
}
END_TEST

/* Of this process, in memory. */
static size_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    size_t size = 0, pages = 0;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%zu %zu", &size, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

START_TEST(a_job_costs_less_than_eighty_bytes_and_leaves_none_behind)
{
    const uint64_t n = 200000;
    size_t before = resident(), each;

    for (uint64_t i = 1; i <= n; i++)
        add(i, AW_QUEUED, 0, 0, 0);
    each = (resident() - before) / n;
    for (uint64_t i = 1; i <= n; i += 997)
        ck_assert_uint_eq(sched_find(s, i)->node.number, i);
    for (uint64_t i = 1; i <= n; i++)
        sched_remove(s, sched_find(s, i));
    printf("# %zu bytes a job\n", each);
    fflush(stdout);
    if (mallinfo2().uordblks == 0)
        return; /* a sanitizer, which has notes of its own about each byte */
    ck_assert_uint_le(each, 80);
    malloc_trim(0);
    ck_assert_uint_le(resident() - before, 1 << 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched");
    TCase *tc = tcase_create("by hand"), *random = tcase_create("against a model");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_empty_one_has_nothing);
    tcase_add_test(tc, jobs_are_found_by_number);
    tcase_add_test(tc, a_busy_job_is_neither_taken_nor_does_its_time_come);
    tcase_add_test(tc, one_put_in_front_is_before_its_own_priority_only);
    tcase_add_test(tc, a_scheduled_job_has_the_earlier_of_its_two_times);
    tcase_add_test(tc, a_move_that_the_table_forbids_changes_nothing);
    tcase_add_test(tc, one_that_comes_to_nothing_leaves_nothing);
    tcase_add_test(tc, only_the_running_are_visited);
    suite_add_tcase(suite, random);
    tcase_add_checked_fixture(random, setup, teardown);
    tcase_set_timeout(random, 120);
    tcase_add_loop_test(random, whatever_is_done_to_it_it_agrees_with_the_model, 1, 4);
    tcase_add_test(random, a_job_costs_less_than_eighty_bytes_and_leaves_none_behind);
    return unit_run(suite);
}
