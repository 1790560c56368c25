/* Percentiles out of buckets, held against the sorted values themselves. */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "daemon/engine/histogram.h"

#define N_VALUES 20000

static struct histogram h, other;
static uint64_t seed;

/* xorshift64: the same numbers again for the same seed. */
static uint64_t random_next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void setup(void)
{
    const char *given = getenv("AW_TEST_SEED");

    h = other = (struct histogram){0};
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2 + 1;
    printf("# AW_TEST_SEED=%" PRIu64 "\n", seed);
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Never below the true value, and at most a 64th above it. */
static void assert_percentile(unsigned percent, const int64_t *sorted, size_t n)
{
    uint64_t want = (uint64_t)sorted[(n * percent + 99) / 100 - 1];
    uint64_t got = histogram_percentile(&h, percent);

    ck_assert_uint_ge(got, want);
    ck_assert_uint_le(got, want + want / 64);
}

static void assert_percentiles(int64_t *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    for (unsigned percent = 1; percent <= 100; percent++)
        assert_percentile(percent, values, n);
    ck_assert_uint_eq(histogram_percentile(&h, 100), (uint64_t)values[n - 1]);
    ck_assert_uint_eq(h.max_us, (uint64_t)values[n - 1]);
    ck_assert_uint_eq(h.count, n);
}

/* As many of each order of magnitude, from nothing to 50 days. */
static int64_t random_time(void)
{
    return (int64_t)(random_next() >> (64 - 42) >> random_next() % 42);
}

START_TEST(an_empty_one_says_nothing)
{
    struct latency l = {.max_us = 1};

    histogram_read(&h, &l);
    ck_assert_uint_eq(l.count, 0);
    ck_assert_uint_eq(l.p50_us, 0);
    ck_assert_uint_eq(l.max_us, 0);
}
END_TEST

START_TEST(one_value_is_told_exactly)
{
    for (int i = 0; i < 200; i++) {
        int64_t value = random_time();

        h = (struct histogram){0};
        histogram_record(&h, value);
        for (unsigned percent = 0; percent <= 100; percent++)
            ck_assert_uint_eq(histogram_percentile(&h, percent), (uint64_t)value);
    }
}
END_TEST

START_TEST(short_times_are_told_exactly)
{
    for (int64_t i = 1; i <= 100; i++)
        histogram_record(&h, i);
    for (unsigned percent = 1; percent <= 100; percent++)
        ck_assert_uint_eq(histogram_percentile(&h, percent), percent);
}
END_TEST

START_TEST(percentiles_are_near_the_true_ones)
{
    static int64_t values[N_VALUES];

    for (size_t i = 0; i < N_VALUES; i++) {
        values[i] = random_time();
        histogram_record(&h, values[i]);
    }
    assert_percentiles(values, N_VALUES);
}
END_TEST

START_TEST(each_power_of_two_and_its_neighbours_find_their_place)
{
    for (int bit = 0; bit < 42; bit++) {
        for (int64_t value = MAX((INT64_C(1) << bit) - 1, 0); value <= (INT64_C(1) << bit) + 1;
             value++) {
            h = (struct histogram){0};
            histogram_record(&h, value);
            histogram_record(&h, INT64_C(1) << 42);
            assert_percentile(50, &value, 1);
        }
    }
}
END_TEST

START_TEST(merged_they_say_what_one_of_all_would_say)
{
    static int64_t values[N_VALUES];

    for (size_t i = 0; i < N_VALUES; i++) {
        values[i] = random_time();
        histogram_record(i % 3 ? &h : &other, values[i]);
    }
    histogram_merge(&h, &other);
    assert_percentiles(values, N_VALUES);
    ck_assert_uint_eq(other.count, (N_VALUES + 2) / 3);
}
END_TEST

START_TEST(what_took_months_counts_and_the_longest_is_exact)
{
    int64_t year = INT64_C(365) * 86400 * 1000000;

    histogram_record(&h, 5);
    histogram_record(&h, year);
    histogram_record(&h, INT64_MAX);
    ck_assert_uint_eq(histogram_percentile(&h, 33), 5);
    ck_assert_uint_eq(histogram_percentile(&h, 99), INT64_MAX);
    ck_assert_uint_eq(h.count, 3);
}
END_TEST

START_TEST(a_negative_time_counts_as_none)
{
    histogram_record(&h, -1);
    histogram_record(&h, INT64_MIN);
    ck_assert_uint_eq(h.count, 2);
    ck_assert_uint_eq(histogram_percentile(&h, 99), 0);
}
END_TEST

/* Doubled until it holds a thousand times what one bucket can count. */
START_TEST(shares_stay_when_a_bucket_would_run_over)
{
    for (int i = 0; i < 100; i++)
        histogram_record(&h, i < 60 ? 10 : i < 97 ? 20 : 30);
    for (int i = 0; i < 36; i++) {
        other = h;
        histogram_merge(&h, &other);
    }
    ck_assert_uint_eq(h.count, UINT64_C(100) << 36);
    ck_assert_uint_eq(histogram_percentile(&h, 50), 10);
    ck_assert_uint_eq(histogram_percentile(&h, 59), 10);
    ck_assert_uint_eq(histogram_percentile(&h, 61), 20);
    ck_assert_uint_eq(histogram_percentile(&h, 95), 20);
    ck_assert_uint_eq(histogram_percentile(&h, 98), 30);
}
END_TEST

START_TEST(it_is_small)
{
    ck_assert_uint_lt(sizeof(struct histogram), 10 * 1024);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tc = tcase_create("histogram");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, an_empty_one_says_nothing);
    tcase_add_test(tc, one_value_is_told_exactly);
    tcase_add_test(tc, short_times_are_told_exactly);
    tcase_add_test(tc, percentiles_are_near_the_true_ones);
    tcase_add_test(tc, each_power_of_two_and_its_neighbours_find_their_place);
    tcase_add_test(tc, merged_they_say_what_one_of_all_would_say);
    tcase_add_test(tc, what_took_months_counts_and_the_longest_is_exact);
    tcase_add_test(tc, a_negative_time_counts_as_none);
    tcase_add_test(tc, shares_stay_when_a_bucket_would_run_over);
    tcase_add_test(tc, it_is_small);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
