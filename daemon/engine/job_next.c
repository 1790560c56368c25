#include "daemon/engine/job_next.h"

static void exit_set(uint64_t exits[4], unsigned code, bool on)
{
    uint64_t bit = UINT64_C(1) << (code & 63);

    if (code > 255)
        return;
    if (on)
        exits[code >> 6] |= bit;
    else
        exits[code >> 6] &= ~bit;
}

static bool exit_is_set(const uint64_t exits[4], int code)
{
    return code >= 0 && code <= 255 && exits[code >> 6] >> (code & 63) & 1;
}

/* "exit" alone means every code; with codes beside it, or codes alone, just those. */
static void retry_on_read(const struct job *job, struct job_policy *p)
{
    bool codes = false;

    for (size_t i = 0; i < job->retry_on.n; i++) {
        enum aw_class class;
        int code;

        if (!retry_on_parse(job->retry_on.v[i], &class, &code))
            continue;
        p->classes |= 1u << class;
        if (code >= 0) {
            exit_set(p->exits, (unsigned)code, true);
            codes = true;
        }
    }
    if (!codes)
        memset(p->exits, 0xff, sizeof(p->exits));
}

void job_policy_of(const struct job *job, struct job_policy *ret)
{
    *ret = (struct job_policy){
        .retry_interrupted = bytes_eq(job->on_interrupt, bytes_str("retry")),
        .jitter = !job->no_jitter,
        .max_attempts = (uint32_t)job->max_attempts,
        .backoff_factor = (uint32_t)job->backoff_factor,
        .backoff_ms = (int64_t)job->backoff_ms,
        .backoff_max_ms = (int64_t)job->backoff_max_ms,
    };
    retry_on_read(job, ret);
    if (job->retry_on.n == 0)
        ret->classes = UINT32_MAX;
    for (size_t i = 0; i < job->no_retry_exit.n; i++)
        exit_set(ret->exits, (unsigned)MIN(job->no_retry_exit.v[i], UINT64_C(256)), false);
}

static int64_t pause_ms(const struct job_policy *p, const struct job_facts *facts)
{
    int64_t ms = p->backoff_ms;

    for (uint64_t i = 1; i < facts->attempts && ms && ms < p->backoff_max_ms; i++)
        ms *= p->backoff_factor; /* below ten years times a hundred: far from overflow */
    ms = MIN(ms, p->backoff_max_ms);
    return p->jitter ? (int64_t)((double)ms * facts->random / UINT32_MAX) : ms;
}

static bool tries_again(const struct outcome *o, const struct job_policy *p,
                        const struct job_facts *facts)
{
    return facts->attempts < p->max_attempts && !facts->cancel_requested &&
           p->classes >> o->class & 1 &&
           (o->class != AW_CLASS_EXIT || exit_is_set(p->exits, o->exit_code));
}

static enum job_event event_of(const struct outcome *o, const struct job_policy *p,
                               const struct job_facts *facts, int64_t *ret_due_us)
{
    if (o->class == AW_CLASS_NONE && !o->stopped)
        return JOB_EV_SUCCEED;
    if (o->stopped)
        return JOB_EV_CANCEL;
    if (o->class == AW_CLASS_INTERRUPTED) {
        if (facts->cancel_requested)
            return JOB_EV_CANCEL;
        if (p->retry_interrupted)
            return JOB_EV_RELEASE;
    }
    if (tries_again(o, p, facts)) {
        int64_t due = facts->now_us + pause_ms(p, facts) * 1000;

        if (!facts->overall_us || due < facts->overall_us) {
            *ret_due_us = due;
            return JOB_EV_BACKOFF;
        }
    }
    return JOB_EV_FAIL;
}

struct job_move job_next(const struct outcome *outcome, const struct job_policy *policy,
                         const struct job_facts *facts)
{
    struct job_move move = {.to = AW_FAILED};

    move.event = event_of(outcome, policy, facts, &move.due_us);
    /* Every event above is possible from running: the table's test says so. */
    if (!job_transition(AW_RUNNING, move.event, &move.to))
        move.event = JOB_EV_FAIL;
    return move;
}
