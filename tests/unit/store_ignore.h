/* store_ignore.h - what a store tells its loader, for tests that do not look at it. */
#ifndef AW_TEST_STORE_IGNORE_H
#define AW_TEST_STORE_IGNORE_H

#include "daemon/engine/embedded/store.h"

static inline enum aw_err ignore_queue(void *arg, const struct store_queue_row *row)
{
    (void)arg, (void)row;
    return AW_OK;
}

static inline enum aw_err ignore_account(void *arg, const struct account_change *row)
{
    (void)arg, (void)row;
    return AW_OK;
}

static inline enum aw_err ignore_live(void *arg, const struct store_live *row)
{
    (void)arg, (void)row;
    return AW_OK;
}

#endif
