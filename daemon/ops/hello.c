/* hello: who is there, and which version do both speak. */
#include "daemon/dispatch.h"

#include "config.h"

void op_hello(struct exchange *x)
{
    const struct hello_req *req = x->args;
    struct hello_rep rep = {
        .version = AW_PROTO_VERSION,
        .tag = bytes_str(x->srv->engine->tag),
        .daemon = bytes_str("awd " PACKAGE_VERSION),
        .pid = (uint64_t)getpid(),
        .uid = exchange_uid(x),
        .max_message = AW_MAX_MESSAGE,
        .max_jobs = AW_MAX_JOBS_PER_SUBMIT,
        .max_ids = AW_MAX_IDS,
    };

    if (req->min_version > AW_PROTO_VERSION || req->max_version < AW_PROTO_VERSION)
        exchange_failf(x, AW_ERR_BAD_VERSION, "hello: only version %d is spoken here",
                       AW_PROTO_VERSION);
    else
        exchange_reply(x, &rep);
}
