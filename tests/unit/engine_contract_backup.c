/* The engine's contract: a copy of all that is on record, made while everything goes on. */
#include "tests/unit/engine_backup_rig.h"
#include "tests/unit/engine_contract.h"

#define PARTS 24
#define PART  500 /* jobs: together, a copy takes many turns */

/* Jobs with all that can be on record. Returns the last number. */
static uint64_t fill(void)
{
    static struct want wants[PART];
    struct outcome o = outcome_exit(1);
    uint64_t last, parent;

    for (size_t i = 0; i < PART; i++)
        wants[i] = WANT(.name = "many", .apart = true, .set = "all");
    for (int k = 0; k < PARTS; k++)
        ck_assert_ok(rig_submit(wants, PART));
    parent = rig_queue(WANT(.priority = 9, .max_attempts = 2, .backoff_ms = 3600000));
    rig_queue(WANT(AFTER(parent, PARENT_SUCCEEDED), .set = "all"));
    for (int i = 0; i < 20; i++) {
        struct claimed c = rig_claim_one();

        ck_assert_ok(rig_finish(&c, &o));
    }
    rig_claim_one();
    rig_queue_add("mail", QUEUE_CHANGE(to.slots = 3));
    last = rig_queue(WANT(.queue = "mail", .delay_ms = 3600000, .key = "k"));
    ck_assert_ok(rig_set_read((struct reading){.name = bytes_str("all"), .ack = 5}));
    return last;
}

/* Makes a backup, and does what is to be done meanwhile; how often that was is returned. */
static int backup_and_work(void)
{
    struct outcome o = outcome_exit(0);
    struct backup_try t;
    int meanwhile = 0;

    backup_start(&t, 0);
    while (!t.times) {
        struct claimed c = rig_claim_one();

        rig_queue(WANT(.name = "meanwhile", .apart = true, .set = "all"));
        ck_assert_ok(rig_finish(&c, &o));
        meanwhile++;
    }
    ck_assert_msg(t.err.code == AW_OK, "%s", t.err.text);
    return meanwhile;
}

START_TEST(a_backup_has_all_that_was_acknowledged_before_it)
{
    uint64_t last = fill(), n = 0;
    int meanwhile = backup_and_work();

    store_look(backup_path[0], last, &n);
    ck_assert_uint_eq(n, last);
    backup_remove(0);
    /* It did not keep the others from their work; if the machine did, it is tried again. */
    for (int i = 0; meanwhile < 2 && i < 20; i++) {
        meanwhile = backup_and_work();
        backup_remove(0);
    }
    ck_assert_int_ge(meanwhile, 2);
}
END_TEST

START_TEST(one_backup_is_made_at_a_time)
{
    struct backup_try one, two;

    fill();
    backup_start(&one, 0);
    backup_start(&two, 1);
    backup_await(&two);
    ck_assert_int_eq(two.err.code, AW_ERR_BUSY);
    ck_assert_int_eq(one.times, 0);
    backup_await(&one);
    ck_assert_int_eq(one.err.code, AW_OK);
    backup_remove(1);
    backup_start(&two, 1);
    backup_await(&two);
    ck_assert_int_eq(two.err.code, AW_OK);
    backup_remove(0);
    backup_remove(1);
}
END_TEST

START_TEST(a_backup_does_not_keep_the_engine_from_closing)
{
    struct backup_try t;

    fill();
    backup_start(&t, 0);
    rig_turn();
    ck_assert_int_eq(t.times, 0);
    rig_close();
    ck_assert_int_eq(t.times, 1);
    ck_assert_int_eq(t.err.code, AW_ERR_STOPPING);
    backup_remove(0);
    rig_open();
}
END_TEST

START_TEST(a_backup_that_cannot_be_written_does_no_harm)
{
    struct backup_try t = {0};

    rig_queue(WANT(.name = "x"));
    engine_backup(rig.e, "/nonexistent/backup", backup_done, &t);
    backup_await(&t);
    ck_assert_int_eq(t.err.code, AW_ERR_STORE);
    rig_queue(WANT(.name = "y"));
    ck_assert_int_eq(rig_count(NOTE_DOWN), 0);
    backup_start(&t, 0);
    backup_await(&t);
    ck_assert_int_eq(t.err.code, AW_OK);
    backup_remove(0);
}
END_TEST

static struct offline_info info_of(const char *path)
{
    struct offline_info info = {0};
    struct offline *off = NULL;

    ck_assert_int_eq(offline_open(path, &off, NULL), AW_OK);
    ck_assert_int_eq(offline_get_info(off, &info, NULL), AW_OK);
    offline_close(off);
    return info;
}

START_TEST(a_new_history_begins_behind_all_that_is_known)
{
    uint64_t last = rig_queue(WANT(.name = "x")), n = 0;
    struct offline_info one = {0}, two = {0}, before;
    struct offline_info old = {.high = UINT64_C(1) << 58, .epoch = 4000000};
    struct backup_try t;

    backup_start(&t, 0);
    backup_await(&t);
    before = info_of(backup_path[0]);
    ck_assert_uint_eq(before.high, last);
    ck_assert_str_eq(before.tag, rig.e->tag);
    ck_assert_int_eq(offline_new_history(backup_path[0], NULL, false, &one, NULL), AW_OK);
    ck_assert_uint_ge(one.high, last + UINT64_C(1000000000000));
    ck_assert_uint_gt(one.epoch, before.epoch);
    ck_assert_str_eq(one.tag, before.tag);
    ck_assert_uint_eq(info_of(backup_path[0]).high, one.high);
    ck_assert_int_eq(offline_new_history(backup_path[0], &old, true, &two, NULL), AW_OK);
    ck_assert_uint_gt(two.high, old.high);
    ck_assert_uint_gt(two.epoch, old.epoch);
    store_look(backup_path[0], last, &n);
    ck_assert_uint_eq(n, last);
    backup_remove(0);
}
END_TEST

void contract_backup_add(TCase *tc)
{
    tcase_add_test(tc, a_backup_has_all_that_was_acknowledged_before_it);
    tcase_add_test(tc, one_backup_is_made_at_a_time);
    tcase_add_test(tc, a_backup_does_not_keep_the_engine_from_closing);
    tcase_add_test(tc, a_backup_that_cannot_be_written_does_no_harm);
    tcase_add_test(tc, a_new_history_begins_behind_all_that_is_known);
}
