#include "daemon/backup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

/* What SQLite takes as a path, NUL included. */
#define PATH_ROOM 512

/* What may be told to a client, by errno. */
static enum aw_err fail(const char *path, const char *action, struct aw_error *err)
{
    int error = errno;
    enum aw_err code = AW_ERR_STORE;

    if (error == ENOSPC || error == EDQUOT || error == EFBIG)
        code = AW_ERR_DISK_FULL;
    else if (error == EACCES || error == EPERM || error == EROFS)
        code = AW_ERR_NOT_PERMITTED;
    else if (error == ENOENT || error == ENOTDIR || error == EEXIST || error == ENAMETOOLONG ||
             error == EINVAL || error == ELOOP)
        code = AW_ERR_INVALID;
    return aw_fail(err, code, "backup %.120s: %s: %s", path, action, strerror(error));
}

enum aw_err backup_file_default(const char *state_dir, char ret[BACKUP_PATH], struct aw_error *err)
{
    char stamp[32], dir[BACKUP_PATH];
    time_t now = time(NULL);
    struct tm tm;
    int len = snprintf(dir, sizeof(dir), "%s/backup", state_dir);

    if (!gmtime_r(&now, &tm) || len >= BACKUP_PATH - (int)sizeof(stamp))
        return aw_fail(err, AW_ERR_INVALID, "backup %.120s: its path is too long", state_dir);
    strftime(stamp, sizeof(stamp), "awd-%Y%m%dT%H%M%SZ.db", &tm);
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return fail(dir, "the directory cannot be made", err);
    snprintf(ret, BACKUP_PATH, "%.*s/%s", len, dir, stamp);
    return AW_OK;
}

static void file_free(struct backup_file *file)
{
    if (file->fd >= 0)
        close(take_fd(file->fd));
    if (file->dir_fd >= 0)
        close(take_fd(file->dir_fd));
    free(take_ptr(file->dir));
    free(take_ptr(file->name));
    free(take_ptr(file->partial));
}

static const char *partial_name(const struct backup_file *file)
{
    return strrchr(file->partial, '/') + 1;
}

static enum aw_err path_split(const char *path, const char *tag, struct backup_file *file,
                              struct aw_error *err)
{
    const char *slash = strrchr(path, '/');
    char above[BACKUP_PATH], real[PATH_MAX];

    if (*path != '/' || !slash[1] || !strcmp(slash, "/.") || !strcmp(slash, "/.."))
        return aw_fail(err, AW_ERR_INVALID, "backup %.120s: not the absolute path of a file", path);
    if (strlen(path) >= sizeof(above))
        return aw_fail(err, AW_ERR_INVALID, "backup: its path is too long");
    snprintf(above, sizeof(above), "%.*s", (int)MAX(slash - path, 1), path);
    if (!realpath(above, real))
        return fail(path, "its directory", err);
    file->dir = strdup(strcmp(real, "/") ? real : "");
    file->name = strdup(slash + 1);
    if (!file->dir || !file->name ||
        asprintf(&file->partial, "%s/.awd-%s.partial", file->dir, tag) < 0) {
        file->partial = NULL;
        return aw_fail(err, AW_ERR_NO_MEMORY, "backup: out of memory");
    }
    if (strlen(file->partial) >= PATH_ROOM)
        return aw_fail(err, AW_ERR_INVALID, "backup: the path of its directory is too long");
    return AW_OK;
}

/* Whoever may rename files there could have us rename another one. */
static enum aw_err dir_open(const char *path, struct backup_file *file, struct aw_error *err)
{
    struct stat st;

    file->dir_fd = open(*file->dir ? file->dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->dir_fd < 0 || fstat(file->dir_fd, &st) < 0)
        return fail(path, "its directory", err);
    if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "backup %.120s: others may write to its directory (mode %04o)", path,
                       st.st_mode & 07777);
    return AW_OK;
}

static enum aw_err partial_make(const char *path, struct backup_file *file, struct aw_error *err)
{
    struct stat st;

    if (fstatat(file->dir_fd, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return aw_fail(err, AW_ERR_INVALID, "backup %.120s: it is there already", path);
    if (errno != ENOENT)
        return fail(path, "looking for it", err);
    unlinkat(file->dir_fd, partial_name(file), 0);
    file->fd = openat(file->dir_fd, partial_name(file),
                      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return file->fd < 0 ? fail(path, "cannot be made", err) : AW_OK;
}

enum aw_err backup_file_create(const char *path, const char *tag, struct backup_file *ret,
                               struct aw_error *err)
{
    struct backup_file file = {.dir_fd = -1, .fd = -1};
    enum aw_err e = path_split(path, tag, &file, err);

    if (!e)
        e = dir_open(path, &file, err);
    if (!e)
        e = partial_make(path, &file, err);
    if (e)
        file_free(&file);
    else
        *ret = file;
    return e;
}

/* Some file systems cannot refuse to replace; then there is a moment between look and rename. */
static int rename_only(const struct backup_file *file)
{
    struct stat st;

    if (renameat2(file->dir_fd, partial_name(file), file->dir_fd, file->name, RENAME_NOREPLACE) ==
        0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (fstatat(file->dir_fd, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(file->dir_fd, partial_name(file), file->dir_fd, file->name);
}

static enum aw_err commit(const struct backup_file *file, struct stat *st, struct aw_error *err)
{
    struct stat named;

    if (fstat(file->fd, st) < 0 || fsync(file->fd) < 0)
        return fail(file->name, "it cannot be made durable", err);
    if (fstatat(file->dir_fd, partial_name(file), &named, AT_SYMLINK_NOFOLLOW) < 0 ||
        named.st_ino != st->st_ino || named.st_dev != st->st_dev)
        return aw_fail(err, AW_ERR_STORE, "backup %.120s: somebody took its file away", file->name);
    if (rename_only(file) < 0)
        return fail(file->name, "it cannot get its name", err);
    if (fsync(file->dir_fd) < 0) {
        unlinkat(file->dir_fd, file->name, 0);
        return fail(file->name, "it cannot be made durable", err);
    }
    return AW_OK;
}

enum aw_err backup_file_commit(struct backup_file *file, char **ret_path, uint64_t *ret_size,
                               struct aw_error *err)
{
    struct stat st = {0};
    char *path;
    enum aw_err e;

    if (asprintf(&path, "%s/%s", file->dir, file->name) < 0) {
        backup_file_discard(file);
        return aw_fail(err, AW_ERR_NO_MEMORY, "backup: out of memory");
    }
    e = commit(file, &st, err);
    if (e) {
        free(path);
        backup_file_discard(file);
        return e;
    }
    *ret_path = path;
    *ret_size = (uint64_t)st.st_size;
    file_free(file);
    return AW_OK;
}

void backup_file_discard(struct backup_file *file)
{
    unlinkat(file->dir_fd, partial_name(file), 0);
    file_free(file);
}

void backup_file_sweep(const char *state_dir, const char *tag)
{
    char path[BACKUP_PATH];

    if (snprintf(path, sizeof(path), "%s/backup/.awd-%s.partial", state_dir, tag) <
        (int)sizeof(path))
        unlink(path);
}
