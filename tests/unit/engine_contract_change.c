/* The engine's contract: changes to jobs that wait, and why they do. */
#include "tests/unit/engine_contract.h"

static void assert_before(const struct explanation *why, const uint64_t *numbers, size_t n)
{
    ck_assert_uint_eq(why->n_before, n);
    ck_assert(!why->more_before);
    ck_assert_uint_eq(why->n_before_named, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(why->before[i], numbers[i]);
}

static uint64_t queue_blocked(uint64_t parent)
{
    struct parent p = {parent, PARENT_SUCCEEDED};

    return rig_queue(WANT(.parents = &p, .n_parents = 1));
}

/* ---- Priorities --------------------------------------------------------------------------------
 */

START_TEST(a_new_priority_counts_behind_those_that_have_it)
{
    uint64_t a = rig_queue(WANT(.priority = 3)), b = rig_queue(WANT(.priority = 0));
    uint64_t c = rig_queue(WANT(.priority = 3)), d = rig_queue(WANT(.priority = 0));
    struct job_result r = rig_set_priority(a, 0);

    ck_assert_int_eq(r.err, AW_OK);
    ck_assert_int_eq(r.state, AW_QUEUED);
    ck_assert_int_eq(rig_set_priority(d, 5).err, AW_OK);
    ck_assert_int_eq(rig_record(a).priority, 0);
    rig_assert_claims(rig_claim(10), (uint64_t[]){d, c, b, a}, 4);
}
END_TEST

START_TEST(the_priority_that_it_has_already_leaves_it_where_it_is)
{
    uint64_t a = rig_queue(WANT(.name = "a")), b = rig_queue(WANT(.name = "b"));

    ck_assert_int_eq(rig_set_priority(a, 0).err, AW_OK);
    rig_assert_claims(rig_claim(10), (uint64_t[]){a, b}, 2);
}
END_TEST

START_TEST(a_new_priority_outlives_a_restart)
{
    uint64_t a = rig_queue(WANT(.name = "a")), b = rig_queue(WANT(.name = "b"));
    uint64_t later = rig_queue(WANT(.delay_ms = 3600000)), blocked = queue_blocked(a);

    ck_assert_int_eq(rig_set_priority(b, 10).err, AW_OK);
    ck_assert_int_eq(rig_set_priority(later, 9).err, AW_OK);
    ck_assert_int_eq(rig_set_priority(blocked, -9).err, AW_OK);
    rig_reopen();
    ck_assert_int_eq(rig_record(later).priority, 9);
    ck_assert_int_eq(rig_record(blocked).priority, -9);
    rig_assert_claims(rig_claim(10), (uint64_t[]){b, a}, 2);
}
END_TEST

START_TEST(only_what_waits_can_be_changed)
{
    uint64_t ended = rig_run_one(WANT(.name = "ended")), runs = rig_queue(WANT(.name = "runs"));
    uint64_t waits, forgotten = rig_run_one(WANT(.priority = 10));
    int priority = 4;
    struct answer *r;

    ck_assert_ok(rig_forget(&forgotten, 1));
    rig_claim_one();
    waits = rig_queue(WANT(.name = "waits"));
    r = rig_change((uint64_t[]){ended, runs, waits, forgotten, 12345}, 5,
                   (struct job_change){.priority = &priority});
    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 5);
    ck_assert_int_eq(r->results[0].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(r->results[0].state, AW_SUCCEEDED);
    ck_assert_int_eq(r->results[1].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(r->results[1].state, AW_RUNNING);
    ck_assert_int_eq(r->results[2].err, AW_OK);
    ck_assert_int_eq(r->results[2].state, AW_QUEUED);
    ck_assert_int_eq(r->results[3].err, AW_ERR_EXPIRED_ID);
    ck_assert_int_eq(r->results[4].err, AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(rig_record(runs).priority, 0);
    ck_assert_int_eq(rig_record(waits).priority, 4);
}
END_TEST

START_TEST(one_that_is_just_being_claimed_runs)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    struct answer *claim = start_claim(1), *change;
    int priority = 4;

    change = start_change(&number, 1, (struct job_change){.priority = &priority});
    rig_await(change);
    ck_assert_uint_eq(claim->n, 1);
    ck_assert_int_eq(change->results[0].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(rig_record(number).priority, 0);
}
END_TEST

START_TEST(one_that_is_claimed_while_it_changes_has_changed)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    int priority = 4;
    struct answer *change = start_change(&number, 1, (struct job_change){.priority = &priority});
    struct answer *claim = start_claim(1);

    rig_await(claim);
    rig_assert_claims(claim, &number, 1);
    ck_assert_int_eq(change->results[0].err, AW_OK);
    ck_assert_int_eq(rig_record(number).priority, 4);
    ck_assert_ok(rig_release(&claim->claims[0]));
    rig_queue(WANT(.priority = 3));
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(one_that_is_just_being_cancelled_has_ended)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    struct answer *cancel = start_cancel(&number, 1, -1), *change;
    int priority = 4;

    change = start_change(&number, 1, (struct job_change){.priority = &priority});
    rig_await(change);
    ck_assert_int_eq(cancel->results[0].err, AW_OK);
    ck_assert_int_eq(change->results[0].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(change->results[0].state, AW_CANCELLED);
}
END_TEST

/* ---- Now ---------------------------------------------------------------------------------------
 */

START_TEST(a_delay_can_be_ended)
{
    uint64_t number = rig_queue(WANT(.delay_ms = 3600000));
    struct job_result r;

    rig_forget_notes();
    r = rig_start_now(number);
    ck_assert_int_eq(r.err, AW_OK);
    ck_assert_int_eq(r.state, AW_QUEUED);
    ck_assert_state(number, AW_QUEUED);
    rig_await_note(NOTE_RUNNABLE, 0);
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(a_delay_that_was_ended_stays_so)
{
    uint64_t number = rig_queue(WANT(.delay_ms = 3600000));

    ck_assert_int_eq(rig_start_now(number).err, AW_OK);
    rig_reopen();
    ck_assert_state(number, AW_QUEUED);
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(a_backoff_can_be_ended)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .backoff_ms = 3600000));
    struct claimed c = rig_claim_one();
    struct outcome o = outcome_exit(1);

    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_state(number, AW_SCHEDULED);
    ck_assert_int_eq(rig_start_now(number).err, AW_OK);
    c = rig_claim_one();
    ck_assert_uint_eq(c.number, number);
    ck_assert_uint_eq(c.attempt, 2);
}
END_TEST

START_TEST(what_waits_for_no_time_cannot_be_started_by_that)
{
    uint64_t queued = rig_queue(WANT(.name = "x")), blocked = queue_blocked(queued);
    int priority = 7;
    struct answer *r = rig_change(&queued, 1, (struct job_change){&priority, true});

    ck_assert_int_eq(rig_start_now(queued).err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(rig_start_now(blocked).err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(rig_start_now(blocked).state, AW_BLOCKED);
    /* Asked for both, it gets neither. */
    ck_assert_int_eq(r->results[0].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(rig_record(queued).priority, 0);
}
END_TEST

START_TEST(a_time_in_the_queue_still_ends_for_one_that_was_started_early)
{
    uint64_t number = rig_queue(WANT(.delay_ms = 3600000, .queue_timeout_ms = 50));

    ck_assert_int_eq(rig_start_now(number).err, AW_OK);
    ck_assert_int_eq(rig_await_note(NOTE_ENDED, number)->state, AW_FAILED);
    ck_assert_int_eq(rig_record(number).class, AW_CLASS_EXPIRED_IN_QUEUE);
}
END_TEST

/* ---- Explain -----------------------------------------------------------------------------------
 */

START_TEST(what_has_ended_or_was_never_there_is_told_as_that)
{
    uint64_t ended = rig_run_one(WANT(.name = "x")), forgotten = rig_run_one(WANT(.name = "y"));
    struct explanation why = rig_why(ended);

    ck_assert_int_eq(why.state, AW_SUCCEEDED);
    ck_assert_int_eq(why.reason, EXPLAIN_ENDED);
    ck_assert_ok(rig_forget(&forgotten, 1));
    ck_assert_err(rig_explain(forgotten), AW_ERR_EXPIRED_ID);
    ck_assert_err(rig_explain(12345), AW_ERR_UNKNOWN_ID);
}
END_TEST

START_TEST(what_runs_is_told_as_that)
{
    struct explanation why;
    uint64_t number;

    rig_queue_add("q", QUEUE_CHANGE());
    number = rig_queue(WANT(.queue = "q"));
    rig_claim_one();
    why = rig_why(number);
    ck_assert_int_eq(why.state, AW_RUNNING);
    ck_assert_int_eq(why.reason, EXPLAIN_RUNNING);
    ck_assert_bytes_eq(why.queue.name, "q");
    ck_assert_uint_eq(why.queue.running, 1);
}
END_TEST

START_TEST(delay_and_backoff_say_until_when)
{
    uint64_t later = rig_queue(WANT(.delay_ms = 3600000)), again;
    struct outcome o = outcome_exit(1);
    struct explanation why = rig_why(later);
    struct claimed c;

    ck_assert_int_eq(why.reason, EXPLAIN_DELAY);
    ck_assert_int_eq(why.due_us, rig_record(later).due_us);
    again = rig_queue(WANT(.max_attempts = 2, .backoff_ms = 3600000));
    c = rig_claim_one();
    ck_assert_ok(rig_finish(&c, &o));
    why = rig_why(again);
    ck_assert_int_eq(why.reason, EXPLAIN_BACKOFF);
    ck_assert_int_eq(why.due_us, rig_record(again).due_us);
}
END_TEST

START_TEST(what_waits_for_others_names_them)
{
    uint64_t a = rig_queue(WANT(.name = "a")), b = rig_queue(WANT(.name = "b"));
    struct parent parents[] = {{a, PARENT_SUCCEEDED}, {b, PARENT_ENDED}};
    uint64_t number = rig_queue(WANT(.parents = parents, .n_parents = 2));
    struct explanation why = rig_why(number);
    struct outcome o = outcome_exit(0);
    struct claimed c;

    ck_assert_int_eq(why.state, AW_BLOCKED);
    ck_assert_int_eq(why.reason, EXPLAIN_DEPENDENCY);
    ck_assert_uint_eq(why.n_parents, 2);
    ck_assert_uint_eq(why.n_parents_named, 2);
    ck_assert_uint_eq(why.parents[0], a);
    ck_assert_uint_eq(why.parents[1], b);
    c = rig_claim_one();
    ck_assert_ok(rig_finish(&c, &o));
    rig_reopen();
    why = rig_why(number);
    ck_assert_uint_eq(why.n_parents, 1);
    ck_assert_uint_eq(why.parents[0], b);
}
END_TEST

START_TEST(a_queue_that_holds_it_back_is_the_reason)
{
    uint64_t number;
    struct explanation why;

    rig_queue_add("q", QUEUE_CHANGE(to.rate = 1, to.rate_ms = 3600000));
    rig_queue(WANT(.queue = "q"));
    number = rig_queue(WANT(.queue = "q"));
    ck_assert_int_eq(rig_why(number).reason, EXPLAIN_READY);
    rig_claim_one();
    why = rig_why(number);
    ck_assert_int_eq(why.reason, EXPLAIN_RATE);
    ck_assert_int_gt(why.due_us, now_us() + 3500 * INT64_C(1000000));
    rig_queue_change("q", QUEUE_CHANGE(to.limit = 1));
    ck_assert_int_eq(rig_why(number).reason, EXPLAIN_LIMIT);
    rig_queue_change("q", QUEUE_CHANGE(to.paused = 1));
    why = rig_why(number);
    ck_assert_int_eq(why.reason, EXPLAIN_PAUSED);
    ck_assert_bytes_eq(why.queue.name, "q");
    ck_assert(why.queue.paused);
    ck_assert_uint_eq(why.queue.limit, 1);
    ck_assert_uint_eq(why.n_before, 0);
}
END_TEST

/* Whoever asks learns what holds now, and takes nothing away from who waits for the event. */
START_TEST(a_rate_that_allows_a_start_again_is_no_reason_and_is_still_told)
{
    uint64_t number;
    int64_t due_us;

    rig_queue_add("q", QUEUE_CHANGE(to.rate = 1, to.rate_ms = 200));
    rig_queue(WANT(.queue = "q"));
    number = rig_queue(WANT(.queue = "q"));
    rig_forget_notes();
    rig_claim_one();
    due_us = rig_why(number).due_us;
    while (now_us() <= due_us)
        ; /* the engine's clock does not ring: the loop stands still */
    ck_assert_int_eq(rig_why(number).reason, EXPLAIN_READY);
    rig_await_note(NOTE_RUNNABLE, 0);
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(those_before_it_are_counted_and_named_in_their_order)
{
    uint64_t first = rig_queue(WANT(.name = "first")), urgent, other, last;

    last = rig_queue(WANT(.name = "last"));
    other = rig_queue(WANT(.priority = 2));
    urgent = rig_queue(WANT(.priority = 3));
    rig_queue(WANT(.priority = -1));
    assert_before(&(struct explanation[]){rig_why(last)}[0], (uint64_t[]){urgent, other, first}, 3);
    assert_before(&(struct explanation[]){rig_why(urgent)}[0], NULL, 0);
}
END_TEST

START_TEST(only_queues_that_want_the_same_slots_come_before)
{
    uint64_t high, equal, number, after;
    int priority = 1, low = -1;

    rig_queue_add("high", QUEUE_CHANGE(to.priority = &priority));
    rig_queue_add("low", QUEUE_CHANGE(to.priority = &low));
    rig_queue_add("equal", QUEUE_CHANGE());
    rig_queue_add("paused", QUEUE_CHANGE(to.paused = 1, to.priority = &priority));
    rig_queue_add("own", QUEUE_CHANGE(to.slots = 1, to.priority = &priority));
    rig_queue(WANT(.queue = "paused"));
    rig_queue(WANT(.queue = "own"));
    rig_queue(WANT(.queue = "low", .priority = 10));
    equal = rig_queue(WANT(.queue = "equal"));
    number = rig_queue(WANT(.name = "x"));
    after = rig_queue(WANT(.queue = "equal"));
    high = rig_queue(WANT(.queue = "high", .priority = -10));
    assert_before(&(struct explanation[]){rig_why(number)}[0], (uint64_t[]){high, equal}, 2);
    assert_before(&(struct explanation[]){rig_why(after)}[0], (uint64_t[]){high, equal, number}, 3);
    number = rig_queue(WANT(.queue = "own"));
    ck_assert_uint_eq(rig_why(number).n_before, 1);
}
END_TEST

START_TEST(of_a_long_line_so_many_are_counted)
{
    static struct want wants[1000];
    uint64_t urgent = rig_queue(WANT(.priority = 1)), number;
    struct explanation why;

    for (int i = 0; i < 10; i++)
        ck_assert_ok(rig_submit(wants, ARRAY_SIZE(wants)));
    number = rig_queue(WANT(.name = "x"));
    why = rig_why(number);
    ck_assert_uint_eq(why.n_before, 10001);
    ck_assert(!why.more_before);
    ck_assert_uint_eq(why.n_before_named, AW_MAX_EXPLAINED);
    ck_assert_uint_eq(why.before[0], urgent);
    ck_assert_uint_eq(why.before[1], urgent + 1);
    ck_assert_uint_eq(why.before[AW_MAX_EXPLAINED - 1], urgent + AW_MAX_EXPLAINED - 1);
    number = rig_queue(WANT(.name = "y"));
    why = rig_why(number);
    ck_assert(why.more_before);
    ck_assert_uint_eq(why.n_before, 10001);
    ck_assert_uint_eq(why.n_before_named, AW_MAX_EXPLAINED);
}
END_TEST

START_TEST(the_counts_of_a_queue_are_those_of_its_jobs)
{
    struct outcome o = outcome_exit(0);
    struct queue_status q;
    struct claimed c;

    rig_queue_add("q", QUEUE_CHANGE());
    for (int i = 0; i < 3; i++)
        rig_queue(WANT(.queue = "q"));
    rig_queue(WANT(.queue = "q", .delay_ms = 3600000));
    rig_queue(WANT(.name = "elsewhere", .priority = -1));
    c = rig_claim_one();
    rig_reopen();
    q = rig_queue_status("q");
    ck_assert_uint_eq(q.queued, 2);
    ck_assert_uint_eq(q.running, 1);
    ck_assert_uint_eq(q.waiting, 1);
    ck_assert_ok(rig_finish(&c, &o));
    q = rig_queue_status("q");
    ck_assert_uint_eq(q.queued, 2);
    ck_assert_uint_eq(q.running, 0);
    ck_assert_uint_eq(rig_queue_status("default").queued, 1);
}
END_TEST

void contract_change_add(TCase *tc)
{
    tcase_add_test(tc, a_new_priority_counts_behind_those_that_have_it);
    tcase_add_test(tc, the_priority_that_it_has_already_leaves_it_where_it_is);
    tcase_add_test(tc, a_new_priority_outlives_a_restart);
    tcase_add_test(tc, only_what_waits_can_be_changed);
    tcase_add_test(tc, one_that_is_just_being_claimed_runs);
    tcase_add_test(tc, one_that_is_claimed_while_it_changes_has_changed);
    tcase_add_test(tc, one_that_is_just_being_cancelled_has_ended);
    tcase_add_test(tc, a_delay_can_be_ended);
    tcase_add_test(tc, a_delay_that_was_ended_stays_so);
    tcase_add_test(tc, a_backoff_can_be_ended);
    tcase_add_test(tc, what_waits_for_no_time_cannot_be_started_by_that);
    tcase_add_test(tc, a_time_in_the_queue_still_ends_for_one_that_was_started_early);
    tcase_add_test(tc, what_has_ended_or_was_never_there_is_told_as_that);
    tcase_add_test(tc, what_runs_is_told_as_that);
    tcase_add_test(tc, delay_and_backoff_say_until_when);
    tcase_add_test(tc, what_waits_for_others_names_them);
    tcase_add_test(tc, a_queue_that_holds_it_back_is_the_reason);
    tcase_add_test(tc, a_rate_that_allows_a_start_again_is_no_reason_and_is_still_told);
    tcase_add_test(tc, those_before_it_are_counted_and_named_in_their_order);
    tcase_add_test(tc, only_queues_that_want_the_same_slots_come_before);
    tcase_add_test(tc, of_a_long_line_so_many_are_counted);
    tcase_add_test(tc, the_counts_of_a_queue_are_those_of_its_jobs);
}
