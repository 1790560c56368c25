#include <stdio.h>

#include "client/libaw/call.h"
#include "client/libaw/copy.h"

/* A large store on a slow disk is no daemon that hangs. */
#define BACKUP_HOLD_MS (INT64_C(24) * 3600 * 1000)

enum aw_err aw_hello(struct aw_client *client, struct aw_hello **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct hello_rep rep;
    struct hello_req req;
    struct call call = {.op = OP_HELLO, .req = &req, .deadline_us = NEVER_US};
    struct aw_hello *hello;
    enum aw_err e;

    codec_defaults(&hello_req_schema, &req);
    req.client = bytes_str("libaw " PACKAGE_VERSION);
    e = call_make(client, &call, &rep, &answer, err);
    if (e)
        return e;
    hello = hello_copy(&rep);
    if (!hello)
        return aw_fail(err, AW_ERR_NO_MEMORY, "hello: out of memory");
    *ret = hello;
    return AW_OK;
}

enum aw_err aw_stats(struct aw_client *client, struct aw_stats **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct stats_rep rep;
    struct stats_req req;
    struct call call = {.op = OP_STATS, .req = &req, .deadline_us = NEVER_US};
    struct aw_stats *stats;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    stats = stats_copy(&rep);
    if (!stats)
        return aw_fail(err, AW_ERR_NO_MEMORY, "stats: out of memory");
    *ret = stats;
    return AW_OK;
}

enum aw_err aw_slots(struct aw_client *client, int slots, unsigned *ret_slots,
                     uint64_t *ret_running, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct slots_req req = {.slots = slots};
    struct slots_rep rep;
    struct call call = {.op = OP_SLOTS, .req = &req, .deadline_us = NEVER_US};
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    if (ret_slots)
        *ret_slots = (unsigned)rep.slots;
    if (ret_running)
        *ret_running = rep.running;
    return AW_OK;
}

enum aw_err aw_drain(struct aw_client *client, bool on, uint64_t *ret_unfinished,
                     struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct drain_req req = {.on = on};
    struct drain_rep rep;
    struct call call = {.op = OP_DRAIN, .req = &req, .deadline_us = NEVER_US};
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (!e && ret_unfinished)
        *ret_unfinished = rep.unfinished;
    return e;
}

enum aw_err aw_backup(struct aw_client *client, const char *file, struct aw_backup **ret,
                      struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct backup_req req = {.file = bytes_str(file)};
    struct backup_rep rep;
    /* Once: sent again, it would find the file that the first one has made. */
    struct call call = {.op = OP_BACKUP,
                        .req = &req,
                        .once = true,
                        .hold_ms = BACKUP_HOLD_MS,
                        .deadline_us = NEVER_US};
    enum aw_err e = call_make(client, &call, &rep, &answer, err);
    struct aw_backup *backup;

    if (e)
        return e;
    backup = backup_copy(&rep);
    if (!backup)
        return aw_fail(err, AW_ERR_NO_MEMORY, "backup: out of memory");
    *ret = backup;
    return AW_OK;
}

enum aw_err aw_shutdown(struct aw_client *client, enum aw_shutdown_mode mode, uint64_t *ret_running,
                        struct aw_error *err)
{
    static const char *const names[] = {"leave", "drain", "kill"};
    _cleanup_answer_ struct answer answer = {0};
    struct shutdown_req req;
    struct shutdown_rep rep;
    /* Once: sent again, it would end the daemon that came up in the place of the first. */
    struct call call = {.op = OP_SHUTDOWN, .req = &req, .once = true, .deadline_us = NEVER_US};
    enum aw_err e;

    if ((unsigned)mode >= ARRAY_SIZE(names))
        return aw_fail(err, AW_ERR_USAGE, "there is no shutdown mode %d", (int)mode);
    codec_defaults(&shutdown_req_schema, &req);
    req.mode = bytes_str(names[mode]);
    e = call_make(client, &call, &rep, &answer, err);
    if (!e && ret_running)
        *ret_running = rep.running;
    return e;
}
