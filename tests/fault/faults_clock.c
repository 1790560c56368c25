/*
 * A clock that is set: CLOCK_REALTIME, and what waits for it, are `clock_us` of the page ahead.
 * Timers that want to be told of that (TFD_TIMER_CANCEL_ON_SET) are told when the loop waits the
 * next time: who sets the clock sends the program something to do.
 */
#include "tests/fault/faults.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

#define REAL(type, name, params) ((type(*) params)fault_real(&slot, name))

/* The timer of CLOCK_REALTIME: awd has one, and one thread uses it. */
static struct {
    int fd;
    bool armed;
    int64_t set_us; /* clock_us when it was armed */
} timer = {.fd = -1};

static int64_t ahead_us(void)
{
    struct faults_page *page = faults_page();

    return page ? atomic_load(&page->clock_us) : 0;
}

static void shift(struct timespec *ts, int64_t us)
{
    int64_t ns = (int64_t)ts->tv_nsec + us % 1000000 * 1000;

    ts->tv_sec += us / 1000000 + (ns < 0 ? -1 : ns / 1000000000);
    ts->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    static void *_Atomic slot;
    int rc = REAL(int, "clock_gettime", (clockid_t, struct timespec *))(clock, ret);

    if (rc == 0 && clock == CLOCK_REALTIME)
        shift(ret, ahead_us());
    return rc;
}

time_t time(time_t *ret)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* Waits for the real clock, until the time that ours will show then. */
int timerfd_settime(int fd, int flags, const struct itimerspec *at, struct itimerspec *ret_old)
{
    static void *_Atomic slot;
    struct itimerspec real = *at;

    if (flags & TFD_TIMER_ABSTIME && flags & TFD_TIMER_CANCEL_ON_SET) {
        timer.fd = fd;
        timer.armed = true;
        timer.set_us = ahead_us();
        if (real.it_value.tv_sec || real.it_value.tv_nsec)
            shift(&real.it_value, -timer.set_us);
        if (real.it_value.tv_sec < 0)
            real.it_value = (struct timespec){.tv_nsec = 1};
    }
    return REAL(int, "timerfd_settime", (int, int, const struct itimerspec *, struct itimerspec *))(
        fd, flags, &real, ret_old);
}

static void tell_timer(void)
{
    static void *_Atomic slot;
    const struct itimerspec now = {.it_value = {.tv_nsec = 1}};

    if (!timer.armed || timer.set_us == ahead_us())
        return;
    timer.armed = false;
    REAL(int, "timerfd_settime", (int, int, const struct itimerspec *, struct itimerspec *))
    (timer.fd, 0, &now, NULL);
}

/* awd's own epoll_wait() calls this: see daemon/epoll_wait.c. */
int epoll_pwait(int set, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
    static void *_Atomic slot;

    tell_timer();
    return REAL(int, "epoll_pwait", (int, struct epoll_event *, int, int, const sigset_t *))(
        set, events, max, timeout_ms, mask);
}
