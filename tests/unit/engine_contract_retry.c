/* The engine's contract: attempts that fail and are made again. */
#include "tests/unit/engine_contract.h"

static struct answer *attempts_of(uint64_t number)
{
    struct answer *r = rig_get(&number, 1, GET_ATTEMPTS);

    ck_assert_ok(r);
    return r;
}

static void fail_once(int code)
{
    struct claimed c = rig_claim_one();
    struct outcome o = outcome_exit(code);

    ck_assert_ok(rig_finish(&c, &o));
}

/* Until the pause is over. */
static void await_runnable(void)
{
    while (rig_stats().live[AW_QUEUED] == 0)
        rig_turn();
}

START_TEST(a_failed_attempt_is_followed_by_another)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2));
    struct claimed c;
    struct outcome ok = outcome_exit(0);

    fail_once(3);
    await_runnable();
    c = rig_claim_one();
    ck_assert_uint_eq(c.number, number);
    ck_assert_uint_eq(c.attempt, 2);
    ck_assert_ok(rig_finish(&c, &ok));
    ck_assert_state(number, AW_SUCCEEDED);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 1);
}
END_TEST

START_TEST(the_last_one_that_fails_fails_the_job)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2));

    fail_once(3);
    await_runnable();
    fail_once(4);
    ck_assert_state(number, AW_FAILED);
    ck_assert_int_eq(rig_record(number).exit_code, 4);
}
END_TEST

START_TEST(every_attempt_is_kept_the_newest_first)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 3));
    struct record r;

    for (int code = 1; code <= 3; code++) {
        if (code > 1)
            await_runnable();
        fail_once(code);
    }
    r = attempts_of(number)->found[0].record;
    ck_assert_uint_eq(r.attempt, 3);
    ck_assert_uint_eq(r.n_attempts, 2);
    ck_assert_uint_eq(r.attempts[0].attempt, 2);
    ck_assert_int_eq(r.attempts[0].exit_code, 2);
    ck_assert_int_eq(r.attempts[1].exit_code, 1);
    ck_assert_int_eq(r.attempts[1].class, AW_CLASS_EXIT);
    ck_assert_uint_eq(rig_record(number).n_attempts, 0);
}
END_TEST

START_TEST(the_output_of_every_attempt_is_kept)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2));
    static const char *const text[] = {"first", "second"};

    for (int i = 0; i < 2; i++) {
        struct claimed c;
        struct outcome o = outcome_exit(1);

        if (i)
            await_runnable();
        c = rig_claim_one();
        o.output[STREAM_STDOUT] = (struct output){.size = strlen(text[i]), bytes_str(text[i]), 0};
        ck_assert_ok(rig_finish(&c, &o));
    }
    for (uint64_t i = 0; i < 2; i++)
        ck_assert(
            bytes_eq(rig_output(number, i + 1, STREAM_STDOUT, 0, 100)->data, bytes_str(text[i])));
}
END_TEST

START_TEST(a_backoff_is_as_long_after_a_restart)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .backoff_ms = 3600000));
    int64_t due;

    fail_once(1);
    ck_assert_state(number, AW_SCHEDULED);
    due = rig_record(number).due_us;
    ck_assert_int_gt(due, now_us() + INT64_C(200) * 1000000);
    rig_reopen();
    ck_assert_state(number, AW_SCHEDULED);
    ck_assert_int_eq(rig_record(number).due_us, due);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
}
END_TEST

START_TEST(a_backoff_that_ended_meanwhile_is_over_after_a_restart)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .backoff_ms = 1));

    fail_once(1);
    rig_reopen();
    await_runnable();
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(the_policy_is_known_again_after_a_restart)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2));
    struct outcome o = outcome_exit(1);
    struct claimed c = rig_claim_one();

    rig_reopen();
    ck_assert_uint_eq(rig_recover()->n, 1);
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_int_ne(rig_state(number), AW_FAILED);
    await_runnable();
    fail_once(1);
    ck_assert_state(number, AW_FAILED);
}
END_TEST

START_TEST(an_interruption_uses_up_no_attempt)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .retry_interrupted = true));
    struct outcome o = outcome_interrupted();

    for (int i = 0; i < 5; i++) {
        struct claimed c = rig_claim_one();

        ck_assert_ok(rig_finish(&c, &o));
        if (i == 2)
            rig_reopen();
    }
    fail_once(1);
    ck_assert_int_ne(rig_state(number), AW_FAILED);
    await_runnable();
    fail_once(1);
    ck_assert_state(number, AW_FAILED);
    ck_assert_uint_eq(rig_record(number).attempt, 7);
}
END_TEST

START_TEST(failures_that_were_not_named_are_not_tried_again)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 5, .retry_on = "timeout"));

    fail_once(1);
    ck_assert_state(number, AW_FAILED);
}
END_TEST

START_TEST(a_job_in_backoff_can_be_cancelled)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .backoff_ms = 3600000));

    fail_once(1);
    ck_assert_int_eq(rig_cancel(&number, 1, -1)->results[0].err, AW_OK);
    ck_assert_state(number, AW_CANCELLED);
    ck_assert_uint_eq(attempts_of(number)->found[0].record.n_attempts, 1);
}
END_TEST

START_TEST(the_time_in_all_ends_a_job_that_waits)
{
    uint64_t number = rig_queue(WANT(.delay_ms = 3600000, .total_timeout_ms = 1));

    rig_await_note(NOTE_ENDED, number);
    ck_assert_state(number, AW_FAILED);
    ck_assert_int_eq(rig_record(number).class, AW_CLASS_TIMEOUT);
}
END_TEST

START_TEST(the_time_in_all_comes_with_the_claim)
{
    int64_t before = now_us();
    struct claimed c;

    rig_queue(WANT(.total_timeout_ms = 3600000));
    c = rig_claim_one();
    ck_assert_int_ge(c.overall_us, before + INT64_C(3600000000));
    ck_assert_int_le(c.overall_us, now_us() + INT64_C(3600000000));
}
END_TEST

START_TEST(the_time_in_the_queue_does_not_limit_a_backoff)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .queue_timeout_ms = 50, .backoff_ms = 200));

    fail_once(1);
    await_runnable();
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(attempts_go_with_their_job)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2));

    fail_once(1);
    await_runnable();
    fail_once(1);
    ck_assert_ok(rig_forget(&number, 1));
    ck_assert_int_eq(rig_lookup(number), AW_ERR_EXPIRED_ID);
    ck_assert(rig_await_note(NOTE_GONE, number)->gone.spooled);
}
END_TEST

void contract_retry_add(TCase *tc)
{
    tcase_add_test(tc, a_failed_attempt_is_followed_by_another);
    tcase_add_test(tc, the_last_one_that_fails_fails_the_job);
    tcase_add_test(tc, every_attempt_is_kept_the_newest_first);
    tcase_add_test(tc, the_output_of_every_attempt_is_kept);
    tcase_add_test(tc, a_backoff_is_as_long_after_a_restart);
    tcase_add_test(tc, a_backoff_that_ended_meanwhile_is_over_after_a_restart);
    tcase_add_test(tc, the_policy_is_known_again_after_a_restart);
    tcase_add_test(tc, an_interruption_uses_up_no_attempt);
    tcase_add_test(tc, failures_that_were_not_named_are_not_tried_again);
    tcase_add_test(tc, a_job_in_backoff_can_be_cancelled);
    tcase_add_test(tc, the_time_in_all_ends_a_job_that_waits);
    tcase_add_test(tc, the_time_in_all_comes_with_the_claim);
    tcase_add_test(tc, the_time_in_the_queue_does_not_limit_a_backoff);
    tcase_add_test(tc, attempts_go_with_their_job);
}
