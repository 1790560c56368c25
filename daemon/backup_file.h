/*
 * backup_file.h - the file of a backup: appears under its name when it is whole and durable, or
 * not at all.
 *
 * Until then it is `.awd-<tag>.partial` in the same directory, mode 0600. One that a crash left
 * behind is removed by the next backup into that directory, and at the next start if it is in the
 * directory that is used when no file is named. Another file is never replaced.
 *
 * All calls may wait for the disk. No threads; one backup of a store at a time. Errors can go to
 * clients: AW_ERR_INVALID (there is no such directory, or there is such a file),
 * AW_ERR_NOT_PERMITTED, AW_ERR_DISK_FULL, AW_ERR_NO_MEMORY, AW_ERR_STORE (everything else).
 */
#ifndef AW_BACKUP_FILE_H
#define AW_BACKUP_FILE_H

#include "proto/base.h"

struct backup_file {
    char *dir;     /* without symbolic links */
    char *name;    /* in it, of the backup */
    char *partial; /* the path of the file so far */
    int dir_fd, fd;
};

/* Bytes of a path in `dir`, NUL included. */
#define BACKUP_PATH 4096

/* <state_dir>/backup/awd-20261122T001500Z.db, its directory made if it is not there. */
AW_MUSTCHECK enum aw_err backup_file_default(const char *state_dir, char ret[BACKUP_PATH],
                                             struct aw_error *err);

/*
 * Makes the file, empty, for the store with this tag. `path` is absolute. On AW_OK *ret is to be
 * given to backup_file_commit() or backup_file_discard(); otherwise nothing is left.
 */
AW_MUSTCHECK enum aw_err backup_file_create(const char *path, const char *tag,
                                            struct backup_file *ret, struct aw_error *err);

/*
 * Makes it durable and gives it its name. *ret_path, malloc'ed, is the path by which it was asked
 * for, without symbolic links. On failure nothing is left. `file` is done with in any case.
 */
AW_MUSTCHECK enum aw_err backup_file_commit(struct backup_file *file, char **ret_path,
                                            uint64_t *ret_size, struct aw_error *err);

/* Removes it. */
void backup_file_discard(struct backup_file *file);

/* Removes what a crash may have left in <state_dir>/backup. */
void backup_file_sweep(const char *state_dir, const char *tag);

#endif
