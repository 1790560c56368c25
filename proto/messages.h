/*
 * messages.h - every message of the client protocol, field by field (schema.h explains the lines).
 *
 * PROTOCOL.md says the same for people; tests/unit/test_protocol_doc.c fails when an operation or
 * a field is missing there. To add an operation: its two lists here, its line in OP_MAP, its file
 * in daemon/ops/, its section in PROTOCOL.md.
 *
 * Times called _us are microseconds since 1970 UTC; durations are called _ms and are milliseconds.
 */
#ifndef AW_MESSAGES_H
#define AW_MESSAGES_H

#include "proto/limits.h"
#include "proto/schema.h"

#define MAX_TIME_US         INT64_C(4102444800000000) /* the year 2100 */
#define MAX_OUTPUT          (INT64_C(1) << 40)
#define DEFAULT_GRACE       5000
#define DEFAULT_BACKOFF     1000
#define DEFAULT_BACKOFF_MAX 300000
#define NO_EXIT_CODE        -1

/* clang-format off */

/* ---- Envelopes: the fields that every request, and every reply, carries ------------------ */

#define REQUEST_FIELDS(F, T) \
    F(T, STR,  op,             _, REQ, 1, 32, 0, "the operation's name") \
    F(T, U64,  v,              _, OPT, 1, 1000, AW_PROTO_VERSION, "version of the protocol that is spoken")

#define REPLY_FIELDS(F, T) \
    F(T, U64,  err,            _, REQ, 0, 99, 0, "0, or the number of the error") \
    F(T, STR,  error,          _, OPT, 0, 64, 0, "the name of the error") \
    F(T, STR,  message,        _, OPT, 0, 1024, 0, "what went wrong, as a sentence") \
    F(T, U64,  retry_after_ms, _, OPT, 0, AW_MAX_DURATION_MS, 0, "when to try again, if that helps")

/* ---- Parts --------------------------------------------------------------------------------- */

/* What to run, and how. Also what the store keeps of it (spec). */
#define JOB_FIELDS(F, T) \
    F(T, STR,  type,           _, OPT, 1, 16, 0, "exec (default), http, sleep or noop") \
    F(T, STRV, argv,           _, OPT, 0, AW_MAX_ARGS, 0, "exec: the program and its arguments") \
    F(T, STR,  cwd,            _, OPT, 1, AW_MAX_PATH, 0, "exec: directory to run in (default /)") \
    F(T, STRV, env,            _, OPT, 0, AW_MAX_ARGS, 0, "exec: the whole environment, NAME=VALUE") \
    F(T, BIN,  stdin,          _, OPT, 0, AW_MAX_STDIN, 0, "exec: bytes for its standard input") \
    F(T, STR,  stdin_file,     _, OPT, 1, AW_MAX_PATH, 0, "exec: file for its standard input") \
    F(T, BOOL, merge_stderr,   _, OPT, 0, 0, 0, "exec: stderr goes where stdout goes") \
    F(T, I64,  umask,          _, OPT, -1, 0777, -1, "exec: file mode mask; -1 keeps the runner's") \
    F(T, I64,  nice,           _, OPT, -20, 19, 0, "exec: niceness") \
    F(T, U64,  sleep_ms,       _, OPT, 0, AW_MAX_DURATION_MS, 0, "sleep: for how long") \
    F(T, STR,  url,            _, OPT, 1, AW_MAX_URL, 0, "http: what to ask for, http:// or https://") \
    F(T, STR,  method,         _, OPT, 1, AW_MAX_METHOD, 0, "http: GET, POST, ... (default POST with a body, else GET)") \
    F(T, STRV, headers,        _, OPT, 0, AW_MAX_HEADERS, 0, "http: headers of the request, NAME: VALUE") \
    F(T, BIN,  body,           _, OPT, 0, AW_MAX_BODY, 0, "http: bytes to send") \
    F(T, STR,  expect,         _, OPT, 1, AW_MAX_EXPECT, 0, "http: statuses that count as success (default 200-299)") \
    F(T, U64,  follow,         _, OPT, 0, AW_MAX_REDIRECTS, 0, "http: most redirects that are followed") \
    F(T, STR,  name,           _, OPT, 1, AW_MAX_NAME, 0, "for people, and for filters of list") \
    F(T, I64,  priority,       _, OPT, AW_MIN_PRIORITY, AW_MAX_PRIORITY, 0, "higher runs first") \
    F(T, STR,  key,            _, OPT, 1, AW_MAX_KEY, 0, "same key, same user: the same future") \
    F(T, U64,  delay_ms,       _, OPT, 0, AW_MAX_DURATION_MS, 0, "start no earlier than this after the submit") \
    F(T, U64,  not_before_us,  _, OPT, 0, MAX_TIME_US, 0, "start no earlier than this time") \
    F(T, U64,  timeout_ms,     _, OPT, 0, AW_MAX_DURATION_MS, 0, "longest an attempt may run; 0: no limit") \
    F(T, U64,  grace_ms,       _, OPT, 0, AW_MAX_DURATION_MS, DEFAULT_GRACE, "from SIGTERM to SIGKILL") \
    F(T, U64,  queue_timeout_ms, _, OPT, 0, AW_MAX_DURATION_MS, 0, "longest from the submit to the start; 0: no limit") \
    F(T, U64,  output_limit,   _, OPT, 0, MAX_OUTPUT, 0, "most bytes of output, stdout and stderr together; 0: the daemon's limit") \
    F(T, U64,  retention_ms,   _, OPT, 0, AW_MAX_DURATION_MS, 0, "how long the ended job is kept; 0: the daemon's time") \
    F(T, STR,  on_interrupt,   _, OPT, 1, 8, 0, "fail (default) or retry, when runner or machine went down") \
    F(T, U64,  max_attempts,   _, OPT, 1, AW_MAX_ATTEMPTS, 1, "how often it is tried in all, if attempts fail") \
    F(T, STRV, retry_on,       _, OPT, 0, AW_MAX_RETRY_ON, 0, "which failures are tried again: error classes and exit codes; empty: all") \
    F(T, U64V, no_retry_exit,  _, OPT, 0, AW_MAX_RETRY_ON, 0, "exit codes after which it is not tried again") \
    F(T, U64,  backoff_ms,     _, OPT, 0, AW_MAX_DURATION_MS, DEFAULT_BACKOFF, "pause before the second attempt") \
    F(T, U64,  backoff_factor, _, OPT, 1, 100, 2, "each further pause is this many times as long") \
    F(T, U64,  backoff_max_ms, _, OPT, 0, AW_MAX_DURATION_MS, DEFAULT_BACKOFF_MAX, "but no longer than this") \
    F(T, BOOL, no_jitter,      _, OPT, 0, 0, 0, "pauses are just that long; else a random time up to that") \
    F(T, U64,  total_timeout_ms, _, OPT, 0, AW_MAX_DURATION_MS, 0, "longest from the submit to the end, waiting and all attempts; 0: no limit")

/* One attempt at a job. */
#define ATTEMPT_STATUS_FIELDS(F, T) \
    F(T, U64,  attempt,        _, REQ, 0, INT64_MAX, 0, "1, 2, ...") \
    F(T, CLASS, class,         _, OPT, 0, 0, AW_CLASS_NONE, "how it failed; none: it did not, or runs") \
    F(T, BOOL, running,        _, OPT, 0, 0, 0, "it has not ended") \
    F(T, I64,  exit_code,      _, OPT, -1, 255, NO_EXIT_CODE, "-1: none") \
    F(T, U64,  signal,         _, OPT, 0, 128, 0, "that ended it; 0: none") \
    F(T, U64,  http_status,    _, OPT, 0, 999, 0, "http: of the last answer; 0: there was none") \
    F(T, STR,  message,        _, OPT, 0, 1024, 0, "the reason, as a sentence") \
    F(T, U64,  started_us,     _, OPT, 0, INT64_MAX, 0, "when it began; 0: it did not") \
    F(T, U64,  ended_us,       _, OPT, 0, INT64_MAX, 0, "when it ended; 0: not yet") \
    F(T, U64,  stdout_size,    _, OPT, 0, INT64_MAX, 0, "bytes, once it ended") \
    F(T, U64,  stderr_size,    _, OPT, 0, INT64_MAX, 0, "bytes, once it ended")

/* A job as it stands. In a reply for several IDs, `err` says what is wrong with this one. */
#define JOB_STATUS_FIELDS(F, T) \
    F(T, STR,  id,             _, REQ, 1, AW_MAX_ID, 0, "the future ID") \
    F(T, U64,  err,            _, OPT, 0, 99, 0, "unknown, expired, foreign, ...: then only `message` follows") \
    F(T, STR,  message,        _, OPT, 0, 1024, 0, "the reason, as a sentence") \
    F(T, STATE, state,         _, OPT, 0, 0, AW_SCHEDULED, "where it is in its life") \
    F(T, CLASS, class,         _, OPT, 0, 0, AW_CLASS_NONE, "how it failed") \
    F(T, I64,  exit_code,      _, OPT, -1, 255, NO_EXIT_CODE, "of the last attempt; -1: none") \
    F(T, U64,  signal,         _, OPT, 0, 128, 0, "that ended the last attempt; 0: none") \
    F(T, U64,  http_status,    _, OPT, 0, 999, 0, "http: of the last answer; 0: there was none") \
    F(T, STR,  type,           _, OPT, 0, 16, 0, "exec, http, sleep or noop") \
    F(T, STR,  name,           _, OPT, 0, AW_MAX_NAME, 0, "as submitted") \
    F(T, STR,  command,        _, OPT, 0, AW_MAX_COMMAND, 0, "the arguments, or method and URL, joined by spaces and cut") \
    F(T, STR,  key,            _, OPT, 0, AW_MAX_KEY, 0, "as submitted") \
    F(T, I64,  priority,       _, OPT, AW_MIN_PRIORITY, AW_MAX_PRIORITY, 0, "as submitted") \
    F(T, U64,  attempt,        _, OPT, 0, INT64_MAX, 0, "attempts begun so far") \
    F(T, U64,  uid,            _, OPT, 0, UINT32_MAX, 0, "the user who submitted it") \
    F(T, U64,  pid,            _, OPT, 0, INT32_MAX, 0, "of the running process; 0: none") \
    F(T, BOOL, cancel_requested, _, OPT, 0, 0, 0, "it runs, and has been told to stop") \
    F(T, U64,  created_us,     _, OPT, 0, INT64_MAX, 0, "when it was submitted") \
    F(T, U64,  due_us,         _, OPT, 0, INT64_MAX, 0, "when it may start; 0: at once") \
    F(T, U64,  started_us,     _, OPT, 0, INT64_MAX, 0, "when the last attempt began; 0: not yet") \
    F(T, U64,  ended_us,       _, OPT, 0, INT64_MAX, 0, "when it ended; 0: not yet") \
    F(T, U64,  expires_us,     _, OPT, 0, INT64_MAX, 0, "when its record will be pruned; 0: not ended") \
    F(T, U64,  stdout_size,    _, OPT, 0, INT64_MAX, 0, "bytes, once it ended") \
    F(T, U64,  stderr_size,    _, OPT, 0, INT64_MAX, 0, "bytes, once it ended") \
    F(T, U64,  cpu_user_us,    _, OPT, 0, INT64_MAX, 0, "processor time of its tree") \
    F(T, U64,  cpu_sys_us,     _, OPT, 0, INT64_MAX, 0, "the same in the kernel") \
    F(T, U64,  max_rss_kib,    _, OPT, 0, INT64_MAX, 0, "most memory that one of its processes had") \
    F(T, STR,  retry_of,       _, OPT, 0, AW_MAX_ID, 0, "the future that this one tries again") \
    F(T, U64,  max_attempts,   _, OPT, 1, AW_MAX_ATTEMPTS, 1, "as submitted")

/* What an operation on several IDs did to one of them. */
#define ID_RESULT_FIELDS(F, T) \
    F(T, STR,  id,             _, REQ, 1, AW_MAX_ID, 0, "as asked for") \
    F(T, U64,  err,            _, OPT, 0, 99, 0, "0, or the number of the error") \
    F(T, STR,  message,        _, OPT, 0, 1024, 0, "what went wrong, as a sentence") \
    F(T, STATE, state,         _, OPT, 0, 0, AW_SCHEDULED, "where it is now") \
    F(T, STR,  new_id,         _, OPT, 0, AW_MAX_ID, 0, "retry: the new future")

/* ---- Operations ------------------------------------------------------------------------------ */

#define HELLO_REQ_FIELDS(F, T) \
    F(T, STR,  client,         _, OPT, 0, 128, 0, "name and version of the client, for the log") \
    F(T, U64,  min_version,    _, OPT, 1, 1000, 1, "oldest version of the protocol that it speaks") \
    F(T, U64,  max_version,    _, OPT, 1, 1000, 1, "newest version that it speaks")
#define HELLO_REP_FIELDS(F, T) \
    F(T, U64,  version,        _, REQ, 1, 1000, 1, "the newest that both speak") \
    F(T, STR,  tag,            _, REQ, 1, AW_TAG_LEN, 0, "the store's tag: the part of each ID before the dash") \
    F(T, STR,  daemon,         _, REQ, 1, 128, 0, "name and version of the daemon") \
    F(T, U64,  pid,            _, REQ, 0, INT32_MAX, 0, "the daemon's process") \
    F(T, I64,  uid,            _, OPT, -1, UINT32_MAX, -1, "the user as whom the client is known; -1: unknown") \
    F(T, U64,  max_message,    _, REQ, 0, INT64_MAX, 0, "largest message, in bytes") \
    F(T, U64,  max_jobs,       _, REQ, 0, INT64_MAX, 0, "most jobs in one submit") \
    F(T, U64,  max_ids,        _, REQ, 0, INT64_MAX, 0, "most IDs in one request")

#define SUBMIT_REQ_FIELDS(F, T) \
    F(T, BIN,  request,        _, OPT, 16, 16, 0, "made by the client for this submit, the same when it is sent again") \
    F(T, OBJV, jobs,         job, REQ, 1, AW_MAX_JOBS_PER_SUBMIT, 0, "all are accepted, or none")
#define SUBMIT_REP_FIELDS(F, T) \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_JOBS_PER_SUBMIT, 0, "one for each job, in their order") \
    F(T, U64V, deduplicated,   _, OPT, 0, AW_MAX_JOBS_PER_SUBMIT, 0, "indices of those that existed before, by key")

#define STATUS_REQ_FIELDS(F, T) \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_IDS, 0, "the futures asked for")
#define STATUS_REP_FIELDS(F, T) \
    F(T, OBJV, jobs,  job_status, REQ, 0, AW_MAX_IDS, 0, "one for each ID, in their order")

#define ATTEMPTS_REQ_FIELDS(F, T) \
    F(T, STR,  id,             _, REQ, 1, AW_MAX_ID, 0, "a future, ended or not")
#define ATTEMPTS_REP_FIELDS(F, T) \
    F(T, STATE, state,         _, REQ, 0, 0, AW_SCHEDULED, "of the job") \
    F(T, OBJV, attempts, attempt_status, REQ, 0, AW_MAX_ATTEMPTS_SHOWN, 0, "the last ones, the oldest of them first")

#define LIST_REQ_FIELDS(F, T) \
    F(T, STRV, states,         _, OPT, 0, 7, 0, "only jobs in one of these states") \
    F(T, STR,  name,           _, OPT, 1, AW_MAX_NAME, 0, "only jobs whose name starts so") \
    F(T, I64,  uid,            _, OPT, -1, UINT32_MAX, -1, "only this user's jobs; -1: all that one may see") \
    F(T, STR,  before,         _, OPT, 1, AW_MAX_ID, 0, "only older than this: `next` of the page before") \
    F(T, U64,  limit,          _, OPT, 1, AW_MAX_PAGE, 100, "most jobs in the reply")
#define LIST_REP_FIELDS(F, T) \
    F(T, OBJV, jobs,  job_status, REQ, 0, AW_MAX_PAGE, 0, "newest first; may be fewer than the limit") \
    F(T, STR,  next,           _, OPT, 1, AW_MAX_ID, 0, "pass as `before` to go on; absent: that was all")

#define WAIT_REQ_FIELDS(F, T) \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_IDS, 0, "the futures to wait for, all of them") \
    F(T, U64,  timeout_ms,     _, OPT, 0, AW_LONG_POLL_MS, AW_LONG_POLL_MS, "answer by then, whatever is; 0: at once")
#define WAIT_REP_FIELDS(F, T) \
    F(T, BOOL, done,           _, REQ, 0, 0, 0, "all have ended (or do not exist)") \
    F(T, U64,  n_ended,        _, REQ, 0, INT64_MAX, 0, "how many have") \
    F(T, U64,  n_failed,       _, REQ, 0, INT64_MAX, 0, "how many of those did not succeed") \
    F(T, OBJV, jobs,  job_status, OPT, 0, AW_MAX_IDS, 0, "when done: one for each ID, in their order")

#define RESULT_REQ_FIELDS(F, T) \
    F(T, STR,  id,             _, REQ, 1, AW_MAX_ID, 0, "an ended future") \
    F(T, U64,  offset,         _, OPT, 0, INT64_MAX, 0, "from which byte of its standard output") \
    F(T, U64,  max,            _, OPT, 0, AW_MAX_CHUNK, AW_MAX_CHUNK, "most bytes in the reply")
#define RESULT_REP_FIELDS(F, T) \
    F(T, OBJ,  job,   job_status, REQ, 0, 0, 0, "how it ended") \
    F(T, BIN,  data,           _, OPT, 0, AW_MAX_CHUNK, 0, "bytes of its standard output") \
    F(T, U64,  size,           _, OPT, 0, INT64_MAX, 0, "of all of it") \
    F(T, BOOL, eof,            _, OPT, 0, 0, 0, "nothing comes behind `data`")

#define LOGS_REQ_FIELDS(F, T) \
    F(T, STR,  id,             _, REQ, 1, AW_MAX_ID, 0, "a future, ended or not") \
    F(T, STR,  stream,         _, OPT, 1, 8, 0, "stdout (default) or stderr") \
    F(T, U64,  attempt,        _, OPT, 0, INT64_MAX, 0, "whose output; 0: that of the last attempt") \
    F(T, I64,  offset,         _, OPT, INT64_MIN, INT64_MAX, 0, "from which byte; negative: that many before the present end") \
    F(T, U64,  max,            _, OPT, 0, AW_MAX_CHUNK, AW_MAX_CHUNK, "most bytes in the reply") \
    F(T, U64,  wait_ms,        _, OPT, 0, AW_LONG_POLL_MS, 0, "how long to wait for something to come")
#define LOGS_REP_FIELDS(F, T) \
    F(T, BIN,  data,           _, OPT, 0, AW_MAX_CHUNK, 0, "the bytes") \
    F(T, U64,  offset,         _, OPT, 0, INT64_MAX, 0, "where in the stream `data` starts") \
    F(T, U64,  size,           _, OPT, 0, INT64_MAX, 0, "of the stream as far as it is known now") \
    F(T, BOOL, eof,            _, OPT, 0, 0, 0, "the job, or an attempt that was named, has ended and nothing comes behind `data`") \
    F(T, U64,  attempt,        _, OPT, 0, INT64_MAX, 0, "whose output this is; offsets count within it") \
    F(T, U64,  last_attempt,   _, OPT, 0, INT64_MAX, 0, "the newest attempt at the job so far; 0: none") \
    F(T, STATE, state,         _, OPT, 0, 0, AW_SCHEDULED, "of the job")

#define CANCEL_REQ_FIELDS(F, T) \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_IDS, 0, "the futures to cancel") \
    F(T, I64,  grace_ms,       _, OPT, -1, AW_MAX_DURATION_MS, -1, "from SIGTERM to SIGKILL; -1: as submitted")
#define CANCEL_REP_FIELDS(F, T) \
    F(T, OBJV, jobs,   id_result, REQ, 0, AW_MAX_IDS, 0, "one for each ID; `running` means: told to stop")

#define RETRY_REQ_FIELDS(F, T) \
    F(T, BIN,  request,        _, OPT, 16, 16, 0, "as in submit") \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_JOBS_PER_SUBMIT, 0, "ended futures to submit again")
#define RETRY_REP_FIELDS(F, T) \
    F(T, OBJV, jobs,   id_result, REQ, 0, AW_MAX_JOBS_PER_SUBMIT, 0, "one for each ID, with `new_id`")

#define FORGET_REQ_FIELDS(F, T) \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_IDS, 0, "ended futures whose record and output shall go")
#define FORGET_REP_FIELDS(F, T) \
    F(T, OBJV, jobs,   id_result, REQ, 0, AW_MAX_IDS, 0, "one for each ID")

#define STATS_REQ_FIELDS(F, T)
#define STATS_REP_FIELDS(F, T) \
    F(T, STR,  daemon,         _, REQ, 1, 128, 0, "name and version") \
    F(T, STR,  tag,            _, REQ, 1, AW_TAG_LEN, 0, "the store's tag") \
    F(T, U64,  pid,            _, REQ, 0, INT32_MAX, 0, "the daemon's process") \
    F(T, U64,  runner_pid,     _, OPT, 0, INT32_MAX, 0, "the runner's process; 0: none is connected") \
    F(T, U64,  started_us,     _, REQ, 0, INT64_MAX, 0, "when the daemon started") \
    F(T, U64,  slots,          _, REQ, 0, AW_MAX_SLOTS, 0, "how many jobs may run at once") \
    F(T, BOOL, draining,       _, OPT, 0, 0, 0, "no new jobs are accepted") \
    F(T, BOOL, disk_full,      _, OPT, 0, 0, 0, "the store could not write at the last try") \
    F(T, U64,  scheduled,      _, REQ, 0, INT64_MAX, 0, "jobs in that state now") \
    F(T, U64,  blocked,        _, REQ, 0, INT64_MAX, 0, "jobs in that state now") \
    F(T, U64,  queued,         _, REQ, 0, INT64_MAX, 0, "jobs in that state now") \
    F(T, U64,  running,        _, REQ, 0, INT64_MAX, 0, "jobs in that state now") \
    F(T, U64,  kept,           _, REQ, 0, INT64_MAX, 0, "ended jobs whose record is kept") \
    F(T, U64,  submitted,      _, REQ, 0, INT64_MAX, 0, "since the daemon started") \
    F(T, U64,  deduplicated,   _, REQ, 0, INT64_MAX, 0, "since the daemon started") \
    F(T, U64,  succeeded,      _, REQ, 0, INT64_MAX, 0, "since the daemon started") \
    F(T, U64,  failed,         _, REQ, 0, INT64_MAX, 0, "since the daemon started") \
    F(T, U64,  cancelled,      _, REQ, 0, INT64_MAX, 0, "since the daemon started") \
    F(T, U64,  pruned,         _, REQ, 0, INT64_MAX, 0, "since the daemon started") \
    F(T, U64,  commits,        _, REQ, 0, INT64_MAX, 0, "transactions since the daemon started") \
    F(T, U64,  store_bytes,    _, REQ, 0, INT64_MAX, 0, "size of the store's file") \
    F(T, U64,  requests,       _, REQ, 0, INT64_MAX, 0, "since the daemon started") \
    F(T, U64,  connections,    _, REQ, 0, INT64_MAX, 0, "open now") \
    F(T, U64,  waiters,        _, REQ, 0, INT64_MAX, 0, "requests parked now")

#define SLOTS_REQ_FIELDS(F, T) \
    F(T, I64,  slots,          _, OPT, -1, AW_MAX_SLOTS, -1, "how many jobs may run at once; -1: leave it; 0: start none")
#define SLOTS_REP_FIELDS(F, T) \
    F(T, U64,  slots,          _, REQ, 0, AW_MAX_SLOTS, 0, "as it is now") \
    F(T, U64,  running,        _, REQ, 0, INT64_MAX, 0, "jobs that run now")

#define DRAIN_REQ_FIELDS(F, T) \
    F(T, BOOL, on,             _, OPT, 0, 0, 1, "true: accept no new jobs; false: accept them again")
#define DRAIN_REP_FIELDS(F, T) \
    F(T, BOOL, draining,       _, REQ, 0, 0, 0, "as it is now") \
    F(T, U64,  unfinished,     _, REQ, 0, INT64_MAX, 0, "jobs that have not ended")

#define SHUTDOWN_REQ_FIELDS(F, T) \
    F(T, STR,  mode,           _, OPT, 1, 8, 0, "leave (default): running jobs go on; drain: wait for them; kill: end them")
#define SHUTDOWN_REP_FIELDS(F, T) \
    F(T, U64,  running,        _, REQ, 0, INT64_MAX, 0, "jobs that run now")

/* clang-format on */

/* X(NAME, name, "wire name", who may, "meaning"); who: ANY (on their own jobs), ADMIN */
#define OP_MAP(X)                                                                             \
    X(HELLO, hello, "hello", ANY, "who is there, and which version do both speak")            \
    X(SUBMIT, submit, "submit", ANY, "take 1 to 1,000 jobs, all or none, and give their IDs") \
    X(STATUS, status, "status", ANY, "how futures stand now")                                 \
    X(ATTEMPTS, attempts, "attempts", ANY, "the attempts that were made at a job")            \
    X(LIST, list, "list", ANY, "jobs by filter, page by page, newest first")                  \
    X(WAIT, wait, "wait", ANY, "answer once all of these futures have ended")                 \
    X(RESULT, result, "result", ANY, "how a future ended, and its standard output")           \
    X(LOGS, logs, "logs", ANY, "output from an offset on, ended or not; waits for more")      \
    X(CANCEL, cancel, "cancel", ANY, "end jobs before they end themselves")                   \
    X(RETRY, retry, "retry", ANY, "submit ended jobs again, as new futures")                  \
    X(FORGET, forget, "forget", ANY, "remove the records and output of ended jobs")           \
    X(STATS, stats, "stats", ANY, "counters and gauges of the daemon")                        \
    X(SLOTS, slots, "slots", ADMIN, "how many jobs run at once: ask or set")                  \
    X(DRAIN, drain, "drain", ADMIN, "accept no new jobs (or accept them again)")              \
    X(SHUTDOWN, shutdown, "shutdown", ADMIN, "end the daemon")

#define X(NAME, name, wire, who, text) OP_##NAME,
enum op { OP_MAP(X) N_OPS };
#undef X

SCHEMA_STRUCT(request, REQUEST_FIELDS)
SCHEMA_STRUCT(reply, REPLY_FIELDS)
SCHEMA_STRUCT(job, JOB_FIELDS)
SCHEMA_STRUCT(attempt_status, ATTEMPT_STATUS_FIELDS)
SCHEMA_STRUCT(job_status, JOB_STATUS_FIELDS)
SCHEMA_STRUCT(id_result, ID_RESULT_FIELDS)

/* For each operation struct NAME_req and struct NAME_rep, with their schemas. */
#define X(NAME, name, wire, who, text)           \
    SCHEMA_STRUCT(name##_req, NAME##_REQ_FIELDS) \
    SCHEMA_STRUCT(name##_rep, NAME##_REP_FIELDS)
OP_MAP(X)
#undef X

struct op_info {
    const char *name;
    const char *text;
    const struct schema *req, *rep;
    bool admin;
};

const struct op_info *op_info(enum op op);

/* False, and *ret untouched, when there is no such operation. */
AW_MUSTCHECK bool op_parse(struct bytes name, enum op *ret);

/*
 * What one of the strings in retry_on means: an error class, or an exit code (*ret_code, else -1).
 * False: neither.
 */
AW_MUSTCHECK bool retry_on_parse(struct bytes text, enum aw_class *ret_class, int *ret_code);

/*
 * What a schema cannot say about a job: argv present for exec, environment strings with `=`, type
 * known, sizes together, and so on. AW_ERR_INVALID or AW_ERR_TOO_LARGE with a sentence.
 */
AW_MUSTCHECK enum aw_err job_check(const struct job *job, struct aw_error *err);

#endif
