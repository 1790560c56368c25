/*
 * wait.h - what waiting for futures by ID and waiting for a set have in common.
 */
#ifndef AW_OPS_WAIT_H
#define AW_OPS_WAIT_H

#include "daemon/dispatch.h"

/* What is enough, beside that all have ended. */
struct wait_goal {
    uint64_t n; /* that so many have ended; 0: nothing */
    bool first_error;
};

/* `all`: everything that there is has ended, and no more will come. */
bool wait_goal_met(const struct wait_goal *goal, uint64_t n_ended, uint64_t n_failed, bool all);

/* Answers the exchange, at once or later. */
void wait_for_set(struct exchange *x, const struct wait_req *req);

#endif
