/*
 * The workers that need no process: noop and sleep.
 */
#include "tests/unit/unit.h"

#include <event2/event.h>

#include "daemon/workers/worker.h"

#define MAX_CLAIMS 2000

static struct event_base *base;
static struct worker *w;
static unsigned n_ended;
static struct outcome outcomes[MAX_CLAIMS];
static unsigned n_times[MAX_CLAIMS];

static void on_ended(void *arg, uint64_t claim, const struct outcome *outcome)
{
    ck_assert_ptr_eq(arg, &n_ended);
    n_ended++;
    n_times[claim]++;
    outcomes[claim] = *outcome;
    w->ops->recorded(w, claim);
    w->ops->stop(w, claim, 0); /* of one that has ended: nothing happens */
}

static const struct worker_host host = {.ended = on_ended};

static void setup(void)
{
    base = event_base_new();
    n_ended = 0;
    memset(n_times, 0, sizeof(n_times));
}

static void teardown(void)
{
    w->ops->free(w);
    event_base_free(base);
}

static void start(uint64_t claim, const struct job *job)
{
    struct work work = {.claim = claim, .number = claim, .attempt = 1, .id = "x-1", .job = job};

    w->ops->start(w, &work);
}

static void until_ended(unsigned n)
{
    while (n_ended < n)
        event_base_loop(base, EVLOOP_ONCE);
}

static const struct job noop, minute = {.sleep_ms = 60000}, moment = {.sleep_ms = 1};

START_TEST(a_noop_succeeds_in_the_next_turn)
{
    w = worker_noop_new(base, &host, &n_ended);
    start(1, &noop);
    ck_assert_uint_eq(n_ended, 0);
    event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(n_ended, 1);
    ck_assert_int_eq(outcomes[1].class, AW_CLASS_NONE);
    ck_assert_int_eq(outcomes[1].exit_code, 0);
    ck_assert_int_gt(outcomes[1].started_us, 0);
    ck_assert_int_ge(outcomes[1].ended_us, outcomes[1].started_us);
}
END_TEST

START_TEST(a_thousand_noops_end_in_one_turn)
{
    w = worker_noop_new(base, &host, &n_ended);
    for (uint64_t claim = 1; claim <= 1000; claim++)
        start(claim, &noop);
    event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(n_ended, 1000);
}
END_TEST

START_TEST(a_noop_can_be_stopped_until_it_has_ended)
{
    w = worker_noop_new(base, &host, &n_ended);
    start(1, &noop);
    w->ops->stop(w, 1, 0);
    w->ops->stop(w, 99, 0);
    until_ended(1);
    ck_assert(outcomes[1].stopped);
}
END_TEST

START_TEST(noops_that_are_left_are_freed)
{
    w = worker_noop_new(base, &host, &n_ended);
    start(1, &noop);
    start(2, &noop);
}
END_TEST

START_TEST(a_sleep_takes_its_time)
{
    int64_t before_us = boottime_us();

    w = worker_sleep_new(base, &host, &n_ended);
    start(1, &(struct job){.sleep_ms = 30});
    until_ended(1);
    ck_assert_int_ge(boottime_us() - before_us, 29000);
    ck_assert_int_eq(outcomes[1].class, AW_CLASS_NONE);
    ck_assert_int_eq(outcomes[1].exit_code, 0);
}
END_TEST

START_TEST(sleeps_end_in_the_order_of_their_times)
{
    w = worker_sleep_new(base, &host, &n_ended);
    start(1, &minute);
    start(2, &(struct job){.sleep_ms = 0});
    start(3, &moment);
    until_ended(2);
    ck_assert_uint_eq(n_times[1], 0);
    ck_assert_uint_eq(n_times[2], 1);
    ck_assert_uint_eq(n_times[3], 1);
}
END_TEST

START_TEST(a_sleep_can_be_stopped_twice_and_ends_once)
{
    w = worker_sleep_new(base, &host, &n_ended);
    start(1, &minute);
    w->ops->stop(w, 1, 5000);
    w->ops->stop(w, 1, 0);
    ck_assert_uint_eq(n_ended, 0);
    until_ended(1);
    start(2, &moment);
    until_ended(2);
    ck_assert_uint_eq(n_times[1], 1);
    ck_assert(outcomes[1].stopped);
    ck_assert_int_eq(outcomes[1].exit_code, NO_EXIT_CODE);
    ck_assert(!outcomes[2].stopped);
}
END_TEST

START_TEST(a_sleep_that_is_longer_than_its_timeout_fails)
{
    w = worker_sleep_new(base, &host, &n_ended);
    start(1, &(struct job){.sleep_ms = 60000, .timeout_ms = 5});
    start(2, &(struct job){.sleep_ms = 5, .timeout_ms = 60000});
    until_ended(2);
    ck_assert_int_eq(outcomes[1].class, AW_CLASS_TIMEOUT);
    ck_assert_str_eq(outcomes[1].message, "ran longer than 5 ms and was ended");
    ck_assert_int_eq(outcomes[2].class, AW_CLASS_NONE);
}
END_TEST

START_TEST(an_adopted_sleep_does_not_begin_anew)
{
    struct work work = {.claim = 1, .number = 1, .attempt = 1, .id = "x-1", .job = &minute};

    w = worker_sleep_new(base, &host, &n_ended);
    work.started_us = now_us() - 59990000;
    w->ops->adopt(w, &work);
    work.claim = 2;
    work.started_us = now_us() - 3600000000;
    w->ops->adopt(w, &work);
    until_ended(2);
    ck_assert_int_eq(outcomes[1].class, AW_CLASS_NONE);
    ck_assert_int_ge(outcomes[1].ended_us - outcomes[1].started_us, 59990000);
}
END_TEST

START_TEST(sleeps_that_are_left_are_freed)
{
    w = worker_sleep_new(base, &host, &n_ended);
    start(1, &minute);
    start(2, &minute);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_loop");
    TCase *tcase = tcase_create("loop");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_noop_succeeds_in_the_next_turn);
    tcase_add_test(tcase, a_thousand_noops_end_in_one_turn);
    tcase_add_test(tcase, a_noop_can_be_stopped_until_it_has_ended);
    tcase_add_test(tcase, noops_that_are_left_are_freed);
    tcase_add_test(tcase, a_sleep_takes_its_time);
    tcase_add_test(tcase, sleeps_end_in_the_order_of_their_times);
    tcase_add_test(tcase, a_sleep_can_be_stopped_twice_and_ends_once);
    tcase_add_test(tcase, a_sleep_that_is_longer_than_its_timeout_fails);
    tcase_add_test(tcase, an_adopted_sleep_does_not_begin_anew);
    tcase_add_test(tcase, sleeps_that_are_left_are_freed);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
