/*
 * Who comes in: by which socket, as whose, and how many.
 */
#include "daemon/transports/stream_private.h"

#include <errno.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "daemon/log.h"

/* Connections beyond the limit, for root and the daemon's own user. */
#define RESERVE 16

#define MAX_HOST 255

/* ---- Who it is ------------------------------------------------------------------------------- */

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

static void read_credentials(struct stream *c)
{
    const struct transport *tr = c->tr;
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return;
    c->base.caller.has_cred = true;
    c->base.caller.uid = cred.uid;
    c->base.caller.gid = cred.gid;
    c->base.caller.pid = cred.pid;
    c->base.caller.in_admin_group =
        tr->has_admin_group && (cred.gid == tr->admin_gid || peer_in_group(c->fd, tr->admin_gid));
}

/* Who is not known yet shares one user's part with all the others of whom that is so. */
static uint64_t who_is(const struct stream *c)
{
    switch (c->kind) {
    case SOCKET_IPC:
        return c->base.caller.has_cred ? c->base.caller.uid : UINT32_MAX;
    case SOCKET_TCP:
        return endpoint_whose(c->tr->ep, &c->base.caller);
    case SOCKET_TLS:
        break;
    }
    return SHARE_UNKNOWN;
}

static bool join(struct stream *c, uint64_t who)
{
    if (!share_join(c->tr->shares, who, &c->member))
        return false;
    c->base.caller.share = c->member.share;
    return true;
}

bool stream_join_user(struct stream *c)
{
    share_leave(&c->member);
    c->base.caller.share = NULL;
    return join(c, endpoint_whose(c->tr->ep, &c->base.caller));
}

/* ---- How many -------------------------------------------------------------------------------- */

/* The store, the runner and the output files need some of the process's files, too. */
void crowds_limit(struct transport *tr)
{
    unsigned max = tr->config->max_connections;
    struct rlimit files;

    tr->local.max = tr->remote.max = max;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
        return;
    tr->local.max = (unsigned)MIN((rlim_t)max, files.rlim_cur / 4 * 3);
    tr->remote.max = (unsigned)MIN((rlim_t)max, files.rlim_cur / 8);
}

/* One user can take all the places, but lock out neither root nor the daemon's own watchdog. */
static bool is_full(const struct stream *c)
{
    const struct caller *caller = &c->base.caller;
    const struct crowd *crowd = crowd_of(c->tr, c->kind);
    bool reserve = caller->has_cred && (caller->uid == 0 || caller->uid == geteuid());

    return crowd->n >= crowd->max + (reserve ? RESERVE : 0);
}

static void say_refused(struct crowd *crowd)
{
    if (!crowd->refusing)
        log_msg(LOG_WARNING,
                "connections are refused: %u are open (max_connections, or the limit of files)",
                crowd->n);
    crowd->refusing = true;
}

static bool enter(struct stream *c)
{
    return !is_full(c) && join(c, who_is(c));
}

/*
 * Strangers who begin a TLS handshake and leave it at that lock nobody out: each newcomer takes the
 * place of the one that has been at it longest.
 */
static bool admit(struct stream *c)
{
    struct stream *oldest = TAILQ_FIRST(&c->tr->securing);

    if (enter(c)) {
        crowd_of(c->tr, c->kind)->refusing = false;
        return true;
    }
    if (c->kind == SOCKET_TLS && oldest) {
        stream_close(oldest);
        return enter(c);
    }
    if (is_full(c))
        say_refused(crowd_of(c->tr, c->kind));
    return false;
}

/* ---- Accepting ------------------------------------------------------------------------------- */

static void stream_free(struct stream *c)
{
    if (!c)
        return;
    share_leave(&c->member);
    tls_free(c->tls);
    free(c);
}

/* Takes over `fd`. */
static void on_accept(void *arg, int fd)
{
    struct stream_socket *s = arg;
    struct stream *c = calloc(1, sizeof(*c));
    bool good = c != NULL;

    if (good) {
        c->tr = s->tr;
        c->fd = fd;
        c->kind = s->kind;
        if (c->kind == SOCKET_IPC)
            read_credentials(c);
        good = admit(c);
    }
    if (good && c->kind == SOCKET_TLS)
        good = (c->tls = tls_new(s->tr->tls, fd)) != NULL;
    if (!good) {
        stream_free(c);
        close(fd);
        return;
    }
    share_took(c->member.share, 1);
    stream_start(c);
}

/* ---- Listening ------------------------------------------------------------------------------- */

static struct stream_socket *socket_new(struct transport *tr, enum socket_kind kind)
{
    struct stream_socket *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->tr = tr;
    s->kind = kind;
    return s;
}

static enum aw_err no_memory(const char *url, struct aw_error *err)
{
    return aw_fail(err, AW_ERR_NO_MEMORY, "cannot listen on %s: out of memory", url);
}

/* With `e`, a socket that is not to be. */
static enum aw_err socket_add(struct stream_socket *s, enum aw_err e)
{
    if (e)
        free(s);
    else
        LIST_INSERT_HEAD(&s->tr->sockets, s, entry);
    return e;
}

static enum aw_err listen_ipc(struct transport *tr, const char *path, struct aw_error *err)
{
    struct stream_socket *s = socket_new(tr, SOCKET_IPC);

    if (!s)
        return no_memory(path, err);
    return socket_add(
        s, listener_new(tr->base, path, tr->config->socket_mode, on_accept, s, &s->listener, err));
}

/* "host:port", "[::1]:port", "*:port". */
static enum aw_err resolve(const char *url, const char *address, struct addrinfo **ret,
                           struct aw_error *err)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const char *colon = strrchr(address, ':');
    char host[MAX_HOST + 1];
    size_t len = colon ? (size_t)(colon - address) : 0;
    int rc;

    if (!colon || !colon[1] || len > MAX_HOST)
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on '%.80s': it takes a host and a port, as in "
                       "tls+tcp://0.0.0.0:5000",
                       url);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    rc = getaddrinfo(len && strcmp(host, "*") != 0 ? host : NULL, colon + 1, &hints, ret);
    if (rc)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot listen on %.80s: %s", url, gai_strerror(rc));
    return AW_OK;
}

/* A name may stand for addresses of a kind that this machine does not have. */
static bool can_do_without(int cause)
{
    return cause == EAFNOSUPPORT || cause == EADDRNOTAVAIL;
}

/* A name that stands in several lines of /etc/hosts has its address as often. */
static bool came_before(const struct addrinfo *a, const struct addrinfo *addrs)
{
    for (; addrs != a; addrs = addrs->ai_next)
        if (addrs->ai_addrlen == a->ai_addrlen &&
            !memcmp(addrs->ai_addr, a->ai_addr, a->ai_addrlen))
            return true;
    return false;
}

static enum aw_err listen_on_each(struct transport *tr, enum socket_kind kind, const char *url,
                                  const struct addrinfo *addrs, struct aw_error *err)
{
    enum aw_err first = AW_ERR_SYSTEM, e;
    struct stream_socket *s;
    int cause = 0;

    for (const struct addrinfo *a = addrs; a; a = a->ai_next) {
        if (came_before(a, addrs))
            continue;
        s = socket_new(tr, kind);
        if (!s)
            return no_memory(url, err);
        e = socket_add(s,
                       listener_new_tcp(tr->base, a, url, on_accept, s, &s->listener, &cause, err));
        if (e && !can_do_without(cause))
            return e;
        if (!e)
            first = AW_OK;
    }
    return first;
}

static enum aw_err listen_tcp(struct transport *tr, enum socket_kind kind, const char *url,
                              const char *address, struct aw_error *err)
{
    struct addrinfo *addrs;
    enum aw_err e = resolve(url, address, &addrs, err);

    if (e)
        return e;
    e = listen_on_each(tr, kind, url, addrs, err);
    freeaddrinfo(addrs);
    return e;
}

enum aw_err transport_listen(struct transport *tr, enum socket_kind kind, const char *url,
                             const char *address, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    if (kind == SOCKET_IPC)
        return listen_ipc(tr, address, err);
    if (kind == SOCKET_TLS && !tr->tls)
        e = tls_context_new(tr->config->tls_cert_key_file, tr->config->tls_ca_file, &tr->tls, err);
    return e ? e : listen_tcp(tr, kind, url, address, err);
}

void sockets_free(struct transport *tr)
{
    struct stream_socket *s;

    while ((s = LIST_FIRST(&tr->sockets))) {
        LIST_REMOVE(s, entry);
        listener_free(s->listener);
        free(s);
    }
}
