/* Memory given back: after enough was let go of, and not by waking a loop with nothing to do. */
#include "tests/unit/unit.h"

#include <event2/event.h>

#include "daemon/memory.h"

static struct event_base *base;
static struct memory *memory;

static void setup(void)
{
    memory_settle();
    base = event_base_new();
    memory = memory_new(base);
    ck_assert_ptr_nonnull(memory);
}

static void teardown(void)
{
    memory_free(memory);
    event_base_free(base);
}

static int n_events(void)
{
    return event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
}

START_TEST(nothing_is_waited_for_when_nothing_happens)
{
    ck_assert_int_eq(n_events(), 0);
    for (int i = 0; i < 1000; i++)
        memory_note(100);
    ck_assert_int_eq(n_events(), 0);
}
END_TEST

START_TEST(one_look_follows_when_enough_was_let_go_of)
{
    for (int i = 0; i < 1000; i++)
        memory_note(4096);
    ck_assert_int_eq(n_events(), 1);
}
END_TEST

START_TEST(without_one_a_note_does_nothing)
{
    memory_free(memory);
    memory_note(100 << 20);
    memory = memory_new(base);
    ck_assert_ptr_nonnull(memory);
    ck_assert_int_eq(n_events(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, nothing_is_waited_for_when_nothing_happens);
    tcase_add_test(tc, one_look_follows_when_enough_was_let_go_of);
    tcase_add_test(tc, without_one_a_note_does_nothing);
    return unit_run(suite);
}
