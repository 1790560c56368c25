#include "daemon/runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "daemon/log.h"
#include "daemon/runner/spawn.h"
#include "daemon/runner/supervise.h"

#define DOWN_ACK_US 5000000  /* going down: how long awd has to acknowledge the last records */
#define MAX_WAIT_US 60000000 /* the clock of epoll stands still while the machine sleeps */

/* ---- Signals -------------------------------------------------------------------------------- */

static void go_down(struct runner *runner, int sig)
{
    if (runner->going_down)
        return;
    log_msg(LOG_NOTICE, "ends on SIG%s; %zu jobs are running", sigabbrev_np(sig),
            runner->jobs.n_live);
    runner->going_down = true;
    runner->down_due_us = INT64_MAX;
    supervise_shutdown(runner);
}

static void on_signal(struct source *source, uint32_t events)
{
    struct runner *runner = SOURCE_OWNER(source, struct runner, signals);
    struct signalfd_siginfo infos[8];
    ssize_t n = read(source->fd, infos, sizeof(infos));

    (void)events;
    for (ssize_t i = 0; i < n / (ssize_t)sizeof(infos[0]); i++) {
        int sig = (int)infos[i].ssi_signo;

        if (sig == SIGCHLD)
            runner->children_ended = true;
        else
            go_down(runner, sig);
    }
}

/*
 * A signal that is ignored here would stay ignored in every job. By the bare system call, since
 * the C library does not let anybody touch the two that it keeps for itself, and yet posix_spawn(),
 * by which we may have been started, leaves them ignored.
 */
static void signals_default(void)
{
    static const unsigned long zero[8]; /* SIG_DFL, no flags, an empty mask */

    for (int sig = 1; sig < NSIG; sig++)
        (void)syscall(SYS_rt_sigaction, sig, zero, NULL, NSIG / 8);
}

/* Blocks everything for good: what is not taken from the signalfd is ignored, SIGPIPE too. */
static enum aw_err signals_open(struct runner *runner, struct aw_error *err)
{
    sigset_t all, ours;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signals_default();
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    runner->signals.ready = on_signal;
    runner->signals.fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    if (runner->signals.fd < 0 || !reactor_set(&runner->reactor, &runner->signals, EPOLLIN))
        return aw_fail(err, AW_ERR_SYSTEM, "signalfd: %s", strerror(errno));
    return AW_OK;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Each running job has two pipes here: as many files as we may have. */
static void limits_raise(struct runner *runner)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &runner->nofile);
    limit = runner->nofile;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum aw_err parts_open(struct runner *runner, struct aw_error *err)
{
    enum aw_err e = spool_open(runner->config.spool_dir, &runner->spool, err);

    if (e == AW_OK)
        e = identities_open(&runner->config.identity, runner->spool.dir_fd, &runner->identities,
                            err);
    if (e == AW_OK)
        e = reactor_open(&runner->reactor, err);
    if (e == AW_OK)
        e = signals_open(runner, err);
    if (e == AW_OK)
        e = spawn_open(err);
    if (e == AW_OK)
        e = cgroups_open(&runner->cgroups, runner->config.cgroup, err);
    if (e == AW_OK)
        e = tree_open(&runner->tree, &runner->cgroups, err);
    if (e == AW_OK)
        e = peer_open(runner, runner->config.listen_fd, err);
    return e;
}

enum aw_err runner_open(const struct runner_config *config, struct runner *ret,
                        struct aw_error *err)
{
    enum aw_err e;

    memset(ret, 0, sizeof(*ret));
    ret->config = *config;
    ret->reactor.fd = ret->signals.fd = ret->spool.dir_fd = ret->tree.children_fd = -1;
    ret->peer.source.fd = ret->cgroups.home.dir_fd = -1;
    ret->peer.listener.fd = config->listen_fd;
    ret->next_due_us = ret->settle_due_us = INT64_MAX;
    jobs_init(&ret->jobs);
    clean_init(&ret->cleaner);
    TAILQ_INIT(&ret->peer.tell);
    limits_raise(ret);
    ret->niceness = getpriority(PRIO_PROCESS, 0);
    ret->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (ret->null_fd < 0)
        e = aw_fail(err, AW_ERR_SYSTEM, "/dev/null: %s", strerror(errno));
    else
        e = parts_open(ret, err);
    if (e != AW_OK)
        runner_close(ret);
    return e;
}

void runner_close(struct runner *runner)
{
    struct job *job;

    peer_close(runner);
    while ((job = TAILQ_FIRST(&runner->jobs.ended)))
        job_free(&runner->jobs, job);
    tree_close(&runner->tree);
    clean_close(&runner->cleaner);
    cgroups_close(&runner->cgroups);
    identities_close(&runner->identities);
    spool_close(&runner->spool);
    cleanup_close(&runner->signals.fd);
    cleanup_close(&runner->null_fd);
    reactor_close(&runner->reactor);
}

/* ---- Running -------------------------------------------------------------------------------- */

/*
 * Our socket has no name any more: nobody will ever come for the records. (One whose path was too
 * long for an address was bound by way of /proc, and does not know its name.)
 */
static bool is_forgotten(const struct runner *runner)
{
    struct sockaddr_un addr;
    socklen_t len = sizeof(addr);
    struct stat st;

    memset(&addr, 0, sizeof(addr));
    return getsockname(runner->peer.listener.fd, (struct sockaddr *)&addr, &len) == 0 &&
           addr.sun_path[0] == '/' && strncmp(addr.sun_path, "/proc/", 6) != 0 &&
           len < sizeof(addr) && stat(addr.sun_path, &st) < 0 && errno == ENOENT;
}

static bool is_idle(const struct runner *runner)
{
    return runner->jobs.n_live == 0 && TAILQ_EMPTY(&runner->cleaner.tasks) &&
           runner->tree.strays_due_us == INT64_MAX && !cgroups_pending(&runner->cgroups);
}

static bool down_complete(struct runner *runner, int64_t boot_us)
{
    if (!is_idle(runner))
        return false;
    if (runner->down_due_us == INT64_MAX)
        runner->down_due_us = boot_us + DOWN_ACK_US;
    return runner->jobs.n_ended == 0 || !peer_connected(&runner->peer) ||
           boot_us >= runner->down_due_us;
}

static bool is_over(struct runner *runner, int64_t boot_us)
{
    bool waited = boot_us >= runner->alone_since_us + runner->config.idle_us;

    if (runner->going_down)
        return down_complete(runner, boot_us);
    if (peer_connected(&runner->peer) || !is_idle(runner) || !(runner->released || waited))
        return false;
    if (runner->jobs.n_ended == 0)
        return true;
    if (!waited)
        return false;
    runner->alone_since_us = boot_us; /* so that the file system is asked now and then only */
    return is_forgotten(runner);
}

static int64_t next_us(const struct runner *runner)
{
    int64_t due_us = MIN(supervise_due_us(runner), runner->cleaner.due_us);

    due_us = MIN(due_us, runner->cgroups.due_us);

    if (runner->going_down)
        return MIN(due_us, runner->down_due_us);
    if (!peer_connected(&runner->peer) && is_idle(runner))
        return MIN(due_us, runner->alone_since_us + runner->config.idle_us);
    return due_us;
}

static int wait_ms(const struct runner *runner)
{
    int64_t due_us = next_us(runner), left_us;

    if (due_us == INT64_MAX)
        return -1;
    left_us = due_us - boottime_us();
    return left_us <= 0 ? 0 : (int)((MIN(left_us, MAX_WAIT_US) + 999) / 1000);
}

void runner_run(struct runner *runner)
{
    int64_t boot_us = boottime_us();

    while (!is_over(runner, boot_us)) {
        runner->tree_known = false;
        reactor_turn(&runner->reactor, wait_ms(runner));
        if (runner->children_ended) {
            runner->children_ended = false;
            supervise_reap(runner);
        }
        boot_us = boottime_us();
        supervise_tick(runner, boot_us);
        cgroups_tick(&runner->cgroups, boot_us);
        clean_tick(runner, boot_us);
        peer_flush(runner);
    }
}
