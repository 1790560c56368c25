#include "daemon/ops/set_walk.h"

void set_walk_free(struct set_walk *w)
{
    free(w->numbers);
    free(w);
}

void set_walk_fail(struct set_walk *w, const struct aw_error *err)
{
    exchange_fail(w->x, err);
    set_walk_free(w);
}

static void got(void *arg, const struct aw_error *err, const struct set_page *page)
{
    struct set_walk *w = arg;

    if (err) {
        set_walk_fail(w, err);
        return;
    }
    w->n = 0;
    for (size_t i = 0; i < page->n; i++)
        if (w->wants(&page->jobs[i]))
            w->numbers[w->n++] = page->jobs[i].record.number;
    w->after = page->cursor;
    if (w->n)
        w->act(w);
    else
        set_walk_next(w);
}

void set_walk_next(struct set_walk *w)
{
    struct server *srv = w->x->srv;

    if (w->numbers && w->after == 0) {
        w->done(w);
        return;
    }
    if (srv->stopping == STOP_LEAVE) {
        exchange_failf(w->x, AW_ERR_STOPPING,
                       "the daemon is going down; ask again once it is back");
        set_walk_free(w);
        return;
    }
    if (!w->numbers)
        w->numbers = calloc(AW_MAX_PAGE, sizeof(*w->numbers));
    if (!w->numbers) {
        exchange_failf(w->x, AW_ERR_NO_MEMORY, "set %.*s: out of memory", (int)w->name.len,
                       (const char *)w->name.data);
        set_walk_free(w);
        return;
    }
    engine_set_members(srv->engine, exchange_uid(w->x), w->name, w->after, AW_MAX_PAGE, got, w);
}

void set_walk_begin(struct exchange *x, struct bytes name, const struct set_walk *how)
{
    struct set_walk *w = malloc(sizeof(*w));

    if (!w) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "set %.*s: out of memory", (int)name.len,
                       (const char *)name.data);
        return;
    }
    *w = *how;
    w->x = x;
    w->name = name;
    set_walk_next(w);
}
