/*
 * reactor.h - the runner's event loop: epoll, and nothing else.
 *
 * A source is a descriptor and a function, embedded in whatever they belong to. A source that is
 * removed is never called again, not even for an event that epoll had already reported. Remove a
 * source before its descriptor is closed: epoll holds on to the open file, not to the number, and
 * a child may still have a copy.
 */
#ifndef AW_RUNNER_REACTOR_H
#define AW_RUNNER_REACTOR_H

#include <sys/epoll.h>

#include "proto/base.h"

#define REACTOR_BATCH 64

struct source {
    int fd;
    uint32_t events; /* 0: not in the reactor */
    void (*ready)(struct source *source, uint32_t events);
};

struct reactor {
    int fd;
    int n_batch;
    struct epoll_event batch[REACTOR_BATCH];
};

AW_MUSTCHECK enum aw_err reactor_open(struct reactor *reactor, struct aw_error *err);
void reactor_close(struct reactor *reactor);

/* Adds the source, changes its events, or, with 0, removes it. False with errno: out of memory. */
bool reactor_set(struct reactor *reactor, struct source *source, uint32_t events);

/* Waits for up to timeout_ms (-1: for ever) and calls what is ready. */
void reactor_turn(struct reactor *reactor, int timeout_ms);

/* The struct that a source is embedded in. */
#define SOURCE_OWNER(source, type, member) ((type *)((char *)(source)-offsetof(type, member)))

#endif
