#include "tests/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/sp.h"
#include "tests/bench/bench.h"

#define HEAD (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)

struct load {
    int epoll_fd;
    size_t n_conns;
    load_reply_fn on_reply;
    void *user;
    struct load_conn *conns;
};

/* ---- Connections ---------------------------------------------------------------------------- */

static int dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    uint8_t hello[SP_HANDSHAKE_LEN];
    struct aw_error err;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(addr.sun_path))
        bench_fail("%s: too long for a socket's name: use another --dir", path);
    memcpy(addr.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        bench_die("connect");
    sp_handshake_write(hello, SP_REQ);
    if (send(fd, hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello) ||
        recv(fd, hello, sizeof(hello), MSG_WAITALL) != sizeof(hello))
        bench_die("handshake");
    if (sp_handshake_check(hello, SP_REP, &err))
        bench_fail("handshake: %s", err.text);
    return fd;
}

struct load *load_open(const char *socket, size_t n_conns, load_reply_fn on_reply, void *user)
{
    struct load *load = calloc(1, sizeof(*load));

    if (!load || !(load->conns = calloc(n_conns, sizeof(*load->conns))))
        bench_die("load");
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->n_conns = n_conns;
    load->on_reply = on_reply;
    load->user = user;
    for (size_t i = 0; i < n_conns; i++) {
        struct load_conn *c = &load->conns[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        c->load = load;
        c->index = i;
        c->fd = dial(socket);
        if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
            bench_die("epoll_ctl");
    }
    return load;
}

void load_close(struct load *load)
{
    for (size_t i = 0; i < load->n_conns; i++) {
        close(load->conns[i].fd);
        free(load->conns[i].in);
        free(load->conns[i].out);
    }
    close(load->epoll_fd);
    free(load->conns);
    free(load);
}

struct load_conn *load_conn(struct load *load, size_t i)
{
    return &load->conns[i];
}

void *load_user(struct load *load)
{
    return load->user;
}

static void reserve(uint8_t **buf, size_t *cap, size_t need)
{
    if (need <= *cap)
        return;
    *cap = MAX(need, *cap ? *cap * 2 : 65536);
    *buf = realloc(*buf, *cap);
    if (!*buf)
        bench_die("load");
}

/* ---- Sending -------------------------------------------------------------------------------- */

void load_send(struct load_conn *c, uint32_t id, const void *body, size_t len)
{
    reserve(&c->out, &c->out_cap, c->out_len + HEAD + len);
    sp_ipc_header_write(c->out + c->out_len, id | SP_REQUEST_BIT, len);
    memcpy(c->out + c->out_len + HEAD, body, len);
    c->out_len += HEAD + len;
}

static void conn_flush(struct load_conn *c)
{
    struct epoll_event event = {.data.ptr = c};
    size_t done = 0;

    while (done < c->out_len) {
        ssize_t n = send(c->fd, c->out + done, c->out_len - done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0 && errno != EINTR)
            bench_die("send");
        done += n > 0 ? (size_t)n : 0;
    }
    c->out_len -= done;
    if (c->out_len)
        memmove(c->out, c->out + done, c->out_len);
    if (c->writing == (c->out_len > 0))
        return;
    c->writing = c->out_len > 0;
    event.events = c->writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (epoll_ctl(c->load->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
        bench_die("epoll_ctl");
}

/* ---- Receiving ------------------------------------------------------------------------------ */

/* The first field of each reply is its error. */
static void check_reply(const uint8_t *body, size_t len)
{
    struct codec_doc doc;
    struct reply reply;
    struct aw_error err;

    if (len > 5 &&
        memcmp(body + 1,
               "\xa3"
               "err",
               4) == 0 &&
        body[5] == 0)
        return;
    if (codec_open(body, len, &doc, &err) || codec_read(&doc, &reply_schema, &reply, &err))
        bench_fail("an answer that is none: %s", err.text);
    if (reply.err)
        bench_fail("refused: %.*s", (int)reply.message.len, (const char *)reply.message.data);
    codec_close(&doc);
}

/* The length of the whole message at `data`, of which `len` bytes are there; 0: not known yet. */
static size_t message_len(const uint8_t *data, size_t len, uint32_t *ret_id)
{
    struct aw_error err;
    size_t body;

    if (len < HEAD)
        return 0;
    if (sp_ipc_header_read(data, ret_id, &body, &err))
        bench_fail("%s", err.text);
    return HEAD + body;
}

static void conn_read(struct load_conn *c)
{
    size_t at = 0, size;
    uint32_t id;
    ssize_t n;

    reserve(&c->in, &c->in_cap, c->in_len + 65536);
    n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
    if (n <= 0)
        bench_die("the daemon hung up");
    c->in_len += (size_t)n;
    while ((size = message_len(c->in + at, c->in_len - at, &id)) && c->in_len - at >= size) {
        check_reply(c->in + at + HEAD, size - HEAD);
        c->load->on_reply(c, id & ~SP_REQUEST_BIT, c->in + at + HEAD, size - HEAD);
        at += size;
    }
    memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

/* ---- Running -------------------------------------------------------------------------------- */

void load_run_for(struct load *load, const bool *stop, int64_t us)
{
    int64_t end_us = us < 0 ? INT64_MAX : boottime_us() + us;

    for (size_t i = 0; i < load->n_conns; i++)
        conn_flush(&load->conns[i]);
    while (!*stop) {
        struct epoll_event events[256];
        int64_t left = us < 0 ? 60000 : (end_us - boottime_us() + 999) / 1000;
        int n = left > 0 ? epoll_wait(load->epoll_fd, events, 256, (int)MIN(left, 60000)) : 0;

        if (n == 0 && us < 0)
            bench_fail("the daemon has not answered for a minute");
        if (n == 0)
            return;
        for (int i = 0; i < n; i++) {
            struct load_conn *c = events[i].data.ptr;

            if (events[i].events & ~(unsigned)EPOLLOUT)
                conn_read(c);
        }
        for (int i = 0; i < n; i++)
            conn_flush(events[i].data.ptr);
    }
}

void load_run(struct load *load, const bool *stop)
{
    load_run_for(load, stop, -1);
}

void load_ask(struct load_conn *c, const void *body, size_t len, const uint8_t **ret_body,
              size_t *ret_len)
{
    size_t size;
    uint32_t id;

    load_send(c, 1, body, len);
    conn_flush(c);
    while (!(size = message_len(c->in, c->in_len, &id)) || c->in_len < size) {
        ssize_t n;

        reserve(&c->in, &c->in_cap, MAX(size, c->in_len + 65536));
        n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
        if (n <= 0)
            bench_die("the daemon hung up");
        c->in_len += (size_t)n;
    }
    c->in_len = 0;
    check_reply(c->in + HEAD, size - HEAD);
    *ret_body = c->in + HEAD;
    *ret_len = size - HEAD;
}

/* ---- Bodies --------------------------------------------------------------------------------- */

struct bytes load_body(struct codec_buf *buf, enum op op, const void *req)
{
    struct request head = {bytes_str(op_info(op)->name), AW_PROTO_VERSION};
    struct codec_part parts[] = {{&request_schema, &head}, {op_info(op)->req, req}};

    codec_buf_reset(buf);
    if (codec_write(buf, parts, 2))
        bench_fail("%s: cannot be encoded", op_info(op)->name);
    return bytes_of(buf->data, buf->len);
}

void load_decode(enum op op, const uint8_t *body, size_t len, void *rep, struct codec_doc *doc)
{
    struct aw_error err;

    if (codec_open(body, len, doc, &err) || codec_read(doc, op_info(op)->rep, rep, &err))
        bench_fail("%s: %s", op_info(op)->name, err.text);
}
