/*
 * Several users: who of them is next, first by hand, then against a model that looks through
 * everything each time.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/queues_rig.h"
#include "tests/unit/unit.h"

static uint64_t last_number;

static void setup(void)
{
    queues_setup();
    last_number = 0;
}

static struct live *add(struct queue *q, uint32_t uid, int priority)
{
    struct live *job = sched_make(s, ++last_number, AW_QUEUED, q, uid, priority, 0, 0, false);

    ck_assert_ptr_nonnull(job);
    sched_insert(s, job);
    return job;
}

static uint32_t uid_of(const struct live *job)
{
    return share_uid(shares_of(&qs->shares, job));
}

/* Takes the next job; it runs then. */
static struct live *start(void)
{
    struct live *job = queues_next(qs, true);

    ck_assert_ptr_nonnull(job);
    sched_take(s, job);
    ck_assert(sched_apply(s, job, JOB_EV_CLAIM));
    sched_set_busy(s, job, false);
    return job;
}

static void end(struct live *job)
{
    sched_set_active(s, job, false);
    sched_remove(s, job);
}

/* The users of the next `n` jobs as they start, each ending before the next one starts. */
static void check_turns(const uint32_t *uids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct live *job = start();

        ck_assert_msg(uid_of(job) == uids[i], "start %zu is of user %u, not %u", i, uid_of(job),
                      uids[i]);
        end(job);
    }
}

#define CHECK_TURNS(...)                                  \
    check_turns((const uint32_t[]){__VA_ARGS__},          \
                sizeof((const uint32_t[]){__VA_ARGS__}) / \
                    sizeof(uint32_t)) /* one slot: nothing runs when the next is chosen */

START_TEST(a_user_with_few_jobs_does_not_wait_for_one_with_many)
{
    struct queue *q = queue_add("default", SET(0));

    for (int i = 0; i < 1000; i++)
        add(q, 1, 0);
    add(q, 2, 0);
    add(q, 2, 0);
    CHECK_TURNS(1, 2, 1, 2, 1, 1, 1);
}
END_TEST

START_TEST(users_take_turns_and_each_ones_jobs_are_in_order)
{
    struct queue *q = queue_add("default", SET(0));
    uint64_t last[4] = {0};

    for (uint32_t i = 0; i < 30; i++)
        add(q, 1 + i / 10, 0);
    for (uint32_t i = 0; i < 30; i++) {
        struct live *job = start();

        ck_assert_uint_eq(uid_of(job), 1 + i % 3);
        ck_assert_uint_gt(job->node.number, last[uid_of(job)]);
        last[uid_of(job)] = job->node.number;
        end(job);
    }
    ck_assert_ptr_null(queues_next(qs, true));
}
END_TEST

START_TEST(long_jobs_do_not_take_over_all_slots)
{
    struct queue *q = queue_add("default", SET(0));
    struct live *running[4];

    for (int i = 0; i < 100; i++) {
        add(q, 1, 0);
        add(q, 2, 0);
    }
    for (int i = 0; i < 4; i++)
        running[i] = start();
    /* The second one's end all the time, the first one's never: two slots each, all along. */
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < 4; k++) {
            if (uid_of(running[k]) == 1)
                continue;
            end(running[k]);
            running[k] = start();
            ck_assert_uint_eq(uid_of(running[k]), 2);
        }
}
END_TEST

START_TEST(what_is_more_urgent_goes_first_whoever_it_belongs_to)
{
    struct queue *q = queue_add("default", SET(0)), *high = queue_add("high", SET(.priority = 1));

    add(q, 2, 0);
    add(q, 1, 5);
    add(q, 1, 5);
    add(high, 1, 0);
    CHECK_TURNS(1, 1, 1, 2);
}
END_TEST

START_TEST(running_jobs_of_other_queues_count_where_slots_are_shared)
{
    struct queue *q = queue_add("default", SET(0)), *other = queue_add("other", SET(0));

    add(other, 1, 0);
    add(other, 1, 0);
    start();
    start();
    add(q, 1, 0);
    add(q, 2, 0);
    add(other, 2, 0);
    add(other, 3, 0);
    ck_assert_uint_eq(uid_of(start()), 2);
    ck_assert_uint_eq(uid_of(start()), 3);
    ck_assert_uint_eq(uid_of(start()), 2);
    ck_assert_uint_eq(uid_of(start()), 1);
}
END_TEST

START_TEST(in_a_queue_with_a_limit_its_own_running_jobs_count)
{
    struct queue *q = queue_add("default", SET(0)), *few = queue_add("few", SET(.limit = 2));

    for (int i = 0; i < 5; i++)
        add(q, 1, 0);
    for (int i = 0; i < 5; i++)
        start();
    for (int i = 0; i < 3; i++) {
        add(few, 2, 0);
        add(few, 1, 0);
    }
    ck_assert_uint_eq(uid_of(start()), 2);
    ck_assert_uint_eq(uid_of(start()), 1);
    ck_assert_ptr_null(queues_next(qs, true));
}
END_TEST

START_TEST(slots_that_become_shared_or_own_count_from_then_on)
{
    struct queue *q = queue_add("default", SET(0)), *own = queue_add("own", SET(.slots = 4));

    add(own, 1, 0);
    add(own, 1, 0);
    start();
    start();
    add(q, 1, 0);
    add(q, 2, 0);
    ck_assert_uint_eq(uid_of(queues_next(qs, true)), 1); /* these slots are no one else's */
    queues_set(qs, own, &SET(0));
    ck_assert_uint_eq(uid_of(queues_next(qs, true)), 2);
    queues_set(qs, own, &SET(.slots = 4));
    ck_assert_uint_eq(uid_of(queues_next(qs, true)), 1);
}
END_TEST

START_TEST(what_is_given_back_is_next)
{
    struct queue *q = queue_add("default", SET(0));
    struct live *first, *job;

    for (int i = 0; i < 3; i++) {
        add(q, 1, 0);
        add(q, 2, 0);
    }
    first = start();
    ck_assert(sched_apply(s, first, JOB_EV_RELEASE));
    sched_set_active(s, first, false);
    sched_to_front(s, first);
    ck_assert_ptr_eq(queues_next(qs, true), first);
    job = start();
    ck_assert_ptr_eq(job, first);
    end(job);
    CHECK_TURNS(2, 1, 2, 1, 2);
}
END_TEST

START_TEST(what_comes_before_counts_the_turns_of_others)
{
    struct queue *q = queue_add("default", SET(0));
    struct queue_ahead ahead;
    struct live *mine;

    for (int i = 0; i < 100; i++)
        add(q, 1, 0); /* 1 to 100 */
    add(q, 2, 0);
    add(q, 2, 0);
    mine = add(q, 2, 0);
    queues_ahead(qs, mine, &ahead);
    ck_assert_uint_eq(ahead.n, 5); /* two of its own user, and three turns of the other */
    ck_assert(!ahead.more);
    ck_assert_uint_eq(ahead.n_first, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_eq(ahead.first[i], i % 2 ? 101 + i / 2 : 1 + i / 2);
    for (size_t i = 0; i < ahead.n_first; i++) {
        struct live *job = start();

        ck_assert_uint_eq(job->node.number, ahead.first[i]);
        end(job);
    }
    ck_assert_ptr_eq(queues_next(qs, true), mine);
}
END_TEST

START_TEST(users_that_have_gone_leave_nothing)
{
    struct queue *q = queue_add("default", SET(0));

    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t uid = 0; uid < 1000; uid++)
            add(q, round * 1000 + uid, (int)(uid % 3));
        while (queues_next(qs, true))
            end(start());
        ck_assert_uint_eq(qs->shares.table.n_nodes, 0);
        ck_assert_uint_eq(qs->shares.accounts.table.n_nodes, 0);
    }
    ck_assert_uint_le(qs->shares.n, 1000);
    ck_assert_uint_eq(qs->shares.n_free, qs->shares.n);
}
END_TEST

/* ---- How fast jobs end ---------------------------------------------------------------------- */

#define T0      INT64_C(5000000)
#define MS(n)   (INT64_C(1000) * (n))
#define SECS(n) MS((n)*1000)

START_TEST(a_pace_says_how_long_it_takes)
{
    struct pace p = {0};
    int64_t now = T0;

    ck_assert_uint_eq(pace_wait_ms(&p, 1, now), PACE_UNKNOWN_MS);
    for (int i = 0; i < 10; i++)
        pace_note(&p, now += SECS(2));
    ck_assert_uint_eq(pace_wait_ms(&p, 1, now), 2000);
    ck_assert_uint_eq(pace_wait_ms(&p, 3, now), 6000);
    ck_assert_uint_eq(pace_wait_ms(&p, 1000, now), PACE_MAX_MS);
    ck_assert_uint_eq(pace_wait_ms(&p, UINT64_MAX, now), PACE_MAX_MS);
    ck_assert_uint_eq(pace_wait_ms(&p, 0, now), PACE_MIN_MS);
    /* Nothing has ended for a while: it may take as long again. */
    ck_assert_uint_eq(pace_wait_ms(&p, 1, now + SECS(30)), 30000);
    ck_assert_uint_eq(pace_wait_ms(&p, 1, now + SECS(300)), PACE_MAX_MS);
    for (int i = 0; i < 100; i++)
        pace_note(&p, now += MS(1));
    ck_assert_uint_eq(pace_wait_ms(&p, 1, now), PACE_MIN_MS);
    ck_assert_uint_lt(pace_wait_ms(&p, 1000, now), 3000);
}
END_TEST

START_TEST(ends_that_come_together_are_no_pace_of_nothing)
{
    struct pace p = {0};

    for (int i = 0; i < 100; i++)
        pace_note(&p, T0);
    ck_assert_uint_eq(pace_wait_ms(&p, 5, T0), PACE_MIN_MS);
    ck_assert_uint_eq(pace_wait_ms(&p, 5, T0 + SECS(1)), 5000);
}
END_TEST

/* ---- Against a model ------------------------------------------------------------------------ */

#define N_USERS 7
#define N_JOBS  200
#define N_STEPS 40000

struct model_job {
    struct live *real; /* NULL: none */
    uint32_t uid;
    int priority;
    uint64_t place;
    bool runs;
};

static struct model_job jobs[N_JOBS];
static uint64_t seed, last_place;

static uint64_t any(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

/* How many jobs of each user run. */
static void loads_count(unsigned ret[N_USERS])
{
    memset(ret, 0, N_USERS * sizeof(*ret));
    for (size_t i = 0; i < N_JOBS; i++)
        ret[jobs[i].uid] += jobs[i].real && jobs[i].runs;
}

/* Whether the job that was chosen is one that may be: nobody else's comes before it for sure. */
static void check_choice(const struct live *chosen)
{
    const struct model_job *mine = NULL;
    unsigned loads[N_USERS];

    loads_count(loads);
    for (size_t i = 0; i < N_JOBS; i++)
        if (jobs[i].real == chosen)
            mine = &jobs[i];
    ck_assert_ptr_nonnull(mine);
    for (const struct model_job *j = jobs; j < jobs + N_JOBS; j++) {
        if (!j->real || j->runs || j == mine)
            continue;
        /* An assertion costs a message: not one for each job. */
        if (j->priority > mine->priority ||
            (j->priority == mine->priority &&
             (j->uid == mine->uid ? j->place < mine->place : loads[j->uid] < loads[mine->uid])))
            ck_abort_msg("job %zu of user %u comes before the one that was chosen",
                         (size_t)(j - jobs), j->uid);
    }
}

static void step(struct queue *q)
{
    struct model_job *j = &jobs[any(N_JOBS)];

    if (!j->real) {
        /* Some users have many jobs, others few. */
        *j = (struct model_job){.uid = (uint32_t)any(1 + any(N_USERS)), .priority = (int)any(2)};
        j->real = add(q, j->uid, j->priority);
        j->place = ++last_place;
    } else if (j->runs) {
        end(j->real);
        j->real = NULL;
    } else if (any(8) == 0) {
        sched_remove(s, j->real);
        j->real = NULL;
    } else if (any(8) == 0) {
        int to = (int)any(2);

        j->place = to == j->priority ? j->place : ++last_place;
        j->priority = to;
        sched_set_priority(s, j->real, to);
    }
}

START_TEST(whatever_is_done_nobody_is_passed_over)
{
    struct queue *q = queue_add("default", SET(0));
    const char *given = getenv("AW_TEST_SEED");
    unsigned n_running;

    seed = given ? strtoull(given, NULL, 0) : (uint64_t)now_us() * 2 + 1;
    printf("# AW_TEST_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    memset(jobs, 0, sizeof(jobs));
    for (int i = 0; i < N_STEPS; i++) {
        struct live *chosen = queues_next(qs, true);

        if (chosen)
            check_choice(chosen);
        n_running = 0;
        for (size_t k = 0; k < N_JOBS; k++)
            n_running += jobs[k].real && jobs[k].runs;
        if (chosen && n_running < 5) {
            ck_assert_ptr_eq(start(), chosen);
            for (size_t k = 0; k < N_JOBS; k++)
                jobs[k].runs |= jobs[k].real == chosen;
        }
        step(q);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shares");
    TCase *tc = tcase_create("by hand"), *random = tcase_create("against a model");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, queues_teardown);
    tcase_add_test(tc, a_user_with_few_jobs_does_not_wait_for_one_with_many);
    tcase_add_test(tc, users_take_turns_and_each_ones_jobs_are_in_order);
    tcase_add_test(tc, long_jobs_do_not_take_over_all_slots);
    tcase_add_test(tc, what_is_more_urgent_goes_first_whoever_it_belongs_to);
    tcase_add_test(tc, running_jobs_of_other_queues_count_where_slots_are_shared);
    tcase_add_test(tc, in_a_queue_with_a_limit_its_own_running_jobs_count);
    tcase_add_test(tc, slots_that_become_shared_or_own_count_from_then_on);
    tcase_add_test(tc, what_is_given_back_is_next);
    tcase_add_test(tc, what_comes_before_counts_the_turns_of_others);
    tcase_add_test(tc, users_that_have_gone_leave_nothing);
    tcase_add_test(tc, a_pace_says_how_long_it_takes);
    tcase_add_test(tc, ends_that_come_together_are_no_pace_of_nothing);
    suite_add_tcase(suite, random);
    tcase_add_checked_fixture(random, setup, queues_teardown);
    tcase_set_timeout(random, 120);
    tcase_add_loop_test(random, whatever_is_done_nobody_is_passed_over, 0, 4);
    return unit_run(suite);
}
