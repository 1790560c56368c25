/* explain: why a job is not running yet, and what comes before it. */
#include "daemon/ops/ids.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/text.h"

struct explain {
    struct exchange *x;
    uint64_t number;
    enum aw_class class; /* of a job that has failed */
    struct explanation why;
    char queue[AW_MAX_QUEUE_NAME];
};

/* The answer, and the texts that it points to. */
struct told {
    struct explain_rep rep;
    struct bytes before[AW_MAX_EXPLAINED], parents[AW_MAX_EXPLAINED];
    char ids[2 * AW_MAX_EXPLAINED][AW_MAX_ID];
    char text[1024];
};

/* "k3f9q-3, k3f9q-4", and " and others" if there are more; returns the length. */
static int list_ids(char *buf, size_t size, const struct strv *ids, uint64_t n)
{
    int len = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < ids->n && (size_t)len < size; i++)
        len += snprintf(buf + len, size - (size_t)len, "%s%.*s", i ? ", " : "", (int)ids->v[i].len,
                        (const char *)ids->v[i].data);
    if (n > ids->n && (size_t)len < size)
        len += snprintf(buf + len, size - (size_t)len, " and others");
    return len;
}

/* "no job comes before it", "3 jobs come before it". */
static void before_text(const struct explanation *why, char buf[64])
{
    if (why->n_before == 0)
        snprintf(buf, 64, "no job comes before it");
    else
        snprintf(buf, 64, "%s%" PRIu64 " %s before it", why->more_before ? "more than " : "",
                 why->n_before, why->n_before == 1 ? "job comes" : "jobs come");
}

static void due_text(const struct explanation *why, char buf[32])
{
    int64_t left_us = why->due_us - now_us();

    duration_format(buf, 32, MAX(left_us / 1000, INT64_C(0)));
}

/* Nothing of its own keeps it from running: what does the daemon? */
static const char *ready_reason(const struct server *srv, const struct explanation *why, char *text,
                                size_t size)
{
    unsigned slots = running_slots(srv->running);
    size_t taken = running_slots_taken(srv->running);
    char before[64];

    before_text(why, before);
    if (srv->stopping) {
        snprintf(text, size, "the daemon is going down and starts no more jobs; %s", before);
        return "stopped";
    }
    if (slots == 0) {
        snprintf(text, size,
                 "the daemon has 0 slots, so that it starts no jobs; %s; `awctl slots "
                 "N` lets it go on",
                 before);
        return "stopped";
    }
    if (why->queue.slots == 0 && taken >= slots) {
        snprintf(text, size, "%s; %zu of %u slots are taken; `awctl slots` shows and changes them",
                 before, MIN(taken, (size_t)slots), slots);
        return "slots";
    }
    snprintf(text, size, "it is about to start; %s", before);
    return "next";
}

static void limit_text(const struct queue_status *q, const char *name, const char *before,
                       char *text, size_t size)
{
    if (q->slots && q->running >= q->slots)
        snprintf(text, size, "the %" PRIu64 " slots of its queue, %s, are taken; %s", q->slots,
                 name, before);
    else
        snprintf(text, size,
                 "its queue, %s, runs %" PRIu64 " jobs, and may run no more than %" PRIu64
                 " at once; %s",
                 name, q->running, q->limit, before);
}

static const char *queue_reason(const struct explanation *why, char *text, size_t size)
{
    const struct queue_status *q = &why->queue;
    char name[AW_MAX_QUEUE_NAME + 1], before[64], due[32], period[32];

    snprintf(name, sizeof(name), "%.*s", (int)q->name.len, (const char *)q->name.data);
    before_text(why, before);
    if (why->reason == EXPLAIN_PAUSED) {
        snprintf(text, size, "its queue, %s, is paused; %s; `awctl queue resume %s` lets it go on",
                 name, before, name);
        return "paused";
    }
    if (why->reason == EXPLAIN_LIMIT) {
        limit_text(q, name, before, text, size);
        return "limit";
    }
    due_text(why, due);
    duration_format(period, sizeof(period), (int64_t)q->rate_ms);
    snprintf(text, size,
             "its queue, %s, starts no more than %" PRIu64 " jobs in %s; the next may start in "
             "%s; %s",
             name, q->rate, period, due, before);
    return "rate";
}

static const char *waiting_reason(const struct told *t, const struct explanation *why, char *text,
                                  size_t size)
{
    char due[32], ids[512];

    due_text(why, due);
    if (why->reason == EXPLAIN_DELAY) {
        snprintf(text, size, "its start time comes in %s", due);
        return "delay";
    }
    if (why->reason == EXPLAIN_BACKOFF) {
        snprintf(text, size, "its last attempt failed; the next one is due in %s", due);
        return "backoff";
    }
    list_ids(ids, sizeof(ids), &t->rep.parents, why->n_parents);
    snprintf(text, size, "it waits for %" PRIu64 " other %s to end: %s", why->n_parents,
             why->n_parents == 1 ? "job" : "jobs", ids);
    return "dependency";
}

static const char *over_reason(const struct explain *ex, const struct explanation *why, char *text,
                               size_t size)
{
    if (why->reason == EXPLAIN_RUNNING) {
        snprintf(text, size, "it is running");
        return "running";
    }
    snprintf(text, size, "it has ended: %s%s%s", aw_state_name(why->state), ex->class ? ", " : "",
             ex->class ? aw_class_name(ex->class) : "");
    return "ended";
}

static const char *reason_text(const struct explain *ex, const struct told *t,
                               const struct explanation *why, char *text, size_t size)
{
    switch (why->reason) {
    case EXPLAIN_ENDED:
    case EXPLAIN_RUNNING:
        return over_reason(ex, why, text, size);
    case EXPLAIN_DELAY:
    case EXPLAIN_BACKOFF:
    case EXPLAIN_DEPENDENCY:
        return waiting_reason(t, why, text, size);
    case EXPLAIN_PAUSED:
    case EXPLAIN_LIMIT:
    case EXPLAIN_RATE:
        return queue_reason(why, text, size);
    case EXPLAIN_READY:
        break;
    }
    return ready_reason(ex->x->srv, why, text, size);
}

static void ids_fill(const struct server *srv, struct strv *ret, struct bytes *v,
                     char (*text)[AW_MAX_ID], const uint64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = bytes_of(text[i], future_id_format(text[i], srv->engine->tag, numbers[i]));
    *ret = (struct strv){v, n};
}

static void answer(struct explain *ex)
{
    const struct explanation *why = &ex->why;
    struct server *srv = ex->x->srv;
    struct told t = {0};

    t.rep.state = why->state;
    t.rep.due_us = (uint64_t)why->due_us;
    t.rep.n_before = why->n_before;
    t.rep.more_before = why->more_before;
    t.rep.n_parents = why->n_parents;
    t.rep.queue = why->queue.name;
    ids_fill(srv, &t.rep.before, t.before, t.ids, why->before, why->n_before_named);
    ids_fill(srv, &t.rep.parents, t.parents, t.ids + AW_MAX_EXPLAINED, why->parents,
             why->n_parents_named);
    t.rep.reason = bytes_str(reason_text(ex, &t, why, t.text, sizeof(t.text)));
    t.rep.text = bytes_str(t.text);
    exchange_reply(ex->x, &t.rep);
    free(ex);
}

/* Other people's jobs are counted, but not named. */
static void before_known(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct explain *ex = arg;
    struct explanation *why = &ex->why;

    why->n_before_named = 0;
    for (size_t i = 0; !err && i < n; i++)
        if (!jobs[i].err && exchange_may(ex->x, jobs[i].record.uid))
            why->before[why->n_before_named++] = jobs[i].record.number;
    answer(ex);
}

/* It was claimed, and that is all. */
static bool is_held(const struct explain *ex)
{
    struct running_info info;

    return running_find(ex->x->srv->running, ex->number, &info) && info.held;
}

static void explained(void *arg, const struct aw_error *err, const struct explanation *why)
{
    struct explain *ex = arg;

    if (err) {
        exchange_fail(ex->x, err);
        free(ex);
        return;
    }
    ex->why = *why;
    if (why->reason == EXPLAIN_RUNNING && is_held(ex)) {
        ex->why.state = AW_QUEUED;
        ex->why.reason = EXPLAIN_READY;
    }
    ex->why.queue.name.len = MIN(why->queue.name.len, sizeof(ex->queue));
    if (ex->why.queue.name.data) {
        memcpy(ex->queue, why->queue.name.data, ex->why.queue.name.len);
        ex->why.queue.name.data = ex->queue;
    }
    if (why->n_before_named && !exchange_is_admin(ex->x))
        engine_get(ex->x->srv->engine, why->before, why->n_before_named, 0, before_known, ex);
    else
        answer(ex);
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct explain *ex = arg;
    const struct explain_req *req = ex->x->args;
    struct future_id id = {.number = ex->number};
    enum aw_err e = err ? err->code : id_error(ex->x, &id, jobs);

    (void)n;
    if (!e) {
        ex->class = jobs->record.class;
        engine_explain(ex->x->srv->engine, ex->number, explained, ex);
        return;
    }
    if (err)
        exchange_fail(ex->x, err);
    else
        exchange_failf(ex->x, e, "%.*s: %s", (int)req->id.len, (const char *)req->id.data,
                       aw_err_text(e));
    free(ex);
}

/* The record says whose job it is. */
void op_explain(struct exchange *x)
{
    const struct explain_req *req = x->args;
    struct explain *ex = calloc(1, sizeof(*ex));
    struct aw_error err;

    if (!ex) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "explain: out of memory");
    } else if (id_parse(x->srv, req->id, &ex->number, &err)) {
        exchange_fail(x, &err);
        free(ex);
    } else {
        ex->x = x;
        engine_get(x->srv->engine, &ex->number, 1, 0, got, ex);
    }
}
