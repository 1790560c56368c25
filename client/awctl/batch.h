/*
 * batch.h - jobs as JSON, one object a line, for `awctl submit --batch`.
 *
 * The members of an object are the fields of a job as PROTOCOL.md has them (argv, cwd, name,
 * timeout_ms, ...), env as an object or as a list of NAME=VALUE, and `shell` in the place of argv.
 */
#ifndef AWCTL_BATCH_H
#define AWCTL_BATCH_H

#include <jansson.h>

#include "client/aw.h"
#include "proto/base.h"

/* A job read from a line, and what it points to. */
struct batch_job {
    struct aw_job job;
    json_t *json;
    char **argv, **env, **retry_on, **headers, **after, **after_any, **after_fail;
    int *no_retry_exit;
    char *env_texts;
    size_t size;    /* about what it takes in a message, in bytes ... */
    size_t n_texts; /* ... and in values */
};

/*
 * `defaults` is what options have set for all jobs. AW_ERR_INVALID: the line is not JSON, or a
 * member is not as it must be. jansson must have been loaded.
 */
AW_MUSTCHECK enum aw_err batch_job_read(const char *line, size_t len, const struct aw_job *defaults,
                                        struct batch_job *ret, struct aw_error *err);
void batch_job_done(struct batch_job *b);

#endif
