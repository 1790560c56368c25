/*
 * job_next.h - what the end of an attempt means for its job: policy, as a pure function.
 */
#ifndef AW_JOB_NEXT_H
#define AW_JOB_NEXT_H

#include "daemon/engine/outcome.h"
#include "proto/lifecycle.h"

/* What the submitter wanted to happen, as far as it matters here. */
struct job_policy {
    bool retry_interrupted; /* on_interrupt: retry */
};

void job_policy_of(const struct job *job, struct job_policy *ret);

/* The move to make. */
struct job_move {
    enum job_event event;
    enum aw_state to;
};

/*
 * Decides by outcome, policy, and whether somebody asked for the job to be cancelled. An attempt
 * that succeeded counts, even if a cancel was on its way. One that was told to stop is cancelled.
 * One that was interrupted by us (runner or machine down) goes back to the queue if the policy
 * says so, and does not count as a failure of the job.
 */
struct job_move job_next(const struct outcome *outcome, const struct job_policy *policy,
                         bool cancel_requested);

#endif
