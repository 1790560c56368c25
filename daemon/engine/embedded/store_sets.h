/*
 * store_sets.h - what the other operations of the store do about sets: shared by store*.c only.
 *
 * All of it runs on the store's thread, inside the transaction of the operation that calls.
 */
#ifndef AW_STORE_SETS_H
#define AW_STORE_SETS_H

#include "daemon/engine/embedded/store_records.h"
#include "daemon/engine/embedded/store_set_ops.h"

/*
 * A job's end for good has been recorded: notes it in the effects, and if it is a member of sets
 * (its row's flags say whether it may be), gives it the next place in each. To be called exactly
 * once for each end, in its transaction.
 */
AW_MUSTCHECK enum aw_err store_job_ended(struct store *st, const struct store_ended *end,
                                         unsigned flags, struct store_effects *effects,
                                         struct aw_error *err);

/*
 * Whether n more jobs may become members of this set, which may not be there yet:
 * AW_ERR_WRONG_STATE (it is closed), AW_ERR_QUEUE_FULL, AW_ERR_QUOTA (too many sets),
 * AW_ERR_LIMIT (too many members), AW_ERR_NO_SET (a temporary one that is gone). Changes nothing.
 */
AW_MUSTCHECK enum aw_err store_set_may_join(struct store *st, const struct store_set_name *set,
                                            size_t n, struct aw_error *err);

/* Whether a job is a member of a set that is there. */
AW_MUSTCHECK enum aw_err store_set_holds(struct store *st, const struct store_set_name *set,
                                         uint64_t number, bool *ret, struct aw_error *err);

/* Whether a job is a member, or may become one: it is in fewer than AW_MAX_SETS_OF_JOB sets. */
AW_MUSTCHECK enum aw_err store_set_has_room(struct store *st, const struct store_set_name *set,
                                            uint64_t number, bool *ret, struct aw_error *err);

/*
 * Makes jobs, all on record and all of the set's user, its members, and the set itself if it is not
 * there: store_set_may_join() said that it may be done. Those that are members stay it; those that
 * have ended complete at once.
 */
AW_MUSTCHECK enum aw_err store_set_join(struct store *st, const struct store_set_name *set,
                                        const uint64_t *numbers, size_t n, int64_t now_us,
                                        struct store_effects *effects, struct aw_error *err);

/* ---- Shared by store_sets*.c ---------------------------------------------------------------- */

/* Room for one more in a list of n that doubles; NULL: out of memory, and it is as it was. */
void *store_list_grow(void *list, size_t n, size_t *room, size_t size);

/* Reads the columns of STORE_SET_COLUMNS but the name, which is left as it is. */
void store_set_columns(sqlite3_stmt *s, struct set_info *ret);

/* Looks for a set by name; ret->status.name is set->name. */
AW_MUSTCHECK enum aw_err store_set_look(struct store *st, const struct store_set_name *set,
                                        struct set_info *ret, bool *ret_found,
                                        struct aw_error *err);
/* The same; AW_ERR_NO_SET if there is none. */
AW_MUSTCHECK enum aw_err store_set_find(struct store *st, const struct store_set_name *set,
                                        struct set_info *ret, struct aw_error *err);
/* By ID; the name is left empty. */
AW_MUSTCHECK enum aw_err store_set_by_id(struct store *st, uint64_t id, struct set_info *ret,
                                         bool *ret_found, struct aw_error *err);

/*
 * Whether a set of this name, which is not there, may be made: AW_ERR_NO_SET (names of temporary
 * ones are only made afresh), AW_ERR_QUEUE_FULL, AW_ERR_QUOTA.
 */
AW_MUSTCHECK enum aw_err store_set_may_make(struct store *st, const struct store_set_name *set,
                                            bool fresh, struct aw_error *err);
AW_MUSTCHECK enum aw_err store_set_make(struct store *st, const struct store_set_name *set,
                                        int64_t now_us, struct set_info *ret,
                                        struct store_effects *effects, struct aw_error *err);

/* Writes a head that was changed. */
AW_MUSTCHECK enum aw_err store_set_save(struct store *st, const struct set_info *info,
                                        struct aw_error *err);
/* False: it is closed already. */
bool store_set_close_head(struct set_info *info, int64_t now_us);

/*
 * Gives a member that has ended the next place; the head is the caller's to save. *ret_first false:
 * it has one already, and nothing was changed.
 */
AW_MUSTCHECK enum aw_err store_set_complete(struct store *st, struct set_info *info,
                                            uint64_t position, const struct store_ended *end,
                                            bool *ret_first, struct aw_error *err);

/* Adds a change to the effects, without a place; *ret is valid until the next one. NULL: not asked.
 */
AW_MUSTCHECK enum aw_err store_set_changed(struct store_effects *effects,
                                           const struct set_info *info,
                                           struct store_set_change **ret, struct aw_error *err);

/* Sees to it that st->n_sets is right. */
AW_MUSTCHECK enum aw_err store_sets_count(struct store *st, struct aw_error *err);

struct membership {
    uint64_t bag, position; /* bag 0: there are no more */
};

/* The membership of a job in the set with the next higher ID. */
AW_MUSTCHECK enum aw_err store_membership_next(struct store *st, uint64_t number, uint64_t after,
                                               struct membership *ret, struct aw_error *err);

#endif
