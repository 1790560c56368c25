/* The http worker: requests that are watched and stopped, and many at once. */
#include "tests/unit/http_rig.h"

#include <event2/event.h>
#include <stdio.h>

static struct rig *rig;

static void setup(void)
{
    rig = rig_new();
}

static void teardown(void)
{
    rig_resolver_go();
    rig_free(rig);
}

/* ---- Watching ---------------------------------------------------------------------------------
 */

static bool has_grown(struct rig *r, const void *size)
{
    return r->jobs[1].grown[STREAM_STDOUT] == *(const uint64_t *)size;
}

static bool is_at_gate(struct rig *r, const void *n)
{
    return r->n_gate == *(const size_t *)n;
}

START_TEST(a_watched_answer_can_be_read_while_it_comes)
{
    struct job job = rig_get(rig, "/drip");
    uint64_t claim = rig_start(rig, &job), size = 6, n;
    struct aw_error err;
    char buf[8] = "";
    size_t len = 0, one = 1;

    rig_until(rig, is_at_gate, &one);
    rig_watch(rig, claim);
    rig_until(rig, has_grown, &size);
    ck_assert_int_eq(spool_read(&rig->spool, (struct spool_file){claim, 1, STREAM_STDOUT}, 0, buf,
                                sizeof(buf), &len, &n, &err),
                     AW_OK);
    ck_assert_bytes_eq(bytes_of(buf, len), "first ");
    rig_open_gate(rig);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_NONE);
    rig_check_stdout(rig, claim, "first second");
}
END_TEST

START_TEST(watching_tells_at_once_that_nothing_has_come)
{
    struct job job = rig_get(rig, "/gate");
    uint64_t claim = rig_start(rig, &job), size = 0;
    size_t one = 1;

    rig_until(rig, is_at_gate, &one);
    rig_watch(rig, claim);
    ck_assert_uint_eq(rig->jobs[claim].n_grown, 0);
    event_base_loop(rig->base, EVLOOP_NONBLOCK);
    ck_assert_uint_eq(rig->jobs[claim].n_grown, 2);
    ck_assert(has_grown(rig, &size));
    rig_open_gate(rig);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_NONE);
}
END_TEST

/* ---- Ending -----------------------------------------------------------------------------------
 */

START_TEST(a_stopped_request_ends_as_stopped)
{
    struct job job = rig_get(rig, "/gate");
    uint64_t claim = rig_start(rig, &job);
    size_t one = 1;

    rig_until(rig, is_at_gate, &one);
    rig_stop(rig, claim);
    rig_stop(rig, claim);
    ck_assert(rig_ended(rig, claim)->stopped);
    ck_assert_int_eq(rig->jobs[claim].outcome.class, AW_CLASS_NONE);
    rig_stop(rig, claim);
    rig->n_gate = 0;
}
END_TEST

START_TEST(a_request_can_be_stopped_before_it_begins)
{
    struct job job = rig_get(rig, "/gate");
    uint64_t claim = rig_start(rig, &job);

    rig_stop(rig, claim);
    ck_assert(rig_ended(rig, claim)->stopped);
    ck_assert_uint_eq(rig->n_gate, 0);
}
END_TEST

START_TEST(stopping_what_is_not_there_does_nothing)
{
    rig_stop(rig, 99);
    rig_watch(rig, 99);
}
END_TEST

START_TEST(what_is_adopted_was_interrupted)
{
    struct job job = rig_get(rig, "/echo");
    uint64_t claim = rig_adopt(rig, &job);

    ck_assert_uint_eq(rig->jobs[claim].n_ended, 0);
    ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_INTERRUPTED);
    ck_assert_int_gt(rig->jobs[claim].outcome.started_us, 0);
}
END_TEST

START_TEST(a_worker_may_go_down_with_requests_under_way)
{
    struct job gate = rig_get(rig, "/gate"), drip;
    size_t two = 2;

    rig_start(rig, &gate);
    drip = rig_get(rig, "/drip");
    rig_start(rig, &drip);
    rig_until(rig, is_at_gate, &two);
    drip.url = rig_url_at(rig, "slow.test", "/");
    rig_start(rig, &drip);
    ck_assert_uint_eq(rig->jobs[1].n_ended + rig->jobs[2].n_ended + rig->jobs[3].n_ended, 0);
}
END_TEST

/* ---- Many -------------------------------------------------------------------------------------
 */

#define MANY 200

START_TEST(many_are_under_way_at_once_without_a_thread_each)
{
    struct job job = rig_get(rig, "/gate");
    int n_threads = rig_threads();
    size_t many = MANY;

    for (int i = 0; i < MANY; i++)
        rig_start(rig, &job);
    rig_until(rig, is_at_gate, &many);
    ck_assert_int_eq(rig_threads(), n_threads);
    rig_open_gate(rig);
    for (uint64_t claim = 1; claim <= MANY; claim++) {
        ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_NONE);
        rig_check_stdout(rig, claim, "open");
    }
    ck_assert_int_eq(rig_threads(), n_threads);
}
END_TEST

static bool lookups_wait(struct rig *r, const void *n)
{
    (void)r;
    return rig_resolver_waiting() == *(const int *)n;
}

START_TEST(lookups_of_names_have_a_bounded_number_of_threads)
{
    struct job job = rig_get(rig, "/status/200"), slow = job;
    int n_threads = rig_threads(), n = 64;
    char url[256];

    snprintf(url, sizeof(url), "http://slow.test:%u/status/200", rig->port);
    slow.url = bytes_str(url);
    for (int i = 0; i < MANY; i++)
        rig_start(rig, &slow);
    rig_until(rig, lookups_wait, &n);
    rig_check_succeeds(rig, &job); /* needs no lookup, and is not held up */
    ck_assert_int_le(rig_threads(), n_threads + n);
    rig_resolver_go();
    for (uint64_t claim = 1; claim <= MANY; claim++)
        ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_NONE);
}
END_TEST

START_TEST(a_connection_is_used_again)
{
    struct job job = rig_get(rig, "/status/200");

    rig_check_succeeds(rig, &job);
    rig_check_succeeds(rig, &job);
    rig_check_has(rig, 1, STREAM_STDERR, "\nredirects: 0\n");
    /* Nobody had to connect the second time. */
    rig_check_has(rig, 2, STREAM_STDERR, "\nconnect_ms: 0.0");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http_run");
    TCase *t = tcase_create("http");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_watched_answer_can_be_read_while_it_comes);
    tcase_add_test(t, watching_tells_at_once_that_nothing_has_come);
    tcase_add_test(t, a_stopped_request_ends_as_stopped);
    tcase_add_test(t, a_request_can_be_stopped_before_it_begins);
    tcase_add_test(t, stopping_what_is_not_there_does_nothing);
    tcase_add_test(t, what_is_adopted_was_interrupted);
    tcase_add_test(t, a_worker_may_go_down_with_requests_under_way);
    tcase_add_test(t, many_are_under_way_at_once_without_a_thread_each);
    tcase_add_test(t, lookups_of_names_have_a_bounded_number_of_threads);
    tcase_add_test(t, a_connection_is_used_again);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
