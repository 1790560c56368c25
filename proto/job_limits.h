/*
 * job_limits.h - what a job may use of the machine: struct limits, in messages, store and runner.
 *
 * A job brings its own, and its queue may have some; each attempt gets the stricter of both, as
 * they are when it starts. A zeroed one limits nothing. No state, no threads.
 */
#ifndef AW_JOB_LIMITS_H
#define AW_JOB_LIMITS_H

#include "proto/limits.h"
#include "proto/schema.h"

/* clang-format off */

/* Of an exec job; of a queue: what each of its jobs may use at most. See schema.h. */
#define LIMITS_FIELDS(F, T) \
    F(T, U64,  memory,         _, OPT, 0, INT64_MAX, 0, "bytes, all its processes together; 0: no limit") \
    F(T, U64,  cpu,            _, OPT, 0, AW_MAX_CPU, 0, "percent of one processor, all its processes together; 0: no limit") \
    F(T, U64,  cpu_time_ms,    _, OPT, 0, AW_MAX_DURATION_MS, 0, "processor time of each of its processes, rounded up to seconds; 0: no limit") \
    F(T, U64,  processes,      _, OPT, 0, AW_MAX_PROCESSES, 0, "processes and threads at once; 0: no limit") \
    F(T, U64,  files,          _, OPT, 0, AW_MAX_FILES, 0, "open files of each of its processes; 0: the runner's limit") \
    F(T, U64,  file_size,      _, OPT, 0, INT64_MAX, 0, "bytes of each file that it writes; 0: no limit") \
    F(T, U64,  nice,           _, OPT, 0, 19, 0, "at least this niceness") \
    F(T, U64,  io_priority,    _, OPT, 0, 9, 0, "of its disk accesses: 1 (first) to 8 (last), 9: when nobody else has any; 0: the runner's")

/* clang-format on */

SCHEMA_STRUCT(limits, LIMITS_FIELDS)

/* Each of them by itself; several as a mask of 1 << LIMIT_memory, ... */
enum limit {
#define X(T, KIND, name, sub, need, min, max, def, text) LIMIT_##name,
    LIMITS_FIELDS(X, _)
#undef X
        N_LIMITS
};
_Static_assert(N_LIMITS <= AW_MAX_LIMITS, "a request may name all of them");

/* By its name in the list. False, and *ret untouched, when there is no such limit. */
AW_MUSTCHECK bool limit_find(struct bytes name, enum limit *ret);

/* Those of `to` that the mask names, the others as they are in `from`. */
struct limits limits_changed(const struct limits *from, const struct limits *to, unsigned mask);

/* The stricter of the two in everything. */
struct limits limits_stricter(const struct limits *a, const struct limits *b);

/* Whether nothing is limited. */
bool limits_none(const struct limits *limits);

#endif
