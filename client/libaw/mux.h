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
 * Exchanges may also be asynchronous: mux_start() comes back at once, and when one is done it is
 * kept until mux_take() asks for it. An event loop can drive them: it polls one fd, and calls
 * mux_turn() when that is readable (mux_loop.c). Both kinds share table and connection, and it does
 * not matter whose thread moves the bytes: a leader finishes asynchronous exchanges, too, and the
 * fd says so; a turn finishes those that threads wait for.
 *
 * Threads: any number. Everything is guarded by `lock`; the leader lets go of it while it polls.
 * Streams are read and written to by whoever holds the lock. While there is a leader only that one
 * connects and closes; else whoever takes a turn does.
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
    bool async;          /* nobody sleeps until it is done; mux_take() has it then */

    /* Out: malloc'ed, the caller's. */
    char *reply;
    size_t reply_len;

    /* Private. */
    enum { EXCHANGE_DONE, EXCHANGE_UNSENT, EXCHANGE_SENT } state;
    uint32_t id;
    uint8_t header[MUX_HEADER];
    int64_t start_us;
    enum aw_err result;
    struct aw_error err;
    pthread_cond_t cond;
    TAILQ_ENTRY(exchange) all, queue; /* done and asynchronous: `all` is of mux.finished */
    LIST_ENTRY(exchange) bucket, of_async;
};

TAILQ_HEAD(exchange_list, exchange);
LIST_HEAD(exchange_bucket, exchange);

/* What an event loop polls. All fds are -1 until mux_loop_open(). */
struct mux_loop {
    int epoll_fd; /* holds the others and, while there is one, the stream's */
    int timer_fd; /* readable at timer_us */
    int event_fd; /* readable while a turn has something to do now */
    bool event;   /* it is */
    bool awake;   /* somebody takes turns: the fds need not tell anybody until mux_rest() */
    int64_t timer_us;
    int stream_fd; /* -1: none */
    uint32_t stream_events;
    int64_t ask_us; /* somebody wants a turn at this time; NEVER_US */
};

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

    /* Asynchronous ones: those under way, and those that are done and not taken yet. */
    struct exchange_bucket async;
    struct exchange_list finished;
    struct mux_loop loop;
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

/* No exchange may be under way but asynchronous ones. In a forked child, drops our copy of the
 * connection. */
void mux_done(struct mux *m);

/*
 * Sends a request whose answer nobody waits for: if it can be done here and now, on a connection
 * that is up and has nothing else to send; otherwise not at all. Does not block.
 */
void mux_tell(struct mux *m, struct bytes body);

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

/*
 * Starts an asynchronous exchange, whose struct and body must stay until mux_take() gives it back
 * or mux_drop() has taken it out. Does not block. AW_ERR_CLOSED, AW_ERR_USAGE: as above, at once;
 * all else is in x->result, and x->err, when it is taken.
 */
AW_MUSTCHECK enum aw_err mux_start(struct mux *m, struct exchange *x, struct aw_error *err);

/* The next asynchronous exchange that is done, or NULL. Each comes once. */
struct exchange *mux_take(struct mux *m);

/* Takes an asynchronous exchange out, done or not; nothing more comes of it. */
void mux_drop(struct mux *m, struct exchange *x);

/*
 * What an event loop does: moves what can be moved now, connects, gives up what is late, and says
 * (if somebody wants to be told) that awd is away. Does not block. By one thread at a time, which
 * ends with mux_rest(). AW_ERR_CLOSED; AW_ERR_USAGE: in a forked child.
 */
AW_MUSTCHECK enum aw_err mux_turn(struct mux *m, struct aw_error *err);

/* No more turns for now: the fd tells when one is due. */
void mux_rest(struct mux *m);

/*
 * The fd that is readable when a turn has something to do; the same for the mux's whole life.
 * AW_ERR_SYSTEM, AW_ERR_USAGE (in a forked child).
 */
AW_MUSTCHECK enum aw_err mux_loop_open(struct mux *m, int *ret_fd, struct aw_error *err);

/* A turn is due at that time (0: now), whatever else there is. Holds until the next turn. */
void mux_loop_ask(struct mux *m, int64_t at_us);

/* Sleeps; AW_ERR_CLOSED when mux_close() comes first. */
AW_MUSTCHECK enum aw_err mux_sleep(struct mux *m, int64_t ms, struct aw_error *err);

/* The connection cannot be trusted any more (nonsense, silence): use a new one. */
void mux_reset(struct mux *m, enum aw_err code, const char *reason);

/* False in a forked child; and what calls say there: AW_ERR_USAGE. */
AW_MUSTCHECK bool mux_is_ours(const struct mux *m);
enum aw_err mux_not_ours(struct aw_error *err);

#endif
