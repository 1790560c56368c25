/*
 * store_offline.h - shared by store_offline.c, store_check.c and store_check_rows.c, the parts of
 * offline.h, and nobody else.
 */
#ifndef AW_STORE_OFFLINE_H
#define AW_STORE_OFFLINE_H

#include <sqlite3.h>

#include "daemon/engine/offline.h"

struct offline {
    sqlite3 *db;
    int version; /* of its schema: 1 to STORE_SCHEMA_VERSION */
    sqlite3_stmt *has_job;
};

/* Of one kind, no more are told; the others are counted. */
#define CHECK_TOLD_MAX 20

/* One look at a store. */
struct check {
    struct offline *off;
    const struct offline_findings *to;
    void *arg;
    uint64_t n_kind; /* faults of the present kind */
};

/* Tells a fault of the present kind. */
void check_wrong(struct check *check, const char *fmt, ...) AW_PRINTF(2, 3);
/* The present kind is done with: says how many were not told. */
void check_kind_end(struct check *check);
/* SQLite could not go on, at what the sentence says: a fault, unless it is memory. */
AW_MUSTCHECK enum aw_err check_failed(struct check *check, const char *what, struct aw_error *err);

/* Every job: its row, its specification, its spool files; every attempt; limits of queues. */
AW_MUSTCHECK enum aw_err check_rows(struct check *check, struct aw_error *err);

#endif
