/*
 * aw_codes.h - the numbers and names that every part of awd, and every client, shares.
 *
 * Each table below is the only place where its entries stand: enums, names, parsers, help texts,
 * awctl's exit codes and the test that holds PROTOCOL.md against the code are all made from it.
 * Numbers are stable: they go over the wire, into the store and into other people's programs. A
 * retired number is kept, commented out, and never given to anything else.
 *
 * Installed as <aw_codes.h> beside <aw.h>, which includes it.
 */
#ifndef AW_CODES_H
#define AW_CODES_H

/*
 * The states of a future: X(NAME, number, "name", "meaning").
 * Everything from AW_SUCCEEDED on is final: once there, a future never moves again.
 */
#define AW_STATE_MAP(X)                                                                \
    X(SCHEDULED, 0, "scheduled", "waits for its start time, or for a backoff to pass") \
    X(BLOCKED, 1, "blocked", "waits for other jobs to end")                            \
    X(QUEUED, 2, "queued", "could run now; waits for a free slot")                     \
    X(RUNNING, 3, "running", "claimed by a worker")                                    \
    X(SUCCEEDED, 4, "succeeded", "ended as it should; the result is kept")             \
    X(FAILED, 5, "failed", "ended otherwise; the class says how")                      \
    X(CANCELLED, 6, "cancelled", "ended on request, before or while it ran")

/*
 * Why a job failed: X(NAME, number, "name", "meaning"). NONE stands for a job that did not fail
 * (or has not ended).
 */
#define AW_CLASS_MAP(X)                                                                        \
    X(NONE, 0, "none", "did not fail")                                                         \
    X(EXIT, 1, "exit", "exited with a code other than 0")                                      \
    X(SIGNAL, 2, "signal", "killed by a signal that awd did not send")                         \
    X(TIMEOUT, 3, "timeout", "ran longer than its time limit and was ended")                   \
    X(SPAWN, 4, "spawn", "could not be started (no such program, no such directory, ...)")     \
    X(CONNECTION, 5, "connection", "could not connect, or the connection broke")               \
    X(HTTP, 6, "http", "got an answer whose status, or form, was not what was expected")       \
    X(DEPENDENCY, 7, "dependency", "a job that it needs did not succeed")                      \
    X(EXPIRED_IN_QUEUE, 8, "expired-in-queue", "was not started within its time in the queue") \
    X(OUTPUT_LIMIT, 9, "output-limit", "wrote more than its output limit and was ended")       \
    X(INTERRUPTED, 10, "interrupted", "the runner or the machine went down while it ran")      \
    X(TLS, 11, "tls", "no secure connection: certificate or handshake failed")                 \
    X(OOM, 12, "oom", "used more memory than its limit, or than there was, and was killed")

/*
 * Errors: X(NAME, number, "name", "meaning", retryable, awctl exit code).
 * `retryable` means that the same request, sent again later, may well succeed. Numbers below 100
 * come from the daemon; 100 and up are made by the client side and never travel.
 */
#define AW_ERR_MAP(X)                                                                              \
    X(OK, 0, "ok", "done", 0, 0)                                                                   \
    X(MALFORMED, 1, "malformed", "the message is not one whole msgpack map within the limits", 0,  \
      2)                                                                                           \
    X(UNKNOWN_OP, 2, "unknown-op", "no such operation", 0, 2)                                      \
    X(BAD_VERSION, 3, "bad-version", "that version of the protocol is not spoken here", 0, 2)      \
    X(TOO_LARGE, 4, "too-large", "more bytes or items than the limit allows", 0, 2)                \
    X(INVALID, 5, "invalid",                                                                       \
      "a field is missing, given twice, of the wrong type, or out of "                             \
      "range",                                                                                     \
      0, 2)                                                                                        \
    X(UNKNOWN_ID, 10, "unknown", "no future with this ID was ever issued", 0, 4)                   \
    X(EXPIRED_ID, 11, "expired", "the future was issued; its record has been pruned or forgotten", \
      0, 4)                                                                                        \
    X(FOREIGN_ID, 12, "foreign", "the ID belongs to another store", 0, 4)                          \
    X(NO_SET, 13, "no-set", "there is no set of this name", 0, 4)                                  \
    X(NO_QUEUE, 14, "no-queue", "there is no queue of this name", 0, 4)                            \
    X(NOT_PERMITTED, 20, "not-permitted", "the caller may not do this", 0, 5)                      \
    X(QUEUE_FULL, 30, "queue-full", "as many jobs are waiting as the configuration allows", 1, 6)  \
    X(DISK_FULL, 31, "disk-full", "the store has no room to record this", 1, 6)                    \
    X(DRAINING, 32, "draining", "the daemon accepts no new jobs now", 1, 6)                        \
    X(BUSY, 33, "busy", "too many requests of this client are unanswered", 1, 6)                   \
    X(STORE, 34, "store", "the store could not be read or written", 0, 6)                          \
    X(IN_DOUBT, 35, "in-doubt", "whether it was recorded is not known; ask again by key", 1, 6)    \
    X(STOPPING, 36, "stopping", "the daemon is going down; ask again once it is back", 1, 3)       \
    X(QUOTA, 37, "quota", "this user has as much as the configuration allows to one", 1, 6)        \
    X(LIMIT, 38, "limit", "a fixed limit is reached; to wait does not help", 0, 6)                 \
    X(WRONG_STATE, 40, "wrong-state", "not possible in the state that the future is in", 0, 1)     \
    X(NO_MEMORY, 50, "no-memory", "out of memory", 1, 6)                                           \
    X(INTERNAL, 51, "internal", "a defect in awd", 0, 6)                                           \
    X(UNREACHABLE, 100, "unreachable", "no daemon answers there", 1, 3)                            \
    X(PROTOCOL, 101, "protocol", "the answer cannot be understood", 0, 3)                          \
    X(TIMED_OUT, 102, "timed-out", "the time given for waiting is over; the job goes on", 1, 124)  \
    X(CLOSED, 103, "closed", "the client was closed meanwhile", 0, 3)                              \
    X(USAGE, 104, "usage", "called with arguments that cannot be right", 0, 2)                     \
    X(SYSTEM, 105, "system", "a system call failed", 0, 3)

#define AW_ENUM_STATE(NAME, num, name, text) AW_##NAME = num,
enum aw_state { AW_STATE_MAP(AW_ENUM_STATE) };
#undef AW_ENUM_STATE

#define AW_ENUM_CLASS(NAME, num, name, text) AW_CLASS_##NAME = num,
enum aw_class { AW_CLASS_MAP(AW_ENUM_CLASS) };
#undef AW_ENUM_CLASS

#define AW_ENUM_ERR(NAME, num, name, text, retryable, exit_code) AW_ERR_##NAME = num,
enum aw_err { AW_ERR_MAP(AW_ENUM_ERR) AW_OK = AW_ERR_OK };
#undef AW_ENUM_ERR

/* Bytes of the sentence in struct aw_error, its NUL included. */
#define AW_ERROR_TEXT 256

/*
 * What went wrong, for people: subject, action, cause ("job argv: 3,000 items; at most 2,048").
 * Functions that take one leave it untouched when they succeed. NULL is always allowed.
 */
struct aw_error {
    enum aw_err code;
    unsigned retry_after_ms; /* when trying again makes sense; 0: not said */
    char text[AW_ERROR_TEXT];
};

#endif
