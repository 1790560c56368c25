#include "daemon/engine/job_next.h"

void job_policy_of(const struct job *job, struct job_policy *ret)
{
    *ret = (struct job_policy){
        .retry_interrupted = bytes_eq(job->on_interrupt, bytes_str("retry")),
    };
}

static enum job_event event_of(const struct outcome *outcome, const struct job_policy *policy,
                               bool cancel_requested)
{
    if (outcome->class == AW_CLASS_NONE && !outcome->stopped)
        return JOB_EV_SUCCEED;
    if (outcome->stopped)
        return JOB_EV_CANCEL;
    if (outcome->class == AW_CLASS_INTERRUPTED) {
        if (cancel_requested)
            return JOB_EV_CANCEL;
        if (policy->retry_interrupted)
            return JOB_EV_RELEASE;
    }
    return JOB_EV_FAIL;
}

struct job_move job_next(const struct outcome *outcome, const struct job_policy *policy,
                         bool cancel_requested)
{
    struct job_move move = {.event = event_of(outcome, policy, cancel_requested), .to = AW_FAILED};

    /* Every event above is possible from running: the table's test says so. */
    if (!job_transition(AW_RUNNING, move.event, &move.to))
        move.event = JOB_EV_FAIL;
    return move;
}
