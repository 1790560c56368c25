/*
 * sp_client.h - a REQ client on a bare blocking socket, which can be told to misbehave; and a
 * server thread's opposite: an endpoint on an event loop, with the clients on threads of their own.
 */
#ifndef AW_TEST_SP_CLIENT_H
#define AW_TEST_SP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <event2/event.h>

#include "daemon/endpoint.h"
#include "proto/sp.h"
#include "tests/unit/unit.h"

/* ---- Client -------------------------------------------------------------------------------- */

static bool use_tcp;                  /* clients and servers of this test speak tcp, not ipc */
static const char *tls_cert, *tls_ca; /* ... and TLS: the server's files */
static int (*client_wrap)(int fd);    /* ... and what the clients have instead of their socket */
static char socket_path[100];
static int tcp_port;

static inline int client_dial(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)tcp_port)};
    int fd = socket(use_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = unit_patience_us(60)};
    int rc;

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
    rc = use_tcp ? connect(fd, (struct sockaddr *)&in, sizeof(in))
                 : connect(fd, (struct sockaddr *)&un, sizeof(un));
    if (rc < 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return client_wrap ? client_wrap(fd) : fd;
}

/* A process that is stopped and continued finds calls with a time limit interrupted: signal(7). */
static inline bool client_interrupted(ssize_t rc)
{
    return rc < 0 && errno == EINTR;
}

/* Without TLS between it and the socket. */
static inline int dial_bare(void)
{
    int (*wrap)(int) = client_wrap, fd;

    client_wrap = NULL;
    fd = client_dial();
    client_wrap = wrap;
    return fd;
}

static inline bool client_write(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (client_interrupted(n))
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool client_read(int fd, void *data, size_t len)
{
    char *p = data;

    while (len) {
        ssize_t n = recv(fd, p, len, 0);

        if (client_interrupted(n))
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* Dials and shakes hands; -1 when the server would not. */
static inline int client_open(void)
{
    uint8_t hello[SP_HANDSHAKE_LEN], answer[SP_HANDSHAKE_LEN];
    int fd = client_dial();

    sp_handshake_write(hello, SP_REQ);
    if (fd >= 0 && client_write(fd, hello, sizeof(hello)) &&
        client_read(fd, answer, sizeof(answer)) && !sp_handshake_check(answer, SP_REP, NULL))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* tcp's frame is that of ipc without the first byte. */
static inline bool client_ask(int fd, uint32_t id, const void *body, size_t len)
{
    uint8_t head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN];

    sp_ipc_header_write(head, id, len);
    return client_write(fd, head + use_tcp, sizeof(head) - use_tcp) && client_write(fd, body, len);
}

/* The same request `n` times, with ids from 1, in one go. */
static inline bool client_ask_many(int fd, uint32_t n, const char *body)
{
    size_t len = strlen(body), size = SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN - use_tcp + len;
    uint8_t head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN];
    char *all = malloc(n * size);
    bool good;

    for (uint32_t i = 0; i < n; i++) {
        sp_ipc_header_write(head, i + 1, len);
        memcpy(all + i * size, head + use_tcp, sizeof(head) - use_tcp);
        memcpy(all + i * size + size - len, body, len);
    }
    good = client_write(fd, all, n * size);
    free(all);
    return good;
}

/* The body of the next answer, to be freed; NULL when there is none. */
static inline char *client_answer(int fd, uint32_t *ret_id, size_t *ret_len)
{
    uint8_t head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN] = {1};
    char *body;

    if (!client_read(fd, head + use_tcp, sizeof(head) - use_tcp) ||
        sp_ipc_header_read(head, ret_id, ret_len, NULL))
        return NULL;
    *ret_id &= ~SP_REQUEST_BIT;
    body = malloc(*ret_len + 1);
    body[*ret_len] = '\0';
    if (client_read(fd, body, *ret_len))
        return body;
    free(body);
    return NULL;
}

/* Asks "text", expects the same back. */
static inline bool client_echo(int fd, uint32_t id, const char *text)
{
    uint32_t got;
    size_t len;
    char *answer = client_ask(fd, id, text, strlen(text)) ? client_answer(fd, &got, &len) : NULL;
    bool same = answer && got == id && len == strlen(text) && !memcmp(answer, text, len);

    free(answer);
    return same;
}

/* A new connection is answered. */
static inline bool server_is_well(void)
{
    int fd = client_open();
    bool well = fd >= 0 && client_echo(fd, 1, "still there?");

    if (fd >= 0)
        close(fd);
    return well;
}

/* ---- Server -------------------------------------------------------------------------------- */

static struct event_base *base;
static struct endpoint *endpoint;
static char dir[64];

static inline struct endpoint_config default_config(void)
{
    return (struct endpoint_config){.allow_plain_tcp = true,
                                    .socket_mode = 0600,
                                    .max_connections = 4000,
                                    .tls_cert_key_file = tls_cert,
                                    .tls_ca_file = tls_ca};
}

static inline int free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    close(fd);
    return ntohs(in.sin_port);
}

static inline void server_url(char *url, size_t size)
{
    if (use_tcp)
        snprintf(url, size, "%stcp://127.0.0.1:%d", tls_cert ? "tls+" : "", tcp_port);
    else
        snprintf(url, size, "ipc://%s", socket_path);
}

static inline void server_dir(void)
{
    snprintf(dir, sizeof(dir), "/tmp/awd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(socket_path, sizeof(socket_path), "%s/awd.sock", dir);
    tcp_port = free_port();
}

static inline void server_start(const struct endpoint_config *config, endpoint_call_fn on_call,
                                endpoint_gone_fn on_gone)
{
    struct aw_error err = {.text = ""};
    char url[128];

    server_dir();
    base = event_base_new();
    ck_assert_int_eq(endpoint_new(base, config, on_call, on_gone, NULL, &endpoint, &err), AW_OK);
    server_url(url, sizeof(url));
    ck_assert_msg(endpoint_listen(endpoint, url, &err) == AW_OK, "%s", err.text);
}

static inline void server_stop(void)
{
    endpoint_free(endpoint);
    event_base_free(base);
    unlink(socket_path);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- Clients beside the loop --------------------------------------------------------------- */

struct beside {
    void *(*fn)(void *);
    void *arg;
    int done[2];
};

static inline void *beside_main(void *arg)
{
    struct beside *b = arg;
    void *result = b->fn(b->arg);

    ck_assert_int_eq(write(b->done[1], "", 1), 1);
    return result;
}

static inline void beside_done(evutil_socket_t fd, short what, void *arg)
{
    char byte;

    (void)what;
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    event_base_loopbreak(arg);
}

/* Runs the loop here while `fn` runs on a thread; until that ends. */
static inline void *run_beside(void *(*fn)(void *), void *arg)
{
    struct beside b = {.fn = fn, .arg = arg};
    struct event *ended;
    pthread_t thread;
    void *result;

    ck_assert_int_eq(pipe(b.done), 0);
    ended = event_new(base, b.done[0], EV_READ, beside_done, base);
    event_add(ended, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, beside_main, &b), 0);
    event_base_dispatch(base);
    pthread_join(thread, &result);
    event_free(ended);
    close(b.done[0]);
    close(b.done[1]);
    return result;
}

/* Turns the loop until the condition holds; a minute at most. */
#define LOOP_UNTIL(condition)                                             \
    do {                                                                  \
        int64_t end_ = boottime_us() + unit_patience_us(60000000);        \
        while (!(condition)) {                                            \
            struct timeval tick_ = {.tv_usec = 10000};                    \
            ck_assert_msg(boottime_us() < end_, "never: %s", #condition); \
            event_base_loopexit(base, &tick_);                            \
            event_base_dispatch(base);                                    \
        }                                                                 \
    } while (0)

#endif
