/*
 * faulty_vfs.h - a disk that fails on demand: a layer under SQLite, for tests of the store.
 *
 * After faulty_vfs_install() every database opened by its path goes through it. Faults concern
 * the write-ahead log, where commits go, but for one. Any thread may call these; faults hold for
 * the whole process until they are taken back. Nothing is really synced, which is slow and says
 * nothing as long as the machine stays up.
 */
#ifndef AW_FAULTY_VFS_H
#define AW_FAULTY_VFS_H

#include <stdbool.h>
#include <stdint.h>

void faulty_vfs_install(void);

/* So many bytes more fit behind the log's end; then the disk is full. Negative: any number. */
void faulty_vfs_set_room(int64_t bytes);

/* From now on every write, or every sync, fails as broken hardware does. */
void faulty_vfs_break_writes(bool broken);
void faulty_vfs_break_syncs(bool broken);

/*
 * From now on the database itself fails, into which the log goes: every sync with
 * SQLITE_IOERR_FSYNC, or every write with another of SQLite's results. SQLITE_OK: it works again.
 */
void faulty_vfs_fail_database(int rc);

/*
 * Files that are opened from now on are on a disk that, when the power goes, may damage what is
 * next to what is being written. SQLite fills up each commit there with copies of a page, and a
 * part of the last it writes after its sync.
 */
void faulty_vfs_damage_neighbours(bool damaged);

/* The next sync waits until faulty_vfs_go(). faulty_vfs_await_held() returns once it does. */
void faulty_vfs_hold(void);
bool faulty_vfs_is_held(void);
void faulty_vfs_await_held(void);
void faulty_vfs_go(void);

/* How often the log was synced so far. */
int faulty_vfs_syncs(void);

/* What was written to the log so far, of what is no zeroes. */
void faulty_vfs_log_written(int *ret_writes, int64_t *ret_bytes);

#endif
