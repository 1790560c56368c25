/*
 * completions.h - an iterator over completions, in the order in which they come.
 *
 * Both kinds read a set of the daemon, a page of up to 1,000 at a time, each by a long poll: by
 * place, from behind the last one that was read, so that a page whose answer got lost is read
 * again and none is left out. Over IDs the set is a temporary one, made here and closed; should the
 * daemon have forgotten it, because nobody read it for ten minutes, those that have not come are
 * made members of another.
 *
 * One thread at a time.
 */
#ifndef AW_CLIENT_COMPLETIONS_H
#define AW_CLIENT_COMPLETIONS_H

#include "client/libaw/call.h"
#include "client/libaw/copy.h"

/* An ID of those that were given. */
enum completion_state {
    COMPLETION_OPEN,    /* has not come */
    COMPLETION_COME,    /* handed out */
    COMPLETION_MISSING, /* there is no such future: to be handed out */
    COMPLETION_SAME,    /* as one before it, which stands for both */
};

struct aw_completions {
    struct aw_client *client; /* a reference */
    char set[AW_MAX_SET_NAME + 1];
    char consumer[AW_MAX_CONSUMER + 1]; /* "": the one without a name */
    int64_t deadline_us;

    /* Over IDs; else n_ids is 0. */
    char **ids;
    size_t n_ids;
    unsigned char *states; /* enum completion_state, for each */
    size_t *same_as;       /* for each */
    size_t *slots;         /* index + 1 by future number; a power of two of them */
    size_t n_slots;
    struct aw_statuses *missing, **missing_end;
    size_t *missing_at; /* the index of each */
    size_t n_missing, n_missing_out;

    /* Reading. */
    bool from_cursor;         /* where to begin is for the daemon to say */
    uint64_t read_to;         /* the place of the last one that was read */
    struct aw_statuses *page; /* NULL: none */
    uint64_t page_first;      /* the place of its first */
    size_t page_at;           /* its next one */
    bool keeps;               /* a page stays, in `kept`, when another one comes */
    struct aw_statuses *kept;
    bool done; /* nothing comes behind it */
    bool late; /* time is over: only what had ended by then, up to late_to, comes */
    uint64_t late_to;

    /* The last one handed out. */
    uint64_t place;
    size_t index;      /* over IDs: which */
    uint64_t taken_to; /* the place in the set up to which all are handed out */

    /* Over a set: up to where the daemon knows that we are done, and when we told it. */
    uint64_t acked;
    int64_t acked_us;

    struct aw_completions_progress progress;
    uint64_t n_failed_out;              /* of those handed out, but for the missing */
    uint64_t n_before, n_failed_before; /* come by a set that is no more */
    bool renewed;                       /* the set is a new one, and was not read yet */
};

/* Over IDs: which this is (SIZE_MAX: none), and another set for those that have not come. */
size_t completions_find(const struct aw_completions *each, const char *id);
AW_MUSTCHECK enum aw_err completions_renew(struct aw_completions *each, struct aw_error *err);

/* Reads the first page, if there is one now: finds out whether the set is there. */
AW_MUSTCHECK enum aw_err completions_look(struct aw_completions *each, struct aw_error *err);

/*
 * Lets go of the page; or keeps it, so that what was handed out stays valid until
 * completions_take_kept() gives it away, or the iterator is freed.
 */
void completions_leave_page(struct aw_completions *each);
struct aw_statuses *completions_take_kept(struct aw_completions *each);

/* What is known now of how far it is. */
void completions_progress(struct aw_completions *each, const struct set_status *set);

/* Those IDs that have not come yet (over IDs), as a malloc'ed list of pointers. NULL: no memory. */
const char **completions_open_ids(const struct aw_completions *each, size_t *ret_n);

#endif
