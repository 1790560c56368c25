/*
 * loop_rig.h - what tests of libaw in an event loop share: a client, a loop, and a record of what
 * was called back.
 */
#ifndef AW_LOOP_RIG_H
#define AW_LOOP_RIG_H

#include "tests/unit/unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/unit/client_rig.h"
#include "tests/unit/fake_world.h"

#define LONG_MS 60000

static inline struct aw_future *future_of(struct aw_client *client, unsigned number)
{
    struct aw_future *future;
    char id[32];

    snprintf(id, sizeof(id), "k3f9q-%u", number);
    ck_assert_int_eq(aw_lookup(client, id, &future, NULL), AW_OK);
    return future;
}

static inline bool is_readable(struct aw_client *client, int timeout_ms)
{
    struct pollfd pfd = {.fd = -1, .events = POLLIN};

    ck_assert_int_eq(aw_client_fd(client, &pfd.fd, NULL), AW_OK);
    return poll(&pfd, 1, timeout_ms) == 1;
}

/* What a program's event loop does. */
static inline void drive(struct aw_client *client)
{
    size_t pending = 1;

    for (;;) {
        ck_assert_int_eq(aw_client_process(client, 0, &pending, NULL), AW_OK);
        if (pending == 0)
            return;
        ck_assert(is_readable(client, LONG_MS));
    }
}

/* Turns until nothing is left to do for now. */
static inline void settle(struct aw_client *client)
{
    do
        ck_assert_int_eq(aw_client_process(client, 0, NULL, NULL), AW_OK);
    while (is_readable(client, 0));
}

/* Turns until so many requests of that kind have arrived. */
static inline void turn_until(struct aw_client *client, struct world *world, enum op op, unsigned n)
{
    while (world_count(world, op) < n)
        ck_assert_int_eq(aw_client_process(client, 1, NULL, NULL), AW_OK);
    settle(client);
}

/* What was called back, in its order. */
struct record {
    unsigned n;
    unsigned *numbers;
    enum aw_err *errors;
    enum aw_state *states;
    pthread_t thread;
};

static inline struct record *record_new(unsigned size)
{
    struct record *r = calloc(1, sizeof(*r));

    r->numbers = calloc(size, sizeof(*r->numbers));
    r->errors = calloc(size, sizeof(*r->errors));
    r->states = calloc(size, sizeof(*r->states));
    return r;
}

static inline void record_free(struct record *r)
{
    free(r->numbers);
    free(r->errors);
    free(r->states);
    free(r);
}

static inline void record(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct record *r = arg;

    ck_assert_str_eq(status->id, aw_future_id(future));
    r->numbers[r->n] = (unsigned)strtoul(strchr(status->id, '-') + 1, NULL, 10);
    r->errors[r->n] = status->err;
    r->states[r->n++] = status->state;
    r->thread = pthread_self();
}

static inline void watch(struct aw_client *client, unsigned number, struct record *r)
{
    struct aw_future *future = future_of(client, number);

    ck_assert_int_eq(aw_future_on_done(future, record, r, NULL), AW_OK);
    aw_future_unref(future); /* the client holds it */
}

/* The jobs 1 to n. */
static inline void watch_all(struct aw_client *client, unsigned n, struct record *r)
{
    for (unsigned i = 1; i <= n; i++)
        watch(client, i, r);
}

/* The end of a test. */
static inline void close_all(struct aw_client *client, struct record *r, struct world *world)
{
    aw_client_close(client);
    record_free(r);
    world_stop(world);
}

#endif
