#include "daemon/turns.h"

#include <stdio.h>
#include <time.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "tests/unit/unit.h"

/* The clock that turns.c reads stands still unless it is told to go on. */
static int64_t time_us = 1000;

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ret)
{
    (void)clock;
    *ret = (struct timespec){time_us / 1000000, time_us % 1000000 * 1000};
    return 0;
}

static struct latency measured(void)
{
    struct latency l;

    turns_read(&l);
    return l;
}

static void turn(int64_t us)
{
    turns_begin();
    time_us += us;
    turns_end();
}

START_TEST(what_a_poll_takes_is_not_in_a_turn)
{
    struct latency l;

    turns_measure();
    time_us += 7;
    turns_end();
    time_us += 60000000; /* it polls */
    turn(20);
    l = measured();
    ck_assert_uint_eq(l.count, 2);
    ck_assert_uint_eq(l.p50_us, 7);
    ck_assert_uint_eq(l.max_us, 20);
}
END_TEST

START_TEST(a_poll_without_a_turn_before_counts_once)
{
    turns_measure();
    turns_end();
    turns_end();
    ck_assert_uint_eq(measured().count, 1);
}
END_TEST

START_TEST(measuring_anew_forgets)
{
    turns_measure();
    turn(20);
    turns_measure();
    ck_assert_uint_eq(measured().count, 0);
    ck_assert_uint_eq(measured().max_us, 0);
}
END_TEST

START_TEST(who_did_not_ask_is_not_measured)
{
    turn(20);
    turns_note(TURN_ANSWER);
    ck_assert_uint_eq(measured().count, 0);
}
END_TEST

/* ---- The log ------------------------------------------------------------------------------- */

static const char *logged(void (*fn)(void))
{
    static char text[4096];
    int saved = dup(STDERR_FILENO), fds[2];
    ssize_t n;

    ck_assert_int_eq(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    n = read(fds[0], text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fds[0]);
    return text;
}

static void slow_turns(void)
{
    turn(SLOW_US - 1);
    turn(SLOW_US);
    turn(SLOW_US);
    turn(VERY_SLOW_US);
    time_us += 1000000;
    turn(SLOW_US);
    turn(SLOW_US);
}

START_TEST(slow_turns_are_told_now_and_then)
{
    turns_measure();
    log_set_level(LOG_DEBUG);
    ck_assert_str_eq(
        logged(slow_turns),
        "<7>the loop was away from its events for 5 ms\n"
        "<4>the loop was away from its events for 100 ms\n"
        "<7>the loop was away from its events for 5 ms (and 1 times since the last line)\n");
}
END_TEST

static void busy_turn(void)
{
    turn(1);
    turns_begin();
    for (int i = 0; i < 3; i++)
        turns_note_request(OP_WAIT);
    turns_note_request(OP_CANCEL);
    turns_note(TURN_END);
    turns_note(TURN_ANSWER);
    turns_note(TURN_ANSWER);
    turns_note(TURN_SET);
    time_us += VERY_SLOW_US;
    turns_end();
}

static void idle_turn(void)
{
    time_us += 10000000;
    turn(VERY_SLOW_US);
}

START_TEST(a_slow_turn_says_what_it_did)
{
    turns_measure();
    ck_assert_str_eq(logged(busy_turn),
                     "<4>the loop was away from its events for 100 ms; requests 4 (wait 3);"
                     " answers 2; ends of jobs 1; changes of sets 1\n");
    ck_assert_str_eq(logged(idle_turn), "<4>the loop was away from its events for 100 ms\n");
}
END_TEST

/* ---- A loop -------------------------------------------------------------------------------- */

static void lasts(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    time_us += 300;
}

START_TEST(the_turns_of_a_loop_are_measured)
{
    struct event_base *base = event_base_new();
    struct event *event = event_new(base, -1, 0, lasts, NULL);
    struct latency l;

    ck_assert_ptr_nonnull(event);
    turns_measure();
    for (int i = 0; i < 3; i++) {
        event_active(event, EV_TIMEOUT, 0);
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    }
    turns_end();
    l = measured();
    ck_assert_uint_eq(l.count, 4); /* the first poll ended what came before it */
    ck_assert_uint_eq(l.p50_us, 300);
    ck_assert_uint_eq(l.max_us, 300);
    event_free(event);
    event_base_free(base);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("turns");
    TCase *tc = tcase_create("turns");

    tcase_add_test(tc, who_did_not_ask_is_not_measured);
    tcase_add_test(tc, what_a_poll_takes_is_not_in_a_turn);
    tcase_add_test(tc, a_poll_without_a_turn_before_counts_once);
    tcase_add_test(tc, measuring_anew_forgets);
    tcase_add_test(tc, slow_turns_are_told_now_and_then);
    tcase_add_test(tc, a_slow_turn_says_what_it_did);
    tcase_add_test(tc, the_turns_of_a_loop_are_measured);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
