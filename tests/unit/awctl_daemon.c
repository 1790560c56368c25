#include "tests/unit/awctl_daemon.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/unit/unit.h"

/* What a job has written. Returns the length. */
static size_t output_of(uint64_t number, char buf[64])
{
    return (size_t)snprintf(buf, 64, "first of %" PRIu64 "\nlast", number);
}

static void job_of(const struct daemon *d, uint64_t number, struct job_status *s)
{
    static char text[AW_MAX_PAGE][AW_MAX_ID];
    char *id = text[number % AW_MAX_PAGE];

    snprintf(id, AW_MAX_ID, "k3f9q-%" PRIu64, number);
    codec_defaults(&job_status_schema, s);
    s->id = bytes_str(id);
    s->created_us = s->started_us = 1767225600000000;
    s->state = AW_RUNNING;
    if (number > d->n_members) {
        s->err = AW_ERR_UNKNOWN_ID;
        s->state = AW_SCHEDULED;
    } else if (number <= d->n_ended) {
        bool failed = number % 3 == 2;
        char output[64];

        s->stdout_size = output_of(number, output);
        s->state = failed ? AW_FAILED : AW_SUCCEEDED;
        s->class = failed ? AW_CLASS_EXIT : AW_CLASS_NONE;
        s->exit_code = failed ? 3 : 0;
        s->ended_us = s->started_us + 1500000;
    }
}

static uint64_t number_of(struct bytes id)
{
    char text[AW_MAX_ID];
    const char *dash;

    snprintf(text, sizeof(text), "%.*s", (int)id.len, (const char *)id.data);
    dash = strchr(text, '-');
    return strtoull(dash ? dash + 1 : text, NULL, 10);
}

static struct set_status set_of(const struct daemon *d)
{
    return (struct set_status){
        .name = bytes_str("wanted"),
        .closed = d->closed,
        .n_members = d->n_members,
        .n_ended = d->n_ended,
        .n_failed = (d->n_ended + 1) / 3,
        .created_us = 1767225600000000,
        .first_us = d->n_ended ? 1767225600098000 : 0,
    };
}

static void answer_read(struct fake_request *rq, struct daemon *d)
{
    static struct job_status jobs[AW_MAX_PAGE];
    struct set_read_rep rep = {.set = set_of(d), .jobs = {jobs, 0}};
    struct set_read_req req;
    uint64_t after;

    fake_read(rq, &req);
    ck_assert_uint_le(req.ack, d->n_ended);
    d->cursor = MAX(d->cursor, req.ack);
    snprintf(d->consumer, sizeof(d->consumer), "%.*s", (int)req.consumer.len,
             (const char *)req.consumer.data);
    after = req.after < 0 ? d->cursor : (uint64_t)req.after;
    while (rep.jobs.n < MIN(req.limit, d->page) && after + rep.jobs.n < d->n_ended) {
        job_of(d, after + rep.jobs.n + 1, &jobs[rep.jobs.n]);
        rep.jobs.n++;
    }
    rep.first = after + 1;
    rep.cursor = d->cursor;
    rep.done = d->closed && d->n_ended == d->n_members && after + rep.jobs.n == d->n_ended;
    if (rep.jobs.n || rep.done || !d->parks || !req.limit || !req.timeout_ms)
        fake_reply(rq, &rep);
}

/* Of any set: the temporary one of as-completed has the jobs in their order, too. */
static void answer_add(struct fake_request *rq, struct daemon *d)
{
    struct id_result results[16];
    struct set_add_rep rep = {.set = set_of(d), .jobs = {results, 0}};
    struct set_add_req req;

    fake_read(rq, &req);
    for (; rep.jobs.n < req.ids.n; rep.jobs.n++) {
        struct id_result *r = &results[rep.jobs.n];

        codec_defaults(&id_result_schema, r);
        r->id = req.ids.v[rep.jobs.n];
        if (number_of(r->id) > d->n_members)
            r->err = AW_ERR_UNKNOWN_ID;
    }
    if (req.set.len)
        rep.set.closed = d->closed = req.close;
    fake_reply(rq, &rep);
}

static void answer_members(struct fake_request *rq, const struct daemon *d)
{
    static struct job_status jobs[AW_MAX_PAGE];
    struct set_members_rep rep = {.jobs = {jobs, (size_t)d->n_members}};

    for (size_t i = 0; i < d->n_members; i++)
        job_of(d, i + 1, &jobs[i]);
    fake_reply(rq, &rep);
}

static void answer_status(struct fake_request *rq, struct daemon *d)
{
    struct job_status jobs[16];
    struct status_rep rep = {.jobs = {jobs, 0}};
    struct status_req req;

    d->n_statuses++;
    fake_read(rq, &req);
    for (; rep.jobs.n < req.ids.n; rep.jobs.n++)
        job_of(d, number_of(req.ids.v[rep.jobs.n]), &jobs[rep.jobs.n]);
    fake_reply(rq, &rep);
}

static void answer_wait(struct fake_request *rq, const struct daemon *d)
{
    struct wait_rep rep = {
        .n_ended = d->n_ended, .n_failed = set_of(d).n_failed, .n_total = d->n_members};
    struct wait_req req;

    fake_read(rq, &req);
    ck_assert_bytes_eq(req.set, "wanted");
    rep.done = req.n ? d->n_ended >= req.n : d->closed && d->n_ended == d->n_members;
    fake_reply(rq, &rep);
}

static void answer_result(struct fake_request *rq, const struct daemon *d)
{
    struct result_rep rep = {.eof = true};
    struct result_req req;
    char text[64];

    fake_read(rq, &req);
    job_of(d, number_of(req.id), &rep.job);
    rep.size = output_of(number_of(req.id), text);
    rep.data = bytes_of(text, rep.size);
    fake_reply(rq, &rep);
}

static void answer_queues(struct fake_request *rq, struct daemon *d)
{
    struct queue_status queues[2];
    struct queue_list_rep list = {.queues = {queues, 2}};
    struct queue_set_rep set;

    for (int i = 0; i < 2; i++)
        codec_defaults(&queue_status_schema, &queues[i]);
    queues[0].name = bytes_str("default");
    queues[1].name = bytes_str("slow");
    queues[1].slots = 3;
    queues[1].priority = -2;
    queues[1].paused = true;
    queues[1].rate = 10;
    queues[1].rate_ms = 60000;
    queues[1].waiting = 7;
    if (rq->op == OP_QUEUE_LIST) {
        fake_reply(rq, &list);
        return;
    }
    fake_read(rq, &d->queue);
    set.queue = queues[1];
    fake_reply(rq, &set);
}

static void answer_change(struct fake_request *rq, const struct daemon *d)
{
    struct id_result results[16];
    struct change_rep rep = {.jobs = {results, 0}};
    struct change_req req;

    fake_read(rq, &req);
    for (; rep.jobs.n < req.ids.n; rep.jobs.n++) {
        struct id_result *r = &results[rep.jobs.n];

        codec_defaults(&id_result_schema, r);
        r->id = req.ids.v[rep.jobs.n];
        if (number_of(r->id) <= d->n_ended && !req.now) {
            r->err = AW_ERR_WRONG_STATE;
            r->message = bytes_str("it has ended");
        }
    }
    fake_reply(rq, &rep);
}

static void answer_explain(struct fake_request *rq)
{
    struct bytes before[] = {bytes_str("k3f9q-5"), bytes_str("k3f9q-6")};
    struct explain_rep rep = {.state = AW_QUEUED,
                              .reason = bytes_str("slots"),
                              .text = bytes_str("all 4 slots are taken"),
                              .queue = bytes_str("slow"),
                              .n_before = 1000,
                              .more_before = true,
                              .before = {before, 2}};
    struct explain_req req;

    fake_read(rq, &req);
    if (bytes_eq(req.id, bytes_str("8")))
        rep = (struct explain_rep){
            .state = AW_SUCCEEDED, .reason = bytes_str("ended"), .text = bytes_str("it has ended")};
    fake_reply(rq, &rep);
}

static void answer_simple(struct fake_request *rq, struct daemon *d)
{
    struct set_show_rep show = {.set = set_of(d), .run = {4, 1000, 2000, 3000, 4000000}};
    struct set_list_rep list = {.sets = {&show.set, 1}};
    struct set_cancel_rep cancel = {.cancelled = 2, .stopping = 1};
    struct set_forget_rep forget = {0};
    struct set_close_rep close_rep;

    switch (rq->op) {
    case OP_SET_SHOW:
        fake_reply(rq, &show);
        break;
    case OP_SET_LIST:
        fake_reply(rq, &list);
        break;
    case OP_SET_CLOSE:
        d->closed = true;
        close_rep.set = set_of(d);
        fake_reply(rq, &close_rep);
        break;
    case OP_SET_CANCEL:
        d->cancelled = true;
        fake_reply(rq, &cancel);
        break;
    case OP_SET_FORGET:
        fake_reply(rq, &forget);
        break;
    case OP_SUBMIT:
        fake_error(rq, AW_ERR_DRAINING, "jobs[0].queue: queue 'slow' takes no new jobs now");
        break;
    default:
        fake_error(rq, AW_ERR_UNKNOWN_OP, "the fake does not know this");
    }
}

void daemon_serve(struct fake_request *rq, void *daemon)
{
    struct daemon *d = daemon;

    switch (rq->op) {
    case OP_SET_READ:
        answer_read(rq, d);
        break;
    case OP_SET_ADD:
        answer_add(rq, d);
        break;
    case OP_SET_MEMBERS:
        answer_members(rq, d);
        break;
    case OP_STATUS:
        answer_status(rq, d);
        break;
    case OP_WAIT:
        answer_wait(rq, d);
        break;
    case OP_RESULT:
        answer_result(rq, d);
        break;
    case OP_QUEUE_LIST:
    case OP_QUEUE_SET:
        answer_queues(rq, d);
        break;
    case OP_CHANGE:
        answer_change(rq, d);
        break;
    case OP_EXPLAIN:
        answer_explain(rq);
        break;
    default:
        answer_simple(rq, d);
    }
}
