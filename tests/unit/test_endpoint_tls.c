/* The endpoint, and clients by TLS that make trouble below SP. */
#include "tests/unit/endpoint_rig.h"

/* ---- A client that has its TLS in its own hands ---------------------------------------------- */

static void close_by_hand(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
}

/* Blocking; has shaken hands, TLS's and SP's. */
static SSL *open_by_hand(void)
{
    uint8_t hello[SP_HANDSHAKE_LEN];
    SSL *ssl = SSL_new(tls_client_context());
    int fd;

    client_wrap = NULL;
    fd = client_dial();
    sp_handshake_write(hello, SP_REQ);
    SSL_set_fd(ssl, fd);
    if (fd >= 0 && SSL_connect(ssl) == 1 && SSL_write(ssl, hello, sizeof(hello)) == sizeof(hello) &&
        SSL_read(ssl, hello, sizeof(hello)) == sizeof(hello))
        return ssl;
    close_by_hand(ssl);
    return NULL;
}

static void ask_by_hand(SSL *ssl, uint32_t id, const char *body)
{
    uint8_t message[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN + 100];
    size_t len = strlen(body), head = SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN - 1;

    sp_ipc_header_write(message, id, len);
    memmove(message, message + 1, head);
    memcpy(message + head, body, len);
    ck_assert_int_eq(SSL_write(ssl, message, (int)(head + len)), (int)(head + len));
}

static void update_key(SSL *ssl, int kind)
{
    ck_assert_int_eq(SSL_key_update(ssl, kind), 1);
    ck_assert_int_eq(SSL_do_handshake(ssl), 1);
}

/* Where this machine is so busy that shaking hands takes longer than it may, once more. */
static void *open_one(void *arg)
{
    SSL *ssl = NULL;
    sigset_t pipes;

    (void)arg;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, NULL); /* of OpenSSL's writes on this thread */
    for (int i = 0; i < 100 && !ssl; i++)
        ssl = open_by_hand();
    return ssl;
}

/* What the client writes from now on is kept, to be sent in one go. */
static BIO *hold_back(SSL *ssl)
{
    BIO *held = BIO_new(BIO_s_mem());

    SSL_set0_wbio(ssl, held);
    return held;
}

static void send_held(SSL *ssl, BIO *held)
{
    char *data;
    size_t len = (size_t)BIO_get_mem_data(held, &data);
    int size = (int)len * 2, fd = SSL_get_rfd(ssl);

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    ck_assert_int_eq(send(fd, data, len, MSG_DONTWAIT), (ssize_t)len);
}

#define UPDATES 5000
#define OTHERS  10

START_TEST(key_updates_without_end_hold_up_nobody)
{
    SSL *hog = run_beside(open_one, NULL), *other = run_beside(open_one, NULL);
    BIO *held;

    ck_assert(hog && other);
    held = hold_back(hog);
    for (int i = 0; i < UPDATES; i++)
        update_key(hog, SSL_KEY_UPDATE_NOT_REQUESTED);
    ask_by_hand(hog, 1, "hog");
    send_held(hog, held);
    for (uint32_t i = 1; i <= OTHERS; i++) {
        ask_by_hand(other, i, "other");
        while (n_calls < i)
            event_base_loop(base, EVLOOP_ONCE);
        ck_assert_uint_eq(last_caller.pipe, 2);
    }
    LOOP_UNTIL(n_calls == OTHERS + 1);
    ck_assert_uint_eq(last_caller.pipe, 1);
    close_by_hand(hog);
    close_by_hand(other);
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* ---- Time --------------------------------------------------------------------------------------
 */

/* More than may be taken in one turn, so that the rest of them is put off; and in one record. */
#define REQUESTS 600

/* Stops within a message, then sends the rest of it and more: all that it has begun is done. */
static void stop_and_go_on(SSL *ssl)
{
    uint8_t head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN], all[REQUESTS][sizeof(head) - 1 + 4];

    for (uint32_t i = 0; i < REQUESTS; i++) {
        sp_ipc_header_write(head, i + 1, 4);
        memcpy(all[i], head + 1, sizeof(head) - 1);
        memcpy(all[i] + sizeof(head) - 1, "echo", 4);
    }
    ck_assert_int_eq(SSL_write(ssl, all, 1), 1);
    event_base_loop(base, EVLOOP_ONCE);
    ck_assert_int_gt(SSL_write(ssl, all[0] + 1, sizeof(all) - 1), 0);
    LOOP_UNTIL(n_calls == REQUESTS);
}

START_TEST(who_has_no_message_under_way_may_update_his_key_and_stay)
{
    struct endpoint_config config = default_config();
    char byte;
    SSL *ssl;
    int fd;

    server_stop();
    config.stall_ms = 200;
    server_start(&config, on_call, on_gone);
    ssl = run_beside(open_one, NULL);
    ck_assert_ptr_nonnull(ssl);
    stop_and_go_on(ssl);
    update_key(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    event_base_loop(base, EVLOOP_ONCE);
    fd = client_dial(); /* says nothing, and so goes first */
    LOOP_UNTIL(connections() == 2);
    LOOP_UNTIL(connections() < 2);
    ck_assert_uint_eq(connections(), 1);
    ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    close(fd);
    close_by_hand(ssl);
    LOOP_UNTIL(connections() == 0);
}
END_TEST

/* ---- Answers -----------------------------------------------------------------------------------
 */

#define ANSWERS 200
#define ANSWER  100000

static void *read_answers(void *arg)
{
    size_t want = ANSWERS * (size_t)(ANSWER + SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN - 1);
    static char buf[1 << 16];
    int n;

    while (want && (n = SSL_read(arg, buf, (int)MIN(want, sizeof(buf)))) > 0)
        want -= (size_t)n;
    return want ? NULL : arg;
}

/* What answers to an update cannot be written while half a record is still to be sent. */
START_TEST(a_key_may_be_updated_while_answers_wait)
{
    SSL *ssl = run_beside(open_one, NULL);
    int little = 16384, much = 1 << 20;

    ck_assert_ptr_nonnull(ssl);
    setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    for (uint32_t i = 0; i < ANSWERS; i++) {
        ask_by_hand(ssl, i + 1, "big 100000");
        if (i % 20 == 0)
            update_key(ssl, SSL_KEY_UPDATE_REQUESTED);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    ck_assert_uint_lt(n_calls, ANSWERS); /* it is read no more */
    setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVBUF, &much, sizeof(much));
    ck_assert_ptr_eq(run_beside(read_answers, ssl), ssl);
    ck_assert_uint_eq(n_calls, ANSWERS);
    close_by_hand(ssl);
    LOOP_UNTIL(connections() == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endpoint_tls");
    TCase *tc = tcase_create("tls");
    int rc;

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup_tls, teardown_tls);
    tcase_add_test(tc, key_updates_without_end_hold_up_nobody);
    tcase_add_test(tc, who_has_no_message_under_way_may_update_his_key_and_stay);
    tcase_add_test(tc, a_key_may_be_updated_while_answers_wait);
    if (certificates_make())
        suite_add_tcase(suite, tc);
    rc = unit_run(suite);
    return certificates_remove() ? rc : EXIT_FAILURE;
}
