/*
 * SP over stream sockets, on the event loop.
 *
 * A connection reads into a buffer that all of them share, and hands out what is complete. What is
 * answered in one turn of the loop collects in the connection's own buffer and leaves in one
 * system call at the turn's end. Who does not read its answers is not read from either.
 */
#include "daemon/transports/stream_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/timer.h"

/* ... from which on it is closed: answers to what it had parked. */
#define MAX_UNSENT (256u << 20)

#define stream_of(member_) ((struct stream *)((char *)(member_)-offsetof(struct stream, member)))

/* ---- Connections --------------------------------------------------------------------------- */

void call_free(struct stream_call *call)
{
    if (call)
        free(call->body);
    free(call);
}

void stream_close(struct stream *c)
{
    struct transport *tr = c->tr;

    event_del(&c->read);
    event_del(&c->write);
    if (c->dirty)
        TAILQ_REMOVE(&tr->dirty, c, dirty_entry);
    if (c->securing)
        TAILQ_REMOVE(&tr->securing, c, securing_entry);
    TAILQ_REMOVE(&tr->streams, c, entry);
    crowd_of(tr, c->kind)->n--;
    /* Whoever is told may answer others: nobody finds it to be closed once more, for its memory. */
    c->doomed = true;
    share_leave(&c->member);
    c->base.caller.share = NULL;
    if (tr->closing)
        conn_drop_calls(&c->base);
    else
        conn_gone(&c->base);
    tls_free(c->tls);
    close(c->fd);
    call_free(c->incoming);
    free(c->stash);
    free(c->out.data);
    free(c);
}

void stream_break(struct stream *c, const char *why)
{
    static const char *const kinds[] = {"ipc", "tcp", "tls"};

    const struct caller *caller = &c->base.caller;

    log_msg(LOG_DEBUG, "connection %u (%s, uid %d) closed: %s", caller->pipe, kinds[c->kind],
            caller->has_cred ? (int)caller->uid : -1, why);
    c->phase = BROKEN;
}

void stream_doom(struct stream *c, const char *why)
{
    if (c->doomed)
        return;
    if (c->phase != BROKEN)
        stream_break(c, why);
    c->doomed = true;
    share_resize(&c->member, 0);
    stream_is_dirty(c);
}

static void stream_shut(struct share_member *member)
{
    stream_doom(stream_of(member), "its user's connections have too much memory, and it the most");
}

void stream_weigh(struct stream *c)
{
    if (c->doomed)
        return;
    share_resize(&c->member, sizeof(*c) + (c->tls ? tls_memory(c->tls) : 0) + c->out.cap +
                                 (c->incoming ? c->room : 0) +
                                 (c->stash ? c->stash_off + c->stash_len : 0));
    share_relieve(c->member.share);
}

/* ---- Answers ------------------------------------------------------------------------------- */

/* All is sent. Answers come in bursts: one buffer is kept, so that they need not grow it anew. */
static void out_free(struct transport *tr, struct out *out)
{
    if (!tr->spare.data && out->cap <= SCRATCH)
        tr->spare = (struct out){.data = out->data, .cap = out->cap};
    else
        free(out->data);
    *out = (struct out){0};
}

/* Room for `len` more bytes behind what is there; NULL: out of memory. */
static uint8_t *out_room(struct transport *tr, struct out *out, size_t len)
{
    size_t cap;
    uint8_t *data;

    if (!out->data) {
        *out = tr->spare;
        tr->spare = (struct out){0};
    }
    cap = out->cap ? out->cap : 512;
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

void stream_is_dirty(struct stream *c)
{
    struct transport *tr = c->tr;

    if (c->dirty)
        return;
    if (TAILQ_EMPTY(&tr->dirty))
        event_active(tr->flush, EV_TIMEOUT, 0);
    TAILQ_INSERT_TAIL(&tr->dirty, c, dirty_entry);
    c->dirty = true;
}

/* Without room it is closed: it asks again on its next connection, and is not left without. */
static uint8_t *stream_room(struct stream *c, size_t len)
{
    size_t cap = c->out.cap;
    uint8_t *p = c->doomed || unsent(c) >= MAX_UNSENT ? NULL : out_room(c->tr, &c->out, len);

    if (!p) {
        stream_doom(c, "its answers find no room");
        return NULL;
    }
    c->out.len += len;
    stream_is_dirty(c);
    if (c->out.cap != cap)
        stream_weigh(c);
    return p;
}

static void stream_reply(struct call *base, const void *data, size_t len)
{
    struct stream_call *call = (struct stream_call *)base;
    struct stream *c = (struct stream *)base->conn;
    size_t skip = header_start(c);
    uint8_t head[FRAME], *p = stream_room(c, FRAME - skip + len);

    if (p) {
        sp_ipc_header_write(head, call->request_id, len);
        memcpy(p, head + skip, FRAME - skip);
        if (len)
            memcpy(p + FRAME - skip, data, len);
    }
    call_free(call);
}

static void stream_park(struct call *base)
{
    struct stream_call *call = (struct stream_call *)base;

    free(call->body);
    call->body = NULL;
}

static void stream_drop(struct call *base)
{
    call_free((struct stream_call *)base);
}

static void stream_take_body(struct call *base, struct body_owner *ret)
{
    *ret = (struct body_owner){take_ptr(((struct stream_call *)base)->body), free};
}

static const struct transport_ops stream_ops = {stream_park, stream_reply, stream_drop,
                                                stream_take_body};

/* ---- Sending ------------------------------------------------------------------------------- */

/* False: the connection is of no more use. */
static bool stream_send(struct stream *c)
{
    struct out *out = &c->out;
    const void *data = out->data + out->off;
    ssize_t n =
        c->tls ? tls_send(c->tls, data, unsent(c)) : send(c->fd, data, unsent(c), MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    out->off += (size_t)n;
    if (out->off == out->len) {
        out_free(c->tr, out);
        stream_weigh(c);
    }
    return true;
}

bool stream_await_room(struct stream *c)
{
    if (event_add(&c->write, NULL) == 0)
        return true;
    stream_close(c);
    return false;
}

static void stream_flush(struct stream *c)
{
    if (c->doomed || (unsent(c) && !stream_send(c)))
        stream_close(c);
    else if (!unsent(c) || stream_await_room(c))
        stream_line_up(c);
}

void stream_writable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *c = arg;

    (void)fd, (void)what;
    if (c->phase == SECURING && !c->paused)
        stream_secure(c);
    else
        stream_flush(c);
}

static void flush_dirty(evutil_socket_t fd, short what, void *arg)
{
    struct transport *tr = arg;
    struct stream *c;

    (void)fd, (void)what;
    while ((c = TAILQ_FIRST(&tr->dirty))) {
        TAILQ_REMOVE(&tr->dirty, c, dirty_entry);
        c->dirty = false;
        /* One that waits for room is not tried again before there is some. */
        if (c->doomed || !event_pending(&c->write, EV_WRITE, NULL))
            stream_flush(c);
    }
}

/* ---- Beginning ----------------------------------------------------------------------------- */

static void stream_greet(struct stream *c)
{
    uint8_t *hello = stream_room(c, SP_HANDSHAKE_LEN);

    if (hello)
        sp_handshake_write(hello, SP_REP);
}

void stream_start(struct stream *c)
{
    struct transport *tr = c->tr;
    const struct timeval stall = stall_time(c);

    conn_open(tr->ep, &c->base, &stream_ops);
    event_assign(&c->read, tr->base, c->fd, EV_READ | EV_PERSIST, stream_readable, c);
    event_assign(&c->write, tr->base, c->fd, EV_WRITE, stream_writable, c);
    TAILQ_INSERT_TAIL(&tr->streams, c, entry);
    crowd_of(tr, c->kind)->n++;
    c->member.shut = stream_shut;
    c->deadline_us = boottime_us() + tr->config->stall_ms * INT64_C(1000);
    if (c->tls) {
        c->phase = SECURING;
        c->securing = true;
        TAILQ_INSERT_TAIL(&tr->securing, c, securing_entry);
        stream_weigh(c);
    } else {
        c->phase = SHAKING;
        stream_greet(c);
    }
    if (event_add(&c->read, &stall) < 0)
        stream_doom(c, "out of memory");
    else if (!c->tls)
        stream_read(c); /* its first request is often there already */
}

void stream_secured(struct stream *c)
{
    const struct peer_name *name = tls_peer(c->tls);
    struct caller *caller = &c->base.caller;

    TAILQ_REMOVE(&c->tr->securing, c, securing_entry);
    c->securing = false;
    c->phase = SHAKING;
    caller->tls = true;
    caller->subject = *name->subject ? name->subject : NULL;
    caller->cn = *name->cn ? name->cn : NULL;
    if (!stream_join_user(c)) {
        stream_break(c, "its user has too many");
        stream_close(c);
        return;
    }
    stream_weigh(c);
    stream_greet(c);
}

/* ---- Turns --------------------------------------------------------------------------------- */

static void on_room(void *arg)
{
    static const struct timeval soon = {0};
    struct transport *tr = arg;

    if (!tr->quiet && !event_pending(tr->again, EV_TIMEOUT, NULL))
        timer_add(tr->again, &soon);
}

/* By a timer: between two turns the loop looks for what else has happened. */
static void again(evutil_socket_t fd, short what, void *arg)
{
    struct transport *tr = arg;
    struct share_member *member = tr->quiet ? NULL : shares_next(tr->shares, true);

    (void)fd, (void)what;
    for (; member; member = shares_next(tr->shares, false))
        stream_resume(stream_of(member));
}

/* ---- The whole ----------------------------------------------------------------------------- */

static void transport_done(struct transport *tr)
{
    if (tr->flush)
        event_free(tr->flush);
    if (tr->again)
        event_free(tr->again);
    shares_free(tr->shares);
    tls_context_free(tr->tls);
    free(tr->spare.data);
    free(tr);
}

struct transport *transport_new(struct endpoint *ep, struct event_base *base,
                                const struct endpoint_config *config)
{
    struct transport *tr = calloc(1, sizeof(*tr));

    if (!tr)
        return NULL;
    tr->ep = ep;
    tr->base = base;
    tr->config = config;
    crowds_limit(tr);
    LIST_INIT(&tr->sockets);
    TAILQ_INIT(&tr->streams);
    TAILQ_INIT(&tr->dirty);
    TAILQ_INIT(&tr->securing);
    tr->flush = event_new(base, -1, 0, flush_dirty, tr);
    tr->again = evtimer_new(base, again, tr);
    tr->shares = shares_new(&config->shares, on_room, tr);
    if (tr->flush && tr->again && tr->shares)
        return tr;
    transport_done(tr);
    return NULL;
}

void transport_set_admin_group(struct transport *tr, const uint32_t *gid)
{
    tr->has_admin_group = gid != NULL;
    if (gid)
        tr->admin_gid = *gid;
}

void transport_quiet(struct transport *tr)
{
    struct stream *c;

    tr->quiet = true;
    sockets_free(tr);
    TAILQ_FOREACH (c, &tr->streams, entry) {
        c->paused = true;
        event_del(&c->read);
    }
}

/* Tries to send everywhere; fills `fds` with those that have something left. */
static nfds_t send_rest(struct transport *tr, struct pollfd *fds)
{
    struct stream *c, *next;
    nfds_t n = 0;

    for (c = TAILQ_FIRST(&tr->streams); c; c = next) {
        next = TAILQ_NEXT(c, entry);
        if (c->doomed || (unsent(c) && !stream_send(c)))
            stream_close(c);
        else if (unsent(c))
            fds[n++] = (struct pollfd){.fd = c->fd, .events = POLLOUT};
    }
    return n;
}

static void linger(struct transport *tr, int64_t deadline_us)
{
    _cleanup_free_ struct pollfd *fds = calloc(tr->local.n + tr->remote.n + 1, sizeof(*fds));
    int64_t left;
    nfds_t n;

    while (fds && (n = send_rest(tr, fds)) > 0) {
        left = deadline_us - boottime_us();
        if (left <= 0 || (poll(fds, n, (int)(left / 1000) + 1) < 0 && errno != EINTR))
            return;
    }
}

void transport_free(struct transport *tr, int64_t deadline_us)
{
    struct stream *c;

    if (!tr)
        return;
    tr->closing = true;
    transport_quiet(tr);
    linger(tr, deadline_us);
    while ((c = TAILQ_FIRST(&tr->streams)))
        stream_close(c);
    transport_done(tr);
}

void transport_users(const struct transport *tr,
                     void (*fn)(void *arg, const struct share_user *user), void *arg)
{
    shares_each(tr->shares, fn, arg);
}
