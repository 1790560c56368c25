/*
 * waiting.h - waiting for futures as people like it: with a line of progress on a terminal.
 */
#ifndef AWCTL_WAITING_H
#define AWCTL_WAITING_H

#include "client/awctl/bar.h"

/* aw_wait_until() with that line on stderr, when stderr is a terminal. `until` may be NULL. */
AW_MUSTCHECK enum aw_err waiting_until(struct awctl *ctl, const char *const *ids, size_t n,
                                       const struct aw_until *until, int64_t timeout_ms,
                                       struct aw_statuses **ret, struct aw_error *err);

/* The same for aw_wait(). */
AW_MUSTCHECK enum aw_err waiting_for(struct awctl *ctl, const char *const *ids, size_t n,
                                     int64_t timeout_ms, struct aw_statuses **ret,
                                     struct aw_error *err);

/* The same for aw_set_wait(). */
AW_MUSTCHECK enum aw_err waiting_for_set(struct awctl *ctl, const char *set,
                                         const struct aw_until *until, int64_t timeout_ms,
                                         struct aw_error *err);

/*
 * Asks how many of these, or of a set's members, run, and when the first ended, for a bar. Of more
 * than LOOK_MAX the first is not said; what cannot be had is left as it was.
 */
#define LOOK_MAX 1000
void look_at_ids(struct aw_client *client, const char *const *ids, size_t n,
                 struct bar_state *state);
void look_at_set(struct aw_client *client, const char *set, struct bar_state *state);

#endif
