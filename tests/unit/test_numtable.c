/* Things by number: found again, whatever the numbers are like, and with few steps. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "daemon/engine/numtable.h"

#define N            100000
#define SEGMENT_SIZE 512 /* as in numtable.c */

static struct numtable t;
static struct numnode *nodes;

static void setup(void)
{
    nodes = calloc(N, sizeof(*nodes));
    ck_assert_ptr_nonnull(nodes);
    ck_assert(numtable_init(&t));
}

static void teardown(void)
{
    numtable_done(&t);
    free(nodes);
}

static void insert(size_t i, uint64_t number)
{
    nodes[i].number = number;
    numtable_insert(&t, &nodes[i]);
}

/* The longest way to any of them. */
static unsigned longest(void)
{
    unsigned longest = 0;

    for (size_t i = 0; i < t.n_buckets; i++) {
        struct numnode *node = t.segments[i / SEGMENT_SIZE][i % SEGMENT_SIZE];
        unsigned n = 0;

        for (; node; node = node->next)
            n++;
        longest = MAX(longest, n);
    }
    return longest;
}

/* How many of the series are not found. Check takes longer to note an assertion than we to look. */
static size_t n_missing(uint64_t number, uint64_t step)
{
    size_t n = 0;

    for (size_t i = 0; i < N; i++, number += step)
        n += numtable_find(&t, number) != &nodes[i];
    return n;
}

/* Of 0, 1, 2, ... those at even places were removed: how many are there, or are not, wrongly. */
static size_t n_wrong(void)
{
    size_t n = 0;

    for (size_t i = 0; i < N; i++)
        n += numtable_find(&t, i) != (i % 2 ? &nodes[i] : NULL);
    return n;
}

/* In turn; with gaps that are a power of two; large ones; and as claims are. */
static const struct {
    const char *what;
    uint64_t first, step;
} series[] = {
    {"in turn", 1, 1},
    {"each 16th", 5, 16},
    {"each 64th", 0, 64},
    {"each 1000th", 7, 1000},
    {"each 1024th", 0, 1024},
    {"each 2^20th", 0, UINT64_C(1) << 20},
    {"each 2^40th", 3, UINT64_C(1) << 40},
    {"downwards", UINT64_MAX, UINT64_MAX},
    {"claims", (UINT64_C(7) << 40) + 1, 1},
    {"users in a queue", 3, 256},
};

START_TEST(all_are_found_and_no_bucket_is_crowded)
{
    uint64_t number = series[_i].first;

    for (size_t i = 0; i < N; i++, number += series[_i].step)
        insert(i, number);
    ck_assert_uint_eq(n_missing(series[_i].first, series[_i].step), 0);
    ck_assert_ptr_null(numtable_find(&t, number));
    printf("# %s: at most %u in a bucket\n", series[_i].what, longest());
    fflush(stdout);
    ck_assert_uint_le(longest(), 32);
}
END_TEST

START_TEST(what_was_collected_is_found_as_if_inserted_one_by_one)
{
    uint64_t number = series[_i].first;

    numtable_collect(&t);
    for (size_t i = 0; i < N; i++, number += series[_i].step)
        insert(i, number);
    numtable_collected(&t);
    ck_assert_uint_eq(t.n_nodes, N);
    ck_assert_uint_ge(t.n_buckets, N);
    ck_assert_uint_le(longest(), 32);
    numtable_collected(&t);
    ck_assert_uint_eq(n_missing(series[_i].first, series[_i].step), 0);
    ck_assert_ptr_null(numtable_find(&t, number));
}
END_TEST

/* Whatever the number of buckets is then, the table goes on from it. */
START_TEST(a_table_grows_and_shrinks_behind_what_was_collected)
{
    static const size_t counts[] = {0, 1, 511, 512, 513, 1023, 1024, 1025, 40000};
    size_t n = counts[_i];

    numtable_collect(&t);
    for (size_t i = 0; i < n; i++)
        insert(i, i);
    numtable_collected(&t);
    for (size_t i = n; i < N; i++)
        insert(i, i);
    for (size_t i = 0; i < N; i += 2)
        numtable_remove(&t, &nodes[i]);
    ck_assert_uint_eq(n_wrong(), 0);
    ck_assert_uint_le(longest(), 32);
}
END_TEST

START_TEST(what_is_removed_is_gone_and_the_rest_stays)
{
    for (size_t i = 0; i < N; i++)
        insert(i, i);
    for (size_t i = 0; i < N; i += 2)
        numtable_remove(&t, &nodes[i]);
    ck_assert_uint_eq(n_wrong(), 0);
}
END_TEST

static void remove_it(void *arg, struct numnode *node)
{
    ++*(size_t *)arg;
    numtable_remove(&t, node);
}

START_TEST(an_empty_one_gives_its_buckets_back_and_goes_on)
{
    size_t n = 0, n_buckets = t.n_buckets;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < N; i++)
            insert(i, i);
        ck_assert_uint_ge(t.n_buckets, N);
        n = 0;
        numtable_each(&t, remove_it, &n);
        ck_assert_uint_eq(n, N);
        ck_assert_uint_eq(t.n_nodes, 0);
        ck_assert_uint_eq(t.n_buckets, n_buckets);
        ck_assert_ptr_null(numtable_find(&t, 1));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("numtable");
    TCase *tc = tcase_create("");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, all_are_found_and_no_bucket_is_crowded, 0, (int)ARRAY_SIZE(series));
    tcase_add_loop_test(tc, what_was_collected_is_found_as_if_inserted_one_by_one, 0,
                        (int)ARRAY_SIZE(series));
    tcase_add_loop_test(tc, a_table_grows_and_shrinks_behind_what_was_collected, 0, 9);
    tcase_add_test(tc, what_is_removed_is_gone_and_the_rest_stays);
    tcase_add_test(tc, an_empty_one_gives_its_buckets_back_and_goes_on);
    return unit_run(suite);
}
