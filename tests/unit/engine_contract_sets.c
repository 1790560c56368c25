/* The engine's contract: members of sets, and the order in which they end. */
#include "tests/unit/engine_contract.h"

#define S .name = bytes_str("s")

/* ---- Members ----------------------------------------------------------------------------------
 */

START_TEST(the_first_who_adds_makes_the_set)
{
    uint64_t a = rig_queue(WANT(.name = "a"));
    int64_t before = now_us();
    struct answer *r = rig_set_add("s", &a, 1);
    const struct set_status *s = &r->set.status;
    const struct note *note;

    ck_assert_ok(r);
    ck_assert_bytes_eq(s->name, "s");
    ck_assert_uint_ne(r->set.id, 0);
    ck_assert_uint_eq(s->n_members, 1);
    ck_assert_uint_eq(s->n_ended + s->n_failed + s->first_us + s->last_us + s->closed_us, 0);
    ck_assert(!s->closed && !s->temporary);
    ck_assert_int_ge((int64_t)s->created_us, before);
    ck_assert_int_eq(r->results[0].err, AW_OK);
    ck_assert_int_eq(r->results[0].state, AW_QUEUED);
    note = rig_await_note(NOTE_SET, 0);
    ck_assert_uint_eq(note->set.id, r->set.id);
    ck_assert_bytes_eq(note->set.status.name, "s");
    ck_assert_uint_eq(note->set.status.n_members, 1);
    ck_assert_uint_eq(note->place, 0);
    ck_assert_uint_eq(rig_stats().sets, 1);
}
END_TEST

START_TEST(who_is_a_member_already_stays_it_and_nothing_changes)
{
    uint64_t numbers[3];

    for (int i = 0; i < 3; i++)
        numbers[i] = rig_queue(WANT(.name = "x"));
    ck_assert_ok(rig_set_add("s", numbers, 2));
    rig_forget_notes();
    ck_assert_ok(rig_set_add("s", numbers, 2));
    ck_assert_int_eq(rig_count(NOTE_SET), 0);
    ck_assert_ok(rig_set_add("s", numbers, 3));
    ck_assert_int_eq(rig_count(NOTE_SET), 1);
    ck_assert_uint_eq(rig_set_status("s").n_members, 3);
}
END_TEST

START_TEST(one_that_is_named_twice_becomes_a_member_once)
{
    uint64_t a = rig_queue(WANT(.name = "a")), done = rig_run_one(WANT(.priority = 1));
    struct answer *r = rig_set_add("s", (uint64_t[]){a, done, a, done}, 4);

    ck_assert_ok(r);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(r->results[i].err, AW_OK);
    ck_assert_uint_eq(r->set.status.n_members, 2);
    ck_assert_uint_eq(r->set.status.n_ended, 1);
    rig_assert_completions(&done, 1);
}
END_TEST

START_TEST(each_job_that_cannot_be_added_says_why)
{
    uint64_t gone = rig_run_one(WANT(.name = "gone")), mine, theirs;
    struct answer *r;

    ck_assert_ok(rig_forget(&gone, 1));
    mine = rig_queue(WANT(.name = "mine"));
    theirs = rig_queue(WANT(.name = "theirs", .uid = 7));
    r = rig_set_add("s", (uint64_t[]){gone, theirs, mine, theirs + 1}, 4);
    ck_assert_ok(r);
    ck_assert_int_eq(r->results[0].err, AW_ERR_EXPIRED_ID);
    ck_assert_int_eq(r->results[1].err, AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(r->results[2].err, AW_OK);
    ck_assert_int_eq(r->results[3].err, AW_ERR_UNKNOWN_ID);
    ck_assert_uint_eq(r->set.status.n_members, 1);
    r = rig_set_make((struct set_add){S, .admin = true, .numbers = &theirs, .n = 1});
    ck_assert_int_eq(r->results[0].err, AW_OK);
    ck_assert_uint_eq(r->set.status.n_members, 2);
}
END_TEST

START_TEST(each_user_has_names_of_their_own)
{
    uint64_t theirs = rig_queue(WANT(.name = "x", .uid = 7, .set = "s"));

    ck_assert_err(rig_set_get("s"), AW_ERR_NO_SET);
    ck_assert_uint_eq(rig_sets_of(theirs)->n, 1);
    rig_queue(WANT(.name = "x", .set = "s"));
    ck_assert_uint_eq(rig_set_status("s").n_members, 1);
    ck_assert_uint_eq(rig_stats().sets, 2);
}
END_TEST

START_TEST(what_is_submitted_with_a_set_becomes_a_member_of_it)
{
    struct answer *r = rig_submit((struct want[]){{.name = "a", .set = "s"}, {.name = "b"}}, 2);
    struct answer *members;

    ck_assert_ok(r);
    members = rig_set_members("s", 0, 10);
    ck_assert_uint_eq(members->n, 2);
    ck_assert_uint_eq(members->page.cursor, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(members->page.jobs[i].record.number, r->submitted[i].number);
        ck_assert_int_eq(members->page.jobs[i].record.state, AW_QUEUED);
    }
    ck_assert_uint_eq(rig_await_note(NOTE_SET, 0)->set.status.n_members, 2);
}
END_TEST

START_TEST(one_that_was_there_under_its_key_becomes_a_member_too)
{
    uint64_t done = rig_run_one(WANT(.key = "k"));
    struct answer *r = rig_submit(&WANT(.key = "k", .set = "s"), 1);

    ck_assert_ok(r);
    ck_assert(r->submitted[0].deduplicated);
    rig_assert_completions(&done, 1);
    ck_assert_ok(rig_submit(&WANT(.key = "k", .set = "s"), 1));
    rig_assert_completions(&done, 1);
}
END_TEST

START_TEST(one_that_was_there_becomes_a_member_while_the_queue_is_full)
{
    uint64_t number, commits;

    rig.limits.max_queued = 1;
    rig_reopen();
    rig_await_first_look();
    number = rig_queue(WANT(.key = "k"));
    ck_assert_err(rig_submit(&WANT(.set = "s"), 1), AW_ERR_QUEUE_FULL);
    ck_assert_err(rig_set_get("s"), AW_ERR_NO_SET);
    commits = rig_stats().commits;
    ck_assert_ok(rig_submit(&WANT(.key = "k", .set = "s"), 1));
    ck_assert_uint_eq(rig_stats().commits, commits + 1);
    ck_assert_uint_eq(rig_sets_of(number)->n, 1);
}
END_TEST

START_TEST(a_submit_that_comes_again_adds_nothing_twice)
{
    struct want want = {.request = "0123456789abcdef", .set = "s"};

    ck_assert_ok(rig_submit(&want, 1));
    ck_assert_ok(rig_set_close("s"));
    ck_assert_ok(rig_submit(&want, 1));
    ck_assert_uint_eq(rig_set_status("s").n_members, 1);
}
END_TEST

START_TEST(a_submit_to_a_closed_set_records_nothing)
{
    ck_assert_ok(rig_set_make((struct set_add){S, .close = true}));
    ck_assert_err(rig_submit(&WANT(.key = "k", .set = "s"), 1), AW_ERR_WRONG_STATE);
    ck_assert_err(rig_submit(&WANT(.key = "k", .set = "~gone"), 1), AW_ERR_NO_SET);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 0);
    ck_assert(!rig_submit(&WANT(.key = "k"), 1)->submitted[0].deduplicated);
}
END_TEST

START_TEST(a_submit_of_members_by_their_keys_finds_them_in_a_closed_set)
{
    struct want wants[] = {{.key = "a", .set = "s"}, {.key = "b", .set = "s"}};
    struct want other[] = {{.key = "a", .set = "s"}, {.key = "c", .set = "s"}};
    struct answer *first = rig_submit(wants, 2), *again;

    ck_assert_ok(first);
    ck_assert_ok(rig_set_close("s"));
    rig_forget_notes();
    again = rig_submit(wants, 2);
    ck_assert_ok(again);
    for (size_t i = 0; i < 2; i++)
        ck_assert_uint_eq(again->submitted[i].number, first->submitted[i].number);
    ck_assert_int_eq(rig_count(NOTE_SET), 0);
    rig_queue(WANT(.key = "c"));
    ck_assert_err(rig_submit(other, 2), AW_ERR_WRONG_STATE);
    other[1].key = "d";
    ck_assert_err(rig_submit(other, 2), AW_ERR_WRONG_STATE);
    ck_assert_uint_eq(rig_set_status("s").n_members, 2);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 3);
}
END_TEST

START_TEST(a_closed_set_takes_nobody_else)
{
    uint64_t a = rig_queue(WANT(.set = "s")), b = rig_queue(WANT(.name = "b"));

    ck_assert_ok(rig_set_close("s"));
    ck_assert(rig_set_status("s").closed);
    rig_forget_notes();
    ck_assert_ok(rig_set_close("s"));
    ck_assert_ok(rig_set_add("s", &a, 1));
    ck_assert_err(rig_set_add("s", (uint64_t[]){a, b}, 2), AW_ERR_WRONG_STATE);
    ck_assert_int_eq(rig_count(NOTE_SET), 0);
    ck_assert_uint_eq(rig_set_status("s").n_members, 1);
    ck_assert_uint_eq(rig_sets_of(b)->n, 0);
}
END_TEST

START_TEST(a_set_can_be_made_and_closed_in_one_step)
{
    uint64_t a = rig_queue(WANT(.name = "a"));
    struct answer *r = rig_set_make((struct set_add){S, .close = true, .numbers = &a, .n = 1});

    ck_assert_ok(r);
    ck_assert(r->set.status.closed);
    ck_assert_uint_ne(r->set.status.closed_us, 0);
    ck_assert_uint_eq(r->set.status.n_members, 1);
}
END_TEST

START_TEST(members_come_page_by_page_as_they_were_added)
{
    uint64_t numbers[5], after = 0;
    size_t seen = 0;

    for (size_t i = 0; i < 5; i++)
        numbers[i] = rig_queue(WANT(.priority = (int)i));
    for (size_t i = 5; i-- > 0;)
        ck_assert_ok(rig_set_add("s", &numbers[i], 1));
    do {
        struct answer *r = rig_set_members("s", after, 2);

        ck_assert_ok(r);
        ck_assert_uint_eq(r->page.first, after + 1);
        for (size_t i = 0; i < r->n; i++)
            ck_assert_uint_eq(r->page.jobs[i].record.number, numbers[4 - seen++]);
        after = r->page.cursor;
    } while (after);
    ck_assert_uint_eq(seen, 5);
    ck_assert_uint_eq(rig_set_members("s", 5, 2)->n, 0);
    ck_assert_err(rig_set_members("t", 0, 2), AW_ERR_NO_SET);
}
END_TEST

START_TEST(a_job_knows_its_sets)
{
    uint64_t a = rig_queue(WANT(.set = "s"));
    struct answer *t = rig_set_add("t", &a, 1), *r = rig_sets_of(a);

    ck_assert_uint_eq(r->n, 2);
    ck_assert_uint_eq(r->ids[0], rig_set_get("s")->set.id);
    ck_assert_uint_eq(r->ids[1], t->set.id);
    ck_assert_ok(rig_set_forget("s"));
    r = rig_sets_of(a);
    ck_assert_uint_eq(r->n, 1);
    ck_assert_uint_eq(r->ids[0], t->set.id);
    ck_assert_uint_eq(rig_sets_of(a + 1)->n, 0);
}
END_TEST

/* ---- Completions ------------------------------------------------------------------------------
 */

START_TEST(members_get_their_places_in_the_order_in_which_they_end)
{
    uint64_t numbers[3];
    struct claimed *c = rig_three_running(numbers);
    const struct note *note;
    struct set_status s;

    rig_exit(&c[2], 0);
    rig_exit(&c[0], 3);
    s = rig_set_status("s");
    ck_assert_uint_eq(s.n_ended, 2);
    ck_assert_uint_eq(s.n_failed, 1);
    rig_exit(&c[1], 0);
    rig_assert_completions((uint64_t[]){numbers[2], numbers[0], numbers[1]}, 3);
    ck_assert_int_lt(rig_note_at(NOTE_ENDED, numbers[0]), rig_note_at(NOTE_SET, numbers[0]));
    note = rig_await_note(NOTE_SET, numbers[0]);
    ck_assert_uint_eq(note->place, 2);
    ck_assert_int_eq(note->state, AW_FAILED);
    ck_assert_uint_eq(note->set.status.n_ended, 2);
    ck_assert_bytes_eq(note->set.status.name, "s");
    s = rig_set_status("s");
    ck_assert_int_eq((int64_t)s.first_us, rig_record(numbers[2]).ended_us);
    ck_assert_int_eq((int64_t)s.last_us, rig_record(numbers[1]).ended_us);
}
END_TEST

START_TEST(those_that_had_ended_come_in_the_order_of_their_ends)
{
    uint64_t a = rig_run_one(WANT(.name = "a")), b = rig_run_one(WANT(.name = "b"));
    uint64_t c = rig_run_one(WANT(.name = "c"));
    struct answer *r = rig_set_add("s", (uint64_t[]){c, a, b}, 3);

    ck_assert_uint_eq(r->set.status.n_ended, 3);
    ck_assert_int_eq(r->results[0].state, AW_SUCCEEDED);
    rig_assert_completions((uint64_t[]){a, b, c}, 3);
    /* Nobody waited for them: they say nothing about the time to a first result. */
    ck_assert_uint_eq(rig_stats().first_result.count, 0);
}
END_TEST

START_TEST(a_job_may_end_in_several_sets)
{
    uint64_t numbers[3];
    struct claimed *c = rig_three_running(numbers);

    ck_assert_ok(rig_set_add("t", &numbers[1], 1));
    rig_exit(&c[0], 0);
    rig_forget_notes();
    rig_exit(&c[1], 0);
    ck_assert_int_eq(rig_count(NOTE_SET), 2);
    ck_assert_uint_eq(rig_set_status("s").n_ended, 2);
    ck_assert_uint_eq(rig_set_status("t").n_ended, 1);
}
END_TEST

START_TEST(every_way_to_end_is_an_end)
{
    uint64_t cancelled = rig_queue(WANT(.set = "s", .delay_ms = 100000));
    uint64_t late = rig_queue(WANT(.set = "s", .queue_timeout_ms = 1));
    uint64_t child, born_dead;

    rig_await_note(NOTE_ENDED, late);
    child = rig_queue(WANT(.set = "s", AFTER(cancelled, PARENT_SUCCEEDED)));
    ck_assert_ok(rig_cancel(&cancelled, 1, -1));
    rig_await_note(NOTE_SET, child);
    born_dead = rig_queue(WANT(.set = "s", AFTER(cancelled, PARENT_SUCCEEDED)));
    rig_assert_completions((uint64_t[]){late, cancelled, child, born_dead}, 4);
    ck_assert_uint_eq(rig_set_status("s").n_failed, 4);
    ck_assert_uint_eq(rig_stats().total.count, 4);
    ck_assert_uint_eq(rig_stats().run.count, 0);
}
END_TEST

START_TEST(an_attempt_that_is_made_again_is_no_end)
{
    struct outcome o = outcome_exit(1);
    struct claimed c;

    rig_queue(WANT(.set = "s", .max_attempts = 2, .backoff_ms = 0));
    c = rig_claim_one();
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_uint_eq(rig_set_status("s").n_ended, 0);
    rig_await_note(NOTE_RUNNABLE, 0);
    c = rig_claim_one();
    rig_exit(&c, 0);
    rig_assert_completions(&c.number, 1);
    ck_assert_uint_eq(rig_set_status("s").n_failed, 0);
}
END_TEST

START_TEST(who_joins_while_its_end_is_on_the_way_ends_in_the_set_once)
{
    struct outcome o = outcome_exit(0);
    struct answer *first, *then;

    for (int i = 0; i < 2; i++) {
        uint64_t number = rig_queue(WANT(.name = "x"));
        struct claimed c = rig_claim_one();
        struct set_add add = {S, .numbers = &number, .n = 1};

        first = i ? start_set_add(add) : start_finish(&c, &o);
        then = i ? start_finish(&c, &o) : start_set_add(add);
        rig_await(first);
        rig_await(then);
        ck_assert_uint_eq(rig_set_status("s").n_ended, (unsigned)i + 1);
    }
}
END_TEST

START_TEST(a_record_that_is_gone_leaves_number_state_and_class)
{
    uint64_t numbers[3];
    struct claimed *c = rig_three_running(numbers);
    struct answer *pages[2];

    rig_exit(&c[0], 3);
    ck_assert_ok(rig_forget(numbers, 1));
    pages[0] = rig_read((struct reading){S});
    pages[1] = rig_set_members("s", 0, 1);
    for (int i = 0; i < 2; i++) {
        const struct found *f = pages[i]->page.jobs;

        ck_assert_uint_eq(pages[i]->n, 1);
        ck_assert_int_eq(f->err, AW_ERR_EXPIRED_ID);
        ck_assert_uint_eq(f->record.number, numbers[0]);
        ck_assert_int_eq(f->record.state, AW_FAILED);
        ck_assert_int_eq(f->record.class, AW_CLASS_EXIT);
    }
    ck_assert_int_eq(rig_set_add("s", numbers, 1)->results[0].err, AW_OK);
}
END_TEST

START_TEST(what_was_recorded_is_there_after_a_restart_and_goes_on)
{
    uint64_t numbers[3];
    struct claimed *c = rig_three_running(numbers);
    struct answer *r;

    rig_exit(&c[1], 0);
    rig_reopen();
    ck_assert_uint_eq(rig_stats().sets, 1);
    r = rig_recover();
    ck_assert_uint_eq(r->n, 2);
    rig_forget_notes();
    for (size_t i = 0; i < 2; i++)
        if (r->claims[i].number == numbers[2])
            rig_exit(&r->claims[i], 0);
    rig_assert_completions((uint64_t[]){numbers[1], numbers[2]}, 2);
    ck_assert_bytes_eq(rig_await_note(NOTE_SET, numbers[2])->set.status.name, "s");
}
END_TEST

void contract_sets_add(TCase *tc)
{
    tcase_add_test(tc, the_first_who_adds_makes_the_set);
    tcase_add_test(tc, who_is_a_member_already_stays_it_and_nothing_changes);
    tcase_add_test(tc, one_that_is_named_twice_becomes_a_member_once);
    tcase_add_test(tc, each_job_that_cannot_be_added_says_why);
    tcase_add_test(tc, each_user_has_names_of_their_own);
    tcase_add_test(tc, what_is_submitted_with_a_set_becomes_a_member_of_it);
    tcase_add_test(tc, one_that_was_there_under_its_key_becomes_a_member_too);
    tcase_add_test(tc, one_that_was_there_becomes_a_member_while_the_queue_is_full);
    tcase_add_test(tc, a_submit_that_comes_again_adds_nothing_twice);
    tcase_add_test(tc, a_submit_to_a_closed_set_records_nothing);
    tcase_add_test(tc, a_submit_of_members_by_their_keys_finds_them_in_a_closed_set);
    tcase_add_test(tc, a_closed_set_takes_nobody_else);
    tcase_add_test(tc, a_set_can_be_made_and_closed_in_one_step);
    tcase_add_test(tc, members_come_page_by_page_as_they_were_added);
    tcase_add_test(tc, a_job_knows_its_sets);
    tcase_add_test(tc, members_get_their_places_in_the_order_in_which_they_end);
    tcase_add_test(tc, those_that_had_ended_come_in_the_order_of_their_ends);
    tcase_add_test(tc, a_job_may_end_in_several_sets);
    tcase_add_test(tc, every_way_to_end_is_an_end);
    tcase_add_test(tc, an_attempt_that_is_made_again_is_no_end);
    tcase_add_test(tc, who_joins_while_its_end_is_on_the_way_ends_in_the_set_once);
    tcase_add_test(tc, a_record_that_is_gone_leaves_number_state_and_class);
    tcase_add_test(tc, what_was_recorded_is_there_after_a_restart_and_goes_on);
}
