/*
 * inbox.h - how other threads hand things over to the event loop.
 *
 * Any thread pushes items, which are members of structs of its own; the loop takes all that are
 * there at once and gets them one by one, in their order. An item belongs to the inbox from the
 * push until the callback gets it. Only the push that finds the inbox empty and the loop asleep
 * costs a system call.
 */
#ifndef AW_INBOX_H
#define AW_INBOX_H

#include "proto/base.h"

struct event_base;
struct inbox;

struct inbox_item {
    struct inbox_item *next;
};

/* Called on the loop; the item belongs to the callee again. */
typedef void (*inbox_fn)(void *arg, struct inbox_item *item);

/* AW_ERR_NO_MEMORY, AW_ERR_SYSTEM. */
AW_MUSTCHECK enum aw_err inbox_new(struct event_base *base, inbox_fn on_item, void *arg,
                                   struct inbox **ret, struct aw_error *err);

/* Any thread. Never fails. */
void inbox_push(struct inbox *inbox, struct inbox_item *item);

/* Loop thread: calls back for all that is there now, without waiting for the loop. */
void inbox_drain(struct inbox *inbox);

/* Loop thread, once nobody pushes any more. What is still there is not called back for. */
void inbox_free(struct inbox *inbox);

#endif
