#include "daemon/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const suffixes[] = {"out", "err"};

static bool is_closed(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && !(st.st_mode & 022);
}

/* Ours, and nobody else may write there: otherwise it is no place for output. */
static bool is_safe(int fd, uid_t owner)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_uid == owner && is_closed(fd);
}

enum aw_err spool_open(const char *path, struct spool *ret, struct aw_error *err)
{
    _cleanup_close_ int fd = -1;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return aw_fail(err, AW_ERR_SYSTEM, "spool %s: cannot be made: %s", path, strerror(errno));
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "spool %s: cannot be opened: %s", path, strerror(errno));
    /* Root may write for another, but nobody else's directory is to be trusted. */
    if (!is_safe(fd, geteuid()) && (geteuid() != 0 || !is_closed(fd)))
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "spool %s: others may write to it, or it is not of uid %u: chown it, and "
                       "chmod go-w it",
                       path, geteuid());
    ret->path = strdup(path);
    if (!ret->path)
        return aw_fail(err, AW_ERR_NO_MEMORY, "spool %s: out of memory", path);
    ret->dir_fd = take_fd(fd);
    return AW_OK;
}

void spool_close(struct spool *spool)
{
    if (spool->dir_fd >= 0)
        close(spool->dir_fd);
    spool->dir_fd = -1;
    free(take_ptr(spool->path));
}

/*
 * Somebody has removed the directory: makes it anew, or takes the new one. Any number of threads
 * may do so at once. False, and errno as it was: it is still there, or cannot be had.
 */
static bool spool_renew(const struct spool *spool)
{
    int saved = errno;
    _cleanup_close_ int fd = -1;
    struct stat was;
    bool renewed = false;

    if (spool->path && fstat(spool->dir_fd, &was) == 0 && was.st_nlink == 0) {
        if (was.st_uid == geteuid())
            (void)mkdir(spool->path, 0700);
        fd = open(spool->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        renewed = fd >= 0 && is_safe(fd, was.st_uid) && dup3(fd, spool->dir_fd, O_CLOEXEC) >= 0;
    }
    errno = saved;
    return renewed;
}

void spool_name(struct spool_file file, char ret[SPOOL_NAME])
{
    snprintf(ret, SPOOL_NAME, "%" PRIu64 ".%" PRIu64 ".%s", file.number, file.attempt,
             suffixes[file.stream != 0]);
}

static bool number_parse(const char **p, uint64_t *ret)
{
    const char *s = *p;
    uint64_t v = 0;

    if (*s < '1' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
            return false;
    if (*s != '.')
        return false;
    *p = s + 1;
    *ret = v;
    return true;
}

bool spool_name_parse(const char *name, struct spool_file *ret)
{
    struct spool_file file;

    if (!number_parse(&name, &file.number) || !number_parse(&name, &file.attempt))
        return false;
    for (file.stream = 0; file.stream < (int)ARRAY_SIZE(suffixes); file.stream++)
        if (strcmp(name, suffixes[file.stream]) == 0) {
            *ret = file;
            return true;
        }
    return false;
}

/* It belongs to whom the directory does: a runner that is root writes for an awd that is not. */
static int file_hand_over(const struct spool *spool, int fd)
{
    struct stat dir, st;

    if (fd < 0)
        return -1;
    if (fstat(spool->dir_fd, &dir) == 0 && fstat(fd, &st) == 0 &&
        (dir.st_uid == st.st_uid || fchown(fd, dir.st_uid, dir.st_gid) == 0))
        return fd;
    close(fd);
    return -1;
}

int spool_create(const struct spool *spool, struct spool_file file)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    char name[SPOOL_NAME];
    int fd;

    spool_name(file, name);
    fd = openat(spool->dir_fd, name, flags, 0600);
    if (fd < 0 && errno == ENOENT && spool_renew(spool))
        fd = openat(spool->dir_fd, name, flags, 0600);
    if (fd < 0 && errno == EEXIST && unlinkat(spool->dir_fd, name, 0) == 0)
        fd = openat(spool->dir_fd, name, flags, 0600);
    return file_hand_over(spool, fd);
}

static enum aw_err file_fail(struct spool_file file, const char *action, struct aw_error *err)
{
    int error = errno;
    enum aw_err code = error == ENOENT                      ? AW_ERR_UNKNOWN_ID
                       : error == ENOSPC || error == EDQUOT ? AW_ERR_DISK_FULL
                                                            : AW_ERR_SYSTEM;
    char name[SPOOL_NAME];

    spool_name(file, name);
    return aw_fail(err, code, "spool file %s: %s: %s", name, action, strerror(error));
}

enum aw_err spool_open_file(const struct spool *spool, struct spool_file file, int *ret_fd,
                            struct aw_error *err)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC; /* it might be a FIFO */
    _cleanup_close_ int fd = -1;
    char name[SPOOL_NAME];
    struct stat st;

    spool_name(file, name);
    fd = openat(spool->dir_fd, name, flags);
    if (fd < 0 && errno == ENOENT && spool_renew(spool))
        fd = openat(spool->dir_fd, name, flags);
    if (fd < 0 || fstat(fd, &st) < 0)
        return file_fail(file, "open", err);
    if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
        return aw_fail(err, AW_ERR_SYSTEM, "spool file %s: not one that the runner made", name);
    *ret_fd = take_fd(fd);
    return AW_OK;
}

enum aw_err spool_read(const struct spool *spool, struct spool_file file, uint64_t offset,
                       void *buf, size_t max, size_t *ret_len, uint64_t *ret_size,
                       struct aw_error *err)
{
    _cleanup_close_ int fd = -1;
    struct stat st;
    size_t len = 0;
    enum aw_err e;

    e = spool_open_file(spool, file, &fd, err);
    if (e != AW_OK)
        return e;
    while (len < max && offset + len <= INT64_MAX) {
        ssize_t n = pread(fd, (char *)buf + len, max - len, (off_t)(offset + len));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_fail(file, "read", err);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    if (fstat(fd, &st) < 0)
        return file_fail(file, "stat", err);
    *ret_len = len;
    *ret_size = (uint64_t)st.st_size;
    return AW_OK;
}

enum aw_err spool_size(const struct spool *spool, struct spool_file file, uint64_t *ret_size,
                       struct aw_error *err)
{
    char name[SPOOL_NAME];
    struct stat st;

    spool_name(file, name);
    if (fstatat(spool->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return file_fail(file, "stat", err);
    *ret_size = (uint64_t)st.st_size;
    return AW_OK;
}

enum aw_err spool_sync(const struct spool *spool, struct spool_file file, struct aw_error *err)
{
    _cleanup_close_ int fd = -1;
    enum aw_err e = spool_open_file(spool, file, &fd, err);

    if (e != AW_OK)
        return e;
    if (fdatasync(fd) < 0 || fsync(spool->dir_fd) < 0)
        return file_fail(file, "sync", err);
    return AW_OK;
}

void spool_remove(const struct spool *spool, uint64_t number, uint64_t attempt)
{
    char name[SPOOL_NAME];

    for (int stream = 0; stream < (int)ARRAY_SIZE(suffixes); stream++) {
        spool_name((struct spool_file){number, attempt, stream}, name);
        unlinkat(spool->dir_fd, name, 0);
    }
}

int spool_sweep(const struct spool *spool, bool (*keep)(void *arg, struct spool_file file),
                void *arg)
{
    int fd = openat(spool->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    int n_removed = 0;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while ((entry = readdir(dir))) {
        struct spool_file file;

        if (!spool_name_parse(entry->d_name, &file) || keep(arg, file))
            continue;
        if (unlinkat(spool->dir_fd, entry->d_name, 0) == 0)
            n_removed++;
    }
    closedir(dir);
    return n_removed;
}
