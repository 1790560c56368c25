#include "daemon/ops/set_watch.h"

#include <event2/event.h>

#include "daemon/timer.h"

static void parked_set_end(struct parked_set *p)
{
    watch_remove(p->x->srv->set_watches, &p->watch);
    if (p->timed)
        event_del(&p->timer);
    p->timed = false;
}

void parked_set_reply(struct parked_set *p, const void *rep)
{
    parked_set_end(p);
    exchange_reply(p->x, rep);
    free(p);
}

void parked_set_fail(struct parked_set *p, const struct aw_error *err)
{
    parked_set_end(p);
    exchange_fail(p->x, err);
    free(p);
}

bool parked_set_back(struct parked_set *p)
{
    p->reading = false;
    if (!exchange_gone(p->x)) {
        exchange_rest(p->x);
        return true;
    }
    exchange_drop(p->x);
    free(p);
    return false;
}

static void on_event(struct watch *w, const struct watch_news *news)
{
    struct parked_set *p = (struct parked_set *)w;
    struct aw_error err;

    if (news->event == WATCH_SET) {
        p->changed(p, news->set);
    } else if (news->event == WATCH_SET_GONE && !p->reading) {
        aw_fail(&err, AW_ERR_NO_SET, "set: it was removed meanwhile");
        parked_set_fail(p, &err);
    }
}

bool parked_set_watch(struct parked_set *p, uint64_t set)
{
    if (!p->watch.watched && !watch_add(p->x->srv->set_watches, &p->watch, set, on_event))
        return false;
    watch_hold(&p->watch);
    return true;
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct parked_set *p = arg;

    (void)fd;
    (void)what;
    p->over = true;
    if (!p->reading)
        p->timeout(p);
}

static void on_gone(struct exchange *x)
{
    struct parked_set *p = x->state;

    parked_set_end(p);
    if (p->reading)
        return;
    exchange_drop(x);
    free(p);
}

void parked_set_init(struct parked_set *p, struct exchange *x, int64_t timeout_ms)
{
    struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    p->x = x;
    p->over = timeout_ms == 0;
    exchange_park(x, on_gone, p);
    if (p->over)
        return;
    event_assign(&p->timer, x->srv->base, -1, 0, on_timeout, p);
    timer_add(&p->timer, &tv);
    p->timed = true;
}
