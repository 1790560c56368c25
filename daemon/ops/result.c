/* result: how a future ended, and its standard output. */
#include "daemon/ops/ids.h"
#include "daemon/ops/output.h"
#include "daemon/ops/view.h"

/* The record is needed until the output has been read, and is valid only for a moment. */
struct result {
    struct exchange *x;
    struct record record;
    struct output_want want;
    char text[];
};

static struct bytes copy(char **at, struct bytes b)
{
    struct bytes c = {b.data ? *at : NULL, b.len};

    if (b.data && b.len)
        memcpy(*at, b.data, b.len);
    *at += b.len;
    return c;
}

static struct result *result_make(struct exchange *x, const struct record *r)
{
    const struct result_req *req = x->args;
    struct result *res = malloc(sizeof(*res) + r->key.len + r->message.len + r->spec.len);
    char *at;

    if (!res)
        return NULL;
    at = res->text;
    res->x = x;
    res->record = *r;
    res->record.key = copy(&at, r->key);
    res->record.message = copy(&at, r->message);
    res->record.spec = copy(&at, r->spec);
    res->want = (struct output_want){
        .number = r->number,
        .attempt = r->attempt,
        .stream = STREAM_STDOUT,
        .spooled = r->flags & RECORD_SPOOLED_STDOUT,
        .offset = req->offset,
        .max = (size_t)req->max,
    };
    return res;
}

static void read_done(void *arg, const struct aw_error *err, struct bytes data)
{
    struct result *res = arg;
    struct exchange *x = res->x;
    struct result_rep rep = {.data = data, .size = res->record.size[STREAM_STDOUT]};
    struct view view;

    if (err) {
        exchange_fail(x, err);
    } else if (!view_init(&view, x->srv, 1)) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "result: out of memory");
    } else {
        view_set(&view, 0, &res->record);
        rep.job = view.jobs[0];
        rep.eof = res->want.offset + data.len >= rep.size;
        exchange_reply(x, &rep);
        view_done(&view);
    }
    free(res);
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct exchange *x = arg;
    const struct result_req *req = x->args;
    struct result *res;
    struct future_id id = {.number = n ? jobs->record.number : 0};
    enum aw_err e = err ? err->code : id_error(x, &id, jobs);

    if (err) {
        exchange_fail(x, err);
    } else if (e) {
        exchange_failf(x, e, "%.*s: %s", (int)req->id.len, (const char *)req->id.data,
                       aw_err_text(e));
    } else if (!aw_state_is_final(jobs->record.state)) {
        exchange_failf(x, AW_ERR_WRONG_STATE, "%.*s: is %s; there is no result yet: wait for it",
                       (int)req->id.len, (const char *)req->id.data,
                       aw_state_name(jobs->record.state));
    } else {
        res = result_make(x, &jobs->record);
        if (res)
            output_read(x->srv, &res->want, read_done, res);
        else
            exchange_failf(x, AW_ERR_NO_MEMORY, "result: out of memory");
    }
}

void op_result(struct exchange *x)
{
    const struct result_req *req = x->args;
    struct aw_error err;
    uint64_t number;

    if (id_parse(x->srv, req->id, &number, &err))
        exchange_fail(x, &err);
    else
        engine_get(x->srv->engine, &number, 1, 0, got, x);
}
