/*
 * transport.h - what endpoint.c and the way in which messages reach it have in common.
 *
 * The transport listens, reads requests and writes answers; it owns the memory of its connections
 * and calls. endpoint.c keeps count of both, knows which calls are unanswered, and talks to the
 * rest of the daemon. There is one, stream.c: SP over ipc, tcp and TLS, by itself on the event
 * loop: no other thread, no queue, one system call for a batch of requests and one for a batch of
 * answers.
 *
 * nng could do all that, but not for long: in nng 1.5.2 a connection that is closed while one of
 * its messages is half read or half written, by ipc, tcp or TLS, may leave an operation behind that
 * never ends (ipc_pipe_recv_cb(), tcptran_pipe_recv_cb() and their like go on with an aio that was
 * closed meanwhile; nni_aio_begin() then refuses without calling back). The one thread that clears
 * connections away waits for it for ever: no connection is closed any more, and nobody learns that
 * a client is gone. A client that has sent a few hundred requests and is killed does it nearly
 * every time, and so does the server itself when it closes a connection that it does not want.
 *
 * Everything here belongs to the loop thread.
 */
#ifndef AW_TRANSPORT_H
#define AW_TRANSPORT_H

#include <sys/queue.h>

#include "daemon/endpoint.h"

/* Embedded first in each transport's own call. */
struct call {
    LIST_ENTRY(call) entry; /* in its connection's calls */
    struct conn *conn;
    void *user;
};

/* How an unanswered call goes on. The transport frees it in reply() and drop(). */
struct transport_ops {
    void (*park)(struct call *call);
    void (*reply)(struct call *call, const void *data, size_t len);
    void (*drop)(struct call *call);
    void (*take_body)(struct call *call, struct body_owner *ret); /* what drop() would free */
};

/* Embedded first in each transport's own connection. */
struct conn {
    struct caller caller;
    struct endpoint *ep;
    const struct transport_ops *ops;
    LIST_HEAD(, call) calls; /* unanswered */
};

/* A new connection: `conn` has its credentials, the rest is filled in here. */
void conn_open(struct endpoint *ep, struct conn *conn, const struct transport_ops *ops);

/* As whose a caller without credentials counts. */
uint32_t endpoint_whose(const struct endpoint *ep, const struct caller *caller);

/* A request has come. May call back with park() or reply() before it returns. */
void conn_call(struct conn *conn, struct call *call, const void *body, size_t len);

/* The peer is gone: says so for each unanswered call, and drops it. `conn` may be freed then. */
void conn_gone(struct conn *conn);

/* The same without telling anybody: the daemon goes down. */
void conn_drop_calls(struct conn *conn);

/* ---- The transport --------------------------------------------------------------------------- */

struct transport;

enum socket_kind { SOCKET_IPC, SOCKET_TCP, SOCKET_TLS };

/* `base` and `config` outlive it. NULL: out of memory. */
struct transport *transport_new(struct endpoint *ep, struct event_base *base,
                                const struct endpoint_config *config);

/*
 * `url` is allowed by the configuration; `address` is what follows its scheme. A name of several
 * addresses is listened on at each of them.
 */
AW_MUSTCHECK enum aw_err transport_listen(struct transport *tr, enum socket_kind kind,
                                          const char *url, const char *address,
                                          struct aw_error *err);
void transport_set_admin_group(struct transport *tr, const uint32_t *gid);

/* Listens and reads no more; answers still go out. */
void transport_quiet(struct transport *tr);
void transport_users(const struct transport *tr,
                     void (*fn)(void *arg, const struct share_user *user), void *arg);

/* Waits until `deadline_us` (of boottime_us()) for what is being sent. NULL does nothing. */
void transport_free(struct transport *tr, int64_t deadline_us);

#endif
