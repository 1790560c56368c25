#include "daemon/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/dirs.h"
#include "daemon/engine/offline.h"
#include "daemon/verify.h"

#define COPY_CHUNK (256u << 10)
#define MAX_ASIDE  99 /* of one second */

struct restore {
    const struct config *config;
    char backup[PATH_MAX]; /* the file, without symbolic links */
    char store[PATH_MAX];  /* <state_dir>/store */
    char aside[PATH_MAX];  /* where the next one is made, and the old one is after that */
    bool there;            /* there is an old one, */
    bool known;            /* whose numbers can be read: */
    struct offline_info old;
    struct offline_info info;
};

static enum aw_err path_join(char ret[PATH_MAX], const char *dir, const char *name,
                             struct aw_error *err)
{
    if (snprintf(ret, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return aw_fail(err, AW_ERR_SYSTEM, "%.120s: its path is too long", dir);
    return AW_OK;
}

static enum aw_err paths_make(struct restore *r, struct aw_error *err)
{
    const char *dir = r->config->state_dir;
    char name[64];
    time_t now = time(NULL);
    struct tm tm;
    enum aw_err e = path_join(r->store, dir, "store", err);

    if (!gmtime_r(&now, &tm))
        return aw_fail(err, AW_ERR_SYSTEM, "the clock: %s", strerror(errno));
    strftime(name, sizeof(name), "store.aside-%Y%m%dT%H%M%SZ", &tm);
    if (!e)
        e = path_join(r->aside, dir, name, err);
    if (!e && !realpath(r->config->target, r->backup))
        e = aw_fail(err, AW_ERR_SYSTEM, "%.160s: %s", r->config->target, strerror(errno));
    return e;
}

static enum aw_err backup_check(const struct restore *r, struct aw_error *err)
{
    char log[PATH_MAX + 8];
    struct stat st;
    uint64_t n = 0;
    enum aw_err e = verify_file(r->backup, &n, err);

    /* A store that was in use, say: a part of it would be left behind. */
    snprintf(log, sizeof(log), "%s-wal", r->backup);
    if (!e && stat(log, &st) == 0 && st.st_size > 0)
        return aw_fail(err, AW_ERR_STORE, "%.120s: not a backup: it has a log beside it",
                       r->backup);
    if (!e && n > 0)
        e = aw_fail(err, AW_ERR_STORE, "%.120s: damaged; awd --verify-file says how", r->backup);
    return e;
}

/* A store that is damaged says no more; the distance to its numbers is then all the safety. */
static enum aw_err old_look(struct restore *r, struct aw_error *err)
{
    char path[PATH_MAX], log[PATH_MAX];
    struct offline *off = NULL;
    enum aw_err e = path_join(path, r->store, "awd.db", err);

    if (!e)
        e = path_join(log, r->store, "awd.db-wal", err);
    if (e)
        return e;
    r->there = access(path, F_OK) == 0 || access(log, F_OK) == 0;
    if (r->there && !r->config->force)
        return aw_fail(err, AW_ERR_WRONG_STATE,
                       "there is a store in %.120s; --force moves it aside", r->store);
    if (r->there && !offline_open(path, &off, NULL))
        r->known = !offline_get_info(off, &r->old, NULL);
    offline_close(off);
    return AW_OK;
}

/* ---- The next store ------------------------------------------------------------------------- */

static void fresh_remove(const struct restore *r)
{
    static const char *const names[] = {"awd.db", "awd.db-wal"};
    char path[PATH_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!path_join(path, r->aside, names[i], NULL))
            unlink(path);
    rmdir(r->aside);
}

/* -1 with errno set, or len. */
static ssize_t write_all(int fd, const char *buf, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, buf + at, len - at);

        if (n < 0 && errno != EINTR)
            return -1;
        at += (size_t)MAX(n, 0);
    }
    return (ssize_t)len;
}

static enum aw_err copy(const char *from, const char *to, struct aw_error *err)
{
    _cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    _cleanup_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    _cleanup_free_ char *buf = NULL;
    ssize_t n = 1;

    if (in < 0 || out < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.160s: %s", in < 0 ? from : to, strerror(errno));
    buf = malloc(COPY_CHUNK);
    if (!buf)
        return aw_fail(err, AW_ERR_NO_MEMORY, "%.160s: out of memory", to);
    while (n > 0) {
        n = read(in, buf, COPY_CHUNK);
        if (n > 0)
            n = write_all(out, buf, (size_t)n);
    }
    if (n < 0 || fsync(out) < 0)
        return aw_fail(err, errno == ENOSPC ? AW_ERR_DISK_FULL : AW_ERR_SYSTEM,
                       "copying to %.160s: %s", to, strerror(errno));
    return AW_OK;
}

static enum aw_err dir_sync(const char *path, struct aw_error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.160s: %s", path, strerror(errno));
    return AW_OK;
}

static enum aw_err fresh_make(struct restore *r, struct aw_error *err)
{
    char path[PATH_MAX];
    enum aw_err e = path_join(path, r->aside, "awd.db", err);

    if (!e)
        e = copy(r->backup, path, err);
    if (!e)
        e = offline_new_history(path, r->known ? &r->old : NULL, r->config->hold, &r->info, err);
    return e ? e : dir_sync(r->aside, err);
}

/* Where the two cannot change names in one step, there are two. */
static int exchange_slowly(const struct restore *r)
{
    char old[PATH_MAX + 8];

    int why;

    snprintf(old, sizeof(old), "%s.old", r->aside);
    if (rename(r->store, old) < 0)
        return -1;
    if (rename(r->aside, r->store) == 0)
        return rename(old, r->aside);
    why = errno;
    (void)!rename(old, r->store);
    errno = why;
    return -1;
}

static enum aw_err exchange(const struct restore *r, struct aw_error *err)
{
    int rc = renameat2(AT_FDCWD, r->aside, AT_FDCWD, r->store, RENAME_EXCHANGE);

    if (rc < 0 && (errno == EINVAL || errno == ENOSYS))
        rc = exchange_slowly(r);
    if (rc < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.160s: cannot be replaced: %s", r->store,
                       strerror(errno));
    if (!r->there)
        rmdir(r->aside);
    return AW_OK;
}

/* Of several restores in one second, all but the first get a number. */
static enum aw_err aside_make(struct restore *r, struct aw_error *err)
{
    size_t len = strlen(r->aside), room = sizeof(r->aside) - len;

    for (int n = 2; mkdir(r->aside, 0700) < 0; n++) {
        if (errno != EEXIST || n > MAX_ASIDE ||
            snprintf(r->aside + len, room, "-%d", n) >= (int)room)
            return aw_fail(err, AW_ERR_SYSTEM, "%.160s: %s", r->aside, strerror(errno));
    }
    return AW_OK;
}

/* What could not take the place of the store goes again. */
static enum aw_err take_place(struct restore *r, struct aw_error *err)
{
    enum aw_err e = aside_make(r, err);

    if (e)
        return e;
    e = fresh_make(r, err);
    if (!e)
        e = exchange(r, err);
    if (e)
        fresh_remove(r);
    return e;
}

static enum aw_err restore(struct restore *r, struct aw_error *err)
{
    struct dirs dirs = {.state_lock = -1, .run_lock = -1};
    const struct config *config = r->config;
    enum aw_err e = paths_make(r, err);

    if (!e)
        e = backup_check(r, err);
    if (!e)
        e = dirs_open(config->state_dir, config->run_dir, config->system, &dirs, err);
    if (e)
        return e;
    e = old_look(r, err);
    if (!e)
        e = take_place(r, err);
    if (!e)
        e = dir_sync(config->state_dir, err);
    dirs_close(&dirs);
    return e;
}

int restore_run(const struct config *config)
{
    struct restore r = {.config = config};
    struct aw_error err;

    if (restore(&r, &err)) {
        fprintf(stderr, "awd: %s\n", err.text);
        return 1;
    }
    printf("restored store %s; new numbers begin at %" PRIu64 "\n", r.info.tag, r.info.high + 1);
    if (r.there)
        printf("the store that was there is in %s\n", r.aside);
    if (config->hold)
        puts("all queues are paused; awctl queue resume NAME lets one go on");
    return fflush(stdout) == 0 ? 0 : 1;
}
