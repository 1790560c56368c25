/*
 * sets_rig.h - one client and its fake daemon, and more IDs than go into a request.
 */
#ifndef AW_SETS_RIG_H
#define AW_SETS_RIG_H

#include "client/aw.h"
#include "tests/unit/fake_daemon.h"

extern struct fake *fake;
extern struct aw_client *client;

/* Each test's own first and last. */
void start(fake_handler handler, void *arg);
void stop(void);

/* IDs "1", "2", ..., once they are made. */
#define N_IDS 25000
extern const char *ids[N_IDS];
void ids_make(void);

#endif
