/*
 * store_effects.h - what an operation on the store did besides what it was asked for: which jobs
 * ended for good, which sets changed, and what their users have now. The loop tells it once the
 * operation is durable.
 *
 * Each operation that can end a job, or change a set, has one. It is emptied when the operation
 * runs (which may be more than once), and freed by the operation's maker.
 */
#ifndef AW_STORE_EFFECTS_H
#define AW_STORE_EFFECTS_H

#include "daemon/engine/engine.h"

/* A job that has ended for good. */
struct store_ended {
    uint64_t number;
    uint32_t uid;
    enum aw_state state;
    enum aw_class class;
    int64_t created_us, due_us;
    int64_t started_us; /* of the last attempt; 0: it was not started */
    int64_t ended_us;
};

/* A set, and how it stands after that. */
struct store_set_change {
    struct set_info info; /* without its name: that does not change */
    uint64_t place;       /* of the member that ended; 0: that is not what happened */
    uint64_t number;
    enum aw_state state;
    bool gone;
};

/* What a user has on record, or has more of now (or less). */
struct account_change {
    uint32_t uid;
    int64_t kept;  /* ended jobs */
    int64_t bytes; /* specifications and output of all jobs */
    int64_t sets;
};

/* Each user once. */
struct account_changes {
    struct account_change *v;
    size_t n, room;
};

struct store_effects {
    struct store_ended *ends;
    size_t n_ends, room_ends;
    struct store_set_change *sets;
    size_t n_sets, room_sets;
    struct account_changes accounts;
};

static inline void store_effects_empty(struct store_effects *effects)
{
    effects->n_ends = effects->n_sets = effects->accounts.n = 0;
}

static inline void store_effects_free(struct store_effects *effects)
{
    free(effects->ends);
    free(effects->sets);
    free(effects->accounts.v);
    *effects = (struct store_effects){0};
}

#endif
