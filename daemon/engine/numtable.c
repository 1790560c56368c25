#include "daemon/engine/numtable.h"

/* Buckets come in segments that are never moved, so growing never copies more than pointers. */
#define SEGMENT_BITS 9
#define SEGMENT_SIZE (1u << SEGMENT_BITS)

#define GROUP_BITS 4
#define GROUP      (1u << GROUP_BITS)

/* An empty table that was larger than this begins anew. */
#define SEGMENTS_KEPT 16

/*
 * Numbers that come one after the other are neighbours in groups of GROUP, in some order, so that
 * those who go through them in turn find eight buckets in each line of the cache. A group's place,
 * and the order in it, are as good as random: numbers that are far apart spread over all buckets.
 */
static size_t hash_number(uint64_t number)
{
    uint64_t mixed = (number / GROUP) * UINT64_C(0x9e3779b97f4a7c15);

    mixed ^= mixed >> 32;
    return (size_t)(mixed >> 24 << GROUP_BITS | ((number ^ mixed >> 20) & (GROUP - 1)));
}

static struct numnode **bucket_at(const struct numtable *t, size_t i)
{
    return &t->segments[i >> SEGMENT_BITS][i & (SEGMENT_SIZE - 1)];
}

/* Buckets that this round has not split yet still hold what will go to their twin. */
static struct numnode **bucket_of(const struct numtable *t, uint64_t number)
{
    size_t h = hash_number(number);
    size_t i = h & (t->low_mask * 2 + 1);

    return bucket_at(t, i < t->n_buckets ? i : h & t->low_mask);
}

static bool segment_add(struct numtable *t)
{
    size_t cap = t->cap_segments ? t->cap_segments * 2 : 8;
    struct numnode ***grown = t->segments;

    if (t->n_segments == t->cap_segments) {
        grown = reallocarray(t->segments, cap, sizeof(*grown));
        if (!grown)
            return false;
        t->segments = grown;
        t->cap_segments = cap;
    }
    grown[t->n_segments] = calloc(SEGMENT_SIZE, sizeof(**grown));
    if (!grown[t->n_segments])
        return false;
    t->n_segments++;
    return true;
}

/* Adds one bucket and moves to it what now belongs there. */
static void grow(struct numtable *t)
{
    size_t fresh = t->n_buckets;
    struct numnode *node, **from, **to;

    if (fresh >> SEGMENT_BITS >= t->n_segments && !segment_add(t))
        return;
    if (fresh > t->low_mask * 2 + 1)
        t->low_mask = t->low_mask * 2 + 1;
    t->n_buckets++;
    from = bucket_at(t, fresh & t->low_mask);
    to = bucket_at(t, fresh);
    while ((node = *from)) {
        if (bucket_of(t, node->number) == to) {
            *from = node->next;
            node->next = *to;
            *to = node;
        } else {
            from = &node->next;
        }
    }
}

bool numtable_init(struct numtable *t)
{
    *t = (struct numtable){0};
    if (!segment_add(t)) {
        numtable_done(t);
        return false;
    }
    t->n_buckets = SEGMENT_SIZE;
    t->low_mask = SEGMENT_SIZE / 2 - 1;
    return true;
}

void numtable_done(struct numtable *t)
{
    for (size_t i = 0; i < t->n_segments; i++)
        free(t->segments[i]);
    free(t->segments);
    *t = (struct numtable){0};
}

/* After a flood: no nodes, so there is nothing to move. */
static void begin_anew(struct numtable *t)
{
    while (t->n_segments > 1)
        free(t->segments[--t->n_segments]);
    t->n_buckets = SEGMENT_SIZE;
    t->low_mask = SEGMENT_SIZE / 2 - 1;
}

static void put(struct numnode **list, struct numnode *node)
{
    node->next = *list;
    *list = node;
}

void numtable_insert(struct numtable *t, struct numnode *node)
{
    t->n_nodes++;
    if (t->collecting) {
        put(&t->collected, node);
        return;
    }
    if (t->n_nodes > t->n_buckets)
        grow(t);
    put(bucket_of(t, node->number), node);
}

void numtable_collect(struct numtable *t)
{
    t->collecting = true;
}

/* As many buckets as there are nodes, none of which has its place yet; fewer for want of memory. */
static void make_buckets(struct numtable *t)
{
    while (t->n_segments * SEGMENT_SIZE < t->n_nodes && segment_add(t))
        ;
    t->n_buckets = MAX(t->n_buckets, MIN(t->n_nodes, t->n_segments * SEGMENT_SIZE));
    while (t->n_buckets > t->low_mask * 2 + 2)
        t->low_mask = t->low_mask * 2 + 1;
}

void numtable_collected(struct numtable *t)
{
    struct numnode *node, *next;

    if (!t->collecting)
        return;
    make_buckets(t);
    for (node = t->collected; node; node = next) {
        next = node->next;
        put(bucket_of(t, node->number), node);
    }
    t->collected = NULL;
    t->collecting = false;
}

void numtable_remove(struct numtable *t, struct numnode *node)
{
    struct numnode **at = bucket_of(t, node->number);

    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    if (--t->n_nodes == 0 && t->n_segments > SEGMENTS_KEPT)
        begin_anew(t);
}

struct numnode *numtable_find(const struct numtable *t, uint64_t number)
{
    struct numnode *node = *bucket_of(t, number);

    while (node && node->number != number)
        node = node->next;
    return node;
}

void numtable_each(const struct numtable *t, void (*fn)(void *arg, struct numnode *node), void *arg)
{
    for (size_t i = 0; i < t->n_buckets; i++)
        for (struct numnode *node = *bucket_at(t, i), *next; node; node = next) {
            next = node->next;
            fn(arg, node);
        }
}
