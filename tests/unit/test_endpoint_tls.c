/* The endpoint, and clients by TLS that make trouble below SP. */
#include "tests/unit/endpoint_rig.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* ---- A client that has its TLS in its own hands ---------------------------------------------- */

static void close_by_hand(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
}

/* Blocking; has shaken hands, TLS's and SP's. NULL: it may not come in. */
static SSL *open_by_hand(SSL_CTX *ctx)
{
    uint8_t hello[SP_HANDSHAKE_LEN];
    SSL *ssl = SSL_new(ctx);
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

/* Of OpenSSL's writes on this thread; the server's own count. */
static void block_pipes(void)
{
    sigset_t pipes;

    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, NULL);
}

/* Where this machine is so busy that shaking hands takes longer than it may, once more. */
static void *open_one(void *arg)
{
    SSL *ssl = NULL;

    (void)arg;
    block_pipes();
    for (int i = 0; i < 100 && !ssl; i++)
        ssl = open_by_hand(tls_client_context());
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

/* ---- Strangers ---------------------------------------------------------------------------------
 */

#define STRANGERS 800

/* Each has begun a handshake, so that there is something to do for all, and none goes on with it.
 */
START_TEST(a_crowd_of_strangers_keeps_nobody_out)
{
    int fds[STRANGERS];
    size_t len;
    char *hello = tls_client_hello(&len);
    SSL *ssl;

    start_for_many();
    for (int i = 0; i < STRANGERS; i++) {
        fds[i] = dial_bare();
        ck_assert(client_write(fds[i], hello, len));
    }
    ssl = run_beside(open_one, NULL);
    ck_assert_ptr_nonnull(ssl);
    close_by_hand(ssl);
    for (int i = 0; i < STRANGERS; i++)
        close(fds[i]);
    LOOP_UNTIL(connections() == 0);
    free(hello);
}
END_TEST

/* ---- Certificates ------------------------------------------------------------------------------
 */

/* What a certificate of a client is, and who has signed it. */
struct made {
    long from_s, to_s;        /* of now */
    const char *usage;        /* extended; NULL: not said */
    const char *issuer, *key; /* whose name it bears as that of who signed it, and whose key did */
    bool taken;
};

static const struct made mades[] = {
    {-60, 3600, NULL, "ours.pem", "ours.key", true},
    {-60, 3600, "clientAuth", "ours.pem", "ours.key", true},
    {-3600, -60, NULL, "ours.pem", "ours.key", false},
    {3600, 7200, NULL, "ours.pem", "ours.key", false},
    {-60, 3600, "serverAuth", "ours.pem", "ours.key", false},
    {-60, 3600, NULL, "ours.pem", "theirs.key", false},
    {-60, 3600, NULL, "client.crt", "client.key", false}, /* no authority, though it is ours */
};

static X509 *cert_read(const char *name)
{
    FILE *file = fopen(in_certs(name), "r");
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);

    fclose(file);
    return cert;
}

static EVP_PKEY *key_read(const char *name)
{
    FILE *file = fopen(in_certs(name), "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

    fclose(file);
    return key;
}

static void cert_limit(X509 *cert, const char *usage)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, usage);

    ck_assert_int_eq(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

/* A certificate for `key`. */
static X509 *cert_make(const struct made *made, EVP_PKEY *key)
{
    X509 *cert = X509_new(), *issuer = cert_read(made->issuer);
    X509_NAME *subject = X509_get_subject_name(cert);
    EVP_PKEY *signer = key_read(made->key);

    ck_assert(X509_set_version(cert, X509_VERSION_3) && X509_set_pubkey(cert, key) &&
              ASN1_INTEGER_set(X509_get_serialNumber(cert), 7) &&
              X509_gmtime_adj(X509_getm_notBefore(cert), made->from_s) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), made->to_s) &&
              X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)"made", -1,
                                         -1, 0) &&
              X509_set_issuer_name(cert, X509_get_subject_name(issuer)));
    if (made->usage)
        cert_limit(cert, made->usage);
    ck_assert_int_gt(X509_sign(cert, signer, EVP_sha256()), 0);
    EVP_PKEY_free(signer);
    X509_free(issuer);
    return cert;
}

static void *open_with(void *arg)
{
    SSL *ssl;

    block_pipes();
    ssl = open_by_hand(arg);
    if (ssl)
        close_by_hand(ssl);
    return ssl ? arg : NULL;
}

START_TEST(only_good_certificates_are_taken)
{
    const struct made *made = &mades[_i / 2]; /* by TLS 1.3 and by 1.2 */
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = cert_make(made, key), *issuer = cert_read(made->issuer);

    if (_i % 2)
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    ck_assert(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
              SSL_CTX_add1_chain_cert(ctx, issuer) == 1);
    ck_assert_int_eq(run_beside(open_with, ctx) != NULL, made->taken);
    LOOP_UNTIL(connections() == 0);
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    SSL_CTX_free(ctx);
}
END_TEST

/* 58 KB on the wire; OpenSSL makes 800 of them, and keeps them. */
#define CERTIFICATES 200

/* Behind its own it shows so many others, which are of no use. */
static SSL_CTX *context_with_others(int n)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    X509 *other = cert_read("alien.pem");

    ck_assert(SSL_CTX_use_certificate_chain_file(ctx, in_certs("client.pem")) == 1 &&
              SSL_CTX_use_PrivateKey_file(ctx, in_certs("client.pem"), SSL_FILETYPE_PEM) == 1);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(SSL_CTX_add1_chain_cert(ctx, other), 1);
    X509_free(other);
    return ctx;
}

START_TEST(who_shows_many_certificates_pays_for_them)
{
    struct endpoint_config config = default_config();
    SSL_CTX *few = context_with_others(2), *many = context_with_others(CERTIFICATES);

    server_stop();
    config.shares.max_memory = 1 << 20;
    server_start(&config, on_call, on_gone);
    ck_assert_ptr_nonnull(run_beside(open_with, few));
    ck_assert_ptr_null(run_beside(open_with, many));
    LOOP_UNTIL(connections() == 0);
    SSL_CTX_free(few);
    SSL_CTX_free(many);
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
    tcase_add_test(tc, a_crowd_of_strangers_keeps_nobody_out);
    tcase_add_loop_test(tc, only_good_certificates_are_taken, 0, 2 * ARRAY_SIZE(mades));
    tcase_add_test(tc, who_shows_many_certificates_pays_for_them);
    tcase_add_test(tc, a_key_may_be_updated_while_answers_wait);
    if (certificates_make())
        suite_add_tcase(suite, tc);
    rc = unit_run(suite);
    return certificates_remove() ? rc : EXIT_FAILURE;
}
