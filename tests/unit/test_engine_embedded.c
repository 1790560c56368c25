/* The embedded engine keeps the contract, and keeps it on a disk that fails. */
#include "tests/unit/engine_contract.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/engine/embedded/embedded.h"
#include "daemon/engine/offline.h"
#include "tests/unit/engine_disk.h"
#include "tests/unit/faulty_vfs.h"
#include "tests/unit/private_dir.h"

/* Shorter than for users: many a test waits for one of them. */
#define RETRY_MS 50
#define PRUNE_MS 50

const char *disk_db(void)
{
    static char path[PRIVATE_PATH];

    return private_path(path, "awd.db");
}

static struct engine *open_embedded(struct event_base *base, const struct engine_limits *limits,
                                    const struct engine_events *events, void *arg)
{
    struct embedded_config config = {
        .path = disk_db(),
        .max_queued = limits->max_queued,
        .max_kept = limits->max_kept,
        .max_bytes = limits->max_bytes,
        .user = limits->user,
        .retention_ms = limits->retention_ms,
        .set_idle_ms = limits->set_idle_ms,
        .retry_ms = RETRY_MS,
        .prune_ms = PRUNE_MS,
    };
    struct engine *e = NULL;
    struct aw_error err = {0};

    ck_assert_msg(embedded_open(base, &config, events, arg, &e, &err) == AW_OK, "%s", err.text);
    return e;
}

static void fault_found(void *arg, const char *text)
{
    (void)arg;
    ck_abort_msg("the store is not well: %s", text);
}

static bool damaged;

void disk_damaged(void)
{
    damaged = true;
}

/* Whatever a test did, it leaves a store behind that obeys every rule. */
static void look(void)
{
    static const struct offline_findings findings = {.wrong = fault_found};
    struct offline *off = NULL;
    struct aw_error err = {0};

    ck_assert_msg(!offline_open(disk_db(), &off, &err), "%s", err.text);
    ck_assert_msg(!offline_check(off, &findings, NULL, &err), "%s", err.text);
    offline_close(off);
}

static void look_and_remove(void)
{
    if (!damaged)
        look();
    damaged = false;
    private_dir_remove();
}

static void prepare(void)
{
    faulty_vfs_install();
    private_dir_make();
}

static const struct engine_factory embedded = {prepare, look_and_remove, open_embedded};

static void setup(void)
{
    rig_setup(&embedded);
}

static void teardown(void)
{
    faulty_vfs_set_room(-1);
    faulty_vfs_break_writes(false);
    faulty_vfs_break_syncs(false);
    rig_teardown();
}

static struct claimed claim_new(struct want want)
{
    rig_queue(want);
    return rig_claim_one();
}

/* ---- A full disk ------------------------------------------------------------------------------
 */

void disk_await_held(void)
{
    rig_turn_now();
    faulty_vfs_await_held();
}

START_TEST(a_submit_is_refused_while_the_disk_is_full)
{
    const uint64_t nobody = 1000000;
    struct answer *r;

    faulty_vfs_set_room(0);
    r = rig_submit(&WANT(.key = "k"), 1);
    ck_assert_err(r, AW_ERR_DISK_FULL);
    ck_assert(rig_stats().disk_full);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 0);
    ck_assert_uint_eq(rig_list((struct list_filter){.uid = -1, .limit = 5})->n, 0);
    ck_assert(rig_stats().disk_full);
    ck_assert_ok(rig_forget(&nobody, 1)); /* writes if there is something to */
    ck_assert(rig_stats().disk_full);
    faulty_vfs_set_room(-1);
    r = rig_submit(&WANT(.key = "k"), 1);
    ck_assert_ok(r);
    ck_assert(!r->submitted[0].deduplicated);
    ck_assert(!rig_stats().disk_full);
    ck_assert_int_eq(rig_count(NOTE_DOWN), 0);
}
END_TEST

START_TEST(an_end_waits_until_there_is_room)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);
    struct answer *finish;

    faulty_vfs_set_room(0);
    finish = start_finish(&c, &o);
    ck_assert_err(rig_submit(&WANT(.name = "y"), 1), AW_ERR_DISK_FULL);
    ck_assert_int_eq(finish->times, 0);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 0);
    ck_assert_state(c.number, AW_RUNNING);
    faulty_vfs_set_room(-1);
    rig_await(finish);
    ck_assert_ok(finish);
    ck_assert_state(c.number, AW_SUCCEEDED);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 1);
}
END_TEST

START_TEST(an_end_that_never_found_room_is_to_be_told_again_after_a_restart)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);
    struct answer *finish, *found;

    faulty_vfs_set_room(0);
    finish = start_finish(&c, &o);
    rig_close();
    ck_assert_int_eq(finish->times, 1);
    ck_assert_err(finish, AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    rig_open();
    found = rig_recover();
    ck_assert_uint_eq(found->n, 1);
    ck_assert_ok(rig_finish(&found->claims[0], &o));
}
END_TEST

START_TEST(a_claim_that_finds_no_room_leaves_the_queue_as_it_was)
{
    uint64_t a = rig_queue(WANT(.name = "a")), b = rig_queue(WANT(.name = "b"));
    uint64_t c = rig_queue(WANT(.name = "c"));
    struct answer *r;

    faulty_vfs_set_room(0);
    ck_assert_err(rig_claim(2), AW_ERR_DISK_FULL);
    ck_assert_state(a, AW_QUEUED);
    rig_forget_notes();
    faulty_vfs_set_room(-1);
    rig_await_note(NOTE_RUNNABLE, 0);
    r = rig_claim(5);
    ck_assert_uint_eq(r->n, 3);
    ck_assert_uint_eq(r->claims[0].number, a);
    ck_assert_uint_eq(r->claims[1].number, b);
    ck_assert_uint_eq(r->claims[2].number, c);
    ck_assert_uint_eq(r->claims[0].attempt, 1);
}
END_TEST

START_TEST(a_cancel_or_a_release_that_finds_no_room_changes_nothing)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    uint64_t waits = rig_queue(WANT(.name = "y"));

    faulty_vfs_set_room(0);
    ck_assert_err(rig_cancel(&waits, 1, -1), AW_ERR_DISK_FULL);
    ck_assert_err(rig_release(&c), AW_ERR_DISK_FULL);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 0);
    ck_assert_state(waits, AW_QUEUED);
    ck_assert_state(c.number, AW_RUNNING);
    faulty_vfs_set_room(-1);
    ck_assert_ok(rig_release(&c));
    ck_assert_ok(rig_cancel(&waits, 1, -1));
    ck_assert_state(waits, AW_CANCELLED);
}
END_TEST

START_TEST(a_job_whose_time_is_over_fails_once_there_is_room)
{
    uint64_t number = rig_queue(WANT(.name = "x", .queue_timeout_ms = 150));

    faulty_vfs_set_room(0);
    while (now_us() < rig_record(number).created_us + 200000)
        ck_assert_int_eq(rig_count(NOTE_ENDED), 0);
    faulty_vfs_set_room(-1);
    ck_assert_int_eq(rig_await_note(NOTE_ENDED, number)->state, AW_FAILED);
}
END_TEST

START_TEST(a_job_told_to_stop_while_its_end_waits_for_room_is_not_run_again)
{
    struct claimed c = claim_new(WANT(.name = "x", .retry_interrupted = true));
    struct outcome o = outcome_interrupted();
    struct answer *finish, *cancel;

    faulty_vfs_set_room(0);
    finish = start_finish(&c, &o);
    ck_assert_err(rig_submit(&WANT(.name = "y"), 1), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    cancel = start_cancel(&c.number, 1, -1);
    rig_await(cancel);
    ck_assert_ok(cancel);
    rig_await(finish);
    ck_assert_ok(finish);
    rig_await_note(NOTE_ENDED, c.number);
    ck_assert_state(c.number, AW_CANCELLED);
}
END_TEST

START_TEST(a_job_whose_cancel_found_no_room_is_told_to_stop_once_it_runs)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct answer *release, *claim;

    ck_assert_ok(rig_cancel(&c.number, 1, -1));
    faulty_vfs_hold();
    release = start_release(&c);
    disk_await_held();
    faulty_vfs_set_room(0);
    faulty_vfs_go();
    rig_await(release);
    ck_assert_ok(release);
    ck_assert_err(rig_submit(&WANT(.name = "y"), 1), AW_ERR_DISK_FULL);
    ck_assert_state(c.number, AW_QUEUED);
    faulty_vfs_set_room(-1);
    rig_forget_notes();
    claim = rig_claim(1);
    ck_assert_uint_eq(claim->n, 1);
    ck_assert_uint_eq(rig_await_note(NOTE_STOP, c.number)->claim, claim->claims[0].claim);
}
END_TEST

/* ---- Groups -----------------------------------------------------------------------------------
 */

START_TEST(what_comes_during_a_commit_shares_the_next)
{
    struct answer *replies[50];
    int syncs;

    faulty_vfs_hold();
    replies[0] = start_submit(&WANT(.name = "x"), 1);
    disk_await_held();
    syncs = faulty_vfs_syncs();
    for (int i = 1; i < 50; i++)
        replies[i] = start_submit(&WANT(.name = "x"), 1);
    faulty_vfs_go();
    rig_await(replies[49]);
    for (int i = 0; i < 50; i++)
        ck_assert_ok(replies[i]);
    ck_assert_int_eq(faulty_vfs_syncs() - syncs, 2);
}
END_TEST

START_TEST(nothing_is_said_before_it_is_durable)
{
    struct answer *submit, *get;

    faulty_vfs_hold();
    submit = start_submit(&WANT(.name = "x"), 1);
    get = start_get(&(uint64_t){1}, 1, 0);
    disk_await_held();
    rig_turn_now();
    ck_assert_int_eq(submit->times + get->times, 0);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 0);
    faulty_vfs_go();
    rig_await(get);
    ck_assert_int_eq(submit->times, 1);
    ck_assert_int_eq(get->found[0].err, AW_OK);
}
END_TEST

START_TEST(one_that_does_not_fit_does_not_take_the_others_along)
{
    static struct want many[1000];
    struct answer *first, *small_1, *large, *small_2, *get;

    faulty_vfs_hold();
    first = start_submit(&WANT(.name = "x"), 1);
    disk_await_held();
    small_1 = start_submit(&WANT(.name = "small"), 1);
    large = start_submit(many, ARRAY_SIZE(many));
    small_2 = start_submit(&WANT(.name = "small"), 1);
    get = start_get(&(uint64_t){1}, 1, 0);
    faulty_vfs_set_room(40 * 1024);
    faulty_vfs_go();
    rig_await(get);
    ck_assert_ok(first);
    ck_assert_ok(small_1);
    ck_assert_err(large, AW_ERR_DISK_FULL);
    ck_assert_ok(small_2);
    ck_assert_int_eq(get->found[0].err, AW_OK);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 3);
    faulty_vfs_set_room(-1);
    rig_reopen();
    ck_assert_state(small_1->submitted[0].number, AW_QUEUED);
    ck_assert_state(small_2->submitted[0].number, AW_QUEUED);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 3);
}
END_TEST

START_TEST(one_that_is_wrong_does_not_take_the_others_along)
{
    struct want two[2] = {{.request = "0123456789abcdef"}};
    struct answer *good_1, *wrong, *good_2;

    ck_assert_ok(rig_submit(two, 1));
    faulty_vfs_hold();
    start_submit(&WANT(.name = "x"), 1);
    disk_await_held();
    good_1 = start_submit(&WANT(.name = "good"), 1);
    wrong = start_submit(two, 2);
    good_2 = start_submit(&WANT(.name = "good"), 1);
    faulty_vfs_go();
    rig_await(good_2);
    ck_assert_ok(good_1);
    ck_assert_err(wrong, AW_ERR_INVALID);
    ck_assert_ok(good_2);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 4);
}
END_TEST

/* ---- A broken disk ----------------------------------------------------------------------------
 */

static void assert_down(void)
{
    struct claimed c = claim_new(WANT(.name = "runs"));
    uint64_t waits = rig_queue(WANT(.name = "waits"));
    struct outcome o = outcome_exit(0);
    struct answer *submit, *finish, *cancel;

    faulty_vfs_break_writes(true);
    submit = rig_submit(&WANT(.name = "x"), 1);
    ck_assert_err(submit, AW_ERR_IN_DOUBT);
    ck_assert_int_eq(rig_await_note(NOTE_DOWN, 0)->err, AW_ERR_IN_DOUBT);
    faulty_vfs_break_writes(false);
    faulty_vfs_break_syncs(false);
    finish = rig_finish(&c, &o);
    ck_assert_err(finish, AW_ERR_IN_DOUBT);
    cancel = rig_cancel(&waits, 1, -1);
    ck_assert_err(cancel, AW_ERR_IN_DOUBT);
    ck_assert_err(rig_get(&waits, 1, 0), AW_ERR_IN_DOUBT);
    ck_assert_err(rig_claim(1), AW_ERR_IN_DOUBT);
    ck_assert_int_eq(rig_count(NOTE_DOWN), 1);
    ck_assert_int_eq(rig_count(NOTE_ENDED), 0);
    rig_reopen();
    ck_assert_state(c.number, AW_RUNNING);
    ck_assert_state(waits, AW_QUEUED);
    ck_assert_ok(rig_finish(&c, &o));
}

START_TEST(when_a_write_fails_nothing_is_believed_any_more)
{
    assert_down();
}
END_TEST

START_TEST(when_a_sync_fails_the_outcome_is_in_doubt)
{
    struct answer *r;

    rig_queue(WANT(.name = "x"));
    faulty_vfs_break_syncs(true);
    r = rig_submit(&WANT(.key = "k"), 1);
    ck_assert_err(r, AW_ERR_IN_DOUBT);
    rig_await_note(NOTE_DOWN, 0);
    faulty_vfs_break_syncs(false);
    ck_assert_err(rig_submit(&WANT(.key = "k"), 1), AW_ERR_IN_DOUBT);
    ck_assert_int_eq(rig_count(NOTE_DOWN), 1);
    rig_reopen();
    /* It may be there or not; asking again by key settles it. */
    ck_assert_ok(rig_submit(&WANT(.key = "k"), 1));
    ck_assert_ok(rig_submit(&WANT(.key = "k"), 1));
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 2);
}
END_TEST

START_TEST(an_engine_that_is_down_still_closes)
{
    struct answer *a, *b;

    faulty_vfs_break_syncs(true);
    a = start_submit(&WANT(.name = "x"), 1);
    b = start_submit(&WANT(.name = "y"), 1);
    rig_close();
    ck_assert_err(a, AW_ERR_IN_DOUBT);
    ck_assert_err(b, AW_ERR_IN_DOUBT);
}
END_TEST

/* Damages the page of a tree that holds `text`, in a store that is closed. */
static void damage_page_with(const char *text)
{
    char page[4096];
    FILE *f = fopen(disk_db(), "r+");
    int n_damaged = 0;

    disk_damaged();
    ck_assert_ptr_nonnull(f);
    for (long at = 0; fread(page, sizeof(page), 1, f) == 1; at += (long)sizeof(page)) {
        if (!memmem(page, sizeof(page), text, strlen(text)) || (page[0] != 10 && page[0] != 13))
            continue;
        memset(page, 0xee, 64);
        ck_assert_int_eq(fseek(f, at, SEEK_SET), 0);
        ck_assert_uint_eq(fwrite(page, sizeof(page), 1, f), 1);
        n_damaged++;
    }
    fclose(f);
    ck_assert_int_eq(n_damaged, 1);
}

START_TEST(damage_that_only_a_reader_meets_is_told_to_that_reader)
{
    struct claimed c = claim_new(WANT(.name = "x"));
    struct outcome o = outcome_exit(0);
    struct answer *r;

    o.output[STREAM_STDOUT] =
        (struct output){.size = 20, .data = bytes_str("a text on that page.")};
    ck_assert_ok(rig_finish(&c, &o));
    rig_close();
    damage_page_with("a text on that page.");
    rig_open();
    ck_assert_state(c.number, AW_SUCCEEDED);
    r = rig_output(c.number, 1, STREAM_STDOUT, 0, 100);
    ck_assert_err(r, AW_ERR_STORE);
    ck_assert_ptr_nonnull(strstr(r->err.text, "damaged"));
    rig_queue(WANT(.name = "y"));
    ck_assert_int_eq(rig_count(NOTE_DOWN), 0);
}
END_TEST

/* ---- Numbers, pages, crashes ------------------------------------------------------------------
 */

START_TEST(a_number_stays_used_whatever_else_is_forgotten_or_fails)
{
    uint64_t numbers[5];

    for (int i = 0; i < 5; i++)
        numbers[i] = rig_run_one(WANT(.name = "x"));
    ck_assert_ok(rig_forget(&numbers[4], 1));
    faulty_vfs_set_room(0);
    ck_assert_err(rig_submit(&WANT(.name = "y"), 1), AW_ERR_DISK_FULL);
    faulty_vfs_set_room(-1);
    ck_assert_ok(rig_forget(numbers, 1));
    rig_reopen();
    ck_assert_int_eq(rig_lookup(numbers[4]), AW_ERR_EXPIRED_ID);
    ck_assert_uint_gt(rig_queue(WANT(.name = "z")), numbers[4]);
}
END_TEST

START_TEST(a_page_that_matches_nothing_looks_at_so_many_jobs_only)
{
    static struct want many[1000];
    struct list_filter f = {.uid = -1, .limit = 10, .name = bytes_str("needle")};
    uint64_t needle = rig_queue(WANT(.name = "needle"));
    struct answer *r;

    for (int i = 0; i < 25; i++)
        ck_assert_ok(rig_submit(many, ARRAY_SIZE(many)));
    r = rig_list(f);
    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 0);
    ck_assert_uint_ne(r->next, 0);
    while (r->n == 0) {
        ck_assert_uint_ne(r->next, 0);
        f.before = r->next;
        r = rig_list(f);
    }
    ck_assert_uint_eq(r->records[0].number, needle);
}
END_TEST

/* Submits for ever, and tells each number once it was answered. */
static void submit_until_killed(int fd)
{
    rig_open();
    for (;;) {
        uint64_t number = rig_queue(WANT(.name = "x"));

        if (write(fd, &number, sizeof(number)) != sizeof(number))
            _exit(1);
    }
}

START_TEST(what_was_answered_before_a_crash_is_there_after_it)
{
    uint64_t number = 0, last = 0;
    int fds[2], n = 0, status;
    pid_t pid;

    rig_close();
    ck_assert_int_eq(pipe(fds), 0);
    pid = fork();
    if (pid == 0)
        submit_until_killed(fds[1]);
    close(fds[1]);
    while (n < 200 && read(fds[0], &number, sizeof(number)) == sizeof(number))
        n++;
    kill(pid, SIGKILL);
    while (read(fds[0], &number, sizeof(number)) == sizeof(number))
        n++;
    close(fds[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    rig_open();
    last = number;
    ck_assert_uint_ge(rig_stats().live[AW_QUEUED], (unsigned)n);
    ck_assert_uint_eq(last, (unsigned)n);
    for (number = 1; number <= last; number++)
        ck_assert_state(number, AW_QUEUED);
    ck_assert_uint_gt(rig_queue(WANT(.name = "y")), last);
}
END_TEST

static void add_disk_tests(Suite *suite)
{
    TCase *tc = tcase_create("a disk that fails");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_submit_is_refused_while_the_disk_is_full);
    tcase_add_test(tc, an_end_waits_until_there_is_room);
    tcase_add_test(tc, an_end_that_never_found_room_is_to_be_told_again_after_a_restart);
    tcase_add_test(tc, a_claim_that_finds_no_room_leaves_the_queue_as_it_was);
    tcase_add_test(tc, a_cancel_or_a_release_that_finds_no_room_changes_nothing);
    tcase_add_test(tc, a_job_whose_time_is_over_fails_once_there_is_room);
    tcase_add_test(tc, a_job_told_to_stop_while_its_end_waits_for_room_is_not_run_again);
    tcase_add_test(tc, a_job_whose_cancel_found_no_room_is_told_to_stop_once_it_runs);
    disk_backup_add(tc);
    disk_deps_add(tc);
    disk_offers_add(tc);
    disk_queues_add(tc);
    disk_sets_add(tc);
    no_memory_add(tc);
    tcase_add_test(tc, what_comes_during_a_commit_shares_the_next);
    tcase_add_test(tc, nothing_is_said_before_it_is_durable);
    tcase_add_test(tc, one_that_does_not_fit_does_not_take_the_others_along);
    tcase_add_test(tc, one_that_is_wrong_does_not_take_the_others_along);
    tcase_add_test(tc, when_a_write_fails_nothing_is_believed_any_more);
    tcase_add_test(tc, when_a_sync_fails_the_outcome_is_in_doubt);
    tcase_add_test(tc, an_engine_that_is_down_still_closes);
    tcase_add_test(tc, damage_that_only_a_reader_meets_is_told_to_that_reader);
    tcase_add_test(tc, a_number_stays_used_whatever_else_is_forgotten_or_fails);
    tcase_add_test(tc, a_page_that_matches_nothing_looks_at_so_many_jobs_only);
    tcase_add_test(tc, what_was_answered_before_a_crash_is_there_after_it);
    suite_add_tcase(suite, tc);
}

int main(void)
{
    Suite *suite = suite_create("engine, embedded");

    engine_contract_add(suite, &embedded);
    add_disk_tests(suite);
    return unit_run(suite);
}
