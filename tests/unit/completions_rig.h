/*
 * completions_rig.h - many jobs of a fake world, and a thread that ends some of them later.
 */
#ifndef AW_COMPLETIONS_RIG_H
#define AW_COMPLETIONS_RIG_H

#include <pthread.h>

#include "tests/unit/client_rig.h"
#include "tests/unit/fake_world.h"

#define LONG_MS 60000
#define MAX_IDS 10000

/* The IDs of the jobs 1 to n, which is MAX_IDS at most. */
const char *const *ids_of(unsigned n);

struct later {
    struct world *world;
    enum op op; /* after so many requests of this kind */
    unsigned n;
    unsigned first, last; /* these end */
    pthread_t thread;
};

/* Starts its thread, which is for the caller to join. */
void later_start(struct later *later);

#endif
