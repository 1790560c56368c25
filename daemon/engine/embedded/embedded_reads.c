/* The embedded engine's calls that only read: straight to the store. */
#include "daemon/engine/embedded/embedded_private.h"

struct get_call {
    struct store_get op;
    struct embedded *em;
    engine_get_fn done;
    void *arg;
    struct found *found;
    uint64_t numbers[];
};

static void get_done(struct store_op *op)
{
    struct get_call *call = (struct get_call *)op;

    for (size_t i = 0; !op->error.code && i < call->op.n; i++) {
        struct found *f = &call->found[i];

        if (f->err && embedded_is_unknown(call->em, f->record.number))
            f->err = AW_ERR_UNKNOWN_ID;
    }
    call->done(call->arg, op_error(op), call->found, call->op.n);
    store_arena_free(&call->op.arena);
    free(call->found);
    free(call);
}

void embedded_get(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                  engine_get_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct get_call *call = calloc(1, sizeof(*call) + n * sizeof(*numbers));

    if (call)
        call->found = calloc(n + 1, sizeof(*call->found));
    if (!call || !call->found) {
        free(call);
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    memcpy(call->numbers, numbers, n * sizeof(*numbers));
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.numbers = call->numbers;
    call->op.n = n;
    call->op.what = what;
    call->op.found = call->found;
    call->op.op.done = get_done;
    store_get_init(&call->op);
    store_push(em->store, &call->op.op);
}

struct recall_call {
    struct store_recall op;
    engine_submit_fn done;
    void *arg;
};

static void recall_done(struct store_op *op)
{
    struct recall_call *call = (struct recall_call *)op;

    call->done(call->arg, op_error(op), call->op.submitted, call->op.n);
    free(call->op.submitted);
    free(call);
}

void embedded_recall(struct engine *e, uint32_t uid, struct bytes request, engine_submit_fn done,
                     void *arg)
{
    struct recall_call *call = calloc(1, sizeof(*call));

    if (!call) {
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    call->done = done;
    call->arg = arg;
    call->op.uid = uid;
    memcpy(call->op.request, request.data, MIN(request.len, sizeof(call->op.request)));
    call->op.now_us = now_us();
    call->op.op.done = recall_done;
    store_recall_init(&call->op);
    store_push(embedded_of(e)->store, &call->op.op);
}

struct list_call {
    struct store_list op;
    engine_list_fn done;
    void *arg;
    struct record *records;
    char name[AW_MAX_NAME];
};

static void list_done(struct store_op *op)
{
    struct list_call *call = (struct list_call *)op;

    call->done(call->arg, op_error(op), call->records, call->op.n, call->op.next);
    store_arena_free(&call->op.arena);
    free(call->records);
    free(call);
}

void embedded_list(struct engine *e, const struct list_filter *filter, engine_list_fn done,
                   void *arg)
{
    struct embedded *em = embedded_of(e);
    struct list_call *call = calloc(1, sizeof(*call));

    if (call)
        call->records = calloc(filter->limit + 1, sizeof(*call->records));
    if (!call || !call->records) {
        free(call);
        done(arg, &embedded_no_memory, NULL, 0, 0);
        return;
    }
    call->done = done;
    call->arg = arg;
    call->op.filter = *filter;
    call->op.filter.name = bytes_of(call->name, MIN(filter->name.len, sizeof(call->name)));
    if (filter->name.len)
        memcpy(call->name, filter->name.data, call->op.filter.name.len);
    call->op.records = call->records;
    call->op.op.done = list_done;
    store_list_init(&call->op);
    store_push(em->store, &call->op.op);
}

struct output_call {
    struct store_output op;
    engine_output_fn done;
    void *arg;
};

static void output_done(struct store_op *op)
{
    struct output_call *call = (struct output_call *)op;

    call->done(call->arg, op_error(op), call->op.data);
    store_arena_free(&call->op.arena);
    free(call);
}

void embedded_output(struct engine *e, uint64_t number, uint64_t attempt, int stream,
                     uint64_t offset, size_t max, engine_output_fn done, void *arg)
{
    struct embedded *em = embedded_of(e);
    struct output_call *call = calloc(1, sizeof(*call));

    if (!call) {
        done(arg, &embedded_no_memory, (struct bytes){0});
        return;
    }
    call->done = done;
    call->arg = arg;
    call->op.number = number;
    call->op.attempt = attempt;
    call->op.stream = stream;
    call->op.offset = offset;
    call->op.max = max;
    call->op.op.done = output_done;
    store_output_init(&call->op);
    store_push(em->store, &call->op.op);
}
