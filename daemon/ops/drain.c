/* drain: accept no new jobs (or accept them again). */
#include "daemon/dispatch.h"

#include "daemon/log.h"

void op_drain(struct exchange *x)
{
    const struct drain_req *req = x->args;
    struct engine_stats en;
    struct drain_rep rep;

    if (x->srv->draining != req->on)
        log_msg(LOG_NOTICE, "%s",
                req->on ? "draining: no new jobs are accepted"
                        : "draining is over: new jobs are accepted");
    x->srv->draining = req->on;
    engine_get_stats(x->srv->engine, &en);
    rep = (struct drain_rep){
        .draining = req->on,
        .unfinished =
            en.live[AW_SCHEDULED] + en.live[AW_BLOCKED] + en.live[AW_QUEUED] + en.live[AW_RUNNING],
    };
    exchange_reply(x, &rep);
}
