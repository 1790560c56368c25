/*
 * print.h - texts for people that lines (print.c) and tables (table.c) share.
 */
#ifndef AWCTL_PRINT_H
#define AWCTL_PRINT_H

#include "client/awctl/awctl.h"

#define TEXT_SMALL 32

/*
 * What jobs are called comes from their submitters: control characters could drive the terminal
 * of whoever looks at them.
 */
void clean_text(const char *text, char *buf, size_t size);

/* Each fills its buffer and returns it. */
const char *size_text(uint64_t bytes, char buf[TEXT_SMALL]);
const char *time_text(int64_t us, char buf[TEXT_SMALL]);
const char *latency_text(int64_t us, char buf[TEXT_SMALL]);

/* The user's name here; or the number. */
const char *user_text(uint32_t uid, char *buf, size_t size);

/* How long it ran, or runs by now; "" when it has not started. */
const char *run_text(const struct aw_status *s, char buf[TEXT_SMALL]);

/* "10/s", "5/500ms"; "" without a limit. */
const char *rate_text(const struct aw_queue *queue, char buf[TEXT_SMALL]);

/* "open", "closed", "complete"; "open", "paused", "draining". */
const char *set_state(const struct aw_set *set);
const char *queue_state(const struct aw_queue *queue);

#endif
