#include "client/libaw/copy.h"

#include "client/libaw/copy_fields.h"

DEFINE_COPY(status, job_status, aw_status, JOB_STATUS_FIELDS)
DEFINE_COPY(attempt, attempt_status, aw_attempt, ATTEMPT_STATUS_FIELDS)
DEFINE_COPY(outcome, id_result, aw_outcome, ID_RESULT_FIELDS)
DEFINE_COPY(backup, backup_rep, aw_backup, BACKUP_REP_FIELDS)
DEFINE_COPY(hello, hello_rep, aw_hello, HELLO_REP_FIELDS)
DEFINE_COPY(stats, stats_rep, aw_stats, STATS_REP_FIELDS)

DEFINE_LIST(statuses, status, status, job_status)
DEFINE_LIST(outcomes, outcome, outcome, id_result)
DEFINE_LIST(attempts, attempt, attempt, attempt_status)

enum aw_err count_check(enum op op, size_t got, size_t n, struct aw_error *err)
{
    if (got == n)
        return AW_OK;
    return aw_fail(err, AW_ERR_PROTOCOL, "the daemon's answer to %s has %zu jobs, not %zu",
                   op_info(op)->name, got, n);
}

struct aw_statuses *statuses_copy(const struct job_status *v, size_t n, struct bytes next_page,
                                  const char **ret_next)
{
    char *room;
    struct aw_statuses *list = statuses_make(v, n, next_page.len + 1, &room);

    if (list && ret_next)
        *ret_next = next_page.len ? text_copy(&room, next_page) : NULL;
    return list;
}

struct aw_outcomes *outcomes_copy(const struct id_result *v, size_t n)
{
    return outcomes_make(v, n, 0, NULL);
}

struct aw_attempts *attempts_copy(const struct attempt_status *v, size_t n)
{
    return attempts_make(v, n, 0, NULL);
}

struct result_block {
    struct aw_result result;
    char *attached;
    struct aw_status status;
    char texts[];
};

struct aw_result *result_copy(const struct result_rep *rep, uint64_t offset)
{
    struct result_block *b = malloc(sizeof(*b) + status_texts(&rep->job) + rep->data.len + 1);
    char *next;

    if (!b)
        return NULL;
    next = b->texts;
    b->attached = NULL;
    status_fill(&b->status, &rep->job, &next);
    b->result = (struct aw_result){
        .status = &b->status,
        .data = text_copy(&next, rep->data),
        .len = rep->data.len,
        .offset = offset,
        .size = rep->size,
        .eof = rep->eof,
    };
    return &b->result;
}

void result_attach(struct aw_result *result, char *data, size_t len, bool eof)
{
    struct result_block *b = (struct result_block *)result;

    free(b->attached);
    b->attached = data;
    result->data = data;
    result->len = len;
    result->eof = eof;
}

struct aw_chunk *chunk_copy(const struct logs_rep *rep)
{
    struct aw_chunk *chunk = malloc(sizeof(*chunk) + rep->data.len + 1);
    char *next = (char *)(chunk + 1);

    if (!chunk)
        return NULL;
    *chunk = (struct aw_chunk){
        .data = text_copy(&next, rep->data),
        .len = rep->data.len,
        .offset = rep->offset,
        .size = rep->size,
        .eof = rep->eof,
        .state = rep->state,
        .attempt = rep->attempt,
        .last_attempt = rep->last_attempt,
    };
    return chunk;
}

struct aw_backup *backup_copy(const struct backup_rep *rep)
{
    struct aw_backup *backup = malloc(sizeof(*backup) + backup_texts(rep));
    char *next = (char *)(backup + 1);

    if (backup)
        backup_fill(backup, rep, &next);
    return backup;
}

struct aw_hello *hello_copy(const struct hello_rep *rep)
{
    struct aw_hello *hello = malloc(sizeof(*hello) + hello_texts(rep));
    char *next = (char *)(hello + 1);

    if (hello)
        hello_fill(hello, rep, &next);
    return hello;
}

struct aw_stats *stats_copy(const struct stats_rep *rep)
{
    struct aw_stats *stats = malloc(sizeof(*stats) + stats_texts(rep));
    char *next = (char *)(stats + 1);

    if (stats)
        stats_fill(stats, rep, &next);
    return stats;
}

/* ---- The API around them ---------------------------------------------------------------- */

void aw_result_free(struct aw_result *result)
{
    struct result_block *b = (struct result_block *)result;

    if (b)
        free(b->attached);
    free(b);
}

void aw_chunk_free(struct aw_chunk *chunk)
{
    free(chunk);
}

void aw_backup_free(struct aw_backup *backup)
{
    free(backup);
}

void aw_hello_free(struct aw_hello *hello)
{
    free(hello);
}

void aw_stats_free(struct aw_stats *stats)
{
    free(stats);
}
