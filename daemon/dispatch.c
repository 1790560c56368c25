#include "daemon/dispatch.h"

#include <stdarg.h>

#include "daemon/log.h"
#include "daemon/turns.h"

/* One for each operation, in the order of OP_MAP. */
static const op_fn handlers[] = {
#define X(NAME, name, wire, who, text) [OP_##NAME] = op_##name,
    OP_MAP(X)
#undef X
};

/* Lets go of all that the request is in. */
static void request_free(struct exchange *x)
{
    codec_close(&x->doc);
    x->args = NULL;
    if (x->body.free)
        x->body.free(x->body.memory);
    x->body = (struct body_owner){0};
}

static void exchange_unpark(struct exchange *x)
{
    if (x->parked)
        TAILQ_REMOVE(&x->srv->parked, x, entry);
    x->parked = false;
}

static void exchange_free(struct exchange *x)
{
    exchange_unpark(x);
    request_free(x);
    share_end(&x->hold);
    free(x);
}

/* Writes envelope and body, sends them, and forgets the exchange. */
static enum aw_err reply_write(struct exchange *x, const struct reply *head, const void *rep,
                               const struct codec_array *array)
{
    struct codec_part parts[] = {{&reply_schema, head}, {op_info(x->op)->rep, rep}};
    size_t n = rep ? 2 : 1;

    codec_buf_reset(&x->srv->out);
    x->srv->out_key = 0;
    if (array)
        return codec_write_array(&x->srv->out, parts, n, array);
    return codec_write(&x->srv->out, parts, n);
}

static void exchange_send(struct exchange *x, const struct reply *head, const void *rep,
                          const struct codec_array *array)
{
    const struct codec_buf *out = &x->srv->out;
    struct aw_error err;
    enum aw_err e;

    if (!x->call) {
        exchange_free(x);
        return;
    }
    e = reply_write(x, head, rep, array);
    if (e && (rep || array)) {
        aw_fail(&err, e, "%s: the answer is larger than a message can be; ask for less",
                op_info(x->op)->name);
        exchange_fail(x, &err);
        return;
    }
    turns_note(TURN_ANSWER);
    call_reply(x->call, out->data, out->len);
    exchange_free(x);
}

void exchange_reply(struct exchange *x, const void *rep)
{
    exchange_send(x, &(struct reply){0}, rep, NULL);
}

void exchange_reply_array(struct exchange *x, const void *rep, const struct codec_array *array)
{
    exchange_send(x, &(struct reply){0}, rep, array);
}

void exchange_reply_as(struct exchange *x, const void *rep, uint64_t key)
{
    struct server *srv = x->srv;

    if (exchange_gone(x))
        key = 0; /* nothing is written */
    exchange_reply(x, rep);
    srv->out_key = key;
}

bool exchange_repeat(struct exchange *x, uint64_t key)
{
    struct codec_buf *out = &x->srv->out;

    if (!key || key != x->srv->out_key || exchange_gone(x))
        return false;
    turns_note(TURN_ANSWER);
    call_reply(x->call, out->data, out->len);
    exchange_free(x);
    return true;
}

void exchange_forget_answer(struct server *srv)
{
    srv->out_key = 0;
}

void exchange_fail(struct exchange *x, const struct aw_error *err)
{
    /* What has no place on the wire is about our files here. */
    enum aw_err code = err->code < AW_ERR_UNREACHABLE ? err->code : AW_ERR_STORE;
    struct reply head = {
        .err = (uint64_t)code,
        .error = bytes_str(aw_err_name(code)),
        .message = bytes_str(err->text),
        .retry_after_ms = err->retry_after_ms,
    };

    exchange_send(x, &head, NULL, NULL);
}

void exchange_failf(struct exchange *x, enum aw_err code, const char *fmt, ...)
{
    struct aw_error err;
    va_list ap;

    va_start(ap, fmt);
    aw_failv(&err, code, fmt, ap);
    va_end(ap);
    exchange_fail(x, &err);
}

void exchange_hand_over(struct exchange *x, void (*on_gone)(struct exchange *x), void *state)
{
    x->on_gone = on_gone;
    x->state = state;
}

void exchange_rest(struct exchange *x)
{
    share_rest(&x->hold);
}

void exchange_drop(struct exchange *x)
{
    exchange_free(x);
}

void exchange_park(struct exchange *x, void (*on_gone)(struct exchange *x), void *state)
{
    x->on_gone = on_gone;
    x->state = state;
    x->parked = true;
    TAILQ_INSERT_TAIL(&x->srv->parked, x, entry);
    request_free(x);
    if (x->call)
        call_park(x->call);
}

void dispatch_gone(void *arg, struct call *call)
{
    struct exchange *x = call_user(call);

    (void)arg;
    if (!x)
        return;
    x->call = NULL;
    if (x->parked) {
        exchange_unpark(x);
        x->on_gone(x);
    } else {
        call_take_body(call, &x->body); /* the operation goes on, and needs what it was asked */
    }
}

void dispatch_fail_parked(struct server *srv)
{
    struct reply head = {
        .err = AW_ERR_STOPPING,
        .error = bytes_str(aw_err_name(AW_ERR_STOPPING)),
        .message = bytes_str("the daemon is going down; ask again once it is back"),
        .retry_after_ms = 500,
    };
    struct codec_part part = {&reply_schema, &head};
    struct exchange *x;

    codec_buf_reset(&srv->out);
    exchange_forget_answer(srv);
    if (codec_write(&srv->out, &part, 1))
        return;
    while ((x = TAILQ_FIRST(&srv->parked))) {
        call_reply(x->call, srv->out.data, srv->out.len);
        x->call = NULL;
        exchange_unpark(x);
        x->on_gone(x);
    }
}

uint32_t exchange_uid(const struct exchange *x)
{
    return x->user.uid;
}

uint32_t exchange_gid(const struct exchange *x)
{
    return x->user.gid;
}

bool exchange_is_admin(const struct exchange *x)
{
    return x->user.admin || x->user.uid == 0 || x->user.uid == geteuid();
}

/* As whom they act: the kernel's word, or the configuration's. */
static enum aw_err caller_identify(const struct server *srv, const struct caller *caller,
                                   struct access_user *ret, struct aw_error *err)
{
    if (caller->has_cred) {
        *ret = (struct access_user){caller->uid, caller->gid, caller->in_admin_group};
        return AW_OK;
    }
    if (caller->tls)
        return access_tls(srv->access, caller->subject, caller->cn, ret, err);
    return access_tcp(srv->access, ret, err);
}

uint32_t dispatch_whose(void *arg, const struct caller *caller)
{
    struct access_user user;

    return caller_identify(arg, caller, &user, NULL) ? DISPATCH_STRANGERS : user.uid;
}

bool exchange_may(const struct exchange *x, uint32_t uid)
{
    return exchange_uid(x) == uid || exchange_is_admin(x);
}

/*
 * What it costs until it is over: itself, its body, and for each value in that a little more than
 * the most that is made of it, a future that is waited for.
 */
static size_t cost_of(const struct exchange *x, size_t len)
{
    return 1024 + len + x->doc.n_values * 96;
}

/*
 * How long it keeps the engine from other work, roughly, in the time of adding a job: pages are
 * looked for among many jobs, and to find a job by its ID takes longer than to add one.
 */
static unsigned weight_of(const struct exchange *x)
{
    bool looks = x->op == OP_LIST || x->op == OP_SET_LIST || x->op == OP_SET_MEMBERS ||
                 x->op == OP_SET_SHOW || x->op == OP_EXPLAIN;

    if (x->op == OP_SUBMIT)
        return 1 + (unsigned)(x->doc.n_values / 32);
    return (looks ? 256 : 4) + (unsigned)(x->doc.n_values / 8);
}

/* Is there room for it in what its user may have? */
static enum aw_err exchange_hold(struct exchange *x, size_t len, struct aw_error *err)
{
    struct share *share = x->caller.share;
    size_t cost = cost_of(x, len);

    if (!share_has_room(share, cost)) {
        aw_fail(err, AW_ERR_BUSY,
                "the unanswered requests of uid %u have all the memory that they may have "
                "(max_user_memory)",
                (unsigned)exchange_uid(x));
        if (err)
            err->retry_after_ms = 1000;
        return AW_ERR_BUSY;
    }
    share_begin(&x->hold, share, cost, weight_of(x));
    return AW_OK;
}

/* Which operation, and may they ask for it? */
static enum aw_err envelope_read(struct exchange *x, const void *body, size_t len,
                                 struct aw_error *err)
{
    struct request head;
    enum aw_err e = codec_open(body, len, &x->doc, err);

    if (!e)
        e = codec_read(&x->doc, &request_schema, &head, err);
    if (e)
        return e;
    if (head.v != AW_PROTO_VERSION)
        return aw_fail(err, AW_ERR_BAD_VERSION, "v: version %llu is not spoken here; %d is",
                       (unsigned long long)head.v, AW_PROTO_VERSION);
    if (!op_parse(head.op, &x->op))
        return aw_fail(err, AW_ERR_UNKNOWN_OP, "op: there is no operation '%.*s'", (int)head.op.len,
                       (const char *)head.op.data);
    if (op_info(x->op)->admin && !exchange_is_admin(x))
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s: only administrators may: root, the daemon's own user, and the "
                       "members of admin_group",
                       op_info(x->op)->name);
    if (x->caller.n_inflight > x->srv->config->max_inflight) {
        aw_fail(err, AW_ERR_BUSY, "%u requests of this connection are unanswered; at most %u",
                x->caller.n_inflight, (unsigned)x->srv->config->max_inflight);
        if (err)
            err->retry_after_ms = 100;
        return AW_ERR_BUSY;
    }
    return AW_OK;
}

static enum aw_err exchange_open(struct exchange *x, const void *body, size_t len,
                                 struct aw_error *err)
{
    const struct schema *schema;
    enum aw_err e = caller_identify(x->srv, &x->caller, &x->user, err);

    if (!e)
        e = envelope_read(x, body, len, err);
    if (e)
        return e;
    if (x->srv->stopping == STOP_LEAVE)
        return aw_fail(err, AW_ERR_STOPPING, "the daemon is going down");
    e = exchange_hold(x, len, err);
    if (e)
        return e;
    schema = op_info(x->op)->req;
    x->args = codec_alloc(&x->doc, schema->size);
    if (!x->args)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%s: out of memory", op_info(x->op)->name);
    return codec_read(&x->doc, schema, x->args, err);
}

void dispatch_call(void *arg, struct call *call, const void *body, size_t len)
{
    struct exchange *x = calloc(1, sizeof(*x));
    struct aw_error err = {0};

    if (!x) {
        static const char no_memory[] = "\x82\xa3"
                                        "err"
                                        "\x32\xa5"
                                        "error\xa9no-memory";

        call_reply(call, no_memory, sizeof(no_memory) - 1);
        return;
    }
    x->srv = arg;
    x->call = call;
    x->caller = *call_caller(call);
    call_set_user(call, x);
    if (exchange_open(x, body, len, &err)) {
        exchange_fail(x, &err);
        return;
    }
    turns_note_request(x->op);
    handlers[x->op](x);
}
