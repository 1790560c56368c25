/*
 * jobspec.h - the options that describe a job, for submit and run, and the job made from them.
 */
#ifndef AWCTL_JOBSPEC_H
#define AWCTL_JOBSPEC_H

#include "client/awctl/awctl.h"
#include "client/awctl/limit_opts.h"
#include "proto/messages.h"

struct jobspec {
    const char *name, *shell, *cwd, *stdin_file, *key, *on_interrupt;
    const char *http, *method, *data, *expect;
    bool clean_env, stdin_bytes, merge_stderr, noop;
    const char *queue;
    struct texts env, retry_on, no_retry_exit, headers, after, after_any, after_fail;
    bool no_jitter, cache_failed;
    int64_t max_attempts, backoff_ms, backoff_factor, backoff_max_ms, total_timeout_ms;
    int64_t umask, nice, priority;
    int64_t delay_ms, at_us, timeout_ms, grace_ms, queue_timeout_ms, output_limit, retention_ms;
    int64_t sleep_ms; /* -1: not given */
    int64_t follow;
    int64_t cache_ttl_ms, abandon_ms;
    struct limit_values limits;
};

#define JOBSPEC_DEFAULTS                                                       \
    .umask = -1, .grace_ms = DEFAULT_GRACE, .sleep_ms = -1, .max_attempts = 1, \
    .backoff_ms = DEFAULT_BACKOFF, .backoff_factor = 2, .backoff_max_ms = DEFAULT_BACKOFF_MAX

/* The lines of the option table for a struct that holds a struct jobspec as `spec`. */
#define JOBSPEC_OPT(T, member) offsetof(struct T, spec.member)
/* clang-format off */
#define JOBSPEC_OPTIONS(T) \
    {"name", 'n', OPT_TEXT, "NAME", "call the job NAME", JOBSPEC_OPT(T, name), 0, 0}, \
    {"shell", 's', OPT_TEXT, "CMD", "run CMD by /bin/sh; operands are $1, $2, ...", JOBSPEC_OPT(T, shell), 0, 0}, \
    {"cwd", 'C', OPT_TEXT, "DIR", "run in DIR (default: here)", JOBSPEC_OPT(T, cwd), 0, 0}, \
    {"env", 'E', OPT_TEXTS, "NAME=VALUE", "set a variable; NAME alone: as it is here", JOBSPEC_OPT(T, env), 0, 0}, \
    {"clean-env", 0, OPT_FLAG, NULL, "hand on no environment but what -E says", JOBSPEC_OPT(T, clean_env), 0, 0}, \
    {"stdin", 0, OPT_FLAG, NULL, "read our standard input and give it to the job", JOBSPEC_OPT(T, stdin_bytes), 0, 0}, \
    {"stdin-file", 0, OPT_TEXT, "FILE", "the job reads FILE as its standard input", JOBSPEC_OPT(T, stdin_file), 0, 0}, \
    {"merge-stderr", 0, OPT_FLAG, NULL, "its stderr goes where its stdout goes", JOBSPEC_OPT(T, merge_stderr), 0, 0}, \
    {"umask", 0, OPT_OCTAL, "MODE", "file mode mask (default: the runner's)", JOBSPEC_OPT(T, umask), 0, 0777}, \
    {"nice", 0, OPT_INT, "N", "niceness, -20 to 19", JOBSPEC_OPT(T, nice), -20, 19}, \
    LIMIT_OPTIONS(T, spec.limits), \
    {"priority", 'p', OPT_INT, "N", "-10 to 10; higher runs first", JOBSPEC_OPT(T, priority), AW_MIN_PRIORITY, AW_MAX_PRIORITY}, \
    {"queue", 'q', OPT_TEXT, "NAME", "wait in queue NAME (default: default)", JOBSPEC_OPT(T, queue), 0, 0}, \
    {"after", 0, OPT_TEXTS, "ID,...", "start once all of these have succeeded", JOBSPEC_OPT(T, after), 0, 0}, \
    {"after-any", 0, OPT_TEXTS, "ID,...", "start once all of these have ended", JOBSPEC_OPT(T, after_any), 0, 0}, \
    {"after-fail", 0, OPT_TEXTS, "ID,...", "start once all of these have failed", JOBSPEC_OPT(T, after_fail), 0, 0}, \
    {"delay", 'd', OPT_DURATION, "TIME", "start no earlier than this from now", JOBSPEC_OPT(T, delay_ms), 0, 0}, \
    {"at", 0, OPT_TIME, "WHEN", "start no earlier than 14:30, '2030-12-31 14:30', @EPOCH", JOBSPEC_OPT(T, at_us), 0, 0}, \
    {"timeout", 't', OPT_DURATION, "TIME", "end the job when it runs longer", JOBSPEC_OPT(T, timeout_ms), 0, 0}, \
    {"grace", 0, OPT_DURATION, "TIME", "from SIGTERM to SIGKILL (default: 5s)", JOBSPEC_OPT(T, grace_ms), 0, 0}, \
    {"queue-timeout", 0, OPT_DURATION, "TIME", "fail when it has not started by then", JOBSPEC_OPT(T, queue_timeout_ms), 0, 0}, \
    {"output-limit", 0, OPT_SIZE, "SIZE", "end the job when it writes more", JOBSPEC_OPT(T, output_limit), 0, 0}, \
    {"retention", 0, OPT_DURATION, "TIME", "keep the ended job for so long", JOBSPEC_OPT(T, retention_ms), 0, 0}, \
    {"cancel-if-abandoned", 0, OPT_DURATION, "TIME", "cancel it when nobody waits for it so long", JOBSPEC_OPT(T, abandon_ms), 0, 0}, \
    {"key", 'k', OPT_TEXT, "KEY", "the same KEY again gives the same future", JOBSPEC_OPT(T, key), 0, 0}, \
    {"cache-ttl", 0, OPT_DURATION, "TIME", "--key: one that succeeded answers so long", JOBSPEC_OPT(T, cache_ttl_ms), 0, 0}, \
    {"cache-failed", 0, OPT_FLAG, NULL, "--cache-ttl: one that failed does, too", JOBSPEC_OPT(T, cache_failed), 0, 0}, \
    {"on-interrupt", 0, OPT_TEXT, "POLICY", "fail (default) or retry when the machine goes down", JOBSPEC_OPT(T, on_interrupt), 0, 0}, \
    {"attempts", 'a', OPT_INT, "N", "try up to N times in all, if attempts fail (default: 1)", JOBSPEC_OPT(T, max_attempts), 1, AW_MAX_ATTEMPTS}, \
    {"backoff", 0, OPT_DURATION, "TIME", "pause before the second attempt (default: 1s)", JOBSPEC_OPT(T, backoff_ms), 0, 0}, \
    {"backoff-factor", 0, OPT_INT, "N", "each further pause is N times as long (default: 2)", JOBSPEC_OPT(T, backoff_factor), 1, 100}, \
    {"backoff-max", 0, OPT_DURATION, "TIME", "but no longer than this (default: 5m)", JOBSPEC_OPT(T, backoff_max_ms), 0, 0}, \
    {"no-jitter", 0, OPT_FLAG, NULL, "pauses are just that long, not a random part of it", JOBSPEC_OPT(T, no_jitter), 0, 0}, \
    {"retry-on", 0, OPT_TEXTS, "LIST", "only after these: error classes, exit codes", JOBSPEC_OPT(T, retry_on), 0, 0}, \
    {"no-retry-exit", 0, OPT_TEXTS, "LIST", "but not after these exit codes", JOBSPEC_OPT(T, no_retry_exit), 0, 0}, \
    {"total-timeout", 0, OPT_DURATION, "TIME", "end the job, waiting and attempts and all, after that", JOBSPEC_OPT(T, total_timeout_ms), 0, 0}, \
    {"http", 0, OPT_TEXT, "URL", "no command: ask for URL; its answer is the output", JOBSPEC_OPT(T, http), 0, 0}, \
    {"method", 0, OPT_TEXT, "NAME", "http: GET, PUT, ... (default: POST with --data, else GET)", JOBSPEC_OPT(T, method), 0, 0}, \
    {"header", 0, OPT_TEXTS, "LINE", "http: send this header, like 'Name: value'", JOBSPEC_OPT(T, headers), 0, 0}, \
    {"data", 0, OPT_TEXT, "TEXT", "http: send TEXT; @FILE: what is in FILE", JOBSPEC_OPT(T, data), 0, 0}, \
    {"expect", 0, OPT_TEXT, "LIST", "http: what is success (default: 200-299)", JOBSPEC_OPT(T, expect), 0, 0}, \
    {"follow", 0, OPT_INT, "N", "http: follow up to N redirects (default: none)", JOBSPEC_OPT(T, follow), 0, AW_MAX_REDIRECTS}, \
    {"sleep", 0, OPT_DURATION, "TIME", "no command: the job just takes that long", JOBSPEC_OPT(T, sleep_ms), 0, 0}, \
    {"noop", 0, OPT_FLAG, NULL, "no command: the job does nothing", JOBSPEC_OPT(T, noop), 0, 0}
/* clang-format on */

/* A job, and the memory that it points to. */
struct madejob {
    struct aw_job job;
    char **argv, **env;
    char *cwd, *stdin_file, *stdin_data;
    char *body;
    char *words[4]; /* that retry_on and the three below point into */
    char **retry_on, **headers, **after, **after_any, **after_fail;
    int *no_retry_exit;
};

/*
 * Makes the job that the options and the command line (argv may be empty) describe. Reads stdin if
 * they say so. AW_ERR_USAGE: they contradict each other, or there is no command.
 */
AW_MUSTCHECK enum aw_err jobspec_make(const struct jobspec *spec, int argc, char **argv,
                                      bool need_command, struct madejob *ret, struct aw_error *err);
void madejob_done(struct madejob *m);
#define _cleanup_madejob_ __attribute__((cleanup(madejob_done)))

#endif
