/* submit: take 1 to 1,000 jobs, all or none, and give their IDs. */
#include "daemon/ops/submit_jobs.h"

#include "proto/future_id.h"

static void submitted(void *arg, const struct aw_error *err, const struct submitted *jobs, size_t n)
{
    struct exchange *x = arg;
    _cleanup_free_ char *text = err ? NULL : malloc(n * AW_MAX_ID);
    _cleanup_free_ struct bytes *ids = err ? NULL : calloc(n, sizeof(*ids));
    _cleanup_free_ uint64_t *dup = err ? NULL : calloc(n, sizeof(*dup));
    struct submit_rep rep = {.ids = {ids, n}, .deduplicated = {dup, 0}};

    if (err) {
        exchange_fail(x, err);
        return;
    }
    if (!text || !ids || !dup) {
        exchange_failf(x, AW_ERR_NO_MEMORY,
                       "submit: out of memory for the answer; ask again with "
                       "the same request key");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char *at = text + i * AW_MAX_ID;

        ids[i] = bytes_of(at, future_id_format(at, x->srv->engine->tag, jobs[i].number));
        if (jobs[i].deduplicated)
            dup[rep.deduplicated.n++] = i;
    }
    exchange_reply(x, &rep);
}

static enum aw_err add_all(struct job_batch *batch, const struct submit_req *req,
                           struct aw_error *err)
{
    struct aw_error why;

    for (size_t i = 0; i < req->jobs.n; i++) {
        enum aw_err e = batch_add(batch, &req->jobs.v[i], 0, &why);

        if (e)
            return aw_fail(err, e, "jobs[%zu].%.200s", i, why.text);
    }
    return AW_OK;
}

void op_submit(struct exchange *x)
{
    const struct submit_req *req = x->args;
    struct job_batch batch;
    struct aw_error err;

    if (x->srv->draining || x->srv->stopping) {
        exchange_failf(x, AW_ERR_DRAINING, "submit: the daemon accepts no new jobs now");
        return;
    }
    if (!batch_init(&batch, req->jobs.n)) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "submit: out of memory");
        return;
    }
    if (add_all(&batch, req, &err))
        exchange_fail(x, &err);
    else
        engine_submit(x->srv->engine, exchange_uid(x), exchange_gid(x), req->request,
                      batch_seal(&batch), batch.n, submitted, x);
    batch_done(&batch);
}
