/*
 * powerloss_vfs.h - a disk that can lose its power: a layer under SQLite, for tests of the store.
 *
 * After powerloss_vfs_start() each change of a database, its log and its journal goes into a
 * record in memory as well as to the files. powerloss_vfs_image() then makes the files as they may
 * be found if the power goes at any place of the record:
 *
 *  - what was synced is there;
 *  - of each write since, all is there, or nothing, or any of its sectors of 512 bytes. Other bytes
 *    of such a sector stay as they were (SQLite calls that "powersafe overwrite", and counts on
 * it);
 *  - a file has grown or not, whatever became of the bytes: where they are missing there are zeros,
 *    or garbage;
 *  - a file that was made or removed since the directory was last synced is there or not.
 *
 * One directory is recorded at a time. Any thread may write; the other calls are the test's.
 */
#ifndef AW_POWERLOSS_VFS_H
#define AW_POWERLOSS_VFS_H

#include "tests/unit/dice.h"

/* Records the database dir/awd.db from here on, as it is now: what is there is safe. */
void powerloss_vfs_start(const char *dir);

/* How much is recorded: the place of the next change. */
size_t powerloss_vfs_length(void);

/* The place of the first sync from there on, before which most is at stake; the end if none is. */
size_t powerloss_vfs_next_sync(size_t from);

/* Disks that say that something is synced, and do not do it. */
enum powerloss_lie {
    POWERLOSS_HONEST = 0,
    POWERLOSS_NO_LOG_SYNC = 1 << 0,
    POWERLOSS_NO_DATABASE_SYNC = 1 << 1,
    POWERLOSS_NO_DIRECTORY_SYNC = 1 << 2,
};

/* The files, made in another directory, after the first `cut` changes. */
void powerloss_vfs_image(size_t cut, enum powerloss_lie lie, struct dice *dice, const char *dir);

#endif
