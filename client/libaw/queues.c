#include "client/libaw/call.h"
#include "client/libaw/copy.h"
#include "client/libaw/copy_fields.h"

DEFINE_COPY(queue, queue_status, aw_queue, QUEUE_STATUS_FIELDS)
DEFINE_LIST(queues, queue, queue, queue_status)

enum aw_err aw_queue_list(struct aw_client *client, struct aw_queues **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct queue_list_req req;
    struct call call = {.op = OP_QUEUE_LIST, .req = &req, .deadline_us = NEVER_US};
    struct queue_list_rep rep;
    struct aw_queues *list;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    list = queues_make(rep.queues.v, rep.queues.n, 0, NULL);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    return AW_OK;
}

void aw_queue_change_init_sized(struct aw_queue_change *change, size_t size)
{
    struct aw_queue_change defaults = {
        .size = size,
        .slots = -1,
        .limit = -1,
        .priority = AW_QUEUE_LEAVE,
        .paused = -1,
        .draining = -1,
        .rate = -1,
        .rate_ms = 1000,
    };

    memset(change, 0, size);
    memcpy(change, &defaults, MIN(size, sizeof(defaults)));
}

/* Of more than there can be, one too many is sent: the daemon says what is right. */
#define NAMES_MAX (AW_MAX_LIMITS + 1)

static size_t limit_names(const char *const *list, struct bytes names[NAMES_MAX])
{
    size_t n = 0;

    for (; list && n < NAMES_MAX && list[n]; n++)
        names[n] = bytes_str(list[n]);
    return n;
}

/* `names` is to live as long as the request. */
static struct queue_set_req change_request(const char *name, const struct aw_queue_change *change,
                                           struct bytes names[NAMES_MAX])
{
    struct aw_queue_change ours;
    bool set_priority;

    aw_queue_change_init(&ours);
    if (change)
        memcpy(&ours, change, MIN(change->size, sizeof(ours)));
    set_priority = ours.priority != AW_QUEUE_LEAVE;
    return (struct queue_set_req){
        .queue = bytes_str(name),
        .create = ours.create,
        .slots = ours.slots,
        .limit = ours.limit,
        .set_priority = set_priority,
        .priority = set_priority ? ours.priority : 0,
        .paused = ours.paused,
        .draining = ours.draining,
        .rate = ours.rate,
        .rate_ms = (uint64_t)ours.rate_ms,
        .set_limits = ours.limits != NULL,
        .limits = ours.limits ? limits_from(ours.limits) : (struct limits){0},
        .only_limits = {names, limit_names(ours.only_limits, names)},
    };
}

enum aw_err aw_queue_set(struct aw_client *client, const char *name,
                         const struct aw_queue_change *change, struct aw_queues **ret,
                         struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct bytes names[NAMES_MAX];
    struct queue_set_req req = change_request(name, change, names);
    /* One that makes it goes once: sent again, it would find the queue that it had made. */
    struct call call = {
        .op = OP_QUEUE_SET, .req = &req, .once = req.create, .deadline_us = NEVER_US};
    struct queue_set_rep rep;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);
    struct aw_queues *list;

    if (e || !ret)
        return e;
    list = queues_make(&rep.queue, 1, 0, NULL);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    return AW_OK;
}

enum aw_err aw_queue_remove(struct aw_client *client, const char *name, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct queue_remove_req req = {.queue = bytes_str(name)};
    struct call call = {.op = OP_QUEUE_REMOVE, .req = &req, .once = true, .deadline_us = NEVER_US};
    struct queue_remove_rep rep;

    return call_make(client, &call, &rep, &answer, err);
}
