#include <arpa/inet.h>
#include <string.h>

#include "tests/bench/peers.h"
#include "tests/bench/rig.h"

#define PATH "/usr/sbin/gearmand"
#define TOOL "/usr/bin/gearman"
#define HEAD 12

/* Of the protocol, https://gearman.org/protocol/. */
enum packet {
    CAN_DO = 1,
    PRE_SLEEP = 4,
    NOOP = 6,
    SUBMIT_JOB = 7,
    JOB_CREATED = 8,
    GRAB_JOB = 9,
    NO_JOB = 10,
    JOB_ASSIGN = 11,
    WORK_COMPLETE = 13,
    SUBMIT_JOB_BG = 18,
    WORK_DATA = 28,
};

struct gearmand {
    struct peer_server server;
    struct wire_addr addr;
    char dir[PEER_DIR_SIZE], log[PEER_DIR_SIZE + 16], pid_file[PEER_DIR_SIZE + 16];
    char db[PEER_DIR_SIZE + 32], port[16];
    uint8_t foreground[512], background[512];
    struct bytes submit, submit_bg;
    pid_t workers[2];
    size_t n_workers;
    double bytes_each;
};

/* ---- Packets -------------------------------------------------------------------------------- */

static uint32_t number_at(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return ntohl(v);
}

static void head_write(uint8_t *out, enum packet type, size_t len)
{
    uint32_t words[2] = {htonl(type), htonl((uint32_t)len)};

    memcpy(out, "\0REQ", 4);
    memcpy(out + 4, words, sizeof(words));
}

/* Octets of the first packet, with its head; 0: it is not complete. */
static size_t packet_len(const uint8_t *in, size_t len)
{
    size_t size = len >= HEAD ? HEAD + (size_t)number_at(in + 8) : 0;

    return size <= len ? size : 0;
}

/* The function, no identity, and a job. */
static struct bytes submit_write(uint8_t out[512], enum packet type)
{
    static const char head[] = "noop\0";

    head_write(out, type, sizeof(head) + PEER_JOB_SIZE);
    memcpy(out + HEAD, head, sizeof(head));
    memset(out + HEAD + sizeof(head), 'j', PEER_JOB_SIZE);
    return bytes_of(out, HEAD + sizeof(head) + PEER_JOB_SIZE);
}

static size_t take_created(const uint8_t *in, size_t len)
{
    size_t size = packet_len(in, len);

    if (size && number_at(in + 4) != JOB_CREATED)
        bench_fail("gearmand: packet %u in place of JOB_CREATED", number_at(in + 4));
    return size;
}

/* Up to and with the first WORK_COMPLETE; other jobs may have been created in between. */
static size_t take_complete(const uint8_t *in, size_t len)
{
    size_t at = 0, size;

    while ((size = packet_len(in + at, len - at))) {
        uint32_t type = number_at(in + at + 4);

        at += size;
        if (type == WORK_COMPLETE)
            return at;
        if (type != JOB_CREATED && type != WORK_DATA)
            bench_fail("gearmand: packet %u in place of WORK_COMPLETE", type);
    }
    return 0;
}

/* ---- A worker that does nothing ------------------------------------------------------------- */

static void packet_send(struct wire *w, enum packet type, const void *body, size_t len)
{
    uint8_t out[512];

    head_write(out, type, len);
    memcpy(out + HEAD, body, MIN(len, sizeof(out) - HEAD));
    wire_write(w, out, HEAD + len);
}

/* The job's handle comes first in it, and "handle\0" is what the end of the job is told with. */
static void job_done(struct wire *w, const uint8_t *packet)
{
    uint8_t out[512];
    size_t len = strlen((const char *)packet + HEAD) + 1;

    if (len > 256)
        bench_fail("gearmand: a handle of %zu octets", len);
    head_write(out, WORK_COMPLETE, len);
    memcpy(out + HEAD, packet + HEAD, len);
    head_write(out + HEAD + len, GRAB_JOB, 0);
    wire_write(w, out, 2 * HEAD + len);
}

static void worker_run(const void *arg)
{
    const struct gearmand *g = arg;
    struct wire w = wire_open(&g->addr);

    packet_send(&w, CAN_DO, "noop", 4);
    packet_send(&w, GRAB_JOB, "", 0);
    for (;;) {
        size_t size = packet_len(w.in, w.len);
        uint32_t type = size ? number_at(w.in + 4) : 0;

        if (!size) {
            wire_fill(&w);
            continue;
        }
        if (type == JOB_ASSIGN)
            job_done(&w, w.in);
        else if (type == NO_JOB)
            packet_send(&w, PRE_SLEEP, "", 0);
        else if (type == NOOP)
            packet_send(&w, GRAB_JOB, "", 0);
        wire_taken(&w, size);
    }
}

/* ---- The server ----------------------------------------------------------------------------- */

bool gearmand_can(char why[128])
{
    return peer_can_run(PATH, why);
}

bool gearmand_can_sqlite(char why[128])
{
    return gearmand_can(why);
}

bool gearmand_can_programs(char why[128])
{
    return gearmand_can(why) && peer_can_run(TOOL, why);
}

static struct gearmand *open_with(struct bench *b, bool sqlite)
{
    struct gearmand *g = calloc(1, sizeof(*g));
    const char *argv[20] = {PATH, "-L", "127.0.0.1", "-p"};
    size_t n = 4;
    int port;

    if (!g)
        bench_die("gearmand");
    peer_dir_make(b, "gearmand", g->dir);
    g->addr = wire_tcp_free(&port);
    snprintf(g->port, sizeof(g->port), "%d", port);
    snprintf(g->log, sizeof(g->log), "%s/log", g->dir);
    snprintf(g->pid_file, sizeof(g->pid_file), "%s/pid", g->dir);
    snprintf(g->db, sizeof(g->db), "--libsqlite3-db=%s/db", g->dir);
    argv[n++] = g->port;
    argv[n++] = "-l";
    argv[n++] = g->log;
    argv[n++] = "-P";
    argv[n++] = g->pid_file;
    if (sqlite) {
        argv[n++] = "-q";
        argv[n++] = "libsqlite3";
        argv[n++] = g->db;
    }
    g->submit = submit_write(g->foreground, SUBMIT_JOB);
    g->submit_bg = submit_write(g->background, SUBMIT_JOB_BG);
    g->server = peer_start(b, "gearmand", argv, &g->addr);
    return g;
}

void *gearmand_open_sqlite(struct bench *b)
{
    return open_with(b, true);
}

void *gearmand_open_worker(struct bench *b)
{
    struct gearmand *g = open_with(b, false);

    g->workers[g->n_workers++] = rig_fork(worker_run, g);
    return g;
}

void *gearmand_open_programs(struct bench *b)
{
    struct gearmand *g = open_with(b, false);
    const char *const argv[] = {TOOL, "-h",   "127.0.0.1", "-p",        g->port, "-w",
                                "-f", "noop", "--",        "/bin/true", NULL};

    while (g->n_workers < 2)
        g->workers[g->n_workers++] = rig_start(argv, g->log);
    return g;
}

void gearmand_close(void *state)
{
    struct gearmand *g = state;

    while (g->n_workers > 0)
        rig_end(g->workers[--g->n_workers]);
    peer_stop(&g->server);
    free(g);
}

/* ---- Figures -------------------------------------------------------------------------------- */

double gearmand_submit_p50(struct bench *b, void *state)
{
    const struct gearmand *g = state;
    const struct wire_work work = {
        .addr = &g->addr, .request = g->submit_bg, .take = take_created, .n = bench_count(b, 1000)};

    return wire_p50(&work);
}

static double rate(const struct gearmand *g, struct bytes request, wire_take_fn take,
                   size_t n_conns, size_t outstanding, size_t n)
{
    const struct wire_work work = {.addr = &g->addr,
                                   .request = request,
                                   .take = take,
                                   .n_conns = n_conns,
                                   .outstanding = outstanding,
                                   .n = n};

    return wire_rate(&work);
}

/* A tenth of awd's: it syncs for each job, and more than once. */
double gearmand_submit_64(struct bench *b, void *state)
{
    const struct gearmand *g = state;

    return rate(g, g->submit_bg, take_created, 64, 1, bench_count(b, 3000));
}

double gearmand_trip_p50(struct bench *b, void *state)
{
    const struct gearmand *g = state;
    const struct wire_work work = {
        .addr = &g->addr, .request = g->submit, .take = take_complete, .n = bench_count(b, 2000)};

    return wire_p50(&work);
}

double gearmand_trips_64(struct bench *b, void *state)
{
    const struct gearmand *g = state;

    return rate(g, g->submit, take_complete, 64, 1, bench_count(b, 10000));
}

double gearmand_programs(struct bench *b, void *state)
{
    const struct gearmand *g = state;
    size_t n = bench_count(b, 2000);

    return rate(g, g->submit, take_complete, 1, n, n);
}

/* ---- A million ------------------------------------------------------------------------------ */

void *gearmand_open_filled(struct bench *b)
{
    struct gearmand *g = open_with(b, false);
    size_t n = bench_count(b, 1e6);
    double before;

    rate(g, g->submit_bg, take_created, 1, PEER_FILL,
         1000); /* all that is made once is there now */
    before = bench_memory(g->server.pid);
    rate(g, g->submit_bg, take_created, 1, PEER_FILL, n);
    g->bytes_each = (bench_memory(g->server.pid) - before) / (double)n;
    return g;
}

double gearmand_memory(struct bench *b, void *state)
{
    const struct gearmand *g = state;

    (void)b;
    return g->bytes_each;
}
