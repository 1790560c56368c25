/*
 * ipc_private.h - what the files of the ipc transport share.
 *
 *   ipc.c       listens, accepts, closes; and sends what was answered
 *   ipc_read.c  reads requests: whole ones go on, and no more of them than their user's share
 *
 * Loop thread only.
 */
#ifndef AW_IPC_PRIVATE_H
#define AW_IPC_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/share.h"
#include "daemon/transports/transport.h"
#include "proto/sp.h"

#define SCRATCH (64u << 10)
#define FRAME   (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)

/* Unsent bytes from which on a connection is not read. */
#define BACKLOG (1u << 20)

/* For the handshake; and between two pieces of one message. */
#define STALL_S 10

enum phase { SHAKING, HEADER, BODY, BROKEN };

struct ipc_call {
    struct call base;
    uint32_t request_id;
    size_t len;
    void *body; /* NULL once parked */
};

struct out {
    uint8_t *data;
    size_t off, len, cap; /* off to len is yet to be sent */
};

struct ipc_conn {
    struct conn base;
    struct ipc *ipc;
    int fd;
    struct event read, write;
    TAILQ_ENTRY(ipc_conn) entry, dirty_entry;
    struct share_member member; /* its memory: what is read, stashed and unsent */
    bool dirty;                 /* has answers for the end of this turn */
    bool paused;                /* is not read, and nothing of `stash` is looked at */
    bool doomed;                /* is to be closed at the end of this turn */
    enum phase phase;
    size_t have; /* bytes of this phase */
    uint8_t head[FRAME];
    struct ipc_call *incoming; /* BODY: what is being read */
    size_t room;               /* of its body, which grows as it comes */
    uint8_t *stash;            /* what was read when it was paused */
    size_t stash_off, stash_len;
    struct out out;
};
TAILQ_HEAD(conn_list, ipc_conn);

struct ipc {
    struct endpoint *ep;
    struct event_base *base;
    const struct endpoint_config *config;
    bool has_admin_group;
    gid_t admin_gid;
    LIST_HEAD(, ipc_socket) sockets;
    struct conn_list conns, dirty;
    struct event *flush;
    struct event *again; /* the next turn of those who are in line */
    struct shares *shares;
    unsigned n_conns, max_conns;
    bool refusing; /* said so in the log */
    bool quiet, closing;
    struct out spare; /* a buffer for whoever answers next */
    uint8_t scratch[SCRATCH];
};

/* ---- ipc.c ----------------------------------------------------------------------------------- */

void conn_close(struct ipc_conn *c);

/* It is of no more use, and closed by whoever reads from it. */
void conn_break(struct ipc_conn *c, const char *why);

/* The same for one that nobody reads from just now: it is closed at the end of this turn. */
void conn_doom(struct ipc_conn *c, const char *why);

/* Something is to be done about it at the end of this turn. */
void conn_is_dirty(struct ipc_conn *c);

void call_free(struct ipc_call *call);

static inline size_t unsent(const struct ipc_conn *c)
{
    return c->out.len - c->out.off;
}

/* Counts its memory anew. If its user has too much by that, who has most of it is closed. */
void conn_weigh(struct ipc_conn *c);

/* ---- ipc_read.c ------------------------------------------------------------------------------ */

void conn_readable(evutil_socket_t fd, short what, void *arg);

/* Reads what is there. May close it. */
void conn_read(struct ipc_conn *c);

/* Lines up for its next turn, if it was paused and nothing of its own is in the way. */
void conn_line_up(struct ipc_conn *c);

/* Takes up what was read when it was paused, and reads on. */
void conn_resume(struct ipc_conn *c);

#endif
