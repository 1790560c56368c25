/*
 * endpoint.h - where clients reach the daemon: listens, takes requests, sends answers.
 *
 * Speaks SP (the REP side, see proto/sp.h) over ipc, tcp and TLS; transports/ does the work.
 * Everything below is called on, and calls back on, the loop thread.
 *
 * A request is a `struct call`. Whoever gets one owes it exactly one call_reply(). It may come at
 * once or after hours, in any order; a call that waits costs about a kilobyte once call_park() has
 * let go of the request's body. If the client goes away first, endpoint_gone_fn says so for each
 * of its unanswered calls and the call is no more: nothing is to be called on it. Its body goes
 * with it, unless that is taken over right then (call_take_body()).
 */
#ifndef AW_ENDPOINT_H
#define AW_ENDPOINT_H

#include <sys/types.h>

#include "daemon/share.h"

struct event_base;
struct endpoint;
struct call;

/* Who sent a request. */
struct caller {
    uint32_t pipe; /* names the connection; not reused while the daemon runs */
    bool has_cred; /* the four below are known (ipc) */
    uint32_t uid, gid;
    pid_t pid;
    bool in_admin_group;
    bool tls;            /* it has a verified certificate, and these are its... */
    const char *subject; /* ...subject, as peer_name.h writes it, NULL where that cannot be told */
    const char *cn;      /* ...common name, NULL likewise; both live as long as the connection */
    unsigned n_inflight; /* unanswered calls of this connection, this one counted */
    struct share *share; /* of the user; NULL: nothing is counted */
};

typedef void (*endpoint_call_fn)(void *arg, struct call *call, const void *body, size_t len);
typedef void (*endpoint_gone_fn)(void *arg, struct call *call);

struct endpoint_config {
    const char *tls_cert_key_file; /* PEM, certificate and key; NULL: no tls+tcp */
    const char *tls_ca_file;       /* PEM, who may sign clients' certificates */
    bool allow_plain_tcp;          /* tcp:// on loopback addresses */
    unsigned socket_mode;          /* of an ipc socket's file: 0600, 0660, 0666 */
    /* More are closed as they come. ipc and the rest count apart; ipc takes no more than three
     * quarters of the process's files, and 16 beyond from root and the daemon's own user, the rest
     * no more than an eighth. Of TLS handshakes that are under way the oldest gives way. */
    unsigned max_connections;
    struct shares_config shares; /* what one user's connections may have of it */
    unsigned stall_ms;  /* for all handshakes, and between two pieces of one message; 0: 10 s */
    unsigned linger_ms; /* for answers that are on their way when all ends; 0: 500 ms */
    /* As whose a connection by tcp or TLS counts, for as long as it lasts. `arg` is that of the
     * callbacks. NULL: all of them count as one user's. */
    uint32_t (*whose)(void *arg, const struct caller *caller);
};

/* AW_ERR_NO_MEMORY, AW_ERR_SYSTEM. `config` is copied. */
AW_MUSTCHECK enum aw_err endpoint_new(struct event_base *base, const struct endpoint_config *config,
                                      endpoint_call_fn on_call, endpoint_gone_fn on_gone, void *arg,
                                      struct endpoint **ret, struct aw_error *err);

/* Says what endpoint_listen() would say to the URL as such; AW_ERR_INVALID. */
AW_MUSTCHECK enum aw_err endpoint_check_url(const struct endpoint_config *config, const char *url,
                                            struct aw_error *err);

/*
 * Listens on one more URL: ipc:///path, tls+tcp://host:port, tcp://127.0.0.1:port.
 * AW_ERR_INVALID says why another one is refused and what would be right.
 */
AW_MUSTCHECK enum aw_err endpoint_listen(struct endpoint *ep, const char *url,
                                         struct aw_error *err);

/* From now on, who connects by ipc and is in this group has in_admin_group set. NULL: no group. */
void endpoint_set_admin_group(struct endpoint *ep, const uint32_t *gid);

/* Takes no requests and no connections any more; answers still go out. */
void endpoint_quiet(struct endpoint *ep);

/*
 * Sends what has been answered (for linger_ms at most), closes everything, frees. Unanswered calls
 * are dropped without endpoint_gone_fn.
 */
void endpoint_free(struct endpoint *ep);

struct endpoint_stats {
    uint64_t requests;
    unsigned connections;
    unsigned unanswered;
};
void endpoint_stats(const struct endpoint *ep, struct endpoint_stats *ret);

/* Calls fn for each user who is there, in no order. */
void endpoint_users(const struct endpoint *ep, void (*fn)(void *arg, const struct share_user *user),
                    void *arg);

const struct caller *call_caller(const struct call *call);

/* A pointer of the caller's own, for endpoint_gone_fn. */
void call_set_user(struct call *call, void *user);
void *call_user(const struct call *call);

/* Lets go of the request's body: the answer will take a while. `body` is gone after this. */
void call_park(struct call *call);

/* The memory that a body lies in, for who has taken it over: owner->free(owner->memory). */
struct body_owner {
    void *memory;
    void (*free)(void *memory); /* NULL: there is none */
};

/*
 * Within endpoint_gone_fn, of a call that was not parked: the body stays where it is, and is the
 * caller's from now on.
 */
void call_take_body(struct call *call, struct body_owner *ret);

/* Answers, with a copy of `data`, and ends the call. */
void call_reply(struct call *call, const void *data, size_t len);

#endif
