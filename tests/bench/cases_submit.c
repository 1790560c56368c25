/* Durable submits: one by one, many outstanding, many in a message. */
#include "tests/bench/bench.h"
#include "tests/bench/work.h"

struct state {
    struct daemon awd;
    struct codec_buf one, hundred;
    struct bytes body, body_100;
};

static size_t count(const struct bench *b, double n)
{
    return (size_t)MAX(n * b->scale, 1.0);
}

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
    double sync = floor_fdatasync(b->dir, count(b, 1000));

    *ret_awd = work_submit_p50(s->awd.socket, s->body, count(b, 2000));
    *ret_floor = (sync + floor_fdatasync(b->dir, count(b, 1000))) / 2 +
                 work_echo_p50(s->awd.socket, count(b, 2000));
}

static void outstanding_round(struct bench *b, size_t outstanding, double *ret_awd,
                              double *ret_floor)
{
    struct state *s = b->state;

    *ret_floor = floor_sqlite(b->dir, count(b, 30000), outstanding);
    *ret_awd = work_submits(s->awd.socket, s->body, count(b, 30000), outstanding);
}

static void round_64(struct bench *b, double *ret_awd, double *ret_floor)
{
    outstanding_round(b, 64, ret_awd, ret_floor);
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

    *ret_floor = floor_sqlite(b->dir, count(b, 200000), 6400);
    *ret_awd = 100 * work_submits(s->awd.socket, s->body_100, count(b, 2000), 64);
}

const struct bench_case submit_cases[] = {
    {"submit-one", "one client, submit after submit", "us", "fdatasync + a question (hello)",
     GOAL_AT_MOST, 1.2, open_paused, one_round, close_all, NULL},
    {"submit-64", "64 submits outstanding", "/s", "SQLite alone, transactions of 64 rows",
     GOAL_NONE, 0, open_paused, round_64, close_all, NULL},
    {"submit-256", "256 submits outstanding", "/s", "SQLite alone, of 256", GOAL_NONE, 0,
     open_paused, round_256, close_all, NULL},
    {"submit-1024", "1,024 submits outstanding", "/s", "SQLite alone, of 1,024", GOAL_NONE, 0,
     open_paused, round_1024, close_all, NULL},
    {"submit-hundreds", "messages of 100 jobs, 64 outstanding", "/s", "SQLite alone, of 6,400",
     GOAL_AT_LEAST, 0.8, open_paused, hundreds_round, close_all, NULL},
    {0},
};
