/* The engine's contract: what each user has, may have, and gets a turn with. */
#include <stdio.h>

#include "tests/unit/engine_contract.h"

#define ANN 40001 /* nobody who runs tests, so that limits hold for them */
#define BOB 40002

static void limit(struct user_limits user)
{
    rig.limits.user = user;
    rig_reopen();
}

static struct answer *submit_as(uint32_t uid, struct want want)
{
    want.uid = uid;
    return rig_submit(&want, 1);
}

static uint64_t queue_as(uint32_t uid, struct want want)
{
    want.uid = uid;
    return rig_queue(want);
}

/* Refused, because of that limit, and with a time after which to try again. */
static void assert_quota(const struct answer *r, const char *who, const char *key)
{
    ck_assert_err(r, AW_ERR_QUOTA);
    ck_assert_msg(strstr(r->err.text, who), "%s", r->err.text);
    ck_assert_msg(strstr(r->err.text, key), "%s", r->err.text);
    ck_assert_uint_ge(r->err.retry_after_ms, 100);
    ck_assert_uint_le(r->err.retry_after_ms, 60000);
}

struct search {
    uint32_t uid;
    struct engine_user found;
    size_t n;
};

static void look(void *arg, const struct engine_user *user)
{
    struct search *search = arg;

    if (user->uid != search->uid)
        return;
    search->found = *user;
    search->n++;
}

/* What a user has; zeroed: they are not on the list. */
static struct engine_user has(uint32_t uid)
{
    struct search search = {.uid = uid};

    engine_users(rig.e, look, &search);
    ck_assert_uint_le(search.n, 1);
    return search.found;
}

static void assert_has(uint32_t uid, uint64_t waiting, uint64_t running, uint64_t kept,
                       uint64_t sets)
{
    struct engine_user user = has(uid);

    ck_assert_uint_eq(user.waiting, waiting);
    ck_assert_uint_eq(user.running, running);
    ck_assert_uint_eq(user.kept, kept);
    ck_assert_uint_eq(user.sets, sets);
}

/* ---- Turns ---------------------------------------------------------------------------------- */

#define SLOTS 4

/* Ann's jobs never end, Bob's do at once: still, all of Bob's have run soon. */
static void take_turns(size_t n_bob)
{
    size_t n_running = 0;

    for (size_t done = 0, rounds = 0; done < n_bob; rounds++) {
        struct answer *r = rig_claim(SLOTS - n_running);

        ck_assert_ok(r);
        ck_assert_uint_le(rounds, n_bob + SLOTS);
        for (size_t i = 0; i < r->n; i++) {
            if (r->claims[i].uid == BOB) {
                rig_exit(&r->claims[i], 0);
                done++;
            } else {
                n_running++;
            }
        }
        ck_assert_uint_lt(n_running, SLOTS);
    }
}

START_TEST(short_jobs_of_one_user_do_not_wait_for_thousands_of_another)
{
    struct want many[500];

    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = WANT(.name = "long", .uid = ANN);
    for (int i = 0; i < 4; i++)
        ck_assert_ok(rig_submit(many, ARRAY_SIZE(many)));
    for (int i = 0; i < 10; i++)
        queue_as(BOB, WANT(.name = "short"));
    take_turns(10);
}
END_TEST

START_TEST(turns_are_taken_after_a_restart_too)
{
    struct want many[500];

    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = WANT(.name = "long", .uid = ANN);
    for (int i = 0; i < 4; i++)
        ck_assert_ok(rig_submit(many, ARRAY_SIZE(many)));
    for (int i = 0; i < 10; i++)
        queue_as(BOB, WANT(.name = "short"));
    rig_reopen();
    take_turns(10);
}
END_TEST

/* ---- Jobs ----------------------------------------------------------------------------------- */

START_TEST(a_user_has_so_many_jobs_and_no_more)
{
    uint64_t first, known;
    struct answer *r;

    limit((struct user_limits){.max_queued = 3});
    first = queue_as(ANN, WANT(.name = "x"));
    known = queue_as(ANN, WANT(.key = "k"));
    queue_as(ANN, WANT(.delay_ms = 3600 * 1000));
    assert_quota(submit_as(ANN, WANT(.name = "x")), "user 40001 has 3 jobs", "max_user_queued");
    r = submit_as(ANN, WANT(.key = "k"));
    ck_assert_ok(r);
    ck_assert_uint_eq(r->submitted[0].number, known);
    for (int i = 0; i < 3; i++)
        queue_as(BOB, WANT(.name = "x"));
    rig_reopen();
    assert_quota(submit_as(ANN, WANT(.name = "x")), "user 40001", "max_user_queued");
    ck_assert_ok(rig_cancel(&first, 1, -1));
    queue_as(ANN, WANT(.name = "x"));
    assert_quota(submit_as(ANN, WANT(.name = "x")), "user 40001", "max_user_queued");
    assert_quota(submit_as(BOB, WANT(.name = "x")), "user 40002", "max_user_queued");
}
END_TEST

START_TEST(jobs_on_their_way_count)
{
    struct want want = WANT(.name = "x", .uid = ANN);
    struct answer *replies[4];

    limit((struct user_limits){.max_queued = 2});
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        replies[i] = start_submit(&want, 1);
    rig_await(replies[3]);
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        ck_assert_err(replies[i], i < 2 ? AW_OK : AW_ERR_QUOTA);
}
END_TEST

START_TEST(root_and_the_engines_own_user_have_no_limits)
{
    limit((struct user_limits){1, 1, 1, 1, 1});
    ck_assert_uint_eq(engine_user_limits(rig.e, ANN).max_queued, 1);
    for (int i = 0; i < 3; i++) {
        queue_as(0, WANT(.name = "x"));
        queue_as(geteuid(), WANT(.name = "x"));
    }
    ck_assert_uint_eq(engine_user_limits(rig.e, 0).max_queued, 0);
    ck_assert_ok(rig_set_add("a", NULL, 0));
    ck_assert_ok(rig_set_add("b", NULL, 0));
}
END_TEST

START_TEST(a_user_waits_for_so_many_and_no_more)
{
    uint64_t a, b;
    struct parent both[2];

    limit((struct user_limits){.max_dependencies = 3});
    a = queue_as(ANN, WANT(.name = "a"));
    b = queue_as(ANN, WANT(.name = "b"));
    both[0] = (struct parent){a, PARENT_ENDED};
    both[1] = (struct parent){b, PARENT_ENDED};
    queue_as(ANN, WANT(.parents = both, .n_parents = 2));
    assert_quota(submit_as(ANN, WANT(.parents = both, .n_parents = 2)), "user 40001",
                 "max_user_dependencies");
    queue_as(ANN, WANT(.parents = both, .n_parents = 1));
    rig_reopen();
    assert_quota(submit_as(ANN, WANT(.parents = both, .n_parents = 1)), "user 40001",
                 "max_user_dependencies");
    queue_as(ANN, WANT(.name = "x"));
    ck_assert_ok(rig_cancel(&b, 1, -1));
    while (rig_why(a + 2).n_parents > 1)
        rig_turn();
    queue_as(ANN, WANT(.parents = both, .n_parents = 1));
}
END_TEST

/* ---- Records -------------------------------------------------------------------------------- */

static uint64_t end_one(uint32_t uid, struct outcome outcome)
{
    uint64_t number = queue_as(uid, WANT(.name = "x"));
    struct claimed c = rig_claim_one();

    ck_assert_ok(rig_finish(&c, &outcome));
    return number;
}

START_TEST(of_a_user_with_too_many_records_the_oldest_go)
{
    uint64_t ann[6], bob = end_one(BOB, outcome_exit(0));

    limit((struct user_limits){.max_kept = 2});
    for (size_t i = 0; i < ARRAY_SIZE(ann); i++)
        ann[i] = end_one(ANN, outcome_exit(0));
    for (size_t i = 0; i < 4; i++)
        rig_await_note(NOTE_GONE, ann[i]);
    ck_assert_int_eq(rig_lookup(ann[3]), AW_ERR_EXPIRED_ID);
    ck_assert_int_eq(rig_lookup(ann[4]), AW_OK);
    ck_assert_int_eq(rig_lookup(bob), AW_OK);
    assert_has(ANN, 0, 0, 2, 0);
    assert_has(BOB, 0, 0, 1, 0);
}
END_TEST

START_TEST(a_limit_that_comes_later_holds_for_what_is_there)
{
    uint64_t ann[3];

    for (size_t i = 0; i < ARRAY_SIZE(ann); i++)
        ann[i] = end_one(ANN, outcome_exit(0));
    limit((struct user_limits){.max_kept = 1});
    rig_await_note(NOTE_GONE, ann[1]);
    ck_assert_int_eq(rig_lookup(ann[0]), AW_ERR_EXPIRED_ID);
    ck_assert_int_eq(rig_lookup(ann[2]), AW_OK);
}
END_TEST

/* One that wrote so many bytes, into a spool file. */
static struct outcome wrote(uint64_t n)
{
    struct outcome o = outcome_exit(0);

    o.output[STREAM_STDOUT] = (struct output){.size = n, .spooled = true};
    return o;
}

START_TEST(output_counts_and_old_records_make_room_for_it)
{
    uint64_t ann[3], bob = end_one(BOB, wrote(100000));

    limit((struct user_limits){.max_bytes = 250000});
    for (size_t i = 0; i < ARRAY_SIZE(ann); i++)
        ann[i] = end_one(ANN, wrote(100000));
    ck_assert(rig_await_note(NOTE_GONE, ann[0])->gone.spooled);
    ck_assert_int_eq(rig_lookup(ann[1]), AW_OK);
    ck_assert_int_eq(rig_lookup(bob), AW_OK);
    ck_assert_uint_ge(has(ANN).bytes, 200000);
    ck_assert_uint_le(has(ANN).bytes, 250000);
    rig_reopen();
    ck_assert_uint_ge(has(ANN).bytes, 200000);
    ck_assert_uint_ge(has(BOB).bytes, 100000);
}
END_TEST

START_TEST(earlier_attempts_count_until_their_job_goes)
{
    uint64_t number = queue_as(ANN, WANT(.name = "x", .max_attempts = 2, .backoff_ms = 1));
    struct claimed c = rig_claim_one();
    struct outcome o = wrote(70000);

    o.exit_code = 1;
    o.class = AW_CLASS_EXIT;
    ck_assert_ok(rig_finish(&c, &o));
    ck_assert_uint_ge(has(ANN).bytes, 70000);
    ck_assert_ok(rig_cancel(&number, 1, -1));
    ck_assert_uint_ge(has(ANN).bytes, 70000);
    ck_assert_ok(rig_forget(&number, 1));
    ck_assert_uint_eq(has(ANN).bytes, 0);
}
END_TEST

/* With it a specification takes between 121 and 200 bytes. */
static const char *long_name(void)
{
    static char name[121];

    memset(name, 'n', sizeof(name) - 1);
    return name;
}

START_TEST(a_submit_finds_room_that_old_records_make)
{
    uint64_t old = end_one(ANN, wrote(190));
    struct answer *r;

    limit((struct user_limits){.max_bytes = 240});
    r = submit_as(ANN, WANT(.name = long_name()));
    ck_assert_ok(r);
    ck_assert_int_eq(rig_lookup(old), AW_ERR_EXPIRED_ID);
    assert_quota(submit_as(ANN, WANT(.name = long_name())), "user 40001", "max_user_bytes");
    queue_as(BOB, WANT(.name = long_name()));
    ck_assert_ok(rig_cancel(&r->submitted[0].number, 1, -1));
    queue_as(ANN, WANT(.name = long_name()));
    ck_assert_int_eq(rig_lookup(r->submitted[0].number), AW_ERR_EXPIRED_ID);
}
END_TEST

START_TEST(what_there_is_never_room_for_is_not_to_be_tried_again)
{
    struct answer *r;

    limit((struct user_limits){.max_bytes = 120});
    r = submit_as(ANN, WANT(.name = long_name()));
    ck_assert_err(r, AW_ERR_LIMIT);
    ck_assert_uint_eq(r->err.retry_after_ms, 0);
}
END_TEST

START_TEST(all_users_together_have_so_many_bytes)
{
    uint64_t old = end_one(BOB, wrote(190));
    struct answer *r;

    rig.limits.max_bytes = 240;
    rig_reopen();
    queue_as(ANN, WANT(.name = long_name()));
    ck_assert_int_eq(rig_lookup(old), AW_ERR_EXPIRED_ID);
    r = submit_as(0, WANT(.name = long_name()));
    ck_assert_err(r, AW_ERR_QUEUE_FULL);
    ck_assert_msg(strstr(r->err.text, "max_bytes"), "%s", r->err.text);
    ck_assert_uint_ge(r->err.retry_after_ms, 100);
}
END_TEST

/* ---- Sets ----------------------------------------------------------------------------------- */

START_TEST(a_user_has_so_many_sets_and_no_more)
{
    struct set_add two = {.uid = ANN, .name = bytes_str("two")}, none = {.uid = ANN};
    struct answer *r;

    limit((struct user_limits){.max_sets = 2});
    ck_assert_ok(rig_set_make((struct set_add){.uid = ANN, .name = bytes_str("one")}));
    ck_assert_ok(rig_set_make(none));
    r = rig_set_make(two);
    ck_assert_err(r, AW_ERR_QUOTA);
    ck_assert_msg(strstr(r->err.text, "user 40001 has 2 sets"), "%s", r->err.text);
    ck_assert_msg(strstr(r->err.text, "max_user_sets"), "%s", r->err.text);
    ck_assert_err(submit_as(ANN, WANT(.set = "two")), AW_ERR_QUOTA);
    ck_assert_ok(submit_as(ANN, WANT(.set = "one")));
    ck_assert_ok(submit_as(BOB, WANT(.set = "two")));
    assert_has(ANN, 1, 0, 0, 2);
    rig_reopen();
    assert_has(ANN, 1, 0, 0, 2);
    ck_assert_err(rig_set_make(none), AW_ERR_QUOTA);
}
END_TEST

START_TEST(a_job_is_in_so_many_sets_and_in_no_more)
{
    uint64_t number = rig_queue(WANT(.key = "k"));
    struct answer *r, *last = NULL;
    struct claimed c;
    char name[32];

    for (int i = 0; i < AW_MAX_SETS_OF_JOB; i++) {
        snprintf(name, sizeof(name), "set%d", i);
        last = start_set_add((struct set_add){.name = bytes_str(name), .numbers = &number, .n = 1});
    }
    rig_await(last);
    ck_assert_ok(last);
    r = rig_set_add("more", &number, 1);
    ck_assert_ok(r);
    ck_assert_int_eq(r->results[0].err, AW_ERR_LIMIT);
    ck_assert_uint_eq(rig_set_status("more").n_members, 0);
    ck_assert_err(rig_submit(&WANT(.key = "k", .set = "more"), 1), AW_ERR_LIMIT);
    ck_assert_ok(rig_submit(&WANT(.key = "k", .set = "set7"), 1));
    ck_assert_int_eq(rig_set_add("set8", &number, 1)->results[0].err, AW_OK);
    ck_assert_ok(rig_set_forget("set9"));
    ck_assert_ok(rig_submit(&WANT(.key = "k", .set = "more"), 1));
    c = rig_claim_one();
    rig_exit(&c, 0);
    ck_assert_uint_eq(rig_set_status("more").n_ended, 1);
    ck_assert_uint_eq(rig_set_status("set0").n_ended, 1);
}
END_TEST

/* ---- The list ------------------------------------------------------------------------------- */

START_TEST(what_users_have_is_told_also_after_a_restart)
{
    uint64_t number = queue_as(ANN, WANT(.name = "x"));
    struct claimed c;

    queue_as(ANN, WANT(.delay_ms = 3600 * 1000, .set = "s"));
    assert_has(ANN, 2, 0, 0, 1);
    ck_assert_uint_gt(has(ANN).bytes, 0);
    c = rig_claim_one();
    ck_assert_uint_eq(c.number, number);
    assert_has(ANN, 1, 1, 0, 1);
    rig_reopen();
    assert_has(ANN, 1, 1, 0, 1);
    ck_assert_ok(rig_recover());
    rig_exit(&c, 0);
    assert_has(ANN, 1, 0, 1, 1);
    rig_reopen();
    assert_has(ANN, 1, 0, 1, 1);
}
END_TEST

START_TEST(who_has_nothing_left_is_not_on_the_list)
{
    uint64_t number = end_one(ANN, outcome_exit(0));

    assert_has(ANN, 0, 0, 1, 0);
    ck_assert_ok(rig_forget(&number, 1));
    ck_assert_uint_eq(has(ANN).uid, 0);
    rig_reopen();
    ck_assert_uint_eq(has(ANN).uid, 0);
}
END_TEST

void contract_users_add(TCase *tc)
{
    tcase_add_test(tc, short_jobs_of_one_user_do_not_wait_for_thousands_of_another);
    tcase_add_test(tc, turns_are_taken_after_a_restart_too);
    tcase_add_test(tc, a_user_has_so_many_jobs_and_no_more);
    tcase_add_test(tc, jobs_on_their_way_count);
    tcase_add_test(tc, root_and_the_engines_own_user_have_no_limits);
    tcase_add_test(tc, a_user_waits_for_so_many_and_no_more);
    tcase_add_test(tc, of_a_user_with_too_many_records_the_oldest_go);
    tcase_add_test(tc, a_limit_that_comes_later_holds_for_what_is_there);
    tcase_add_test(tc, output_counts_and_old_records_make_room_for_it);
    tcase_add_test(tc, earlier_attempts_count_until_their_job_goes);
    tcase_add_test(tc, a_submit_finds_room_that_old_records_make);
    tcase_add_test(tc, what_there_is_never_room_for_is_not_to_be_tried_again);
    tcase_add_test(tc, all_users_together_have_so_many_bytes);
    tcase_add_test(tc, a_user_has_so_many_sets_and_no_more);
    tcase_add_test(tc, a_job_is_in_so_many_sets_and_in_no_more);
    tcase_add_test(tc, what_users_have_is_told_also_after_a_restart);
    tcase_add_test(tc, who_has_nothing_left_is_not_on_the_list);
}
