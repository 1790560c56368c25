/*
 * worker.h - what runs jobs, as the server sees it: start, stop, and exactly one completion.
 *
 * A worker takes attempts. Each attempt is named by its claim, a number that the engine makes anew
 * for each attempt and never gives out twice. For every claim that was given to start() or
 * adopt(), and was taken, the worker calls host->ended() once and only once: whatever happened,
 * stop() called or not. It calls it from the event loop, never from inside start(), adopt() or
 * stop().
 *
 * Everything here runs on the loop thread and must not block.
 */
#ifndef AW_WORKER_H
#define AW_WORKER_H

#include "daemon/engine/outcome.h"
#include "proto/messages.h"

/* An attempt to be made. What it points to is valid during the call only. */
struct work {
    uint64_t claim;
    uint64_t number;       /* of the job */
    uint64_t attempt;      /* 1, 2, ... */
    const char *id;        /* the future ID, in full */
    const struct job *job; /* what to run */
    uint32_t uid, gid;     /* who submitted it */
    uint64_t output_limit; /* bytes; the daemon's own limit already applied */
    struct limits limits;  /* the job's own, or its queue's where those are stricter */
    int64_t started_us;    /* adopt(): when the attempt began */
};

/* Calls back to the server; `arg` is what the worker was made with. */
struct worker_host {
    /* The attempt has a process now. Workers without processes never call it. */
    void (*started)(void *arg, uint64_t claim, pid_t pid, int64_t started_us);
    /* A watched attempt's stream has grown: `size` bytes are in its spool file. */
    void (*grown)(void *arg, uint64_t claim, int stream, uint64_t size);
    /* The attempt has ended. `outcome` and what it points to are valid during the call only. */
    void (*ended)(void *arg, uint64_t claim, const struct outcome *outcome);
};

struct worker;

struct worker_ops {
    const char *type; /* of the jobs that it takes */

    /*
     * Its attempts may be claimed some time before they begin. False: after a crash they would be
     * taken for ones that have begun, and that would do harm.
     */
    bool may_be_held;

    /*
     * Begins an attempt. Failures come as ended() with AW_CLASS_SPAWN, but for one: false means out
     * of memory. Nothing has begun then, and ended() will not be called.
     */
    bool (*start)(struct worker *w, const struct work *work);

    /*
     * After a restart of the daemon: this attempt was running. The worker finds it again and goes
     * on as if it had started it; if it is no more, ended() says AW_CLASS_INTERRUPTED, after the
     * worker has made sure that nothing of it runs. If it is known that it never began, ended()
     * says so (outcome.unbegun), and it will not. False as with start().
     */
    bool (*adopt)(struct worker *w, const struct work *work);

    /* Ends an attempt early: SIGTERM, after grace_ms SIGKILL. Unknown claims are ignored. */
    void (*stop)(struct worker *w, uint64_t claim, int64_t grace_ms);

    /* The outcome of the attempt is durable: the worker may forget it. */
    void (*recorded)(struct worker *w, uint64_t claim);

    /*
     * Somebody wants to read the output of a running attempt: from now on it goes to the spool
     * files and grown() is called, at once with the present sizes. NULL where there is no output.
     */
    void (*watch)(struct worker *w, uint64_t claim);

    void (*free)(struct worker *w);
};

/* Embedded first in each worker's own struct. */
struct worker {
    const struct worker_ops *ops;
    const struct worker_host *host;
    void *arg;
};

struct event_base;

/* In-loop workers. NULL: out of memory. */
struct worker *worker_noop_new(struct event_base *base, const struct worker_host *host, void *arg);
struct worker *worker_sleep_new(struct event_base *base, const struct worker_host *host, void *arg);

#endif
