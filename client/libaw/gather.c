#include "client/libaw/completions.h"
#include "client/libaw/future.h"

struct aw_gathered {
    size_t n;
    ptrdiff_t failed;
    struct aw_result *v;            /* what is shown of each: parts of what follows */
    struct aw_result **got;         /* its output was fetched; NULL: it was not */
    const struct aw_status **ended; /* there was none to fetch; NULL: it has not come */
    struct aw_statuses *kept;       /* where `ended` points to */
    struct aw_statuses *rest;       /* of those that have not come, or are missing */
};

size_t aw_gathered_count(const struct aw_gathered *all)
{
    return all->n;
}

const struct aw_result *aw_gathered_at(const struct aw_gathered *all, size_t i)
{
    return i < all->n ? &all->v[i] : NULL;
}

ptrdiff_t aw_gathered_failed(const struct aw_gathered *all)
{
    return all->failed;
}

void aw_gathered_free(struct aw_gathered *all)
{
    if (!all)
        return;
    for (size_t i = 0; all->got && i < all->n; i++)
        aw_result_free(all->got[i]);
    free(all->got);
    free(all->ended);
    free(all->v);
    aw_statuses_free(all->kept);
    aw_statuses_free(all->rest);
    free(all);
}

static struct aw_gathered *gathered_new(size_t n)
{
    struct aw_gathered *all = calloc(1, sizeof(*all));

    if (!all)
        return NULL;
    all->n = n;
    all->failed = -1;
    all->v = calloc(n, sizeof(*all->v));
    all->got = calloc(n, sizeof(struct aw_result *));
    all->ended = calloc(n, sizeof(*all->ended));
    if (!all->v || !all->got || !all->ended) {
        aw_gathered_free(all);
        return NULL;
    }
    return all;
}

void aw_gather_opts_init_sized(struct aw_gather_opts *opts, size_t size)
{
    struct aw_gather_opts defaults = {
        .size = size, .max_data = AW_RESULT_MAX, .timeout_ms = AW_FOREVER};

    memset(opts, 0, size);
    memcpy(opts, &defaults, MIN(size, sizeof(defaults)));
}

/*
 * The result of one that has ended. Its status has come with the completion: output that is not
 * there, or not wanted, is not asked for. Its record may go before we come; then there is none.
 */
static enum aw_err result_get(struct aw_completions *each, const struct aw_status *status,
                              size_t max, struct aw_gathered *all, struct aw_error *err)
{
    struct aw_error why;
    enum aw_err e;

    if (status->err)
        return AW_OK;
    if (max == 0 || status->stdout_size == 0) {
        all->ended[each->index] = status;
        return AW_OK;
    }
    e = result_collect(each->client, status->id, max, &all->got[each->index], &why);
    if (!e || e == AW_ERR_EXPIRED_ID || e == AW_ERR_UNKNOWN_ID || e == AW_ERR_WRONG_STATE)
        return AW_OK;
    if (err)
        *err = why;
    return e;
}

/* Takes them as they come, until all have, or the first one that did not succeed (strict). */
static enum aw_err collect(struct aw_completions *each, const struct aw_gather_opts *opts,
                           struct aw_gathered *all, struct aw_error *err)
{
    const struct aw_status *status;

    for (;;) {
        enum aw_err e = aw_completions_next(each, &status, err);

        if (e || !status)
            return e;
        if (opts->strict && (status->err || status->state != AW_SUCCEEDED))
            all->failed = (ptrdiff_t)each->index;
        e = result_get(each, status, opts->max_data, all, err);
        if (e || all->failed >= 0)
            return e;
    }
}

static enum aw_err rest_cancel(struct aw_completions *each, struct aw_error *err)
{
    _cleanup_free_ const char **ids = NULL;
    struct aw_outcomes *outcomes;
    size_t n = 0;
    enum aw_err e;

    ids = completions_open_ids(each, &n);
    if (!ids)
        return list_failed(OP_CANCEL, err);
    if (n == 0)
        return AW_OK;
    e = aw_cancel(each->client, ids, n, -1, &outcomes, err);
    if (!e)
        aw_outcomes_free(outcomes);
    return e;
}

/* One that is shown without output. */
static struct aw_result bare_result(const struct aw_status *status)
{
    return (struct aw_result){
        .status = status,
        .data = "",
        .size = status->stdout_size,
        .eof = !status->err && aw_state_is_final(status->state) && status->stdout_size == 0,
    };
}

/* Asks how those stand that have not come, and puts all into their places. */
static enum aw_err results_fill(struct aw_completions *each, struct aw_gathered *all,
                                struct aw_error *err)
{
    _cleanup_free_ const char **ids = calloc(all->n, sizeof(*ids));
    struct aw_statuses *page;
    size_t n = 0, at = 0;
    enum aw_err e = AW_OK;

    if (!ids)
        return list_failed(OP_STATUS, err);
    for (size_t i = 0; i < all->n; i++)
        if (!all->got[each->same_as[i]] && !all->ended[each->same_as[i]])
            ids[n++] = each->ids[i];
    if (n > 0)
        e = aw_status(each->client, ids, n, &all->rest, err);
    page = all->rest;
    for (size_t i = 0; !e && i < all->n; i++) {
        const struct aw_result *got = all->got[each->same_as[i]];
        const struct aw_status *ended = all->ended[each->same_as[i]];

        if (page && at == page->n) {
            page = page->next;
            at = 0;
        }
        if (got)
            all->v[i] = *got;
        else if (ended)
            all->v[i] = bare_result(ended);
        else if (page)
            all->v[i] = bare_result(&page->v[at++]);
    }
    return e;
}

static enum aw_err gather(struct aw_completions *each, const struct aw_gather_opts *opts,
                          struct aw_gathered *all, struct aw_error *err)
{
    enum aw_err late = collect(each, opts, all, err), e = AW_OK;

    if (late && late != AW_ERR_TIMED_OUT)
        return late;
    if (all->failed >= 0 && opts->cancel_rest)
        e = rest_cancel(each, err);
    if (!e)
        e = results_fill(each, all, err);
    return e ? e : late;
}

enum aw_err aw_gather(struct aw_client *client, const char *const *ids, size_t n,
                      const struct aw_gather_opts *opts, struct aw_gathered **ret,
                      struct aw_error *err)
{
    struct aw_completions *each;
    struct aw_gather_opts ours;
    struct aw_gathered *all;
    enum aw_err e;

    aw_gather_opts_init(&ours);
    if (opts)
        memcpy(&ours, opts, MIN(opts->size, sizeof(ours)));
    e = aw_as_completed(client, ids, n, ours.timeout_ms, &each, err);
    if (e)
        return e;
    each->keeps = true;
    all = gathered_new(n);
    e = all ? gather(each, &ours, all, err) : list_failed(OP_RESULT, err);
    if (all)
        all->kept = completions_take_kept(each);
    aw_completions_free(each);
    if (!e || e == AW_ERR_TIMED_OUT)
        *ret = all;
    else
        aw_gathered_free(all);
    return e;
}
