#include <string.h>

#include "tests/bench/peers.h"

#define PATH    "/usr/bin/redis-server"
#define HUNDRED 100

struct redis {
    struct peer_server server;
    struct wire_addr addr;
    const char *argv[24];
    char dir[PEER_DIR_SIZE], socket[PEER_DIR_SIZE + 8];
    uint8_t request[512], hundred[HUNDRED * 512];
    struct bytes push, push_100;
    double bytes_each;
};

bool redis_can(char why[128])
{
    return peer_can_run(PATH, why);
}

static void argv_make(struct redis *r)
{
    const char *const argv[] = {PATH,      "--port",
                                "0",       "--unixsocket",
                                r->socket, "--dir",
                                r->dir,    "--save",
                                "",        "--appendonly",
                                "yes",     "--appendfsync",
                                "always",  "--auto-aof-rewrite-percentage",
                                "0",       "--maxclients",
                                "2000",    NULL};

    memcpy(r->argv, argv, sizeof(argv));
}

static void requests_make(struct redis *r)
{
    char value[PEER_JOB_SIZE + 1];
    int len;

    memset(value, 'j', PEER_JOB_SIZE);
    value[PEER_JOB_SIZE] = '\0';
    len = snprintf((char *)r->request, sizeof(r->request),
                   "*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$%d\r\n%s\r\n", PEER_JOB_SIZE, value);
    r->push = bytes_of(r->request, (size_t)len);
    for (size_t i = 0; i < HUNDRED; i++)
        memcpy(r->hundred + i * r->push.len, r->push.data, r->push.len);
    r->push_100 = bytes_of(r->hundred, HUNDRED * r->push.len);
}

void *redis_open(struct bench *b)
{
    struct redis *r = calloc(1, sizeof(*r));

    if (!r)
        bench_die("redis");
    peer_dir_make(b, "redis", r->dir);
    snprintf(r->socket, sizeof(r->socket), "%s/s", r->dir);
    r->addr = wire_unix(r->socket);
    argv_make(r);
    requests_make(r);
    r->server = peer_start(b, "redis", r->argv, &r->addr);
    return r;
}

void redis_close(void *state)
{
    struct redis *r = state;

    peer_stop(&r->server);
    free(r);
}

/* ":1\r\n", how long the list is now. */
static size_t take_integer(const uint8_t *in, size_t len)
{
    const uint8_t *end = len ? memchr(in, '\n', len) : NULL;

    if (!end)
        return 0;
    if (in[0] != ':')
        bench_fail("redis: %.*s", (int)(end - in), (const char *)in);
    return (size_t)(end - in) + 1;
}

static size_t take_integers(const uint8_t *in, size_t len)
{
    size_t at = 0, size;

    for (int i = 0; i < HUNDRED; i++, at += size)
        if (!(size = take_integer(in + at, len - at)))
            return 0;
    return at;
}

double redis_submit_p50(struct bench *b, void *state)
{
    const struct redis *r = state;
    const struct wire_work work = {
        .addr = &r->addr, .request = r->push, .take = take_integer, .n = bench_count(b, 2000)};

    return wire_p50(&work);
}

static double submits(const struct redis *r, size_t n_conns, size_t outstanding, size_t n)
{
    const struct wire_work work = {.addr = &r->addr,
                                   .request = r->push,
                                   .take = take_integer,
                                   .n_conns = n_conns,
                                   .outstanding = outstanding,
                                   .n = n};

    return wire_rate(&work);
}

double redis_submit_64(struct bench *b, void *state)
{
    return submits(state, 64, 1, bench_count(b, 30000));
}

double redis_submit_256(struct bench *b, void *state)
{
    return submits(state, 256, 1, bench_count(b, 30000));
}

double redis_submit_1024(struct bench *b, void *state)
{
    return submits(state, 1024, 1, bench_count(b, 30000));
}

double redis_pipelined_64(struct bench *b, void *state)
{
    return submits(state, 1, 64, bench_count(b, 30000));
}

double redis_submit_hundreds(struct bench *b, void *state)
{
    const struct redis *r = state;
    const struct wire_work work = {.addr = &r->addr,
                                   .request = r->push_100,
                                   .take = take_integers,
                                   .n_conns = 64,
                                   .outstanding = 1,
                                   .n = bench_count(b, 2000)};

    return HUNDRED * wire_rate(&work);
}

/* ---- A million ------------------------------------------------------------------------------ */

void *redis_open_filled(struct bench *b)
{
    struct redis *r = redis_open(b);
    size_t n = bench_count(b, 1e6);
    double before;

    submits(r, 1, PEER_FILL, 1000); /* all that is made once is there now */
    before = bench_memory(r->server.pid);
    submits(r, 1, PEER_FILL, n);
    r->bytes_each = (bench_memory(r->server.pid) - before) / (double)n;
    return r;
}

double redis_memory(struct bench *b, void *state)
{
    const struct redis *r = state;

    (void)b;
    return r->bytes_each;
}

/* Whether there was a job to take. While it still reads its file, it says so. */
static bool job_taken(const struct redis *r)
{
    static const char pop[] = "*2\r\n$4\r\nRPOP\r\n$1\r\nq\r\n";
    struct wire w = wire_open(&r->addr);
    bool taken;

    wire_write(&w, pop, sizeof(pop) - 1);
    wire_fill(&w);
    taken = w.in[0] == '$' && w.in[1] != '-';
    if (!taken && (w.len < 8 || memcmp(w.in, "-LOADING", 8) != 0))
        bench_fail("redis: %.*s", (int)w.len, (const char *)w.in);
    wire_close(&w);
    return taken;
}

double redis_restart(struct bench *b, void *state)
{
    struct redis *r = state;
    double start_us;

    peer_stop(&r->server);
    start_us = bench_now_us();
    r->server = peer_start(b, "redis", r->argv, &r->addr);
    while (!job_taken(r))
        bench_rest(0.001);
    return (bench_now_us() - start_us) / 1e3;
}
