/* The engine's contract: get, list, forget, pruning, output, counters. */
#include "tests/unit/engine_contract.h"

#include <stdio.h>

static struct answer *list(struct list_filter f)
{
    struct answer *r;

    if (!f.limit)
        f.limit = 1000;
    r = rig_list(f);
    ck_assert_ok(r);
    return r;
}

static void assert_listed(const struct answer *r, const uint64_t *numbers, size_t n)
{
    ck_assert_uint_eq(r->n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(r->records[i].number, numbers[i]);
}

/* ---- Get --------------------------------------------------------------------------------------
 */

START_TEST(a_number_that_was_never_issued_is_unknown)
{
    uint64_t number = rig_queue(WANT(.name = "x"));

    ck_assert_int_eq(rig_lookup(number + 1), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(rig_lookup(0), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(rig_lookup(INT64_MAX), AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(rig_lookup(UINT64_MAX), AW_ERR_UNKNOWN_ID);
}
END_TEST

START_TEST(a_number_whose_record_is_gone_is_expired)
{
    uint64_t number = rig_run_one(WANT(.name = "x"));

    ck_assert_ok(rig_forget(&number, 1));
    ck_assert_int_eq(rig_lookup(number), AW_ERR_EXPIRED_ID);
    rig_reopen();
    ck_assert_int_eq(rig_lookup(number), AW_ERR_EXPIRED_ID);
    ck_assert_int_eq(rig_lookup(number + 1), AW_ERR_UNKNOWN_ID);
}
END_TEST

START_TEST(several_are_answered_in_their_order_each_with_its_own_error)
{
    uint64_t gone = rig_run_one(WANT(.name = "gone")), a, b;
    struct answer *r;

    ck_assert_ok(rig_forget(&gone, 1));
    a = rig_queue(WANT(.name = "a"));
    b = rig_queue(WANT(.name = "b"));
    r = rig_get((uint64_t[]){b, 12345, gone, a, b}, 5, 0);
    ck_assert_uint_eq(r->n, 5);
    ck_assert_uint_eq(r->found[0].record.number, b);
    ck_assert_int_eq(r->found[1].err, AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(r->found[2].err, AW_ERR_EXPIRED_ID);
    ck_assert_uint_eq(r->found[3].record.number, a);
    ck_assert_uint_eq(r->found[4].record.number, b);
}
END_TEST

START_TEST(what_a_submit_answered_can_be_asked_for_at_once)
{
    struct answer *submit = start_submit(&WANT(.name = "x"), 1), *get;

    rig_await(submit);
    get = start_get(&submit->submitted[0].number, 1, 0);
    rig_await(get);
    ck_assert_int_eq(get->found[0].err, AW_OK);
}
END_TEST

/* ---- List -------------------------------------------------------------------------------------
 */

START_TEST(the_newest_are_listed_first)
{
    uint64_t a = rig_queue(WANT(.name = "a")), b = rig_queue(WANT(.name = "b"));
    struct answer *r = list((struct list_filter){.uid = -1});

    assert_listed(r, (uint64_t[]){b, a}, 2);
    ck_assert_uint_eq(r->next, 0);
    ck_assert(bytes_eq(r->records[0].spec, rig_spec(&WANT(.name = "b"))));
}
END_TEST

START_TEST(an_empty_engine_lists_nothing)
{
    struct answer *r = list((struct list_filter){.uid = -1});

    ck_assert_uint_eq(r->n, 0);
    ck_assert_uint_eq(r->next, 0);
}
END_TEST

START_TEST(a_list_can_be_of_some_states)
{
    uint64_t done = rig_run_one(WANT(.name = "x"));
    uint64_t runs = rig_queue(WANT(.name = "x"));
    uint64_t waits, later;

    rig_claim_one();
    waits = rig_queue(WANT(.name = "x"));
    later = rig_queue(WANT(.name = "x", .delay_ms = 3600 * 1000));
    assert_listed(list((struct list_filter){.uid = -1, .states = 1 << AW_RUNNING}), &runs, 1);
    assert_listed(list((struct list_filter){.uid = -1, .states = 1 << AW_SUCCEEDED}), &done, 1);
    assert_listed(list((struct list_filter){.uid = -1, .states = 1 << AW_SCHEDULED}), &later, 1);
    assert_listed(
        list((struct list_filter){.uid = -1, .states = 1 << AW_QUEUED | 1 << AW_SUCCEEDED}),
        (uint64_t[]){waits, done}, 2);
    assert_listed(list((struct list_filter){.uid = -1, .states = 1 << AW_CANCELLED}), NULL, 0);
}
END_TEST

START_TEST(a_job_whose_start_time_has_come_is_listed_as_queued)
{
    uint64_t number;
    struct answer *r;

    rig_forget_notes();
    number = rig_queue(WANT(.name = "x", .delay_ms = 30));
    rig_await_note(NOTE_RUNNABLE, 0);
    ck_assert_int_ge(now_us(), rig_record(number).due_us);
    r = list((struct list_filter){.uid = -1, .states = 1 << AW_QUEUED});
    assert_listed(r, &number, 1);
    ck_assert_int_eq(r->records[0].state, AW_QUEUED);
    assert_listed(list((struct list_filter){.uid = -1, .states = 1 << AW_SCHEDULED}), NULL, 0);
}
END_TEST

START_TEST(a_list_can_be_of_one_user)
{
    uint64_t mine = rig_queue(WANT(.name = "x", .uid = 1));
    uint64_t roots = rig_queue(WANT(.name = "x", .uid = 0));

    rig_queue(WANT(.name = "x", .uid = 2));
    assert_listed(list((struct list_filter){.uid = 1}), &mine, 1);
    assert_listed(list((struct list_filter){.uid = 0}), &roots, 1);
    ck_assert_uint_eq(list((struct list_filter){.uid = -1})->n, 3);
}
END_TEST

START_TEST(a_list_can_be_of_names_that_start_so)
{
    uint64_t a = rig_queue(WANT(.name = "build-a")), b = rig_queue(WANT(.name = "build-b"));
    uint64_t whole = rig_queue(WANT(.name = "build", .apart = true));

    rig_queue(WANT(.name = "test"));
    rig_queue(WANT(.priority = 1));
    assert_listed(list((struct list_filter){.uid = -1, .name = bytes_str("build")}),
                  (uint64_t[]){whole, b, a}, 3);
    assert_listed(list((struct list_filter){.uid = -1, .name = bytes_str("build-")}),
                  (uint64_t[]){b, a}, 2);
    assert_listed(list((struct list_filter){.uid = -1, .name = bytes_str("BUILD")}), NULL, 0);
}
END_TEST

/* Reads all pages; returns how many there were. */
static int read_pages(struct list_filter f, uint64_t *ret_numbers, size_t *ret_n)
{
    int pages = 0;

    *ret_n = 0;
    do {
        struct answer *r = list(f);

        ck_assert_uint_le(r->n, f.limit);
        ck_assert(r->next == 0 || f.before == 0 || r->next < f.before);
        for (size_t i = 0; i < r->n; i++)
            ret_numbers[(*ret_n)++] = r->records[i].number;
        f.before = r->next;
        pages++;
    } while (f.before);
    return pages;
}

START_TEST(page_after_page_gives_every_job_once)
{
    uint64_t numbers[25], listed[25];
    size_t n;

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        numbers[i] = rig_queue(WANT(.name = i % 2 ? "odd" : "even"));
    ck_assert_int_ge(read_pages((struct list_filter){.uid = -1, .limit = 4}, listed, &n), 7);
    ck_assert_uint_eq(n, 25);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(listed[i], numbers[24 - i]);
    read_pages((struct list_filter){.uid = -1, .limit = 4, .name = bytes_str("odd")}, listed, &n);
    ck_assert_uint_eq(n, 12);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(listed[i], numbers[23 - 2 * i]);
}
END_TEST

START_TEST(a_page_may_start_anywhere)
{
    uint64_t a = rig_queue(WANT(.name = "a"));

    rig_queue(WANT(.name = "b"));
    assert_listed(list((struct list_filter){.uid = -1, .before = a + 1}), &a, 1);
    assert_listed(list((struct list_filter){.uid = -1, .before = a}), NULL, 0);
    ck_assert_uint_eq(list((struct list_filter){.uid = -1, .before = INT64_MAX})->n, 2);
}
END_TEST

/* ---- Forget and prune -------------------------------------------------------------------------
 */

START_TEST(forgotten_jobs_are_gone_and_others_are_not)
{
    uint64_t ended = rig_run_one(WANT(.name = "x"));
    uint64_t runs = rig_queue(WANT(.name = "x"));
    uint64_t waits;
    struct answer *r;

    rig_claim_one();
    waits = rig_queue(WANT(.name = "x"));
    r = rig_forget((uint64_t[]){waits, ended, runs, 777, ended, 0}, 6);
    ck_assert_ok(r);
    ck_assert_int_eq(r->results[0].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(r->results[1].err, AW_OK);
    ck_assert_int_eq(r->results[2].err, AW_ERR_WRONG_STATE);
    ck_assert_int_eq(r->results[3].err, AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(r->results[4].err, AW_ERR_EXPIRED_ID);
    ck_assert_int_eq(r->results[5].err, AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(rig_lookup(ended), AW_ERR_EXPIRED_ID);
    ck_assert_state(runs, AW_RUNNING);
    ck_assert_state(waits, AW_QUEUED);
    ck_assert_int_eq(rig_count(NOTE_GONE), 1);
    ck_assert_uint_eq(rig_await_note(NOTE_GONE, ended)->gone.attempt, 1);
    ck_assert_uint_eq(rig_stats().kept, 0);
}
END_TEST

static uint64_t run_with_output(bool spooled)
{
    struct outcome o = outcome_exit(0);
    struct claimed c;

    rig_queue(WANT(.name = "x"));
    c = rig_claim_one();
    o.output[STREAM_STDOUT].size = 3;
    if (spooled)
        o.output[STREAM_STDOUT].spooled = true;
    else
        o.output[STREAM_STDOUT].data = bytes_str("abc");
    ck_assert_ok(rig_finish(&c, &o));
    return c.number;
}

START_TEST(whether_there_may_be_files_to_remove_is_said)
{
    uint64_t small = run_with_output(false), large = run_with_output(true), retried;
    struct outcome interrupted = outcome_interrupted(), o = outcome_exit(0);
    struct claimed c;

    retried = rig_queue(WANT(.name = "x", .retry_interrupted = true));
    c = rig_claim_one();
    interrupted.output[STREAM_STDERR].spooled = true;
    ck_assert_ok(rig_finish(&c, &interrupted));
    c = rig_claim_one();
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_ok(rig_forget((uint64_t[]){small, large, retried}, 3));
    ck_assert(!rig_await_note(NOTE_GONE, small)->gone.spooled);
    ck_assert(rig_await_note(NOTE_GONE, large)->gone.spooled);
    ck_assert(rig_await_note(NOTE_GONE, retried)->gone.spooled);
    ck_assert_uint_eq(rig_await_note(NOTE_GONE, retried)->gone.attempt, 2);
    ck_assert_uint_eq(rig_output(small, 1, STREAM_STDOUT, 0, 10)->data.len, 0);
}
END_TEST

/* Its only attempt has ended; the second never comes. */
START_TEST(files_of_an_attempt_go_with_a_job_that_is_cancelled_before_the_next)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .backoff_ms = 3600000));
    struct outcome failed = outcome_exit(1);
    struct claimed c = rig_claim_one();

    failed.output[STREAM_STDOUT].size = 1000000;
    failed.output[STREAM_STDOUT].spooled = true;
    ck_assert_ok(rig_finish(&c, &failed));
    ck_assert_ok(rig_cancel(&number, 1, -1));
    ck_assert_state(number, AW_CANCELLED);
    ck_assert_ok(rig_forget(&number, 1));
    ck_assert(rig_await_note(NOTE_GONE, number)->gone.spooled);
    ck_assert_uint_eq(rig_await_note(NOTE_GONE, number)->gone.attempt, 1);
}
END_TEST

START_TEST(so_they_do_when_it_is_pruned)
{
    uint64_t number = rig_queue(WANT(.max_attempts = 2, .backoff_ms = 3600000, .retention_ms = 1));
    struct outcome failed = outcome_exit(1);
    struct claimed c = rig_claim_one();

    failed.output[STREAM_STDERR].spooled = true;
    ck_assert_ok(rig_finish(&c, &failed));
    ck_assert_ok(rig_cancel(&number, 1, -1));
    ck_assert(rig_await_note(NOTE_GONE, number)->gone.spooled);
}
END_TEST

START_TEST(a_record_goes_when_its_time_is_over)
{
    uint64_t stays = rig_run_one(WANT(.name = "x"));
    uint64_t goes = rig_run_one(WANT(.name = "x", .retention_ms = 100));
    struct record r = rig_record(goes);

    ck_assert_int_ge(r.expires_us, r.ended_us + 100000);
    rig_await_note(NOTE_GONE, goes);
    ck_assert_int_ge(now_us(), r.expires_us);
    ck_assert_int_eq(rig_lookup(goes), AW_ERR_EXPIRED_ID);
    ck_assert_state(stays, AW_SUCCEEDED);
    ck_assert_uint_eq(rig_stats().kept, 1);
    ck_assert_uint_eq(rig_stats().pruned, 1);
}
END_TEST

START_TEST(the_record_of_a_cancelled_job_goes_in_its_time_too)
{
    uint64_t first = rig_run_one(WANT(.name = "x", .retention_ms = 100)), number;

    rig_await_note(NOTE_GONE, first);
    number = rig_queue(WANT(.name = "x", .retention_ms = 100));
    ck_assert_ok(rig_cancel(&number, 1, -1));
    rig_await_note(NOTE_GONE, number);
    ck_assert_int_eq(rig_lookup(number), AW_ERR_EXPIRED_ID);
}
END_TEST

START_TEST(a_record_whose_time_was_over_while_the_engine_was_closed_goes)
{
    uint64_t number = rig_run_one(WANT(.name = "x", .retention_ms = 1));

    rig_reopen();
    rig_await_note(NOTE_GONE, number);
    ck_assert_int_eq(rig_lookup(number), AW_ERR_EXPIRED_ID);
}
END_TEST

START_TEST(when_there_are_too_many_records_the_oldest_go)
{
    uint64_t numbers[8];

    rig.limits.max_kept = 5;
    rig_reopen();
    for (int i = 0; i < 8; i++)
        numbers[i] = rig_run_one(WANT(.name = "x"));
    while (rig_stats().kept > 5)
        rig_turn();
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(rig_lookup(numbers[i]), i < 3 ? AW_ERR_EXPIRED_ID : AW_OK);
    ck_assert_int_eq(rig_count(NOTE_GONE), 3);
}
END_TEST

START_TEST(what_has_not_ended_is_never_pruned)
{
    uint64_t waits = rig_queue(WANT(.name = "x", .retention_ms = 1, .priority = -1)), goes;

    rig.limits.max_kept = 0;
    rig_reopen();
    goes = rig_run_one(WANT(.name = "y"));
    rig_await_note(NOTE_GONE, goes);
    ck_assert_state(waits, AW_QUEUED);
}
END_TEST

/* ---- Output -----------------------------------------------------------------------------------
 */

START_TEST(output_can_be_read_in_pieces)
{
    struct outcome o = outcome_exit(0);
    struct claimed c;

    rig_queue(WANT(.name = "x"));
    c = rig_claim_one();
    o.output[STREAM_STDOUT] = (struct output){.size = 10, .data = bytes_str("0123456789")};
    o.output[STREAM_STDERR] = (struct output){.size = 4, .data = bytes_of("e\0\n\xff", 4)};
    ck_assert_ok(rig_finish(&c, &o));
    for (int reopened = 0; reopened < 2; reopened++) {
        struct bytes err = rig_output(c.number, 1, STREAM_STDERR, 0, 100)->data;

        ck_assert_bytes_eq(rig_output(c.number, 1, STREAM_STDOUT, 0, 4)->data, "0123");
        ck_assert_bytes_eq(rig_output(c.number, 1, STREAM_STDOUT, 4, 100)->data, "456789");
        ck_assert_uint_eq(rig_output(c.number, 1, STREAM_STDOUT, 10, 100)->data.len, 0);
        ck_assert_uint_eq(rig_output(c.number, 1, STREAM_STDOUT, UINT64_MAX, 1)->data.len, 0);
        ck_assert(bytes_eq(err, bytes_of("e\0\n\xff", 4)));
        rig_reopen();
    }
}
END_TEST

START_TEST(there_is_no_output_of_what_wrote_none)
{
    uint64_t number = rig_run_one(WANT(.name = "x"));

    for (int stream = 0; stream < N_STREAMS; stream++) {
        ck_assert_ok(rig_output(number, 1, stream, 0, 100));
        ck_assert_uint_eq(rig_output(number, 1, stream, 0, 100)->data.len, 0);
    }
    ck_assert_uint_eq(rig_output(number, 2, STREAM_STDOUT, 0, 100)->data.len, 0);
    ck_assert_uint_eq(rig_output(9999, 1, STREAM_STDOUT, 0, 100)->data.len, 0);
}
END_TEST

/* ---- Counters ---------------------------------------------------------------------------------
 */

START_TEST(the_counters_add_up)
{
    struct outcome bad = outcome_exit(1);
    uint64_t cancelled;
    struct claimed c;
    struct engine_stats s;

    rig_run_one(WANT(.name = "x", .key = "k"));
    rig_queue(WANT(.name = "x", .key = "k"));
    rig_queue(WANT(.name = "x"));
    c = rig_claim_one();
    ck_assert_ok(rig_finish(&c, &bad));
    cancelled = rig_queue(WANT(.name = "x"));
    ck_assert_ok(rig_cancel(&cancelled, 1, -1));
    rig_queue(WANT(.name = "runs"));
    rig_claim_one();
    rig_queue(WANT(.name = "waits"));
    rig_queue(WANT(.name = "later", .delay_ms = 3600 * 1000));
    s = rig_stats();
    ck_assert_uint_eq(s.submitted, 6);
    ck_assert_uint_eq(s.deduplicated, 1);
    ck_assert_uint_eq(s.succeeded, 1);
    ck_assert_uint_eq(s.failed, 1);
    ck_assert_uint_eq(s.cancelled, 1);
    ck_assert_uint_eq(s.kept, 3);
    ck_assert_uint_eq(s.live[AW_SCHEDULED], 1);
    ck_assert_uint_eq(s.live[AW_BLOCKED], 0);
    ck_assert_uint_eq(s.live[AW_QUEUED], 1);
    ck_assert_uint_eq(s.live[AW_RUNNING], 1);
    ck_assert_uint_gt(s.commits, 0);
    ck_assert_uint_gt(s.store_bytes, 0);
    ck_assert(!s.disk_full);
    rig_reopen();
    s = rig_stats();
    ck_assert_uint_eq(s.kept, 3);
    ck_assert_uint_eq(s.live[AW_SCHEDULED], 1);
    ck_assert_uint_eq(s.live[AW_QUEUED], 1);
    ck_assert_uint_eq(s.live[AW_RUNNING], 1);
}
END_TEST

START_TEST(reading_commits_nothing)
{
    uint64_t number, before;

    rig_await_first_look();
    number = rig_queue(WANT(.name = "x"));
    before = rig_stats().commits;
    rig_record(number);
    list((struct list_filter){.uid = -1});
    ck_assert_uint_eq(rig_stats().commits, before);
}
END_TEST

/* ---- Calls from callbacks ---------------------------------------------------------------------
 */

static struct answer *asked;

static void ask(uint64_t number)
{
    asked = start_get(&number, 1, 0);
}

START_TEST(what_is_asked_while_the_engine_closes_is_still_answered)
{
    struct outcome o = outcome_exit(0);
    struct claimed c;

    rig_queue(WANT(.name = "x"));
    c = rig_claim_one();
    asked = NULL;
    rig.on_ended = ask;
    start_finish(&c, &o);
    rig_close();
    ck_assert_ptr_nonnull(asked);
    ck_assert_int_eq(asked->times, 1);
    ck_assert_ok(asked);
    ck_assert_int_eq(asked->found[0].record.state, AW_SUCCEEDED);
}
END_TEST

void contract_records_add(TCase *tc)
{
    tcase_add_test(tc, a_number_that_was_never_issued_is_unknown);
    tcase_add_test(tc, a_number_whose_record_is_gone_is_expired);
    tcase_add_test(tc, several_are_answered_in_their_order_each_with_its_own_error);
    tcase_add_test(tc, what_a_submit_answered_can_be_asked_for_at_once);
    tcase_add_test(tc, the_newest_are_listed_first);
    tcase_add_test(tc, an_empty_engine_lists_nothing);
    tcase_add_test(tc, a_list_can_be_of_some_states);
    tcase_add_test(tc, a_job_whose_start_time_has_come_is_listed_as_queued);
    tcase_add_test(tc, a_list_can_be_of_one_user);
    tcase_add_test(tc, a_list_can_be_of_names_that_start_so);
    tcase_add_test(tc, page_after_page_gives_every_job_once);
    tcase_add_test(tc, a_page_may_start_anywhere);
    tcase_add_test(tc, forgotten_jobs_are_gone_and_others_are_not);
    tcase_add_test(tc, whether_there_may_be_files_to_remove_is_said);
    tcase_add_test(tc, files_of_an_attempt_go_with_a_job_that_is_cancelled_before_the_next);
    tcase_add_test(tc, so_they_do_when_it_is_pruned);
    tcase_add_test(tc, a_record_goes_when_its_time_is_over);
    tcase_add_test(tc, the_record_of_a_cancelled_job_goes_in_its_time_too);
    tcase_add_test(tc, a_record_whose_time_was_over_while_the_engine_was_closed_goes);
    tcase_add_test(tc, when_there_are_too_many_records_the_oldest_go);
    tcase_add_test(tc, what_has_not_ended_is_never_pruned);
    tcase_add_test(tc, output_can_be_read_in_pieces);
    tcase_add_test(tc, there_is_no_output_of_what_wrote_none);
    tcase_add_test(tc, the_counters_add_up);
    tcase_add_test(tc, reading_commits_nothing);
    tcase_add_test(tc, what_is_asked_while_the_engine_closes_is_still_answered);
}
