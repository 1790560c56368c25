#include "daemon/ops/statuses.h"

#include "daemon/ops/view.h"

struct statuses {
    struct exchange *x; /* if its client goes: dropped when the engine has answered */
    struct ids ids;
    size_t n; /* that are written */
    struct codec_buf jobs;
    bool has_rep;
    struct wait_rep rep;
};

static void statuses_free(struct statuses *s)
{
    ids_done(&s->ids);
    codec_buf_done(&s->jobs);
    free(s);
}

static void statuses_fail(struct statuses *s, const struct aw_error *err)
{
    exchange_fail(s->x, err);
    statuses_free(s);
}

/* An answer of one slice is written as any other, once. */
static void answer_whole(struct statuses *s, const struct view *view)
{
    struct status_rep rep = {{view->jobs, view->n}};

    if (s->has_rep) {
        s->rep.jobs.v = view->jobs;
        s->rep.jobs.n = view->n;
    }
    exchange_reply(s->x, s->has_rep ? (const void *)&s->rep : &rep);
}

static void answer_written(struct statuses *s)
{
    const struct codec_array array = {"jobs", s->n, bytes_of(s->jobs.data, s->jobs.len)};

    exchange_reply_array(s->x, s->has_rep ? &s->rep : NULL, &array);
}

static enum aw_err slice_write(struct statuses *s, const struct view *view, struct aw_error *err)
{
    for (size_t i = 0; i < view->n; i++) {
        const struct codec_part part = {&job_status_schema, &view->jobs[i]};
        enum aw_err e = codec_write(&s->jobs, &part, 1);

        if (e)
            return aw_fail(err, e, "%s: the answer is larger than a message can be; ask for less",
                           op_info(s->x->op)->name);
    }
    s->n += view->n;
    return AW_OK;
}

static void slice_read(struct statuses *s);

static void slice_take(struct statuses *s, const struct view *view)
{
    struct aw_error err;

    if (view->n == s->ids.n) {
        answer_whole(s, view);
        statuses_free(s);
    } else if (slice_write(s, view, &err)) {
        statuses_fail(s, &err);
    } else if (s->n < s->ids.n) {
        slice_read(s);
    } else {
        answer_written(s);
        statuses_free(s);
    }
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct statuses *s = arg;
    struct view view;

    if (exchange_gone(s->x)) {
        exchange_drop(s->x);
        statuses_free(s);
    } else if (err) {
        statuses_fail(s, err);
    } else if (!view_init(&view, s->x->srv, n)) {
        struct aw_error no_memory;

        aw_fail(&no_memory, AW_ERR_NO_MEMORY, "%s: out of memory", op_info(s->x->op)->name);
        statuses_fail(s, &no_memory);
    } else {
        const struct ids slice = {.n = n, .v = s->ids.v + s->n, .numbers = s->ids.numbers + s->n};

        view_set_all(&view, s->x, &slice, jobs);
        slice_take(s, &view);
        view_done(&view);
    }
}

static void slice_read(struct statuses *s)
{
    size_t n = MIN(s->ids.n - s->n, (size_t)STATUSES_SLICE);

    engine_get(s->x->srv->engine, s->ids.numbers + s->n, n, 0, got, s);
}

/* The engine's answer is on its way, and will find it out. */
static void on_gone(struct exchange *x)
{
    (void)x;
}

void statuses_answer(struct exchange *x, struct ids *ids, const struct wait_rep *rep)
{
    struct statuses *s = calloc(1, sizeof(*s));

    if (!s) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "%s: out of memory", op_info(x->op)->name);
        ids_done(ids);
        return;
    }
    s->x = x;
    s->ids = *ids;
    *ids = (struct ids){0};
    s->has_rep = rep != NULL;
    if (rep)
        s->rep = *rep;
    exchange_hand_over(x, on_gone, NULL);
    slice_read(s);
}
