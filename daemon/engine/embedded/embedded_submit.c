/* The embedded engine's call that records jobs. */
#include "daemon/engine/embedded/embedded_private.h"

#include <inttypes.h>

#include "daemon/engine/embedded/store_sql.h"

struct submit_call {
    struct store_submit op;
    struct embedded *em;
    engine_submit_fn done;
    void *arg;
    struct submitted *submitted;
    struct live **live; /* made beforehand, so that what is recorded has its place in memory */
    char *text;         /* copies of keys, specifications and heads */
    struct store_row rows[];
};

static void submit_free(struct submit_call *call)
{
    for (size_t i = 0; call->live && i < call->op.n; i++)
        sched_discard(call->em->sched, call->live[i]);
    free(call->live);
    free(call->submitted);
    free(call->text);
    free(call);
}

static void submit_done(struct store_op *op)
{
    struct submit_call *call = (struct submit_call *)op;
    struct embedded *em = call->em;

    em->pending -= call->op.n;
    if (op->error.code == AW_ERR_QUEUE_FULL) {
        aw_fail(&op->error, AW_ERR_QUEUE_FULL,
                "submit: %" PRIu64 " jobs have not ended; at most %" PRIu64 " are taken",
                sched_total(em->sched), em->config.max_queued);
        op->error.retry_after_ms = 1000;
    }
    for (size_t i = 0; !op->error.code && i < call->op.n; i++) {
        if (call->op.repeated || call->submitted[i].deduplicated) {
            em->counts.deduplicated++;
            continue;
        }
        sched_insert(em->sched, take_ptr(call->live[i]));
        em->counts.submitted++;
    }
    call->done(call->arg, op_error(op), call->submitted, call->op.n);
    submit_free(call);
    embedded_clock_set(em);
    embedded_runnable(em);
}

static size_t text_size(const struct new_job *jobs, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += jobs[i].spec.len + jobs[i].head.len + jobs[i].job->key.len;
    return size;
}

static struct store_row row_of(struct embedded *em, const struct new_job *new, int64_t now,
                               char **text)
{
    const struct job *job = new->job;
    int64_t due = 0;

    if (job->delay_ms)
        due = now + (int64_t)job->delay_ms * 1000;
    else if ((int64_t)job->not_before_us > now)
        due = (int64_t)job->not_before_us;
    return (struct store_row){
        .number = em->next_number++,
        .state = due ? AW_SCHEDULED : AW_QUEUED,
        .priority = (int)job->priority,
        .flags = job->max_attempts > 1 || job->on_interrupt.data ? STORE_POLICY : 0,
        .due_us = due,
        .deadline_us = job->queue_timeout_ms ? now + (int64_t)job->queue_timeout_ms * 1000 : 0,
        .overall_us = job->total_timeout_ms ? now + (int64_t)job->total_timeout_ms * 1000 : 0,
        .retention_ms = (int64_t)job->retention_ms,
        .retry_of = new->retry_of,
        .queue = STORE_DEFAULT_QUEUE,
        .key = bytes_put(text, job->key),
        .spec = bytes_put(text, new->spec),
        .head = bytes_put(text, new->head),
    };
}

/* The job's place in memory. NULL: out of memory. */
static struct live *live_of(struct embedded *em, const struct store_row *row)
{
    bool overall = row->overall_us && (!row->deadline_us || row->overall_us < row->deadline_us);
    struct live *job =
        sched_make(em->sched, row->number, (enum aw_state)row->state, row->priority, row->due_us,
                   overall ? row->overall_us : row->deadline_us, row->flags & STORE_POLICY);

    if (job)
        job->flags =
            (uint8_t)((row->flags & STORE_POLICY ? LIVE_POLICY : 0) | (overall ? LIVE_OVERALL : 0));
    return job;
}

static struct submit_call *submit_make(struct embedded *em, const struct new_job *jobs, size_t n)
{
    struct submit_call *call = calloc(1, sizeof(*call) + n * sizeof(*call->rows));
    int64_t now = now_us();
    char *text;

    if (!call)
        return NULL;
    call->em = em;
    call->op.n = n;
    call->op.now_us = now;
    call->submitted = calloc(n, sizeof(*call->submitted));
    call->live = calloc(n, sizeof(struct live *));
    text = call->text = malloc(text_size(jobs, n) + 1);
    if (!call->submitted || !call->live || !call->text) {
        submit_free(call);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        struct store_row *row = &call->rows[i];

        *row = row_of(em, &jobs[i], now, &text);
        call->live[i] = live_of(em, row);
        if (!call->live[i]) {
            submit_free(call);
            return NULL;
        }
    }
    return call;
}

void embedded_submit(struct engine *e, const struct submit *submit, engine_submit_fn done,
                     void *arg)
{
    struct embedded *em = embedded_of(e);
    size_t n = submit->n;
    struct submit_call *call = submit_make(em, submit->jobs, n);

    if (!call) {
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    call->op.full = sched_total(em->sched) + em->pending + n > em->config.max_queued;
    call->done = done;
    call->arg = arg;
    call->op.uid = submit->uid;
    call->op.gid = submit->gid;
    call->op.has_request = submit->request.len == sizeof(call->op.request);
    if (call->op.has_request)
        memcpy(call->op.request, submit->request.data, sizeof(call->op.request));
    call->op.rows = call->rows;
    call->op.submitted = call->submitted;
    call->op.op.done = submit_done;
    store_submit_init(&call->op);
    em->pending += n;
    store_push(em->store, &call->op.op);
}
