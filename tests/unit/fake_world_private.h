/*
 * fake_world_private.h - shared by fake_world*.c: what the world is made of, and who answers what.
 * All functions are called with the world's lock held.
 */
#ifndef AW_FAKE_WORLD_PRIVATE_H
#define AW_FAKE_WORLD_PRIVATE_H

#include <pthread.h>

#include "tests/unit/fake_world.h"

#define MAX_SETS      32
#define MAX_PARKED    256
#define MAX_CONSUMERS 8
#define TAG           "k3f9q"

struct world_job {
    enum aw_state state;
    bool pruned;
};

struct world_set {
    char name[64]; /* "": none */
    bool temporary, closed;
    bool *member;    /* by number */
    unsigned *order; /* completions; order[0] is place 1 */
    unsigned n_members, n_ended, n_failed;
};

struct world_cursor {
    char consumer[AW_MAX_CONSUMER + 1];
    uint64_t at;
};

/* A request that has not been answered. */
struct parked {
    int fd;
    uint32_t id;
    enum op op;
    int64_t end_us;
    struct world_set *set; /* set-read */
    uint64_t after, limit;
    uint64_t want; /* wait */
    bool first_error;
    unsigned *numbers; /* 0: none such */
    size_t n_numbers;
};

struct world {
    struct fake *fake;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* requests were counted, something was parked, or it ends */
    pthread_t timer;
    bool over;
    unsigned n_jobs, n_made, n_submitted;
    struct world_job *jobs; /* by number */
    struct world_set sets[MAX_SETS];
    struct world_cursor cursors[MAX_CONSUMERS];
    struct parked parked[MAX_PARKED];
    size_t n_parked;
    unsigned count[N_OPS], lose[N_OPS], fail[N_OPS];
    enum aw_err code[N_OPS];
};

int64_t world_clock_us(void);

/* Zeros, or the end of the test. */
void *world_zeroed(size_t n, size_t size);

/* ---- Requests that wait (fake_world.c) ---------------------------------------------------- */

void world_park(struct world *w, const struct parked *p);
/* Answers one, if there is something to say or it must be said now; whether it did. */
bool world_parked_answer(struct world *w, struct parked *p, bool now);
/* Answers those that have something now, or whose time is over. */
void world_parked_review(struct world *w);

/* Ends a job, everywhere. Who waits is told by world_parked_review(). */
void world_job_end(struct world *w, unsigned number, enum aw_state state);

/* ---- Jobs (fake_world_jobs.c) ------------------------------------------------------------- */

/* 0: there is no such job. */
unsigned world_number_of(const struct world *w, struct bytes id);
bool world_is_ended(const struct world *w, unsigned number);
bool world_is_failed(const struct world *w, unsigned number);
enum aw_err world_error_of(const struct world *w, unsigned number);
/* The i-th status of a reply: its text lives until the next reply. */
void world_status_fill(const struct world *w, struct job_status *job, unsigned number,
                       struct bytes id, size_t i);

bool world_wait_answer(struct world *w, const struct parked *p, bool now);

void world_answer_statuses(struct world *w, struct fake_request *rq);
void world_answer_submit(struct world *w, struct fake_request *rq);
void world_answer_result(struct world *w, struct fake_request *rq);
void world_answer_wait(struct world *w, struct fake_request *rq);
void world_answer_cancel(struct world *w, struct fake_request *rq);

/* ---- Sets (fake_world_sets.c) ------------------------------------------------------------- */

uint64_t *world_cursor_of(struct world *w, struct bytes consumer);
struct world_set *world_set_find(struct world *w, struct bytes name);
struct world_set *world_set_make(struct world *w, struct bytes name);
void world_set_free(struct world *w, struct world_set *set);
void world_set_join(const struct world *w, struct world_set *set, unsigned number);
/* A member has ended. */
void world_set_complete(const struct world *w, struct world_set *set, unsigned number);

bool world_read_answer(struct world *w, const struct parked *p, uint64_t cursor, bool now);

void world_answer_set_add(struct world *w, struct fake_request *rq);
void world_answer_set_read(struct world *w, struct fake_request *rq);
void world_answer_set_members(struct world *w, struct fake_request *rq);
void world_answer_set_forget(struct world *w, struct fake_request *rq);

#endif
