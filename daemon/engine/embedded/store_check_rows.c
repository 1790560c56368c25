/* Whether all is well in a store: every job, attempt and queue's limits by itself. */
#include <inttypes.h>

#include "daemon/engine/embedded/store_offline.h"
#include "daemon/engine/embedded/store_sql.h"
#include "daemon/engine/engine.h"
#include "proto/codec.h"
#include "proto/messages.h"

#define JOB_FLAGS                                                                                 \
    (RECORD_CANCEL_REQUESTED | RECORD_SPOOLED_STDOUT | RECORD_SPOOLED_STDERR | STORE_SPEC_APART | \
     STORE_POLICY | STORE_IN_SET)

/* The columns of a job that rules are about, as they are found. */
struct job_row {
    int64_t number, state, class, flags, priority, attempt, claim, uncounted, ended_us, retry_of;
    int64_t started_us, size[N_STREAMS], exit_code, created_us, due_us, epoch;
    bool expires;
};

#define JOB_SQL                                                                                    \
    "SELECT number, state, class, flags, priority, attempt, claim, uncounted, ended_us, retry_of," \
    " started_us, stdout_size, stderr_size, exit_code, created_us, due_us,"                        \
    " (SELECT value FROM meta WHERE name = 'epoch'), expires_us IS NOT NULL, spec,"                \
    " (SELECT spec FROM spec WHERE spec.number = job.number AND (flags >> 16) & 1) FROM job"
#define JOB_COLUMN_SPEC  18
#define JOB_COLUMN_APART 19

static void job_row_read(sqlite3_stmt *s, struct job_row *r)
{
    int64_t *const columns[] = {
        &r->number,  &r->state,     &r->class,      &r->flags,    &r->priority,   &r->attempt,
        &r->claim,   &r->uncounted, &r->ended_us,   &r->retry_of, &r->started_us, &r->size[0],
        &r->size[1], &r->exit_code, &r->created_us, &r->due_us,   &r->epoch};

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        *columns[i] = sqlite3_column_int64(s, (int)i);
    r->expires = sqlite3_column_int(s, (int)ARRAY_SIZE(columns));
}

static bool names_class(int64_t class)
{
    return class >= 0 && class <= INT32_MAX &&
           strcmp(aw_class_name((enum aw_class) class), "?") != 0;
}

/* What one row by itself may be; NULL: all is well. */
static const char *fields_wrong(const struct job_row *r)
{
    if (r->number < 1)
        return "its number was never given out";
    if (r->state < AW_SCHEDULED || r->state > AW_CANCELLED)
        return "there is no such state";
    if (!names_class(r->class))
        return "there is no such error class";
    if (r->flags & ~(int64_t)JOB_FLAGS)
        return "has flags that there are not";
    if (r->priority < AW_MIN_PRIORITY || r->priority > AW_MAX_PRIORITY)
        return "there is no such priority";
    if (r->attempt < 0 || r->uncounted < 0 || r->uncounted > r->attempt)
        return "its attempts are miscounted";
    if (r->size[0] < 0 || r->size[1] < 0 || r->exit_code < -1 || r->exit_code > 255)
        return "what came of it is out of range";
    if (r->created_us < 0 || r->due_us < 0 || r->retry_of < 0 || r->retry_of >= r->number)
        return "where it comes from is out of range";
    return NULL;
}

/* What its state asks of the others. */
static const char *state_wrong(const struct job_row *r)
{
    bool ended = aw_state_is_final((enum aw_state)r->state);

    if ((r->state == AW_FAILED) != (r->class != AW_CLASS_NONE))
        return "a job has an error class just when it has failed";
    if (ended != r->expires || ended != (r->ended_us != 0))
        return "a job has a time of its end, and one to be pruned at, just when it has ended";
    if (r->state == AW_RUNNING && (r->claim == 0 || r->attempt < 1 || r->started_us == 0))
        return "runs, and was never claimed";
    if (r->state < AW_RUNNING && r->claim != 0)
        return "waits, and is claimed";
    if (r->claim >> 40 > r->epoch)
        return "its claim was never given out";
    return NULL;
}

/* Whole ones obey all rules of a submit; heads are cut. */
static const char *spec_wrong(struct bytes spec, bool whole)
{
    struct codec_doc doc = {0};
    struct job job;
    const char *wrong = NULL;

    if (codec_open(spec.data, spec.len, &doc, NULL) || codec_read(&doc, &job_schema, &job, NULL))
        wrong = "its specification cannot be read";
    else if (whole && job_check(&job, NULL))
        wrong = "its specification is none that is accepted";
    codec_close(&doc);
    return wrong;
}

static struct bytes column_bytes(sqlite3_stmt *s, int col)
{
    const void *data = sqlite3_column_blob(s, col);

    return bytes_of(data, (size_t)sqlite3_column_bytes(s, col));
}

static void spooled_tell(struct check *check, const struct offline_spooled *file)
{
    if (check->to->spooled)
        check->to->spooled(check->arg, file);
}

static void check_job(struct check *check, sqlite3_stmt *s)
{
    struct job_row r = {0};
    const char *wrong;
    bool apart;

    job_row_read(s, &r);
    apart = r.flags & STORE_SPEC_APART;
    wrong = fields_wrong(&r);
    if (!wrong)
        wrong = state_wrong(&r);
    if (!wrong)
        wrong = spec_wrong(column_bytes(s, JOB_COLUMN_SPEC), !apart);
    if (!wrong && apart && sqlite3_column_type(s, JOB_COLUMN_APART) != SQLITE_NULL)
        wrong = spec_wrong(column_bytes(s, JOB_COLUMN_APART), true);
    if (wrong)
        check_wrong(check, "job %" PRId64 " (%s): %s", r.number,
                    aw_state_name((enum aw_state)r.state), wrong);
    for (int i = 0; i < N_STREAMS; i++)
        if (r.flags & (RECORD_SPOOLED_STDOUT << i))
            spooled_tell(check, &(struct offline_spooled){(uint64_t)r.number, (uint64_t)r.attempt,
                                                          (uint64_t)r.size[i], i});
}

#define ATTEMPT_SQL                                                                 \
    "SELECT number, attempt, class, flags, stdout_size, stderr_size, claim >> 40 >" \
    " (SELECT value FROM meta WHERE name = 'epoch') FROM attempt"

static void check_attempt(struct check *check, sqlite3_stmt *s)
{
    uint64_t number = (uint64_t)sqlite3_column_int64(s, 0);
    uint64_t attempt = (uint64_t)sqlite3_column_int64(s, 1);
    int64_t class = sqlite3_column_int64(s, 2), flags = sqlite3_column_int64(s, 3);

    if (!names_class(class) || class == AW_CLASS_NONE)
        check_wrong(check, "attempt %" PRIu64 " at job %" PRIu64 ": did not fail, and is no other",
                    attempt, number);
    if (flags & ~(int64_t)(RECORD_SPOOLED_STDOUT | RECORD_SPOOLED_STDERR))
        check_wrong(check, "attempt %" PRIu64 " at job %" PRIu64 ": has flags that there are not",
                    attempt, number);
    if (sqlite3_column_int(s, 6))
        check_wrong(check, "attempt %" PRIu64 " at job %" PRIu64 ": its claim was never given out",
                    attempt, number);
    for (int i = 0; i < N_STREAMS; i++)
        if (flags & (RECORD_SPOOLED_STDOUT << i))
            spooled_tell(check, &(struct offline_spooled){
                                    number, attempt, (uint64_t)sqlite3_column_int64(s, 4 + i), i});
}

#define LIMITS_SQL \
    "SELECT name, limits FROM queue WHERE typeof(limits) = 'blob' AND length(limits) > 0"

static void check_limits(struct check *check, sqlite3_stmt *s)
{
    struct bytes blob = column_bytes(s, 1);
    struct codec_doc doc = {0};
    struct limits limits;

    if (codec_open(blob.data, blob.len, &doc, NULL) ||
        codec_read(&doc, &limits_schema, &limits, NULL))
        check_wrong(check, "queue %s: its limits cannot be read",
                    (const char *)sqlite3_column_text(s, 0));
    codec_close(&doc);
}

static enum aw_err check_each(struct check *check, const char *sql,
                              void (*one)(struct check *check, sqlite3_stmt *s),
                              struct aw_error *err)
{
    sqlite3_stmt *s = NULL;
    enum aw_err e = AW_OK;
    int rc = sqlite3_prepare_v2(check->off->db, sql, -1, &s, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
            one(check, s);
    }
    if (rc != SQLITE_DONE)
        e = check_failed(check, "looking at its jobs", err);
    sqlite3_finalize(s);
    check_kind_end(check);
    return e;
}

enum aw_err check_rows(struct check *check, struct aw_error *err)
{
    enum aw_err e = check_each(check, JOB_SQL, check_job, err);

    if (!e && check->off->version >= 2)
        e = check_each(check, LIMITS_SQL, check_limits, err);
    return e ? e : check_each(check, ATTEMPT_SQL, check_attempt, err);
}
