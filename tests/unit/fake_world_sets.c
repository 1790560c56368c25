#include "tests/unit/fake_world_private.h"

#include <stdio.h>
#include <stdlib.h>

static void set_status_fill(struct set_status *to, const struct world_set *set)
{
    codec_defaults(&set_status_schema, to);
    to->name = bytes_str(set->name);
    to->closed = set->closed;
    to->temporary = set->temporary;
    to->n_members = set->n_members;
    to->n_ended = set->n_ended;
    to->n_failed = set->n_failed;
    to->created_us = 1000;
    to->first_us = set->n_ended ? 3000 : 0;
}

uint64_t *world_cursor_of(struct world *w, struct bytes consumer)
{
    for (size_t i = 0; i < MAX_CONSUMERS; i++) {
        struct world_cursor *c = &w->cursors[i];

        if (!c->at)
            snprintf(c->consumer, sizeof(c->consumer), "%.*s", (int)consumer.len,
                     (const char *)consumer.data);
        if (bytes_eq(bytes_str(c->consumer), consumer))
            return &c->at;
    }
    abort();
}

bool world_read_answer(struct world *w, const struct parked *p, uint64_t cursor, bool now)
{
    const struct world_set *set = p->set;
    uint64_t n = set->n_ended > p->after ? MIN(set->n_ended - p->after, p->limit) : 0;
    bool done = set->closed && set->n_ended == set->n_members && p->after + n == set->n_ended;
    struct set_read_rep rep = {.first = p->after + 1, .cursor = cursor, .done = done};
    struct job_status *jobs;

    if (n == 0 && !done && !now)
        return false;
    set_status_fill(&rep.set, set);
    jobs = world_zeroed(n + 1, sizeof(*jobs));
    for (uint64_t i = 0; i < n; i++)
        world_status_fill(w, &jobs[i], set->order[p->after + i], bytes_of(NULL, 0), i);
    rep.jobs.v = jobs;
    rep.jobs.n = n;
    fake_reply_to(p->fd, p->id, OP_SET_READ, &rep);
    free(jobs);
    return true;
}

struct world_set *world_set_find(struct world *w, struct bytes name)
{
    for (size_t i = 0; i < MAX_SETS; i++)
        if (name.len && bytes_eq(bytes_str(w->sets[i].name), name))
            return &w->sets[i];
    return NULL;
}

void world_set_free(struct world *w, struct world_set *set)
{
    for (size_t i = 0; i < w->n_parked; i++)
        if (w->parked[i].set == set) {
            struct reply no = {.err = AW_ERR_NO_SET, .error = bytes_str("no-set")};
            struct codec_buf buf = {0};

            if (codec_write(&buf, &(struct codec_part){&reply_schema, &no}, 1))
                abort();
            fake_body(w->parked[i].fd, w->parked[i].id, buf.data, buf.len);
            codec_buf_done(&buf);
            w->parked[i--] = w->parked[--w->n_parked];
        }
    free(set->member);
    free(set->order);
    *set = (struct world_set){0};
}

struct world_set *world_set_make(struct world *w, struct bytes name)
{
    for (size_t i = 0; i < MAX_SETS; i++) {
        struct world_set *set = &w->sets[i];

        if (set->name[0])
            continue;
        if (name.len)
            snprintf(set->name, sizeof(set->name), "%.*s", (int)name.len, (const char *)name.data);
        else
            snprintf(set->name, sizeof(set->name), "~%u", ++w->n_made);
        set->temporary = !name.len;
        set->member = world_zeroed(w->n_jobs + 1, sizeof(*set->member));
        set->order = world_zeroed(w->n_jobs + 1, sizeof(*set->order));
        return set;
    }
    abort();
}

void world_set_complete(const struct world *w, struct world_set *set, unsigned number)
{
    set->order[set->n_ended++] = number;
    set->n_failed += world_is_failed(w, number);
}

void world_set_join(const struct world *w, struct world_set *set, unsigned number)
{
    if (set->member[number])
        return;
    set->member[number] = true;
    set->n_members++;
    if (world_is_ended(w, number))
        world_set_complete(w, set, number);
}

void world_answer_set_add(struct world *w, struct fake_request *rq)
{
    struct world_set *set;
    struct set_add_req req;
    struct set_add_rep rep = {0};
    struct id_result *jobs;

    fake_read(rq, &req);
    set = world_set_find(w, req.set);
    if (!set && req.set.len && *(const char *)req.set.data == '~') {
        fake_error(rq, AW_ERR_NO_SET, "there is no such set");
        return;
    }
    if (!set)
        set = world_set_make(w, req.set);
    jobs = world_zeroed(req.ids.n + 1, sizeof(*jobs));
    for (size_t i = 0; i < req.ids.n; i++) {
        unsigned number = world_number_of(w, req.ids.v[i]);

        codec_defaults(&id_result_schema, &jobs[i]);
        jobs[i].id = req.ids.v[i];
        jobs[i].err = world_error_of(w, number);
        if (jobs[i].err)
            continue;
        jobs[i].state = w->jobs[number].state;
        world_set_join(w, set, number);
    }
    set->closed = set->closed || req.close;
    set_status_fill(&rep.set, set);
    rep.jobs.v = jobs;
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
    free(jobs);
    world_parked_review(w);
}

void world_answer_set_read(struct world *w, struct fake_request *rq)
{
    struct parked p = {.fd = rq->fd, .id = rq->id, .op = OP_SET_READ};
    struct set_read_req req;
    uint64_t *cursor;

    fake_read(rq, &req);
    p.set = world_set_find(w, req.set);
    if (!p.set) {
        fake_error(rq, AW_ERR_NO_SET, "there is no such set");
        return;
    }
    cursor = p.set->temporary ? &(uint64_t){0} : world_cursor_of(w, req.consumer);
    *cursor = MAX(*cursor, req.ack);
    p.after = req.after < 0 ? *cursor : (uint64_t)req.after;
    p.limit = req.limit;
    p.end_us = world_clock_us() + (int64_t)req.timeout_ms * 1000;
    if (!world_read_answer(w, &p, *cursor, req.timeout_ms == 0))
        world_park(w, &p);
}

void world_answer_set_members(struct world *w, struct fake_request *rq)
{
    struct job_status *jobs = world_zeroed(w->n_jobs + 1, sizeof(*jobs));
    struct set_members_rep rep = {0};
    struct set_members_req req;
    struct world_set *set;

    fake_read(rq, &req);
    set = world_set_find(w, req.set);
    for (unsigned i = 1; set && i <= w->n_jobs; i++) {
        if (!set->member[i])
            continue;
        world_status_fill(w, &jobs[rep.jobs.n], i, bytes_of(NULL, 0), rep.jobs.n);
        rep.jobs.n++;
    }
    rep.jobs.v = jobs;
    fake_reply(rq, &rep);
    free(jobs);
}

void world_answer_set_forget(struct world *w, struct fake_request *rq)
{
    struct set_forget_rep rep = {0};
    struct set_forget_req req;
    struct world_set *set;

    fake_read(rq, &req);
    set = world_set_find(w, req.set);
    if (!set) {
        fake_error(rq, AW_ERR_NO_SET, "there is no such set");
        return;
    }
    world_set_free(w, set);
    fake_reply(rq, &rep);
}
