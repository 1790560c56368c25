#include "daemon/runner/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/runner/spawn.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* What every attempt's environment starts with, so that it is found soon when we look for it. */
struct own_env {
    char id[AW_MAX_ID + 16];
    char attempt[48];
    char claim[48];
};

/* Of the runner's own environment, what a job gets that brings none. */
static const char *const inherited[] = {"HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"};

/* argv, and env behind it, as execve() wants them; freed as one. */
struct vectors {
    char **argv, **env;
    const char *path;
    char defaults[ARRAY_SIZE(inherited) + 1][256];
};

static const char *env_name_is(const char *entry, const char *name)
{
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && entry[len] == '=' ? entry + len + 1 : NULL;
}

static bool env_is_ours(const char *entry)
{
    return env_name_is(entry, "AWD_JOB_ID") || env_name_is(entry, "AWD_ATTEMPT") ||
           env_name_is(entry, "AWD_CLAIM");
}

/* The runner's own; for a job of another user what is that user's. */
static const char *env_value(const struct identity *id, const char *name)
{
    if (id && strcmp(name, "HOME") == 0)
        return id->home;
    if (id && strcmp(name, "SHELL") == 0)
        return id->shell;
    if (id && (strcmp(name, "USER") == 0 || strcmp(name, "LOGNAME") == 0))
        return id->name;
    return getenv(name);
}

static char **env_default(struct vectors *v, char **p, const struct identity *id)
{
    size_t n = 0;

    v->path = getenv("PATH");
    if (!v->path || strlen(v->path) >= sizeof(v->defaults[0]) - 8)
        v->path = DEFAULT_PATH;
    snprintf(v->defaults[n], sizeof(v->defaults[n]), "PATH=%s", v->path);
    *p++ = v->defaults[n++];
    for (size_t i = 0; i < ARRAY_SIZE(inherited); i++) {
        const char *value = env_value(id, inherited[i]);

        if (!value || strlen(value) + 16 > sizeof(v->defaults[n]))
            continue;
        snprintf(v->defaults[n], sizeof(v->defaults[n]), "%s=%s", inherited[i], value);
        *p++ = v->defaults[n++];
    }
    return p;
}

static char **env_given(struct vectors *v, char **p, const struct runner_strings *env)
{
    const char *s = env->data;

    for (size_t i = 0; i < env->n; i++, s = runner_strings_next(s)) {
        const char *path = env_name_is(s, "PATH");

        if (env_is_ours(s))
            continue;
        if (path && !v->path)
            v->path = path;
        *p++ = (char *)s;
    }
    return p;
}

static bool vectors_fill(struct vectors *v, const struct runner_start *start,
                         const struct identity *id, struct own_env *own)
{
    size_t n_own = 3, n_env = MAX(start->env.n, ARRAY_SIZE(v->defaults));
    char **p = reallocarray(NULL, start->argv.n + n_own + n_env + 2, sizeof(*p));
    const char *s = start->argv.data;

    if (!p)
        return false;
    snprintf(own->id, sizeof(own->id), "AWD_JOB_ID=%s", (const char *)start->id.data);
    snprintf(own->attempt, sizeof(own->attempt), "AWD_ATTEMPT=%" PRIu64, start->attempt);
    snprintf(own->claim, sizeof(own->claim), "AWD_CLAIM=%" PRIu64, start->claim);
    v->argv = p;
    for (size_t i = 0; i < start->argv.n; i++, s = runner_strings_next(s))
        *p++ = (char *)s;
    *p++ = NULL;
    v->env = p;
    *p++ = own->id;
    *p++ = own->attempt;
    *p++ = own->claim;
    v->path = NULL;
    p = start->env.n ? env_given(v, p, &start->env) : env_default(v, p, id);
    *p = NULL;
    if (!v->path)
        v->path = DEFAULT_PATH;
    return true;
}

/* A pipe that only its reader sees as non-blocking. */
static int pipe_open(int *ret_writer)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    if (fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
        close(fds[0]);
        close(fds[1]);
        return -1;
    }
    *ret_writer = fds[1];
    return fds[0];
}

static enum aw_err pipes_open(struct job *job, bool merge, int writers[RUNNER_STREAMS],
                              struct aw_error *err)
{
    for (int i = 0; i < (merge ? 1 : RUNNER_STREAMS); i++) {
        job->out[i].stream.fd = pipe_open(&writers[i]);
        if (job->out[i].stream.fd < 0)
            return aw_fail(err, AW_ERR_SYSTEM, "pipe: %s", strerror(errno));
    }
    return AW_OK;
}

static enum aw_err launch_as(struct runner *runner, struct job *job,
                             const struct runner_start *start, const struct identity *id,
                             int stdin_fd, struct spawned *ret, struct aw_error *err)
{
    int writers[RUNNER_STREAMS] = {-1, -1};
    struct own_env own;
    struct vectors v;
    struct rlimits rlimits;
    enum aw_err e;

    rlimits_make(&start->limits, &runner->nofile, !cgroup_can(&runner->cgroups, CGROUP_MEMORY),
                 &rlimits);
    if (!vectors_fill(&v, start, id, &own))
        return aw_fail(err, AW_ERR_NO_MEMORY, "arguments: out of memory");
    identity_pretend(id);
    e = pipes_open(job, start->merge_stderr, writers, err);
    identity_pretend_end(id);
    if (e == AW_OK) {
        struct spawn spawn = {
            .argv = v.argv,
            .env = v.env,
            .path = v.path,
            .cwd = start->cwd.len ? start->cwd.data : "/",
            .stdin_file = start->stdin_file.len ? start->stdin_file.data : NULL,
            .stdin_fd = stdin_fd >= 0 ? stdin_fd : runner->null_fd,
            .stdout_fd = writers[RUNNER_STDOUT],
            .stderr_fd = writers[start->merge_stderr ? RUNNER_STDOUT : RUNNER_STDERR],
            .umask = start->umask,
            .nice = rlimits_nice(&start->limits, start->nice, runner->niceness),
            .ioprio = rlimits_ioprio(&start->limits),
            .rlimits = &rlimits,
            .cgroup_fd = job->cgroup ? job->cgroup->dir_fd : -1,
            .identity = id,
            .privileged = runner->identities.privileged,
        };
        e = spawn_run(&spawn, ret, err);
    }
    for (int i = 0; i < RUNNER_STREAMS; i++)
        cleanup_close(&writers[i]);
    free(v.argv);
    return e;
}

enum aw_err launch(struct runner *runner, struct job *job, const struct runner_start *start,
                   int stdin_fd, struct spawned *ret, struct aw_error *err)
{
    const struct identity *id;
    enum aw_err e = identity_find(&runner->identities, start->uid, start->gid, &id, err);

    return e == AW_OK ? launch_as(runner, job, start, id, stdin_fd, ret, err) : e;
}
