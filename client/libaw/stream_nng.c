/*
 * stream_nng.c - tcp and tls+tcp by nng's byte streams: the module libaw-nng.so.
 *
 * Why streams and not nng's sockets: a socket's dialer hides why it cannot connect, and its REQ
 * protocol would do once more what mux.c does.
 *
 * nng calls back on threads of its own. The callbacks move bytes between nng and two buffers under
 * `lock` and write an eventfd; everything else happens on the caller's thread.
 *
 * Life: at most one receive and one send are under way. tcp_close() stops all three aios first,
 * which waits for their callbacks; only then is anything freed.
 */
#include "client/libaw/stream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#define BUFFER     65536
#define CONNECT_MS 10000

struct tcp_stream {
    struct stream base;
    char address[STREAM_MAX_URL];
    int event_fd;
    nng_stream_dialer *dialer;
    nng_aio *dial_aio, *recv_aio, *send_aio;

    pthread_mutex_t lock; /* guards what follows */
    nng_stream *conn;     /* NULL: not connected yet */
    int failed;           /* an nng error: the connection is over */
    bool receiving, sending;
    size_t in_pos, in_len, out_pos, out_len;
    uint8_t in[BUFFER], out[BUFFER];
};

/* STREAM_MODULE_SYMBOL, the only one that the module exports. */
extern const struct stream_ops aw_stream_module_1 __attribute__((visibility("default")));

static bool is_tls(const struct tcp_stream *s)
{
    return !strncmp(s->address, "tls+", 4);
}

static enum aw_err tcp_failed(const struct tcp_stream *s, int rv, struct aw_error *err)
{
    switch (rv) {
    case NNG_ENOMEM:
        return aw_fail(err, AW_ERR_NO_MEMORY, "%.120s: out of memory", s->address);
    case NNG_EPEERAUTH:
    case NNG_ECRYPTO:
        return aw_fail(err, AW_ERR_NOT_PERMITTED, "%.120s: the certificates do not fit (%s)",
                       s->address, nng_strerror(rv));
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
    case NNG_ENOENT:
        return aw_fail(err, AW_ERR_USAGE, "%.120s: %s", s->address, nng_strerror(rv));
    case NNG_ENOTSUP:
        return aw_fail(err, AW_ERR_USAGE, "%.120s: nng was built without TLS", s->address);
    case NNG_ECLOSED:
    case NNG_ECONNSHUT:
    case NNG_ECONNRESET:
        return aw_fail(err, AW_ERR_UNREACHABLE, "%.120s closed the connection%s", s->address,
                       is_tls(s) ? " (does it accept our certificate?)" : "");
    default:
        return aw_fail(err, AW_ERR_UNREACHABLE, "no daemon at %.120s (%s)", s->address,
                       nng_strerror(rv));
    }
}

/* ---- On nng's threads ----------------------------------------------------------------------- */

static void tell(struct tcp_stream *s)
{
    uint64_t one = 1;

    if (write(s->event_fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: it is readable as it is */
}

static void receive_start(struct tcp_stream *s)
{
    nng_iov iov = {s->in, sizeof(s->in)};

    s->receiving = true;
    s->in_pos = s->in_len = 0;
    nng_aio_set_iov(s->recv_aio, 1, &iov);
    nng_stream_recv(s->conn, s->recv_aio);
}

static void send_start(struct tcp_stream *s)
{
    nng_iov iov = {s->out + s->out_pos, s->out_len - s->out_pos};

    s->sending = true;
    nng_aio_set_iov(s->send_aio, 1, &iov);
    nng_stream_send(s->conn, s->send_aio);
}

static void on_dialed(void *arg)
{
    struct tcp_stream *s = arg;
    int rv = nng_aio_result(s->dial_aio);

    pthread_mutex_lock(&s->lock);
    if (rv)
        s->failed = rv;
    else
        s->conn = nng_aio_get_output(s->dial_aio, 0);
    if (s->conn)
        receive_start(s);
    if (s->conn && s->out_len)
        send_start(s);
    pthread_mutex_unlock(&s->lock);
    tell(s);
}

static void on_received(void *arg)
{
    struct tcp_stream *s = arg;
    int rv = nng_aio_result(s->recv_aio);

    pthread_mutex_lock(&s->lock);
    s->receiving = false;
    if (rv)
        s->failed = rv;
    else
        s->in_len = nng_aio_count(s->recv_aio);
    pthread_mutex_unlock(&s->lock);
    tell(s);
}

static void on_sent(void *arg)
{
    struct tcp_stream *s = arg;
    int rv = nng_aio_result(s->send_aio);

    pthread_mutex_lock(&s->lock);
    s->sending = false;
    s->out_pos += rv ? 0 : nng_aio_count(s->send_aio);
    if (rv)
        s->failed = rv;
    else if (s->out_pos < s->out_len)
        send_start(s);
    else
        s->out_pos = s->out_len = 0;
    pthread_mutex_unlock(&s->lock);
    tell(s);
}

/* ---- On the caller's thread ------------------------------------------------------------------ */

static enum aw_err file_set(struct tcp_stream *s, const char *option, const char *what,
                            const char *file, struct aw_error *err)
{
    int rv = file ? nng_stream_dialer_set_string(s->dialer, option, file) : 0;

    if (rv == 0)
        return AW_OK;
    return aw_fail(err, AW_ERR_USAGE, "%s %.150s cannot be read, or is not PEM (%s)", what, file,
                   nng_strerror(rv));
}

static enum aw_err tls_set_up(struct tcp_stream *s, const struct stream_config *config,
                              struct aw_error *err)
{
    enum aw_err e;
    int rv =
        nng_stream_dialer_set_int(s->dialer, NNG_OPT_TLS_AUTH_MODE, NNG_TLS_AUTH_MODE_REQUIRED);

    if (rv)
        return tcp_failed(s, rv, err);
    e = file_set(s, NNG_OPT_TLS_CA_FILE, "CA file", config->tls_ca_file, err);
    if (!e)
        e = file_set(s, NNG_OPT_TLS_CERT_KEY_FILE, "certificate file", config->tls_cert_key_file,
                     err);
    return e;
}

static enum aw_err dialer_set_up(struct tcp_stream *s, const struct stream_config *config,
                                 struct aw_error *err)
{
    int rv = nng_stream_dialer_alloc(&s->dialer, s->address);

    if (!rv)
        rv = nng_aio_alloc(&s->dial_aio, on_dialed, s);
    if (!rv)
        rv = nng_aio_alloc(&s->recv_aio, on_received, s);
    if (!rv)
        rv = nng_aio_alloc(&s->send_aio, on_sent, s);
    if (!rv)
        rv = nng_stream_dialer_set_bool(s->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    if (rv)
        return tcp_failed(s, rv, err);
    return is_tls(s) ? tls_set_up(s, config, err) : AW_OK;
}

static void tcp_close(struct stream *base)
{
    struct tcp_stream *s = (struct tcp_stream *)base;

    if (s->dial_aio)
        nng_aio_stop(s->dial_aio);
    if (s->conn)
        nng_stream_close(s->conn);
    if (s->recv_aio)
        nng_aio_stop(s->recv_aio);
    if (s->send_aio)
        nng_aio_stop(s->send_aio);
    if (s->conn)
        nng_stream_free(s->conn);
    if (s->dialer)
        nng_stream_dialer_free(s->dialer);
    nng_aio_free(s->dial_aio);
    nng_aio_free(s->recv_aio);
    nng_aio_free(s->send_aio);
    pthread_mutex_destroy(&s->lock);
    close(s->event_fd);
    free(s);
}

static struct tcp_stream *tcp_alloc(const char *address)
{
    struct tcp_stream *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->event_fd < 0) {
        free(s);
        return NULL;
    }
    s->base.ops = &aw_stream_module_1;
    memcpy(s->address, address, MIN(strlen(address), sizeof(s->address) - 1));
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

/* nng's threads are gone in a forked child, and it aborts when used there. */
static bool forked(void)
{
    static pid_t first;

    if (!first)
        first = getpid();
    return first != getpid();
}

static enum aw_err tcp_open(const struct stream_config *config, struct stream **ret,
                            struct aw_error *err)
{
    struct tcp_stream *s;
    sigset_t all, before;
    enum aw_err e;

    if (forked())
        return aw_fail(err, AW_ERR_USAGE,
                       "tcp cannot be used in a process that was forked from one that used it");
    if (strlen(config->address) >= STREAM_MAX_URL)
        return aw_fail(err, AW_ERR_USAGE, "the daemon's URL has over %d bytes", STREAM_MAX_URL - 1);
    s = tcp_alloc(config->address);
    if (!s)
        return aw_fail(err, AW_ERR_NO_MEMORY, "connection: %s", strerror(errno));
    /* The first call starts nng's threads, which must not take the program's signals. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    e = dialer_set_up(s, config, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (e) {
        tcp_close(&s->base);
        return e;
    }
    nng_aio_set_timeout(s->dial_aio, CONNECT_MS);
    nng_stream_dialer_dial(s->dialer, s->dial_aio);
    *ret = &s->base;
    return AW_OK;
}

static enum aw_err tcp_read(struct stream *base, void *buf, size_t size, size_t *ret_n,
                            struct aw_error *err)
{
    struct tcp_stream *s = (struct tcp_stream *)base;
    enum aw_err e = AW_OK;
    uint64_t count;
    size_t n;

    if (read(s->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return aw_fail(err, AW_ERR_SYSTEM, "eventfd: %s", strerror(errno));
    pthread_mutex_lock(&s->lock);
    n = MIN(size, s->in_len - s->in_pos);
    memcpy(buf, s->in + s->in_pos, n);
    s->in_pos += n;
    if (n == 0 && s->failed)
        e = tcp_failed(s, s->failed, err);
    else if (s->conn && !s->receiving && !s->failed && s->in_pos == s->in_len)
        receive_start(s);
    else if (s->in_pos < s->in_len)
        tell(s); /* there is more than fitted */
    *ret_n = n;
    pthread_mutex_unlock(&s->lock);
    return e;
}

static enum aw_err tcp_write(struct stream *base, const struct iovec *iov, int n_iov, size_t *ret_n,
                             struct aw_error *err)
{
    struct tcp_stream *s = (struct tcp_stream *)base;
    enum aw_err e = AW_OK;
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    if (s->failed)
        e = tcp_failed(s, s->failed, err);
    /* Behind what waits for the connection to come about, but not behind what nng holds. */
    for (int i = 0; i < n_iov && !e && !s->sending; i++) {
        size_t fits = MIN(iov[i].iov_len, sizeof(s->out) - s->out_len);

        memcpy(s->out + s->out_len, iov[i].iov_base, fits);
        s->out_len += fits;
        n += fits;
    }
    if (n && s->conn)
        send_start(s);
    *ret_n = n;
    pthread_mutex_unlock(&s->lock);
    return e;
}

static int tcp_fd(const struct stream *base)
{
    return ((const struct tcp_stream *)base)->event_fd;
}

/* All that happens makes the eventfd readable. */
static short tcp_events(const struct stream *base, bool want_write)
{
    (void)base;
    (void)want_write;
    return POLLIN;
}

const struct stream_ops aw_stream_module_1 = {
    .open = tcp_open,
    .read = tcp_read,
    .write = tcp_write,
    .fd = tcp_fd,
    .events = tcp_events,
    .close = tcp_close,
    .message_type = false,
};
