/* set-cancel: cancel all members of a set. */
#include "daemon/ops/set_walk.h"

enum { CANCELLED, STOPPING };

static bool wants(const struct found *f)
{
    return !f->err && !aw_state_is_final(f->record.state);
}

static void cancelled(void *arg, const struct aw_error *err, const struct job_result *jobs,
                      size_t n)
{
    struct set_walk *w = arg;

    if (err) {
        set_walk_fail(w, err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].err)
            continue; /* it has ended meanwhile */
        w->counts[jobs[i].state == AW_RUNNING ? STOPPING : CANCELLED]++;
    }
    set_walk_next(w);
}

static void act(struct set_walk *w)
{
    const struct set_cancel_req *req = w->x->args;

    engine_cancel(w->x->srv->engine, w->numbers, w->n, req->grace_ms, NULL, cancelled, w);
}

static void done(struct set_walk *w)
{
    struct set_cancel_rep rep = {
        .cancelled = w->counts[CANCELLED],
        .stopping = w->counts[STOPPING],
    };

    exchange_reply(w->x, &rep);
    set_walk_free(w);
}

void op_set_cancel(struct exchange *x)
{
    const struct set_cancel_req *req = x->args;

    set_walk_begin(x, req->set, &(struct set_walk){.wants = wants, .act = act, .done = done});
}
