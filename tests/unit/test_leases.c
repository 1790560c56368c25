/* Jobs that nobody wants, and what it costs to know that: against an engine that only counts. */
#include "tests/unit/unit.h"

#include <event2/event.h>

#include "daemon/dispatch.h"
#include "daemon/ops/submit_jobs.h"
#include "daemon/server.h"

#define JOB UINT64_C(7)
#define SET UINT64_C(3)

static struct {
    struct engine engine;
    struct server srv;
    struct watch reader; /* of the set */
    unsigned n_looks, n_cancels;
    bool in_set, fails;
} world;

static const struct aw_error disk_full = {AW_ERR_DISK_FULL, 0, "the disk is full"};

static void fake_sets_of(struct engine *e, uint64_t number, engine_sets_of_fn done, void *arg)
{
    static const uint64_t ids[] = {SET};

    (void)e;
    ck_assert_uint_eq(number, JOB);
    world.n_looks++;
    done(arg, NULL, ids, world.in_set);
}

static void fake_cancel(struct engine *e, const uint64_t *numbers, size_t n, int64_t grace_ms,
                        const char *why, engine_results_fn done, void *arg)
{
    struct job_result result = {.number = JOB, .state = AW_RUNNING};

    (void)e;
    (void)grace_ms;
    ck_assert_uint_eq(n, 1);
    ck_assert_uint_eq(numbers[0], JOB);
    ck_assert_ptr_nonnull(strstr(why, "nobody waited for it"));
    world.n_cancels++;
    done(arg, world.fails ? &disk_full : NULL, &result, 1);
}

static const struct engine_ops ops = {.sets_of = fake_sets_of, .cancel = fake_cancel};

static void watched(struct watch *w, const struct watch_news *news)
{
    (void)w;
    (void)news;
}

static void setup(void)
{
    struct server *srv = &world.srv;
    struct aw_error err;

    world.engine = (struct engine){&ops, "k3f9q"};
    srv->engine = &world.engine;
    srv->base = event_base_new();
    srv->watches = watches_new();
    srv->set_watches = watches_new();
    ck_assert(srv->base && srv->watches && srv->set_watches);
    ck_assert_int_eq(leases_new(srv, &srv->leases, &err), AW_OK);
}

static void teardown(void)
{
    struct server *srv = &world.srv;

    watch_remove(srv->set_watches, &world.reader);
    leases_free(srv->leases);
    watches_free(srv->watches);
    watches_free(srv->set_watches);
    event_base_free(srv->base);
}

static void read_set(void)
{
    world.in_set = true;
    ck_assert(watch_add(world.srv.set_watches, &world.reader, SET, watched));
    watch_hold(&world.reader);
}

/* Turns the loop for a while; returns for how long, in seconds, or more. */
static unsigned turn_for(int64_t ms)
{
    int64_t start_us = boottime_us(), us;

    while ((us = boottime_us() - start_us) < ms * 1000) {
        struct timeval rest = {.tv_usec = 10000};

        event_base_loopexit(world.srv.base, &rest);
        event_base_dispatch(world.srv.base);
    }
    return (unsigned)(us / 1000000) + 1;
}

START_TEST(a_job_that_nobody_wants_is_cancelled_once)
{
    leases_hold(world.srv.leases, JOB, 1);
    while (world.n_cancels == 0)
        event_base_loop(world.srv.base, EVLOOP_ONCE);
    turn_for(100);
    ck_assert_uint_eq(world.n_cancels, 1);
    ck_assert_uint_eq(world.n_looks, 1);
}
END_TEST

START_TEST(the_sets_of_a_job_are_looked_at_no_more_than_once_a_second)
{
    unsigned s;

    read_set();
    leases_hold(world.srv.leases, JOB, 1);
    s = turn_for(1500);
    ck_assert_uint_ge(world.n_looks, 1);
    ck_assert_uint_le(world.n_looks, s + 1);
    ck_assert_uint_eq(world.n_cancels, 0);
    /* It is still abandoned when its set is. */
    watch_remove(world.srv.set_watches, &world.reader);
    while (world.n_cancels == 0)
        event_base_loop(world.srv.base, EVLOOP_ONCE);
}
END_TEST

START_TEST(a_cancel_that_is_refused_is_repeated_no_more_than_once_a_second)
{
    unsigned s;

    world.fails = true;
    leases_hold(world.srv.leases, JOB, 1);
    s = turn_for(1500);
    ck_assert_uint_ge(world.n_cancels, 1);
    ck_assert_uint_le(world.n_cancels, s + 1);
    world.fails = false;
    s = world.n_cancels;
    while (world.n_cancels == s)
        event_base_loop(world.srv.base, EVLOOP_ONCE);
}
END_TEST

/* It may have ended long ago: only who made it gives it a lease. */
START_TEST(an_answer_that_comes_again_gives_nobody_a_lease)
{
    struct exchange x = {.srv = &world.srv};

    submitted_lease(&x, &(struct submitted){.number = JOB, .repeated = true}, 1);
    submitted_lease(&x, &(struct submitted){.number = JOB, .deduplicated = true}, 1);
    turn_for(50);
    ck_assert_uint_eq(world.n_looks, 0);
    submitted_lease(&x, &(struct submitted){.number = JOB}, 1);
    while (world.n_cancels == 0)
        event_base_loop(world.srv.base, EVLOOP_ONCE);
}
END_TEST

START_TEST(one_that_has_ended_is_left_alone)
{
    leases_hold(world.srv.leases, JOB, 1);
    leases_ended(world.srv.leases, JOB);
    leases_renew(world.srv.leases, JOB);
    turn_for(50);
    ck_assert_uint_eq(world.n_looks, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("leases");
    TCase *tc = tcase_create("leases");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_job_that_nobody_wants_is_cancelled_once);
    tcase_add_test(tc, the_sets_of_a_job_are_looked_at_no_more_than_once_a_second);
    tcase_add_test(tc, a_cancel_that_is_refused_is_repeated_no_more_than_once_a_second);
    tcase_add_test(tc, an_answer_that_comes_again_gives_nobody_a_lease);
    tcase_add_test(tc, one_that_has_ended_is_left_alone);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
