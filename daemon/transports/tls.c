#include "daemon/transports/tls.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "daemon/transports/key_file.h"

/* One call sends no more, so that one client's answers do not hold up the others. */
#define MAX_SEND (256u << 10)

/*
 * One call reads no oftener from the socket: a few records. OpenSSL would go on as long as there
 * are records without data, such as updates of keys, and it is the peer who makes those.
 */
#define MAX_READS 16

/*
 * What a connection costs whose client says no more in the handshake than most do. OpenSSL keeps a
 * message until it is whole; and as long as the connection lasts what it makes of certificates, of
 * 288 bytes four thousand.
 */
#define MEMORY    (40u << 10)
#define HANDSHAKE (16u << 10)
#define KEPT      16

struct tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *method;
};

struct tls {
    SSL *ssl;
    int fd;
    unsigned reads_left; /* of MAX_READS */
    size_t n_said;       /* bytes of the client's in the handshake */
    bool ready;          /* the handshake is done */
    bool failed;         /* nothing is to be said any more */
    bool awaits_room;    /* to go on reading */
    struct peer_name name;
};

/* ---- The socket ------------------------------------------------------------------------------ */

/* OpenSSL's own would write(), and die of SIGPIPE where that is not ignored. */
static int bio_write(BIO *bio, const char *data, int len)
{
    const struct tls *tls = BIO_get_data(bio);
    ssize_t n = send(tls->fd, data, (size_t)len, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static int bio_read(BIO *bio, char *buf, int len)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t n;

    BIO_clear_retry_flags(bio);
    if (!tls->reads_left) {
        BIO_set_retry_read(bio); /* what is there makes the loop come back */
        return -1;
    }
    tls->reads_left--;
    n = recv(tls->fd, buf, (size_t)len, 0);
    if (n > 0 && !tls->ready)
        tls->n_said += (size_t)n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
    (void)bio, (void)number, (void)arg;
    return command == BIO_CTRL_FLUSH; /* nothing is held back */
}

static BIO_METHOD *socket_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "awd socket");

    if (!method || !BIO_meth_set_write(method, bio_write) || !BIO_meth_set_read(method, bio_read) ||
        !BIO_meth_set_ctrl(method, bio_ctrl)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

/* ---- The context ----------------------------------------------------------------------------- */

static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());

    return text ? text : "no reason given";
}

/* A daemon has nobody to ask. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static enum aw_err load_files(SSL_CTX *ctx, const char *cert, const char *ca, struct aw_error *err)
{
    STACK_OF(X509_NAME) * names;

    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, cert, SSL_FILETYPE_PEM) != 1)
        return aw_fail(err, AW_ERR_INVALID,
                       "tls_cert %s is no PEM file with a certificate and its key, without a "
                       "password: %s",
                       cert, reason());
    names = SSL_load_client_CA_file(ca);
    if (!names || SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return aw_fail(err, AW_ERR_INVALID, "tls_ca %s is no PEM file with certificates: %s", ca,
                       reason());
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    return AW_OK;
}

static void set_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* What is to be sent grows, and moves, between two attempts. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

enum aw_err tls_context_new(const char *cert, const char *ca, struct tls_context **ret,
                            struct aw_error *err)
{
    enum aw_err e = key_file_check("tls_cert", cert, err);
    struct tls_context *context;

    if (e)
        return e;
    context = calloc(1, sizeof(*context));
    if (context) {
        context->ctx = SSL_CTX_new(TLS_server_method());
        context->method = socket_method();
    }
    if (!context || !context->ctx || !context->method) {
        tls_context_free(context);
        return aw_fail(err, AW_ERR_NO_MEMORY, "TLS does not start: out of memory");
    }
    set_rules(context->ctx);
    e = load_files(context->ctx, cert, ca, err);
    if (e)
        tls_context_free(context);
    else
        *ret = context;
    return e;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ctx);
    BIO_meth_free(context->method);
    free(context);
}

/* ---- Connections ----------------------------------------------------------------------------- */

struct tls *tls_new(struct tls_context *context, int fd)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    BIO *bio = BIO_new(context->method);

    if (tls)
        tls->ssl = SSL_new(context->ctx);
    if (!tls || !bio || !tls->ssl) {
        BIO_free(bio);
        tls_free(tls);
        return NULL;
    }
    tls->fd = fd;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

/* Before each call that speaks with the peer. */
static void tls_begin(struct tls *tls)
{
    ERR_clear_error();
    tls->reads_left = MAX_READS;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    if (tls->ready && !tls->failed)
        SSL_shutdown(tls->ssl);
    SSL_free(tls->ssl);
    ERR_clear_error(); /* the queue is the thread's, and libcurl's, too */
    free(tls);
}

size_t tls_memory(const struct tls *tls)
{
    size_t more = tls->n_said > HANDSHAKE ? tls->n_said - HANDSHAKE : 0;

    return MEMORY + more * (tls->ready ? KEPT : 1);
}

static void read_name(struct tls *tls)
{
    X509 *cert = SSL_get_peer_certificate(tls->ssl);

    if (cert)
        peer_name_read(X509_get_subject_name(cert), &tls->name);
    X509_free(cert);
}

static const char *why_failed(const struct tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);

    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    return ERR_peek_error() ? reason() : "the connection ended";
}

enum tls_step tls_handshake(struct tls *tls, const char **ret_why)
{
    int rc;

    tls_begin(tls);
    rc = SSL_do_handshake(tls->ssl);
    if (rc == 1) {
        tls->ready = true;
        read_name(tls);
        return TLS_DONE;
    }
    switch (SSL_get_error(tls->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_AWAITS_BYTES;
    case SSL_ERROR_WANT_WRITE:
        return TLS_AWAITS_ROOM;
    default:
        tls->failed = true;
        *ret_why = why_failed(tls);
        return TLS_FAILED;
    }
}

const struct peer_name *tls_peer(const struct tls *tls)
{
    return &tls->name;
}

ssize_t tls_recv(struct tls *tls, void *buf, size_t len)
{
    int n;

    tls_begin(tls);
    tls->awaits_room = false;
    n = SSL_read(tls->ssl, buf, (int)MIN(len, (size_t)INT_MAX));
    if (n > 0)
        return n;
    switch (SSL_get_error(tls->ssl, n)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_WRITE:
        tls->awaits_room = true;
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_WANT_READ:
        errno = EAGAIN;
        return -1;
    default:
        tls->failed = true;
        errno = ECONNRESET;
        return -1;
    }
}

/* One record; -1 and errno. Without renegotiation, writing never waits for bytes. */
static ssize_t send_record(struct tls *tls, const uint8_t *data, size_t len)
{
    int n;

    tls_begin(tls);
    n = SSL_write(tls->ssl, data, (int)MIN(len, (size_t)INT_MAX));
    if (n > 0)
        return n;
    if (SSL_get_error(tls->ssl, n) == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    tls->failed = true;
    errno = ECONNRESET;
    return -1;
}

ssize_t tls_send(struct tls *tls, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t sent = 0;
    ssize_t n;

    do {
        n = send_record(tls, bytes + sent, len - sent);
        if (n < 0)
            return sent && errno == EAGAIN ? (ssize_t)sent : -1;
        sent += (size_t)n;
    } while (sent < len && sent < MAX_SEND);
    return (ssize_t)sent;
}

bool tls_awaits_room(const struct tls *tls)
{
    return tls->awaits_room;
}

bool tls_pending(const struct tls *tls)
{
    return SSL_pending(tls->ssl) > 0;
}
