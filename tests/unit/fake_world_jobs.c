#include "tests/unit/fake_world_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/future_id.h"

unsigned world_number_of(const struct world *w, struct bytes id)
{
    struct future_id parsed;

    if (future_id_parse(id, &parsed, NULL) || parsed.number > w->n_jobs ||
        (parsed.tag[0] && strcmp(parsed.tag, TAG) != 0))
        return 0;
    return (unsigned)parsed.number;
}

bool world_is_ended(const struct world *w, unsigned number)
{
    return number == 0 || w->jobs[number].pruned || aw_state_is_final(w->jobs[number].state);
}

bool world_is_failed(const struct world *w, unsigned number)
{
    return number == 0 || w->jobs[number].pruned ||
           (world_is_ended(w, number) && w->jobs[number].state != AW_SUCCEEDED);
}

enum aw_err world_error_of(const struct world *w, unsigned number)
{
    if (number == 0)
        return AW_ERR_UNKNOWN_ID;
    return w->jobs[number].pruned ? AW_ERR_EXPIRED_ID : AW_OK;
}

/* Texts of replies live in here until the next reply. */
static char texts[AW_MAX_IDS][AW_MAX_ID];

/* What a job has written: nothing, if it was cancelled. Returns the length. */
static size_t output_of(const struct world *w, unsigned number, char buf[32])
{
    *buf = '\0';
    if (!world_is_ended(w, number) || w->jobs[number].state == AW_CANCELLED)
        return 0;
    return (size_t)snprintf(buf, 32, "output of %u", number);
}

void world_status_fill(const struct world *w, struct job_status *job, unsigned number,
                       struct bytes id, size_t i)
{
    char output[32];

    codec_defaults(&job_status_schema, job);
    job->id = id;
    job->err = world_error_of(w, number);
    if (job->err)
        job->message = bytes_str("no such future");
    if (number == 0)
        return;
    future_id_format(texts[i], TAG, number);
    job->id = bytes_str(texts[i]);
    job->state = w->jobs[number].state;
    job->class = job->state == AW_FAILED ? AW_CLASS_EXIT : AW_CLASS_NONE;
    job->stdout_size = output_of(w, number, output);
}

void world_answer_statuses(struct world *w, struct fake_request *rq)
{
    struct job_status *jobs;
    struct status_req req;
    struct status_rep rep = {0};

    fake_read(rq, &req);
    jobs = world_zeroed(req.ids.n, sizeof(*jobs));
    for (size_t i = 0; i < req.ids.n; i++)
        world_status_fill(w, &jobs[i], world_number_of(w, req.ids.v[i]), req.ids.v[i], i);
    rep.jobs.v = jobs;
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
    free(jobs);
}

/* The next ones of the jobs, which run already. */
void world_answer_submit(struct world *w, struct fake_request *rq)
{
    struct submit_req req;
    struct submit_rep rep = {0};
    struct bytes *ids;

    fake_read(rq, &req);
    ids = world_zeroed(req.jobs.n, sizeof(*ids));
    for (size_t i = 0; i < req.jobs.n; i++)
        ids[i] = bytes_of(texts[i], future_id_format(texts[i], TAG, ++w->n_submitted));
    rep.ids = (struct strv){ids, req.jobs.n};
    fake_reply(rq, &rep);
    free(ids);
}

void world_answer_result(struct world *w, struct fake_request *rq)
{
    struct result_req req;
    struct result_rep rep = {0};
    char data[32];
    unsigned number;

    fake_read(rq, &req);
    number = world_number_of(w, req.id);
    if (!world_is_ended(w, number) || world_error_of(w, number)) {
        fake_error(rq, number ? AW_ERR_WRONG_STATE : AW_ERR_UNKNOWN_ID, "no result");
        return;
    }
    world_status_fill(w, &rep.job, number, req.id, 0);
    rep.size = output_of(w, number, data);
    rep.data = bytes_of(data + MIN(req.offset, rep.size),
                        MIN((size_t)req.max, (size_t)(rep.size - MIN(req.offset, rep.size))));
    rep.eof = req.offset + rep.data.len == rep.size;
    fake_reply(rq, &rep);
}

bool world_wait_answer(struct world *w, const struct parked *p, bool now)
{
    struct job_status *jobs = world_zeroed(p->n_numbers, sizeof(*jobs));
    struct wait_rep rep = {0};

    for (size_t i = 0; i < p->n_numbers; i++) {
        rep.n_ended += world_is_ended(w, p->numbers[i]);
        rep.n_failed += world_is_failed(w, p->numbers[i]);
        world_status_fill(w, &jobs[i], p->numbers[i], bytes_str("unknown"), i);
    }
    rep.done = rep.n_ended >= (p->want ? p->want : p->n_numbers) || rep.n_ended == p->n_numbers ||
               (p->first_error && rep.n_failed > 0);
    if (rep.done) {
        rep.jobs.v = jobs;
        rep.jobs.n = p->n_numbers;
    }
    if (rep.done || now)
        fake_reply_to(p->fd, p->id, OP_WAIT, &rep);
    free(jobs);
    return rep.done || now;
}

void world_answer_wait(struct world *w, struct fake_request *rq)
{
    struct parked p = {.fd = rq->fd, .id = rq->id, .op = OP_WAIT};
    struct wait_req req;

    fake_read(rq, &req);
    p.end_us = world_clock_us() + (int64_t)req.timeout_ms * 1000;
    p.want = req.n;
    p.first_error = req.first_error;
    p.n_numbers = req.ids.n;
    p.numbers = world_zeroed(req.ids.n, sizeof(*p.numbers));
    for (size_t i = 0; i < req.ids.n; i++)
        p.numbers[i] = world_number_of(w, req.ids.v[i]);
    if (!world_parked_answer(w, &p, req.timeout_ms == 0))
        world_park(w, &p);
}

void world_answer_cancel(struct world *w, struct fake_request *rq)
{
    struct cancel_req req;
    struct cancel_rep rep = {0};
    struct id_result *jobs;

    fake_read(rq, &req);
    jobs = world_zeroed(req.ids.n, sizeof(*jobs));
    for (size_t i = 0; i < req.ids.n; i++) {
        unsigned number = world_number_of(w, req.ids.v[i]);

        codec_defaults(&id_result_schema, &jobs[i]);
        jobs[i].id = req.ids.v[i];
        jobs[i].state = AW_CANCELLED;
        if (world_is_ended(w, number))
            jobs[i].err = AW_ERR_WRONG_STATE;
        else
            world_job_end(w, number, AW_CANCELLED);
    }
    rep.jobs.v = jobs;
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
    free(jobs);
    world_parked_review(w);
}
