#include "proto/runner_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

union control {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int) * RUNNER_MAX_FDS)];
};

enum aw_err runner_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds,
                        struct aw_error *err)
{
    struct iovec iov = {(void *)data, len};
    struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control;

    if (n_fds > 0) {
        memset(&control, 0, sizeof(control));
        mh.msg_control = &control;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    for (;;) {
        if (sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return AW_OK;
        if (errno == EAGAIN)
            return aw_fail(err, AW_ERR_BUSY, "runner socket: no room to send");
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
            return aw_fail(err, AW_ERR_UNREACHABLE, "runner socket: the other side is gone");
        if (errno != EINTR)
            return aw_fail(err, AW_ERR_SYSTEM, "runner socket: send: %s", strerror(errno));
    }
}

/* Takes the descriptors out of a received message; false when there is anything else in it. */
static bool control_take(struct msghdr *mh, int *fds, size_t *n_fds)
{
    bool good = !(mh->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
            n > RUNNER_MAX_FDS - *n_fds) {
            good = false;
            continue;
        }
        memcpy(fds + *n_fds, CMSG_DATA(c), n * sizeof(int));
        *n_fds += n;
    }
    return good;
}

enum aw_err runner_recv(int sock, void *buf, size_t *ret_len, int ret_fds[RUNNER_MAX_FDS],
                        size_t *ret_n_fds, struct aw_error *err)
{
    struct iovec iov = {buf, RUNNER_MAX_PACKET};
    union control control;
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control)};
    int fds[RUNNER_MAX_FDS];
    size_t n_fds = 0;
    ssize_t n;

    do
        n = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN))
        return aw_fail(err, AW_ERR_BUSY, "runner socket: nothing to receive");
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return aw_fail(err, AW_ERR_UNREACHABLE, "runner socket: the other side is gone");
    if (n < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "runner socket: receive: %s", strerror(errno));
    if (!control_take(&mh, fds, &n_fds) || (mh.msg_flags & MSG_TRUNC)) {
        for (size_t i = 0; i < n_fds; i++)
            close(fds[i]);
        return aw_fail(err, AW_ERR_PROTOCOL, "runner socket: packet too long, or odd descriptors");
    }
    memcpy(ret_fds, fds, n_fds * sizeof(int));
    *ret_n_fds = n_fds;
    *ret_len = (size_t)n;
    return AW_OK;
}

static bool write_all(int fd, struct bytes data)
{
    const char *p = data.data;
    size_t left = data.len;

    while (left > 0) {
        ssize_t n = write(fd, p, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        left -= (size_t)n;
    }
    return true;
}

enum aw_err runner_memfd_new(const char *name, struct bytes data, int *ret_fd, struct aw_error *err)
{
    _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || !write_all(fd, data) || lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
        return aw_fail(err, errno == ENOMEM ? AW_ERR_NO_MEMORY : AW_ERR_SYSTEM, "memfd %s: %s",
                       name, strerror(errno));
    *ret_fd = take_fd(fd);
    return AW_OK;
}

enum aw_err runner_memfd_map(int fd, size_t max, struct bytes *ret, struct aw_error *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    void *p;

    if (seals < 0 || (seals & SEALS) != SEALS)
        return aw_fail(err, AW_ERR_PROTOCOL, "memfd: is none, or not sealed");
    if (fstat(fd, &st) < 0 || st.st_size < 1 || (size_t)st.st_size > max)
        return aw_fail(err, AW_ERR_PROTOCOL, "memfd: not of 1 to %zu bytes", max);
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return aw_fail(err, AW_ERR_SYSTEM, "memfd: mmap: %s", strerror(errno));
    *ret = bytes_of(p, (size_t)st.st_size);
    return AW_OK;
}
