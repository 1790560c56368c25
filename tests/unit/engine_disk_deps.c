/* A full disk, and jobs that wait for others. */
#include "tests/unit/engine_disk.h"

#include <stdio.h>

#include "tests/unit/faulty_vfs.h"

static struct claimed parent_claim(void)
{
    rig_queue(WANT(.name = "parent"));
    return rig_claim_one();
}

START_TEST(a_job_that_waits_and_finds_no_room_leaves_nothing_behind)
{
    uint64_t parent = rig_queue(WANT(.name = "parent"));
    struct want want = {.name = "child", AFTER(parent, PARENT_SUCCEEDED)};
    struct outcome o = outcome_exit(0);
    struct claimed c;

    faulty_vfs_set_room(0);
    ck_assert_err(rig_submit(&want, 1), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 0);
    c = rig_claim_one();
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_ok(rig_forget(&parent, 1));
    ck_assert_int_eq(rig_lookup(parent), AW_ERR_EXPIRED_ID);
}
END_TEST

static void fill_disk(uint64_t number)
{
    (void)number;
    faulty_vfs_set_room(0);
}

/* A parent that has ended, just before the disk was full; what it means for these is not on it. */
static uint64_t parent_ends_and_the_disk_is_full(uint64_t *ret_can, uint64_t *ret_cannot)
{
    struct claimed c = parent_claim();
    struct outcome o = outcome_exit(0);

    *ret_can = rig_queue(WANT(.name = "can", AFTER(c.number, PARENT_SUCCEEDED)));
    *ret_cannot = rig_queue(WANT(.name = "cannot", AFTER(c.number, PARENT_FAILED)));
    rig.on_ended = fill_disk;
    ck_assert_ok(rig_finish(&c, &o));
    rig.on_ended = NULL;
    /* Their step is pushed by now: it is answered before this. */
    ck_assert_err(rig_submit(&WANT(.name = "y"), 1), AW_ERR_DISK_FULL);
    ck_assert_state(*ret_can, AW_BLOCKED);
    ck_assert_state(*ret_cannot, AW_BLOCKED);
    return c.number;
}

static void assert_told(uint64_t parent, uint64_t can, uint64_t cannot)
{
    struct answer *forget;

    while (rig_stats().live[AW_BLOCKED] > 0)
        rig_turn();
    ck_assert_state(can, AW_QUEUED);
    ck_assert_state(cannot, AW_FAILED);
    ck_assert_uint_eq(rig_claim_one().number, can);
    forget = rig_forget(&parent, 1);
    ck_assert_int_eq(forget->results[0].err, AW_OK);
}

START_TEST(what_follows_from_an_end_waits_until_there_is_room)
{
    uint64_t can, cannot, parent = parent_ends_and_the_disk_is_full(&can, &cannot);

    faulty_vfs_set_room(-1);
    assert_told(parent, can, cannot);
}
END_TEST

START_TEST(what_follows_from_an_end_and_never_found_room_follows_after_a_restart)
{
    uint64_t can, cannot, parent = parent_ends_and_the_disk_is_full(&can, &cannot);

    rig_close();
    faulty_vfs_set_room(-1);
    rig_open();
    assert_told(parent, can, cannot);
}
END_TEST

START_TEST(a_parent_whose_children_wait_for_room_stays)
{
    uint64_t can, cannot, parent = parent_ends_and_the_disk_is_full(&can, &cannot);
    struct answer *forget;

    faulty_vfs_set_room(-1);
    forget = rig_forget(&parent, 1);
    ck_assert_int_eq(forget->results[0].err, AW_ERR_WRONG_STATE);
    assert_told(parent, can, cannot);
}
END_TEST

START_TEST(a_cancel_while_what_follows_from_an_end_waits_for_room_is_not_lost)
{
    uint64_t can, cannot, parent = parent_ends_and_the_disk_is_full(&can, &cannot);

    (void)parent;
    ck_assert_err(rig_cancel(&can, 1, -1), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_ok(rig_cancel(&can, 1, -1));
    rig_await_note(NOTE_ENDED, can);
    ck_assert_state(can, AW_CANCELLED);
    rig_await_note(NOTE_ENDED, cannot);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
}
END_TEST

START_TEST(a_cancel_waits_for_what_waits_for_room)
{
    uint64_t can, cannot, parent = parent_ends_and_the_disk_is_full(&can, &cannot), commits;

    (void)parent;
    faulty_vfs_set_room(-1);
    commits = rig_stats().commits;
    ck_assert_ok(rig_cancel(&can, 1, -1));
    rig_await_note(NOTE_ENDED, can);
    ck_assert_state(can, AW_CANCELLED);
    /* It asks when it is told, not again and again. */
    ck_assert_uint_lt(rig_stats().commits - commits, 10);
}
END_TEST

static uint64_t child_to_cancel;

static void fill_disk_and_cancel(uint64_t number)
{
    fill_disk(number);
    start_cancel(&child_to_cancel, 1, -1);
}

static struct answer *grabbed;

static void grab(void)
{
    if (!grabbed)
        grabbed = start_claim(1);
}

/* A cancel and its parent's end hold it; the cancel lets go, and another one comes. */
START_TEST(a_child_that_two_operations_hold_is_not_let_go_by_one)
{
    struct claimed c = parent_claim();
    struct outcome o = outcome_exit(0);
    uint64_t child = rig_queue(WANT(.name = "child", AFTER(c.number, PARENT_SUCCEEDED)));
    struct answer *cancel;

    child_to_cancel = child;
    rig.on_ended = fill_disk_and_cancel;
    ck_assert_ok(rig_finish(&c, &o));
    rig.on_ended = NULL;
    ck_assert_err(rig_submit(&WANT(.name = "y"), 1), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    faulty_vfs_hold();
    while (!faulty_vfs_is_held()) /* until it is tried again */
        rig_turn_now();
    cancel = start_cancel(&child, 1, -1);
    grabbed = NULL;
    rig.on_runnable = grab;
    faulty_vfs_go();
    rig_await(cancel);
    rig.on_runnable = NULL;
    ck_assert_ok(cancel);
    ck_assert_int_eq(cancel->results[0].err, AW_OK);
    ck_assert_ptr_nonnull(grabbed);
    rig_await(grabbed);
    ck_assert_ok(grabbed);
    /* Whoever runs it is told to stop. */
    ck_assert_uint_eq(grabbed->n, 1);
    ck_assert_uint_eq(rig_await_note(NOTE_STOP, child)->claim, grabbed->claims[0].claim);
}
END_TEST

START_TEST(an_end_and_a_child_that_cross_on_a_full_disk_meet_in_the_end)
{
    struct claimed c = parent_claim();
    struct outcome o = outcome_exit(0);
    struct answer *finish;
    uint64_t child;

    faulty_vfs_set_room(0);
    finish = start_finish(&c, &o);
    ck_assert_err(rig_submit(&WANT(.name = "y"), 1), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    /* The end is tried again later: to this one, its parent still runs. */
    child = rig_queue(WANT(.name = "child", AFTER(c.number, PARENT_SUCCEEDED)));
    rig_await(finish);
    ck_assert_ok(finish);
    while (rig_stats().live[AW_QUEUED] == 0)
        rig_turn();
    ck_assert_uint_eq(rig_claim_one().number, child);
}
END_TEST

/* Each of these waits for all of those. While one step is under way the others gather. */
START_TEST(what_follows_from_many_ends_takes_few_steps)
{
    enum { PARENTS = 50, CHILDREN = 180 };
    static struct want wants[CHILDREN];
    struct parent parents[PARENTS];
    struct outcome o = outcome_exit(0);
    struct answer *claims, *finish = NULL;
    uint64_t commits;

    ck_assert_ok(rig_submit(wants, PARENTS));
    claims = rig_claim(PARENTS);
    ck_assert_uint_eq(claims->n, PARENTS);
    for (size_t i = 0; i < PARENTS; i++)
        parents[i] = (struct parent){claims->claims[i].number, PARENT_SUCCEEDED};
    for (size_t i = 0; i < CHILDREN; i++)
        wants[i] = WANT(.parents = parents, .n_parents = PARENTS);
    ck_assert_ok(rig_submit(wants, CHILDREN));
    faulty_vfs_hold();
    finish = start_finish(&claims->claims[0], &o);
    disk_await_held();
    for (size_t i = 1; i < PARENTS; i++)
        finish = start_finish(&claims->claims[i], &o);
    rig_turn_now(); /* hands them over */
    commits = rig_stats().commits;
    faulty_vfs_go();
    rig_await(finish);
    while (rig_stats().live[AW_BLOCKED] > 0)
        rig_turn();
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], CHILDREN);
    ck_assert_uint_le(rig_stats().commits - commits, 6);
}
END_TEST

/* Jobs that wait for the same ones, in numbers that only the database can have at once. */
#define N_SIDE 1000
_Static_assert(N_SIDE *N_SIDE == AW_MAX_EDGES, "each child waits for each parent");

static void submit_many(struct want want, size_t n)
{
    static struct want wants[N_SIDE];

    for (size_t i = 0; i < n; i++)
        wants[i] = want;
    ck_assert_ok(rig_submit(wants, n));
}

START_TEST(jobs_wait_for_so_many_and_no_more)
{
    struct want other, known;
    struct answer *refused;
    uint64_t child;

    submit_many(WANT(.name = "parent"), N_SIDE);
    child = rig_queue(WANT(.key = "k", AFTER(1, PARENT_ENDED)));
    ck_assert_uint_eq(child, N_SIDE + 1);
    known = WANT(.key = "k", AFTER(1, PARENT_ENDED));
    other = WANT(AFTER(1, PARENT_ENDED));
    submit_many(other, N_SIDE - 1);
    rig_close();
    disk_run("INSERT OR IGNORE INTO dep SELECT p.number, c.number, 1 FROM job p, job c"
             " WHERE p.state = 2 AND c.state = 1");
    rig_open();
    refused = rig_submit(&other, 1);
    ck_assert_err(refused, AW_ERR_QUEUE_FULL);
    ck_assert_msg(strstr(refused->err.text, "parents"), "%s", refused->err.text);
    ck_assert_uint_gt(refused->err.retry_after_ms, 0);
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], N_SIDE);
    /* What is there is answered, and who waits for nobody needs no room. */
    ck_assert_uint_eq(rig_submit(&known, 1)->submitted[0].number, child);
    ck_assert_ok(rig_submit(&WANT(.name = "x"), 1));
    /* A refusal leaves nothing behind, and an end makes room. */
    ck_assert_ok(rig_cancel(&child, 1, -1));
    submit_many(other, N_SIDE);
    ck_assert_err(rig_submit(&other, 1), AW_ERR_QUEUE_FULL);
}
END_TEST

/* Nothing makes such a store; but a damaged one is opened, and does what it still can. */
START_TEST(a_store_with_edges_of_jobs_that_do_not_wait_is_opened_all_the_same)
{
    uint64_t parent = rig_queue(WANT(.name = "parent")), child, ready;
    struct outcome o = outcome_exit(0);
    struct claimed c = rig_claim_one();

    rig_run_one(WANT(.name = "ended"));
    child = rig_queue(WANT(.name = "child", AFTER(parent, PARENT_SUCCEEDED)));
    ready = rig_queue(WANT(.name = "ready"));
    rig_close();
    disk_damaged();
    disk_run("INSERT INTO dep SELECT 1, number, 1 FROM job WHERE state > 1 AND number > 1");
    disk_run("INSERT INTO dep VALUES (1, 99, 1), (2, 99, 0), (2, 1, 0)");
    rig_open();
    ck_assert_ok(rig_finish(&c, &o));
    rig_await_note(NOTE_RUNNABLE, 0);
    while (rig_stats().live[AW_BLOCKED] > 0)
        rig_turn();
    c = rig_claim_one();
    ck_assert_uint_eq(c.number, ready);
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_uint_eq(rig_claim_one().number, child);
    rig_reopen();
    ck_assert_state(parent, AW_SUCCEEDED);
    ck_assert_state(ready, AW_SUCCEEDED);
}
END_TEST

void disk_deps_add(TCase *tc)
{
    tcase_add_test(tc, a_store_with_edges_of_jobs_that_do_not_wait_is_opened_all_the_same);
    tcase_add_test(tc, jobs_wait_for_so_many_and_no_more);
    tcase_add_test(tc, what_follows_from_many_ends_takes_few_steps);
    tcase_add_test(tc, a_job_that_waits_and_finds_no_room_leaves_nothing_behind);
    tcase_add_test(tc, what_follows_from_an_end_waits_until_there_is_room);
    tcase_add_test(tc, what_follows_from_an_end_and_never_found_room_follows_after_a_restart);
    tcase_add_test(tc, a_parent_whose_children_wait_for_room_stays);
    tcase_add_test(tc, a_cancel_while_what_follows_from_an_end_waits_for_room_is_not_lost);
    tcase_add_test(tc, a_cancel_waits_for_what_waits_for_room);
    tcase_add_test(tc, a_child_that_two_operations_hold_is_not_let_go_by_one);
    tcase_add_test(tc, an_end_and_a_child_that_cross_on_a_full_disk_meet_in_the_end);
}
