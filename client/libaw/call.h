/*
 * call.h - one operation of the protocol: its request from a struct, its reply into a struct.
 *
 * Between the API (aw.h) and the mux: envelope and codec, the daemon's errors, and when to ask
 * again by ourselves because the daemon said "not now" (busy, stopping, in doubt).
 */
#ifndef AW_CLIENT_CALL_H
#define AW_CLIENT_CALL_H

#include <stdatomic.h>

#include "client/aw.h"
#include "client/libaw/mux.h"
#include "proto/codec.h"
#include "proto/messages.h"

struct watcher;

struct aw_client {
    atomic_uint n_refs; /* the opener's, and one for each future */
    int64_t retry_ms, wait_retry_ms, answer_ms;
    struct mux mux;
    struct watcher *watcher; /* of futures that call back */
};

struct aw_client *client_ref(struct aw_client *client);
void client_unref(struct aw_client *client);

/* Another thread may close the client during a call: each call that uses it twice holds it. */
static inline void cleanup_client(struct aw_client **client)
{
    client_unref(*client);
}

#define _hold_client_(client) \
    __attribute__((cleanup(cleanup_client), unused)) struct aw_client *held_ = client_ref(client)

struct call {
    enum op op;
    const void *req;     /* struct NAME_req */
    bool once;           /* must not be sent again when the connection breaks */
    bool waits;          /* for a future: wait_retry_ms counts, and silence is an outage */
    bool hasty;          /* one try, if it can be made now; over at deadline_us */
    int64_t hold_ms;     /* how long the daemon was asked to hold it */
    int64_t deadline_us; /* the caller's limit; NEVER_US */
};

/* A reply, opened. Structs read from it point into it. */
struct answer {
    char *body;
    struct codec_doc doc;
};

/*
 * Makes the call and reads the reply into `rep` (struct NAME_rep).
 * On AW_OK *ret is the caller's, to be given to answer_done(). Otherwise the daemon's error, or
 * one of mux_exchange()'s.
 */
AW_MUSTCHECK enum aw_err call_make(struct aw_client *client, const struct call *call, void *rep,
                                   struct answer *ret, struct aw_error *err);
void answer_done(struct answer *a);

#define _cleanup_answer_ __attribute__((cleanup(answer_done)))

/*
 * The same without blocking, for event loops: call_start(), and when mux_take() gives &ac->x back,
 * call_end(). Zeroed when new; may be used again when it is over. Goes on without a connection for
 * as long as it takes, and does not ask again by itself: that is for its owner to do.
 */
struct async_call {
    struct exchange x;
    struct codec_buf buf;
    struct call call;
    bool busy;
};

/* `req` is not needed any longer afterwards. On failure it is as if it had not been called. */
AW_MUSTCHECK enum aw_err call_start(struct aw_client *client, struct async_call *ac,
                                    const struct call *call, struct aw_error *err);

/* Tells the daemon something and waits for nothing; may come to nothing: mux_tell(). */
void call_tell(struct aw_client *client, const struct call *call);

/* As call_make() ends. AW_ERR_UNREACHABLE: no answer in time. */
AW_MUSTCHECK enum aw_err call_end(struct aw_client *client, struct async_call *ac, void *rep,
                                  struct answer *ret, struct aw_error *err);

/* It is not wanted any more. Harmless when it is not busy. */
void call_drop(struct aw_client *client, struct async_call *ac);

/* Frees what a call of a client that is gone, or of a parent process, holds. */
void call_abandon(struct async_call *ac);

/* The number by which the daemon knows a submit again: ordered by time, the rest random. */
AW_MUSTCHECK enum aw_err request_key_make(uint8_t ret[16], struct aw_error *err);

/* A text that is left out of a request when it is empty. */
static inline struct bytes bytes_or_none(const char *text)
{
    return *text ? bytes_str(text) : bytes_of(NULL, 0);
}

/* An array of texts as a protocol struct wants it; *ret->v is to be freed. */
AW_MUSTCHECK enum aw_err ids_prepare(const char *const *ids, size_t n, struct strv *ret,
                                     struct aw_error *err);

#endif
