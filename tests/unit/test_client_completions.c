/* libaw with many futures at once: as they complete, gathered, until enough have ended. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

#include "client/aw.h"
#include "tests/unit/fake_world.h"

#define LONG_MS 60000
#define MAX_IDS 10000

static struct aw_client *client_at(struct world *world)
{
    struct aw_client_config config;
    struct aw_client *client;

    aw_client_config_init(&config);
    config.url = world_path(world);
    ck_assert_int_eq(aw_client_open(&config, &client, NULL), AW_OK);
    return client;
}

/* The IDs of the jobs 1 to n. */
static const char *const *ids_of(unsigned n)
{
    static char text[MAX_IDS][24];
    static const char *ids[MAX_IDS];

    for (unsigned i = 0; i < n; i++) {
        snprintf(text[i], sizeof(text[i]), "k3f9q-%u", i + 1);
        ids[i] = text[i];
    }
    return ids;
}

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

struct later {
    struct world *world;
    enum op op; /* after so many requests of this kind */
    unsigned n;
    unsigned first, last; /* these end */
    pthread_t thread;
};

static void *later_main(void *arg)
{
    struct later *later = arg;

    world_await(later->world, later->op, later->n);
    world_end(later->world, later->first, later->last, AW_SUCCEEDED);
    return NULL;
}

static void later_start(struct later *later)
{
    ck_assert_int_eq(pthread_create(&later->thread, NULL, later_main, later), 0);
}

/* ---- As completed ------------------------------------------------------------------------ */

START_TEST(they_come_in_the_order_in_which_they_end)
{
    struct world *world = world_start(4);
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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

/* ---- Gather ------------------------------------------------------------------------------ */

START_TEST(gather_gives_results_in_the_order_of_the_ids)
{
    const char *const ids[] = {"k3f9q-3", "k3f9q-77", "k3f9q-1", "3", "k3f9q-2"};
    const char *const data[] = {"output of 3", "", "output of 1", "output of 3", "output of 2"};
    struct world *world = world_start(3);
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    struct aw_client *client = client_at(world);
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
    return unit_run(completions_suite());
}
