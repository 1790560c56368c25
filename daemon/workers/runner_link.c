#include "daemon/workers/runner_link.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/timer.h"
#include "daemon/workers/runner_start.h"

/* Pauses between tries grow from one to the other. */
#define RETRY_MS     50
#define RETRY_MAX_MS 30000

/* A runner that was there for so long was a good one: when it is gone, the next comes at once. */
#define LIVED_US 2000000

struct runner_link {
    struct event_base *base;
    const struct runner_link_owner *owner;
    void *arg;
    struct runner_starter *starter;
    int sock; /* -1: down */
    struct event readable, writable, flush, retry;
    bool welcomed;
    bool blocked;      /* until `writable`: the runner does not keep up */
    unsigned retry_ms; /* at most so long a pause before the next try; 0: none */
    int64_t up_us;     /* when it was welcomed; by a clock that nobody sets */
    struct runner_welcome welcome;
    struct runner_link_out out;
    unsigned char in[RUNNER_MAX_PACKET];
};

/* ---- Going down, and up again --------------------------------------------------------------- */

/* Half of the pause is left to chance, so that many machines do not try at the same moments. */
static unsigned pause_ms(unsigned most)
{
    uint32_t random;

    evutil_secure_rng_get_bytes(&random, sizeof(random));
    return most / 2 + random % (most / 2 + 1);
}

/* `why` NULL: this is the first try. */
static void link_retry(struct runner_link *link, const char *why)
{
    unsigned ms = pause_ms(link->retry_ms);
    struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

    if (why && ms == 0)
        log_msg(LOG_WARNING, "%s; trying again at once", why);
    else if (why)
        log_msg(link->retry_ms < RETRY_MAX_MS ? LOG_WARNING : LOG_ERR, "%s; next try in %u ms", why,
                ms);
    timer_add(&link->retry, &tv);
    link->retry_ms = MIN(MAX(link->retry_ms * 2, RETRY_MS), RETRY_MAX_MS);
}

static void link_shut(struct runner_link *link)
{
    if (link->sock < 0)
        return;
    event_del(&link->readable);
    event_del(&link->writable);
    close(take_fd(link->sock));
    link->out.packet.len = 0;
    link->out.n_fds = 0;
    link->blocked = false;
}

/* `why` NULL: the other side closed the connection. */
static void link_down(struct runner_link *link, const char *why)
{
    bool welcomed = link->welcomed;
    char text[AW_ERROR_TEXT];

    snprintf(text, sizeof(text), "runner: %s", why ? why : "the connection is gone");
    if (welcomed && boottime_us() - link->up_us >= LIVED_US)
        link->retry_ms = 0;
    link_shut(link);
    link->welcomed = false;
    link_retry(link, text);
    if (welcomed)
        link->owner->down(link->arg);
}

/* ---- Sending -------------------------------------------------------------------------------- */

static enum aw_err out_send(struct runner_link *link, struct aw_error *err)
{
    struct runner_link_out *out = &link->out;
    enum aw_err e =
        runner_send(link->sock, out->packet.data, out->packet.len, out->fds, out->n_fds, err);

    if (e == AW_OK) {
        out->packet.len = 0;
        out->n_fds = 0;
    }
    return e;
}

/* AW_OK: all is sent. AW_ERR_BUSY: not all fits now. */
static enum aw_err link_flush(struct runner_link *link, struct aw_error *err)
{
    for (;;) {
        enum aw_err e;

        if (link->out.packet.len == 0)
            link->owner->fill(link->arg, &link->out);
        if (link->out.packet.len == 0)
            return AW_OK;
        e = out_send(link, err);
        if (e != AW_OK)
            return e;
    }
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    struct runner_link *link = arg;
    struct aw_error err;
    enum aw_err e;

    (void)fd;
    (void)what;
    if (!link->welcomed || link->blocked)
        return;
    e = link_flush(link, &err);
    if (e == AW_ERR_BUSY) {
        link->blocked = true;
        if (event_add(&link->writable, NULL) < 0)
            link_down(link, "out of memory");
    } else if (e != AW_OK && e != AW_ERR_UNREACHABLE) {
        link_down(link, err.text);
    } /* else what it had still to say is to be read first; then its end */
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct runner_link *link = arg;

    link->blocked = false;
    on_flush(fd, what, arg);
}

void runner_link_kick(struct runner_link *link)
{
    if (link->welcomed && !link->blocked)
        event_active(&link->flush, EV_WRITE, 0);
}

/* ---- Receiving ------------------------------------------------------------------------------ */

static bool link_message(struct runner_link *link, const struct runner_msg *msg)
{
    char why[64];

    if (runner_msg_from_awd(msg->type)) {
        link_down(link, "sent a message that only awd sends");
        return false;
    }
    if (link->welcomed) {
        link->owner->message(link->arg, msg);
        return link->sock >= 0;
    }
    if (msg->type != RUNNER_WELCOME || msg->welcome.version != RUNNER_WIRE_VERSION) {
        snprintf(why, sizeof(why), "speaks version %" PRIu32 ", not %d",
                 msg->type == RUNNER_WELCOME ? msg->welcome.version : 0, RUNNER_WIRE_VERSION);
        link_down(link, why);
        return false;
    }
    link->welcomed = true;
    link->up_us = boottime_us();
    link->welcome = msg->welcome;
    link->owner->up(link->arg, &msg->welcome);
    return true;
}

/* One packet each time: mostly there is no other. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct runner_link *link = arg;
    int fds[RUNNER_MAX_FDS];
    size_t n_fds = 0, len;
    struct aw_error err;
    struct bytes rest;
    enum aw_err e = runner_recv(link->sock, link->in, &len, fds, &n_fds, &err);

    (void)fd;
    (void)what;
    if (e == AW_ERR_BUSY)
        return;
    if (e != AW_OK) {
        link_down(link, e == AW_ERR_UNREACHABLE ? NULL : err.text);
        return;
    }
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    for (rest = bytes_of(link->in, len); rest.len > 0;) {
        struct runner_msg msg;

        if (runner_msg_get(&rest, &msg, &err) != AW_OK) {
            link_down(link, err.text);
            return;
        }
        if (!link_message(link, &msg))
            return;
    }
}

/* ---- Connecting ----------------------------------------------------------------------------- */

static void link_greet(struct runner_link *link, int sock)
{
    const struct runner_msg hello = {.type = RUNNER_HELLO, .hello = {RUNNER_WIRE_VERSION}};
    struct aw_error err;

    link->sock = sock;
    event_assign(&link->readable, link->base, sock, EV_READ | EV_PERSIST, on_readable, link);
    event_assign(&link->writable, link->base, sock, EV_WRITE, on_writable, link);
    if (event_add(&link->readable, NULL) < 0 || !runner_packet_add(&link->out.packet, &hello) ||
        out_send(link, &err) != AW_OK) {
        link_shut(link);
        link_retry(link, "runner: it cannot be greeted");
    }
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct runner_link *link = arg;
    struct aw_error err;
    int sock;

    (void)fd;
    (void)what;
    if (runner_starter_connect(link->starter, &sock, &err) == AW_OK) {
        link_greet(link, sock);
        return;
    }
    link_retry(link, err.text);
}

void runner_link_open(struct runner_link *link)
{
    if (link->sock < 0 && !event_pending(&link->retry, EV_TIMEOUT, NULL)) {
        link->retry_ms = 0;
        link_retry(link, NULL);
    }
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

struct runner_link *runner_link_new(struct event_base *base, const struct exec_config *config,
                                    const struct runner_link_owner *owner, void *arg)
{
    struct runner_link *link = calloc(1, sizeof(*link));

    if (!link)
        return NULL;
    link->starter = runner_starter_new(base, config);
    if (!link->starter) {
        free(link);
        return NULL;
    }
    link->base = base;
    link->owner = owner;
    link->arg = arg;
    link->sock = -1;
    event_assign(&link->flush, base, -1, 0, on_flush, link);
    evtimer_assign(&link->retry, base, on_retry, link);
    return link;
}

void runner_link_release(struct runner_link *link)
{
    const struct runner_msg release = {.type = RUNNER_RELEASE};
    struct aw_error err;

    if (link->welcomed && link_flush(link, &err) == AW_OK &&
        runner_packet_add(&link->out.packet, &release))
        (void)!out_send(link, &err); /* if it does not get there, the runner ends a minute later */
}

void runner_link_free(struct runner_link *link)
{
    struct aw_error err;

    if (!link)
        return;
    if (link->welcomed)
        (void)!link_flush(link, &err); /* what is lost of it the runner tells us again */
    link_shut(link);
    event_del(&link->flush);
    event_del(&link->retry);
    runner_starter_free(link->starter);
    free(link);
}

pid_t runner_link_pid(const struct runner_link *link)
{
    return link->welcomed ? link->welcome.pid : 0;
}
