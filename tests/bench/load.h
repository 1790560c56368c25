/*
 * load.h - clients that cost as little as a client can, on the daemon's ipc socket.
 *
 * A load has connections, each with any number of unanswered requests. What is sent is written
 * once in each turn of load_run(), as a batch; answers are handed over one by one. One thread.
 * Whatever goes wrong ends the program: these are measurements.
 */
#ifndef AW_BENCH_LOAD_H
#define AW_BENCH_LOAD_H

#include "proto/codec.h"
#include "proto/messages.h"

struct load;

struct load_conn {
    struct load *load;
    size_t index; /* which connection, from 0 */
    void *user;

    int fd; /* private, all that follows */
    uint8_t *in, *out;
    size_t in_len, in_cap, out_len, out_cap;
    bool writing;
};

/* An answer without an error. The body is valid during the call, which may send. */
typedef void (*load_reply_fn)(struct load_conn *c, uint32_t id, const uint8_t *body, size_t len);

struct load *load_open(const char *socket, size_t n_conns, load_reply_fn on_reply, void *user);
void load_close(struct load *load);

struct load_conn *load_conn(struct load *load, size_t i);
void *load_user(struct load *load);

/* Queues a request; `id` comes back with the answer. */
void load_send(struct load_conn *c, uint32_t id, const void *body, size_t len);

/* Sends and receives until `stop` is set (by on_reply). */
void load_run(struct load *load, const bool *stop);
/* The same, for at most that long. */
void load_run_for(struct load *load, const bool *stop, int64_t us);

/* One request and its answer, on a connection with nothing under way; the body is valid until the
 * next call. */
void load_ask(struct load_conn *c, const void *body, size_t len, const uint8_t **ret_body,
              size_t *ret_len);

/* A request's body; valid until the next call with the same buf. */
struct bytes load_body(struct codec_buf *buf, enum op op, const void *req);
/* An answer, decoded; codec_close() it. */
void load_decode(enum op op, const uint8_t *body, size_t len, void *rep, struct codec_doc *doc);

#endif
