#include "tests/unit/engine_rig_private.h"

#include <stdio.h>

#include "proto/codec.h"

static void replied_done(void *arg, const struct aw_error *err)
{
    rig_replied(arg, err, 0);
}

static void replied_submit(void *arg, const struct aw_error *err, const struct submitted *jobs,
                           size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (!err)
        r->submitted = rig_keep(jobs, n * sizeof(*jobs));
}

static const struct attempt_record *keep_attempts(const struct attempt_record *list, size_t n)
{
    struct attempt_record *copy = rig_keep(list, n * sizeof(*copy));

    for (size_t i = 0; i < n; i++) {
        copy[i].message = rig_keep_bytes(list[i].message);
    }
    return copy;
}

struct record rig_keep_record(struct record record)
{
    record.key = rig_keep_bytes(record.key);
    record.message = rig_keep_bytes(record.message);
    record.spec = rig_keep_bytes(record.spec);
    record.attempts = keep_attempts(record.attempts, record.n_attempts);
    return record;
}

static void replied_get(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (err)
        return;
    r->found = rig_keep(jobs, n * sizeof(*jobs));
    for (size_t i = 0; i < n; i++)
        if (!jobs[i].err)
            r->found[i].record = rig_keep_record(jobs[i].record);
}

static void replied_list(void *arg, const struct aw_error *err, const struct record *jobs, size_t n,
                         uint64_t next)
{
    struct answer *r = rig_replied(arg, err, n);

    if (err)
        return;
    r->next = next;
    r->records = rig_keep(jobs, n * sizeof(*jobs));
    for (size_t i = 0; i < n; i++)
        r->records[i] = rig_keep_record(jobs[i]);
}

static void replied_claim(void *arg, const struct aw_error *err, const struct claimed *claims,
                          size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (err)
        return;
    r->claims = rig_keep(claims, n * sizeof(*claims));
    for (size_t i = 0; i < n; i++)
        r->claims[i].spec = rig_keep_bytes(claims[i].spec);
}

static void replied_results(void *arg, const struct aw_error *err, const struct job_result *jobs,
                            size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (!err)
        r->results = rig_keep(jobs, n * sizeof(*jobs));
}

static void replied_output(void *arg, const struct aw_error *err, struct bytes data)
{
    struct answer *r = rig_replied(arg, err, 0);

    if (!err)
        r->data = rig_keep_bytes(data);
}
/* ---- Calls ----------------------------------------------------------------------------------- */

static struct job job_of(const struct want *want)
{
    struct job job;

    codec_defaults(&job_schema, &job);
    job.type = bytes_str("noop");
    job.name = bytes_str(want->name);
    job.key = bytes_str(want->key);
    job.queue = bytes_str(want->queue);
    job.priority = want->priority;
    job.delay_ms = want->delay_ms;
    job.not_before_us = want->not_before_us;
    job.queue_timeout_ms = want->queue_timeout_ms;
    job.retention_ms = want->retention_ms;
    if (want->retry_interrupted)
        job.on_interrupt = bytes_str("retry");
    job.max_attempts = want->max_attempts ? want->max_attempts : 1;
    job.backoff_ms = want->backoff_ms;
    job.no_jitter = true;
    job.cache_ttl_ms = want->cache_ttl_ms;
    job.cache_failed = want->cache_failed;
    job.abandon_ms = want->abandon_ms;
    job.total_timeout_ms = want->total_timeout_ms;
    if (want->retry_on) {
        struct bytes name = bytes_str(want->retry_on);

        job.retry_on.v = rig_keep(&name, sizeof(name));
        job.retry_on.n = 1;
    }
    return job;
}

static struct bytes encode(const struct job *job)
{
    struct codec_buf buf = {0};
    struct bytes b;

    ck_assert_int_eq(codec_write(&buf, &(struct codec_part){&job_schema, job}, 1), AW_OK);
    b = rig_keep_bytes(bytes_of(buf.data, buf.len));
    codec_buf_done(&buf);
    return b;
}

struct bytes rig_head(const struct want *want)
{
    struct job job = job_of(want);

    return encode(&job);
}

struct bytes rig_spec(const struct want *want)
{
    struct job job = job_of(want);

    if (want->apart)
        job.cwd = bytes_str("/what/is/in/the/whole/specification/only");
    return encode(&job);
}

struct answer *start_submit(const struct want *wants, size_t n)
{
    struct job *jobs = rig_keep(NULL, n * sizeof(*jobs));
    struct new_job *new = rig_keep(NULL, n * sizeof(*new));
    struct answer *r = rig_answer_new();

    for (size_t i = 0; i < n; i++) {
        jobs[i] = job_of(&wants[i]);
        new[i] = (struct new_job){
            .job = &jobs[i],
            .spec = rig_spec(&wants[i]),
            .head = wants[i].apart ? rig_head(&wants[i]) : (struct bytes){0},
            .parents = rig_keep(wants[i].parents, wants[i].n_parents * sizeof(struct parent)),
            .n_parents = wants[i].n_parents,
            .retry_of = wants[i].retry_of};
    }
    engine_submit(rig.e,
                  &(struct submit){.uid = wants[0].uid,
                                   .gid = wants[0].uid + 1,
                                   .admin = wants[0].admin,
                                   .request = bytes_str(wants[0].request),
                                   .set = bytes_str(wants[0].set),
                                   .jobs = new,
                                   .n = n},
                  replied_submit, r);
    /* What a call is given is copied: it may go at once. */
    memset(jobs, 0xa5, n * sizeof(*jobs));
    memset(new, 0xa5, n * sizeof(*new));
    return r;
}

struct answer *rig_submit(const struct want *wants, size_t n)
{
    return rig_awaited(start_submit(wants, n));
}

struct answer *start_recall(const char *request, uint32_t uid)
{
    struct answer *r = rig_answer_new();

    engine_recall(rig.e, uid, bytes_str(request), replied_submit, r);
    return r;
}

struct answer *rig_recall(const char *request, uint32_t uid)
{
    return rig_awaited(start_recall(request, uid));
}

uint64_t rig_queue(struct want want)
{
    struct answer *r = rig_submit(&want, 1);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 1);
    return r->submitted[0].number;
}

struct answer *start_claim(size_t max)
{
    struct answer *r = rig_answer_new();

    engine_claim(rig.e, max, replied_claim, r);
    return r;
}

struct answer *rig_claim(size_t max)
{
    return rig_awaited(start_claim(max));
}

struct claimed rig_claim_one(void)
{
    struct answer *r = rig_claim(1);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 1);
    return r->claims[0];
}

struct answer *start_finish(const struct claimed *c, const struct outcome *outcome)
{
    struct answer *r = rig_answer_new();

    engine_finish(rig.e, c->number, c->claim, outcome, replied_done, r);
    return r;
}

struct answer *rig_finish(const struct claimed *c, const struct outcome *outcome)
{
    return rig_awaited(start_finish(c, outcome));
}

struct answer *start_release(const struct claimed *c)
{
    struct answer *r = rig_answer_new();

    engine_release(rig.e, c->number, c->claim, replied_done, r);
    return r;
}

struct answer *rig_release(const struct claimed *c)
{
    return rig_awaited(start_release(c));
}

struct answer *start_cancel(const uint64_t *numbers, size_t n, int64_t grace_ms)
{
    struct answer *r = rig_answer_new();

    engine_cancel(rig.e, numbers, n, grace_ms, NULL, replied_results, r);
    return r;
}

struct answer *rig_cancel(const uint64_t *numbers, size_t n, int64_t grace_ms)
{
    return rig_awaited(start_cancel(numbers, n, grace_ms));
}

struct answer *start_cancel_why(uint64_t number, const char *why)
{
    struct answer *r = rig_answer_new();

    engine_cancel(rig.e, &number, 1, -1, why, replied_results, r);
    return r;
}

struct answer *start_forget(const uint64_t *numbers, size_t n)
{
    struct answer *r = rig_answer_new();

    engine_forget(rig.e, numbers, n, replied_results, r);
    return r;
}

struct answer *rig_forget(const uint64_t *numbers, size_t n)
{
    return rig_awaited(start_forget(numbers, n));
}

struct answer *start_get(const uint64_t *numbers, size_t n, unsigned what)
{
    struct answer *r = rig_answer_new();

    engine_get(rig.e, numbers, n, what, replied_get, r);
    return r;
}

struct answer *rig_get(const uint64_t *numbers, size_t n, unsigned what)
{
    return rig_awaited(start_get(numbers, n, what));
}

struct answer *rig_list(struct list_filter filter)
{
    struct answer *r = rig_answer_new();

    engine_list(rig.e, &filter, replied_list, r);
    return rig_awaited(r);
}

struct answer *rig_recover(void)
{
    struct answer *r = rig_answer_new();

    engine_recover(rig.e, replied_claim, r);
    return rig_awaited(r);
}

struct answer *rig_output(uint64_t number, uint64_t attempt, int stream, uint64_t offset,
                          size_t max)
{
    struct answer *r = rig_answer_new();

    engine_output(rig.e, number, attempt, stream, offset, max, replied_output, r);
    return rig_awaited(r);
}

/* ---- Shorter still --------------------------------------------------------------------------- */

static struct found found_of(uint64_t number)
{
    struct answer *r = rig_get(&number, 1, false);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 1);
    return r->found[0];
}

struct record rig_record(uint64_t number)
{
    struct found f = found_of(number);

    ck_assert_int_eq(f.err, AW_OK);
    ck_assert_uint_eq(f.record.number, number);
    return f.record;
}

enum aw_err rig_lookup(uint64_t number)
{
    return found_of(number).err;
}

enum aw_state rig_state(uint64_t number)
{
    return rig_record(number).state;
}

struct engine_stats rig_stats(void)
{
    struct engine_stats stats;

    memset(&stats, 0xa5, sizeof(stats));
    engine_get_stats(rig.e, &stats);
    return stats;
}

void rig_await_first_look(void)
{
    ck_assert_uint_eq(rig_stats().commits, 0);
    while (!rig_stats().commits)
        rig_turn();
}

struct outcome outcome_exit(int code)
{
    struct outcome o = {.class = code ? AW_CLASS_EXIT : AW_CLASS_NONE, .exit_code = code};

    o.ended_us = now_us();
    o.started_us = o.ended_us - 1000;
    return o;
}

struct outcome outcome_interrupted(void)
{
    struct outcome o = outcome_exit(0);

    o.class = AW_CLASS_INTERRUPTED;
    o.exit_code = NO_EXIT_CODE;
    snprintf(o.message, sizeof(o.message), "the runner went down");
    return o;
}

struct outcome outcome_stopped(void)
{
    struct outcome o = outcome_exit(0);

    o.class = AW_CLASS_SIGNAL;
    o.exit_code = NO_EXIT_CODE;
    o.signal = 15;
    o.stopped = true;
    return o;
}

void rig_exit(const struct claimed *c, int code)
{
    struct outcome o = outcome_exit(code);

    ck_assert_ok(rig_finish(c, &o));
}

void rig_assert_claims(const struct answer *r, const uint64_t *numbers, size_t n)
{
    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_uint_eq(r->claims[i].number, numbers[i]);
}

uint64_t rig_run_one(struct want want)
{
    uint64_t number = rig_queue(want);
    struct claimed c = rig_claim_one();

    ck_assert_uint_eq(c.number, number);
    rig_exit(&c, 0);
    return number;
}
