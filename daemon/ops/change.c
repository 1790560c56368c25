/* change: another priority, start now, or renew. */
#include "daemon/ops/results.h"

static void renew(struct many *m)
{
    for (size_t i = 0; i < m->n_numbers; i++)
        leases_renew(m->x->srv->leases, m->numbers[i]);
}

/* Nothing but a renewal: the engine has no part in it. */
static void renewed_answer(struct many *m)
{
    _cleanup_free_ struct job_result *jobs = calloc(m->n_numbers + 1, sizeof(*jobs));

    if (!jobs) {
        struct aw_error err;

        aw_fail(&err, AW_ERR_NO_MEMORY, "change: out of memory");
        many_answer(m, &err, NULL, 0);
        return;
    }
    for (size_t i = 0; i < m->n_numbers; i++)
        jobs[i] = (struct job_result){
            .number = m->numbers[i],
            .err = aw_state_is_final(m->states[i]) ? AW_ERR_WRONG_STATE : AW_OK,
            .state = m->states[i],
        };
    many_answer(m, NULL, jobs, m->n_numbers);
}

static void act(struct many *m)
{
    const struct change_req *req = m->x->args;
    int priority = (int)req->priority;
    struct job_change change = {
        .priority = req->set_priority ? &priority : NULL,
        .now = req->now,
    };

    if (req->renew)
        renew(m);
    if (change.priority || change.now)
        engine_change(m->x->srv->engine, m->numbers, m->n_numbers, &change, many_answer, m);
    else
        renewed_answer(m);
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
