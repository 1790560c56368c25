/*
 * store_sql.h - the schema, and every statement that is run on it.
 *
 * Schema 3. Times are microseconds since 1970. The enums are those of aw_codes.h.
 *
 *   job      one row for each future. It is rewritten at each move, so it is kept narrow: `spec`
 *            holds the specification itself when it is short, otherwise a shortened one (flag
 *            STORE_SPEC_APART), with the whole in:
 *   spec     number, specification.
 *   queue    id (never given to another one), name, settings. "default" is always there, as number
 *            STORE_DEFAULT_QUEUE. "most" is its limit on jobs at once;
 *            "limits" those on each of its jobs, encoded, or NULL.
 *   dep      who still waits for whom: parent, child, kind (enum parent_kind). A row goes when the
 *            parent's end is seen to, or the child ends; until then the parent's record stays.
 *   output   what an attempt wrote, when it is little (spool files hold the rest).
 *   attempt  attempts that ended without ending their job.
 *   request  answers to submits, by the name that the client gave each, for a resend. Its first
 *            column is the time in units of STORE_REQUEST_BUCKET_US, so that old ones go in bulk.
 *   account  what each user has on record: ended jobs, bytes of all jobs (STORE_JOB_BYTES), sets.
 * Users who have nothing have no row. meta     tag, epoch (how often opened), high (a number that
 * was given out: raised before rows go, so that no number can ever come back).
 */
#ifndef AW_STORE_SQL_H
#define AW_STORE_SQL_H

#include "daemon/engine/embedded/store_sets_sql.h"

#define STORE_APPLICATION_ID 0x61776431 /* "awd1", in the file's header */
#define STORE_SCHEMA_VERSION 3          /* see store_schema.h */

#define STORE_DEFAULT_QUEUE 1

#define STORE_REQUEST_BUCKET_US (INT64_C(12) * 3600 * 1000000)
/* So many are kept behind the present one: what is remembered is so for a day at least. */
#define STORE_REQUEST_BUCKETS 2

/* The row's own flags, above those of struct record. */
#define STORE_SPEC_APART (1u << 16)
#define STORE_POLICY     (1u << 17) /* its specification says what happens after a failure */

#define STORE_SCHEMA_1                                                                          \
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;"                           \
    "CREATE TABLE job (number INTEGER PRIMARY KEY, state INTEGER NOT NULL,"                     \
    " class INTEGER NOT NULL DEFAULT 0, flags INTEGER NOT NULL, priority INTEGER NOT NULL,"     \
    " uid INTEGER NOT NULL, gid INTEGER NOT NULL,"                                              \
    " attempt INTEGER NOT NULL DEFAULT 0, claim INTEGER NOT NULL DEFAULT 0,"                    \
    " exit_code INTEGER NOT NULL DEFAULT -1, signal INTEGER NOT NULL DEFAULT 0,"                \
    " http_status INTEGER NOT NULL DEFAULT 0,"                                                  \
    " created_us INTEGER NOT NULL, due_us INTEGER NOT NULL, deadline_us INTEGER NOT NULL,"      \
    " overall_us INTEGER NOT NULL, uncounted INTEGER NOT NULL DEFAULT 0,"                       \
    " started_us INTEGER NOT NULL DEFAULT 0, ended_us INTEGER NOT NULL DEFAULT 0,"              \
    " expires_us INTEGER, retention_ms INTEGER NOT NULL,"                                       \
    " stdout_size INTEGER NOT NULL DEFAULT 0, stderr_size INTEGER NOT NULL DEFAULT 0,"          \
    " cpu_user_us INTEGER NOT NULL DEFAULT 0, cpu_sys_us INTEGER NOT NULL DEFAULT 0,"           \
    " max_rss_kib INTEGER NOT NULL DEFAULT 0, retry_of INTEGER NOT NULL,"                       \
    " queue INTEGER NOT NULL, abandon_ms INTEGER NOT NULL,"                                     \
    " key TEXT, message TEXT, spec BLOB NOT NULL);"                                             \
    "CREATE UNIQUE INDEX job_key ON job (uid, key) WHERE key IS NOT NULL;"                      \
    "CREATE INDEX job_expiry ON job (expires_us) WHERE expires_us IS NOT NULL;"                 \
    "CREATE TABLE queue (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"      \
    " slots INTEGER NOT NULL DEFAULT 0, most INTEGER NOT NULL DEFAULT 0,"                       \
    " priority INTEGER NOT NULL DEFAULT 0, paused INTEGER NOT NULL DEFAULT 0,"                  \
    " draining INTEGER NOT NULL DEFAULT 0, rate INTEGER NOT NULL DEFAULT 0,"                    \
    " rate_ms INTEGER NOT NULL DEFAULT 0);"                                                     \
    "INSERT INTO queue (id, name) VALUES (1, 'default');"                                       \
    "CREATE TABLE dep (parent INTEGER, child INTEGER, kind INTEGER,"                            \
    " PRIMARY KEY (parent, child, kind)) WITHOUT ROWID;"                                        \
    "CREATE INDEX dep_child ON dep (child);"                                                    \
    "CREATE TABLE spec (number INTEGER PRIMARY KEY, spec BLOB NOT NULL);"                       \
    "CREATE TABLE output (number INTEGER, attempt INTEGER, stream INTEGER, data BLOB NOT NULL," \
    " PRIMARY KEY (number, attempt, stream)) WITHOUT ROWID;"                                    \
    "CREATE TABLE attempt (number INTEGER, attempt INTEGER, claim INTEGER NOT NULL,"            \
    " class INTEGER NOT NULL, exit_code INTEGER NOT NULL, signal INTEGER NOT NULL,"             \
    " http_status INTEGER NOT NULL,"                                                            \
    " started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, flags INTEGER NOT NULL,"          \
    " stdout_size INTEGER NOT NULL, stderr_size INTEGER NOT NULL,"                              \
    " message TEXT, PRIMARY KEY (number, attempt)) WITHOUT ROWID;"                              \
    "CREATE TABLE request (bucket INTEGER, uid INTEGER, name BLOB, answer BLOB NOT NULL,"       \
    " PRIMARY KEY (bucket, uid, name)) WITHOUT ROWID;" STORE_SCHEMA_1_SETS

/* What leads from version 1 to 2. */
#define STORE_SCHEMA_2 "ALTER TABLE queue ADD COLUMN limits BLOB;"

/*
 * What a job has on record, in bytes: its specification, and all output of all its attempts, which
 * may be in spool files.
 */
#define STORE_JOB_BYTES                                                                      \
    "(length(spec) + stdout_size + stderr_size"                                              \
    " + iif((flags >> 16) & 1,"                                                              \
    " (SELECT coalesce(sum(length(s.spec)), 0) FROM spec s WHERE s.number = job.number), 0)" \
    " + (SELECT coalesce(sum(a.stdout_size + a.stderr_size), 0) FROM attempt a"              \
    " WHERE a.number = job.number))"

/* The rows of account, as they should be. */
#define STORE_ACCOUNTS                                                                   \
    "SELECT uid, sum(kept) AS kept, sum(bytes) AS bytes, sum(sets) AS sets FROM"         \
    " (SELECT uid, state >= 4 AS kept, " STORE_JOB_BYTES " AS bytes, 0 AS sets FROM job" \
    " UNION ALL SELECT uid, 0, 0, 1 FROM bag) GROUP BY uid"

/* What leads from version 2 to 3. */
#define STORE_SCHEMA_3                                                      \
    "CREATE TABLE account (uid INTEGER PRIMARY KEY, kept INTEGER NOT NULL," \
    " bytes INTEGER NOT NULL, sets INTEGER NOT NULL);"                      \
    "INSERT INTO account " STORE_ACCOUNTS ";"                               \
    "CREATE INDEX job_account ON job (uid, expires_us) WHERE expires_us IS NOT NULL;"

/* The columns of struct record, in the order in which store_ops.c reads them. */
#define STORE_RECORD_COLUMNS                                                              \
    "number, state, class, flags, exit_code, signal, priority, attempt, claim, uid, gid," \
    " created_us, due_us, started_us, ended_us, expires_us, stdout_size, stderr_size,"    \
    " cpu_user_us, cpu_sys_us, max_rss_kib, retry_of, key, message, spec, http_status"

/* The columns of struct store_queue_row, in the order in which they are read. */
#define STORE_QUEUE_COLUMNS                                             \
    "id, name, slots, most, priority, paused, draining, rate, rate_ms," \
    " limits"

/* A job's flags, with those of its last attempt, which has a row of its own if the job went on, and
 * ended before there was another. */
#define STORE_FLAGS                                                                   \
    "flags | coalesce((SELECT a.flags FROM attempt a WHERE a.number = job.number AND" \
    " a.attempt = job.attempt), 0)"

/* A new job. */
#define STORE_INSERT_JOB                                                             \
    "INSERT INTO job (number, state, flags, priority, uid, gid, created_us, due_us," \
    " deadline_us, overall_us, retention_ms, retry_of, key, spec, queue, abandon_ms) VALUES "
#define STORE_ROW         "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#define STORE_ROW_COLUMNS 16

/* Several in one statement; and as many that have the same in all columns but the last three. */
#define STORE_ROWS    16
#define STORE_4(row)  row ", " row ", " row ", " row
#define STORE_16(row) STORE_4(row) ", " STORE_4(row) ", " STORE_4(row) ", " STORE_4(row)

#define STORE_INSERT_ALIKE                                                                  \
    "INSERT INTO job (due_us, deadline_us, overall_us, retry_of, abandon_ms, state, flags," \
    " priority, uid, gid, retention_ms, queue, number, created_us, spec) VALUES "
#define STORE_ALIKE         "(0, 0, 0, 0, 0, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?, ?, ?)"
#define STORE_ALIKE_SHARED  7
#define STORE_ALIKE_COLUMNS 3

/*
 * X(NAME, sql): each is prepared once, when the store is opened.
 *
 * RETURNING costs as much as the rest of a statement, as SQLite makes a table for it each time. So
 * what is done to each job reads the row first (CLAIMABLE, RUNNING, WAITING), and then changes it.
 */
#define STORE_SQL_MAP(X)                                                                           \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(GIVE_BACK, "PRAGMA incremental_vacuum")                                                      \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(RAISE_HIGH, "UPDATE meta SET value = max(value, ?) WHERE name = 'high'")                     \
    X(INSERT_JOB, STORE_INSERT_JOB STORE_ROW)                                                      \
    X(INSERT_JOBS, STORE_INSERT_JOB STORE_16(STORE_ROW))                                           \
    X(INSERT_ALIKE, STORE_INSERT_ALIKE STORE_16(STORE_ALIKE))                                      \
    X(PARENT, "SELECT state, uid FROM job WHERE number = ?")                                       \
    X(DEP_ADD, "INSERT INTO dep VALUES (?, ?, ?)")                                                 \
    X(DEP_KINDS, "SELECT kind FROM dep WHERE parent = ? AND child = ?")                            \
    X(DEP_TAKE, "DELETE FROM dep WHERE parent = ? AND child = ?")                                  \
    X(DEP_PARENT, "SELECT parent FROM dep WHERE child = ? LIMIT 1")                                \
    X(DEP_DROP, "DELETE FROM dep WHERE child = ?")                                                 \
    X(DEP_CHILD, "SELECT child FROM dep WHERE parent = ? LIMIT 1")                                 \
    X(UNBLOCK, "UPDATE job SET state = iif(due_us > ?2, 0, 2), due_us = max(due_us, ?2)"           \
               " WHERE number = ?1 AND state = 1 RETURNING state")                                 \
    X(QUEUE_ADD, "INSERT INTO queue (name) VALUES (?) ON CONFLICT DO NOTHING")                     \
    X(QUEUE_SET, "UPDATE queue SET slots = coalesce(?2, slots), most = coalesce(?3, most),"        \
                 " priority = coalesce(?4, priority), paused = coalesce(?5, paused),"              \
                 " draining = coalesce(?6, draining), rate = coalesce(?7, rate),"                  \
                 " rate_ms = coalesce(?8, rate_ms), limits = iif(?9, ?10, limits)"                 \
                 " WHERE name = ?1 RETURNING " STORE_QUEUE_COLUMNS)                                \
    X(QUEUE_LIMITS, "SELECT limits FROM queue WHERE name = ?")                                     \
    X(QUEUE_REMOVE, "DELETE FROM queue WHERE id = ?")                                              \
    X(CHANGE, "UPDATE job SET priority = coalesce(?2, priority), due_us = coalesce(?3, due_us)"    \
              " WHERE number = ?1 AND state < 3 AND (?3 IS NULL OR (state = 0 AND due_us > ?3))"   \
              " RETURNING state")                                                                  \
    X(INSERT_SPEC, "INSERT INTO spec VALUES (?, ?)")                                               \
    X(KEY_FIND, "SELECT number, state, ended_us FROM job WHERE uid = ? AND key = ?")               \
    X(KEY_DROP, "UPDATE job SET key = NULL WHERE number = ?")                                      \
    X(REQUEST_FIND, "SELECT answer FROM request WHERE bucket = ? AND uid = ? AND name = ?")        \
    X(REQUEST_ADD, "INSERT INTO request VALUES (?, ?, ?, ?)")                                      \
    X(REQUEST_PRUNE, "DELETE FROM request WHERE (bucket, uid, name) IN"                            \
                     " (SELECT bucket, uid, name FROM request WHERE bucket < ? LIMIT ?)")          \
    X(REQUEST_OLDEST, "SELECT min(bucket) FROM request")                                           \
    X(RECORD, "SELECT " STORE_RECORD_COLUMNS " FROM job WHERE number = ?")                         \
    X(LIST, "SELECT " STORE_RECORD_COLUMNS " FROM job WHERE number < ? ORDER BY number DESC")      \
    X(SPEC, "SELECT spec FROM spec WHERE number = ?")                                              \
    X(CLAIMABLE, "SELECT uid, gid, flags, spec, overall_us, uncounted FROM job"                    \
                 " WHERE number = ? AND state IN (0, 2)")                                          \
    X(CLAIM, "UPDATE job SET state = 3, attempt = ?, claim = ?, started_us = ? WHERE number = ?")  \
    X(CLAIMED, "SELECT uid, gid, flags, spec, overall_us, uncounted, started_us FROM job"          \
               " WHERE number = ? AND claim = ? AND state = 3")                                    \
    X(RELEASE, "UPDATE job SET state = 2, claim = 0, started_us = 0, attempt = attempt - 1"        \
               " WHERE number = ? AND claim = ? AND state = 3")                                    \
    X(AGAIN, "UPDATE job SET state = ?3, claim = 0, started_us = 0, due_us = ?4, deadline_us = 0," \
             " uncounted = uncounted + ?5 WHERE number = ?1 AND claim = ?2 AND state = 3")         \
    X(ATTEMPT_ADD,                                                                                 \
      "INSERT INTO attempt SELECT number, attempt, claim, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM job"   \
      " WHERE number = ? AND claim = ? AND state = 3 RETURNING attempt,"                           \
      " (SELECT uid FROM job WHERE job.number = attempt.number)")                                  \
    X(ATTEMPTS,                                                                                    \
      "SELECT attempt, class, exit_code, signal, started_us, ended_us, flags, stdout_size,"        \
      " stderr_size, message, http_status FROM attempt WHERE number = ? ORDER BY attempt DESC "    \
      "LIMIT ?")                                                                                   \
    X(RUNNING, "SELECT attempt, retention_ms, flags, created_us, due_us, uid FROM job"             \
               " WHERE number = ? AND claim = ? AND state = 3")                                    \
    X(FINISH,                                                                                      \
      "UPDATE job SET state = ?4, class = ?5, flags = (flags & ~6) | ?6, exit_code = ?7,"          \
      " signal = ?8, started_us = ?9, ended_us = ?2, expires_us = ?1, stdout_size = ?10,"          \
      " stderr_size = ?11, cpu_user_us = ?12, cpu_sys_us = ?13, max_rss_kib = ?14,"                \
      " message = coalesce(?15, iif(?4 = 6, message, NULL)), http_status = ?16 WHERE number = ?3") \
    X(OUTPUT_ADD, "INSERT INTO output VALUES (?, ?, ?, ?)")                                        \
    X(OUTPUT, "SELECT data FROM output WHERE number = ? AND attempt = ? AND stream = ?")           \
    X(WAITING, "SELECT retention_ms, flags, created_us, due_us, uid FROM job"                      \
               " WHERE number = ? AND state < 3")                                                  \
    X(END_WAITING, "UPDATE job SET state = ?4, class = ?5, message = coalesce(?6, message),"       \
                   " ended_us = ?1, expires_us = ?2 WHERE number = ?3")                            \
    X(CANCEL_REQUEST, "UPDATE job SET flags = flags | 1, message = coalesce(?2, message)"          \
                      " WHERE number = ?1 AND state < 4")                                          \
    X(STATE, "SELECT state, attempt, " STORE_FLAGS " FROM job WHERE number = ?")                   \
    X(JOB_BYTES, "SELECT uid, " STORE_JOB_BYTES " FROM job WHERE number = ?")                      \
    X(PRUNABLE, "SELECT number, attempt, " STORE_FLAGS " FROM job WHERE expires_us <= ?"           \
                " AND NOT EXISTS (SELECT 1 FROM dep WHERE parent = job.number)"                    \
                " ORDER BY expires_us LIMIT ?")                                                    \
    X(NEXT_EXPIRY, "SELECT min(expires_us) FROM job WHERE expires_us IS NOT NULL")                 \
    X(PRUNABLE_OF, "SELECT number, attempt, " STORE_FLAGS " FROM job WHERE uid = ?"                \
                   " AND expires_us IS NOT NULL"                                                   \
                   " AND NOT EXISTS (SELECT 1 FROM dep WHERE parent = job.number)"                 \
                   " ORDER BY expires_us LIMIT ?")                                                 \
    X(ACCOUNT, "SELECT kept, bytes, sets FROM account WHERE uid = ?")                              \
    X(ACCOUNT_BYTES, "SELECT coalesce(sum(bytes), 0) FROM account")                                \
    X(ACCOUNT_ADD, "INSERT INTO account VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"             \
                   " SET kept = kept + ?2, bytes = bytes + ?3, sets = sets + ?4")                  \
    X(ACCOUNT_DROP, "DELETE FROM account WHERE uid = ? AND bytes = 0 AND kept = 0 AND sets = 0")   \
    X(DELETE_JOB, "DELETE FROM job WHERE number = ?")                                              \
    X(DELETE_SPEC, "DELETE FROM spec WHERE number = ?")                                            \
    X(DELETE_OUTPUT, "DELETE FROM output WHERE number = ?")                                        \
    X(DELETE_ATTEMPTS, "DELETE FROM attempt WHERE number = ?")                                     \
    STORE_SETS_SQL_MAP(X)

#endif
