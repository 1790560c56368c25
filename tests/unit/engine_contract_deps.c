/* The engine's contract: jobs that wait for other jobs. */
#include "tests/unit/engine_contract_deps.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define HOUR_MS (UINT64_C(3600) * 1000)

static const enum aw_state way_state[] = {
    [SUCCEED] = AW_SUCCEEDED, [FAIL] = AW_FAILED, [CANCEL] = AW_CANCELLED, [EXPIRE] = AW_FAILED};

struct claimed claim_of(uint64_t number)
{
    struct claimed c = rig_claim_one();

    ck_assert_uint_eq(c.number, number);
    return c;
}

uint64_t parent_new(enum way way)
{
    return rig_queue(WANT(.name = "parent", .queue_timeout_ms = way == EXPIRE ? 30 : 0));
}

void parent_end(uint64_t number, enum way way)
{
    if (way == SUCCEED || way == FAIL) {
        struct claimed c = claim_of(number);
        struct outcome o = outcome_exit(way == FAIL);

        ck_assert_ok(rig_finish(&c, &o));
    } else if (way == CANCEL) {
        ck_assert_ok(rig_cancel(&number, 1, -1));
    }
    rig_await_note(NOTE_ENDED, number);
    ck_assert_state(number, way_state[way]);
}

static enum aw_state after_end(enum parent_kind kind, enum way way)
{
    bool holds = kind == PARENT_ENDED || (kind == PARENT_SUCCEEDED) == (way == SUCCEED);

    return holds ? AW_QUEUED : AW_FAILED;
}

void await_state(uint64_t number, enum aw_state state)
{
    for (int i = 0; i < 1000 && rig_state(number) != state; i++)
        continue;
    ck_assert_state(number, state);
}

void assert_message(uint64_t child, uint64_t parent, const char *says)
{
    char text[200];
    struct record r = rig_record(child);

    snprintf(text, sizeof(text), "%s-%" PRIu64 ", which it needs %s", rig.e->tag, parent, says);
    ck_assert_int_eq(r.class, AW_CLASS_DEPENDENCY);
    ck_assert_bytes_eq(r.message, text);
}

/* ---- One parent ------------------------------------------------------------------------------ */

START_TEST(a_job_waits_until_its_parent_has_succeeded)
{
    uint64_t parent = parent_new(SUCCEED), child;
    struct record r;

    child = rig_queue(WANT(.name = "child", AFTER(parent, PARENT_SUCCEEDED)));
    ck_assert_state(child, AW_BLOCKED);
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 1);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 1);
    parent_end(parent, SUCCEED);
    rig_forget_notes();
    await_state(child, AW_QUEUED);
    r = rig_record(child);
    /* Its time in the queue begins here. */
    ck_assert_int_ge(r.due_us, rig_record(parent).ended_us);
    ck_assert_int_le(r.due_us, now_us());
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 0);
    claim_of(child);
}
END_TEST

START_TEST(a_job_that_can_run_now_is_announced)
{
    uint64_t parent = parent_new(SUCCEED);
    struct claimed c = claim_of(parent);
    struct outcome o = outcome_exit(0);

    rig_queue(WANT(.name = "child", AFTER(parent, PARENT_SUCCEEDED)));
    rig_forget_notes();
    ck_assert_ok(rig_finish(&c, &o));
    rig_await_note(NOTE_RUNNABLE, 0);
}
END_TEST

START_TEST(each_kind_of_wait_asks_for_its_own_ends)
{
    for (int kind = PARENT_SUCCEEDED; kind <= PARENT_FAILED; kind++)
        for (int way = 0; way < N_WAYS; way++) {
            uint64_t parent = parent_new(way);
            uint64_t child = rig_queue(WANT(.name = "child", AFTER(parent, kind)));

            ck_assert_state(child, AW_BLOCKED);
            parent_end(parent, way);
            await_state(child, after_end(kind, way));
            if (rig_state(child) == AW_FAILED)
                ck_assert_int_eq(rig_await_note(NOTE_ENDED, child)->state, AW_FAILED);
            else
                parent_end(child, FAIL);
        }
}
END_TEST

START_TEST(a_parent_that_has_ended_is_judged_at_once)
{
    for (int kind = PARENT_SUCCEEDED; kind <= PARENT_FAILED; kind++)
        for (int way = 0; way < N_WAYS; way++) {
            uint64_t parent = parent_new(way), child;

            parent_end(parent, way);
            child = rig_queue(WANT(.name = "child", AFTER(parent, kind)));
            ck_assert_state(child, after_end(kind, way));
            ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 0);
            if (rig_state(child) == AW_FAILED)
                ck_assert_int_eq(rig_await_note(NOTE_ENDED, child)->state, AW_FAILED);
            else
                parent_end(child, SUCCEED);
        }
}
END_TEST

START_TEST(a_job_that_cannot_run_any_more_says_why)
{
    static const struct {
        enum parent_kind kind;
        enum way way;
        const char *says;
    } cases[] = {
        {PARENT_SUCCEEDED, FAIL, "to succeed, failed"},
        {PARENT_SUCCEEDED, CANCEL, "to succeed, was cancelled"},
        {PARENT_FAILED, SUCCEED, "to fail, succeeded"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t parent = parent_new(cases[i].way);
        struct want want = {.name = "x", AFTER(parent, cases[i].kind)};
        uint64_t before = rig_queue(want), after;

        parent_end(parent, cases[i].way);
        after = rig_queue(want);
        rig_await_note(NOTE_ENDED, before);
        assert_message(before, parent, cases[i].says);
        assert_message(after, parent, cases[i].says);
    }
}
END_TEST

START_TEST(a_job_that_fails_when_it_is_submitted_has_ended_in_every_respect)
{
    uint64_t parent = parent_new(FAIL), number;
    struct record record;
    struct answer *r;

    parent_end(parent, FAIL);
    rig_forget_notes();
    r = rig_submit(&WANT(.key = "k", .name = "x", AFTER(parent, PARENT_SUCCEEDED)), 1);
    ck_assert_ok(r);
    number = r->submitted[0].number;
    ck_assert(!r->submitted[0].deduplicated && !r->submitted[0].cached);
    ck_assert_int_eq(rig_await_note(NOTE_ENDED, number)->state, AW_FAILED);
    ck_assert_int_gt(rig_note_at(NOTE_ENDED, number), rig_reply_at(r));
    ck_assert_int_eq(rig_count(NOTE_ENDED), 1);
    record = rig_record(number);
    ck_assert_int_ge(record.ended_us, record.created_us);
    ck_assert_int_gt(record.expires_us, record.ended_us);
    ck_assert_uint_eq(record.attempt, 0);
    ck_assert_uint_eq(rig_stats().failed, 2);
    ck_assert_uint_eq(rig_stats().submitted, 2);
    ck_assert_uint_eq(rig_stats().kept, 2);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
    ck_assert_ok(rig_forget(&number, 1));
    ck_assert_int_eq(rig_lookup(number), AW_ERR_EXPIRED_ID);
    ck_assert_uint_eq(rig_stats().kept, 1);
}
END_TEST

/* ---- Several parents ------------------------------------------------------------------------- */

START_TEST(a_job_waits_for_all_of_its_parents)
{
    uint64_t a = parent_new(SUCCEED), b = parent_new(FAIL), child;
    struct parent both[] = {{b, PARENT_ENDED}, {a, PARENT_SUCCEEDED}};

    child = rig_queue(WANT(.name = "child", .parents = both, .n_parents = 2));
    parent_end(a, SUCCEED);
    ck_assert_state(child, AW_BLOCKED);
    parent_end(b, FAIL);
    await_state(child, AW_QUEUED);
}
END_TEST

START_TEST(parents_that_have_ended_and_others_that_have_not_may_be_mixed)
{
    uint64_t a = parent_new(SUCCEED), b, child;
    struct parent both[2];

    parent_end(a, SUCCEED);
    b = parent_new(SUCCEED);
    both[0] = (struct parent){a, PARENT_SUCCEEDED};
    both[1] = (struct parent){b, PARENT_SUCCEEDED};
    child = rig_queue(WANT(.name = "child", .parents = both, .n_parents = 2));
    ck_assert_state(child, AW_BLOCKED);
    parent_end(b, SUCCEED);
    await_state(child, AW_QUEUED);
}
END_TEST

START_TEST(one_parent_that_will_not_do_is_enough)
{
    uint64_t a = parent_new(FAIL), b = parent_new(SUCCEED), waited, late;
    struct parent both[] = {{a, PARENT_SUCCEEDED}, {b, PARENT_SUCCEEDED}};
    struct want want = {.name = "child", .parents = both, .n_parents = 2};

    waited = rig_queue(want);
    parent_end(a, FAIL);
    await_state(waited, AW_FAILED);
    late = rig_queue(want);
    ck_assert_state(late, AW_FAILED);
    /* Nobody is told of the other's end any more. */
    parent_end(b, SUCCEED);
    ck_assert_ok(rig_forget(&b, 1));
    ck_assert_int_eq(rig_lookup(b), AW_ERR_EXPIRED_ID);
    ck_assert_state(waited, AW_FAILED);
}
END_TEST

START_TEST(a_parent_named_twice_is_one)
{
    uint64_t parent = parent_new(SUCCEED), child;
    struct parent twice[] = {{parent, PARENT_SUCCEEDED}, {parent, PARENT_SUCCEEDED}};

    child = rig_queue(WANT(.name = "child", .parents = twice, .n_parents = 2));
    parent_end(parent, SUCCEED);
    await_state(child, AW_QUEUED);
}
END_TEST

START_TEST(a_parent_named_under_several_kinds_has_to_meet_all)
{
    for (int way = SUCCEED; way <= FAIL; way++) {
        uint64_t parent = parent_new(way), one, none;
        struct parent can[] = {{parent, PARENT_ENDED}, {parent, PARENT_SUCCEEDED}};
        struct parent cannot[] = {{parent, PARENT_FAILED}, {parent, PARENT_SUCCEEDED}};

        one = rig_queue(WANT(.name = "one", .parents = can, .n_parents = 2));
        none = rig_queue(WANT(.name = "none", .parents = cannot, .n_parents = 2));
        parent_end(parent, way);
        await_state(none, AW_FAILED);
        await_state(one, way == SUCCEED ? AW_QUEUED : AW_FAILED);
        if (way == SUCCEED)
            parent_end(one, SUCCEED);
    }
}
END_TEST

START_TEST(a_job_may_wait_for_as_many_as_the_protocol_lets_it_name)
{
    static struct want wants[AW_MAX_PARENTS];
    static struct parent parents[AW_MAX_PARENTS];
    struct answer *r = rig_submit(wants, AW_MAX_PARENTS);
    struct outcome o = outcome_exit(0);
    uint64_t child;
    size_t n = 0;

    ck_assert_ok(r);
    for (size_t i = 0; i < AW_MAX_PARENTS; i++)
        parents[AW_MAX_PARENTS - 1 - i] =
            (struct parent){r->submitted[i].number, (enum parent_kind)(i % 2)};
    child = rig_queue(WANT(.name = "child", .parents = parents, .n_parents = AW_MAX_PARENTS));
    rig_reopen();
    while (n < AW_MAX_PARENTS) {
        r = rig_claim(AW_MAX_PARENTS);
        ck_assert_uint_gt(r->n, 0);
        n += r->n;
        for (size_t i = 0; i < r->n; i++) {
            ck_assert_state(child, AW_BLOCKED);
            start_finish(&r->claims[i], &o);
        }
    }
    await_state(child, AW_QUEUED);
}
END_TEST

/* ---- Parents that are not there ---------------------------------------------------------------
 */

/* Refuses the whole submit, and says which parent of which job. */
static void assert_refused(struct parent parent, uint32_t uid, enum aw_err code, const char *field)
{
    struct want wants[] = {{.name = "fine", .uid = uid},
                           {.name = "x", .parents = &parent, .n_parents = 1}};
    uint64_t submitted = rig_stats().submitted;
    struct answer *r = rig_submit(wants, 2);
    char text[200];

    ck_assert_err(r, code);
    snprintf(text, sizeof(text), "jobs[1].%s: %s-%" PRIu64 ": %s", field, rig.e->tag, parent.number,
             aw_err_text(code));
    ck_assert_str_eq(r->err.text, text);
    ck_assert_uint_eq(rig_stats().submitted, submitted);
}

START_TEST(a_parent_that_was_never_issued_is_refused)
{
    struct want wants[2] = {{.name = "first"}, {.name = "second"}};
    struct parent brother = {.kind = PARENT_ENDED};

    assert_refused((struct parent){0, PARENT_SUCCEEDED}, 0, AW_ERR_UNKNOWN_ID, "after");
    assert_refused((struct parent){1000, PARENT_ENDED}, 0, AW_ERR_UNKNOWN_ID, "after_any");
    assert_refused((struct parent){UINT64_MAX >> 1, PARENT_FAILED}, 0, AW_ERR_UNKNOWN_ID,
                   "after_fail");
    /* Nor is there a number yet for what is in the same submit. */
    wants[1].parents = &brother;
    wants[1].n_parents = 1;
    brother.number = rig_queue(WANT(.name = "x")) + 1;
    ck_assert_err(rig_submit(wants, 2), AW_ERR_UNKNOWN_ID);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 1);
}
END_TEST

START_TEST(of_a_parent_whose_record_is_gone_only_the_end_is_known)
{
    uint64_t gone = rig_run_one(WANT(.name = "gone")), child;

    ck_assert_ok(rig_forget(&gone, 1));
    child = rig_queue(WANT(.name = "x", AFTER(gone, PARENT_ENDED)));
    ck_assert_state(child, AW_QUEUED);
    assert_refused((struct parent){gone, PARENT_SUCCEEDED}, 0, AW_ERR_EXPIRED_ID, "after");
    assert_refused((struct parent){gone, PARENT_FAILED}, 0, AW_ERR_EXPIRED_ID, "after_fail");
}
END_TEST

START_TEST(a_parent_of_somebody_else_is_unknown)
{
    uint64_t theirs = rig_queue(WANT(.name = "theirs", .uid = 5));

    assert_refused((struct parent){theirs, PARENT_ENDED}, 6, AW_ERR_UNKNOWN_ID, "after_any");
    rig_queue(WANT(.name = "mine", .uid = 5, AFTER(theirs, PARENT_ENDED)));
    rig_queue(WANT(.name = "any", .uid = 6, .admin = true, AFTER(theirs, PARENT_ENDED)));
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 2);
}
END_TEST

START_TEST(a_job_that_exists_already_is_not_asked_about_its_parents)
{
    uint64_t parent = rig_run_one(WANT(.name = "parent"));
    struct want want = {.key = "k", .request = "0123456789abcdef", AFTER(parent, PARENT_SUCCEEDED)};
    uint64_t number = rig_queue(want);
    struct answer *r;

    ck_assert_ok(rig_forget(&parent, 1));
    r = rig_submit(&want, 1);
    ck_assert_ok(r);
    ck_assert_uint_eq(r->submitted[0].number, number);
    ck_assert(!r->submitted[0].deduplicated);
    want.request = NULL;
    r = rig_submit(&want, 1);
    ck_assert_ok(r);
    ck_assert_uint_eq(r->submitted[0].number, number);
    ck_assert(r->submitted[0].deduplicated);
    want.key = "another";
    ck_assert_err(rig_submit(&want, 1), AW_ERR_EXPIRED_ID);
}
END_TEST

/* ---- Time, cancel, forget ---------------------------------------------------------------------
 */

START_TEST(a_job_that_waited_long_enough_for_others_still_waits_for_its_time)
{
    uint64_t parent = parent_new(SUCCEED);
    uint64_t later = rig_queue(WANT(.delay_ms = HOUR_MS, AFTER(parent, PARENT_SUCCEEDED)));
    uint64_t soon = rig_queue(WANT(.delay_ms = 300, AFTER(parent, PARENT_SUCCEEDED)));
    int64_t later_us = rig_record(later).due_us, soon_us = rig_record(soon).due_us;

    ck_assert_state(later, AW_BLOCKED);
    parent_end(parent, SUCCEED);
    await_state(later, AW_SCHEDULED);
    ck_assert_int_eq(rig_record(later).due_us, later_us);
    rig_reopen();
    ck_assert_state(later, AW_SCHEDULED);
    for (struct answer *r = rig_claim(1); r->n == 0; r = rig_claim(1))
        rig_turn();
    ck_assert_state(soon, AW_RUNNING);
    ck_assert_int_ge(now_us(), soon_us);
}
END_TEST

START_TEST(a_job_whose_parents_have_ended_waits_for_its_time_only)
{
    uint64_t parent = rig_run_one(WANT(.name = "parent"));
    uint64_t child = rig_queue(WANT(.delay_ms = HOUR_MS, AFTER(parent, PARENT_SUCCEEDED)));

    ck_assert_state(child, AW_SCHEDULED);
    ck_assert_uint_eq(rig_stats().live[AW_SCHEDULED], 1);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
}
END_TEST

START_TEST(a_time_that_came_while_a_job_waited_for_others_has_come)
{
    uint64_t parent = parent_new(SUCCEED), child;
    int64_t due;

    child = rig_queue(WANT(.delay_ms = 20, AFTER(parent, PARENT_SUCCEEDED)));
    due = rig_record(child).due_us;
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME,
                    &(struct timespec){due / 1000000, due % 1000000 * 1000}, NULL);
    rig_turn_now();
    ck_assert_state(child, AW_BLOCKED);
    parent_end(parent, SUCCEED);
    await_state(child, AW_QUEUED);
    ck_assert_int_ge(rig_record(child).due_us, rig_record(parent).ended_us);
}
END_TEST

START_TEST(a_job_that_waits_for_others_can_run_out_of_time)
{
    uint64_t parent = parent_new(SUCCEED);
    uint64_t queue = rig_queue(WANT(.queue_timeout_ms = 30, AFTER(parent, PARENT_SUCCEEDED)));
    uint64_t total = rig_queue(WANT(.total_timeout_ms = 30, AFTER(parent, PARENT_SUCCEEDED)));
    uint64_t child = rig_queue(WANT(AFTER(queue, PARENT_SUCCEEDED)));

    rig_await_note(NOTE_ENDED, queue);
    rig_await_note(NOTE_ENDED, total);
    ck_assert_int_eq(rig_record(queue).class, AW_CLASS_EXPIRED_IN_QUEUE);
    ck_assert_int_eq(rig_record(total).class, AW_CLASS_TIMEOUT);
    await_state(child, AW_FAILED);
    parent_end(parent, SUCCEED);
    ck_assert_ok(rig_forget(&parent, 1));
    ck_assert_int_eq(rig_lookup(parent), AW_ERR_EXPIRED_ID);
}
END_TEST

START_TEST(a_job_that_waits_for_others_can_be_cancelled)
{
    uint64_t parent = parent_new(SUCCEED);
    uint64_t child = rig_queue(WANT(AFTER(parent, PARENT_SUCCEEDED)));
    uint64_t grandchild = rig_queue(WANT(AFTER(child, PARENT_SUCCEEDED)));
    struct answer *r = rig_cancel(&child, 1, -1);

    ck_assert_ok(r);
    ck_assert_int_eq(r->results[0].err, AW_OK);
    ck_assert_int_eq(r->results[0].state, AW_CANCELLED);
    await_state(grandchild, AW_FAILED);
    assert_message(grandchild, child, "to succeed, was cancelled");
    rig_forget_notes();
    parent_end(parent, SUCCEED);
    ck_assert_state(child, AW_CANCELLED);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 1);
    r = rig_forget((uint64_t[]){parent, child, grandchild}, 3);
    ck_assert_ok(r);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(r->results[i].err, AW_OK);
}
END_TEST

START_TEST(a_cancel_is_not_lost_while_a_parent_ends)
{
    for (int late = 0; late < 4; late++) {
        uint64_t parent = parent_new(SUCCEED), child;
        struct claimed c = claim_of(parent);
        struct outcome o = outcome_exit(0);
        struct answer *finish = NULL, *cancel = NULL;

        child = rig_queue(WANT(AFTER(parent, PARENT_SUCCEEDED)));
        if (late == 0)
            cancel = start_cancel(&child, 1, -1);
        finish = start_finish(&c, &o);
        if (late == 1)
            cancel = start_cancel(&child, 1, -1);
        rig_await(finish);
        /* What follows from it is on its way. */
        if (late >= 2)
            cancel = start_cancel(&child, 1, -1);
        if (late == 3)
            start_cancel(&child, 1, -1);
        rig_await(cancel);
        ck_assert_ok(cancel);
        ck_assert_int_eq(cancel->results[0].err, AW_OK);
        await_state(child, AW_CANCELLED);
        rig_await_note(NOTE_ENDED, child);
        ck_assert_uint_eq(rig_claim(1)->n, 0);
        ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 0);
    }
}
END_TEST

static uint64_t awaited_parent;
static struct answer *forgotten;

static void forget_it(uint64_t number)
{
    if (number == awaited_parent)
        forgotten = start_forget(&number, 1);
}

START_TEST(a_parent_stays_until_its_children_have_been_told)
{
    uint64_t parent = parent_new(FAIL), child;
    struct claimed c = claim_of(parent);
    struct outcome o = outcome_exit(1);
    struct answer *r;

    child = rig_queue(WANT(AFTER(parent, PARENT_SUCCEEDED)));
    awaited_parent = parent;
    rig.on_ended = forget_it;
    ck_assert_ok(rig_finish(&c, &o));
    rig_await(forgotten);
    ck_assert_int_eq(forgotten->results[0].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(forgotten->results[0].state, AW_FAILED);
    rig.on_ended = NULL;
    await_state(child, AW_FAILED);
    assert_message(child, parent, "to succeed, failed");
    r = rig_forget(&parent, 1);
    ck_assert_int_eq(r->results[0].err, AW_OK);
}
END_TEST

START_TEST(a_parent_that_still_waits_or_runs_cannot_be_forgotten)
{
    uint64_t parent = parent_new(SUCCEED);

    rig_queue(WANT(AFTER(parent, PARENT_SUCCEEDED)));
    ck_assert_int_eq(rig_forget(&parent, 1)->results[0].err, AW_ERR_WRONG_STATE);
    claim_of(parent);
    ck_assert_int_eq(rig_forget(&parent, 1)->results[0].err, AW_ERR_WRONG_STATE);
}
END_TEST

void contract_deps_add(TCase *tc)
{
    tcase_add_test(tc, a_job_waits_until_its_parent_has_succeeded);
    tcase_add_test(tc, a_job_that_can_run_now_is_announced);
    tcase_add_test(tc, each_kind_of_wait_asks_for_its_own_ends);
    tcase_add_test(tc, a_parent_that_has_ended_is_judged_at_once);
    tcase_add_test(tc, a_job_that_cannot_run_any_more_says_why);
    tcase_add_test(tc, a_job_that_fails_when_it_is_submitted_has_ended_in_every_respect);
    tcase_add_test(tc, a_job_waits_for_all_of_its_parents);
    tcase_add_test(tc, parents_that_have_ended_and_others_that_have_not_may_be_mixed);
    tcase_add_test(tc, one_parent_that_will_not_do_is_enough);
    tcase_add_test(tc, a_parent_named_twice_is_one);
    tcase_add_test(tc, a_parent_named_under_several_kinds_has_to_meet_all);
    tcase_add_test(tc, a_job_may_wait_for_as_many_as_the_protocol_lets_it_name);
    tcase_add_test(tc, a_parent_that_was_never_issued_is_refused);
    tcase_add_test(tc, of_a_parent_whose_record_is_gone_only_the_end_is_known);
    tcase_add_test(tc, a_parent_of_somebody_else_is_unknown);
    tcase_add_test(tc, a_job_that_exists_already_is_not_asked_about_its_parents);
    tcase_add_test(tc, a_job_that_waited_long_enough_for_others_still_waits_for_its_time);
    tcase_add_test(tc, a_job_whose_parents_have_ended_waits_for_its_time_only);
    tcase_add_test(tc, a_time_that_came_while_a_job_waited_for_others_has_come);
    tcase_add_test(tc, a_job_that_waits_for_others_can_run_out_of_time);
    tcase_add_test(tc, a_job_that_waits_for_others_can_be_cancelled);
    tcase_add_test(tc, a_cancel_is_not_lost_while_a_parent_ends);
    tcase_add_test(tc, a_parent_stays_until_its_children_have_been_told);
    tcase_add_test(tc, a_parent_that_still_waits_or_runs_cannot_be_forgotten);
}
