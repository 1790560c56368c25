#include "client/awctl/jobspec.h"

#include <errno.h>
#include <stdio.h>

extern char **environ;

static enum aw_err no_memory(struct aw_error *err)
{
    return aw_fail(err, AW_ERR_NO_MEMORY, "job: out of memory");
}

/* ---- argv --------------------------------------------------------------------------------- */

static enum aw_err argv_make(const struct jobspec *spec, int argc, char **argv, struct madejob *m,
                             struct aw_error *err)
{
    static char sh[] = "/bin/sh", dash_c[] = "-c", zero[] = "sh";
    size_t n = 0;

    m->argv = calloc((size_t)argc + 5, sizeof(*m->argv));
    if (!m->argv)
        return no_memory(err);
    if (spec->shell) {
        m->argv[n++] = sh;
        m->argv[n++] = dash_c;
        m->argv[n++] = (char *)spec->shell;
        if (argc)
            m->argv[n++] = zero;
    }
    for (int i = 0; i < argc; i++)
        m->argv[n++] = argv[i];
    m->job.argv = m->argv;
    return AW_OK;
}

/* ---- Environment --------------------------------------------------------------------------- */

static size_t name_len(const char *entry)
{
    return strcspn(entry, "=");
}

/* Puts an entry in the place of one with the same name, or behind all. */
static void env_put(struct madejob *m, size_t *n, char *entry)
{
    size_t len = name_len(entry);

    for (size_t i = 0; i < *n; i++)
        if (name_len(m->env[i]) == len && !memcmp(m->env[i], entry, len)) {
            m->env[i] = entry;
            return;
        }
    m->env[(*n)++] = entry;
}

/* Our own environment; what is no NAME=VALUE in it (such things happen) stays here. */
static void env_capture(struct madejob *m, size_t *n)
{
    for (char **e = environ; e && *e; e++)
        if (**e != '=' && strchr(*e, '='))
            m->env[(*n)++] = *e;
}

static char *env_own(const char *name)
{
    size_t len = strlen(name);

    for (char **e = environ; e && *e; e++)
        if (!strncmp(*e, name, len) && (*e)[len] == '=')
            return *e;
    return NULL;
}

static enum aw_err env_make(const struct jobspec *spec, struct madejob *m, struct aw_error *err)
{
    size_t n = 0, max = spec->env.n + 1;

    for (char **e = environ; e && *e; e++)
        max++;
    m->env = calloc(max, sizeof(*m->env));
    if (!m->env)
        return no_memory(err);
    if (!spec->clean_env)
        env_capture(m, &n);
    for (size_t i = 0; i < spec->env.n; i++) {
        const char *text = spec->env.v[i];

        if (name_len(text) == 0)
            return aw_fail(err, AW_ERR_USAGE, "--env: '%.80s' has no name", text);
        if (strchr(text, '='))
            env_put(m, &n, (char *)text);
        else if (env_own(text))
            env_put(m, &n, env_own(text));
    }
    m->job.env = m->env;
    return AW_OK;
}

/* ---- Paths and standard input -------------------------------------------------------------- */

/* NULL stands for the directory we are in. */
static enum aw_err path_make(const char *path, char **ret, struct aw_error *err)
{
    _cleanup_free_ char *here = NULL;
    char *text = NULL;

    if (path && *path == '/') {
        *ret = strdup(path);
        return *ret ? AW_OK : no_memory(err);
    }
    here = getcwd(NULL, 0);
    if (!here)
        return aw_fail(err, AW_ERR_USAGE, "the directory we are in cannot be told (%s); use --cwd",
                       strerror(errno));
    if (!path)
        text = strdup(here);
    else if (asprintf(&text, "%s/%s", here, path) < 0)
        text = NULL;
    if (!text)
        return no_memory(err);
    *ret = text;
    return AW_OK;
}

static enum aw_err stdin_take(struct madejob *m, struct aw_error *err)
{
    size_t len = 0, cap = 65536;

    m->stdin_data = malloc(cap);
    while (m->stdin_data) {
        ssize_t n = read(STDIN_FILENO, m->stdin_data + len, cap - len);
        char *grown;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return aw_fail(err, AW_ERR_SYSTEM, "standard input: %s", strerror(errno));
        len += (size_t)n;
        if (n == 0)
            break;
        if (len > AW_MAX_STDIN)
            return aw_fail(err, AW_ERR_TOO_LARGE,
                           "standard input has more than %u bytes; put it into a file, and use "
                           "--stdin-file",
                           AW_MAX_STDIN);
        if (len < cap)
            continue;
        cap *= 2;
        grown = realloc(m->stdin_data, cap);
        if (!grown)
            free(m->stdin_data);
        m->stdin_data = grown;
    }
    if (!m->stdin_data)
        return no_memory(err);
    m->job.stdin_data = m->stdin_data;
    m->job.stdin_len = len;
    return AW_OK;
}

/* ---- What is tried again ------------------------------------------------------------------- */

/* The words of "timeout,75" and of further such lists, with NULL behind them; cut up in m->words.
 */
static enum aw_err words_make(const struct texts *lists, char **words, char ***ret,
                              struct aw_error *err)
{
    size_t size = 1, n = 0;
    char *at, *word;

    for (size_t i = 0; i < lists->n; i++)
        size += strlen(lists->v[i]) + 1;
    *words = at = malloc(size);
    *ret = calloc(size, sizeof(**ret));
    if (!*words || !*ret)
        return no_memory(err);
    for (size_t i = 0; i < lists->n; i++) {
        size_t len = strlen(lists->v[i]) + 1;
        char *rest = memcpy(at, lists->v[i], len);

        at += len;
        while ((word = strsep(&rest, ",")))
            if (*word)
                (*ret)[n++] = word;
    }
    return AW_OK;
}

static enum aw_err codes_make(const struct texts *lists, int **ret, struct aw_error *err)
{
    _cleanup_free_ char *words = NULL;
    _cleanup_free_ char **list = NULL;
    size_t n = 0;
    enum aw_err e = words_make(lists, &words, &list, err);

    if (e)
        return e;
    while (list[n])
        n++;
    *ret = calloc(n + 1, sizeof(**ret));
    if (!*ret)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        char *end;
        long code = strtol(list[i], &end, 10);

        if (*end || code < 1 || code > 255)
            return aw_fail(err, AW_ERR_USAGE, "--no-retry-exit: '%.40s' is no exit code (1 to 255)",
                           list[i]);
        (*ret)[i] = (int)code;
    }
    return AW_OK;
}

static enum aw_err retries_make(const struct jobspec *spec, struct madejob *m, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    if (spec->retry_on.n)
        e = words_make(&spec->retry_on, &m->words, &m->retry_on, err);
    if (!e && spec->no_retry_exit.n)
        e = codes_make(&spec->no_retry_exit, &m->no_retry_exit, err);
    m->job.retry_on = m->retry_on;
    m->job.no_retry_exit = m->no_retry_exit;
    return e;
}

/* ---- All of it ----------------------------------------------------------------------------- */

static enum aw_err spec_check(const struct jobspec *spec, int argc, bool need_command,
                              struct aw_error *err)
{
    int n_kinds = (spec->sleep_ms >= 0) + spec->noop + (spec->shell || argc > 0);

    if (n_kinds > 1)
        return aw_fail(err, AW_ERR_USAGE, "a command, --sleep and --noop exclude each other");
    if (n_kinds == 0 && need_command)
        return aw_fail(err, AW_ERR_USAGE, "no command was given");
    if (spec->stdin_bytes && spec->stdin_file)
        return aw_fail(err, AW_ERR_USAGE, "--stdin and --stdin-file exclude each other");
    if (spec->delay_ms && spec->at_us)
        return aw_fail(err, AW_ERR_USAGE, "--delay and --at exclude each other");
    return AW_OK;
}

static void plain_fields(const struct jobspec *spec, struct aw_job *job)
{
    job->merge_stderr = spec->merge_stderr;
    job->umask = (int)spec->umask;
    job->nice = (int)spec->nice;
    job->name = spec->name;
    job->priority = (int)spec->priority;
    job->key = spec->key;
    job->delay_ms = spec->delay_ms;
    job->not_before_us = spec->at_us;
    job->timeout_ms = spec->timeout_ms;
    job->grace_ms = spec->grace_ms;
    job->queue_timeout_ms = spec->queue_timeout_ms;
    job->output_limit = spec->output_limit;
    job->retention_ms = spec->retention_ms;
    job->on_interrupt = spec->on_interrupt;
    job->max_attempts = spec->max_attempts;
    job->backoff_ms = spec->backoff_ms;
    job->backoff_factor = (int)spec->backoff_factor;
    job->backoff_max_ms = spec->backoff_max_ms;
    job->no_jitter = spec->no_jitter;
    job->total_timeout_ms = spec->total_timeout_ms;
}

static enum aw_err exec_make(const struct jobspec *spec, int argc, char **argv, struct madejob *m,
                             struct aw_error *err)
{
    enum aw_err e = argv_make(spec, argc, argv, m, err);

    if (!e)
        e = env_make(spec, m, err);
    if (!e)
        e = path_make(spec->cwd, &m->cwd, err);
    if (!e && spec->stdin_file)
        e = path_make(spec->stdin_file, &m->stdin_file, err);
    if (!e && spec->stdin_bytes)
        e = stdin_take(m, err);
    m->job.cwd = m->cwd;
    m->job.stdin_file = m->stdin_file;
    return e;
}

enum aw_err jobspec_make(const struct jobspec *spec, int argc, char **argv, bool need_command,
                         struct madejob *ret, struct aw_error *err)
{
    _cleanup_madejob_ struct madejob m = {0};
    enum aw_err e = spec_check(spec, argc, need_command, err);

    if (e)
        return e;
    aw_job_init(&m.job);
    plain_fields(spec, &m.job);
    e = retries_make(spec, &m, err);
    if (e)
        return e;
    if (spec->noop || spec->sleep_ms >= 0) {
        m.job.type = spec->noop ? "noop" : "sleep";
        m.job.sleep_ms = spec->noop ? 0 : spec->sleep_ms;
    } else {
        e = exec_make(spec, argc, argv, &m, err);
    }
    if (e)
        return e;
    *ret = m;
    m = (struct madejob){0};
    return AW_OK;
}

void madejob_done(struct madejob *m)
{
    free(m->argv);
    free(m->env);
    free(m->cwd);
    free(m->stdin_file);
    free(m->stdin_data);
    free(m->words);
    free(m->retry_on);
    free(m->no_retry_exit);
    *m = (struct madejob){0};
}
