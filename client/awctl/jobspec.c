#include "client/awctl/jobspec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "proto/future_id.h"

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

/* All that can be read there, up to `max` bytes; `name` is for the sentence. */
static enum aw_err read_all(int fd, const char *name, size_t max, char **ret, size_t *ret_len,
                            struct aw_error *err)
{
    _cleanup_free_ char *data = NULL;
    size_t len = 0, cap = 65536;

    data = malloc(cap);
    while (data) {
        ssize_t n = read(fd, data + len, cap - len);
        char *grown;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return aw_fail(err, AW_ERR_SYSTEM, "%s: %s", name, strerror(errno));
        len += (size_t)n;
        if (n == 0)
            break;
        if (len > max)
            return aw_fail(err, AW_ERR_TOO_LARGE, "%s has more than %zu bytes", name, max);
        if (len < cap)
            continue;
        cap *= 2;
        grown = realloc(data, cap);
        if (!grown)
            free(data);
        data = grown;
    }
    if (!data)
        return no_memory(err);
    *ret = take_ptr(data);
    *ret_len = len;
    return AW_OK;
}

static enum aw_err stdin_take(struct madejob *m, struct aw_error *err)
{
    struct aw_error why;
    enum aw_err e = read_all(STDIN_FILENO, "standard input", AW_MAX_STDIN, &m->stdin_data,
                             &m->job.stdin_len, &why);

    m->job.stdin_data = m->stdin_data;
    if (e == AW_ERR_TOO_LARGE)
        return aw_fail(err, e, "%s; put it into a file, and use --stdin-file", why.text);
    return e ? aw_fail(err, e, "%s", why.text) : AW_OK;
}

/* ---- What is tried again ------------------------------------------------------------------- */

/* The words of "timeout,75" and of further such lists, with NULL behind them; cut up in *words. */
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
        e = words_make(&spec->retry_on, &m->words[0], &m->retry_on, err);
    if (!e && spec->no_retry_exit.n)
        e = codes_make(&spec->no_retry_exit, &m->no_retry_exit, err);
    m->job.retry_on = m->retry_on;
    m->job.no_retry_exit = m->no_retry_exit;
    return e;
}

/* ---- What it waits for --------------------------------------------------------------------- */

static enum aw_err parents_make(const char *option, const struct texts *lists, char **words,
                                char ***ret, struct aw_error *err)
{
    enum aw_err e = lists->n ? words_make(lists, words, ret, err) : AW_OK;
    struct aw_error why;

    for (char **id = *ret; !e && id && *id; id++) {
        struct future_id parsed;

        if (future_id_parse(bytes_str(*id), &parsed, &why))
            e = aw_fail(err, AW_ERR_USAGE, "--%s: %.200s", option, why.text);
    }
    return e;
}

static enum aw_err all_parents_make(const struct jobspec *spec, struct madejob *m,
                                    struct aw_error *err)
{
    enum aw_err e = parents_make("after", &spec->after, &m->words[1], &m->after, err);

    if (!e)
        e = parents_make("after-any", &spec->after_any, &m->words[2], &m->after_any, err);
    if (!e)
        e = parents_make("after-fail", &spec->after_fail, &m->words[3], &m->after_fail, err);
    m->job.after = m->after;
    m->job.after_any = m->after_any;
    m->job.after_fail = m->after_fail;
    return e;
}

/* ---- All of it ----------------------------------------------------------------------------- */

static bool has_http_options(const struct jobspec *spec)
{
    return spec->method || spec->headers.n || spec->data || spec->expect || spec->follow;
}

static enum aw_err spec_check(const struct jobspec *spec, int argc, bool need_command,
                              struct aw_error *err)
{
    int n_kinds = (spec->sleep_ms >= 0) + spec->noop + (spec->shell || argc > 0) + !!spec->http;

    if (n_kinds > 1)
        return aw_fail(err, AW_ERR_USAGE,
                       "a command, --http, --sleep and --noop exclude each other");
    if (!spec->http && has_http_options(spec))
        return aw_fail(err, AW_ERR_USAGE,
                       "--method, --header, --data, --expect and --follow need --http");
    if ((spec->http || spec->noop || spec->sleep_ms >= 0) && spec->limits.mask)
        return aw_fail(err, AW_ERR_USAGE, "only a command has limits (--memory, --cpu, ...)");
    if (spec->http && spec->data && spec->stdin_bytes)
        return aw_fail(err, AW_ERR_USAGE, "--data and --stdin exclude each other");
    if (n_kinds == 0 && need_command)
        return aw_fail(err, AW_ERR_USAGE, "no command was given");
    if (spec->stdin_bytes && spec->stdin_file)
        return aw_fail(err, AW_ERR_USAGE, "--stdin and --stdin-file exclude each other");
    if (spec->delay_ms && spec->at_us)
        return aw_fail(err, AW_ERR_USAGE, "--delay and --at exclude each other");
    if (spec->cache_ttl_ms && !spec->key)
        return aw_fail(err, AW_ERR_USAGE, "--cache-ttl needs --key");
    if (spec->cache_failed && !spec->cache_ttl_ms)
        return aw_fail(err, AW_ERR_USAGE, "--cache-failed needs --cache-ttl");
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
    job->queue = spec->queue;
    job->cache_ttl_ms = spec->cache_ttl_ms;
    job->cache_failed = spec->cache_failed;
    job->abandon_ms = spec->abandon_ms;
    job->limits = spec->limits.limits;
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

static enum aw_err body_of_file(const char *path, struct madejob *m, struct aw_error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "%.150s: %s", path, strerror(errno));
    return read_all(fd, path, AW_MAX_BODY, &m->body, &m->job.body_len, err);
}

static enum aw_err body_make(const struct jobspec *spec, struct madejob *m, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    if (spec->stdin_bytes) {
        e = read_all(STDIN_FILENO, "standard input", AW_MAX_BODY, &m->body, &m->job.body_len, err);
    } else if (spec->data && spec->data[0] == '@') {
        e = body_of_file(spec->data + 1, m, err);
    } else if (spec->data) {
        m->job.body = spec->data;
        m->job.body_len = strlen(spec->data);
    }
    if (m->body)
        m->job.body = m->body;
    return e;
}

static enum aw_err http_make(const struct jobspec *spec, struct madejob *m, struct aw_error *err)
{
    m->job.type = "http";
    m->job.url = spec->http;
    m->job.method = spec->method;
    m->job.expect = spec->expect;
    m->job.follow = (int)spec->follow;
    if (spec->headers.n) {
        m->headers = calloc(spec->headers.n + 1, sizeof(*m->headers));
        if (!m->headers)
            return no_memory(err);
        for (size_t i = 0; i < spec->headers.n; i++)
            m->headers[i] = (char *)spec->headers.v[i];
        m->job.headers = m->headers;
    }
    return body_make(spec, m, err);
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
    if (!e)
        e = all_parents_make(spec, &m, err);
    if (e)
        return e;
    if (spec->noop || spec->sleep_ms >= 0) {
        m.job.type = spec->noop ? "noop" : "sleep";
        m.job.sleep_ms = spec->noop ? 0 : spec->sleep_ms;
    } else if (spec->http) {
        e = http_make(spec, &m, err);
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
    free(m->body);
    free(m->headers);
    for (size_t i = 0; i < ARRAY_SIZE(m->words); i++)
        free(m->words[i]);
    free(m->retry_on);
    free(m->after);
    free(m->after_any);
    free(m->after_fail);
    free(m->no_retry_exit);
    *m = (struct madejob){0};
}
