/*
 * retry: submit ended jobs again, as new futures. What has a final state keeps it; the new future
 * says whose it is (retry_of). It has no key, as its key names the old one, and waits for nothing:
 * whoever wants it again wants it now.
 *
 * A request that was carried out before is answered by what it did then, even if the old records
 * are gone by now: its new jobs say whose they are. Nothing is submitted by it a second time.
 */
#include "daemon/ops/ids.h"
#include "daemon/ops/submit_jobs.h"

struct retry {
    struct exchange *x;
    struct ids ids;
    struct id_result *out;
    char *text; /* two IDs for each */
    size_t *at; /* for each job of the batch: whose retry it is */
    uint64_t *abandon_ms;
    size_t n;
    uint64_t *both; /* of a request that comes again: the old numbers, then the new ones */
};

static void retry_free(struct retry *r)
{
    ids_done(&r->ids);
    free(r->out);
    free(r->text);
    free(r->at);
    free(r->abandon_ms);
    free(r->both);
    free(r);
}

static void retry_answer(struct retry *r)
{
    struct retry_rep rep = {0};

    rep.jobs.v = r->out;
    rep.jobs.n = r->ids.n;
    exchange_reply(r->x, &rep);
    retry_free(r);
}

static struct bytes id_text(struct retry *r, size_t slot, const struct future_id *id)
{
    char *buf = r->text + slot * AW_MAX_ID;
    const char *tag = id->tag[0] ? id->tag : r->x->srv->engine->tag;

    return bytes_of(buf, future_id_format(buf, tag, id->number));
}

static void submitted(void *arg, const struct aw_error *err, const struct submitted *jobs, size_t n)
{
    struct retry *r = arg;

    if (err) {
        exchange_fail(r->x, err);
        retry_free(r);
        return;
    }
    for (size_t i = 0; i < MIN(n, r->n); i++) {
        struct future_id id = {.number = jobs[i].number};

        r->out[r->at[i]].new_id = id_text(r, r->ids.n + r->at[i], &id);
        submitted_lease(r->x, &jobs[i], r->abandon_ms[i]);
    }
    retry_answer(r);
}

static enum aw_err retry_error(struct retry *r, size_t i, const struct found *f)
{
    enum aw_err e = id_error(r->x, &r->ids.v[i], f);

    if (e != AW_ERR_UNKNOWN_ID) /* of somebody else's, not even that it has ended */
        r->out[i].state = f->record.state;
    /* An administrator's retry would run somebody else's program as the administrator. */
    if (!e && f->record.uid != exchange_uid(r->x))
        e = AW_ERR_NOT_PERMITTED;
    if (!e && !aw_state_is_final(f->record.state))
        e = AW_ERR_WRONG_STATE;
    r->out[i].err = (uint64_t)e;
    if (e)
        r->out[i].message = bytes_str(aw_err_text(e));
    return e;
}

/* Decoded specifications of all that are tried again. They live until the submit is pushed. */
struct decoded {
    struct codec_doc doc;
    struct job job;
};

static enum aw_err retry_add(struct retry *r, struct job_batch *batch, struct decoded *d,
                             const struct found *f, size_t i, struct aw_error *err)
{
    enum aw_err e = codec_open(f->record.spec.data, f->record.spec.len, &d->doc, err);

    if (!e)
        e = codec_read(&d->doc, &job_schema, &d->job, err);
    if (e)
        return e;
    d->job.key = (struct bytes){0};
    d->job.delay_ms = 0;
    d->job.not_before_us = 0;
    d->job.cache_ttl_ms = 0;
    d->job.cache_failed = false;
    d->job.after = d->job.after_any = d->job.after_fail = (struct strv){0};
    r->abandon_ms[r->n] = d->job.abandon_ms;
    r->at[r->n++] = i;
    return batch_add(batch, r->x->srv, &d->job, f->record.number, err);
}

static void retry_submit(struct retry *r, const struct found *jobs, struct job_batch *batch,
                         struct decoded *decoded)
{
    const struct retry_req *req = r->x->args;
    struct aw_error err;
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < r->ids.n; i++) {
        r->out[i].id = id_text(r, i, &r->ids.v[i]);
        if (!retry_error(r, i, &jobs[i]))
            e = retry_add(r, batch, &decoded[i], &jobs[i], i, &err);
    }
    if (e) {
        exchange_fail(r->x, &err);
        retry_free(r);
    } else if (r->n == 0) {
        retry_answer(r);
    } else {
        batch_submit(batch, r->x, req->request, (struct bytes){0}, submitted, r);
    }
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct retry *r = arg;
    struct job_batch batch = {0};
    struct decoded *decoded = calloc(n + 1, sizeof(*decoded));

    if (err) {
        exchange_fail(r->x, err);
        retry_free(r);
    } else if (!decoded || !batch_init(&batch, n)) {
        exchange_failf(r->x, AW_ERR_NO_MEMORY, "retry: out of memory");
        retry_free(r);
    } else {
        retry_submit(r, jobs, &batch, decoded);
    }
    batch_done(&batch);
    for (size_t i = 0; decoded && i < n; i++)
        codec_close(&decoded[i].doc);
    free(decoded);
}

static void read_all(struct retry *r)
{
    engine_get(r->x->srv->engine, r->ids.numbers, r->ids.n, GET_WHOLE, got, r);
}

/* ---- A request that comes again ---------------------------------------------------------------
 */

static void place(struct retry *r, size_t i, uint64_t number)
{
    r->out[i].new_id = id_text(r, r->ids.n + i, &(struct future_id){.number = number});
    leases_renew(r->x->srv->leases, number);
}

static bool is_retry_of(const struct retry *r, size_t i, const struct record *job)
{
    return !id_is_foreign(r->x->srv, &r->ids.v[i]) && r->ids.numbers[i] == job->retry_of;
}

/*
 * Finds out which of the new jobs is whose: they are in the order of the IDs, without those that
 * were refused. Where nothing was refused, that holds for those, too, whose records are gone.
 * False: the request had another meaning then.
 */
static bool place_all(struct retry *r, const struct found *jobs, size_t n)
{
    bool all = n == r->ids.n;
    size_t at = 0;

    for (size_t k = 0; k < n; k++) {
        if (jobs[k].err && !all)
            continue;
        while (!jobs[k].err && at < r->ids.n && !is_retry_of(r, at, &jobs[k].record))
            at++;
        if (at == r->ids.n || (all && at != k))
            return false;
        place(r, at++, jobs[k].record.number);
    }
    return true;
}

static void answer_again(struct retry *r, const struct found *jobs)
{
    for (size_t i = 0; i < r->ids.n; i++) {
        struct id_result *out = &r->out[i];

        out->id = id_text(r, i, &r->ids.v[i]);
        if (out->new_id.len) {
            out->state = jobs[i].record.state;
        } else if (!retry_error(r, i, &jobs[i])) {
            out->err = AW_ERR_WRONG_STATE;
            out->message = bytes_str("it had not ended when this request was carried out, or the "
                                     "new job is gone; a new request submits it again");
        }
    }
    retry_answer(r);
}

static void got_both(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct retry *r = arg;

    if (err) {
        exchange_fail(r->x, err);
        retry_free(r);
    } else if (!place_all(r, jobs + r->ids.n, n - r->ids.n)) {
        exchange_failf(r->x, AW_ERR_INVALID,
                       "request: this key came before, with other jobs; a new retry needs a new "
                       "key");
        retry_free(r);
    } else {
        answer_again(r, jobs);
    }
}

static void recalled(void *arg, const struct aw_error *err, const struct submitted *jobs, size_t n)
{
    struct retry *r = arg;

    if (!err && n == 0) {
        read_all(r);
        return;
    }
    r->both = err ? NULL : calloc(r->ids.n + n, sizeof(*r->both));
    if (r->both) {
        memcpy(r->both, r->ids.numbers, r->ids.n * sizeof(*r->both));
        for (size_t i = 0; i < n; i++)
            r->both[r->ids.n + i] = jobs[i].number;
        engine_get(r->x->srv->engine, r->both, r->ids.n + n, 0, got_both, r);
        return;
    }
    if (err)
        exchange_fail(r->x, err);
    else
        exchange_failf(r->x, AW_ERR_NO_MEMORY, "retry: out of memory");
    retry_free(r);
}

void op_retry(struct exchange *x)
{
    const struct retry_req *req = x->args;
    struct retry *r = calloc(1, sizeof(*r));
    struct aw_error err;

    if (x->srv->draining || x->srv->stopping) {
        exchange_failf(x, AW_ERR_DRAINING, "retry: the daemon accepts no new jobs now");
        free(r);
        return;
    }
    if (r && ids_parse(&req->ids, &r->ids, &err)) {
        exchange_fail(x, &err);
        free(r);
        return;
    }
    if (r) {
        r->x = x;
        r->out = calloc(r->ids.n, sizeof(*r->out));
        r->text = calloc(2 * r->ids.n, AW_MAX_ID);
        r->at = calloc(r->ids.n, sizeof(*r->at));
        r->abandon_ms = calloc(r->ids.n, sizeof(*r->abandon_ms));
    }
    if (r && r->out && r->text && r->at && r->abandon_ms) {
        if (req->request.len)
            engine_recall(x->srv->engine, exchange_uid(x), req->request, recalled, r);
        else
            read_all(r);
        return;
    }
    exchange_failf(x, AW_ERR_NO_MEMORY, "retry: out of memory");
    if (r)
        retry_free(r);
}
