/*
 * How fast the endpoint echoes, against the floor measured in the same run: a bare SOCK_SEQPACKET
 * echo on epoll. The server is a process of its own; the client does the same for all of them.
 *
 * Prints round trips a second and the ratio to the floor. Run it on an idle machine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <event2/event.h>

#include "daemon/endpoint.h"
#include "proto/sp.h"

#define BODY      64
#define MAX_CONNS 64
#define RUN_US    1000000

enum server { SEQPACKET, IPC, TCP, N_SERVERS };

static const char *const server_names[] = {"seqpacket", "ipc", "tcp"};

static char path[64];
static int port;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- Servers ------------------------------------------------------------------------------- */

static int bound_socket(int type)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 128) < 0)
        die("listen");
    return fd;
}

static void floor_event(int epoll, int listener, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    char buf[256];
    ssize_t n;

    if (fd == listener) {
        event.data.fd = accept(listener, NULL, NULL);
        epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
        return;
    }
    n = recv(fd, buf, sizeof(buf), 0);
    if (n <= 0)
        close(fd);
    else if (send(fd, buf, (size_t)n, MSG_NOSIGNAL) < 0)
        close(fd);
}

static void serve_floor(int ready)
{
    int epoll = epoll_create1(0), listener = bound_socket(SOCK_SEQPACKET);
    struct epoll_event events[64], event = {.events = EPOLLIN, .data.fd = listener};

    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    if (write(ready, "", 1) != 1)
        die("ready");
    for (;;) {
        int n = epoll_wait(epoll, events, 64, -1);

        for (int i = 0; i < n; i++)
            floor_event(epoll, listener, events[i].data.fd);
    }
}

static void on_call(void *arg, struct call *call, const void *body, size_t len)
{
    (void)arg;
    call_reply(call, body, len);
}

static void on_gone(void *arg, struct call *call)
{
    (void)arg, (void)call;
}

static void serve_endpoint(int ready, enum server server)
{
    struct endpoint_config config = {
        .allow_plain_tcp = true, .socket_mode = 0600, .max_connections = 100};
    struct event_base *base = event_base_new();
    struct endpoint *endpoint;
    struct aw_error err;
    char url[128];

    if (server == IPC)
        snprintf(url, sizeof(url), "ipc://%s", path);
    else
        snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", port);
    if (endpoint_new(base, &config, on_call, on_gone, NULL, &endpoint, &err) ||
        endpoint_listen(endpoint, url, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    if (write(ready, "", 1) != 1)
        die("ready");
    event_base_dispatch(base);
}

static pid_t start(enum server server)
{
    int fds[2];
    char byte;
    pid_t pid;

    if (pipe(fds) < 0 || (pid = fork()) < 0)
        die("fork");
    if (pid == 0) {
        if (server == SEQPACKET)
            serve_floor(fds[1]);
        serve_endpoint(fds[1], server);
        _exit(0);
    }
    close(fds[1]);
    if (read(fds[0], &byte, 1) != 1)
        die("server");
    close(fds[0]);
    return pid;
}

/* ---- The client ---------------------------------------------------------------------------- */

static char message[MAX_CONNS * 128]; /* the same request many times */
static size_t message_len;

static void make_message(enum server server)
{
    uint8_t head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN];
    size_t skip = server == TCP, head_len = server == SEQPACKET ? 0 : sizeof(head) - skip;

    sp_ipc_header_write(head, 1, BODY);
    message_len = head_len + BODY;
    for (size_t i = 0; i < MAX_CONNS; i++) {
        memcpy(message + i * message_len, head + skip, head_len);
        memset(message + i * message_len + head_len, 'x', BODY);
    }
}

static int dial(enum server server)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(server == TCP ? AF_INET : AF_UNIX,
                    server == SEQPACKET ? SOCK_SEQPACKET : SOCK_STREAM, 0);
    uint8_t hello[SP_HANDSHAKE_LEN];

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    if (server == TCP ? connect(fd, (struct sockaddr *)&in, sizeof(in))
                      : connect(fd, (struct sockaddr *)&un, sizeof(un)))
        die("connect");
    sp_handshake_write(hello, SP_REQ);
    if (server != SEQPACKET && (send(fd, hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
                                recv(fd, hello, sizeof(hello), MSG_WAITALL) != sizeof(hello)))
        die("handshake");
    return fd;
}

static void ask(enum server server, int fd, size_t n)
{
    /* A packet is one message; a stream takes many at once. */
    size_t each = server == SEQPACKET ? 1 : n;

    for (size_t i = 0; i < n; i += each)
        if (send(fd, message, each * message_len, MSG_NOSIGNAL) != (ssize_t)(each * message_len))
            die("send");
}

/* How many answers are there; keeps what is left of one in *ret_rest. */
static size_t take(int fd, size_t *rest)
{
    char buf[sizeof(message)];
    ssize_t n = recv(fd, buf, sizeof(buf), 0);
    size_t have;

    if (n <= 0)
        die("recv");
    have = *rest + (size_t)n;
    *rest = have % message_len;
    return have / message_len;
}

/* Round trips a second with `n_conns` connections and `depth` requests outstanding on each. */
static double measure(enum server server, int n_conns, size_t depth)
{
    int epoll = epoll_create1(0), fds[MAX_CONNS];
    struct epoll_event events[MAX_CONNS];
    size_t rest[MAX_CONNS] = {0};
    int64_t begin;
    uint64_t count = 0;

    for (int i = 0; i < n_conns; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};

        fds[i] = dial(server);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
        ask(server, fds[i], depth);
    }
    begin = boottime_us();
    while (boottime_us() - begin < RUN_US) {
        int n = epoll_wait(epoll, events, MAX_CONNS, -1);

        for (int k = 0; k < n; k++) {
            uint32_t i = events[k].data.u32;
            size_t answers = take(fds[i], &rest[i]);

            count += answers;
            if (answers)
                ask(server, fds[i], answers);
        }
    }
    for (int i = 0; i < n_conns; i++)
        close(fds[i]);
    close(epoll);
    return (double)count * 1e6 / (double)(boottime_us() - begin);
}

int main(void)
{
    static const struct {
        const char *name;
        int n_conns;
        size_t depth;
    } loads[] = {{"1 outstanding", 1, 1}, {"64 connections", 64, 1}, {"64 on one", 1, 64}};
    double rate[N_SERVERS][ARRAY_SIZE(loads)];

    snprintf(path, sizeof(path), "/tmp/awd-bench-%d.sock", (int)getpid());
    port = 20000 + getpid() % 20000;
    for (enum server server = 0; server < N_SERVERS; server++) {
        pid_t pid = start(server);

        make_message(server);
        for (size_t i = 0; i < ARRAY_SIZE(loads); i++)
            rate[server][i] = measure(server, loads[i].n_conns, loads[i].depth);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    unlink(path);
    printf("%-16s", "");
    for (enum server server = 0; server < N_SERVERS; server++)
        printf("  %18s", server_names[server]);
    for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
        printf("\n%-16s", loads[i].name);
        for (enum server server = 0; server < N_SERVERS; server++)
            printf("  %9.0f/s (%.2f)", rate[server][i], rate[server][i] / rate[SEQPACKET][i]);
    }
    putchar('\n');
    return 0;
}
