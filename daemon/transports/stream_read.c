/*
 * Requests as they come in.
 *
 * A connection reads into a buffer that all of them share, and hands out what is complete: as much
 * as its user may have in a turn, and the rest in its next one, so that one who asks without end
 * holds up nobody.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "daemon/transports/stream_private.h"
#include "proto/limits.h"

/* To read so many bytes takes as long as a small request. */
#define READ_UNIT (16u << 10)

/* A step of a TLS handshake takes as long as so many of them: there is a signature in it. */
#define SECURE_UNITS 64

/* ... and what TLS reads without having anything for us. */
#define EMPTY_UNITS 4

/* ---- Messages ------------------------------------------------------------------------------ */

static void await_header(struct stream *c)
{
    c->phase = HEADER;
    c->have = header_start(c);
    c->head[0] = 1; /* tcp's has it not, and starts behind it */
}

static void shaken(struct stream *c)
{
    struct aw_error err;
    bool good = !sp_handshake_check(c->head, SP_REQ, &err);

    await_header(c);
    event_remove_timer(&c->read);
    if (!good)
        stream_break(c, err.text);
}

static void body_done(struct stream *c)
{
    struct stream_call *call = take_ptr(c->incoming);

    await_header(c);
    c->room = 0;
    share_took(c->member.share, 1);
    stream_weigh(c);
    conn_call(&c->base, &call->base, call->body, call->len);
}

/*
 * Room for all of the body, or for twice of what has come: who announces much and sends nothing
 * costs nothing.
 */
static bool body_grow(struct stream *c)
{
    struct stream_call *call = c->incoming;
    size_t room = MIN(call->len, c->room ? c->room * 2 : SCRATCH);
    void *body = realloc(call->body, room ? room : 1);

    if (!body)
        return false;
    call->body = body;
    c->room = room;
    if (room >= SCRATCH)
        stream_weigh(c);
    return true;
}

static void header_done(struct stream *c)
{
    struct stream_call *call = calloc(1, sizeof(*call));
    struct aw_error err;

    c->have = 0;
    c->phase = BODY;
    c->incoming = call;
    if (!call) {
        stream_break(c, "out of memory");
    } else if (sp_ipc_header_read(c->head, &call->request_id, &call->len, &err)) {
        stream_break(c, err.text);
    } else if (!body_grow(c)) {
        stream_break(c, "out of memory");
    } else if (call->len == 0) {
        body_done(c);
    }
}

/* Takes up to `n` bytes of the body. */
static size_t body_take(struct stream *c, const uint8_t *p, size_t n)
{
    if (c->have == c->room && !body_grow(c)) {
        stream_break(c, "out of memory");
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
static size_t stream_take(struct stream *c, const uint8_t *p, size_t n)
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
static size_t stream_feed(struct stream *c, const uint8_t *p, size_t n)
{
    size_t used = 0;

    while (used < n && c->phase != BROKEN && !c->paused) {
        used += stream_take(c, p + used, n - used);
        if (unsent(c) > BACKLOG || !share_may_take(c->member.share))
            c->paused = true;
    }
    return used;
}

static void stream_stash(struct stream *c, const uint8_t *p, size_t n)
{
    event_del(&c->read);
    if (n == 0)
        return;
    c->stash = malloc(n);
    if (!c->stash) {
        stream_break(c, "out of memory");
        return;
    }
    memcpy(c->stash, p, n);
    c->stash_off = 0;
    c->stash_len = n;
    stream_weigh(c);
}

static ssize_t receive(struct stream *c, void *buf, size_t len)
{
    return c->tls ? tls_recv(c->tls, buf, len) : recv(c->fd, buf, len, 0);
}

/* A big body is read to where it belongs; everything else by way of the scratch buffer. */
static ssize_t stream_recv(struct stream *c, bool *ret_direct)
{
    size_t rest = c->phase == BODY ? c->incoming->len - c->have : 0;

    *ret_direct = rest >= SCRATCH && (c->have < c->room || body_grow(c));
    if (*ret_direct)
        return receive(c, (uint8_t *)c->incoming->body + c->have, c->room - c->have);
    return receive(c, c->tr->scratch, SCRATCH);
}

/* Without memory for a timer nobody is waited for. */
static void stream_watch(struct stream *c, const struct timeval *patience)
{
    if (event_add(&c->read, patience) < 0)
        stream_doom(c, "out of memory");
}

/* Bytes do not make a handshake's time longer. */
static void stream_watch_handshake(struct stream *c)
{
    int64_t us = MAX(c->deadline_us - boottime_us(), 0);

    stream_watch(c, &(struct timeval){us / 1000000, us % 1000000});
}

/* While something is incomplete, the rest must not be long in coming. */
static void stream_watch_stall(struct stream *c)
{
    const struct timeval stall = stall_time(c);

    if (c->phase <= SHAKING)
        stream_watch_handshake(c);
    else if (c->phase != HEADER || c->have > header_start(c))
        stream_watch(c, &stall);
    else
        event_remove_timer(&c->read);
}

/* Not now: its user has had his part of this turn. */
static void stream_put_off(struct stream *c)
{
    c->paused = true;
    stream_stash(c, NULL, 0);
    stream_line_up(c);
}

/* TLS has something to say before it can go on: when there is room for that, this goes on. */
static void stream_put_off_for_room(struct stream *c)
{
    c->paused = true;
    stream_stash(c, NULL, 0);
    stream_await_room(c);
}

/* What TLS has read from the socket and not yet handed out, no event tells of. */
static void stream_go_on(struct stream *c)
{
    if (c->tls && tls_pending(c->tls))
        event_active(&c->read, EV_READ, 0);
}

/* -1: nothing now. 0: it is over. */
static ssize_t stream_recv_some(struct stream *c, bool *ret_direct)
{
    ssize_t n = stream_recv(c, ret_direct);

    if (n >= 0 || (errno != EAGAIN && errno != EINTR))
        return MAX(n, 0);
    share_took(c->member.share, EMPTY_UNITS);
    if (c->tls && tls_awaits_room(c->tls))
        stream_put_off_for_room(c);
    return -1;
}

static void stream_take_all(struct stream *c, size_t n, bool direct)
{
    size_t used;

    share_took(c->member.share, n / READ_UNIT);
    if (direct) {
        c->have += n;
        if (c->have == c->incoming->len)
            body_done(c);
        return;
    }
    used = stream_feed(c, c->tr->scratch, n);
    if (c->paused)
        stream_stash(c, c->tr->scratch + used, n - used);
}

/* It is its turn. May close it. */
static void stream_read_now(struct stream *c)
{
    bool direct;
    ssize_t n;

    if (c->phase == SECURING) {
        stream_secure(c);
        return;
    }
    n = stream_recv_some(c, &direct);
    if (n < 0)
        return;
    if (n > 0)
        stream_take_all(c, (size_t)n, direct);
    if (n == 0 || c->phase == BROKEN) {
        stream_close(c);
    } else if (c->paused) {
        stream_line_up(c);
    } else {
        stream_watch_stall(c);
        stream_go_on(c);
    }
}

void stream_read(struct stream *c)
{
    if (share_may_take(c->member.share))
        stream_read_now(c);
    else
        stream_put_off(c);
}

void stream_secure(struct stream *c)
{
    const char *why;
    enum tls_step step;

    share_took(c->member.share, SECURE_UNITS);
    step = tls_handshake(c->tls, &why);
    if (step == TLS_FAILED) {
        stream_break(c, why);
        stream_close(c);
    } else if (step == TLS_DONE) {
        stream_secured(c);
    } else {
        stream_weigh(c);
        if (step == TLS_AWAITS_ROOM)
            stream_await_room(c);
    }
}

/*
 * What has come by now was sent in time, or while the loop was away: it is told of the timer alone,
 * when both are due.
 */
static bool has_nothing(const struct stream *c)
{
    struct pollfd pfd = {.fd = c->fd, .events = POLLIN};

    return poll(&pfd, 1, 0) == 0;
}

void stream_readable(evutil_socket_t fd, short what, void *arg)
{
    struct stream *c = arg;

    (void)fd;
    if (what & EV_TIMEOUT && has_nothing(c)) {
        stream_break(c, c->phase <= SHAKING ? "it takes too long to shake hands"
                                            : "it stalled in the middle of a message");
        stream_close(c);
        return;
    }
    if (c->phase <= SHAKING)
        stream_watch_handshake(c); /* the loop has just given it as long as before */
    stream_read(c);
}

void stream_line_up(struct stream *c)
{
    if (c->paused && !c->doomed && !c->tr->quiet && unsent(c) < BACKLOG / 2)
        share_line_up(&c->member);
}

/* Nobody reads from it while it is paused, and so nobody sees that its client has gone. */
static bool has_hung_up(const struct stream *c)
{
    struct pollfd pfd = {.fd = c->fd, .events = POLLRDHUP};

    return poll(&pfd, 1, 0) == 1;
}

/*
 * With a timer, which is removed if nothing has begun: without one the loop would still know
 * that of before the pause, and start it with the next bytes.
 */
static void stream_read_on(struct stream *c, bool now)
{
    const struct timeval stall = stall_time(c);

    if (event_add(&c->read, &stall) < 0) {
        stream_doom(c, "out of memory");
        return;
    }
    stream_watch_stall(c);
    if (now)
        stream_read_now(c);
    else
        stream_go_on(c);
}

/*
 * Each that has its turn gets on with something in it. One that had not been read when it was put
 * off is read here and now: were it left to the loop, then a few hundred of them would use up the
 * turn by being looked at, all be put off again, and so on without end.
 */
void stream_resume(struct stream *c)
{
    bool stashed = c->stash;
    size_t used;

    if (has_hung_up(c)) {
        stream_doom(c, "its client has gone, and what is left of its requests with it");
        return;
    }
    c->paused = false;
    share_took(c->member.share, 1);
    used = c->stash ? stream_feed(c, c->stash + c->stash_off, c->stash_len) : 0;
    c->stash_off += used;
    c->stash_len -= used;
    if (c->phase == BROKEN) {
        stream_doom(c, "it sent what is no message");
        return;
    }
    if (!c->stash_len) {
        free(take_ptr(c->stash));
        stream_weigh(c);
    }
    if (c->paused)
        stream_line_up(c);
    else
        stream_read_on(c, !stashed);
}
