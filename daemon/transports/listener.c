#include "daemon/transports/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/timer.h"

#define RETRY_US    100000 /* after accept() failed: no file descriptor, no memory */
#define MAX_ACCEPTS 64     /* in one turn of the loop */

/* A client whose machine is gone without a word is noticed after about two minutes. */
#define PROBE_AFTER_S 60
#define PROBE_EVERY_S 15
#define PROBES        4

struct listener {
    int fd;
    struct event *event, *retry;
    char name[128];          /* for sentences; cut off where it is longer */
    struct sockaddr_un addr; /* empty: it has no file */
    dev_t dev;               /* of the file that was made */
    ino_t ino;               /* 0: none yet */
    bool failing;
    listener_fn on_accept;
    void *arg;
};

/* ---- Accepting ----------------------------------------------------------------------------- */

static void accept_failed(struct listener *l)
{
    static const struct timeval later = {.tv_usec = RETRY_US};

    if (!l->failing)
        log_msg(LOG_WARNING, "accepting connections on %s failed: %m; trying again", l->name);
    l->failing = true;
    event_del(l->event);
    timer_add(l->retry, &later);
}

static void listener_ready(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)what;
    for (int i = 0; i < MAX_ACCEPTS; i++) {
        int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (conn >= 0) {
            l->failing = false;
            l->on_accept(l->arg, conn);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            accept_failed(l);
            return;
        }
    }
}

static void listener_retry(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd, (void)what;
    if (event_add(l->event, NULL) < 0)
        accept_failed(l);
}

/* ---- Listening ----------------------------------------------------------------------------- */

/* Where anybody may rename it, anybody may listen in its place. */
static enum aw_err check_dir(const char *path, struct aw_error *err)
{
    char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');
    size_t len = slash && slash != path ? (size_t)(slash - path) : 1;
    struct stat st;

    memcpy(dir, path, len);
    dir[len] = '\0';
    if (stat(dir, &st) == 0 && (st.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "cannot listen on %s: anybody may write to %s (mode %04o): chmod o-w it, or "
                       "use another directory",
                       path, dir, st.st_mode & 07777);
    return AW_OK;
}

/* A socket file that nobody listens on any more is removed; anything else is left alone. */
static enum aw_err clear_path(const struct sockaddr_un *addr, struct aw_error *err)
{
    const char *path = addr->sun_path;
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? AW_OK
                               : aw_fail(err, AW_ERR_SYSTEM, "cannot listen on %s: %m", path);
    if (!S_ISSOCK(st.st_mode))
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on %s: there is something else, not a socket", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot listen on %s: no socket: %m", path);
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot listen on %s: another process listens there",
                       path);
    if (errno != ECONNREFUSED)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot listen on %s: %m", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot remove the stale socket %s: %m", path);
    return AW_OK;
}

static bool listener_bind(struct listener *l, unsigned mode)
{
    const char *path = l->addr.sun_path;
    struct stat st;

    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* Nobody can connect before listen(), so the mode is in force for the first one. */
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&l->addr, sizeof(l->addr)) < 0 ||
        lstat(path, &st) < 0)
        return false;
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    return chmod(path, mode & 0777) == 0 && listen(l->fd, SOMAXCONN) == 0;
}

static bool listener_start(struct listener *l, struct event_base *base)
{
    l->event = event_new(base, l->fd, EV_READ | EV_PERSIST, listener_ready, l);
    l->retry = evtimer_new(base, listener_retry, l);
    return l->event && l->retry && event_add(l->event, NULL) == 0;
}

static struct listener *listener_alloc(const char *name, listener_fn on_accept, void *arg)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->fd = -1;
    l->on_accept = on_accept;
    l->arg = arg;
    snprintf(l->name, sizeof(l->name), "%s", name);
    return l;
}

enum aw_err listener_new(struct event_base *base, const char *path, unsigned mode,
                         listener_fn on_accept, void *arg, struct listener **ret,
                         struct aw_error *err)
{
    size_t len = strlen(path);
    struct listener *l;
    enum aw_err e;

    if (len >= sizeof(l->addr.sun_path))
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on '%.100s...': a socket's path has at most %zu bytes", path,
                       sizeof(l->addr.sun_path) - 1);
    l = listener_alloc(path, on_accept, arg);
    if (!l)
        return aw_fail(err, AW_ERR_NO_MEMORY, "cannot listen on %s: out of memory", path);
    l->addr.sun_family = AF_UNIX;
    memcpy(l->addr.sun_path, path, len);
    e = check_dir(path, err);
    if (!e)
        e = clear_path(&l->addr, err);
    if (!e && (!listener_bind(l, mode) || !listener_start(l, base)))
        e = aw_fail(err, AW_ERR_SYSTEM, "cannot listen on %s: %m", path);
    if (e)
        listener_free(l);
    else
        *ret = l;
    return e;
}

/* ---- The same by tcp ------------------------------------------------------------------------- */

static bool set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* What is accepted has these options, too. */
static bool set_options(int fd, int family)
{
    return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
           (family != AF_INET6 || set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
           set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_S) &&
           set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S) &&
           set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}

static bool listener_bind_tcp(struct listener *l, const struct addrinfo *addr)
{
    l->fd = socket(addr->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return l->fd >= 0 && set_options(l->fd, addr->ai_family) &&
           bind(l->fd, addr->ai_addr, addr->ai_addrlen) == 0 && listen(l->fd, SOMAXCONN) == 0;
}

enum aw_err listener_new_tcp(struct event_base *base, const struct addrinfo *addr, const char *name,
                             listener_fn on_accept, void *arg, struct listener **ret,
                             int *ret_errno, struct aw_error *err)
{
    struct listener *l = listener_alloc(name, on_accept, arg);
    enum aw_err e;

    if (l && listener_bind_tcp(l, addr) && listener_start(l, base)) {
        *ret = l;
        return AW_OK;
    }
    *ret_errno = l ? errno : ENOMEM;
    e = aw_fail(err, l ? AW_ERR_SYSTEM : AW_ERR_NO_MEMORY, "cannot listen on %s: %s", name,
                strerror(*ret_errno));
    if (l)
        listener_free(l);
    return e;
}

void listener_free(struct listener *l)
{
    struct stat st;

    if (l->event)
        event_free(l->event);
    if (l->retry)
        event_free(l->retry);
    if (l->fd >= 0)
        close(l->fd);
    /* Somebody else may have put his own there meanwhile. */
    if (l->ino && lstat(l->addr.sun_path, &st) == 0 && st.st_ino == l->ino && st.st_dev == l->dev)
        unlink(l->addr.sun_path);
    free(l);
}
