/*
 * share.h - what each user of the daemon may have of it: connections, memory, requests in work.
 *
 * The requests of one user are to cost no other user more than a fair part of the time. So the
 * endpoint takes no more requests from somebody whose requests in work weigh SHARE_WORK, or have
 * SHARE_WORK_BYTES, or for whom as much was done in this turn of the loop as SHARE_TURN requests
 * take. Those of his connections that have more wait in line, and each goes on with some of it when
 * there is room again.
 *
 *   share   one user, known by his uid; counts references. All of whom it is not known yet who they
 *           are share one, and none of them has a request.
 *   member  one of his connections: what it has read and not yet handed on, and has not yet sent
 *   hold    one of his requests, until it is over, also if its connection has gone before
 *
 * Half of a user's memory is for members, half for holds; neither is exact, but of the right size.
 *
 * Loop thread only.
 */
#ifndef AW_SHARE_H
#define AW_SHARE_H

#include <sys/queue.h>

#include "proto/base.h"

#define SHARE_WORK       1024 /* the lightest request, a job to be added, weighs 1 */
#define SHARE_WORK_BYTES (32u << 20)
#define SHARE_TURN       256

struct share;
struct shares;

struct shares_config {
    size_t max_memory;        /* of each user, in bytes; 0: any amount */
    unsigned max_connections; /* of each user but root and the daemon's own; 0: any number */
};

/* `on_room`: somebody who is in line may go on; shares_next() says who. NULL: out of memory. */
struct shares *shares_new(const struct shares_config *config, void (*on_room)(void *arg),
                          void *arg);

/* What is still held lives on until it is let go of. NULL does nothing. */
void shares_free(struct shares *shares);

/* ---- Connections ----------------------------------------------------------------------------- */

struct share_member {
    struct share *share;
    /* Closes it, as it has most of what is too much: share_resize()s it to less, in any case. */
    void (*shut)(struct share_member *member);
    size_t memory; /* bytes; by share_resize() */
    LIST_ENTRY(share_member) entry;
    TAILQ_ENTRY(share_member) line;
    bool in_line;
};

/* Instead of a uid: who has yet to say who he is. Nobody who has counts with those. */
#define SHARE_UNKNOWN (UINT64_C(1) << 32)

/* Makes a member, zeroed but for shut, one of the user's. False: he has too many, or there is no
 * memory. */
AW_MUSTCHECK bool share_join(struct shares *shares, uint64_t who, struct share_member *member);

/* Harmless on a zeroed one. */
void share_leave(struct share_member *member);

void share_resize(struct share_member *member, size_t memory);

/*
 * The one with the most memory, if all together have more than they may; else NULL. Of those that
 * have as much the newest, so that a user's newcomer takes nobody's place; of those who are unknown
 * the oldest, so that strangers who stay so keep no newcomer out.
 */
struct share_member *share_excess(const struct share *share);

/* Shuts those with the most memory, until all together have no more than they may. */
void share_relieve(const struct share *share);

/* Something was done for one of the user's connections that takes as long as `n` small requests. */
void share_took(struct share *share, size_t n);

/* Whether another request may be taken. */
bool share_may_take(const struct share *share);

/* To the end of the line. Once is enough. */
void share_line_up(struct share_member *member);

/*
 * A new turn: takes one out of its line, which may go on; NULL: nobody may. Users take turns. With
 * `first` it is the first call of this turn.
 */
struct share_member *shares_next(struct shares *shares, bool first);

/* Calls fn for each user who has connections, or requests that are not over, in no order; not for
 * those who are unknown. */
struct share_user {
    uint32_t uid;
    unsigned connections;
    unsigned max_connections; /* 0: any number */
};
void shares_each(const struct shares *shares, void (*fn)(void *arg, const struct share_user *user),
                 void *arg);

/* ---- Requests -------------------------------------------------------------------------------- */

struct share_hold {
    struct share *share; /* NULL: of nobody, and nothing is counted */
    size_t cost;
    unsigned weight;
    bool works;
};

/* A request is in work, costs so many bytes, and weighs so much. `share` may be NULL. */
void share_begin(struct share_hold *hold, struct share *share, size_t cost, unsigned weight);

/* It waits for something and makes no work meanwhile; its memory stays. */
void share_rest(struct share_hold *hold);

/* It is over. Harmless on a zeroed one. */
void share_end(struct share_hold *hold);

/* Whether one that costs so much may be begun. */
bool share_has_room(const struct share *share, size_t cost);

#endif
