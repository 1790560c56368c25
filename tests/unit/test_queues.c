/* Queues by hand, with a clock of the test's own. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "tests/unit/queues_rig.h"

static uint64_t last_number;

static void setup(void)
{
    queues_setup();
    last_number = 0;
}

static struct live *add(struct queue *q, int priority)
{
    struct live *job = sched_make(s, ++last_number, AW_QUEUED, q, RIG_UID, priority, 0, 0, false);

    ck_assert_ptr_nonnull(job);
    sched_insert(s, job);
    return job;
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
    struct live *runs = sched_make(s, 99, AW_RUNNING, q, RIG_UID, 0, 0, 0, false);

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

int main(void)
{
    Suite *suite = suite_create("queues");
    TCase *tc = tcase_create("by hand");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, queues_teardown);
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
    return unit_run(suite);
}
