/*
 * epoll_wait() for the whole program, in place of the C library's: it says when the event loop
 * polls, so that what it does in between can be measured. See turns.h.
 *
 * Belongs into programs only, never into a library: the linker exports it because libevent needs
 * it. Where libevent polls in another way (EVENT_NOEPOLL), nothing is measured.
 */
#include <sys/epoll.h>

#include "daemon/turns.h"

__attribute__((visibility("default"))) int epoll_wait(int epfd, struct epoll_event *events,
                                                      int max_events, int timeout)
{
    int n;

    turns_end();
    n = epoll_pwait(epfd, events, max_events, timeout, NULL);
    turns_begin();
    return n;
}
