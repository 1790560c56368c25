/*
 * attempt.h - one attempt, as the exec worker holds it: where it stands, and the messages about it.
 *
 *   start --> WAITING --> SENT --> RUNNING --+--> ENDED --> RECORDED --> freed
 *                ^          |         ^      |
 *                |          |         |      |      ENDED: the host was told
 *   adopt --> ADOPTED ------+---------+      |      RECORDED: the host has it in its store, and the
 *                |          |         |      |                runner is to be told so
 *                +----------+---------+--> CLEANING (its runner is dead)
 *
 *   REFUSED: the host is to be told at once, without the runner.
 *   STRANGER: the runner has it, and we do not want it.
 *
 * Who moves it is exec.c. Loop thread only.
 */
#ifndef AW_ATTEMPT_H
#define AW_ATTEMPT_H

#include <sys/queue.h>

#include "daemon/workers/runner_link.h"

enum attempt_state {
    ATTEMPT_WAITING,
    ATTEMPT_SENT,
    ATTEMPT_RUNNING,
    ATTEMPT_ADOPTED,
    ATTEMPT_CLEANING,
    ATTEMPT_REFUSED,
    ATTEMPT_ENDED,
    ATTEMPT_RECORDED,
    ATTEMPT_STRANGER,
};

/* What the runner is to be told of it. */
enum {
    SEND_START = 1 << 0,
    SEND_STOP = 1 << 1,
    SEND_WATCH = 1 << 2,
    SEND_CLEAN = 1 << 3,
    SEND_ACK = 1 << 4,
};

struct attempt {
    LIST_ENTRY(attempt) by_claim;
    TAILQ_ENTRY(attempt) outbox; /* while `send` is not 0, or REFUSED */
    uint64_t claim;
    char id[AW_MAX_ID];
    enum attempt_state state;
    unsigned send;
    uint64_t instance; /* of the runner that it was sent to, or that said it has it; 0: none */
    bool confirmed;    /* by the runner, since it was last connected */
    bool stop_wanted, watch_wanted;
    uint64_t grace_ms; /* the job's own, until stop() says another */
    int64_t claimed_us;
    int64_t started_us;
    pid_t pid;
    void *start; /* the encoded START until it has surely arrived */
    size_t start_len;
    int start_fd;  /* the same, if it is too long for a packet; else -1 */
    int stdin_fd;  /* -1: none */
    char *refusal; /* REFUSED: why it cannot be started; NULL: it was stopped */
};

TAILQ_HEAD(attempt_list, attempt);

#define ATTEMPT_BUCKETS 1024

/* All attempts, by claim. Zeroed, it is empty. */
struct attempt_table {
    LIST_HEAD(, attempt) buckets[ATTEMPT_BUCKETS];
};

/* NULL: there is none. */
struct attempt *attempt_find(struct attempt_table *table, uint64_t claim);
/* NULL: out of memory. */
struct attempt *attempt_new(struct attempt_table *table, uint64_t claim, enum attempt_state state);
/* It must be on no list but the table's. */
void attempt_free(struct attempt *a);

/*
 * Encodes all that is needed to start it, at any time from now on. AW_ERR_INVALID,
 * AW_ERR_TOO_LARGE, AW_ERR_NO_MEMORY, AW_ERR_SYSTEM: it cannot be started, and `err` says why.
 */
AW_MUSTCHECK enum aw_err attempt_start_set(struct attempt *a, const struct work *work,
                                           struct aw_error *err);
/* The START has arrived, or will never be sent. */
void attempt_start_forget(struct attempt *a);

static inline bool attempt_has_start(const struct attempt *a)
{
    return a->start || a->start_fd >= 0;
}

/*
 * Adds all that `send` says to a packet for the runner of that instance; descriptors that go with
 * it stay the attempt's. False: not all of it fits, and it is to be called again with the next
 * packet; what is said twice then does no harm.
 */
AW_MUSTCHECK bool attempt_fill(struct attempt *a, uint64_t instance, struct runner_link_out *out);

#endif
