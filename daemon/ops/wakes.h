/*
 * wakes.h - the records that waiters are answered with, read together.
 *
 * An event ends a wait, but a record answers it. One end may wake ten thousand: to read the record
 * for each of them, and to answer all of them at once, would hold up everybody else. So they line
 * up: some are read at once, the next ones when these have been answered, by few calls of the
 * engine and a record once for all who stand one behind the other for it. What is answered in one
 * turn of the loop so takes a millisecond or two.
 *
 * A wake is a member of its owner's struct. Loop thread only.
 */
#ifndef AW_OPS_WAKES_H
#define AW_OPS_WAKES_H

#include "daemon/dispatch.h"

enum wake_state {
    WAKE_NOT,
    WAKE_LINED_UP,
    WAKE_READING, /* the engine is to answer */
};

struct wake;
/*
 * The engine's answer, as to engine_get() of its numbers. The wake is the owner's again, who may
 * free it.
 */
typedef void (*wake_fn)(struct wake *w, const struct aw_error *err, const struct found *jobs);

struct wake {
    TAILQ_ENTRY(wake) entry;
    const uint64_t *numbers; /* they stay where they are until it is called back */
    size_t n;
    wake_fn fn;
    enum wake_state state;
};

struct wakes *wakes_new(struct server *srv); /* NULL: out of memory */
/* Once nothing is lined up or being read. NULL does nothing. */
void wakes_free(struct wakes *wakes);

/* Has it called back, once; from inside the call only if it is refused out of hand. */
void wake_line_up(struct wakes *wakes, struct wake *w);

/*
 * It is not wanted any more. True: it will not be called. False: it is being read, and will be.
 */
AW_MUSTCHECK bool wake_leave(struct wakes *wakes, struct wake *w);

#endif
