/*
 * watcher.h - the futures of one client that call back when they have ended.
 *
 *     aw_future_on_done() --> fresh --set-add--> members --set-read--> called back, and forgotten
 *                               `--(known to have ended)--> ended --status--'
 *
 * All of a client's are members of one temporary set of the daemon, which is read by long polls, a
 * thousand completions at once: so the number of messages grows no faster than that of the futures.
 * IDs are added as they come, as many as there are. The set is read by place, so that a page whose
 * answer got lost comes again; what was called back is not known any more, so that it is not called
 * twice. When the daemon has no such set (it forgets one that nobody reads for ten minutes), or
 * when much of it is of the past, a new one is made of those that are still to come.
 *
 * A future may have called back before, by another handle: then it is a member whose completion has
 * been read, and will not come again. set-add says where each is, and one that has ended already
 * is asked for by status.
 *
 * Threads: watcher_add() and watcher_close() may come from any, and are guarded by `lock`; the
 * others belong to the one that is in aw_client_process(). No lock is held while a callback runs.
 * The lock of the mux may be taken while this one is held, never the other way round.
 */
#ifndef AW_CLIENT_WATCHER_H
#define AW_CLIENT_WATCHER_H

#include "client/libaw/future.h"

struct watcher;

/* NULL: out of memory. */
struct watcher *watcher_new(void);

/* The client is gone: nothing of it is used any more but by us. NULL is fine. */
void watcher_free(struct watcher *w);

/*
 * Before the client closes: tells the daemon that the set is not needed any more, if that costs
 * nothing now; otherwise the daemon forgets it after a while.
 */
void watcher_farewell(struct aw_client *client);

/*
 * No callback begins after this, and unless it is called by one, none runs any more when it comes
 * back. Lets go of the futures. In a forked child (`ours` is false) only that, and as far as it
 * can.
 */
void watcher_close(struct watcher *w, bool ours);

/* aw_future_on_done(). */
AW_MUSTCHECK enum aw_err watcher_add(struct aw_future *future, aw_done_fn done, void *arg,
                                     struct aw_error *err);

/* Callbacks that are still to come. */
size_t watcher_pending(struct watcher *w);

/* One thread at a time is in aw_client_process(): false if there is one. */
AW_MUSTCHECK bool watcher_enter(struct watcher *w);
void watcher_leave(struct watcher *w);

/* Starts the calls that are due. */
void watcher_step(struct aw_client *client);

/* A call is over: takes what it brought, and calls back. Returns how many were called. */
size_t watcher_take(struct aw_client *client, struct exchange *x);

#endif
