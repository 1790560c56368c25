/* The engine's contract: claim, release, finish, recover. */
#include "tests/unit/engine_contract.h"

#include <stdio.h>

/* ---- Claim ------------------------------------------------------------------------------------
 */

START_TEST(first_come_first_served)
{
    uint64_t numbers[20];

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        numbers[i] = rig_queue(WANT(.name = "x"));
    rig_assert_claims(rig_claim(7), numbers, 7);
    rig_assert_claims(rig_claim(100), numbers + 7, 13);
}
END_TEST

START_TEST(the_more_urgent_come_first_whenever_they_came)
{
    uint64_t low = rig_queue(WANT(.priority = AW_MIN_PRIORITY));
    uint64_t normal = rig_queue(WANT(.priority = 0));
    uint64_t high = rig_queue(WANT(.priority = AW_MAX_PRIORITY));
    uint64_t normal_2 = rig_queue(WANT(.priority = 0));

    rig_assert_claims(rig_claim(10), (uint64_t[]){high, normal, normal_2, low}, 4);
}
END_TEST

START_TEST(the_order_is_the_same_after_a_restart)
{
    uint64_t a = rig_queue(WANT(.priority = 1));
    uint64_t b = rig_queue(WANT(.priority = 2));
    uint64_t c = rig_queue(WANT(.priority = 1));

    rig_reopen();
    rig_assert_claims(rig_claim(10), (uint64_t[]){b, a, c}, 3);
}
END_TEST

START_TEST(nothing_is_claimed_when_nothing_waits)
{
    ck_assert_uint_eq(rig_claim(5)->n, 0);
    rig_queue(WANT(.name = "x"));
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    ck_assert_uint_eq(rig_claim(5)->n, 1);
}
END_TEST

START_TEST(claims_under_way_never_get_the_same_job)
{
    uint64_t a = rig_queue(WANT(.name = "a"));
    uint64_t b = rig_queue(WANT(.name = "b"));
    struct answer *one = start_claim(1), *two = start_claim(5);

    rig_await(two);
    rig_assert_claims(one, &a, 1);
    rig_assert_claims(two, &b, 1);
    ck_assert_uint_ne(one->claims[0].claim, two->claims[0].claim);
}
END_TEST

START_TEST(a_claim_brings_the_whole_specification)
{
    struct want want = {.name = "x", .apart = true, .uid = 12};
    int64_t before = now_us();
    uint64_t number = rig_queue(want);
    struct claimed c = rig_claim_one();
    struct record r = rig_record(number);
    struct answer *whole = rig_get(&number, 1, GET_WHOLE);

    ck_assert_uint_gt(c.claim, 0);
    ck_assert_uint_eq(c.attempt, 1);
    ck_assert_uint_eq(c.uid, 12);
    ck_assert_uint_eq(c.gid, 13);
    ck_assert_int_ge(c.started_us, before);
    ck_assert(bytes_eq(c.spec, rig_spec(&want)));

    ck_assert_int_eq(r.state, AW_RUNNING);
    ck_assert_uint_eq(r.claim, c.claim);
    ck_assert_uint_eq(r.attempt, 1);
    ck_assert_int_eq(r.started_us, c.started_us);
    ck_assert(bytes_eq(r.spec, rig_head(&want)));
    ck_assert(!bytes_eq(rig_spec(&want), rig_head(&want)));
    ck_assert(bytes_eq(whole->found[0].record.spec, rig_spec(&want)));
}
END_TEST

/* ---- Finish -----------------------------------------------------------------------------------
 */

static struct claimed claim_new(struct want want)
{
    uint64_t number = rig_queue(want);
    struct claimed c = rig_claim_one();

    ck_assert_uint_eq(c.number, number);
    return c;
}

START_TEST(a_success_is_recorded_with_all_that_is_known_of_it)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);
    struct record r;

    o.started_us = c.started_us;
    o.cpu_user_us = 11;
    o.cpu_sys_us = 22;
    o.max_rss_kib = 33;
    o.output[STREAM_STDOUT] = (struct output){.size = 5, .data = bytes_str("hello")};
    o.output[STREAM_STDERR] = (struct output){.size = 1 << 20, .spooled = true};
    ck_assert_ok(rig_finish(&c, &o));
    r = rig_record(c.number);
    ck_assert_int_eq(r.state, AW_SUCCEEDED);
    ck_assert_int_eq(r.class, AW_CLASS_NONE);
    ck_assert_int_eq(r.exit_code, 0);
    ck_assert_int_eq(r.signal, 0);
    ck_assert_int_eq(r.started_us, c.started_us);
    ck_assert_int_eq(r.ended_us, o.ended_us);
    ck_assert_int_ge(r.expires_us, r.ended_us + rig.limits.retention_ms * 1000);
    ck_assert_uint_eq(r.cpu_user_us, 11);
    ck_assert_uint_eq(r.cpu_sys_us, 22);
    ck_assert_uint_eq(r.max_rss_kib, 33);
    ck_assert_uint_eq(r.size[STREAM_STDOUT], 5);
    ck_assert_uint_eq(r.size[STREAM_STDERR], 1 << 20);
    ck_assert_uint_eq(r.flags & (RECORD_SPOOLED_STDOUT | RECORD_SPOOLED_STDERR),
                      RECORD_SPOOLED_STDERR);
    ck_assert_uint_eq(r.claim, c.claim);
}
END_TEST

START_TEST(a_failure_is_recorded_with_its_class)
{
    static const enum aw_class classes[] = {AW_CLASS_EXIT,         AW_CLASS_SIGNAL,
                                            AW_CLASS_TIMEOUT,      AW_CLASS_SPAWN,
                                            AW_CLASS_OUTPUT_LIMIT, AW_CLASS_INTERRUPTED};

    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        struct claimed c = claim_new(WANT(.name = "x"));
        struct outcome o = outcome_exit(3);
        struct record r;

        o.class = classes[i];
        o.signal = 9;
        snprintf(o.message, sizeof(o.message), "because of %zu", i);
        ck_assert_ok(rig_finish(&c, &o));
        r = rig_record(c.number);
        ck_assert_int_eq(r.state, AW_FAILED);
        ck_assert_int_eq(r.class, classes[i]);
        ck_assert_int_eq(r.exit_code, 3);
        ck_assert_int_eq(r.signal, 9);
        ck_assert_bytes_eq(r.message, o.message);
    }
    ck_assert_uint_eq(rig_stats().failed, ARRAY_SIZE(classes));
}
END_TEST

START_TEST(the_end_is_announced_with_its_state)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(1);

    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_int_eq(rig_await_note(NOTE_ENDED, c.number)->state, AW_FAILED);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 1);
}
END_TEST

START_TEST(who_waits_for_the_end_and_then_asks_misses_nothing)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);
    struct answer *before = start_get(&c.number, 1, 0);
    struct answer *finish = start_finish(&c, &o);
    struct answer *after = start_get(&c.number, 1, 0);

    rig_await(after);
    ck_assert_ok(finish);
    ck_assert_int_eq(before->found[0].record.state, AW_RUNNING);
    ck_assert_int_eq(after->found[0].record.state, AW_SUCCEEDED);
    ck_assert_int_lt(rig_reply_at(before), rig_note_at(NOTE_ENDED, c.number));
    ck_assert_int_lt(rig_note_at(NOTE_ENDED, c.number), rig_reply_at(after));
}
END_TEST

START_TEST(one_that_was_told_to_stop_is_cancelled)
{
    struct claimed c = claim_new(WANT(.name = "x", .retry_interrupted = true));
    struct outcome o = outcome_stopped();

    ck_assert_ok(rig_cancel(&c.number, 1, -1));
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_state(c.number, AW_CANCELLED);
    ck_assert_int_eq(rig_record(c.number).class, AW_CLASS_NONE);
    ck_assert_int_eq(rig_record(c.number).signal, 15);
}
END_TEST

START_TEST(a_success_counts_although_a_cancel_was_on_its_way)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);

    ck_assert_ok(rig_cancel(&c.number, 1, -1));
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_state(c.number, AW_SUCCEEDED);
}
END_TEST

START_TEST(an_interrupted_job_fails_unless_it_said_otherwise)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_interrupted();

    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_state(c.number, AW_FAILED);
    ck_assert_int_eq(rig_record(c.number).class, AW_CLASS_INTERRUPTED);
}
END_TEST

START_TEST(an_interrupted_job_that_wants_a_retry_is_next_in_line)
{
    struct claimed c = claim_new(WANT(.name = "x", .retry_interrupted = true)), again;
    uint64_t other = rig_queue(WANT(.name = "other"));
    struct outcome o = outcome_interrupted();
    struct record r;

    rig_forget_notes();
    ck_assert_ok(rig_finish(&c, &o));
    r = rig_record(c.number);
    ck_assert_int_eq(r.state, AW_QUEUED);
    ck_assert_int_eq(r.class, AW_CLASS_NONE);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 0);
    ck_assert_int_ge(rig_note_at(NOTE_RUNNABLE, 0), 0);
    again = rig_claim_one();
    ck_assert_uint_eq(again.number, c.number);
    ck_assert_uint_eq(again.attempt, 2);
    ck_assert_uint_ne(again.claim, c.claim);
    ck_assert_uint_eq(rig_claim_one().number, other);
}
END_TEST

START_TEST(an_interrupted_job_that_was_to_be_cancelled_is_cancelled)
{
    for (int retry = 0; retry < 2; retry++) {
        struct claimed c = claim_new(WANT(.name = "x", .retry_interrupted = retry));
        struct outcome o = outcome_interrupted();

        ck_assert_ok(rig_cancel(&c.number, 1, -1));
        ck_assert_ok(rig_finish(&c, &o));
        ck_assert_state(c.number, AW_CANCELLED);
    }
}
END_TEST

START_TEST(a_claim_that_is_over_changes_nothing)
{
    struct claimed c = claim_new(WANT(.name = "x")), wrong = c;
    struct outcome o = outcome_exit(0), late = outcome_exit(1);

    wrong.claim++;
    ck_assert_err(rig_finish(&wrong, &late), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_release(&wrong), AW_ERR_WRONG_STATE);
    ck_assert_state(c.number, AW_RUNNING);
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_err(rig_finish(&c, &late), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_release(&c), AW_ERR_WRONG_STATE);
    ck_assert_state(c.number, AW_SUCCEEDED);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 1);
}
END_TEST

START_TEST(a_claim_of_the_attempt_before_cannot_end_this_one)
{
    struct claimed first = claim_new(WANT(.name = "x", .retry_interrupted = true)), second;
    struct outcome o = outcome_interrupted(), late = outcome_exit(0);

    ck_assert_ok(rig_finish(&first, &o));
    ck_assert_err(rig_finish(&first, &late), AW_ERR_WRONG_STATE);
    ck_assert_state(first.number, AW_QUEUED);
    second = rig_claim_one();
    ck_assert_err(rig_finish(&first, &late), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_release(&first), AW_ERR_WRONG_STATE);
    ck_assert_state(first.number, AW_RUNNING);
    ck_assert_ok(rig_finish(&second, &late));
}
END_TEST

START_TEST(of_two_ends_of_one_claim_the_first_counts)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome good = outcome_exit(0), bad = outcome_exit(1);
    struct answer *one = start_finish(&c, &good), *two = start_finish(&c, &bad);

    rig_await(one);
    rig_await(two);
    ck_assert_ok(one);
    ck_assert_err(two, AW_ERR_WRONG_STATE);
    ck_assert_state(c.number, AW_SUCCEEDED);
}
END_TEST

START_TEST(a_claim_on_what_never_was_is_over)
{
    struct claimed c = {.number = 4711, .claim = 1};
    struct outcome o = outcome_exit(0);

    ck_assert_err(rig_finish(&c, &o), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_release(&c), AW_ERR_WRONG_STATE);
}
END_TEST

START_TEST(the_outcome_is_copied)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);
    char text[] = "hello";
    struct answer *r;

    o.output[STREAM_STDOUT] = (struct output){.size = 5, .data = bytes_of(text, 5)};
    r = start_finish(&c, &o);
    memset(text, 'x', 5);
    memset(&o, 0xa5, sizeof(o));
    rig_await(r);
    ck_assert_ok(r);
    ck_assert_bytes_eq(rig_output(c.number, 1, STREAM_STDOUT, 0, 100)->data, "hello");
}
END_TEST

/* ---- Release ----------------------------------------------------------------------------------
 */

START_TEST(a_claim_given_back_is_next_in_line_and_no_attempt)
{
    struct claimed c = claim_new(WANT(.name = "x")), again;
    uint64_t other = rig_queue(WANT(.name = "other"));
    struct record r;

    rig_forget_notes();
    ck_assert_ok(rig_release(&c));
    ck_assert_int_ge(rig_note_at(NOTE_RUNNABLE, 0), 0);
    r = rig_record(c.number);
    ck_assert_int_eq(r.state, AW_QUEUED);
    ck_assert_uint_eq(r.attempt, 0);
    ck_assert_int_eq(r.started_us, 0);
    again = rig_claim_one();
    ck_assert_uint_eq(again.number, c.number);
    ck_assert_uint_eq(again.attempt, 1);
    ck_assert_uint_ne(again.claim, c.claim);
    ck_assert_uint_eq(rig_claim_one().number, other);
}
END_TEST

START_TEST(several_claims_given_back_in_reverse_stand_as_they_stood)
{
    uint64_t numbers[3];
    struct answer *claims;

    for (int i = 0; i < 3; i++)
        numbers[i] = rig_queue(WANT(.name = "x"));
    claims = rig_claim(3);
    for (int i = 3; i-- > 0;)
        ck_assert_ok(rig_release(&claims->claims[i]));
    rig_assert_claims(rig_claim(3), numbers, 3);
}
END_TEST

START_TEST(a_claim_given_back_stays_so_after_a_restart)
{
    struct claimed c = claim_new(WANT(.name = "x")), again;

    ck_assert_ok(rig_release(&c));
    rig_reopen();
    ck_assert_uint_eq(rig_recover()->n, 0);
    again = rig_claim_one();
    ck_assert_uint_eq(again.number, c.number);
    ck_assert_uint_eq(again.attempt, 1);
    ck_assert_uint_ne(again.claim, c.claim);
}
END_TEST

/* ---- Restart ----------------------------------------------------------------------------------
 */

START_TEST(running_claims_are_found_again_after_a_restart)
{
    struct want wants[] = {{.name = "a", .uid = 5, .apart = true}, {.name = "b"}, {.name = "c"}};
    struct answer *claims, *found;
    struct outcome o = outcome_exit(0);

    ck_assert_ok(rig_submit(wants, 3));
    claims = rig_claim(3);
    ck_assert_ok(rig_finish(&claims->claims[1], &o));
    rig_reopen();
    found = rig_recover();
    ck_assert_ok(found);
    ck_assert_uint_eq(found->n, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct claimed *f = &found->claims[i];
        size_t old = f->number == claims->claims[0].number ? 0 : 2;
        const struct claimed *c = &claims->claims[old];

        ck_assert_uint_eq(f->number, c->number);
        ck_assert_uint_eq(f->claim, c->claim);
        ck_assert_uint_eq(f->attempt, c->attempt);
        ck_assert_uint_eq(f->uid, 5);
        ck_assert_uint_eq(f->gid, 6);
        ck_assert_int_eq(f->started_us, c->started_us);
        ck_assert(bytes_eq(f->spec, rig_spec(&wants[old])));
    }
    ck_assert_uint_ne(found->claims[0].number, found->claims[1].number);
    ck_assert_ok(rig_finish(&found->claims[0], &o));
    ck_assert_ok(rig_finish(&found->claims[1], &o));
}
END_TEST

START_TEST(nothing_is_found_again_when_nothing_ran)
{
    rig_queue(WANT(.name = "x"));
    rig_reopen();
    ck_assert_uint_eq(rig_recover()->n, 0);
}
END_TEST

START_TEST(a_request_to_cancel_outlives_a_restart)
{
    struct claimed c = claim_new(WANT(.name = "x", .retry_interrupted = true));
    struct outcome o = outcome_interrupted();
    struct answer *found;

    ck_assert_ok(rig_cancel(&c.number, 1, -1));
    rig_reopen();
    rig_forget_notes();
    ck_assert_uint_ne(rig_record(c.number).flags & RECORD_CANCEL_REQUESTED, 0);
    found = rig_recover();
    ck_assert_uint_eq(found->n, 1);
    ck_assert_uint_eq(rig_await_note(NOTE_STOP, c.number)->claim, c.claim);
    ck_assert_int_lt(rig_reply_at(found), rig_note_at(NOTE_STOP, c.number));
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_state(c.number, AW_CANCELLED);
}
END_TEST

START_TEST(no_claim_is_ever_given_out_twice)
{
    uint64_t seen[40];
    size_t n = 0;

    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 10; i++) {
            struct claimed c = claim_new(WANT(.name = "x"));
            struct outcome o = outcome_exit(0);

            for (size_t j = 0; j < n; j++)
                ck_assert_uint_ne(seen[j], c.claim);
            ck_assert_uint_le(c.claim, INT64_MAX);
            seen[n++] = c.claim;
            if (i % 2)
                ck_assert_ok(rig_finish(&c, &o));
        }
        rig_reopen();
    }
}
END_TEST

void contract_run_add(TCase *tc)
{
    tcase_add_test(tc, first_come_first_served);
    tcase_add_test(tc, the_more_urgent_come_first_whenever_they_came);
    tcase_add_test(tc, the_order_is_the_same_after_a_restart);
    tcase_add_test(tc, nothing_is_claimed_when_nothing_waits);
    tcase_add_test(tc, claims_under_way_never_get_the_same_job);
    tcase_add_test(tc, a_claim_brings_the_whole_specification);
    tcase_add_test(tc, a_success_is_recorded_with_all_that_is_known_of_it);
    tcase_add_test(tc, a_failure_is_recorded_with_its_class);
    tcase_add_test(tc, the_end_is_announced_with_its_state);
    tcase_add_test(tc, who_waits_for_the_end_and_then_asks_misses_nothing);
    tcase_add_test(tc, one_that_was_told_to_stop_is_cancelled);
    tcase_add_test(tc, a_success_counts_although_a_cancel_was_on_its_way);
    tcase_add_test(tc, an_interrupted_job_fails_unless_it_said_otherwise);
    tcase_add_test(tc, an_interrupted_job_that_wants_a_retry_is_next_in_line);
    tcase_add_test(tc, an_interrupted_job_that_was_to_be_cancelled_is_cancelled);
    tcase_add_test(tc, a_claim_that_is_over_changes_nothing);
    tcase_add_test(tc, a_claim_of_the_attempt_before_cannot_end_this_one);
    tcase_add_test(tc, of_two_ends_of_one_claim_the_first_counts);
    tcase_add_test(tc, a_claim_on_what_never_was_is_over);
    tcase_add_test(tc, the_outcome_is_copied);
    tcase_add_test(tc, a_claim_given_back_is_next_in_line_and_no_attempt);
    tcase_add_test(tc, several_claims_given_back_in_reverse_stand_as_they_stood);
    tcase_add_test(tc, a_claim_given_back_stays_so_after_a_restart);
    tcase_add_test(tc, running_claims_are_found_again_after_a_restart);
    tcase_add_test(tc, nothing_is_found_again_when_nothing_ran);
    tcase_add_test(tc, a_request_to_cancel_outlives_a_restart);
    tcase_add_test(tc, no_claim_is_ever_given_out_twice);
}
