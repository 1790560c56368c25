/* queue-set, queue-list, queue-remove: named queues, for all users, as administrators set them. */
#include "daemon/dispatch.h"

#include "daemon/log.h"

static void queue_changed(void *arg, const struct aw_error *err, const struct queue_status *queues,
                          size_t n)
{
    struct exchange *x = arg;
    const struct queue_set_req *req = x->args;
    struct queue_set_rep rep;

    (void)n;
    if (err) {
        exchange_fail(x, err);
        return;
    }
    rep = (struct queue_set_rep){.queue = *queues};
    log_msg(LOG_NOTICE, "queue %.*s: %s by user %u%s%s", (int)req->queue.len,
            (const char *)req->queue.data, req->create ? "made" : "changed", exchange_uid(x),
            rep.queue.paused ? "; it is paused" : "",
            rep.queue.draining ? "; it takes no new jobs" : "");
    exchange_reply(x, &rep);
}

/* Which limits change. */
static enum aw_err limits_mask(const struct queue_set_req *req, unsigned *ret, struct aw_error *err)
{
    unsigned mask = 0;
    enum limit limit;

    for (size_t i = 0; i < req->only_limits.n; i++) {
        struct bytes name = req->only_limits.v[i];

        if (!limit_find(name, &limit))
            return aw_fail(err, AW_ERR_INVALID, "only_limits[%zu]: there is no limit '%.*s'", i,
                           (int)MIN(name.len, (size_t)32), (const char *)name.data);
        mask |= 1u << limit;
    }
    *ret = mask;
    return AW_OK;
}

static enum aw_err change_check(const struct queue_set_req *req, struct aw_error *err)
{
    if (req->create) {
        enum aw_err e = name_check(req->queue, "queue", err);

        if (e)
            return e;
    }
    if (req->rate > 0 && req->rate_ms == 0)
        return aw_fail(err, AW_ERR_INVALID, "rate_ms: with a rate, a period of at least 1 ms");
    return AW_OK;
}

void op_queue_set(struct exchange *x)
{
    const struct queue_set_req *req = x->args;
    int priority = (int)req->priority;
    struct queue_change change = {
        .create = req->create,
        .slots = (int)req->slots,
        .limit = (int)req->limit,
        .paused = (int)req->paused,
        .draining = (int)req->draining,
        .priority = req->set_priority ? &priority : NULL,
        .rate = req->rate,
        .rate_ms = (int64_t)req->rate_ms,
        .limits = req->set_limits ? &req->limits : NULL,
    };
    struct aw_error err;

    if (change_check(req, &err) || limits_mask(req, &change.limits_mask, &err)) {
        exchange_fail(x, &err);
        return;
    }
    running_reconsider(x->srv->running);
    engine_queue_set(x->srv->engine, req->queue, &change, queue_changed, x);
}

static void queues_listed(void *arg, const struct aw_error *err, const struct queue_status *queues,
                          size_t n)
{
    struct exchange *x = arg;
    struct queue_list_rep rep = {0};
    _cleanup_free_ struct queue_status *copy = NULL;

    if (err) {
        exchange_fail(x, err);
        return;
    }
    copy = calloc(n + 1, sizeof(*copy));
    if (!copy) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "queue-list: out of memory");
        return;
    }
    memcpy(copy, queues, n * sizeof(*copy));
    rep.queues.v = copy;
    rep.queues.n = n;
    exchange_reply(x, &rep);
}

void op_queue_list(struct exchange *x)
{
    engine_queue_list(x->srv->engine, queues_listed, x);
}

static void queue_removed(void *arg, const struct aw_error *err)
{
    struct exchange *x = arg;
    const struct queue_remove_req *req = x->args;
    struct queue_remove_rep rep;

    if (err) {
        exchange_fail(x, err);
        return;
    }
    log_msg(LOG_NOTICE, "queue %.*s: removed by user %u", (int)req->queue.len,
            (const char *)req->queue.data, exchange_uid(x));
    exchange_reply(x, &rep);
}

void op_queue_remove(struct exchange *x)
{
    const struct queue_remove_req *req = x->args;

    engine_queue_remove(x->srv->engine, req->queue, queue_removed, x);
}
