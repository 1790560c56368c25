/*
 * policies.h - what shall happen after a failure, for the jobs that run and say something about it.
 *
 * It stands in the specification, which comes with the claim; it is needed when the attempt ends.
 * Only the jobs with LIVE_POLICY have an entry, and only while they run.
 *
 * Loop thread only.
 */
#ifndef AW_POLICIES_H
#define AW_POLICIES_H

#include "daemon/engine/engine.h"
#include "daemon/engine/job_next.h"
#include "daemon/engine/numtable.h"

struct policy {
    struct numnode node; /* node.number: of the job */
    struct job_policy policy;
    int64_t overall_us;
    uint64_t uncounted; /* earlier attempts that do not count */
};

/*
 * Keeps the policy of a claimed job. Without memory, or if the specification cannot be read, it is
 * not kept, and the job is not tried again.
 */
void policies_add(struct numtable *policies, const struct claimed *c);

/* NULL: none is kept. */
const struct policy *policies_find(const struct numtable *policies, uint64_t number);

/* Harmless where there is none. */
void policies_remove(struct numtable *policies, uint64_t number);

void policies_free_all(struct numtable *policies);

#endif
