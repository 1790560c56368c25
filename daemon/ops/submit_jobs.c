#include "daemon/ops/submit_jobs.h"

#include "daemon/ops/ids.h"
#include "proto/http_job.h"

/* A specification that is longer gets a shorter one beside it, for status and list. */
#define HEAD_WORTHWHILE 512

void batch_done(struct job_batch *b)
{
    codec_buf_done(&b->buf);
    free(b->jobs);
    free(b->parents);
    *b = (struct job_batch){0};
}

bool batch_init(struct job_batch *b, size_t n)
{
    *b = (struct job_batch){
        .jobs = calloc(n, sizeof(*b->jobs) + 2 * sizeof(*b->ends)),
        .cap = n,
    };
    b->ends = b->jobs ? (size_t *)(b->jobs + n) : NULL;
    return b->jobs;
}

static enum aw_err encode(struct job_batch *b, const struct job *job, struct aw_error *err)
{
    struct codec_part part = {&job_schema, job};
    enum aw_err e = codec_write(&b->buf, &part, 1);

    return e ? aw_fail(err, e, "jobs: %s", aw_err_text(e)) : AW_OK;
}

/*
 * What people see of the job: no environment, no input, no parents, no more arguments or URL than
 * are shown.
 */
static enum aw_err encode_head(struct job_batch *b, const struct job *job, struct aw_error *err)
{
    struct job head = *job;
    struct bytes last;
    size_t room = AW_MAX_COMMAND, n = 0;
    enum aw_err e;

    head.env = (struct strv){0};
    head.stdin = head.stdin_file = (struct bytes){0};
    head.headers = (struct strv){0};
    head.after = head.after_any = head.after_fail = (struct strv){0};
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

static bool parents_reserve(struct job_batch *b, size_t n)
{
    size_t cap = MAX(b->n_parents + n, 2 * b->parents_cap);
    struct parent *grown;

    if (b->n_parents + n <= b->parents_cap)
        return true;
    grown = reallocarray(b->parents, cap, sizeof(*grown));
    if (!grown)
        return false;
    b->parents = grown;
    b->parents_cap = cap;
    return true;
}

static enum aw_err parents_add(struct job_batch *b, const struct server *srv, const struct job *job,
                               struct aw_error *err)
{
    const struct {
        const char *field;
        const struct strv *ids;
        enum parent_kind kind;
    } lists[] = {{"after", &job->after, PARENT_SUCCEEDED},
                 {"after_any", &job->after_any, PARENT_ENDED},
                 {"after_fail", &job->after_fail, PARENT_FAILED}};

    if (!parents_reserve(b, job->after.n + job->after_any.n + job->after_fail.n))
        return aw_fail(err, AW_ERR_NO_MEMORY, "after: out of memory");
    for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
        for (size_t i = 0; i < lists[k].ids->n; i++) {
            struct parent *p = &b->parents[b->n_parents];
            struct aw_error why;
            enum aw_err e = id_parse(srv, lists[k].ids->v[i], &p->number, &why);

            if (e)
                return aw_fail(err, e, "%s[%zu]: %.160s", lists[k].field, i, why.text);
            p->kind = lists[k].kind;
            b->n_parents++;
        }
    return AW_OK;
}

enum aw_err batch_add(struct job_batch *b, const struct server *srv, const struct job *job,
                      uint64_t retry_of, struct aw_error *err)
{
    size_t start = b->buf.len, n_parents = b->n_parents;
    enum aw_err e = job_check(job, err);

    if (!e)
        e = parents_add(b, srv, job, err);
    if (!e)
        e = encode(b, job, err);
    if (e)
        return e;
    b->ends[2 * b->n] = b->buf.len;
    if (b->buf.len - start > HEAD_WORTHWHILE)
        e = encode_head(b, job, err);
    b->ends[2 * b->n + 1] = b->buf.len;
    b->jobs[b->n] =
        (struct new_job){.job = job, .retry_of = retry_of, .n_parents = b->n_parents - n_parents};
    b->n++;
    return e;
}

/* Buffers have stopped moving: now the jobs can point into them. */
static void batch_seal(struct job_batch *b)
{
    const struct parent *parent = b->parents;
    size_t at = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct new_job *job = &b->jobs[i];

        job->spec = bytes_of(b->buf.data + at, b->ends[2 * i] - at);
        at = b->ends[2 * i];
        if (b->ends[2 * i + 1] > at)
            job->head = bytes_of(b->buf.data + at, b->ends[2 * i + 1] - at);
        at = b->ends[2 * i + 1];
        if (job->n_parents == 0)
            continue;
        job->parents = parent;
        parent += job->n_parents;
    }
}

void batch_submit(struct job_batch *b, struct exchange *x, struct bytes request, struct bytes set,
                  engine_submit_fn done, void *arg)
{
    struct submit submit = {
        .uid = exchange_uid(x),
        .gid = exchange_gid(x),
        .admin = exchange_is_admin(x),
        .request = request,
        .set = set,
        .n = b->n,
    };

    batch_seal(b);
    submit.jobs = b->jobs;
    engine_submit(x->srv->engine, &submit, done, arg);
}

void submitted_lease(struct exchange *x, const struct submitted *s, uint64_t abandon_ms)
{
    /* One that was there before has its lease, unless it has ended. */
    if (s->deduplicated || s->repeated)
        leases_renew(x->srv->leases, s->number);
    else if (abandon_ms)
        leases_hold(x->srv->leases, s->number, (int64_t)abandon_ms);
}
