/* Those who wait: many parked requests, completions as they come, and a daemon with nothing to do.
 */
#include <errno.h>
#include <stdio.h>

#include "tests/bench/bench.h"
#include "tests/bench/work.h"

#define SET "bench"

struct state {
    struct daemon awd;
    struct codec_buf buf;
    unsigned n_rounds; /* so far */
};

static void open_awd(struct bench *b)
{
    static const char *const flags[] = {"--slots", "64", "--max-inflight", "1000000", NULL};
    struct state *s = b->state = calloc(1, sizeof(*s));

    if (!s)
        bench_die("wait");
    daemon_start(b, &s->awd, "awd", flags);
}

static void close_all(struct bench *b)
{
    struct state *s = b->state;

    daemon_stop(&s->awd);
    codec_buf_done(&s->buf);
    free(s);
}

/* ---- Parked waits --------------------------------------------------------------------------- */

struct waits {
    size_t n_answered, n;
    bool done;
};

static void wait_answered(struct load_conn *c, uint32_t id, const uint8_t *body, size_t len)
{
    struct waits *w = load_user(c->load);

    (void)id;
    (void)body;
    (void)len;
    w->done = ++w->n_answered == w->n;
}

/* A job that ends when it is cancelled; its ID is in *doc. */
static struct bytes sleeper(struct state *s, struct load_conn *c, struct codec_doc *doc)
{
    struct job job;
    struct submit_req req;
    struct submit_rep rep;
    struct bytes request;
    const uint8_t *body;
    size_t len;

    codec_defaults(&job_schema, &job);
    job.type = bytes_str("sleep");
    job.sleep_ms = 3600000;
    codec_defaults(&submit_req_schema, &req);
    req.jobs.v = &job;
    req.jobs.n = 1;
    request = load_body(&s->buf, OP_SUBMIT, &req);
    load_ask(c, request.data, request.len, &body, &len);
    load_decode(OP_SUBMIT, body, len, &rep, doc);
    return rep.ids.v[0];
}

static void cancel(struct state *s, struct load_conn *c, struct bytes id)
{
    struct cancel_req req;
    struct bytes request;
    const uint8_t *body;
    size_t len;

    codec_defaults(&cancel_req_schema, &req);
    req.ids = (struct strv){&id, 1};
    request = load_body(&s->buf, OP_CANCEL, &req);
    load_ask(c, request.data, request.len, &body, &len);
}

/* n waits for one job on one connection; the microseconds from its cancel to the last answer. */
static double parked(struct bench *b, size_t n, double *ret_bytes_each)
{
    struct state *s = b->state;
    struct waits w = {.n = n};
    struct load *load = load_open(s->awd.socket, 1, wait_answered, &w);
    struct load *other = load_open(s->awd.socket, 1, NULL, NULL);
    struct codec_buf wait = {0};
    struct codec_doc doc;
    struct bytes id = sleeper(s, load_conn(other, 0), &doc), request;
    struct wait_req req;
    double before, start_us;
    char text[AW_MAX_ID + 1];

    snprintf(text, sizeof(text), "%.*s", (int)id.len, (const char *)id.data);
    codec_close(&doc);
    id = bytes_str(text);
    codec_defaults(&wait_req_schema, &req);
    req.ids = (struct strv){&id, 1};
    request = load_body(&wait, OP_WAIT, &req);
    before = bench_memory(s->awd.pid);
    for (size_t i = 0; i < n; i++)
        load_send(load_conn(load, 0), (uint32_t)i, request.data, request.len);
    load_run_for(load, &w.done, 0);
    while (work_stats(s->awd.socket).waiters < n)
        load_run_for(load, &w.done, 1000);
    *ret_bytes_each = (bench_memory(s->awd.pid) - before) / (double)n;
    start_us = bench_now_us();
    cancel(s, load_conn(other, 0), id);
    load_run(load, &w.done);
    start_us = bench_now_us() - start_us;
    load_close(load);
    load_close(other);
    codec_buf_done(&wait);
    return start_us;
}

static void memory_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    parked(b, bench_count(b, 10000), ret_awd);
    *ret_floor = 1024;
}

static void wake_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;
    size_t n = bench_count(b, 10000);
    double each;

    *ret_awd = parked(b, n, &each);
    *ret_floor = 1e6 * (double)n / work_submits(s->awd.socket, work_hello_body(&s->buf), 1, n, n);
}

/* ---- Completions ---------------------------------------------------------------------------- */

static void completions_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;
    size_t n = bench_count(b, 100000);
    char set[32];

    snprintf(set, sizeof(set), "%s-%u", SET, ++s->n_rounds);
    work_fill_set(s->awd.socket, set, n);
    *ret_awd = work_read_set(s->awd.socket, set, n);
    *ret_floor = 100000;
}

/* ---- Nothing to do -------------------------------------------------------------------------- */

static void idle_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;
    double before, seconds = MIN(50 * b->scale, 5.0);

    before = bench_switches(s->awd.pid);
    bench_rest(seconds);
    *ret_awd = (bench_switches(s->awd.pid) - before) / seconds;
    *ret_floor = 1;
}

static void resident_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;

    *ret_awd = bench_memory(s->awd.pid) / (1 << 20);
    *ret_floor = 10;
}

const struct bench_case wait_cases[] = {
    {"wait-memory", "10,000 parked waits on one connection, each", "B", "a kilobyte", GOAL_AT_MOST,
     1, open_awd, memory_round, close_all, NULL},
    {"wait-wake", "all of them woken by one end", "us", "as many questions answered", GOAL_AT_MOST,
     1.3, open_awd, wake_round, close_all, NULL},
    {"completions", "a set of 100,000 ended members read by a consumer that acknowledges", "/s",
     "the goal", GOAL_AT_LEAST, 1, open_awd, completions_round, close_all, NULL},
    {"idle-wakeups", "a daemon with nothing to do", "wake-ups/s", "one", GOAL_AT_MOST, 0.5,
     open_awd, idle_round, close_all, NULL},
    {"idle-memory", "the same, resident", "MiB", "the goal", GOAL_AT_MOST, 1, open_awd,
     resident_round, close_all, NULL},
    {0},
};
