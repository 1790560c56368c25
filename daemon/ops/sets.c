/* set-list, set-show, set-members, set-close: what is answered as the engine tells it. */
#include "daemon/ops/view.h"

static void listed(void *arg, const struct aw_error *err, const struct set_info *sets, size_t n,
                   bool more)
{
    struct exchange *x = arg;
    struct set_list_rep rep = {0};
    _cleanup_free_ struct set_status *list = NULL;

    if (err) {
        exchange_fail(x, err);
        return;
    }
    list = calloc(n + 1, sizeof(*list));
    if (!list) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "set-list: out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = sets[i].status;
    rep.sets.v = list;
    rep.sets.n = n;
    if (more && n)
        rep.next = list[n - 1].name;
    exchange_reply(x, &rep);
}

void op_set_list(struct exchange *x)
{
    const struct set_list_req *req = x->args;
    struct set_list_filter filter = {
        .uid = exchange_uid(x),
        .prefix = req->name,
        .after = req->after,
        .limit = (size_t)req->limit,
    };

    engine_set_list(x->srv->engine, &filter, listed, x);
}

static void shown(void *arg, const struct aw_error *err, const struct set_show_rep *show)
{
    if (err)
        exchange_fail(arg, err);
    else
        exchange_reply(arg, show);
}

void op_set_show(struct exchange *x)
{
    const struct set_show_req *req = x->args;

    engine_set_show(x->srv->engine, exchange_uid(x), req->set, shown, x);
}

static void members_read(void *arg, const struct aw_error *err, const struct set_page *page)
{
    struct exchange *x = arg;
    struct set_members_rep rep = {0};
    struct view view;

    if (err) {
        exchange_fail(x, err);
        return;
    }
    if (!view_init(&view, x->srv, page->n)) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "set-members: out of memory");
        return;
    }
    for (size_t i = 0; i < page->n; i++)
        view_set_found(&view, i, &page->jobs[i]);
    rep.jobs.v = view.jobs;
    rep.jobs.n = page->n;
    rep.next = page->cursor;
    exchange_reply(x, &rep);
    view_done(&view);
}

void op_set_members(struct exchange *x)
{
    const struct set_members_req *req = x->args;

    engine_set_members(x->srv->engine, exchange_uid(x), req->set, req->after, (size_t)req->limit,
                       members_read, x);
}

static void closed(void *arg, const struct aw_error *err, const struct set_info *set)
{
    struct set_close_rep rep;

    if (err) {
        exchange_fail(arg, err);
        return;
    }
    rep = (struct set_close_rep){.set = set->status};
    exchange_reply(arg, &rep);
}

void op_set_close(struct exchange *x)
{
    const struct set_close_req *req = x->args;

    engine_set_close(x->srv->engine, exchange_uid(x), req->set, closed, x);
}
