/* change: another priority, start now, or renew. */
#include "daemon/ops/results.h"

/* All, whatever becomes of the rest. */
static void renew(struct many *m)
{
    for (size_t i = 0; i < m->n_numbers; i++)
        leases_renew(m->x->srv->leases, m->numbers[i]);
}

/* Nothing but a renewal: the engine has no part in it. */
static void renewed(struct many *m, size_t first, size_t n)
{
    struct job_result jobs[MANY_SLICE];

    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct job_result){
            .number = m->numbers[first + i],
            .err = aw_state_is_final(m->states[first + i]) ? AW_ERR_WRONG_STATE : AW_OK,
            .state = m->states[first + i],
        };
    many_acted(m, NULL, jobs, n);
}

static void act(struct many *m, size_t first, size_t n)
{
    const struct change_req *req = m->x->args;
    int priority = (int)req->priority;
    struct job_change change = {
        .priority = req->set_priority ? &priority : NULL,
        .now = req->now,
    };

    if (req->renew && first == 0)
        renew(m);
    if (change.priority || change.now)
        engine_change(m->x->srv->engine, m->numbers + first, n, &change, many_acted, m);
    else
        renewed(m, first, n);
}

void op_change(struct exchange *x)
{
    const struct change_req *req = x->args;

    if (req->set_priority || req->now || req->renew)
        many_begin(x, &req->ids, act);
    else
        exchange_failf(x, AW_ERR_INVALID,
                       "change: nothing to change: needs set_priority, now or renew");
}
