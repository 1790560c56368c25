/* The engine's contract: limits that a queue has for each of its jobs. */
#include "tests/unit/engine_contract.h"

static const struct limits some = {
    .memory = UINT64_C(1) << 40,
    .cpu = 150,
    .cpu_time_ms = 1500,
    .processes = 7,
    .files = 64,
    .file_size = 4096,
    .nice = 5,
    .io_priority = 9,
};

#define ck_assert_limits_eq(have, want)                          \
    do {                                                         \
        struct limits _have = (have), _want = (want);            \
                                                                 \
        ck_assert_mem_eq(&_have, &_want, sizeof(struct limits)); \
    } while (0)

static const struct limits none;

static struct limits limits_of(const char *queue)
{
    return rig_queue_status(queue).limits;
}

START_TEST(a_queue_limits_nothing_unless_told)
{
    rig_queue_add("q", QUEUE_CHANGE(to.slots = 1));
    rig_queue(WANT(.queue = "q"));
    ck_assert_limits_eq(limits_of("q"), none);
    ck_assert_limits_eq(limits_of("default"), none);
    ck_assert_limits_eq(rig_claim_one().limits, none);
}
END_TEST

START_TEST(limits_are_as_they_were_set_also_after_a_restart)
{
    static const struct limits nice = {.nice = 3};

    rig_queue_add("q", QUEUE_CHANGE(to.limits = &some));
    rig_queue_change("default", QUEUE_CHANGE(to.limits = &nice));
    for (int i = 0; i < 2; i++) {
        ck_assert_limits_eq(limits_of("q"), some);
        ck_assert_limits_eq(limits_of("default"), nice);
        rig_reopen();
    }
}
END_TEST

START_TEST(the_answer_has_the_limits_as_they_are_now)
{
    struct answer *r = rig_queue_set("q", QUEUE_CHANGE(to.create = true, to.limits = &some));

    ck_assert_ok(r);
    ck_assert_limits_eq(r->queues[0].limits, some);
}
END_TEST

START_TEST(new_limits_take_the_place_of_all_old_ones)
{
    struct limits files = {.files = 5};

    rig_queue_add("q", QUEUE_CHANGE(to.limits = &some));
    rig_queue_change("q", QUEUE_CHANGE(to.limits = &files));
    for (int i = 0; i < 2; i++) {
        ck_assert_limits_eq(limits_of("q"), files);
        rig_reopen();
    }
    rig_queue_change("q", QUEUE_CHANGE(to.limits = &none));
    for (int i = 0; i < 2; i++) {
        ck_assert_limits_eq(limits_of("q"), none);
        rig_reopen();
    }
}
END_TEST

START_TEST(other_changes_leave_limits_alone)
{
    rig_queue_add("q", QUEUE_CHANGE(to.limits = &some));
    rig_queue_change("q", QUEUE_CHANGE(to.slots = 2));
    ck_assert_limits_eq(limits_of("q"), some);
    rig_queue_change("q", QUEUE_CHANGE(to.limits = &none));
    ck_assert_uint_eq(rig_queue_status("q").slots, 2);
}
END_TEST

START_TEST(only_the_limits_that_are_named_change)
{
    struct limits change = {.memory = 0, .files = 65, .nice = 1}, want = some;

    rig_queue_add("q", QUEUE_CHANGE(to.limits = &some));
    want.memory = 0;
    want.files = 65;
    rig_queue_change("q", QUEUE_CHANGE(to.limits = &change,
                                       to.limits_mask = 1u << LIMIT_memory | 1u << LIMIT_files));
    for (int i = 0; i < 2; i++) {
        ck_assert_limits_eq(limits_of("q"), want);
        rig_reopen();
    }
}
END_TEST

START_TEST(changes_of_different_limits_do_not_undo_each_other)
{
    struct limits all = {.memory = 1, .cpu = 2, .processes = 3};
    struct answer *memory, *cpu, *processes;

    rig_queue_add("q", QUEUE_CHANGE());
    memory =
        start_queue_set("q", QUEUE_CHANGE(to.limits = &all, to.limits_mask = 1u << LIMIT_memory));
    cpu = start_queue_set("q", QUEUE_CHANGE(to.limits = &all, to.limits_mask = 1u << LIMIT_cpu));
    processes = start_queue_set(
        "q", QUEUE_CHANGE(to.limits = &all, to.limits_mask = 1u << LIMIT_processes));
    rig_await(processes);
    ck_assert_ok(memory);
    ck_assert_ok(cpu);
    ck_assert_ok(processes);
    ck_assert_limits_eq(memory->queues[0].limits, ((struct limits){.memory = 1}));
    ck_assert_limits_eq(processes->queues[0].limits, all);
    ck_assert_limits_eq(limits_of("q"), all);
}
END_TEST

START_TEST(a_claim_has_the_limits_of_its_queue)
{
    const struct limits *other = &(struct limits){.cpu = 50};
    struct answer *r;

    rig_queue_add("a", QUEUE_CHANGE(to.limits = &some));
    rig_queue_add("b", QUEUE_CHANGE(to.limits = other));
    rig_queue(WANT(.queue = "a"));
    rig_queue(WANT(.queue = "b"));
    rig_queue(WANT(.name = "x"));
    r = rig_claim(3);
    ck_assert_uint_eq(r->n, 3);
    ck_assert_limits_eq(r->claims[0].limits, some);
    ck_assert_limits_eq(r->claims[1].limits, *other);
    ck_assert_limits_eq(r->claims[2].limits, none);
}
END_TEST

START_TEST(the_next_attempt_has_the_limits_of_then)
{
    struct limits more = {.files = 100}, less = {.files = 10};
    struct claimed c;

    rig_queue_add("q", QUEUE_CHANGE(to.limits = &more));
    rig_queue(WANT(.queue = "q", .max_attempts = 2));
    c = rig_claim_one();
    ck_assert_limits_eq(c.limits, more);
    rig_queue_change("q", QUEUE_CHANGE(to.limits = &less));
    rig_forget_notes();
    rig_exit(&c, 1);
    rig_await_note(NOTE_RUNNABLE, 0);
    c = rig_claim_one();
    ck_assert_uint_eq(c.attempt, 2);
    ck_assert_limits_eq(c.limits, less);
}
END_TEST

START_TEST(an_attempt_that_is_found_again_has_the_limits_of_its_queue)
{
    struct answer *r;

    rig_queue_add("q", QUEUE_CHANGE(to.limits = &some));
    rig_queue(WANT(.queue = "q"));
    rig_queue(WANT(.name = "x"));
    ck_assert_uint_eq(rig_claim(2)->n, 2);
    rig_reopen();
    r = rig_recover();
    ck_assert_uint_eq(r->n, 2);
    for (size_t i = 0; i < r->n; i++)
        ck_assert_limits_eq(r->claims[i].limits, r->claims[i].number == 1 ? some : none);
}
END_TEST

START_TEST(limits_go_with_their_queue)
{
    rig_queue_add("q", QUEUE_CHANGE(to.limits = &some));
    ck_assert_ok(rig_queue_remove("q"));
    rig_queue_add("q", QUEUE_CHANGE());
    ck_assert_limits_eq(limits_of("q"), none);
}
END_TEST

START_TEST(limits_of_a_queue_that_is_not_there_are_not_kept)
{
    ck_assert_err(rig_queue_set("q", QUEUE_CHANGE(to.limits = &some)), AW_ERR_NO_QUEUE);
    rig_queue_add("q", QUEUE_CHANGE());
    ck_assert_limits_eq(limits_of("q"), none);
    ck_assert_err(rig_queue_set("q", QUEUE_CHANGE(to.create = true, to.limits = &some)),
                  AW_ERR_WRONG_STATE);
    ck_assert_limits_eq(limits_of("q"), none);
}
END_TEST

void contract_limits_add(TCase *tc)
{
    tcase_add_test(tc, a_queue_limits_nothing_unless_told);
    tcase_add_test(tc, limits_are_as_they_were_set_also_after_a_restart);
    tcase_add_test(tc, the_answer_has_the_limits_as_they_are_now);
    tcase_add_test(tc, new_limits_take_the_place_of_all_old_ones);
    tcase_add_test(tc, other_changes_leave_limits_alone);
    tcase_add_test(tc, only_the_limits_that_are_named_change);
    tcase_add_test(tc, changes_of_different_limits_do_not_undo_each_other);
    tcase_add_test(tc, a_claim_has_the_limits_of_its_queue);
    tcase_add_test(tc, the_next_attempt_has_the_limits_of_then);
    tcase_add_test(tc, an_attempt_that_is_found_again_has_the_limits_of_its_queue);
    tcase_add_test(tc, limits_go_with_their_queue);
    tcase_add_test(tc, limits_of_a_queue_that_is_not_there_are_not_kept);
}
