/*
 * work.h - what the cases ask the daemon for: submits by the thousand, round trips, job by job.
 */
#ifndef AW_BENCH_WORK_H
#define AW_BENCH_WORK_H

#include "tests/bench/load.h"

/* A submit's body: `n` jobs of this type, 200 bytes each; queue NULL: the default one. */
struct bytes work_submit_body(struct codec_buf *buf, size_t n, const char *type, const char *queue);

/* n submits of that body, `outstanding` unanswered at any time on each of n_conns connections: how
 * many a second. */
double work_submits(const char *socket, struct bytes body, size_t n_conns, size_t outstanding,
                    size_t n);
/* One after the other: microseconds, the median. */
double work_submit_p50(const char *socket, struct bytes body, size_t n);
/* A question that needs no disk. */
struct bytes work_hello_body(struct codec_buf *buf);

/* Submit, wait for the end, submit the next, on each of n_conns connections, n in all. */
struct round_trips {
    double p50_us;
    double per_s;
};
struct round_trips work_round_trips(const char *socket, const char *type, size_t n_conns, size_t n);

/* Submits n jobs of a program, in as few messages as possible, and waits for the end of all. */
double work_programs(const char *socket, const char *program, size_t n);

/* Makes a queue that starts no jobs; has it start them, or none any more. */
void work_queue_paused(const char *socket, const char *name);
void work_queue_pause(const char *socket, const char *name, bool paused);

/* Makes a set of n noops and waits until all of them have ended. */
void work_fill_set(const char *socket, const char *set, size_t n);
/* Reads its completions, each page acknowledged with the next read: how many a second. */
double work_read_set(const char *socket, const char *set, size_t n);

/* The daemon's counters, as far as they are numbers. */
struct stats_rep work_stats(const char *socket);

#endif
