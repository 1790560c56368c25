/* set-add: make futures members of a set, which is made if there is none. */
#include "daemon/ops/results.h"
#include "daemon/ops/set_name.h"

static void added(void *arg, const struct aw_error *err, const struct set_info *set,
                  const struct job_result *jobs, size_t n)
{
    struct many *m = arg;
    struct results results;
    struct set_add_rep rep;

    (void)n;
    if (err) {
        exchange_fail(m->x, err);
    } else if (!results_make(m, jobs, &results)) {
        exchange_failf(m->x, AW_ERR_NO_MEMORY, "set-add: out of memory for the answer");
    } else {
        rep = (struct set_add_rep){.set = set->status};
        rep.jobs.v = results.v;
        rep.jobs.n = results.n;
        leases_set_used(m->x->srv->leases, set->id);
        exchange_reply(m->x, &rep);
        results_done(&results);
    }
    many_free(m);
}

void op_set_add(struct exchange *x)
{
    const struct set_add_req *req = x->args;
    struct set_add add = {
        .uid = exchange_uid(x),
        .gid = exchange_gid(x),
        .admin = exchange_is_admin(x),
        .name = req->set,
        .close = req->close,
    };
    struct aw_error err;
    struct many *m;

    if (set_name_check(req->set, &err)) {
        exchange_fail(x, &err);
        return;
    }
    m = many_open(x, &req->ids);
    if (!m)
        return;
    add.numbers = m->numbers;
    add.n = m->n_numbers;
    engine_set_add(x->srv->engine, &add, added, m);
}
