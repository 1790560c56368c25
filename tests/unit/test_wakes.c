/* Who is read for, when, and with whom: against an engine that answers when it is told to. */
#include "daemon/ops/wakes.h"

#include <event2/event.h>

#include "tests/unit/unit.h"

#define MANY 10000

/* A call of the engine that is not answered yet. */
struct asked {
    uint64_t numbers[4096];
    size_t n;
    engine_get_fn done;
    void *arg;
};

static struct {
    struct engine engine;
    struct server srv;
    struct asked asked[320];
    size_t n_asked, n_answered;
    struct wake wakes[MANY];
    uint64_t numbers[MANY];
    uint64_t got[MANY]; /* the number of the record that came; 0: none yet */
    size_t n_got;
    enum aw_err err; /* that came last */
} world;

static void fake_get(struct engine *e, const uint64_t *numbers, size_t n, unsigned what,
                     engine_get_fn done, void *arg)
{
    struct asked *a = &world.asked[world.n_asked++];

    (void)e;
    ck_assert_uint_eq(what, 0);
    ck_assert_uint_le(n, ARRAY_SIZE(a->numbers));
    ck_assert_uint_le(world.n_asked, ARRAY_SIZE(world.asked));
    memcpy(a->numbers, numbers, n * sizeof(*numbers));
    a->n = n;
    a->done = done;
    a->arg = arg;
}

static const struct engine_ops ops = {.get = fake_get};

static void answer(const struct aw_error *err)
{
    static struct found jobs[ARRAY_SIZE(world.asked[0].numbers)];
    struct asked *a = &world.asked[world.n_answered++];

    ck_assert_uint_le(world.n_answered, world.n_asked);
    for (size_t i = 0; i < a->n; i++)
        jobs[i] = (struct found){.record.number = a->numbers[i]};
    a->done(a->arg, err, err ? NULL : jobs, a->n);
}

static void got(struct wake *w, const struct aw_error *err, const struct found *jobs)
{
    size_t i = (size_t)(w - world.wakes);

    ck_assert_int_eq(w->state, WAKE_NOT);
    world.err = err ? err->code : AW_OK;
    for (size_t k = 0; !err && k < w->n; k++)
        ck_assert_uint_eq(jobs[k].record.number, w->numbers[k]);
    world.got[i] = err ? 0 : jobs[0].record.number;
    world.n_got++;
}

static void setup(void)
{
    world.engine = (struct engine){&ops, "k3f9q"};
    world.srv.engine = &world.engine;
    world.srv.base = event_base_new();
    world.srv.wakes = wakes_new(&world.srv);
    ck_assert(world.srv.base && world.srv.wakes);
}

static void teardown(void)
{
    wakes_free(world.srv.wakes);
    event_base_free(world.srv.base);
}

/* The i-th, for the n numbers from numbers[i] on. */
static void line_up(size_t i, uint64_t number, size_t n)
{
    for (size_t k = 0; k < n; k++)
        world.numbers[i + k] = number + k;
    world.wakes[i] = (struct wake){.numbers = &world.numbers[i], .n = n, .fn = got};
    wake_line_up(world.srv.wakes, &world.wakes[i]);
}

static void turn(void)
{
    event_base_loop(world.srv.base, EVLOOP_NONBLOCK);
}

START_TEST(one_alone_is_read_at_once)
{
    line_up(0, 7, 1);
    ck_assert_uint_eq(world.n_asked, 1);
    ck_assert_uint_eq(world.asked[0].n, 1);
    ck_assert_int_eq(world.wakes[0].state, WAKE_READING);
    answer(NULL);
    ck_assert_uint_eq(world.got[0], 7);
}
END_TEST

START_TEST(others_are_read_at_once_beside_it)
{
    for (size_t i = 0; i < 64; i++)
        line_up(i, i + 1, 1);
    ck_assert_uint_eq(world.n_asked, 64);
    for (size_t i = 0; i < 64; i++)
        answer(NULL);
    ck_assert_uint_eq(world.n_got, 64);
    ck_assert_uint_eq(world.got[63], 64);
}
END_TEST

START_TEST(who_wants_the_same_record_in_the_same_turn_joins)
{
    for (size_t i = 0; i < 100; i++)
        line_up(i, 7, 1);
    ck_assert_uint_eq(world.n_asked, 1);
    turn();
    line_up(100, 7, 1); /* what is being read may be older than what woke this one */
    ck_assert_uint_eq(world.n_asked, 2);
    answer(NULL);
    ck_assert_uint_eq(world.n_got, 100);
    answer(NULL);
    ck_assert_uint_eq(world.n_got, 101);
}
END_TEST

/* None is lost, none comes twice; a record is read for hundreds, and few wait for an answer. */
START_TEST(ten_thousand_have_their_turn)
{
    size_t most = 0;

    for (size_t i = 0; i < MANY; i++)
        line_up(i, 7, 1);
    ck_assert_uint_le(world.n_asked, 4);
    while (world.n_answered < world.n_asked) {
        size_t before = world.n_got;

        turn();
        answer(NULL);
        most = MAX(most, world.n_got - before);
    }
    ck_assert_uint_eq(world.n_got, MANY);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(world.got[i], 7);
    ck_assert_uint_le(world.n_asked, 32);
    ck_assert_uint_le(most, 1024);
}
END_TEST

START_TEST(those_behind_are_read_together)
{
    for (size_t i = 0; i < 1000; i++)
        line_up(i, i + 1, 1);
    while (world.n_answered < world.n_asked)
        answer(NULL);
    ck_assert_uint_eq(world.n_got, 1000);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(world.got[i], i + 1);
    ck_assert_uint_eq(world.asked[world.n_asked - 2].n, 128);
}
END_TEST

START_TEST(one_that_wants_many_is_read_by_itself)
{
    line_up(0, 1, 1);
    line_up(1, 100, 3000); /* more than is read at a time */
    line_up(4000, 3, 1);
    line_up(4001, 3, 1);
    line_up(4002, 3, 2);
    line_up(4004, 4, 1);
    ck_assert_uint_eq(world.n_asked, 1);
    answer(NULL);
    ck_assert_uint_eq(world.n_asked, 2);
    ck_assert_uint_eq(world.asked[1].n, 3000);
    answer(NULL);
    ck_assert_uint_eq(world.asked[2].n, 3); /* 3 for two of them, 3 and 4, and 4 is at hand */
    answer(NULL);
    ck_assert_uint_eq(world.n_got, 6);
    ck_assert_uint_eq(world.got[4004], 4);
}
END_TEST

START_TEST(who_leaves_the_line_is_not_called)
{
    for (size_t i = 0; i < 3000; i++)
        line_up(i, 7, 1);
    ck_assert_int_eq(world.wakes[2999].state, WAKE_LINED_UP);
    ck_assert(wake_leave(world.srv.wakes, &world.wakes[2999]));
    ck_assert(!wake_leave(world.srv.wakes, &world.wakes[0]));
    while (world.n_answered < world.n_asked)
        answer(NULL);
    ck_assert_uint_eq(world.n_got, 2999);
    ck_assert_uint_eq(world.got[2999], 0);
    ck_assert(wake_leave(world.srv.wakes, &world.wakes[0]));
}
END_TEST

START_TEST(all_of_a_call_that_fails_are_told)
{
    static const struct aw_error err = {AW_ERR_STORE, 0, "a damaged page"};

    for (size_t i = 0; i < 10; i++)
        line_up(i, 7, 1);
    answer(&err);
    ck_assert_uint_eq(world.n_got, 10);
    ck_assert_int_eq(world.err, AW_ERR_STORE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wakes");
    TCase *tc = tcase_create("wakes");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, one_alone_is_read_at_once);
    tcase_add_test(tc, others_are_read_at_once_beside_it);
    tcase_add_test(tc, who_wants_the_same_record_in_the_same_turn_joins);
    tcase_add_test(tc, ten_thousand_have_their_turn);
    tcase_add_test(tc, those_behind_are_read_together);
    tcase_add_test(tc, one_that_wants_many_is_read_by_itself);
    tcase_add_test(tc, who_leaves_the_line_is_not_called);
    tcase_add_test(tc, all_of_a_call_that_fails_are_told);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
