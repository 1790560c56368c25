#include "tests/unit/unit.h"

#include "daemon/engine/job_next.h"
#include "proto/codec.h"
#include "proto/limits.h"

static struct job_move next(enum aw_class class, bool stopped, bool retry, bool cancel)
{
    struct outcome o = {.class = class, .stopped = stopped, .exit_code = NO_EXIT_CODE};
    struct job_policy policy = {.retry_interrupted = retry, .max_attempts = 1};
    struct job_facts facts = {.attempts = 1, .cancel_requested = cancel};

    return job_next(&o, &policy, &facts);
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

/* ---- Further attempts ------------------------------------------------------------------------ */

static struct job a_job(uint64_t max_attempts)
{
    struct job job;

    codec_defaults(&job_schema, &job);
    job.max_attempts = max_attempts;
    job.no_jitter = true;
    return job;
}

/* What follows when attempt `attempts` exits with that code. */
static struct job_move after_exit(const struct job *job, uint64_t attempts, int code)
{
    struct outcome o = {.class = AW_CLASS_EXIT, .exit_code = code};
    struct job_facts facts = {.attempts = attempts, .now_us = 1000000};
    struct job_policy policy;

    job_policy_of(job, &policy);
    return job_next(&o, &policy, &facts);
}

static struct job_move after_class(const struct job *job, enum aw_class class)
{
    struct outcome o = {.class = class, .exit_code = NO_EXIT_CODE};
    struct job_facts facts = {.attempts = 1};
    struct job_policy policy;

    job_policy_of(job, &policy);
    return job_next(&o, &policy, &facts);
}

START_TEST(it_is_tried_as_often_as_it_may)
{
    struct job job = a_job(3);

    ck_assert_int_eq(after_exit(&job, 1, 1).to, AW_SCHEDULED);
    ck_assert_int_eq(after_exit(&job, 2, 1).to, AW_SCHEDULED);
    ck_assert_int_eq(after_exit(&job, 3, 1).to, AW_FAILED);
}
END_TEST

START_TEST(pauses_grow_up_to_their_ceiling)
{
    static const int64_t seconds[] = {1, 3, 9, 20, 20};
    struct job job = a_job(1000000);

    job.backoff_ms = 1000;
    job.backoff_factor = 3;
    job.backoff_max_ms = 20000;
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
        ck_assert_int_eq(after_exit(&job, i + 1, 1).due_us, (1 + seconds[i]) * 1000000);
    ck_assert_int_eq(after_exit(&job, 999999, 1).due_us, 21 * 1000000);
}
END_TEST

START_TEST(the_longest_pauses_do_not_overflow)
{
    struct job job = a_job(1000);

    job.backoff_ms = job.backoff_max_ms = AW_MAX_DURATION_MS;
    job.backoff_factor = 100;
    for (uint64_t n = 1; n < 1000; n++)
        ck_assert_int_eq(after_exit(&job, n, 1).due_us, 1000000 + AW_MAX_DURATION_MS * 1000);
}
END_TEST

START_TEST(jitter_makes_any_pause_up_to_the_full_one)
{
    struct job job = a_job(2);
    struct outcome o = {.class = AW_CLASS_SIGNAL};
    struct job_facts facts = {.attempts = 1};
    struct job_policy policy;

    job.no_jitter = false;
    job_policy_of(&job, &policy);
    ck_assert_int_eq(job_next(&o, &policy, &facts).due_us, 0);
    facts.random = UINT32_MAX;
    ck_assert_int_eq(job_next(&o, &policy, &facts).due_us, DEFAULT_BACKOFF * 1000);
    facts.random = UINT32_MAX / 2;
    ck_assert_int_le(job_next(&o, &policy, &facts).due_us, DEFAULT_BACKOFF * 500);
}
END_TEST

START_TEST(only_the_failures_that_were_named_are_tried_again)
{
    struct bytes names[] = {bytes_str("timeout"), bytes_str("signal")};
    struct job job = a_job(2);

    job.retry_on = (struct strv){names, 2};
    ck_assert_int_eq(after_class(&job, AW_CLASS_TIMEOUT).to, AW_SCHEDULED);
    ck_assert_int_eq(after_class(&job, AW_CLASS_SIGNAL).to, AW_SCHEDULED);
    ck_assert_int_eq(after_class(&job, AW_CLASS_SPAWN).to, AW_FAILED);
    ck_assert_int_eq(after_exit(&job, 1, 1).to, AW_FAILED);
}
END_TEST

START_TEST(exit_codes_can_be_named_or_excepted)
{
    struct bytes names[] = {bytes_str("75"), bytes_str("timeout")};
    uint64_t codes[] = {2, 64};
    struct job job = a_job(2);

    job.no_retry_exit = (struct u64v){codes, 2};
    ck_assert_int_eq(after_exit(&job, 1, 1).to, AW_SCHEDULED);
    ck_assert_int_eq(after_exit(&job, 1, 2).to, AW_FAILED);
    ck_assert_int_eq(after_exit(&job, 1, 64).to, AW_FAILED);
    job.retry_on = (struct strv){names, 2};
    ck_assert_int_eq(after_exit(&job, 1, 75).to, AW_SCHEDULED);
    ck_assert_int_eq(after_exit(&job, 1, 1).to, AW_FAILED);
    ck_assert_int_eq(after_class(&job, AW_CLASS_TIMEOUT).to, AW_SCHEDULED);
}
END_TEST

START_TEST(a_pause_beyond_the_time_in_all_is_no_pause_but_the_end)
{
    struct outcome o = {.class = AW_CLASS_EXIT, .exit_code = 1};
    struct job_facts facts = {.attempts = 1, .overall_us = DEFAULT_BACKOFF * 1000};
    struct job job = a_job(2);
    struct job_policy policy;

    job_policy_of(&job, &policy);
    ck_assert_int_eq(job_next(&o, &policy, &facts).to, AW_FAILED);
    facts.overall_us++;
    ck_assert_int_eq(job_next(&o, &policy, &facts).to, AW_SCHEDULED);
}
END_TEST

START_TEST(what_is_to_be_cancelled_is_not_tried_again)
{
    struct outcome o = {.class = AW_CLASS_EXIT, .exit_code = 1};
    struct job_facts facts = {.attempts = 1, .cancel_requested = true};
    struct job job = a_job(2);
    struct job_policy policy;

    job_policy_of(&job, &policy);
    ck_assert_int_eq(job_next(&o, &policy, &facts).to, AW_FAILED);
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
    tcase_add_test(tc, it_is_tried_as_often_as_it_may);
    tcase_add_test(tc, pauses_grow_up_to_their_ceiling);
    tcase_add_test(tc, the_longest_pauses_do_not_overflow);
    tcase_add_test(tc, jitter_makes_any_pause_up_to_the_full_one);
    tcase_add_test(tc, only_the_failures_that_were_named_are_tried_again);
    tcase_add_test(tc, exit_codes_can_be_named_or_excepted);
    tcase_add_test(tc, a_pause_beyond_the_time_in_all_is_no_pause_but_the_end);
    tcase_add_test(tc, what_is_to_be_cancelled_is_not_tried_again);
    return unit_run(suite);
}
