/*
 * endpoint_rig.h - a server on the endpoint that does what the first letters of a body say, and the
 * fixtures of its tests, over ipc, tcp and TLS.
 */
#ifndef AW_ENDPOINT_RIG_H
#define AW_ENDPOINT_RIG_H

#include <sys/resource.h>

#include "proto/limits.h"
#include "tests/unit/tls_client.h"

/* What the server of a test does with its calls: the body's first letter says. */
static struct call *parked[20000];
static unsigned n_parked, n_gone;
static _Atomic unsigned n_calls; /* clients look at it */
static struct caller last_caller;
static char last_subject[200], last_cn[200];

/* A body that outlives its call. */
static const char *kept_body;
static struct body_owner kept;

static inline void unpark(struct call *call)
{
    size_t i = (size_t)(uintptr_t)call_user(call);

    parked[i] = parked[--n_parked];
    if (i < n_parked)
        call_set_user(parked[i], (void *)(uintptr_t)i);
}

static inline void on_gone(void *arg, struct call *call)
{
    (void)arg;
    if (call_user(call) == &kept)
        call_take_body(call, &kept);
    else
        unpark(call);
    n_gone++;
}

/* "park": kept. "body": not even answered, and its body is wanted. "big N": answered with N bytes.
 * Everything else: echo. */
static inline void on_call(void *arg, struct call *call, const void *body, size_t len)
{
    char text[32] = "";
    size_t size;
    char *big;

    (void)arg;
    n_calls++;
    last_caller = *call_caller(call);
    snprintf(last_subject, sizeof(last_subject), "%s", last_caller.subject ?: "");
    snprintf(last_cn, sizeof(last_cn), "%s", last_caller.cn ?: "");
    memcpy(text, body, MIN(len, sizeof(text) - 1));
    if (!strncmp(text, "park", 4)) {
        ck_assert_uint_lt(n_parked, ARRAY_SIZE(parked));
        call_set_user(call, (void *)(uintptr_t)n_parked);
        parked[n_parked++] = call;
        call_park(call);
    } else if (!strncmp(text, "body", 4)) {
        call_set_user(call, &kept);
        kept_body = body;
    } else if (sscanf(text, "big %zu", &size) == 1) {
        big = calloc(1, size);
        call_reply(call, big, size);
        free(big);
    } else {
        call_reply(call, body, len);
    }
}

static inline void release(unsigned count)
{
    while (count-- && n_parked)
        call_reply(parked[--n_parked], "now", 3);
}

static inline void start(void)
{
    struct endpoint_config config = default_config();

    server_start(&config, on_call, on_gone);
}

/* So many files that hundreds of clients can be in this process, too. */
static inline void start_for_many(void)
{
    struct rlimit files;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = MIN(files.rlim_max, 8192);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    server_stop();
    start();
}

static inline void setup_ipc(void)
{
    use_tcp = false;
    start();
}

static inline void setup_tcp(void)
{
    use_tcp = true;
    start();
}

static inline void setup_tls(void)
{
    use_tcp = true;
    tls_cert = strdup(in_certs("server.pem"));
    tls_ca = strdup(in_certs("ours.pem"));
    client_wrap = tls_client_wrap;
    start();
}

static inline void teardown_tls(void)
{
    server_stop();
    pumps_join();
    free((char *)tls_cert);
    free((char *)tls_ca);
    tls_cert = tls_ca = NULL;
    client_wrap = NULL;
}

static inline unsigned connections(void)
{
    struct endpoint_stats stats;

    endpoint_stats(endpoint, &stats);
    return stats.connections;
}

#endif
