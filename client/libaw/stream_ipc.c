#include "client/libaw/stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

struct ipc_stream {
    struct stream base;
    int fd;
};

static enum aw_err connect_failed(const char *path, int error, struct aw_error *err)
{
    switch (error) {
    case ENOENT:
        return aw_fail(err, AW_ERR_UNREACHABLE, "no daemon at %s (no such socket)", path);
    case ECONNREFUSED:
        return aw_fail(err, AW_ERR_UNREACHABLE, "no daemon at %s (connection refused)", path);
    case EAGAIN:
        return aw_fail(err, AW_ERR_UNREACHABLE, "the daemon at %s does not keep up (%s)", path,
                       "its queue of connections is full");
    case EACCES:
    case EPERM:
        return aw_fail(err, AW_ERR_NOT_PERMITTED, "%s: you may not connect to it (%s)", path,
                       strerror(error));
    default:
        return aw_fail(err, AW_ERR_UNREACHABLE, "%s: connecting failed (%s)", path,
                       strerror(error));
    }
}

static enum aw_err ipc_open(const struct stream_config *config, struct stream **ret,
                            struct aw_error *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    size_t len = strlen(config->address);
    _cleanup_close_ int fd = -1;
    struct ipc_stream *s;

    if (len >= sizeof(sun.sun_path))
        return aw_fail(err, AW_ERR_USAGE, "socket path of %zu bytes; at most %zu: %.80s...", len,
                       sizeof(sun.sun_path) - 1, config->address);
    memcpy(sun.sun_path, config->address, len);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "socket: %s", strerror(errno));
    /* A unix socket connects at once or not at all. */
    if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
        return connect_failed(config->address, errno, err);
    s = malloc(sizeof(*s));
    if (!s)
        return aw_fail(err, AW_ERR_NO_MEMORY, "connection: out of memory");
    *s = (struct ipc_stream){{&stream_ipc_ops}, take_fd(fd)};
    *ret = &s->base;
    return AW_OK;
}

static enum aw_err ipc_failed(int error, struct aw_error *err)
{
    if (error == EAGAIN || error == EINTR)
        return AW_OK;
    return aw_fail(err, AW_ERR_UNREACHABLE, "the connection to the daemon broke (%s)",
                   strerror(error));
}

static enum aw_err ipc_read(struct stream *base, void *buf, size_t size, size_t *ret_n,
                            struct aw_error *err)
{
    struct ipc_stream *s = (struct ipc_stream *)base;
    ssize_t n = recv(s->fd, buf, size, 0);

    *ret_n = n > 0 ? (size_t)n : 0;
    if (n == 0)
        return aw_fail(err, AW_ERR_UNREACHABLE, "the daemon closed the connection");
    return n < 0 ? ipc_failed(errno, err) : AW_OK;
}

static enum aw_err ipc_write(struct stream *base, const struct iovec *iov, int n_iov, size_t *ret_n,
                             struct aw_error *err)
{
    struct ipc_stream *s = (struct ipc_stream *)base;
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n_iov};
    ssize_t n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);

    *ret_n = n > 0 ? (size_t)n : 0;
    return n < 0 ? ipc_failed(errno, err) : AW_OK;
}

static int ipc_fd(const struct stream *base)
{
    return ((const struct ipc_stream *)base)->fd;
}

static short ipc_events(const struct stream *base, bool want_write)
{
    (void)base;
    return want_write ? POLLIN | POLLOUT : POLLIN;
}

static void ipc_close(struct stream *base)
{
    struct ipc_stream *s = (struct ipc_stream *)base;

    close(s->fd);
    free(s);
}

const struct stream_ops stream_ipc_ops = {
    .open = ipc_open,
    .read = ipc_read,
    .write = ipc_write,
    .fd = ipc_fd,
    .events = ipc_events,
    .close = ipc_close,
    .message_type = true,
};
