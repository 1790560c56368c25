/* The engine's contract: named queues, and what is submitted to them. */
#include "tests/unit/engine_contract.h"

#include <stdio.h>

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
    ck_assert_err(rig_queue_set("more", QUEUE_CHANGE(to.create = true)), AW_ERR_LIMIT);
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
    rig_exit(&c, 0);
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

void contract_queues_add(TCase *tc)
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
