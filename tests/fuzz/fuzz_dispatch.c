/*
 * Requests to a daemon that lives: dispatch, operations, engine and store are the real ones, on an
 * empty store for each input. Only the workers are not (fuzz_workers.c).
 *
 * The input is any number of requests, by several users. Each must get one answer, or be parked,
 * and the answer must be one that the operation's schema knows. Who is not the owner, root or the
 * daemon's own user must learn nothing of a job or a set.
 */
#include "tests/fuzz/fuzz.h"

#include <event2/event.h>
#include <ftw.h>
#include <sched.h>

#include "daemon/dispatch.h"
#include "daemon/log.h"
#include "daemon/transports/transport.h"

#define MAX_REQUESTS 64
#define PATIENCE_S   20 /* for an answer: then it is missing */
#define LINGER_US    3000

#define MAX_TMP 60 /* so that a socket's path has room behind it */

static char dir[MAX_TMP + 32];
static struct event_base *base;
static struct event *tick;
static struct server *srv;
static struct config config;
static struct dirs dirs;

/* ---- Answers --------------------------------------------------------------------------------- */

struct request_call {
    struct call base;
    uint32_t uid;
    enum op op; /* N_OPS: it names none */
    void *body; /* is there until the call is parked or ends, and no longer */
};

static size_t n_unanswered;

static void struct_check(const struct schema *schema, const void *obj, uint32_t uid);

/* Has a field `uid`, and no error: it is a job or a set, and must be the caller's. */
static void owner_check(const struct schema *schema, const void *obj, uint32_t uid)
{
    uint64_t owner = uid, err = 0;

    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        const uint64_t *at = (const void *)((const char *)obj + f->offset);

        if (!strcmp(f->name, "uid"))
            owner = *at;
        else if (!strcmp(f->name, "err"))
            err = *at;
    }
    fuzz_check(err || owner == uid, "uid %u sees a %s of uid %u", uid, schema->name,
               (unsigned)owner);
    struct_check(schema, obj, uid);
}

static void struct_check(const struct schema *schema, const void *obj, uint32_t uid)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        const void *at = (const char *)obj + f->offset;
        const struct anyv *many = at;

        if (f->kind == FIELD_OBJ)
            owner_check(f->sub, at, uid);
        else if (f->kind == FIELD_OBJV)
            for (size_t k = 0; k < many->n; k++)
                owner_check(f->sub, (const char *)many->v + k * f->sub->size, uid);
    }
}

static bool is_admin(uint32_t uid)
{
    return uid == 0 || uid == geteuid();
}

static void success_check(const struct request_call *call, struct codec_doc *doc)
{
    const struct schema *schema = op_info(call->op)->rep;
    _cleanup_free_ void *rep = calloc(1, schema->size + 1);
    struct aw_error err = {.text = ""};

    fuzz_check(rep && !codec_read(doc, schema, rep, &err), "%s: %s", schema->name, err.text);
    if (is_admin(call->uid))
        return;
    fuzz_check(!op_info(call->op)->admin, "uid %u may %s", call->uid, op_info(call->op)->name);
    if (call->op != OP_HELLO)
        struct_check(schema, rep, call->uid);
}

static void answer_check(const struct request_call *call, const void *data, size_t len)
{
    struct aw_error err = {.text = ""};
    struct codec_doc doc;
    struct reply reply;

    fuzz_check(!codec_open(data, len, &doc, &err), "%s", err.text);
    fuzz_check(!codec_read(&doc, &reply_schema, &reply, &err), "%s", err.text);
    if (reply.err) {
        fuzz_check(reply.message.len > 0, "error %u without a reason", (unsigned)reply.err);
        fuzz_check(bytes_eq(reply.error, bytes_str(aw_err_name((enum aw_err)reply.err))),
                   "error %u has another name", (unsigned)reply.err);
        fuzz_check(reply.err != AW_ERR_INTERNAL, "%.*s", (int)reply.message.len,
                   (const char *)reply.message.data);
    } else {
        fuzz_check(call->op < N_OPS, "success without an operation");
        success_check(call, &doc);
    }
    codec_close(&doc);
}

/* ---- A transport without a wire -------------------------------------------------------------- */

static void on_park(struct call *call)
{
    free(take_ptr(((struct request_call *)call)->body));
}

static void call_end(struct call *call)
{
    on_park(call);
    n_unanswered--;
    free(call);
}

static void on_reply(struct call *call, const void *data, size_t len)
{
    answer_check((struct request_call *)call, data, len);
    call_end(call);
}

static void on_take_body(struct call *call, struct body_owner *ret)
{
    *ret = (struct body_owner){take_ptr(((struct request_call *)call)->body), free};
}

static const struct transport_ops memory_ops = {on_park, on_reply, call_end, on_take_body};

static enum op op_of(const void *body, size_t len)
{
    struct request request;
    struct codec_doc doc;
    enum op op = N_OPS;

    if (codec_open(body, len, &doc, NULL))
        return N_OPS;
    if (codec_read(&doc, &request_schema, &request, NULL) || !op_parse(request.op, &op))
        op = N_OPS;
    codec_close(&doc);
    return op;
}

static void ask(struct conn *conn, struct bytes body)
{
    struct request_call *call = calloc(1, sizeof(*call));

    fuzz_check(call != NULL, "no memory");
    call->uid = conn->caller.uid;
    call->op = op_of(body.data, body.len);
    call->body = fuzz_copy(body, false);
    n_unanswered++;
    conn_call(conn, &call->base, call->body, body.len);
}

/* ---- The loop -------------------------------------------------------------------------------- */

static size_t count_parked(void)
{
    const struct exchange *x;
    size_t n = 0;

    TAILQ_FOREACH (x, &srv->parked, entry)
        n++;
    return n;
}

/* So that a loop with nothing to do comes back. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

/* Until each request is answered or parked. */
static void settle(void)
{
    int64_t end = boottime_us() + PATIENCE_S * INT64_C(1000000);

    while (n_unanswered > count_parked()) {
        fuzz_check(boottime_us() < end, "%zu requests are neither answered nor parked",
                   n_unanswered - count_parked());
        fuzz_check(event_base_loop(base, EVLOOP_ONCE) >= 0, "the loop failed");
    }
}

/* A few milliseconds more: for what was parked because it is done by other threads, or by jobs. */
static void linger(void)
{
    int64_t end = boottime_us() + LINGER_US;

    while (n_unanswered && boottime_us() < end) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        sched_yield();
    }
}

/* ---- The daemon ------------------------------------------------------------------------------ */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void directory_remove(void)
{
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void directory_make(void)
{
    const char *tmp = getenv("TMPDIR");

    if (!tmp || strlen(tmp) > MAX_TMP)
        tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(dir, sizeof(dir), "%.*s/awd-fuzz-XXXXXX", MAX_TMP, tmp);
    fuzz_check(mkdtemp(dir), "%s: no directory", dir);
}

static void daemon_start(void)
{
    static const struct timeval period = {.tv_usec = 100000};
    char listen[sizeof(dir) + 16];
    const char *args[] = {"awd",           "--dir", dir,        "--slots", "2",
                          "--runner-path", "none",  "--listen", listen,    NULL};
    struct aw_error err = {.text = ""};

    directory_make();
    snprintf(listen, sizeof(listen), "ipc://%s/s", dir);
    fuzz_check(!config_load(ARRAY_SIZE(args) - 1, (char **)args, &config, &err), "%s", err.text);
    log_set_level(LOG_CRIT);
    fuzz_check(!dirs_open(config.state_dir, config.run_dir, false, &dirs, &err), "%s", err.text);
    base = event_base_new();
    tick = base ? event_new(base, -1, EV_PERSIST, on_tick, NULL) : NULL;
    fuzz_check(tick && !event_add(tick, &period), "no event loop");
    fuzz_check(!server_start(base, &config, &dirs, &srv, &err), "%s", err.text);
    srv->backing_up = true; /* so that no request makes files just anywhere */
}

static void daemon_end(void)
{
    server_free(srv);
    event_free(tick);
    event_base_free(base);
    dirs_close(&dirs);
    config_done(&config);
    directory_remove();
}

/* ---- The script ------------------------------------------------------------------------------ */

static const uint32_t users[] = {0, 54321, 54322, 54323};

/* It goes, whatever of it is under way, and comes back. */
static void reconnect(struct conn *conn)
{
    conn_gone(conn);
    conn_open(srv->endpoint, conn, &memory_ops);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conn conns[ARRAY_SIZE(users)] = {0};
    struct input in = {data, size};

    daemon_start();
    for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
        conns[i].caller = (struct caller){.has_cred = true, .uid = users[i], .gid = users[i]};
        conn_open(srv->endpoint, &conns[i], &memory_ops);
    }
    for (int n = 0; in.left && n < MAX_REQUESTS && !srv->stopping; n++) {
        uint8_t how = input_byte(&in);

        ask(&conns[how & 3], input_take(&in, input_u16(&in)));
        if (how & 4)
            settle();
        if (how & 8)
            event_base_loop(base, EVLOOP_NONBLOCK);
        if (how & 16)
            linger();
        if (how & 32)
            reconnect(&conns[how & 3]);
    }
    settle();
    for (size_t i = 0; i < ARRAY_SIZE(users); i++)
        conn_gone(&conns[i]);
    fuzz_check(n_unanswered == 0, "%zu requests are left", n_unanswered);
    daemon_end();
    return 0;
}
