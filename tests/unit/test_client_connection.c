/* libaw when the connection, or the daemon behind it, is not what it should be. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "client/aw.h"
#include "tests/unit/fake_daemon.h"

static struct aw_client *client_with(const char *url, int64_t retry_ms, int64_t answer_ms)
{
    struct aw_client_config config;
    struct aw_client *client;

    aw_client_config_init(&config);
    config.url = url;
    config.retry_ms = retry_ms;
    config.answer_ms = answer_ms;
    ck_assert_int_eq(aw_client_open(&config, &client, NULL), AW_OK);
    return client;
}

static struct aw_client *client_of(const struct fake *fake)
{
    return client_with(fake_path(fake), 20000, 60000);
}

static const struct drain_rep drained = {.draining = true, .unfinished = 3};

static void answers(struct fake_request *rq, void *arg)
{
    (void)arg;
    fake_reply(rq, &drained);
}

static enum aw_err ask(struct aw_client *client, struct aw_error *err)
{
    uint64_t unfinished = 0;
    enum aw_err e = aw_drain(client, true, &unfinished, err);

    if (!e)
        ck_assert_uint_eq(unfinished, 3);
    return e;
}

/* ---- Reconnecting ------------------------------------------------------------------------ */

START_TEST(a_restart_between_two_calls_goes_unnoticed)
{
    struct fake *fake = fake_start(answers, NULL);
    struct aw_client *client = client_of(fake);

    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(ask(client, NULL), AW_OK);
        fake_down(fake);
        fake_up(fake);
    }
    fake_await_connections(fake, 5);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static void hangs_up_twice(struct fake_request *rq, void *arg)
{
    struct submit_req req;
    uint8_t *key = arg;
    struct bytes id = bytes_str("k3f9q-1");
    struct submit_rep rep = {.ids = {&id, 1}};

    fake_read(rq, &req);
    if (rq->n == 0)
        memcpy(key, req.request.data, 16);
    ck_assert_int_eq(memcmp(key, req.request.data, 16), 0);
    if (rq->n < 2)
        fake_hang_up(rq);
    else
        fake_reply(rq, &rep);
}

START_TEST(a_submit_whose_answer_is_lost_is_sent_again_under_the_same_number)
{
    uint8_t key[16];
    struct fake *fake = fake_start(hangs_up_twice, key);
    struct aw_client *client = client_of(fake);
    char *argv[] = {(char *)"true", NULL};
    struct aw_future *future;
    struct aw_job job;
    uint64_t ms = 0;

    aw_job_init(&job);
    job.argv = argv;
    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    fake_await_requests(fake, 3);
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | key[i];
    ck_assert(ms <= (uint64_t)now_us() / 1000 && ms > (uint64_t)now_us() / 1000 - 3600000);
    aw_future_unref(future);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static void hangs_up(struct fake_request *rq, void *arg)
{
    (void)arg;
    fake_hang_up(rq);
}

START_TEST(a_shutdown_is_never_sent_twice)
{
    struct fake *fake = fake_start(hangs_up, NULL);
    struct aw_client *client = client_of(fake);

    ck_assert_int_eq(aw_shutdown(client, AW_SHUTDOWN_LEAVE, NULL, NULL), AW_ERR_IN_DOUBT);
    fake_await_requests(fake, 1);
    ck_assert_uint_eq(fake_requests(fake), 1);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

START_TEST(a_daemon_that_always_hangs_up_is_given_up)
{
    struct fake *fake = fake_start(hangs_up, NULL);
    struct aw_client *client = client_with(fake_path(fake), 100, 60000);
    struct aw_error err = {0};

    ck_assert_int_eq(ask(client, &err), AW_ERR_UNREACHABLE);
    ck_assert_str_eq(err.text, "the daemon closed the connection");
    ck_assert_uint_lt(fake_requests(fake), 20);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

/* ---- Waiting across a restart ------------------------------------------------------------ */

/* Parks every wait until told otherwise. */
struct patience {
    atomic_bool over;
};

static void parks(struct fake_request *rq, void *arg)
{
    struct patience *p = arg;
    struct wait_req req;
    struct job_status job;
    struct wait_rep rep = {.done = true, .n_ended = 1, .jobs = {&job, 1}};

    fake_read(rq, &req);
    codec_defaults(&job_status_schema, &job);
    job.id = req.ids.v[0];
    job.state = AW_SUCCEEDED;
    if (p->over)
        fake_reply(rq, &rep);
}

struct waiter {
    struct aw_client *client;
    int64_t timeout_ms;
    enum aw_err result;
    enum aw_state state;
};

static void *wait_here(void *arg)
{
    struct waiter *w = arg;
    const char *id = "k3f9q-1";
    struct aw_statuses *list;

    w->result = aw_wait(w->client, &id, 1, w->timeout_ms, NULL, &list, NULL);
    if (!w->result) {
        w->state = aw_statuses_at(list, 0)->state;
        aw_statuses_free(list);
    }
    return NULL;
}

START_TEST(waits_go_on_across_a_restart_of_the_daemon)
{
    enum { N = 8 };
    struct patience p = {false};
    struct fake *fake = fake_start(parks, &p);
    struct aw_client *client = client_of(fake);
    struct waiter waiters[N];
    pthread_t threads[N];

    for (int i = 0; i < N; i++) {
        waiters[i] = (struct waiter){client, AW_FOREVER, AW_ERR_INTERNAL, AW_QUEUED};
        pthread_create(&threads[i], NULL, wait_here, &waiters[i]);
    }
    fake_await_requests(fake, N);
    fake_down(fake);
    p.over = true;
    fake_up(fake);
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(waiters[i].result, AW_OK);
        ck_assert_int_eq(waiters[i].state, AW_SUCCEEDED);
    }
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

struct notes {
    atomic_int n_down, n_up;
};

static void note(void *arg, enum aw_err code, const char *text)
{
    struct notes *n = arg;

    ck_assert(*text);
    if (code)
        n->n_down++;
    else
        n->n_up++;
}

START_TEST(an_outage_that_lasts_is_told_once_and_so_is_its_end)
{
    struct patience p = {false};
    struct fake *fake = fake_start(parks, &p);
    struct notes notes = {0};
    struct aw_client_config config;
    struct waiter w = {NULL, AW_FOREVER, AW_ERR_INTERNAL, AW_QUEUED};
    pthread_t thread;

    aw_client_config_init(&config);
    config.url = fake_path(fake);
    config.notice = note;
    config.notice_arg = &notes;
    ck_assert_int_eq(aw_client_open(&config, &w.client, NULL), AW_OK);
    pthread_create(&thread, NULL, wait_here, &w);
    fake_await_requests(fake, 1);
    fake_down(fake);
    while (!notes.n_down)
        usleep(1000);
    p.over = true;
    fake_up(fake);
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.result, AW_OK);
    ck_assert_int_eq(notes.n_down, 1);
    ck_assert_int_eq(notes.n_up, 1);
    aw_client_close(w.client);
    fake_stop(fake);
}
END_TEST

START_TEST(a_wait_with_a_time_limit_keeps_it_although_the_daemon_is_gone)
{
    struct patience p = {false};
    struct fake *fake = fake_start(parks, &p);
    struct aw_client *client = client_of(fake);
    struct waiter w = {client, 300, AW_OK, AW_QUEUED};
    pthread_t thread;

    pthread_create(&thread, NULL, wait_here, &w);
    fake_await_requests(fake, 1);
    fake_down(fake);
    pthread_join(thread, NULL);
    ck_assert_int_eq(w.result, AW_ERR_UNREACHABLE);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

/* ---- Hostile daemons --------------------------------------------------------------------- */

START_TEST(what_does_not_greet_like_a_daemon_is_none)
{
    static const char *const greetings[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                            "\0SP\0\0\x30\0\0 a client, not a server"};

    for (size_t i = 0; i < ARRAY_SIZE(greetings); i++) {
        struct fake *fake = fake_start(answers, NULL);
        struct aw_client *client = client_of(fake);
        struct aw_error err = {0};

        fake_greet(fake, greetings[i], 28);
        ck_assert_int_eq(ask(client, &err), AW_ERR_PROTOCOL);
        ck_assert_ptr_nonnull(strstr(err.text, "0x31"));
        aw_client_close(client);
        fake_stop(fake);
    }
}
END_TEST

/* What a handler does wrong with the first request; later ones are answered as they should be. */
enum wrong {
    WRONG_TYPE,
    WRONG_LENGTH,
    SHORT_LENGTH,
    NO_REQUEST_BIT,
    NOT_MSGPACK,
    NOT_A_MAP,
    NO_ERR_FIELD,
    FIELD_MISSING,
    CLAIMS_MUCH,
    N_WRONG,
};

static void wrong_once(struct fake_request *rq, void *arg)
{
    static const uint8_t type[] = {2, 0, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1, 0x80};
    static const uint8_t length[] = {1, 0x7f, 0, 0, 0, 0, 0, 0, 5, 0x80, 0, 0, 1};
    static const uint8_t shorter[] = {1, 0, 0, 0, 0, 0, 0, 0, 3, 0x80, 0, 0, 1};
    static const uint8_t bit[] = {1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0x80};
    static const uint8_t much[] = {0xdf, 0xff, 0xff, 0xff, 0xff};
    const enum wrong *wrong = arg;

    if (rq->n > 0) {
        fake_reply(rq, &drained);
        return;
    }
    switch (*wrong) {
    case WRONG_TYPE:
        fake_raw(rq->fd, type, sizeof(type));
        break;
    case WRONG_LENGTH:
        fake_raw(rq->fd, length, sizeof(length));
        break;
    case SHORT_LENGTH:
        fake_raw(rq->fd, shorter, sizeof(shorter));
        break;
    case NO_REQUEST_BIT:
        fake_raw(rq->fd, bit, sizeof(bit));
        break;
    case NOT_MSGPACK:
        fake_body(rq->fd, rq->id, "\xc1", 1);
        break;
    case NOT_A_MAP:
        fake_body(rq->fd, rq->id, "\x90", 1);
        break;
    case NO_ERR_FIELD:
        fake_body(rq->fd, rq->id, "\x80", 1);
        break;
    case FIELD_MISSING:
        fake_body(rq->fd, rq->id,
                  "\x81\xa3"
                  "err\x00",
                  6);
        break;
    case CLAIMS_MUCH:
        fake_body(rq->fd, rq->id, much, sizeof(much));
        break;
    case N_WRONG:
        break;
    }
}

START_TEST(nonsense_fails_the_call_and_the_next_one_uses_a_new_connection)
{
    enum wrong wrong = (enum wrong)_i;
    struct fake *fake = fake_start(wrong_once, &wrong);
    struct aw_client *client = client_of(fake);

    ck_assert_int_eq(ask(client, NULL), AW_ERR_PROTOCOL);
    ck_assert_int_eq(ask(client, NULL), AW_OK);
    fake_await_connections(fake, 2);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static void strangers_first(struct fake_request *rq, void *arg)
{
    char *junk = calloc(1, 100000);

    (void)arg;
    fake_body(rq->fd, rq->id + 1, junk, 100000);
    fake_body(rq->fd, rq->id - 1, "", 0);
    fake_body(rq->fd, rq->id + 7, junk, 5);
    free(junk);
    fake_reply(rq, &drained);
    fake_reply(rq, &drained); /* again: nobody waits for it any more */
}

START_TEST(answers_to_what_was_not_asked_are_dropped)
{
    struct fake *fake = fake_start(strangers_first, NULL);
    struct aw_client *client = client_of(fake);

    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(ask(client, NULL), AW_OK);
    aw_client_close(client);
    fake_await_connections(fake, 1);
    fake_stop(fake);
}
END_TEST

static void half_an_answer(struct fake_request *rq, void *arg)
{
    static const uint8_t header[] = {1, 0, 0, 0, 0, 0, 0, 1, 0};
    const size_t *len = arg;

    if (rq->n > 0) {
        fake_reply(rq, &drained);
        return;
    }
    fake_raw(rq->fd, header, MIN(sizeof(header), *len));
    if (*len > sizeof(header)) {
        uint32_t id = __builtin_bswap32(rq->id);

        fake_raw(rq->fd, &id, 4);
        fake_raw(rq->fd, "half", 4);
    }
    fake_hang_up(rq);
}

START_TEST(half_an_answer_counts_as_none)
{
    for (size_t len = 0; len < 12; len += 3) {
        struct fake *fake = fake_start(half_an_answer, &len);
        struct aw_client *client = client_of(fake);

        ck_assert_int_eq(ask(client, NULL), AW_OK);
        fake_await_requests(fake, 2);
        aw_client_close(client);
        fake_stop(fake);
    }
}
END_TEST

static void byte_by_byte(struct fake_request *rq, void *arg)
{
    const struct reply ok = {0};
    struct codec_buf buf = {0};
    uint8_t header[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    uint32_t id = __builtin_bswap32(rq->id);

    (void)arg;
    ck_assert_int_eq(
        codec_write(&buf,
                    (struct codec_part[]){{&reply_schema, &ok}, {&drain_rep_schema, &drained}}, 2),
        AW_OK);
    header[8] = (uint8_t)(buf.len + 4);
    memcpy(header + 9, &id, 4);
    for (size_t i = 0; i < sizeof(header); i++)
        fake_raw(rq->fd, header + i, 1);
    for (size_t i = 0; i < buf.len; i++)
        fake_raw(rq->fd, buf.data + i, 1);
    codec_buf_done(&buf);
}

START_TEST(an_answer_may_come_byte_by_byte)
{
    struct fake *fake = fake_start(byte_by_byte, NULL);
    struct aw_client *client = client_of(fake);

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(ask(client, NULL), AW_OK);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static void too_few_ids(struct fake_request *rq, void *arg)
{
    struct bytes ids[] = {bytes_str("k3f9q-1"), bytes_str("")};
    struct submit_rep rep = {.ids = {ids, rq->n == 0 ? 1 : 2}};

    (void)arg;
    fake_reply(rq, &rep);
}

START_TEST(an_answer_for_fewer_jobs_than_were_sent_is_nonsense)
{
    struct fake *fake = fake_start(too_few_ids, NULL);
    struct aw_client *client = client_of(fake);
    char *argv[] = {(char *)"true", NULL};
    struct aw_future *futures[2] = {NULL, NULL};
    struct aw_job jobs[2];

    for (int i = 0; i < 2; i++) {
        aw_job_init(&jobs[i]);
        jobs[i].argv = argv;
    }
    ck_assert_int_eq(aw_submit(client, jobs, 2, futures, NULL), AW_ERR_PROTOCOL);
    ck_assert_int_eq(aw_submit(client, jobs, 2, futures, NULL), AW_ERR_PROTOCOL);
    ck_assert_ptr_null(futures[0]);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static void never_answers(struct fake_request *rq, void *arg)
{
    (void)rq;
    (void)arg;
}

START_TEST(a_daemon_that_never_greets_is_given_up)
{
    struct fake *fake = fake_start(never_answers, NULL);
    struct aw_client *client = client_with(fake_path(fake), 50, 100);
    struct aw_error err = {0};

    fake_greet(fake, "\0SP", 3);
    ck_assert_int_eq(ask(client, &err), AW_ERR_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "does not answer"));
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

START_TEST(a_daemon_that_does_not_answer_is_given_up)
{
    struct fake *fake = fake_start(never_answers, NULL);
    struct aw_client *client = client_with(fake_path(fake), 1000, 50);
    struct aw_error err = {0};

    ck_assert_int_eq(ask(client, &err), AW_ERR_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "does not answer"));
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

/* Reads nothing for a while: the request, larger than any socket buffer, cannot leave at once. */
static void reads_large(struct fake_request *rq, void *arg)
{
    struct submit_req req;
    struct bytes id = bytes_str("k3f9q-1");
    struct submit_rep rep = {.ids = {&id, 1}};

    (void)arg;
    fake_read(rq, &req);
    ck_assert_uint_eq(req.jobs.v[0].stdin.len, AW_MAX_STDIN);
    fake_reply(rq, &rep);
}

START_TEST(a_request_larger_than_the_socket_buffer_arrives_whole)
{
    struct fake *fake = fake_start(reads_large, NULL);
    struct aw_client *client = client_of(fake);
    char *argv[] = {(char *)"cat", NULL};
    char *bytes = malloc(AW_MAX_STDIN);
    struct aw_future *future;
    struct aw_job job;

    memset(bytes, 'x', AW_MAX_STDIN);
    aw_job_init(&job);
    job.argv = argv;
    job.stdin_data = bytes;
    job.stdin_len = AW_MAX_STDIN;
    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    aw_future_unref(future);
    free(bytes);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static Suite *connection_suite(void)
{
    Suite *s = suite_create("client connection");
    TCase *t = tcase_create("reconnecting");
    TCase *h = tcase_create("hostile daemons");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_restart_between_two_calls_goes_unnoticed);
    tcase_add_test(t, a_submit_whose_answer_is_lost_is_sent_again_under_the_same_number);
    tcase_add_test(t, a_shutdown_is_never_sent_twice);
    tcase_add_test(t, a_daemon_that_always_hangs_up_is_given_up);
    tcase_add_test(t, waits_go_on_across_a_restart_of_the_daemon);
    tcase_add_test(t, an_outage_that_lasts_is_told_once_and_so_is_its_end);
    tcase_add_test(t, a_wait_with_a_time_limit_keeps_it_although_the_daemon_is_gone);
    suite_add_tcase(s, t);
    tcase_set_timeout(h, 120);
    tcase_add_test(h, what_does_not_greet_like_a_daemon_is_none);
    tcase_add_test(h, a_daemon_that_never_greets_is_given_up);
    tcase_add_loop_test(h, nonsense_fails_the_call_and_the_next_one_uses_a_new_connection, 0,
                        N_WRONG);
    tcase_add_test(h, answers_to_what_was_not_asked_are_dropped);
    tcase_add_test(h, half_an_answer_counts_as_none);
    tcase_add_test(h, an_answer_may_come_byte_by_byte);
    tcase_add_test(h, an_answer_for_fewer_jobs_than_were_sent_is_nonsense);
    tcase_add_test(h, a_daemon_that_does_not_answer_is_given_up);
    tcase_add_test(h, a_request_larger_than_the_socket_buffer_arrives_whole);
    suite_add_tcase(s, h);
    return s;
}

int main(void)
{
    return unit_run(connection_suite());
}
