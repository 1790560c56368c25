/*
 * memory.h - gives memory back to the system that a rush of clients has taken.
 *
 * Left to itself, the C library keeps blocks of up to 32 MB once it has freed one of that size, and
 * all that is free below something that is not.
 *
 * Main thread only.
 */
#ifndef AW_MEMORY_H
#define AW_MEMORY_H

#include "proto/base.h"

struct event_base;
struct memory;

/* Tells the C library to keep no large blocks. Before anything is allocated. */
void memory_settle(void);

/* Gives back, a while after memory_note(), what is to be given back. NULL: out of memory. */
struct memory *memory_new(struct event_base *base);

/*
 * So many bytes are no longer needed. Once there was enough of it, a look follows within seconds;
 * a daemon that has nothing to do is never woken.
 */
void memory_note(size_t bytes);

/* NULL does nothing. */
void memory_free(struct memory *memory);

#endif
