#include "daemon/engine/histogram.h"

#define SUB_BITS HISTOGRAM_SUB_BITS
#define SUBS     (1u << SUB_BITS)

static size_t bucket_of(uint64_t us)
{
    unsigned octave;

    if (us < SUBS)
        return (size_t)us;
    if (us >> HISTOGRAM_TOP_BITS)
        return HISTOGRAM_BUCKETS - 1;
    /* How far it must be shifted for its SUB_BITS + 1 leading bits to remain. */
    octave = 63u - (unsigned)__builtin_clzll(us) - SUB_BITS;
    return (size_t)(us >> octave) + ((size_t)octave << SUB_BITS);
}

/* The highest value that goes into it. */
static uint64_t bucket_top(size_t i)
{
    unsigned octave;

    if (i < SUBS)
        return i;
    octave = (unsigned)(i >> SUB_BITS) - 1;
    return (((uint64_t)(i & (SUBS - 1)) + SUBS + 1) << octave) - 1;
}

/* What was there once stays there: one is not halved to nothing. */
static void halve(struct histogram *h)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->buckets[i] -= h->buckets[i] / 2;
}

/* Returns how often all were halved to make room. */
static unsigned bucket_add(struct histogram *h, size_t i, uint32_t n)
{
    unsigned halved = 0;

    for (; n > UINT32_MAX - h->buckets[i]; halved++) {
        halve(h);
        n -= n / 2;
    }
    h->buckets[i] += n;
    return halved;
}

void histogram_record(struct histogram *h, int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;

    bucket_add(h, bucket_of(value), 1);
    h->count++;
    h->max_us = MAX(h->max_us, value);
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
    unsigned halved = 0; /* what is still to come weighs less by as much */

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (from->buckets[i])
            halved += bucket_add(h, i, MAX(from->buckets[i] >> halved, 1u));
    h->count += from->count;
    h->max_us = MAX(h->max_us, from->max_us);
}

static uint64_t buckets_sum(const struct histogram *h)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum += h->buckets[i];
    return sum;
}

uint64_t histogram_percentile(const struct histogram *h, unsigned percent)
{
    uint64_t sum = buckets_sum(h), seen = 0;
    uint64_t place = MAX((sum * percent + 99) / 100, UINT64_C(1));

    for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        seen += h->buckets[i];
        if (seen >= place)
            return MIN(bucket_top(i), h->max_us);
    }
    return h->max_us;
}

void histogram_read(const struct histogram *h, struct latency *ret)
{
    *ret = (struct latency){
        .count = h->count,
        .p50_us = histogram_percentile(h, 50),
        .p95_us = histogram_percentile(h, 95),
        .p99_us = histogram_percentile(h, 99),
        .max_us = h->max_us,
    };
}
