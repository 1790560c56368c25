#include "daemon/watches.h"

#include "daemon/engine/numtable.h"

TAILQ_HEAD(watch_list, watch);

struct watched {
    struct numnode node;
    struct watch_list list;
    unsigned pins; /* callbacks under way: not to be freed meanwhile */
};

struct watches {
    struct numtable table;
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
    TAILQ_INSERT_TAIL(&wd->list, w, entry);
    return true;
}

void watch_remove(struct watches *ws, struct watch *w)
{
    struct watched *wd = w->watched;

    if (!wd)
        return;
    w->watched = NULL;
    TAILQ_REMOVE(&wd->list, w, entry);
    watched_release(ws, wd);
}

/*
 * Each watch that was there at the start is called once, whatever the callbacks do to the list: a
 * marker ends the round, and who has had its turn stands behind it.
 */
void watches_notify(struct watches *ws, uint64_t number, enum watch_event event)
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
        w->fn(w, event);
    }
    TAILQ_REMOVE(&wd->list, &marker, entry);
    wd->pins--;
    watched_release(ws, wd);
}
