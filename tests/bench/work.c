#include "tests/bench/work.h"

#include <stdio.h>

#include "tests/bench/bench.h"

#define NAME_SIZE 100 /* with the rest of what a job takes in a store: 200 bytes */
#define MAX_BATCH AW_MAX_JOBS_PER_SUBMIT

struct bytes work_submit_body(struct codec_buf *buf, size_t n, const char *type, const char *queue)
{
    static struct job jobs[MAX_BATCH];
    static char name[NAME_SIZE];
    struct submit_req req;

    memset(name, 'n', sizeof(name));
    for (size_t i = 0; i < n; i++) {
        codec_defaults(&job_schema, &jobs[i]);
        jobs[i].type = bytes_str(type);
        jobs[i].name = bytes_of(name, sizeof(name));
        jobs[i].queue = bytes_str(queue);
        jobs[i].retention_ms = 3600000;
    }
    codec_defaults(&submit_req_schema, &req);
    req.jobs.v = jobs;
    req.jobs.n = n;
    return load_body(buf, OP_SUBMIT, &req);
}

/* ---- Submits -------------------------------------------------------------------------------- */

struct submits {
    struct bytes body;
    size_t n_left, n_open;
    bool done;
};

static void submit_answered(struct load_conn *c, uint32_t id, const uint8_t *body, size_t len)
{
    struct submits *s = load_user(c->load);

    (void)body;
    (void)len;
    s->n_open--;
    if (s->n_left > 0) {
        s->n_left--;
        s->n_open++;
        load_send(c, id, s->body.data, s->body.len);
    }
    s->done = s->n_open == 0;
}

double work_submits(const char *socket, struct bytes body, size_t n_conns, size_t outstanding,
                    size_t n)
{
    struct submits s = {.body = body, .n_left = n};
    struct load *load = load_open(socket, n_conns, submit_answered, &s);
    double start_us = bench_now_us();

    for (; s.n_open < n_conns * outstanding && s.n_left > 0; s.n_open++, s.n_left--)
        load_send(load_conn(load, s.n_open % n_conns), (uint32_t)s.n_open, body.data, body.len);
    load_run(load, &s.done);
    start_us = bench_now_us() - start_us;
    load_close(load);
    return (double)n * 1e6 / start_us;
}

static double ask_p50(const char *socket, struct bytes body, size_t n)
{
    struct load *load = load_open(socket, 1, NULL, NULL);
    struct samples s = {0};

    for (size_t i = 0; i < n; i++) {
        double start_us = bench_now_us();
        const uint8_t *answer;
        size_t len;

        load_ask(load_conn(load, 0), body.data, body.len, &answer, &len);
        samples_add(&s, bench_now_us() - start_us);
    }
    load_close(load);
    return samples_p50(&s);
}

double work_submit_p50(const char *socket, struct bytes body, size_t n)
{
    return ask_p50(socket, body, n);
}

struct bytes work_hello_body(struct codec_buf *buf)
{
    struct hello_req req;

    codec_defaults(&hello_req_schema, &req);
    return load_body(buf, OP_HELLO, &req);
}

/* ---- Round trips ---------------------------------------------------------------------------- */

enum { ID_SUBMIT, ID_WAIT };

struct trips {
    struct bytes submit;
    struct codec_buf wait;
    struct samples samples;
    double *started_us; /* by connection */
    size_t n_left, n_open;
    bool done;
};

static void trip_begin(struct trips *t, struct load_conn *c)
{
    t->n_left--;
    t->n_open++;
    t->started_us[c->index] = bench_now_us();
    load_send(c, ID_SUBMIT, t->submit.data, t->submit.len);
}

static void trip_wait(struct trips *t, struct load_conn *c, const uint8_t *body, size_t len)
{
    struct submit_rep rep;
    struct codec_doc doc;
    struct wait_req req;
    struct bytes request;

    load_decode(OP_SUBMIT, body, len, &rep, &doc);
    codec_defaults(&wait_req_schema, &req);
    req.ids = rep.ids;
    request = load_body(&t->wait, OP_WAIT, &req);
    load_send(c, ID_WAIT, request.data, request.len);
    codec_close(&doc);
}

static void trip_answered(struct load_conn *c, uint32_t id, const uint8_t *body, size_t len)
{
    struct trips *t = load_user(c->load);

    if (id == ID_SUBMIT) {
        trip_wait(t, c, body, len);
        return;
    }
    samples_add(&t->samples, bench_now_us() - t->started_us[c->index]);
    t->n_open--;
    if (t->n_left > 0)
        trip_begin(t, c);
    t->done = t->n_open == 0;
}

struct round_trips work_round_trips(const char *socket, const char *type, size_t n_conns, size_t n)
{
    struct codec_buf buf = {0};
    struct trips t = {.submit = work_submit_body(&buf, 1, type, NULL), .n_left = n};
    struct load *load = load_open(socket, n_conns, trip_answered, &t);
    struct round_trips ret;
    double start_us;

    t.started_us = calloc(n_conns, sizeof(double));
    if (!t.started_us)
        bench_die("trips");
    start_us = bench_now_us();
    for (size_t i = 0; i < n_conns && t.n_left > 0; i++)
        trip_begin(&t, load_conn(load, i));
    load_run(load, &t.done);
    ret.per_s = (double)n * 1e6 / (bench_now_us() - start_us);
    ret.p50_us = samples_p50(&t.samples);
    load_close(load);
    free(t.started_us);
    codec_buf_done(&t.wait);
    codec_buf_done(&buf);
    return ret;
}

/* ---- Programs ------------------------------------------------------------------------------- */

/* Answers come in any number of long polls. */
static void wait_all(struct load_conn *c, const struct submit_rep *ids)
{
    struct codec_buf buf = {0};
    struct wait_req req;
    struct wait_rep rep;

    codec_defaults(&wait_req_schema, &req);
    req.ids = ids->ids;
    do {
        struct bytes request = load_body(&buf, OP_WAIT, &req);
        struct codec_doc doc;
        const uint8_t *body;
        size_t len;

        load_ask(c, request.data, request.len, &body, &len);
        load_decode(OP_WAIT, body, len, &rep, &doc);
        if (rep.n_failed)
            bench_fail("%llu jobs have failed", (unsigned long long)rep.n_failed);
        codec_close(&doc);
    } while (!rep.done);
    codec_buf_done(&buf);
}

static void programs_body(struct job *jobs, const char *program, size_t n)
{
    static struct bytes argv, env;

    argv = bytes_str(program);
    env = bytes_str("PATH=/usr/bin:/bin");
    for (size_t i = 0; i < n; i++) {
        codec_defaults(&job_schema, &jobs[i]);
        jobs[i].argv = (struct strv){&argv, 1};
        jobs[i].env = (struct strv){&env, 1};
    }
}

/* The IDs of jobs that were submitted in one message; the answer that they are in is kept. */
struct batch {
    uint8_t *answer;
    struct codec_doc doc;
    struct submit_rep rep;
};

static void batch_submit(struct load_conn *c, struct codec_buf *buf, const char *program, size_t n,
                         struct batch *ret)
{
    static struct job jobs[MAX_BATCH];
    struct submit_req req;
    struct bytes request;
    const uint8_t *body;
    size_t len;

    programs_body(jobs, program, n);
    codec_defaults(&submit_req_schema, &req);
    req.jobs.v = jobs;
    req.jobs.n = n;
    request = load_body(buf, OP_SUBMIT, &req);
    load_ask(c, request.data, request.len, &body, &len);
    ret->answer = malloc(len);
    if (!ret->answer)
        bench_die("programs");
    memcpy(ret->answer, body, len);
    load_decode(OP_SUBMIT, ret->answer, len, &ret->rep, &ret->doc);
}

double work_programs(const char *socket, const char *program, size_t n)
{
    size_t n_batches = (n + MAX_BATCH - 1) / MAX_BATCH;
    struct batch *batches = calloc(n_batches, sizeof(*batches));
    struct load *load = load_open(socket, 1, NULL, NULL);
    double start_us = bench_now_us();
    struct codec_buf buf = {0};

    if (!batches)
        bench_die("programs");
    for (size_t i = 0; i < n_batches; i++)
        batch_submit(load_conn(load, 0), &buf, program, MIN(n - i * MAX_BATCH, (size_t)MAX_BATCH),
                     &batches[i]);
    for (size_t i = 0; i < n_batches; i++) {
        wait_all(load_conn(load, 0), &batches[i].rep);
        codec_close(&batches[i].doc);
        free(batches[i].answer);
    }
    start_us = bench_now_us() - start_us;
    free(batches);
    load_close(load);
    codec_buf_done(&buf);
    return (double)n * 1e6 / start_us;
}

/* ---- Sets ----------------------------------------------------------------------------------- */

/* Until `n` members have ended. */
static void wait_set(struct load_conn *c, const char *set, size_t n)
{
    struct codec_buf buf = {0};
    struct wait_req req;
    struct wait_rep rep;

    codec_defaults(&wait_req_schema, &req);
    req.set = bytes_str(set);
    req.n = n;
    do {
        struct bytes request = load_body(&buf, OP_WAIT, &req);
        struct codec_doc doc;
        const uint8_t *body;
        size_t len;

        load_ask(c, request.data, request.len, &body, &len);
        load_decode(OP_WAIT, body, len, &rep, &doc);
        codec_close(&doc);
    } while (!rep.done);
    codec_buf_done(&buf);
}

void work_fill_set(const char *socket, const char *set, size_t n)
{
    static struct job jobs[MAX_BATCH];
    struct load *load = load_open(socket, 1, NULL, NULL);
    struct load_conn *c = load_conn(load, 0);
    struct codec_buf buf = {0};

    for (size_t i = 0; i < MAX_BATCH; i++) {
        codec_defaults(&job_schema, &jobs[i]);
        jobs[i].type = bytes_str("noop");
    }
    for (size_t left = n; left > 0;) {
        struct submit_req req;
        struct bytes request;
        const uint8_t *body;
        size_t len;

        codec_defaults(&submit_req_schema, &req);
        req.set = bytes_str(set);
        req.jobs.v = jobs;
        req.jobs.n = MIN(left, (size_t)MAX_BATCH);
        left -= req.jobs.n;
        request = load_body(&buf, OP_SUBMIT, &req);
        load_ask(c, request.data, request.len, &body, &len);
    }
    wait_set(c, set, n);
    load_close(load);
    codec_buf_done(&buf);
}

double work_read_set(const char *socket, const char *set, size_t n)
{
    struct load *load = load_open(socket, 1, NULL, NULL);
    double start_us = bench_now_us();
    struct codec_buf buf = {0};
    struct set_read_req req;

    codec_defaults(&set_read_req_schema, &req);
    req.set = bytes_str(set);
    while (req.ack < n) {
        struct bytes request = load_body(&buf, OP_SET_READ, &req);
        struct set_read_rep rep;
        struct codec_doc doc;
        const uint8_t *body;
        size_t len;

        load_ask(load_conn(load, 0), request.data, request.len, &body, &len);
        load_decode(OP_SET_READ, body, len, &rep, &doc);
        if (rep.jobs.n == 0 || rep.first != req.ack + 1)
            bench_fail("set %s: %zu completions from %llu on", set, rep.jobs.n,
                       (unsigned long long)rep.first);
        req.ack += rep.jobs.n;
        codec_close(&doc);
    }
    start_us = bench_now_us() - start_us;
    load_close(load);
    codec_buf_done(&buf);
    return (double)n * 1e6 / start_us;
}

/* ---- The daemon ----------------------------------------------------------------------------- */

static void ask_once(const char *socket, enum op op, const void *req, void *rep)
{
    struct load *load = load_open(socket, 1, NULL, NULL);
    struct codec_buf buf = {0};
    struct bytes request = load_body(&buf, op, req);
    struct codec_doc doc;
    const uint8_t *body;
    size_t len;

    load_ask(load_conn(load, 0), request.data, request.len, &body, &len);
    load_decode(op, body, len, rep, &doc);
    codec_close(&doc); /* texts in the answer are no more */
    load_close(load);
    codec_buf_done(&buf);
}

void work_queue_paused(const char *socket, const char *name)
{
    struct queue_set_req req;
    struct queue_set_rep rep;

    codec_defaults(&queue_set_req_schema, &req);
    req.queue = bytes_str(name);
    req.create = true;
    req.paused = 1;
    ask_once(socket, OP_QUEUE_SET, &req, &rep);
}

void work_queue_pause(const char *socket, const char *name, bool paused)
{
    struct queue_set_req req;
    struct queue_set_rep rep;

    codec_defaults(&queue_set_req_schema, &req);
    req.queue = bytes_str(name);
    req.paused = paused;
    ask_once(socket, OP_QUEUE_SET, &req, &rep);
}

struct stats_rep work_stats(const char *socket)
{
    struct stats_req req;
    struct stats_rep rep;

    codec_defaults(&stats_req_schema, &req);
    ask_once(socket, OP_STATS, &req, &rep);
    return rep;
}
