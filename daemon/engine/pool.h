/*
 * pool.h - things of one size, of which there may be millions: nothing is spent on each but its
 * size.
 *
 * They stand in blocks of memory from the system, side by side in the order in which they are
 * taken. A block goes back once nothing is left in it (all but one, for what comes next), so a
 * flood leaves no more behind than the blocks in which something of it is still alive. Taking and
 * giving are O(1).
 *
 * One thread at a time.
 */
#ifndef AW_POOL_H
#define AW_POOL_H

#include <sys/queue.h>

#include "proto/base.h"

struct pool_block;
LIST_HEAD(pool_blocks, pool_block);

struct pool {
    size_t size; /* private, all of it */
    struct pool_blocks all, roomy;
    size_t n_empty;
};

/* size: a multiple of 8, at most 4,096. Takes no memory yet. */
void pool_init(struct pool *p, size_t size);
/* Gives everything back, also what is still in use. Harmless on a zeroed one. */
void pool_done(struct pool *p);

/* All zeros, aligned as the largest power of two that divides its size, up to 64. NULL: out of
 * memory. */
void *pool_take(struct pool *p);
/* NULL is fine. */
void pool_give(struct pool *p, void *thing);

#endif
