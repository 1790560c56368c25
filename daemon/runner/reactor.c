#include "daemon/runner/reactor.h"

#include <errno.h>

enum aw_err reactor_open(struct reactor *reactor, struct aw_error *err)
{
    reactor->n_batch = 0;
    reactor->fd = epoll_create1(EPOLL_CLOEXEC);
    if (reactor->fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "epoll: %s", strerror(errno));
    return AW_OK;
}

void reactor_close(struct reactor *reactor)
{
    if (reactor->fd >= 0)
        close(reactor->fd);
    reactor->fd = -1;
}

static void batch_forget(struct reactor *reactor, const struct source *source)
{
    for (int i = 0; i < reactor->n_batch; i++)
        if (reactor->batch[i].data.ptr == source)
            reactor->batch[i].data.ptr = NULL;
}

bool reactor_set(struct reactor *reactor, struct source *source, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = source};
    int op = !events ? EPOLL_CTL_DEL : source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (events == source->events)
        return true;
    if (epoll_ctl(reactor->fd, op, source->fd, &ev) < 0 && events)
        return false;
    source->events = events;
    if (!events)
        batch_forget(reactor, source);
    return true;
}

void reactor_turn(struct reactor *reactor, int timeout_ms)
{
    reactor->n_batch = epoll_wait(reactor->fd, reactor->batch, REACTOR_BATCH, timeout_ms);
    for (int i = 0; i < reactor->n_batch; i++) {
        struct source *source = reactor->batch[i].data.ptr;

        if (source)
            source->ready(source, reactor->batch[i].events);
    }
    reactor->n_batch = 0;
}
