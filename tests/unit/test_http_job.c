#include "proto/http_job.h"

#include <stdio.h>

#include "tests/unit/unit.h"

static struct job job_of(const char *url)
{
    return (struct job){.type = bytes_str("http"), .url = bytes_str(url)};
}

static void check_accepted(const struct job *job)
{
    struct aw_error err = {.text = ""};

    ck_assert_msg(job_check(job, &err) == AW_OK, "%s", err.text);
}

static void check_refused(const struct job *job, enum aw_err code, const char *text)
{
    struct aw_error err = {.text = ""};

    ck_assert_int_eq(job_check(job, &err), code);
    ck_assert_msg(strstr(err.text, text), "'%s' is not in '%s'", text, err.text);
}

START_TEST(urls_of_http_and_https_are_accepted)
{
    static const char *const urls[] = {
        "http://a",      "HTTP://a/",           "https://example.org:8443/x?y=z#f",
        "http://[::1]/", "http://[::1]:80",     "http://127.0.0.1:80/?q=@",
        "http://a?b@c",  "hTTps://example.org", "http://a/%C3%A9",
    };

    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        struct job job = job_of(urls[i]);

        check_accepted(&job);
    }
}
END_TEST

START_TEST(other_urls_are_refused)
{
    static const struct {
        const char *url, *why;
    } wrong[] = {
        {"file:///etc/passwd", "http:// or https://"},
        {"ftp://a/", "http:// or https://"},
        {"gopher://a/", "http:// or https://"},
        {"example.org", "http:// or https://"},
        {"//a/", "http:// or https://"},
        {"http:a", "http:// or https://"},
        {"http://", "http:// or https://"},
        {"http:///a", "no host"},
        {"http://:80/", "no host"},
        {"https://?x", "no host"},
        {"http://user@a/", "user or password"},
        {"http://user:pass@a/", "user or password"},
        {"http://a b/", "byte 8"},
        {"http://a/\n", "byte 9"},
        {"http://a/\x7f", "byte 9"},
        {"http://a/\xc3\xa9", "byte 9"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct job job = job_of(wrong[i].url);

        check_refused(&job, AW_ERR_INVALID, wrong[i].why);
    }
}
END_TEST

START_TEST(a_job_without_a_url_is_refused)
{
    struct job job = {.type = bytes_str("http")};

    check_refused(&job, AW_ERR_INVALID, "url: a job of type http needs one");
}
END_TEST

START_TEST(the_method_follows_from_the_body)
{
    struct job job = job_of("http://a/");

    ck_assert_bytes_eq(http_method(&job), "GET");
    job.body = bytes_of("", 0);
    ck_assert_bytes_eq(http_method(&job), "POST");
    job.method = bytes_str("PUT");
    ck_assert_bytes_eq(http_method(&job), "PUT");
}
END_TEST

START_TEST(methods_are_tokens)
{
    static const char *const right[] = {"GET", "DELETE", "MKCOL", "x-y"};
    static const char *const wrong[] = {"G ET", "GET\r\nX: 1", "CONNECT", "connect", "a/b"};
    struct job job = job_of("http://a/");

    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        job.method = bytes_str(right[i]);
        check_accepted(&job);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        job.method = bytes_str(wrong[i]);
        check_refused(&job, AW_ERR_INVALID, "method");
    }
}
END_TEST

START_TEST(head_has_no_body)
{
    struct job job = job_of("http://a/");

    job.method = bytes_str("HEAD");
    check_accepted(&job);
    job.body = bytes_str("x");
    check_refused(&job, AW_ERR_INVALID, "HEAD");
}
END_TEST

START_TEST(headers_are_names_and_values)
{
    static const char *const right[] = {"A: b", "A:b", "A:", "X-Y_z: \t \xc3\xa9"};
    static const char *const wrong[] = {
        "A",        ": b",     "A b: c", "A: b\r\nC: d",      "A: b\n",
        "A\x01: b", "A: \x7f", "",       "Content-Length: 5", "transfer-encoding: chunked",
    };
    struct job job = job_of("http://a/");
    struct bytes header;

    job.headers.v = &header;
    job.headers.n = 1;
    for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
        header = bytes_str(right[i]);
        check_accepted(&job);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        header = bytes_str(wrong[i]);
        check_refused(&job, AW_ERR_INVALID, "headers[0]");
    }
    header = bytes_of("A: b\0c", 6);
    check_refused(&job, AW_ERR_INVALID, "headers[0]");
}
END_TEST

START_TEST(headers_have_a_limit_together)
{
    struct bytes headers[2];
    char *text = malloc(AW_MAX_HEADERSIZE);
    struct job job = job_of("http://a/");

    memset(text, 'a', AW_MAX_HEADERSIZE);
    text[1] = ':';
    headers[0] = headers[1] = bytes_of(text, AW_MAX_HEADERSIZE / 2 - 1);
    job.headers.v = headers;
    job.headers.n = 2;
    check_accepted(&job);
    headers[1].len++;
    check_refused(&job, AW_ERR_TOO_LARGE, "headers");
    free(text);
}
END_TEST

START_TEST(headers_are_found_by_name)
{
    struct bytes headers[] = {bytes_str("Accept: x"), bytes_str("idempotency-KEY:")};
    struct job job = job_of("http://a/");

    job.headers.v = headers;
    job.headers.n = 2;
    ck_assert(http_has_header(&job, "Idempotency-Key"));
    ck_assert(http_has_header(&job, "accept"));
    ck_assert(!http_has_header(&job, "Accep"));
    ck_assert(!http_has_header(&job, "x"));
}
END_TEST

START_TEST(lists_of_statuses_are_read)
{
    struct bytes list = bytes_str("200,204,300-302");

    ck_assert(http_status_expected(list, 200));
    ck_assert(!http_status_expected(list, 201));
    ck_assert(http_status_expected(list, 204));
    ck_assert(!http_status_expected(list, 299));
    ck_assert(http_status_expected(list, 300));
    ck_assert(http_status_expected(list, 302));
    ck_assert(!http_status_expected(list, 303));
    ck_assert(!http_status_expected(list, 0));
}
END_TEST

START_TEST(without_a_list_any_success_is_expected)
{
    ck_assert(http_status_expected((struct bytes){0}, 200));
    ck_assert(http_status_expected((struct bytes){0}, 299));
    ck_assert(!http_status_expected((struct bytes){0}, 300));
    ck_assert(!http_status_expected((struct bytes){0}, 199));
}
END_TEST

START_TEST(what_is_no_list_of_statuses_is_refused)
{
    static const char *const wrong[] = {",",
                                        "200,",
                                        ",200",
                                        "2xx",
                                        "99",
                                        "1000",
                                        "300-200",
                                        "200-",
                                        "-200",
                                        "200-300-400",
                                        "200 ",
                                        "200;204",
                                        "99999999999999999999"};
    struct job job = job_of("http://a/");

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        job.expect = bytes_str(wrong[i]);
        check_refused(&job, AW_ERR_INVALID, "expect");
    }
    job.expect = bytes_str("100,999");
    check_accepted(&job);
}
END_TEST

START_TEST(the_host_is_found)
{
    ck_assert_bytes_eq(http_host(bytes_str("http://a.b:80/c")), "a.b");
    ck_assert_bytes_eq(http_host(bytes_str("https://a?b:c")), "a");
    ck_assert_bytes_eq(http_host(bytes_str("http://[::1]:80/")), "[::1]");
    ck_assert_bytes_eq(http_host(bytes_str("http://127.0.0.1")), "127.0.0.1");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("http_job");
    TCase *t = tcase_create("http_job");

    tcase_add_test(t, urls_of_http_and_https_are_accepted);
    tcase_add_test(t, other_urls_are_refused);
    tcase_add_test(t, a_job_without_a_url_is_refused);
    tcase_add_test(t, the_method_follows_from_the_body);
    tcase_add_test(t, methods_are_tokens);
    tcase_add_test(t, head_has_no_body);
    tcase_add_test(t, headers_are_names_and_values);
    tcase_add_test(t, headers_have_a_limit_together);
    tcase_add_test(t, headers_are_found_by_name);
    tcase_add_test(t, lists_of_statuses_are_read);
    tcase_add_test(t, without_a_list_any_success_is_expected);
    tcase_add_test(t, what_is_no_list_of_statuses_is_refused);
    tcase_add_test(t, the_host_is_found);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
