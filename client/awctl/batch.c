#include "client/awctl/batch.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/awctl/lazy.h"
#include "client/awctl/limit_opts.h"
#include "proto/messages.h"

static enum aw_err no_memory(struct aw_error *err)
{
    return aw_fail(err, AW_ERR_NO_MEMORY, "batch: out of memory");
}

static enum aw_err wrong_type(const char *key, const char *want, struct aw_error *err)
{
    return aw_fail(err, AW_ERR_INVALID, "%.80s: must be %s", key, want);
}

/* ---- Lists of texts ------------------------------------------------------------------------ */

static enum aw_err texts_read(struct batch_job *b, const char *key, json_t *value, char ***ret,
                              struct aw_error *err)
{
    size_t n = json_is_array(value) ? lazy_json_array_size(value) : 0;
    char **list;

    if (!json_is_array(value))
        return wrong_type(key, "an array of strings", err);
    list = calloc(n + 1, sizeof(*list));
    if (!list)
        return no_memory(err);
    free(*ret);
    *ret = list;
    for (size_t i = 0; i < n; i++) {
        json_t *item = lazy_json_array_get(value, i);

        if (!json_is_string(item))
            return wrong_type(key, "an array of strings", err);
        list[i] = (char *)lazy_json_string_value(item);
        b->size += lazy_json_string_length(item) + 5;
    }
    b->n_texts += n;
    return AW_OK;
}

static enum aw_err codes_read(struct batch_job *b, json_t *value, struct aw_error *err)
{
    size_t n = json_is_array(value) ? lazy_json_array_size(value) : 0;

    if (!json_is_array(value))
        return wrong_type("no_retry_exit", "an array of exit codes", err);
    free(b->no_retry_exit);
    b->no_retry_exit = calloc(n + 1, sizeof(*b->no_retry_exit));
    if (!b->no_retry_exit)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        json_t *item = lazy_json_array_get(value, i);
        json_int_t code = json_is_integer(item) ? lazy_json_integer_value(item) : 0;

        if (code < 1 || code > 255)
            return wrong_type("no_retry_exit", "an array of exit codes, 1 to 255", err);
        b->no_retry_exit[i] = (int)code;
    }
    b->n_texts += n;
    b->size += 3 * n;
    return AW_OK;
}

/* Copies a text with its NUL, and gives the place of the NUL. */
static char *text_put(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len + 1);
    return to + len;
}

static enum aw_err env_object_read(struct batch_job *b, json_t *value, struct aw_error *err)
{
    size_t n = lazy_json_object_size(value), total = 0, i = 0;
    char *to;

    for (void *it = lazy_json_object_iter(value); it; it = lazy_json_object_iter_next(value, it)) {
        json_t *item = lazy_json_object_iter_value(it);

        if (!json_is_string(item))
            return wrong_type("env", "an object of strings, or an array of NAME=VALUE", err);
        total += strlen(lazy_json_object_iter_key(it)) + lazy_json_string_length(item) + 2;
    }
    free(b->env);
    b->env = calloc(n + 1, sizeof(*b->env));
    b->env_texts = to = malloc(total + 1);
    if (!b->env || !to)
        return no_memory(err);
    for (void *it = lazy_json_object_iter(value); it; it = lazy_json_object_iter_next(value, it)) {
        b->env[i++] = to;
        to = text_put(text_put(to, lazy_json_object_iter_key(it)), "=");
        to = text_put(to, lazy_json_string_value(lazy_json_object_iter_value(it))) + 1;
    }
    b->size += total + 5 * n;
    b->n_texts += n;
    return AW_OK;
}

static enum aw_err shell_read(struct batch_job *b, json_t *value, struct aw_error *err)
{
    static char sh[] = "/bin/sh", dash_c[] = "-c";

    if (!json_is_string(value))
        return wrong_type("shell", "a string", err);
    free(b->argv);
    b->argv = calloc(4, sizeof(*b->argv));
    if (!b->argv)
        return no_memory(err);
    b->argv[0] = sh;
    b->argv[1] = dash_c;
    b->argv[2] = (char *)lazy_json_string_value(value);
    b->size += lazy_json_string_length(value) + 32;
    return AW_OK;
}

/* ---- Single values -------------------------------------------------------------------------- */

enum member_kind { MEMBER_TEXT, MEMBER_BOOL, MEMBER_INT, MEMBER_INT64 };

static const struct member {
    const char *key;
    enum member_kind kind;
    size_t offset;
    int64_t min, max;
} members[] = {
    {"type", MEMBER_TEXT, offsetof(struct aw_job, type), 0, 0},
    {"cwd", MEMBER_TEXT, offsetof(struct aw_job, cwd), 0, 0},
    {"stdin_file", MEMBER_TEXT, offsetof(struct aw_job, stdin_file), 0, 0},
    {"merge_stderr", MEMBER_BOOL, offsetof(struct aw_job, merge_stderr), 0, 0},
    {"umask", MEMBER_INT, offsetof(struct aw_job, umask), -1, 0777},
    {"nice", MEMBER_INT, offsetof(struct aw_job, nice), -20, 19},
    {"sleep_ms", MEMBER_INT64, offsetof(struct aw_job, sleep_ms), 0, AW_MAX_DURATION_MS},
    {"name", MEMBER_TEXT, offsetof(struct aw_job, name), 0, 0},
    {"priority", MEMBER_INT, offsetof(struct aw_job, priority), AW_MIN_PRIORITY, AW_MAX_PRIORITY},
    {"key", MEMBER_TEXT, offsetof(struct aw_job, key), 0, 0},
    {"delay_ms", MEMBER_INT64, offsetof(struct aw_job, delay_ms), 0, AW_MAX_DURATION_MS},
    {"not_before_us", MEMBER_INT64, offsetof(struct aw_job, not_before_us), 0, MAX_TIME_US},
    {"timeout_ms", MEMBER_INT64, offsetof(struct aw_job, timeout_ms), 0, AW_MAX_DURATION_MS},
    {"grace_ms", MEMBER_INT64, offsetof(struct aw_job, grace_ms), 0, AW_MAX_DURATION_MS},
    {"queue_timeout_ms", MEMBER_INT64, offsetof(struct aw_job, queue_timeout_ms), 0,
     AW_MAX_DURATION_MS},
    {"output_limit", MEMBER_INT64, offsetof(struct aw_job, output_limit), 0, MAX_OUTPUT},
    {"retention_ms", MEMBER_INT64, offsetof(struct aw_job, retention_ms), 0, AW_MAX_DURATION_MS},
    {"on_interrupt", MEMBER_TEXT, offsetof(struct aw_job, on_interrupt), 0, 0},
    {"max_attempts", MEMBER_INT64, offsetof(struct aw_job, max_attempts), 1, AW_MAX_ATTEMPTS},
    {"backoff_ms", MEMBER_INT64, offsetof(struct aw_job, backoff_ms), 0, AW_MAX_DURATION_MS},
    {"backoff_factor", MEMBER_INT, offsetof(struct aw_job, backoff_factor), 1, 100},
    {"backoff_max_ms", MEMBER_INT64, offsetof(struct aw_job, backoff_max_ms), 0,
     AW_MAX_DURATION_MS},
    {"no_jitter", MEMBER_BOOL, offsetof(struct aw_job, no_jitter), 0, 0},
    {"url", MEMBER_TEXT, offsetof(struct aw_job, url), 0, 0},
    {"method", MEMBER_TEXT, offsetof(struct aw_job, method), 0, 0},
    {"expect", MEMBER_TEXT, offsetof(struct aw_job, expect), 0, 0},
    {"follow", MEMBER_INT, offsetof(struct aw_job, follow), 0, AW_MAX_REDIRECTS},
    {"queue", MEMBER_TEXT, offsetof(struct aw_job, queue), 0, 0},
    {"cache_ttl_ms", MEMBER_INT64, offsetof(struct aw_job, cache_ttl_ms), 0, AW_MAX_DURATION_MS},
    {"cache_failed", MEMBER_BOOL, offsetof(struct aw_job, cache_failed), 0, 0},
    {"abandon_ms", MEMBER_INT64, offsetof(struct aw_job, abandon_ms), 0, AW_MAX_DURATION_MS},
    {"total_timeout_ms", MEMBER_INT64, offsetof(struct aw_job, total_timeout_ms), 0,
     AW_MAX_DURATION_MS},
};

static enum aw_err member_set(struct batch_job *b, const struct member *m, json_t *value,
                              struct aw_error *err)
{
    void *to = (char *)&b->job + m->offset;
    int64_t v;

    if (m->kind == MEMBER_TEXT) {
        if (!json_is_string(value))
            return wrong_type(m->key, "a string", err);
        *(const char **)to = lazy_json_string_value(value);
        b->size += lazy_json_string_length(value);
        return AW_OK;
    }
    if (m->kind == MEMBER_BOOL) {
        if (!json_is_boolean(value))
            return wrong_type(m->key, "true or false", err);
        *(bool *)to = json_is_true(value);
        return AW_OK;
    }
    v = json_is_integer(value) ? lazy_json_integer_value(value) : INT64_MIN;
    if (v < m->min || v > m->max)
        return aw_fail(err, AW_ERR_INVALID, "%s: must be an integer from %lld to %lld", m->key,
                       (long long)m->min, (long long)m->max);
    if (m->kind == MEMBER_INT)
        *(int *)to = (int)v;
    else
        *(int64_t *)to = v;
    return AW_OK;
}

static enum aw_err data_read(struct batch_job *b, const char *key, json_t *value, const void **ret,
                             size_t *ret_len, struct aw_error *err)
{
    if (!json_is_string(value))
        return wrong_type(key, "a string", err);
    *ret = lazy_json_string_value(value);
    *ret_len = lazy_json_string_length(value);
    b->size += *ret_len;
    return AW_OK;
}

/* Put upon those that options have set for all jobs. */
static enum aw_err limits_read(struct batch_job *b, json_t *value, struct aw_error *err)
{
    struct limit_values v = {.limits = b->job.limits};

    if (!json_is_object(value))
        return wrong_type("limits", "an object of limits", err);
    for (void *it = lazy_json_object_iter(value); it; it = lazy_json_object_iter_next(value, it)) {
        const char *name = lazy_json_object_iter_key(it);
        json_t *item = lazy_json_object_iter_value(it);
        json_int_t n = json_is_integer(item) ? lazy_json_integer_value(item) : -1;
        enum limit which;

        if (!limit_find(bytes_str(name), &which))
            return aw_fail(err, AW_ERR_INVALID, "limits: there is no limit '%.80s'", name);
        if (n < 0 || !limit_set(which, (uint64_t)n, &v))
            return aw_fail(err, AW_ERR_INVALID, "limits.%s: must be an integer from 0 to %" PRId64,
                           name, limits_schema.fields[which].max);
    }
    b->job.limits = v.limits;
    return AW_OK;
}

/* Members that are lists of texts: where they are kept, and what points there. */
static const struct {
    const char *key;
    size_t own, job;
} lists[] = {
#define LIST(name)                                                             \
    {                                                                          \
#name, offsetof(struct batch_job, name), offsetof(struct aw_job, name) \
    }
    LIST(argv),  LIST(env),       LIST(retry_on),   LIST(headers),
    LIST(after), LIST(after_any), LIST(after_fail),
#undef LIST
};

static char ***list_of(struct batch_job *b, size_t i)
{
    return (char ***)(void *)((char *)b + lists[i].own);
}

static enum aw_err member_read(struct batch_job *b, const char *key, json_t *value,
                               struct aw_error *err)
{
    if (!strcmp(key, "env") && json_is_object(value))
        return env_object_read(b, value, err);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (!strcmp(key, lists[i].key))
            return texts_read(b, key, value, list_of(b, i), err);
    if (!strcmp(key, "no_retry_exit"))
        return codes_read(b, value, err);
    if (!strcmp(key, "limits"))
        return limits_read(b, value, err);
    if (!strcmp(key, "shell"))
        return shell_read(b, value, err);
    if (!strcmp(key, "stdin"))
        return data_read(b, key, value, &b->job.stdin_data, &b->job.stdin_len, err);
    if (!strcmp(key, "body"))
        return data_read(b, key, value, &b->job.body, &b->job.body_len, err);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (!strcmp(key, members[i].key))
            return member_set(b, &members[i], value, err);
    return aw_fail(err, AW_ERR_INVALID, "a job has no member '%.80s'", key);
}

static char *const **place_of(struct aw_job *job, size_t i)
{
    return (char *const **)(void *)((char *)job + lists[i].job);
}

/* What the defaults weigh: the captured environment, above all. */
static void defaults_weigh(struct batch_job *b)
{
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        for (char *const *t = *list_of(b, i) ? NULL : *place_of(&b->job, i); t && *t; t++) {
            b->size += strlen(*t) + 5;
            b->n_texts++;
        }
    b->size += 256;
    b->n_texts += 2 * 48;
}

static enum aw_err members_read(struct batch_job *b, struct aw_error *err)
{
    for (void *it = lazy_json_object_iter(b->json); it;
         it = lazy_json_object_iter_next(b->json, it)) {
        enum aw_err e =
            member_read(b, lazy_json_object_iter_key(it), lazy_json_object_iter_value(it), err);

        if (e)
            return e;
    }
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        if (*list_of(b, i))
            *place_of(&b->job, i) = *list_of(b, i);
    if (b->no_retry_exit)
        b->job.no_retry_exit = b->no_retry_exit;
    defaults_weigh(b);
    return AW_OK;
}

enum aw_err batch_job_read(const char *line, size_t len, const struct aw_job *defaults,
                           struct batch_job *ret, struct aw_error *err)
{
    struct batch_job b = {.job = *defaults};
    json_error_t why;
    enum aw_err e;

    b.json = lazy_json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
    if (!b.json)
        return aw_fail(err, AW_ERR_INVALID, "no JSON (column %d: %s)", why.column, why.text);
    e = json_is_object(b.json) ? members_read(&b, err)
                               : aw_fail(err, AW_ERR_INVALID, "must be a JSON object");
    if (e)
        batch_job_done(&b);
    else
        *ret = b;
    return e;
}

void batch_job_done(struct batch_job *b)
{
    if (b->json)
        lazy_json_delete(b->json);
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        free(*list_of(b, i));
    free(b->env_texts);
    free(b->no_retry_exit);
    *b = (struct batch_job){0};
}
