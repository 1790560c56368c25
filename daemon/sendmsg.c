/*
 * sendmsg() for the whole program, in place of the C library's: EPIPE becomes ECONNRESET.
 *
 * nng 1.5.2 greets each connection that it accepts. If the peer is gone by then, sendmsg() fails
 * with EPIPE, which nng turns into NNG_ECLOSED; and a listener that gets NNG_ECLOSED believes that
 * it has been closed itself, and accepts nothing any more (nng issue 1518). Whoever can connect
 * could so switch a listener off for good: a port scan does it. NNG_ECONNRESET is what nng expects
 * of a peer that went away.
 *
 * Belongs into programs only, never into a library: the linker exports it because libnng needs it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *message,
                                                       int flags)
{
    ssize_t n = syscall(SYS_sendmsg, fd, message, flags);

    if (n < 0 && errno == EPIPE)
        errno = ECONNRESET;
    return n;
}
