/* The embedded engine's call that copies its store into a file. */
#include "daemon/engine/embedded/embedded_private.h"

struct backup_call {
    struct store_backup op;
    struct embedded *em;
    engine_done_fn done;
    void *arg;
    char path[];
};

static void backup_end(struct backup_call *call, const struct aw_error *err)
{
    call->em->backing_up = false;
    call->done(call->arg, err);
    free(call);
}

/* What others pushed meanwhile comes between two slices. */
static void slice_done(struct store_op *op)
{
    static const struct aw_error stopping = {AW_ERR_STOPPING, 0,
                                             "backup: the daemon is going down"};
    struct backup_call *call = (struct backup_call *)op;

    if (op->error.code) {
        store_backup_end(&call->op); /* a store that is down does not run it */
        backup_end(call, &op->error);
    } else if (call->op.complete) {
        backup_end(call, NULL);
    } else if (call->op.stop) {
        backup_end(call, &stopping);
    } else {
        call->op.stop = call->em->closing;
        store_push(call->em->store, &call->op.op);
    }
}

void embedded_backup(struct engine *e, const char *path, engine_done_fn done, void *arg)
{
    static const struct aw_error busy = {AW_ERR_BUSY, 0, "backup: another one is being made"};
    struct embedded *em = embedded_of(e);
    size_t len = strlen(path) + 1;
    struct backup_call *call;

    if (em->backing_up) {
        done(arg, &busy);
        return;
    }
    call = calloc(1, sizeof(*call) + len);
    if (!call) {
        done(arg, &embedded_no_memory);
        return;
    }
    memcpy(call->path, path, len);
    call->em = em;
    call->done = done;
    call->arg = arg;
    call->op.path = call->path;
    call->op.op.done = slice_done;
    store_backup_init(&call->op);
    em->backing_up = true;
    store_push(em->store, &call->op.op);
}
