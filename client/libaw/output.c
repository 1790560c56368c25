#include "client/libaw/call.h"
#include "client/libaw/copy.h"

enum aw_err aw_result_read(struct aw_client *client, const char *id, uint64_t offset,
                           struct aw_result **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct result_req req;
    struct result_rep rep;
    struct call call = {.op = OP_RESULT, .req = &req, .deadline_us = NEVER_US};
    struct aw_result *result;
    enum aw_err e;

    codec_defaults(&result_req_schema, &req);
    req.id = bytes_str(id);
    req.offset = offset;
    e = call_make(client, &call, &rep, &answer, err);
    if (e)
        return e;
    result = result_copy(&rep, offset);
    if (!result)
        return aw_fail(err, AW_ERR_NO_MEMORY, "result: out of memory");
    *ret = result;
    return AW_OK;
}

static enum aw_err logs_poll(struct aw_client *client, struct logs_req *req, int64_t deadline,
                             struct aw_chunk **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    int64_t left_ms = deadline == NEVER_US ? AW_LONG_POLL_MS
                                           : MAX((deadline - mono_us() + 999) / 1000, INT64_C(0));
    struct call call = {.op = OP_LOGS, .req = req, .deadline_us = NEVER_US};
    struct logs_rep rep;
    enum aw_err e;

    req->wait_ms = (uint64_t)MIN(left_ms, AW_LONG_POLL_MS);
    if (req->wait_ms) {
        call.waits = true;
        call.hold_ms = (int64_t)req->wait_ms;
        call.deadline_us = deadline;
    }
    e = call_make(client, &call, &rep, &answer, err);
    if (e)
        return e;
    *ret = chunk_copy(&rep);
    return *ret ? AW_OK : aw_fail(err, AW_ERR_NO_MEMORY, "logs: out of memory");
}

enum aw_err aw_logs_attempt(struct aw_client *client, const char *id, uint64_t attempt,
                            enum aw_stream stream, int64_t offset, int64_t wait_ms,
                            struct aw_chunk **ret, struct aw_error *err)
{
    _hold_client_(client);
    int64_t deadline = deadline_us(wait_ms);
    struct aw_chunk *chunk;
    struct logs_req req;
    enum aw_err e;

    codec_defaults(&logs_req_schema, &req);
    req.id = bytes_str(id);
    req.attempt = attempt;
    if (stream == AW_STDERR)
        req.stream = bytes_str("stderr");
    req.offset = offset;
    e = logs_poll(client, &req, deadline, &chunk, err);
    /* After the first answer a negative offset has become a place: stay there. */
    while (!e && chunk->len == 0 && !chunk->eof && mono_us() < deadline) {
        req.offset = (int64_t)chunk->offset;
        aw_chunk_free(chunk);
        e = logs_poll(client, &req, deadline, &chunk, err);
    }
    if (!e)
        *ret = chunk;
    return e;
}

enum aw_err aw_logs(struct aw_client *client, const char *id, enum aw_stream stream, int64_t offset,
                    int64_t wait_ms, struct aw_chunk **ret, struct aw_error *err)
{
    return aw_logs_attempt(client, id, 0, stream, offset, wait_ms, ret, err);
}

enum aw_err aw_attempts(struct aw_client *client, const char *id, struct aw_attempts **ret,
                        struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct attempts_req req = {.id = bytes_str(id)};
    struct call call = {.op = OP_ATTEMPTS, .req = &req, .deadline_us = NEVER_US};
    struct attempts_rep rep;
    struct aw_attempts *list;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    list = attempts_copy(rep.attempts.v, rep.attempts.n);
    if (!list)
        return aw_fail(err, AW_ERR_NO_MEMORY, "attempts: out of memory");
    *ret = list;
    return AW_OK;
}
