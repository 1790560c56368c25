/*
 * power_work.h - everything that an engine can be asked for, at random, and what it answered.
 *
 * Works on the rig (engine_rig.h), whose clock must be the length of the disk's record, and tells
 * power_facts.h what the engine says. The facts are:
 *
 *   job N state       waiting, running, how it ended; with the attempt, the claim, or what is asked
 *   job N name, job N priority, job N key, job N result
 *   job N output A    what attempt A wrote
 *   key K             the number of the job that has it
 *   queue Q           its settings
 *   set S state       its ID, and whether it is closed
 *   set S holds N     yes
 *   set S place P     the job there, and how it ended
 *   set S read by C   the cursor
 *   request R         the numbers in its answer
 *   number N, claim C that it was given out
 *
 * The same seed does the same work, as long as the engine gives the same answers.
 */
#ifndef AW_POWER_WORK_H
#define AW_POWER_WORK_H

#include "tests/unit/engine_rig.h"
#include "tests/unit/dice.h"

#define POWER_SETS        6
#define POWER_CONSUMERS   2
#define POWER_MAX_PARENTS 3

/* What was asked for with a job. */
struct power_job {
    struct parent parents[POWER_MAX_PARENTS];
    size_t n_parents;
};

void power_work_begin(uint64_t seed);

/* Some calls at once, and whatever follows from them; n times. */
void power_work(int n);

/* Closes the engine, opens it again, and has it recover. */
void power_work_reopen(void);

/* Submits that were asked for before, once more, the last ones first. */
void power_work_resend(void);

/* Whatever is under way comes to its end. */
void power_work_await(void);

/* Claims, as far as anything in the default queue can run. */
void power_work_claim(void);

/* After a cut: the claims that are held were found by engine_recover(). */
void power_work_hold(const struct claimed *claims, size_t n);

/* Calls so far. */
unsigned power_work_calls(void);

/* What was asked for with a job that was told of. */
const struct power_job *power_job(uint64_t number);

/* Names. */
const char *power_set(size_t i);
const char *power_consumer(size_t i);

/* A job that has ended; its result; a queue: as values of facts. */
const char *power_result_text(const struct record *record);
const char *power_queue_text(const struct queue_status *q);

#endif
