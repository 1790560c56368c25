/* stats: counters and gauges of the daemon. */
#include "daemon/dispatch.h"

#include "config.h"
#include "daemon/turns.h"

void op_stats(struct exchange *x)
{
    struct server *srv = x->srv;
    struct endpoint_stats ep;
    struct engine_stats en;
    struct stats_rep rep;
    size_t held = running_held(srv->running);

    endpoint_stats(srv->endpoint, &ep);
    engine_get_stats(srv->engine, &en);
    rep = (struct stats_rep){
        .daemon = bytes_str("awd " PACKAGE_VERSION),
        .tag = bytes_str(srv->engine->tag),
        .pid = (uint64_t)getpid(),
        .runner_pid = (uint64_t)running_runner_pid(srv->running),
        .started_us = (uint64_t)srv->started_us,
        .slots = running_slots(srv->running),
        .draining = srv->draining || srv->stopping,
        .disk_full = en.disk_full,
        .scheduled = en.live[AW_SCHEDULED],
        .blocked = en.live[AW_BLOCKED],
        .queued = en.live[AW_QUEUED] + held,
        .running = en.live[AW_RUNNING] - held,
        .kept = en.kept,
        .submitted = en.submitted,
        .deduplicated = en.deduplicated,
        .succeeded = en.succeeded,
        .failed = en.failed,
        .cancelled = en.cancelled,
        .pruned = en.pruned,
        .commits = en.commits,
        .store_bytes = en.store_bytes,
        .requests = ep.requests,
        .connections = ep.connections,
        .waiters = ep.unanswered - 1, /* this one is answered now */
        .sets = en.sets,
        .store_steps = en.store_steps,
        .sched_steps = en.sched_steps,
        .first_result = en.first_result,
        .queue_wait = en.queue_wait,
        .run = en.run,
        .total = en.total,
    };
    turns_read(&rep.loop);
    exchange_reply(x, &rep);
}
