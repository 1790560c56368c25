#include "tests/fuzz/hostile_daemon.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "client/libaw/stream.h"
#include "proto/codec.h"
#include "proto/messages.h"
#include "proto/sp.h"

#define FRAME       (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)
#define MAX_ANSWER  (64u << 10)
#define MAX_REQUEST (64u << 10)
#define MAX_ASKED   16

/* ---- The daemon ------------------------------------------------------------------------------ */

static struct daemon {
    struct input script;
    unsigned behaviour;
    uint32_t asked[MAX_ASKED]; /* request ids without an answer, the oldest first */
    size_t n_asked;

    /* What libaw reads: a piece of the script. */
    uint8_t out[FRAME + MAX_ANSWER];
    size_t out_off, out_len;
    bool drop_by_drop;

    /* What libaw has written since it connected. */
    uint8_t in[FRAME + MAX_REQUEST];
    size_t in_len;
    bool greeted;
} d;

void hostile_daemon_start(struct input script, unsigned behaviour)
{
    d.script = script;
    d.behaviour = behaviour;
}

bool hostile_daemon_done(void)
{
    return d.script.left == 0;
}

static void send_bytes(const void *data, size_t len)
{
    if (len)
        memcpy(d.out + d.out_len, data, len);
    d.out_len += len;
}

static void send_answer(uint32_t id, struct input *script)
{
    struct bytes body = input_take(script, input_u16(script));
    uint8_t head[FRAME];

    sp_ipc_header_write(head, id, body.len);
    send_bytes(head, sizeof(head));
    send_bytes(body.data, body.len);
}

/* The oldest, or the newest, request that has no answer; nobody's number if there is none. */
static uint32_t asked_take(bool newest)
{
    uint32_t id = 5;

    if (d.n_asked == 0)
        return id;
    id = d.asked[newest ? d.n_asked - 1 : 0];
    d.n_asked--;
    if (!newest)
        memmove(d.asked, d.asked + 1, d.n_asked * sizeof(*d.asked));
    return id;
}

/* The script's next step; false: it closes the connection. */
static bool next_step(void)
{
    uint8_t what = input_byte(&d.script);
    struct bytes raw;

    d.out_off = d.out_len = 0;
    d.drop_by_drop = what & 8;
    switch (what & 7) {
    case 3:
        send_answer(asked_take(true), &d.script);
        return true;
    case 4:
        raw = input_take(&d.script, input_byte(&d.script));
        send_bytes(raw.data, raw.len);
        return true;
    case 5:
        return true; /* nothing yet */
    case 6:
        return false;
    case 7:
        send_answer(input_byte(&d.script), &d.script);
        return true;
    default:
        send_answer(asked_take(false), &d.script);
        return true;
    }
}

static void request_check(const uint8_t *body, size_t len)
{
    struct aw_error err = {.text = ""};
    struct request request;
    struct codec_doc doc;
    enum op op;

    fuzz_check(!codec_open(body, len, &doc, &err), "%s", err.text);
    fuzz_check(!codec_read(&doc, &request_schema, &request, &err), "%s", err.text);
    fuzz_check(op_parse(request.op, &op), "an unknown operation");
    _cleanup_free_ void *req = calloc(1, op_info(op)->req->size + 1);
    fuzz_check(req && !codec_read(&doc, op_info(op)->req, req, &err), "%s", err.text);
    codec_close(&doc);
}

/* Takes whole messages out of what was written. */
static void requests_take(void)
{
    size_t pos = 0, len;
    struct aw_error err = {.text = ""};
    uint32_t id;

    if (!d.greeted && d.in_len >= SP_HANDSHAKE_LEN) {
        fuzz_check(!sp_handshake_check(d.in, SP_REQ, &err), "%s", err.text);
        d.greeted = true;
        pos = SP_HANDSHAKE_LEN;
    }
    while (d.greeted && d.in_len - pos >= FRAME) {
        fuzz_check(!sp_ipc_header_read(d.in + pos, &id, &len, &err), "%s", err.text);
        if (d.in_len - pos - FRAME < len)
            break;
        request_check(d.in + pos + FRAME, len);
        pos += FRAME + len;
        if (d.n_asked < MAX_ASKED)
            d.asked[d.n_asked++] = id;
    }
    memmove(d.in, d.in + pos, d.in_len - pos);
    d.in_len -= pos;
}

/* ---- The stream ------------------------------------------------------------------------------ */

struct memory_stream {
    struct stream base;
    int fd; /* always ready */
};

static const struct stream_ops memory_ops;

static enum aw_err memory_open(const struct stream_config *config, struct stream **ret,
                               struct aw_error *err)
{
    struct memory_stream *s;
    uint8_t hello[SP_HANDSHAKE_LEN];

    if (d.script.left == 0)
        return aw_fail(err, AW_ERR_UNREACHABLE, "no daemon at %s", config->address);
    s = calloc(1, sizeof(*s));
    fuzz_check(s != NULL, "no memory");
    s->base.ops = &memory_ops;
    s->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    d.n_asked = d.in_len = d.out_off = d.out_len = 0;
    d.greeted = d.drop_by_drop = false;
    sp_handshake_write(hello, SP_REP);
    if (!(d.behaviour & ODD_GREETING))
        send_bytes(hello, sizeof(hello));
    *ret = &s->base;
    return AW_OK;
}

static enum aw_err memory_read(struct stream *s, void *buf, size_t size, size_t *ret_n,
                               struct aw_error *err)
{
    (void)s;
    if (d.out_off == d.out_len && (d.script.left == 0 || !next_step()))
        return aw_fail(err, AW_ERR_UNREACHABLE, "the daemon closed the connection");
    *ret_n = MIN(size, d.out_len - d.out_off);
    if (d.drop_by_drop)
        *ret_n = MIN(*ret_n, 1u);
    memcpy(buf, d.out + d.out_off, *ret_n);
    d.out_off += *ret_n;
    return AW_OK;
}

static enum aw_err memory_write(struct stream *s, const struct iovec *iov, int n_iov, size_t *ret_n,
                                struct aw_error *err)
{
    (void)s, (void)err;
    *ret_n = 0;
    for (int i = 0; i < n_iov; i++) {
        size_t n = iov[i].iov_len;

        if (d.behaviour & SLOW_WRITES)
            n = MIN(n, 7u);
        fuzz_check(n <= sizeof(d.in) - d.in_len, "a request of %zu bytes", d.in_len + n);
        memcpy(d.in + d.in_len, iov[i].iov_base, n);
        d.in_len += n;
        *ret_n += n;
        if (n < iov[i].iov_len)
            break;
    }
    requests_take();
    return AW_OK;
}

static int memory_fd(const struct stream *s)
{
    return ((const struct memory_stream *)s)->fd;
}

static short memory_events(const struct stream *s, bool want_write)
{
    (void)s;
    return want_write ? POLLIN | POLLOUT : POLLIN;
}

static void memory_close(struct stream *s)
{
    close(memory_fd(s));
    free(s);
}

static const struct stream_ops memory_ops = {
    .open = memory_open,
    .read = memory_read,
    .write = memory_write,
    .fd = memory_fd,
    .events = memory_events,
    .close = memory_close,
    .message_type = true,
};

/* In place of libaw's own. */
enum aw_err stream_ops_find(const char *address, const struct stream_ops **ret,
                            struct aw_error *err)
{
    (void)address, (void)err;
    *ret = &memory_ops;
    return AW_OK;
}
