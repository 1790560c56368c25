/*
 * SP over tcp and TLS, by nng. The only module of the daemon that sees nng, with net_listener.c.
 *
 * A pool of contexts of one REP socket: some wait for requests, each of the others has one. What
 * nng calls back for on its threads goes to the loop by an inbox; a context whose answer is on its
 * way goes back to receiving right there, without a detour.
 *
 *      +---------> RECEIVING --request--> HELD --reply--> SENDING --+
 *      |               ^                   |                        |
 *      |               +---client gone-----+                        |
 *      +----------------------- (or SPARE, when enough receive) <---+
 *
 * nng owns a context's message, aio and phase in RECEIVING and SENDING, the loop in HELD and SPARE.
 */
#include "daemon/transports/transport.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "daemon/inbox.h"
#include "daemon/log.h"
#include "daemon/transports/net_listener.h"
#include "daemon/transports/peer_name.h"

#define N_RECEIVING 64   /* contexts that wait for requests; more are made at half of that */
#define N_SPARE     256  /* kept for the next rush; more are given back */
#define N_BUCKETS   1024 /* of the table of connections */
#define CLOSE_US    500000

enum phase { RECEIVING, HELD, SENDING, SPARE };
enum kind { ITEM_CONTEXT, ITEM_OPENED, ITEM_CLOSED };

/* What comes through the inbox, embedded first in its owner. */
struct item {
    struct inbox_item inbox;
    enum kind kind;
};

struct net_call {
    struct call base;
    struct item item;
    struct net *net;
    nng_ctx ctx;
    nng_aio *aio;
    nng_msg *msg; /* HELD: the request, until it is parked */
    enum phase phase;
    uint32_t pipe; /* SENDING: to whom, and how much */
    size_t unsent;
    LIST_ENTRY(net_call) all;
    SLIST_ENTRY(net_call) spare;
};

struct net_conn {
    struct conn base;
    struct net *net;
    uint32_t pipe; /* nng's number */
    struct item opened, closed;
    LIST_ENTRY(net_conn) bucket;
    struct peer_name *name; /* NULL: not TLS */
    struct share_member member;
    size_t unsent; /* by the mutex: answers that nng has not begun to write */
    bool closing;  /* loop thread only: we close it, and take nothing more from it */
};

struct net {
    struct endpoint *ep;
    const struct endpoint_config *config;
    nng_socket socket;
    struct inbox *inbox;
    LIST_HEAD(, net_call) all;
    SLIST_HEAD(, net_call) spare;
    unsigned n_spare;
    atomic_int n_receiving;
    atomic_bool quiet;
    bool closing; /* loop thread only */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned n_sending;                       /* by the mutex */
    unsigned n_conns;                         /* by the mutex */
    LIST_HEAD(, net_conn) buckets[N_BUCKETS]; /* by the mutex */
    bool closed;                              /* by the mutex */
};

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* With the mutex held. */
static struct net_conn *find_conn(struct net *net, uint32_t pipe)
{
    struct net_conn *conn;

    LIST_FOREACH (conn, &net->buckets[pipe % N_BUCKETS], bucket) {
        if (conn->pipe == pipe)
            return conn;
    }
    return NULL;
}

/* ---- Contexts ------------------------------------------------------------------------------ */

static void context_receive(struct net_call *call)
{
    atomic_fetch_add(&call->net->n_receiving, 1);
    call->phase = RECEIVING;
    nng_ctx_recv(call->ctx, call->aio);
}

/* On nng's thread, or on the loop: the context has nothing to do. */
static void context_rest(struct net_call *call)
{
    struct net *net = call->net;

    if (!atomic_load(&net->quiet) && atomic_load(&net->n_receiving) < N_RECEIVING) {
        context_receive(call);
        return;
    }
    call->phase = SPARE;
    inbox_push(net->inbox, &call->item.inbox);
}

static void received(struct net_call *call)
{
    atomic_fetch_sub(&call->net->n_receiving, 1);
    if (nng_aio_result(call->aio)) { /* cancelled: we go down */
        call->phase = SPARE;
    } else {
        call->msg = nng_aio_get_msg(call->aio);
        nng_aio_set_msg(call->aio, NULL);
        call->phase = HELD;
    }
    inbox_push(call->net->inbox, &call->item.inbox);
}

static void sent(struct net_call *call)
{
    struct net *net = call->net;
    struct net_conn *conn;

    if (nng_aio_result(call->aio)) {
        nng_msg_free(nng_aio_get_msg(call->aio));
        nng_aio_set_msg(call->aio, NULL);
    }
    pthread_mutex_lock(&net->mutex);
    conn = find_conn(net, call->pipe);
    if (conn)
        conn->unsent -= call->unsent;
    if (--net->n_sending == 0)
        pthread_cond_signal(&net->changed);
    pthread_mutex_unlock(&net->mutex);
    context_rest(call);
}

static void context_done(void *arg)
{
    struct net_call *call = arg;

    if (call->phase == RECEIVING)
        received(call);
    else
        sent(call);
}

static struct net_call *context_new(struct net *net)
{
    struct net_call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    call->net = net;
    call->item.kind = ITEM_CONTEXT;
    if (nng_ctx_open(&call->ctx, net->socket)) {
        free(call);
        return NULL;
    }
    if (nng_aio_alloc(&call->aio, context_done, call)) {
        nng_ctx_close(call->ctx);
        free(call);
        return NULL;
    }
    nng_aio_set_timeout(call->aio, NNG_DURATION_INFINITE);
    LIST_INSERT_HEAD(&net->all, call, all);
    return call;
}

/* Waits for a callback that is running. */
static void context_free(struct net_call *call)
{
    LIST_REMOVE(call, all);
    nng_aio_stop(call->aio);
    nng_ctx_close(call->ctx);
    nng_aio_free(call->aio);
    nng_msg_free(call->msg);
    free(call);
}

static void context_keep(struct net_call *call)
{
    struct net *net = call->net;

    if (net->n_spare >= N_SPARE) {
        context_free(call);
        return;
    }
    SLIST_INSERT_HEAD(&net->spare, call, spare);
    net->n_spare++;
}

/* So that somebody is always receiving, however many are held. */
static void top_up(struct net *net)
{
    struct net_call *call;

    if (atomic_load(&net->quiet) || atomic_load(&net->n_receiving) > N_RECEIVING / 2)
        return;
    while (atomic_load(&net->n_receiving) < N_RECEIVING) {
        call = SLIST_FIRST(&net->spare);
        if (call) {
            SLIST_REMOVE_HEAD(&net->spare, spare);
            net->n_spare--;
        } else if (!(call = context_new(net))) {
            return;
        }
        context_receive(call);
    }
}

/* ---- Calls --------------------------------------------------------------------------------- */

static void net_park(struct call *base)
{
    struct net_call *call = (struct net_call *)base;

    nng_msg_free(take_ptr(call->msg));
}

static void net_drop(struct call *base)
{
    struct net_call *call = (struct net_call *)base;

    net_park(base);
    if (!call->net->closing)
        context_rest(call); /* to receive is to forget the request before */
}

static void conn_close(struct net_conn *conn)
{
    conn->closing = true;
    nng_pipe_close((nng_pipe){conn->pipe});
}

static size_t conn_memory(struct net_conn *conn)
{
    struct net *net = conn->net;
    size_t unsent;

    pthread_mutex_lock(&net->mutex);
    unsent = conn->unsent;
    pthread_mutex_unlock(&net->mutex);
    return sizeof(*conn) + unsent;
}

/* What was counted last may have been written since, without the loop. */
static void conn_shut(struct share_member *member)
{
    struct net_conn *conn = container_of(member, struct net_conn, member);
    size_t memory = conn_memory(conn);

    if (memory < member->memory) {
        share_resize(member, memory);
        return;
    }
    share_resize(member, 0);
    conn_close(conn);
}

/*
 * Who does not read has what he asked for pile up here, on his user's account. (Of each connection
 * one message that nng is reading and one that it is writing are not counted.)
 */
static void conn_weigh(struct net_conn *conn)
{
    if (conn->closing || !conn->member.share)
        return;
    share_resize(&conn->member, conn_memory(conn));
    share_relieve(conn->member.share);
}

static void net_reply(struct call *base, const void *data, size_t len)
{
    struct net_call *call = (struct net_call *)base;
    struct net_conn *conn = (struct net_conn *)base->conn;
    struct net *net = call->net;
    nng_msg *msg;

    if (nng_msg_alloc(&msg, len)) {
        /* It shall not wait for ever: on its next connection it asks again. */
        conn_close(conn);
        net_drop(base);
        return;
    }
    if (len)
        memcpy(nng_msg_body(msg), data, len);
    net_park(base);
    pthread_mutex_lock(&net->mutex);
    net->n_sending++;
    conn->unsent += len;
    pthread_mutex_unlock(&net->mutex);
    call->pipe = conn->pipe;
    call->unsent = len;
    call->phase = SENDING;
    nng_aio_set_msg(call->aio, msg);
    nng_ctx_send(call->ctx, call->aio);
    conn_weigh(conn);
}

static void message_free(void *msg)
{
    nng_msg_free(msg);
}

static void net_take_body(struct call *base, struct body_owner *ret)
{
    *ret = (struct body_owner){take_ptr(((struct net_call *)base)->msg), message_free};
}

static const struct transport_ops net_ops = {net_park, net_reply, net_drop, net_take_body};

/* ---- Connections --------------------------------------------------------------------------- */

static void net_conn_free(struct net_conn *conn)
{
    if (conn)
        free(conn->name);
    free(conn);
}

/* Whose certificate it is, if it is TLS: see peer_name.h. False: out of memory, or not verified. */
static bool peer_identify(struct net_conn *conn, nng_pipe pipe)
{
    struct caller *caller = &conn->base.caller;
    bool verified;
    int rv;

    peer_name_forget();
    rv = nng_pipe_get_bool(pipe, NNG_OPT_TLS_VERIFIED, &verified);
    if (rv == NNG_ENOTSUP)
        return true; /* tcp */
    if (rv || !verified)
        return false;
    conn->name = malloc(sizeof(*conn->name));
    if (!conn->name)
        return false;
    *conn->name = *peer_name_noted();
    caller->tls = true;
    caller->subject = *conn->name->subject ? conn->name->subject : NULL;
    caller->cn = *conn->name->cn ? conn->name->cn : NULL;
    return true;
}

static struct net_conn *net_conn_new(nng_pipe pipe)
{
    struct net_conn *conn = calloc(1, sizeof(*conn));

    if (conn && !peer_identify(conn, pipe))
        net_conn_free(take_ptr(conn));
    return conn;
}

/* On nng's thread, before any request of this connection. */
static void pipe_opened(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct net_conn *conn = net_conn_new(pipe);
    struct net *net = arg;

    (void)event;
    pthread_mutex_lock(&net->mutex);
    if (!conn || net->n_conns >= net->config->max_connections) {
        pthread_mutex_unlock(&net->mutex);
        net_conn_free(conn);
        nng_pipe_close(pipe);
        return;
    }
    conn->net = net;
    conn->pipe = pipe.id;
    conn->member.shut = conn_shut;
    conn->opened.kind = ITEM_OPENED;
    conn->closed.kind = ITEM_CLOSED;
    LIST_INSERT_HEAD(&net->buckets[pipe.id % N_BUCKETS], conn, bucket);
    net->n_conns++;
    inbox_push(net->inbox, &conn->opened.inbox);
    pthread_mutex_unlock(&net->mutex);
}

/* On nng's thread. A request that came before may still be on its way to the inbox. */
static void pipe_closed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct net *net = arg;
    struct net_conn *conn;

    (void)event;
    pthread_mutex_lock(&net->mutex);
    conn = find_conn(net, pipe.id);
    if (conn) {
        LIST_REMOVE(conn, bucket);
        net->n_conns--;
        inbox_push(net->inbox, &conn->closed.inbox);
    }
    pthread_mutex_unlock(&net->mutex);
}

static void context_arrived(struct net *net, struct net_call *call)
{
    struct net_conn *conn;

    if (call->phase == SPARE) {
        context_keep(call);
        return;
    }
    pthread_mutex_lock(&net->mutex);
    conn = find_conn(net, (uint32_t)nng_msg_get_pipe(call->msg).id);
    pthread_mutex_unlock(&net->mutex);
    /* A connection is freed on this thread only, so it stays while we are here. */
    if (!conn || conn->closing || atomic_load(&net->quiet))
        net_drop(&call->base);
    else
        conn_call(&conn->base, &call->base, nng_msg_body(call->msg), nng_msg_len(call->msg));
}

static void net_arrived(void *arg, struct inbox_item *inbox_item)
{
    struct item *item = (struct item *)inbox_item;
    struct net *net = arg;
    struct net_conn *conn;

    switch (item->kind) {
    case ITEM_CONTEXT:
        context_arrived(net, container_of(item, struct net_call, item));
        top_up(net);
        break;
    case ITEM_OPENED:
        conn = container_of(item, struct net_conn, opened);
        conn_open(net->ep, &conn->base, &net_ops);
        if (!net->closing && !conn_join(&conn->base, &conn->member))
            conn_close(conn);
        break;
    case ITEM_CLOSED:
        conn = container_of(item, struct net_conn, closed);
        if (net->closing)
            conn_drop_calls(&conn->base);
        else
            conn_gone(&conn->base);
        share_leave(&conn->member);
        net_conn_free(conn);
        break;
    }
}

/* ---- Listening ----------------------------------------------------------------------------- */

/* nng's threads are to take no signals: they inherit the mask of whoever starts them. */
static void signals_block(sigset_t *ret_before)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

enum aw_err net_listen(struct net *net, const char *url, bool tls, struct aw_error *err)
{
    sigset_t before;
    enum aw_err e;

    signals_block(&before);
    e = net_listener_start(net->socket, net->config, url, tls, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    top_up(net);
    return e;
}

/* ---- The whole ----------------------------------------------------------------------------- */

static pid_t nng_user; /* the process in which nng's threads are */
static atomic_bool nng_hangs;

/* Last of all, for leak checkers. Not in a forked child: the threads are not there. */
static void nng_end(void)
{
    if (getpid() == nng_user && !atomic_load(&nng_hangs))
        nng_fini();
}

static int socket_open(struct net *net)
{
    sigset_t before;
    int rv;

    signals_block(&before);
    rv = nng_rep0_open(&net->socket);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!nng_user)
        atexit(nng_end);
    nng_user = getpid();
    if (rv)
        return rv;
    rv = nng_pipe_notify(net->socket, NNG_PIPE_EV_ADD_PRE, pipe_opened, net);
    if (!rv)
        rv = nng_pipe_notify(net->socket, NNG_PIPE_EV_REM_POST, pipe_closed, net);
    if (rv)
        nng_close(net->socket);
    return rv;
}

enum aw_err net_new(struct endpoint *ep, struct event_base *base,
                    const struct endpoint_config *config, struct net **ret, struct aw_error *err)
{
    struct net *net = calloc(1, sizeof(*net));
    enum aw_err e;
    int rv;

    if (!net)
        return aw_fail(err, AW_ERR_NO_MEMORY, "endpoint: out of memory");
    net->ep = ep;
    net->config = config;
    LIST_INIT(&net->all);
    SLIST_INIT(&net->spare);
    e = inbox_new(base, net_arrived, net, &net->inbox, err);
    if (!e && (rv = socket_open(net))) {
        inbox_free(net->inbox);
        e = aw_fail(err, AW_ERR_SYSTEM, "nng does not start: %s", nng_strerror(rv));
    }
    if (e) {
        free(net);
        return e;
    }
    pthread_mutex_init(&net->mutex, NULL);
    pthread_cond_init(&net->changed, NULL);
    *ret = net;
    return AW_OK;
}

/* What arrives from now on is dropped, and its context rests. */
void net_quiet(struct net *net)
{
    atomic_store(&net->quiet, true);
}

static struct timespec timespec_in(int64_t us)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_sec += us / 1000000;
    ts.tv_nsec += us % 1000000 * 1000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

static void wait_sent(struct net *net, int64_t deadline_us)
{
    struct timespec until = timespec_in(MAX(deadline_us - boottime_us(), 0));

    pthread_mutex_lock(&net->mutex);
    while (net->n_sending && pthread_cond_timedwait(&net->changed, &net->mutex, &until) == 0)
        continue;
    pthread_mutex_unlock(&net->mutex);
}

static void *close_thread(void *arg)
{
    struct net *net = arg;

    nng_close(net->socket);
    pthread_mutex_lock(&net->mutex);
    net->closed = true;
    pthread_cond_signal(&net->changed);
    pthread_mutex_unlock(&net->mutex);
    return NULL;
}

/* nng_close() waits for all connections to be cleared away, and may never return (transport.h). */
static bool close_socket(struct net *net)
{
    struct timespec until = timespec_in(CLOSE_US);
    pthread_t thread;
    bool closed;

    if (pthread_create(&thread, NULL, close_thread, net))
        return false;
    pthread_mutex_lock(&net->mutex);
    while (!net->closed && pthread_cond_timedwait(&net->changed, &net->mutex, &until) == 0)
        continue;
    closed = net->closed;
    pthread_mutex_unlock(&net->mutex);
    if (closed)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    return closed;
}

void net_free(struct net *net, int64_t deadline_us)
{
    struct net_call *call;

    if (!net)
        return;
    net_quiet(net);
    net->closing = true;
    wait_sent(net, deadline_us);
    if (!close_socket(net)) {
        /* Its threads may still come back to `net`: it must stay. The process ends soon. */
        log_msg(LOG_WARNING, "nng does not close its connections; leaving them to the kernel");
        atomic_store(&nng_hangs, true);
        return;
    }
    LIST_FOREACH (call, &net->all, all) {
        nng_aio_stop(call->aio);
    }
    inbox_drain(net->inbox);
    while ((call = LIST_FIRST(&net->all)))
        context_free(call);
    inbox_free(net->inbox);
    pthread_cond_destroy(&net->changed);
    pthread_mutex_destroy(&net->mutex);
    free(net);
}
