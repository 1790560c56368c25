/*
 * offload.h - one thread beside the loop, for calls that may wait for the disk: the fsync of a
 * spool file, the removal of many files.
 *
 * Work is done in the order in which it was given. Each piece that was taken is run once on the
 * thread and then reported once on the loop.
 */
#ifndef AW_OFFLOAD_H
#define AW_OFFLOAD_H

#include "proto/base.h"

struct event_base;
struct offload;

typedef void (*offload_fn)(void *arg);

/* Pieces of work that may wait at a time. */
#define OFFLOAD_MAX 8192

/* AW_ERR_NO_MEMORY, AW_ERR_SYSTEM. */
AW_MUSTCHECK enum aw_err offload_new(struct event_base *base, struct offload **ret,
                                     struct aw_error *err);

/*
 * Loop thread: has run(arg) called on the helper thread, then done(arg) on the loop. `arg` belongs
 * to them until then. False: nothing was taken, as OFFLOAD_MAX are waiting, memory is out or
 * offload_free() is at work; the caller tries again later or does it himself.
 */
AW_MUSTCHECK bool offload_run(struct offload *offload, offload_fn run, offload_fn done, void *arg);

/* Loop thread: waits until everything is done and reported. */
void offload_free(struct offload *offload);

#endif
