/* The embedded engine's calls on queues. */
#include "daemon/engine/embedded/embedded_private.h"

#include <inttypes.h>

#include "daemon/engine/embedded/store_sql.h"

static struct queues *queues_in(const struct embedded *em)
{
    return sched_queues(em->sched);
}

static struct queue_settings settings_of(const struct store_queue_row *row)
{
    return (struct queue_settings){
        .slots = row->slots,
        .limit = row->limit,
        .priority = row->priority,
        .paused = row->paused,
        .draining = row->draining,
        .rate = row->rate,
        .rate_ms = row->rate_ms,
        .limits = row->limits,
    };
}

enum aw_err embedded_on_queue(void *arg, const struct store_queue_row *row)
{
    struct embedded *em = arg;
    struct queue_settings set = settings_of(row);
    struct queue *q = queue_make(row->id, row->name, &set);

    if (q && queues_insert(queues_in(em), q))
        return AW_OK;
    queue_free(q);
    return AW_ERR_NO_MEMORY;
}

struct queue *embedded_queue_of(struct embedded *em, const struct job *job, enum aw_err *ret_why)
{
    struct queue *q = job->queue.len ? queues_find(queues_in(em), job->queue)
                                     : queues_find_id(queues_in(em), STORE_DEFAULT_QUEUE);

    if (!q || q->leaving)
        *ret_why = AW_ERR_NO_QUEUE;
    else if (q->set.draining)
        *ret_why = AW_ERR_DRAINING;
    else
        return q;
    return NULL;
}

struct queue_status embedded_queue_status(const struct queue *q)
{
    return (struct queue_status){
        .name = bytes_str(q->name),
        .slots = q->set.slots,
        .limit = q->set.limit,
        .priority = q->set.priority,
        .paused = q->set.paused,
        .draining = q->set.draining,
        .rate = q->set.rate,
        .rate_ms = q->set.rate_ms,
        .limits = q->set.limits,
        .queued = q->n_by_state[AW_QUEUED],
        .running = q->n_by_state[AW_RUNNING],
        .waiting = q->n_by_state[AW_SCHEDULED] + q->n_by_state[AW_BLOCKED],
    };
}

/* ---- Set --------------------------------------------------------------------------------------
 */

struct queue_set_call {
    struct store_queue_set op;
    struct embedded *em;
    engine_queues_fn done;
    void *arg;
    struct queue *fresh; /* made beforehand, so that what is recorded has its place in memory */
    int priority;
    struct limits limits;
    char name[AW_MAX_QUEUE_NAME + 1];
};

/* The settings as they are on disk now. NULL: it was removed again meanwhile, in that order. */
static const struct queue *set_apply(struct queue_set_call *call)
{
    struct queues *qs = queues_in(call->em);
    struct queue_settings set = settings_of(&call->op.row);
    struct queue *q = queues_find_id(qs, call->op.row.id);

    if (!q && call->fresh) {
        q = call->fresh;
        q->id = call->op.row.id;
        if (!queues_insert(qs, q))
            return NULL; /* impossible: room was counted when the call was made */
        call->fresh = NULL;
    }
    if (q)
        queues_set(qs, q, &set);
    return q;
}

static void queue_set_done(struct store_op *op)
{
    struct queue_set_call *call = (struct queue_set_call *)op;
    struct embedded *em = call->em;
    const struct queue *q = NULL;
    struct queue_status status;

    em->queues_making -= call->fresh != NULL;
    if (!op->error.code) {
        q = set_apply(call);
        if (!q)
            aw_fail(&op->error, AW_ERR_INTERNAL, "queue '%s': is not in memory", call->name);
    }
    if (q)
        status = embedded_queue_status(q);
    call->done(call->arg, op_error(op), q ? &status : NULL, q != NULL);
    queue_free(call->fresh);
    free(call);
    embedded_clock_set(em);
    embedded_runnable(em);
}

static struct queue_set_call *queue_set_make(struct embedded *em, struct bytes name,
                                             const struct queue_change *change)
{
    struct queue_set_call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    memcpy(call->name, name.data, MIN(name.len, sizeof(call->name) - 1));
    if (change->create) {
        call->fresh = queue_make(0, call->name, &(struct queue_settings){0});
        if (!call->fresh) {
            free(call);
            return NULL;
        }
        em->queues_making++;
    }
    call->em = em;
    call->op.name = bytes_str(call->name);
    call->op.change = *change;
    if (change->priority) {
        call->priority = *change->priority;
        call->op.change.priority = &call->priority;
    }
    if (change->limits) {
        call->limits = *change->limits;
        call->op.change.limits = &call->limits;
    }
    return call;
}

void embedded_queue_set(struct engine *e, struct bytes name, const struct queue_change *change,
                        engine_queues_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct queue_set_call *call;
    struct aw_error full;

    if (change->create && queues_in(em)->n + em->queues_making >= AW_MAX_QUEUES) {
        aw_fail(&full, AW_ERR_LIMIT, "queue '%.*s': there are %zu queues; at most %d can be",
                (int)name.len, (const char *)name.data, queues_in(em)->n, AW_MAX_QUEUES);
        done(arg, &full, NULL, 0);
        return;
    }
    call = queue_set_make(em, name, change);
    if (!call) {
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    call->done = done;
    call->arg = arg;
    call->op.op.done = queue_set_done;
    store_queue_set_init(&call->op);
    store_push(em->store, &call->op.op);
}

/* ---- List -------------------------------------------------------------------------------------
 */

struct queue_list_call {
    struct store_op op;
    struct embedded *em;
    engine_queues_fn done;
    void *arg;
    struct queue_status list[AW_MAX_QUEUES];
};

static int by_name(const void *a, const void *b)
{
    const struct queue_status *qa = a, *qb = b;

    return strcmp(qa->name.data, qb->name.data);
}

static void queue_list_done(struct store_op *op)
{
    struct queue_list_call *call = (struct queue_list_call *)op;
    const struct queues *qs = queues_in(call->em);
    size_t n = 0;

    for (size_t i = 0; i < AW_MAX_QUEUES; i++)
        if (qs->by_index[i])
            call->list[n++] = embedded_queue_status(qs->by_index[i]);
    qsort(call->list, n, sizeof(*call->list), by_name);
    call->done(call->arg, op_error(op), call->list, n);
    free(call);
}

void embedded_queue_list(struct engine *e, engine_queues_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct queue_list_call *call = calloc(1, sizeof(*call));

    if (!call) {
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.done = queue_list_done;
    /* Memory knows it all, but not before what was asked earlier has been done. */
    store_nothing_init(&call->op);
    store_push(em->store, &call->op);
}

/* ---- Remove -----------------------------------------------------------------------------------
 */

struct queue_remove_call {
    struct store_queue_remove op;
    struct embedded *em;
    engine_done_fn done;
    void *arg;
    char name[AW_MAX_QUEUE_NAME + 1];
};

static void queue_remove_done(struct store_op *op)
{
    struct queue_remove_call *call = (struct queue_remove_call *)op;
    struct embedded *em = call->em;
    struct queue *q = queues_find_id(queues_in(em), call->op.id);

    if (!op->error.code && !call->op.found)
        aw_fail(&op->error, AW_ERR_NO_QUEUE, "there is no queue '%s'", call->name);
    if (q && op->error.code)
        q->leaving--; /* another one may still be on its way */
    else if (q)
        queues_remove(queues_in(em), q);
    call->done(call->arg, op_error(op));
    free(call);
}

/* Whether it may not go; the sentence says why. */
static bool remove_refused(const struct queue *q, struct aw_error *err)
{
    if (q->id == STORE_DEFAULT_QUEUE)
        aw_fail(err, AW_ERR_WRONG_STATE, "queue '%s': it is always there", q->name);
    else if (q->n_jobs)
        aw_fail(err, AW_ERR_WRONG_STATE, "queue '%s': %" PRIu64 " jobs in it have not ended",
                q->name, q->n_jobs);
    else
        return false;
    return true;
}

void embedded_queue_remove(struct engine *e, struct bytes name, engine_done_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct queue *q = queues_find(queues_in(em), name);
    struct queue_remove_call *call;
    struct aw_error err;

    if (q && remove_refused(q, &err)) {
        done(arg, &err);
        return;
    }
    call = calloc(1, sizeof(*call));
    if (!call) {
        done(arg, &embedded_no_memory);
        return;
    }
    memcpy(call->name, name.data, MIN(name.len, sizeof(call->name) - 1));
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.id = q ? q->id : 0;
    call->op.op.done = queue_remove_done;
    store_queue_remove_init(&call->op);
    if (q)
        q->leaving++;
    store_push(em->store, &call->op.op);
}
