/*
 * queues_rig.h - a scheduler with its queues, whose clock stands at START, for tests of the queues.
 */
#ifndef AW_QUEUES_RIG_H
#define AW_QUEUES_RIG_H

#include "daemon/engine/embedded/sched.h"

#define SECOND INT64_C(1000000)
#define START  (1700000000 * SECOND)

#define RIG_UID 1000 /* the only user, where it does not matter who they are */

extern struct sched *s;
extern struct queues *qs;

/* The fixture of each test. */
void queues_setup(void);
void queues_teardown(void);

/* One more queue, with settings as in SET(.slots = 3). */
struct queue *queue_add(const char *name, struct queue_settings set);
#define SET(...) ((struct queue_settings){__VA_ARGS__})

/* The number of the job whose turn it is; 0: nobody's. */
uint64_t next(bool shared);

#endif
