#include "daemon/engine/embedded/sets.h"

static struct set *set_of(struct numnode *node)
{
    return numtable_entry(node, struct set, node);
}

bool sets_init(struct sets *sets)
{
    TAILQ_INIT(&sets->temporary);
    return numtable_init(&sets->table);
}

static void free_one(void *arg, struct numnode *node)
{
    numtable_remove(arg, node);
    set_free(set_of(node));
}

void sets_done(struct sets *sets)
{
    numtable_each(&sets->table, free_one, &sets->table);
    numtable_done(&sets->table);
}

struct set *set_new(struct bytes name)
{
    struct set *set = calloc(1, sizeof(*set));

    if (!set)
        return NULL;
    name.len = MIN(name.len, sizeof(set->name));
    if (name.len)
        memcpy(set->name, name.data, name.len);
    set->info.status.name = bytes_of(set->name, name.len);
    return set;
}

void set_free(struct set *set)
{
    free(set);
}

void sets_update(struct set *set, const struct set_info *info)
{
    struct bytes name = set->info.status.name;

    set->info = *info;
    set->info.status.name = name;
}

void sets_insert(struct sets *sets, struct set *set, const struct set_info *info)
{
    sets_update(set, info);
    set->node.number = info->id;
    numtable_insert(&sets->table, &set->node);
    if (!set->info.status.temporary)
        return;
    set->touched_us = boottime_us();
    TAILQ_INSERT_TAIL(&sets->temporary, set, link);
}

void sets_remove(struct sets *sets, struct set *set)
{
    numtable_remove(&sets->table, &set->node);
    if (set->info.status.temporary)
        TAILQ_REMOVE(&sets->temporary, set, link);
}

struct set *sets_find(const struct sets *sets, uint64_t id)
{
    return set_of(numtable_find(&sets->table, id));
}

void sets_touch(struct sets *sets, struct set *set)
{
    if (!set->info.status.temporary)
        return;
    set->touched_us = boottime_us();
    TAILQ_REMOVE(&sets->temporary, set, link);
    TAILQ_INSERT_TAIL(&sets->temporary, set, link);
}

struct set *sets_idlest(const struct sets *sets)
{
    return TAILQ_FIRST(&sets->temporary);
}
