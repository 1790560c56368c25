#include "daemon/ops/results.h"

struct many_start {
    struct many many;
    void (*act)(struct many *m);
};

static void many_free(struct many *m)
{
    ids_done(&m->ids);
    free(m->errs);
    free(m->numbers);
    free(m);
}

/* Every operation that answers so has a reply of one field, `jobs`. */
struct results_rep {
    struct anyv jobs;
};
_Static_assert(sizeof(struct results_rep) == sizeof(struct cancel_rep), "one field");
_Static_assert(sizeof(struct results_rep) == sizeof(struct forget_rep), "one field");

static void result_fill(struct id_result *out, enum aw_err e, enum aw_state state)
{
    out->err = (uint64_t)e;
    out->state = state;
    if (e)
        out->message = bytes_str(aw_err_text(e));
}

void many_answer(void *arg, const struct aw_error *err, const struct job_result *jobs, size_t n)
{
    struct many *m = arg;
    struct exchange *x = m->x;
    size_t n_ids = m->ids.n, at = 0;
    _cleanup_free_ struct id_result *out = calloc(n_ids, sizeof(*out));
    _cleanup_free_ char *text = malloc(n_ids * AW_MAX_ID);
    struct results_rep rep = {{out, n_ids}};

    (void)n;
    for (size_t i = 0; !err && out && text && i < n_ids; i++) {
        const struct future_id *id = &m->ids.v[i];
        char *buf = text + i * AW_MAX_ID;

        out[i].id = bytes_of(
            buf, future_id_format(buf, id->tag[0] ? id->tag : x->srv->engine->tag, id->number));
        if (m->errs[i]) {
            result_fill(&out[i], m->errs[i], AW_SCHEDULED);
        } else {
            result_fill(&out[i], jobs[at].err, jobs[at].state);
            at++;
        }
    }
    if (err)
        exchange_fail(x, err);
    else if (!out || !text)
        exchange_failf(x, AW_ERR_NO_MEMORY, "out of memory for the answer");
    else
        exchange_reply(x, &rep);
    many_free(m);
}

static void got(void *arg, const struct aw_error *err, const struct found *jobs, size_t n)
{
    struct many *m = arg;

    if (err) {
        many_answer(m, err, NULL, 0);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        m->errs[i] = id_error(m->x, &m->ids.v[i], &jobs[i]);
        if (!m->errs[i])
            m->numbers[m->n_numbers++] = m->ids.numbers[i];
    }
    ((struct many_start *)m)->act(m);
}

void many_begin(struct exchange *x, const struct strv *ids, void (*act)(struct many *m))
{
    struct many_start *start = calloc(1, sizeof(*start));
    struct many *m = &start->many;
    struct aw_error err;

    if (!start) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "out of memory");
        return;
    }
    start->act = act;
    m->x = x;
    if (ids_parse(ids, &m->ids, &err)) {
        exchange_fail(x, &err);
        many_free(m);
        return;
    }
    m->errs = calloc(m->ids.n, sizeof(*m->errs));
    m->numbers = calloc(m->ids.n, sizeof(*m->numbers));
    if (!m->errs || !m->numbers) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "out of memory");
        many_free(m);
        return;
    }
    engine_get(x->srv->engine, m->ids.numbers, m->ids.n, 0, got, m);
}
