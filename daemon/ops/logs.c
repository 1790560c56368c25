/*
 * logs: output from an offset on, of a job that has ended or not; waits for more.
 *
 * Each look at the job begins with its record. An ended job's output is read from where it is
 * kept; a running one's from its spool file, once the runner was asked to write there. When there
 * is nothing to give yet, the request is parked until something happens to the job.
 */
#include "daemon/ops/ids.h"
#include "daemon/ops/output.h"
#include "daemon/timer.h"

#include <event2/event.h>

struct logs {
    struct watch watch; /* first */
    struct exchange *x; /* if its client goes: dropped after the look; NULL: none yet */
    struct event *timer;
    uint64_t number;
    uint64_t attempt; /* 0: the last */
    int64_t offset;   /* negative: from the end */
    size_t max;
    int stream;
    bool patient; /* the client gave it time */
    bool busy;    /* a look is under way, or what it found is being acted on */
    bool again;   /* something happened meanwhile */
    bool over;    /* the time is */
    bool at_rest; /* what is read has its final size */
    struct logs_rep rep;
};

static void logs_free(struct logs *l)
{
    if (l->timer)
        event_free(l->timer);
    free(l);
}

static void logs_end(struct logs *l)
{
    if (l->x)
        watch_remove(l->x->srv->watches, &l->watch);
}

/* Its client is gone. */
static void logs_drop(struct logs *l)
{
    exchange_drop(l->x);
    logs_free(l);
}

static void logs_fail(struct logs *l, enum aw_err e, const char *text)
{
    logs_end(l);
    exchange_failf(l->x, e, "%s", text);
    logs_free(l);
}

static void logs_answer(struct logs *l)
{
    logs_end(l);
    exchange_reply(l->x, &l->rep);
    logs_free(l);
}

/* Where to read, now that the size is known. Stays where the end is if it is beyond. */
static void offset_settle(struct logs *l, uint64_t size)
{
    uint64_t back = 0 - (uint64_t)l->offset;

    if (l->offset < 0)
        l->offset = size > back ? (int64_t)(size - back) : 0;
    l->rep.size = size;
    l->rep.offset = (uint64_t)l->offset;
}

static void read_done(void *arg, const struct aw_error *err, struct bytes data)
{
    struct logs *l = arg;

    l->busy = false;
    if (exchange_gone(l->x)) {
        logs_drop(l);
    } else if (err) {
        logs_fail(l, err->code, err->text);
    } else {
        l->rep.data = data;
        l->rep.eof = l->at_rest && l->rep.offset + data.len >= l->rep.size;
        logs_answer(l);
    }
}

static void logs_read(struct logs *l, uint64_t attempt, bool spooled)
{
    struct output_want want = {
        .number = l->number,
        .attempt = attempt,
        .stream = l->stream,
        .spooled = spooled,
        .offset = (uint64_t)l->offset,
        .max = (size_t)MIN((uint64_t)l->max, l->rep.size - (uint64_t)l->offset),
    };

    l->busy = true;
    output_read(l->x->srv, &want, read_done, l);
}

static void logs_look(struct logs *l);

/* Nothing to give yet: until something happens, or the time is over. */
static void logs_wait(struct logs *l)
{
    l->busy = false;
    if (l->over) {
        logs_answer(l);
    } else if (l->again) {
        l->again = false;
        logs_look(l);
    } else {
        exchange_rest(l->x);
    }
}

/* Nothing to give, and nothing on its way: who is not patient has the answer now. */
static void logs_wait_long(struct logs *l)
{
    l->over |= !l->patient;
    logs_wait(l);
}

/* Output that will not grow any more: that of an attempt that has ended. */
static void look_ended(struct logs *l, uint64_t attempt, uint64_t size, unsigned flags)
{
    unsigned flag = l->stream == STREAM_STDOUT ? RECORD_SPOOLED_STDOUT : RECORD_SPOOLED_STDERR;

    offset_settle(l, size);
    if ((uint64_t)l->offset < l->rep.size && l->max) {
        logs_read(l, attempt, flags & flag);
    } else {
        l->rep.eof = (uint64_t)l->offset >= l->rep.size;
        logs_answer(l);
    }
}

static void look_running(struct logs *l, const struct record *r)
{
    struct running_info info;

    l->rep.offset = (uint64_t)MAX(l->offset, INT64_C(0));
    if (!running_find(l->x->srv->running, l->number, &info) || !info.has_output) {
        logs_wait_long(l);
        return;
    }
    if (!info.ended)
        running_watch(l->x->srv->running, l->number);
    if (info.ended || !info.sizes_known) {
        /* The end, or the answer to running_watch(), comes as an event in a moment. */
        logs_wait(l);
        return;
    }
    offset_settle(l, info.size[l->stream]);
    if ((uint64_t)l->offset < l->rep.size && l->max)
        logs_read(l, r->attempt, true);
    else
        logs_wait_long(l);
}

static void look_earlier(struct logs *l, const struct record *r)
{
    l->at_rest = true;
    for (size_t i = 0; i < r->n_attempts; i++)
        if (r->attempts[i].attempt == l->attempt) {
            look_ended(l, l->attempt, r->attempts[i].size[l->stream], r->attempts[i].flags);
            return;
        }
    logs_fail(l, AW_ERR_INVALID, "attempt: there was no such attempt, or it is too long ago");
}

/* The attempt after the last one: it may come, or the job has ended without it. */
static void look_next(struct logs *l)
{
    l->rep.eof = l->at_rest;
    if (l->at_rest)
        logs_answer(l);
    else
        logs_wait_long(l);
}

/* A job that waits: what its last attempt wrote, if there was one. */
static void look_waiting(struct logs *l, const struct record *r)
{
    const struct attempt_record *a = r->attempts;

    if (r->n_attempts && (l->offset < 0 || (uint64_t)l->offset < a->size[l->stream]))
        look_ended(l, a->attempt, a->size[l->stream], a->flags);
    else
        logs_wait_long(l);
}

static void look_at(struct logs *l, const struct record *r)
{
    l->rep.state = r->state;
    l->rep.attempt = l->attempt ? l->attempt : r->attempt;
    l->rep.last_attempt = r->attempt;
    l->at_rest = aw_state_is_final(r->state);
    if (l->attempt == r->attempt + 1)
        look_next(l);
    else if (l->attempt && l->attempt != r->attempt)
        look_earlier(l, r);
    else if (l->at_rest)
        look_ended(l, r->attempt, r->size[l->stream], r->flags);
    else if (r->state == AW_RUNNING)
        look_running(l, r);
    else if (l->attempt)
        look_earlier(l, r); /* it has ended; the job waits for the next one */
    else
        look_waiting(l, r);
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct logs *l = arg;
    struct future_id id = {.number = l->number};
    enum aw_err e;

    (void)n;
    if (exchange_gone(l->x)) {
        logs_drop(l);
        return;
    }
    e = err ? err->code : id_error(l->x, &id, jobs);
    if (e) {
        logs_fail(l, e, err ? err->text : aw_err_text(e));
        return;
    }
    watch_hold(&l->watch);
    look_at(l, &jobs->record);
}

static void logs_look(struct logs *l)
{
    l->busy = true;
    engine_get(l->x->srv->engine, &l->number, 1, GET_ATTEMPTS, got, l);
}

static void on_event(struct watch *watch, const struct watch_news *news)
{
    struct logs *l = (struct logs *)watch;

    (void)news;
    if (l->busy)
        l->again = true;
    else
        logs_look(l);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    struct logs *l = arg;

    (void)fd;
    (void)what;
    l->over = true;
    if (!l->busy)
        logs_look(l);
}

static void on_gone(struct exchange *x)
{
    struct logs *l = x->state;

    logs_end(l);
    if (!l->busy)
        logs_drop(l);
    else if (l->timer)
        event_del(l->timer);
}

static bool logs_begin(struct exchange *x, struct logs *l, int64_t wait_ms)
{
    struct timeval tv = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};

    /* Even who will not wait waits for what is on its way. */
    if (wait_ms == 0)
        tv.tv_sec = 2;
    l->patient = wait_ms > 0;
    l->timer = event_new(x->srv->base, -1, 0, on_timeout, l);
    if (!l->timer || !watch_add(x->srv->watches, &l->watch, l->number, on_event))
        return false;
    timer_add(l->timer, &tv);
    l->x = x;
    exchange_park(x, on_gone, l);
    logs_look(l);
    return true;
}

static enum aw_err logs_parse(struct exchange *x, struct logs *l, struct aw_error *err)
{
    const struct logs_req *req = x->args;

    l->offset = req->offset;
    l->max = (size_t)req->max;
    l->attempt = req->attempt;
    if (req->stream.data && bytes_eq(req->stream, bytes_str("stderr")))
        l->stream = STREAM_STDERR;
    else if (req->stream.data && !bytes_eq(req->stream, bytes_str("stdout")))
        return aw_fail(err, AW_ERR_INVALID, "stream: must be stdout or stderr");
    return id_parse(x->srv, req->id, &l->number, err);
}

void op_logs(struct exchange *x)
{
    const struct logs_req *req = x->args;
    struct logs *l = calloc(1, sizeof(*l));
    struct aw_error err;

    if (!l) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "logs: out of memory");
    } else if (logs_parse(x, l, &err)) {
        exchange_fail(x, &err);
        free(l);
    } else if (!logs_begin(x, l, (int64_t)req->wait_ms)) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "logs: out of memory");
        logs_free(l);
    }
}
