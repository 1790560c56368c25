/*
 * timer.h - a timer that is sure to come, for those who come to no harm when it comes too early.
 *
 * The loop needs memory for a timer. Where there is none, the event is made active instead, and
 * comes in the loop's next turn: a wait is answered with what is there, a retry is made at once.
 * (Below the seam the engine does the same by itself.) Loop thread only.
 */
#ifndef AW_TIMER_H
#define AW_TIMER_H

#include <event2/event.h>

static inline void timer_add(struct event *event, const struct timeval *tv)
{
    if (event_add(event, tv) < 0)
        event_active(event, EV_TIMEOUT, 0);
}

#endif
