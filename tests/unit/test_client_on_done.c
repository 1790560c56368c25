/* libaw: callbacks of futures, and what they go through. */
#include "tests/unit/loop_rig.h"

#include <sched.h>

/* ---- Callbacks --------------------------------------------------------------------------- */

START_TEST(callbacks_come_in_the_order_of_completion_and_from_process_only)
{
    struct world *world = world_start(5);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(5);
    size_t pending;

    watch_all(client, 5, r);
    turn_until(client, world, OP_SET_READ, 1);
    world_end(world, 4, 4, AW_FAILED);
    world_end(world, 2, 2, AW_SUCCEEDED);
    ck_assert(is_readable(client, LONG_MS));
    ck_assert_uint_eq(r->n, 0);
    while (r->n < 2)
        ck_assert_int_eq(aw_client_process(client, LONG_MS, &pending, NULL), AW_OK);
    ck_assert_uint_eq(r->numbers[0], 4);
    ck_assert_int_eq(r->states[0], AW_FAILED);
    ck_assert_uint_eq(r->numbers[1], 2);
    ck_assert_uint_eq(pending, 3);
    world_end(world, 1, 1, AW_SUCCEEDED);
    world_end(world, 3, 3, AW_CANCELLED);
    world_end(world, 5, 5, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 5);
    ck_assert_uint_eq(r->numbers[2], 1);
    ck_assert_int_eq(r->states[3], AW_CANCELLED);
    close_all(client, r, world);
}
END_TEST

static void *end_in_steps(void *arg)
{
    for (unsigned i = 0; i < 10000; i += 500)
        world_end(arg, i + 1, i + 500, AW_SUCCEEDED);
    return NULL;
}

START_TEST(ten_thousand_completions_take_a_few_dozen_messages)
{
    enum { N = 10000 };
    struct world *world = world_start(N);
    struct aw_client *client = client_at(world_path(world));
    struct aw_future **futures = calloc(N, sizeof(struct aw_future *));
    struct aw_job *jobs = calloc(1000, sizeof(*jobs));
    struct record *r = record_new(N);
    bool *seen = calloc(N + 1, sizeof(*seen));
    char *argv[] = {(char *)"true", NULL};
    pthread_t ender;

    for (unsigned i = 0; i < 1000; i++) {
        aw_job_init(&jobs[i]);
        jobs[i].argv = argv;
    }
    for (unsigned i = 0; i < N; i += 1000)
        ck_assert_int_eq(aw_submit(client, jobs, 1000, futures + i, NULL), AW_OK);
    for (unsigned i = 0; i < N; i++)
        ck_assert_int_eq(aw_future_on_done(futures[i], record, r, NULL), AW_OK);
    pthread_create(&ender, NULL, end_in_steps, world);
    drive(client);
    pthread_join(ender, NULL);
    ck_assert_uint_eq(r->n, N);
    for (unsigned i = 0; i < N; i++) {
        ck_assert(!seen[r->numbers[i]]);
        seen[r->numbers[i]] = true;
        aw_future_unref(futures[i]);
    }
    ck_assert_uint_eq(world_count(world, OP_SET_ADD), 1);
    ck_assert_uint_le(world_count(world, OP_SET_READ), 20 + 1);
    ck_assert_uint_eq(world_count(world, OP_STATUS), 0);
    aw_client_close(client);
    free(seen);
    free(jobs);
    free(futures);
    record_free(r);
    world_stop(world);
}
END_TEST

START_TEST(one_that_has_ended_already_calls_back_from_process_too)
{
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(4);
    struct aw_future *future;

    future = future_of(client, 1);
    world_end(world, 1, 2, AW_SUCCEEDED);
    ck_assert_int_eq(aw_future_on_done(future, record, r, NULL), AW_OK);
    watch(client, 2, r); /* known to have ended by the lookup */
    ck_assert_uint_eq(r->n, 0);
    drive(client);
    ck_assert_uint_eq(r->n, 2);
    /* And again, by the same handle, and by one that does not know it. */
    ck_assert_int_eq(aw_future_on_done(future, record, r, NULL), AW_OK);
    drive(client);
    ck_assert_uint_eq(r->n, 3);
    ck_assert_uint_eq(r->numbers[2], 1);
    aw_future_unref(future);
    close_all(client, r, world);
}
END_TEST

START_TEST(two_handles_of_one_future_both_call_back)
{
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(4);
    struct aw_future *first = future_of(client, 1), *second = future_of(client, 1);

    ck_assert_int_eq(aw_future_on_done(first, record, r, NULL), AW_OK);
    watch(client, 2, r);
    turn_until(client, world, OP_SET_READ, 1);
    world_end(world, 1, 1, AW_SUCCEEDED);
    while (r->n < 1)
        ck_assert_int_eq(aw_client_process(client, LONG_MS, NULL, NULL), AW_OK);
    /* It is a member of the set, and its completion has been read: that is no reason to wait. */
    ck_assert_int_eq(aw_future_on_done(second, record, r, NULL), AW_OK);
    while (r->n < 2)
        ck_assert_int_eq(aw_client_process(client, LONG_MS, NULL, NULL), AW_OK);
    ck_assert_uint_eq(r->numbers[1], 1);
    world_end(world, 2, 2, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 3);
    aw_future_unref(first);
    aw_future_unref(second);
    close_all(client, r, world);
}
END_TEST

START_TEST(several_callbacks_of_one_future_come_in_their_order)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world));
    struct record *r[3] = {record_new(1), record_new(1), record_new(1)};

    for (int i = 0; i < 3; i++)
        watch(client, 1, r[i]);
    settle(client);
    world_end(world, 1, 1, AW_SUCCEEDED);
    drive(client);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(r[i]->n, 1);
        record_free(r[i]);
    }
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(a_future_whose_record_is_gone_calls_back_with_the_error)
{
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(2);

    watch(client, 1, r);
    watch(client, 2, r);
    world_end(world, 1, 1, AW_SUCCEEDED);
    world_prune(world, 1, 1);
    world_end(world, 2, 2, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 2);
    ck_assert_uint_eq(r->numbers[0], 1);
    ck_assert_int_eq(r->errors[0], AW_ERR_EXPIRED_ID);
    ck_assert_int_eq(r->errors[1], AW_OK);
    close_all(client, r, world);
}
END_TEST

/* Waits for a second future, and for its output, from inside of the first one's callback. */
struct chain {
    struct aw_client *client;
    struct record *r;
    bool blocked;
};

static void chain_on(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct chain *chain = arg;
    struct aw_result *result;

    record(future, status, chain->r);
    ck_assert_int_eq(aw_future_result(future, LONG_MS, &result, NULL), AW_OK);
    ck_assert_str_eq(result->data, "output of 1");
    aw_result_free(result);
    ck_assert_int_eq(aw_client_process(chain->client, 0, NULL, NULL), AW_ERR_USAGE);
    watch(chain->client, 2, chain->r);
    chain->blocked = true;
}

START_TEST(a_callback_may_call_everything_but_process)
{
    struct world *world = world_start(2);
    struct chain chain = {client_at(world_path(world)), record_new(2), false};
    struct aw_future *future = future_of(chain.client, 1);

    ck_assert_int_eq(aw_future_on_done(future, chain_on, &chain, NULL), AW_OK);
    world_end(world, 1, 2, AW_SUCCEEDED);
    drive(chain.client);
    ck_assert(chain.blocked);
    ck_assert_uint_eq(chain.r->n, 2);
    ck_assert_uint_eq(chain.r->numbers[1], 2);
    aw_future_unref(future);
    aw_client_close(chain.client);
    record_free(chain.r);
    world_stop(world);
}
END_TEST

/* ---- When something goes wrong ----------------------------------------------------------- */

START_TEST(after_a_restart_everything_goes_on_by_itself)
{
    struct world *world = world_start(100);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(100);

    watch_all(client, 100, r);
    settle(client);
    for (unsigned i = 0; i < 5; i++) {
        turn_until(client, world, OP_SET_READ, i + 1);
        world_down(world);
        world_end(world, 20 * i + 1, 20 * i + 20, AW_SUCCEEDED);
        ck_assert_int_eq(aw_client_process(client, 1, NULL, NULL), AW_OK);
        world_up(world);
        while (r->n < 20 * (i + 1))
            ck_assert_int_eq(aw_client_process(client, LONG_MS, NULL, NULL), AW_OK);
    }
    ck_assert_uint_eq(r->n, 100);
    close_all(client, r, world);
}
END_TEST

START_TEST(what_is_asked_for_while_the_daemon_is_away_is_done_when_it_is_back)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(1);
    struct aw_future *future = future_of(client, 1);

    world_down(world);
    ck_assert_int_eq(aw_future_on_done(future, record, r, NULL), AW_OK);
    for (int i = 0; i < 3; i++) /* the tries and pauses show on the fd */
        ck_assert_int_eq(aw_client_process(client, 5, NULL, NULL), AW_OK);
    world_up(world);
    world_end(world, 1, 1, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 1);
    aw_future_unref(future);
    close_all(client, r, world);
}
END_TEST

START_TEST(answers_that_get_lost_cost_and_double_nothing)
{
    static const enum op ops[] = {OP_SET_ADD, OP_SET_READ};
    enum op op = ops[_i];
    struct world *world = world_start(50);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(50);

    watch_all(client, 50, r);
    world_lose(world, op, 3);
    world_end(world, 1, 25, AW_SUCCEEDED);
    settle(client);
    world_end(world, 26, 50, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 50);
    ck_assert_uint_ge(world_count(world, op), 4);
    close_all(client, r, world);
}
END_TEST

START_TEST(a_daemon_that_says_not_now_is_asked_again)
{
    static const enum op ops[] = {OP_SET_ADD, OP_SET_READ, OP_STATUS};
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(3);
    struct aw_future *ended;

    world_end(world, 3, 3, AW_SUCCEEDED);
    ended = future_of(client, 3);
    watch(client, 1, r);
    watch(client, 2, r);
    world_fail(world, ops[_i], AW_ERR_BUSY, 2);
    ck_assert_int_eq(aw_future_on_done(ended, record, r, NULL), AW_OK);
    world_end(world, 1, 2, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(r->errors[i], AW_OK);
    aw_future_unref(ended);
    close_all(client, r, world);
}
END_TEST

START_TEST(a_daemon_that_cannot_do_it_has_all_call_back_with_its_error)
{
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(3);

    watch_all(client, 3, r);
    world_fail(world, OP_SET_ADD, AW_ERR_UNKNOWN_OP, 1);
    drive(client);
    ck_assert_uint_eq(r->n, 3);
    ck_assert_int_eq(r->errors[2], AW_ERR_UNKNOWN_OP);
    close_all(client, r, world);
}
END_TEST

START_TEST(a_set_that_was_forgotten_is_made_again)
{
    struct world *world = world_start(30);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(30);

    watch_all(client, 20, r);
    turn_until(client, world, OP_SET_READ, 1);
    world_end(world, 1, 5, AW_SUCCEEDED);
    while (r->n < 5)
        ck_assert_int_eq(aw_client_process(client, LONG_MS, NULL, NULL), AW_OK);
    turn_until(client, world, OP_SET_READ, 2);
    world_forget_sets(world);
    world_end(world, 6, 10, AW_SUCCEEDED);
    for (unsigned i = 21; i <= 30; i++)
        watch(client, i, r);
    world_end(world, 11, 30, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 30);
    ck_assert_uint_eq(world_sets(world), 1);
    close_all(client, r, world);
}
END_TEST

/* What is still read of the old set must not be taken for a place in the new one. */
START_TEST(a_set_that_takes_no_more_is_left_with_what_is_read_of_it)
{
    struct world *world = world_start(20);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(20);

    watch_all(client, 10, r);
    world_end(world, 1, 5, AW_SUCCEEDED);
    while (r->n < 5)
        ck_assert_int_eq(aw_client_process(client, LONG_MS, NULL, NULL), AW_OK);
    turn_until(client, world, OP_SET_READ, 2);
    world_fail(world, OP_SET_ADD, AW_ERR_WRONG_STATE, 1);
    for (unsigned i = 11; i <= 20; i++)
        watch(client, i, r);
    turn_until(client, world, OP_SET_ADD, 3);
    world_end(world, 6, 9, AW_SUCCEEDED);
    while (r->n < 9)
        ck_assert_int_eq(aw_client_process(client, LONG_MS, NULL, NULL), AW_OK);
    world_end(world, 10, 20, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 20);
    close_all(client, r, world);
}
END_TEST

START_TEST(a_set_that_is_mostly_past_is_left_for_a_new_one)
{
    enum { N = 45000, WAVE = 5000 };
    struct world *world = world_start(N);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(N);
    char *argv[] = {(char *)"true", NULL};
    struct aw_job *jobs = calloc(1000, sizeof(*jobs));
    struct aw_future *futures[1000];

    for (unsigned i = 0; i < 1000; i++) {
        aw_job_init(&jobs[i]);
        jobs[i].argv = argv;
    }
    for (unsigned i = 0; i < N; i++) {
        if (i % 1000 == 0)
            ck_assert_int_eq(aw_submit(client, jobs, 1000, futures, NULL), AW_OK);
        ck_assert_int_eq(aw_future_on_done(futures[i % 1000], record, r, NULL), AW_OK);
        aw_future_unref(futures[i % 1000]);
        if ((i + 1) % WAVE != 0)
            continue;
        /* All of the wave but one, which stays until the end. */
        world_end(world, i + 2 - WAVE, i, AW_SUCCEEDED);
        while (r->n < (i + 1) / WAVE * (WAVE - 1))
            ck_assert_int_eq(aw_client_process(client, LONG_MS, NULL, NULL), AW_OK);
    }
    for (unsigned i = WAVE; i <= N; i += WAVE)
        world_end(world, i, i, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, N);
    ck_assert_uint_ge(world_count(world, OP_SET_FORGET), 1);
    ck_assert_uint_le(world_sets(world), 1);
    ck_assert_uint_le(world_count(world, OP_SET_ADD), 2 * N / WAVE);
    aw_client_close(client);
    free(jobs);
    record_free(r);
    world_stop(world);
}
END_TEST

/* ---- When the client closes ---------------------------------------------------------------- */

static void close_in_callback(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct aw_client **client = arg;

    (void)future;
    ck_assert_int_eq(status->err, AW_OK);
    aw_client_close(*client);
    *client = NULL;
}

START_TEST(a_client_that_closes_lets_go_of_its_set)
{
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(1);

    watch(client, 1, r);
    turn_until(client, world, OP_SET_READ, 1);
    ck_assert_uint_eq(world_sets(world), 1);
    aw_client_close(client);
    world_await(world, OP_SET_FORGET, 1);
    while (world_sets(world) > 0)
        sched_yield();
    ck_assert_uint_eq(r->n, 0);
    record_free(r);
    world_stop(world);
}
END_TEST

START_TEST(so_does_one_that_is_closed_by_a_callback)
{
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world)), *open = client;
    struct aw_future *future = future_of(client, 1);
    struct record *r = record_new(1);

    watch(client, 2, r);
    ck_assert_int_eq(aw_future_on_done(future, close_in_callback, &open, NULL), AW_OK);
    world_end(world, 1, 1, AW_SUCCEEDED);
    while (open)
        (void)!aw_client_process(client, LONG_MS, NULL, NULL);
    world_await(world, OP_SET_FORGET, 1);
    aw_future_unref(future);
    record_free(r);
    world_stop(world);
}
END_TEST

/* One without callbacks has nothing to say; one without a daemon, nobody to say it to. */
START_TEST(a_client_that_has_no_set_or_no_daemon_just_closes)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world)), *other = client_at(world_path(world));
    struct aw_future *future = future_of(other, 1);
    struct record *r = record_new(1);

    ck_assert_int_eq(aw_future_wait(future, 0, NULL), AW_ERR_TIMED_OUT);
    watch(client, 1, r);
    turn_until(client, world, OP_SET_READ, 1);
    world_down(world);
    aw_client_close(client);
    world_up(world);
    ck_assert_int_eq(aw_future_wait(future, 0, NULL), AW_ERR_TIMED_OUT);
    aw_future_unref(future);
    aw_client_close(other);
    ck_assert_uint_eq(world_count(world, OP_SET_FORGET), 0);
    world_stop(world);
    ck_assert_uint_eq(r->n, 0);
    record_free(r);
}
END_TEST

static Suite *on_done_suite(void)
{
    Suite *s = suite_create("client on_done");
    TCase *t = tcase_create("on_done");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, callbacks_come_in_the_order_of_completion_and_from_process_only);
    tcase_add_test(t, ten_thousand_completions_take_a_few_dozen_messages);
    tcase_add_test(t, one_that_has_ended_already_calls_back_from_process_too);
    tcase_add_test(t, two_handles_of_one_future_both_call_back);
    tcase_add_test(t, several_callbacks_of_one_future_come_in_their_order);
    tcase_add_test(t, a_future_whose_record_is_gone_calls_back_with_the_error);
    tcase_add_test(t, a_callback_may_call_everything_but_process);
    tcase_add_test(t, after_a_restart_everything_goes_on_by_itself);
    tcase_add_test(t, what_is_asked_for_while_the_daemon_is_away_is_done_when_it_is_back);
    tcase_add_loop_test(t, answers_that_get_lost_cost_and_double_nothing, 0, 2);
    tcase_add_loop_test(t, a_daemon_that_says_not_now_is_asked_again, 0, 3);
    tcase_add_test(t, a_daemon_that_cannot_do_it_has_all_call_back_with_its_error);
    tcase_add_test(t, a_set_that_was_forgotten_is_made_again);
    tcase_add_test(t, a_set_that_takes_no_more_is_left_with_what_is_read_of_it);
    tcase_add_test(t, a_set_that_is_mostly_past_is_left_for_a_new_one);
    tcase_add_test(t, a_client_that_closes_lets_go_of_its_set);
    tcase_add_test(t, so_does_one_that_is_closed_by_a_callback);
    tcase_add_test(t, a_client_that_has_no_set_or_no_daemon_just_closes);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(on_done_suite());
}
