/*
 * config.h - what the daemon is told by its configuration file and its flags.
 *
 * Every key stands in CONFIG_MAP below and nowhere else: the struct, the defaults, the parser of
 * the file, the flags, --help, --check-config and what a reload may change are made from it. A
 * flag is called like its key, with dashes (`max_queued = 5` is `--max-queued 5`). What a flag
 * says goes before what the file says; a list given by flags replaces the file's.
 *
 * Belongs to the main thread.
 */
#ifndef AW_CONFIG_H
#define AW_CONFIG_H

#include <stdio.h>

#include "proto/base.h"
#include "proto/limits.h"

#ifndef AW_RUNNER_PATH
#define AW_RUNNER_PATH "/usr/local/libexec/awd/aw-runner"
#endif

/* clang-format off */

/*
 * X(KIND, member, "key", "default", min, max, RELOAD|RESTART, "ARGUMENT", "meaning")
 *
 *   KIND      in the file                     in the struct
 *   INT       4000                            int64_t
 *   SLOTS     4, or auto                      int64_t, auto replaced by what it stands for
 *   MODE      0660, or auto                   int64_t, auto replaced by what it stands for
 *   DURATION  90s, 5m, 7d                     int64_t, milliseconds
 *   SIZE      64K, 10M, 1G                    int64_t, bytes
 *   BOOL      yes, no                         bool
 *   SWITCH    yes, no, or auto                int64_t, auto replaced by what it stands for
 *   LEVEL     err ... debug                   int, LOG_ERR ... LOG_DEBUG
 *   NAME      a user's or group's, or number  char *, NULL: none
 *   PATH      an absolute path                char *, never NULL unless it may be absent
 *   LIST      one value; may be given again   struct config_list; the first one replaces the default
 *
 * An empty default is worked out from where the daemon runs (config_paths.c), or means none.
 */
#define CONFIG_MAP(X) \
    X(LIST,     listen,          "listen",          "",       0, 0, RESTART, "URL",      "where clients reach it: ipc:///PATH, tls+tcp://HOST:PORT, tcp://127.0.0.1:PORT") \
    X(PATH,     state_dir,       "state_dir",       "",       0, 0, RESTART, "DIR",      "directory of the store and the output files") \
    X(PATH,     run_dir,         "run_dir",         "",       0, 0, RESTART, "DIR",      "directory of the sockets and the lock") \
    X(SLOTS,    slots,           "slots",           "auto",   0, AW_MAX_SLOTS, RELOAD, "N", "how many jobs run at once; auto: one for each CPU; 0: start none") \
    X(INT,      max_queued,      "max_queued",      "1000000", 1, 100000000, RELOAD, "N", "jobs that may wait; further submits are refused") \
    X(INT,      max_user_queued, "max_user_queued", "500000", 0, 100000000, RELOAD, "N", "of those: jobs of one user, unless root or the daemon's own; 0: no limit") \
    X(INT,      max_user_dependencies, "max_user_dependencies", "250000", 0, AW_MAX_EDGES, RELOAD, "N", "futures that one user's jobs may wait for, together; 0: no limit") \
    X(INT,      max_user_sets,   "max_user_sets",   "10000",  0, AW_MAX_SETS, RELOAD, "N", "sets that one user may have; 0: no limit") \
    X(INT,      max_inflight,    "max_inflight",    "20000",  1, 1000000, RELOAD, "N",   "unanswered requests that one connection may have") \
    X(INT,      max_connections, "max_connections", "4000",   1, 100000, RESTART, "N",   "connections that may be open") \
    X(INT,      max_user_connections, "max_user_connections", "3000", 1, 100000, RESTART, "N", "of those: open to one user, unless root or the daemon's own") \
    X(SIZE,     max_user_memory, "max_user_memory", "256M",   INT64_C(32) << 20, INT64_C(1) << 40, RESTART, "SIZE", "memory for what one user's connections send, wait for and do not read") \
    X(DURATION, retention_ms,    "retention",       "7d",     1000, AW_MAX_DURATION_MS, RELOAD, "TIME", "how long an ended job is kept") \
    X(INT,      max_kept,        "max_kept",        "1000000", 0, 1000000000, RELOAD, "N", "ended jobs that are kept; the oldest go first") \
    X(INT,      max_user_kept,   "max_user_kept",   "500000", 0, 1000000000, RELOAD, "N", "of those: jobs of one user; 0: no limit") \
    X(SIZE,     max_bytes,       "max_bytes",       "0",      0, INT64_MAX, RELOAD, "SIZE", "specifications and output on record; the oldest ended jobs go first; 0: no limit") \
    X(SIZE,     max_user_bytes,  "max_user_bytes",  "10G",    0, INT64_MAX, RELOAD, "SIZE", "of those: of one user; 0: no limit") \
    X(SIZE,     output_limit,    "output_limit",    "1G",     1, INT64_C(1) << 40, RELOAD, "SIZE", "most output of a job, unless its submit says less") \
    X(MODE,     socket_mode,     "socket_mode",     "auto",   0, 0777, RESTART, "MODE",  "mode of the socket's file; auto: 0660 for the system's daemon, else 0600") \
    X(PATH,     runner_path,     "runner_path",     AW_RUNNER_PATH, 0, 0, RESTART, "FILE", "the runner's program; none: somebody else starts it") \
    X(SWITCH,   root_jobs,       "root_jobs",       "auto",   0, 1, RESTART, "yes|no",   "jobs that root submits run as root, else they fail; auto: yes where root has a daemon in --dir") \
    X(PATH,     runner_socket,   "runner_socket",   "",       0, 0, RESTART, "FILE",     "socket of the runner") \
    X(PATH,     tls_cert,        "tls_cert",        "",       0, 0, RESTART, "FILE",     "PEM file with the certificate and key for tls+tcp://") \
    X(PATH,     tls_ca,          "tls_ca",          "",       0, 0, RESTART, "FILE",     "PEM file with the authorities whose clients may connect by tls+tcp://") \
    X(BOOL,     allow_plain_tcp, "allow_plain_tcp", "no",     0, 1, RESTART, "yes|no",   "permit tcp:// on this machine, where anybody can connect to it") \
    X(NAME,     admin_group,     "admin_group",     "",       0, 0, RELOAD,  "GROUP",    "group whose members see and touch everything, as root does") \
    X(NAME,     tcp_user,        "tcp_user",        "",       0, 0, RELOAD,  "USER",     "as whom clients by tcp:// act; none: the daemon's own user, for the system's daemon nobody") \
    X(LIST,     tls_user,        "tls_user",        "",       0, 0, RELOAD,  "SUBJECT=USER", "as whom the client with this certificate acts; *: one that has no other line") \
    X(LIST,     http_deny,       "http_deny",       "metadata", 0, 0, RESTART, "ADDRESSES", "where http jobs must not connect: ADDRESS, ADDRESS/BITS, metadata, private, loopback, all, none") \
    X(PATH,     http_ca,         "http_ca",         "",       0, 0, RESTART, "FILE",     "PEM file with the authorities that http jobs trust, in place of the system's") \
    X(LEVEL,    log_level,       "log_level",       "info",   0, 0, RELOAD,  "LEVEL",    "least important messages that are logged: err, warning, notice, info, debug")

/* clang-format on */

struct config_list {
    char **v;
    size_t n;
};

#define CONFIG_MEMBER_INT      int64_t
#define CONFIG_MEMBER_SLOTS    int64_t
#define CONFIG_MEMBER_MODE     int64_t
#define CONFIG_MEMBER_DURATION int64_t
#define CONFIG_MEMBER_SIZE     int64_t
#define CONFIG_MEMBER_BOOL     bool
#define CONFIG_MEMBER_SWITCH   int64_t
#define CONFIG_MEMBER_LEVEL    int
#define CONFIG_MEMBER_NAME     char *
#define CONFIG_MEMBER_PATH     char *
#define CONFIG_MEMBER_LIST     struct config_list

/* What the command line asks for. */
enum config_action {
    CONFIG_RUN,
    CONFIG_HELP,
    CONFIG_VERSION,
    CONFIG_CHECK,
    CONFIG_VERIFY,
    CONFIG_RESTORE,
};

#define X(KIND, member, key, def, min, max, when, arg, text) CONFIG_MEMBER_##KIND member;
struct config {
    CONFIG_MAP(X)
    enum config_action action;
    bool system;      /* the machine's daemon: not a user's, not one in a directory of its own */
    char *target;     /* of CONFIG_RESTORE, and CONFIG_VERIFY unless NULL: a backup; absolute */
    bool force, hold; /* for CONFIG_RESTORE */
    char *dir;        /* --dir, absolute; NULL: not given */
    char *file;       /* the configuration file; NULL: there is none */
    int argc;         /* to be read again by a reload */
    char **argv;
};
#undef X

/*
 * Reads flags and file. `argv` must outlive the config.
 * AW_OK: *ret is complete and checked (for CONFIG_HELP and CONFIG_VERSION it has nothing but the
 * action), to be given to config_done(). AW_ERR_USAGE for flags, AW_ERR_INVALID for what the file
 * or a value says, AW_ERR_SYSTEM when the file cannot be read, AW_ERR_NOT_PERMITTED when it
 * is somebody else's or anybody may write to it: the sentence names flag or file,
 * line and key, and says what would be right. Nothing to free then.
 */
AW_MUSTCHECK enum aw_err config_load(int argc, char **argv, struct config *ret,
                                     struct aw_error *err);

/*
 * Reads both again. AW_OK: `config` has the new values of all keys that a reload may change;
 * `ret_restart` the names of other keys that were changed ("state_dir, listen"), "" for none.
 * Otherwise as config_load(), and `config` is as it was.
 */
AW_MUSTCHECK enum aw_err config_reload(struct config *config, char *ret_restart, size_t size,
                                       struct aw_error *err);

/* Harmless on a zeroed one. */
void config_done(struct config *config);

/*
 * --help; and --check-config: every key with its value, as a file that says the same. (What a file
 * cannot say stands in a comment: a value with " ;" in it, or one longer than a line.)
 */
void config_help(FILE *out);
void config_print(const struct config *config, FILE *out);

#endif
