#include "client/libaw/mux_io.h"

#include <stdio.h>

#define BACKOFF_MIN_US   10000
#define BACKOFF_DOUBLING 7 /* at most: 1.28 s */
#define PERMISSION_US    300000

/* ---- The table -------------------------------------------------------------------------- */

static struct exchange_bucket *bucket_of(struct mux *m, uint32_t id)
{
    return &m->bucket[id % MUX_BUCKETS];
}

static struct exchange *exchange_find(struct mux *m, uint32_t id)
{
    struct exchange *x;

    LIST_FOREACH (x, bucket_of(m, id), bucket)
        if (x->id == id)
            return x;
    return NULL;
}

static void exchange_queue(struct mux *m, struct exchange *x)
{
    x->state = EXCHANGE_UNSENT;
    TAILQ_INSERT_TAIL(&m->queue, x, queue);
}

void mux_enter(struct mux *m, struct exchange *x)
{
    do
        m->last_id = (m->last_id + 1) | SP_REQUEST_BIT;
    while (exchange_find(m, m->last_id));
    x->id = m->last_id;
    sp_ipc_header_write(x->header, x->id, x->body.len);
    if (x->async)
        LIST_INSERT_HEAD(&m->async, x, of_async);
    TAILQ_INSERT_TAIL(&m->all, x, all);
    LIST_INSERT_HEAD(bucket_of(m, x->id), x, bucket);
    exchange_queue(m, x);
}

void mux_leave(struct mux *m, struct exchange *x)
{
    if (x->state == EXCHANGE_UNSENT) {
        /* Half a message is out, and the memory of the other half goes: start over. */
        if (TAILQ_FIRST(&m->queue) == x && m->queue_off > 0) {
            m->queue_off = 0;
            mux_break(m, AW_ERR_UNREACHABLE, NULL);
        }
        TAILQ_REMOVE(&m->queue, x, queue);
    }
    if (m->in_for == x) {
        m->in_for = NULL;
        free(take_ptr(m->in_data));
    }
    if (x->async)
        LIST_REMOVE(x, of_async);
    TAILQ_REMOVE(&m->all, x, all);
    LIST_REMOVE(x, bucket);
    x->state = EXCHANGE_DONE;
}

void mux_finish(struct mux *m, struct exchange *x, enum aw_err result, const struct aw_error *why)
{
    mux_leave(m, x);
    x->result = result;
    if (why)
        x->err = *why;
    if (x->async) {
        TAILQ_INSERT_TAIL(&m->finished, x, all);
        mux_loop_arm(m);
    } else {
        pthread_cond_signal(&x->cond);
    }
}

/* ---- Connecting, and losing the connection ---------------------------------------------- */

void mux_break(struct mux *m, enum aw_err code, const struct aw_error *why)
{
    if (m->broken || m->state == MUX_DOWN)
        return;
    m->broken = code;
    if (why)
        m->why = *why;
    else
        aw_fail(&m->why, code, "a request was given up when half of it was sent");
}

/* Between half of the doubled pause and all of it, so that many clients do not come as one. */
static int64_t backoff_us(struct mux *m)
{
    int64_t pause = (int64_t)BACKOFF_MIN_US << MIN(m->n_tries, BACKOFF_DOUBLING);

    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return pause / 2 + (int64_t)(m->seed % (uint64_t)(pause / 2));
}

/*
 * Whether trying again may help. A daemon that starts makes its socket first and sets the modes
 * right after, so "permission denied" may be over in a moment.
 */
static bool may_pass(const struct mux *m, enum aw_err code, int64_t now)
{
    if (code == AW_ERR_NOT_PERMITTED)
        return m->settled || now - m->down_since_us < PERMISSION_US;
    return code == AW_ERR_UNREACHABLE;
}

static void failed_try(struct mux *m, enum aw_err code)
{
    int64_t now = mono_us();
    struct exchange *x, *next;

    if (!m->down_since_us)
        m->down_since_us = now;
    m->next_try_us = m->n_tries == 0 && m->settled ? now : now + backoff_us(m);
    m->n_tries++;
    if (may_pass(m, code, now))
        return;
    for (x = TAILQ_FIRST(&m->all); x; x = next) {
        next = TAILQ_NEXT(x, all);
        mux_finish(m, x, code, &m->why);
    }
}

/*
 * With two usual places, which of the two failures matters? The socket that is there, but does not
 * answer, rather than the one that is missing; if both miss, both are named.
 */
static enum aw_err connect_any(struct mux *m, struct aw_error *err)
{
    struct stream_config config = {.tls_ca_file = m->tls_ca_file,
                                   .tls_cert_key_file = m->tls_cert_key_file};
    struct aw_error failure[ADDRESS_MAX] = {0};
    const struct stream_ops *ops;
    enum aw_err e = AW_OK;

    for (size_t i = m->settled ? m->at : 0; i < m->address.n; i++) {
        config.address = m->address.v[i];
        e = stream_ops_find(config.address, &ops, &failure[i]);
        if (!e)
            e = ops->open(&config, &m->stream, &failure[i]);
        if (!e) {
            m->at = i;
            return AW_OK;
        }
        if (m->settled || e != AW_ERR_UNREACHABLE) {
            *err = failure[i];
            return e;
        }
    }
    if (m->address.n == 1) {
        *err = failure[0];
        return e;
    }
    return aw_fail(err, e, "%.*s, and %.*s", 120, failure[0].text, 120, failure[1].text);
}

void mux_connect(struct mux *m)
{
    enum aw_err e = connect_any(m, &m->why);

    if (e) {
        failed_try(m, e);
        return;
    }
    m->state = MUX_GREETING;
    m->greeting_left = SP_HANDSHAKE_LEN;
    m->queue_off = 0;
    m->in_pos = m->in_len = 0;
    m->in_body = false;
}

/* What was sent goes to the head of the queue again, in its order. */
static void requeue(struct mux *m)
{
    struct exchange *x, *previous;
    struct aw_error doubt;

    aw_fail(&doubt, AW_ERR_IN_DOUBT, "the connection broke before the daemon answered (%.150s)",
            m->why.text);
    for (x = TAILQ_LAST(&m->all, exchange_list); x; x = previous) {
        previous = TAILQ_PREV(x, exchange_list, all);
        if (x->state != EXCHANGE_SENT)
            continue;
        if (x->resend) {
            x->state = EXCHANGE_UNSENT;
            TAILQ_INSERT_HEAD(&m->queue, x, queue);
        } else {
            mux_finish(m, x, AW_ERR_IN_DOUBT, &doubt);
        }
    }
}

void mux_lost(struct mux *m)
{
    enum aw_err code = m->broken;
    struct exchange *x;

    m->broken = AW_OK;
    mux_loop_forget(m);
    m->stream->ops->close(take_ptr(m->stream));
    m->state = MUX_DOWN;
    m->queue_off = 0;
    m->in_for = NULL;
    free(take_ptr(m->in_data));
    requeue(m);
    failed_try(m, code);
    /* Everybody's time to wait has changed. */
    TAILQ_FOREACH (x, &m->all, all)
        if (!x->async)
            pthread_cond_signal(&x->cond);
}

/* ---- Sending ---------------------------------------------------------------------------- */

/* What is left of the handshake and of the first exchange in the queue. Returns the count. */
static int out_fill(struct mux *m, uint8_t greeting[SP_HANDSHAKE_LEN], struct iovec iov[3])
{
    struct exchange *x = TAILQ_FIRST(&m->queue);
    size_t skip = m->stream->ops->message_type ? 0 : 1;
    size_t off = m->queue_off, header = MUX_HEADER - skip;
    int n = 0;

    if (m->greeting_left) {
        sp_handshake_write(greeting, SP_REQ);
        iov[n++] = (struct iovec){greeting + SP_HANDSHAKE_LEN - m->greeting_left, m->greeting_left};
    }
    if (x && off < header)
        iov[n++] = (struct iovec){x->header + skip + off, header - off};
    if (x && x->body.len) {
        size_t done = off > header ? off - header : 0;

        iov[n++] = (struct iovec){(char *)x->body.data + done, x->body.len - done};
    }
    return n;
}

static void out_sent(struct mux *m, size_t n)
{
    struct exchange *x = TAILQ_FIRST(&m->queue);
    size_t greeting = MIN(n, m->greeting_left);
    size_t total = MUX_HEADER - (m->stream->ops->message_type ? 0 : 1);

    m->greeting_left -= greeting;
    if (!x)
        return;
    m->queue_off += n - greeting;
    if (m->queue_off == total + x->body.len) {
        m->queue_off = 0;
        TAILQ_REMOVE(&m->queue, x, queue);
        x->state = EXCHANGE_SENT;
    }
}

void mux_send(struct mux *m)
{
    while (m->state != MUX_DOWN && !m->broken && (m->greeting_left || !TAILQ_EMPTY(&m->queue))) {
        uint8_t greeting[SP_HANDSHAKE_LEN];
        struct aw_error why;
        struct iovec iov[3];
        int n_iov = out_fill(m, greeting, iov);
        size_t n;
        enum aw_err e = m->stream->ops->write(m->stream, iov, n_iov, &n, &why);

        if (e)
            mux_break(m, e, &why);
        if (e || n == 0)
            return;
        out_sent(m, n);
    }
}

/* ---- Receiving -------------------------------------------------------------------------- */

static void greeting_take(struct mux *m)
{
    struct aw_error how, why;
    enum aw_err e = sp_handshake_check(m->in + m->in_pos, SP_REP, &how);

    if (e) {
        aw_fail(&why, e, "what listens at %.100s is no awd (%.120s)", m->address.v[m->at],
                how.text);
        mux_break(m, e, &why);
        return;
    }
    m->in_pos += SP_HANDSHAKE_LEN;
    m->state = MUX_UP;
    m->settled = true;
}

/* A message's header is there: whose is it, and how long? */
static void header_take(struct mux *m)
{
    uint8_t header[MUX_HEADER] = {1};
    size_t skip = m->stream->ops->message_type ? 0 : 1;
    struct aw_error why;
    uint32_t id;
    enum aw_err e;

    memcpy(header + skip, m->in + m->in_pos, MUX_HEADER - skip);
    e = sp_ipc_header_read(header, &id, &m->in_size, &why);
    if (e) {
        mux_break(m, e, &why);
        return;
    }
    m->in_pos += MUX_HEADER - skip;
    m->in_body = true;
    m->in_have = 0;
    m->in_for = exchange_find(m, id);
    if (m->in_for && m->in_for->state != EXCHANGE_SENT)
        m->in_for = NULL; /* an answer to what was not asked */
    if (!m->in_for)
        return;
    m->in_data = malloc(m->in_size + 1);
    if (!m->in_data) {
        aw_fail(&why, AW_ERR_NO_MEMORY, "no memory for an answer of %zu bytes", m->in_size);
        mux_finish(m, m->in_for, AW_ERR_NO_MEMORY, &why);
    }
}

static void message_done(struct mux *m)
{
    struct exchange *x = take_ptr(m->in_for);

    m->in_body = false;
    if (!x)
        return;
    m->n_tries = 0;
    m->down_since_us = 0;
    x->reply = take_ptr(m->in_data);
    x->reply_len = m->in_size;
    mux_finish(m, x, AW_OK, NULL);
}

static void body_take(struct mux *m)
{
    size_t n = MIN(m->in_len - m->in_pos, m->in_size - m->in_have);

    if (m->in_for)
        memcpy(m->in_data + m->in_have, m->in + m->in_pos, n);
    m->in_pos += n;
    m->in_have += n;
    if (m->in_have == m->in_size)
        message_done(m);
}

/* Takes all that is whole out of the buffer. */
static void buffer_take(struct mux *m)
{
    size_t header = MUX_HEADER - (m->stream->ops->message_type ? 0 : 1);

    while (!m->broken) {
        size_t left = m->in_len - m->in_pos;

        if (m->state == MUX_GREETING && left >= SP_HANDSHAKE_LEN)
            greeting_take(m);
        else if (m->state == MUX_UP && m->in_body && (left > 0 || m->in_size == 0))
            body_take(m);
        else if (m->state == MUX_UP && !m->in_body && left >= header)
            header_take(m);
        else
            break;
    }
    memmove(m->in, m->in + m->in_pos, m->in_len - m->in_pos);
    m->in_len -= m->in_pos;
    m->in_pos = 0;
}

/* One read: straight into a large body, through the buffer otherwise. True: there may be more. */
static bool read_some(struct mux *m)
{
    bool direct =
        m->in_body && m->in_for && m->in_len == 0 && m->in_size - m->in_have >= sizeof(m->in);
    void *to = direct ? (void *)(m->in_data + m->in_have) : m->in + m->in_len;
    size_t room = direct ? m->in_size - m->in_have : sizeof(m->in) - m->in_len;
    struct aw_error why;
    size_t n = 0;
    enum aw_err e = m->stream->ops->read(m->stream, to, room, &n, &why);

    if (e) {
        mux_break(m, e, &why);
        return false;
    }
    if (!direct) {
        m->in_len += n;
        buffer_take(m);
    } else {
        m->in_have += n;
        if (m->in_have == m->in_size)
            message_done(m);
    }
    return n == room;
}

void mux_receive(struct mux *m)
{
    while (m->state != MUX_DOWN && !m->broken && read_some(m))
        ;
}
