/* The engine's contract: cancel, delays, times in the queue. */
#include "tests/unit/engine_contract.h"

#include <stdio.h>
#include <time.h>

static struct claimed claim_new(struct want want)
{
    rig_queue(want);
    return rig_claim_one();
}

static void assert_result(const struct answer *r, size_t i, enum aw_err err, enum aw_state state)
{
    ck_assert_ok(r);
    ck_assert_uint_lt(i, r->n);
    ck_assert_str_eq(aw_err_name(r->results[i].err), aw_err_name(err));
    if (err == AW_OK || err == AW_ERR_WRONG_STATE)
        ck_assert_str_eq(aw_state_name(r->results[i].state), aw_state_name(state));
}

/* ---- Cancel -----------------------------------------------------------------------------------
 */

START_TEST(what_waits_is_cancelled_at_once)
{
    uint64_t numbers[] = {rig_queue(WANT(.name = "x")),
                          rig_queue(WANT(.name = "y", .delay_ms = 3600 * 1000))};
    struct answer *r = rig_cancel(numbers, 2, -1);

    for (size_t i = 0; i < 2; i++) {
        assert_result(r, i, AW_OK, AW_CANCELLED);
        ck_assert_uint_eq(r->results[i].number, numbers[i]);
        ck_assert_state(numbers[i], AW_CANCELLED);
        ck_assert_int_gt(rig_record(numbers[i]).ended_us, 0);
        ck_assert_int_eq(rig_await_note(NOTE_ENDED, numbers[i])->state, AW_CANCELLED);
    }
    ck_assert_uint_eq(rig_claim(5)->n, 0);
    ck_assert_int_eq(rig_count(NOTE_STOP), 0);
}
END_TEST

START_TEST(what_runs_is_told_to_stop)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    const struct note *stop;

    assert_result(rig_cancel(&c.number, 1, 1234), 0, AW_OK, AW_RUNNING);
    stop = rig_await_note(NOTE_STOP, c.number);
    ck_assert_uint_eq(stop->claim, c.claim);
    ck_assert_int_eq(stop->grace_ms, 1234);
    ck_assert_state(c.number, AW_RUNNING);
    ck_assert_uint_ne(rig_record(c.number).flags & RECORD_CANCEL_REQUESTED, 0);
}
END_TEST

START_TEST(what_has_ended_stays_as_it_is)
{
    uint64_t number = rig_run_one(WANT(.name = "x"));

    assert_result(rig_cancel(&number, 1, -1), 0, AW_ERR_WRONG_STATE, AW_SUCCEEDED);
    ck_assert_state(number, AW_SUCCEEDED);
}
END_TEST

START_TEST(each_of_several_gets_its_own_answer)
{
    uint64_t ended = rig_run_one(WANT(.name = "x")), gone = rig_run_one(WANT(.name = "x"));
    struct claimed c = claim_new(WANT(.name = "x"));
    uint64_t waiting = rig_queue(WANT(.name = "x"));
    uint64_t numbers[] = {999999, waiting, ended, gone, c.number, waiting, 0};
    struct answer *r;

    ck_assert_ok(rig_forget(&gone, 1));
    r = rig_cancel(numbers, ARRAY_SIZE(numbers), -1);
    ck_assert_uint_eq(r->n, ARRAY_SIZE(numbers));
    assert_result(r, 0, AW_ERR_UNKNOWN_ID, 0);
    assert_result(r, 1, AW_OK, AW_CANCELLED);
    assert_result(r, 2, AW_ERR_WRONG_STATE, AW_SUCCEEDED);
    assert_result(r, 3, AW_ERR_EXPIRED_ID, 0);
    assert_result(r, 4, AW_OK, AW_RUNNING);
    assert_result(r, 5, AW_ERR_WRONG_STATE, AW_CANCELLED);
    assert_result(r, 6, AW_ERR_UNKNOWN_ID, 0);
    for (size_t i = 0; i < r->n; i++)
        ck_assert_uint_eq(r->results[i].number, numbers[i]);
}
END_TEST

START_TEST(of_two_cancels_under_way_one_ends_the_job)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    struct answer *a = start_cancel(&number, 1, -1), *b = start_cancel(&number, 1, -1);

    rig_await(b);
    assert_result(a, 0, AW_OK, AW_CANCELLED);
    assert_result(b, 0, AW_ERR_WRONG_STATE, AW_CANCELLED);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 1);
}
END_TEST

START_TEST(a_second_cancel_of_a_running_job_may_shorten_its_grace)
{
    struct claimed c = claim_new(WANT(.name = "x"));

    assert_result(rig_cancel(&c.number, 1, 5000), 0, AW_OK, AW_RUNNING);
    rig_forget_notes();
    assert_result(rig_cancel(&c.number, 1, 0), 0, AW_OK, AW_RUNNING);
    ck_assert_int_eq(rig_await_note(NOTE_STOP, c.number)->grace_ms, 0);
}
END_TEST

START_TEST(a_cancel_while_a_claim_is_under_way_stops_the_claim)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    struct answer *claim = start_claim(1), *cancel = start_cancel(&number, 1, -1);

    rig_await(cancel);
    ck_assert_uint_eq(claim->n, 1);
    assert_result(cancel, 0, AW_OK, AW_RUNNING);
    ck_assert_uint_eq(rig_await_note(NOTE_STOP, number)->claim, claim->claims[0].claim);
    ck_assert_int_lt(rig_reply_at(claim), rig_note_at(NOTE_STOP, number));
}
END_TEST

START_TEST(a_claim_while_a_cancel_is_under_way_does_not_get_the_job)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    struct answer *cancel = start_cancel(&number, 1, -1), *claim = start_claim(1);

    rig_await(claim);
    ck_assert_uint_eq(claim->n, 0);
    rig_await(cancel);
    assert_result(cancel, 0, AW_OK, AW_CANCELLED);
}
END_TEST

START_TEST(a_cancel_while_the_end_is_under_way_comes_too_late)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);
    struct answer *finish = start_finish(&c, &o), *cancel = start_cancel(&c.number, 1, -1);

    rig_await(cancel);
    ck_assert_ok(finish);
    assert_result(cancel, 0, AW_ERR_WRONG_STATE, AW_SUCCEEDED);
    ck_assert_state(c.number, AW_SUCCEEDED);
}
END_TEST

/* Whoever takes what can be taken, as soon as it can. */
static struct answer *grabbed[8];
static int n_grabbed;

static void grab(void)
{
    if (n_grabbed < 8)
        grabbed[n_grabbed++] = start_claim(1);
}

/* A job that was cancelled must end as such, or be told to stop once it runs (again). */
static void assert_not_lost(uint64_t number)
{
    while (rig_note_at(NOTE_ENDED, number) < 0 && rig_note_at(NOTE_STOP, number) < 0)
        rig_turn();
    if (rig_note_at(NOTE_ENDED, number) < 0) {
        const struct note *stop = rig_await_note(NOTE_STOP, number);
        const struct claimed c = {.number = number, .claim = stop->claim};
        const struct outcome o = outcome_stopped();

        ck_assert_ok(rig_finish(&c, &o));
    }
    ck_assert_state(number, AW_CANCELLED);
}

START_TEST(a_cancel_is_not_lost_while_a_claim_is_given_back)
{
    for (int greedy = 0; greedy < 2; greedy++) {
        struct claimed c = claim_new(WANT(.name = "x"));
        struct answer *release, *cancel;

        rig_forget_notes();
        rig.on_runnable = greedy ? grab : NULL;
        release = start_release(&c);
        cancel = start_cancel(&c.number, 1, -1);
        rig_await(cancel);
        ck_assert_ok(release);
        ck_assert_int_eq(cancel->results[0].err, AW_OK);
        assert_not_lost(c.number);
        rig.on_runnable = NULL;
    }
}
END_TEST

START_TEST(a_cancel_is_not_lost_while_a_job_goes_back_for_a_retry)
{
    for (int greedy = 0; greedy < 2; greedy++) {
        struct claimed c = claim_new(WANT(.name = "x", .retry_interrupted = true));
        struct outcome o = outcome_interrupted();
        struct answer *finish, *cancel;

        rig_forget_notes();
        rig.on_runnable = greedy ? grab : NULL;
        finish = start_finish(&c, &o);
        cancel = start_cancel(&c.number, 1, -1);
        rig_await(cancel);
        ck_assert_ok(finish);
        ck_assert_int_eq(cancel->results[0].err, AW_OK);
        assert_not_lost(c.number);
        rig.on_runnable = NULL;
    }
}
END_TEST

START_TEST(a_job_that_is_to_be_cancelled_and_given_back_does_not_run)
{
    struct claimed c = claim_new(WANT(.name = "x"));

    assert_result(rig_cancel(&c.number, 1, -1), 0, AW_OK, AW_RUNNING);
    ck_assert_ok(rig_release(&c));
    ck_assert_int_eq(rig_await_note(NOTE_ENDED, c.number)->state, AW_CANCELLED);
    ck_assert_state(c.number, AW_CANCELLED);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
}
END_TEST

START_TEST(a_cancel_that_was_answered_outlives_a_restart_whatever_happens_next)
{
    struct claimed c = claim_new(WANT(.name = "x", .retry_interrupted = true));
    struct outcome o = outcome_interrupted();
    struct answer *cancel;

    start_finish(&c, &o);
    cancel = start_cancel(&c.number, 1, -1);
    rig_await(cancel);
    ck_assert_int_eq(cancel->results[0].err, AW_OK);
    rig_reopen();
    while (rig_note_at(NOTE_ENDED, c.number) < 0)
        rig_turn();
    ck_assert_state(c.number, AW_CANCELLED);
}
END_TEST

/* ---- Why ------------------------------------------------------------------------------------- */

START_TEST(a_job_that_waited_says_why_it_was_cancelled)
{
    uint64_t numbers[] = {rig_queue(WANT(.name = "x")),
                          rig_queue(WANT(.name = "y", .delay_ms = 3600 * 1000))};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        rig_await(start_cancel_why(numbers[i], "nobody wants it"));
        ck_assert_state(numbers[i], AW_CANCELLED);
        ck_assert_bytes_eq(rig_record(numbers[i]).message, "nobody wants it");
    }
}
END_TEST

START_TEST(without_a_reason_there_is_no_message)
{
    uint64_t number = rig_queue(WANT(.name = "x"));

    ck_assert_ok(rig_cancel(&number, 1, -1));
    ck_assert_uint_eq(rig_record(number).message.len, 0);
}
END_TEST

/* A job that runs and is told to stop; then it ends so. */
static struct record stopped_with(struct outcome o)
{
    struct claimed c = claim_new(WANT(.name = "x"));

    rig_await(start_cancel_why(c.number, "nobody wants it"));
    ck_assert_state(c.number, AW_RUNNING);
    ck_assert_ok(rig_finish(&c, &o));
    return rig_record(c.number);
}

START_TEST(a_job_that_ran_says_why_it_was_cancelled_unless_its_attempt_says_more)
{
    struct outcome o = outcome_stopped();
    struct record r = stopped_with(o);

    ck_assert_int_eq(r.state, AW_CANCELLED);
    ck_assert_bytes_eq(r.message, "nobody wants it");
    snprintf(o.message, sizeof(o.message), "killed after its grace");
    r = stopped_with(o);
    ck_assert_int_eq(r.state, AW_CANCELLED);
    ck_assert_bytes_eq(r.message, "killed after its grace");
}
END_TEST

START_TEST(a_job_that_ended_by_itself_does_not_say_why_it_should_have_been_cancelled)
{
    struct record r = stopped_with(outcome_exit(0));

    ck_assert_int_eq(r.state, AW_SUCCEEDED);
    ck_assert_uint_eq(r.message.len, 0);
    r = stopped_with(outcome_exit(3));
    ck_assert_int_eq(r.state, AW_FAILED);
    ck_assert_uint_eq(r.message.len, 0);
}
END_TEST

START_TEST(the_reason_outlives_a_restart_and_a_return_to_the_queue)
{
    struct claimed c = claim_new(WANT(.name = "x"));

    rig_await(start_cancel_why(c.number, "nobody wants it"));
    ck_assert_ok(rig_release(&c));
    rig_reopen();
    while (!aw_state_is_final(rig_state(c.number)))
        continue;
    ck_assert_state(c.number, AW_CANCELLED);
    ck_assert_bytes_eq(rig_record(c.number).message, "nobody wants it");
}
END_TEST

START_TEST(a_second_cancel_without_a_reason_leaves_the_first_one)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_stopped();

    rig_await(start_cancel_why(c.number, "nobody wants it"));
    ck_assert_ok(rig_cancel(&c.number, 1, 0));
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_bytes_eq(rig_record(c.number).message, "nobody wants it");
}
END_TEST

/* ---- Time -------------------------------------------------------------------------------------
 */

START_TEST(a_delayed_job_can_be_claimed_only_when_its_time_has_come)
{
    int64_t before = now_us();
    uint64_t number = rig_queue(WANT(.name = "x", .delay_ms = 300));
    struct record r = rig_record(number);
    struct claimed c;

    ck_assert_int_ge(r.due_us, before + 300000);
    if (now_us() < r.due_us)
        ck_assert_uint_eq(rig_claim(1)->n, 0);
    rig_forget_notes();
    rig_await_note(NOTE_RUNNABLE, 0);
    ck_assert_int_ge(now_us(), r.due_us);
    c = rig_claim_one();
    ck_assert_uint_eq(c.number, number);
    ck_assert_int_ge(c.started_us, r.due_us);
}
END_TEST

START_TEST(a_delayed_job_is_scheduled)
{
    uint64_t later = rig_queue(WANT(.name = "x", .delay_ms = 3600 * 1000));
    int64_t at = now_us() + INT64_C(3600) * 1000000;
    uint64_t then = rig_queue(WANT(.name = "x", .not_before_us = (uint64_t)at));
    uint64_t past = rig_queue(WANT(.name = "x", .not_before_us = 1));

    ck_assert_state(later, AW_SCHEDULED);
    ck_assert_state(then, AW_SCHEDULED);
    ck_assert_int_eq(rig_record(then).due_us, at);
    ck_assert_state(past, AW_QUEUED);
    ck_assert_uint_eq(rig_stats().live[AW_SCHEDULED], 2);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 1);
    rig_reopen();
    ck_assert_state(later, AW_SCHEDULED);
    ck_assert_int_eq(rig_record(then).due_us, at);
    ck_assert_uint_eq(rig_claim(5)->n, 1);
}
END_TEST

START_TEST(a_start_time_that_passed_while_the_engine_was_closed_has_come)
{
    uint64_t number = rig_queue(WANT(.name = "x", .delay_ms = 30));
    int64_t due = rig_record(number).due_us;

    rig_close();
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME,
                    &(struct timespec){due / 1000000, due % 1000000 * 1000}, NULL);
    rig_forget_notes();
    rig_open();
    rig_await_note(NOTE_RUNNABLE, 0);
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(delayed_jobs_come_in_the_order_of_their_times)
{
    uint64_t late = rig_queue(WANT(.name = "late", .delay_ms = 600000));
    uint64_t early = rig_queue(WANT(.name = "early", .delay_ms = 60));
    struct answer *r;

    while ((r = rig_claim(1))->n == 0)
        rig_turn();
    ck_assert_uint_eq(r->claims[0].number, early);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
    ck_assert_int_eq(rig_record(late).state, AW_SCHEDULED);
}
END_TEST

START_TEST(a_job_whose_time_in_the_queue_is_over_fails)
{
    uint64_t number = rig_queue(WANT(.name = "x", .queue_timeout_ms = 50));
    struct record r;

    ck_assert_int_eq(rig_await_note(NOTE_ENDED, number)->state, AW_FAILED);
    r = rig_record(number);
    ck_assert_int_eq(r.state, AW_FAILED);
    ck_assert_int_eq(r.class, AW_CLASS_EXPIRED_IN_QUEUE);
    ck_assert_int_ge(r.ended_us, r.created_us + 50000);
    ck_assert_uint_gt(r.message.len, 0);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
    ck_assert_uint_eq(rig_stats().failed, 1);
}
END_TEST

START_TEST(the_time_in_the_queue_goes_on_while_the_engine_is_closed)
{
    uint64_t number = rig_queue(WANT(.name = "x", .queue_timeout_ms = 30));

    rig_reopen();
    ck_assert_int_eq(rig_await_note(NOTE_ENDED, number)->state, AW_FAILED);
}
END_TEST

START_TEST(a_delay_counts_as_time_in_the_queue)
{
    uint64_t number = rig_queue(WANT(.name = "x", .delay_ms = 3600 * 1000, .queue_timeout_ms = 30));

    rig_await_note(NOTE_ENDED, number);
    ck_assert_int_eq(rig_record(number).class, AW_CLASS_EXPIRED_IN_QUEUE);
}
END_TEST

START_TEST(a_job_that_runs_is_safe_from_its_time_in_the_queue)
{
    struct outcome o = outcome_exit(0);
    uint64_t number, other, ms = 50;
    struct answer *claims;
    struct claimed c;

    /* A machine that is slow to claim it gets more time. */
    do {
        ms *= 2;
        number = rig_queue(WANT(.name = "x", .queue_timeout_ms = ms));
        claims = rig_claim(1);
        ck_assert_uint_lt(ms, 10000);
    } while (claims->n == 0);
    c = claims->claims[0];
    other = rig_queue(WANT(.name = "y", .queue_timeout_ms = ms));
    ck_assert_uint_eq(c.number, number);
    rig_await_note(NOTE_ENDED, other);
    ck_assert_int_eq(rig_note_at(NOTE_ENDED, number), -1);
    ck_assert_state(number, AW_RUNNING);
    ck_assert_ok(rig_finish(&c, &o));
}
END_TEST

START_TEST(thousands_that_are_due_at_once_all_come)
{
    static struct want wants[1000];
    uint64_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        wants[i].delay_ms = 40;
    for (int i = 0; i < 5; i++)
        start_submit(wants, ARRAY_SIZE(wants));
    while (n < 5000) {
        struct answer *r = rig_claim(1000);

        n += r->n;
        if (!r->n)
            rig_turn();
    }
    ck_assert_uint_eq(rig_stats().live[AW_SCHEDULED], 0);
    ck_assert_uint_eq(rig_stats().live[AW_RUNNING], 5000);
}
END_TEST

void contract_cancel_add(TCase *tc)
{
    tcase_add_test(tc, what_waits_is_cancelled_at_once);
    tcase_add_test(tc, what_runs_is_told_to_stop);
    tcase_add_test(tc, what_has_ended_stays_as_it_is);
    tcase_add_test(tc, each_of_several_gets_its_own_answer);
    tcase_add_test(tc, of_two_cancels_under_way_one_ends_the_job);
    tcase_add_test(tc, a_second_cancel_of_a_running_job_may_shorten_its_grace);
    tcase_add_test(tc, a_cancel_while_a_claim_is_under_way_stops_the_claim);
    tcase_add_test(tc, a_claim_while_a_cancel_is_under_way_does_not_get_the_job);
    tcase_add_test(tc, a_cancel_while_the_end_is_under_way_comes_too_late);
    tcase_add_test(tc, a_cancel_is_not_lost_while_a_claim_is_given_back);
    tcase_add_test(tc, a_cancel_is_not_lost_while_a_job_goes_back_for_a_retry);
    tcase_add_test(tc, a_job_that_is_to_be_cancelled_and_given_back_does_not_run);
    tcase_add_test(tc, a_cancel_that_was_answered_outlives_a_restart_whatever_happens_next);
    tcase_add_test(tc, a_job_that_waited_says_why_it_was_cancelled);
    tcase_add_test(tc, without_a_reason_there_is_no_message);
    tcase_add_test(tc, a_job_that_ran_says_why_it_was_cancelled_unless_its_attempt_says_more);
    tcase_add_test(tc, a_job_that_ended_by_itself_does_not_say_why_it_should_have_been_cancelled);
    tcase_add_test(tc, the_reason_outlives_a_restart_and_a_return_to_the_queue);
    tcase_add_test(tc, a_second_cancel_without_a_reason_leaves_the_first_one);
    tcase_add_test(tc, a_delayed_job_can_be_claimed_only_when_its_time_has_come);
    tcase_add_test(tc, a_delayed_job_is_scheduled);
    tcase_add_test(tc, a_start_time_that_passed_while_the_engine_was_closed_has_come);
    tcase_add_test(tc, delayed_jobs_come_in_the_order_of_their_times);
    tcase_add_test(tc, a_job_whose_time_in_the_queue_is_over_fails);
    tcase_add_test(tc, the_time_in_the_queue_goes_on_while_the_engine_is_closed);
    tcase_add_test(tc, a_delay_counts_as_time_in_the_queue);
    tcase_add_test(tc, a_job_that_runs_is_safe_from_its_time_in_the_queue);
    tcase_add_test(tc, thousands_that_are_due_at_once_all_come);
}
