/*
 * lifecycle.h - how a future moves through its states: the one transition table.
 *
 *                       +------------- due ------------+
 *   submit --> scheduled                               v
 *   submit --> blocked ----------- unblocked ------> queued -- claim --> running
 *   submit ------------------------------------------> ^                  | | |
 *                                                      +---- release -----+ | |
 *              scheduled <--------------------------------- backoff --------+ |
 *                                                                             v
 *   blocked -- defer --> scheduled
 *   (any that has not ended) -- cancel, expire, fail --> cancelled | failed | succeeded
 *
 * Which event a worker's outcome stands for (succeed, fail, back off, ...) is the policy's
 * decision: engine/job_next.h. Whether the event may happen is decided here and nowhere else.
 */
#ifndef AW_LIFECYCLE_H
#define AW_LIFECYCLE_H

#include "proto/base.h"

/* X(NAME, "name", "meaning") */
#define JOB_EVENT_MAP(X)                                                                  \
    X(DUE, "due", "its start time has come, or its backoff is over")                      \
    X(UNBLOCKED, "unblocked", "the jobs that it waited for have ended as it needs")       \
    X(DEFER, "defer", "those jobs have ended as it needs; its start time has not come")   \
    X(CLAIM, "claim", "a worker takes it")                                                \
    X(RELEASE, "release", "the worker gives it back: it did not start, or may run again") \
    X(BACKOFF, "backoff", "the attempt failed; another one is due later")                 \
    X(SUCCEED, "succeed", "the attempt ended as it should")                               \
    X(FAIL, "fail", "the attempt, or what it waited for, failed for good")                \
    X(EXPIRE, "expire", "its time in the queue is over")                                  \
    X(CANCEL, "cancel", "it was cancelled, and nothing of it runs (any more)")

/* X(FROM, EVENT, TO): whatever is not listed is impossible. */
#define JOB_TRANSITION_MAP(X)       \
    X(SCHEDULED, DUE, QUEUED)       \
    X(SCHEDULED, EXPIRE, FAILED)    \
    X(SCHEDULED, CANCEL, CANCELLED) \
    X(BLOCKED, UNBLOCKED, QUEUED)   \
    X(BLOCKED, DEFER, SCHEDULED)    \
    X(BLOCKED, FAIL, FAILED)        \
    X(BLOCKED, EXPIRE, FAILED)      \
    X(BLOCKED, CANCEL, CANCELLED)   \
    X(QUEUED, CLAIM, RUNNING)       \
    X(QUEUED, EXPIRE, FAILED)       \
    X(QUEUED, CANCEL, CANCELLED)    \
    X(RUNNING, RELEASE, QUEUED)     \
    X(RUNNING, BACKOFF, SCHEDULED)  \
    X(RUNNING, SUCCEED, SUCCEEDED)  \
    X(RUNNING, FAIL, FAILED)        \
    X(RUNNING, CANCEL, CANCELLED)

#define X(NAME, name, text) JOB_EV_##NAME,
enum job_event { JOB_EVENT_MAP(X) N_JOB_EVENTS };
#undef X

#define N_JOB_STATES (AW_CANCELLED + 1)

const char *job_event_name(enum job_event event);

/* False when the event cannot happen in that state; *ret_to is then untouched. */
AW_MUSTCHECK bool job_transition(enum aw_state from, enum job_event event, enum aw_state *ret_to);

#endif
