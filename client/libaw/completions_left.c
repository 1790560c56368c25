/* The futures of an iterator that have not come yet, as they are now. */
#include "client/libaw/completions.h"
#include "proto/future_id.h"

const char **completions_open_ids(const struct aw_completions *each, size_t *ret_n)
{
    const char **ids = calloc(each->n_ids + 1, sizeof(*ids));
    size_t n = 0;

    for (size_t i = 0; ids && i < each->n_ids; i++)
        if (each->states[i] == COMPLETION_OPEN || each->states[i] == COMPLETION_MISSING)
            ids[n++] = each->ids[i];
    if (ids)
        *ret_n = n;
    return ids;
}

static enum aw_err nobody(struct aw_statuses **ret, struct aw_error *err)
{
    struct aw_statuses *list = statuses_copy(NULL, 0, bytes_of(NULL, 0), NULL);

    if (!list)
        return list_failed(OP_STATUS, err);
    *ret = list;
    return AW_OK;
}

static enum aw_err left_of_ids(struct aw_completions *each, struct aw_statuses **ret,
                               struct aw_error *err)
{
    _cleanup_free_ const char **ids = NULL;
    size_t n = 0;

    ids = completions_open_ids(each, &n);
    if (!ids)
        return list_failed(OP_STATUS, err);
    if (n == 0)
        return nobody(ret, err);
    return aw_status(each->client, ids, n, ret, err);
}

/* ---- Of a set ---------------------------------------------------------------------------- */

/* Numbers of futures. */
struct numbers {
    uint64_t *v;
    size_t n, size;
};

static uint64_t number_of(struct bytes id)
{
    struct future_id parsed;

    return future_id_parse(id, &parsed, NULL) ? 0 : parsed.number;
}

static bool numbers_add(struct numbers *numbers, uint64_t number)
{
    if (numbers->n == numbers->size) {
        size_t size = MAX(numbers->size * 2, (size_t)AW_MAX_PAGE);
        uint64_t *v = reallocarray(numbers->v, size, sizeof(*v));

        if (!v)
            return false;
        numbers->v = v;
        numbers->size = size;
    }
    numbers->v[numbers->n++] = number;
    return true;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* One page of those that have ended, and were not handed out; *n: how many. */
static enum aw_err ended_page(struct aw_completions *each, uint64_t *after, struct numbers *ended,
                              size_t *n, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_read_req req;
    struct call call = {.op = OP_SET_READ, .req = &req, .deadline_us = NEVER_US};
    struct set_read_rep rep;
    enum aw_err e;

    codec_defaults(&set_read_req_schema, &req);
    req.set = bytes_str(each->set);
    req.consumer = bytes_or_none(each->consumer);
    req.after = (int64_t)*after;
    req.timeout_ms = 0;
    e = call_make(each->client, &call, &rep, &answer, err);
    if (e)
        return e;
    for (size_t i = 0; i < rep.jobs.n; i++)
        if (!numbers_add(ended, number_of(rep.jobs.v[i].id)))
            return list_failed(call.op, err);
    *n = rep.jobs.n;
    *after = rep.first + rep.jobs.n - 1;
    return AW_OK;
}

/* Where those stand that have not been handed out: behind this place. */
static uint64_t handed_to(const struct aw_completions *each)
{
    return each->page ? each->page_first + each->page_at - 1 : each->read_to;
}

static enum aw_err ended_get(struct aw_completions *each, struct numbers *ended,
                             struct aw_error *err)
{
    uint64_t after = handed_to(each);
    size_t n;

    do {
        enum aw_err e = ended_page(each, &after, ended, &n, err);

        if (e)
            return e;
    } while (n > 0);
    if (ended->n > 0)
        qsort(ended->v, ended->n, sizeof(*ended->v), compare);
    return AW_OK;
}

/* Keeps those that have not ended, and those that have without being handed out. */
static void members_filter(struct aw_statuses *list, const struct numbers *ended)
{
    for (; list; list = list->next) {
        size_t n = 0;

        for (size_t i = 0; i < list->n; i++) {
            uint64_t number = number_of(bytes_str(list->v[i].id));
            bool is_left = !aw_state_is_final(list->v[i].state);

            if (!is_left && ended->n > 0)
                is_left = bsearch(&number, ended->v, ended->n, sizeof(number), compare) != NULL;
            if (is_left)
                list->v[n++] = list->v[i];
        }
        list->n = n;
    }
}

/* Members first: one that ends between the two requests is then on either list. */
static enum aw_err left_of_set(struct aw_completions *each, struct aw_statuses **ret,
                               struct aw_error *err)
{
    struct numbers ended = {NULL, 0, 0};
    struct aw_statuses *list;
    enum aw_err e = aw_set_members(each->client, each->set, &list, err);

    if (e)
        return e;
    e = ended_get(each, &ended, err);
    if (e) {
        aw_statuses_free(list);
    } else {
        members_filter(list, &ended);
        *ret = list;
    }
    free(ended.v);
    return e;
}

enum aw_err aw_completions_left(struct aw_completions *each, struct aw_statuses **ret,
                                struct aw_error *err)
{
    return each->n_ids ? left_of_ids(each, ret, err) : left_of_set(each, ret, err);
}
