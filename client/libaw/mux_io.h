/*
 * mux_io.h - what the parts of the mux are to each other: mux_io.c moves bytes (connecting,
 * framing, completing exchanges), mux.c has threads wait, mux_loop.c has event loops drive.
 *
 * Private to the three. All functions want the lock held; those marked "leader" are for the leader
 * only or, while there is none, for who takes a turn.
 */
#ifndef AW_CLIENT_MUX_IO_H
#define AW_CLIENT_MUX_IO_H

#include "client/libaw/mux.h"

/* Puts an exchange into table and queue, or takes it out again before it is done. */
void mux_enter(struct mux *m, struct exchange *x);
void mux_leave(struct mux *m, struct exchange *x);

/* Takes it out, with its result, and wakes its thread. `reason` NULL: x->err is set already. */
void mux_finish(struct mux *m, struct exchange *x, enum aw_err result, const struct aw_error *why);

/* Leader: tries all addresses once, and begins the handshake. Failing, sets next_try_us. */
void mux_connect(struct mux *m);

/* Leader: closes the stream because of m->broken, and decides what becomes of each exchange. */
void mux_lost(struct mux *m);

/* Sends what can be sent now. A failure is left in m->broken. */
void mux_send(struct mux *m);

/* Leader: reads what is there now and completes exchanges. A failure is left in m->broken. */
void mux_receive(struct mux *m);

/* Marks the connection for closing, unless it is already. */
void mux_break(struct mux *m, enum aw_err code, const struct aw_error *why);

/* Wakes the leader, if there is one: it is to look again. */
void mux_wake(struct mux *m);

/* When this exchange ends by itself, as things stand; ends it if that is over. */
int64_t mux_end_us(const struct mux *m, const struct exchange *x);
void mux_expire(struct mux *m, struct exchange *x);

/*
 * Says once that an outage lasts, if that keeps anybody waiting, and once that it is over. Lets go
 * of the lock for that. When the outage will have to be told: NEVER_US if not.
 */
void mux_notice(struct mux *m, bool waiting);
int64_t mux_notice_us(const struct mux *m);

/*
 * Has the event loop's fd say what is so now. To be called whenever that may have changed, by those
 * who are about to let go of the lock for long; does nothing before mux_loop_open().
 */
void mux_loop_arm(struct mux *m);

/* The stream is about to be closed. */
void mux_loop_forget(struct mux *m);

void mux_loop_done(struct mux *m);

#endif
