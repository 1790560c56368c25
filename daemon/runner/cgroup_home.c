#include "daemon/runner/cgroup_home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "daemon/log.h"
#include "daemon/runner/cgroup_dir.h"
#include "daemon/runner/cgroup_find.h"

static const struct {
    unsigned bit;
    const char *name;
} controllers[] = {{CGROUP_MEMORY, "memory"}, {CGROUP_CPU, "cpu"}, {CGROUP_PIDS, "pids"}};

/* Whether a word is among those of a text. */
static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    for (;;) {
        size_t n = strcspn(text, " \n");

        if (n == len && memcmp(text, word, len) == 0)
            return true;
        if (!text[n])
            return false;
        text += n + 1;
    }
}

/* What there is, for the groups of the jobs: limits on the rest are refused, one by one. */
static void controllers_enable(struct cgroup_home *home)
{
    char text[512], what[32];

    if (!cgroup_dir_read(home->dir_fd, "cgroup.controllers", text, sizeof(text)))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
        if (!has_word(text, controllers[i].name))
            continue;
        snprintf(what, sizeof(what), "+%s", controllers[i].name);
        if (cgroup_dir_write(home->dir_fd, "cgroup.subtree_control", what))
            home->controllers |= controllers[i].bit;
        else
            log_msg(LOG_WARNING, "cgroup controller %s: %s", controllers[i].name, strerror(errno));
    }
}

/* Moves us to DIR/runner, and finds out what DIR is called. */
static enum aw_err runner_move(struct cgroup_home *home, struct aw_error *err)
{
    char *end;

    /* A new one: what was killed with an earlier runner is not used again; see cgroup_signal(). */
    (void)unlinkat(home->dir_fd, "runner", AT_REMOVEDIR);
    if (mkdirat(home->dir_fd, "runner", 0755) < 0 && errno != EEXIST)
        return aw_fail(err, AW_ERR_SYSTEM, "cgroup for the runner itself: %s", strerror(errno));
    if (!cgroup_dir_write(home->dir_fd, "runner/cgroup.procs", "0"))
        return aw_fail(err, AW_ERR_SYSTEM, "move to a cgroup: %s", strerror(errno));
    if (!cgroup_of(0, home->path, sizeof(home->path)))
        return aw_fail(err, AW_ERR_SYSTEM, "/proc/self/cgroup: %s", strerror(errno));
    end = strrchr(home->path, '/');
    if (!end || strcmp(end, "/runner") != 0)
        return aw_fail(err, AW_ERR_SYSTEM, "move to a cgroup: %.200s is no cgroup of version 2",
                       home->path);
    *end = '\0';
    return AW_OK;
}

static enum aw_err dir_open(struct cgroup_home *home, const char *dir, struct aw_error *err)
{
    home->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (home->dir_fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.200s: %s", dir, strerror(errno));
    if (flock(home->dir_fd, LOCK_EX | LOCK_NB) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.200s: another runner has it", dir);
    if (!cgroup_is_free(home->dir_fd))
        return aw_fail(err, AW_ERR_SYSTEM, "%.200s: other processes are in it, or it is no cgroup",
                       dir);
    return AW_OK;
}

static enum aw_err home_take(struct cgroup_home *home, const char *dir, struct aw_error *err)
{
    enum aw_err e = dir_open(home, dir, err);

    if (e == AW_OK)
        e = runner_move(home, err);
    if (e == AW_OK)
        controllers_enable(home);
    else
        cgroup_home_close(home);
    return e;
}

/* Its own group, or else none. */
static void home_take_own(struct cgroup_home *home)
{
    struct aw_error err;
    char dir[PATH_MAX];

    if (cgroup_find_delegated(dir, sizeof(dir), home->why, sizeof(home->why)) &&
        home_take(home, dir, &err) != AW_OK)
        snprintf(home->why, sizeof(home->why), "%.250s", err.text);
}

static void home_log(const struct cgroup_home *home)
{
    if (home->dir_fd < 0)
        log_msg(LOG_INFO, "jobs get no cgroups: %s", home->why);
    else
        log_msg(LOG_INFO, "each job gets a cgroup below %s (controllers:%s%s%s)",
                *home->path ? home->path : "/", home->controllers & CGROUP_MEMORY ? " memory" : "",
                home->controllers & CGROUP_CPU ? " cpu" : "",
                home->controllers & CGROUP_PIDS ? " pids" : "");
}

enum aw_err cgroup_home_open(const char *where, struct cgroup_home *ret, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    memset(ret, 0, sizeof(*ret));
    ret->dir_fd = -1;
    if (strcmp(where, "none") == 0)
        snprintf(ret->why, sizeof(ret->why), "the runner was told to use none");
    else if (strcmp(where, "auto") == 0)
        home_take_own(ret);
    else
        e = home_take(ret, where, err);
    if (e == AW_OK)
        home_log(ret);
    return e;
}

void cgroup_home_close(struct cgroup_home *home)
{
    cleanup_close(&home->dir_fd);
    home->dir_fd = -1;
}
