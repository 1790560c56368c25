/* cancel: end jobs before they end themselves. */
#include "daemon/ops/results.h"

static void act(struct many *m, size_t first, size_t n)
{
    const struct cancel_req *req = m->x->args;

    engine_cancel(m->x->srv->engine, m->numbers + first, n, req->grace_ms, NULL, many_acted, m);
}

void op_cancel(struct exchange *x)
{
    const struct cancel_req *req = x->args;

    many_begin(x, &req->ids, act);
}
