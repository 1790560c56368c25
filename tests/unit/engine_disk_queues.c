/* The embedded engine on a full disk: places in line, and slots of queues. */
#include "tests/unit/engine_disk.h"

#include "tests/unit/faulty_vfs.h"

#define N_JOBS 8

static void queue_all(uint64_t *numbers, const char *queue)
{
    for (size_t i = 0; i < N_JOBS; i++)
        numbers[i] = rig_queue(WANT(.queue = queue));
}

static void assert_order(const uint64_t *numbers, size_t n)
{
    struct answer *r;

    do {
        r = rig_claim(n);
        ck_assert_ok(r);
        if (!r->n)
            rig_await_note(NOTE_RUNNABLE, 0); /* claims are tried again after a while */
    } while (!r->n);
    ck_assert_uint_eq(r->n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(r->claims[i].number, numbers[i]);
}

START_TEST(claims_that_find_no_room_leave_the_line_in_its_order)
{
    uint64_t numbers[N_JOBS];
    struct answer *one, *two, *three;

    queue_all(numbers, NULL);
    faulty_vfs_set_room(0);
    one = start_claim(2);
    two = start_claim(1);
    three = start_claim(3);
    rig_await(three);
    ck_assert_err(one, AW_ERR_DISK_FULL);
    ck_assert_err(two, AW_ERR_DISK_FULL);
    ck_assert_err(three, AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    rig_forget_notes();
    assert_order(numbers, N_JOBS);
}
END_TEST

START_TEST(a_cancel_that_finds_no_room_leaves_the_line_in_its_order)
{
    uint64_t numbers[N_JOBS];
    struct answer *r;

    queue_all(numbers, NULL);
    faulty_vfs_set_room(0);
    r = rig_cancel((uint64_t[]){numbers[5], numbers[0], numbers[2]}, 3, -1);
    ck_assert_err(r, AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    assert_order(numbers, N_JOBS);
}
END_TEST

START_TEST(a_cancel_that_finds_no_room_says_that_there_is_something_to_claim)
{
    uint64_t number = rig_queue(WANT(.name = "x"));
    struct answer *cancel;

    rig_forget_notes();
    faulty_vfs_set_room(0);
    cancel = start_cancel(&number, 1, -1);
    ck_assert_uint_eq(rig_claim(1)->n, 0); /* it looks as if there were nothing */
    rig_await(cancel);
    ck_assert_err(cancel, AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(rig_count(NOTE_RUNNABLE), 1);
    ck_assert_uint_eq(rig_claim_one().number, number);
}
END_TEST

START_TEST(a_change_that_finds_no_room_changes_nothing)
{
    uint64_t numbers[N_JOBS];
    int priority = 5;
    struct answer *r;

    queue_all(numbers, NULL);
    faulty_vfs_set_room(0);
    r = rig_change(&numbers[4], 1, (struct job_change){.priority = &priority});
    ck_assert_err(r, AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(rig_record(numbers[4]).priority, 0);
    assert_order(numbers, N_JOBS);
}
END_TEST

START_TEST(claims_that_find_no_room_hold_no_slot_and_use_up_no_rate)
{
    uint64_t numbers[N_JOBS];

    rig_queue_add("q", QUEUE_CHANGE(to.slots = 2, to.rate = 2, to.rate_ms = 3600000));
    queue_all(numbers, "q");
    faulty_vfs_set_room(0);
    ck_assert_err(rig_claim(5), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    rig_forget_notes();
    assert_order(numbers, 2);
    ck_assert_uint_eq(rig_claim(5)->n, 0);
}
END_TEST

START_TEST(an_end_that_waits_for_room_holds_no_slot)
{
    uint64_t numbers[N_JOBS];
    struct outcome o = outcome_exit(0);
    struct claimed c;
    struct answer *end;

    rig_queue_add("q", QUEUE_CHANGE(to.slots = 1));
    queue_all(numbers, "q");
    c = rig_claim(0)->claims[0];
    faulty_vfs_set_room(0);
    end = start_finish(&c, &o);
    ck_assert_err(rig_claim(0), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    rig_await(end);
    ck_assert_ok(end);
    rig_forget_notes();
    assert_order(&numbers[1], 1);
}
END_TEST

START_TEST(a_release_that_finds_no_room_still_holds_its_slot)
{
    uint64_t numbers[N_JOBS];
    struct outcome o = outcome_exit(0);
    struct claimed c;

    rig_queue_add("q", QUEUE_CHANGE(to.slots = 1));
    queue_all(numbers, "q");
    c = rig_claim(0)->claims[0];
    faulty_vfs_set_room(0);
    ck_assert_err(rig_release(&c), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_uint_eq(rig_claim(0)->n, 0);
    ck_assert_ok(rig_finish(&c, &o));
    assert_order(&numbers[1], 1);
}
END_TEST

START_TEST(a_queue_that_finds_no_room_is_as_it_was)
{
    rig_queue_add("q", QUEUE_CHANGE(to.slots = 1));
    faulty_vfs_set_room(0);
    ck_assert_err(rig_queue_set("q", QUEUE_CHANGE(to.slots = 5)), AW_ERR_DISK_FULL);
    ck_assert_err(rig_queue_set("new", QUEUE_CHANGE(to.create = true)), AW_ERR_DISK_FULL);
    ck_assert_err(rig_queue_remove("q"), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_uint_eq(rig_queue_status("q").slots, 1);
    ck_assert_uint_eq(rig_queue_list()->n, 2);
    rig_queue(WANT(.queue = "q"));
}
END_TEST

void disk_queues_add(TCase *tc)
{
    tcase_add_test(tc, claims_that_find_no_room_leave_the_line_in_its_order);
    tcase_add_test(tc, a_cancel_that_finds_no_room_leaves_the_line_in_its_order);
    tcase_add_test(tc, a_cancel_that_finds_no_room_says_that_there_is_something_to_claim);
    tcase_add_test(tc, a_change_that_finds_no_room_changes_nothing);
    tcase_add_test(tc, claims_that_find_no_room_hold_no_slot_and_use_up_no_rate);
    tcase_add_test(tc, an_end_that_waits_for_room_holds_no_slot);
    tcase_add_test(tc, a_release_that_finds_no_room_still_holds_its_slot);
    tcase_add_test(tc, a_queue_that_finds_no_room_is_as_it_was);
}
