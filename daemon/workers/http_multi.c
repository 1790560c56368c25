/* libcurl's multi interface on libevent: libcurl says what to wait for, the loop waits. */
#include "daemon/workers/http_private.h"

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/timer.h"

/* Idle connections that are kept for the next transfer to the same host. */
#define MAX_IDLE_CONNECTIONS 128L

#define AGAIN_US 200000 /* until memory may be there again */

#ifndef CURL_IGNORE_DEPRECATION
#define CURL_IGNORE_DEPRECATION(statements) statements
#endif

struct http_multi {
    CURLM *curl;
    struct event_base *base;
    struct event timer, again;
    http_multi_fn over;
    http_stuck_fn stuck;
    void *arg;
};

/* One of libcurl's sockets. */
struct http_socket {
    struct event event;
};

static void report_ended(struct http_multi *m)
{
    CURLMsg *msg;
    int n_left;

    while ((msg = lazy_curl_multi_info_read(m->curl, &n_left))) {
        CURL *easy = msg->easy_handle;
        CURLcode result = msg->data.result;

        if (msg->msg != CURLMSG_DONE)
            continue;
        lazy_curl_multi_remove_handle(m->curl, easy); /* frees msg */
        m->over(m->arg, easy, result);
    }
}

static void acted(struct http_multi *m, CURLMcode rc)
{
    static const struct timeval later = {.tv_usec = AGAIN_US};

    if (rc != CURLM_OK) {
        log_msg(LOG_ERR, "http: %s; trying again", lazy_curl_multi_strerror(rc));
        timer_add(&m->again, &later);
    }
    report_ended(m);
}

static void act(struct http_multi *m, curl_socket_t fd, int events)
{
    int n_running;

    acted(m, lazy_curl_multi_socket_action(m->curl, fd, events, &n_running));
}

/*
 * After an error libcurl may have lost what it waited for, of this transfer and of others: all are
 * looked at. Nothing else does that for those that wait by curl_multi_socket_action().
 */
static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct http_multi *m = arg;
    CURLMcode rc = CURLM_OK;
    int n_running;

    (void)fd;
    (void)what;
    CURL_IGNORE_DEPRECATION(rc = lazy_curl_multi_socket_all(m->curl, &n_running);)
    acted(m, rc);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    int events = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

    act(arg, fd, events);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int timer_changed(CURLM *curl, long timeout_ms, void *arg)
{
    struct http_multi *m = arg;
    struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

    (void)curl;
    if (timeout_ms < 0)
        evtimer_del(&m->timer);
    else
        timer_add(&m->timer, &tv);
    return 0;
}

/* False: out of memory, or of files. */
static bool socket_watch(struct http_multi *m, curl_socket_t fd, short events,
                         struct http_socket *s)
{
    if (!s) {
        s = calloc(1, sizeof(*s));
        if (!s)
            return false;
        if (lazy_curl_multi_assign(m->curl, fd, s) != CURLM_OK) {
            free(s);
            return false;
        }
    }
    event_assign(&s->event, m->base, fd, events, on_ready, m);
    return event_add(&s->event, NULL) == 0;
}

/*
 * `s` is what was assigned to the socket before. libcurl closes it only after POLL_REMOVE. An error
 * returned from here or timer_changed() would be the end of the handle, and of all transfers that
 * come after these, too.
 */
static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct http_multi *m = arg;
    struct http_socket *s = assigned;
    short events = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
                           (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);

    if (s)
        event_del(&s->event);
    if (what == CURL_POLL_REMOVE) {
        lazy_curl_multi_assign(m->curl, fd, NULL);
        free(s);
    } else if (!socket_watch(m, fd, events, s)) {
        m->stuck(m->arg, easy);
    }
    return 0;
}

struct http_multi *http_multi_new(struct event_base *base, http_multi_fn over, http_stuck_fn stuck,
                                  void *arg)
{
    struct http_multi *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    *m = (struct http_multi){
        .base = base, .over = over, .stuck = stuck, .arg = arg, .curl = lazy_curl_multi_init()};
    if (!m->curl) {
        free(m);
        return NULL;
    }
    evtimer_assign(&m->timer, base, on_timer, m);
    evtimer_assign(&m->again, base, on_again, m);
    lazy_curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, socket_changed);
    lazy_curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
    lazy_curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, timer_changed);
    lazy_curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
    lazy_curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, MAX_IDLE_CONNECTIONS);
    return m;
}

void http_multi_free(struct http_multi *m)
{
    if (!m)
        return;
    lazy_curl_multi_cleanup(m->curl);
    evtimer_del(&m->timer);
    evtimer_del(&m->again);
    free(m);
}

CURLcode http_multi_add(struct http_multi *m, CURL *easy)
{
    return lazy_curl_multi_add_handle(m->curl, easy) == CURLM_OK ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

void http_multi_remove(struct http_multi *m, CURL *easy)
{
    lazy_curl_multi_remove_handle(m->curl, easy);
}
