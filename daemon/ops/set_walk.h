/*
 * set_walk.h - something is done to all members of a set, a page at a time: what set-cancel and
 * set-forget have in common. Memory is bounded, however large the set is.
 */
#ifndef AW_OPS_SET_WALK_H
#define AW_OPS_SET_WALK_H

#include "daemon/dispatch.h"

struct set_walk {
    struct exchange *x;
    struct bytes name; /* in x->args */
    /* Whether this member is concerned. */
    bool (*wants)(const struct found *f);
    /* Does it to w->numbers, and calls set_walk_next() when that is done; or set_walk_fail(). */
    void (*act)(struct set_walk *w);
    /* All were there: answers, and frees the walk. */
    void (*done)(struct set_walk *w);
    uint64_t counts[2]; /* the operation's own */
    uint64_t after;     /* private */
    uint64_t *numbers;
    size_t n;
};

/* Starts one, zeroed but for the callbacks; on failure the exchange is answered. */
void set_walk_begin(struct exchange *x, struct bytes name, const struct set_walk *how);
void set_walk_next(struct set_walk *w);

/* Answers with an error and frees the walk. What was done to earlier pages stays done. */
void set_walk_fail(struct set_walk *w, const struct aw_error *err);
void set_walk_free(struct set_walk *w);

#endif
