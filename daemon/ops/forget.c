/* forget: remove the records and output of ended jobs. */
#include "daemon/ops/results.h"

static void act(struct many *m, size_t first, size_t n)
{
    engine_forget(m->x->srv->engine, m->numbers + first, n, many_acted, m);
}

void op_forget(struct exchange *x)
{
    const struct forget_req *req = x->args;

    many_begin(x, &req->ids, act);
}
