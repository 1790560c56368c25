/*
 * server.h - the daemon put together: who owns what, and who tells whom.
 *
 *   endpoint --call--> dispatch --exchange--> ops/  --engine_*()--> engine
 *      ^                                      |                      |
 *      +------------- exchange_reply() <------+   runnable, ended, stop, gone
 *                                             |       set_changed    |
 *                       watches, leases <-----+-- server.c <---------+
 *                                             |                      |
 *                                             +-- running --start--> workers
 *
 * Everything runs on the one loop thread. The server owns all of these and frees them in the
 * order in which they need each other.
 */
#ifndef AW_SERVER_H
#define AW_SERVER_H

#include "daemon/access.h"
#include "daemon/config.h"
#include "daemon/dirs.h"
#include "daemon/endpoint.h"
#include "daemon/engine/engine.h"
#include "daemon/leases.h"
#include "daemon/offload.h"
#include "daemon/running.h"
#include "daemon/spool.h"
#include "daemon/watches.h"
#include "proto/codec.h"

enum stop_mode {
    STOP_NOT,   /* it goes on */
    STOP_LEAVE, /* now; running jobs go on without us */
    STOP_DRAIN, /* once the running jobs have ended; no new ones are started */
    STOP_KILL,  /* the same, and they are told to end */
};

struct server {
    struct event_base *base;
    const struct config *config;
    struct endpoint *endpoint;
    struct access *access; /* as whom clients act */
    struct engine *engine;
    struct running *running;
    struct watches *watches;     /* of jobs */
    struct watches *set_watches; /* of sets */
    struct leases *leases;
    struct offload *offload;
    const struct dirs *dirs;
    struct spool spool;
    struct codec_buf out;          /* where answers are written before they are sent */
    uint64_t out_key;              /* by what dispatch.c knows the one in it again; 0: by nothing */
    struct wakes *wakes;           /* waits that are over, and to be answered */
    TAILQ_HEAD(, exchange) parked; /* requests that wait for something */
    int64_t started_us;
    bool recovered; /* what was running has been found again, or ended */
    bool draining;
    bool backing_up;
    enum stop_mode stopping;
    int exit_code;
};

/*
 * Opens store and spool, finds again what was running, starts the workers, and listens. Blocks
 * while it does. `config` and `dirs` outlive the server. The sentence in *err says what is in the
 * way.
 */
AW_MUSTCHECK enum aw_err server_start(struct event_base *base, const struct config *config,
                                      const struct dirs *dirs, struct server **ret,
                                      struct aw_error *err);

/* Tells parked requests that the daemon goes down, waits for what is being committed, frees. */
void server_free(struct server *srv);

/* Ends the loop, at once or when the mode allows. A stronger mode than before takes over. */
void server_stop(struct server *srv, enum stop_mode mode);

/* An attempt has ended: if that was the last one that a stop waits for, the loop ends. */
void server_drained(struct server *srv);

/* Takes over what may change while running, after the configuration was read again. */
void server_reconfigure(struct server *srv);

/* "running 3, queued 17": for systemd's status line. */
void server_status_line(struct server *srv, char *buf, size_t size);

#endif
