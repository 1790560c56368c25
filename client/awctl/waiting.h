/*
 * waiting.h - waiting for futures as people like it: with a line of progress on a terminal.
 */
#ifndef AWCTL_WAITING_H
#define AWCTL_WAITING_H

#include "client/awctl/awctl.h"

/* aw_wait() with that line on stderr, when stderr is a terminal. */
AW_MUSTCHECK enum aw_err waiting_for(struct awctl *ctl, const char *const *ids, size_t n,
                                     int64_t timeout_ms, struct aw_statuses **ret,
                                     struct aw_error *err);

#endif
