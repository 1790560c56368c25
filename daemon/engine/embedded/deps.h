/*
 * deps.h - who waits for whom, in memory: found from either end.
 *
 * A blocked job (child) has one edge for each job (parent) and kind that it still waits for. They
 * are on the disk, too; what is here only says where to look: once a parent has ended, its
 * children are to be taken, in bounded batches, and settled in the store, which decides by what is
 * on record.
 *
 * An edge is made before its child is recorded (pending), is then linked to its parent, taken into
 * a batch after the parent's end, and closed when the store has settled it. A parent is known
 * here as long as it has an edge that is not closed. Parents have smaller numbers than their
 * children: there are no cycles.
 *
 * Every call costs O(1) for each edge that it touches, and a look-up among the edges of one child.
 * Loop thread only.
 */
#ifndef AW_DEPS_H
#define AW_DEPS_H

#include "daemon/engine/engine.h"

struct deps;
struct dep_child;

struct deps *deps_new(void); /* NULL: out of memory */
void deps_free(struct deps *d);

/* Does a parent that has ended so do for this kind? */
static inline bool deps_holds(enum parent_kind kind, enum aw_state ended)
{
    return kind == PARENT_ENDED || (kind == PARENT_SUCCEEDED) == (ended == AW_SUCCEEDED);
}

/*
 * Sorts by number and kind and drops what is there twice; returns how many are left. What the
 * other calls are given has been through this.
 */
size_t deps_sort(struct parent *parents, size_t n);

/*
 * Makes the edges of a job, all of the memory that they will ever need; nothing can be found by
 * them yet. *count counts those that are not closed, of several jobs perhaps, and must stay as long
 * as they. NULL: out of memory. The caller's until deps_insert() or deps_discard().
 */
struct dep_child *deps_make(struct deps *d, uint64_t child, const struct parent *parents, size_t n,
                            uint64_t *count);
void deps_discard(struct deps *d, struct dep_child *child); /* harmless on NULL */

/* Links the edges that are open (open[i] belongs to parents[i]; at least one), closes the others.
 */
void deps_insert(struct deps *d, struct dep_child *child, const bool *open);

/* Edges that are not closed, of all jobs, those included that are only made. */
uint64_t deps_edges(const struct deps *d);

/* A job does not wait any more, whatever became of it: its edges go. Harmless without any. */
void deps_remove(struct deps *d, uint64_t child);

/* A job has ended: its children are to be taken. Harmless without any. */
void deps_parent_ended(struct deps *d, uint64_t parent, enum aw_state state);

/* Does any job wait for this one, which has not ended? */
bool deps_has_children(const struct deps *d, uint64_t parent);

/* Is there anything to take? */
bool deps_pending(const struct deps *d);

/* A child of a parent that has ended, or will have when the batch is worked off in its order. */
struct dep_pair {
    uint64_t parent, child;
    bool first; /* no other pair of this child is taken and not settled */
};

/*
 * Takes up to max pairs. A child whose edge does not hold is going to end as failed: its own
 * children are taken behind it, so that a long chain needs few batches.
 */
size_t deps_take(struct deps *d, struct dep_pair *ret, size_t max);

/*
 * A pair is settled: its edges are closed. True if no other pair of this child is taken. The child
 * may have been removed meanwhile: false.
 */
bool deps_settle(struct deps *d, const struct dep_pair *pair);

/* Whether a pair of this child is taken and not settled. */
bool deps_is_taken(const struct deps *d, uint64_t child);

/*
 * The parents that a job still waits for, the smallest numbers first, max at most, and how many
 * there are; returns how many were written.
 */
size_t deps_parents_of(const struct deps *d, uint64_t child, uint64_t *ret, size_t max,
                       uint64_t *ret_total);

#endif
