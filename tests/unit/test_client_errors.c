/* libaw when it is told no: errors of the daemon, and addresses. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "tests/unit/client_rig.h"

static void refuses(struct fake_request *rq, void *arg)
{
    (void)arg;
    fake_error(rq, AW_ERR_QUEUE_FULL, "500 jobs are waiting; no more are taken");
}

START_TEST(what_the_daemon_refuses_comes_back_with_its_sentence)
{
    struct fake *fake = fake_start(refuses, NULL);
    struct aw_client *client = client_at(fake_path(fake));
    struct aw_job job = echo_job();
    struct aw_future *future = NULL;
    struct aw_error err = {0};

    ck_assert_int_eq(aw_submit(client, &job, 1, &future, &err), AW_ERR_QUEUE_FULL);
    ck_assert_int_eq(err.code, AW_ERR_QUEUE_FULL);
    ck_assert_str_eq(err.text, "500 jobs are waiting; no more are taken");
    ck_assert_ptr_null(future);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static void busy_twice(struct fake_request *rq, void *arg)
{
    if (rq->n < 2)
        fake_error(rq, rq->n ? AW_ERR_STOPPING : AW_ERR_BUSY, "not now");
    else
        well_behaved(rq, arg);
}

START_TEST(a_daemon_that_says_not_now_is_asked_again)
{
    struct store store = {0};
    struct fake *fake = fake_start(busy_twice, &store);
    struct aw_client *client = client_at(fake_path(fake));
    struct aw_job job = echo_job();
    struct aw_future *future;

    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    fake_await_requests(fake, 3);
    aw_future_unref(future);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

START_TEST(addresses_that_cannot_be_are_refused_at_once)
{
    struct aw_client_config config;
    struct aw_client *client = NULL;
    struct aw_error err;

    aw_client_config_init(&config);
    config.url = "http://localhost/";
    ck_assert_int_eq(aw_client_open(&config, &client, &err), AW_ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "tls+tcp://host:port"));
    config.url = "ipc://relative";
    ck_assert_int_eq(aw_client_open(&config, &client, &err), AW_ERR_USAGE);
    config.url = "";
    ck_assert_int_eq(aw_client_open(&config, &client, &err), AW_ERR_USAGE);
    ck_assert_ptr_null(client);
}
END_TEST

START_TEST(a_missing_daemon_is_named_with_the_reason)
{
    struct aw_client_config config;
    struct aw_client *client;
    struct aw_hello *hello;
    struct aw_error err;

    aw_client_config_init(&config);
    config.url = "/nonexistent/awd.sock";
    config.retry_ms = 20;
    ck_assert_int_eq(aw_client_open(&config, &client, NULL), AW_OK);
    ck_assert_int_eq(aw_hello(client, &hello, &err), AW_ERR_UNREACHABLE);
    ck_assert_str_eq(err.text, "no daemon at /nonexistent/awd.sock (no such socket)");
    aw_client_close(client);
}
END_TEST

START_TEST(without_an_address_the_users_own_socket_is_found)
{
    struct fake *fake = fake_start(well_behaved, NULL);
    char runtime[] = "/tmp/fake-runtime-XXXXXX", link[64], want[96], got[AW_MAX_PATH];
    _cleanup_free_ char *dir = strdup(fake_path(fake));
    const char *id = "1";
    struct aw_statuses *list;
    struct aw_client *client;

    *strrchr(dir, '/') = '\0';
    ck_assert_ptr_nonnull(mkdtemp(runtime));
    snprintf(link, sizeof(link), "%s/awd", runtime);
    snprintf(want, sizeof(want), "%s/awd/awd.sock", runtime);
    ck_assert_int_eq(symlink(dir, link), 0);
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    unsetenv("AWD_SOCKET");
    client = client_at(NULL);
    ck_assert_int_eq(aw_status(client, &id, 1, &list, NULL), AW_OK);
    aw_client_address(client, got, sizeof(got));
    ck_assert_str_eq(got, want);
    aw_statuses_free(list);
    aw_client_close(client);
    unlink(link);
    rmdir(runtime);
    fake_stop(fake);
}
END_TEST

START_TEST(the_environments_address_comes_before_the_usual_places)
{
    struct fake *fake = fake_start(well_behaved, NULL);
    const char *id = "1";
    struct aw_statuses *list;
    struct aw_client *client;

    setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
    setenv("AWD_SOCKET", fake_path(fake), 1);
    client = client_at(NULL);
    ck_assert_int_eq(aw_status(client, &id, 1, &list, NULL), AW_OK);
    aw_statuses_free(list);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static Suite *errors_suite(void)
{
    Suite *s = suite_create("client errors");
    TCase *t = tcase_create("errors");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_the_daemon_refuses_comes_back_with_its_sentence);
    tcase_add_test(t, a_daemon_that_says_not_now_is_asked_again);
    tcase_add_test(t, addresses_that_cannot_be_are_refused_at_once);
    tcase_add_test(t, a_missing_daemon_is_named_with_the_reason);
    tcase_add_test(t, without_an_address_the_users_own_socket_is_found);
    tcase_add_test(t, the_environments_address_comes_before_the_usual_places);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(errors_suite());
}
