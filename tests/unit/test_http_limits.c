/* The http worker: redirects, addresses that are denied, and output that is too much. */
#include "tests/unit/http_rig.h"

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

/* ---- Redirects --------------------------------------------------------------------------------
 */

START_TEST(redirects_are_not_followed_unless_asked)
{
    struct job job = rig_get(rig, "/to?/status/200");

    rig_check_fails(rig, &job, AW_CLASS_HTTP, "; it redirects to http://127.0.0.1:");
    ck_assert_uint_eq(rig->jobs[1].outcome.http_status, 302);
}
END_TEST

START_TEST(a_redirect_that_is_followed_shows_both_answers)
{
    struct job job = rig_get(rig, "/to?/status/200");

    job.follow = 1;
    rig_check_succeeds(rig, &job);
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
    rig_check_fails(rig, &job, AW_CLASS_HTTP, "5");
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
        rig_check_fails(rig, &job, AW_CLASS_HTTP, "");
        ck_assert_uint_eq(rig->jobs[rig->n_claims].outcome.output[STREAM_STDOUT].size, 0);
    }
}
END_TEST

START_TEST(redirects_with_a_password_are_refused)
{
    struct job job = rig_get(rig, "/to?http://user:pass@127.0.0.1/");

    job.follow = 3;
    rig_check_fails(rig, &job, AW_CLASS_HTTP, "");
}
END_TEST

/* ---- Addresses --------------------------------------------------------------------------------
 */

START_TEST(a_denied_address_is_not_connected_to)
{
    struct job job = rig_job(bytes_str("http://169.254.169.254/latest/meta-data/"));

    rig_check_fails(rig, &job, AW_CLASS_CONNECTION,
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

        rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "denied by the configuration");
    }
}
END_TEST

START_TEST(a_name_does_not_lead_to_a_denied_address)
{
    static const char *const urls[] = {"http://metadata.test/", "http://mapped.test/"};

    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        struct job job = rig_job(bytes_str(urls[i]));

        rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "denied by the configuration");
    }
}
END_TEST

START_TEST(a_redirect_does_not_lead_to_a_denied_address)
{
    static const char *const paths[] = {"/to?http://169.254.169.254/", "/to?http://metadata.test/"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct job job = rig_get(rig, paths[i]);

        job.follow = 3;
        rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "denied by the configuration");
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
    rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "denied by the configuration");
    job = rig_job(rig_url_at(rig, "localhost", "/status/200"));
    rig_check_fails(rig, &job, AW_CLASS_CONNECTION, "denied by the configuration");
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

    rig_check_succeeds(rig, &job);
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
        rig_check_succeeds(rig, &job);
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

    rig_check_fails(rig, &job, AW_CLASS_HTTP,
                    "the headers of the answer have more than 65536 bytes");
}
END_TEST

START_TEST(many_headers_go_to_the_spool)
{
    struct job job = rig_get(rig, "/header/50000");

    rig_check_succeeds(rig, &job);
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
    rig_check_fails(rig, &job, AW_CLASS_OUTPUT_LIMIT,
                    "the answer could not be kept: Bad file descriptor");
    ck_assert_uint_eq(rig->jobs[1].outcome.output[STREAM_STDOUT].size, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http_limits");
    TCase *t = tcase_create("http");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
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
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
