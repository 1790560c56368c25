/*
 * dispatch.h - from a message to the operation that it asks for, and back.
 *
 * A request and its answer are an exchange. The request is decoded, checked against its schema and
 * against what its sender may do, and handed to its operation (ops/). The operation owes it one
 * exchange_reply() or exchange_fail(), at once or later, on the loop thread. A client that has gone
 * away changes nothing about that, and `args` stay what they are: the answer is then dropped, and
 * exchange_gone() tells that there is no need to hurry.
 */
#ifndef AW_DISPATCH_H
#define AW_DISPATCH_H

#include "daemon/server.h"
#include "proto/messages.h"

struct exchange {
    struct server *srv;
    struct caller caller;
    struct access_user user; /* as whom it is done */
    enum op op;
    void *args; /* the operation's struct X_req; NULL once parked */

    struct call *call;           /* private: NULL, the client is gone */
    struct codec_doc doc;        /* private: what args points into, as it does into the body */
    struct body_owner body;      /* private: of a body that its client has left behind */
    struct share_hold hold;      /* private: its part of what its user may have */
    TAILQ_ENTRY(exchange) entry; /* private: in srv->parked */
    bool parked;                 /* private */
    void (*on_gone)(struct exchange *x);
    void *state; /* the operation's own, from exchange_park() on */
};

typedef void (*op_fn)(struct exchange *x);

/* The endpoint's callbacks; `arg` is the server. */
void dispatch_call(void *arg, struct call *call, const void *body, size_t len);
void dispatch_gone(void *arg, struct call *call);

/* As whose a connection counts; those whom the configuration does not name count as one user. */
#define DISPATCH_STRANGERS UINT32_MAX
uint32_t dispatch_whose(void *arg, const struct caller *caller);

/* Tells all parked requests that the daemon goes down. */
void dispatch_fail_parked(struct server *srv);

/* Answers; `rep` is the operation's struct X_rep. The exchange is no more after this. */
void exchange_reply(struct exchange *x, const void *rep);
/* The same, with an array of the reply's written already, without which `rep` is; NULL: nothing is.
 */
void exchange_reply_array(struct exchange *x, const void *rep, const struct codec_array *array);
/*
 * The same, when others may get the very same answer: it is known again by `key` (0: it is not),
 * until another exchange is answered or exchange_forget_answer() is called.
 */
void exchange_reply_as(struct exchange *x, const void *rep, uint64_t key);
/* Answers with that. False: there is none by that key, and nothing was done. */
AW_MUSTCHECK bool exchange_repeat(struct exchange *x, uint64_t key);
void exchange_forget_answer(struct server *srv);
void exchange_fail(struct exchange *x, const struct aw_error *err);
void exchange_failf(struct exchange *x, enum aw_err code, const char *fmt, ...) AW_PRINTF(3, 4);

/*
 * The answer may take long: lets go of the body and of args. If the client goes away, on_gone
 * is called; it stops whatever was under way, and calls exchange_drop(): at once, or when the
 * engine has answered what it was asked, so that such work counts as long as it lasts.
 */
void exchange_park(struct exchange *x, void (*on_gone)(struct exchange *x), void *state);

/* From now on that is called for a parked one, instead; of one that is not, nothing is. */
void exchange_hand_over(struct exchange *x, void (*on_gone)(struct exchange *x), void *state);

/* A parked one waits for something to happen, and nothing is done for it meanwhile. */
void exchange_rest(struct exchange *x);

/* Ends an exchange without an answer: its client is gone. */
void exchange_drop(struct exchange *x);

static inline bool exchange_gone(const struct exchange *x)
{
    return x->call == NULL;
}

/* Whether the sender may see and touch what belongs to `uid`; and everything. */
bool exchange_may(const struct exchange *x, uint32_t uid);
bool exchange_is_admin(const struct exchange *x);
/* As whom the sender submits. */
uint32_t exchange_uid(const struct exchange *x);
uint32_t exchange_gid(const struct exchange *x);

/* The operations, one in each file of ops/. */
#define X(NAME, name, wire, who, text) void op_##name(struct exchange *x);
OP_MAP(X)
#undef X

#endif
