/* libaw in an event loop: the fd, callbacks, and what they go through. */
#include "tests/unit/unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>

#include "client/aw.h"
#include "tests/unit/fake_world.h"

#define LONG_MS 60000

static struct aw_client *client_at(const char *path)
{
    struct aw_client_config config;
    struct aw_client *client;

    aw_client_config_init(&config);
    config.url = path;
    ck_assert_int_eq(aw_client_open(&config, &client, NULL), AW_OK);
    return client;
}

static struct aw_future *future_of(struct aw_client *client, unsigned number)
{
    struct aw_future *future;
    char id[32];

    snprintf(id, sizeof(id), "k3f9q-%u", number);
    ck_assert_int_eq(aw_lookup(client, id, &future, NULL), AW_OK);
    return future;
}

static bool is_readable(struct aw_client *client, int timeout_ms)
{
    struct pollfd pfd = {.fd = -1, .events = POLLIN};

    ck_assert_int_eq(aw_client_fd(client, &pfd.fd, NULL), AW_OK);
    return poll(&pfd, 1, timeout_ms) == 1;
}

/* What a program's event loop does. */
static void drive(struct aw_client *client)
{
    size_t pending = 1;

    for (;;) {
        ck_assert_int_eq(aw_client_process(client, 0, &pending, NULL), AW_OK);
        if (pending == 0)
            return;
        ck_assert(is_readable(client, LONG_MS));
    }
}

/* Turns until nothing is left to do for now. */
static void settle(struct aw_client *client)
{
    do
        ck_assert_int_eq(aw_client_process(client, 0, NULL, NULL), AW_OK);
    while (is_readable(client, 0));
}

/* Turns until so many requests of that kind have arrived. */
static void turn_until(struct aw_client *client, struct world *world, enum op op, unsigned n)
{
    while (world_count(world, op) < n)
        ck_assert_int_eq(aw_client_process(client, 1, NULL, NULL), AW_OK);
    settle(client);
}

/* What was called back, in its order. */
struct record {
    unsigned n;
    unsigned *numbers;
    enum aw_err *errors;
    enum aw_state *states;
    pthread_t thread;
};

static struct record *record_new(unsigned size)
{
    struct record *r = calloc(1, sizeof(*r));

    r->numbers = calloc(size, sizeof(*r->numbers));
    r->errors = calloc(size, sizeof(*r->errors));
    r->states = calloc(size, sizeof(*r->states));
    return r;
}

static void record_free(struct record *r)
{
    free(r->numbers);
    free(r->errors);
    free(r->states);
    free(r);
}

static void record(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct record *r = arg;

    ck_assert_str_eq(status->id, aw_future_id(future));
    r->numbers[r->n] = (unsigned)strtoul(strchr(status->id, '-') + 1, NULL, 10);
    r->errors[r->n] = status->err;
    r->states[r->n++] = status->state;
    r->thread = pthread_self();
}

static void watch(struct aw_client *client, unsigned number, struct record *r)
{
    struct aw_future *future = future_of(client, number);

    ck_assert_int_eq(aw_future_on_done(future, record, r, NULL), AW_OK);
    aw_future_unref(future); /* the client holds it */
}

/* ---- Callbacks --------------------------------------------------------------------------- */

START_TEST(callbacks_come_in_the_order_of_completion_and_from_process_only)
{
    struct world *world = world_start(5);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(5);
    size_t pending;

    for (unsigned i = 1; i <= 5; i++)
        watch(client, i, r);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
}
END_TEST

START_TEST(the_fd_is_readable_only_while_there_is_something_to_do)
{
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(2);
    int fd, again;

    ck_assert_int_eq(aw_client_fd(client, &fd, NULL), AW_OK);
    ck_assert(!is_readable(client, 0));
    watch(client, 1, r);
    ck_assert(is_readable(client, 0));
    turn_until(client, world, OP_SET_READ, 1);
    ck_assert(!is_readable(client, 0));
    world_end(world, 1, 1, AW_SUCCEEDED);
    ck_assert(is_readable(client, LONG_MS));
    drive(client);
    settle(client);
    ck_assert(!is_readable(client, 0));
    ck_assert_int_eq(aw_client_fd(client, &again, NULL), AW_OK);
    ck_assert_int_eq(fd, again);
    aw_client_close(client);
    record_free(r);
    world_stop(world);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
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

    for (unsigned i = 1; i <= 100; i++)
        watch(client, i, r);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
}
END_TEST

START_TEST(answers_that_get_lost_cost_and_double_nothing)
{
    static const enum op ops[] = {OP_SET_ADD, OP_SET_READ};
    enum op op = ops[_i];
    struct world *world = world_start(50);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(50);

    for (unsigned i = 1; i <= 50; i++)
        watch(client, i, r);
    world_lose(world, op, 3);
    world_end(world, 1, 25, AW_SUCCEEDED);
    settle(client);
    world_end(world, 26, 50, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 50);
    ck_assert_uint_ge(world_count(world, op), 4);
    aw_client_close(client);
    record_free(r);
    world_stop(world);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
}
END_TEST

START_TEST(a_daemon_that_cannot_do_it_has_all_call_back_with_its_error)
{
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(3);

    for (unsigned i = 1; i <= 3; i++)
        watch(client, i, r);
    world_fail(world, OP_SET_ADD, AW_ERR_UNKNOWN_OP, 1);
    drive(client);
    ck_assert_uint_eq(r->n, 3);
    ck_assert_int_eq(r->errors[2], AW_ERR_UNKNOWN_OP);
    aw_client_close(client);
    record_free(r);
    world_stop(world);
}
END_TEST

START_TEST(a_set_that_was_forgotten_is_made_again)
{
    struct world *world = world_start(30);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(30);

    for (unsigned i = 1; i <= 20; i++)
        watch(client, i, r);
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
    aw_client_close(client);
    record_free(r);
    world_stop(world);
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

/* ---- Closing ----------------------------------------------------------------------------- */

static void close_it(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct chain *chain = arg;

    record(future, status, chain->r);
    aw_client_close(chain->client);
}

START_TEST(closing_in_a_callback_ends_all_others)
{
    struct world *world = world_start(10);
    struct chain chain = {client_at(world_path(world)), record_new(10), false};
    struct aw_future *futures[10];
    enum aw_err e;

    for (unsigned i = 0; i < 10; i++) {
        futures[i] = future_of(chain.client, i + 1);
        ck_assert_int_eq(aw_future_on_done(futures[i], close_it, &chain, NULL), AW_OK);
    }
    world_end(world, 1, 10, AW_SUCCEEDED);
    do
        e = aw_client_process(chain.client, LONG_MS, NULL, NULL);
    while (e == AW_OK && chain.r->n == 0);
    ck_assert_uint_eq(chain.r->n, 1);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_int_eq(aw_future_on_done(futures[i], close_it, &chain, NULL), AW_ERR_CLOSED);
        aw_future_unref(futures[i]);
    }
    record_free(chain.r);
    world_stop(world);
}
END_TEST

static void *process_until_closed(void *arg)
{
    enum aw_err e;

    do
        e = aw_client_process(arg, AW_FOREVER, NULL, NULL);
    while (!e);
    return (void *)(intptr_t)e;
}

START_TEST(closing_wakes_the_thread_that_waits_in_process)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(1);
    struct aw_future *future = future_of(client, 1); /* holds the client's memory */
    pthread_t thread;
    void *e;

    watch(client, 1, r);
    pthread_create(&thread, NULL, process_until_closed, client);
    world_await(world, OP_SET_READ, 1);
    aw_client_close(client);
    pthread_join(thread, &e);
    ck_assert_int_eq((intptr_t)e, AW_ERR_CLOSED);
    world_end(world, 1, 1, AW_SUCCEEDED);
    ck_assert_uint_eq(r->n, 0);
    aw_future_unref(future);
    record_free(r);
    world_stop(world);
}
END_TEST

struct gate {
    atomic_bool entered, open, left;
};

static void through_gate(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct gate *gate = arg;

    (void)future;
    (void)status;
    gate->entered = true;
    while (!gate->open)
        usleep(100);
    gate->left = true;
}

static void *open_gate(void *arg)
{
    struct gate *gate = arg;

    gate->open = true;
    return NULL;
}

START_TEST(closing_waits_for_a_callback_that_runs)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world));
    struct aw_future *future = future_of(client, 1);
    struct gate gate = {false, false, false};
    pthread_t thread, opener;

    ck_assert_int_eq(aw_future_on_done(future, through_gate, &gate, NULL), AW_OK);
    pthread_create(&thread, NULL, process_until_closed, client);
    world_end(world, 1, 1, AW_SUCCEEDED);
    while (!gate.entered)
        usleep(100);
    pthread_create(&opener, NULL, open_gate, &gate);
    aw_client_close(client);
    ck_assert(gate.left);
    pthread_join(opener, NULL);
    pthread_join(thread, NULL);
    aw_future_unref(future);
    world_stop(world);
}
END_TEST

START_TEST(closing_with_callbacks_to_come_lets_go_of_everything)
{
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct record *r = record_new(3);

    watch(client, 1, r);
    watch(client, 2, r);
    settle(client);
    watch(client, 3, r);
    aw_client_close(client); /* leak checkers see the rest */
    ck_assert_uint_eq(r->n, 0);
    record_free(r);
    world_stop(world);
}
END_TEST

/* ---- Threads ----------------------------------------------------------------------------- */

START_TEST(only_one_thread_at_a_time_is_in_process)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world));
    struct aw_future *future = future_of(client, 1);
    struct gate gate = {false, false, false};
    pthread_t thread;
    struct aw_error err;
    void *e;

    ck_assert_int_eq(aw_future_on_done(future, through_gate, &gate, NULL), AW_OK);
    pthread_create(&thread, NULL, process_until_closed, client);
    world_end(world, 1, 1, AW_SUCCEEDED);
    while (!gate.entered)
        usleep(100);
    ck_assert_int_eq(aw_client_process(client, 0, NULL, &err), AW_ERR_USAGE);
    ck_assert(err.text[0]);
    gate.open = true;
    aw_client_close(client);
    pthread_join(thread, &e);
    ck_assert_int_eq((intptr_t)e, AW_ERR_CLOSED);
    aw_future_unref(future);
    world_stop(world);
}
END_TEST

static void *wait_blocking(void *arg)
{
    return (void *)(intptr_t)aw_future_wait(arg, AW_FOREVER, NULL);
}

/* A thread that blocks is the one that reads: what it reads for others has to show on the fd. */
START_TEST(what_a_blocking_thread_receives_for_the_loop_makes_the_fd_readable)
{
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world));
    struct aw_future *other = future_of(client, 2);
    struct record *r = record_new(1);
    pthread_t thread;
    void *e;

    watch(client, 1, r);
    turn_until(client, world, OP_SET_READ, 1);
    pthread_create(&thread, NULL, wait_blocking, other);
    world_await(world, OP_WAIT, 1);
    world_end(world, 1, 1, AW_SUCCEEDED);
    ck_assert(is_readable(client, LONG_MS));
    world_end(world, 2, 2, AW_SUCCEEDED);
    pthread_join(thread, &e);
    ck_assert_int_eq((intptr_t)e, AW_OK);
    ck_assert_uint_eq(r->n, 0);
    ck_assert(is_readable(client, LONG_MS));
    drive(client);
    ck_assert_uint_eq(r->n, 1);
    ck_assert(pthread_equal(r->thread, pthread_self()));
    aw_future_unref(other);
    aw_client_close(client);
    record_free(r);
    world_stop(world);
}
END_TEST

/* One future, four threads. */
struct shared {
    struct aw_client *client;
    struct aw_future *future;
    atomic_int n_called;
    atomic_bool over;
};

static void *use_result(void *arg)
{
    struct shared *s = arg;
    struct aw_result *result;
    bool ok = aw_future_result(s->future, AW_FOREVER, &result, NULL) == AW_OK &&
              result->status->state == AW_CANCELLED;

    aw_result_free(result);
    return ok ? NULL : s;
}

static void *use_done(void *arg)
{
    struct shared *s = arg;
    bool done = false;

    while (!done)
        if (aw_future_done(s->future, &done, NULL))
            return s;
    return NULL;
}

static void *use_cancel(void *arg)
{
    struct shared *s = arg;
    enum aw_class error_class;
    enum aw_err e = aw_future_cancel(s->future, NULL);

    if (!e)
        e = aw_future_exception(s->future, &error_class, NULL);
    return e || error_class != AW_CLASS_NONE ? s : NULL;
}

static void count_call(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct shared *s = arg;

    s->n_called += future == s->future && status->state == AW_CANCELLED;
}

static void *use_loop(void *arg)
{
    struct shared *s = arg;
    size_t pending = 1;

    for (int i = 0; i < 10; i++)
        if (aw_future_on_done(s->future, count_call, s, NULL))
            return s;
    while (pending > 0)
        if (aw_client_process(s->client, LONG_MS, &pending, NULL))
            return s;
    return NULL;
}

START_TEST(four_threads_share_one_future)
{
    static void *(*const uses[])(void *) = {use_result, use_done, use_loop, use_cancel};

    for (unsigned round = 1; round <= 50; round++) {
        struct world *world = world_start(1);
        struct shared s = {.client = client_at(world_path(world))};
        pthread_t threads[ARRAY_SIZE(uses)];

        s.future = future_of(s.client, 1);
        for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
            pthread_create(&threads[i], NULL, uses[i], &s);
        for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
            void *failed;

            pthread_join(threads[i], &failed);
            ck_assert_ptr_null(failed);
        }
        ck_assert_int_eq(s.n_called, 10);
        aw_future_unref(s.future);
        aw_client_close(s.client);
        world_stop(world);
    }
}
END_TEST

struct flood {
    struct aw_client *client;
    unsigned first;
    struct shared *shared;
};

static void count_any(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct shared *s = arg;

    (void)future;
    s->n_called += !status->err;
}

static void *flood_on(void *arg)
{
    struct flood *flood = arg;

    for (unsigned i = 0; i < 250; i++) {
        struct aw_future *future = future_of(flood->client, flood->first + i);

        ck_assert_int_eq(aw_future_on_done(future, count_any, flood->shared, NULL), AW_OK);
        if (i % 50 == 0)
            ck_assert_int_eq(aw_future_wait(future, AW_FOREVER, NULL), AW_OK);
        aw_future_unref(future);
    }
    return NULL;
}

static void *end_all(void *arg)
{
    for (unsigned i = 1; i <= 1000; i++)
        world_end(arg, i, i, AW_SUCCEEDED);
    return NULL;
}

START_TEST(threads_that_block_and_a_loop_share_the_connection)
{
    struct world *world = world_start(1000);
    struct shared shared = {.client = client_at(world_path(world))};
    pthread_t threads[5];
    struct flood floods[4];

    for (unsigned i = 0; i < 4; i++) {
        floods[i] = (struct flood){shared.client, 250 * i + 1, &shared};
        pthread_create(&threads[i], NULL, flood_on, &floods[i]);
    }
    pthread_create(&threads[4], NULL, end_all, world);
    while (shared.n_called < 1000)
        ck_assert_int_eq(aw_client_process(shared.client, LONG_MS, NULL, NULL), AW_OK);
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(shared.n_called, 1000);
    aw_client_close(shared.client);
    world_stop(world);
}
END_TEST

/* ---- Fork -------------------------------------------------------------------------------- */

START_TEST(a_child_gets_no_callbacks_and_does_not_disturb_its_parents)
{
    static struct world *world; /* static, so that leak checkers find it in the child as well */
    static struct record *r;
    struct aw_client *client;
    struct aw_future *future;
    int status, fd;
    pid_t pid;

    world = world_start(2);
    r = record_new(2);
    client = client_at(world_path(world));
    future = future_of(client, 1);
    ck_assert_int_eq(aw_future_on_done(future, record, r, NULL), AW_OK);
    turn_until(client, world, OP_SET_READ, 1);
    pid = fork();
    if (pid == 0) {
        bool ok = aw_client_fd(client, &fd, NULL) == AW_ERR_USAGE &&
                  aw_client_process(client, 0, NULL, NULL) == AW_ERR_USAGE &&
                  aw_future_on_done(future, record, r, NULL) == AW_ERR_USAGE;

        aw_future_unref(future);
        aw_client_close(client);
        _exit(ok && r->n == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    world_end(world, 1, 1, AW_SUCCEEDED);
    drive(client);
    ck_assert_uint_eq(r->n, 1);
    aw_future_unref(future);
    aw_client_close(client);
    record_free(r);
    world_stop(world);
}
END_TEST

static Suite *loop_suite(void)
{
    Suite *s = suite_create("client loop");
    TCase *t = tcase_create("loop");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, callbacks_come_in_the_order_of_completion_and_from_process_only);
    tcase_add_test(t, the_fd_is_readable_only_while_there_is_something_to_do);
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
    tcase_add_test(t, a_set_that_is_mostly_past_is_left_for_a_new_one);
    tcase_add_test(t, closing_in_a_callback_ends_all_others);
    tcase_add_test(t, closing_wakes_the_thread_that_waits_in_process);
    tcase_add_test(t, closing_waits_for_a_callback_that_runs);
    tcase_add_test(t, closing_with_callbacks_to_come_lets_go_of_everything);
    tcase_add_test(t, only_one_thread_at_a_time_is_in_process);
    tcase_add_test(t, what_a_blocking_thread_receives_for_the_loop_makes_the_fd_readable);
    tcase_add_test(t, four_threads_share_one_future);
    tcase_add_test(t, threads_that_block_and_a_loop_share_the_connection);
    tcase_add_test(t, a_child_gets_no_callbacks_and_does_not_disturb_its_parents);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(loop_suite());
}
