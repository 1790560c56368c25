/* The mux in an event loop: an fd that says when to take a turn, and the turn. */
#include "client/libaw/mux_io.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

/* ---- The fd ------------------------------------------------------------------------------ */

static bool epoll_add(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static enum aw_err fds_make(struct mux_loop *l, struct aw_error *err)
{
    _cleanup_close_ int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    _cleanup_close_ int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    _cleanup_close_ int event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (epoll_fd < 0 || !epoll_add(epoll_fd, timer_fd) || !epoll_add(epoll_fd, event_fd))
        return aw_fail(err, AW_ERR_SYSTEM, "no file descriptors for an event loop: %s",
                       strerror(errno));
    l->epoll_fd = take_fd(epoll_fd);
    l->timer_fd = take_fd(timer_fd);
    l->event_fd = take_fd(event_fd);
    return AW_OK;
}

enum aw_err mux_loop_open(struct mux *m, int *ret_fd, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    if (!mux_is_ours(m))
        return mux_not_ours(err);
    pthread_mutex_lock(&m->lock);
    if (m->loop.epoll_fd < 0)
        e = fds_make(&m->loop, err);
    mux_loop_arm(m);
    if (!e)
        *ret_fd = m->loop.epoll_fd;
    pthread_mutex_unlock(&m->lock);
    return e;
}

void mux_loop_done(struct mux *m)
{
    cleanup_close(&m->loop.epoll_fd);
    cleanup_close(&m->loop.timer_fd);
    cleanup_close(&m->loop.event_fd);
}

/* ---- What it says ------------------------------------------------------------------------ */

/* When a turn has something to do that is not the stream's: NEVER_US, or a time that may be over.
 */
static int64_t turn_due_us(const struct mux *m)
{
    int64_t due = m->loop.ask_us;
    const struct exchange *x;

    if (m->closed || !TAILQ_EMPTY(&m->finished) || (m->broken && !m->leading))
        return 0;
    LIST_FOREACH (x, &m->async, of_async)
        due = MIN(due, mux_end_us(m, x));
    if (LIST_EMPTY(&m->async) || m->leading)
        return due; /* the leader connects, and tells of outages */
    if (m->state == MUX_DOWN)
        due = MIN(due, m->next_try_us);
    return MIN(due, mux_notice_us(m));
}

static void event_arm(struct mux_loop *l, bool on)
{
    uint64_t count = 1;
    ssize_t n;

    if (l->event == on)
        return;
    if (on)
        n = write(l->event_fd, &count, sizeof(count));
    else
        n = read(l->event_fd, &count, sizeof(count));
    if (n == sizeof(count))
        l->event = on;
}

/* A new time also takes back that the old one has come. */
static void timer_arm(struct mux_loop *l, int64_t at_us)
{
    struct itimerspec at = {.it_value = {at_us / 1000000, at_us % 1000000 * 1000}};

    if (l->timer_us == at_us)
        return;
    if (at_us == NEVER_US)
        at.it_value = (struct timespec){0, 0};
    if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        l->timer_us = at_us;
}

/* Closing alone would not take it out: a forked child may hold a copy. */
void mux_loop_forget(struct mux *m)
{
    struct mux_loop *l = &m->loop;

    if (l->stream_fd >= 0)
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->stream_fd, NULL);
    l->stream_fd = -1;
}

static void stream_arm(struct mux *m)
{
    struct mux_loop *l = &m->loop;
    struct epoll_event event = {0};
    int fd;

    if (!m->stream || m->broken) {
        mux_loop_forget(m);
        return;
    }
    fd = m->stream->ops->fd(m->stream);
    event.events =
        (uint32_t)m->stream->ops->events(m->stream, m->greeting_left || !TAILQ_EMPTY(&m->queue));
    if (l->stream_fd == fd && l->stream_events == event.events)
        return;
    if (epoll_ctl(l->epoll_fd, l->stream_fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) < 0)
        return;
    l->stream_fd = fd;
    l->stream_events = event.events;
}

void mux_loop_arm(struct mux *m)
{
    struct mux_loop *l = &m->loop;
    int64_t due;
    bool now;

    if (l->epoll_fd < 0 || l->awake)
        return;
    due = turn_due_us(m);
    now = due <= mono_us();
    event_arm(l, now);
    timer_arm(l, now ? NEVER_US : due);
    stream_arm(m);
}

void mux_loop_ask(struct mux *m, int64_t at_us)
{
    pthread_mutex_lock(&m->lock);
    m->loop.ask_us = MIN(m->loop.ask_us, at_us);
    mux_loop_arm(m);
    pthread_mutex_unlock(&m->lock);
}

/* ---- The turn ---------------------------------------------------------------------------- */

static void turn(struct mux *m)
{
    struct exchange *x, *next;

    if (!m->leading && m->broken)
        mux_lost(m);
    if (!m->leading && m->state == MUX_DOWN && !LIST_EMPTY(&m->async) &&
        mono_us() >= m->next_try_us)
        mux_connect(m);
    mux_send(m);
    if (m->stream && !m->broken)
        mux_receive(m);
    /* It may have got its answer by that, or have a broken connection to see to. */
    mux_wake(m);
    for (x = LIST_FIRST(&m->async); x; x = next) {
        next = LIST_NEXT(x, of_async);
        mux_expire(m, x);
    }
    if (!m->leading)
        mux_notice(m, !LIST_EMPTY(&m->async));
}

enum aw_err mux_turn(struct mux *m, struct aw_error *err)
{
    bool closed;

    if (!mux_is_ours(m))
        return mux_not_ours(err);
    pthread_mutex_lock(&m->lock);
    m->loop.awake = true;
    m->loop.ask_us = NEVER_US;
    if (!m->closed)
        turn(m);
    closed = m->closed;
    pthread_mutex_unlock(&m->lock);
    return closed ? aw_fail(err, AW_ERR_CLOSED, "the client was closed") : AW_OK;
}

void mux_rest(struct mux *m)
{
    pthread_mutex_lock(&m->lock);
    m->loop.awake = false;
    mux_loop_arm(m);
    pthread_mutex_unlock(&m->lock);
}
