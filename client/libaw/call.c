#include "client/libaw/call.h"

#include <errno.h>
#include <sys/random.h>

#define AGAIN_MS 50    /* before asking again, when the daemon does not say */
#define LATE_MS  10000 /* how late an answer may be when the caller's time is over */

void answer_done(struct answer *a)
{
    codec_close(&a->doc);
    free(take_ptr(a->body));
}

/* Nonsense from the daemon: says so, and goes on with a new connection. */
static enum aw_err nonsense(struct aw_client *client, const struct call *call,
                            const struct aw_error *what, struct aw_error *err)
{
    struct aw_error why;

    if (what->code == AW_ERR_NO_MEMORY) {
        if (err)
            *err = *what;
        return what->code;
    }
    aw_fail(&why, AW_ERR_PROTOCOL, "the daemon's answer to %s cannot be understood (%.150s)",
            op_info(call->op)->name, what->text);
    mux_reset(&client->mux, why.code, why.text);
    if (err)
        *err = why;
    return why.code;
}

/* The daemon says no: its number, its sentence. */
static enum aw_err refused(const struct reply *reply, struct aw_error *err)
{
    enum aw_err code = (enum aw_err)reply->err;

    if (reply->message.len)
        aw_fail(err, code, "%.*s", (int)reply->message.len, (const char *)reply->message.data);
    else
        aw_fail(err, code, "%s", aw_err_text(code));
    if (err)
        err->retry_after_ms = (unsigned)MIN(reply->retry_after_ms, UINT32_MAX);
    return code;
}

static enum aw_err answer_read(struct aw_client *client, const struct call *call, size_t len,
                               void *rep, struct answer *a, struct aw_error *err)
{
    struct aw_error what;
    struct reply reply;

    if (codec_open(a->body, len, &a->doc, &what) ||
        codec_read(&a->doc, &reply_schema, &reply, &what))
        return nonsense(client, call, &what, err);
    if (reply.err)
        return refused(&reply, err);
    if (codec_read(&a->doc, op_info(call->op)->rep, rep, &what))
        return nonsense(client, call, &what, err);
    return AW_OK;
}

/* A caller with a time limit of his own gets it kept, more or less, even by a daemon that hangs. */
static int64_t give_up_us(const struct aw_client *client, const struct call *call)
{
    int64_t end = client->answer_ms < 0 ? NEVER_US : deadline_us(call->hold_ms + client->answer_ms);

    if (call->hasty)
        return call->deadline_us;
    if (call->deadline_us != NEVER_US)
        end = MIN(end, call->deadline_us + LATE_MS * 1000);
    return end;
}

static int64_t patience_ms(const struct aw_client *client, const struct call *call)
{
    if (call->hasty)
        return 0;
    return call->waits ? client->wait_retry_ms : client->retry_ms;
}

static enum aw_err call_once(struct aw_client *client, const struct call *call,
                             const struct codec_buf *buf, void *rep, struct answer *ret,
                             struct aw_error *err)
{
    struct exchange x = {
        .body = {buf->data, buf->len},
        .resend = !call->once,
        .patience_ms = patience_ms(client, call),
        .give_up_us = give_up_us(client, call),
        .down_end_us = call->deadline_us,
    };
    _cleanup_answer_ struct answer a = {0};
    enum aw_err e = mux_exchange(&client->mux, &x, err);

    if (e)
        return e;
    a.body = x.reply;
    e = answer_read(client, call, x.reply_len, rep, &a, err);
    if (!e) {
        *ret = a;
        a = (struct answer){0};
    }
    return e;
}

/* Errors that say "ask again", and that nobody else can take care of better. */
static bool ask_again(const struct call *call, enum aw_err e)
{
    return e == AW_ERR_BUSY || e == AW_ERR_STOPPING || (e == AW_ERR_IN_DOUBT && !call->once);
}

/* Waits a moment, longer each time; false when that would take too long. */
static bool pause_before_again(struct aw_client *client, const struct aw_error *why, int64_t end,
                               unsigned *pause_ms)
{
    unsigned ms = MAX(*pause_ms, MIN(why->retry_after_ms, 5000u));

    *pause_ms = MIN(*pause_ms * 2, 1000u);
    if (end != NEVER_US && mono_us() + ms * INT64_C(1000) >= end)
        return false;
    return mux_sleep(&client->mux, ms, NULL) == AW_OK;
}

static enum aw_err call_encoded(struct aw_client *client, const struct call *call,
                                const struct codec_buf *buf, void *rep, struct answer *ret,
                                struct aw_error *err)
{
    int64_t end = MIN(call->deadline_us, deadline_us(patience_ms(client, call)));
    unsigned pause_ms = AGAIN_MS;

    for (;;) {
        struct aw_error why = {0};
        enum aw_err e = call_once(client, call, buf, rep, ret, &why);
        bool silent = e == AW_ERR_TIMED_OUT;

        if (silent && !call->hasty) {
            /* The mux's "no answer" is not the caller's "time is over". */
            e = why.code = AW_ERR_UNREACHABLE;
            mux_reset(&client->mux, e, why.text);
        }
        if (!call->hasty && (ask_again(call, e) || (silent && call->waits)) &&
            pause_before_again(client, &why, end, &pause_ms))
            continue;
        if (e && err)
            *err = why;
        return e;
    }
}

static enum aw_err call_encode(const struct call *call, struct codec_buf *buf, struct aw_error *err)
{
    const struct op_info *op = op_info(call->op);
    struct request request;
    enum aw_err e;

    codec_defaults(&request_schema, &request);
    request.op = bytes_str(op->name);
    e = codec_write(buf, (struct codec_part[]){{&request_schema, &request}, {op->req, call->req}},
                    2);
    if (e == AW_ERR_TOO_LARGE)
        aw_fail(err, e, "the request has more than %u bytes", AW_MAX_MESSAGE);
    else if (e)
        aw_fail(err, e, "request: out of memory");
    return e;
}

enum aw_err call_make(struct aw_client *client, const struct call *call, void *rep,
                      struct answer *ret, struct aw_error *err)
{
    _hold_client_(client);
    struct codec_buf buf = {0};
    enum aw_err e = call_encode(call, &buf, err);

    if (!e)
        e = call_encoded(client, call, &buf, rep, ret, err);
    codec_buf_done(&buf);
    return e;
}

/* ---- Without blocking -------------------------------------------------------------------- */

enum aw_err call_start(struct aw_client *client, struct async_call *ac, const struct call *call,
                       struct aw_error *err)
{
    enum aw_err e;

    codec_buf_reset(&ac->buf);
    e = call_encode(call, &ac->buf, err);
    if (e)
        return e;
    ac->call = *call;
    ac->call.req = NULL;
    ac->x = (struct exchange){
        .body = {ac->buf.data, ac->buf.len},
        .resend = !call->once,
        .patience_ms = FOREVER_MS,
        .give_up_us = give_up_us(client, call),
        .down_end_us = NEVER_US,
    };
    e = mux_start(&client->mux, &ac->x, err);
    ac->busy = e == AW_OK;
    return e;
}

void call_tell(struct aw_client *client, const struct call *call)
{
    struct codec_buf buf = {0};

    if (!call_encode(call, &buf, NULL))
        mux_tell(&client->mux, bytes_of(buf.data, buf.len));
    codec_buf_done(&buf);
}

enum aw_err call_end(struct aw_client *client, struct async_call *ac, void *rep, struct answer *ret,
                     struct aw_error *err)
{
    _cleanup_answer_ struct answer a = {0};
    enum aw_err e = ac->x.result;

    a.body = take_ptr(ac->x.reply);
    ac->busy = false;
    if (e == AW_ERR_TIMED_OUT) {
        e = ac->x.err.code = AW_ERR_UNREACHABLE;
        mux_reset(&client->mux, e, ac->x.err.text);
    }
    if (e) {
        if (err)
            *err = ac->x.err;
        return e;
    }
    e = answer_read(client, &ac->call, ac->x.reply_len, rep, &a, err);
    if (!e) {
        *ret = a;
        a = (struct answer){0};
    }
    return e;
}

void call_drop(struct aw_client *client, struct async_call *ac)
{
    if (ac->busy)
        mux_drop(&client->mux, &ac->x);
    ac->busy = false;
}

void call_abandon(struct async_call *ac)
{
    if (ac->busy)
        free(ac->x.reply);
    codec_buf_done(&ac->buf);
}

/* ------------------------------------------------------------------------------------------ */

/* Like a UUID of version 7: 48 bits of milliseconds first, so that indexes over it stay dense. */
enum aw_err request_key_make(uint8_t ret[16], struct aw_error *err)
{
    uint64_t ms = (uint64_t)now_us() / 1000;
    uint8_t key[16];

    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return aw_fail(err, AW_ERR_SYSTEM, "getrandom: %s", strerror(errno));
    for (int i = 0; i < 6; i++)
        key[i] = (uint8_t)(ms >> (40 - 8 * i));
    key[6] = (uint8_t)(0x70 | (key[6] & 0x0f));
    key[8] = (uint8_t)(0x80 | (key[8] & 0x3f));
    memcpy(ret, key, sizeof(key));
    return AW_OK;
}

enum aw_err ids_prepare(const char *const *ids, size_t n, struct strv *ret, struct aw_error *err)
{
    struct bytes *v;

    if (n == 0)
        return aw_fail(err, AW_ERR_USAGE, "no future ID was given");
    v = calloc(n, sizeof(*v));
    if (!v)
        return aw_fail(err, AW_ERR_NO_MEMORY, "IDs: out of memory");
    for (size_t i = 0; i < n; i++)
        v[i] = bytes_str(ids[i]);
    *ret = (struct strv){v, n};
    return AW_OK;
}
