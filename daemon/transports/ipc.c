/*
 * SP over unix sockets, on the event loop.
 *
 * A connection reads into a buffer that all of them share, and hands out what is complete. What is
 * answered in one turn of the loop collects in the connection's own buffer and leaves in one
 * system call at the turn's end. Who does not read its answers is not read from either.
 */
#include "daemon/transports/transport.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/log.h"
#include "daemon/transports/listener.h"
#include "proto/limits.h"
#include "proto/sp.h"

#define SCRATCH (64u << 10)
#define FRAME   (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)

/* Unsent bytes from which on a connection is not read. */
#define BACKLOG (1u << 20)

/* ... from which on it is closed: answers to what it had parked. */
#define MAX_UNSENT (256u << 20)

/* For the handshake; and between two pieces of one message. */
#define STALL_S 10

/* Connections beyond the limit, for root and the daemon's own user. */
#define RESERVE 16

enum phase { SHAKING, HEADER, BODY, BROKEN };

struct ipc_call {
    struct call base;
    uint32_t request_id;
    size_t len;
    void *body; /* NULL once parked */
};

struct out {
    uint8_t *data;
    size_t off, len, cap; /* off to len is yet to be sent */
};

struct ipc_conn {
    struct conn base;
    struct ipc *ipc;
    int fd;
    struct event read, write;
    TAILQ_ENTRY(ipc_conn) entry, dirty_entry;
    bool dirty;  /* has answers for the end of this turn */
    bool paused; /* is not read, and nothing of `stash` is looked at */
    bool doomed; /* is to be closed at the end of this turn */
    enum phase phase;
    size_t have; /* bytes of this phase */
    uint8_t head[FRAME];
    struct ipc_call *incoming; /* BODY: what is being read */
    uint8_t *stash;            /* what was read when it was paused */
    size_t stash_len;
    struct out out;
};
TAILQ_HEAD(conn_list, ipc_conn);

/* One that it listens on. */
struct ipc_socket {
    LIST_ENTRY(ipc_socket) entry;
    struct listener *listener;
};

struct ipc {
    struct endpoint *ep;
    struct event_base *base;
    const struct endpoint_config *config;
    LIST_HEAD(, ipc_socket) sockets;
    struct conn_list conns, dirty;
    struct event *flush;
    unsigned n_conns, max_conns;
    bool refusing; /* said so in the log */
    bool quiet, closing;
    uint8_t scratch[SCRATCH];
};

/* ---- Connections --------------------------------------------------------------------------- */

static void call_free(struct ipc_call *call)
{
    if (call)
        free(call->body);
    free(call);
}

static void conn_close(struct ipc_conn *c)
{
    struct ipc *ipc = c->ipc;

    event_del(&c->read);
    event_del(&c->write);
    if (c->dirty)
        TAILQ_REMOVE(&ipc->dirty, c, dirty_entry);
    TAILQ_REMOVE(&ipc->conns, c, entry);
    ipc->n_conns--;
    close(c->fd);
    if (ipc->closing)
        conn_drop_calls(&c->base);
    else
        conn_gone(&c->base);
    call_free(c->incoming);
    free(c->stash);
    free(c->out.data);
    free(c);
}

static void conn_break(struct ipc_conn *c, const char *why)
{
    log_msg(LOG_DEBUG, "connection %u of uid %u closed: %s", c->base.caller.pipe,
            c->base.caller.uid, why);
    c->phase = BROKEN;
}

/* ---- Answers ------------------------------------------------------------------------------- */

static size_t unsent(const struct ipc_conn *c)
{
    return c->out.len - c->out.off;
}

/* Room for `len` more bytes behind what is there; NULL: out of memory. */
static uint8_t *out_room(struct out *out, size_t len)
{
    size_t cap = out->cap ? out->cap : 512;
    uint8_t *data;

    if (out->off > out->len / 2) {
        memmove(out->data, out->data + out->off, out->len - out->off);
        out->len -= out->off;
        out->off = 0;
    }
    while (cap - out->len < len)
        cap *= 2;
    if (cap != out->cap) {
        data = realloc(out->data, cap);
        if (!data)
            return NULL;
        out->data = data;
        out->cap = cap;
    }
    return out->data + out->len;
}

static void conn_is_dirty(struct ipc_conn *c)
{
    struct ipc *ipc = c->ipc;

    if (c->dirty)
        return;
    if (TAILQ_EMPTY(&ipc->dirty))
        event_active(ipc->flush, EV_TIMEOUT, 0);
    TAILQ_INSERT_TAIL(&ipc->dirty, c, dirty_entry);
    c->dirty = true;
}

static uint8_t *conn_room(struct ipc_conn *c, size_t len)
{
    uint8_t *p = unsent(c) < MAX_UNSENT ? out_room(&c->out, len) : NULL;

    if (!p)
        c->doomed = true; /* it asks again on its next connection, and is not left without */
    else
        c->out.len += len;
    conn_is_dirty(c);
    return p;
}

static void ipc_reply(struct call *base, const void *data, size_t len)
{
    struct ipc_call *call = (struct ipc_call *)base;
    uint8_t *p = conn_room((struct ipc_conn *)base->conn, FRAME + len);

    if (p) {
        sp_ipc_header_write(p, call->request_id, len);
        if (len)
            memcpy(p + FRAME, data, len);
    }
    call_free(call);
}

static void ipc_park(struct call *base)
{
    struct ipc_call *call = (struct ipc_call *)base;

    free(call->body);
    call->body = NULL;
}

static void ipc_drop(struct call *base)
{
    call_free((struct ipc_call *)base);
}

static void ipc_take_body(struct call *base, struct body_owner *ret)
{
    *ret = (struct body_owner){take_ptr(((struct ipc_call *)base)->body), free};
}

static const struct transport_ops ipc_ops = {ipc_park, ipc_reply, ipc_drop, ipc_take_body};

/* ---- Requests ------------------------------------------------------------------------------ */

static void shaken(struct ipc_conn *c)
{
    struct aw_error err;

    c->have = 0;
    c->phase = HEADER;
    event_remove_timer(&c->read);
    if (sp_handshake_check(c->head, SP_REQ, &err))
        conn_break(c, err.text);
}

static void body_done(struct ipc_conn *c)
{
    struct ipc_call *call = take_ptr(c->incoming);

    c->have = 0;
    c->phase = HEADER;
    conn_call(&c->base, &call->base, call->body, call->len);
}

static void header_done(struct ipc_conn *c)
{
    struct ipc_call *call = calloc(1, sizeof(*call));
    struct aw_error err;

    c->have = 0;
    c->phase = BODY;
    c->incoming = call;
    if (!call) {
        conn_break(c, "out of memory");
    } else if (sp_ipc_header_read(c->head, &call->request_id, &call->len, &err)) {
        conn_break(c, err.text);
    } else if (!(call->body = malloc(call->len ? call->len : 1))) {
        conn_break(c, "out of memory");
    } else if (call->len == 0) {
        body_done(c);
    }
}

/* Takes up to `n` bytes of the present phase; says how many. */
static size_t conn_take(struct ipc_conn *c, const uint8_t *p, size_t n)
{
    size_t want = c->phase == SHAKING ? SP_HANDSHAKE_LEN
                  : c->phase == BODY  ? c->incoming->len
                                      : FRAME;
    uint8_t *to = c->phase == BODY ? c->incoming->body : c->head;

    n = MIN(n, want - c->have);
    memcpy(to + c->have, p, n);
    c->have += n;
    if (c->have < want)
        return n;
    if (c->phase == SHAKING)
        shaken(c);
    else if (c->phase == HEADER)
        header_done(c);
    else
        body_done(c);
    return n;
}

/* Takes bytes until all are used, the connection is broken, or it shall be read no more for now. */
static size_t conn_feed(struct ipc_conn *c, const uint8_t *p, size_t n)
{
    size_t used = 0;

    while (used < n && c->phase != BROKEN && !c->paused) {
        used += conn_take(c, p + used, n - used);
        if (unsent(c) > BACKLOG)
            c->paused = true;
    }
    return used;
}

static void conn_stash(struct ipc_conn *c, const uint8_t *p, size_t n)
{
    event_del(&c->read);
    if (n == 0)
        return;
    c->stash = malloc(n);
    if (!c->stash) {
        conn_break(c, "out of memory");
        return;
    }
    memcpy(c->stash, p, n);
    c->stash_len = n;
}

/* A big body is read to where it belongs; everything else by way of the scratch buffer. */
static ssize_t conn_recv(struct ipc_conn *c, bool *ret_direct)
{
    size_t rest = c->phase == BODY ? c->incoming->len - c->have : 0;

    *ret_direct = rest >= SCRATCH;
    if (*ret_direct)
        return recv(c->fd, (uint8_t *)c->incoming->body + c->have, rest, 0);
    return recv(c->fd, c->ipc->scratch, SCRATCH, 0);
}

/* While something is incomplete, the rest must not be long in coming. */
static void conn_watch_stall(struct ipc_conn *c)
{
    static const struct timeval stall = {.tv_sec = STALL_S};
    bool waiting = c->phase == BODY || (c->phase == HEADER && c->have > 0);

    if (waiting)
        event_add(&c->read, &stall);
    else if (c->phase == HEADER)
        event_remove_timer(&c->read);
}

static void conn_read(struct ipc_conn *c)
{
    bool direct;
    ssize_t n = conn_recv(c, &direct);
    size_t used;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    if (direct) {
        c->have += (size_t)n;
        if (c->have == c->incoming->len)
            body_done(c);
    } else {
        used = conn_feed(c, c->ipc->scratch, (size_t)n);
        if (c->paused)
            conn_stash(c, c->ipc->scratch + used, (size_t)n - used);
    }
    if (c->phase == BROKEN)
        conn_close(c);
    else if (!c->paused)
        conn_watch_stall(c);
}

static void conn_readable(evutil_socket_t fd, short what, void *arg)
{
    struct ipc_conn *c = arg;

    (void)fd;
    if (what & EV_TIMEOUT) {
        conn_break(c, "it stalled in the middle of a message");
        conn_close(c);
    } else {
        conn_read(c);
    }
}

/* Its answers are through: on with what it asked meanwhile. */
static void conn_resume(struct ipc_conn *c)
{
    size_t used;

    c->paused = false;
    used = conn_feed(c, c->stash, c->stash_len);
    c->stash_len -= used;
    if (c->phase == BROKEN) {
        c->doomed = true;
        conn_is_dirty(c);
    } else if (c->stash_len) {
        memmove(c->stash, c->stash + used, c->stash_len);
    } else {
        free(take_ptr(c->stash));
    }
    if (!c->paused && event_add(&c->read, NULL) == 0)
        conn_watch_stall(c);
}

/* ---- Sending ------------------------------------------------------------------------------- */

/* False: the connection is of no more use. */
static bool conn_send(struct ipc_conn *c)
{
    struct out *out = &c->out;
    ssize_t n = send(c->fd, out->data + out->off, unsent(c), MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    out->off += (size_t)n;
    if (out->off == out->len) {
        free(out->data);
        *out = (struct out){0};
    }
    return true;
}

static void conn_flush(struct ipc_conn *c)
{
    if (c->doomed || (unsent(c) && !conn_send(c))) {
        conn_close(c);
        return;
    }
    if (unsent(c))
        event_add(&c->write, NULL);
    if (c->paused && !c->ipc->quiet && unsent(c) < BACKLOG / 2)
        conn_resume(c);
}

static void conn_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    conn_flush(arg);
}

static void ipc_flush(evutil_socket_t fd, short what, void *arg)
{
    struct ipc *ipc = arg;
    struct ipc_conn *c;

    (void)fd, (void)what;
    while ((c = TAILQ_FIRST(&ipc->dirty))) {
        TAILQ_REMOVE(&ipc->dirty, c, dirty_entry);
        c->dirty = false;
        /* One that waits for room is not tried again before there is some. */
        if (c->doomed || !event_pending(&c->write, EV_WRITE, NULL))
            conn_flush(c);
    }
}

/* ---- Connecting ---------------------------------------------------------------------------- */

static void conn_credentials(struct ipc_conn *c)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return;
    c->base.caller.has_cred = true;
    c->base.caller.uid = cred.uid;
    c->base.caller.gid = cred.gid;
    c->base.caller.pid = cred.pid;
}

/* One user can take all the places, but lock out neither root nor the daemon's own watchdog. */
static bool is_full(struct ipc *ipc, const struct caller *caller)
{
    unsigned max = ipc->max_conns;

    if (caller->has_cred && (caller->uid == 0 || caller->uid == geteuid()))
        max += RESERVE;
    if (ipc->n_conns < max) {
        ipc->refusing = false;
        return false;
    }
    if (!ipc->refusing)
        log_msg(LOG_WARNING,
                "connections are refused: %u are open (max_connections, or the limit of files)",
                ipc->n_conns);
    ipc->refusing = true;
    return true;
}

static void conn_start(struct ipc_conn *c)
{
    static const struct timeval stall = {.tv_sec = STALL_S};
    uint8_t *hello;

    conn_open(c->ipc->ep, &c->base, &ipc_ops);
    TAILQ_INSERT_TAIL(&c->ipc->conns, c, entry);
    c->ipc->n_conns++;
    hello = conn_room(c, SP_HANDSHAKE_LEN);
    if (hello)
        sp_handshake_write(hello, SP_REP);
    if (event_add(&c->read, &stall) < 0)
        c->doomed = true;
    else
        conn_read(c); /* its first request is often there already */
}

/* Takes over `fd`. */
static void conn_new(void *arg, int fd)
{
    struct ipc_conn *c = calloc(1, sizeof(*c));
    struct ipc *ipc = arg;

    if (!c) {
        close(fd);
        return;
    }
    c->ipc = ipc;
    c->fd = fd;
    conn_credentials(c);
    event_assign(&c->read, ipc->base, fd, EV_READ | EV_PERSIST, conn_readable, c);
    event_assign(&c->write, ipc->base, fd, EV_WRITE, conn_writable, c);
    if (is_full(ipc, &c->base.caller)) {
        close(fd);
        free(c);
        return;
    }
    conn_start(c);
}

enum aw_err ipc_listen(struct ipc *ipc, const char *path, struct aw_error *err)
{
    struct ipc_socket *s = calloc(1, sizeof(*s));
    enum aw_err e;

    if (!s)
        return aw_fail(err, AW_ERR_NO_MEMORY, "cannot listen on %s: out of memory", path);
    e = listener_new(ipc->base, path, ipc->config->socket_mode, conn_new, ipc, &s->listener, err);
    if (e) {
        free(s);
        return e;
    }
    LIST_INSERT_HEAD(&ipc->sockets, s, entry);
    return AW_OK;
}

/* ---- The whole ----------------------------------------------------------------------------- */

/* The store, the runner and the output files need some of the process's files, too. */
static unsigned max_connections(const struct endpoint_config *config)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
        return config->max_connections;
    return (unsigned)MIN((rlim_t)config->max_connections, files.rlim_cur / 4 * 3);
}

struct ipc *ipc_new(struct endpoint *ep, struct event_base *base,
                    const struct endpoint_config *config)
{
    struct ipc *ipc = calloc(1, sizeof(*ipc));

    if (!ipc)
        return NULL;
    ipc->ep = ep;
    ipc->base = base;
    ipc->config = config;
    ipc->max_conns = max_connections(config);
    LIST_INIT(&ipc->sockets);
    TAILQ_INIT(&ipc->conns);
    TAILQ_INIT(&ipc->dirty);
    ipc->flush = event_new(base, -1, 0, ipc_flush, ipc);
    if (!ipc->flush) {
        free(ipc);
        return NULL;
    }
    return ipc;
}

void ipc_quiet(struct ipc *ipc)
{
    struct ipc_socket *s;
    struct ipc_conn *c;

    ipc->quiet = true;
    while ((s = LIST_FIRST(&ipc->sockets))) {
        LIST_REMOVE(s, entry);
        listener_free(s->listener);
        free(s);
    }
    TAILQ_FOREACH (c, &ipc->conns, entry) {
        c->paused = true;
        event_del(&c->read);
    }
}

/* Tries to send everywhere; fills `fds` with those that have something left. */
static nfds_t send_rest(struct ipc *ipc, struct pollfd *fds)
{
    struct ipc_conn *c, *next;
    nfds_t n = 0;

    for (c = TAILQ_FIRST(&ipc->conns); c; c = next) {
        next = TAILQ_NEXT(c, entry);
        if (c->doomed || (unsent(c) && !conn_send(c)))
            conn_close(c);
        else if (unsent(c))
            fds[n++] = (struct pollfd){.fd = c->fd, .events = POLLOUT};
    }
    return n;
}

static void linger(struct ipc *ipc, int64_t deadline_us)
{
    _cleanup_free_ struct pollfd *fds = calloc(ipc->n_conns + 1, sizeof(*fds));
    int64_t left;
    nfds_t n;

    while (fds && (n = send_rest(ipc, fds)) > 0) {
        left = deadline_us - boottime_us();
        if (left <= 0 || (poll(fds, n, (int)(left / 1000) + 1) < 0 && errno != EINTR))
            return;
    }
}

void ipc_free(struct ipc *ipc, int64_t deadline_us)
{
    struct ipc_conn *c;

    if (!ipc)
        return;
    ipc->closing = true;
    ipc_quiet(ipc);
    linger(ipc, deadline_us);
    while ((c = TAILQ_FIRST(&ipc->conns)))
        conn_close(c);
    event_free(ipc->flush);
    free(ipc);
}
