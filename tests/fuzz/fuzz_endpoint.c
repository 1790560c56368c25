/*
 * Strangers at the daemon's socket: SP's handshake and framing, answers now, later, and never.
 *
 * The input is a script: what one client writes, and what the daemon does with its requests
 * meanwhile. The listener is replaced by one that is told whom to accept, so that the client is
 * the other end of a socketpair. Whatever it does: what comes back is the handshake and whole
 * answers to requests that it made, each answered once; an honest client beside it is served; and
 * once it has gone nothing of it is left.
 *
 * Parked requests are work, until they rest: with some of them the client is not read from for a
 * while. It has so little memory that what it sends and does not read can cost it the connection.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "daemon/endpoint.h"
#include "daemon/transports/listener.h"
#include "proto/limits.h"
#include "proto/sp.h"

#define FRAME       (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)
#define MAX_PARKED  32
#define MAX_REPLY   ((1u << 20) + (1u << 16))
#define MAX_WRITTEN (8u << 20)
#define MAX_MEMORY  (6u << 20)
#define WEIGHT      (SHARE_WORK / 8) /* of a parked request */
#define IDLE_TURNS  4

/* ---- The listeners' place -------------------------------------------------------------------- */

/* Of ipc and of tcp: whose bytes are the same, but for the first one of each message. */
static struct {
    listener_fn on_accept;
    void *arg;
} listeners[2];

enum aw_err listener_new(struct event_base *base, const char *path, unsigned mode, listener_fn fn,
                         void *arg, struct listener **ret, struct aw_error *err)
{
    (void)base, (void)path, (void)mode, (void)err;
    listeners[0].on_accept = fn;
    listeners[0].arg = arg;
    *ret = NULL;
    return AW_OK;
}

enum aw_err listener_new_tcp(struct event_base *base, const struct addrinfo *addr, const char *name,
                             listener_fn fn, void *arg, struct listener **ret, int *ret_errno,
                             struct aw_error *err)
{
    (void)base, (void)addr, (void)name, (void)ret_errno, (void)err;
    listeners[1].on_accept = fn;
    listeners[1].arg = arg;
    *ret = NULL;
    return AW_OK;
}

void listener_free(struct listener *listener)
{
    (void)listener;
}

/* ---- The daemon's side ----------------------------------------------------------------------- */

static struct event_base *base;
static struct endpoint *endpoint;
static struct call *parked[MAX_PARKED];
static struct share_hold holds[MAX_PARKED];
static size_t n_parked;
static size_t n_requests, n_replies; /* of the stranger */
static size_t reply_len;             /* how long the stranger's answers are */
static uint32_t n_pipes;             /* connections so far: the endpoint numbers them */
static uint32_t honest_pipe;         /* of the honest client; 0: it is not there */

static void answer(struct call *call, size_t len)
{
    static char zeroes[MAX_REPLY];

    n_replies++;
    call_reply(call, zeroes, MIN(len, MAX_REPLY));
}

/* The first byte of a request says what becomes of it. */
static void on_call(void *arg, struct call *call, const void *body, size_t len)
{
    const char *p = body;

    (void)arg;
    if (call_caller(call)->pipe == honest_pipe) {
        call_reply(call, body, len);
        return;
    }
    n_requests++;
    if (len && *p == 'p' && n_parked < MAX_PARKED) {
        call_set_user(call, parked + n_parked);
        share_begin(&holds[n_parked], call_caller(call)->share, len, honest_pipe ? 0 : WEIGHT);
        parked[n_parked++] = call;
        call_park(call);
    } else {
        answer(call, len && *p == 'r' ? reply_len : len);
    }
}

static void on_gone(void *arg, struct call *call)
{
    struct call **slot = call_user(call);

    (void)arg;
    fuzz_check(slot >= parked && *slot == call, "gone is what was not parked");
    share_end(&holds[slot - parked]);
    *slot = NULL;
}

static void answer_parked(size_t which)
{
    for (size_t i = 0; i < n_parked; i++)
        if (parked[i] && (which == MAX_PARKED || i == which)) {
            struct call *call = parked[i];

            parked[i] = NULL;
            share_end(&holds[i]);
            answer(call, reply_len);
        }
}

static void rest_parked(void)
{
    for (size_t i = 0; i < n_parked; i++)
        share_rest(&holds[i]);
}

/* ---- The client's side ----------------------------------------------------------------------- */

struct client {
    int fd;
    size_t skip;      /* of each header: 1 by tcp */
    bool closed;      /* the daemon has closed */
    size_t n_written; /* bytes */
    size_t n_answers;
    uint8_t head[FRAME];
    size_t have;
    size_t body_left;
    bool greeted;
};

static void turn(void)
{
    fuzz_check(event_base_loop(base, EVLOOP_NONBLOCK) >= 0, "the loop failed");
}

static void head_done(struct client *c)
{
    struct aw_error err = {.text = ""};
    uint32_t id;

    if (!c->greeted) {
        fuzz_check(!sp_handshake_check(c->head, SP_REP, &err), "%s", err.text);
        c->greeted = true;
        c->head[0] = 1;
        c->have = c->skip;
        return;
    }
    c->have = c->skip;
    fuzz_check(!sp_ipc_header_read(c->head, &id, &c->body_left, &err), "%s", err.text);
    c->n_answers++;
}

static void client_take(struct client *c, const uint8_t *p, size_t n)
{
    while (n) {
        size_t want = c->greeted ? FRAME : SP_HANDSHAKE_LEN, some;

        if (c->body_left) {
            some = MIN(n, c->body_left);
            c->body_left -= some;
        } else {
            some = MIN(n, want - c->have);
            memcpy(c->head + c->have, p, some);
            c->have += some;
            if (c->have == want)
                head_done(c);
        }
        p += some;
        n -= some;
    }
}

/* Reads what is there; false when that is nothing. */
static bool client_read(struct client *c)
{
    static uint8_t buf[1u << 20];
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        c->closed = true;
        return false;
    }
    if (n > 0)
        client_take(c, buf, (size_t)n);
    return n > 0;
}

/* What waits in line comes some turns later. */
static void client_read_all(struct client *c)
{
    for (int idle = 0; idle < IDLE_TURNS && !c->closed; idle++) {
        turn();
        if (client_read(c))
            idle = 0;
    }
}

static void client_write(struct client *c, const uint8_t *p, size_t len)
{
    while (len && !c->closed && c->n_written < MAX_WRITTEN) {
        ssize_t n = send(c->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN) {
            c->closed = true;
        } else if (n < 0) {
            /* Full: the daemon must go on once its answers are read. */
            turn();
            if (!client_read(c)) {
                turn();
                return;
            }
        } else {
            p += n;
            len -= (size_t)n;
            c->n_written += (size_t)n;
        }
    }
}

static struct client client_open(bool tcp)
{
    int pair[2];

    fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "%s",
               strerror(errno));
    n_pipes++;
    listeners[tcp].on_accept(listeners[tcp].arg, pair[1]);
    return (struct client){.fd = pair[0], .skip = tcp};
}

/* Work ends: only then is it seen that somebody in line has gone. */
static void client_close(struct client *c)
{
    close(c->fd);
    for (int i = 0; i < IDLE_TURNS; i++) {
        rest_parked();
        turn();
    }
}

static void ask(struct client *c, uint32_t id, uint8_t kind, size_t len)
{
    static uint8_t body[MAX_REPLY];
    uint8_t head[FRAME];

    body[0] = kind;
    sp_ipc_header_write(head, id, len);
    client_write(c, head + c->skip, sizeof(head) - c->skip);
    client_write(c, body, len);
}

/* Somebody else is served, whatever the stranger is up to. */
static void honest_client(void)
{
    struct client c = client_open(false);
    uint8_t hello[SP_HANDSHAKE_LEN];

    honest_pipe = n_pipes;
    sp_handshake_write(hello, SP_REQ);
    client_write(&c, hello, sizeof(hello));
    ask(&c, 7, 'h', 100);
    client_read_all(&c);
    fuzz_check(!c.closed && c.n_answers == 1 && !c.body_left, "%zu answers", c.n_answers);
    client_close(&c);
    honest_pipe = 0;
}

/* ---- The script ------------------------------------------------------------------------------ */

/* Lengths around the sizes of buffers matter most. */
static size_t some_length(struct input *in)
{
    static const size_t around[] = {0, 1u << 16, 1u << 20, MAX_REPLY};
    size_t len = around[input_byte(in) % ARRAY_SIZE(around)];

    if (len)
        len -= 1u << 15;
    len += input_u16(in);
    return MIN(len, MAX_REPLY);
}

static void greet(struct client *c)
{
    uint8_t hello[SP_HANDSHAKE_LEN];

    sp_handshake_write(hello, SP_REQ);
    client_write(c, hello, sizeof(hello));
}

static void raw(struct client *c, struct input *in)
{
    struct bytes b = input_take(in, input_byte(in));

    client_write(c, b.data, b.len);
}

static void step(struct client *c, struct input *in)
{
    static const char kinds[] = "prec";
    uint8_t what = input_byte(in);
    uint8_t kind = (uint8_t)kinds[what >> 4 & 3];

    switch (what & 7) {
    case 0:
        greet(c);
        break;
    case 1:
        raw(c, in);
        break;
    case 2:
        ask(c, input_u16(in), kind, input_byte(in));
        break;
    case 3:
        ask(c, input_u16(in), kind, some_length(in));
        break;
    case 4:
        reply_len = some_length(in);
        break;
    case 5:
        answer_parked(what >> 3 ? what >> 3 : MAX_PARKED);
        break;
    case 6:
        if (what >> 3 == 31)
            rest_parked();
        turn();
        break;
    case 7:
        client_read(c);
        break;
    }
}

static void start(void)
{
    static const struct endpoint_config config = {.allow_plain_tcp = true,
                                                  .socket_mode = 0600,
                                                  .max_connections = 16,
                                                  .shares = {.max_memory = MAX_MEMORY}};

    base = event_base_new();
    fuzz_check(base && !endpoint_new(base, &config, on_call, on_gone, NULL, &endpoint, NULL) &&
                   !endpoint_listen(endpoint, "ipc:///nowhere", NULL) &&
                   !endpoint_listen(endpoint, "tcp://127.0.0.1:1", NULL),
               "no endpoint");
}

static void nothing_left(void)
{
    struct endpoint_stats stats;

    endpoint_stats(endpoint, &stats);
    fuzz_check(stats.connections == 0, "%u connections", stats.connections);
    fuzz_check(stats.unanswered == 0, "%u unanswered", stats.unanswered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct client c;

    if (!endpoint)
        start();
    n_parked = n_requests = n_replies = reply_len = 0;
    c = client_open(size && data[size - 1] & 1);
    while (in.left && !c.closed)
        step(&c, &in);
    rest_parked(); /* by ipc both are one user */
    honest_client();
    answer_parked(MAX_PARKED);
    client_read_all(&c);
    fuzz_check(c.n_answers <= n_requests, "%zu answers to %zu requests", c.n_answers, n_requests);
    if (!c.closed)
        fuzz_check(c.n_answers == n_replies && !c.body_left, "%zu of %zu answers came", c.n_answers,
                   n_replies);
    client_close(&c);
    nothing_left();
    return 0;
}
