/* The engine's contract: sets as they are read: cursors, lists, times; and how sets go. */
#include "tests/unit/engine_contract.h"

#include <stdio.h>

#define S .name = bytes_str("s")

/* ---- Cursors ----------------------------------------------------------------------------------
 */

/* A set of n that have all ended. */
static void ended_set(size_t n)
{
    for (size_t i = 0; i < n; i++)
        rig_run_one(WANT(.name = "x", .set = "s"));
}

START_TEST(a_consumer_goes_on_where_it_was_done)
{
    struct answer *r;

    ended_set(4);
    r = rig_read((struct reading){S, .limit = 2});
    ck_assert_uint_eq(r->n, 2);
    ck_assert_uint_eq(r->page.cursor, 0);
    r = rig_read((struct reading){S, .limit = 2});
    ck_assert_uint_eq(r->page.first, 1);
    r = rig_read((struct reading){S, .ack = 2, .limit = 2});
    ck_assert_uint_eq(r->page.first, 3);
    ck_assert_uint_eq(r->n, 2);
    ck_assert_uint_eq(r->page.cursor, 2);
    rig_reopen();
    r = rig_read((struct reading){S});
    ck_assert_uint_eq(r->page.first, 3);
    ck_assert_uint_eq(r->n, 2);
    r = rig_read((struct reading){S, .ack = 4});
    ck_assert_uint_eq(r->n, 0);
    ck_assert_uint_eq(r->page.cursor, 4);
}
END_TEST

START_TEST(a_cursor_goes_neither_back_nor_beyond_the_end)
{
    struct answer *r;

    ended_set(2);
    rig_queue(WANT(.set = "s"));
    ck_assert_err(rig_set_read(((struct reading){S, .ack = 3})), AW_ERR_INVALID);
    ck_assert_uint_eq(rig_read((struct reading){S})->page.cursor, 0);
    ck_assert_uint_eq(rig_read((struct reading){S, .ack = 2})->page.cursor, 2);
    r = rig_read((struct reading){S, .ack = 1});
    ck_assert_uint_eq(r->page.cursor, 2);
    ck_assert_uint_eq(r->n, 0);
    ck_assert_err(rig_set_read(((struct reading){.name = bytes_str("t")})), AW_ERR_NO_SET);
}
END_TEST

START_TEST(consumers_do_not_disturb_each_other)
{
    struct answer *r;

    ended_set(3);
    rig_read((struct reading){S, .consumer = "one", .ack = 3});
    rig_read((struct reading){S, .ack = 1});
    r = rig_read((struct reading){S, .consumer = "two"});
    ck_assert_uint_eq(r->n, 3);
    ck_assert_uint_eq(r->page.cursor, 0);
    ck_assert_uint_eq(rig_read((struct reading){S, .consumer = "one"})->n, 0);
    ck_assert_uint_eq(rig_read((struct reading){S})->n, 2);
}
END_TEST

START_TEST(a_set_has_so_many_consumers_and_no_more)
{
    char name[16];

    ended_set(1);
    for (int i = 0; i < AW_MAX_CONSUMERS; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        rig_read((struct reading){S, .consumer = name, .ack = 1});
    }
    ck_assert_err(rig_set_read(((struct reading){S, .ack = 1})), AW_ERR_LIMIT);
    rig_read((struct reading){S});
    rig_read((struct reading){S, .consumer = "c0", .ack = 1});
}
END_TEST

START_TEST(a_place_can_be_read_again_whatever_the_cursor)
{
    struct answer *r;

    ended_set(3);
    rig_read((struct reading){S, .ack = 3});
    r = rig_set_read_at("s", 1, 1);
    ck_assert_uint_eq(r->page.first, 2);
    ck_assert_uint_eq(r->n, 1);
    ck_assert_uint_eq(rig_set_read_at("s", 3, 5)->n, 0);
    ck_assert_uint_eq(rig_set_read_at("s", 100, 5)->n, 0);
    ck_assert_uint_eq(rig_set_read_at("s", 0, 0)->n, 0);
}
END_TEST

START_TEST(looking_at_sets_writes_nothing)
{
    uint64_t commits;

    rig_await_first_look();
    ended_set(2);
    commits = rig_stats().commits;
    rig_read((struct reading){S});
    rig_set_status("s");
    ck_assert_ok(rig_set_show("s"));
    ck_assert_ok(rig_set_members("s", 0, 5));
    ck_assert_ok(rig_set_list((struct set_list_filter){.limit = 5}));
    ck_assert_uint_eq(rig_stats().commits, commits);
}
END_TEST

/* ---- Lists, times -----------------------------------------------------------------------------
 */

static void assert_names(struct set_list_filter filter, const char *names, bool more)
{
    struct answer *r = rig_set_list(filter);
    char got[64] = "";

    ck_assert_ok(r);
    for (size_t i = 0; i < r->n; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%.*s ",
                 (int)r->sets[i].status.name.len, (const char *)r->sets[i].status.name.data);
    ck_assert_str_eq(got, names);
    ck_assert_int_eq(r->more, more);
}

START_TEST(sets_are_listed_by_name_without_temporary_ones)
{
    static const char *const names[] = {"b", "ab", "a", "ac", "ab2"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_ok(rig_set_add(names[i], NULL, 0));
    ck_assert_ok(rig_set_add(NULL, NULL, 0));
    ck_assert_ok(rig_set_make((struct set_add){.uid = 7, .name = bytes_str("aa")}));
    assert_names((struct set_list_filter){.limit = 10}, "a ab ab2 ac b ", false);
    assert_names((struct set_list_filter){.limit = 2}, "a ab ", true);
    assert_names((struct set_list_filter){.limit = 2, .after = bytes_str("ab")}, "ab2 ac ", true);
    assert_names((struct set_list_filter){.limit = 2, .after = bytes_str("ac")}, "b ", false);
    assert_names((struct set_list_filter){.limit = 2, .prefix = bytes_str("ab")}, "ab ab2 ", false);
    assert_names(
        (struct set_list_filter){.limit = 2, .prefix = bytes_str("a"), .after = bytes_str("ab")},
        "ab2 ac ", false);
    assert_names((struct set_list_filter){.limit = 2, .prefix = bytes_str("x")}, "", false);
}
END_TEST

#define SECOND UINT64_C(1000000)

START_TEST(what_took_how_long_is_told_of_those_that_ran)
{
    uint64_t numbers[3], waits = rig_queue(WANT(.set = "s", .delay_ms = 100000));
    struct claimed *c = rig_three_running(numbers);
    struct outcome o = outcome_exit(0);
    struct answer *r;

    ck_assert_ok(rig_cancel(&waits, 1, -1));
    o.started_us = rig_record(numbers[0]).created_us + (int64_t)(50 * SECOND);
    o.ended_us = o.started_us + (int64_t)(20 * SECOND);
    ck_assert_ok(rig_finish(&c[0], &o));
    r = rig_set_show("s");
    ck_assert_ok(r);
    ck_assert_uint_eq(r->show.set.n_ended, 2);
    ck_assert_bytes_eq(r->show.set.name, "s");
    ck_assert_uint_eq(r->show.total.count, 2);
    ck_assert_uint_eq(r->show.queue_wait.count, 1);
    ck_assert_uint_eq(r->show.queue_wait.p50_us, 50 * SECOND);
    ck_assert_uint_eq(r->show.run.count, 1);
    ck_assert_uint_eq(r->show.run.max_us, 20 * SECOND);
    ck_assert_uint_eq(r->show.total.max_us, 70 * SECOND);
    ck_assert_uint_eq(rig_stats().run.max_us, 20 * SECOND);
    ck_assert_uint_eq(rig_stats().queue_wait.p99_us, 50 * SECOND);
    ck_assert_uint_eq(rig_stats().total.count, 2);
    ck_assert_uint_eq(rig_stats().first_result.count, 1);
    ck_assert_err(rig_set_show("t"), AW_ERR_NO_SET);
}
END_TEST

/* Of a job that had to wait for a time, only what came after that is a wait. */
START_TEST(a_delay_is_no_wait_in_the_queue)
{
    uint64_t number = rig_queue(WANT(.set = "s", .delay_ms = 50));
    struct outcome o = outcome_exit(0);
    struct claimed c;

    rig_await_note(NOTE_RUNNABLE, 0);
    c = rig_claim_one();
    o.started_us = rig_record(number).due_us + 1000;
    o.ended_us = o.started_us + 10;
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_uint_eq(rig_set_show("s")->show.queue_wait.max_us, 1000);
    ck_assert_uint_eq(rig_stats().queue_wait.max_us, 1000);
    ck_assert_uint_ge(rig_set_show("s")->show.total.max_us, 51010);
}
END_TEST

/* However many members there are, and whatever ends meanwhile: the numbers belong together. */
START_TEST(times_are_of_those_that_are_said_to_have_ended)
{
    static struct want wants[1000];
    struct outcome o = outcome_exit(0);
    struct answer *show, *finish;
    struct claimed c;

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        wants[i] = WANT(.set = "s");
    for (int i = 0; i < 6; i++)
        ck_assert_ok(rig_submit(wants, ARRAY_SIZE(wants)));
    rig_queue(WANT(.set = "s", .priority = 1));
    c = rig_claim_one();
    show = start_set_show("s");
    finish = start_finish(&c, &o);
    rig_await(finish);
    rig_await(show);
    ck_assert_ok(finish);
    ck_assert_uint_eq(show->show.set.n_members, 6001);
    ck_assert_uint_eq(show->show.total.count, show->show.set.n_ended);
    ck_assert_uint_eq(rig_set_show("s")->show.total.count, 1);
}
END_TEST

/* ---- How sets go ------------------------------------------------------------------------------
 */

START_TEST(a_set_that_is_forgotten_is_gone_at_once_and_its_members_stay)
{
    uint64_t numbers[3], id;
    struct claimed *c = rig_three_running(numbers);

    id = rig_set_get("s")->set.id;
    rig_read((struct reading){S});
    ck_assert_ok(rig_set_forget("s"));
    ck_assert_uint_eq(rig_stats().sets, 0);
    ck_assert_err(rig_set_get("s"), AW_ERR_NO_SET);
    ck_assert_err(rig_set_forget("s"), AW_ERR_NO_SET);
    ck_assert_ok(rig_set_add("s", &numbers[1], 1));
    ck_assert_uint_gt(rig_set_get("s")->set.id, id);
    rig_forget_notes();
    rig_exit(&c[0], 0);
    ck_assert_int_eq(rig_count(NOTE_SET), 0);
    rig_exit(&c[1], 0);
    rig_assert_completions(&numbers[1], 1);
    ck_assert_uint_eq(rig_read((struct reading){S})->page.cursor, 0);
}
END_TEST

/* Until no more than n are there. Nothing is asked of them meanwhile. */
static void await_sets(uint64_t n)
{
    while (rig_stats().sets > n)
        rig_turn();
}

START_TEST(a_temporary_set_goes_when_nobody_reads_it)
{
    char name[AW_MAX_SET_NAME + 1];
    struct answer *a, *b;
    uint64_t number = rig_queue(WANT(.name = "x"));

    rig.limits.set_idle_ms = 300;
    rig_reopen();
    a = rig_set_make((struct set_add){.numbers = &number, .n = 1});
    b = rig_set_make((struct set_add){.close = true});
    ck_assert_ok(a);
    ck_assert(a->set.status.temporary && b->set.status.temporary);
    ck_assert_int_eq(*(const char *)a->set.status.name.data, '~');
    ck_assert(!bytes_eq(a->set.status.name, b->set.status.name));
    snprintf(name, sizeof(name), "%.*s", (int)a->set.status.name.len,
             (const char *)a->set.status.name.data);
    rig_queue(WANT(.set = "stays"));
    ck_assert_uint_eq(rig_set_status(name).n_members, 1);
    rig_reopen();
    ck_assert_uint_eq(rig_stats().sets, 3);
    await_sets(1);
    ck_assert_err(rig_set_get(name), AW_ERR_NO_SET);
    ck_assert_err(rig_set_add(name, &number, 1), AW_ERR_NO_SET);
    ck_assert_uint_eq(rig_sets_of(number)->n, 0);
    ck_assert_state(number, AW_QUEUED);
}
END_TEST

/* How a set that was removed is told of: once, and nothing after it. */
static void assert_gone_told(struct bytes name)
{
    int n_gone = 0;

    for (size_t i = 0; i < rig.n_notes; i++) {
        const struct note *note = &rig.notes[i];

        if (note->kind != NOTE_SET || !bytes_eq(note->set.status.name, name))
            continue;
        ck_assert_int_eq(n_gone, 0);
        n_gone += note->set.gone;
    }
    ck_assert_int_eq(n_gone, 1);
}

START_TEST(that_a_set_is_gone_is_told_whatever_removed_it)
{
    struct answer *idle;
    uint64_t number = rig_queue(WANT(.set = "forgotten"));

    ck_assert(!rig_await_note(NOTE_SET, 0)->set.gone);
    ck_assert_ok(rig_set_forget("forgotten"));
    assert_gone_told(bytes_str("forgotten"));
    rig.limits.set_idle_ms = 100;
    rig.limits.retention_ms = 100;
    rig_reopen();
    ck_assert_ok(rig_set_add("complete", &number, 1));
    ck_assert_ok(rig_cancel(&number, 1, -1));
    ck_assert_ok(rig_set_close("complete"));
    idle = rig_set_make((struct set_add){0});
    await_sets(0);
    assert_gone_told(bytes_str("complete"));
    assert_gone_told(idle->set.status.name);
}
END_TEST

/* The one that is read outlives the one that is not. */
START_TEST(a_temporary_set_stays_while_it_is_read)
{
    struct answer *a, *b;
    struct reading read = {.consumer = "c"};

    rig.limits.set_idle_ms = 300;
    rig_reopen();
    a = rig_set_make((struct set_add){0});
    b = rig_set_make((struct set_add){0});
    read.name = a->set.status.name;
    while (rig_stats().sets == 2)
        ck_assert_ok(rig_set_read(read));
    read.name = b->set.status.name;
    ck_assert_err(rig_set_read(read), AW_ERR_NO_SET);
    await_sets(0);
}
END_TEST

START_TEST(a_complete_set_goes_in_its_time_and_an_open_one_stays)
{
    rig.limits.retention_ms = 100;
    rig_reopen();
    ended_set(1);
    ck_assert_ok(rig_set_add("open", NULL, 0));
    rig_queue(WANT(.set = "waits", .delay_ms = 1000000));
    ck_assert_ok(rig_set_close("waits"));
    ck_assert_ok(rig_set_close("s"));
    await_sets(2);
    ck_assert_err(rig_set_get("s"), AW_ERR_NO_SET);
    rig_set_status("open");
    ck_assert_ok(rig_set_close("open"));
    await_sets(1);
    rig_set_status("waits");
}
END_TEST

START_TEST(a_complete_set_whose_time_was_over_while_the_engine_was_closed_goes)
{
    ended_set(1);
    ck_assert_ok(rig_set_close("s"));
    rig.limits.retention_ms = 1;
    rig_reopen();
    ck_assert_uint_eq(rig_stats().sets, 1);
    await_sets(0);
}
END_TEST

/* ---- Many -------------------------------------------------------------------------------------
 */

#define MANY 10000

static void submit_many(void)
{
    static struct want wants[1000];

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        wants[i] = WANT(.set = "s");
    for (int i = 0; i < MANY / 1000; i++)
        ck_assert_ok(rig_submit(wants, ARRAY_SIZE(wants)));
}

static void finish_many(void)
{
    struct outcome o = outcome_exit(0);
    struct answer *claim, *last = NULL;

    for (size_t n = 0; n < MANY; n += claim->n) {
        claim = rig_claim(1000);
        ck_assert_uint_gt(claim->n, 0);
        for (size_t i = 0; i < claim->n; i++)
            last = start_finish(&claim->claims[i], &o);
        rig_await(last);
    }
}

/* Reads on, restarting now and then, and acknowledges what it saw; returns the number of reads. */
static int consume_many(bool seen[MANY + 1])
{
    uint64_t done = 0;
    int reads = 0;

    while (done < MANY) {
        struct answer *r = rig_read((struct reading){S, .ack = done});

        reads++;
        ck_assert_uint_eq(r->page.first, done + 1);
        for (size_t i = 0; i < r->n; i++) {
            uint64_t number = r->page.jobs[i].record.number;

            ck_assert_uint_le(number, MANY);
            ck_assert(!seen[number]);
            seen[number] = true;
        }
        done += r->n;
        if (reads % 4 == 0) {
            rig_reopen();
            done = rig_read((struct reading){S, .ack = done})->page.cursor;
        }
    }
    return reads;
}

START_TEST(ten_thousand_members_come_once_each_with_so_many_reads)
{
    static bool seen[MANY + 1];
    uint64_t place = 0;

    submit_many();
    ck_assert_uint_eq(rig_set_status("s").n_members, MANY);
    ck_assert_ok(rig_set_close("s"));
    rig_forget_notes();
    finish_many();
    for (size_t i = 0; i < rig.n_notes; i++)
        if (rig.notes[i].kind == NOTE_SET)
            ck_assert_uint_eq(rig.notes[i].place, ++place);
    ck_assert_uint_eq(place, MANY);
    ck_assert_int_eq(consume_many(seen), MANY / AW_MAX_PAGE);
    ck_assert_uint_eq(rig_set_show("s")->show.run.count, MANY);
    ck_assert_uint_eq(rig_set_show("s")->show.total.count, MANY);
}
END_TEST

void contract_sets_read_add(TCase *tc)
{
    tcase_add_test(tc, a_consumer_goes_on_where_it_was_done);
    tcase_add_test(tc, a_cursor_goes_neither_back_nor_beyond_the_end);
    tcase_add_test(tc, consumers_do_not_disturb_each_other);
    tcase_add_test(tc, a_set_has_so_many_consumers_and_no_more);
    tcase_add_test(tc, a_place_can_be_read_again_whatever_the_cursor);
    tcase_add_test(tc, looking_at_sets_writes_nothing);
    tcase_add_test(tc, sets_are_listed_by_name_without_temporary_ones);
    tcase_add_test(tc, what_took_how_long_is_told_of_those_that_ran);
    tcase_add_test(tc, a_delay_is_no_wait_in_the_queue);
    tcase_add_test(tc, times_are_of_those_that_are_said_to_have_ended);
    tcase_add_test(tc, a_set_that_is_forgotten_is_gone_at_once_and_its_members_stay);
    tcase_add_test(tc, a_temporary_set_goes_when_nobody_reads_it);
    tcase_add_test(tc, that_a_set_is_gone_is_told_whatever_removed_it);
    tcase_add_test(tc, a_temporary_set_stays_while_it_is_read);
    tcase_add_test(tc, a_complete_set_goes_in_its_time_and_an_open_one_stays);
    tcase_add_test(tc, a_complete_set_whose_time_was_over_while_the_engine_was_closed_goes);
    tcase_add_test(tc, ten_thousand_members_come_once_each_with_so_many_reads);
}
