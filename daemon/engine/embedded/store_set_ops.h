/*
 * store_set_ops.h - the operations on sets, for which all that store_ops.h says holds.
 *
 * A set is named by its user and its name; names that begin with '~' are those of temporary sets.
 * AW_ERR_NO_SET where there is none.
 */
#ifndef AW_STORE_SET_OPS_H
#define AW_STORE_SET_OPS_H

#include "daemon/engine/embedded/store_ops.h"
#include "daemon/engine/histogram.h"

/* A set by name. */
struct store_set_name {
    uint32_t uid;
    struct bytes name; /* the maker's memory, also where it comes back in a set_info */
    uint64_t max_sets; /* if it has to be made: as many as the user may have; 0: any number */
};

struct store_set_add {
    struct store_op op;
    struct store_set_name set;
    bool fresh; /* a temporary one, whose name was made for it */
    bool admin;
    bool close;
    const uint64_t *numbers;
    size_t n;
    int64_t now_us;
    /* ret */
    struct job_result *results; /* n of them; the maker's memory; no record: AW_ERR_EXPIRED_ID */
    struct set_info info;
    struct store_effects effects;
};
void store_set_add_init(struct store_set_add *op);

/* Reads how a set stands; or closes it, and then does. */
struct store_set_get {
    struct store_op op;
    struct store_set_name set;
    bool close;
    int64_t now_us;
    /* ret */
    struct set_info info;
    struct store_effects effects;
};
void store_set_get_init(struct store_set_get *op);

struct store_set_list {
    struct store_op op;
    struct set_list_filter filter; /* prefix, after: the maker's memory */
    /* ret */
    struct set_info *infos; /* filter.limit of them; the maker's memory */
    size_t n;
    bool more;
    struct store_arena arena;
};
void store_set_list_init(struct store_set_list *op);

/* Members in their order; or completions in theirs, and the consumer's cursor. */
struct store_set_page {
    struct store_op op;
    struct store_set_name set;
    bool completions;
    struct bytes consumer; /* the maker's memory */
    int64_t after;         /* completions: -1: the cursor */
    uint64_t ack;
    size_t limit;
    /* ret */
    struct set_page page;
    struct store_arena arena;
};
void store_set_page_init(struct store_set_page *op);

/* What took how long, of the members in a slice of a set's members. */
struct store_set_times {
    struct store_op op;
    struct store_set_name set;
    uint64_t id;    /* 0: the first slice, which finds the set; then as in info */
    uint64_t after; /* the position behind which it begins */
    uint64_t upto;  /* with id: only those that had completed up to this place */
    /* ret */
    struct set_info info; /* of the first slice */
    uint64_t last;        /* where it ended; 0: that was all */
    struct histogram queue_wait, run, total;
};
void store_set_times_init(struct store_set_times *op);

/* Removes a set; its members' rows may take more than this: then store_set_sweep goes on. */
struct store_set_forget {
    struct store_op op;
    struct store_set_name set;
    /* ret */
    struct store_effects effects;
    bool more;
};
void store_set_forget_init(struct store_set_forget *op);

/*
 * Removes the given sets, those that became complete up to a time, and rows of sets that are gone:
 * a bounded number of rows at once.
 */
struct store_set_sweep {
    struct store_op op;
    const uint64_t *ids;
    size_t n;
    int64_t complete_us; /* temporary ones are not meant */
    /* ret */
    struct store_effects effects;
    int64_t next_us; /* the first of those that are complete became so then; 0: none is */
    bool more;       /* it is to be done again */
};
void store_set_sweep_init(struct store_set_sweep *op);

struct store_sets_of {
    struct store_op op;
    uint64_t number;
    /* ret */
    uint64_t *ids; /* to be freed by the maker */
    size_t n, room;
};
void store_sets_of_init(struct store_sets_of *op);

#endif
