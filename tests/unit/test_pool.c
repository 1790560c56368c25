/* Things of one size out of blocks: apart from each other, zeroed, and given back. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "daemon/engine/pool.h"

#define N    20000
#define SIZE 72

static struct pool p;
static unsigned char *things[N];
static const unsigned char zeros[SIZE];

static void setup(void)
{
    pool_init(&p, SIZE);
}

static void teardown(void)
{
    pool_done(&p);
}

static void take(size_t i)
{
    things[i] = pool_take(&p);
    ck_assert_ptr_nonnull(things[i]);
    ck_assert_mem_eq(things[i], zeros, SIZE);
    memset(things[i], (int)(i % 251 + 1), SIZE);
}

static void intact(size_t i)
{
    unsigned char want[SIZE];

    memset(want, (int)(i % 251 + 1), SIZE);
    ck_assert_mem_eq(things[i], want, SIZE);
}

static size_t n_blocks(void)
{
    const struct pool_block *b;
    size_t n = 0;

    /* A block begins with its place in this list. */
    for (b = LIST_FIRST(&p.all); b; b = *(struct pool_block *const *)b)
        n++;
    return n;
}

START_TEST(each_has_its_own_bytes)
{
    for (size_t i = 0; i < N; i++)
        take(i);
    for (size_t i = 0; i < N; i++)
        intact(i);
    for (size_t i = 0; i < N; i += 3)
        pool_give(&p, things[i]);
    for (size_t i = 0; i < N; i += 3)
        take(i);
    for (size_t i = 0; i < N; i++)
        intact(i);
}
END_TEST

START_TEST(what_is_given_back_is_taken_again)
{
    size_t n;

    for (size_t i = 0; i < N; i++)
        take(i);
    n = n_blocks();
    ck_assert_uint_le(n, N * SIZE / (200 << 10));
    for (size_t i = 0; i < N; i++) {
        pool_give(&p, things[i]);
        take(i);
    }
    ck_assert_uint_eq(n_blocks(), n);
}
END_TEST

START_TEST(empty_blocks_go_but_for_one)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < N; i++)
            take(i);
        for (size_t i = 0; i < N; i++)
            pool_give(&p, things[i]);
        ck_assert_uint_eq(n_blocks(), 1);
    }
}
END_TEST

START_TEST(a_few_that_stay_keep_their_blocks_only)
{
    for (size_t i = 0; i < N; i++)
        take(i);
    for (size_t i = 1; i < N; i++)
        pool_give(&p, things[i]);
    intact(0);
    ck_assert_uint_le(n_blocks(), 2);
    pool_give(&p, NULL);
}
END_TEST

START_TEST(sixty_four_bytes_are_a_line_of_the_cache)
{
    struct pool lines;

    pool_init(&lines, 64);
    for (int i = 0; i < 10; i++)
        ck_assert_uint_eq((uintptr_t)pool_take(&lines) % 64, 0);
    pool_done(&lines);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, each_has_its_own_bytes);
    tcase_add_test(tc, what_is_given_back_is_taken_again);
    tcase_add_test(tc, empty_blocks_go_but_for_one);
    tcase_add_test(tc, a_few_that_stay_keep_their_blocks_only);
    tcase_add_test(tc, sixty_four_bytes_are_a_line_of_the_cache);
    return unit_run(suite);
}
