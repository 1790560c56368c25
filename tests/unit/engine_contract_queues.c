/* The engine's contract: named queues, and what is claimed from which. */
#include "tests/unit/engine_contract.h"

#include <stdio.h>

static void assert_claims(const struct answer *r, const uint64_t *numbers, size_t n)
{
    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(r->claims[i].number, numbers[i]);
}

static void finish(const struct claimed *c)
{
    struct outcome o = outcome_exit(0);

    ck_assert_ok(rig_finish(c, &o));
}

/* ---- Queues by themselves ----------------------------------------------------------------------
 */

START_TEST(at_first_there_is_the_default_queue)
{
    struct answer *r = rig_queue_list();

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 1);
    ck_assert_bytes_eq(r->queues[0].name, "default");
    ck_assert_uint_eq(r->queues[0].slots, 0);
    ck_assert_uint_eq(r->queues[0].limit, 0);
    ck_assert(!r->queues[0].paused);
}
END_TEST

START_TEST(a_queue_is_as_it_was_made_also_after_a_restart)
{
    int priority = -7;

    rig_queue_add("q", QUEUE_CHANGE(to.slots = 3, to.limit = 4, to.paused = 1, to.draining = 1,
                                    to.rate = 50, to.rate_ms = 60000, to.priority = &priority));
    for (int i = 0; i < 2; i++) {
        struct queue_status q = rig_queue_status("q");

        ck_assert_uint_eq(q.slots, 3);
        ck_assert_uint_eq(q.limit, 4);
        ck_assert_int_eq(q.priority, -7);
        ck_assert(q.paused);
        ck_assert(q.draining);
        ck_assert_uint_eq(q.rate, 50);
        ck_assert_uint_eq(q.rate_ms, 60000);
        rig_reopen();
    }
}
END_TEST

START_TEST(a_change_leaves_alone_what_it_does_not_name)
{
    rig_queue_add("q", QUEUE_CHANGE(to.slots = 3));
    rig_queue_change("q", QUEUE_CHANGE(to.paused = 1));
    rig_queue_change("q", QUEUE_CHANGE(to.limit = 9));
    ck_assert_uint_eq(rig_queue_status("q").slots, 3);
    ck_assert(rig_queue_status("q").paused);
    ck_assert_uint_eq(rig_queue_status("q").limit, 9);
    rig_queue_change("q", QUEUE_CHANGE(to.paused = 0, to.slots = 0));
    ck_assert(!rig_queue_status("q").paused);
    ck_assert_uint_eq(rig_queue_status("q").slots, 0);
}
END_TEST

START_TEST(changes_under_way_do_not_undo_each_other)
{
    struct answer *a, *b, *c;

    rig_queue_add("q", QUEUE_CHANGE());
    a = start_queue_set("q", QUEUE_CHANGE(to.slots = 2));
    b = start_queue_set("q", QUEUE_CHANGE(to.limit = 3));
    c = start_queue_set("q", QUEUE_CHANGE(to.slots = 4));
    rig_await(c);
    ck_assert_ok(a);
    ck_assert_ok(b);
    ck_assert_uint_eq(a->queues[0].limit, 0);
    ck_assert_uint_eq(c->queues[0].slots, 4);
    ck_assert_uint_eq(c->queues[0].limit, 3);
}
END_TEST

START_TEST(queues_are_listed_by_name)
{
    static const char *const want[] = {"a", "aa", "default", "e", "z"};
    struct answer *r;

    rig_queue_add("z", QUEUE_CHANGE());
    rig_queue_add("e", QUEUE_CHANGE());
    rig_queue_add("aa", QUEUE_CHANGE());
    rig_queue_add("a", QUEUE_CHANGE());
    r = rig_queue_list();
    ck_assert_uint_eq(r->n, ARRAY_SIZE(want));
    for (size_t i = 0; i < r->n; i++)
        ck_assert_bytes_eq(r->queues[i].name, want[i]);
}
END_TEST

START_TEST(a_queue_is_made_once_and_changed_only_if_it_is_there)
{
    struct answer *one, *two;

    ck_assert_err(rig_queue_set("q", QUEUE_CHANGE(to.paused = 1)), AW_ERR_NO_QUEUE);
    ck_assert_uint_eq(rig_queue_list()->n, 1);
    one = start_queue_set("q", QUEUE_CHANGE(to.create = true, to.slots = 1));
    two = start_queue_set("q", QUEUE_CHANGE(to.create = true, to.slots = 2));
    rig_await(two);
    ck_assert_ok(one);
    ck_assert_err(two, AW_ERR_WRONG_STATE);
    ck_assert_err(rig_queue_set("default", QUEUE_CHANGE(to.create = true)), AW_ERR_WRONG_STATE);
    ck_assert_uint_eq(rig_queue_status("q").slots, 1);
    ck_assert_uint_eq(rig_queue_list()->n, 2);
}
END_TEST

START_TEST(there_is_room_for_so_many_queues)
{
    char name[32];

    for (int i = 1; i < AW_MAX_QUEUES; i++) {
        snprintf(name, sizeof(name), "q%d", i);
        rig_queue_add(name, QUEUE_CHANGE(to.limit = i));
    }
    ck_assert_err(rig_queue_set("more", QUEUE_CHANGE(to.create = true)), AW_ERR_QUEUE_FULL);
    rig_reopen();
    ck_assert_uint_eq(rig_queue_list()->n, AW_MAX_QUEUES);
    ck_assert_uint_eq(rig_queue_status("q255").limit, 255);
    ck_assert_ok(rig_queue_remove("q7"));
    rig_queue_add("more", QUEUE_CHANGE());
    rig_queue(WANT(.queue = "more"));
    ck_assert_uint_eq(rig_claim(5)->n, 1);
}
END_TEST

START_TEST(a_name_may_be_as_long_as_the_protocol_says)
{
    char name[AW_MAX_QUEUE_NAME + 1] = {0};

    memset(name, 'n', AW_MAX_QUEUE_NAME);
    rig_queue_add(name, QUEUE_CHANGE());
    rig_queue(WANT(.queue = name));
    rig_reopen();
    ck_assert_uint_eq(rig_queue_status(name).queued, 1);
}
END_TEST

/* ---- Remove ------------------------------------------------------------------------------------
 */

START_TEST(a_queue_is_removed_when_no_job_needs_it)
{
    uint64_t number;
    struct claimed c;

    rig_queue_add("q", QUEUE_CHANGE());
    number = rig_queue(WANT(.queue = "q"));
    ck_assert_err(rig_queue_remove("q"), AW_ERR_WRONG_STATE);
    c = rig_claim_one();
    ck_assert_err(rig_queue_remove("q"), AW_ERR_WRONG_STATE);
    finish(&c);
    ck_assert_ok(rig_queue_remove("q"));
    ck_assert_state(number, AW_SUCCEEDED);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(rig_queue_list()->n, 1);
        ck_assert_err(rig_queue_remove("q"), AW_ERR_NO_QUEUE);
        ck_assert_err(rig_submit(&WANT(.queue = "q"), 1), AW_ERR_NO_QUEUE);
        rig_reopen();
    }
}
END_TEST

START_TEST(one_that_waits_for_a_time_keeps_its_queue)
{
    rig_queue_add("q", QUEUE_CHANGE());
    rig_queue(WANT(.queue = "q", .delay_ms = 1000000));
    ck_assert_err(rig_queue_remove("q"), AW_ERR_WRONG_STATE);
    rig_reopen();
    ck_assert_err(rig_queue_remove("q"), AW_ERR_WRONG_STATE);
}
END_TEST

START_TEST(a_submit_under_way_keeps_its_queue)
{
    struct answer *submit;

    rig_queue_add("q", QUEUE_CHANGE());
    submit = start_submit(&WANT(.queue = "q"), 1);
    ck_assert_err(rig_queue_remove("q"), AW_ERR_WRONG_STATE);
    rig_await(submit);
    ck_assert_ok(submit);
}
END_TEST

START_TEST(a_queue_that_is_being_removed_takes_no_job)
{
    struct answer *remove, *submit, *set;

    rig_queue_add("q", QUEUE_CHANGE());
    remove = start_queue_remove("q");
    submit = start_submit(&WANT(.queue = "q"), 1);
    set = start_queue_set("q", QUEUE_CHANGE(to.paused = 1));
    rig_await(set);
    ck_assert_ok(remove);
    ck_assert_err(submit, AW_ERR_NO_QUEUE);
    ck_assert_err(set, AW_ERR_NO_QUEUE);
}
END_TEST

START_TEST(one_of_the_same_name_is_another_queue)
{
    struct answer *remove, *make, *again;

    rig_queue_add("q", QUEUE_CHANGE(to.slots = 5));
    remove = start_queue_remove("q");
    make = start_queue_set("q", QUEUE_CHANGE(to.create = true, to.limit = 1));
    again = start_queue_remove("q"); /* of the one that was there when it was asked */
    rig_await(again);
    ck_assert_ok(remove);
    ck_assert_ok(make);
    ck_assert_err(again, AW_ERR_NO_QUEUE);
    ck_assert_uint_eq(rig_queue_status("q").slots, 0);
    ck_assert_uint_eq(rig_queue_status("q").limit, 1);
    rig_queue(WANT(.queue = "q"));
    ck_assert_uint_eq(rig_queue_status("q").queued, 1);
}
END_TEST

START_TEST(the_default_queue_stays)
{
    ck_assert_err(rig_queue_remove("default"), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_queue_remove("nothing"), AW_ERR_NO_QUEUE);
}
END_TEST

/* ---- Submit ------------------------------------------------------------------------------------
 */

START_TEST(a_submit_to_a_queue_that_is_not_there_records_nothing)
{
    struct want wants[] = {WANT(.name = "a"), WANT(.name = "b", .queue = "nope")};
    struct answer *r = rig_submit(wants, 2);

    ck_assert_err(r, AW_ERR_NO_QUEUE);
    ck_assert_ptr_nonnull(strstr(r->err.text, "jobs[1].queue"));
    ck_assert_ptr_nonnull(strstr(r->err.text, "'nope'"));
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 0);
    ck_assert_uint_eq(rig_queue_status("default").queued, 0);
}
END_TEST

START_TEST(a_draining_queue_takes_no_job_and_runs_those_it_has)
{
    uint64_t number;
    struct answer *r;

    rig_queue_add("q", QUEUE_CHANGE());
    number = rig_queue(WANT(.queue = "q"));
    rig_queue_change("q", QUEUE_CHANGE(to.draining = 1));
    r = rig_submit(&WANT(.queue = "q"), 1);
    ck_assert_err(r, AW_ERR_DRAINING);
    ck_assert_ptr_nonnull(strstr(r->err.text, "'q'"));
    rig_queue(WANT(.name = "elsewhere"));
    ck_assert_uint_eq(rig_claim_one().number, number);
    rig_queue_change("q", QUEUE_CHANGE(to.draining = 0));
    rig_queue(WANT(.queue = "q"));
}
END_TEST

START_TEST(what_is_recorded_already_is_answered_whatever_became_of_its_queue)
{
    struct want keyed = {.queue = "q", .key = "k"}, named = {.queue = "q"};
    static const char request[] = "sixteen bytes 16";
    struct answer *first, *r;
    uint64_t number;

    named.request = request;
    rig_queue_add("q", QUEUE_CHANGE());
    first = rig_submit(&named, 1);
    ck_assert_ok(first);
    number = rig_queue(keyed);
    rig_queue_change("q", QUEUE_CHANGE(to.draining = 1));
    r = rig_submit(&keyed, 1);
    ck_assert_ok(r);
    ck_assert_uint_eq(r->submitted[0].number, number);
    r = rig_submit(&named, 1);
    ck_assert_ok(r);
    ck_assert_uint_eq(r->submitted[0].number, first->submitted[0].number);
}
END_TEST

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
    assert_claims(rig_claim(10), numbers, 6);
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
    assert_claims(rig_claim(10), numbers, 5);
}
END_TEST

START_TEST(a_paused_queue_starts_nothing_and_starves_nobody)
{
    int high = 10;
    uint64_t paused, other;

    rig_queue_add("q", QUEUE_CHANGE(to.paused = 1, to.priority = &high));
    paused = rig_queue(WANT(.queue = "q", .priority = 10));
    other = rig_queue(WANT(.priority = -10));
    assert_claims(rig_claim(10), &other, 1);
    rig_reopen();
    ck_assert_uint_eq(rig_claim(10)->n, 0);
    rig_forget_notes();
    rig_queue_change("q", QUEUE_CHANGE(to.paused = 0));
    rig_await_note(NOTE_RUNNABLE, 0);
    assert_claims(rig_claim(10), &paused, 1);
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
    finish(&c);
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
    assert_claims(claim, &second, 1);
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
    assert_claims(rig_claim(0), &first, 1);
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
    finish(&late);
    c = rig_claim(0)->claims[0];
    ck_assert_err(rig_finish(&late, &o), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_release(&late), AW_ERR_WRONG_STATE);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    finish(&c);
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
    assert_claims(r, (uint64_t[]){numbers[0], numbers[1], other}, 3);
    ck_assert(!r->claims[0].own_slot);
    ck_assert_uint_eq(rig_claim(100)->n, 0);
    rig_forget_notes();
    finish(&r->claims[0]);
    ck_assert_int_ge(rig_note_at(NOTE_RUNNABLE, 0), 0);
    assert_claims(rig_claim(100), &numbers[2], 1);
    rig_queue_change("q", QUEUE_CHANGE(to.limit = 0));
    assert_claims(rig_claim(100), &numbers[3], 1);
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
        finish(&r->claims[i]);
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
    assert_claims(rig_claim(0), &waits, 1);
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
    finish(&r->claims[0]);
    finish(&r->claims[1]);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    finish(&r->claims[2]);
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
    assert_claims(rig_claim(1), &first, 1);
    other = rig_queue(WANT(.name = "other"));
    assert_claims(rig_claim(5), &other, 1);
    rig_forget_notes();
    rig_queue_change("q", QUEUE_CHANGE(to.rate = 0));
    rig_await_note(NOTE_RUNNABLE, 0);
    assert_claims(rig_claim(5), &second, 1);
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
    finish(&c);
    rig_queue(WANT(.queue = "q"));
    ck_assert_uint_eq(rig_claim(5)->n, 0);
    rig_reopen(); /* after a restart a queue begins as if it had been quiet */
    ck_assert_uint_eq(rig_claim(5)->n, 1);
}
END_TEST

static void add_queues(TCase *tc)
{
    tcase_add_test(tc, at_first_there_is_the_default_queue);
    tcase_add_test(tc, a_queue_is_as_it_was_made_also_after_a_restart);
    tcase_add_test(tc, a_change_leaves_alone_what_it_does_not_name);
    tcase_add_test(tc, changes_under_way_do_not_undo_each_other);
    tcase_add_test(tc, queues_are_listed_by_name);
    tcase_add_test(tc, a_queue_is_made_once_and_changed_only_if_it_is_there);
    tcase_add_test(tc, there_is_room_for_so_many_queues);
    tcase_add_test(tc, a_name_may_be_as_long_as_the_protocol_says);
    tcase_add_test(tc, a_queue_is_removed_when_no_job_needs_it);
    tcase_add_test(tc, one_that_waits_for_a_time_keeps_its_queue);
    tcase_add_test(tc, a_submit_under_way_keeps_its_queue);
    tcase_add_test(tc, a_queue_that_is_being_removed_takes_no_job);
    tcase_add_test(tc, one_of_the_same_name_is_another_queue);
    tcase_add_test(tc, the_default_queue_stays);
    tcase_add_test(tc, a_submit_to_a_queue_that_is_not_there_records_nothing);
    tcase_add_test(tc, a_draining_queue_takes_no_job_and_runs_those_it_has);
    tcase_add_test(tc, what_is_recorded_already_is_answered_whatever_became_of_its_queue);
}

void contract_queues_add(TCase *tc)
{
    add_queues(tc);
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
