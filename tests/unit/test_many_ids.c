/* Requests of many IDs, which are worked on in slices: when, between whom, and for how long. */
#include "tests/unit/dispatch_rig.h"

#include <stdio.h>

#include "daemon/ops/results.h"
#include "daemon/ops/statuses.h"
#include "proto/future_id.h"
#include "tests/unit/faulty_alloc.h"
#include "tests/unit/unit.h"

#define MANY   2500 /* two slices and a half */
#define SLICES 3

/* What is asked for: IDs in no order, and among them others' and such as are not there. */
static struct {
    struct bytes v[AW_MAX_IDS];
    char text[AW_MAX_IDS][AW_MAX_ID];
} ids;

static bool is_foreign(size_t i)
{
    return i % 7 == 3;
}

static uint64_t number_at(size_t i)
{
    uint64_t number = 1 + i * 7919 % 10007;

    return i % 11 == 5 ? RIG_UNKNOWN + number : number;
}

static void setup(void)
{
    for (size_t i = 0; i < AW_MAX_IDS; i++)
        ids.v[i] =
            bytes_of(ids.text[i], future_id_format(ids.text[i], is_foreign(i) ? "zzzzz" : RIG_TAG,
                                                   number_at(i)));
    dispatch_setup();
}

static struct request_call *ask_status(unsigned client, size_t n)
{
    return ask(client, OP_STATUS, &(struct status_req){{ids.v, n}});
}

static struct request_call *ask_wait(unsigned client, size_t n)
{
    struct wait_req req;

    codec_defaults(op_info(OP_WAIT)->req, &req);
    req.ids = (struct strv){ids.v, n};
    return ask(client, OP_WAIT, &req);
}

static struct request_call *ask_cancel(unsigned client, size_t n)
{
    return ask(client, OP_CANCEL, &(struct cancel_req){{ids.v, n}, -1});
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void read_answer(struct request_call *r, enum op op, void *rep)
{
    ck_assert_uint_eq(r->n_answers, 1);
    ck_assert_msg(r->reply.err == 0, "%.*s", (int)r->reply.message.len,
                  (const char *)r->reply.message.data);
    ck_assert_int_eq(codec_read(&r->doc, op_info(op)->rep, rep, NULL), AW_OK);
}

static enum aw_err error_at(size_t i)
{
    if (is_foreign(i))
        return AW_ERR_FOREIGN_ID;
    return number_at(i) >= RIG_UNKNOWN || rig_is_others(number_at(i)) ? AW_ERR_UNKNOWN_ID : AW_OK;
}

static void id_is_right(struct bytes id, uint64_t err, size_t i)
{
    ck_assert_bytes_eq(id, ids.text[i]);
    ck_assert_uint_eq(err, (uint64_t)error_at(i));
}

/* Read from the answer of that number on, a slice from each. */
static void statuses_are_right(const struct job_status *jobs, size_t n, size_t first_answer)
{
    char key[32];

    for (size_t i = 0; i < n; i++) {
        id_is_right(jobs[i].id, jobs[i].err, i);
        if (jobs[i].err)
            continue;
        snprintf(key, sizeof(key), "job %llu", (unsigned long long)number_at(i));
        ck_assert_bytes_eq(jobs[i].key, key);
        ck_assert_int_eq(jobs[i].state, AW_SUCCEEDED);
        ck_assert_uint_eq(jobs[i].created_us, first_answer + i / STATUSES_SLICE);
    }
}

static void failed_with(const struct request_call *r, enum aw_err err)
{
    ck_assert_uint_eq(r->n_answers, 1);
    ck_assert_uint_eq(r->reply.err, (uint64_t)err);
}

static const struct aw_error damaged = {AW_ERR_STORE, 0, "a damaged page"};

/* ---- status ---------------------------------------------------------------------------------- */

START_TEST(so_many_are_read_at_once)
{
    struct request_call *r = ask_status(0, STATUSES_SLICE);
    struct status_rep rep;

    ck_assert_uint_eq(rig.n_asked, 1);
    engine_answer(NULL);
    read_answer(r, OP_STATUS, &rep);
    ck_assert_uint_eq(rep.jobs.n, STATUSES_SLICE);
    statuses_are_right(rep.jobs.v, rep.jobs.n, 1);
}
END_TEST

START_TEST(more_are_read_a_slice_after_the_other)
{
    struct request_call *r = ask_status(0, MANY);
    struct status_rep rep;

    for (size_t left = MANY; left;) {
        const struct asked *a = &rig.asked[rig.n_answered];

        ck_assert_uint_eq(r->n_answers, 0);
        ck_assert_uint_eq(rig.n_asked, rig.n_answered + 1);
        ck_assert_uint_eq(a->n, MIN(left, (size_t)STATUSES_SLICE));
        ck_assert_uint_eq(a->numbers[0], number_at(MANY - left));
        left -= a->n;
        engine_answer(NULL);
    }
    ck_assert_uint_eq(rig.n_asked, SLICES);
    read_answer(r, OP_STATUS, &rep);
    ck_assert_uint_eq(rep.jobs.n, MANY);
    statuses_are_right(rep.jobs.v, rep.jobs.n, 1);
}
END_TEST

START_TEST(one_more_than_a_slice_is_two)
{
    struct request_call *r = ask_status(0, STATUSES_SLICE + 1);
    struct status_rep rep;

    engine_answer(NULL);
    ck_assert_uint_eq(rig.asked[1].n, 1);
    engine_answer(NULL);
    read_answer(r, OP_STATUS, &rep);
    ck_assert_uint_eq(rep.jobs.n, STATUSES_SLICE + 1);
    statuses_are_right(rep.jobs.v, rep.jobs.n, 1);
}
END_TEST

START_TEST(who_asks_behind_many_does_not_wait_for_all_of_them)
{
    struct request_call *many = ask_status(0, AW_MAX_IDS), *one = ask_status(1, 1);
    struct status_rep rep;

    engine_answer(NULL);
    ck_assert_uint_eq(one->n_answers, 0);
    engine_answer(NULL);
    read_answer(one, OP_STATUS, &rep);
    statuses_are_right(rep.jobs.v, 1, 2);
    for (size_t i = 1; i < AW_MAX_IDS / STATUSES_SLICE; i++) {
        ck_assert_uint_eq(many->n_answers, 0);
        one = ask_status(1, 1);
        engine_answer(NULL);
        ck_assert_uint_eq(one->n_answers, 0);
        engine_answer(NULL);
        ck_assert_uint_eq(one->n_answers, 1);
    }
    read_answer(many, OP_STATUS, &rep);
    ck_assert_uint_eq(rep.jobs.n, AW_MAX_IDS);
    for (size_t i = 0; i < AW_MAX_IDS; i++)
        id_is_right(rep.jobs.v[i].id, rep.jobs.v[i].err, i);
}
END_TEST

START_TEST(two_who_ask_for_many_take_turns)
{
    struct request_call *first = ask_status(0, MANY), *second = ask_status(1, MANY);

    for (size_t i = 0; i < 2 * SLICES; i++) {
        ck_assert_uint_eq(rig.asked[i].numbers[0], number_at(i / 2 * STATUSES_SLICE));
        ck_assert_uint_eq(first->n_answers + second->n_answers, i == 2 * SLICES - 1);
        engine_answer(NULL);
    }
    ck_assert_uint_eq(second->n_answers, 1);
}
END_TEST

/* After _i slices: the next one is being read, and no other will be. */
START_TEST(whose_client_goes_is_read_no_further)
{
    const struct request_call *r = ask_status(0, MANY);

    for (int i = 0; i < _i; i++)
        engine_answer(NULL);
    all_go();
    ck_assert(r->dropped);
    ck_assert_uint_eq(rig.n_bodies, 1); /* args of the request are in it */
    engine_answer(NULL);
    nothing_is_left();
    ck_assert_uint_eq(rig.n_asked, (size_t)_i + 1);
    ck_assert_uint_eq(r->n_answers, 0);
}
END_TEST

START_TEST(an_engine_that_fails_ends_it)
{
    const struct request_call *r = ask_status(0, MANY);

    for (int i = 0; i < _i; i++)
        engine_answer(NULL);
    engine_answer(&damaged);
    failed_with(r, AW_ERR_STORE);
    ck_assert_uint_eq(rig.n_asked, (size_t)_i + 1);
}
END_TEST

START_TEST(what_no_message_can_hold_is_read_no_further)
{
    static char text[AW_MAX_MESSAGE_TEXT * 3];
    const struct request_call *r;

    memset(text, 'x', sizeof(text));
    rig.message = bytes_of(text, sizeof(text));
    r = ask_status(0, AW_MAX_IDS);
    engine_answer_all();
    failed_with(r, AW_ERR_TOO_LARGE);
    ck_assert_uint_lt(rig.n_asked, AW_MAX_IDS / STATUSES_SLICE);
}
END_TEST

/* Each time another place has none. At the end there was enough for all of it. */
START_TEST(without_memory_it_fails_as_a_whole)
{
    struct request_call *r;
    struct status_rep rep;
    unsigned nth = 0;

    do {
        for (size_t i = 0; i < rig.n_asked; i++)
            rig.asked[i] = (struct asked){0};
        rig.n_asked = rig.n_answered = 0;
        faulty_alloc_at(++nth);
        r = ask_status(0, MANY);
        engine_answer_all();
        faulty_alloc_at(0);
        ck_assert_uint_eq(r->n_answers, 1);
        ck_assert_uint_eq(rig.n_bodies, 0);
        if (r->reply.err)
            failed_with(r, AW_ERR_NO_MEMORY);
    } while (r->reply.err);
    read_answer(r, OP_STATUS, &rep);
    ck_assert_uint_ge(nth, 2 * SLICES + 2);
    statuses_are_right(rep.jobs.v, rep.jobs.n, 1);
}
END_TEST

/* ---- wait ------------------------------------------------------------------------------------ */

START_TEST(a_wait_that_is_over_is_answered_in_slices)
{
    struct request_call *r = ask_wait(0, MANY), *one;
    struct wait_rep rep;

    engine_answer(NULL); /* that all have ended */
    one = ask_status(1, 1);
    engine_answer(NULL);
    ck_assert_uint_eq(one->n_answers, 0);
    engine_answer(NULL);
    ck_assert_uint_eq(one->n_answers, 1);
    ck_assert_uint_eq(r->n_answers, 0);
    engine_answer_all();
    ck_assert_uint_eq(rig.n_asked, 1 + SLICES + 1);
    read_answer(r, OP_WAIT, &rep);
    ck_assert(rep.done);
    ck_assert_uint_eq(rep.n_total, MANY);
    ck_assert_uint_eq(rep.n_ended, MANY);
    ck_assert_uint_eq(rep.jobs.n, MANY);
    for (size_t i = 0; i < MANY; i++) {
        id_is_right(rep.jobs.v[i].id, rep.jobs.v[i].err, i);
        rep.n_failed -= rep.jobs.v[i].err != 0;
    }
    ck_assert_uint_eq(rep.n_failed, 0);
}
END_TEST

START_TEST(a_wait_whose_client_goes_is_read_no_further)
{
    const struct request_call *r = ask_wait(0, MANY);

    for (int i = 0; i < _i; i++)
        engine_answer(NULL);
    all_go();
    ck_assert(r->dropped);
    engine_answer(NULL);
    nothing_is_left();
    ck_assert_uint_eq(rig.n_asked, (size_t)_i + 1);
}
END_TEST

START_TEST(a_wait_ends_with_the_daemon)
{
    const struct request_call *r = ask_wait(0, MANY);

    for (int i = 0; i < _i; i++)
        engine_answer(NULL);
    dispatch_fail_parked(&rig.srv);
    failed_with(r, AW_ERR_STOPPING);
    engine_answer(NULL);
    ck_assert_uint_eq(rig.n_asked, (size_t)_i + 1);
    ck_assert_uint_eq(r->n_answers, 1);
}
END_TEST

/* ---- cancel, and what else does something to each -------------------------------------------- */

START_TEST(many_are_cancelled_a_slice_after_the_other)
{
    struct request_call *r = ask_cancel(0, MANY), *one;
    struct cancel_rep rep;
    size_t n = 0;

    engine_answer(NULL); /* whose they are */
    for (size_t i = 0; i < MANY; i++)
        n += !error_at(i);
    ck_assert_uint_eq(rig.asked[1].n, MANY_SLICE);
    one = ask_status(1, 1);
    engine_answer(NULL);
    ck_assert_uint_eq(one->n_answers, 0);
    engine_answer(NULL);
    ck_assert_uint_eq(one->n_answers, 1);
    ck_assert_uint_eq(r->n_answers, 0);
    ck_assert_uint_eq(rig.n_cancelled, MANY_SLICE);
    engine_answer_all();
    ck_assert_uint_eq(rig.n_cancelled, n);
    read_answer(r, OP_CANCEL, &rep);
    ck_assert_uint_eq(rep.jobs.n, MANY);
    for (size_t i = 0; i < MANY; i++) {
        id_is_right(rep.jobs.v[i].id, rep.jobs.v[i].err, i);
        if (!rep.jobs.v[i].err)
            ck_assert_int_eq(rep.jobs.v[i].state, AW_CANCELLED);
    }
}
END_TEST

START_TEST(what_was_asked_for_is_done_though_the_client_goes)
{
    const struct request_call *r = ask_cancel(0, MANY);
    size_t n = 0;

    for (int i = 0; i < _i; i++)
        engine_answer(NULL);
    all_go();
    ck_assert(r->dropped);
    engine_answer_all();
    nothing_is_left();
    for (size_t i = 0; i < MANY; i++)
        n += !error_at(i);
    ck_assert_uint_eq(rig.n_cancelled, n);
}
END_TEST

START_TEST(a_slice_that_fails_is_the_last_one)
{
    const struct request_call *r = ask_cancel(0, MANY);

    for (int i = 0; i < _i; i++)
        engine_answer(NULL);
    engine_answer(&damaged);
    failed_with(r, AW_ERR_STORE);
    ck_assert_uint_eq(rig.n_asked, (size_t)_i + 1);
    ck_assert_uint_eq(rig.n_cancelled, _i > 1 ? MANY_SLICE : 0);
}
END_TEST

static TCase *case_of(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_checked_fixture(tc, setup, dispatch_teardown);
    suite_add_tcase(suite, tc);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("many IDs");
    TCase *tc = case_of(suite, "status");

    tcase_add_test(tc, so_many_are_read_at_once);
    tcase_add_test(tc, more_are_read_a_slice_after_the_other);
    tcase_add_test(tc, one_more_than_a_slice_is_two);
    tcase_add_test(tc, who_asks_behind_many_does_not_wait_for_all_of_them);
    tcase_add_test(tc, two_who_ask_for_many_take_turns);
    tcase_add_loop_test(tc, whose_client_goes_is_read_no_further, 0, SLICES);
    tcase_add_loop_test(tc, an_engine_that_fails_ends_it, 0, SLICES);
    tcase_add_test(tc, what_no_message_can_hold_is_read_no_further);
    tcase_add_test(tc, without_memory_it_fails_as_a_whole);
    tc = case_of(suite, "wait");
    tcase_add_test(tc, a_wait_that_is_over_is_answered_in_slices);
    tcase_add_loop_test(tc, a_wait_whose_client_goes_is_read_no_further, 0, SLICES + 1);
    tcase_add_loop_test(tc, a_wait_ends_with_the_daemon, 0, SLICES + 1);
    tc = case_of(suite, "cancel");
    tcase_add_test(tc, many_are_cancelled_a_slice_after_the_other);
    tcase_add_loop_test(tc, what_was_asked_for_is_done_though_the_client_goes, 0, 3);
    tcase_add_loop_test(tc, a_slice_that_fails_is_the_last_one, 0, 3);
    return unit_run(suite);
}
