#include "daemon/endpoint.h"

#include <arpa/inet.h>
#include <event2/event.h>

#include "daemon/transports/transport.h"

#define STALL_MS  10000
#define LINGER_MS 500

struct endpoint {
    struct event_base *base;
    struct endpoint_config config;
    char *cert, *ca; /* what `config` points to */
    endpoint_call_fn on_call;
    endpoint_gone_fn on_gone;
    void *arg;
    struct transport *transport;
    uint32_t last_pipe;
    struct endpoint_stats stats;
};

/* ---- Connections and calls, for the transports ------------------------------------------- */

void conn_open(struct endpoint *ep, struct conn *conn, const struct transport_ops *ops)
{
    conn->ep = ep;
    conn->ops = ops;
    conn->caller.pipe = ++ep->last_pipe;
    conn->caller.n_inflight = 0;
    LIST_INIT(&conn->calls);
    ep->stats.connections++;
}

uint32_t endpoint_whose(const struct endpoint *ep, const struct caller *caller)
{
    return ep->config.whose ? ep->config.whose(ep->arg, caller) : UINT32_MAX;
}

void conn_call(struct conn *conn, struct call *call, const void *body, size_t len)
{
    call->conn = conn;
    call->user = NULL;
    LIST_INSERT_HEAD(&conn->calls, call, entry);
    conn->caller.n_inflight++;
    conn->ep->stats.unanswered++;
    conn->ep->stats.requests++;
    conn->ep->on_call(conn->ep->arg, call, body, len);
}

static void call_forget(struct call *call)
{
    LIST_REMOVE(call, entry);
    call->conn->caller.n_inflight--;
    call->conn->ep->stats.unanswered--;
}

void conn_gone(struct conn *conn)
{
    struct call *call;

    while ((call = LIST_FIRST(&conn->calls))) {
        call_forget(call);
        conn->ep->on_gone(conn->ep->arg, call);
        conn->ops->drop(call);
    }
    conn->ep->stats.connections--;
}

void conn_drop_calls(struct conn *conn)
{
    struct call *call;

    while ((call = LIST_FIRST(&conn->calls))) {
        call_forget(call);
        conn->ops->drop(call);
    }
    conn->ep->stats.connections--;
}

const struct caller *call_caller(const struct call *call)
{
    return &call->conn->caller;
}

void call_set_user(struct call *call, void *user)
{
    call->user = user;
}

void *call_user(const struct call *call)
{
    return call->user;
}

void call_take_body(struct call *call, struct body_owner *ret)
{
    call->conn->ops->take_body(call, ret);
}

void call_park(struct call *call)
{
    call->conn->ops->park(call);
}

void call_reply(struct call *call, const void *data, size_t len)
{
    call_forget(call);
    call->conn->ops->reply(call, data, len);
}

/* ---- URLs ---------------------------------------------------------------------------------- */

#define IPC "ipc://"
#define TLS "tls+tcp://"
#define TCP "tcp://"

static bool begins(const char *url, const char *scheme)
{
    return !strncmp(url, scheme, strlen(scheme));
}

/* "127.0.0.1:5000" or "[::1]:5000": is the host an address, and of the loopback? */
static bool host_is_loopback(const char *host_port)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *end = strrchr(host_port, ':');
    struct in6_addr six;
    struct in_addr four;
    size_t len;

    if (!end || !end[1] || strspn(end + 1, "0123456789") != strlen(end + 1))
        return false;
    len = (size_t)(end - host_port);
    if (len >= sizeof(host))
        return false;
    memcpy(host, host_port, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (len < 2 || host[0] != '[' || host[len - 1] != ']')
        return false;
    host[len - 1] = '\0';
    return inet_pton(AF_INET6, host + 1, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static enum aw_err check_tcp(const struct endpoint_config *config, const char *url,
                             struct aw_error *err)
{
    if (!host_is_loopback(url + strlen(TCP)))
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on '%.80s': plain tcp is for this machine alone, as in "
                       "tcp://127.0.0.1:5000 or tcp://[::1]:5000; others use tls+tcp://",
                       url);
    if (!config->allow_plain_tcp)
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on '%.80s': over tcp anybody on this machine could submit "
                       "jobs; allow_plain_tcp = yes permits that",
                       url);
    return AW_OK;
}

enum aw_err endpoint_check_url(const struct endpoint_config *config, const char *url,
                               struct aw_error *err)
{
    if (begins(url, TCP))
        return check_tcp(config, url, err);
    if (begins(url, TLS)) {
        if (config->tls_cert_key_file && config->tls_ca_file)
            return AW_OK;
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on '%.80s': TLS needs a certificate (tls_cert) and the "
                       "authority that signs clients' certificates (tls_ca)",
                       url);
    }
    if (!begins(url, IPC))
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on '%.80s': a URL begins with " IPC ", " TLS " or " TCP, url);
    if (url[strlen(IPC)] != '/')
        return aw_fail(err, AW_ERR_INVALID,
                       "cannot listen on '%.80s': the path must be absolute, as in "
                       "ipc:///run/awd/awd.sock",
                       url);
    return AW_OK;
}

enum aw_err endpoint_listen(struct endpoint *ep, const char *url, struct aw_error *err)
{
    enum aw_err e = endpoint_check_url(&ep->config, url, err);
    enum socket_kind kind = begins(url, IPC)   ? SOCKET_IPC
                            : begins(url, TLS) ? SOCKET_TLS
                                               : SOCKET_TCP;

    return e ? e : transport_listen(ep->transport, kind, url, strstr(url, "://") + 3, err);
}

/* ---- The endpoint -------------------------------------------------------------------------- */

static bool copy_config(struct endpoint *ep, const struct endpoint_config *config)
{
    ep->config = *config;
    if (config->tls_cert_key_file && !(ep->cert = strdup(config->tls_cert_key_file)))
        return false;
    if (config->tls_ca_file && !(ep->ca = strdup(config->tls_ca_file)))
        return false;
    ep->config.stall_ms = config->stall_ms ? config->stall_ms : STALL_MS;
    ep->config.linger_ms = config->linger_ms ? config->linger_ms : LINGER_MS;
    ep->config.tls_cert_key_file = ep->cert;
    ep->config.tls_ca_file = ep->ca;
    return true;
}

enum aw_err endpoint_new(struct event_base *base, const struct endpoint_config *config,
                         endpoint_call_fn on_call, endpoint_gone_fn on_gone, void *arg,
                         struct endpoint **ret, struct aw_error *err)
{
    struct endpoint *ep = calloc(1, sizeof(*ep));

    if (ep) {
        ep->base = base;
        ep->on_call = on_call;
        ep->on_gone = on_gone;
        ep->arg = arg;
        if (copy_config(ep, config))
            ep->transport = transport_new(ep, base, &ep->config);
    }
    if (!ep || !ep->transport) {
        endpoint_free(ep);
        return aw_fail(err, AW_ERR_NO_MEMORY, "endpoint: out of memory");
    }
    *ret = ep;
    return AW_OK;
}

void endpoint_set_admin_group(struct endpoint *ep, const uint32_t *gid)
{
    transport_set_admin_group(ep->transport, gid);
}

void endpoint_quiet(struct endpoint *ep)
{
    transport_quiet(ep->transport);
}

void endpoint_free(struct endpoint *ep)
{
    if (!ep)
        return;
    transport_free(ep->transport, boottime_us() + ep->config.linger_ms * INT64_C(1000));
    free(ep->cert);
    free(ep->ca);
    free(ep);
}

void endpoint_stats(const struct endpoint *ep, struct endpoint_stats *ret)
{
    *ret = ep->stats;
}

void endpoint_users(const struct endpoint *ep, void (*fn)(void *arg, const struct share_user *user),
                    void *arg)
{
    transport_users(ep->transport, fn, arg);
}
