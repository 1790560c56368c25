/* The engine's contract: jobs that wait for others, in numbers, at the same time, across restarts.
 */
#include "tests/unit/engine_contract_deps.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* ---- At the same time --------------------------------------------------------------------------
 */

START_TEST(a_submit_and_its_parents_end_may_cross)
{
    for (int first = 0; first < 2; first++)
        for (int code = 0; code < 2; code++) {
            uint64_t parent = parent_new(SUCCEED);
            struct claimed c = claim_of(parent);
            struct outcome o = outcome_exit(code);
            struct want want = {AFTER(parent, PARENT_SUCCEEDED)};
            struct answer *finish, *submit;

            if (first == 0) {
                submit = start_submit(&want, 1);
                finish = start_finish(&c, &o);
            } else {
                finish = start_finish(&c, &o);
                submit = start_submit(&want, 1);
            }
            rig_await(finish);
            rig_await(submit);
            ck_assert_ok(submit);
            await_state(submit->submitted[0].number, code ? AW_FAILED : AW_QUEUED);
            if (code == 0)
                parent_end(submit->submitted[0].number, SUCCEED);
        }
}
END_TEST

/* ---- Many ---------------------------------------------------------------------------------------
 */

#define N_CHILDREN 10000

static void submit_children(uint64_t parent, uint64_t *ret_first)
{
    static struct want wants[1000];
    struct parent edge = {parent, PARENT_SUCCEEDED};

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        wants[i] = WANT(.parents = &edge, .n_parents = 1);
    for (size_t i = 0; i < N_CHILDREN / ARRAY_SIZE(wants); i++) {
        struct answer *r = rig_submit(wants, ARRAY_SIZE(wants));

        ck_assert_ok(r);
        if (i == 0)
            *ret_first = r->submitted[0].number;
    }
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], N_CHILDREN);
}

START_TEST(ten_thousand_children_can_run_after_few_commits)
{
    uint64_t parent = parent_new(SUCCEED), first = 0, commits, last = 0, n = 0;

    submit_children(parent, &first);
    commits = rig_stats().commits;
    parent_end(parent, SUCCEED);
    while (rig_stats().live[AW_QUEUED] < N_CHILDREN)
        rig_turn();
    ck_assert_uint_lt(rig_stats().commits - commits, N_CHILDREN / 100);
    /* In the order in which they came. */
    while (n < N_CHILDREN) {
        struct answer *r = rig_claim(1000);

        ck_assert_uint_gt(r->n, 0);
        n += r->n;
        for (size_t i = 0; i < r->n; i++) {
            ck_assert_uint_gt(r->claims[i].number, last);
            last = r->claims[i].number;
        }
    }
}
END_TEST

START_TEST(ten_thousand_children_fail_after_few_commits)
{
    uint64_t parent = parent_new(FAIL), first = 0, commits;

    submit_children(parent, &first);
    commits = rig_stats().commits;
    parent_end(parent, FAIL);
    while (rig_stats().failed < N_CHILDREN + 1)
        rig_turn();
    ck_assert_uint_lt(rig_stats().commits - commits, N_CHILDREN / 100);
    ck_assert_uint_eq(rig_stats().kept, N_CHILDREN + 1);
    ck_assert_int_eq(rig_count(NOTE_ENDED), N_CHILDREN + 1);
    ck_assert_state(first, AW_FAILED);
}
END_TEST

#define N_LINKS 2500

START_TEST(a_long_chain_fails_from_one_end_to_the_other)
{
    uint64_t first = parent_new(FAIL), last = first, commits;

    for (int i = 1; i < N_LINKS; i++)
        last = rig_queue(WANT(AFTER(last, PARENT_SUCCEEDED)));
    commits = rig_stats().commits;
    parent_end(first, CANCEL);
    while (rig_stats().live[AW_BLOCKED] > 0)
        rig_turn();
    ck_assert_uint_lt(rig_stats().commits - commits, N_LINKS / 100);
    ck_assert_state(last, AW_FAILED);
    ck_assert_int_eq(rig_count(NOTE_ENDED), N_LINKS);
}
END_TEST

START_TEST(a_chain_runs_link_by_link)
{
    uint64_t numbers[20];

    for (int i = 0; i < 20; i++)
        numbers[i] =
            i ? rig_queue(WANT(AFTER(numbers[i - 1], PARENT_SUCCEEDED))) : parent_new(SUCCEED);
    for (int i = 0; i < 20; i++) {
        await_state(numbers[i], AW_QUEUED);
        parent_end(numbers[i], SUCCEED);
        if (i % 5 == 4)
            rig_reopen();
    }
}
END_TEST

/* top -> left, right -> bottom */
START_TEST(the_last_of_a_diamond_runs_after_both_sides)
{
    for (int code = 0; code < 2; code++) {
        uint64_t top = parent_new(SUCCEED);
        uint64_t left = rig_queue(WANT(AFTER(top, PARENT_SUCCEEDED)));
        uint64_t right = rig_queue(WANT(AFTER(top, PARENT_SUCCEEDED)));
        struct parent sides[] = {{left, PARENT_SUCCEEDED}, {right, PARENT_SUCCEEDED}};
        uint64_t bottom = rig_queue(WANT(.parents = sides, .n_parents = 2));

        parent_end(top, code ? FAIL : SUCCEED);
        if (code) {
            await_state(bottom, AW_FAILED);
            ck_assert_state(left, AW_FAILED);
            ck_assert_state(right, AW_FAILED);
            continue;
        }
        await_state(right, AW_QUEUED);
        parent_end(left, SUCCEED);
        ck_assert_state(bottom, AW_BLOCKED);
        parent_end(right, SUCCEED);
        await_state(bottom, AW_QUEUED);
        parent_end(bottom, SUCCEED);
    }
}
END_TEST

/* ---- Across restarts ----------------------------------------------------------------------------
 */

START_TEST(waiting_goes_on_after_a_restart)
{
    uint64_t parent = parent_new(SUCCEED);
    uint64_t can = rig_queue(WANT(AFTER(parent, PARENT_SUCCEEDED)));
    uint64_t cannot = rig_queue(WANT(AFTER(parent, PARENT_FAILED)));

    rig_reopen();
    ck_assert_state(can, AW_BLOCKED);
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 2);
    parent_end(parent, SUCCEED);
    await_state(can, AW_QUEUED);
    await_state(cannot, AW_FAILED);
    rig_reopen();
    ck_assert_state(can, AW_QUEUED);
    ck_assert_state(cannot, AW_FAILED);
    claim_of(can);
}
END_TEST

/* The engine is closed between the two. */
START_TEST(what_follows_from_an_end_follows_after_a_restart_at_the_latest)
{
    uint64_t parent = parent_new(SUCCEED);
    struct claimed c = claim_of(parent);
    struct outcome o = outcome_exit(0);
    uint64_t can = rig_queue(WANT(AFTER(parent, PARENT_SUCCEEDED)));
    uint64_t cannot = rig_queue(WANT(AFTER(parent, PARENT_FAILED)));
    uint64_t grandchild = rig_queue(WANT(AFTER(cannot, PARENT_SUCCEEDED)));
    struct answer *finish = start_finish(&c, &o);

    rig_close();
    ck_assert_ok(finish);
    rig_open();
    await_state(can, AW_QUEUED);
    await_state(grandchild, AW_FAILED);
    assert_message(cannot, parent, "to fail, succeeded");
    assert_message(grandchild, cannot, "to succeed, failed");
    rig_reopen();
    claim_of(can);
    ck_assert_uint_eq(rig_stats().live[AW_BLOCKED], 0);
    ck_assert_ok(rig_forget(&parent, 1));
    ck_assert_int_eq(rig_lookup(parent), AW_ERR_EXPIRED_ID);
}
END_TEST

/* ---- Anything, held against a model
 * --------------------------------------------------------------- */

#define N_MODEL 150

static struct model {
    uint64_t number;
    enum aw_state state;
    struct parent parents[6]; /* number: an index */
    size_t n_parents;
} model[N_MODEL];
static size_t n_model;
static struct claimed held[N_MODEL];
static size_t n_held;
static uint64_t seed;

static size_t any(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % n);
}

/* Parents come before their children: one walk through all is enough. */
static void model_settle(void)
{
    for (size_t i = 0; i < n_model; i++) {
        struct model *m = &model[i];
        size_t n_open = 0;

        if (m->state != AW_BLOCKED)
            continue;
        for (size_t k = 0; k < m->n_parents; k++) {
            enum aw_state state = model[m->parents[k].number].state;
            bool good = state == AW_SUCCEEDED;

            if (!aw_state_is_final(state))
                n_open++;
            else if (m->parents[k].kind != PARENT_ENDED &&
                     good != (m->parents[k].kind == PARENT_SUCCEEDED))
                m->state = AW_FAILED;
        }
        if (m->state == AW_BLOCKED && n_open == 0)
            m->state = AW_QUEUED;
    }
}

static void model_submit(void)
{
    struct model *m = &model[n_model];
    struct parent parents[ARRAY_SIZE(m->parents)];

    *m = (struct model){.state = AW_BLOCKED,
                        .n_parents = n_model ? any(ARRAY_SIZE(m->parents) + 1) : 0};
    for (size_t k = 0; k < m->n_parents; k++) {
        /* Rather one of the newest. */
        size_t most = any(2) ? n_model : MIN(n_model, 8u);
        size_t back = 1 + any(most);

        m->parents[k] = (struct parent){n_model - back, (enum parent_kind)any(3)};
        parents[k] = (struct parent){model[n_model - back].number, m->parents[k].kind};
    }
    m->number = rig_queue(WANT(.parents = parents, .n_parents = m->n_parents));
    n_model++;
}

static struct model *model_find(uint64_t number)
{
    for (size_t i = 0; i < n_model; i++)
        if (model[i].number == number)
            return &model[i];
    ck_abort_msg("a job that nobody submitted: %" PRIu64, number);
}

static void model_claim(void)
{
    struct answer *r = rig_claim(1 + any(4));

    ck_assert_ok(r);
    for (size_t i = 0; i < r->n; i++) {
        struct model *m = model_find(r->claims[i].number);

        ck_assert_int_eq(m->state, AW_QUEUED);
        m->state = AW_RUNNING;
        held[n_held++] = r->claims[i];
    }
}

static void model_finish(void)
{
    struct outcome o = outcome_exit((int)any(3) / 2);
    struct claimed c;
    size_t i;

    if (n_held == 0)
        return;
    i = any(n_held);
    c = held[i];
    held[i] = held[--n_held];
    ck_assert_ok(rig_finish(&c, &o));
    model_find(c.number)->state = o.exit_code ? AW_FAILED : AW_SUCCEEDED;
}

static void model_cancel(void)
{
    struct model *m = &model[any(n_model)];

    if (aw_state_is_final(m->state) || m->state == AW_RUNNING)
        return;
    ck_assert_int_eq(rig_cancel(&m->number, 1, -1)->results[0].err, AW_OK);
    m->state = AW_CANCELLED;
}

static bool model_agrees(void)
{
    uint64_t numbers[N_MODEL];
    struct answer *r;

    for (size_t i = 0; i < n_model; i++)
        numbers[i] = model[i].number;
    r = rig_get(numbers, n_model, 0);
    ck_assert_ok(r);
    for (size_t i = 0; i < n_model; i++)
        if (r->found[i].err || r->found[i].record.state != model[i].state)
            return false;
    return true;
}

START_TEST(whatever_happens_each_job_is_where_a_simple_model_has_it)
{
    const char *given = getenv("AW_TEST_SEED");

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 2 + 1;
    printf("# AW_TEST_SEED=%" PRIu64 "\n", seed);
    n_model = n_held = 0;
    for (int step = 0; n_model < N_MODEL; step++) {
        size_t what = any(20);
        int tries = 0;

        if (n_model == 0 || what < 7)
            model_submit();
        else if (what < 10)
            model_claim();
        else if (what < 16)
            model_finish();
        else if (what < 17)
            model_cancel();
        else if (what < 18)
            rig_reopen();
        else
            continue;
        model_settle();
        while (!model_agrees())
            ck_assert_msg(tries++ < 1000, "step %d differs for good", step);
    }
}
END_TEST

void contract_deps_many_add(TCase *tc)
{
    tcase_add_test(tc, a_submit_and_its_parents_end_may_cross);
    tcase_add_test(tc, ten_thousand_children_can_run_after_few_commits);
    tcase_add_test(tc, ten_thousand_children_fail_after_few_commits);
    tcase_add_test(tc, a_long_chain_fails_from_one_end_to_the_other);
    tcase_add_test(tc, a_chain_runs_link_by_link);
    tcase_add_test(tc, the_last_of_a_diamond_runs_after_both_sides);
    tcase_add_test(tc, waiting_goes_on_after_a_restart);
    tcase_add_test(tc, what_follows_from_an_end_follows_after_a_restart_at_the_latest);
    tcase_add_test(tc, whatever_happens_each_job_is_where_a_simple_model_has_it);
}
