#include "tests/unit/dispatch_rig.h"

#include <event2/event.h>
#include <stdio.h>

#include "daemon/ops/wakes.h"
#include "tests/unit/unit.h"

struct dispatch_rig rig;

/* ---- The engine ------------------------------------------------------------------------------ */

static struct asked *note_call(const uint64_t *numbers, size_t n, void *arg)
{
    struct asked *a = &rig.asked[rig.n_asked++];

    ck_assert_uint_le(rig.n_asked, ARRAY_SIZE(rig.asked));
    *a = (struct asked){.numbers = malloc(n * sizeof(*numbers)), .n = n, .arg = arg};
    memcpy(a->numbers, numbers, n * sizeof(*numbers));
    return a;
}

static void fake_get(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                     engine_get_fn done, void *arg)
{
    (void)e;
    ck_assert_uint_eq(what, 0);
    note_call(numbers, n, arg)->got = done;
}

static void fake_cancel(struct engine *e, const uint64_t *numbers, size_t n, int64_t grace_ms,
                        const char *why, engine_results_fn done, void *arg)
{
    (void)e, (void)grace_ms, (void)why;
    note_call(numbers, n, arg)->acted = done;
}

static const struct engine_ops engine_ops = {.get = fake_get, .cancel = fake_cancel};

static void get_answer(const struct asked *a, const struct aw_error *err)
{
    static struct found jobs[AW_MAX_IDS];
    static char keys[AW_MAX_IDS][32];

    for (size_t i = 0; i < a->n; i++) {
        snprintf(keys[i], sizeof(keys[i]), "job %llu", (unsigned long long)a->numbers[i]);
        jobs[i] = (struct found){
            .err = a->numbers[i] < RIG_UNKNOWN ? AW_OK : AW_ERR_UNKNOWN_ID,
            .record = {.number = a->numbers[i],
                       .state = AW_SUCCEEDED,
                       .uid = RIG_UID + rig_is_others(a->numbers[i]),
                       .created_us = (int64_t)rig.n_answered,
                       .key = bytes_str(keys[i]),
                       .message = rig.message},
        };
    }
    a->got(a->arg, err, err ? NULL : jobs, a->n);
}

static void cancel_answer(const struct asked *a, const struct aw_error *err)
{
    static struct job_result jobs[AW_MAX_IDS];

    for (size_t i = 0; i < a->n; i++)
        jobs[i] = (struct job_result){a->numbers[i], AW_OK, AW_CANCELLED};
    rig.n_cancelled += err ? 0 : a->n;
    a->acted(a->arg, err, err ? NULL : jobs, a->n);
}

void engine_answer(const struct aw_error *err)
{
    const struct asked *a = &rig.asked[rig.n_answered++];

    ck_assert_uint_le(rig.n_answered, rig.n_asked);
    if (a->acted)
        cancel_answer(a, err);
    else
        get_answer(a, err);
    free(a->numbers);
}

void engine_answer_all(void)
{
    while (rig.n_answered < rig.n_asked)
        engine_answer(NULL);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static struct request_call *request_of(struct call *call)
{
    return (struct request_call *)call;
}

static void body_free(void *body)
{
    rig.n_bodies -= body != NULL;
    free(body);
}

static void on_park(struct call *call)
{
    body_free(take_ptr(request_of(call)->body));
}

static void on_reply(struct call *call, const void *data, size_t len)
{
    struct request_call *r = request_of(call);

    r->n_answers++;
    r->answer = (struct codec_buf){.data = malloc(len), .len = len};
    memcpy(r->answer.data, data, len);
    ck_assert_int_eq(codec_open(r->answer.data, len, &r->doc, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&r->doc, &reply_schema, &r->reply, NULL), AW_OK);
    on_park(call);
}

static void on_drop(struct call *call)
{
    request_of(call)->dropped = true;
    on_park(call);
}

static void on_take_body(struct call *call, struct body_owner *ret)
{
    *ret = (struct body_owner){take_ptr(request_of(call)->body), body_free};
}

static const struct transport_ops memory_ops = {on_park, on_reply, on_drop, on_take_body};

static void request_forget(struct request_call *r)
{
    codec_close(&r->doc);
    free(r->answer.data);
    *r = (struct request_call){0};
}

struct request_call *ask(unsigned client, enum op op, const void *req)
{
    struct client *c = &rig.clients[client];
    struct request head = {bytes_str(op_info(op)->name), AW_PROTO_VERSION};
    struct codec_part parts[] = {{&request_schema, &head}, {op_info(op)->req, req}};
    struct codec_buf buf = {0};

    ck_assert_int_eq(codec_write(&buf, parts, 2), AW_OK);
    request_forget(&c->call);
    c->call.body = buf.data;
    rig.n_bodies++;
    conn_call(&c->conn, &c->call.base, buf.data, buf.len);
    return &c->call;
}

static void on_user(void *arg, const struct share_user *user)
{
    (void)user;
    ++*(size_t *)arg;
}

static void goes(struct client *c)
{
    if (c->gone)
        return;
    c->gone = true;
    conn_gone(&c->conn);
    share_leave(&c->member);
}

void all_go(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(rig.clients); i++)
        goes(&rig.clients[i]);
}

void nothing_is_left(void)
{
    size_t n_users = 0;

    ck_assert_uint_eq(rig.n_answered, rig.n_asked);
    ck_assert(TAILQ_EMPTY(&rig.srv.parked));
    ck_assert(!watches_any(rig.srv.watches));
    ck_assert_uint_eq(rig.n_bodies, 0);
    shares_each(rig.shares, on_user, &n_users);
    ck_assert_uint_eq(n_users, 0);
}

/* ---- Before and after each test -------------------------------------------------------------- */

static void on_room(void *arg)
{
    (void)arg;
}

static void client_open(struct client *c)
{
    ck_assert(share_join(rig.shares, RIG_UID, &c->member));
    c->conn.caller =
        (struct caller){.has_cred = true, .uid = RIG_UID, .gid = RIG_UID, .share = c->member.share};
    conn_open(rig.srv.endpoint, &c->conn, &memory_ops);
}

void dispatch_setup(void)
{
    static const struct endpoint_config endpoint_config = {.socket_mode = 0600};
    static const struct shares_config shares_config = {0};
    struct server *srv = &rig.srv;

    memset(&rig, 0, sizeof(rig));
    rig.engine = (struct engine){&engine_ops, RIG_TAG};
    rig.config.max_inflight = 100;
    TAILQ_INIT(&srv->parked);
    srv->engine = &rig.engine;
    srv->config = &rig.config;
    srv->base = event_base_new();
    srv->watches = watches_new();
    srv->wakes = wakes_new(srv);
    rig.shares = shares_new(&shares_config, on_room, NULL);
    ck_assert(srv->base && srv->watches && srv->wakes && rig.shares);
    ck_assert_int_eq(endpoint_new(srv->base, &endpoint_config, dispatch_call, dispatch_gone, srv,
                                  &srv->endpoint, NULL),
                     AW_OK);
    for (size_t i = 0; i < ARRAY_SIZE(rig.clients); i++)
        client_open(&rig.clients[i]);
}

void dispatch_teardown(void)
{
    struct server *srv = &rig.srv;

    all_go();
    engine_answer_all();
    nothing_is_left();
    for (size_t i = 0; i < ARRAY_SIZE(rig.clients); i++)
        request_forget(&rig.clients[i].call);
    endpoint_free(srv->endpoint);
    shares_free(rig.shares);
    wakes_free(srv->wakes);
    watches_free(srv->watches);
    codec_buf_done(&srv->out);
    event_base_free(srv->base);
}
