/*
 * running.h - what runs now: claims jobs from the engine while there are free slots, gives them to
 * the workers, and records how they end.
 *
 *     engine runnable --> claim --> worker start --> ended --> (sync spool) --> finish --> recorded
 *
 * The engine is asked for as many jobs as there are free slots; beside those it gives what queues
 * with slots of their own have room for. With slots set to 0 nobody starts any job, those queues
 * included. While jobs come one after the other and are over sooner than a claim is durable, it is
 * asked for more than that: those are held, for some milliseconds at the most, until a slot is
 * free, and look to users as if they were in the queue still.
 *
 * While some are held, the end of another one may be recorded up to 8 ms late, together with the
 * next ones and the claim that follows: they share a commit. Whoever asks for the job in between
 * does not have to wait for that.
 *
 * An attempt holds its slot until its worker says that it has ended, and is known here until its
 * end is durable. A worker's record of it is let go only then, so that a crash in between loses
 * nothing: the runner tells again, and the engine answers that the claim is over.
 *
 * Loop thread only.
 */
#ifndef AW_RUNNING_H
#define AW_RUNNING_H

#include <sys/types.h>

#include "daemon/engine/outcome.h"

struct running;
struct server;

/* What others may know of an attempt at a job. */
struct running_info {
    pid_t pid;        /* 0: none (yet) */
    bool has_output;  /* its worker can show output while it runs */
    bool sizes_known; /* the two below mean something: running_watch() was answered */
    uint64_t size[N_STREAMS];
    bool ended; /* it has ended, but that is not durable yet */
    bool held;  /* it has not begun: it waits for a slot, or is on its way back to the queue */
};

AW_MUSTCHECK enum aw_err running_new(struct server *srv, struct running **ret,
                                     struct aw_error *err);
void running_free(struct running *r);

/* Asks the engine for the attempts that went on without us; workers adopt them. */
void running_recover(struct running *r);

/* The engine has something to claim. Claims happen at the end of this turn of the loop. */
void running_runnable(struct running *r);

/* How many jobs may run at once; 0: none is started. Running ones go on. */
void running_set_slots(struct running *r, unsigned slots);
unsigned running_slots(const struct running *r);

/* How many of those are taken; may be more than there are, after there were more. */
size_t running_slots_taken(const struct running *r);

/* Attempts whose end is not durable yet. */
size_t running_count(const struct running *r);
/* Those of them that have not begun. */
size_t running_held(const struct running *r);

/* No attempt is started any more; what a claim under way brings is given back. */
void running_quiet(struct running *r);

/*
 * What queues may start, or in which order, is about to change: what was claimed and has not begun
 * goes back first.
 */
void running_reconsider(struct running *r);

/* Whether a claim is under way. */
bool running_claiming(const struct running *r);

void running_stop(struct running *r, uint64_t number, uint64_t claim, int64_t grace_ms);

/* Cancels every job that runs. */
void running_stop_all(struct running *r);

/* False: no attempt at that job runs. */
AW_MUSTCHECK bool running_find(const struct running *r, uint64_t number, struct running_info *ret);

/* Wants the output of an attempt to be readable, and WATCH_GROWN when there is more of it. */
void running_watch(struct running *r, uint64_t number);

/* The runner's process; 0: none is known. */
pid_t running_runner_pid(const struct running *r);

#endif
