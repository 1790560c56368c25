/*
 * restore.h - `awd --restore FILE`: puts a backup in the place of the store.
 *
 * The daemon is not at work there (its lock is held), and is started by whoever called. A store
 * that is there stays as it is unless config->force is set; then it is moved aside, with its
 * directory, and the two change places in one step: a crash leaves one or the other.
 *
 * What is restored begins a new history: see offline_new_history().
 */
#ifndef AW_RESTORE_H
#define AW_RESTORE_H

#include "daemon/config.h"

/*
 * Restores config->target. Says what it did on stdout, or on stderr why it did not. Returns the
 * exit code: 0, or 1; the store is then as it was, unless the sentence says otherwise.
 */
int restore_run(const struct config *config);

#endif
