/*
 * leases.h - jobs that shall not go on when nobody wants them any more (abandon_ms).
 *
 * A job is wanted while a watch holds it (watches.h), and for abandon_ms after the last one has
 * gone; after its submit, also one that was answered by it, a renewal, and the daemon's start; and
 * while a set that it is a member of is being read or waited for, and as long after that. Then it
 * is cancelled. So a client that waits by long polls, with gaps, keeps it; one that has died, or
 * has lost interest, does not.
 *
 * Costs nothing for jobs without a lease. A timer runs for each of the others; a renewal only
 * notes the time, and the timer finds it there. What the sets of a job have seen is asked of the
 * engine when the time is over, not before; nor is it asked about one job, be it for its sets or
 * to cancel it, more than once a second. So a job that only its sets have kept may go on that much
 * longer than its abandon_ms.
 *
 * Loop thread only.
 */
#ifndef AW_LEASES_H
#define AW_LEASES_H

#include "proto/base.h"

struct leases;
struct server;

/* Uses the server's base and engine, and its watches, of which it hears when they go idle. */
AW_MUSTCHECK enum aw_err leases_new(struct server *srv, struct leases **ret, struct aw_error *err);

/* After the engine was closed: its answers come here. */
void leases_free(struct leases *ls);

/* The daemon has started: clients have as long as after a submit to come back. */
void leases_start(struct leases *ls);

/* A job with that abandon_ms was submitted. Without memory it has no lease; the log says so. */
void leases_hold(struct leases *ls, uint64_t number, int64_t abandon_ms);

/* Somebody wants that job. Harmless on one that has no lease. */
void leases_renew(struct leases *ls, uint64_t number);

/* The job has ended. */
void leases_ended(struct leases *ls, uint64_t number);

/* Somebody was told of this set. */
void leases_set_used(struct leases *ls, uint64_t set);

#endif
