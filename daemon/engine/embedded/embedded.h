/*
 * embedded.h - the engine of a single node: the scheduler in memory, the store on disk.
 */
#ifndef AW_EMBEDDED_H
#define AW_EMBEDDED_H

#include "daemon/engine/engine.h"

struct event_base;

struct embedded_config {
    const char *path;        /* of the database file; used while opening only */
    uint64_t max_queued;     /* jobs that have not ended: a submit beyond is refused */
    uint64_t max_kept;       /* ended jobs: the oldest go when there are more */
    uint64_t max_bytes;      /* on record, of all users; the oldest ended jobs go; 0: no limit */
    struct user_limits user; /* of each user but root and the daemon's own */
    int64_t retention_ms;    /* of ended jobs that do not say it themselves, and complete sets */
    int64_t set_idle_ms;     /* of temporary sets that nobody reads; 0: AW_SET_IDLE_MS */
    int64_t retry_ms;        /* until what found no room is tried again; 0: 500 */
    int64_t prune_ms;        /* at least, between two looks for records that go; 0: 1000 */
};

/*
 * Opens the store, makes it if there is none, and reads what has not ended. Blocks. `events` must
 * stay as it is. AW_ERR_STORE: the store is refused, and why; AW_ERR_NO_MEMORY, AW_ERR_SYSTEM.
 */
AW_MUSTCHECK enum aw_err embedded_open(struct event_base *base,
                                       const struct embedded_config *config,
                                       const struct engine_events *events, void *arg,
                                       struct engine **ret, struct aw_error *err);

/* Takes over limits that were changed (not path, retry_ms, prune_ms). */
void embedded_configure(struct engine *e, const struct embedded_config *config);

#endif
