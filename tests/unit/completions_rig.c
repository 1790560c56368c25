#include "tests/unit/completions_rig.h"

#include <stdio.h>

#include "tests/unit/unit.h"

const char *const *ids_of(unsigned n)
{
    static char text[MAX_IDS][24];
    static const char *ids[MAX_IDS];

    for (unsigned i = 0; i < n; i++) {
        snprintf(text[i], sizeof(text[i]), "k3f9q-%u", i + 1);
        ids[i] = text[i];
    }
    return ids;
}

static void *later_main(void *arg)
{
    struct later *later = arg;

    world_await(later->world, later->op, later->n);
    world_end(later->world, later->first, later->last, AW_SUCCEEDED);
    return NULL;
}

void later_start(struct later *later)
{
    ck_assert_int_eq(pthread_create(&later->thread, NULL, later_main, later), 0);
}
