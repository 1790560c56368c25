/*
 * client_rig.h - what tests of libaw's plain calls share: a client, a job, and the answers that a
 * daemon would give.
 */
#ifndef AW_CLIENT_RIG_H
#define AW_CLIENT_RIG_H

#include <stdatomic.h>

#include "client/aw.h"
#include "tests/unit/fake_daemon.h"

/* A client of the daemon at an address; NULL: at the usual places. */
struct aw_client *client_at(const char *url);

/* "echo hello" */
extern char *echo_argv[];
struct aw_job echo_job(void);

/* Counts submits by their request number, so that one that came twice is counted once. */
struct store {
    atomic_uint n_jobs;
    unsigned n_keys;
    uint8_t keys[64][16];
    uint64_t first_of_key[64];
};

/* Keeps the jobs, which get the IDs k3f9q-1 and so on. */
void answer_submit(struct fake_request *rq, struct store *s);
/* Tells of all these jobs that they are in this state. */
void answer_wait(int fd, uint32_t id, const struct strv *ids, enum aw_state state);
/* The same; but 404 is unknown. */
void answer_status(struct fake_request *rq, enum aw_state state);

/*
 * A fake_handler for most tests: submits are kept in `arg`, a struct store, and everything has
 * succeeded.
 */
void well_behaved(struct fake_request *rq, void *arg);

#endif
