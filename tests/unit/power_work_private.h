/*
 * power_work_private.h - shared by power_work*.c: the calls under way, and what is known of before.
 */
#ifndef AW_POWER_WORK_PRIVATE_H
#define AW_POWER_WORK_PRIVATE_H

#include "tests/unit/engine_rig_private.h"
#include "tests/unit/power_work.h"

#define POWER_NUMBERS 16384 /* more than are given out */
#define POWER_BURST   64
#define POWER_BATCH   12
#define POWER_HELD    4096
#define POWER_ASKED   4096

enum call_kind {
    CALL_SUBMIT,
    CALL_CLAIM,
    CALL_FINISH,
    CALL_RELEASE,
    CALL_CANCEL,
    CALL_FORGET,
    CALL_CHANGE,
    CALL_SET_ADD,
    CALL_SET_CLOSE,
    CALL_SET_FORGET,
    CALL_SET_READ,
    CALL_QUEUE_SET,
    CALL_QUEUE_REMOVE,
};

struct call {
    enum call_kind kind;
    unsigned id;
    struct answer *answer;
    const char *name; /* of a set or queue */
    const char *consumer;
    uint64_t *ack_next;
    bool has_priority;
    int priority;
    struct claimed claim;
    enum aw_class class;
    int exit_code;
    char out[40];
    char request[17];
    size_t n;
    struct {
        char name[24], key[8];
        int priority;
        struct power_job asked;
    } jobs[POWER_BATCH];
};

/* A request that has a name. */
struct asked {
    char request[17];
    size_t n;
};

extern struct power_work {
    struct dice dice;
    unsigned n_calls;
    size_t from, before; /* where this burst and the one before began */
    struct call burst[POWER_BURST];
    size_t n_burst;
    struct claimed held[POWER_HELD];
    size_t n_held;
    struct asked asked[POWER_ASKED];
    size_t n_asked;
    uint64_t acks[POWER_SETS][POWER_CONSUMERS];
    uint64_t sets_gone[POWER_SETS]; /* the ID that a name had when it was forgotten */
    struct power_job jobs[POWER_NUMBERS];
    uint64_t numbers[POWER_NUMBERS]; /* those told, in order */
    size_t n_numbers;
} work;

/* Tells the facts of what the rig noted, and forgets the notes. */
void power_notes_tell(void);

#endif
