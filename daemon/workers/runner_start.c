#include "daemon/workers/runner_start.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "daemon/log.h"

#define BACKLOG     16
#define LISTEN_FD   3
#define LISTEN_TEXT "3"

/* A runner that we started, until it was reaped. */
struct child {
    LIST_ENTRY(child) link;
    pid_t pid;
    int pidfd;
    struct event ended;
};

struct runner_starter {
    struct event_base *base;
    char *socket_path, *runner_path, *spool_dir;
    bool root_jobs;
    LIST_HEAD(, child) children;
};

/* ---- Runners that we started ---------------------------------------------------------------- */

static void child_free(struct child *child)
{
    event_del(&child->ended);
    close(child->pidfd);
    LIST_REMOVE(child, link);
    free(child);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
    struct child *child = arg;
    siginfo_t info = {.si_pid = 0};

    (void)fd;
    (void)what;
    if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
        return;
    if (info.si_code == CLD_EXITED)
        log_msg(info.si_status ? LOG_ERR : LOG_DEBUG, "aw-runner (process %d) exited with %d",
                (int)child->pid, info.si_status);
    else
        log_msg(LOG_ERR, "aw-runner (process %d) was killed by signal %d", (int)child->pid,
                info.si_status);
    child_free(child);
}

/* If this fails, the runner works all the same, and stays a zombie when it has ended. */
static void child_watch(struct runner_starter *starter, pid_t pid)
{
    struct child *child = calloc(1, sizeof(*child));
    int fd = pidfd_open(pid, 0);
    bool watched = false;

    if (child && fd >= 0) {
        event_assign(&child->ended, starter->base, fd, EV_READ | EV_PERSIST, on_ended, child);
        watched = event_add(&child->ended, NULL) == 0;
    }
    if (!watched) {
        log_msg(LOG_WARNING, "aw-runner (process %d) cannot be watched", (int)pid);
        cleanup_close(&fd);
        free(child);
        return;
    }
    child->pid = pid;
    child->pidfd = fd;
    LIST_INSERT_HEAD(&starter->children, child, link);
}

/* ---- Its socket ----------------------------------------------------------------------------- */

/*
 * The address of a path. One that is too long for an address is reached through a descriptor of
 * its directory, *ret_dir_fd, which must stay open until the address was used.
 */
static bool path_address(const char *path, struct sockaddr_un *ret, int *ret_dir_fd)
{
    _cleanup_free_ char *dir = strdup(path);
    const char *name = strrchr(path, '/');
    int n;

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof(ret->sun_path)) {
        memcpy(ret->sun_path, path, strlen(path));
        return true;
    }
    *ret_dir_fd = dir ? open(dirname(dir), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (*ret_dir_fd < 0)
        return false;
    n = snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_dir_fd,
                 name ? name + 1 : path);
    errno = ENAMETOOLONG;
    return n < (int)sizeof(ret->sun_path);
}

static int socket_connect(const char *path)
{
    _cleanup_close_ int dir_fd = -1;
    _cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un addr;

    if (sock < 0 || !path_address(path, &addr, &dir_fd) ||
        connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -1;
    return take_fd(sock);
}

/* Makes the socket anew. Its mode is set before it has a name, without touching our umask. */
static int socket_listen(const char *path)
{
    _cleanup_close_ int dir_fd = -1;
    _cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct sockaddr_un addr;

    if (sock < 0 || !path_address(path, &addr, &dir_fd))
        return -1;
    unlink(path);
    if (fchmod(sock, 0600) < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
        listen(sock, BACKLOG) < 0)
        return -1;
    return take_fd(sock);
}

/* ---- Starting it ---------------------------------------------------------------------------- */

/* Ours and what systemd told us, which is not for the runner. */
static bool env_is_private(const char *entry)
{
    static const char *const names[] = {"NOTIFY_SOCKET=",  "LISTEN_PID=",   "LISTEN_FDS=",
                                        "LISTEN_FDNAMES=", "WATCHDOG_PID=", "WATCHDOG_USEC="};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static char **env_filtered(void)
{
    size_t n = 0;
    char **env;

    while (environ[n])
        n++;
    env = calloc(n + 1, sizeof(*env));
    for (size_t i = 0, k = 0; env && i < n; i++)
        if (!env_is_private(environ[i]))
            env[k++] = environ[i];
    return env;
}

static int attributes_set(posix_spawnattr_t *attr)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
}

static int actions_add(posix_spawn_file_actions_t *actions, int listen_fd)
{
    int error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

    if (!error)
        error = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_adddup2(actions, listen_fd, LISTEN_FD);
    if (!error)
        error = posix_spawn_file_actions_addclosefrom_np(actions, LISTEN_FD + 1);
    return error;
}

static int runner_spawn(const struct runner_starter *starter, int listen_fd, pid_t *ret_pid)
{
    const char *argv[] = {
        "aw-runner",   "--spool",   starter->spool_dir,
        "--listen-fd", LISTEN_TEXT, starter->root_jobs ? "--allow-root-jobs" : NULL,
        NULL};
    _cleanup_free_ char **env = env_filtered();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int error;

    if (!env)
        return ENOMEM;
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_init(&actions);
    error = attributes_set(&attr);
    if (!error)
        error = actions_add(&actions, listen_fd);
    if (!error)
        error = posix_spawn(ret_pid, starter->runner_path, &actions, &attr, (char **)argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return error;
}

static enum aw_err runner_start(struct runner_starter *starter, struct aw_error *err)
{
    _cleanup_close_ int listen_fd = socket_listen(starter->socket_path);
    pid_t pid;
    int error;

    if (listen_fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "runner: %s: %s", starter->socket_path, strerror(errno));
    error = runner_spawn(starter, listen_fd, &pid);
    if (error) {
        unlink(starter->socket_path);
        return aw_fail(err, AW_ERR_SYSTEM, "runner: %s cannot be started: %s", starter->runner_path,
                       strerror(error));
    }
    log_msg(LOG_INFO, "started aw-runner, process %d", (int)pid);
    child_watch(starter, pid);
    return AW_OK;
}

/*
 * Who listens there gets the jobs, with their environments, and says how they ended. Who that is
 * was noted when it began to listen: root or we, if it was systemd (of the machine, or of the
 * user), we ourselves, or a runner that can write to our spool.
 */
static enum aw_err peer_check(int sock, const char *path, struct aw_error *err)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "runner: %s: %s", path, strerror(errno));
    if (peer.uid != 0 && peer.uid != geteuid())
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "runner: %s: a process of uid %u listens there (pid %d), neither root's nor "
                       "ours (uid %u): it gets no jobs",
                       path, peer.uid, (int)peer.pid, geteuid());
    return AW_OK;
}

enum aw_err runner_starter_connect(struct runner_starter *starter, int *ret_sock,
                                   struct aw_error *err)
{
    int sock = socket_connect(starter->socket_path);
    enum aw_err e;

    if (sock < 0 && starter->runner_path && (errno == ENOENT || errno == ECONNREFUSED)) {
        e = runner_start(starter, err);
        if (e != AW_OK)
            return e;
        sock = socket_connect(starter->socket_path);
    }
    if (sock < 0)
        return aw_fail(err, AW_ERR_UNREACHABLE, "runner: %s: %s", starter->socket_path,
                       strerror(errno));
    e = peer_check(sock, starter->socket_path, err);
    if (e == AW_OK)
        *ret_sock = sock;
    else
        close(sock);
    return e;
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

struct runner_starter *runner_starter_new(struct event_base *base, const struct exec_config *config)
{
    struct runner_starter *starter = calloc(1, sizeof(*starter));

    if (!starter)
        return NULL;
    starter->base = base;
    starter->root_jobs = config->root_jobs;
    LIST_INIT(&starter->children);
    starter->socket_path = strdup(config->socket_path);
    starter->spool_dir = config->spool_dir ? strdup(config->spool_dir) : NULL;
    starter->runner_path = config->runner_path ? strdup(config->runner_path) : NULL;
    if (!starter->socket_path || (config->runner_path && !starter->runner_path) ||
        (config->spool_dir && !starter->spool_dir)) {
        runner_starter_free(starter);
        return NULL;
    }
    return starter;
}

void runner_starter_free(struct runner_starter *starter)
{
    struct child *child;

    if (!starter)
        return;
    while ((child = LIST_FIRST(&starter->children)))
        child_free(child);
    free(starter->socket_path);
    free(starter->runner_path);
    free(starter->spool_dir);
    free(starter);
}
