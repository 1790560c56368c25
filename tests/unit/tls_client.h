/*
 * tls_client.h - sp_client.h's clients by TLS: each has a thread beside it that encrypts what the
 * client writes to its end of a socket pair, and decrypts what comes back. And the certificates.
 */
#ifndef AW_TEST_TLS_CLIENT_H
#define AW_TEST_TLS_CLIENT_H

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>

#include <openssl/ssl.h>

#include "tests/unit/sp_client.h"

static char certs[64]; /* their directory */

static inline const char *in_certs(const char *name)
{
    static char path[4][100];
    static int turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", certs, name);
    return path[turn];
}

/*
 * Two authorities, ours.pem and theirs.pem; the server's and a client's certificate of the one, a
 * client's of the other, alien.pem. False: there is no openssl command here.
 */
static inline bool certificates_make(void)
{
    static const char script[] =
        "cd '%s' && exec >/dev/null 2>&1 || exit 1\n"
        "key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }\n"
        "ca() { key $1 && openssl req -x509 -new -key $1.key -days 2 -subj /CN=$1 -out $1.pem; }\n"
        "signed() { key $1 && openssl req -new -key $1.key -subj \"$3\" -out $1.csr &&\n"
        "  openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 \\\n"
        "    -out $1.crt &&\n"
        "  (umask 077 && cat $1.crt $1.key >$1.pem); }\n"
        "ca ours && ca theirs && signed server ours /CN=localhost &&\n"
        "signed client ours '/C=DE/O=a, b/CN=client' && signed alien theirs /CN=client\n";
    char command[2000];

    snprintf(certs, sizeof(certs), "/tmp/awd-test-XXXXXX");
    if (!mkdtemp(certs))
        return false;
    snprintf(command, sizeof(command), script, certs);
    return system(command) == 0;
}

/* False: something is left. */
static inline bool certificates_remove(void)
{
    char command[100];

    snprintf(command, sizeof(command), "rm -rf '%s'", certs);
    return system(command) == 0;
}

/* ---- The thread beside a client -------------------------------------------------------------- */

struct tls_side {
    char bytes[65536];
    size_t off, len;
};

struct tls_pump {
    int plain, wire;
    SSL *ssl;
    struct tls_side up, down;
};

/* 1: something happened. 0: not now. -1: it is over. */
static inline int pump_up(struct tls_pump *p)
{
    ssize_t n;
    int rc;

    if (!p->up.len) {
        n = recv(p->plain, p->up.bytes, sizeof(p->up.bytes), MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? 0 : -1;
        p->up.off = 0;
        p->up.len = (size_t)n;
    }
    rc = SSL_write(p->ssl, p->up.bytes + p->up.off, (int)p->up.len);
    if (rc <= 0)
        return SSL_get_error(p->ssl, rc) == SSL_ERROR_WANT_READ ||
                       SSL_get_error(p->ssl, rc) == SSL_ERROR_WANT_WRITE
                   ? 0
                   : -1;
    p->up.off += (size_t)rc;
    p->up.len -= (size_t)rc;
    return 1;
}

static inline int pump_down(struct tls_pump *p)
{
    ssize_t n;
    int rc;

    if (!p->down.len) {
        rc = SSL_read(p->ssl, p->down.bytes, sizeof(p->down.bytes));
        if (rc <= 0)
            return SSL_get_error(p->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : -1;
        p->down.off = 0;
        p->down.len = (size_t)rc;
    }
    n = send(p->plain, p->down.bytes + p->down.off, p->down.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    p->down.off += (size_t)n;
    p->down.len -= (size_t)n;
    return 1;
}

static inline void *pump_main(void *arg)
{
    struct tls_pump *p = arg;
    sigset_t pipes;
    int up, down;

    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, NULL); /* of OpenSSL's writes here; the server's own count */
    do {
        bool room = SSL_want_write(p->ssl), full = p->down.len > 0;
        /* One that nothing is wanted of would still be told of as hung up, without end. */
        struct pollfd fds[] = {
            {p->up.len && !full ? -1 : p->plain,
             (short)((p->up.len ? 0 : POLLIN) | (full ? POLLOUT : 0)), 0},
            {full && !room ? -1 : p->wire, (short)((full ? 0 : POLLIN) | (room ? POLLOUT : 0)), 0}};

        down = pump_down(p);
        up = down < 0 ? -1 : pump_up(p);
        if (up == 0 && down == 0)
            poll(fds, 2, 1000);
    } while (up >= 0 && down >= 0);
    SSL_free(p->ssl);
    close(p->wire);
    close(p->plain);
    free(p);
    return NULL;
}

static inline SSL_CTX *tls_client_context(void)
{
    static SSL_CTX *ctx;

    if (ctx)
        return ctx;
    ctx = SSL_CTX_new(TLS_client_method());
    ck_assert(SSL_CTX_use_certificate_chain_file(ctx, in_certs("client.pem")) == 1 &&
              SSL_CTX_use_PrivateKey_file(ctx, in_certs("client.pem"), SSL_FILETYPE_PEM) == 1 &&
              SSL_CTX_load_verify_locations(ctx, in_certs("ours.pem"), NULL) == 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

/* All that a client says before it needs an answer. To be freed. */
static inline char *tls_client_hello(size_t *ret_len)
{
    SSL *ssl = SSL_new(tls_client_context());
    BIO *said = BIO_new(BIO_s_mem());
    char *data, *hello;

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), said);
    SSL_set_connect_state(ssl);
    ck_assert_int_eq(SSL_do_handshake(ssl), -1);
    *ret_len = (size_t)BIO_get_mem_data(said, &data);
    hello = malloc(*ret_len);
    memcpy(hello, data, *ret_len);
    SSL_free(ssl);
    return hello;
}

static pthread_t pumps[4000];
static _Atomic unsigned n_pumps;

/* Waits until all are over: OpenSSL is not to be used while the process ends. */
static inline void pumps_join(void)
{
    while (n_pumps)
        pthread_join(pumps[--n_pumps], NULL);
}

/* For sp_client.h's client_wrap: the plain end of a connection whose other end is `wire`. */
static inline int tls_client_wrap(int wire)
{
    struct timeval patience = {.tv_sec = unit_patience_us(60)};
    struct tls_pump *p = calloc(1, sizeof(*p));
    int pair[2], on = 1;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(wire, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(wire, F_SETFL, O_NONBLOCK);
    p->plain = pair[1];
    p->wire = wire;
    p->ssl = SSL_new(tls_client_context());
    SSL_set_fd(p->ssl, wire);
    SSL_set_connect_state(p->ssl);
    ck_assert_uint_lt(n_pumps, ARRAY_SIZE(pumps));
    ck_assert_int_eq(pthread_create(&pumps[n_pumps++], NULL, pump_main, p), 0);
    return pair[0];
}

#endif
