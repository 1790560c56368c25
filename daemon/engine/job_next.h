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
    bool jitter;
    uint32_t max_attempts; /* 1: no further attempt */
    uint32_t backoff_factor;
    uint32_t classes; /* bit mask of 1 << enum aw_class: what is tried again */
    int64_t backoff_ms, backoff_max_ms;
    uint64_t exits[4]; /* bit set: exit codes that are tried again, if AW_CLASS_EXIT is */
};

void job_policy_of(const struct job *job, struct job_policy *ret);

/* What else it depends on. */
struct job_facts {
    uint64_t attempts; /* that count, this one included */
    bool cancel_requested;
    int64_t now_us;
    int64_t overall_us; /* when the job's time in all is over; 0: never */
    uint32_t random;    /* 0 to UINT32_MAX, for the jitter */
};

/* The move to make. */
struct job_move {
    enum job_event event;
    enum aw_state to;
    int64_t due_us; /* JOB_EV_BACKOFF: when the next attempt may start */
};

/*
 * Decides by outcome, policy and facts. An attempt that succeeded counts, even if a cancel was on
 * its way. One that was told to stop is cancelled. One that was interrupted by us (runner or
 * machine down) goes back to the queue if the policy says so, and does not count as an attempt.
 * One that failed is tried again, after a pause, if attempts are left, the policy wants it for
 * this kind of failure, and the pause ends before the job's time is over.
 *
 * The pause before attempt n+1 is backoff * factor^(n-1), at most backoff_max; with jitter a
 * random time between 0 and that ("full jitter", as in
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
struct job_move job_next(const struct outcome *outcome, const struct job_policy *policy,
                         const struct job_facts *facts);

#endif
