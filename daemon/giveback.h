/*
 * giveback.h - claims that could not be begun for want of memory, until the engine has them back.
 *
 * It needs no memory itself: there is room for all that one claim can bring, and as long as
 * anything is in it nobody may claim more. Loop thread only.
 */
#ifndef AW_GIVEBACK_H
#define AW_GIVEBACK_H

#include "daemon/engine/engine.h"

struct giveback_entry {
    struct giveback *owner;
    uint64_t number, claim; /* claim 0: free */
    bool asking;            /* the engine is to answer */
};

struct giveback {
    struct engine *const *engine;
    size_t n;
    struct giveback_entry entries[ENGINE_CLAIM_MAX];
};

/* `engine` is where a pointer to the engine is, or will be. */
void giveback_init(struct giveback *g, struct engine *const *engine);

/* Takes a claim that was just made; nothing is tried yet. */
void giveback_add(struct giveback *g, uint64_t number, uint64_t claim);

/* Asks the engine to take them. To be called again, in a while, until giveback_is_empty(). */
void giveback_try(struct giveback *g);

static inline bool giveback_is_empty(const struct giveback *g)
{
    return g->n == 0;
}

#endif
