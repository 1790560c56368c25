/* list: jobs by filter, page by page, newest first. */
#include "daemon/ops/ids.h"
#include "daemon/ops/view.h"

/* The mask of the states that are asked for; 0: all. */
static enum aw_err states_read(const struct list_req *req, unsigned *ret, struct aw_error *err)
{
    *ret = 0;
    for (size_t i = 0; i < req->states.n; i++) {
        enum aw_state state;

        if (!aw_state_parse(req->states.v[i], &state))
            return aw_fail(err, AW_ERR_INVALID, "states[%zu]: '%.*s' is no state", i,
                           (int)MIN(req->states.v[i].len, (size_t)32),
                           (const char *)req->states.v[i].data);
        *ret |= 1u << state;
    }
    return AW_OK;
}

/* Leaves those that look to users as if they were in one of these states. Returns how many. */
static size_t keep_wanted(const struct list_req *req, struct job_status *jobs, size_t n)
{
    unsigned states = 0;
    size_t n_kept = 0;

    if (states_read(req, &states, NULL) || !states)
        return n;
    for (size_t i = 0; i < n; i++)
        if (states >> jobs[i].state & 1)
            jobs[n_kept++] = jobs[i];
    return n_kept;
}

static void listed(void *arg, const struct aw_error *err, const struct record *jobs, size_t n,
                   uint64_t next)
{
    struct exchange *x = arg;
    char next_text[AW_MAX_ID];
    struct list_rep rep = {0};
    struct view view;

    if (err) {
        exchange_fail(x, err);
        return;
    }
    if (!view_init(&view, x->srv, n)) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "list: out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        view_set(&view, i, &jobs[i]);
    rep.jobs.v = view.jobs;
    rep.jobs.n = keep_wanted(x->args, view.jobs, n);
    if (next)
        rep.next = bytes_of(next_text, future_id_format(next_text, x->srv->engine->tag, next));
    exchange_reply(x, &rep);
    view_done(&view);
}

static enum aw_err filter_read(const struct exchange *x, struct list_filter *ret,
                               struct aw_error *err)
{
    const struct list_req *req = x->args;
    struct list_filter f = {.uid = req->uid, .name = req->name, .limit = (size_t)req->limit};

    enum aw_err e = states_read(req, &f.states, err);

    if (e)
        return e;
    if (f.states >> AW_QUEUED & 1)
        f.states |= 1u << AW_RUNNING; /* those that are held look so: struct running_info */
    if (req->before.data)
        e = id_parse(x->srv, req->before, &f.before, err);
    if (e)
        return e;
    if (!exchange_is_admin(x)) {
        if (f.uid >= 0 && f.uid != exchange_uid(x))
            return aw_fail(err, AW_ERR_NOT_PERMITTED, "list: only one's own jobs");
        f.uid = exchange_uid(x);
    }
    *ret = f;
    return AW_OK;
}

void op_list(struct exchange *x)
{
    struct list_filter filter;
    struct aw_error err;

    if (filter_read(x, &filter, &err))
        exchange_fail(x, &err);
    else
        engine_list(x->srv->engine, &filter, listed, x);
}
