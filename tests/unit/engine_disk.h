/*
 * engine_disk.h - tests of the embedded engine on a disk that fails, or without memory: those that
 * are not in test_engine_embedded.c, which brings the fixture.
 */
#ifndef AW_ENGINE_DISK_H
#define AW_ENGINE_DISK_H

#include "tests/unit/engine_rig.h"

void disk_backup_add(TCase *tc);
void disk_deps_add(TCase *tc);
void disk_offers_add(TCase *tc);
void disk_queues_add(TCase *tc);
void disk_sets_add(TCase *tc);
void no_memory_add(TCase *tc);

/* Where the store's database is; valid until the next call. */
const char *disk_db(void);

/* Changes the database of a store that is closed. */
void disk_run(const char *sql);

/* This test's store breaks the rules, on purpose: it is not looked at in the end. */
void disk_damaged(void);

/* The loop hands over what was pushed; then the store's thread comes to its sync, and is held. */
void disk_await_held(void);

#endif
