/*
 * limit_opts.h - limits on what jobs may use of the machine: as options, for jobs and queues, and
 * as text.
 */
#ifndef AWCTL_LIMIT_OPTS_H
#define AWCTL_LIMIT_OPTS_H

#include "client/awctl/awctl.h"
#include "proto/job_limits.h"

/* Limits that were given, by options or in a file. */
struct limit_values {
    struct aw_limits limits;
    unsigned mask; /* which: 1 << LIMIT_memory, ... */
};

/* The lines of an option table for a struct that holds a struct limit_values as `member`. */
#define LIMIT_OPT(T, member, which) offsetof(struct T, member), LIMIT_##which, 0
/* clang-format off */
#define LIMIT_OPTIONS(T, member) \
    {"memory", 0, OPT_LIMIT, "SIZE", "most memory of its processes together", LIMIT_OPT(T, member, memory)}, \
    {"cpu", 0, OPT_LIMIT, "N%", "most processor time at once; 100% is one processor", LIMIT_OPT(T, member, cpu)}, \
    {"cpu-time", 0, OPT_LIMIT, "TIME", "most processor time of each process in all", LIMIT_OPT(T, member, cpu_time_ms)}, \
    {"processes", 0, OPT_LIMIT, "N", "most processes and threads at once", LIMIT_OPT(T, member, processes)}, \
    {"open-files", 0, OPT_LIMIT, "N", "most open files of each process", LIMIT_OPT(T, member, files)}, \
    {"file-size", 0, OPT_LIMIT, "SIZE", "most bytes of each file that it writes", LIMIT_OPT(T, member, file_size)}, \
    {"io-priority", 0, OPT_LIMIT, "N|idle", "disk: 0 (first) to 7, or when nobody else uses it", LIMIT_OPT(T, member, io_priority)}
/* clang-format on */

/* One limit as an option has it, or "none". AW_ERR_INVALID, with a sentence. */
AW_MUSTCHECK enum aw_err limit_parse(enum limit which, const char *text, struct limit_values *to,
                                     struct aw_error *err);

/* One limit as the protocol has it; false: out of range. */
AW_MUSTCHECK bool limit_set(enum limit which, uint64_t value, struct limit_values *to);

/* The names of those in a mask, with NULL behind them. */
void limit_names(unsigned mask, const char *ret[N_LIMITS + 1]);

#define LIMITS_TEXT 256

/* Those that there are, as options have them: "memory 1G, cpu 150%"; "" for none. */
const char *limits_text(const struct aw_limits *limits, char buf[LIMITS_TEXT]);

#endif
