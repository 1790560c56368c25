/*
 * runner_wire.h - what awd and aw-runner say to each other.
 *
 * Both run on one machine and talk over a Unix SOCK_SEQPACKET socket on which the runner listens.
 * A packet holds one or more messages, back to back; each is a head (length, type), fixed fields
 * in the machine's own byte order, and then strings. A packet that carries file descriptors holds
 * exactly one message.
 *
 *      awd                                     aw-runner
 *       | -- HELLO ---------------------------> |   first of all, in both directions
 *       | <-------------------------- WELCOME - |
 *       | <--------- RUNNING*, EXITED*, READY - |   what it holds: attempts, unacknowledged records
 *       | -- START ---------------------------> |
 *       | <-------------------------- STARTED - |   left out when the attempt ends very soon
 *       | -- WATCH, STOP ---------------------> |
 *       | <---------------------------- GROWN - |   only for what is watched
 *       | <--------------------------- EXITED - |   comes again after each HELLO, until:
 *       | -- ACK -----------------------------> |
 *       | -- CLEAN ---------------------------> |   an attempt of a runner that is dead
 *       | <-------------------------- CLEANED - |
 *       | -- RELEASE -------------------------> |   awd goes down for good
 *
 * File descriptors: START carries the bytes for standard input (if there are such) as a memfd. A
 * START that is longer than RUNNER_MAX_INLINE_START travels as START_FD, whose first descriptor is
 * a sealed memfd with the START message, and whose second is the one for standard input.
 *
 * Neither side trusts the other: runner_msg_get() checks every field against its limit, so that
 * what it returns can be used as it stands. No state, no threads.
 */
#ifndef AW_RUNNER_WIRE_H
#define AW_RUNNER_WIRE_H

#include <sys/types.h>

#include "proto/base.h"
#include "proto/job_limits.h"

#define RUNNER_WIRE_VERSION     1
#define RUNNER_MAX_PACKET       (64u << 10)
#define RUNNER_MAX_INLINE_START (32u << 10)
#define RUNNER_MAX_START        (AW_MAX_ARGSIZE + (32u << 10)) /* with paths, ID and fields */
#define RUNNER_MAX_FDS          2

enum { RUNNER_STDOUT, RUNNER_STDERR, RUNNER_STREAMS };

/* X(NAME, number, struct member of runner_msg, who sends it) */
#define RUNNER_MSG_MAP(X)           \
    X(HELLO, 1, hello, AWD)         \
    X(START, 2, start, AWD)         \
    X(START_FD, 3, start_fd, AWD)   \
    X(STOP, 4, stop, AWD)           \
    X(ACK, 5, claim, AWD)           \
    X(WATCH, 6, claim, AWD)         \
    X(CLEAN, 7, clean, AWD)         \
    X(RELEASE, 8, none, AWD)        \
    X(WELCOME, 32, welcome, RUNNER) \
    X(RUNNING, 33, running, RUNNER) \
    X(STARTED, 34, running, RUNNER) \
    X(EXITED, 35, exited, RUNNER)   \
    X(READY, 36, none, RUNNER)      \
    X(GROWN, 37, grown, RUNNER)     \
    X(CLEANED, 38, cleaned, RUNNER)

#define RUNNER_MSG_ENUM(NAME, num, member, from) RUNNER_##NAME = num,
enum runner_msg_type { RUNNER_MSG_MAP(RUNNER_MSG_ENUM) };
#undef RUNNER_MSG_ENUM

/* Strings back to back, each with its NUL. */
struct runner_strings {
    const char *data;
    size_t len;
    size_t n;
};

enum runner_stdin { RUNNER_STDIN_NULL, RUNNER_STDIN_FD, RUNNER_STDIN_FILE };

struct runner_hello {
    uint32_t version;
};

struct runner_welcome {
    uint32_t version;
    pid_t pid;
    int64_t
        started_us; /* what awd gave a START for after this, this runner has seen or never will */
    uint64_t instance; /* a random number: another one is another process */
};

/* The strings that are `struct bytes` have a NUL behind them. */
struct runner_start {
    uint64_t claim, number, attempt;
    uint64_t output_limit; /* bytes, both streams together; 0: none */
    uint64_t timeout_ms;   /* 0: none */
    uint64_t grace_ms;
    int umask; /* -1: the runner's own */
    int nice;
    bool merge_stderr;
    uint32_t uid, gid; /* who submitted it */
    struct limits limits;
    enum runner_stdin stdin_kind;
    struct bytes id;
    struct bytes cwd;        /* empty: / */
    struct bytes stdin_file; /* with RUNNER_STDIN_FILE */
    struct runner_strings argv, env;
};

struct runner_start_fd {
    uint64_t claim;
    bool has_stdin;
};

struct runner_claim {
    uint64_t claim;
};

struct runner_stop {
    uint64_t claim;
    uint64_t grace_ms;
};

struct runner_clean {
    uint64_t claim;
    int64_t started_us;
    pid_t pid; /* 0: not known */
    struct bytes id;
};

/* An attempt that has a process. */
struct runner_running {
    uint64_t claim;
    int64_t started_us;
    pid_t pid;
};

struct runner_output {
    uint64_t size;     /* bytes that were kept */
    bool spooled;      /* they are in the spool file */
    struct bytes data; /* they are here */
};

struct runner_exited {
    uint64_t claim;
    enum aw_class class;
    bool stopped;
    int exit_code; /* -1: none */
    int signal;    /* 0: none */
    int64_t started_us, ended_us;
    uint64_t cpu_user_us, cpu_sys_us, max_rss_kib;
    struct runner_output output[RUNNER_STREAMS];
    struct bytes message;
};

struct runner_grown {
    uint64_t claim;
    int stream;
    uint64_t size;
};

struct runner_cleaned {
    uint64_t claim;
    uint32_t n_left; /* processes that could not be ended */
};

struct runner_none {
    char unused;
};

struct runner_msg {
    enum runner_msg_type type;
    union {
        struct runner_hello hello;
        struct runner_welcome welcome;
        struct runner_start start;
        struct runner_start_fd start_fd;
        struct runner_claim claim;
        struct runner_stop stop;
        struct runner_clean clean;
        struct runner_running running;
        struct runner_exited exited;
        struct runner_grown grown;
        struct runner_cleaned cleaned;
        struct runner_none none;
    };
};

/* "START"; "?" for a number that is none. */
const char *runner_msg_name(enum runner_msg_type type);
/* Whether awd sends it. */
bool runner_msg_from_awd(enum runner_msg_type type);

/* Where messages are put together. */
struct runner_packet {
    size_t len;
    unsigned char data[RUNNER_MAX_PACKET];
};

/*
 * Appends a message. False, and nothing is changed, when the packet has no room for it; each
 * message fits into an empty packet, but for START, which has runner_start_new().
 */
AW_MUSTCHECK bool runner_packet_add(struct runner_packet *packet, const struct runner_msg *msg);
/* The same with a message that was encoded before. */
AW_MUSTCHECK bool runner_packet_add_raw(struct runner_packet *packet, const void *msg, size_t len);

/*
 * Encodes a START: `start` with the strings of argv and env in place of its own. The caller frees
 * *ret_msg. AW_ERR_INVALID: a string has a NUL in it. AW_ERR_TOO_LARGE, AW_ERR_NO_MEMORY.
 */
AW_MUSTCHECK enum aw_err runner_start_new(const struct runner_start *start, struct strv argv,
                                          struct strv env, void **ret_msg, size_t *ret_len,
                                          struct aw_error *err);

/*
 * Takes the first message off *rest. What *ret points to lies in the packet. AW_ERR_PROTOCOL, with
 * a sentence, when there is not one whole message with every field within its limits; *ret and
 * *rest are then of no use.
 */
AW_MUSTCHECK enum aw_err runner_msg_get(struct bytes *rest, struct runner_msg *ret,
                                        struct aw_error *err);

/* The string after `s` in a block; only as often as the block has strings. */
static inline const char *runner_strings_next(const char *s)
{
    return s + strlen(s) + 1;
}

/*
 * Sends a packet with n_fds descriptors. Never blocks: AW_ERR_BUSY when there is no room now,
 * AW_ERR_UNREACHABLE when the peer is gone, AW_ERR_SYSTEM for anything else.
 */
AW_MUSTCHECK enum aw_err runner_send(int sock, const void *data, size_t len, const int *fds,
                                     size_t n_fds, struct aw_error *err);

/*
 * Receives a packet into buf (RUNNER_MAX_PACKET bytes), and its descriptors, close-on-exec, which
 * are the caller's then. AW_ERR_BUSY: there is none now. AW_ERR_UNREACHABLE: the peer is gone.
 * AW_ERR_PROTOCOL: it was too long or had too many descriptors.
 */
AW_MUSTCHECK enum aw_err runner_recv(int sock, void *buf, size_t *ret_len,
                                     int ret_fds[RUNNER_MAX_FDS], size_t *ret_n_fds,
                                     struct aw_error *err);

/*
 * A memfd with these bytes, sealed against every change, positioned at its start.
 * AW_ERR_NO_MEMORY, AW_ERR_SYSTEM.
 */
AW_MUSTCHECK enum aw_err runner_memfd_new(const char *name, struct bytes data, int *ret_fd,
                                          struct aw_error *err);

/*
 * Maps a memfd that the peer sent, for reading; munmap() it. AW_ERR_PROTOCOL when it is not a
 * sealed memfd of 1 to `max` bytes: an unsealed one could change, or shrink, while it is read.
 */
AW_MUSTCHECK enum aw_err runner_memfd_map(int fd, size_t max, struct bytes *ret,
                                          struct aw_error *err);

#endif
