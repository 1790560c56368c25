/* libaw in an event loop: the fd, closing, threads. */
#include "tests/unit/loop_rig.h"

#include <stdatomic.h>
#include <sys/wait.h>

/* ---- The fd --------------------------------------------------------------------------------- */

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
    close_all(client, r, world);
}
END_TEST

/* ---- Closing ----------------------------------------------------------------------------- */

struct closer {
    struct aw_client *client;
    struct record *r;
};

static void close_it(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct closer *closer = arg;

    record(future, status, closer->r);
    aw_client_close(closer->client);
}

START_TEST(closing_in_a_callback_ends_all_others)
{
    struct world *world = world_start(10);
    struct closer closer = {client_at(world_path(world)), record_new(10)};
    struct aw_future *futures[10];
    enum aw_err e;

    for (unsigned i = 0; i < 10; i++) {
        futures[i] = future_of(closer.client, i + 1);
        ck_assert_int_eq(aw_future_on_done(futures[i], close_it, &closer, NULL), AW_OK);
    }
    world_end(world, 1, 10, AW_SUCCEEDED);
    do
        e = aw_client_process(closer.client, LONG_MS, NULL, NULL);
    while (e == AW_OK && closer.r->n == 0);
    ck_assert_uint_eq(closer.r->n, 1);
    for (unsigned i = 0; i < 10; i++) {
        ck_assert_int_eq(aw_future_on_done(futures[i], close_it, &closer, NULL), AW_ERR_CLOSED);
        aw_future_unref(futures[i]);
    }
    record_free(closer.r);
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
    close_all(client, r, world);
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
    close_all(client, r, world);
}
END_TEST

static Suite *loop_suite(void)
{
    Suite *s = suite_create("client loop");
    TCase *t = tcase_create("loop");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, the_fd_is_readable_only_while_there_is_something_to_do);
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
