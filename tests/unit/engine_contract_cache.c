/* The engine's contract: how long a key is answered by what has ended; leases. */
#include "tests/unit/engine_contract.h"

#define HOUR_MS (UINT64_C(3600) * 1000)

/* A job with key "k" that ended so long ago with this exit code. */
static uint64_t ended_ago(int code, int64_t ago_ms)
{
    uint64_t number = rig_queue(WANT(.key = "k"));
    struct claimed c = rig_claim_one();
    struct outcome o = outcome_exit(code);

    o.ended_us = now_us() - ago_ms * 1000;
    o.started_us = o.ended_us - 1000;
    ck_assert_uint_eq(c.number, number);
    ck_assert_ok(rig_finish(&c, &o));
    return number;
}

static struct submitted submitted_of(struct want want)
{
    struct answer *r = rig_submit(&want, 1);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 1);
    return r->submitted[0];
}

static void assert_answers(struct want want, uint64_t number, bool cached)
{
    struct submitted s = submitted_of(want);

    ck_assert_uint_eq(s.number, number);
    ck_assert(s.deduplicated);
    ck_assert_int_eq(s.cached, cached);
}

static uint64_t assert_new(struct want want, uint64_t old)
{
    struct submitted s = submitted_of(want);

    ck_assert_uint_ne(s.number, old);
    ck_assert(!s.deduplicated);
    ck_assert(!s.cached);
    ck_assert_state(s.number, AW_QUEUED);
    return s.number;
}

START_TEST(a_job_that_has_not_ended_answers_and_is_not_cached)
{
    uint64_t number = rig_queue(WANT(.key = "k"));

    assert_answers(WANT(.key = "k", .cache_ttl_ms = 1), number, false);
    assert_answers(WANT(.key = "k"), number, false);
    rig_claim_one();
    assert_answers(WANT(.key = "k", .cache_ttl_ms = 1), number, false);
}
END_TEST

START_TEST(without_a_time_whatever_has_ended_answers)
{
    uint64_t number = ended_ago(0, 1000 * (int64_t)HOUR_MS);

    assert_answers(WANT(.key = "k"), number, true);
    assert_answers(WANT(.key = "k", .cache_failed = true), number, true);
}
END_TEST

START_TEST(without_a_time_a_failure_answers_too)
{
    assert_answers(WANT(.key = "k"), ended_ago(1, 0), true);
}
END_TEST

START_TEST(a_success_answers_within_its_time)
{
    uint64_t number = ended_ago(0, 5000);

    assert_answers(WANT(.key = "k", .cache_ttl_ms = HOUR_MS), number, true);
    rig_reopen();
    assert_answers(WANT(.key = "k", .cache_ttl_ms = HOUR_MS), number, true);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
}
END_TEST

START_TEST(a_success_does_not_answer_after_its_time)
{
    uint64_t old = ended_ago(0, 5000);
    uint64_t new = assert_new(WANT(.key = "k", .cache_ttl_ms = 4000), old);

    ck_assert_state(old, AW_SUCCEEDED);
    ck_assert_uint_eq(rig_record(old).key.len, 0);
    ck_assert_bytes_eq(rig_record(new).key, "k");
    /* From now on the new one answers, whoever asks. */
    assert_answers(WANT(.key = "k"), new, false);
    assert_answers(WANT(.key = "k", .cache_ttl_ms = HOUR_MS), new, false);
    rig_reopen();
    assert_answers(WANT(.key = "k", .cache_ttl_ms = 1), new, false);
}
END_TEST

START_TEST(the_time_is_the_asking_jobs)
{
    uint64_t number = ended_ago(0, 5000);

    assert_answers(WANT(.key = "k", .cache_ttl_ms = 60000), number, true);
    assert_new(WANT(.key = "k", .cache_ttl_ms = 4000), number);
}
END_TEST

START_TEST(a_failure_answers_only_if_asked)
{
    uint64_t number = ended_ago(1, 5000);

    assert_answers(WANT(.key = "k", .cache_ttl_ms = HOUR_MS, .cache_failed = true), number, true);
    assert_new(WANT(.key = "k", .cache_ttl_ms = HOUR_MS), number);
}
END_TEST

START_TEST(a_failure_that_may_answer_grows_old_too)
{
    assert_new(WANT(.key = "k", .cache_ttl_ms = 4000, .cache_failed = true), ended_ago(1, 5000));
}
END_TEST

START_TEST(what_was_cancelled_counts_as_a_failure)
{
    uint64_t number = rig_queue(WANT(.key = "k"));

    ck_assert_ok(rig_cancel(&number, 1, -1));
    assert_answers(WANT(.key = "k", .cache_ttl_ms = HOUR_MS, .cache_failed = true), number, true);
    assert_new(WANT(.key = "k", .cache_ttl_ms = HOUR_MS), number);
}
END_TEST

START_TEST(concurrent_submits_of_an_old_key_make_one_job)
{
    uint64_t old = ended_ago(0, 5000);
    struct want want = {.key = "k", .cache_ttl_ms = 4000};
    struct answer *a = start_submit(&want, 1), *b = start_submit(&want, 1);

    rig_await(b);
    ck_assert_ok(a);
    ck_assert_ok(b);
    ck_assert_uint_ne(a->submitted[0].number, old);
    ck_assert(!a->submitted[0].deduplicated);
    ck_assert_uint_eq(b->submitted[0].number, a->submitted[0].number);
    ck_assert(b->submitted[0].deduplicated);
    ck_assert(!b->submitted[0].cached);
    ck_assert_uint_eq(rig_claim(5)->n, 1);
}
END_TEST

START_TEST(an_old_key_given_twice_in_one_batch_makes_one_job)
{
    uint64_t old = ended_ago(0, 5000);
    struct want wants[] = {{.key = "k", .cache_ttl_ms = 4000}, {.key = "k", .cache_ttl_ms = 4000}};
    struct answer *r = rig_submit(wants, 2);

    ck_assert_ok(r);
    ck_assert_uint_ne(r->submitted[0].number, old);
    ck_assert_uint_eq(r->submitted[1].number, r->submitted[0].number);
    ck_assert(!r->submitted[0].deduplicated);
    ck_assert(r->submitted[1].deduplicated);
}
END_TEST

/* It has ended, not so that it may answer; but it is what this very submit made of the key. */
START_TEST(of_two_in_one_batch_the_second_answers_with_the_first_even_if_that_has_failed)
{
    uint64_t parent = rig_queue(WANT(.name = "parent"));
    struct want wants[] = {
        {.key = "k", .cache_ttl_ms = 4000, AFTER(parent, PARENT_SUCCEEDED)},
        {.key = "k", .cache_ttl_ms = 4000},
    };
    struct answer *r;

    ck_assert_ok(rig_cancel(&parent, 1, -1));
    r = rig_submit(wants, 2);
    ck_assert_ok(r);
    ck_assert_state(r->submitted[0].number, AW_FAILED);
    ck_assert_uint_eq(r->submitted[1].number, r->submitted[0].number);
    ck_assert(r->submitted[1].deduplicated);
    ck_assert(r->submitted[1].cached);
}
END_TEST

START_TEST(a_request_sent_again_says_once_more_what_was_cached)
{
    uint64_t cached = ended_ago(0, 5000);
    uint64_t waits = rig_queue(WANT(.key = "waits"));
    struct want wants[] = {{.key = "k", .request = "0123456789abcdef"}, {.key = "waits"}, {0}};
    struct answer *first = rig_submit(wants, 3), *again;

    rig_reopen();
    again = rig_submit(wants, 3);
    for (int i = 0; i < 2; i++) {
        const struct answer *r = i ? again : first;

        ck_assert_ok(r);
        ck_assert_uint_eq(r->submitted[0].number, cached);
        ck_assert(r->submitted[0].deduplicated && r->submitted[0].cached);
        ck_assert_uint_eq(r->submitted[1].number, waits);
        ck_assert(r->submitted[1].deduplicated && !r->submitted[1].cached);
        ck_assert_uint_eq(r->submitted[2].number, first->submitted[2].number);
        ck_assert(!r->submitted[2].deduplicated && !r->submitted[2].cached);
    }
}
END_TEST

START_TEST(a_full_queue_does_not_take_an_old_key_away)
{
    uint64_t old = ended_ago(0, 5000);

    rig.limits.max_queued = 1;
    rig_reopen();
    rig_queue(WANT(.name = "fills it"));
    ck_assert_err(rig_submit(&WANT(.key = "k", .cache_ttl_ms = 4000), 1), AW_ERR_QUEUE_FULL);
    ck_assert_bytes_eq(rig_record(old).key, "k");
    assert_answers(WANT(.key = "k", .cache_ttl_ms = HOUR_MS), old, true);
}
END_TEST

START_TEST(a_key_is_old_for_its_own_user_only)
{
    uint64_t mine = ended_ago(0, 5000), theirs;

    theirs = assert_new(WANT(.key = "k", .uid = 5, .cache_ttl_ms = 4000), mine);
    ck_assert_bytes_eq(rig_record(mine).key, "k");
    assert_answers(WANT(.key = "k", .uid = 5, .cache_ttl_ms = 4000), theirs, false);
}
END_TEST

/* ---- Leases --------------------------------------------------------------------------------- */

struct lease_seen {
    uint64_t numbers[10];
    int64_t abandon_ms[10];
    size_t n;
};

static void lease_see(void *arg, uint64_t number, int64_t abandon_ms)
{
    struct lease_seen *seen = arg;

    ck_assert_uint_lt(seen->n, ARRAY_SIZE(seen->numbers));
    seen->numbers[seen->n] = number;
    seen->abandon_ms[seen->n++] = abandon_ms;
}

START_TEST(leases_are_there_again_after_a_restart)
{
    struct lease_seen seen = {0};
    uint64_t runs = rig_queue(WANT(.name = "runs", .abandon_ms = 30000));
    uint64_t ended = rig_queue(WANT(.name = "ended", .abandon_ms = 20000));
    uint64_t waits, blocked;
    struct answer *claims = rig_claim(2);
    struct outcome o = outcome_exit(0);

    ck_assert_uint_eq(claims->n, 2);
    ck_assert_uint_eq(claims->claims[1].number, ended);
    ck_assert_ok(rig_finish(&claims->claims[1], &o));
    rig_queue(WANT(.name = "none"));
    waits = rig_queue(WANT(.name = "waits", .abandon_ms = 1, .delay_ms = HOUR_MS));
    blocked = rig_queue(WANT(.name = "blocked", .abandon_ms = 7, AFTER(waits, PARENT_ENDED)));
    rig_reopen();
    engine_each_lease(rig.e, lease_see, &seen);
    ck_assert_uint_eq(seen.n, 3);
    ck_assert_uint_eq(seen.numbers[0], runs);
    ck_assert_int_eq(seen.abandon_ms[0], 30000);
    ck_assert_uint_eq(seen.numbers[1], waits);
    ck_assert_int_eq(seen.abandon_ms[1], 1);
    ck_assert_uint_eq(seen.numbers[2], blocked);
    ck_assert_int_eq(seen.abandon_ms[2], 7);
}
END_TEST

START_TEST(a_lease_whose_job_has_ended_since_is_not_told)
{
    struct lease_seen seen = {0};
    uint64_t number = rig_queue(WANT(.name = "x", .abandon_ms = 30000));

    rig_reopen();
    ck_assert_ok(rig_cancel(&number, 1, -1));
    engine_each_lease(rig.e, lease_see, &seen);
    ck_assert_uint_eq(seen.n, 0);
}
END_TEST

void contract_cache_add(TCase *tc)
{
    tcase_add_test(tc, a_job_that_has_not_ended_answers_and_is_not_cached);
    tcase_add_test(tc, without_a_time_whatever_has_ended_answers);
    tcase_add_test(tc, without_a_time_a_failure_answers_too);
    tcase_add_test(tc, a_success_answers_within_its_time);
    tcase_add_test(tc, a_success_does_not_answer_after_its_time);
    tcase_add_test(tc, the_time_is_the_asking_jobs);
    tcase_add_test(tc, a_failure_answers_only_if_asked);
    tcase_add_test(tc, a_failure_that_may_answer_grows_old_too);
    tcase_add_test(tc, what_was_cancelled_counts_as_a_failure);
    tcase_add_test(tc, concurrent_submits_of_an_old_key_make_one_job);
    tcase_add_test(tc, an_old_key_given_twice_in_one_batch_makes_one_job);
    tcase_add_test(tc,
                   of_two_in_one_batch_the_second_answers_with_the_first_even_if_that_has_failed);
    tcase_add_test(tc, a_request_sent_again_says_once_more_what_was_cached);
    tcase_add_test(tc, a_full_queue_does_not_take_an_old_key_away);
    tcase_add_test(tc, a_key_is_old_for_its_own_user_only);
    tcase_add_test(tc, leases_are_there_again_after_a_restart);
    tcase_add_test(tc, a_lease_whose_job_has_ended_since_is_not_told);
}
