/*
 * Requests as they come in over a unix socket.
 *
 * A connection reads into a buffer that all of them share, and hands out what is complete: as much
 * as its user may have in a turn, and the rest in its next one, so that one who asks without end
 * holds up nobody.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "daemon/transports/ipc_private.h"
#include "proto/limits.h"

/* To read so many bytes takes as long as a small request. */
#define READ_UNIT (16u << 10)

/* ---- Messages ------------------------------------------------------------------------------ */

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
    c->room = 0;
    c->phase = HEADER;
    share_took(c->member.share, 1);
    conn_weigh(c);
    conn_call(&c->base, &call->base, call->body, call->len);
}

/*
 * Room for all of the body, or for twice of what has come: who announces much and sends nothing
 * costs nothing.
 */
static bool body_grow(struct ipc_conn *c)
{
    struct ipc_call *call = c->incoming;
    size_t room = MIN(call->len, c->room ? c->room * 2 : SCRATCH);
    void *body = realloc(call->body, room ? room : 1);

    if (!body)
        return false;
    call->body = body;
    c->room = room;
    if (room >= SCRATCH)
        conn_weigh(c);
    return true;
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
    } else if (!body_grow(c)) {
        conn_break(c, "out of memory");
    } else if (call->len == 0) {
        body_done(c);
    }
}

/* Takes up to `n` bytes of the body. */
static size_t body_take(struct ipc_conn *c, const uint8_t *p, size_t n)
{
    if (c->have == c->room && !body_grow(c)) {
        conn_break(c, "out of memory");
        return n;
    }
    n = MIN(n, c->room - c->have);
    memcpy((uint8_t *)c->incoming->body + c->have, p, n);
    c->have += n;
    if (c->have == c->incoming->len)
        body_done(c);
    return n;
}

/* Takes up to `n` bytes of the present phase; says how many. */
static size_t conn_take(struct ipc_conn *c, const uint8_t *p, size_t n)
{
    size_t want = c->phase == SHAKING ? SP_HANDSHAKE_LEN : FRAME;

    if (c->phase == BODY)
        return body_take(c, p, n);
    n = MIN(n, want - c->have);
    memcpy(c->head + c->have, p, n);
    c->have += n;
    if (c->have < want)
        return n;
    if (c->phase == SHAKING)
        shaken(c);
    else
        header_done(c);
    return n;
}

/* Takes bytes until all are used, the connection is broken, or it shall be read no more for now. */
static size_t conn_feed(struct ipc_conn *c, const uint8_t *p, size_t n)
{
    size_t used = 0;

    while (used < n && c->phase != BROKEN && !c->paused) {
        used += conn_take(c, p + used, n - used);
        if (unsent(c) > BACKLOG || !share_may_take(c->member.share))
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
    c->stash_off = 0;
    c->stash_len = n;
    conn_weigh(c);
}

/* A big body is read to where it belongs; everything else by way of the scratch buffer. */
static ssize_t conn_recv(struct ipc_conn *c, bool *ret_direct)
{
    size_t rest = c->phase == BODY ? c->incoming->len - c->have : 0;

    *ret_direct = rest >= SCRATCH && (c->have < c->room || body_grow(c));
    if (*ret_direct)
        return recv(c->fd, (uint8_t *)c->incoming->body + c->have, c->room - c->have, 0);
    return recv(c->fd, c->ipc->scratch, SCRATCH, 0);
}

/* While something is incomplete, the rest must not be long in coming. */
static void conn_watch_stall(struct ipc_conn *c)
{
    static const struct timeval stall = {.tv_sec = STALL_S};
    bool waiting = c->phase == SHAKING || c->phase == BODY || (c->phase == HEADER && c->have > 0);

    if (waiting)
        event_add(&c->read, &stall);
    else if (c->phase == HEADER)
        event_remove_timer(&c->read);
}

/* Not now: its user has had his part of this turn. */
static void conn_put_off(struct ipc_conn *c)
{
    c->paused = true;
    conn_stash(c, NULL, 0);
    conn_line_up(c);
}

void conn_read(struct ipc_conn *c)
{
    bool direct;
    ssize_t n;
    size_t used;

    if (!share_may_take(c->member.share)) {
        conn_put_off(c);
        return;
    }
    n = conn_recv(c, &direct);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_close(c);
        return;
    }
    share_took(c->member.share, (size_t)n / READ_UNIT);
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
    else if (c->paused)
        conn_line_up(c);
    else
        conn_watch_stall(c);
}

void conn_readable(evutil_socket_t fd, short what, void *arg)
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

void conn_line_up(struct ipc_conn *c)
{
    if (c->paused && !c->doomed && !c->ipc->quiet && unsent(c) < BACKLOG / 2)
        share_line_up(&c->member);
}

/* Nobody reads from it while it is paused, and so nobody sees that its client has gone. */
static bool has_hung_up(const struct ipc_conn *c)
{
    struct pollfd pfd = {.fd = c->fd, .events = POLLRDHUP};

    return poll(&pfd, 1, 0) == 1;
}

void conn_resume(struct ipc_conn *c)
{
    size_t used;

    if (has_hung_up(c)) {
        conn_doom(c, "its client has gone, and what is left of its requests with it");
        return;
    }
    c->paused = false;
    share_took(c->member.share, 1);
    used = c->stash ? conn_feed(c, c->stash + c->stash_off, c->stash_len) : 0;
    c->stash_off += used;
    c->stash_len -= used;
    if (c->phase == BROKEN) {
        conn_doom(c, "it sent what is no message");
        return;
    }
    if (!c->stash_len) {
        free(take_ptr(c->stash));
        conn_weigh(c);
    }
    if (c->paused)
        conn_line_up(c);
    else if (event_add(&c->read, NULL) < 0)
        conn_doom(c, "out of memory");
    else
        conn_watch_stall(c);
}
