/* A million jobs that wait: what they take, and what everything else takes beside them. */
#include <stdio.h>

#include "tests/bench/bench.h"
#include "tests/bench/peers.h"
#include "tests/bench/work.h"

#define DEEP    "deep"
#define N_DEEP  1e6
#define REFILL  100000 /* jobs that the daemon with few has at the beginning of a round */
#define MESSAGE 1000   /* jobs in one */

static const char *const flags[] = {"--slots", "2", "--max-queued", "100000000", NULL};

struct state {
    struct daemon few, many;
    struct codec_buf one, thousand;
    struct bytes body, body_1000;
    double bytes_each;
};

static void fill(struct state *s, const struct daemon *d, size_t n)
{
    (void)work_submits(d->socket, s->body_1000, 1, 4, (n + MESSAGE - 1) / MESSAGE);
}

/* Two daemons alike, one with the jobs and one without. */
static void open_two(struct bench *b)
{
    struct state *s = b->state = calloc(1, sizeof(*s));
    double before;

    if (!s)
        bench_die("scale");
    s->body = work_submit_body(&s->one, 1, "noop", DEEP);
    s->body_1000 = work_submit_body(&s->thousand, MESSAGE, "noop", DEEP);
    daemon_start(b, &s->few, "few", flags);
    daemon_start(b, &s->many, "many", flags);
    work_queue_paused(s->few.socket, DEEP);
    work_queue_paused(s->many.socket, DEEP);
    fill(s, &s->many, MESSAGE); /* all that is made once is there now */
    before = bench_memory(s->many.pid);
    fill(s, &s->many, bench_count(b, N_DEEP));
    s->bytes_each = (bench_memory(s->many.pid) - before) / (double)bench_count(b, N_DEEP);
}

static void close_all(struct bench *b)
{
    struct state *s = b->state;

    daemon_stop(&s->few);
    daemon_stop(&s->many);
    codec_buf_done(&s->one);
    codec_buf_done(&s->thousand);
    free(s);
}

static void memory_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    const struct state *s = b->state;

    *ret_awd = s->bytes_each;
    *ret_floor = 100;
}

static void submit_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;

    *ret_floor = work_submits(s->few.socket, s->body, 1, 64, bench_count(b, 20000));
    *ret_awd = work_submits(s->many.socket, s->body, 1, 64, bench_count(b, 20000));
}

static double started_in_a_second(const struct bench *b, const struct daemon *d)
{
    uint64_t before = work_stats(d->socket).succeeded;
    double start_us;

    work_queue_pause(d->socket, DEEP, false);
    start_us = bench_now_us();
    bench_rest(MIN(1.0, 10 * b->scale));
    work_queue_pause(d->socket, DEEP, true);
    start_us = bench_now_us() - start_us;
    return (double)(work_stats(d->socket).succeeded - before) * 1e6 / start_us;
}

static void dispatch_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;

    size_t refill = bench_count(b, REFILL);

    if (work_stats(s->few.socket).queued < refill)
        fill(s, &s->few, refill);
    *ret_floor = started_in_a_second(b, &s->few);
    *ret_awd = started_in_a_second(b, &s->many);
}

static void restart_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;
    double start_us;

    daemon_stop(&s->many);
    start_us = bench_now_us();
    daemon_start(b, &s->many, "many", flags);
    (void)work_round_trips(s->many.socket, "noop", 1, 1);
    *ret_awd = (bench_now_us() - start_us) / 1e3;
    *ret_floor = 500;
}

static void list_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;
    struct codec_buf buf = {0};
    struct list_req req;

    codec_defaults(&list_req_schema, &req);
    *ret_awd =
        work_submit_p50(s->many.socket, load_body(&buf, OP_LIST, &req), bench_count(b, 200)) / 1e3;
    *ret_floor = 10;
    codec_buf_done(&buf);
}

const struct bench_case scale_cases[] = {
    {"queued-memory", "each of 1,000,000 queued jobs", "B", "the goal", GOAL_AT_MOST, 1, open_two,
     memory_round, close_all, memory_peers},
    {"queued-submit", "64 submits outstanding with 1,000,000 jobs queued", "/s", "an empty queue",
     GOAL_AT_LEAST, 0.9, open_two, submit_round, close_all, NULL},
    {"queued-dispatch", "noops run in a second with 1,000,000 queued, 2 slots", "/s",
     "a tenth as many queued", GOAL_AT_LEAST, 0.9, open_two, dispatch_round, close_all, NULL},
    {"queued-restart", "restart with 1,000,000 queued, until a job has run", "ms", "the goal",
     GOAL_AT_MOST, 1, open_two, restart_round, close_all, restart_peers},
    {"queued-list", "the first page of list with 1,000,000 in the store", "ms", "the goal",
     GOAL_AT_MOST, 1, open_two, list_round, close_all, NULL},
    {0},
};
