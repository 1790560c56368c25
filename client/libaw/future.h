/*
 * future.h - a handle for a future: its client, its ID, and how it ended once that is known.
 */
#ifndef AW_CLIENT_FUTURE_H
#define AW_CLIENT_FUTURE_H

#include "client/libaw/call.h"

struct aw_future {
    atomic_uint n_refs;
    struct aw_client *client; /* a reference */
    atomic_int final;         /* its final state and class; FUTURE_OPEN: not known to have ended */
    bool deduplicated, cached;
    char id[AW_MAX_ID];
};

#define FUTURE_OPEN -1

static inline bool future_has_ended(const struct aw_future *f)
{
    return atomic_load(&f->final) != FUTURE_OPEN;
}

/* Keeps how it ended, if that is what the status says. */
static inline void future_learn(struct aw_future *f, const struct aw_status *status)
{
    if (!status->err && aw_state_is_final(status->state))
        atomic_store(&f->final, (int)status->state | (int)status->error_class << 8);
}

/* NULL: out of memory. `id` must be shorter than AW_MAX_ID. */
struct aw_future *future_new(struct aw_client *client, struct bytes id);

/* An ended future's status and output, up to `max` bytes of it. */
AW_MUSTCHECK enum aw_err result_collect(struct aw_client *client, const char *id, size_t max,
                                        struct aw_result **ret, struct aw_error *err);

#endif
