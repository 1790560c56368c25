#include "client/libaw/call.h"
#include "client/libaw/copy.h"

#define N_STATES (AW_CANCELLED + 1)

/* ---- status ----------------------------------------------------------------------------- */

static enum aw_err status_some(struct aw_client *client, struct strv ids, struct aw_statuses **ret,
                               struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct status_req req = {.ids = ids};
    struct call call = {.op = OP_STATUS, .req = &req, .deadline_us = NEVER_US};
    struct aw_statuses *list;
    struct status_rep rep;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (!e)
        e = count_check(call.op, rep.jobs.n, ids.n, err);
    if (e)
        return e;
    list = statuses_copy(rep.jobs.v, rep.jobs.n, bytes_of(NULL, 0), NULL);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    return AW_OK;
}

enum aw_err aw_status(struct aw_client *client, const char *const *ids, size_t n,
                      struct aw_statuses **ret, struct aw_error *err)
{
    _hold_client_(client);
    struct aw_statuses *list = NULL, **end = &list, *piece;
    _cleanup_free_ struct bytes *v = NULL;
    struct strv all;
    enum aw_err e = ids_prepare(ids, n, &all, err);

    if (!e)
        v = all.v;
    for (size_t i = 0; !e && i < n; i += IDS_AT_ONCE) {
        struct strv some = {v + i, MIN(n - i, (size_t)IDS_AT_ONCE)};

        e = status_some(client, some, &piece, err);
        if (!e) {
            *end = piece;
            end = &piece->next;
        }
    }
    if (e)
        aw_statuses_free(list);
    else
        *ret = list;
    return e;
}

/* ---- list ------------------------------------------------------------------------------- */

void aw_filter_init_sized(struct aw_filter *filter, size_t size)
{
    struct aw_filter defaults = {.size = size, .uid = -1, .limit = 100};

    memset(filter, 0, size);
    memcpy(filter, &defaults, MIN(size, sizeof(defaults)));
}

static void filter_fill(struct list_req *req, const struct aw_filter *filter,
                        struct bytes states[N_STATES])
{
    codec_defaults(&list_req_schema, req);
    req->states.v = states;
    for (unsigned i = 0; i < N_STATES; i++)
        if (filter->states >> i & 1)
            states[req->states.n++] = bytes_str(aw_state_name((enum aw_state)i));
    req->name = bytes_str(filter->name_prefix);
    req->uid = filter->uid;
    req->before = bytes_str(filter->before);
    req->limit = filter->limit;
}

enum aw_err aw_list(struct aw_client *client, const struct aw_filter *filter,
                    struct aw_statuses **ret, const char **ret_next, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct bytes states[N_STATES];
    struct aw_filter ours;
    struct list_req req;
    struct list_rep rep;
    struct call call = {.op = OP_LIST, .req = &req, .deadline_us = NEVER_US};
    struct aw_statuses *list;
    enum aw_err e;

    aw_filter_init(&ours);
    if (filter)
        memcpy(&ours, filter, MIN(filter->size, sizeof(ours)));
    filter_fill(&req, &ours, states);
    e = call_make(client, &call, &rep, &answer, err);
    if (e)
        return e;
    list = statuses_copy(rep.jobs.v, rep.jobs.n, rep.next, ret_next);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    return AW_OK;
}
