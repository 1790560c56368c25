/*
 * aw.h - libaw, the client library of awd: submit jobs, and hold their futures.
 *
 *     struct aw_client *client;
 *     struct aw_future *future;
 *     struct aw_result *result;
 *     struct aw_job job;
 *     char *argv[] = {"sort", "-u", "words", NULL};
 *
 *     aw_client_open(NULL, &client, &err);
 *     aw_job_init(&job);
 *     job.argv = argv;
 *     job.cwd = "/srv/data";
 *     aw_submit(client, &job, 1, &future, &err);
 *     aw_future_result(future, AW_FOREVER, &result, &err);
 *     fwrite(result->data, 1, result->len, stdout);
 *
 * Futures. A job is submitted once and is from then on named by its future's ID, a text such as
 * "k3f9q-1042". Any process that may see the job can look the ID up, ask, wait, cancel: now, after
 * the submitting process has ended, after awd or the machine went down. A future has exactly one
 * final state. A time limit on waiting is never one on the job.
 *
 * Errors. Calls return AW_OK or an enum aw_err and, when `err` is not NULL, a sentence in it.
 * Outputs (`ret_*`) and `*err` are touched in the one case only to which they belong. That a job
 * failed is no error of the call that reports it: look at its status. No call prints, exits,
 * aborts or raises SIGPIPE. AW_ERR_NO_MEMORY may come from any of them, and so may
 * AW_ERR_UNREACHABLE, AW_ERR_PROTOCOL, AW_ERR_CLOSED, AW_ERR_NOT_PERMITTED and AW_ERR_SYSTEM from
 * those that talk to awd, beside what the daemon answers (aw_codes.h has all codes).
 *
 * Connections. A client connects when it is first needed, and again, by itself, when awd went
 * away: with growing pauses, and for as long as struct aw_client_config says. Requests that were
 * under way are sent again; a submit carries a number by which awd knows it, so that it counts
 * once. Long waits hold no connection: they go on across a restart of awd.
 *
 * Threads. A client, and a future, may be used by any number of threads at once; libaw starts no
 * thread of its own (a tcp or tls+tcp connection does: it loads nng). What calls hand out (struct
 * aw_status and so on) belongs to the caller, is never changed, and stays valid until it is freed,
 * even after its client is closed.
 *
 * Fork. A child must not use its parent's client: each call there fails with AW_ERR_USAGE, but
 * aw_client_close() and the functions that free are allowed and disturb nobody.
 *
 * Growth. Structs that the caller fills start with their size, set by an _init() macro; those that
 * libaw hands out may get more members at their end, so never copy them or take their sizeof.
 */
#ifndef AW_H
#define AW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <aw_codes.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AW_API __attribute__((visibility("default")))

#define AW_FOREVER (-1) /* for parameters called timeout_ms and the like */

/* "0.1.0": of the library that runs, which may be newer than this header. */
AW_API const char *aw_version(void);

/* The tables of aw_codes.h. The names are "?" for numbers that are in none. */
AW_API const char *aw_state_name(enum aw_state state);
AW_API const char *aw_class_name(enum aw_class error_class);
AW_API const char *aw_err_name(enum aw_err code);
AW_API const char *aw_err_text(enum aw_err code);
AW_API bool aw_err_retryable(enum aw_err code);
AW_API int aw_err_exit_code(enum aw_err code);

/* ---- Client --------------------------------------------------------------------------------- */

struct aw_client;

struct aw_client_config {
    size_t size;

    /*
     * Where awd listens: a path, ipc:///path, tcp://host:port or tls+tcp://host:port. NULL: what
     * $AWD_SOCKET says, else $XDG_RUNTIME_DIR/awd/awd.sock, else /run/awd/awd.sock, whichever is
     * there when the client connects.
     */
    const char *url;

    /* How long a call goes on trying to reach awd before AW_ERR_UNREACHABLE (1,000 ms). */
    int64_t retry_ms;

    /* The same for calls that wait (AW_FOREVER: for as long as the wait itself may last). */
    int64_t wait_retry_ms;

    /* How long awd may take to answer, beyond the time that it was asked to wait (60,000 ms). */
    int64_t answer_ms;

    /* tls+tcp: PEM files with the CA of the daemon, and with our certificate and its key. */
    const char *tls_ca_file;
    const char *tls_cert_key_file;

    /*
     * Called when awd could not be reached for a second while a call goes on trying (`code` is
     * why), and when it is back (AW_OK). Comes on the thread of some call that waits; must not
     * call libaw.
     */
    void (*notice)(void *arg, enum aw_err code, const char *text);
    void *notice_arg;
};

/* Fills in the defaults above. Always first. */
#define aw_client_config_init(config) aw_client_config_init_sized((config), sizeof(*(config)))
AW_API void aw_client_config_init_sized(struct aw_client_config *config, size_t size);

/*
 * Makes a client; `config` may be NULL and is copied. Does not connect yet.
 * AW_ERR_USAGE: the URL is none that libaw knows, or a path is too long.
 */
AW_API enum aw_err aw_client_open(const struct aw_client_config *config, struct aw_client **ret,
                                  struct aw_error *err);

/*
 * Closes and frees the client (NULL is fine). Calls of other threads that are under way come back
 * with AW_ERR_CLOSED, and so will those on futures that are still held. A callback that runs on
 * another thread is waited for; one may itself close the client.
 */
AW_API void aw_client_close(struct aw_client *client);

/* The address that the client is, or was last, connected to; "" before. */
AW_API void aw_client_address(struct aw_client *client, char *buf, size_t size);

/* ---- Submitting ----------------------------------------------------------------------------- */

struct aw_future;

/* What an exec job may use; of a queue, what each of its jobs may use at most. Zeroed: no limits.
 */
struct aw_limits {
    uint64_t memory;     /* bytes, all its processes together */
    uint32_t cpu;        /* percent of one processor, all its processes together */
    int64_t cpu_time_ms; /* processor time of each of its processes */
    uint64_t processes;  /* and threads, at once */
    uint64_t files;      /* open files of each of its processes */
    uint64_t file_size;  /* bytes of each file that it writes */
    int nice;            /* at least this niceness: 0 to 19 */
    int io_priority;     /* 1 (first) to 8 (last), 9: when nobody else uses the disk; 0: as it is */
};

/* What to run, and how. Whatever is 0 or NULL after aw_job_init() means "the usual". */
struct aw_job {
    size_t size;

    const char *type;  /* "exec" (default), "http", "sleep" or "noop" */
    char *const *argv; /* exec: program and arguments, NULL at the end */
    const char *cwd;   /* exec: absolute path (default /) */
    char *const *env;  /* exec: the whole environment, NULL at the end; `environ` hands on ours */
    const void *stdin_data; /* exec: bytes for its standard input, and how many */
    size_t stdin_len;
    const char *stdin_file; /* exec: or an absolute path */
    bool merge_stderr;      /* exec: stderr goes where stdout goes */
    int umask;              /* exec: -1 (default) keeps that of aw-runner */
    int nice;               /* exec: -20 to 19 */
    int64_t sleep_ms;       /* sleep: for how long */

    const char *name; /* for people, and for filters of aw_list() */
    int priority;     /* -10 to 10; higher runs first */

    /*
     * Names the job for its user: while a record of it is kept, another submit with the same key
     * gives the same future and starts nothing.
     */
    const char *key;

    int64_t delay_ms;         /* start no earlier than this after the submit */
    int64_t not_before_us;    /* or than this time, in microseconds since 1970 UTC */
    int64_t timeout_ms;       /* longest that an attempt may run; 0: no limit */
    int64_t grace_ms;         /* from SIGTERM to SIGKILL when it is stopped (5,000) */
    int64_t queue_timeout_ms; /* longest from the submit to the start; 0: no limit */
    int64_t output_limit;     /* bytes of stdout and stderr together; 0: the daemon's limit */
    int64_t retention_ms;     /* how long it is kept after its end; 0: the daemon's time */
    const char *on_interrupt; /* "fail" (default) or "retry", when runner or machine went down */

    /*
     * A failed attempt is followed by another one, after a pause, while fewer than max_attempts
     * (1) were made. retry_on names the failures that are worth it: error classes and exit codes
     * ("timeout", "75"), NULL at the end; NULL: all are. no_retry_exit: exit codes that are not,
     * 0 at the end. The pause is backoff_ms (1,000) after the first attempt, backoff_factor (2)
     * times as long after each further one, at most backoff_max_ms (300,000); a random time up to
     * that unless no_jitter.
     */
    int64_t max_attempts;
    char *const *retry_on;
    const int *no_retry_exit;
    int64_t backoff_ms;
    int backoff_factor;
    int64_t backoff_max_ms;
    bool no_jitter;

    int64_t total_timeout_ms; /* longest from the submit to the end, attempts and pauses; 0: none */

    /*
     * http: one request. Its answer's body is the job's standard output; status line, headers and
     * times are its standard error. It succeeds if the status is one that is expected: "200-299"
     * (default), "200,404", ... Requests other than GET, HEAD and OPTIONS carry the future's ID as
     * Idempotency-Key, the same in each attempt, unless a header of that name is given.
     */
    const char *url;      /* http:// or https:// */
    const char *method;   /* default: POST with a body, else GET */
    char *const *headers; /* "Name: value", NULL at the end; "Name:" leaves one of awd's out */
    const void *body;     /* bytes to send, and how many */
    size_t body_len;
    const char *expect;
    int follow; /* most redirects that are followed (0) */

    const char *queue; /* that it waits in (default: "default"); it must be there */

    /*
     * IDs of futures that it waits for, NULL at the end of each list: that all of `after` have
     * succeeded, all of after_any have ended, all of after_fail have ended without success. If
     * that cannot come about any more, the job fails with AW_CLASS_DEPENDENCY. A future whose
     * record is gone is refused (AW_ERR_EXPIRED_ID), but will do for after_any.
     */
    char *const *after;
    char *const *after_any;
    char *const *after_fail;

    /*
     * With a key: a future that succeeded answers for it only so long after its end, and then
     * another job is run; one that did not succeed answers only if cache_failed is set. 0: any
     * does, for as long as its record is kept.
     */
    int64_t cache_ttl_ms;
    bool cache_failed;

    /* Cancelled when nobody waits for it, or renews it (aw_renew()), for so long; 0: never. */
    int64_t abandon_ms;

    struct aw_limits limits; /* exec: what it may use; its queue may allow less */
};

/* Fills in the defaults above. Always first. */
#define aw_job_init(job) aw_job_init_sized((job), sizeof(*(job)))
AW_API void aw_job_init_sized(struct aw_job *job, size_t size);

/*
 * Submits `n` jobs (1 to 1,000): all of them, or none. Once it returns AW_OK they are on disk.
 *
 * AW_OK: ret_futures[0 .. n-1] are the caller's, in the order of the jobs.
 * AW_ERR_INVALID, AW_ERR_TOO_LARGE: a job is not as it must be; the sentence says which.
 * AW_ERR_QUEUE_FULL, AW_ERR_QUOTA (this user's part of it is), AW_ERR_DISK_FULL, AW_ERR_DRAINING:
 * refused; nothing was accepted. To wait is the caller's choice: err->retry_after_ms says how long,
 * roughly, until there may be room. AW_ERR_LIMIT: the same, and to wait does not help.
 * AW_ERR_UNREACHABLE, AW_ERR_IN_DOUBT: if the connection broke at the wrong moment, the jobs may
 * have been accepted all the same. With a key, submitting again settles it.
 */
AW_API enum aw_err aw_submit(struct aw_client *client, const struct aw_job *jobs, size_t n,
                             struct aw_future **ret_futures, struct aw_error *err);

/* The same, and the jobs become members of a set, which is made if it is not there. */
AW_API enum aw_err aw_submit_to_set(struct aw_client *client, const char *set,
                                    const struct aw_job *jobs, size_t n,
                                    struct aw_future **ret_futures, struct aw_error *err);

struct aw_result;

/* Submits one job and blocks for its result, as aw_future_result() does. */
AW_API enum aw_err aw_run(struct aw_client *client, const struct aw_job *job, int64_t timeout_ms,
                          struct aw_result **ret, struct aw_error *err);

/* ---- Status --------------------------------------------------------------------------------- */

/* A job as it stood when it was asked for. Texts are "" rather than NULL. */
struct aw_status {
    const char *id;
    enum aw_err err;     /* AW_OK, or why there is no such future: then only `message` holds */
    const char *message; /* a sentence: why, or how it failed */
    enum aw_state state; /* final from AW_SUCCEEDED on */
    enum aw_class error_class; /* how it failed */
    int exit_code;             /* of the last attempt; -1: none */
    int signal;                /* that ended the last attempt; 0: none */
    int http_status;           /* http: of the last answer; 0: there was none */
    const char *type;
    const char *name;
    const char *command; /* the arguments, or method and URL, joined by spaces, and cut */
    const char *key;
    int priority;
    uint64_t attempt; /* attempts begun so far */
    uint32_t uid;     /* who submitted it */
    int32_t pid;      /* of the running process; 0: none */
    bool cancel_requested;
    int64_t created_us; /* microseconds since 1970 UTC; 0: not (yet) */
    int64_t due_us;
    int64_t started_us;
    int64_t ended_us;
    int64_t expires_us;   /* when its record will be pruned */
    uint64_t stdout_size; /* bytes, once it ended */
    uint64_t stderr_size;
    uint64_t cpu_user_us; /* processor time of its whole tree of processes */
    uint64_t cpu_sys_us;
    uint64_t max_rss_kib; /* most memory that one of its processes had */
    const char *retry_of; /* the future that this one tries again */
    uint64_t max_attempts;
    const char *queue; /* "" stands for "default" */
    int64_t abandon_ms;
    struct aw_limits limits;
};

struct aw_statuses;
AW_API size_t aw_statuses_count(const struct aw_statuses *list);
AW_API const struct aw_status *aw_statuses_at(const struct aw_statuses *list, size_t i);
AW_API void aw_statuses_free(struct aw_statuses *list);

/* ---- Futures -------------------------------------------------------------------------------- */

/*
 * Makes a handle for an existing future; the ID may lack its tag. Asks awd.
 * AW_ERR_UNKNOWN_ID: never issued. AW_ERR_EXPIRED_ID: its record is gone. AW_ERR_FOREIGN_ID: of
 * another store. AW_ERR_INVALID: that is no ID. AW_ERR_NOT_PERMITTED: somebody else's.
 */
AW_API enum aw_err aw_lookup(struct aw_client *client, const char *id, struct aw_future **ret,
                             struct aw_error *err);

AW_API struct aw_future *aw_future_ref(struct aw_future *future);
AW_API void aw_future_unref(struct aw_future *future); /* the last one frees; NULL is fine */

AW_API const char *aw_future_id(const struct aw_future *future);

/* The submit that made this handle found the job already there, by its key. */
AW_API bool aw_future_deduplicated(const struct aw_future *future);

/* And it had ended already: its result was there at once. */
AW_API bool aw_future_cached(const struct aw_future *future);

/* Where it is now. Once it has ended, all three answer without asking awd. */
AW_API enum aw_err aw_future_state(struct aw_future *future, enum aw_state *ret,
                                   struct aw_error *err);
AW_API enum aw_err aw_future_done(struct aw_future *future, bool *ret, struct aw_error *err);

/*
 * How it failed: AW_CLASS_NONE if it succeeded, was cancelled (its state says so), or has not
 * ended.
 */
AW_API enum aw_err aw_future_exception(struct aw_future *future, enum aw_class *ret,
                                       struct aw_error *err);

/*
 * Blocks until the future has ended, however it did. AW_ERR_TIMED_OUT: not within timeout_ms
 * (0: it has not ended now).
 */
AW_API enum aw_err aw_future_wait(struct aw_future *future, int64_t timeout_ms,
                                  struct aw_error *err);

/* How a future ended, and a piece of its standard output. */
struct aw_result {
    const struct aw_status *status;
    const char *data; /* `len` bytes, and a NUL behind them */
    size_t len;
    uint64_t offset; /* where in the output `data` starts */
    uint64_t size;   /* of the whole output */
    bool eof;        /* nothing comes behind `data` */
};
AW_API void aw_result_free(struct aw_result *result);

/*
 * Blocks like aw_future_wait() and then fetches status and output: all of it up to AW_RESULT_MAX
 * bytes, the rest with aw_result_read().
 */
#define AW_RESULT_MAX (64 << 20)
AW_API enum aw_err aw_future_result(struct aw_future *future, int64_t timeout_ms,
                                    struct aw_result **ret, struct aw_error *err);

/* Ends the job early; see aw_cancel(). AW_ERR_WRONG_STATE: it has ended already. */
AW_API enum aw_err aw_future_cancel(struct aw_future *future, struct aw_error *err);

/* ---- By ID, many at once -------------------------------------------------------------------- */

/* How these futures stand: one status for each ID, in their order, missing ones included. */
AW_API enum aw_err aw_status(struct aw_client *client, const char *const *ids, size_t n,
                             struct aw_statuses **ret, struct aw_error *err);

struct aw_progress {
    uint64_t n_ended;  /* of those waited for; missing futures count as ended */
    uint64_t n_failed; /* of those that have ended: did not succeed, or are missing */
};

/*
 * Blocks until all of these futures have ended (or do not exist).
 * AW_OK: *ret has a status for each. AW_ERR_TIMED_OUT: not within timeout_ms. In both cases
 * *ret_progress (may be NULL) says how many have ended.
 */
AW_API enum aw_err aw_wait(struct aw_client *client, const char *const *ids, size_t n,
                           int64_t timeout_ms, struct aw_progress *ret_progress,
                           struct aw_statuses **ret, struct aw_error *err);

/* When a wait is over before all have ended. */
struct aw_until {
    size_t size;
    uint64_t n_ended; /* so many have; 1: the first; 0 (default): all */
    bool first_error; /* or one has ended without success */
};
#define aw_until_init(until) aw_until_init_sized((until), sizeof(*(until)))
AW_API void aw_until_init_sized(struct aw_until *until, size_t size);

/* aw_wait() until that much has come about; `until` may be NULL. *ret has all, ended or not. */
AW_API enum aw_err aw_wait_until(struct aw_client *client, const char *const *ids, size_t n,
                                 const struct aw_until *until, int64_t timeout_ms,
                                 struct aw_progress *ret_progress, struct aw_statuses **ret,
                                 struct aw_error *err);

/* ---- Many: in the order in which they end --------------------------------------------------- */

/*
 * Futures as they complete: an iterator. Each comes once, as soon as its end is durable, however
 * many there are: the number of messages grows no faster than theirs. One thread at a time uses
 * it; different ones may be used at once.
 *
 *     aw_as_completed(client, ids, n, 10000, &each, &err);
 *     while ((e = aw_completions_next(each, &status, &err)) == AW_OK && status)
 *         use(status);
 *     aw_completions_free(each);
 */
struct aw_completions;

/*
 * Over these futures. Missing ones come first, with status->err. timeout_ms counts from here, for
 * all of them; what has not ended by then goes on.
 */
AW_API enum aw_err aw_as_completed(struct aw_client *client, const char *const *ids, size_t n,
                                   int64_t timeout_ms, struct aw_completions **ret,
                                   struct aw_error *err);

struct aw_read_opts {
    size_t size;
    const char *consumer; /* whose cursor: each name has its own (NULL: the one without a name) */
    int64_t after;        /* from behind this place; -1 (default): from behind the cursor */
    int64_t timeout_ms;   /* for all of them (AW_FOREVER) */
};
#define aw_read_opts_init(opts) aw_read_opts_init_sized((opts), sizeof(*(opts)))
AW_API void aw_read_opts_init_sized(struct aw_read_opts *opts, size_t size);

/*
 * Over the members of a set, those that are still to come included, until it is closed and all
 * have ended. The cursor is kept by awd and moves over a completion once the next one is asked for
 * (or by aw_completions_ack()): a consumer that comes back gets what it was not done with.
 */
AW_API enum aw_err aw_set_as_completed(struct aw_client *client, const char *set,
                                       const struct aw_read_opts *opts, struct aw_completions **ret,
                                       struct aw_error *err);

/*
 * The next one; blocks for it. AW_OK: *ret_status is valid until the next call; NULL: there are no
 * more. AW_ERR_TIMED_OUT: time is over; aw_completions_left() has the others.
 */
AW_API enum aw_err aw_completions_next(struct aw_completions *each,
                                       const struct aw_status **ret_status, struct aw_error *err);

/* Where the last one stands in the order of completion: 1, 2, ...; 0: it was a missing one. */
AW_API uint64_t aw_completions_place(const struct aw_completions *each);

/* How many are known so far. `n` may grow while a set is open. */
struct aw_completions_progress {
    uint64_t n, n_ended, n_failed;
    int64_t first_us; /* from the start to the first end, in microseconds; 0: none yet */
};
AW_API void aw_completions_get_progress(const struct aw_completions *each,
                                        struct aw_completions_progress *ret);

/* The futures that have not come yet, as they are now (of a set: those among its members). */
AW_API enum aw_err aw_completions_left(struct aw_completions *each, struct aw_statuses **ret,
                                       struct aw_error *err);

/* Of a set: the last one, too, is done with. */
AW_API enum aw_err aw_completions_ack(struct aw_completions *each, struct aw_error *err);

AW_API void aw_completions_free(struct aw_completions *each); /* NULL is fine */

/* Results in the order of the IDs. */
struct aw_gather_opts {
    size_t size;
    bool strict;        /* comes back at the first that does not succeed */
    bool cancel_rest;   /* and then cancels the others */
    size_t max_data;    /* most bytes of output taken from each (AW_RESULT_MAX) */
    int64_t timeout_ms; /* for all of them (AW_FOREVER) */
};
#define aw_gather_opts_init(opts) aw_gather_opts_init_sized((opts), sizeof(*(opts)))
AW_API void aw_gather_opts_init_sized(struct aw_gather_opts *opts, size_t size);

struct aw_gathered;
AW_API size_t aw_gathered_count(const struct aw_gathered *all);
/* Of one that has not ended, or is missing: no data, and its status says so. */
AW_API const struct aw_result *aw_gathered_at(const struct aw_gathered *all, size_t i);
/* strict: the index of the one that did not succeed; -1: all did. */
AW_API ptrdiff_t aw_gathered_failed(const struct aw_gathered *all);
AW_API void aw_gathered_free(struct aw_gathered *all);

/*
 * Blocks until all have ended: a failure is a value like any other. strict: until one does not
 * succeed. AW_ERR_TIMED_OUT: *ret is set all the same, with what there is. `opts` may be NULL.
 */
AW_API enum aw_err aw_gather(struct aw_client *client, const char *const *ids, size_t n,
                             const struct aw_gather_opts *opts, struct aw_gathered **ret,
                             struct aw_error *err);

/* What a call on several IDs did to one of them. */
struct aw_outcome {
    const char *id;      /* as asked for */
    enum aw_err err;     /* AW_OK, or why not */
    const char *message; /* a sentence */
    enum aw_state state; /* where it is now */
    const char *new_id;  /* aw_retry(): the new future, else "" */
};
struct aw_outcomes;
AW_API size_t aw_outcomes_count(const struct aw_outcomes *list);
AW_API const struct aw_outcome *aw_outcomes_at(const struct aw_outcomes *list, size_t i);
AW_API void aw_outcomes_free(struct aw_outcomes *list);

/*
 * Ends jobs early: those that wait at once, those that run with SIGTERM and, grace_ms later,
 * SIGKILL (-1: the grace they were submitted with). Does not wait for their end; the outcome of
 * one that runs has state AW_RUNNING.
 */
AW_API enum aw_err aw_cancel(struct aw_client *client, const char *const *ids, size_t n,
                             int64_t grace_ms, struct aw_outcomes **ret, struct aw_error *err);

/* Changes jobs that wait: another priority; or an end of their delay or backoff. */
AW_API enum aw_err aw_set_priority(struct aw_client *client, const char *const *ids, size_t n,
                                   int priority, struct aw_outcomes **ret, struct aw_error *err);
AW_API enum aw_err aw_start_now(struct aw_client *client, const char *const *ids, size_t n,
                                struct aw_outcomes **ret, struct aw_error *err);

/* Says that somebody still wants them: abandon_ms starts anew. */
AW_API enum aw_err aw_renew(struct aw_client *client, const char *const *ids, size_t n,
                            struct aw_outcomes **ret, struct aw_error *err);

/* Why a job does not run yet. Free it with aw_explanation_free(). */
struct aw_explanation {
    enum aw_state state;
    const char *reason;  /* ended, running, delay, backoff, dependency, paused, stopped, limit, */
    const char *message; /* rate, slots, next; and the same as a sentence */
    const char *queue;
    int64_t due_us;             /* delay, backoff, rate: until when */
    uint64_t n_before;          /* queued jobs that come before it */
    bool more_before;           /* at least so many */
    const char *const *before;  /* the first of them; NULL at the end */
    uint64_t n_parents;         /* futures that it waits for */
    const char *const *parents; /* some of them; NULL at the end */
};
AW_API enum aw_err aw_explain(struct aw_client *client, const char *id, struct aw_explanation **ret,
                              struct aw_error *err);
AW_API void aw_explanation_free(struct aw_explanation *why);

/* Submits ended jobs again, as new futures (1 to 1,000 of them). */
AW_API enum aw_err aw_retry(struct aw_client *client, const char *const *ids, size_t n,
                            struct aw_outcomes **ret, struct aw_error *err);

/* Removes records and output of ended jobs; their IDs are "expired" from then on. */
AW_API enum aw_err aw_forget(struct aw_client *client, const char *const *ids, size_t n,
                             struct aw_outcomes **ret, struct aw_error *err);

struct aw_filter {
    size_t size;
    unsigned states;         /* bits 1 << AW_QUEUED and so on; 0: all */
    const char *name_prefix; /* NULL: all */
    int64_t uid;             /* -1: of all users whose jobs the caller may see */
    const char *before;      /* only older ones: aw_list()'s *ret_next */
    unsigned limit;          /* 1 to 1,000 (100) */
};
#define aw_filter_init(filter) aw_filter_init_sized((filter), sizeof(*(filter)))
AW_API void aw_filter_init_sized(struct aw_filter *filter, size_t size);

/*
 * One page of jobs, newest first. *ret_next (NULL after the last page) belongs to *ret and is the
 * next page's `before`. A page may be shorter than the limit, and even empty, and not the last.
 */
AW_API enum aw_err aw_list(struct aw_client *client, const struct aw_filter *filter,
                           struct aw_statuses **ret, const char **ret_next, struct aw_error *err);

/* ---- Sets ----------------------------------------------------------------------------------- */

/* How long something took, over many jobs; in microseconds, at most 3 % too high. */
struct aw_latency {
    uint64_t count; /* 0: the others mean nothing */
    int64_t p50_us, p95_us, p99_us, max_us;
};

/* A set as it stands: complete once it is closed and n_ended is n_members. */
struct aw_set {
    const char *name; /* unique among its user's */
    uint32_t uid;
    bool closed; /* no more members will come */
    bool temporary;
    uint64_t n_members, n_ended, n_failed;
    int64_t created_us; /* microseconds since 1970 UTC; 0: not (yet) */
    int64_t closed_us;
    int64_t first_us; /* the first member's end */
    int64_t last_us;  /* the last one's so far */
};

struct aw_sets;
AW_API size_t aw_sets_count(const struct aw_sets *list);
AW_API const struct aw_set *aw_sets_at(const struct aw_sets *list, size_t i);
AW_API void aw_sets_free(struct aw_sets *list);

/*
 * Makes futures members of a set, which is made if it is not there (n may be 0). `close`: no more
 * will come. *ret (may be NULL) says what came of each. AW_ERR_WRONG_STATE: it is closed.
 */
AW_API enum aw_err aw_set_add(struct aw_client *client, const char *set, const char *const *ids,
                              size_t n, bool close, struct aw_outcomes **ret, struct aw_error *err);

/* All of one's sets whose names start so (NULL: all), by name, without temporary ones. */
AW_API enum aw_err aw_set_list(struct aw_client *client, const char *prefix, struct aw_sets **ret,
                               struct aw_error *err);

/* One set, and what took its ended members how long. Free it with aw_set_info_free(). */
struct aw_set_info {
    const struct aw_set *set;
    struct aw_latency queue_wait; /* from when they could run to the start of the last attempt */
    struct aw_latency run;        /* the last attempt */
    struct aw_latency total;      /* from the submit to the end */
};
AW_API enum aw_err aw_set_show(struct aw_client *client, const char *set, struct aw_set_info **ret,
                               struct aw_error *err);
AW_API void aw_set_info_free(struct aw_set_info *info);

/* All members, in the order in which they were added. */
AW_API enum aw_err aw_set_members(struct aw_client *client, const char *set,
                                  struct aw_statuses **ret, struct aw_error *err);

/* Blocks until the set is complete, or until `until`, which may be NULL. */
AW_API enum aw_err aw_set_wait(struct aw_client *client, const char *set,
                               const struct aw_until *until, int64_t timeout_ms,
                               struct aw_progress *ret_progress, struct aw_error *err);

/* No more members will come. */
AW_API enum aw_err aw_set_close(struct aw_client *client, const char *set, struct aw_error *err);

/* Cancels its members; the outputs (may be NULL): those that waited, those that run. */
AW_API enum aw_err aw_set_cancel(struct aw_client *client, const char *set, int64_t grace_ms,
                                 uint64_t *ret_cancelled, uint64_t *ret_stopping,
                                 struct aw_error *err);

/*
 * Removes the set; with `jobs` also its members' records: AW_ERR_WRONG_STATE if one has not ended.
 */
AW_API enum aw_err aw_set_forget(struct aw_client *client, const char *set, bool jobs,
                                 struct aw_error *err);

/* ---- Queues --------------------------------------------------------------------------------- */

struct aw_queue {
    const char *name;
    uint32_t slots; /* of its own; 0: it shares the daemon's */
    uint32_t limit; /* most of its jobs at once, of the shared slots; 0: no limit */
    int priority;   /* jobs of a higher queue run first, whatever their own */
    bool paused;    /* starts no jobs */
    bool draining;  /* takes no new jobs */
    uint32_t rate;  /* most starts in rate_ms; 0: no limit */
    int64_t rate_ms;
    uint64_t queued, running, waiting; /* jobs: could run; run; wait for a time, or other jobs */
    struct aw_limits limits;           /* what each of its jobs may use at most */
};

struct aw_queues;
AW_API size_t aw_queues_count(const struct aw_queues *list);
AW_API const struct aw_queue *aw_queues_at(const struct aw_queues *list, size_t i);
AW_API void aw_queues_free(struct aw_queues *list);

AW_API enum aw_err aw_queue_list(struct aw_client *client, struct aw_queues **ret,
                                 struct aw_error *err);

/* What a change leaves as it is: whatever aw_queue_change_init() made it. */
struct aw_queue_change {
    size_t size;
    bool create; /* make it; otherwise it must be there */
    int slots;   /* -1: leave it; and so on */
    int limit;
    int priority; /* AW_QUEUE_LEAVE: leave it */
    int paused;   /* 1, 0, -1 */
    int draining;
    int rate;
    int64_t rate_ms;                /* 1,000 */
    const struct aw_limits *limits; /* NULL: leave them */
    /* With limits: those of them that change, like "memory", with NULL behind them; NULL: all. */
    const char *const *only_limits;
};
#define AW_QUEUE_LEAVE               (-1000)
#define aw_queue_change_init(change) aw_queue_change_init_sized((change), sizeof(*(change)))
AW_API void aw_queue_change_init_sized(struct aw_queue_change *change, size_t size);

/*
 * Makes or changes a queue; *ret (may be NULL) has it as it is then. AW_ERR_NO_QUEUE: it is not
 * there. AW_ERR_WRONG_STATE: it is there already.
 */
AW_API enum aw_err aw_queue_set(struct aw_client *client, const char *name,
                                const struct aw_queue_change *change, struct aw_queues **ret,
                                struct aw_error *err);

/* Removes one that has no jobs. AW_ERR_WRONG_STATE: it has, or it is "default". */
AW_API enum aw_err aw_queue_remove(struct aw_client *client, const char *name,
                                   struct aw_error *err);

/* ---- Users ---------------------------------------------------------------------------------- */

/* What one user has, and may have; in the latter 0 says that there is no limit of its own. */
struct aw_user {
    uint32_t uid;
    uint64_t waiting, running;   /* jobs that have not ended */
    uint64_t kept;               /* ended jobs */
    uint64_t bytes;              /* specifications and output of all of them */
    uint64_t sets, dependencies; /* dependencies: what jobs wait for, counted for each job */
    uint64_t connections;        /* to Unix sockets */
    uint64_t max_queued;         /* waiting and running */
    uint64_t max_kept, max_bytes, max_sets, max_dependencies, max_connections;
};

struct aw_users;
AW_API size_t aw_users_count(const struct aw_users *list);
AW_API const struct aw_user *aw_users_at(const struct aw_users *list, size_t i);
AW_API void aw_users_free(struct aw_users *list);

/* All who have anything, by number; for others than administrators, themselves only. */
AW_API enum aw_err aw_user_list(struct aw_client *client, struct aw_users **ret,
                                struct aw_error *err);

/* ---- In an event loop ----------------------------------------------------------------------- */

/*
 * Calls back once the future has ended: exactly once, with its status (which is valid during the
 * call), or with status->err if the future cannot be had any more (its record went meanwhile).
 * Callbacks come from aw_client_process() and nowhere else, on the thread that called it; they may
 * call anything but aw_client_process(). None comes after aw_client_close(). The future is held
 * until then. Any number of callbacks can be set on a future.
 */
typedef void (*aw_done_fn)(struct aw_future *future, const struct aw_status *status, void *arg);
AW_API enum aw_err aw_future_on_done(struct aw_future *future, aw_done_fn done, void *arg,
                                     struct aw_error *err);

/*
 * A file descriptor that is readable when aw_client_process() has something to do. It belongs to
 * the client, is the same for its whole life, and is to be polled only.
 */
AW_API enum aw_err aw_client_fd(struct aw_client *client, int *ret, struct aw_error *err);

/*
 * Does what there is to do: sends, receives, connects again, calls back. Waits up to timeout_ms
 * (0: not at all) until there is something. *ret_pending (may be NULL): callbacks that are still
 * to come. One thread at a time: AW_ERR_USAGE for another one, and from inside a callback.
 */
AW_API enum aw_err aw_client_process(struct aw_client *client, int64_t timeout_ms,
                                     size_t *ret_pending, struct aw_error *err);

/* ---- Output --------------------------------------------------------------------------------- */

/*
 * How a future ended, and its standard output from `offset` on: a megabyte at most.
 * AW_ERR_WRONG_STATE: it has not ended.
 */
AW_API enum aw_err aw_result_read(struct aw_client *client, const char *id, uint64_t offset,
                                  struct aw_result **ret, struct aw_error *err);

enum aw_stream { AW_STDOUT, AW_STDERR };

/* A piece of what a job has written so far. */
struct aw_chunk {
    const char *data; /* `len` bytes, and a NUL behind them */
    size_t len;
    uint64_t offset; /* where in the stream `data` starts */
    uint64_t size;   /* of the stream, as far as is known */
    bool eof;        /* the job has ended, and nothing comes behind `data` */
    enum aw_state state;
    uint64_t attempt;      /* whose output it is: offsets count within it */
    uint64_t last_attempt; /* the newest at the job so far; 0: none */
};
AW_API void aw_chunk_free(struct aw_chunk *chunk);

/*
 * Output of a future, ended or not, from `offset` on (negative: that many bytes before the present
 * end): a megabyte at most. When nothing is there yet, waits up to wait_ms for it; what comes then
 * may still be empty.
 */
AW_API enum aw_err aw_logs(struct aw_client *client, const char *id, enum aw_stream stream,
                           int64_t offset, int64_t wait_ms, struct aw_chunk **ret,
                           struct aw_error *err);

/* One attempt at a job. */
struct aw_attempt {
    uint64_t attempt;          /* 1, 2, ... */
    enum aw_class error_class; /* how it failed; AW_CLASS_NONE: it did not, or runs */
    bool running;
    int exit_code; /* -1: none */
    int signal;    /* that ended it; 0: none */
    int http_status;
    const char *message;
    int64_t started_us; /* 0: it did not start */
    int64_t ended_us;   /* 0: not yet */
    uint64_t stdout_size;
    uint64_t stderr_size;
};

struct aw_attempts;
AW_API size_t aw_attempts_count(const struct aw_attempts *list);
AW_API const struct aw_attempt *aw_attempts_at(const struct aw_attempts *list, size_t i);
AW_API void aw_attempts_free(struct aw_attempts *list);

/* The last 100 attempts at a job, the oldest of them first. Errors as aw_lookup(). */
AW_API enum aw_err aw_attempts(struct aw_client *client, const char *id, struct aw_attempts **ret,
                               struct aw_error *err);

/*
 * As aw_logs(), of one attempt: 1 is the first. `eof` means that the attempt has ended; one that
 * has not begun is waited for. AW_ERR_INVALID: there was none such.
 */
AW_API enum aw_err aw_logs_attempt(struct aw_client *client, const char *id, uint64_t attempt,
                                   enum aw_stream stream, int64_t offset, int64_t wait_ms,
                                   struct aw_chunk **ret, struct aw_error *err);

/* ---- The daemon ----------------------------------------------------------------------------- */

/* Who is there. Free it with aw_hello_free(). */
struct aw_hello {
    uint32_t version; /* of the protocol: the newest that both speak */
    const char *tag;  /* the store's: what its IDs begin with */
    const char *daemon;
    int32_t pid;
    int64_t uid; /* as whom the daemon knows us; -1: it does not */
    uint64_t max_message;
    uint64_t max_jobs;
    uint64_t max_ids;
};
AW_API enum aw_err aw_hello(struct aw_client *client, struct aw_hello **ret, struct aw_error *err);
AW_API void aw_hello_free(struct aw_hello *hello);

/* Counters (since the daemon started) and gauges (now). Free it with aw_stats_free(). */
struct aw_stats {
    const char *daemon;
    const char *tag;
    int32_t pid;
    int32_t runner_pid; /* 0: no runner is connected */
    int64_t started_us;
    uint32_t slots;
    bool draining;
    bool disk_full;
    uint64_t scheduled, blocked, queued, running; /* now */
    uint64_t kept;                                /* ended jobs on record */
    uint64_t submitted, deduplicated, succeeded, failed, cancelled, pruned;
    uint64_t commits;
    uint64_t store_bytes;
    uint64_t requests;
    uint64_t connections, waiters;  /* now */
    uint64_t sets;                  /* now */
    struct aw_latency first_result; /* of sets: from when they were made to the first end */
    struct aw_latency queue_wait, run, total; /* of jobs, as in struct aw_set_info */
    struct aw_latency loop; /* turns of the daemon's event loop: how long it was away from events */
    /* Work done since its start: steps of the store's statements; jobs, users and queues looked at
     * to find what is next. What one operation adds does not grow with the number of jobs. */
    uint64_t store_steps, sched_steps;
};
AW_API enum aw_err aw_stats(struct aw_client *client, struct aw_stats **ret, struct aw_error *err);
AW_API void aw_stats_free(struct aw_stats *stats);

/* How many jobs run at once: sets it (-1: only asks). The outputs may be NULL. */
AW_API enum aw_err aw_slots(struct aw_client *client, int slots, unsigned *ret_slots,
                            uint64_t *ret_running, struct aw_error *err);

/* Accept no new jobs, or accept them again. `ret_unfinished` may be NULL. */
AW_API enum aw_err aw_drain(struct aw_client *client, bool on, uint64_t *ret_unfinished,
                            struct aw_error *err);

/* A backup that was made. Free it with aw_backup_free(). */
struct aw_backup {
    const char *file; /* the path, as the daemon sees it */
    uint64_t size;    /* bytes */
};

/*
 * Has the daemon copy its store into `file`, an absolute path on its own machine (NULL: a file in
 * its state directory), while everything goes on; comes back when that is done and on disk. For
 * administrators. What is not in it: output of jobs that was too long for the store.
 * AW_ERR_BUSY: another one is being made. AW_ERR_INVALID: there is no such directory, or such a
 * file is there already. AW_ERR_NOT_PERMITTED, AW_ERR_DISK_FULL. AW_ERR_IN_DOUBT: the connection
 * broke before the answer; the file may appear yet.
 */
AW_API enum aw_err aw_backup(struct aw_client *client, const char *file, struct aw_backup **ret,
                             struct aw_error *err);
AW_API void aw_backup_free(struct aw_backup *backup);

enum aw_shutdown_mode {
    AW_SHUTDOWN_LEAVE, /* at once; running jobs go on under aw-runner */
    AW_SHUTDOWN_DRAIN, /* once the running jobs have ended */
    AW_SHUTDOWN_KILL   /* end the running jobs first */
};

/*
 * Ends the daemon; comes back before it is gone. AW_ERR_IN_DOUBT: the connection broke before the
 * answer; as likely as not because the daemon ended.
 */
AW_API enum aw_err aw_shutdown(struct aw_client *client, enum aw_shutdown_mode mode,
                               uint64_t *ret_running, struct aw_error *err);

#ifdef __cplusplus
}
#endif

#endif
