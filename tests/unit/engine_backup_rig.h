/*
 * engine_backup_rig.h - a backup of the rig's engine, made into a file of the test's own, and a
 * look at it. One at a time.
 */
#ifndef AW_ENGINE_BACKUP_RIG_H
#define AW_ENGINE_BACKUP_RIG_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/engine/offline.h"
#include "tests/unit/engine_rig.h"

struct backup_try {
    int times; /* how often it was called back: 1 is right */
    struct aw_error err;
};

/* Two: the second for one that must be refused. */
static char backup_path[2][64];

static inline void backup_done(void *arg, const struct aw_error *err)
{
    struct backup_try *t = arg;

    t->times++;
    if (err)
        t->err = *err;
}

/* Into a new file; its end is in *t. */
static inline void backup_start(struct backup_try *t, int which)
{
    int fd;

    *t = (struct backup_try){0};
    snprintf(backup_path[which], sizeof(backup_path[which]), "/tmp/awd-test-backup-XXXXXX");
    fd = mkstemp(backup_path[which]);
    ck_assert_int_ge(fd, 0);
    close(fd);
    engine_backup(rig.e, backup_path[which], backup_done, t);
}

static inline void backup_await(const struct backup_try *t)
{
    while (!t->times)
        rig_turn();
    ck_assert_int_eq(t->times, 1);
}

static inline void backup_remove(int which)
{
    char log[80];

    ck_assert_int_eq(unlink(backup_path[which]), 0);
    /* Nothing is left beside it. */
    snprintf(log, sizeof(log), "%s-wal", backup_path[which]);
    ck_assert_int_ne(access(log, F_OK), 0);
    snprintf(log, sizeof(log), "%s-journal", backup_path[which]);
    ck_assert_int_ne(access(log, F_OK), 0);
}

static inline void fault_found(void *arg, const char *text)
{
    (void)arg;
    ck_abort_msg("the store is not well: %s", text);
}

/* The store in the file obeys every rule; *ret_n of the numbers up to `last` are in it. */
static inline void store_look(const char *path, uint64_t last, uint64_t *ret_n)
{
    static const struct offline_findings none = {.wrong = fault_found};
    struct offline *off = NULL;
    struct aw_error err = {0};
    bool there = false;

    ck_assert_msg(!offline_open(path, &off, &err), "%s", err.text);
    ck_assert_msg(!offline_check(off, &none, NULL, &err), "%s", err.text);
    for (uint64_t i = 1; i <= last; i++) {
        ck_assert_msg(!offline_has_job(off, i, &there, &err), "%s", err.text);
        *ret_n += there;
    }
    offline_close(off);
}

#endif
