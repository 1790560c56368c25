/* attempts: the attempts that were made at a job, with how each ended. */
#include "daemon/ops/ids.h"

/* The last attempt, of which the job's own record tells. */
static struct attempt_status last_attempt(const struct record *r)
{
    return (struct attempt_status){
        .attempt = r->attempt,
        .class = r->class,
        .running = r->state == AW_RUNNING,
        .exit_code = r->exit_code,
        .signal = (uint64_t)r->signal,
        .http_status = r->http_status,
        .message = r->message,
        .started_us = (uint64_t)r->started_us,
        .ended_us = (uint64_t)r->ended_us,
        .stdout_size = r->size[STREAM_STDOUT],
        .stderr_size = r->size[STREAM_STDERR],
    };
}

static struct attempt_status earlier_attempt(const struct attempt_record *a)
{
    return (struct attempt_status){
        .attempt = a->attempt,
        .class = a->class,
        .exit_code = a->exit_code,
        .signal = (uint64_t)a->signal,
        .http_status = a->http_status,
        .message = a->message,
        .started_us = (uint64_t)a->started_us,
        .ended_us = (uint64_t)a->ended_us,
        .stdout_size = a->size[STREAM_STDOUT],
        .stderr_size = a->size[STREAM_STDERR],
    };
}

/* The oldest first; the last one is in the job's record unless the job waits for the next. */
static size_t attempts_fill(struct attempt_status list[AW_MAX_ATTEMPTS_SHOWN],
                            const struct record *r)
{
    bool last = r->claim && (r->n_attempts == 0 || r->attempts[0].attempt != r->attempt);
    size_t skip = last && r->n_attempts == AW_MAX_ATTEMPTS_SHOWN, n = 0;

    for (size_t k = r->n_attempts - skip; k-- > 0;)
        list[n++] = earlier_attempt(&r->attempts[k]);
    if (last)
        list[n++] = last_attempt(r);
    return n;
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct attempt_status list[AW_MAX_ATTEMPTS_SHOWN];
    struct attempts_rep rep = {0};
    struct exchange *x = arg;
    const struct attempts_req *req = x->args;
    struct future_id id = {.number = n ? jobs->record.number : 0};
    enum aw_err e = err ? err->code : id_error(x, &id, jobs);

    if (err) {
        exchange_fail(x, err);
    } else if (e) {
        exchange_failf(x, e, "%.*s: %s", (int)req->id.len, (const char *)req->id.data,
                       aw_err_text(e));
    } else {
        rep.state = jobs->record.state;
        rep.attempts.v = list;
        rep.attempts.n = attempts_fill(list, &jobs->record);
        exchange_reply(x, &rep);
    }
}

void op_attempts(struct exchange *x)
{
    const struct attempts_req *req = x->args;
    struct aw_error err;
    uint64_t number;

    if (id_parse(x->srv, req->id, &number, &err))
        exchange_fail(x, &err);
    else
        engine_get(x->srv->engine, &number, 1, GET_ATTEMPTS, got, x);
}
