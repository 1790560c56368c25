/*
 * fake_world.h - jobs and sets behind a fake daemon, as far as libaw's futures need them.
 *
 * The jobs are there from the beginning, k3f9q-1 to k3f9q-N, all running; a submit gives the next
 * of them, a test ends them. One that was cancelled has written nothing, the others "output of 1"
 * and so on. Sets are in memory, completions have places, reads and waits are parked until they
 * have something or their time is over. What goes wrong is for the test to say: answers that get
 * lost, errors, sets that were forgotten.
 *
 * All functions may be called from any thread.
 */
#ifndef AW_FAKE_WORLD_H
#define AW_FAKE_WORLD_H

#include "tests/unit/fake_daemon.h"

struct world;

/* Jobs 1 to n_jobs, and a fake daemon that serves them. */
struct world *world_start(unsigned n_jobs);
void world_stop(struct world *w);

/* Where it listens; and down and up again, as fake_down() and fake_up(). Nothing is forgotten. */
const char *world_path(const struct world *w);
void world_down(struct world *w);
void world_up(struct world *w);

/* Ends the jobs from `first` to `last`. */
void world_end(struct world *w, unsigned first, unsigned last, enum aw_state state);

/* Their records are gone: "expired". */
void world_prune(struct world *w, unsigned first, unsigned last);

/* All temporary sets are gone, as after ten minutes. */
void world_forget_sets(struct world *w);

/* A set with a name and the members `first` to `last`; closed or not. */
void world_set(struct world *w, const char *name, unsigned first, unsigned last, bool closed);

/* The cursor of a consumer ("": the one without a name). */
uint64_t world_cursor(struct world *w, const char *consumer);

/* The answers to the next n requests of that kind get lost, with the connection. */
void world_lose(struct world *w, enum op op, unsigned n);

/* The next n requests of that kind fail. */
void world_fail(struct world *w, enum op op, enum aw_err code, unsigned n);

/* Requests so far of one kind; blocks until there are that many. */
unsigned world_count(struct world *w, enum op op);
void world_await(struct world *w, enum op op, unsigned n);

/* Sets that there are. */
unsigned world_sets(struct world *w);

#endif
