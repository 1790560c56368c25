/*
 * watcher_table.h - which futures are waited for, by ID, and what is to be called for each.
 *
 * Private to watcher.c and watcher_table.c. A watch is in the table, and on one list, from the
 * first aw_future_on_done() on to its end; its list says what becomes of it next. All of this is
 * guarded by the watcher's lock.
 */
#ifndef AW_CLIENT_WATCHER_TABLE_H
#define AW_CLIENT_WATCHER_TABLE_H

#include <sys/queue.h>

#include "client/libaw/future.h"

struct watch_call {
    struct watch_call *next;
    struct aw_future *future; /* a reference */
    aw_done_fn done;
    void *arg;
};

struct watch {
    struct watch_call *calls, **calls_end; /* in the order in which they were asked for */
    struct watch_list *list;
    LIST_ENTRY(watch) bucket;
    TAILQ_ENTRY(watch) link;
    char id[AW_MAX_ID];
};

TAILQ_HEAD(watch_queue, watch);

struct watch_list {
    struct watch_queue head;
    size_t n;
};

LIST_HEAD(watch_bucket, watch);

struct watch_table {
    struct watch_bucket *buckets; /* a power of two of them; NULL: none yet */
    size_t n_buckets, n;
    size_t n_calls;
};

void watch_list_init(struct watch_list *list);

/* Puts a watch at a list's end; or all of one list before those of another. */
void watch_move(struct watch *watch, struct watch_list *to);
void watch_move_all(struct watch_list *from, struct watch_list *to);

struct watch *watch_find(struct watch_table *t, struct bytes id);

/*
 * Adds a call for a future, which is referenced. *ret_new: its watch was made for it, and is on no
 * list yet. False: out of memory, and nothing has changed.
 */
AW_MUSTCHECK bool watch_add(struct watch_table *t, struct aw_future *future, aw_done_fn done,
                            void *arg, struct watch **ret, bool *ret_new);

/* Takes a watch out of table and list: it is the caller's. */
void watch_detach(struct watch_table *t, struct watch *watch);

/* Takes the first call off, to be freed by the caller; NULL: there is none. */
struct watch_call *watch_call_next(struct watch *watch);

/* Frees a detached watch, and what was not called. */
void watch_free(struct watch *watch);

#endif
