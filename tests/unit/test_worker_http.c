#include "tests/unit/http_rig.h"

#include <event2/event.h>
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

/* Runs a GET of the path; what it asks for is to fail like that. */
static void check_fails(const struct job *job, enum aw_class class, const char *message)
{
    const struct outcome *o = rig_run(rig, job);

    ck_assert_msg(o->class == class, "class %s, '%s'", aw_class_name(o->class), o->message);
    ck_assert_msg(strstr(o->message, message), "'%s' is not in '%s'", message, o->message);
    ck_assert_int_eq(o->exit_code, NO_EXIT_CODE);
    ck_assert(!o->stopped);
}

static void check_succeeds(const struct job *job)
{
    const struct outcome *o = rig_run(rig, job);

    ck_assert_msg(o->class == AW_CLASS_NONE, "%s", o->message);
    ck_assert_str_eq(o->message, "");
    ck_assert_int_eq(o->exit_code, 0);
}

/* ---- Answers ----------------------------------------------------------------------------------
 */

START_TEST(the_body_is_the_result)
{
    struct job job = rig_get(rig, "/status/200");
    const struct outcome *o;

    check_succeeds(&job);
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

    check_succeeds(&job);
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

    check_fails(&job, AW_CLASS_HTTP, "the answer was 500 Whatever, not 200-299");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 500);
    rig_check_stdout(rig, 1, "body of another");
}
END_TEST

START_TEST(a_status_that_is_expected_succeeds)
{
    struct job job = rig_get(rig, "/status/404");

    job.expect = bytes_str("200,400-499");
    check_succeeds(&job);
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 404);
}
END_TEST

START_TEST(a_good_status_that_is_not_expected_fails)
{
    struct job job = rig_get(rig, "/status/200");

    job.expect = bytes_str("201-299,304");
    check_fails(&job, AW_CLASS_HTTP, "the answer was 200 Whatever, not 201-299,304");
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
    check_succeeds(&job);
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
    check_succeeds(&job);
    rig_check_has(rig, 1, STREAM_STDOUT, "POST\n");
    rig_check_has(rig, 1, STREAM_STDOUT, "\nContent-Length: 3\n");
}
END_TEST

START_TEST(methods_with_effects_carry_the_future_as_idempotency_key)
{
    struct job job = rig_get(rig, "/echo");

    job.method = bytes_str("POST");
    check_succeeds(&job);
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
    check_succeeds(&job);
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

    check_succeeds(&job);
    text = rig_output(rig, 1, STREAM_STDOUT, &len);
    ck_assert_ptr_null(strcasestr(text, "idempotency-key"));
    free(text);
}
END_TEST

START_TEST(head_has_no_body)
{
    struct job job = rig_get(rig, "/status/200");

    job.method = bytes_str("HEAD");
    check_succeeds(&job);
    ck_assert_uint_eq(rig->jobs[1].outcome.output[STREAM_STDOUT].size, 0);
}
END_TEST

START_TEST(proxies_of_the_environment_are_not_used)
{
    struct job job = rig_get(rig, "/status/200");

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    check_succeeds(&job);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}
END_TEST

/* ---- Failures ---------------------------------------------------------------------------------
 */

START_TEST(a_refused_connection_is_of_class_connection)
{
    struct job job = rig_job(bytes_str("http://127.0.0.1:1/"));

    check_fails(&job, AW_CLASS_CONNECTION, "127.0.0.1 port 1");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 0);
    rig_check_has(rig, 1, STREAM_STDERR, "url: http://127.0.0.1:1/\n");
}
END_TEST

START_TEST(a_name_that_nobody_knows_is_of_class_connection)
{
    struct job job = rig_job(bytes_str("http://nobody.test/"));

    check_fails(&job, AW_CLASS_CONNECTION, "nobody.test");
}
END_TEST

START_TEST(a_connection_that_breaks_in_the_answer_is_of_class_connection)
{
    struct job job = rig_get(rig, "/half");

    check_fails(&job, AW_CLASS_CONNECTION, "");
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
    check_fails(&job, AW_CLASS_TLS, "");
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
    check_fails(&job, AW_CLASS_HTTP, "");
    evconnlistener_free(listener);
}
END_TEST

START_TEST(a_server_that_hangs_runs_into_the_timeout)
{
    struct job job = rig_get(rig, "/hang");

    job.timeout_ms = 100;
    check_fails(&job, AW_CLASS_TIMEOUT,
                "ran longer than 100 ms and was ended, waiting for the answer");
}
END_TEST

START_TEST(an_answer_that_stalls_runs_into_the_timeout_and_is_kept)
{
    struct job job = rig_get(rig, "/drip");

    job.timeout_ms = 200;
    check_fails(&job, AW_CLASS_TIMEOUT, "in the middle of the answer");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 200);
    rig_check_stdout(rig, 1, "first ");
    rig->n_gate = 0;
}
END_TEST

START_TEST(a_lookup_that_hangs_runs_into_the_timeout_and_holds_up_nobody)
{
    struct job job = rig_get(rig, "/status/200"), slow = job;
    char url[256];

    snprintf(url, sizeof(url), "http://slow.test:%u/status/200", rig->port);
    slow.url = bytes_str(url);
    slow.timeout_ms = 200;
    check_fails(&slow, AW_CLASS_TIMEOUT, "connecting");
    ck_assert_int_eq(rig_resolver_waiting(), 1);
    check_succeeds(&job);
}
END_TEST

/* ---- Redirects --------------------------------------------------------------------------------
 */

START_TEST(redirects_are_not_followed_unless_asked)
{
    struct job job = rig_get(rig, "/to?/status/200");

    check_fails(&job, AW_CLASS_HTTP, "; it redirects to http://127.0.0.1:");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 302);
}
END_TEST

START_TEST(a_redirect_that_is_followed_shows_both_answers)
{
    struct job job = rig_get(rig, "/to?/status/200");

    job.follow = 1;
    check_succeeds(&job);
    rig_check_stdout(rig, 1, "body of 200");
    rig_check_has(rig, 1, STREAM_STDERR, "HTTP/1.1 302 ");
    rig_check_has(rig, 1, STREAM_STDERR, "HTTP/1.1 200 ");
    rig_check_has(rig, 1, STREAM_STDERR, "/status/200\naddress:");
    rig_check_has(rig, 1, STREAM_STDERR, "\nredirects: 1\n");
}
END_TEST

START_TEST(a_loop_of_redirects_ends)
{
    struct job job = rig_get(rig, "/loop");

    job.follow = 5;
    check_fails(&job, AW_CLASS_HTTP, "5");
    rig_check_has(rig, 1, STREAM_STDERR, "\nredirects: 5\n");
}
END_TEST

START_TEST(redirects_to_other_schemes_are_refused)
{
    static const char *const paths[] = {
        "/to?file:///etc/passwd",
        "/to?ftp://127.0.0.1/",
        "/to?gopher://127.0.0.1:1/x",
    };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct job job = rig_get(rig, paths[i]);

        job.follow = 3;
        check_fails(&job, AW_CLASS_HTTP, "");
        ck_assert_uint_eq(rig->jobs[rig->n_claims].outcome.output[STREAM_STDOUT].size, 0);
    }
}
END_TEST

START_TEST(redirects_with_a_password_are_refused)
{
    struct job job = rig_get(rig, "/to?http://user:pass@127.0.0.1/");

    job.follow = 3;
    check_fails(&job, AW_CLASS_HTTP, "");
}
END_TEST

/* ---- Addresses --------------------------------------------------------------------------------
 */

START_TEST(a_denied_address_is_not_connected_to)
{
    struct job job = rig_job(bytes_str("http://169.254.169.254/latest/meta-data/"));

    check_fails(&job, AW_CLASS_CONNECTION,
                "connections to 169.254.169.254 are denied by the configuration (http_deny)");
}
END_TEST

START_TEST(no_way_to_write_a_denied_address_helps)
{
    static const char *const urls[] = {
        "http://2852039166/",         "http://0xa9.0xfe.0xa9.0xfe/",
        "http://0251.0376.0251.0376", "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",          "http://[::ffff:a9fe:a9fe]:80/x",
        "http://[64:ff9b::a9fe:a9fe]"};

    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        struct job job = rig_job(bytes_str(urls[i]));

        check_fails(&job, AW_CLASS_CONNECTION, "denied by the configuration");
    }
}
END_TEST

START_TEST(a_name_does_not_lead_to_a_denied_address)
{
    static const char *const urls[] = {"http://metadata.test/", "http://mapped.test/"};

    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        struct job job = rig_job(bytes_str(urls[i]));

        check_fails(&job, AW_CLASS_CONNECTION, "denied by the configuration");
    }
}
END_TEST

START_TEST(a_redirect_does_not_lead_to_a_denied_address)
{
    static const char *const paths[] = {"/to?http://169.254.169.254/", "/to?http://metadata.test/"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct job job = rig_get(rig, paths[i]);

        job.follow = 3;
        check_fails(&job, AW_CLASS_CONNECTION, "denied by the configuration");
    }
}
END_TEST

START_TEST(the_unspecified_address_counts_as_loopback)
{
    char loopback[] = "loopback";
    char *deny[] = {loopback};
    struct job job;

    rig_free(rig);
    rig = rig_new_denying(deny, 1);
    job = rig_job(rig_url_at(rig, "0.0.0.0", "/status/200"));
    check_fails(&job, AW_CLASS_CONNECTION, "denied by the configuration");
    job = rig_job(rig_url_at(rig, "localhost", "/status/200"));
    check_fails(&job, AW_CLASS_CONNECTION, "denied by the configuration");
}
END_TEST

/* ---- Much output ------------------------------------------------------------------------------
 */

START_TEST(a_big_body_goes_to_the_spool)
{
    struct job job = rig_get(rig, "/big/20000000");
    const struct output *o;
    size_t len;
    char *data;

    check_succeeds(&job);
    o = &rig->jobs[1].outcome.output[STREAM_STDOUT];
    ck_assert(o->spooled);
    ck_assert_uint_eq(o->size, 20000000);
    ck_assert_uint_eq(o->data.len, 0);
    ck_assert(!rig->jobs[1].outcome.output[STREAM_STDERR].spooled);
    data = rig_output(rig, 1, STREAM_STDOUT, &len);
    ck_assert_uint_eq(strspn(data, "x"), 20000000);
    free(data);
}
END_TEST

START_TEST(what_just_fits_travels_and_one_byte_more_is_spooled)
{
    char path[32];

    for (unsigned more = 0; more < 2; more++) {
        struct job job;

        snprintf(path, sizeof(path), "/big/%u", AW_INLINE_OUTPUT + more);
        job = rig_get(rig, path);
        check_succeeds(&job);
        ck_assert_uint_eq(rig->jobs[more + 1].outcome.output[STREAM_STDOUT].spooled, more);
        ck_assert_uint_eq(rig->jobs[more + 1].outcome.output[STREAM_STDOUT].size,
                          AW_INLINE_OUTPUT + more);
    }
}
END_TEST

START_TEST(the_output_limit_is_exact)
{
    static const uint64_t limits[] = {1, 1000, 100000};
    struct job job = rig_get(rig, "/big/1000000");

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
        const struct outcome *o = rig_ended(rig, rig_start_limited(rig, &job, limits[i]));

        ck_assert_int_eq(o->class, AW_CLASS_OUTPUT_LIMIT);
        ck_assert_uint_eq(o->output[STREAM_STDOUT].size, limits[i]);
        ck_assert_uint_eq(o->http_status, 200);
    }
}
END_TEST

START_TEST(a_body_as_large_as_the_limit_is_fine)
{
    struct job job = rig_get(rig, "/big/1000");
    const struct outcome *o = rig_ended(rig, rig_start_limited(rig, &job, 1000));

    ck_assert_int_eq(o->class, AW_CLASS_NONE);
}
END_TEST

START_TEST(endless_headers_are_cut_off)
{
    struct job job = rig_get(rig, "/header/90000");

    check_fails(&job, AW_CLASS_HTTP, "the headers of the answer have more than 65536 bytes");
}
END_TEST

START_TEST(many_headers_go_to_the_spool)
{
    struct job job = rig_get(rig, "/header/50000");

    check_succeeds(&job);
    ck_assert(rig->jobs[1].outcome.output[STREAM_STDERR].spooled);
    rig_check_has(rig, 1, STREAM_STDERR, "\ntotal_ms: ");
    rig_check_stdout(rig, 1, "short");
}
END_TEST

START_TEST(a_spool_that_cannot_be_written_fails_the_job)
{
    struct job job = rig_get(rig, "/big/1000000");

    close(rig->spool.dir_fd);
    rig->spool.dir_fd = -1;
    check_fails(&job, AW_CLASS_OUTPUT_LIMIT, "the answer could not be kept: Bad file descriptor");
    ck_assert_uint_eq(rig->jobs[1].outcome.output[STREAM_STDOUT].size, 0);
}
END_TEST

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
    check_succeeds(&job); /* needs no lookup, and is not held up */
    ck_assert_int_le(rig_threads(), n_threads + n);
    rig_resolver_go();
    for (uint64_t claim = 1; claim <= MANY; claim++)
        ck_assert_int_eq(rig_ended(rig, claim)->class, AW_CLASS_NONE);
}
END_TEST

START_TEST(a_connection_is_used_again)
{
    struct job job = rig_get(rig, "/status/200");

    check_succeeds(&job);
    check_succeeds(&job);
    rig_check_has(rig, 1, STREAM_STDERR, "\nredirects: 0\n");
    /* Nobody had to connect the second time. */
    rig_check_has(rig, 2, STREAM_STDERR, "\nconnect_ms: 0.0");
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
    tcase_add_test(t, redirects_are_not_followed_unless_asked);
    tcase_add_test(t, a_redirect_that_is_followed_shows_both_answers);
    tcase_add_test(t, a_loop_of_redirects_ends);
    tcase_add_test(t, redirects_to_other_schemes_are_refused);
    tcase_add_test(t, redirects_with_a_password_are_refused);
    tcase_add_test(t, a_denied_address_is_not_connected_to);
    tcase_add_test(t, no_way_to_write_a_denied_address_helps);
    tcase_add_test(t, a_name_does_not_lead_to_a_denied_address);
    tcase_add_test(t, a_redirect_does_not_lead_to_a_denied_address);
    tcase_add_test(t, the_unspecified_address_counts_as_loopback);
    tcase_add_test(t, a_big_body_goes_to_the_spool);
    tcase_add_test(t, what_just_fits_travels_and_one_byte_more_is_spooled);
    tcase_add_test(t, the_output_limit_is_exact);
    tcase_add_test(t, a_body_as_large_as_the_limit_is_fine);
    tcase_add_test(t, endless_headers_are_cut_off);
    tcase_add_test(t, many_headers_go_to_the_spool);
    tcase_add_test(t, a_spool_that_cannot_be_written_fails_the_job);
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
