/*
 * transport.h - what endpoint.c and the ways in which messages reach it have in common.
 *
 * A transport listens, reads requests and writes answers; it owns the memory of its connections
 * and calls. endpoint.c keeps count of both, knows which calls are unanswered, and talks to the
 * rest of the daemon. There are two:
 *
 *   ipc.c  ipc://, by itself on the event loop: no other thread, no queue, one system call for a
 *          batch of requests and one for a batch of answers.
 *   net.c  tcp:// and tls+tcp://, by nng, on nng's threads.
 *
 * nng would do ipc:// too, but not for long: in nng 1.5.2 a connection that is closed while one
 * of its messages is half read or half written may leave an operation behind that never ends
 * (ipc_pipe_recv_cb() goes on with an aio that was closed meanwhile; nni_aio_begin() then refuses
 * without calling back). The one thread that clears connections away waits for it for ever: no
 * connection is closed any more, and nobody learns that a client is gone. A client that has sent
 * a few hundred requests and is killed does it nearly every time.
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

/*
 * Counts a connection without credentials as one of its user's, if the configuration says whose it
 * is; `member` outlives neither it nor share_leave(). False: its user has too many, or there is no
 * memory.
 */
AW_MUSTCHECK bool conn_join(struct conn *conn, struct share_member *member);

/* A request has come. May call back with park() or reply() before it returns. */
void conn_call(struct conn *conn, struct call *call, const void *body, size_t len);

/* The peer is gone: says so for each unanswered call, and drops it. `conn` may be freed then. */
void conn_gone(struct conn *conn);

/* The same without telling anybody: the daemon goes down. */
void conn_drop_calls(struct conn *conn);

/* ---- The transports -------------------------------------------------------------------------- */

struct ipc;
struct net;

/* `base` and `config` outlive it. NULL: out of memory. */
struct ipc *ipc_new(struct endpoint *ep, struct event_base *base,
                    const struct endpoint_config *config);
AW_MUSTCHECK enum aw_err ipc_listen(struct ipc *ipc, const char *path, struct aw_error *err);
void ipc_set_admin_group(struct ipc *ipc, const uint32_t *gid);
void ipc_quiet(struct ipc *ipc);
/* Those of all transports. */
struct shares *ipc_shares(const struct ipc *ipc);
void ipc_users(const struct ipc *ipc, void (*fn)(void *arg, const struct share_user *user),
               void *arg);
/* Waits until `deadline_us` (of boottime_us()) for what is being sent. NULL does nothing. */
void ipc_free(struct ipc *ipc, int64_t deadline_us);

/* Starts nng, threads and all. */
AW_MUSTCHECK enum aw_err net_new(struct endpoint *ep, struct event_base *base,
                                 const struct endpoint_config *config, struct net **ret,
                                 struct aw_error *err);
/* `url` is tcp:// or tls+tcp:// and allowed by the configuration. */
AW_MUSTCHECK enum aw_err net_listen(struct net *net, const char *url, bool tls,
                                    struct aw_error *err);
void net_quiet(struct net *net);
void net_free(struct net *net, int64_t deadline_us);

#endif
