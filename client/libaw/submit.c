#include "client/libaw/copy.h"
#include "client/libaw/future.h"

#define JOB_SIZE_MAX 4096 /* of a caller's struct aw_job: more is not one */

void aw_job_init_sized(struct aw_job *job, size_t size)
{
    struct aw_job defaults = {
        .size = size,
        .umask = -1,
        .grace_ms = DEFAULT_GRACE,
        .max_attempts = 1,
        .backoff_ms = DEFAULT_BACKOFF,
        .backoff_factor = 2,
        .backoff_max_ms = DEFAULT_BACKOFF_MAX,
    };

    memset(job, 0, size);
    memcpy(job, &defaults, MIN(size, sizeof(defaults)));
}

/* A list of texts with NULL at its end; the array is taken from *next, which moves on. */
static struct strv texts_of(char *const *list, struct bytes **next)
{
    struct strv v = {*next, 0};

    for (; list && *list; list++)
        v.v[v.n++] = bytes_str(*list);
    *next += v.n;
    return v;
}

/* The exit codes of a list with 0 at its end. They take the place of texts, two to each. */
static struct u64v codes_of(const int *list, struct bytes **next)
{
    struct u64v v = {(uint64_t *)(void *)*next, 0};

    for (; list && *list; list++)
        v.v[v.n++] = (uint64_t)*list;
    *next += (v.n + 1) / 2;
    return v;
}

/* An absent text is NULL; a present one, even if empty, is sent and judged by the daemon. */
static void job_fill(struct job *to, const struct aw_job *from, struct bytes **next)
{
    codec_defaults(&job_schema, to);
    to->type = bytes_str(from->type);
    to->argv = texts_of(from->argv, next);
    to->cwd = bytes_str(from->cwd);
    to->env = texts_of(from->env, next);
    to->stdin = bytes_of(from->stdin_data, from->stdin_data ? from->stdin_len : 0);
    to->stdin_file = bytes_str(from->stdin_file);
    to->merge_stderr = from->merge_stderr;
    to->umask = from->umask;
    to->nice = from->nice;
    to->sleep_ms = (uint64_t)from->sleep_ms;
    to->name = bytes_str(from->name);
    to->priority = from->priority;
    to->key = bytes_str(from->key);
    to->delay_ms = (uint64_t)from->delay_ms;
    to->not_before_us = (uint64_t)from->not_before_us;
    to->timeout_ms = (uint64_t)from->timeout_ms;
    to->grace_ms = (uint64_t)from->grace_ms;
    to->queue_timeout_ms = (uint64_t)from->queue_timeout_ms;
    to->output_limit = (uint64_t)from->output_limit;
    to->retention_ms = (uint64_t)from->retention_ms;
    to->on_interrupt = bytes_str(from->on_interrupt);
    to->max_attempts = (uint64_t)from->max_attempts;
    to->retry_on = texts_of(from->retry_on, next);
    to->no_retry_exit = codes_of(from->no_retry_exit, next);
    to->backoff_ms = (uint64_t)from->backoff_ms;
    to->backoff_factor = (uint64_t)from->backoff_factor;
    to->backoff_max_ms = (uint64_t)from->backoff_max_ms;
    to->no_jitter = from->no_jitter;
    to->total_timeout_ms = (uint64_t)from->total_timeout_ms;
    to->url = bytes_str(from->url);
    to->method = bytes_str(from->method);
    to->headers = texts_of(from->headers, next);
    to->body = bytes_of(from->body, from->body ? from->body_len : 0);
    to->expect = bytes_str(from->expect);
    to->follow = (uint64_t)from->follow;
    to->queue = bytes_str(from->queue);
    to->after = texts_of(from->after, next);
    to->after_any = texts_of(from->after_any, next);
    to->after_fail = texts_of(from->after_fail, next);
    to->cache_ttl_ms = (uint64_t)from->cache_ttl_ms;
    to->cache_failed = from->cache_failed;
    to->abandon_ms = (uint64_t)from->abandon_ms;
    to->limits = limits_from(&from->limits);
}

static const struct aw_job *job_at(const struct aw_job *jobs, size_t i)
{
    return (const struct aw_job *)((const char *)jobs + i * jobs->size);
}

static enum aw_err jobs_check(const struct aw_job *jobs, size_t n, struct aw_error *err)
{
    if (n == 0 || n > AW_MAX_JOBS_PER_SUBMIT) {
        aw_fail(err, AW_ERR_USAGE, "%zu jobs in one submit; must be 1 to %d", n,
                AW_MAX_JOBS_PER_SUBMIT);
        return AW_ERR_USAGE;
    }
    for (size_t i = 0; i < n; i++)
        if (jobs->size < sizeof(jobs->size) || jobs->size > JOB_SIZE_MAX ||
            job_at(jobs, i)->size != jobs->size)
            return aw_fail(err, AW_ERR_USAGE, "jobs[%zu] was not set up by aw_job_init()", i);
    return AW_OK;
}

static size_t list_count(char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static size_t codes_count(const int *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

/* The caller's struct may be older than ours, or newer. */
static struct aw_job job_take(const struct aw_job *from)
{
    struct aw_job ours;

    aw_job_init(&ours);
    memcpy(&ours, from, MIN(from->size, sizeof(ours)));
    return ours;
}

static enum aw_err job_number(size_t i, size_t n, enum aw_err e, const struct aw_error *why,
                              struct aw_error *err)
{
    if (n == 1)
        return aw_fail(err, e, "%s", why->text);
    return aw_fail(err, e, "jobs[%zu].%.230s", i, why->text);
}

/* All jobs as the protocol has them; *ret_texts holds the arrays that they point to. */
static enum aw_err jobs_prepare(const struct aw_job *jobs, size_t n, struct job **ret,
                                struct bytes **ret_texts, struct aw_error *err)
{
    struct bytes *next;
    size_t n_texts = 0;

    for (size_t i = 0; i < n; i++) {
        struct aw_job job = job_take(job_at(jobs, i));

        n_texts += list_count(job.argv) + list_count(job.env) + list_count(job.retry_on) +
                   list_count(job.headers) + list_count(job.after) + list_count(job.after_any) +
                   list_count(job.after_fail) + (codes_count(job.no_retry_exit) + 1) / 2;
    }
    *ret = calloc(n + 1, sizeof(**ret));
    *ret_texts = next = calloc(n_texts + 1, sizeof(*next));
    if (!*ret || !next)
        return aw_fail(err, AW_ERR_NO_MEMORY, "submit: out of memory");
    for (size_t i = 0; i < n; i++) {
        struct aw_job job = job_take(job_at(jobs, i));
        struct aw_error why;
        enum aw_err e;

        job_fill(&(*ret)[i], &job, &next);
        e = job_check(&(*ret)[i], &why);
        if (e)
            return job_number(i, n, e, &why, err);
    }
    return AW_OK;
}

/* Handles for the IDs in a reply: all of them, or none. */
static enum aw_err futures_make(struct aw_client *client, const struct submit_rep *rep, size_t n,
                                struct aw_future **futures, struct aw_error *err)
{
    for (size_t i = 0; i < n; i++) {
        futures[i] = future_new(client, rep->ids.v[i]);
        if (futures[i])
            continue;
        while (i-- > 0)
            aw_future_unref(futures[i]);
        return aw_fail(err, AW_ERR_NO_MEMORY, "futures: out of memory");
    }
    for (size_t i = 0; i < rep->deduplicated.n; i++)
        if (rep->deduplicated.v[i] < n)
            futures[rep->deduplicated.v[i]]->deduplicated = true;
    for (size_t i = 0; i < rep->cached.n; i++)
        if (rep->cached.v[i] < n)
            futures[rep->cached.v[i]]->cached = true;
    return AW_OK;
}

static enum aw_err ids_check(const struct strv *ids, size_t n, struct aw_error *err)
{
    bool ok = ids->n == n;

    for (size_t i = 0; ok && i < n; i++)
        ok = ids->v[i].len > 0 && ids->v[i].len < AW_MAX_ID;
    if (ok)
        return AW_OK;
    return aw_fail(err, AW_ERR_PROTOCOL, "the daemon's answer to submit does not name %zu jobs", n);
}

static enum aw_err jobs_send(struct aw_client *client, const char *set, struct job *jobs, size_t n,
                             struct aw_future **futures, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct submit_rep rep;
    struct submit_req req;
    struct call call = {.op = OP_SUBMIT, .req = &req, .deadline_us = NEVER_US};
    uint8_t key[16];
    enum aw_err e = request_key_make(key, err);

    codec_defaults(&submit_req_schema, &req);
    req.request = bytes_of(key, sizeof(key));
    req.jobs.v = jobs;
    req.jobs.n = n;
    req.set = bytes_str(set);
    if (!e)
        e = call_make(client, &call, &rep, &answer, err);
    if (!e)
        e = ids_check(&rep.ids, n, err);
    return e ? e : futures_make(client, &rep, n, futures, err);
}

/* `set` may be NULL. */
static enum aw_err submit(struct aw_client *client, const char *set, const struct aw_job *jobs,
                          size_t n, struct aw_future **ret_futures, struct aw_error *err)
{
    _cleanup_free_ struct aw_future **futures = NULL;
    _cleanup_free_ struct bytes *texts = NULL;
    _cleanup_free_ struct job *prepared = NULL;
    enum aw_err e = jobs_check(jobs, n, err);

    if (!e)
        e = jobs_prepare(jobs, n, &prepared, &texts, err);
    if (e)
        return e;
    futures = calloc(n, sizeof(struct aw_future *));
    if (!futures)
        return aw_fail(err, AW_ERR_NO_MEMORY, "submit: out of memory");
    e = jobs_send(client, set, prepared, n, futures, err);
    if (!e)
        memcpy(ret_futures, futures, n * sizeof(struct aw_future *));
    return e;
}

enum aw_err aw_submit(struct aw_client *client, const struct aw_job *jobs, size_t n,
                      struct aw_future **ret_futures, struct aw_error *err)
{
    return submit(client, NULL, jobs, n, ret_futures, err);
}

enum aw_err aw_submit_to_set(struct aw_client *client, const char *set, const struct aw_job *jobs,
                             size_t n, struct aw_future **ret_futures, struct aw_error *err)
{
    /* Without a name it would be a submit like any other. */
    if (!set || !*set)
        return aw_fail(err, AW_ERR_USAGE, "no name of a set was given");
    return submit(client, set, jobs, n, ret_futures, err);
}
