/* Durable submits: one by one, many outstanding, many in a message. */
#include "tests/bench/bench.h"
#include "tests/bench/peers.h"
#include "tests/bench/work.h"

struct state {
    struct daemon awd;
    struct codec_buf one, hundred;
    struct bytes body, body_100;
};

/* The jobs wait in a queue that starts none. */
static void open_paused(struct bench *b)
{
    static const char *const flags[] = {"--max-queued", "100000000", NULL};
    struct state *s = b->state = calloc(1, sizeof(*s));

    if (!s)
        bench_die("submit");
    daemon_start(b, &s->awd, "awd", flags);
    work_queue_paused(s->awd.socket, "paused");
    s->body = work_submit_body(&s->one, 1, "noop", "paused");
    s->body_100 = work_submit_body(&s->hundred, 100, "noop", "paused");
}

static void close_all(struct bench *b)
{
    struct state *s = b->state;

    daemon_stop(&s->awd);
    codec_buf_done(&s->one);
    codec_buf_done(&s->hundred);
    free(s);
}

static void one_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;
    double sync = floor_fdatasync(b->dir, bench_count(b, 1000));

    *ret_awd = work_submit_p50(s->awd.socket, s->body, bench_count(b, 2000));
    *ret_floor = (sync + floor_fdatasync(b->dir, bench_count(b, 1000))) / 2 +
                 floor_echo(bench_count(b, 2000), s->body.len);
}

static void outstanding_round(struct bench *b, size_t outstanding, double *ret_awd,
                              double *ret_floor)
{
    struct state *s = b->state;

    *ret_floor = floor_sqlite(b->dir, bench_count(b, 30000), outstanding);
    *ret_awd = work_submits(s->awd.socket, s->body, 1, outstanding, bench_count(b, 30000));
}

static void round_64(struct bench *b, double *ret_awd, double *ret_floor)
{
    outstanding_round(b, 64, ret_awd, ret_floor);
}

static void clients_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;

    *ret_floor = floor_sqlite(b->dir, bench_count(b, 30000), 64);
    *ret_awd = work_submits(s->awd.socket, s->body, 64, 1, bench_count(b, 30000));
}

static void round_256(struct bench *b, double *ret_awd, double *ret_floor)
{
    outstanding_round(b, 256, ret_awd, ret_floor);
}

static void round_1024(struct bench *b, double *ret_awd, double *ret_floor)
{
    outstanding_round(b, 1024, ret_awd, ret_floor);
}

static void hundreds_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;

    *ret_floor = floor_sqlite(b->dir, bench_count(b, 200000), 6400);
    *ret_awd = 100 * work_submits(s->awd.socket, s->body_100, 1, 64, bench_count(b, 2000));
}

const struct bench_case submit_cases[] = {
    {"submit-one", "one client, submit after submit", "us", "fdatasync + an echo", GOAL_AT_MOST,
     1.2, open_paused, one_round, close_all, submit_one_peers},
    {"submit-64", "64 submits outstanding on one connection", "/s",
     "SQLite alone, transactions of 64 rows", GOAL_NONE, 0, open_paused, round_64, close_all,
     submit_64_peers},
    {"submit-64-clients", "64 clients, each submit after submit", "/s",
     "SQLite alone, transactions of 64 rows", GOAL_NONE, 0, open_paused, clients_round, close_all,
     submit_clients_peers},
    {"submit-256", "256 submits outstanding on one connection", "/s", "SQLite alone, of 256",
     GOAL_NONE, 0, open_paused, round_256, close_all, submit_256_peers},
    {"submit-1024", "1,024 submits outstanding on one connection", "/s", "SQLite alone, of 1,024",
     GOAL_NONE, 0, open_paused, round_1024, close_all, submit_1024_peers},
    {"submit-hundreds", "messages of 100 jobs, 64 outstanding", "/s", "SQLite alone, of 6,400",
     GOAL_AT_LEAST, 0.8, open_paused, hundreds_round, close_all, submit_hundreds_peers},
    {0},
};
