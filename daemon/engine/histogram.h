/*
 * histogram.h - how long things took, over any number of them, in a few kilobytes.
 *
 * Log-linear: up to 64 microseconds each value has a bucket of its own; from there on each octave
 * has 64 of the same width, so that a bucket is never wider than 1/64 of what it holds. What took
 * longer than about 50 days shares the last one. A percentile is the highest value of the bucket
 * that it falls into: never below the true one, at most 1.6 % above it, and never above the
 * greatest of all, which is exact. (The layout is that of HdrHistogram.)
 *
 * Recording takes the same short time whatever was recorded before. No memory but the struct's own;
 * all zeros is an empty one. One thread at a time.
 */
#ifndef AW_HISTOGRAM_H
#define AW_HISTOGRAM_H

#include "proto/messages.h"

#define HISTOGRAM_SUB_BITS 6  /* 64 buckets an octave */
#define HISTOGRAM_TOP_BITS 42 /* 2^42 microseconds: 50 days */
#define HISTOGRAM_BUCKETS  ((HISTOGRAM_TOP_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t max_us;
    /* When one would run over, all are halved: shares stay what they are. */
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

/* A negative time (somebody set the clock) counts as none. */
void histogram_record(struct histogram *h, int64_t us);

/* Adds all that another one holds. */
void histogram_merge(struct histogram *h, const struct histogram *from);

/*
 * What `percent` of a hundred did not exceed (0 to 100, so 50 is the median): the value at the
 * place percent * count / 100, rounded up, if all were sorted. 0 if there are none.
 */
uint64_t histogram_percentile(const struct histogram *h, unsigned percent);

/* As it is told over the wire. */
void histogram_read(const struct histogram *h, struct latency *ret);

#endif
