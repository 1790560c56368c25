/* status: how futures stand now. */
#include "daemon/ops/ids.h"
#include "daemon/ops/statuses.h"

void op_status(struct exchange *x)
{
    const struct status_req *req = x->args;
    struct aw_error err;
    struct ids ids;

    if (ids_parse(&req->ids, &ids, &err))
        exchange_fail(x, &err);
    else
        statuses_answer(x, &ids, NULL);
}
