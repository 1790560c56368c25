/* backup: a copy of the store in a file, made while everything goes on. */
#include "daemon/dispatch.h"

#include <inttypes.h>

#include "daemon/backup_file.h"
#include "daemon/log.h"

/*
 * The file is made on the helper thread, filled by the engine, and made durable and named on the
 * helper thread again. It is finished also if its client goes away meanwhile.
 */
struct backup {
    struct server *srv;
    struct exchange *x; /* NULL: its client is gone */
    uint32_t uid;
    struct backup_file file;
    struct aw_error err; /* code AW_OK: so far, so good */
    char *made;
    uint64_t size;
    char path[BACKUP_PATH]; /* empty: the default */
};

static void backup_gone(struct exchange *x)
{
    struct backup *b = x->state;

    b->x = NULL;
    exchange_drop(x);
}

static void backup_end(struct backup *b)
{
    if (b->err.code)
        log_msg(LOG_WARNING, "%s", b->err.text);
    else
        log_msg(LOG_NOTICE, "backup by user %u: %s, %" PRIu64 " bytes", b->uid, b->made, b->size);
    b->srv->backing_up = false;
    if (b->x && b->err.code)
        exchange_fail(b->x, &b->err);
    else if (b->x)
        exchange_reply(b->x, &(struct backup_rep){.file = bytes_str(b->made), .size = b->size});
    free(b->made);
    free(b);
}

static void end_done(void *arg)
{
    backup_end(arg);
}

/* On the helper thread; a large file takes its time to go. */
static void discard_run(void *arg)
{
    struct backup *b = arg;

    backup_file_discard(&b->file);
}

static void discard(struct backup *b, const struct aw_error *why)
{
    b->err = *why;
    if (b->srv->offload && offload_run(b->srv->offload, discard_run, end_done, b))
        return;
    backup_file_discard(&b->file);
    backup_end(b);
}

/* On the helper thread. */
static void commit_run(void *arg)
{
    struct backup *b = arg;

    (void)!backup_file_commit(&b->file, &b->made, &b->size, &b->err);
}

static void copied(void *arg, const struct aw_error *err)
{
    static const struct aw_error stopping = {AW_ERR_STOPPING, 0,
                                             "backup: the daemon is going down"};
    struct backup *b = arg;

    if (err)
        discard(b, err);
    else if (!b->srv->offload || !offload_run(b->srv->offload, commit_run, end_done, b))
        discard(b, &stopping);
}

static void create_done(void *arg)
{
    struct backup *b = arg;

    if (b->err.code)
        backup_end(b);
    else
        engine_backup(b->srv->engine, b->file.partial, copied, b);
}

/* On the helper thread. */
static void create_run(void *arg)
{
    struct backup *b = arg;
    enum aw_err e = AW_OK;

    if (!b->path[0])
        e = backup_file_default(b->srv->config->state_dir, b->path, &b->err);
    if (!e)
        (void)!backup_file_create(b->path, b->srv->engine->tag, &b->file, &b->err);
}

static enum aw_err request_check(const struct exchange *x, struct aw_error *err)
{
    const struct backup_req *req = x->args;

    if (x->srv->backing_up)
        return aw_fail(err, AW_ERR_BUSY, "backup: another one is being made");
    if (req->file.len &&
        (*(const char *)req->file.data != '/' || memchr(req->file.data, '\0', req->file.len)))
        return aw_fail(err, AW_ERR_INVALID, "file: must be an absolute path");
    return AW_OK;
}

void op_backup(struct exchange *x)
{
    const struct backup_req *req = x->args;
    struct server *srv = x->srv;
    struct aw_error err;
    struct backup *b;

    if (request_check(x, &err)) {
        exchange_fail(x, &err);
        return;
    }
    b = calloc(1, sizeof(*b));
    if (!b) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "backup: out of memory");
        return;
    }
    b->srv = srv;
    b->uid = exchange_uid(x);
    if (req->file.len)
        memcpy(b->path, req->file.data, req->file.len); /* at most AW_MAX_PATH */
    if (!offload_run(srv->offload, create_run, create_done, b)) {
        free(b);
        exchange_failf(x, AW_ERR_BUSY, "backup: too much else is to be done; try again");
        return;
    }
    srv->backing_up = true;
    b->x = x;
    exchange_park(x, backup_gone, b);
    exchange_rest(x);
}
