/* set-add: make futures members of a set, which is made if there is none. */
#include "daemon/ops/results.h"

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

static void add(struct many *m)
{
    const struct set_add_req *req = m->x->args;
    struct set_add add = {
        .uid = exchange_uid(m->x),
        .gid = exchange_gid(m->x),
        .admin = exchange_is_admin(m->x),
        .name = req->set,
        .close = req->close,
        .numbers = m->numbers,
        .n = m->n_numbers,
    };

    engine_set_add(m->x->srv->engine, &add, added, m);
}

/* A temporary set must be there: its name is not for anybody to choose. */
static void looked(void *arg, const struct aw_error *err, const struct set_info *set)
{
    struct many *m = arg;

    (void)set;
    if (err) {
        exchange_fail(m->x, err);
        many_free(m);
    } else {
        add(m);
    }
}

void op_set_add(struct exchange *x)
{
    const struct set_add_req *req = x->args;
    bool temporary = req->set.data && *(const char *)req->set.data == '~';
    struct aw_error err;
    struct many *m;

    if (req->set.data && !temporary && name_check(req->set, "set", &err)) {
        exchange_fail(x, &err);
        return;
    }
    m = many_open(x, &req->ids);
    if (!m)
        return;
    if (temporary)
        engine_set_get(x->srv->engine, exchange_uid(x), req->set, looked, m);
    else
        add(m);
}
