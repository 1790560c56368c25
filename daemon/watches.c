#include "daemon/watches.h"

#include "daemon/engine/numtable.h"

TAILQ_HEAD(watch_list, watch);

struct watched {
    struct numnode node;
    struct watch_list list;
    size_t n_holding;
    unsigned pins; /* callbacks under way: not to be freed meanwhile */
};

struct watches {
    struct numtable table;
    watches_idle_fn idle;
    void *idle_arg;
};

struct watches *watches_new(void)
{
    struct watches *ws = calloc(1, sizeof(*ws));

    if (!ws || !numtable_init(&ws->table)) {
        free(ws);
        return NULL;
    }
    return ws;
}

static void watched_free(void *arg, struct numnode *node)
{
    (void)arg;
    free(numtable_entry(node, struct watched, node));
}

void watches_free(struct watches *ws)
{
    if (!ws)
        return;
    numtable_each(&ws->table, watched_free, NULL);
    numtable_done(&ws->table);
    free(ws);
}

void watches_on_idle(struct watches *ws, watches_idle_fn fn, void *arg)
{
    ws->idle = fn;
    ws->idle_arg = arg;
}

static struct watched *watched_find(const struct watches *ws, uint64_t number)
{
    return numtable_entry(numtable_find(&ws->table, number), struct watched, node);
}

static void watched_release(struct watches *ws, struct watched *wd)
{
    if (wd->pins || !TAILQ_EMPTY(&wd->list))
        return;
    numtable_remove(&ws->table, &wd->node);
    free(wd);
}

bool watch_add(struct watches *ws, struct watch *w, uint64_t number, watch_fn fn)
{
    struct watched *wd = watched_find(ws, number);

    if (!wd) {
        wd = calloc(1, sizeof(*wd));
        if (!wd)
            return false;
        wd->node.number = number;
        TAILQ_INIT(&wd->list);
        numtable_insert(&ws->table, &wd->node);
    }
    w->watched = wd;
    w->fn = fn;
    w->holds = false;
    TAILQ_INSERT_TAIL(&wd->list, w, entry);
    return true;
}

void watch_hold(struct watch *w)
{
    if (!w->watched || w->holds)
        return;
    w->holds = true;
    w->watched->n_holding++;
}

bool watches_held(const struct watches *ws, uint64_t number)
{
    const struct watched *wd = watched_find(ws, number);

    return wd && wd->n_holding;
}

bool watches_any(const struct watches *ws)
{
    return ws->table.n_nodes > 0;
}

void watch_remove(struct watches *ws, struct watch *w)
{
    struct watched *wd = w->watched;
    uint64_t number;
    bool idle;

    if (!wd)
        return;
    number = wd->node.number;
    idle = w->holds && --wd->n_holding == 0;
    w->watched = NULL;
    w->holds = false;
    TAILQ_REMOVE(&wd->list, w, entry);
    watched_release(ws, wd);
    if (idle && ws->idle)
        ws->idle(ws->idle_arg, number);
}

/*
 * Each watch that was there at the start is called once, whatever the callbacks do to the list: a
 * marker ends the round, and who has had its turn stands behind it.
 */
void watches_tell(struct watches *ws, uint64_t number, const struct watch_news *news)
{
    struct watched *wd = watched_find(ws, number);
    struct watch marker = {0}, *w;

    if (!wd)
        return;
    wd->pins++;
    TAILQ_INSERT_TAIL(&wd->list, &marker, entry);
    while ((w = TAILQ_FIRST(&wd->list)) != &marker) {
        TAILQ_REMOVE(&wd->list, w, entry);
        TAILQ_INSERT_TAIL(&wd->list, w, entry);
        w->fn(w, news);
    }
    TAILQ_REMOVE(&wd->list, &marker, entry);
    wd->pins--;
    watched_release(ws, wd);
}

void watches_notify(struct watches *ws, uint64_t number, enum watch_event event)
{
    struct watch_news news = {.event = event};

    watches_tell(ws, number, &news);
}
