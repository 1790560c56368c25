/*
 * sets.h - the heads of sets in memory: what stands in the set_changed event, and when a temporary
 * one was last read.
 *
 * Members, completions and cursors are in the store only, and so is the truth: a head is set to
 * what the store says after each commit, in order. About 300 bytes a set.
 *
 * Loop thread only.
 */
#ifndef AW_SETS_H
#define AW_SETS_H

#include <sys/queue.h>

#include "daemon/engine/engine.h"
#include "daemon/engine/numtable.h"

struct set {
    struct numnode node; /* node.number: its ID */
    TAILQ_ENTRY(set) link;
    int64_t touched_us; /* temporary: since boot, when it was last read */
    struct set_info info;
    char name[AW_MAX_SET_NAME]; /* what info.status.name points to */
};

TAILQ_HEAD(set_list, set);

struct sets {
    struct numtable table;
    struct set_list temporary; /* the one that was not read for the longest time first */
};

AW_MUSTCHECK bool sets_init(struct sets *sets); /* false: out of memory */
void sets_done(struct sets *sets);              /* frees all of them */

/*
 * A head that is in no table yet, made before the set is recorded so that nothing can fail once it
 * is. The caller's until sets_insert(), or set_free(). NULL: out of memory.
 */
struct set *set_new(struct bytes name);
void set_free(struct set *set);

/* info->status.name is not looked at: it has its name. */
void sets_insert(struct sets *sets, struct set *set, const struct set_info *info);
void sets_update(struct set *set, const struct set_info *info);
/* Takes it out; it is the caller's to free. */
void sets_remove(struct sets *sets, struct set *set);

struct set *sets_find(const struct sets *sets, uint64_t id); /* NULL: there is none */

/* It was read just now. Means something for temporary ones only. */
void sets_touch(struct sets *sets, struct set *set);
/* The temporary one that was not read for the longest time; NULL: there is none. */
struct set *sets_idlest(const struct sets *sets);

static inline uint64_t sets_count(const struct sets *sets)
{
    return sets->table.n_nodes;
}

/* The time from which a complete set is kept for a while: when it became complete, roughly. */
static inline int64_t set_complete_us(const struct set_status *s)
{
    return (int64_t)MAX(s->closed_us, s->last_us);
}

#endif
