/* What waits for others, in the store alone: between a parent's end and its children's step. */
#include "tests/unit/unit.h"

#include <event2/event.h>

#include "daemon/engine/embedded/store_ops.h"
#include "daemon/engine/embedded/store_sql.h"
#include "tests/unit/private_dir.h"
#include "tests/unit/store_ignore.h"

#define HOUR_US (INT64_C(3600) * 1000000)

static struct event_base *base;
static struct store *st;
static struct store_info info;
static bool done;

static const struct store_loader loader = {.queue = ignore_queue, .account = ignore_account};

static void unexpected_down(void *arg, const struct aw_error *err)
{
    (void)arg;
    ck_abort_msg("the store went down: %s", err->text);
}

static void setup(void)
{
    char path[PRIVATE_PATH];
    struct aw_error err = {0};

    private_dir_make();
    base = event_base_new();
    ck_assert_msg(store_open(private_path(path, "awd.db"), base, &loader, unexpected_down, NULL,
                             &st, &info, &err) == AW_OK,
                  "%s", err.text);
}

static void teardown(void)
{
    store_close(st);
    event_base_free(base);
    private_dir_remove();
}

static void op_done(struct store_op *op)
{
    ck_assert_msg(op->error.code == AW_OK, "%s", op->error.text);
    done = true;
}

static void run(struct store_op *op)
{
    done = false;
    op->done = op_done;
    store_push(st, op);
    while (!done)
        event_base_loop(base, EVLOOP_ONCE);
}

/* Records a job that waits for these; the state in which it begins. */
static enum aw_state add(uint64_t number, const struct parent *parents, size_t n)
{
    bool open[8];
    struct store_birth birth;
    struct submitted submitted;
    struct store_row row = {.number = number,
                            .state = AW_QUEUED,
                            .queue = STORE_DEFAULT_QUEUE,
                            .spec = bytes_str("a specification"),
                            .parents = parents,
                            .n_parents = n,
                            .open = open};
    struct store_submit op = {.rows = &row,
                              .n = 1,
                              .now_us = now_us(),
                              .tag = info.tag,
                              .default_retention_ms = 1000,
                              .submitted = &submitted,
                              .births = &birth};

    ck_assert_uint_le(n, ARRAY_SIZE(open));
    store_submit_init(&op);
    run(&op.op);
    store_effects_free(&op.effects);
    return birth.state;
}

static void end_failed(uint64_t number)
{
    struct store_end_waiting op = {.numbers = &number,
                                   .n = 1,
                                   .class = AW_CLASS_TIMEOUT,
                                   .message = "",
                                   .now_us = now_us(),
                                   .default_retention_ms = 1000};

    store_end_waiting_init(&op);
    run(&op.op);
    store_effects_free(&op.effects);
}

static enum aw_state resolve(uint64_t parent, uint64_t child)
{
    struct dep_pair pair = {parent, child, true};
    enum aw_state to;
    struct store_resolve op = {.pairs = &pair,
                               .n = 1,
                               .tag = info.tag,
                               .now_us = now_us(),
                               .default_retention_ms = 1000,
                               .to = &to};

    store_resolve_init(&op);
    run(&op.op);
    store_effects_free(&op.effects);
    return to;
}

/* How many go, of those whose time is over in an hour, or so many if there are more. */
static size_t prune(size_t excess)
{
    struct gone gone[10];
    struct store_remove op = {.prune = true,
                              .now_us = now_us() + HOUR_US,
                              .excess = excess,
                              .max = ARRAY_SIZE(gone),
                              .gone = gone};

    store_remove_init(&op);
    run(&op.op);
    store_effects_free(&op.effects);
    return op.n_gone;
}

START_TEST(a_parent_is_not_pruned_before_its_children_are_told)
{
    const struct parent parent = {1, PARENT_FAILED};

    ck_assert_int_eq(add(1, NULL, 0), AW_QUEUED);
    ck_assert_int_eq(add(2, &parent, 1), AW_BLOCKED);
    end_failed(1);
    ck_assert_uint_eq(prune(0), 0);
    ck_assert_uint_eq(prune(5), 0);
    ck_assert_int_eq(resolve(1, 2), AW_QUEUED);
    ck_assert_uint_eq(prune(0), 1);
}
END_TEST

START_TEST(others_are_pruned_past_a_parent_that_has_to_stay)
{
    const struct parent parent = {1, PARENT_SUCCEEDED};

    add(1, NULL, 0);
    add(2, &parent, 1);
    add(3, NULL, 0);
    end_failed(1);
    end_failed(3);
    ck_assert_uint_eq(prune(2), 1);
    ck_assert_int_eq(resolve(1, 2), AW_FAILED);
    ck_assert_uint_eq(prune(0), 2);
}
END_TEST

START_TEST(a_step_made_twice_changes_nothing_the_second_time)
{
    const struct parent parents[] = {{1, PARENT_FAILED}, {2, PARENT_ENDED}};

    add(1, NULL, 0);
    add(2, NULL, 0);
    ck_assert_int_eq(add(3, parents, 2), AW_BLOCKED);
    end_failed(1);
    ck_assert_int_eq(resolve(1, 3), AW_BLOCKED);
    ck_assert_int_eq(resolve(1, 3), AW_BLOCKED);
    end_failed(2);
    ck_assert_int_eq(resolve(2, 3), AW_QUEUED);
    ck_assert_int_eq(resolve(2, 3), AW_BLOCKED);
}
END_TEST

START_TEST(a_job_that_ended_while_it_waited_holds_no_parent)
{
    const struct parent parent = {1, PARENT_SUCCEEDED};

    add(1, NULL, 0);
    add(2, &parent, 1);
    end_failed(2);
    end_failed(1);
    ck_assert_uint_eq(prune(0), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store, dependencies");
    TCase *tc = tcase_create("between an end and what follows");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_parent_is_not_pruned_before_its_children_are_told);
    tcase_add_test(tc, others_are_pruned_past_a_parent_that_has_to_stay);
    tcase_add_test(tc, a_step_made_twice_changes_nothing_the_second_time);
    tcase_add_test(tc, a_job_that_ended_while_it_waited_holds_no_parent);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
