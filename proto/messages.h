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

#include "proto/job_limits.h"
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

/* ---- Parts (and struct limits: job_limits.h) ----------------------------------------------- */

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
    F(T, U64,  total_timeout_ms, _, OPT, 0, AW_MAX_DURATION_MS, 0, "longest from the submit to the end, waiting and all attempts; 0: no limit") \
    F(T, STR,  queue,          _, OPT, 1, AW_MAX_QUEUE_NAME, 0, "the queue that it waits in (default: default)") \
    F(T, STRV, after,          _, OPT, 0, AW_MAX_PARENTS, 0, "futures that must have succeeded before it starts") \
    F(T, STRV, after_any,      _, OPT, 0, AW_MAX_PARENTS, 0, "futures that must have ended, however they did") \
    F(T, STRV, after_fail,     _, OPT, 0, AW_MAX_PARENTS, 0, "futures that must have ended without success") \
    F(T, U64,  cache_ttl_ms,   _, OPT, 0, AW_MAX_DURATION_MS, 0, "with key: a future that succeeded answers for so long; 0: any does while its record is kept") \
    F(T, BOOL, cache_failed,   _, OPT, 0, 0, 0, "with cache_ttl_ms: so does one that did not succeed") \
    F(T, U64,  abandon_ms,     _, OPT, 0, AW_MAX_DURATION_MS, 0, "cancelled when nobody waits for it or renews it for so long; 0: never") \
    F(T, OBJ,  limits,    limits, OPT, 0, 0, 0, "exec: what it may use; its queue may allow less")

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
    F(T, I64,  priority,       _, OPT, AW_MIN_PRIORITY, AW_MAX_PRIORITY, 0, "as submitted, or changed since") \
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
    F(T, U64,  max_attempts,   _, OPT, 1, AW_MAX_ATTEMPTS, 1, "as submitted") \
    F(T, STR,  queue,          _, OPT, 0, AW_MAX_QUEUE_NAME, 0, "as submitted; absent: default") \
    F(T, U64,  abandon_ms,     _, OPT, 0, AW_MAX_DURATION_MS, 0, "as submitted") \
    F(T, OBJ,  limits,    limits, OPT, 0, 0, 0, "as submitted")

/* How long something took, over many jobs. */
#define LATENCY_FIELDS(F, T) \
    F(T, U64,  count,          _, OPT, 0, INT64_MAX, 0, "how often it was measured; 0: the others mean nothing") \
    F(T, U64,  p50_us,         _, OPT, 0, INT64_MAX, 0, "half took no longer; at most 3 % above the true value") \
    F(T, U64,  p95_us,         _, OPT, 0, INT64_MAX, 0, "95 of 100 took no longer") \
    F(T, U64,  p99_us,         _, OPT, 0, INT64_MAX, 0, "99 of 100 took no longer") \
    F(T, U64,  max_us,         _, OPT, 0, INT64_MAX, 0, "none took longer")

/* A set as it stands. It is complete once it is closed and n_ended is n_members. */
#define SET_STATUS_FIELDS(F, T) \
    F(T, STR,  name,           _, REQ, 1, AW_MAX_SET_NAME, 0, "unique among its user's") \
    F(T, U64,  uid,            _, OPT, 0, UINT32_MAX, 0, "the user whose it is") \
    F(T, BOOL, closed,         _, OPT, 0, 0, 0, "no more members will come") \
    F(T, BOOL, temporary,      _, OPT, 0, 0, 0, "goes when nobody reads it for ten minutes") \
    F(T, U64,  n_members,      _, OPT, 0, INT64_MAX, 0, "futures in it") \
    F(T, U64,  n_ended,        _, OPT, 0, INT64_MAX, 0, "of those: have ended") \
    F(T, U64,  n_failed,       _, OPT, 0, INT64_MAX, 0, "of those: did not succeed") \
    F(T, U64,  created_us,     _, OPT, 0, INT64_MAX, 0, "when it was made") \
    F(T, U64,  closed_us,      _, OPT, 0, INT64_MAX, 0, "when it was closed; 0: not yet") \
    F(T, U64,  first_us,       _, OPT, 0, INT64_MAX, 0, "when the first member ended; 0: none has") \
    F(T, U64,  last_us,        _, OPT, 0, INT64_MAX, 0, "when the last of those that have ended did")

/* A queue as it stands. */
#define QUEUE_STATUS_FIELDS(F, T) \
    F(T, STR,  name,           _, REQ, 1, AW_MAX_QUEUE_NAME, 0, "its name") \
    F(T, U64,  slots,          _, OPT, 0, AW_MAX_SLOTS, 0, "slots of its own; 0: it shares the daemon's") \
    F(T, U64,  limit,          _, OPT, 0, AW_MAX_SLOTS, 0, "most of its jobs at once, of the shared slots; 0: no limit") \
    F(T, I64,  priority,       _, OPT, AW_MIN_PRIORITY, AW_MAX_PRIORITY, 0, "jobs of a higher queue run first, whatever their own") \
    F(T, BOOL, paused,         _, OPT, 0, 0, 0, "starts no jobs") \
    F(T, BOOL, draining,       _, OPT, 0, 0, 0, "takes no new jobs") \
    F(T, U64,  rate,           _, OPT, 0, AW_MAX_RATE, 0, "most starts in rate_ms; 0: no limit") \
    F(T, U64,  rate_ms,        _, OPT, 0, AW_MAX_DURATION_MS, 0, "the period that rate counts for") \
    F(T, U64,  queued,         _, OPT, 0, INT64_MAX, 0, "jobs that could run now") \
    F(T, U64,  running,        _, OPT, 0, INT64_MAX, 0, "jobs that run") \
    F(T, U64,  waiting,        _, OPT, 0, INT64_MAX, 0, "jobs that wait for a time, or for other jobs") \
    F(T, OBJ,  limits,    limits, OPT, 0, 0, 0, "what each of its jobs may use at most")

/* What one user has, and may have. */
#define USER_STATUS_FIELDS(F, T) \
    F(T, U64,  uid,            _, REQ, 0, UINT32_MAX, 0, "the user") \
    F(T, U64,  waiting,        _, OPT, 0, INT64_MAX, 0, "jobs that have not ended and do not run") \
    F(T, U64,  running,        _, OPT, 0, INT64_MAX, 0, "jobs that run") \
    F(T, U64,  kept,           _, OPT, 0, INT64_MAX, 0, "ended jobs whose record is kept") \
    F(T, U64,  bytes,          _, OPT, 0, INT64_MAX, 0, "specifications and output of all of them") \
    F(T, U64,  sets,           _, OPT, 0, INT64_MAX, 0, "sets, temporary ones included") \
    F(T, U64,  dependencies,   _, OPT, 0, INT64_MAX, 0, "futures that jobs wait for, counted once for each job that waits") \
    F(T, U64,  connections,    _, OPT, 0, INT64_MAX, 0, "open connections to Unix sockets") \
    F(T, U64,  max_queued,     _, OPT, 0, INT64_MAX, 0, "most jobs that have not ended; here and below, 0: no limit of its own") \
    F(T, U64,  max_kept,       _, OPT, 0, INT64_MAX, 0, "most ended jobs: older ones go") \
    F(T, U64,  max_bytes,      _, OPT, 0, INT64_MAX, 0, "most bytes: older ended jobs go") \
    F(T, U64,  max_sets,       _, OPT, 0, INT64_MAX, 0, "most sets") \
    F(T, U64,  max_dependencies, _, OPT, 0, INT64_MAX, 0, "most dependencies") \
    F(T, U64,  max_connections, _, OPT, 0, INT64_MAX, 0, "most connections")

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
    F(T, OBJV, jobs,         job, REQ, 1, AW_MAX_JOBS_PER_SUBMIT, 0, "all are accepted, or none") \
    F(T, STR,  set,            _, OPT, 1, AW_MAX_SET_NAME, 0, "the set that they become members of; made if there is none")
#define SUBMIT_REP_FIELDS(F, T) \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_JOBS_PER_SUBMIT, 0, "one for each job, in their order") \
    F(T, U64V, deduplicated,   _, OPT, 0, AW_MAX_JOBS_PER_SUBMIT, 0, "indices of those that existed before, by key") \
    F(T, U64V, cached,         _, OPT, 0, AW_MAX_JOBS_PER_SUBMIT, 0, "indices of those of them that have ended already")

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
    F(T, STRV, ids,            _, OPT, 0, AW_MAX_IDS, 0, "the futures to wait for") \
    F(T, STR,  set,            _, OPT, 1, AW_MAX_SET_NAME, 0, "or the set whose members are waited for") \
    F(T, U64,  n,              _, OPT, 0, INT64_MAX, 0, "enough once so many have ended; 0: all (of a set: and it is closed)") \
    F(T, BOOL, first_error,    _, OPT, 0, 0, 0, "enough, too, once one has ended without success") \
    F(T, U64,  timeout_ms,     _, OPT, 0, AW_LONG_POLL_MS, AW_LONG_POLL_MS, "answer by then, whatever is; 0: at once")
#define WAIT_REP_FIELDS(F, T) \
    F(T, BOOL, done,           _, REQ, 0, 0, 0, "what was waited for has come about (or no longer can)") \
    F(T, U64,  n_ended,        _, REQ, 0, INT64_MAX, 0, "how many have ended (or do not exist)") \
    F(T, U64,  n_failed,       _, REQ, 0, INT64_MAX, 0, "how many of those did not succeed") \
    F(T, U64,  n_total,        _, OPT, 0, INT64_MAX, 0, "how many there are") \
    F(T, OBJV, jobs,  job_status, OPT, 0, AW_MAX_IDS, 0, "when done, for ids: one for each, in their order")

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

#define CHANGE_REQ_FIELDS(F, T) \
    F(T, STRV, ids,            _, REQ, 1, AW_MAX_IDS, 0, "futures that have not ended") \
    F(T, BOOL, set_priority,   _, OPT, 0, 0, 0, "`priority` is the new one") \
    F(T, I64,  priority,       _, OPT, AW_MIN_PRIORITY, AW_MAX_PRIORITY, 0, "with set_priority; of jobs that wait") \
    F(T, BOOL, now,            _, OPT, 0, 0, 0, "end a delay, or a backoff") \
    F(T, BOOL, renew,          _, OPT, 0, 0, 0, "somebody still wants it: its abandon_ms starts anew")
#define CHANGE_REP_FIELDS(F, T) \
    F(T, OBJV, jobs,   id_result, REQ, 0, AW_MAX_IDS, 0, "one for each ID")

#define EXPLAIN_REQ_FIELDS(F, T) \
    F(T, STR,  id,             _, REQ, 1, AW_MAX_ID, 0, "a future")
#define EXPLAIN_REP_FIELDS(F, T) \
    F(T, STATE, state,         _, REQ, 0, 0, AW_SCHEDULED, "where it is") \
    F(T, STR,  reason,         _, REQ, 1, 16, 0, "ended, running, delay, backoff, dependency, paused, stopped, limit, rate, slots, next") \
    F(T, STR,  text,           _, REQ, 1, 1024, 0, "the same as a sentence") \
    F(T, STR,  queue,          _, OPT, 1, AW_MAX_QUEUE_NAME, 0, "the queue that it waits in") \
    F(T, U64,  due_us,         _, OPT, 0, INT64_MAX, 0, "delay, backoff, rate: until when; else 0") \
    F(T, U64,  n_before,       _, OPT, 0, INT64_MAX, 0, "queued jobs that come before it") \
    F(T, BOOL, more_before,    _, OPT, 0, 0, 0, "there are more than n_before: counting stopped there") \
    F(T, STRV, before,         _, OPT, 0, AW_MAX_EXPLAINED, 0, "the first of those") \
    F(T, U64,  n_parents,      _, OPT, 0, INT64_MAX, 0, "futures that it waits for") \
    F(T, STRV, parents,        _, OPT, 0, AW_MAX_EXPLAINED, 0, "some of those")

#define SET_ADD_REQ_FIELDS(F, T) \
    F(T, STR,  set,            _, OPT, 1, AW_MAX_SET_NAME, 0, "the set, made if there is none; absent: a new one, temporary, whose name is in the reply") \
    F(T, STRV, ids,            _, OPT, 0, AW_MAX_IDS, 0, "futures to become members; those that are already stay it") \
    F(T, BOOL, close,          _, OPT, 0, 0, 0, "and close it")
#define SET_ADD_REP_FIELDS(F, T) \
    F(T, OBJ,  set,   set_status, REQ, 0, 0, 0, "as it is now") \
    F(T, OBJV, jobs,   id_result, REQ, 0, AW_MAX_IDS, 0, "one for each ID; those with an error are no members")

#define SET_LIST_REQ_FIELDS(F, T) \
    F(T, STR,  name,           _, OPT, 1, AW_MAX_SET_NAME, 0, "only sets whose name starts so") \
    F(T, STR,  after,          _, OPT, 1, AW_MAX_SET_NAME, 0, "only names behind this one: `next` of the page before") \
    F(T, U64,  limit,          _, OPT, 1, AW_MAX_PAGE, 100, "most sets in the reply")
#define SET_LIST_REP_FIELDS(F, T) \
    F(T, OBJV, sets,  set_status, REQ, 0, AW_MAX_PAGE, 0, "one's own, by name; temporary ones are left out") \
    F(T, STR,  next,           _, OPT, 1, AW_MAX_SET_NAME, 0, "pass as `after` to go on; absent: that was all")

#define SET_SHOW_REQ_FIELDS(F, T) \
    F(T, STR,  set,            _, REQ, 1, AW_MAX_SET_NAME, 0, "the set")
#define SET_SHOW_REP_FIELDS(F, T) \
    F(T, OBJ,  set,   set_status, REQ, 0, 0, 0, "as it is now") \
    F(T, OBJ,  queue_wait, latency, OPT, 0, 0, 0, "of its ended members: from when they could run to the start of the last attempt") \
    F(T, OBJ,  run,       latency, OPT, 0, 0, 0, "the last attempt") \
    F(T, OBJ,  total,     latency, OPT, 0, 0, 0, "from the submit to the end")

#define SET_MEMBERS_REQ_FIELDS(F, T) \
    F(T, STR,  set,            _, REQ, 1, AW_MAX_SET_NAME, 0, "the set") \
    F(T, U64,  after,          _, OPT, 0, INT64_MAX, 0, "only members behind this place: `next` of the page before") \
    F(T, U64,  limit,          _, OPT, 1, AW_MAX_PAGE, 100, "most jobs in the reply")
#define SET_MEMBERS_REP_FIELDS(F, T) \
    F(T, OBJV, jobs,  job_status, REQ, 0, AW_MAX_PAGE, 0, "in the order in which they became members") \
    F(T, U64,  next,           _, OPT, 0, INT64_MAX, 0, "pass as `after` to go on; 0: that was all")

#define SET_READ_REQ_FIELDS(F, T) \
    F(T, STR,  set,            _, REQ, 1, AW_MAX_SET_NAME, 0, "the set") \
    F(T, STR,  consumer,       _, OPT, 1, AW_MAX_CONSUMER, 0, "whose cursor is used, each has its own; absent: one without a name") \
    F(T, I64,  after,          _, OPT, -1, INT64_MAX, -1, "completions behind this place (0: all); -1: behind the consumer's cursor") \
    F(T, U64,  ack,            _, OPT, 0, INT64_MAX, 0, "the consumer is done with all up to this place: its cursor moves there, never back; 0: leave it") \
    F(T, U64,  limit,          _, OPT, 0, AW_MAX_PAGE, AW_MAX_PAGE, "most completions in the reply; 0: only ack, and look") \
    F(T, U64,  timeout_ms,     _, OPT, 0, AW_LONG_POLL_MS, AW_LONG_POLL_MS, "how long to wait for the first")
#define SET_READ_REP_FIELDS(F, T) \
    F(T, OBJ,  set,   set_status, REQ, 0, 0, 0, "as it is now") \
    F(T, U64,  first,          _, OPT, 0, INT64_MAX, 0, "the place of jobs[0] in the order of completion, which counts from 1; the others follow") \
    F(T, OBJV, jobs,  job_status, REQ, 0, AW_MAX_PAGE, 0, "completions, in their order; one whose record is gone has err 11, and still its state and class") \
    F(T, U64,  cursor,         _, OPT, 0, INT64_MAX, 0, "the consumer's, as it is now") \
    F(T, BOOL, done,           _, OPT, 0, 0, 0, "the set is complete, and nothing comes behind jobs")

#define SET_CLOSE_REQ_FIELDS(F, T) \
    F(T, STR,  set,            _, REQ, 1, AW_MAX_SET_NAME, 0, "the set")
#define SET_CLOSE_REP_FIELDS(F, T) \
    F(T, OBJ,  set,   set_status, REQ, 0, 0, 0, "as it is now")

#define SET_CANCEL_REQ_FIELDS(F, T) \
    F(T, STR,  set,            _, REQ, 1, AW_MAX_SET_NAME, 0, "the set whose members are cancelled") \
    F(T, I64,  grace_ms,       _, OPT, -1, AW_MAX_DURATION_MS, -1, "from SIGTERM to SIGKILL; -1: as submitted")
#define SET_CANCEL_REP_FIELDS(F, T) \
    F(T, U64,  cancelled,      _, REQ, 0, INT64_MAX, 0, "members that waited, and are cancelled now") \
    F(T, U64,  stopping,       _, REQ, 0, INT64_MAX, 0, "members that run, and were told to stop")

#define SET_FORGET_REQ_FIELDS(F, T) \
    F(T, STR,  set,            _, REQ, 1, AW_MAX_SET_NAME, 0, "the set that shall go") \
    F(T, BOOL, jobs,           _, OPT, 0, 0, 0, "and the records of its members, which must have ended")
#define SET_FORGET_REP_FIELDS(F, T) \
    F(T, U64,  forgotten,      _, OPT, 0, INT64_MAX, 0, "records that went with it")

#define QUEUE_SET_REQ_FIELDS(F, T) \
    F(T, STR,  queue,          _, REQ, 1, AW_MAX_QUEUE_NAME, 0, "the queue") \
    F(T, BOOL, create,         _, OPT, 0, 0, 0, "make it; it must not be there") \
    F(T, I64,  slots,          _, OPT, -1, AW_MAX_SLOTS, -1, "slots of its own; 0: share the daemon's; -1: leave it") \
    F(T, I64,  limit,          _, OPT, -1, AW_MAX_SLOTS, -1, "most of its jobs at once; 0: no limit; -1: leave it") \
    F(T, BOOL, set_priority,   _, OPT, 0, 0, 0, "`priority` is the new one") \
    F(T, I64,  priority,       _, OPT, AW_MIN_PRIORITY, AW_MAX_PRIORITY, 0, "with set_priority: of the queue") \
    F(T, I64,  paused,         _, OPT, -1, 1, -1, "1: start no jobs; 0: start them again; -1: leave it") \
    F(T, I64,  draining,       _, OPT, -1, 1, -1, "1: take no new jobs; 0: take them again; -1: leave it") \
    F(T, I64,  rate,           _, OPT, -1, AW_MAX_RATE, -1, "most starts in rate_ms; 0: no limit; -1: leave it") \
    F(T, U64,  rate_ms,        _, OPT, 0, AW_MAX_DURATION_MS, 1000, "with rate: the period") \
    F(T, BOOL, set_limits,     _, OPT, 0, 0, 0, "`limits` are the new ones") \
    F(T, OBJ,  limits,    limits, OPT, 0, 0, 0, "with set_limits: what each of its jobs may use at most, from its next attempt on") \
    F(T, STRV, only_limits,    _, OPT, 0, AW_MAX_LIMITS, 0, "with set_limits: names of those that change; empty: all")
#define QUEUE_SET_REP_FIELDS(F, T) \
    F(T, OBJ,  queue, queue_status, REQ, 0, 0, 0, "as it is now")

#define QUEUE_LIST_REQ_FIELDS(F, T)
#define QUEUE_LIST_REP_FIELDS(F, T) \
    F(T, OBJV, queues, queue_status, REQ, 0, AW_MAX_QUEUES, 0, "by name")

#define QUEUE_REMOVE_REQ_FIELDS(F, T) \
    F(T, STR,  queue,          _, REQ, 1, AW_MAX_QUEUE_NAME, 0, "a queue without jobs, other than default")
#define QUEUE_REMOVE_REP_FIELDS(F, T)

#define USERS_REQ_FIELDS(F, T) \
    F(T, I64,  after,          _, OPT, -1, UINT32_MAX, -1, "only users behind this one: `next` of the page before") \
    F(T, U64,  limit,          _, OPT, 1, AW_MAX_PAGE, 100, "most users in the reply")
#define USERS_REP_FIELDS(F, T) \
    F(T, OBJV, users, user_status, REQ, 0, AW_MAX_PAGE, 0, "by number; for others than administrators, themselves only") \
    F(T, I64,  next,           _, OPT, -1, UINT32_MAX, -1, "pass as `after` to go on; -1: that was all")

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
    F(T, U64,  waiters,        _, REQ, 0, INT64_MAX, 0, "requests parked now") \
    F(T, U64,  sets,           _, OPT, 0, INT64_MAX, 0, "sets that there are now") \
    F(T, U64,  store_steps,    _, OPT, 0, INT64_MAX, 0, "work since the daemon started: steps of the store's statements") \
    F(T, U64,  sched_steps,    _, OPT, 0, INT64_MAX, 0, "work since the daemon started: jobs, users and queues looked at to find what is next") \
    F(T, OBJ,  first_result, latency, OPT, 0, 0, 0, "of sets whose first member ended after they were made, since the daemon started: the time from one to the other") \
    F(T, OBJ,  queue_wait, latency, OPT, 0, 0, 0, "of jobs that ended since the daemon started: from when they could run to the start of the last attempt") \
    F(T, OBJ,  run,       latency, OPT, 0, 0, 0, "the last attempt") \
    F(T, OBJ,  total,     latency, OPT, 0, 0, 0, "from the submit to the end") \
    F(T, OBJ,  loop,      latency, OPT, 0, 0, 0, "the turns of the daemon's event loop: how long it was away from its events")

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

#define BACKUP_REQ_FIELDS(F, T) \
    F(T, STR,  file,           _, OPT, 1, AW_MAX_PATH, 0, "absolute path of the file to be made; absent: one in the daemon's state directory")
#define BACKUP_REP_FIELDS(F, T) \
    F(T, STR,  file,           _, REQ, 1, AW_MAX_PATH, 0, "its path, without symbolic links") \
    F(T, U64,  size,           _, REQ, 0, INT64_MAX, 0, "bytes in it")

#define SHUTDOWN_REQ_FIELDS(F, T) \
    F(T, STR,  mode,           _, OPT, 1, 8, 0, "leave (default): running jobs go on; drain: wait for them; kill: end them")
#define SHUTDOWN_REP_FIELDS(F, T) \
    F(T, U64,  running,        _, REQ, 0, INT64_MAX, 0, "jobs that run now")

/* clang-format on */

/* X(NAME, name, "wire name", who may, "meaning"); who: ANY (on their own jobs), ADMIN */
#define OP_MAP(X)                                                                                 \
    X(HELLO, hello, "hello", ANY, "who is there, and which version do both speak")                \
    X(SUBMIT, submit, "submit", ANY, "take 1 to 1,000 jobs, all or none, and give their IDs")     \
    X(STATUS, status, "status", ANY, "how futures stand now")                                     \
    X(ATTEMPTS, attempts, "attempts", ANY, "the attempts that were made at a job")                \
    X(EXPLAIN, explain, "explain", ANY, "why a job is not running yet, and what comes before it") \
    X(LIST, list, "list", ANY, "jobs by filter, page by page, newest first")                      \
    X(WAIT, wait, "wait", ANY, "answer once all, some or the first of these have ended")          \
    X(RESULT, result, "result", ANY, "how a future ended, and its standard output")               \
    X(LOGS, logs, "logs", ANY, "output from an offset on, ended or not; waits for more")          \
    X(CANCEL, cancel, "cancel", ANY, "end jobs before they end themselves")                       \
    X(CHANGE, change, "change", ANY, "another priority, start now, or renew")                     \
    X(RETRY, retry, "retry", ANY, "submit ended jobs again, as new futures")                      \
    X(FORGET, forget, "forget", ANY, "remove the records and output of ended jobs")               \
    X(SET_ADD, set_add, "set-add", ANY, "make futures members of a set")                          \
    X(SET_LIST, set_list, "set-list", ANY, "sets, page by page, by name")                         \
    X(SET_SHOW, set_show, "set-show", ANY, "how a set stands, and what took how long")            \
    X(SET_MEMBERS, set_members, "set-members", ANY,                                               \
      "the members of a set, page by page, as they were added")                                   \
    X(SET_READ, set_read, "set-read", ANY,                                                        \
      "members in the order in which they end; waits for more")                                   \
    X(SET_CLOSE, set_close, "set-close", ANY, "no more members will come")                        \
    X(SET_CANCEL, set_cancel, "set-cancel", ANY, "cancel all members of a set")                   \
    X(SET_FORGET, set_forget, "set-forget", ANY,                                                  \
      "remove a set, its members' records too if asked")                                          \
    X(QUEUE_SET, queue_set, "queue-set", ADMIN, "make a queue, or change it")                     \
    X(QUEUE_LIST, queue_list, "queue-list", ANY, "all queues")                                    \
    X(QUEUE_REMOVE, queue_remove, "queue-remove", ADMIN, "remove an empty queue")                 \
    X(USERS, users, "users", ANY, "what each user has, and may have")                             \
    X(STATS, stats, "stats", ANY, "counters and gauges of the daemon")                            \
    X(SLOTS, slots, "slots", ADMIN, "how many jobs run at once: ask or set")                      \
    X(DRAIN, drain, "drain", ADMIN, "accept no new jobs (or accept them again)")                  \
    X(BACKUP, backup, "backup", ADMIN, "copy the store into a file, while everything goes on")    \
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
SCHEMA_STRUCT(latency, LATENCY_FIELDS)
SCHEMA_STRUCT(set_status, SET_STATUS_FIELDS)
SCHEMA_STRUCT(queue_status, QUEUE_STATUS_FIELDS)
SCHEMA_STRUCT(user_status, USER_STATUS_FIELDS)

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
 * Whether something new may have this name: printable, without spaces, and not starting with '~',
 * which is for names that the daemon makes. (Bytes above 127 may be in it; the schema has counted
 * all.) AW_ERR_INVALID with a sentence that starts with `field`.
 */
AW_MUSTCHECK enum aw_err name_check(struct bytes name, const char *field, struct aw_error *err);

/*
 * What a schema cannot say about a job: argv present for exec, environment strings with `=`, type
 * known, sizes together, and so on. AW_ERR_INVALID or AW_ERR_TOO_LARGE with a sentence.
 */
AW_MUSTCHECK enum aw_err job_check(const struct job *job, struct aw_error *err);

#endif
