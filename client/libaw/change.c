/* Operations on several futures that say of each what came of it. */
#include "client/libaw/call.h"
#include "client/libaw/copy.h"
#include "client/libaw/copy_fields.h"

struct change {
    enum op op;
    int64_t grace_ms; /* cancel */
    int priority;     /* change: one of the three */
    bool set_priority, now, renew;
};

/* Sends one request about several IDs, and copies what its reply says of each. */
static enum aw_err outcomes_get(struct aw_client *client, struct call *call, size_t n,
                                struct aw_outcomes **ret, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    union {
        struct cancel_rep cancel;
        struct change_rep change;
        struct retry_rep retry;
        struct forget_rep forget;
    } rep;
    struct aw_outcomes *list;
    enum aw_err e = call_make(client, call, &rep, &answer, err);

    /* They are alike; the field test in copy_fields.h would not compile if one changed. */
    _Static_assert(sizeof(rep.cancel) == sizeof(rep.change), "replies differ");
    _Static_assert(sizeof(rep.cancel) == sizeof(rep.retry), "replies differ");
    _Static_assert(sizeof(rep.cancel) == sizeof(rep.forget), "replies differ");
    if (!e)
        e = count_check(call->op, rep.cancel.jobs.n, n, err);
    if (e)
        return e;
    list = outcomes_copy(rep.cancel.jobs.v, n);
    if (!list)
        return list_failed(call->op, err);
    *ret = list;
    return AW_OK;
}

static enum aw_err change_some(struct aw_client *client, const struct change *what, struct strv ids,
                               struct aw_outcomes **ret, struct aw_error *err)
{
    uint8_t key[16];
    struct cancel_req cancel = {.ids = ids, .grace_ms = what->grace_ms};
    struct change_req change = {.ids = ids,
                                .set_priority = what->set_priority,
                                .priority = what->priority,
                                .now = what->now,
                                .renew = what->renew};
    struct retry_req retry = {.request = {key, sizeof(key)}, .ids = ids};
    struct forget_req forget = {.ids = ids};
    struct call call = {.op = what->op, .req = &forget, .deadline_us = NEVER_US};
    enum aw_err e = AW_OK;

    if (what->op == OP_CANCEL)
        call.req = &cancel;
    if (what->op == OP_CHANGE)
        call.req = &change;
    if (what->op == OP_RETRY) {
        call.req = &retry;
        e = request_key_make(key, err);
    }
    return e ? e : outcomes_get(client, &call, ids.n, ret, err);
}

static enum aw_err change_all(struct aw_client *client, const struct change *what,
                              const char *const *ids, size_t n, struct aw_outcomes **ret,
                              struct aw_error *err)
{
    _hold_client_(client);
    struct aw_outcomes *list = NULL, **end = &list, *piece;
    _cleanup_free_ struct bytes *v = NULL;
    struct strv all;
    enum aw_err e = ids_prepare(ids, n, &all, err);

    if (!e)
        v = all.v;
    for (size_t i = 0; !e && i < n; i += IDS_AT_ONCE) {
        struct strv some = {v + i, MIN(n - i, (size_t)IDS_AT_ONCE)};

        e = change_some(client, what, some, &piece, err);
        if (!e) {
            *end = piece;
            end = &piece->next;
        }
    }
    if (e)
        aw_outcomes_free(list);
    else
        *ret = list;
    return e;
}

enum aw_err aw_cancel(struct aw_client *client, const char *const *ids, size_t n, int64_t grace_ms,
                      struct aw_outcomes **ret, struct aw_error *err)
{
    struct change what = {.op = OP_CANCEL, .grace_ms = grace_ms};

    return change_all(client, &what, ids, n, ret, err);
}

enum aw_err aw_set_priority(struct aw_client *client, const char *const *ids, size_t n,
                            int priority, struct aw_outcomes **ret, struct aw_error *err)
{
    struct change what = {.op = OP_CHANGE, .set_priority = true, .priority = priority};

    return change_all(client, &what, ids, n, ret, err);
}

enum aw_err aw_start_now(struct aw_client *client, const char *const *ids, size_t n,
                         struct aw_outcomes **ret, struct aw_error *err)
{
    struct change what = {.op = OP_CHANGE, .now = true};

    return change_all(client, &what, ids, n, ret, err);
}

enum aw_err aw_renew(struct aw_client *client, const char *const *ids, size_t n,
                     struct aw_outcomes **ret, struct aw_error *err)
{
    struct change what = {.op = OP_CHANGE, .renew = true};

    return change_all(client, &what, ids, n, ret, err);
}

enum aw_err aw_retry(struct aw_client *client, const char *const *ids, size_t n,
                     struct aw_outcomes **ret, struct aw_error *err)
{
    struct change what = {.op = OP_RETRY};

    if (n > AW_MAX_JOBS_PER_SUBMIT)
        return aw_fail(err, AW_ERR_USAGE, "%zu futures to retry; at most %d at once", n,
                       AW_MAX_JOBS_PER_SUBMIT);
    return change_all(client, &what, ids, n, ret, err);
}

enum aw_err aw_forget(struct aw_client *client, const char *const *ids, size_t n,
                      struct aw_outcomes **ret, struct aw_error *err)
{
    struct change what = {.op = OP_FORGET};

    return change_all(client, &what, ids, n, ret, err);
}

/* ---- explain ---------------------------------------------------------------------------- */

static size_t texts_size(struct strv list)
{
    size_t size = (list.n + 1) * sizeof(char *);

    for (size_t i = 0; i < list.n; i++)
        size += list.v[i].len + 1;
    return size;
}

/* The list's pointers go to *pointers, with NULL behind them, its texts to *texts. */
static const char *const *texts_copy(struct strv list, const char ***pointers, char **texts)
{
    const char **v = *pointers;

    for (size_t i = 0; i < list.n; i++)
        v[i] = text_copy(texts, list.v[i]);
    v[list.n] = NULL;
    *pointers += list.n + 1;
    return v;
}

static struct aw_explanation *explanation_copy(const struct explain_rep *rep)
{
    struct aw_explanation *why =
        malloc(sizeof(*why) + texts_size(rep->before) + texts_size(rep->parents) + rep->reason.len +
               rep->text.len + rep->queue.len + 3);
    const char **pointers = (const char **)(why + 1);
    char *texts = (char *)(pointers + rep->before.n + rep->parents.n + 2);

    if (!why)
        return NULL;
    *why = (struct aw_explanation){
        .state = rep->state,
        .reason = text_copy(&texts, rep->reason),
        .message = text_copy(&texts, rep->text),
        .queue = text_copy(&texts, rep->queue),
        .due_us = (int64_t)rep->due_us,
        .n_before = rep->n_before,
        .more_before = rep->more_before,
        .before = texts_copy(rep->before, &pointers, &texts),
        .n_parents = rep->n_parents,
        .parents = texts_copy(rep->parents, &pointers, &texts),
    };
    return why;
}

enum aw_err aw_explain(struct aw_client *client, const char *id, struct aw_explanation **ret,
                       struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct explain_req req = {.id = bytes_str(id)};
    struct call call = {.op = OP_EXPLAIN, .req = &req, .deadline_us = NEVER_US};
    struct aw_explanation *why;
    struct explain_rep rep;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    why = explanation_copy(&rep);
    if (!why)
        return list_failed(call.op, err);
    *ret = why;
    return AW_OK;
}

void aw_explanation_free(struct aw_explanation *why)
{
    free(why);
}
