/*
 * awctl.h - what the commands of awctl share.
 *
 * A command is one file, cmd_*.c, that ends in its `struct command`; commands.c lists them. A
 * command gets its client by awctl_prepare(), prints its answer on stdout and anything else on
 * stderr, and returns the exit code. `set` and `queue` are groups: they do nothing themselves, and
 * have commands of their own, which are like any other.
 */
#ifndef AWCTL_H
#define AWCTL_H

#include <stdio.h>

#include "client/aw.h"
#include "client/awctl/options.h"

/* Exit codes that no error of aw_codes.h stands for. */
#define EXIT_JOB_FAILED  1
#define EXIT_BAD_USAGE   2
#define EXIT_NO_FUTURE   4
#define EXIT_WAIT_OVER   124
#define EXIT_INTERRUPTED 130

struct awctl {
    const char *socket;
    bool json;
    bool help;
    const char *tls_ca, *tls_cert;
    int64_t retry_ms;         /* how long to try when nobody answers */
    struct aw_client *client; /* NULL before awctl_prepare() */
};

struct command {
    const char *name;  /* of one in a group: "set add" */
    const char *usage; /* behind the name: "[OPTION...] ID..." */
    const char *help;  /* one line */
    const char *notes; /* more lines for `awctl help NAME`, or NULL */
    const struct opt *opts;
    size_t n_opts;
    void *values;           /* static struct that the options are parsed into, defaults set */
    bool command_follows;   /* options end at the first operand: it is a command line */
    int min_args, max_args; /* operands; -1: any number */
    int (*run)(struct awctl *ctl, int argc, char **argv);

    /* A group's; the others are then all NULL and 0, but for name, usage, help and notes. */
    const struct command *const *subs;
    size_t n_subs;
};

extern const struct command *const commands[];
extern const size_t n_commands;

/* Of a group (NULL: of all). NULL, having said so with a suggestion, when there is none. */
const struct command *command_find(const struct command *group, const char *name);

/* Its name within its group. */
const char *command_word(const struct command *c);

/* `awctl help NAME`. */
int command_help_print(const struct command *c);

/* The options that all commands have, into a struct awctl. */
extern const struct opt common_opts[];
extern const size_t n_common_opts;

/* All of awctl: main() is nothing else. */
int awctl_main(int argc, char **argv);

/* Opens the client, and gets JSON ready if it was asked for. 0, or having said why, an exit code.
 */
AW_MUSTCHECK int awctl_prepare(struct awctl *ctl);

/*
 * One more client, for looks that nothing depends on: it gives up after a second. NULL when there
 * can be none; to be closed.
 */
struct aw_client *awctl_hasty_client(const struct awctl *ctl);

/* Says "awctl: SENTENCE" on stderr, with what to do about it, and returns the exit code. */
int awctl_fail(const struct aw_error *err);

/* Says "awctl: ..." on stderr. */
void complain(const char *fmt, ...) AW_PRINTF(1, 2);

/* complain(), and EXIT_BAD_USAGE with a hint to `awctl help NAME` (name may be NULL). */
int bad_usage(const char *name, const char *fmt, ...) AW_PRINTF(2, 3);

/* The name among `names` that `word` was probably meant to be, or NULL. */
const char *suggest(const char *word, const char *const *names, size_t n);

/* ---- IDs (ids.c) ------------------------------------------------------------------------- */

struct ids {
    const char **v;
    size_t n;
    char *text; /* of those that were read from stdin */
};

/*
 * Operands as IDs; a lone "-" reads them from stdin, by white space. AW_ERR_INVALID when one
 * cannot be an ID.
 */
AW_MUSTCHECK enum aw_err ids_parse(int argc, char **argv, struct ids *ret, struct aw_error *err);
void ids_done(struct ids *ids);

/* The same for a command that takes either IDs or --set: 0, or having said why, an exit code. */
AW_MUSTCHECK int ids_or_set(const char *command, int argc, char **argv, const char *set,
                            struct ids *ret);
#define _cleanup_ids_ __attribute__((cleanup(ids_done)))

/* ---- What became of jobs (verdict.c) ----------------------------------------------------- */

/* "failed: exit code 3", "cancelled", "no such future: ..."; buf is filled and returned. */
#define VERDICT_TEXT 640
const char *verdict_text(const struct aw_status *status, char buf[VERDICT_TEXT]);

/* 0 succeeded, 1 did not, 4 no such future, 5 not permitted; own: the job's own code. */
int verdict_code(const struct aw_status *status, bool own);

/* Whether it has ended (or is missing), so that there is a verdict. */
bool verdict_known(const struct aw_status *status);

/* Of a member of a set whose record is gone it is still known how it ended: that is not missing. */
bool verdict_missing(const struct aw_status *status);

/*
 * The code for all that have one: 4 if one is missing, 1 if one failed, else 0; own: the first that
 * is not 0. verdict_add() is that of some, and one more.
 */
int verdict_add(int code, const struct aw_status *status, bool own);
int verdict_all(const struct aw_statuses *list, bool own);

/* Says on stderr what became of each that did not succeed. */
void verdict_complain(const struct aw_statuses *list);

/* ---- Outcomes (cmd_change.c) ------------------------------------------------------------- */

/* Prints what came of each: new IDs on stdout, refusals on stderr. Gives the exit code. */
int outcomes_print(const struct awctl *ctl, const struct aw_outcomes *list);

/* ---- Rates (cmd_queue.c) ----------------------------------------------------------------- */

/* "10/s", "100/1m", "5/500ms"; "0": no limit. AW_ERR_USAGE. */
AW_MUSTCHECK enum aw_err rate_parse(const char *text, int *ret_rate, int64_t *ret_ms,
                                    struct aw_error *err);

/* ---- Following output (follow.c) --------------------------------------------------------- */

/* A place in the output of all attempts at a job, one behind the other. */
struct log_cursor {
    uint64_t attempt; /* 0: the last that there is now */
    uint64_t offset;
};

/* The next piece of it; waits for one. */
AW_MUSTCHECK enum aw_err cursor_next(struct awctl *ctl, const char *id, enum aw_stream stream,
                                     struct log_cursor *cursor, struct aw_chunk **ret,
                                     struct aw_error *err);

/* Whether nothing comes behind that piece. */
bool cursor_at_end(const struct aw_chunk *chunk);

/* ---- Printing (print.c, table.c, json.c) ---------------------------------------- */

void print_status(const struct aw_status *status);
void print_attempt(const char *id, const struct aw_attempt *attempt);
void print_stats(const struct aw_stats *stats);
void print_set(const struct aw_set_info *info);
void print_queue(const struct aw_queue *queue);
void print_explanation(const char *id, const struct aw_explanation *why);

/* Exit code. */
int print_table(const struct aw_statuses *list);
int print_sets(const struct aw_sets *list);
int print_queues(const struct aw_queues *list);
int print_users(const struct aw_users *list);

/* Loads the JSON library; false, having said so, when it is not there. Then, for all json_*(): */
AW_MUSTCHECK bool json_ready(void);

/* One object on a line of its own. */
void json_status(const struct aw_status *status);
void json_attempt(const char *id, const struct aw_attempt *attempt);
void json_statuses(const struct aw_statuses *list);
void json_result(const struct aw_status *status, const char *data, size_t len, uint64_t size);
void json_chunk(const char *id, const char *stream, const struct aw_chunk *chunk);
void json_outcome(const struct aw_outcome *outcome);
void json_set(const struct aw_set *set);
void json_set_info(const struct aw_set_info *info);
void json_queue(const struct aw_queue *queue);
void json_user(const struct aw_user *user);
void json_explanation(const char *id, const struct aw_explanation *why);
void json_stats(const struct aw_stats *stats);
void json_hello(const struct aw_hello *hello, const char *address, int64_t rtt_us);

/* { "name": value, ... }; a spec is "name:T" with T one of s (text), b (bool), i (int64). */
void json_line(const char *const *specs, size_t n, ...);
#define JSON_LINE(specs, ...) json_line((specs), ARRAY_SIZE(specs), __VA_ARGS__)

/*
 * A job among several, ended or not, with its output (NULL: none); json_completed() with its place
 * in the order of completion, too, and to any file.
 */
void json_gathered(const struct aw_status *status, const struct aw_result *result);
void json_completed(FILE *to, uint64_t place, const struct aw_status *status,
                    const struct aw_result *result);

/* Whether all of what was printed as JSON is there. If not, that was said: memory is out. */
bool json_whole(void);

/* Flushes stdout: `code`, or 6 when something could not be written. */
int output_code(int code);

/* All of it to a file descriptor; false when it cannot be written. */
bool write_all(int fd, const void *data, size_t len);

#endif
