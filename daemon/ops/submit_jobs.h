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
    size_t *ends;         /* where in buf each specification, and each head, ends: 2 a job; in the
                             same block as the jobs */
    size_t n, cap;
    struct parent *parents; /* of all jobs, one behind the other */
    size_t n_parents, parents_cap;
};

void batch_done(struct job_batch *b);

/* Room for n jobs. False: out of memory. */
AW_MUSTCHECK bool batch_init(struct job_batch *b, size_t n);

/*
 * Checks a job, parses the IDs of its parents, and encodes it. `job` must stay as it is until the
 * batch was submitted. The sentence in *err starts with the field that is wrong.
 */
AW_MUSTCHECK enum aw_err batch_add(struct job_batch *b, const struct server *srv,
                                   const struct job *job, uint64_t retry_of, struct aw_error *err);

/*
 * After the last batch_add(): hands the jobs to the engine, as those of the sender of `x`.
 * `request` and `set` may be empty.
 */
void batch_submit(struct job_batch *b, struct exchange *x, struct bytes request, struct bytes set,
                  engine_submit_fn done, void *arg);

/* What became of a job with abandon_ms: a lease begins, or is renewed. */
void submitted_lease(struct exchange *x, const struct submitted *s, uint64_t abandon_ms);

#endif
