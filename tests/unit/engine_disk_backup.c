/* The embedded engine's backup, while the store's own disk fails. */
#include "tests/unit/engine_backup_rig.h"
#include "tests/unit/engine_disk.h"
#include "tests/unit/faulty_vfs.h"

#define PARTS 12
#define PART  500

static uint64_t fill(void)
{
    static struct want wants[PART];
    uint64_t last = 0;

    for (size_t i = 0; i < PART; i++)
        wants[i] = WANT(.name = "many", .apart = true);
    for (int k = 0; k < PARTS; k++) {
        struct answer *r = rig_submit(wants, PART);

        ck_assert_ok(r);
        last = r->submitted[PART - 1].number;
    }
    return last;
}

START_TEST(commits_that_find_no_room_do_not_spoil_a_backup)
{
    uint64_t last = fill(), n = 0;
    struct backup_try t;

    backup_start(&t, 0);
    for (int i = 0; !t.times; i++) {
        faulty_vfs_set_room(i % 2 ? -1 : 0);
        if (i < 20)
            start_submit(&WANT(.name = "perhaps"), 1);
        rig_turn();
    }
    faulty_vfs_set_room(-1);
    ck_assert_msg(t.err.code == AW_OK, "%s", t.err.text);
    store_look(backup_path[0], last, &n);
    ck_assert_uint_eq(n, last);
    backup_remove(0);
}
END_TEST

START_TEST(a_backup_ends_when_the_store_goes_down)
{
    struct backup_try t;

    fill();
    backup_start(&t, 0);
    rig_turn();
    faulty_vfs_break_writes(true);
    ck_assert_err(rig_submit(&WANT(.name = "x"), 1), AW_ERR_IN_DOUBT);
    backup_await(&t);
    ck_assert_int_eq(t.err.code, AW_ERR_IN_DOUBT);
    ck_assert_int_eq(rig_count(NOTE_DOWN), 1);
    backup_remove(0);
}
END_TEST

void disk_backup_add(TCase *tc)
{
    tcase_add_test(tc, commits_that_find_no_room_do_not_spoil_a_backup);
    tcase_add_test(tc, a_backup_ends_when_the_store_goes_down);
}
