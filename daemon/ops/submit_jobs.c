#include "daemon/ops/submit_jobs.h"

#include "proto/http_job.h"

/* A specification that is longer gets a shorter one beside it, for status and list. */
#define HEAD_WORTHWHILE 512

void batch_done(struct job_batch *b)
{
    codec_buf_done(&b->buf);
    free(b->jobs);
    free(b->ends);
    *b = (struct job_batch){0};
}

bool batch_init(struct job_batch *b, size_t n)
{
    *b = (struct job_batch){
        .jobs = calloc(n, sizeof(*b->jobs)),
        .ends = calloc(n, 2 * sizeof(*b->ends)),
        .cap = n,
    };
    if (b->jobs && b->ends)
        return true;
    batch_done(b);
    return false;
}

static enum aw_err encode(struct job_batch *b, const struct job *job, struct aw_error *err)
{
    struct codec_part part = {&job_schema, job};
    enum aw_err e = codec_write(&b->buf, &part, 1);

    return e ? aw_fail(err, e, "jobs: %s", aw_err_text(e)) : AW_OK;
}

/* What people see of the job: no environment, no input, no more arguments or URL than are shown. */
static enum aw_err encode_head(struct job_batch *b, const struct job *job, struct aw_error *err)
{
    struct job head = *job;
    struct bytes last;
    size_t room = AW_MAX_COMMAND, n = 0;
    enum aw_err e;

    head.env = (struct strv){0};
    head.stdin = head.stdin_file = (struct bytes){0};
    head.headers = (struct strv){0};
    head.body = (struct bytes){0};
    head.method = job->url.data ? http_method(job) : job->method; /* a body may have made it POST */
    head.url.len = MIN(head.url.len, (size_t)AW_MAX_COMMAND);
    while (n < job->argv.n && job->argv.v[n].len < room)
        room -= job->argv.v[n++].len + 1;
    head.argv.n = MIN(n + 1, job->argv.n);
    if (n == job->argv.n)
        return encode(b, &head, err);
    last = job->argv.v[n];
    job->argv.v[n].len = room;
    e = encode(b, &head, err);
    job->argv.v[n] = last;
    return e;
}

enum aw_err batch_add(struct job_batch *b, const struct job *job, uint64_t retry_of,
                      struct aw_error *err)
{
    size_t start = b->buf.len;
    enum aw_err e = job_check(job, err);

    if (!e)
        e = encode(b, job, err);
    if (e)
        return e;
    b->ends[2 * b->n] = b->buf.len;
    if (b->buf.len - start > HEAD_WORTHWHILE)
        e = encode_head(b, job, err);
    b->ends[2 * b->n + 1] = b->buf.len;
    b->jobs[b->n] = (struct new_job){.job = job, .retry_of = retry_of};
    b->n++;
    return e;
}

const struct new_job *batch_seal(struct job_batch *b)
{
    size_t at = 0;

    for (size_t i = 0; i < b->n; i++) {
        b->jobs[i].spec = bytes_of(b->buf.data + at, b->ends[2 * i] - at);
        at = b->ends[2 * i];
        if (b->ends[2 * i + 1] > at)
            b->jobs[i].head = bytes_of(b->buf.data + at, b->ends[2 * i + 1] - at);
        at = b->ends[2 * i + 1];
    }
    return b->jobs;
}
