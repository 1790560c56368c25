#include <string.h>

#include "tests/bench/peers.h"

#define PATH "/usr/bin/beanstalkd"

struct beanstalkd {
    struct peer_server server;
    struct wire_addr addr;
    const char *argv[8];
    char dir[PEER_DIR_SIZE], listen[PEER_DIR_SIZE + 8];
    uint8_t request[512];
    struct bytes put;
    double bytes_each;
};

bool beanstalkd_can(char why[128])
{
    return peer_can_run(PATH, why);
}

static struct beanstalkd *open_synced(struct bench *b, const char *sync)
{
    struct beanstalkd *s = calloc(1, sizeof(*s));
    int len;

    if (!s)
        bench_die("beanstalkd");
    peer_dir_make(b, "beanstalkd", s->dir);
    snprintf(s->listen, sizeof(s->listen), "unix:%s/s", s->dir);
    s->addr = wire_unix(s->listen + strlen("unix:"));
    memcpy(s->argv, ((const char *const[]){PATH, "-b", s->dir, sync, "-l", s->listen, NULL}),
           7 * sizeof(*s->argv));
    len = snprintf((char *)s->request, sizeof(s->request), "put 0 0 120 %d\r\n", PEER_JOB_SIZE);
    memset(s->request + len, 'j', PEER_JOB_SIZE);
    memcpy(s->request + len + PEER_JOB_SIZE, "\r\n", 2);
    s->put = bytes_of(s->request, (size_t)len + PEER_JOB_SIZE + 2);
    s->server = peer_start(b, "beanstalkd", s->argv, &s->addr);
    return s;
}

void *beanstalkd_open(struct bench *b)
{
    return open_synced(b, "-f0");
}

void beanstalkd_close(void *state)
{
    struct beanstalkd *s = state;

    peer_stop(&s->server);
    free(s);
}

/* A line that begins with this word. */
static size_t take_line(const uint8_t *in, size_t len, const char *word)
{
    const uint8_t *end = len ? memchr(in, '\n', len) : NULL;

    if (!end)
        return 0;
    if (len < strlen(word) || memcmp(in, word, strlen(word)) != 0)
        bench_fail("beanstalkd: %.*s", (int)(end - in), (const char *)in);
    return (size_t)(end - in) + 1;
}

static size_t take_inserted(const uint8_t *in, size_t len)
{
    return take_line(in, len, "INSERTED");
}

static size_t take_deleted(const uint8_t *in, size_t len)
{
    return take_line(in, len, "DELETED");
}

/* The line and the job behind it. */
static size_t take_reserved(const uint8_t *in, size_t len)
{
    size_t size = take_line(in, len, "RESERVED");

    return size && len >= size + PEER_JOB_SIZE + 2 ? size + PEER_JOB_SIZE + 2 : 0;
}

double beanstalkd_submit_p50(struct bench *b, void *state)
{
    const struct beanstalkd *s = state;
    const struct wire_work work = {
        .addr = &s->addr, .request = s->put, .take = take_inserted, .n = bench_count(b, 2000)};

    return wire_p50(&work);
}

static void submits(const struct beanstalkd *s, size_t n_conns, size_t outstanding, size_t n,
                    double *ret_rate)
{
    const struct wire_work work = {.addr = &s->addr,
                                   .request = s->put,
                                   .take = take_inserted,
                                   .n_conns = n_conns,
                                   .outstanding = outstanding,
                                   .n = n};

    *ret_rate = wire_rate(&work);
}

/* A tenth of awd's: it syncs for each job. */
double beanstalkd_submit_64(struct bench *b, void *state)
{
    double rate;

    submits(state, 64, 1, bench_count(b, 3000), &rate);
    return rate;
}

/* ---- Round trips ---------------------------------------------------------------------------- */

/* Takes a job and returns its number. */
static unsigned long long reserve(struct wire *w)
{
    unsigned long long id;
    size_t size;

    wire_write(w, "reserve\r\n", 9);
    while (!(size = take_reserved(w->in, w->len)))
        wire_fill(w);
    id = strtoull((const char *)w->in + strlen("RESERVED "), NULL, 10);
    wire_taken(w, size);
    return id;
}

static void trip(const struct beanstalkd *s, struct wire *w)
{
    char text[64];
    int len;

    wire_ask(w, s->put, take_inserted);
    len = snprintf(text, sizeof(text), "delete %llu\r\n", reserve(w));
    wire_ask(w, bytes_of((const uint8_t *)text, (size_t)len), take_deleted);
}

double beanstalkd_trip_p50(struct bench *b, void *state)
{
    const struct beanstalkd *s = state;
    struct wire w = wire_open(&s->addr);
    struct samples samples = {0};

    for (size_t n = bench_count(b, 2000); n > 0; n--) {
        double start_us = bench_now_us();

        trip(s, &w);
        samples_add(&samples, bench_now_us() - start_us);
    }
    wire_close(&w);
    return samples_p50(&samples);
}

/* ---- A million ------------------------------------------------------------------------------ */

void *beanstalkd_open_filled(struct bench *b)
{
    struct beanstalkd *s = open_synced(b, "-f50");
    size_t n = bench_count(b, 1e6);
    double before, rate;

    submits(s, 1, PEER_FILL, 1000, &rate); /* all that is made once is there now */
    before = bench_memory(s->server.pid);
    submits(s, 1, PEER_FILL, n, &rate);
    s->bytes_each = (bench_memory(s->server.pid) - before) / (double)n;
    return s;
}

double beanstalkd_memory(struct bench *b, void *state)
{
    const struct beanstalkd *s = state;

    (void)b;
    return s->bytes_each;
}

double beanstalkd_restart(struct bench *b, void *state)
{
    struct beanstalkd *s = state;
    double start_us;
    struct wire w;

    peer_stop(&s->server);
    start_us = bench_now_us();
    s->server = peer_start(b, "beanstalkd", s->argv, &s->addr);
    w = wire_open(&s->addr);
    (void)reserve(&w);
    wire_close(&w);
    return (bench_now_us() - start_us) / 1e3;
}
