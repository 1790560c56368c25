#include "tests/bench/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>

#define CHUNK 65536

/* ---- Addresses ------------------------------------------------------------------------------ */

struct wire_addr wire_unix(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct wire_addr ret = {.len = sizeof(sun)};

    if (strlen(path) >= sizeof(sun.sun_path))
        bench_fail("%s: too long for a socket's name: use another --dir", path);
    memcpy(sun.sun_path, path, strlen(path));
    memcpy(&ret.addr, &sun, sizeof(sun));
    return ret;
}

struct wire_addr wire_tcp_free(int *ret_port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct wire_addr ret = {.len = sizeof(sin)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(sin);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
        getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
        bench_die("a port of loopback");
    close(fd);
    *ret_port = ntohs(sin.sin_port);
    memcpy(&ret.addr, &sin, sizeof(sin));
    return ret;
}

static int dial(const struct wire_addr *addr)
{
    int fd = socket(addr->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0)
        bench_die("socket");
    if (connect(fd, (const struct sockaddr *)&addr->addr, addr->len) < 0) {
        close(fd);
        return -1;
    }
    if (addr->addr.ss_family == AF_INET &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
        bench_die("TCP_NODELAY");
    return fd;
}

bool wire_connects(const struct wire_addr *addr)
{
    int fd = dial(addr);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* ---- One after the other -------------------------------------------------------------------- */

struct wire wire_open(const struct wire_addr *addr)
{
    struct wire w = {.fd = dial(addr)};

    if (w.fd < 0)
        bench_die("connect");
    return w;
}

void wire_close(struct wire *w)
{
    close(w->fd);
    free(w->in);
    *w = (struct wire){.fd = -1};
}

void wire_write(struct wire *w, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len > 0) {
        ssize_t n = send(w->fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            bench_die("send");
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

void wire_fill(struct wire *w)
{
    ssize_t n;

    if (w->cap - w->len < CHUNK) {
        w->cap += 2 * (size_t)CHUNK;
        w->in = realloc(w->in, w->cap);
        if (!w->in)
            bench_die("wire");
    }
    n = recv(w->fd, w->in + w->len, w->cap - w->len, 0);
    if (n <= 0)
        bench_fail("a server has hung up");
    w->len += (size_t)n;
}

void wire_taken(struct wire *w, size_t n)
{
    w->len -= n;
    memmove(w->in, w->in + n, w->len);
}

void wire_ask(struct wire *w, struct bytes request, wire_take_fn take)
{
    size_t size;

    wire_write(w, request.data, request.len);
    while (!(size = take(w->in, w->len)))
        wire_fill(w);
    wire_taken(w, size);
}

double wire_p50(const struct wire_work *work)
{
    struct wire w = wire_open(work->addr);
    struct samples s = {0};

    for (size_t i = 0; i < work->n; i++) {
        double start_us = bench_now_us();

        wire_ask(&w, work->request, work->take);
        samples_add(&s, bench_now_us() - start_us);
    }
    wire_close(&w);
    return samples_p50(&s);
}

/* ---- Many at once --------------------------------------------------------------------------- */

struct crowd {
    const struct wire_work *work;
    struct wire *conns;
    uint8_t *batch; /* as many requests as a connection may have outstanding */
    size_t n_left, n_open;
    int epoll_fd;
};

/* This many requests more on a connection, as far as any are left. */
static void crowd_send(struct crowd *crowd, struct wire *w, size_t n)
{
    n = MIN(n, crowd->n_left);
    crowd->n_left -= n;
    crowd->n_open += n;
    wire_write(w, crowd->batch, n * crowd->work->request.len);
}

static void crowd_receive(struct crowd *crowd, struct wire *w)
{
    size_t at = 0, n = 0, size;

    wire_fill(w);
    while ((size = crowd->work->take(w->in + at, w->len - at))) {
        at += size;
        n++;
    }
    wire_taken(w, at);
    crowd->n_open -= n;
    crowd_send(crowd, w, n);
}

static void crowd_open(struct crowd *crowd, const struct wire_work *work)
{
    *crowd = (struct crowd){.work = work, .n_left = work->n};
    crowd->conns = calloc(work->n_conns, sizeof(*crowd->conns));
    crowd->batch = reallocarray(NULL, work->outstanding, work->request.len);
    crowd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!crowd->conns || !crowd->batch || crowd->epoll_fd < 0)
        bench_die("wire");
    for (size_t i = 0; i < work->outstanding; i++)
        memcpy(crowd->batch + i * work->request.len, work->request.data, work->request.len);
    for (size_t i = 0; i < work->n_conns; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &crowd->conns[i]};

        crowd->conns[i] = wire_open(work->addr);
        if (epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, crowd->conns[i].fd, &event) < 0)
            bench_die("epoll_ctl");
    }
}

static void crowd_close(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->work->n_conns; i++)
        wire_close(&crowd->conns[i]);
    close(crowd->epoll_fd);
    free(crowd->conns);
    free(crowd->batch);
}

double wire_rate(const struct wire_work *work)
{
    struct crowd crowd;
    double start_us;

    crowd_open(&crowd, work);
    start_us = bench_now_us();
    for (size_t i = 0; i < work->n_conns; i++)
        crowd_send(&crowd, &crowd.conns[i], work->outstanding);
    while (crowd.n_open > 0) {
        struct epoll_event events[256];
        int n = epoll_wait(crowd.epoll_fd, events, 256, 60000);

        if (n == 0)
            bench_fail("a server has not answered for a minute");
        for (int i = 0; i < n; i++)
            crowd_receive(&crowd, events[i].data.ptr);
    }
    start_us = bench_now_us() - start_us;
    crowd_close(&crowd);
    return (double)work->n * 1e6 / start_us;
}
