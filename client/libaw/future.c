#include "client/libaw/future.h"

#include "client/libaw/copy.h"

struct aw_future *future_new(struct aw_client *client, struct bytes id)
{
    struct aw_future *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    atomic_init(&f->n_refs, 1);
    atomic_init(&f->final, FUTURE_OPEN);
    f->client = client_ref(client);
    memcpy(f->id, id.data, MIN(id.len, sizeof(f->id) - 1));
    return f;
}

struct aw_future *aw_future_ref(struct aw_future *f)
{
    atomic_fetch_add_explicit(&f->n_refs, 1, memory_order_relaxed);
    return f;
}

void aw_future_unref(struct aw_future *f)
{
    if (!f || atomic_fetch_sub_explicit(&f->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    client_unref(f->client);
    free(f);
}

const char *aw_future_id(const struct aw_future *f)
{
    return f->id;
}

bool aw_future_deduplicated(const struct aw_future *f)
{
    return f->deduplicated;
}

bool aw_future_cached(const struct aw_future *f)
{
    return f->cached;
}

/* What a status says about its future: an error if there is none; its end is kept. */
static enum aw_err status_take(struct aw_future *f, const struct aw_status *status,
                               struct aw_error *err)
{
    if (status->err)
        return aw_fail(err, status->err, "%s",
                       *status->message ? status->message : aw_err_text(status->err));
    future_learn(f, status);
    return AW_OK;
}

struct outcome {
    enum aw_state state;
    enum aw_class error_class;
};

static enum aw_err one_of(struct aw_future *f, struct aw_statuses *list, struct outcome *ret,
                          struct aw_error *err)
{
    const struct aw_status *status = aw_statuses_at(list, 0);
    enum aw_err e = status_take(f, status, err);

    if (!e && ret)
        *ret = (struct outcome){status->state, status->error_class};
    aw_statuses_free(list);
    return e;
}

enum aw_err aw_lookup(struct aw_client *client, const char *id, struct aw_future **ret,
                      struct aw_error *err)
{
    struct aw_statuses *list;
    struct aw_future *f;
    enum aw_err e = aw_status(client, &id, 1, &list, err);

    if (e)
        return e;
    f = future_new(client, bytes_str(aw_statuses_at(list, 0)->id));
    if (!f) {
        aw_statuses_free(list);
        return aw_fail(err, AW_ERR_NO_MEMORY, "future: out of memory");
    }
    e = one_of(f, list, NULL, err);
    if (e)
        aw_future_unref(f);
    else
        *ret = f;
    return e;
}

/* Where it is now, by what is known of its end or by asking. */
static enum aw_err outcome_get(struct aw_future *f, struct outcome *ret, struct aw_error *err)
{
    const char *id = f->id;
    int final = atomic_load(&f->final);
    struct aw_statuses *list;
    enum aw_err e;

    if (final != FUTURE_OPEN) {
        *ret = (struct outcome){(enum aw_state)(final & 0xff), (enum aw_class)(final >> 8)};
        return AW_OK;
    }
    e = aw_status(f->client, &id, 1, &list, err);
    return e ? e : one_of(f, list, ret, err);
}

enum aw_err aw_future_state(struct aw_future *f, enum aw_state *ret, struct aw_error *err)
{
    struct outcome outcome;
    enum aw_err e = outcome_get(f, &outcome, err);

    if (!e)
        *ret = outcome.state;
    return e;
}

enum aw_err aw_future_exception(struct aw_future *f, enum aw_class *ret, struct aw_error *err)
{
    struct outcome outcome;
    enum aw_err e = outcome_get(f, &outcome, err);

    if (!e)
        *ret = aw_state_is_final(outcome.state) ? outcome.error_class : AW_CLASS_NONE;
    return e;
}

enum aw_err aw_future_done(struct aw_future *f, bool *ret, struct aw_error *err)
{
    enum aw_state state;
    enum aw_err e = aw_future_state(f, &state, err);

    if (!e)
        *ret = aw_state_is_final(state);
    return e;
}

enum aw_err aw_future_wait(struct aw_future *f, int64_t timeout_ms, struct aw_error *err)
{
    const char *id = f->id;
    struct aw_statuses *list;
    enum aw_err e;

    if (future_has_ended(f))
        return AW_OK;
    e = aw_wait(f->client, &id, 1, timeout_ms, NULL, &list, err);
    return e ? e : one_of(f, list, NULL, err);
}

/* Fetches what is missing behind the first piece of output, up to `max` bytes in all. */
static enum aw_err output_collect(struct aw_client *client, struct aw_result *first, size_t max,
                                  struct aw_error *err)
{
    size_t have = MIN(first->len, max), total = MAX((size_t)MIN(first->size, max), have);
    bool eof = first->eof && have == first->len;
    _cleanup_free_ char *data = malloc(total + 1);

    if (!data)
        return aw_fail(err, AW_ERR_NO_MEMORY, "no memory for %zu bytes of output", total);
    memcpy(data, first->data, have);
    while (!eof && have < total) {
        struct aw_result *more;
        enum aw_err e = aw_result_read(client, first->status->id, have, &more, err);
        size_t n;

        if (e)
            return e;
        n = MIN(more->len, total - have);
        memcpy(data + have, more->data, n);
        have += n;
        eof = more->eof || n == 0;
        aw_result_free(more);
    }
    data[have] = '\0';
    result_attach(first, take_ptr(data), have, have >= first->size);
    return AW_OK;
}

enum aw_err result_collect(struct aw_client *client, const char *id, size_t max,
                           struct aw_result **ret, struct aw_error *err)
{
    struct aw_result *result;
    enum aw_err e = aw_result_read(client, id, 0, &result, err);

    if (e)
        return e;
    if (!result->eof || result->len > max)
        e = output_collect(client, result, max, err);
    if (e)
        aw_result_free(result);
    else
        *ret = result;
    return e;
}

enum aw_err aw_future_result(struct aw_future *f, int64_t timeout_ms, struct aw_result **ret,
                             struct aw_error *err)
{
    enum aw_err e = aw_future_wait(f, timeout_ms, err);

    return e ? e : result_collect(f->client, f->id, AW_RESULT_MAX, ret, err);
}

enum aw_err aw_run(struct aw_client *client, const struct aw_job *job, int64_t timeout_ms,
                   struct aw_result **ret, struct aw_error *err)
{
    struct aw_future *future;
    enum aw_err e = aw_submit(client, job, 1, &future, err);

    if (e)
        return e;
    e = aw_future_result(future, timeout_ms, ret, err);
    aw_future_unref(future);
    return e;
}

enum aw_err aw_future_cancel(struct aw_future *f, struct aw_error *err)
{
    const char *id = f->id;
    const struct aw_outcome *outcome;
    struct aw_outcomes *list;
    enum aw_err e = aw_cancel(f->client, &id, 1, -1, &list, err);

    if (e)
        return e;
    outcome = aw_outcomes_at(list, 0);
    e = outcome->err;
    if (e)
        aw_fail(err, e, "%s", *outcome->message ? outcome->message : aw_err_text(e));
    aw_outcomes_free(list);
    return e;
}
