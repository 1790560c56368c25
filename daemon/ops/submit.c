/* submit: take 1 to 1,000 jobs, all or none, and give their IDs. */
#include "daemon/ops/set_name.h"
#include "daemon/ops/submit_jobs.h"

#include "proto/future_id.h"

/* The answer: the texts of the IDs, and which of them existed, or had ended, before. */
struct answer {
    struct submit_rep rep;
    struct bytes *ids; /* all of it is behind these, in one block */
    uint64_t *dup, *cached;
    char *text;
};

static void answer_done(struct answer *a)
{
    free(a->ids);
}

static bool answer_make(struct answer *a, const struct server *srv, const struct submitted *jobs,
                        size_t n)
{
    *a = (struct answer){
        .ids = malloc(n * (sizeof(*a->ids) + sizeof(*a->dup) + sizeof(*a->cached) + AW_MAX_ID) + 1),
    };
    if (!a->ids)
        return false;
    a->dup = (uint64_t *)(a->ids + n);
    a->cached = a->dup + n;
    a->text = (char *)(a->cached + n);
    a->rep.ids = (struct strv){a->ids, n};
    a->rep.deduplicated = (struct u64v){a->dup, 0};
    a->rep.cached = (struct u64v){a->cached, 0};
    for (size_t i = 0; i < n; i++) {
        char *at = a->text + i * AW_MAX_ID;

        a->ids[i] = bytes_of(at, future_id_format(at, srv->engine->tag, jobs[i].number));
        if (jobs[i].deduplicated)
            a->dup[a->rep.deduplicated.n++] = i;
        if (jobs[i].cached)
            a->cached[a->rep.cached.n++] = i;
    }
    return true;
}

static void submitted(void *arg, const struct aw_error *err, const struct submitted *jobs, size_t n)
{
    struct exchange *x = arg;
    const struct submit_req *req = x->args;
    struct answer answer;

    if (err) {
        exchange_fail(x, err);
        return;
    }
    for (size_t i = 0; i < MIN(n, req->jobs.n); i++)
        submitted_lease(x, &jobs[i], req->jobs.v[i].abandon_ms);
    if (answer_make(&answer, x->srv, jobs, n))
        exchange_reply(x, &answer.rep);
    else
        exchange_failf(x, AW_ERR_NO_MEMORY,
                       "submit: out of memory for the answer; ask again with "
                       "the same request key");
    answer_done(&answer);
}

static enum aw_err add_all(struct job_batch *batch, const struct server *srv,
                           const struct submit_req *req, struct aw_error *err)
{
    struct aw_error why;
    enum aw_err e = set_name_check(req->set, err);

    if (e)
        return e;
    for (size_t i = 0; i < req->jobs.n; i++) {
        e = batch_add(batch, srv, &req->jobs.v[i], 0, &why);

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
    if (add_all(&batch, x->srv, req, &err))
        exchange_fail(x, &err);
    else
        batch_submit(&batch, x, req->request, req->set, submitted, x);
    batch_done(&batch);
}
