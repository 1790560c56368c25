/* libaw with many futures at once: gathered, and until enough have ended. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "tests/unit/completions_rig.h"

/* ---- Gather ------------------------------------------------------------------------------ */

START_TEST(gather_gives_results_in_the_order_of_the_ids)
{
    const char *const ids[] = {"k3f9q-3", "k3f9q-77", "k3f9q-1", "3", "k3f9q-2"};
    const char *const data[] = {"output of 3", "", "output of 1", "output of 3", "output of 2"};
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct later later = {world, OP_SET_READ, 1, 1, 1, 0};
    struct aw_gathered *all;

    world_end(world, 2, 2, AW_FAILED);
    world_end(world, 3, 3, AW_SUCCEEDED);
    later_start(&later);
    ck_assert_int_eq(aw_gather(client, ids, 5, NULL, &all, NULL), AW_OK);
    pthread_join(later.thread, NULL);
    ck_assert_uint_eq(aw_gathered_count(all), 5);
    ck_assert_int_eq(aw_gathered_failed(all), -1);
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(aw_gathered_at(all, i)->data, data[i]);
    ck_assert_int_eq(aw_gathered_at(all, 1)->status->err, AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(aw_gathered_at(all, 4)->status->state, AW_FAILED);
    ck_assert(aw_gathered_at(all, 0)->eof);
    ck_assert_ptr_null(aw_gathered_at(all, 5));
    aw_gathered_free(all);
    ck_assert_uint_eq(world_sets(world), 0);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

static void *prune_then_end(void *arg)
{
    struct later *later = arg;

    world_await(later->world, OP_SET_READ, 2);
    world_prune(later->world, 1, 2);
    world_end(later->world, 3, 3, AW_CANCELLED);
    return NULL;
}

/* What came with the completions is kept, whatever becomes of the records. */
START_TEST(gather_asks_for_no_output_where_there_is_none)
{
    struct world *world = world_start(4);
    struct aw_client *client = client_at(world_path(world));
    struct later later = {.world = world};
    struct aw_gathered *all;

    world_end(world, 1, 2, AW_CANCELLED);
    world_end(world, 4, 4, AW_SUCCEEDED);
    ck_assert_int_eq(pthread_create(&later.thread, NULL, prune_then_end, &later), 0);
    ck_assert_int_eq(aw_gather(client, ids_of(4), 4, NULL, &all, NULL), AW_OK);
    pthread_join(later.thread, NULL);
    ck_assert_uint_eq(world_count(world, OP_RESULT), 1);
    ck_assert_uint_eq(world_count(world, OP_STATUS), 0);
    for (size_t i = 0; i < 3; i++) {
        const struct aw_result *r = aw_gathered_at(all, i);

        ck_assert_str_eq(r->status->id, ids_of(4)[i]);
        ck_assert_int_eq(r->status->err, AW_OK);
        ck_assert_int_eq(r->status->state, AW_CANCELLED);
        ck_assert_str_eq(r->data, "");
        ck_assert_uint_eq(r->size, 0);
        ck_assert(r->eof);
    }
    ck_assert_str_eq(aw_gathered_at(all, 3)->data, "output of 4");
    aw_gathered_free(all);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(a_strict_gather_comes_back_at_the_first_failure_and_may_cancel_the_rest)
{
    struct world *world = world_start(4);
    struct aw_client *client = client_at(world_path(world));
    struct aw_gather_opts opts;
    struct aw_gathered *all;

    world_end(world, 2, 2, AW_SUCCEEDED);
    world_end(world, 3, 3, AW_FAILED);
    aw_gather_opts_init(&opts);
    opts.strict = true;
    ck_assert_int_eq(aw_gather(client, ids_of(4), 4, &opts, &all, NULL), AW_OK);
    ck_assert_int_eq(aw_gathered_failed(all), 2);
    ck_assert_str_eq(aw_gathered_at(all, 1)->data, "output of 2");
    ck_assert_int_eq(aw_gathered_at(all, 0)->status->state, AW_RUNNING);
    aw_gathered_free(all);
    ck_assert_uint_eq(world_count(world, OP_CANCEL), 0);
    opts.cancel_rest = true;
    ck_assert_int_eq(aw_gather(client, ids_of(4), 4, &opts, &all, NULL), AW_OK);
    ck_assert_int_eq(aw_gathered_at(all, 0)->status->state, AW_CANCELLED);
    ck_assert_int_eq(aw_gathered_at(all, 3)->status->state, AW_CANCELLED);
    aw_gathered_free(all);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(a_gather_whose_time_is_over_gives_what_there_is)
{
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct aw_gather_opts opts;
    struct aw_gathered *all = NULL;

    world_end(world, 2, 2, AW_SUCCEEDED);
    aw_gather_opts_init(&opts);
    opts.timeout_ms = 10;
    opts.max_data = 6;
    ck_assert_int_eq(aw_gather(client, ids_of(3), 3, &opts, &all, NULL), AW_ERR_TIMED_OUT);
    ck_assert_ptr_nonnull(all);
    ck_assert_str_eq(aw_gathered_at(all, 1)->data, "output");
    ck_assert(!aw_gathered_at(all, 1)->eof);
    ck_assert_uint_eq(aw_gathered_at(all, 1)->size, strlen("output of 2"));
    ck_assert_int_eq(aw_gathered_at(all, 2)->status->state, AW_RUNNING);
    ck_assert_str_eq(aw_gathered_at(all, 2)->data, "");
    aw_gathered_free(all);
    opts.max_data = 0; /* no output at all: nothing is asked for it */
    ck_assert_int_eq(aw_gather(client, ids_of(3), 3, &opts, &all, NULL), AW_ERR_TIMED_OUT);
    ck_assert_int_eq(aw_gathered_at(all, 1)->status->state, AW_SUCCEEDED);
    ck_assert_uint_eq(world_count(world, OP_RESULT), 1);
    aw_gathered_free(all);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

/* ---- Until, run -------------------------------------------------------------------------- */

/* Few are one request, many are read as they complete: to the caller it is the same. */
START_TEST(a_wait_is_over_when_enough_have_ended)
{
    unsigned n = _i ? 5000 : 5;
    struct world *world = world_start(n);
    struct aw_client *client = client_at(world_path(world));
    struct later later = {world, _i ? OP_SET_READ : OP_WAIT, 1, 2, 3, 0};
    struct aw_progress progress;
    struct aw_statuses *list = NULL;
    struct aw_until until;

    aw_until_init(&until);
    until.n_ended = 2;
    later_start(&later);
    ck_assert_int_eq(aw_wait_until(client, ids_of(n), n, &until, LONG_MS, &progress, &list, NULL),
                     AW_OK);
    pthread_join(later.thread, NULL);
    ck_assert_uint_eq(aw_statuses_count(list), n);
    ck_assert_uint_eq(progress.n_ended, 2);
    ck_assert_int_eq(aw_statuses_at(list, 0)->state, AW_RUNNING);
    aw_statuses_free(list);
    until.n_ended = 4;
    ck_assert_int_eq(aw_wait_until(client, ids_of(n), n, &until, 5, &progress, &list, NULL),
                     AW_ERR_TIMED_OUT);
    ck_assert_uint_eq(progress.n_ended, 2);
    until.n_ended = 0;
    until.first_error = true;
    world_end(world, 4, 4, AW_FAILED);
    ck_assert_int_eq(aw_wait_until(client, ids_of(n), n, &until, LONG_MS, &progress, &list, NULL),
                     AW_OK);
    ck_assert_uint_eq(progress.n_failed, 1);
    aw_statuses_free(list);
    ck_assert_uint_eq(world_sets(world), 0);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(run_submits_and_comes_back_with_the_result)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world));
    struct later later = {world, OP_WAIT, 1, 1, 1, 0};
    char *argv[] = {(char *)"true", NULL};
    struct aw_result *result;
    struct aw_job job;

    aw_job_init(&job);
    job.argv = argv;
    later_start(&later);
    ck_assert_int_eq(aw_run(client, &job, LONG_MS, &result, NULL), AW_OK);
    pthread_join(later.thread, NULL);
    ck_assert_str_eq(result->data, "output of 1");
    aw_result_free(result);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(how_a_future_failed_is_known_without_asking_once_it_has_ended)
{
    struct world *world = world_start(1);
    struct aw_client *client = client_at(world_path(world));
    struct aw_future *future;
    enum aw_class error_class;

    ck_assert_int_eq(aw_lookup(client, "1", &future, NULL), AW_OK);
    ck_assert_int_eq(aw_future_exception(future, &error_class, NULL), AW_OK);
    ck_assert_int_eq(error_class, AW_CLASS_NONE);
    world_end(world, 1, 1, AW_FAILED);
    ck_assert_int_eq(aw_future_exception(future, &error_class, NULL), AW_OK);
    ck_assert_int_eq(error_class, AW_CLASS_EXIT);
    world_down(world);
    error_class = AW_CLASS_NONE;
    ck_assert_int_eq(aw_future_exception(future, &error_class, NULL), AW_OK);
    ck_assert_int_eq(error_class, AW_CLASS_EXIT);
    aw_future_unref(future);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

static Suite *gather_suite(void)
{
    Suite *s = suite_create("client gather");
    TCase *t = tcase_create("gather");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, gather_gives_results_in_the_order_of_the_ids);
    tcase_add_test(t, gather_asks_for_no_output_where_there_is_none);
    tcase_add_test(t, a_strict_gather_comes_back_at_the_first_failure_and_may_cancel_the_rest);
    tcase_add_test(t, a_gather_whose_time_is_over_gives_what_there_is);
    tcase_add_loop_test(t, a_wait_is_over_when_enough_have_ended, 0, 2);
    tcase_add_test(t, run_submits_and_comes_back_with_the_result);
    tcase_add_test(t, how_a_future_failed_is_known_without_asking_once_it_has_ended);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(gather_suite());
}
