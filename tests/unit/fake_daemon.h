/*
 * fake_daemon.h - a daemon for tests of the client: a thread that listens on a unix socket in a
 * directory of its own, speaks SP, and does with each request what the test says.
 *
 * Answers are made with the real schemas, or are whatever bytes the test wants, so that the fake
 * can also be hostile, silent, or gone in the middle of a wait.
 */
#ifndef AW_FAKE_DAEMON_H
#define AW_FAKE_DAEMON_H

#include "proto/codec.h"
#include "proto/messages.h"

struct fake;

/* One request, as it came. Valid while the handler runs; copy what has to live longer. */
struct fake_request {
    struct fake *fake;
    int fd; /* of its connection */
    uint32_t id;
    enum op op;
    struct codec_doc doc;
    unsigned n;            /* requests before this one, on all connections */
    unsigned n_connection; /* connections before its own */
};

/* Runs on the fake's thread. One that does not reply leaves the request parked. */
typedef void (*fake_handler)(struct fake_request *rq, void *arg);

/* Aborts the test when anything fails. */
struct fake *fake_start(fake_handler handler, void *arg);
void fake_stop(struct fake *f); /* removes socket and directory */

const char *fake_path(const struct fake *f);

/* Closes listener and connections and removes the socket; listens again. */
void fake_down(struct fake *f);
void fake_up(struct fake *f);

/*
 * Called on the fake's thread when a connection is about to be closed: for those that keep requests
 * to reply to them later.
 */
void fake_on_close(struct fake *f, void (*closed)(int fd, void *arg));

/* What new connections are greeted with, instead of SP's handshake. */
void fake_greet(struct fake *f, const void *bytes, size_t len);

/* Blocks until that many requests have been dealt with in all (connections have come). */
void fake_await_requests(struct fake *f, unsigned n);
void fake_await_connections(struct fake *f, unsigned n);

/* Requests that have come: those that are answered are among them. */
unsigned fake_requests(struct fake *f);

/* ---- For handlers ------------------------------------------------------------------------ */

/* Reads the request's body into its struct. */
void fake_read(struct fake_request *rq, void *req);

/* Replies with a struct of the operation's reply. */
void fake_reply(struct fake_request *rq, const void *rep);
void fake_error(struct fake_request *rq, enum aw_err code, const char *message);

/* The same for a request that is no more: its connection and id have been kept. */
void fake_reply_to(int fd, uint32_t id, enum op op, const void *rep);

/* Any bytes: as the body of a message with this id, or on the bare connection. */
void fake_body(int fd, uint32_t id, const void *body, size_t len);
void fake_raw(int fd, const void *bytes, size_t len);
void fake_hang_up(struct fake_request *rq);

/*
 * For who speaks to a daemon by another process only: before that begins, and after it has ended.
 * Both may read then what the other has written. (A process is no synchronisation that
 * ThreadSanitizer sees.)
 */
void fake_meet(void);

#endif
