/* awd: reads what it is told, takes its directories, runs the server until it is told to stop. */
#include "daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "daemon/log.h"
#include "daemon/log_journal.h"
#include "daemon/memory.h"
#include "daemon/notify.h"
#include "daemon/restore.h"
#include "daemon/turns.h"
#include "daemon/verify.h"
#include "daemon/watchdog.h"

struct awd {
    struct config config;
    struct dirs dirs;
    struct event_base *base;
    struct server *server;
    struct watchdog *watchdog;
    struct memory *memory;
    struct event *events[3]; /* SIGTERM, SIGINT, SIGHUP */
};

/* ---- Signals and systemd --------------------------------------------------------------------- */

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
    struct awd *awd = arg;

    (void)what;
    log_msg(LOG_NOTICE, "%s: going down; running jobs go on", sig == SIGINT ? "SIGINT" : "SIGTERM");
    notify_stopping();
    server_stop(awd->server, STOP_LEAVE);
}

static void on_reload(evutil_socket_t sig, short what, void *arg)
{
    struct awd *awd = arg;
    struct aw_error err;
    char restart[512];

    (void)sig;
    (void)what;
    notify_reloading();
    if (config_reload(&awd->config, restart, sizeof(restart), &err)) {
        log_msg(LOG_ERR, "the configuration stays as it was: %s", err.text);
    } else {
        log_set_level(awd->config.log_level);
        server_reconfigure(awd->server);
        log_msg(LOG_NOTICE, "the configuration was read again");
        if (restart[0])
            log_msg(LOG_WARNING, "changed, but only a restart takes it over: %s", restart);
    }
    notify_ready();
}

static void on_status(evutil_socket_t fd, short what, void *arg)
{
    struct awd *awd = arg;
    char line[160];

    (void)fd;
    (void)what;
    server_status_line(awd->server, line, sizeof(line));
    notify_status("%s", line);
}

static void on_alive(void *arg)
{
    on_status(-1, 0, arg);
    notify_watchdog();
}

/* The path of the first socket that can be asked; NULL: there is none. */
static const char *own_socket(const struct config *config)
{
    for (size_t i = 0; i < config->listen.n; i++)
        if (!strncmp(config->listen.v[i], "ipc://", 6))
            return config->listen.v[i] + 6;
    return NULL;
}

static enum aw_err watchdog_start(struct awd *awd, struct aw_error *err)
{
    uint64_t interval = notify_watchdog_us();
    const char *path = own_socket(&awd->config);

    if (!interval)
        return AW_OK;
    if (!path) {
        log_msg(LOG_WARNING, "the watchdog needs an ipc:// socket to ask; there is none");
        return AW_OK;
    }
    return watchdog_new(awd->base, path, interval, on_alive, awd, &awd->watchdog, err);
}

static enum aw_err events_make(struct awd *awd, struct aw_error *err)
{
    awd->events[0] = evsignal_new(awd->base, SIGTERM, on_stop, awd);
    awd->events[1] = evsignal_new(awd->base, SIGINT, on_stop, awd);
    awd->events[2] = evsignal_new(awd->base, SIGHUP, on_reload, awd);
    for (int i = 0; i < 3; i++)
        if (!awd->events[i] || event_add(awd->events[i], NULL) < 0)
            return aw_fail(err, AW_ERR_NO_MEMORY, "signals: out of memory");
    return AW_OK;
}

/* ---- From start to end ----------------------------------------------------------------------- */

/* 0, 1 and 2 must be something, or a socket gets one of these numbers and is written to. */
static void descriptors_fill(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

/* What may come of a client or a full disk is an error to handle, not a reason to die. */
static void signals_ignore(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
}

/*
 * Environments and input of other people's jobs are in our memory: no core dumps of the machine's
 * daemon, and nobody who is its user looks into it. A user's own holds nothing that is not theirs.
 */
static void memory_hide(const struct config *config)
{
    if (config->system && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        log_msg(LOG_WARNING, "core dumps cannot be switched off: %m");
}

static enum aw_err awd_start(struct awd *awd, struct aw_error *err)
{
    enum aw_err e =
        dirs_open(awd->config.state_dir, awd->config.run_dir, awd->config.system, &awd->dirs, err);

    if (e)
        return e;
    awd->base = event_base_new();
    if (!awd->base)
        return aw_fail(err, AW_ERR_SYSTEM, "event loop: %s", strerror(errno));
    /* Nobody shall connect to one that is then not to be: the server, which listens, comes late. */
    e = events_make(awd, err);
    awd->memory = memory_new(awd->base);
    if (!e && !awd->memory)
        e = aw_fail(err, AW_ERR_NO_MEMORY, "memory: out of memory");
    if (!e)
        e = server_start(awd->base, &awd->config, &awd->dirs, &awd->server, err);
    return e ? e : watchdog_start(awd, err);
}

static void awd_done(struct awd *awd)
{
    watchdog_free(awd->watchdog);
    memory_free(awd->memory);
    server_free(awd->server);
    for (size_t i = 0; i < ARRAY_SIZE(awd->events); i++)
        if (awd->events[i])
            event_free(awd->events[i]);
    if (awd->base)
        event_base_free(awd->base);
    dirs_close(&awd->dirs);
    config_done(&awd->config);
    libevent_global_shutdown();
}

static int awd_run(struct awd *awd)
{
    struct aw_error err;
    int code;

    log_set_level(awd->config.log_level);
    signals_ignore();
    umask(0077);
    memory_hide(&awd->config);
    if (awd_start(awd, &err)) {
        log_msg(LOG_ERR, "%s", err.text);
        awd_done(awd);
        return 1;
    }
    log_msg(LOG_NOTICE, "awd " PACKAGE_VERSION " is ready, store %s", awd->server->engine->tag);
    on_status(-1, 0, awd);
    notify_ready();
    turns_measure();
    event_base_dispatch(awd->base);
    notify_stopping();
    code = awd->server->exit_code;
    awd_done(awd);
    log_msg(LOG_NOTICE, "down");
    return code;
}

/* What is done while no daemon is at work. */
static int awd_maintain(struct config *config)
{
    int code;

    signals_ignore();
    umask(0077);
    code = config->action == CONFIG_VERIFY ? verify_run(config) : restore_run(config);
    config_done(config);
    libevent_global_shutdown();
    return code;
}

int main(int argc, char **argv)
{
    static const char *const usage = "awd: %s\nTry 'awd --help'.\n";
    struct awd awd = {.dirs = {.state_lock = -1, .run_lock = -1}};
    struct aw_error err;
    enum aw_err e;

    descriptors_fill();
    memory_settle();
    log_to_journal();
    e = config_load(argc, argv, &awd.config, &err);
    if (e) {
        fprintf(stderr, e == AW_ERR_USAGE ? usage : "awd: %s\n", err.text);
        return e == AW_ERR_USAGE ? 2 : 1;
    }
    switch (awd.config.action) {
    case CONFIG_HELP:
        config_help(stdout);
        break;
    case CONFIG_VERSION:
        puts("awd " PACKAGE_VERSION);
        break;
    case CONFIG_CHECK:
        config_print(&awd.config, stdout);
        break;
    case CONFIG_RUN:
        return awd_run(&awd);
    case CONFIG_VERIFY:
    case CONFIG_RESTORE:
        return awd_maintain(&awd.config);
    }
    config_done(&awd.config);
    return fflush(stdout) == 0 ? 0 : 1;
}
