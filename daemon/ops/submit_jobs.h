/*
 * submit_jobs.h - jobs on their way into the engine: checked, encoded, submitted. What submit and
 * retry have in common.
 */
#ifndef AW_SUBMIT_JOBS_H
#define AW_SUBMIT_JOBS_H

#include "daemon/dispatch.h"

/* Encoded jobs. Zeroed, it is empty. */
struct job_batch {
    struct codec_buf buf; /* the specifications, one behind the other, each with its head */
    struct new_job *jobs; /* of these, spec and head point into buf once batch_seal() ran */
    size_t *ends;         /* where in buf each specification, and each head, ends: 2 a job */
    size_t n, cap;
};

void batch_done(struct job_batch *b);

/* Room for n jobs. False: out of memory. */
AW_MUSTCHECK bool batch_init(struct job_batch *b, size_t n);

/* Checks a job and encodes it. `job` must stay as it is until the batch was submitted. */
AW_MUSTCHECK enum aw_err batch_add(struct job_batch *b, const struct job *job, uint64_t retry_of,
                                   struct aw_error *err);

/* After the last batch_add(): the jobs, ready for engine_submit(). */
const struct new_job *batch_seal(struct job_batch *b);

#endif
