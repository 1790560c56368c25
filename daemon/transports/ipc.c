/*
 * SP over unix sockets, on the event loop.
 *
 * A connection reads into a buffer that all of them share, and hands out what is complete. What is
 * answered in one turn of the loop collects in the connection's own buffer and leaves in one
 * system call at the turn's end. Who does not read its answers is not read from either.
 */
#include "daemon/transports/ipc_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/timer.h"
#include "daemon/transports/listener.h"

/* ... from which on it is closed: answers to what it had parked. */
#define MAX_UNSENT (256u << 20)

/* Connections beyond the limit, for root and the daemon's own user. */
#define RESERVE 16

#define conn_of(member_) ((struct ipc_conn *)((char *)(member_)-offsetof(struct ipc_conn, member)))

/* One that it listens on. */
struct ipc_socket {
    LIST_ENTRY(ipc_socket) entry;
    struct listener *listener;
};

/* ---- Connections --------------------------------------------------------------------------- */

void call_free(struct ipc_call *call)
{
    if (call)
        free(call->body);
    free(call);
}

void conn_close(struct ipc_conn *c)
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
    share_leave(&c->member);
    call_free(c->incoming);
    free(c->stash);
    free(c->out.data);
    free(c);
}

void conn_break(struct ipc_conn *c, const char *why)
{
    log_msg(LOG_DEBUG, "connection %u of uid %u closed: %s", c->base.caller.pipe,
            c->base.caller.uid, why);
    c->phase = BROKEN;
}

void conn_doom(struct ipc_conn *c, const char *why)
{
    if (c->doomed)
        return;
    if (c->phase != BROKEN)
        conn_break(c, why);
    c->doomed = true;
    share_resize(&c->member, 0);
    conn_is_dirty(c);
}

static void conn_shut(struct share_member *member)
{
    conn_doom(conn_of(member), "its user's connections have too much memory, and it the most");
}

void conn_weigh(struct ipc_conn *c)
{
    if (c->doomed)
        return;
    share_resize(&c->member, sizeof(*c) + c->out.cap + (c->incoming ? c->room : 0) +
                                 (c->stash ? c->stash_off + c->stash_len : 0));
    share_relieve(c->member.share);
}

/* ---- Answers ------------------------------------------------------------------------------- */

/* All is sent. Answers come in bursts: one buffer is kept, so that they need not grow it anew. */
static void out_free(struct ipc *ipc, struct out *out)
{
    if (!ipc->spare.data && out->cap <= SCRATCH)
        ipc->spare = (struct out){.data = out->data, .cap = out->cap};
    else
        free(out->data);
    *out = (struct out){0};
}

/* Room for `len` more bytes behind what is there; NULL: out of memory. */
static uint8_t *out_room(struct ipc *ipc, struct out *out, size_t len)
{
    size_t cap;
    uint8_t *data;

    if (!out->data) {
        *out = ipc->spare;
        ipc->spare = (struct out){0};
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

void conn_is_dirty(struct ipc_conn *c)
{
    struct ipc *ipc = c->ipc;

    if (c->dirty)
        return;
    if (TAILQ_EMPTY(&ipc->dirty))
        event_active(ipc->flush, EV_TIMEOUT, 0);
    TAILQ_INSERT_TAIL(&ipc->dirty, c, dirty_entry);
    c->dirty = true;
}

/* Without room it is closed: it asks again on its next connection, and is not left without. */
static uint8_t *conn_room(struct ipc_conn *c, size_t len)
{
    size_t cap = c->out.cap;
    uint8_t *p = c->doomed || unsent(c) >= MAX_UNSENT ? NULL : out_room(c->ipc, &c->out, len);

    if (!p) {
        conn_doom(c, "its answers find no room");
        return NULL;
    }
    c->out.len += len;
    conn_is_dirty(c);
    if (c->out.cap != cap)
        conn_weigh(c);
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
        out_free(c->ipc, out);
        conn_weigh(c);
    }
    return true;
}

static void conn_flush(struct ipc_conn *c)
{
    if (c->doomed || (unsent(c) && !conn_send(c))) {
        conn_close(c);
        return;
    }
    if (unsent(c) && event_add(&c->write, NULL) < 0) {
        conn_close(c); /* nobody would ever send the rest */
        return;
    }
    conn_line_up(c);
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

/* ---- Turns --------------------------------------------------------------------------------- */

static void on_room(void *arg)
{
    static const struct timeval soon = {0};
    struct ipc *ipc = arg;

    if (!ipc->quiet && !event_pending(ipc->again, EV_TIMEOUT, NULL))
        timer_add(ipc->again, &soon);
}

/* By a timer: between two turns the loop looks for what else has happened. */
static void ipc_again(evutil_socket_t fd, short what, void *arg)
{
    struct ipc *ipc = arg;
    struct share_member *member = ipc->quiet ? NULL : shares_next(ipc->shares, true);

    (void)fd, (void)what;
    for (; member; member = shares_next(ipc->shares, false))
        conn_resume(conn_of(member));
}

/* ---- Connecting ---------------------------------------------------------------------------- */

/* As they were when it connected. False where that cannot be told. */
static bool peer_in_group(int fd, gid_t gid)
{
    gid_t few[64], *groups = few;
    socklen_t len = sizeof(few);
    bool found = false;
    int rc = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);

    if (rc < 0 && errno == ERANGE) { /* now it has said how many there are */
        groups = malloc(len);
        rc = groups ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) : -1;
    }
    for (size_t i = 0; rc == 0 && !found && i < len / sizeof(*groups); i++)
        found = groups[i] == gid;
    if (groups != few)
        free(groups);
    return found;
}

static void conn_credentials(struct ipc_conn *c)
{
    const struct ipc *ipc = c->ipc;
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return;
    c->base.caller.has_cred = true;
    c->base.caller.uid = cred.uid;
    c->base.caller.gid = cred.gid;
    c->base.caller.pid = cred.pid;
    c->base.caller.in_admin_group = ipc->has_admin_group && (cred.gid == ipc->admin_gid ||
                                                             peer_in_group(c->fd, ipc->admin_gid));
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

/* Those of whom nothing is known are one user. */
static uint32_t uid_of(const struct ipc_conn *c)
{
    return c->base.caller.has_cred ? c->base.caller.uid : UINT32_MAX;
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
        conn_doom(c, "out of memory");
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
    c->member.shut = conn_shut;
    if (is_full(ipc, &c->base.caller) || !share_join(ipc->shares, uid_of(c), &c->member)) {
        close(fd);
        free(c);
        return;
    }
    c->base.caller.share = c->member.share;
    share_took(c->member.share, 1);
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

static void ipc_done(struct ipc *ipc)
{
    if (ipc->flush)
        event_free(ipc->flush);
    if (ipc->again)
        event_free(ipc->again);
    shares_free(ipc->shares);
    free(ipc->spare.data);
    free(ipc);
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
    ipc->again = evtimer_new(base, ipc_again, ipc);
    ipc->shares = shares_new(&config->shares, on_room, ipc);
    if (ipc->flush && ipc->again && ipc->shares)
        return ipc;
    ipc_done(ipc);
    return NULL;
}

void ipc_set_admin_group(struct ipc *ipc, const uint32_t *gid)
{
    ipc->has_admin_group = gid != NULL;
    if (gid)
        ipc->admin_gid = *gid;
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
    ipc_done(ipc);
}

struct shares *ipc_shares(const struct ipc *ipc)
{
    return ipc->shares;
}

void ipc_users(const struct ipc *ipc, void (*fn)(void *arg, const struct share_user *user),
               void *arg)
{
    shares_each(ipc->shares, fn, arg);
}
