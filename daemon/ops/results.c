#include "daemon/ops/results.h"

struct many_slices {
    struct many many; /* first */
    many_fn act;
    struct job_result *jobs; /* what became of those that act() was called for */
    size_t n;
};

void many_free(struct many *m)
{
    ids_done(&m->ids);
    free(m->errs);
    free(m->numbers);
    free(m->states);
    free(m);
}

/* Every operation that answers so has a reply of one field, `jobs`. */
struct results_rep {
    struct anyv jobs;
};
_Static_assert(sizeof(struct results_rep) == sizeof(struct cancel_rep), "one field");
_Static_assert(sizeof(struct results_rep) == sizeof(struct forget_rep), "one field");
_Static_assert(sizeof(struct results_rep) == sizeof(struct change_rep), "one field");

static void result_fill(struct id_result *out, enum aw_err e, enum aw_state state)
{
    out->err = (uint64_t)e;
    out->state = state;
    if (e)
        out->message = bytes_str(aw_err_text(e));
}

bool results_make(const struct many *m, const struct job_result *jobs, struct results *ret)
{
    struct results r = {.v = calloc(m->ids.n + 1, sizeof(*r.v)),
                        .n = m->ids.n,
                        .text = malloc(m->ids.n * AW_MAX_ID + 1)};
    size_t at = 0;

    if (!r.v || !r.text) {
        results_done(&r);
        return false;
    }
    for (size_t i = 0; i < r.n; i++) {
        const struct future_id *id = &m->ids.v[i];
        const char *tag = id->tag[0] ? id->tag : m->x->srv->engine->tag;
        char *buf = r.text + i * AW_MAX_ID;

        r.v[i].id = bytes_of(buf, future_id_format(buf, tag, id->number));
        if (m->errs[i]) {
            result_fill(&r.v[i], m->errs[i], AW_SCHEDULED);
        } else {
            result_fill(&r.v[i], jobs[at].err, jobs[at].state);
            at++;
        }
    }
    *ret = r;
    return true;
}

void results_done(struct results *r)
{
    free(r->v);
    free(r->text);
    *r = (struct results){0};
}

/* ---- Slice by slice -------------------------------------------------------------------------- */

static void slices_free(struct many_slices *ms)
{
    free(ms->jobs);
    many_free(&ms->many);
}

static void slices_fail(struct many_slices *ms, const struct aw_error *err)
{
    exchange_fail(ms->many.x, err);
    slices_free(ms);
}

static void slices_answer(struct many_slices *ms)
{
    struct exchange *x = ms->many.x;
    struct results results;

    if (results_make(&ms->many, ms->jobs, &results)) {
        exchange_reply(x, &(struct results_rep){{results.v, results.n}});
        results_done(&results);
    } else {
        exchange_failf(x, AW_ERR_NO_MEMORY, "out of memory for the answer");
    }
    slices_free(ms);
}

static void slices_go_on(struct many_slices *ms)
{
    size_t left = ms->many.n_numbers - ms->n;

    if (left)
        ms->act(&ms->many, ms->n, MIN(left, (size_t)MANY_SLICE));
    else
        slices_answer(ms);
}

void many_acted(void *arg, const struct aw_error *err, const struct job_result *jobs, size_t n)
{
    struct many_slices *ms = arg;

    if (err) {
        slices_fail(ms, err);
        return;
    }
    memcpy(ms->jobs + ms->n, jobs, n * sizeof(*jobs));
    ms->n += n;
    slices_go_on(ms);
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct many_slices *ms = arg;
    struct many *m = arg;

    if (err) {
        slices_fail(ms, err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        m->errs[i] = id_error(m->x, &m->ids.v[i], &jobs[i]);
        if (m->errs[i])
            continue;
        m->states[m->n_numbers] = jobs[i].record.state;
        m->numbers[m->n_numbers++] = m->ids.numbers[i];
    }
    slices_go_on(ms);
}

static struct many *many_make(struct exchange *x, const struct strv *ids, size_t size)
{
    struct many *m = calloc(1, size);
    struct aw_error err;

    if (!m) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "out of memory");
        return NULL;
    }
    m->x = x;
    if (ids_parse(ids, &m->ids, &err)) {
        exchange_fail(x, &err);
        many_free(m);
        return NULL;
    }
    m->errs = calloc(m->ids.n + 1, sizeof(*m->errs));
    m->numbers = calloc(m->ids.n + 1, sizeof(*m->numbers));
    m->states = calloc(m->ids.n + 1, sizeof(*m->states));
    if (m->errs && m->numbers && m->states)
        return m;
    exchange_failf(x, AW_ERR_NO_MEMORY, "out of memory");
    many_free(m);
    return NULL;
}

void many_begin(struct exchange *x, const struct strv *ids, many_fn act)
{
    struct many *m = many_make(x, ids, sizeof(struct many_slices));
    struct many_slices *ms = (struct many_slices *)m;

    if (!m)
        return;
    ms->act = act;
    ms->jobs = calloc(m->ids.n + 1, sizeof(*ms->jobs));
    if (ms->jobs) {
        engine_get(x->srv->engine, m->ids.numbers, m->ids.n, 0, got, ms);
    } else {
        exchange_failf(x, AW_ERR_NO_MEMORY, "out of memory");
        slices_free(ms);
    }
}

struct many *many_open(struct exchange *x, const struct strv *ids)
{
    struct many *m = many_make(x, ids, sizeof(*m));

    for (size_t i = 0; m && i < m->ids.n; i++) {
        if (id_is_foreign(x->srv, &m->ids.v[i]))
            m->errs[i] = AW_ERR_FOREIGN_ID;
        else
            m->numbers[m->n_numbers++] = m->ids.numbers[i];
    }
    return m;
}
