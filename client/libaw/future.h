/*
 * future.h - a handle for a future: its client, its ID, and how it ended once that is known.
 */
#ifndef AW_CLIENT_FUTURE_H
#define AW_CLIENT_FUTURE_H

#include "client/libaw/call.h"

struct aw_future {
    atomic_uint n_refs;
    struct aw_client *client; /* a reference */
    atomic_int final;         /* its final state; -1: not known to have ended */
    bool deduplicated, cached;
    char id[AW_MAX_ID];
};

/* NULL: out of memory. `id` must be shorter than AW_MAX_ID. */
struct aw_future *future_new(struct aw_client *client, struct bytes id);

#endif
