/*
 * mux_io.h - the part of mux.h that moves bytes: connecting, framing, completing exchanges.
 *
 * Private to mux.c and mux_io.c. All functions want the lock held; those marked "leader" are for
 * the leader only.
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

#endif
