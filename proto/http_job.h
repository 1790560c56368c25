/*
 * http_job.h - what a job of type http may say: checked when it is submitted, and read again when
 * it runs, by the same functions.
 *
 * No state: callable from anywhere.
 */
#ifndef AW_HTTP_JOB_H
#define AW_HTTP_JOB_H

#include "proto/messages.h"

/* The statuses that count as success when a job does not say. */
#define HTTP_EXPECT_DEFAULT "200-299"

/*
 * The fields of an http job: url, method, headers, body, expect. AW_ERR_INVALID or
 * AW_ERR_TOO_LARGE with a sentence that names the field.
 */
AW_MUSTCHECK enum aw_err http_job_check(const struct job *job, struct aw_error *err);

/* Whether `expect` (checked; empty: the default) has that status. */
AW_MUSTCHECK bool http_status_expected(struct bytes expect, unsigned status);

/* The method: what the job says, or POST if it has a body, else GET. */
struct bytes http_method(const struct job *job);

/* Whether the job's headers have one of that name; case does not matter. */
AW_MUSTCHECK bool http_has_header(const struct job *job, const char *name);

/* The host in a checked URL, without port; an IPv6 address keeps its brackets. */
struct bytes http_host(struct bytes url);

#endif
