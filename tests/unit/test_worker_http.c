/* The http worker: what it asks, and what becomes of answers and failures. */
#include "tests/unit/http_rig.h"

#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

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

/* ---- Answers ----------------------------------------------------------------------------------
 */

START_TEST(the_body_is_the_result)
{
    struct job job = rig_get(rig, "/status/200");
    const struct outcome *o;

    rig_check_succeeds(rig, &job);
    o = &rig->jobs[1].outcome;
    ck_assert_uint_eq(o->http_status, 200);
    ck_assert_int_gt(o->started_us, 0);
    ck_assert_int_ge(o->ended_us, o->started_us);
    rig_check_stdout(rig, 1, "body of 200");
}
END_TEST

START_TEST(status_headers_and_times_are_in_stderr)
{
    struct job job = rig_get(rig, "/status/200");
    char address[64];

    rig_check_succeeds(rig, &job);
    snprintf(address, sizeof(address), "\naddress: 127.0.0.1 port %u\n", rig->port);
    rig_check_has(rig, 1, STREAM_STDERR, "HTTP/1.1 200 Whatever\n");
    rig_check_has(rig, 1, STREAM_STDERR, "\nContent-Length: 11\n");
    rig_check_has(rig, 1, STREAM_STDERR,
                  "\nContent-Type: text/html; charset=ISO-8859-1\n\nurl: http://");
    rig_check_has(rig, 1, STREAM_STDERR, address);
    rig_check_has(rig, 1, STREAM_STDERR, "\nredirects: 0\n");
    rig_check_has(rig, 1, STREAM_STDERR, "\nfirst_byte_ms: ");
    rig_check_has(rig, 1, STREAM_STDERR, "\ntotal_ms: ");
}
END_TEST

START_TEST(an_error_status_fails_and_keeps_the_body)
{
    struct job job = rig_get(rig, "/status/500");

    rig_check_fails(rig, &job, AW_CLASS_HTTP, "the answer was 500 Whatever, not 200-299");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 500);
    rig_check_stdout(rig, 1, "body of another");
}
END_TEST

START_TEST(a_status_that_is_expected_succeeds)
{
    struct job job = rig_get(rig, "/status/404");

    job.expect = bytes_str("200,400-499");
    rig_check_succeeds(rig, &job);
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 404);
}
END_TEST

START_TEST(a_good_status_that_is_not_expected_fails)
{
    struct job job = rig_get(rig, "/status/200");

    job.expect = bytes_str("201-299,304");
    rig_check_fails(rig, &job, AW_CLASS_HTTP, "the answer was 200 Whatever, not 201-299,304");
}
END_TEST

/* ---- Requests ---------------------------------------------------------------------------------
 */

START_TEST(method_headers_and_body_arrive)
{
    struct bytes headers[] = {bytes_str("X-One: 1"), bytes_str("Content-Type: text/plain")};
    struct job job = rig_get(rig, "/echo");

    job.method = bytes_str("PUT");
    job.headers.v = headers;
    job.headers.n = 2;
    job.body = bytes_str("the\nbody");
    rig_check_succeeds(rig, &job);
    rig_check_has(rig, 1, STREAM_STDOUT, "PUT\n");
    rig_check_has(rig, 1, STREAM_STDOUT, "\nX-One: 1\n");
    rig_check_has(rig, 1, STREAM_STDOUT, "\nContent-Type: text/plain\n");
    rig_check_has(rig, 1, STREAM_STDOUT, "\nContent-Length: 8\n");
    rig_check_has(rig, 1, STREAM_STDOUT, "\nUser-Agent: awd/");
    rig_check_has(rig, 1, STREAM_STDOUT, "\n\nthe\nbody");
}
END_TEST

START_TEST(a_body_makes_it_a_post)
{
    struct job job = rig_get(rig, "/echo");

    job.body = bytes_of("a\0b", 3);
    rig_check_succeeds(rig, &job);
    rig_check_has(rig, 1, STREAM_STDOUT, "POST\n");
    rig_check_has(rig, 1, STREAM_STDOUT, "\nContent-Length: 3\n");
}
END_TEST

START_TEST(methods_with_effects_carry_the_future_as_idempotency_key)
{
    struct job job = rig_get(rig, "/echo");

    job.method = bytes_str("POST");
    rig_check_succeeds(rig, &job);
    rig_check_has(rig, 1, STREAM_STDOUT, "\nIdempotency-Key: abcde-1\n");
}
END_TEST

START_TEST(a_job_has_the_last_word_on_the_idempotency_key)
{
    struct bytes header = bytes_str("idempotency-key: mine");
    struct job job = rig_get(rig, "/echo");
    char *text;
    size_t len;

    job.method = bytes_str("DELETE");
    job.headers.v = &header;
    job.headers.n = 1;
    rig_check_succeeds(rig, &job);
    text = rig_output(rig, 1, STREAM_STDOUT, &len);
    ck_assert_ptr_nonnull(strstr(text, "\nidempotency-key: mine\n"));
    ck_assert_ptr_null(strstr(text, "abcde-1"));
    free(text);
}
END_TEST

START_TEST(a_get_carries_no_idempotency_key)
{
    struct job job = rig_get(rig, "/echo");
    char *text;
    size_t len;

    rig_check_succeeds(rig, &job);
    text = rig_output(rig, 1, STREAM_STDOUT, &len);
    ck_assert_ptr_null(strcasestr(text, "idempotency-key"));
    free(text);
}
END_TEST

START_TEST(head_has_no_body)
{
    struct job job = rig_get(rig, "/status/200");

    job.method = bytes_str("HEAD");
    rig_check_succeeds(rig, &job);
    ck_assert_uint_eq(rig->jobs[1].outcome.output[STREAM_STDOUT].size, 0);
}
END_TEST

START_TEST(proxies_of_the_environment_are_not_used)
{
    struct job job = rig_get(rig, "/status/200");

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    rig_check_succeeds(rig, &job);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------
 */

START_TEST(a_refused_connection_is_of_class_connection)
{
    struct job job = rig_job(bytes_str("http://127.0.0.1:1/"));

    rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "127.0.0.1 port 1");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 0);
    rig_check_has(rig, 1, STREAM_STDERR, "url: http://127.0.0.1:1/\n");
}
END_TEST

START_TEST(a_name_that_nobody_knows_is_of_class_connection)
{
    struct job job = rig_job(bytes_str("http://nobody.test/"));

    rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "nobody.test");
}
END_TEST

START_TEST(a_connection_that_breaks_in_the_answer_is_of_class_connection)
{
    struct job job = rig_get(rig, "/half");

    rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 200);
    rig_check_stdout(rig, 1, "half");
}
END_TEST

START_TEST(no_tls_on_the_other_side_is_of_class_tls)
{
    struct job job = rig_get(rig, "/status/200");
    char url[64];

    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", rig->port);
    job.url = bytes_str(url);
    rig_check_fails(rig, &job, AW_CLASS_TLS, "");
}
END_TEST

static void on_raw(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                   int len, void *arg)
{
    const char *text = arg;

    (void)listener;
    (void)address;
    (void)len;
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    shutdown(fd, SHUT_WR);
}

START_TEST(what_is_no_http_is_of_class_http)
{
    char text[] = "220 mail.test ESMTP\r\n", url[64];
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    struct evconnlistener *listener = evconnlistener_new_bind(
        rig->base, on_raw, text, LEV_OPT_CLOSE_ON_FREE, 4, (struct sockaddr *)&sin, sizeof(sin));
    struct job job;

    getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&sin, &len);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(sin.sin_port));
    job = rig_job(bytes_str(url));
    rig_check_fails(rig, &job, AW_CLASS_HTTP, "");
    evconnlistener_free(listener);
}
END_TEST

/*
 * Its time is over before there is an answer. Where that is before it was there that it is to be
 * (all is slow), it gets more. The claim of the last one.
 */
static uint64_t run_into_timeout(struct job *job, const char *where)
{
    for (;; job->timeout_ms *= 2) {
        uint64_t claim = rig_start(rig, job);
        const struct outcome *o = rig_ended(rig, claim);

        rig_open_gate(rig); /* what is answered when its client has gone is freed so */
        ck_assert_msg(o->class == AW_CLASS_TIMEOUT, "class %s", aw_class_name(o->class));
        ck_assert_int_eq(o->exit_code, NO_EXIT_CODE);
        ck_assert(!o->stopped);
        if (strstr(o->message, where))
            return claim;
        ck_assert_msg(job->timeout_ms < 10000, "'%s' is not in '%s'", where, o->message);
    }
}

START_TEST(a_server_that_hangs_runs_into_the_timeout)
{
    struct job job = rig_get(rig, "/hang");
    char said[64];
    uint64_t claim;

    job.timeout_ms = 100;
    claim = run_into_timeout(&job, "waiting for the answer");
    snprintf(said, sizeof(said), "ran longer than %d ms and was ended, ", (int)job.timeout_ms);
    ck_assert_ptr_nonnull(strstr(rig->jobs[claim].outcome.message, said));
}
END_TEST

START_TEST(an_answer_that_stalls_runs_into_the_timeout_and_is_kept)
{
    struct job job = rig_get(rig, "/drip");
    uint64_t claim;

    job.timeout_ms = 200;
    claim = run_into_timeout(&job, "in the middle of the answer");
    ck_assert_uint_eq(rig->jobs[claim].outcome.http_status, 200);
    rig_check_stdout(rig, claim, "first ");
}
END_TEST

START_TEST(a_lookup_that_hangs_runs_into_the_timeout_and_holds_up_nobody)
{
    struct job job = rig_get(rig, "/status/200"), slow = job;
    char url[256];

    snprintf(url, sizeof(url), "http://slow.test:%u/status/200", rig->port);
    slow.url = bytes_str(url);
    slow.timeout_ms = 200;
    rig_check_fails(rig, &slow, AW_CLASS_TIMEOUT, "connecting");
    ck_assert_int_eq(rig_resolver_waiting(), 1);
    rig_check_succeeds(rig, &job);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("worker_http");
    TCase *t = tcase_create("http");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_body_is_the_result);
    tcase_add_test(t, status_headers_and_times_are_in_stderr);
    tcase_add_test(t, an_error_status_fails_and_keeps_the_body);
    tcase_add_test(t, a_status_that_is_expected_succeeds);
    tcase_add_test(t, a_good_status_that_is_not_expected_fails);
    tcase_add_test(t, method_headers_and_body_arrive);
    tcase_add_test(t, a_body_makes_it_a_post);
    tcase_add_test(t, methods_with_effects_carry_the_future_as_idempotency_key);
    tcase_add_test(t, a_job_has_the_last_word_on_the_idempotency_key);
    tcase_add_test(t, a_get_carries_no_idempotency_key);
    tcase_add_test(t, head_has_no_body);
    tcase_add_test(t, proxies_of_the_environment_are_not_used);
    tcase_add_test(t, a_refused_connection_is_of_class_connection);
    tcase_add_test(t, a_name_that_nobody_knows_is_of_class_connection);
    tcase_add_test(t, a_connection_that_breaks_in_the_answer_is_of_class_connection);
    tcase_add_test(t, no_tls_on_the_other_side_is_of_class_tls);
    tcase_add_test(t, what_is_no_http_is_of_class_http);
    tcase_add_test(t, a_server_that_hangs_runs_into_the_timeout);
    tcase_add_test(t, an_answer_that_stalls_runs_into_the_timeout_and_is_kept);
    tcase_add_test(t, a_lookup_that_hangs_runs_into_the_timeout_and_holds_up_nobody);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
