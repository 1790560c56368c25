#include "proto/messages.h"

#include "proto/http_job.h"

SCHEMA_DEFINE(request, REQUEST_FIELDS)
SCHEMA_DEFINE(reply, REPLY_FIELDS)
SCHEMA_DEFINE(job, JOB_FIELDS)
SCHEMA_DEFINE(attempt_status, ATTEMPT_STATUS_FIELDS)
SCHEMA_DEFINE(job_status, JOB_STATUS_FIELDS)
SCHEMA_DEFINE(id_result, ID_RESULT_FIELDS)
SCHEMA_DEFINE(latency, LATENCY_FIELDS)
SCHEMA_DEFINE(set_status, SET_STATUS_FIELDS)
SCHEMA_DEFINE(queue_status, QUEUE_STATUS_FIELDS)
SCHEMA_DEFINE(user_status, USER_STATUS_FIELDS)

#define X(NAME, name, wire, who, text)           \
    SCHEMA_DEFINE(name##_req, NAME##_REQ_FIELDS) \
    SCHEMA_DEFINE(name##_rep, NAME##_REP_FIELDS)
OP_MAP(X)
#undef X

enum { OP_WHO_ANY = false, OP_WHO_ADMIN = true };

static const struct op_info ops[] = {
#define X(NAME, name, wire, who, text) \
    [OP_##NAME] = {wire, text, &name##_req_schema, &name##_rep_schema, OP_WHO_##who},
    OP_MAP(X)
#undef X
};

const struct op_info *op_info(enum op op)
{
    return &ops[op];
}

bool op_parse(struct bytes name, enum op *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        if (bytes_eq(name, bytes_str(ops[i].name))) {
            *ret = (enum op)i;
            return true;
        }
    return false;
}

static enum aw_err exec_check(const struct job *job, struct aw_error *err)
{
    size_t total = 0;

    if (job->argv.n == 0 || job->argv.v[0].len == 0)
        return aw_fail(err, AW_ERR_INVALID, "argv: a job of type exec needs a program to run");
    for (size_t i = 0; i < job->argv.n; i++)
        total += job->argv.v[i].len + 1;
    for (size_t i = 0; i < job->env.n; i++) {
        const char *s = job->env.v[i].data;

        if (job->env.v[i].len == 0 || s[0] == '=' || !memchr(s, '=', job->env.v[i].len))
            return aw_fail(err, AW_ERR_INVALID, "env[%zu]: must be NAME=VALUE", i);
        total += job->env.v[i].len + 1;
    }
    if (total > AW_MAX_ARGSIZE)
        return aw_fail(err, AW_ERR_TOO_LARGE, "argv and env have %zu bytes together; at most %u",
                       total, AW_MAX_ARGSIZE);
    if (job->cwd.data && *(const char *)job->cwd.data != '/')
        return aw_fail(err, AW_ERR_INVALID, "cwd: must be an absolute path");
    if (job->stdin_file.data && *(const char *)job->stdin_file.data != '/')
        return aw_fail(err, AW_ERR_INVALID, "stdin_file: must be an absolute path");
    if (job->stdin_file.data && job->stdin.data)
        return aw_fail(err, AW_ERR_INVALID, "stdin and stdin_file exclude each other");
    return AW_OK;
}

bool retry_on_parse(struct bytes text, enum aw_class *ret_class, int *ret_code)
{
    const char *p = text.data;
    int code = 0;

    *ret_code = -1;
    if (aw_class_parse(text, ret_class))
        return *ret_class != AW_CLASS_NONE;
    if (text.len == 0 || text.len > 3)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        code = code * 10 + (p[i] - '0');
    }
    *ret_class = AW_CLASS_EXIT;
    *ret_code = code;
    return code >= 1 && code <= 255;
}

static enum aw_err retries_check(const struct job *job, struct aw_error *err)
{
    for (size_t i = 0; i < job->retry_on.n; i++) {
        enum aw_class class;
        int code;

        if (!retry_on_parse(job->retry_on.v[i], &class, &code))
            return aw_fail(err, AW_ERR_INVALID,
                           "retry_on[%zu]: '%.*s' is neither an error class nor an exit code of 1 "
                           "to 255",
                           i, (int)MIN(job->retry_on.v[i].len, (size_t)32),
                           (const char *)job->retry_on.v[i].data);
    }
    for (size_t i = 0; i < job->no_retry_exit.n; i++)
        if (job->no_retry_exit.v[i] < 1 || job->no_retry_exit.v[i] > 255)
            return aw_fail(err, AW_ERR_INVALID, "no_retry_exit[%zu]: must be 1 to 255", i);
    return AW_OK;
}

enum aw_err name_check(struct bytes name, const char *field, struct aw_error *err)
{
    const unsigned char *p = name.data;

    if (name.len == 0)
        return aw_fail(err, AW_ERR_INVALID, "%s: a name needs at least one character", field);
    if (p[0] == '~')
        return aw_fail(err, AW_ERR_INVALID, "%s: names that start with '~' are the daemon's own",
                       field);
    for (size_t i = 0; i < name.len; i++)
        if (p[i] <= ' ' || p[i] == 0x7f)
            return aw_fail(err, AW_ERR_INVALID,
                           "%s: a name has no spaces and no control characters", field);
    return AW_OK;
}

/* What a job has to do with others: its queue, its parents, those that it may answer for. */
static enum aw_err relations_check(const struct job *job, struct aw_error *err)
{
    size_t n_parents = job->after.n + job->after_any.n + job->after_fail.n;

    if (n_parents > AW_MAX_PARENTS)
        return aw_fail(err, AW_ERR_TOO_LARGE,
                       "after, after_any and after_fail have %zu futures together; at most %d",
                       n_parents, AW_MAX_PARENTS);
    if (job->cache_ttl_ms && !job->key.data)
        return aw_fail(err, AW_ERR_INVALID, "cache_ttl_ms: needs a key");
    if (job->cache_failed && !job->cache_ttl_ms)
        return aw_fail(err, AW_ERR_INVALID, "cache_failed: needs cache_ttl_ms");
    return job->queue.data ? name_check(job->queue, "queue", err) : AW_OK;
}

enum aw_err job_check(const struct job *job, struct aw_error *err)
{
    enum aw_err e = retries_check(job, err);

    if (!e)
        e = relations_check(job, err);
    if (e)
        return e;
    if (job->on_interrupt.data && !bytes_eq(job->on_interrupt, bytes_str("fail")) &&
        !bytes_eq(job->on_interrupt, bytes_str("retry")))
        return aw_fail(err, AW_ERR_INVALID, "on_interrupt: must be fail or retry");
    if (job->delay_ms && job->not_before_us)
        return aw_fail(err, AW_ERR_INVALID, "delay_ms and not_before_us exclude each other");
    if (!job->type.data || bytes_eq(job->type, bytes_str("exec")))
        return exec_check(job, err);
    if (!bytes_eq(job->type, bytes_str("http")) && !bytes_eq(job->type, bytes_str("sleep")) &&
        !bytes_eq(job->type, bytes_str("noop")))
        return aw_fail(err, AW_ERR_INVALID, "type: '%.*s' is none of exec, http, sleep, noop",
                       (int)job->type.len, (const char *)job->type.data);
    if (!limits_none(&job->limits))
        return aw_fail(err, AW_ERR_INVALID, "limits: only jobs of type exec have them");
    return bytes_eq(job->type, bytes_str("http")) ? http_job_check(job, err) : AW_OK;
}
