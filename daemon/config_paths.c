/*
 * Where things are when nobody says so: in --dir's directory; in systemd's, when it made some; in
 * the system's for root; else in the user's, by the XDG base directory specification.
 */
#include <sched.h>
#include <stdio.h>

#include "daemon/config_value.h"

static const char *env(const char *name)
{
    const char *value = getenv(name);

    return value && *value == '/' ? value : NULL;
}

/* systemd joins several by colons: ours is the first. */
static char *first_of(const char *list)
{
    return strndup(list, strcspn(list, ":"));
}

static char *join(const char *dir, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* $VAR/name, or ~/home_dir/name. NULL: neither is known. */
static char *xdg(const char *var, const char *home_dir, const char *name)
{
    const char *dir = env(var), *home = env("HOME");
    char *path;

    if (dir)
        return join(dir, name);
    if (!home || !home_dir || asprintf(&path, "%s/%s/%s", home, home_dir, name) < 0)
        return NULL;
    return path;
}

char *config_default_file(const struct config *config)
{
    if (config->dir)
        return join(config->dir, "awd.conf");
    if (env("CONFIGURATION_DIRECTORY")) {
        _cleanup_free_ char *dir = first_of(env("CONFIGURATION_DIRECTORY"));

        return dir ? join(dir, "awd.conf") : NULL;
    }
    if (config->system)
        return strdup("/etc/awd/awd.conf");
    return xdg("XDG_CONFIG_HOME", ".config", "awd/awd.conf");
}

static char *default_dir(const struct config *config, const char *systemd_var, const char *system,
                         const char *xdg_var, const char *home_dir)
{
    if (config->dir)
        return strdup(config->dir);
    if (env(systemd_var))
        return first_of(env(systemd_var));
    if (config->system)
        return strdup(system);
    return xdg(xdg_var, home_dir, "awd");
}

static enum aw_err fill_dirs(struct config *c, struct aw_error *err)
{
    if (!c->state_dir)
        c->state_dir =
            default_dir(c, "STATE_DIRECTORY", "/var/lib/awd", "XDG_STATE_HOME", ".local/state");
    if (!c->state_dir)
        return aw_fail(
            err, AW_ERR_INVALID,
            "state_dir is not known: neither $XDG_STATE_HOME nor $HOME is set; --dir DIR "
            "keeps everything in DIR");
    if (!c->run_dir)
        c->run_dir = default_dir(c, "RUNTIME_DIRECTORY", "/run/awd", "XDG_RUNTIME_DIR", NULL);
    if (!c->run_dir)
        return aw_fail(err, AW_ERR_INVALID,
                       "run_dir is not known: $XDG_RUNTIME_DIR is not set; --dir DIR keeps "
                       "everything in DIR");
    return AW_OK;
}

static int64_t n_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return CPU_COUNT(&set);
    return MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
}

static bool fill_sockets(struct config *c)
{
    if (!c->listen.n) {
        c->listen.v = calloc(1, sizeof(*c->listen.v));
        if (!c->listen.v || asprintf(&c->listen.v[0], "ipc://%s/awd.sock", c->run_dir) < 0)
            return false;
        c->listen.n = 1;
    }
    if (!c->runner_socket)
        c->runner_socket = join(c->run_dir, "runner.sock");
    return c->runner_socket != NULL;
}

enum aw_err config_fill(struct config *c, struct aw_error *err)
{
    enum aw_err e = fill_dirs(c, err);

    if (e)
        return e;
    if (!fill_sockets(c))
        return aw_fail(err, AW_ERR_NO_MEMORY, "configuration: out of memory");
    if (c->slots == CONFIG_AUTO)
        c->slots = MIN(n_cpus(), AW_MAX_SLOTS);
    /* All jobs run as one user: who may submit is trusted with that, so root and our group. */
    if (c->socket_mode == CONFIG_AUTO)
        c->socket_mode = c->system ? 0660 : 0600;
    /* Root's own daemon is for root's own jobs; the machine's is for everybody's. */
    if (c->root_jobs == CONFIG_AUTO)
        c->root_jobs = geteuid() == 0 && c->dir;
    return AW_OK;
}
