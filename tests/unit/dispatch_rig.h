/*
 * dispatch_rig.h - dispatch and its operations between an engine that answers when it is told to,
 * and clients without a wire.
 */
#ifndef AW_DISPATCH_RIG_H
#define AW_DISPATCH_RIG_H

#include "daemon/dispatch.h"
#include "daemon/transports/transport.h"

#define RIG_TAG     "k3f9q"
#define RIG_UID     54321u  /* who asks */
#define RIG_UNKNOWN 1000000 /* numbers from here on are nobody's */

/* A call of the engine that is not answered yet. */
struct asked {
    uint64_t *numbers;
    size_t n;
    engine_get_fn got;
    engine_results_fn acted; /* instead: it is a cancel */
    void *arg;
};

/* A request, and what came of it. */
struct request_call {
    struct call base; /* first */
    void *body;       /* NULL: let go of */
    size_t n_answers;
    bool dropped;
    struct codec_buf answer;
    struct codec_doc doc; /* of the answer, with `reply` read from it */
    struct reply reply;
};

struct client {
    struct conn conn;
    struct share_member member;
    struct request_call call;
    bool gone;
};

extern struct dispatch_rig {
    struct config config;
    struct engine engine;
    struct server srv;
    struct shares *shares;
    struct client clients[2];
    struct asked asked[32];
    size_t n_asked, n_answered;
    size_t n_bodies;      /* of requests that are not let go of */
    size_t n_cancelled;   /* jobs */
    struct bytes message; /* of each record */
} rig;

/* The fixture of each test. At its end everybody goes, and nothing may be left. */
void dispatch_setup(void);
void dispatch_teardown(void);

/*
 * Answers the call that was made first: with the records of jobs that have succeeded, whose key is
 * "job N", and which were created when they were read, the first answer being 1; or with that all
 * are cancelled. err: or with that instead.
 */
void engine_answer(const struct aw_error *err);
void engine_answer_all(void);

/* Whose jobs are somebody else's. */
static inline bool rig_is_others(uint64_t number)
{
    return number % 13 == 0;
}

/*
 * One of the two clients asks: `req` is the operation's struct X_req. What came of the request that
 * it made before is no more.
 */
struct request_call *ask(unsigned client, enum op op, const void *req);

/* Both go. */
void all_go(void);

/* Once they have gone and the engine has answered: nothing is under way, counted or kept. */
void nothing_is_left(void);

#endif
