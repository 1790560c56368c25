#include "tests/unit/unit.h"

#include "daemon/engine/job_next.h"

static struct job_move next(enum aw_class class, bool stopped, bool retry, bool cancel)
{
    struct outcome o = {.class = class, .stopped = stopped, .exit_code = NO_EXIT_CODE};
    struct job_policy policy = {.retry_interrupted = retry};

    return job_next(&o, &policy, cancel);
}

/* Calls fn for every policy and every request. */
#define FOR_ALL(retry, cancel)                  \
    for (int retry = 0; (retry) < 2; (retry)++) \
        for (int cancel = 0; (cancel) < 2; (cancel)++)

START_TEST(a_success_is_a_success_whatever_was_asked_meanwhile)
{
    FOR_ALL(retry, cancel)
    ck_assert_int_eq(next(AW_CLASS_NONE, false, retry, cancel).to, AW_SUCCEEDED);
}
END_TEST

START_TEST(one_that_was_told_to_stop_is_cancelled_however_it_ended)
{
    for (int class = AW_CLASS_NONE; class <= AW_CLASS_INTERRUPTED; class ++)
        FOR_ALL(retry, cancel)
    ck_assert_int_eq(next((enum aw_class) class, true, retry, cancel).to, AW_CANCELLED);
}
END_TEST

START_TEST(a_failure_is_a_failure_whatever_was_asked_meanwhile)
{
    for (int class = AW_CLASS_EXIT; class < AW_CLASS_INTERRUPTED; class ++)
        FOR_ALL(retry, cancel)
    ck_assert_int_eq(next((enum aw_class) class, false, retry, cancel).to, AW_FAILED);
}
END_TEST

START_TEST(an_interruption_is_a_failure_by_default)
{
    ck_assert_int_eq(next(AW_CLASS_INTERRUPTED, false, false, false).to, AW_FAILED);
}
END_TEST

START_TEST(an_interruption_leads_back_to_the_queue_if_the_policy_says_so)
{
    ck_assert_int_eq(next(AW_CLASS_INTERRUPTED, false, true, false).to, AW_QUEUED);
}
END_TEST

START_TEST(an_interruption_of_a_job_to_be_cancelled_cancels_it)
{
    for (int retry = 0; retry < 2; retry++)
        ck_assert_int_eq(next(AW_CLASS_INTERRUPTED, false, retry, true).to, AW_CANCELLED);
}
END_TEST

START_TEST(every_move_is_one_of_the_transition_table)
{
    for (int class = AW_CLASS_NONE; class <= AW_CLASS_INTERRUPTED; class ++)
        for (int stopped = 0; stopped < 2; stopped++)
            FOR_ALL(retry, cancel)
            {
                struct job_move move = next((enum aw_class) class, stopped, retry, cancel);
                enum aw_state to = AW_RUNNING;

                ck_assert(job_transition(AW_RUNNING, move.event, &to));
                ck_assert_int_eq(to, move.to);
            }
}
END_TEST

static bool retries(const char *on_interrupt)
{
    struct job job = {.on_interrupt = bytes_str(on_interrupt)};
    struct job_policy policy = {.retry_interrupted = true};

    job_policy_of(&job, &policy);
    return policy.retry_interrupted;
}

START_TEST(the_policy_is_what_the_job_says)
{
    ck_assert(retries("retry"));
    ck_assert(!retries("fail"));
    ck_assert(!retries(""));
    ck_assert(!retries(NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_next");
    TCase *tc = tcase_create("what the end of an attempt means");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_success_is_a_success_whatever_was_asked_meanwhile);
    tcase_add_test(tc, one_that_was_told_to_stop_is_cancelled_however_it_ended);
    tcase_add_test(tc, a_failure_is_a_failure_whatever_was_asked_meanwhile);
    tcase_add_test(tc, an_interruption_is_a_failure_by_default);
    tcase_add_test(tc, an_interruption_leads_back_to_the_queue_if_the_policy_says_so);
    tcase_add_test(tc, an_interruption_of_a_job_to_be_cancelled_cancels_it);
    tcase_add_test(tc, every_move_is_one_of_the_transition_table);
    tcase_add_test(tc, the_policy_is_what_the_job_says);
    return unit_run(suite);
}
