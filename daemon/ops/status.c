/* status: how futures stand now. */
#include "daemon/ops/ids.h"
#include "daemon/ops/view.h"

struct status {
    struct exchange *x;
    struct ids ids;
};

static void status_free(struct status *st)
{
    ids_done(&st->ids);
    free(st);
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct status *st = arg;
    struct exchange *x = st->x;
    struct status_rep rep = {0};
    struct view view;

    if (err) {
        exchange_fail(x, err);
    } else if (!view_init(&view, x->srv, n)) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "status: out of memory");
    } else {
        view_set_all(&view, x, &st->ids, jobs);
        rep.jobs.v = view.jobs;
        rep.jobs.n = n;
        exchange_reply(x, &rep);
        view_done(&view);
    }
    status_free(st);
}

void op_status(struct exchange *x)
{
    const struct status_req *req = x->args;
    struct status *st = calloc(1, sizeof(*st));
    struct aw_error err;

    if (!st) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "status: out of memory");
    } else if (ids_parse(&req->ids, &st->ids, &err)) {
        exchange_fail(x, &err);
        free(st);
    } else {
        st->x = x;
        engine_get(x->srv->engine, st->ids.numbers, st->ids.n, 0, got, st);
    }
}
