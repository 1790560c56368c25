/* libaw over tcp, which goes through its module on nng, against a stock nng REP socket. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "client/aw.h"
#include "proto/codec.h"
#include "proto/messages.h"

/* A server that answers everything with what its handler packs. */
struct server {
    nng_socket socket;
    pthread_t thread;
    char url[64];
    size_t n_stdin; /* of the last submit */
};

static void answer(struct server *s, nng_msg *msg, struct codec_buf *out)
{
    struct reply ok = {0};
    struct bytes id = bytes_str("k3f9q-1");
    struct submit_rep submitted = {.ids = {&id, 1}};
    struct drain_rep drained = {.draining = true, .unfinished = 7};
    struct codec_part parts[2] = {{&reply_schema, &ok}, {&drain_rep_schema, &drained}};
    struct submit_req submit;
    struct request request;
    struct codec_doc doc;

    ck_assert_int_eq(codec_open(nng_msg_body(msg), nng_msg_len(msg), &doc, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&doc, &request_schema, &request, NULL), AW_OK);
    if (bytes_eq(request.op, bytes_str("submit"))) {
        ck_assert_int_eq(codec_read(&doc, &submit_req_schema, &submit, NULL), AW_OK);
        s->n_stdin = submit.jobs.v[0].stdin.len;
        parts[1] = (struct codec_part){&submit_rep_schema, &submitted};
    }
    ck_assert_int_eq(codec_write(out, parts, 2), AW_OK);
    codec_close(&doc);
}

static void *serve(void *arg)
{
    struct server *s = arg;
    struct codec_buf out = {0};
    nng_msg *msg;

    while (nng_recvmsg(s->socket, &msg, 0) == 0) {
        codec_buf_reset(&out);
        answer(s, msg, &out);
        nng_msg_clear(msg);
        ck_assert_int_eq(nng_msg_append(msg, out.data, out.len), 0);
        if (nng_sendmsg(s->socket, msg, 0) != 0)
            nng_msg_free(msg);
    }
    codec_buf_done(&out);
    return NULL;
}

/* On the same port as before, if it had one. */
static void server_start(struct server *s)
{
    nng_listener listener;
    nng_sockaddr addr;

    if (!*s->url)
        snprintf(s->url, sizeof(s->url), "tcp://127.0.0.1:0");
    ck_assert_int_eq(nng_rep0_open(&s->socket), 0);
    ck_assert_int_eq(nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, AW_MAX_MESSAGE + 4), 0);
    ck_assert_int_eq(nng_listener_create(&listener, s->socket, s->url), 0);
    ck_assert_int_eq(nng_listener_start(listener, 0), 0);
    ck_assert_int_eq(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &addr), 0);
    snprintf(s->url, sizeof(s->url), "tcp://127.0.0.1:%u", ntohs(addr.s_in.sa_port));
    ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    nng_close(s->socket);
    pthread_join(s->thread, NULL);
}

static struct aw_client *client_of(const char *url, int64_t retry_ms)
{
    struct aw_client_config config;
    struct aw_client *client;

    setenv("AWD_MODULE_DIR", AW_MODULE_BUILT, 1);
    aw_client_config_init(&config);
    config.url = url;
    config.retry_ms = retry_ms;
    ck_assert_int_eq(aw_client_open(&config, &client, NULL), AW_OK);
    return client;
}

static enum aw_err ask(struct aw_client *client, struct aw_error *err)
{
    uint64_t unfinished = 0;
    enum aw_err e = aw_drain(client, true, &unfinished, err);

    if (!e)
        ck_assert_uint_eq(unfinished, 7);
    return e;
}

START_TEST(calls_over_tcp_get_their_answers)
{
    struct server server = {0};
    struct aw_client *client;

    server_start(&server);
    client = client_of(server.url, 20000);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(ask(client, NULL), AW_OK);
    aw_client_close(client);
    server_stop(&server);
}
END_TEST

START_TEST(large_requests_arrive_whole)
{
    struct server server = {0};
    char *bytes = calloc(1, AW_MAX_STDIN);
    char *argv[] = {(char *)"cat", NULL};
    struct aw_client *client;
    struct aw_future *future;
    struct aw_job job;

    server_start(&server);
    client = client_of(server.url, 20000);
    aw_job_init(&job);
    job.argv = argv;
    job.stdin_data = bytes;
    for (size_t len = 0; len <= AW_MAX_STDIN; len += AW_MAX_STDIN / 8) {
        job.stdin_len = len;
        ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
        ck_assert_uint_eq(server.n_stdin, len);
        aw_future_unref(future);
    }
    aw_client_close(client);
    server_stop(&server);
    free(bytes);
}
END_TEST

static void *ask_often(void *client)
{
    for (int i = 0; i < 50; i++)
        if (ask(client, NULL))
            return client;
    return NULL;
}

START_TEST(threads_share_one_tcp_connection)
{
    struct server server = {0};
    struct aw_client *client;
    pthread_t threads[8];

    server_start(&server);
    client = client_of(server.url, 20000);
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, ask_often, client);
    for (int i = 0; i < 8; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    aw_client_close(client);
    server_stop(&server);
}
END_TEST

START_TEST(a_restarted_server_is_found_again)
{
    struct server server = {0};
    struct aw_client *client;

    server_start(&server);
    client = client_of(server.url, 20000);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ask(client, NULL), AW_OK);
        server_stop(&server);
        server_start(&server);
    }
    ck_assert_int_eq(ask(client, NULL), AW_OK);
    aw_client_close(client);
    server_stop(&server);
}
END_TEST

START_TEST(a_port_where_nobody_listens_is_named_with_the_reason)
{
    struct server server = {0};
    struct aw_client *client;
    struct aw_error err = {0};

    server_start(&server);
    server_stop(&server);
    client = client_of(server.url, 50);
    ck_assert_int_eq(ask(client, &err), AW_ERR_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(err.text, server.url));
    ck_assert_ptr_nonnull(strstr(err.text, "refused"));
    aw_client_close(client);
}
END_TEST

START_TEST(a_missing_module_is_an_error_of_this_address_only)
{
    struct aw_client *client = client_of("tcp://127.0.0.1:1", 50);
    struct aw_error err = {0};

    setenv("AWD_MODULE_DIR", "/nonexistent", 1);
    ck_assert_int_eq(ask(client, &err), AW_ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(err.text, "libaw-nng.so"));
    aw_client_close(client);
}
END_TEST

static Suite *tcp_suite(void)
{
    Suite *s = suite_create("client tcp");
    TCase *t = tcase_create("tcp");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, calls_over_tcp_get_their_answers);
    tcase_add_test(t, large_requests_arrive_whole);
    tcase_add_test(t, threads_share_one_tcp_connection);
    tcase_add_test(t, a_restarted_server_is_found_again);
    tcase_add_test(t, a_port_where_nobody_listens_is_named_with_the_reason);
    tcase_add_test(t, a_missing_module_is_an_error_of_this_address_only);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(tcp_suite());
}
