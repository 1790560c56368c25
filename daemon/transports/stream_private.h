/*
 * stream_private.h - what the files of the stream transport share.
 *
 *   stream.c         connections: opens and closes them, sends what was answered; and the whole
 *   stream_accept.c  listens, and says who comes in, as whose
 *   stream_read.c    reads requests: whole ones go on, and no more of them than their user's share
 *   tls.c            what lies between a stream and its socket when it is encrypted
 *
 * Loop thread only.
 */
#ifndef AW_STREAM_PRIVATE_H
#define AW_STREAM_PRIVATE_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/share.h"
#include "daemon/transports/listener.h"
#include "daemon/transports/tls.h"
#include "daemon/transports/transport.h"
#include "proto/sp.h"

#define SCRATCH (64u << 10)

/* A message's header and its request's id. That of tcp is that of ipc without the first byte. */
#define FRAME (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)

/* Unsent bytes from which on a connection is not read. */
#define BACKLOG (1u << 20)

enum phase { SECURING, SHAKING, HEADER, BODY, BROKEN };

struct stream_call {
    struct call base;
    uint32_t request_id;
    size_t len;
    void *body; /* NULL once parked */
};

struct out {
    uint8_t *data;
    size_t off, len, cap; /* off to len is yet to be sent */
};

struct stream {
    struct conn base;
    struct transport *tr;
    int fd;
    enum socket_kind kind;
    struct event read, write;
    TAILQ_ENTRY(stream) entry, dirty_entry, securing_entry;
    struct share_member member; /* its memory: what is read, stashed and unsent */
    bool dirty;                 /* has answers for the end of this turn */
    bool paused;                /* is not read, and nothing of `stash` is looked at */
    bool doomed;                /* is to be closed at the end of this turn */
    bool securing;              /* is in the list of those */
    enum phase phase;
    struct tls *tls;     /* NULL: not encrypted */
    int64_t deadline_us; /* SECURING and SHAKING: until when both must be done */
    size_t have;         /* bytes of this phase */
    uint8_t head[FRAME];
    struct stream_call *incoming; /* BODY: what is being read */
    size_t room;                  /* of its body, which grows as it comes */
    uint8_t *stash;               /* what was read when it was paused */
    size_t stash_off, stash_len;
    struct out out;
};
TAILQ_HEAD(stream_list, stream);

/* One that is listened on. */
struct stream_socket {
    LIST_ENTRY(stream_socket) entry;
    struct transport *tr;
    enum socket_kind kind;
    struct listener *listener;
};

/* Connections of one sort, which are limited together. */
struct crowd {
    unsigned n, max;
    bool refusing; /* said so in the log */
};

struct transport {
    struct endpoint *ep;
    struct event_base *base;
    const struct endpoint_config *config;
    bool has_admin_group;
    gid_t admin_gid;
    LIST_HEAD(, stream_socket) sockets;
    struct stream_list streams, dirty;
    struct stream_list securing; /* those whose TLS handshake is under way, the oldest first */
    struct event *flush;
    struct event *again; /* the next turn of those who are in line */
    struct shares *shares;
    struct crowd local, remote; /* by ipc; by tcp and TLS */
    struct tls_context *tls;    /* NULL until it is listened for */
    bool quiet, closing;
    struct out spare; /* a buffer for whoever answers next */
    uint8_t scratch[SCRATCH];
};

static inline struct crowd *crowd_of(struct transport *tr, enum socket_kind kind)
{
    return kind == SOCKET_IPC ? &tr->local : &tr->remote;
}

/* Where a message's header begins in `head`. */
static inline size_t header_start(const struct stream *c)
{
    return c->kind == SOCKET_IPC ? 0 : 1;
}

/* How long its client may take for a handshake, and from one piece of a message to the next. */
static inline struct timeval stall_time(const struct stream *c)
{
    unsigned ms = c->tr->config->stall_ms;

    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static inline size_t unsent(const struct stream *c)
{
    return c->out.len - c->out.off;
}

/* ---- stream.c -------------------------------------------------------------------------------- */

/* Takes over a connection that has been let in, a member of its share. */
void stream_start(struct stream *c);

/* The TLS handshake is over: from now on SP is spoken, by whom the certificate names. */
void stream_secured(struct stream *c);

void stream_close(struct stream *c);

/* It is of no more use, and closed by whoever reads from it. */
void stream_break(struct stream *c, const char *why);

/* The same for one that nobody reads from just now: it is closed at the end of this turn. */
void stream_doom(struct stream *c, const char *why);

/* Something is to be done about it at the end of this turn. */
void stream_is_dirty(struct stream *c);

/* Counts its memory anew. If its user has too much by that, who has most of it is closed. */
void stream_weigh(struct stream *c);

/* Calls stream_writable() once it can be written to. False: it is closed, as nobody ever would. */
bool stream_await_room(struct stream *c);

void stream_writable(evutil_socket_t fd, short what, void *arg);

void call_free(struct stream_call *call);

/* ---- stream_accept.c ------------------------------------------------------------------------- */

/* A connection whose certificate is known becomes one of its user's. False: he has too many. */
AW_MUSTCHECK bool stream_join_user(struct stream *c);

/* Listens no more. */
void sockets_free(struct transport *tr);

/* How many there may be, at most `max_connections` and by what files the process may have. */
void crowds_limit(struct transport *tr);

/* ---- stream_read.c --------------------------------------------------------------------------- */

void stream_readable(evutil_socket_t fd, short what, void *arg);

/* Reads what is there. May close it. */
void stream_read(struct stream *c);

/* Goes on with the TLS handshake. May close it. */
void stream_secure(struct stream *c);

/* Lines up for its next turn, if it was paused and nothing of its own is in the way. */
void stream_line_up(struct stream *c);

/* Its turn has come: takes up what was read when it was paused, and reads on. May close it. */
void stream_resume(struct stream *c);

#endif
