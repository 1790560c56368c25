#include "proto/lifecycle.h"

const char *job_event_name(enum job_event event)
{
    static const char *const names[] = {
#define X(NAME, name, text) [JOB_EV_##NAME] = name,
        JOB_EVENT_MAP(X)
#undef X
    };

    return event < N_JOB_EVENTS ? names[event] : "?";
}

bool job_transition(enum aw_state from, enum job_event event, enum aw_state *ret_to)
{
    /* The target plus one, so that what is not listed is 0: impossible. */
    static const unsigned char table[N_JOB_STATES][N_JOB_EVENTS] = {
#define X(FROM, EVENT, TO) [AW_##FROM][JOB_EV_##EVENT] = AW_##TO + 1,
        JOB_TRANSITION_MAP(X)
#undef X
    };

    if (from >= N_JOB_STATES || event >= N_JOB_EVENTS || !table[from][event])
        return false;
    *ret_to = (enum aw_state)(table[from][event] - 1);
    return true;
}
