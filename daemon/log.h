/*
 * log.h - one line for each thing that happened, as key=value, for people and machines.
 *
 * Under journald (JOURNAL_STREAM names our stderr) what awd says goes there natively, with fields
 * of its own (log_journal.h). Elsewhere, and in a program without that, a line on stderr, with
 * <priority> before it when stderr is not a terminal. Values with spaces or quotes are quoted;
 * nothing can forge a line.
 *
 * May be called from any thread. Never fails, never blocks for long, keeps errno.
 */
#ifndef AW_LOG_H
#define AW_LOG_H

#include <syslog.h> /* LOG_ERR ... LOG_DEBUG */

#include "proto/base.h"

struct log_field {
    const char *key; /* lower case; "job" holds a future ID */
    const char *value;
};

#define LOG_MAX_LINE   2048 /* longer ones are cut */
#define LOG_MAX_FIELDS 8    /* more are left out */

/* A way into the journal. False: it cannot be reached; then it is a line on stderr after all. */
typedef bool (*log_send_fn)(int level, const char *message, const struct log_field *fields,
                            size_t n_fields);
/* To be said before anything is logged; it counts where stderr is journald's. */
void log_set_journal(log_send_fn send);

/* Writes nothing less important than this; LOG_INFO at first. */
void log_set_level(int level);
AW_MUSTCHECK bool log_level_parse(const char *name, int *ret_level);

void log_event(int level, const struct log_field *fields, size_t n_fields, const char *fmt, ...)
    AW_PRINTF(4, 5);

/* log_msg(LOG_INFO, "listening on %s", url); the second form names the job. */
#define log_msg(level, ...)     log_event((level), NULL, 0, __VA_ARGS__)
#define log_job(level, id, ...) log_event((level), &(struct log_field){"job", (id)}, 1, __VA_ARGS__)

#endif
