#include "daemon/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "proto/limits.h"

/* mkdir -p: what is missing above it is ours alone. */
static int make_path(const char *path, mode_t mode)
{
    char above[AW_MAX_PATH + 1];

    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT || strlen(path) >= sizeof(above))
        return -1;
    for (size_t i = 1; path[i]; i++) {
        if (path[i] != '/')
            continue;
        memcpy(above, path, i);
        above[i] = '\0';
        if (mkdir(above, 0700) < 0 && errno != EEXIST)
            return -1;
    }
    return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -1;
}

/* Whoever may write there could put his own store, socket or lock in place of ours. */
static enum aw_err check_ours(const char *path, int fd, struct aw_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot look at %s: %m", path);
    if (st.st_uid != geteuid())
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s belongs to uid %u, the daemon runs as uid %u: chown it, or use another",
                       path, st.st_uid, geteuid());
    if (st.st_mode & 022)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "others may write to %s (mode %04o): chmod go-w it, or use another", path,
                       st.st_mode & 07777);
    return AW_OK;
}

/*
 * The way there: whoever may write to a directory above could put another one in the place of ours,
 * and whose link it is can turn it to elsewhere. (In a sticky one only owners rename.)
 */
static enum aw_err check_above(const char *path, struct aw_error *err)
{
    char above[AW_MAX_PATH + 1];
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid != 0 && st.st_uid != geteuid())
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s is a symbolic link of uid %u, the daemon runs as uid %u: only root's "
                       "links and its own are followed",
                       path, st.st_uid, geteuid());
    for (size_t i = 1; i < sizeof(above) && path[i]; i++) {
        if (path[i] != '/')
            continue;
        memcpy(above, path, i);
        above[i] = '\0';
        if (stat(above, &st) == 0 && (st.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH)
            return aw_fail(err, AW_ERR_NOT_PERMITTED,
                           "anybody may rename what is in %s (mode %04o), and so %s: chmod o-w "
                           "it, or chmod +t it, or use another",
                           above, st.st_mode & 07777, path);
    }
    return AW_OK;
}

static enum aw_err make_dir(const char *path, mode_t mode, struct aw_error *err)
{
    _cleanup_close_ int fd = -1;
    enum aw_err e;

    if (make_path(path, mode) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot make the directory %s: %m", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot open the directory %s: %m", path);
    e = check_ours(path, fd, err);
    return e ? e : check_above(path, err);
}

/* 0: it does not say. */
static int holder_read(int fd)
{
    char text[16] = "";

    return pread(fd, text, sizeof(text) - 1, 0) > 0 ? (int)strtol(text, NULL, 10) : 0;
}

static enum aw_err in_use(const char *dir, int fd, struct aw_error *err)
{
    int pid = holder_read(fd);

    if (pid <= 0)
        return aw_fail(err, AW_ERR_WRONG_STATE, "another awd is using %s", dir);
    return aw_fail(err, AW_ERR_WRONG_STATE, "another awd (pid %d) is using %s", pid, dir);
}

/* Not one that was killed, and whose last threads are on their way out. */
static bool holder_lives(int fd)
{
    char path[48], line[256];
    const char *behind;
    ssize_t n;
    int pid = holder_read(fd);
    _cleanup_close_ int stat_fd = -1;

    if (pid <= 0)
        return true;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    stat_fd = open(path, O_RDONLY | O_CLOEXEC);
    n = stat_fd < 0 ? -1 : read(stat_fd, line, sizeof(line) - 1);
    if (n <= 0)
        return false;
    line[n] = '\0';
    behind = strrchr(line, ')');
    return !behind || strlen(behind) < 3 || !strchr("ZX", behind[2]);
}

/* A daemon that was killed holds its lock for a moment longer: that is waited for. */
static bool lock_take(int fd)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000000};

    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        int why = errno;

        if (why != EWOULDBLOCK || i == 250 || holder_lives(fd)) {
            errno = why;
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static enum aw_err lock_dir(const char *dir, int *ret_fd, struct aw_error *err)
{
    char path[AW_MAX_PATH + 16], pid[16];
    _cleanup_close_ int fd = -1;
    int len;

    snprintf(path, sizeof(path), "%s/awd.lock", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot open the lock %s: %m", path);
    if (!lock_take(fd))
        return errno == EWOULDBLOCK ? in_use(dir, fd, err)
                                    : aw_fail(err, AW_ERR_SYSTEM, "cannot lock %s: %m", path);
    /* Only for the sentence above: on a full disk it is missing, and nothing else is wrong. */
    len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) < 0)
        errno = 0;
    *ret_fd = take_fd(fd);
    return AW_OK;
}

/* Within ours, and for nobody else to look into. */
static enum aw_err make_private(const char *path, struct aw_error *err)
{
    _cleanup_close_ int fd = -1;
    struct stat st;
    enum aw_err e;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot make the directory %s: %m", path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s is no directory of its own: make the one above it the link, or a mount",
                       path);
    if (fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "cannot open the directory %s: %m", path);
    e = check_ours(path, fd, err);
    /* Nothing to do, on a file system that nothing can be done to: who wants to write will say so.
     */
    if (!e && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0700)
        return AW_OK;
    if (!e && fchmod(fd, 0700) < 0)
        e = aw_fail(err, AW_ERR_SYSTEM, "cannot close %s to others: %m", path);
    return e;
}

static enum aw_err make_sub(const char *dir, const char *name, char **ret, struct aw_error *err)
{
    if (asprintf(ret, "%s/%s", dir, name) < 0) {
        *ret = NULL;
        return aw_fail(err, AW_ERR_NO_MEMORY, "%s: out of memory", dir);
    }
    return make_private(*ret, err);
}

/* Links of any kind are for those who want the store to be in two places. */
static enum aw_err check_file(const char *dir, const char *name, struct aw_error *err)
{
    char path[AW_MAX_PATH + 32];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? AW_OK : aw_fail(err, AW_ERR_SYSTEM, "cannot look at %s: %m", path);
    if (S_ISLNK(st.st_mode))
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s is not a regular file but a link: move what it stands for here", path);
    if (!S_ISREG(st.st_mode))
        return aw_fail(err, AW_ERR_NOT_PERMITTED, "%s is not a regular file: move it away", path);
    if (st.st_uid != geteuid())
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s belongs to uid %u, the daemon runs as uid %u: chown it", path, st.st_uid,
                       geteuid());
    if (st.st_mode & 022)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "others may write to %s (mode %04o): chmod go-w it", path,
                       st.st_mode & 07777);
    if (st.st_nlink != 1)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s has %u names, and may be written by another: replace it by a copy", path,
                       (unsigned)st.st_nlink);
    return AW_OK;
}

static enum aw_err check_store(const char *dir, struct aw_error *err)
{
    static const char *const names[] = {"awd.db", "awd.db-wal", "awd.db-shm"};
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < ARRAY_SIZE(names); i++)
        e = check_file(dir, names[i], err);
    return e;
}

/* Then there is one lock, which a second one of ours would find taken. */
static bool same_dir(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

static enum aw_err open_all(const char *state_dir, const char *run_dir, bool system,
                            struct dirs *dirs, struct aw_error *err)
{
    enum aw_err e = make_dir(state_dir, 0700, err);

    if (!e)
        e = make_dir(run_dir, system ? 0755 : 0700, err);
    if (!e)
        e = lock_dir(run_dir, &dirs->run_lock, err);
    if (!e && !same_dir(state_dir, run_dir))
        e = lock_dir(state_dir, &dirs->state_lock, err);
    if (!e)
        e = make_sub(state_dir, "store", &dirs->store, err);
    if (!e)
        e = check_store(dirs->store, err);
    if (!e)
        e = make_sub(state_dir, "spool", &dirs->spool, err);
    return e;
}

enum aw_err dirs_open(const char *state_dir, const char *run_dir, bool system, struct dirs *ret,
                      struct aw_error *err)
{
    struct dirs dirs = {.state_lock = -1, .run_lock = -1};
    enum aw_err e = open_all(state_dir, run_dir, system, &dirs, err);

    if (e)
        dirs_close(&dirs);
    else
        *ret = dirs;
    return e;
}

/* The lock's file stays: to remove it would let two others lock two files of that name. */
static void unlock(int *fd)
{
    if (*fd < 0)
        return;
    if (ftruncate(*fd, 0) < 0)
        errno = 0;
    close(take_fd(*fd));
}

void dirs_close(struct dirs *dirs)
{
    free(take_ptr(dirs->store));
    free(take_ptr(dirs->spool));
    unlock(&dirs->state_lock);
    unlock(&dirs->run_lock);
}
