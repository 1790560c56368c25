#include "client/libaw/mux.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "client/libaw/mux_io.h"

#define NOTICE_AFTER_US 1000000

static enum aw_err random_start(struct mux *m, struct aw_error *err)
{
    if (getrandom(&m->seed, sizeof(m->seed), 0) != sizeof(m->seed))
        return aw_fail(err, AW_ERR_SYSTEM, "getrandom: %s", strerror(errno));
    m->last_id = (uint32_t)m->seed;
    m->seed |= 1;
    return AW_OK;
}

enum aw_err mux_init(struct mux *m, const char *url, struct aw_error *err)
{
    enum aw_err e;

    memset(m, 0, sizeof(*m));
    TAILQ_INIT(&m->all);
    TAILQ_INIT(&m->queue);
    TAILQ_INIT(&m->finished);
    m->loop = (struct mux_loop){.epoll_fd = -1,
                                .timer_fd = -1,
                                .event_fd = -1,
                                .stream_fd = -1,
                                .timer_us = NEVER_US,
                                .ask_us = NEVER_US};
    m->pid = getpid();
    e = random_start(m, err);
    if (!e)
        e = address_init(&m->address, url, err);
    if (e)
        return e;
    m->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->wake_fd < 0) {
        address_done(&m->address);
        return aw_fail(err, AW_ERR_SYSTEM, "eventfd: %s", strerror(errno));
    }
    pthread_mutex_init(&m->lock, NULL);
    return AW_OK;
}

bool mux_is_ours(const struct mux *m)
{
    return m->pid == getpid();
}

enum aw_err mux_not_ours(struct aw_error *err)
{
    return aw_fail(err, AW_ERR_USAGE,
                   "the client belongs to the parent process; open another one after fork()");
}

void mux_done(struct mux *m)
{
    if (m->stream)
        m->stream->ops->close(m->stream);
    mux_loop_done(m);
    close(m->wake_fd);
    free(m->in_data);
    free(m->tls_ca_file);
    free(m->tls_cert_key_file);
    address_done(&m->address);
    pthread_mutex_destroy(&m->lock);
}

/* The counter cannot overflow in anybody's lifetime. */
void mux_wake(struct mux *m)
{
    uint64_t one = 1;

    if (m->leading && write(m->wake_fd, &one, sizeof(one)) < 0)
        return;
}

void mux_close(struct mux *m)
{
    struct aw_error why;
    struct exchange *x;

    aw_fail(&why, AW_ERR_CLOSED, "the client was closed");
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    while ((x = TAILQ_FIRST(&m->all)))
        mux_finish(m, x, AW_ERR_CLOSED, &why);
    mux_wake(m);
    mux_loop_arm(m);
    pthread_mutex_unlock(&m->lock);
}

void mux_reset(struct mux *m, enum aw_err code, const char *reason)
{
    struct aw_error why;

    aw_fail(&why, code, "%s", reason);
    pthread_mutex_lock(&m->lock);
    mux_break(m, AW_ERR_UNREACHABLE, &why);
    mux_wake(m);
    mux_loop_arm(m);
    pthread_mutex_unlock(&m->lock);
}

/* ---- Time limits ------------------------------------------------------------------------ */

int64_t mux_end_us(const struct mux *m, const struct exchange *x)
{
    int64_t end = x->give_up_us;

    if (m->state == MUX_DOWN && m->down_since_us) {
        end = MIN(end, x->down_end_us);
        if (x->patience_ms >= 0)
            end = MIN(end, MAX(x->start_us, m->down_since_us) + x->patience_ms * 1000);
    }
    return end;
}

void mux_expire(struct mux *m, struct exchange *x)
{
    struct aw_error late;

    if (x->state == EXCHANGE_DONE || mono_us() < mux_end_us(m, x))
        return;
    if (m->state == MUX_DOWN && m->down_since_us) {
        late = m->why;
        late.code = m->why.code == AW_ERR_NOT_PERMITTED ? AW_ERR_NOT_PERMITTED : AW_ERR_UNREACHABLE;
    } else {
        aw_fail(&late, AW_ERR_TIMED_OUT, "the daemon at %.150s does not answer",
                m->address.v[m->at]);
    }
    mux_finish(m, x, late.code, &late);
}

/* ---- Leading and following -------------------------------------------------------------- */

void mux_notice(struct mux *m, bool waiting)
{
    bool up = m->state == MUX_UP;
    struct aw_error text = m->why;

    if (!m->notice || m->told != up)
        return;
    if (!up && (!waiting || !m->down_since_us || mono_us() - m->down_since_us < NOTICE_AFTER_US))
        return;
    m->told = !up;
    if (up)
        aw_fail(&text, AW_OK, "the daemon at %.150s is back", m->address.v[m->at]);
    pthread_mutex_unlock(&m->lock);
    m->notice(m->notice_arg, text.code, text.text);
    pthread_mutex_lock(&m->lock);
}

int64_t mux_notice_us(const struct mux *m)
{
    if (!m->notice || m->told || m->state == MUX_UP || !m->down_since_us)
        return NEVER_US;
    return MAX(m->down_since_us + NOTICE_AFTER_US, mono_us() + 1000);
}

static int64_t leader_end_us(const struct mux *m, const struct exchange *own)
{
    int64_t end = mux_end_us(m, own);

    if (m->state == MUX_DOWN)
        end = MIN(end, m->next_try_us);
    return MIN(end, mux_notice_us(m));
}

static void leader_poll(struct mux *m, int64_t end_us)
{
    struct pollfd fds[2] = {{.fd = m->wake_fd, .events = POLLIN}, {.fd = -1}};
    int64_t left_us = end_us == NEVER_US ? 0 : MAX(end_us - mono_us(), 0);
    struct timespec left = {left_us / 1000000, left_us % 1000000 * 1000};
    uint64_t count;
    int n;

    if (m->stream) {
        fds[1].fd = m->stream->ops->fd(m->stream);
        fds[1].events =
            m->stream->ops->events(m->stream, m->greeting_left || !TAILQ_EMPTY(&m->queue));
    }
    pthread_mutex_unlock(&m->lock);
    n = ppoll(fds, 2, end_us == NEVER_US ? NULL : &left, NULL);
    pthread_mutex_lock(&m->lock);
    if (n > 0 && fds[0].revents && read(m->wake_fd, &count, sizeof(count)) < 0)
        return;
    if (n > 0 && (fds[1].revents & ~POLLOUT) && m->stream && !m->broken)
        mux_receive(m);
}

static void lead(struct mux *m, struct exchange *own)
{
    struct exchange *next;

    m->leading = true;
    while (own->state != EXCHANGE_DONE) {
        if (m->broken)
            mux_lost(m);
        if (m->state == MUX_DOWN && mono_us() >= m->next_try_us)
            mux_connect(m);
        mux_send(m);
        mux_expire(m, own);
        mux_notice(m, own->state != EXCHANGE_DONE);
        if (own->state != EXCHANGE_DONE && !m->broken)
            leader_poll(m, leader_end_us(m, own));
    }
    mux_notice(m, false);
    m->leading = false;
    next = TAILQ_FIRST(&m->all);
    while (next && next->async)
        next = TAILQ_NEXT(next, all);
    if (next)
        pthread_cond_signal(&next->cond);
    mux_loop_arm(m);
}

static void follow(struct mux *m, struct exchange *x)
{
    int64_t end = mux_end_us(m, x);
    struct timespec until = {end / 1000000, end % 1000000 * 1000};

    if (end == NEVER_US)
        pthread_cond_wait(&x->cond, &m->lock);
    else
        pthread_cond_timedwait(&x->cond, &m->lock, &until);
    if (!m->leading)
        return;
    mux_expire(m, x);
    if (m->broken)
        mux_wake(m);
}

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* Into the table, and out as far as it goes. */
static void exchange_begin(struct mux *m, struct exchange *x)
{
    mux_enter(m, x);
    mux_send(m);
    /* What could not be sent is the leader's now, and so is a connection found broken. */
    if (m->broken || (m->state != MUX_DOWN && x->state == EXCHANGE_UNSENT))
        mux_wake(m);
}

void mux_tell(struct mux *m, struct bytes body)
{
    struct exchange x = {.body = body};

    pthread_mutex_lock(&m->lock);
    if (!m->closed && m->state == MUX_UP && !m->broken && !m->greeting_left &&
        TAILQ_EMPTY(&m->queue)) {
        mux_enter(m, &x);
        mux_send(m);
        mux_leave(m, &x);
        if (m->broken)
            mux_wake(m);
        mux_loop_arm(m);
    }
    pthread_mutex_unlock(&m->lock);
}

enum aw_err mux_exchange(struct mux *m, struct exchange *x, struct aw_error *err)
{
    if (!mux_is_ours(m))
        return mux_not_ours(err);
    x->reply = NULL;
    x->start_us = mono_us();
    cond_init(&x->cond);
    pthread_mutex_lock(&m->lock);
    if (m->closed)
        x->result = aw_fail(&x->err, AW_ERR_CLOSED, "the client was closed");
    else
        exchange_begin(m, x);
    while (x->state != EXCHANGE_DONE) {
        if (m->leading)
            follow(m, x);
        else
            lead(m, x);
    }
    pthread_mutex_unlock(&m->lock);
    pthread_cond_destroy(&x->cond);
    if (x->result && err)
        *err = x->err;
    return x->result;
}

/* ---- Asynchronous ------------------------------------------------------------------------ */

enum aw_err mux_start(struct mux *m, struct exchange *x, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    if (!mux_is_ours(m))
        return mux_not_ours(err);
    x->async = true;
    x->reply = NULL;
    x->start_us = mono_us();
    pthread_mutex_lock(&m->lock);
    if (m->closed)
        e = aw_fail(err, AW_ERR_CLOSED, "the client was closed");
    else
        exchange_begin(m, x);
    mux_loop_arm(m);
    pthread_mutex_unlock(&m->lock);
    return e;
}

struct exchange *mux_take(struct mux *m)
{
    struct exchange *x;

    pthread_mutex_lock(&m->lock);
    x = TAILQ_FIRST(&m->finished);
    if (x)
        TAILQ_REMOVE(&m->finished, x, all);
    mux_loop_arm(m);
    pthread_mutex_unlock(&m->lock);
    return x;
}

void mux_drop(struct mux *m, struct exchange *x)
{
    pthread_mutex_lock(&m->lock);
    if (x->state == EXCHANGE_DONE)
        TAILQ_REMOVE(&m->finished, x, all);
    else
        mux_leave(m, x);
    free(take_ptr(x->reply));
    if (m->broken)
        mux_wake(m);
    mux_loop_arm(m);
    pthread_mutex_unlock(&m->lock);
}

enum aw_err mux_sleep(struct mux *m, int64_t ms, struct aw_error *err)
{
    int64_t end = mono_us() + ms * 1000;
    struct timespec until = {end / 1000000, end % 1000000 * 1000};
    pthread_cond_t cond;
    bool closed;

    /* Woken too late by a mux_close() in between; the pauses are short. */
    cond_init(&cond);
    pthread_mutex_lock(&m->lock);
    if (!m->closed)
        pthread_cond_timedwait(&cond, &m->lock, &until);
    closed = m->closed;
    pthread_mutex_unlock(&m->lock);
    pthread_cond_destroy(&cond);
    return closed ? aw_fail(err, AW_ERR_CLOSED, "the client was closed") : AW_OK;
}
