/* The engine's contract: what is claimed from which queue: order, slots, limits, rates. */
#include "tests/unit/engine_contract.h"

/* ---- Order -------------------------------------------------------------------------------------
 */

START_TEST(the_queue_counts_more_than_the_job)
{
    int high = 1, low = -1;
    uint64_t numbers[6];

    rig_queue_add("high", QUEUE_CHANGE(to.priority = &high));
    rig_queue_add("low", QUEUE_CHANGE(to.priority = &low));
    numbers[5] = rig_queue(WANT(.queue = "low", .priority = 10));
    numbers[3] = rig_queue(WANT(.priority = 5));
    numbers[4] = rig_queue(WANT(.priority = 0));
    numbers[2] = rig_queue(WANT(.queue = "high", .priority = -10));
    numbers[0] = rig_queue(WANT(.queue = "high"));
    numbers[1] = rig_queue(WANT(.queue = "high"));
    rig_reopen();
    rig_assert_claims(rig_claim(10), numbers, 6);
}
END_TEST

START_TEST(between_equal_queues_the_job_counts_then_who_came_first)
{
    uint64_t numbers[5];

    rig_queue_add("a", QUEUE_CHANGE());
    rig_queue_add("b", QUEUE_CHANGE());
    numbers[1] = rig_queue(WANT(.queue = "b"));
    numbers[2] = rig_queue(WANT(.queue = "a"));
    numbers[3] = rig_queue(WANT(.name = "x"));
    numbers[4] = rig_queue(WANT(.queue = "b"));
    numbers[0] = rig_queue(WANT(.queue = "a", .priority = 1));
    rig_assert_claims(rig_claim(10), numbers, 5);
}
END_TEST

START_TEST(a_paused_queue_starts_nothing_and_starves_nobody)
{
    int high = 10;
    uint64_t paused, other;

    rig_queue_add("q", QUEUE_CHANGE(to.paused = 1, to.priority = &high));
    paused = rig_queue(WANT(.queue = "q", .priority = 10));
    other = rig_queue(WANT(.priority = -10));
    rig_assert_claims(rig_claim(10), &other, 1);
    rig_reopen();
    ck_assert_uint_eq(rig_claim(10)->n, 0);
    rig_forget_notes();
    rig_queue_change("q", QUEUE_CHANGE(to.paused = 0));
    rig_await_note(NOTE_RUNNABLE, 0);
    rig_assert_claims(rig_claim(10), &paused, 1);
}
END_TEST

START_TEST(a_pause_lets_go_on_what_runs)
{
    uint64_t number;
    struct claimed c;

    rig_queue_add("q", QUEUE_CHANGE());
    number = rig_queue(WANT(.queue = "q"));
    c = rig_claim_one();
    rig_queue_change("q", QUEUE_CHANGE(to.paused = 1));
    ck_assert_int_eq(rig_note_at(NOTE_STOP, 0), -1);
    rig_exit(&c, 0);
    ck_assert_state(number, AW_SUCCEEDED);
}
END_TEST

/* ---- Slots and limits --------------------------------------------------------------------------
 */

START_TEST(slots_of_its_own_come_on_top_of_what_is_asked_for)
{
    struct answer *r;
    size_t own = 0;

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 3));
    for (int i = 0; i < 5; i++) {
        rig_queue(WANT(.queue = "own"));
        rig_queue(WANT(.name = "shared"));
    }
    r = rig_claim(2);
    ck_assert_uint_eq(r->n, 5);
    for (size_t i = 0; i < r->n; i++)
        own += r->claims[i].own_slot;
    ck_assert_uint_eq(own, 3);
    ck_assert_uint_eq(rig_queue_status("own").running, 3);
    ck_assert_uint_eq(rig_queue_status("own").queued, 2);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    ck_assert_uint_eq(rig_claim(10)->n, 3);
}
END_TEST

START_TEST(a_slot_of_its_own_is_free_from_the_call_of_the_end)
{
    struct outcome o = outcome_exit(0);
    struct answer *end, *claim;
    struct claimed c;
    uint64_t second;

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 1));
    rig_queue(WANT(.queue = "own"));
    second = rig_queue(WANT(.queue = "own"));
    c = rig_claim(0)->claims[0];
    ck_assert(c.own_slot);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    rig_forget_notes();
    end = start_finish(&c, &o);
    ck_assert_int_ge(rig_note_at(NOTE_RUNNABLE, 0), 0);
    claim = start_claim(0);
    rig_await(claim);
    rig_assert_claims(claim, &second, 1);
    ck_assert_ok(end);
}
END_TEST

START_TEST(a_claim_given_back_frees_the_slot_and_is_the_next_again)
{
    struct claimed c;
    uint64_t first;

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 1));
    first = rig_queue(WANT(.queue = "own"));
    rig_queue(WANT(.queue = "own"));
    c = rig_claim(0)->claims[0];
    ck_assert_ok(rig_release(&c));
    rig_assert_claims(rig_claim(0), &first, 1);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
}
END_TEST

START_TEST(a_claim_that_is_over_frees_no_slot)
{
    struct claimed c, late;
    struct outcome o = outcome_exit(0);

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 1));
    for (int i = 0; i < 3; i++)
        rig_queue(WANT(.queue = "own"));
    late = rig_claim(0)->claims[0];
    rig_exit(&late, 0);
    c = rig_claim(0)->claims[0];
    ck_assert_err(rig_finish(&late, &o), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_release(&late), AW_ERR_WRONG_STATE);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    rig_exit(&c, 0);
    ck_assert_uint_eq(rig_claim(0)->n, 1);
}
END_TEST

START_TEST(no_more_than_its_limit_of_a_queue_run_at_once)
{
    uint64_t numbers[4], other;
    struct answer *r;

    rig_queue_add("q", QUEUE_CHANGE(to.limit = 2));
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        numbers[i] = rig_queue(WANT(.queue = "q", .priority = 5));
    other = rig_queue(WANT(.name = "other"));
    r = rig_claim(100);
    rig_assert_claims(r, (uint64_t[]){numbers[0], numbers[1], other}, 3);
    ck_assert(!r->claims[0].own_slot);
    ck_assert_uint_eq(rig_claim(100)->n, 0);
    rig_forget_notes();
    rig_exit(&r->claims[0], 0);
    ck_assert_int_ge(rig_note_at(NOTE_RUNNABLE, 0), 0);
    rig_assert_claims(rig_claim(100), &numbers[2], 1);
    rig_queue_change("q", QUEUE_CHANGE(to.limit = 0));
    rig_assert_claims(rig_claim(100), &numbers[3], 1);
}
END_TEST

START_TEST(what_ran_before_a_restart_holds_its_slot_still)
{
    struct answer *r;

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 2));
    rig_queue_add("q", QUEUE_CHANGE(to.limit = 1));
    for (int i = 0; i < 3; i++) {
        rig_queue(WANT(.queue = "own"));
        rig_queue(WANT(.queue = "q"));
    }
    ck_assert_uint_eq(rig_claim(5)->n, 3);
    rig_reopen();
    r = rig_recover();
    ck_assert_uint_eq(r->n, 3);
    for (size_t i = 0; i < r->n; i++)
        ck_assert(r->claims[i].own_slot == (r->claims[i].number % 2 == 1));
    ck_assert_uint_eq(rig_claim(5)->n, 0);
    for (size_t i = 0; i < r->n; i++)
        rig_exit(&r->claims[i], 0);
    ck_assert_uint_eq(rig_claim(5)->n, 2);
}
END_TEST

START_TEST(one_that_is_tried_again_or_cancelled_holds_no_slot)
{
    struct outcome o = outcome_exit(1), stopped = outcome_stopped();
    uint64_t waits;
    struct claimed c;

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 1));
    rig_queue(WANT(.queue = "own", .max_attempts = 2, .backoff_ms = 3600000));
    c = rig_claim(0)->claims[0];
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_uint_eq(rig_queue_status("own").waiting, 1);
    rig_queue(WANT(.queue = "own"));
    c = rig_claim(0)->claims[0];
    ck_assert_ok(rig_cancel(&c.number, 1, -1));
    waits = rig_queue(WANT(.queue = "own"));
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    ck_assert_ok(rig_finish(&c, &stopped));
    rig_assert_claims(rig_claim(0), &waits, 1);
}
END_TEST

START_TEST(fewer_slots_than_run_start_nothing_until_there_is_room)
{
    struct answer *r;

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 3));
    for (int i = 0; i < 5; i++)
        rig_queue(WANT(.queue = "own"));
    r = rig_claim(0);
    ck_assert_uint_eq(r->n, 3);
    rig_queue_change("own", QUEUE_CHANGE(to.slots = 1));
    rig_exit(&r->claims[0], 0);
    rig_exit(&r->claims[1], 0);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    rig_exit(&r->claims[2], 0);
    ck_assert_uint_eq(rig_claim(0)->n, 1);
    rig_forget_notes();
    rig_queue_change("own", QUEUE_CHANGE(to.slots = 2));
    rig_await_note(NOTE_RUNNABLE, 0);
    ck_assert_uint_eq(rig_claim(0)->n, 1);
}
END_TEST

START_TEST(one_claim_takes_a_bounded_number_wherever_they_are)
{
    static struct want wants[300];
    size_t n = 0;

    rig_queue_add("own", QUEUE_CHANGE(to.slots = 4096));
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        wants[i].queue = i % 2 ? "own" : NULL;
    ck_assert_ok(rig_submit(wants, ARRAY_SIZE(wants)));
    for (struct answer *r; (r = rig_claim(1000))->n; n += r->n)
        ck_assert_uint_le(r->n, ENGINE_CLAIM_MAX);
    ck_assert_uint_eq(n, ARRAY_SIZE(wants));
}
END_TEST

START_TEST(a_claim_that_finds_nothing_writes_nothing)
{
    uint64_t commits;

    rig_await_first_look();
    rig_queue_add("q", QUEUE_CHANGE(to.paused = 1));
    rig_queue(WANT(.queue = "q"));
    rig_queue(WANT(.name = "shared"));
    commits = rig_stats().commits;
    for (int i = 0; i < 10; i++) {
        struct answer *r = start_claim(0);

        ck_assert_int_eq(r->times, 0);
        rig_await(r);
        ck_assert_ok(r);
        ck_assert_uint_eq(r->n, 0);
    }
    ck_assert_uint_eq(rig_stats().commits, commits);
}
END_TEST

START_TEST(claims_that_find_nothing_are_answered_when_the_engine_closes)
{
    struct answer *r = start_claim(3);

    rig_close();
    ck_assert_int_eq(r->times, 1);
    ck_assert_uint_eq(r->n, 0);
    rig_open();
}
END_TEST

/* ---- Rates -------------------------------------------------------------------------------------
 */

START_TEST(no_more_start_at_once_than_the_rate_says_and_the_next_in_time)
{
    int64_t began;
    size_t n;

    rig_queue_add("q", QUEUE_CHANGE(to.rate = 4, to.rate_ms = 400));
    for (int i = 0; i < 6; i++)
        rig_queue(WANT(.queue = "q"));
    began = now_us();
    n = rig_claim(100)->n;
    ck_assert_uint_eq(n, 4);
    rig_forget_notes();
    rig_await_note(NOTE_RUNNABLE, 0);
    while (n < 6) {
        size_t more = rig_claim(100)->n;

        n += more;
        if (!more)
            rig_turn();
    }
    /* Six starts with a bucket of four and one each 100 ms. */
    ck_assert_int_ge(now_us() - began, 200 * 1000 - 1000);
}
END_TEST

START_TEST(a_rate_that_is_used_up_starves_nobody_and_can_be_lifted)
{
    uint64_t first, second, other;
    int high = 5;

    rig_queue_add("q", QUEUE_CHANGE(to.rate = 1, to.rate_ms = 3600000, to.priority = &high));
    first = rig_queue(WANT(.queue = "q"));
    second = rig_queue(WANT(.queue = "q"));
    rig_assert_claims(rig_claim(1), &first, 1);
    other = rig_queue(WANT(.name = "other"));
    rig_assert_claims(rig_claim(5), &other, 1);
    rig_forget_notes();
    rig_queue_change("q", QUEUE_CHANGE(to.rate = 0));
    rig_await_note(NOTE_RUNNABLE, 0);
    rig_assert_claims(rig_claim(5), &second, 1);
}
END_TEST

START_TEST(a_claim_given_back_costs_nothing_of_the_rate)
{
    uint64_t number;
    struct claimed c;

    rig_queue_add("q", QUEUE_CHANGE(to.rate = 1, to.rate_ms = 3600000));
    number = rig_queue(WANT(.queue = "q"));
    c = rig_claim_one();
    ck_assert_ok(rig_release(&c));
    c = rig_claim_one();
    ck_assert_uint_eq(c.number, number);
    rig_exit(&c, 0);
    rig_queue(WANT(.queue = "q"));
    ck_assert_uint_eq(rig_claim(5)->n, 0);
    rig_reopen(); /* after a restart a queue begins as if it had been quiet */
    ck_assert_uint_eq(rig_claim(5)->n, 1);
}
END_TEST

void contract_claims_add(TCase *tc)
{
    tcase_add_test(tc, the_queue_counts_more_than_the_job);
    tcase_add_test(tc, between_equal_queues_the_job_counts_then_who_came_first);
    tcase_add_test(tc, a_paused_queue_starts_nothing_and_starves_nobody);
    tcase_add_test(tc, a_pause_lets_go_on_what_runs);
    tcase_add_test(tc, slots_of_its_own_come_on_top_of_what_is_asked_for);
    tcase_add_test(tc, a_slot_of_its_own_is_free_from_the_call_of_the_end);
    tcase_add_test(tc, a_claim_given_back_frees_the_slot_and_is_the_next_again);
    tcase_add_test(tc, a_claim_that_is_over_frees_no_slot);
    tcase_add_test(tc, no_more_than_its_limit_of_a_queue_run_at_once);
    tcase_add_test(tc, what_ran_before_a_restart_holds_its_slot_still);
    tcase_add_test(tc, one_that_is_tried_again_or_cancelled_holds_no_slot);
    tcase_add_test(tc, fewer_slots_than_run_start_nothing_until_there_is_room);
    tcase_add_test(tc, one_claim_takes_a_bounded_number_wherever_they_are);
    tcase_add_test(tc, a_claim_that_finds_nothing_writes_nothing);
    tcase_add_test(tc, claims_that_find_nothing_are_answered_when_the_engine_closes);
    tcase_add_test(tc, no_more_start_at_once_than_the_rate_says_and_the_next_in_time);
    tcase_add_test(tc, a_rate_that_is_used_up_starves_nobody_and_can_be_lifted);
    tcase_add_test(tc, a_claim_given_back_costs_nothing_of_the_rate);
}
