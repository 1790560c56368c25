/*
 * accounts.h - what each user has in the engine: jobs in memory, and what is on record.
 *
 * There is one as long as the user has anything, or somebody holds it: about 150 bytes. What is on
 * record is the store's to say: it is what was found when it was opened, and every change since,
 * as the store's operations report them (struct account_change), in their order.
 *
 * A pace tells how fast jobs end, and from that, roughly, how long it takes until there is room.
 *
 * All is found in O(1). Loop thread only.
 */
#ifndef AW_ACCOUNTS_H
#define AW_ACCOUNTS_H

#include <sys/queue.h>

#include "daemon/engine/embedded/store_effects.h"
#include "daemon/engine/numtable.h"

/* Who asks to try again is told a time between these. */
#define PACE_MIN_MS     100
#define PACE_MAX_MS     60000
#define PACE_UNKNOWN_MS 1000

struct pace {
    int64_t last_us;  /* since boot; 0: nothing has ended yet */
    int64_t every_us; /* from one end to the next, of late */
};

/* A job has ended. */
void pace_note(struct pace *p, int64_t boottime_us);
/* How long it takes until n more have ended, in milliseconds, within the bounds above. */
unsigned pace_wait_ms(const struct pace *p, uint64_t n, int64_t boottime_us);

/* One user. Fields are read by all. */
struct account {
    struct numnode node;  /* number: the uid */
    uint64_t n_refs;      /* private */
    uint64_t n_on_shared; /* jobs that hold one of the daemon's slots; by queues.c */
    uint64_t n_active;    /* jobs that hold any slot; by queues.c */
    uint64_t n_jobs;      /* that have not ended, or are on their way to the disk; by shares.c */
    uint64_t n_edges;     /* futures that these wait for; by deps.c */
    uint64_t kept, bytes, sets; /* on record */
    uint64_t wanted;            /* bytes that a submit has found no room for; by the engine */
    struct pace pace;           /* by the engine */
    TAILQ_ENTRY(account) link;  /* by the engine: among those whose old records are to go */
    bool linked;
};

TAILQ_HEAD(account_list, account);

struct accounts {
    struct numtable table;
    uint64_t kept, bytes; /* of all of them */
};

AW_MUSTCHECK bool accounts_init(struct accounts *a); /* false: out of memory */
/* Frees all of them. Harmless on a zeroed one. */
void accounts_done(struct accounts *a);

struct account *accounts_find(const struct accounts *a, uint32_t uid); /* NULL: there is none */

/* The account, made if it is not there; it stays until it is let go. NULL: out of memory. */
struct account *accounts_hold(struct accounts *a, uint32_t uid);
void accounts_release(struct accounts *a, struct account *account);

/*
 * What has changed on record. Somebody holds the account of a user who had nothing there before.
 * Without anything left an account that nobody holds goes.
 */
void accounts_change(struct accounts *a, const struct account_change *change);

static inline uint32_t account_uid(const struct account *account)
{
    return (uint32_t)account->node.number;
}

#endif
