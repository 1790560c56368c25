/*
 * mux.h - many requests on one connection: SP's framing, request ids, reconnecting.
 *
 *     exchange A --+                                                +-- thread of A leads: polls
 *     exchange B --+--> table by request id --> stream (stream.h) <-+-- threads of B and C sleep
 *     exchange C --+                                                    until theirs is done
 *
 * An exchange is one request and its reply. mux_exchange() puts it into the table, sends it, and
 * comes back once it is done. There is no thread here: of those that wait, one leads. It polls,
 * reads whatever comes, completes everybody's exchanges, and connects again when it must. When its
 * own is done, it hands the lead to another.
 *
 * The connection is down (no stream; the next try has its time), greeting (the stream is there,
 * the peer's handshake is not), or up. When it breaks, exchanges that were sent go back to the
 * queue, to be sent again on the next one, or end with AW_ERR_IN_DOUBT if they must not be. Only
 * the leader closes a stream, so that nobody polls a closed fd.
 *
 * Threads: any number. Everything is guarded by `lock`; the leader lets go of it while it polls.
 * Streams are read by the leader and written to by whoever holds the lock.
 *
 * An event loop can later take the leader's place: fd and events to poll, a time limit, and one
 * call to process them are what lead() is made of.
 */
#ifndef AW_CLIENT_MUX_H
#define AW_CLIENT_MUX_H

#include <pthread.h>
#include <sys/queue.h>
#include <time.h>

#include "client/libaw/address.h"
#include "client/libaw/stream.h"
#include "proto/limits.h"
#include "proto/sp.h"

#define MUX_HEADER  (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)
#define MUX_BUCKETS 64
#define MUX_BUFFER  16384

/* Time without an end; as a point in time, and as a duration in milliseconds. */
#define NEVER_US   INT64_MAX
#define FOREVER_MS (-1)

struct exchange {
    /* In. */
    struct bytes body;
    bool resend;         /* may be sent again when the connection broke before the answer */
    int64_t patience_ms; /* how long to go on without a connection; FOREVER_MS */
    int64_t give_up_us;  /* mono_us() by which the answer must be there; NEVER_US */
    int64_t down_end_us; /* the same while there is no connection; NEVER_US */

    /* Out: malloc'ed, the caller's. */
    char *reply;
    size_t reply_len;

    /* Private. */
    enum { EXCHANGE_UNSENT, EXCHANGE_SENT, EXCHANGE_DONE } state;
    uint32_t id;
    uint8_t header[MUX_HEADER];
    int64_t start_us;
    enum aw_err result;
    struct aw_error err;
    pthread_cond_t cond;
    TAILQ_ENTRY(exchange) all, queue;
    LIST_ENTRY(exchange) bucket;
};

TAILQ_HEAD(exchange_list, exchange);
LIST_HEAD(exchange_bucket, exchange);

struct mux {
    pthread_mutex_t lock;
    pid_t pid; /* of the process that it belongs to */
    bool closed, leading;
    int wake_fd; /* eventfd: the leader is to look again */

    /* Where to. */
    struct address address;
    size_t at;    /* address.v[at] is, or was last, connected to */
    bool settled; /* it was there once: other addresses are not tried any more */
    char *tls_ca_file, *tls_cert_key_file;

    /* The connection. */
    enum { MUX_DOWN, MUX_GREETING, MUX_UP } state;
    struct stream *stream;
    enum aw_err broken;    /* the leader is to close the stream, for this reason */
    struct aw_error why;   /* of the last failure */
    int64_t next_try_us;   /* down: when to connect */
    unsigned n_tries;      /* since the last answer */
    int64_t down_since_us; /* the first failure since the last answer; 0: none */
    uint64_t seed;         /* of the jitter */

    /* Who is told of outages. */
    void (*notice)(void *arg, enum aw_err code, const char *text);
    void *notice_arg;
    bool told;

    /* Going out: what is left of our handshake, then the queue. */
    size_t greeting_left;
    struct exchange_list queue;
    size_t queue_off; /* bytes of the first in the queue that are sent */

    /* Coming in. */
    uint8_t in[MUX_BUFFER];
    size_t in_pos, in_len;
    bool in_body;            /* inside of a message */
    struct exchange *in_for; /* whose; NULL: nobody's, its bytes are dropped */
    char *in_data;
    size_t in_size, in_have;

    /* The table. */
    struct exchange_list all;
    struct exchange_bucket bucket[MUX_BUCKETS];
    uint32_t last_id;
};

static inline int64_t mono_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A time limit in milliseconds from now (negative: none) as a point in time. */
static inline int64_t deadline_us(int64_t timeout_ms)
{
    return timeout_ms < 0 || timeout_ms > AW_MAX_DURATION_MS ? NEVER_US
                                                             : mono_us() + timeout_ms * 1000;
}

/* On failure there is nothing to undo. `url` as in address_init(). */
AW_MUSTCHECK enum aw_err mux_init(struct mux *m, const char *url, struct aw_error *err);

/* No exchange may be under way. In a forked child, drops our copy of the connection. */
void mux_done(struct mux *m);

/* Ends all exchanges, present and to come, with AW_ERR_CLOSED. */
void mux_close(struct mux *m);

/*
 * Sends x->body and waits for the reply.
 * AW_OK: x->reply is there. AW_ERR_UNREACHABLE: no connection for longer than patience_ms, or not
 * by down_end_us. AW_ERR_TIMED_OUT: no answer by give_up_us. AW_ERR_IN_DOUBT: the connection broke
 * and x->resend is false. AW_ERR_PROTOCOL: the peer does not speak SP. AW_ERR_CLOSED.
 * AW_ERR_USAGE: in a forked child.
 */
AW_MUSTCHECK enum aw_err mux_exchange(struct mux *m, struct exchange *x, struct aw_error *err);

/* Sleeps; AW_ERR_CLOSED when mux_close() comes first. */
AW_MUSTCHECK enum aw_err mux_sleep(struct mux *m, int64_t ms, struct aw_error *err);

/* The connection cannot be trusted any more (nonsense, silence): use a new one. */
void mux_reset(struct mux *m, enum aw_err code, const char *reason);

/* Takes the lock; false in a forked child. */
AW_MUSTCHECK bool mux_is_ours(const struct mux *m);

#endif
