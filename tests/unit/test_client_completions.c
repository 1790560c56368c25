/* libaw with many futures at once: as they complete. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "tests/unit/completions_rig.h"

static struct aw_completions *each_of(struct aw_client *client, unsigned n, int64_t timeout_ms)
{
    struct aw_completions *each;

    ck_assert_int_eq(aw_as_completed(client, ids_of(n), n, timeout_ms, &each, NULL), AW_OK);
    return each;
}

static struct aw_completions *each_of_set(struct aw_client *client, const char *set,
                                          const char *consumer, int64_t timeout_ms)
{
    struct aw_completions *each;
    struct aw_read_opts opts;

    aw_read_opts_init(&opts);
    opts.consumer = consumer;
    opts.timeout_ms = timeout_ms;
    ck_assert_int_eq(aw_set_as_completed(client, set, &opts, &each, NULL), AW_OK);
    return each;
}

/* The number of the next one; 0: there are no more. */
static unsigned next(struct aw_completions *each)
{
    const struct aw_status *status;

    ck_assert_int_eq(aw_completions_next(each, &status, NULL), AW_OK);
    return status ? (unsigned)strtoul(strchr(status->id, '-') + 1, NULL, 10) : 0;
}

static enum aw_err next_error(struct aw_completions *each)
{
    const struct aw_status *status;

    return aw_completions_next(each, &status, NULL);
}

/* ---- As completed ------------------------------------------------------------------------ */

START_TEST(they_come_in_the_order_in_which_they_end)
{
    struct world *world = world_start(4);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each = each_of(client, 4, AW_FOREVER);
    struct later later = {world, OP_SET_READ, 2, 2, 2, 0};
    struct aw_completions_progress progress;
    const struct aw_status *status;

    world_end(world, 3, 3, AW_SUCCEEDED);
    world_end(world, 1, 1, AW_FAILED);
    ck_assert_uint_eq(next(each), 3);
    ck_assert_int_eq(aw_completions_next(each, &status, NULL), AW_OK);
    ck_assert_str_eq(status->id, "k3f9q-1");
    ck_assert_int_eq(status->error_class, AW_CLASS_EXIT);
    ck_assert_uint_eq(aw_completions_place(each), 2);
    aw_completions_get_progress(each, &progress);
    ck_assert_uint_eq(progress.n, 4);
    ck_assert_uint_eq(progress.n_ended, 2);
    ck_assert_uint_eq(progress.n_failed, 1);
    ck_assert_int_eq(progress.first_us, 2000);
    later_start(&later);
    ck_assert_uint_eq(next(each), 2);
    pthread_join(later.thread, NULL);
    world_end(world, 4, 4, AW_SUCCEEDED);
    ck_assert_uint_eq(next(each), 4);
    ck_assert_uint_eq(next(each), 0);
    ck_assert_uint_eq(next(each), 0);
    aw_completions_free(each);
    ck_assert_uint_eq(world_sets(world), 0);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(missing_ones_come_first_and_doubles_once)
{
    const char *const ids[] = {"k3f9q-2", "k3f9q-99", "2", "nonsense", "k3f9q-1", "zzzzz-1"};
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each;
    struct aw_completions_progress progress;
    const struct aw_status *status;

    world_end(world, 1, 2, AW_SUCCEEDED);
    ck_assert_int_eq(aw_as_completed(client, ids, 6, AW_FOREVER, &each, NULL), AW_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(aw_completions_next(each, &status, NULL), AW_OK);
        ck_assert_int_eq(status->err, AW_ERR_UNKNOWN_ID);
        ck_assert_str_eq(status->id, ids[i == 2 ? 5 : 1 + 2 * i]);
        ck_assert_uint_eq(aw_completions_place(each), 0);
    }
    ck_assert_uint_eq(next(each), 2);
    ck_assert_uint_eq(next(each), 1);
    ck_assert_uint_eq(next(each), 0);
    aw_completions_get_progress(each, &progress);
    ck_assert_uint_eq(progress.n, 5);
    ck_assert_uint_eq(progress.n_failed, 3);
    aw_completions_free(each);
    ck_assert_int_eq(aw_as_completed(client, ids, 0, AW_FOREVER, &each, NULL), AW_ERR_USAGE);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(ten_thousand_take_as_many_messages_as_pages)
{
    struct world *world = world_start(MAX_IDS);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each = each_of(client, MAX_IDS, AW_FOREVER);
    bool *seen = calloc(MAX_IDS + 1, sizeof(*seen));

    world_end(world, 1, MAX_IDS, AW_SUCCEEDED);
    for (unsigned i = 0; i < MAX_IDS; i++) {
        unsigned number = next(each);

        ck_assert(number > 0 && !seen[number]);
        seen[number] = true;
        if (i % 3000 == 0)
            world_lose(world, OP_SET_READ, 1);
    }
    ck_assert_uint_eq(next(each), 0);
    ck_assert_uint_eq(world_count(world, OP_SET_ADD), 1);
    ck_assert_uint_le(world_count(world, OP_SET_READ), MAX_IDS / 1000 + 4);
    aw_completions_free(each);
    free(seen);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(a_page_whose_answer_got_lost_is_read_again)
{
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each = each_of(client, 3, AW_FOREVER);

    world_end(world, 1, 1, AW_SUCCEEDED);
    ck_assert_uint_eq(next(each), 1);
    world_lose(world, OP_SET_READ, 3);
    world_end(world, 2, 3, AW_SUCCEEDED);
    ck_assert_uint_eq(next(each), 2);
    ck_assert_uint_eq(next(each), 3);
    ck_assert_uint_eq(next(each), 0);
    ck_assert_uint_eq(world_count(world, OP_SET_READ), 5);
    aw_completions_free(each);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(when_the_daemon_forgot_the_set_the_others_come_all_the_same)
{
    struct world *world = world_start(5);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each = each_of(client, 5, AW_FOREVER);
    struct aw_completions_progress progress;
    const struct aw_status *status;

    world_end(world, 4, 5, AW_FAILED);
    ck_assert_uint_eq(next(each), 4);
    ck_assert_uint_eq(next(each), 5);
    world_forget_sets(world);
    world_prune(world, 2, 2);
    world_end(world, 1, 1, AW_SUCCEEDED);
    ck_assert_int_eq(aw_completions_next(each, &status, NULL), AW_OK);
    ck_assert_int_eq(status->err, AW_ERR_EXPIRED_ID);
    ck_assert_uint_eq(next(each), 1);
    ck_assert_uint_eq(aw_completions_place(each), 3);
    world_end(world, 3, 3, AW_SUCCEEDED);
    ck_assert_uint_eq(next(each), 3);
    ck_assert_uint_eq(next(each), 0);
    aw_completions_get_progress(each, &progress);
    ck_assert_uint_eq(progress.n, 5);
    ck_assert_uint_eq(progress.n_ended, 5);
    ck_assert_uint_eq(progress.n_failed, 3);
    aw_completions_free(each);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(when_time_is_over_what_has_ended_comes_and_the_others_are_left)
{
    struct world *world = world_start(5);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each = each_of(client, 5, 0);
    struct aw_statuses *left;

    world_end(world, 2, 3, AW_SUCCEEDED);
    ck_assert_uint_eq(next(each), 2);
    ck_assert_int_eq(aw_completions_left(each, &left, NULL), AW_OK);
    ck_assert_uint_eq(aw_statuses_count(left), 4);
    ck_assert_int_eq(aw_statuses_at(left, 1)->state, AW_SUCCEEDED);
    aw_statuses_free(left);
    ck_assert_uint_eq(next(each), 3);
    ck_assert_int_eq(next_error(each), AW_ERR_TIMED_OUT);
    world_end(world, 4, 4, AW_SUCCEEDED); /* after the time */
    ck_assert_int_eq(next_error(each), AW_ERR_TIMED_OUT);
    ck_assert_int_eq(aw_completions_left(each, &left, NULL), AW_OK);
    ck_assert_uint_eq(aw_statuses_count(left), 3);
    ck_assert_str_eq(aw_statuses_at(left, 0)->id, "k3f9q-1");
    ck_assert_int_eq(aw_statuses_at(left, 0)->state, AW_RUNNING);
    aw_statuses_free(left);
    aw_completions_free(each);
    each = each_of(client, 5, 20);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_gt(next(each), 0);
    ck_assert_int_eq(next_error(each), AW_ERR_TIMED_OUT);
    aw_completions_free(each);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(waiting_goes_on_across_a_restart)
{
    struct world *world = world_start(2);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each = each_of(client, 2, AW_FOREVER);
    struct later later = {world, OP_SET_READ, 2, 2, 2, 0};

    world_end(world, 1, 1, AW_SUCCEEDED);
    ck_assert_uint_eq(next(each), 1);
    world_down(world);
    world_up(world);
    later_start(&later);
    ck_assert_uint_eq(next(each), 2);
    pthread_join(later.thread, NULL);
    aw_completions_free(each);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

/* ---- Sets -------------------------------------------------------------------------------- */

START_TEST(a_consumer_that_comes_back_gets_what_it_was_not_done_with)
{
    struct world *world = world_start(6);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each;

    world_set(world, "nightly", 1, 6, false);
    world_end(world, 1, 4, AW_SUCCEEDED);
    each = each_of_set(client, "nightly", "a", LONG_MS);
    ck_assert_uint_eq(next(each), 1);
    ck_assert_uint_eq(next(each), 2);
    ck_assert_int_eq(aw_completions_ack(each, NULL), AW_OK);
    ck_assert_uint_eq(world_cursor(world, "a"), 2);
    ck_assert_uint_eq(next(each), 3);
    aw_completions_free(each); /* without saying that it is done with 3 */
    each = each_of_set(client, "nightly", "a", LONG_MS);
    ck_assert_uint_eq(next(each), 3);
    ck_assert_uint_eq(next(each), 4);
    aw_completions_free(each);
    each = each_of_set(client, "nightly", NULL, LONG_MS); /* a cursor of its own */
    ck_assert_uint_eq(next(each), 1);
    aw_completions_free(each);
    ck_assert_uint_eq(world_sets(world), 1);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(a_set_ends_when_it_is_closed_and_all_was_seen)
{
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions_progress progress = {0};
    struct aw_completions *each;

    world_set(world, "s", 1, 2, false);
    world_end(world, 1, 2, AW_SUCCEEDED);
    each = each_of_set(client, "s", NULL, 0);
    ck_assert_uint_eq(next(each), 1);
    ck_assert_uint_eq(next(each), 2);
    ck_assert_int_eq(next_error(each), AW_ERR_TIMED_OUT);
    aw_completions_free(each);
    each = each_of_set(client, "s", NULL, LONG_MS);
    world_set(world, "s", 3, 3, true);
    world_end(world, 3, 3, AW_SUCCEEDED);
    while (next(each) != 0)
        aw_completions_get_progress(each, &progress);
    ck_assert_uint_eq(progress.n, 3);
    ck_assert_uint_eq(world_cursor(world, ""), 3); /* the end says that the last is done with */
    aw_completions_free(each);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(what_is_left_of_a_set_is_what_was_not_seen)
{
    struct world *world = world_start(6);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each;
    struct aw_read_opts opts;
    struct aw_statuses *left;

    world_set(world, "s", 1, 6, true);
    world_end(world, 5, 5, AW_SUCCEEDED);
    world_end(world, 1, 3, AW_SUCCEEDED);
    aw_read_opts_init(&opts);
    opts.after = 1;
    ck_assert_int_eq(aw_set_as_completed(client, "s", &opts, &each, NULL), AW_OK);
    ck_assert_uint_eq(next(each), 1);
    ck_assert_uint_eq(aw_completions_place(each), 2);
    ck_assert_int_eq(aw_completions_left(each, &left, NULL), AW_OK);
    ck_assert_uint_eq(aw_statuses_count(left), 4); /* 2, 3, 4, 6 */
    ck_assert_str_eq(aw_statuses_at(left, 0)->id, "k3f9q-2");
    ck_assert_str_eq(aw_statuses_at(left, 2)->id, "k3f9q-4");
    aw_statuses_free(left);
    aw_completions_free(each);
    ck_assert_int_eq(aw_set_as_completed(client, "none", NULL, &each, NULL), AW_ERR_NO_SET);
    ck_assert_int_eq(aw_set_as_completed(client, "", NULL, &each, NULL), AW_ERR_USAGE);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

START_TEST(a_consumer_that_takes_its_time_is_not_sent_much_twice)
{
    struct world *world = world_start(10);
    struct aw_client *client = client_at(world_path(world));
    struct aw_completions *each;

    world_set(world, "s", 1, 10, true);
    world_end(world, 1, 10, AW_SUCCEEDED);
    each = each_of_set(client, "s", NULL, LONG_MS);
    for (unsigned i = 1; world_cursor(world, "") == 0; i++) {
        ck_assert_uint_eq(next(each),
                          i); /* the whole page is there: nothing else tells the daemon */
        usleep(30000);
    }
    aw_completions_free(each);
    aw_client_close(client);
    world_stop(world);
}
END_TEST

static Suite *completions_suite(void)
{
    Suite *s = suite_create("client completions");
    TCase *t = tcase_create("completions");

    tcase_set_timeout(t, 240);
    tcase_add_test(t, they_come_in_the_order_in_which_they_end);
    tcase_add_test(t, missing_ones_come_first_and_doubles_once);
    tcase_add_test(t, ten_thousand_take_as_many_messages_as_pages);
    tcase_add_test(t, a_page_whose_answer_got_lost_is_read_again);
    tcase_add_test(t, when_the_daemon_forgot_the_set_the_others_come_all_the_same);
    tcase_add_test(t, when_time_is_over_what_has_ended_comes_and_the_others_are_left);
    tcase_add_test(t, waiting_goes_on_across_a_restart);
    tcase_add_test(t, a_consumer_that_comes_back_gets_what_it_was_not_done_with);
    tcase_add_test(t, a_set_ends_when_it_is_closed_and_all_was_seen);
    tcase_add_test(t, what_is_left_of_a_set_is_what_was_not_seen);
    tcase_add_test(t, a_consumer_that_takes_its_time_is_not_sent_much_twice);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(completions_suite());
}
