/*
 * numtable.h - things by number: a hash table whose nodes are members of the things themselves.
 *
 * Linear hashing: each insertion beyond one node a bucket adds one bucket and splits one old one,
 * so growing costs every insertion a little and none of them much. A bucket is 8 bytes; they go
 * when the last node does. Nothing fails for want of memory once the table is made: without any, it
 * gets slower.
 *
 * Who has very many to insert into an empty table, and looks for none meanwhile, collects them
 * first: when all are there, the buckets are made at once, and nothing is ever split.
 *
 * One thread at a time.
 */
#ifndef AW_NUMTABLE_H
#define AW_NUMTABLE_H

#include "proto/base.h"

struct numnode {
    uint64_t number;
    struct numnode *next; /* private */
};

struct numtable {
    struct numnode ***segments; /* private, all of it */
    size_t n_segments, cap_segments;
    size_t n_buckets;
    size_t low_mask;
    uint64_t n_nodes;
    struct numnode *collected;
    bool collecting;
};

AW_MUSTCHECK bool numtable_init(struct numtable *t); /* false: out of memory */
void numtable_done(struct numtable *t);              /* the nodes are their owners' */

/* node->number is set, and not in the table. */
void numtable_insert(struct numtable *t, struct numnode *node);

/*
 * Until numtable_collected(), numtable_insert() is all that may be called. The table is empty.
 * numtable_collected() does nothing if nothing is being collected.
 */
void numtable_collect(struct numtable *t);
void numtable_collected(struct numtable *t);

void numtable_remove(struct numtable *t, struct numnode *node);
struct numnode *numtable_find(const struct numtable *t, uint64_t number);

/* Calls fn for each node, which may remove (and free) that node, but no other, and add none. */
void numtable_each(const struct numtable *t, void (*fn)(void *arg, struct numnode *node),
                   void *arg);

/* The struct that a node is a member of; NULL for NULL. */
#define numtable_entry(node, type, member)                               \
    ({                                                                   \
        struct numnode *node_ = (node);                                  \
        node_ ? (type *)((char *)node_ - offsetof(type, member)) : NULL; \
    })

#endif
