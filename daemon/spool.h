/*
 * spool.h - the directory with the output of jobs that is too much to travel: who names its files.
 *
 * One file for each attempt and stream, `<number>.<attempt>.out` and `.err`. aw-runner creates and
 * writes them (it may be doing so while they are read), awd reads and removes them. The directory
 * belongs to awd's user, mode 0700; symbolic links in it are never followed, and nothing but files
 * with such names is ever touched.
 *
 * A spool keeps no state but the directory's descriptor: any thread may use it. All calls may wait
 * for the disk.
 *
 * If somebody removes the directory, what was in it is lost; it is made anew, by the same number of
 * descriptor, as soon as a file in it is wanted.
 */
#ifndef AW_SPOOL_H
#define AW_SPOOL_H

#include "proto/base.h"

struct spool {
    int dir_fd;
    char *path;
};

/* The output of one attempt to one stream: 0 is stdout, 1 stderr. */
struct spool_file {
    uint64_t number;
    uint64_t attempt;
    int stream;
};

#define SPOOL_NAME 64 /* bytes of a name, NUL included */

/*
 * Opens the directory, and makes it (mode 0700) when it is missing; its parent must be there.
 * AW_ERR_NOT_PERMITTED: it is somebody else's, or others may write to it. AW_ERR_SYSTEM: anything
 * else; the sentence says what.
 */
AW_MUSTCHECK enum aw_err spool_open(const char *path, struct spool *ret, struct aw_error *err);
void spool_close(struct spool *spool);

void spool_name(struct spool_file file, char ret[SPOOL_NAME]);
/* False, and *ret untouched, when it is not the name of such a file. */
AW_MUSTCHECK bool spool_name_parse(const char *name, struct spool_file *ret);

/*
 * Creates the file anew, empty, for writing, as the directory's owner's; one that exists (a crash
 * left it) is removed first.
 * Returns the descriptor, close-on-exec, or -1 with errno set.
 */
AW_MUSTCHECK int spool_create(const struct spool *spool, struct spool_file file);

/*
 * Opens it for reading, close-on-exec. AW_ERR_UNKNOWN_ID: there is none. AW_ERR_SYSTEM; also for
 * what is no regular file, or has another name too.
 */
AW_MUSTCHECK enum aw_err spool_open_file(const struct spool *spool, struct spool_file file,
                                         int *ret_fd, struct aw_error *err);

/*
 * Reads up to `max` bytes from `offset` on; *ret_len is smaller only at the end of the file, and
 * *ret_size is the size of the file then. AW_ERR_UNKNOWN_ID: no such file. AW_ERR_SYSTEM.
 */
AW_MUSTCHECK enum aw_err spool_read(const struct spool *spool, struct spool_file file,
                                    uint64_t offset, void *buf, size_t max, size_t *ret_len,
                                    uint64_t *ret_size, struct aw_error *err);

/* AW_ERR_UNKNOWN_ID: no such file. AW_ERR_SYSTEM. */
AW_MUSTCHECK enum aw_err spool_size(const struct spool *spool, struct spool_file file,
                                    uint64_t *ret_size, struct aw_error *err);

/*
 * Makes the content of the file, and its being there, durable. For as long as a disk takes: not
 * on the loop thread. AW_ERR_UNKNOWN_ID: no such file. AW_ERR_DISK_FULL, AW_ERR_SYSTEM.
 */
AW_MUSTCHECK enum aw_err spool_sync(const struct spool *spool, struct spool_file file,
                                    struct aw_error *err);

/* Removes what there is of an attempt. Files that are not there are no error. */
void spool_remove(const struct spool *spool, uint64_t number, uint64_t attempt);

/* Removes every file for which keep() says false; returns how many, or -1 with errno set. */
int spool_sweep(const struct spool *spool, bool (*keep)(void *arg, struct spool_file file),
                void *arg);

#endif
