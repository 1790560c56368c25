#include <errno.h>
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "proto/limits.h"

#define STEP 65536 /* bytes by which -n looks backwards at first; then twice as far each time */

struct logs_values {
    bool follow, stderr_too;
    int64_t lines;   /* -1: all */
    int64_t attempt; /* 0: the last */
};

static struct logs_values values = {.lines = -1};

static const struct opt opts[] = {
    {"follow", 'f', OPT_FLAG, NULL, "go on until the job has ended",
     offsetof(struct logs_values, follow), 0, 0},
    {"lines", 'n', OPT_INT, "N", "only the last N lines of what is there",
     offsetof(struct logs_values, lines), 0, INT64_MAX},
    {"attempt", 'a', OPT_INT, "N",
     "of attempt N (default: the last; -f: the last and what follows)",
     offsetof(struct logs_values, attempt), 1, AW_MAX_ATTEMPTS},
    {"stderr", 'e', OPT_FLAG, NULL, "standard error instead of standard output",
     offsetof(struct logs_values, stderr_too), 0, 0},
};

static enum aw_stream stream(void)
{
    return values.stderr_too ? AW_STDERR : AW_STDOUT;
}

/* Where in `data` the last *n lines start, or NULL (and *n less) when more come before. */
static const char *lines_back(const char *data, size_t len, int64_t *n, bool at_end)
{
    if (at_end && len && data[len - 1] == '\n')
        len--; /* the last line's own end */
    while (len > 0) {
        const char *p = memrchr(data, '\n', len);

        if (!p)
            return NULL;
        if (--*n == 0)
            return p + 1;
        len = (size_t)(p - data);
    }
    return NULL;
}

/* The offset at which the last n lines of what is there begin. */
static enum aw_err tail_find(struct awctl *ctl, const char *id, int64_t n, uint64_t *ret,
                             struct aw_error *err)
{
    struct aw_chunk *chunk;
    enum aw_err e =
        aw_logs_attempt(ctl->client, id, (uint64_t)values.attempt, stream(), -1, 0, &chunk, err);
    uint64_t pos, end, step = STEP;

    if (e)
        return e;
    pos = end = chunk->size;
    aw_chunk_free(chunk);
    while (n > 0 && pos > 0) {
        uint64_t from = pos > step ? pos - step : 0;
        const char *start;

        e = aw_logs_attempt(ctl->client, id, (uint64_t)values.attempt, stream(), (int64_t)from, 0,
                            &chunk, err);
        if (e)
            return e;
        start = lines_back(chunk->data, (size_t)MIN(chunk->len, pos - from), &n, pos == end);
        pos = start ? from + (uint64_t)(start - chunk->data) : from;
        aw_chunk_free(chunk);
        if (start)
            break;
        step = MIN(step * 2, (uint64_t)AW_MAX_CHUNK);
    }
    *ret = pos;
    return AW_OK;
}

static bool chunk_print(struct awctl *ctl, const char *id, const struct aw_chunk *chunk)
{
    if (!ctl->json)
        return write_all(STDOUT_FILENO, chunk->data, chunk->len);
    if (chunk->len || chunk->eof)
        json_chunk(id, values.stderr_too ? "stderr" : "stdout", chunk);
    return fflush(stdout) == 0;
}

static enum aw_err logs_next(struct awctl *ctl, const char *id, struct log_cursor *cursor,
                             struct aw_chunk **ret, bool *ret_more, struct aw_error *err)
{
    enum aw_err e;

    if (values.follow && !values.attempt) {
        e = cursor_next(ctl, id, stream(), cursor, ret, err);
        *ret_more = !e && !cursor_at_end(*ret);
        return e;
    }
    e = aw_logs_attempt(ctl->client, id, cursor->attempt, stream(), (int64_t)cursor->offset,
                        values.follow ? AW_FOREVER : 0, ret, err);
    if (e)
        return e;
    cursor->offset = (*ret)->offset + (*ret)->len;
    *ret_more = !(*ret)->eof && (values.follow || ((*ret)->len && cursor->offset < (*ret)->size));
    return AW_OK;
}

static int logs_copy(struct awctl *ctl, const char *id, uint64_t offset)
{
    struct log_cursor cursor = {(uint64_t)values.attempt, offset};
    bool more = true;

    while (more) {
        struct aw_chunk *chunk;
        struct aw_error err;
        bool written;

        if (logs_next(ctl, id, &cursor, &chunk, &more, &err))
            return awctl_fail(&err);
        written = chunk_print(ctl, id, chunk);
        aw_chunk_free(chunk);
        if (!written) {
            complain("standard output: %s", strerror(errno));
            return aw_err_exit_code(AW_ERR_DISK_FULL);
        }
    }
    return 0;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    _cleanup_ids_ struct ids ids = {0};
    struct aw_error err;
    uint64_t offset = 0;
    int code;

    if (ids_parse(argc, argv, &ids, &err))
        return awctl_fail(&err);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (values.lines >= 0 && tail_find(ctl, ids.v[0], values.lines, &offset, &err))
        return awctl_fail(&err);
    code = logs_copy(ctl, ids.v[0], offset);
    return code ? code : output_code(0);
}

const struct command command_logs = {
    .name = "logs",
    .usage = "[OPTION...] ID",
    .help = "print what a job has written so far",
    .opts = opts,
    .n_opts = ARRAY_SIZE(opts),
    .values = &values,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
