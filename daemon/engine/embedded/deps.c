#include "daemon/engine/embedded/deps.h"

#include <sys/queue.h>

#include "daemon/engine/numtable.h"

enum edge_state { EDGE_PENDING, EDGE_LINKED, EDGE_TAKEN, EDGE_CLOSED };

struct edge {
    TAILQ_ENTRY(edge) link; /* LINKED: in its parent's list */
    struct dep_child *child;
    struct dep_parent *parent; /* until it is closed */
    uint64_t number;           /* the parent's */
    uint8_t kind;
    uint8_t state;
};
TAILQ_HEAD(edge_list, edge);

struct dep_parent {
    struct numnode node;
    struct edge_list edges; /* the linked ones, in the order in which their children came */
    size_t n_edges;         /* that are not closed */
    TAILQ_ENTRY(dep_parent) link;
    bool listed; /* in deps.ended */
    uint8_t ended;
};
TAILQ_HEAD(parent_list, dep_parent);

struct dep_child {
    struct numnode node;
    uint32_t n, n_taken;
    uint64_t *count;     /* of edges that are not closed, by whose they are */
    struct edge edges[]; /* sorted by number and kind */
};

struct deps {
    struct numtable parents, children;
    struct parent_list ended; /* with children to be taken */
    uint64_t n_edges;         /* that are not closed */
};

struct deps *deps_new(void)
{
    struct deps *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    TAILQ_INIT(&d->ended);
    if (!numtable_init(&d->parents) || !numtable_init(&d->children)) {
        deps_free(d);
        return NULL;
    }
    return d;
}

static void parent_free(void *arg, struct numnode *node)
{
    (void)arg;
    free(numtable_entry(node, struct dep_parent, node));
}

static void child_free(void *arg, struct numnode *node)
{
    (void)arg;
    free(numtable_entry(node, struct dep_child, node));
}

void deps_free(struct deps *d)
{
    if (!d)
        return;
    if (d->parents.segments)
        numtable_each(&d->parents, parent_free, NULL);
    if (d->children.segments)
        numtable_each(&d->children, child_free, NULL);
    numtable_done(&d->parents);
    numtable_done(&d->children);
    free(d);
}

static int by_number(const void *a, const void *b)
{
    const struct parent *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

size_t deps_sort(struct parent *parents, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        qsort(parents, n, sizeof(*parents), by_number);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || by_number(&parents[kept - 1], &parents[i]) != 0)
            parents[kept++] = parents[i];
    return kept;
}

/* ---- Edges ---------------------------------------------------------------------------------- */

static struct dep_parent *parent_find(const struct deps *d, uint64_t number)
{
    return numtable_entry(numtable_find(&d->parents, number), struct dep_parent, node);
}

static struct dep_child *child_find(const struct deps *d, uint64_t number)
{
    return numtable_entry(numtable_find(&d->children, number), struct dep_child, node);
}

static struct dep_parent *parent_get(struct deps *d, uint64_t number)
{
    struct dep_parent *p = parent_find(d, number);

    if (p)
        return p;
    p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->node.number = number;
    TAILQ_INIT(&p->edges);
    numtable_insert(&d->parents, &p->node);
    return p;
}

static void edge_close(struct deps *d, struct edge *edge)
{
    struct dep_parent *p = edge->parent;

    if (edge->state == EDGE_CLOSED)
        return;
    if (edge->state == EDGE_LINKED)
        TAILQ_REMOVE(&p->edges, edge, link);
    edge->state = EDGE_CLOSED;
    d->n_edges--;
    --*edge->child->count;
    if (--p->n_edges > 0)
        return;
    if (p->listed)
        TAILQ_REMOVE(&d->ended, p, link);
    numtable_remove(&d->parents, &p->node);
    free(p);
}

struct dep_child *deps_make(struct deps *d, uint64_t child, const struct parent *parents, size_t n,
                            uint64_t *count)
{
    struct dep_child *c = calloc(1, sizeof(*c) + n * sizeof(*c->edges));

    if (!c)
        return NULL;
    c->node.number = child;
    c->count = count;
    for (; c->n < n; c->n++) {
        struct edge *edge = &c->edges[c->n];

        edge->child = c;
        edge->number = parents[c->n].number;
        edge->kind = (uint8_t)parents[c->n].kind;
        edge->parent = parent_get(d, edge->number);
        if (!edge->parent) {
            deps_discard(d, c);
            return NULL;
        }
        edge->parent->n_edges++;
        d->n_edges++;
        ++*count;
    }
    return c;
}

void deps_discard(struct deps *d, struct dep_child *child)
{
    if (!child)
        return;
    for (size_t i = 0; i < child->n; i++)
        edge_close(d, &child->edges[i]);
    free(child);
}

void deps_insert(struct deps *d, struct dep_child *child, const bool *open)
{
    numtable_insert(&d->children, &child->node);
    for (size_t i = 0; i < child->n; i++) {
        struct edge *edge = &child->edges[i];

        if (open[i]) {
            edge->state = EDGE_LINKED;
            TAILQ_INSERT_TAIL(&edge->parent->edges, edge, link);
        } else {
            edge_close(d, edge);
        }
    }
}

uint64_t deps_edges(const struct deps *d)
{
    return d->n_edges;
}

void deps_remove(struct deps *d, uint64_t child)
{
    struct dep_child *c = child_find(d, child);

    if (!c)
        return;
    numtable_remove(&d->children, &c->node);
    deps_discard(d, c);
}

/* ---- What follows from an end ---------------------------------------------------------------- */

void deps_parent_ended(struct deps *d, uint64_t parent, enum aw_state state)
{
    struct dep_parent *p = parent_find(d, parent);

    if (!p || p->listed || TAILQ_EMPTY(&p->edges))
        return;
    p->ended = (uint8_t)state;
    p->listed = true;
    TAILQ_INSERT_TAIL(&d->ended, p, link);
}

bool deps_has_children(const struct deps *d, uint64_t parent)
{
    const struct dep_parent *p = parent_find(d, parent);

    return p && p->n_edges > 0;
}

bool deps_pending(const struct deps *d)
{
    return !TAILQ_EMPTY(&d->ended);
}

/* All edges of the parent's first child; they stand side by side, one for each kind. */
static struct dep_pair pair_take(struct deps *d, struct dep_parent *p)
{
    struct dep_child *c = TAILQ_FIRST(&p->edges)->child;
    struct dep_pair pair = {p->node.number, c->node.number, c->n_taken++ == 0};
    struct edge *edge;
    bool holds = true;

    while ((edge = TAILQ_FIRST(&p->edges)) && edge->child == c) {
        TAILQ_REMOVE(&p->edges, edge, link);
        edge->state = EDGE_TAKEN;
        holds = holds && deps_holds((enum parent_kind)edge->kind, (enum aw_state)p->ended);
    }
    if (!holds)
        deps_parent_ended(d, c->node.number, AW_FAILED);
    return pair;
}

size_t deps_take(struct deps *d, struct dep_pair *ret, size_t max)
{
    struct dep_parent *p;
    size_t n = 0;

    while (n < max && (p = TAILQ_FIRST(&d->ended))) {
        if (!TAILQ_EMPTY(&p->edges)) {
            ret[n++] = pair_take(d, p);
        } else {
            TAILQ_REMOVE(&d->ended, p, link);
            p->listed = false;
        }
    }
    return n;
}

/* The first of a child's edges to a parent with that number, or a larger one. */
static size_t edge_search(const struct dep_child *c, uint64_t parent)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (c->edges[mid].number < parent)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool deps_settle(struct deps *d, const struct dep_pair *pair)
{
    struct dep_child *c = child_find(d, pair->child);

    if (!c)
        return false;
    for (size_t i = edge_search(c, pair->parent); i < c->n && c->edges[i].number == pair->parent;
         i++)
        edge_close(d, &c->edges[i]);
    return --c->n_taken == 0;
}

bool deps_is_taken(const struct deps *d, uint64_t child)
{
    const struct dep_child *c = child_find(d, child);

    return c && c->n_taken;
}

size_t deps_parents_of(const struct deps *d, uint64_t child, uint64_t *ret, size_t max,
                       uint64_t *ret_total)
{
    const struct dep_child *c = child_find(d, child);
    uint64_t last = 0, total = 0;

    for (size_t i = 0; c && i < c->n; i++) {
        const struct edge *edge = &c->edges[i];

        if (edge->state == EDGE_CLOSED || edge->number == last)
            continue;
        last = edge->number;
        if (total < max)
            ret[total] = last;
        total++;
    }
    *ret_total = total;
    return (size_t)MIN(total, max);
}
