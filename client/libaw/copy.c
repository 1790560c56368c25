#include "client/libaw/copy.h"

#include "client/libaw/copy_fields.h"

DEFINE_COPY(status, job_status, aw_status, JOB_STATUS_FIELDS)
DEFINE_COPY(attempt, attempt_status, aw_attempt, ATTEMPT_STATUS_FIELDS)
DEFINE_COPY(outcome, id_result, aw_outcome, ID_RESULT_FIELDS)
DEFINE_COPY(backup, backup_rep, aw_backup, BACKUP_REP_FIELDS)
DEFINE_COPY(hello, hello_rep, aw_hello, HELLO_REP_FIELDS)
DEFINE_COPY(stats, stats_rep, aw_stats, STATS_REP_FIELDS)

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
    size_t size = sizeof(struct aw_statuses) + n * sizeof(struct aw_status) + next_page.len + 1;
    struct aw_statuses *list;
    char *next;

    for (size_t i = 0; i < n; i++)
        size += status_texts(&v[i]);
    list = malloc(size);
    if (!list)
        return NULL;
    list->next = NULL;
    list->n = n;
    next = (char *)&list->v[n];
    for (size_t i = 0; i < n; i++)
        status_fill(&list->v[i], &v[i], &next);
    if (ret_next)
        *ret_next = next_page.len ? text_copy(&next, next_page) : NULL;
    return list;
}

struct aw_outcomes *outcomes_copy(const struct id_result *v, size_t n)
{
    size_t size = sizeof(struct aw_outcomes) + n * sizeof(struct aw_outcome);
    struct aw_outcomes *list;
    char *next;

    for (size_t i = 0; i < n; i++)
        size += outcome_texts(&v[i]);
    list = malloc(size);
    if (!list)
        return NULL;
    list->next = NULL;
    list->n = n;
    next = (char *)&list->v[n];
    for (size_t i = 0; i < n; i++)
        outcome_fill(&list->v[i], &v[i], &next);
    return list;
}

struct aw_attempts *attempts_copy(const struct attempt_status *v, size_t n)
{
    size_t size = sizeof(struct aw_attempts) + n * sizeof(struct aw_attempt);
    struct aw_attempts *list;
    char *next;

    for (size_t i = 0; i < n; i++)
        size += attempt_texts(&v[i]);
    list = malloc(size);
    if (!list)
        return NULL;
    list->n = n;
    next = (char *)&list->v[n];
    for (size_t i = 0; i < n; i++)
        attempt_fill(&list->v[i], &v[i], &next);
    return list;
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

size_t aw_statuses_count(const struct aw_statuses *list)
{
    size_t n = 0;

    for (; list; list = list->next)
        n += list->n;
    return n;
}

const struct aw_status *aw_statuses_at(const struct aw_statuses *list, size_t i)
{
    while (list && i >= list->n) {
        i -= list->n;
        list = list->next;
    }
    return list ? &list->v[i] : NULL;
}

void aw_statuses_free(struct aw_statuses *list)
{
    while (list) {
        struct aw_statuses *next = list->next;

        free(list);
        list = next;
    }
}

size_t aw_outcomes_count(const struct aw_outcomes *list)
{
    size_t n = 0;

    for (; list; list = list->next)
        n += list->n;
    return n;
}

const struct aw_outcome *aw_outcomes_at(const struct aw_outcomes *list, size_t i)
{
    while (list && i >= list->n) {
        i -= list->n;
        list = list->next;
    }
    return list ? &list->v[i] : NULL;
}

void aw_outcomes_free(struct aw_outcomes *list)
{
    while (list) {
        struct aw_outcomes *next = list->next;

        free(list);
        list = next;
    }
}

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

size_t aw_attempts_count(const struct aw_attempts *list)
{
    return list ? list->n : 0;
}

const struct aw_attempt *aw_attempts_at(const struct aw_attempts *list, size_t i)
{
    return i < aw_attempts_count(list) ? &list->v[i] : NULL;
}

void aw_attempts_free(struct aw_attempts *list)
{
    free(list);
}
