#include "daemon/watchdog.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "proto/codec.h"
#include "proto/messages.h"
#include "proto/sp.h"

#define HEAD       (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)
#define REQUEST_ID 1
#define MAX_ANSWER 4096 /* a hello's answer is a tenth of it */

struct watchdog {
    struct event_base *base;
    struct event *timer;
    struct sockaddr_un addr;
    watchdog_alive_fn on_alive;
    void *arg;
    struct codec_buf hello; /* the body of each question */
    /* The question that is out: */
    int fd; /* -1: none */
    struct event *readable;
    uint8_t answer[SP_HANDSHAKE_LEN + HEAD + MAX_ANSWER];
    size_t have;
};

static void give_up(struct watchdog *w)
{
    if (w->readable)
        event_free(take_ptr(w->readable));
    if (w->fd >= 0)
        close(take_fd(w->fd));
    w->have = 0;
}

/* Is it `ok`, and a hello's? */
static bool answer_is_good(const uint8_t *body, size_t len)
{
    struct codec_doc doc = {0};
    struct reply reply;
    struct hello_rep hello;
    bool good;

    if (codec_open(body, len, &doc, NULL))
        return false;
    good = !codec_read(&doc, &reply_schema, &reply, NULL) && reply.err == AW_OK &&
           !codec_read(&doc, &hello_rep_schema, &hello, NULL);
    codec_close(&doc);
    return good;
}

/* 1: all there and good; 0: more is to come; -1: not what the daemon says. */
static int judge(const struct watchdog *w)
{
    const uint8_t *head = w->answer + SP_HANDSHAKE_LEN;
    uint32_t id;
    size_t len;

    if (w->have < SP_HANDSHAKE_LEN + HEAD)
        return 0;
    if (sp_handshake_check(w->answer, SP_REP, NULL) || sp_ipc_header_read(head, &id, &len, NULL) ||
        id != (REQUEST_ID | SP_REQUEST_BIT) || len > MAX_ANSWER)
        return -1;
    if (w->have < SP_HANDSHAKE_LEN + HEAD + len)
        return 0;
    return answer_is_good(head + HEAD, len) ? 1 : -1;
}

static void answer_readable(evutil_socket_t fd, short what, void *arg)
{
    struct watchdog *w = arg;
    ssize_t n = recv(fd, w->answer + w->have, sizeof(w->answer) - w->have, 0);
    int verdict;

    (void)what;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    w->have += n > 0 ? (size_t)n : 0;
    verdict = n > 0 ? judge(w) : -1;
    if (verdict == 0)
        return;
    give_up(w);
    if (verdict > 0)
        w->on_alive(w->arg);
    else
        log_msg(LOG_ERR, "watchdog: the daemon's own socket %s gave no good answer",
                w->addr.sun_path);
}

/* All of it fits into a fresh socket's buffer. */
static bool send_question(const struct watchdog *w)
{
    uint8_t head[SP_HANDSHAKE_LEN + HEAD];

    sp_handshake_write(head, SP_REQ);
    sp_ipc_header_write(head + SP_HANDSHAKE_LEN, REQUEST_ID, w->hello.len);
    return send(w->fd, head, sizeof(head), MSG_NOSIGNAL) == sizeof(head) &&
           send(w->fd, w->hello.data, w->hello.len, MSG_NOSIGNAL) == (ssize_t)w->hello.len;
}

static bool ask(struct watchdog *w)
{
    w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&w->addr, sizeof(w->addr)) < 0 ||
        !send_question(w))
        return false;
    w->readable = event_new(w->base, w->fd, EV_READ | EV_PERSIST, answer_readable, w);
    return w->readable && event_add(w->readable, NULL) == 0;
}

static void watchdog_due(evutil_socket_t fd, short what, void *arg)
{
    struct watchdog *w = arg;

    (void)fd, (void)what;
    if (w->fd >= 0)
        log_msg(LOG_ERR, "watchdog: the daemon's own socket %s did not answer in time",
                w->addr.sun_path);
    give_up(w);
    if (!ask(w)) {
        log_msg(LOG_ERR, "watchdog: cannot ask the daemon's own socket %s: %m", w->addr.sun_path);
        give_up(w);
    }
}

static enum aw_err make_hello(struct codec_buf *buf, struct aw_error *err)
{
    struct request request;
    struct hello_req hello;
    struct codec_part parts[] = {{&request_schema, &request}, {&hello_req_schema, &hello}};

    codec_defaults(&request_schema, &request);
    codec_defaults(&hello_req_schema, &hello);
    request.op = bytes_str("hello");
    hello.client = bytes_str("watchdog");
    if (codec_write(buf, parts, ARRAY_SIZE(parts)))
        return aw_fail(err, AW_ERR_NO_MEMORY, "watchdog: out of memory");
    return AW_OK;
}

static enum aw_err start(struct watchdog *w, uint64_t interval_us, struct aw_error *err)
{
    struct timeval half = {.tv_sec = (time_t)(interval_us / 2 / 1000000),
                           .tv_usec = (suseconds_t)(interval_us / 2 % 1000000)};
    enum aw_err e = make_hello(&w->hello, err);

    if (e)
        return e;
    w->timer = event_new(w->base, -1, EV_PERSIST, watchdog_due, w);
    if (!w->timer || event_add(w->timer, &half) < 0)
        return aw_fail(err, AW_ERR_NO_MEMORY, "watchdog: out of memory");
    event_active(w->timer, EV_TIMEOUT, 0);
    return AW_OK;
}

enum aw_err watchdog_new(struct event_base *base, const char *path, uint64_t interval_us,
                         watchdog_alive_fn on_alive, void *arg, struct watchdog **ret,
                         struct aw_error *err)
{
    struct watchdog *w = calloc(1, sizeof(*w));
    enum aw_err e;

    if (!w)
        return aw_fail(err, AW_ERR_NO_MEMORY, "watchdog: out of memory");
    w->base = base;
    w->on_alive = on_alive;
    w->arg = arg;
    w->fd = -1;
    w->addr.sun_family = AF_UNIX;
    if (strlen(path) < sizeof(w->addr.sun_path)) {
        memcpy(w->addr.sun_path, path, strlen(path));
        e = start(w, interval_us, err);
    } else {
        e = aw_fail(err, AW_ERR_INVALID, "watchdog: the socket's path %.100s... is too long", path);
    }
    if (e)
        watchdog_free(w);
    else
        *ret = w;
    return e;
}

void watchdog_free(struct watchdog *w)
{
    if (!w)
        return;
    give_up(w);
    if (w->timer)
        event_free(w->timer);
    codec_buf_done(&w->hello);
    free(w);
}
