/* Shares: what one user may have, and that users do not stand in each other's way. */
#include "daemon/share.h"

#include "tests/unit/unit.h"

#define KIB     1024u
#define A_USER  4001u
#define ANOTHER 4002u

static struct shares *shares;
static unsigned n_rooms; /* calls of on_room() */

static void on_room(void *arg)
{
    (void)arg;
    n_rooms++;
}

static void start(size_t max_memory, unsigned max_connections)
{
    const struct shares_config config = {max_memory, max_connections};

    n_rooms = 0;
    shares = shares_new(&config, on_room, NULL);
    ck_assert_ptr_nonnull(shares);
}

START_TEST(a_user_has_no_more_connections_than_allowed)
{
    struct share_member m[5] = {0};

    start(0, 2);
    ck_assert(share_join(shares, A_USER, &m[0]));
    ck_assert(share_join(shares, A_USER, &m[1]));
    ck_assert(!share_join(shares, A_USER, &m[2]));
    ck_assert(share_join(shares, ANOTHER, &m[3]));
    share_leave(&m[0]);
    ck_assert(share_join(shares, A_USER, &m[2]));
    for (int i = 0; i < 5; i++)
        share_leave(&m[i]);
    shares_free(shares);
}
END_TEST

START_TEST(root_and_the_daemons_user_have_any_number)
{
    struct share_member m[4] = {0};

    start(0, 1);
    for (int i = 0; i < 4; i++)
        ck_assert(share_join(shares, i % 2 ? 0 : geteuid(), &m[i]));
    for (int i = 0; i < 4; i++)
        share_leave(&m[i]);
    shares_free(shares);
}
END_TEST

START_TEST(who_has_most_memory_is_named_when_all_have_too_much)
{
    struct share_member m[3] = {0};

    start(200 * KIB, 0); /* half of it is for connections */
    for (int i = 0; i < 3; i++)
        ck_assert(share_join(shares, i < 2 ? A_USER : ANOTHER, &m[i]));
    share_resize(&m[0], 40 * KIB);
    share_resize(&m[1], 60 * KIB);
    share_resize(&m[2], 100 * KIB);
    ck_assert_ptr_null(share_excess(m[0].share));
    ck_assert_ptr_null(share_excess(m[2].share));
    share_resize(&m[0], 41 * KIB);
    ck_assert_ptr_eq(share_excess(m[0].share), &m[1]);
    share_leave(&m[1]);
    ck_assert_ptr_null(share_excess(m[0].share));
    share_leave(&m[0]);
    share_leave(&m[2]);
    shares_free(shares);
}
END_TEST

/* A user's newcomer; but of strangers whoever has been one for longest. */
START_TEST(of_those_with_as_much_memory_one_is_named)
{
    struct share_member m[3] = {0};

    start(200 * KIB, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(share_join(shares, _i ? SHARE_UNKNOWN : A_USER, &m[i]));
        share_resize(&m[i], 40 * KIB);
    }
    ck_assert_ptr_eq(share_excess(m[0].share), &m[_i ? 0 : 2]);
    for (int i = 0; i < 3; i++)
        share_leave(&m[i]);
    shares_free(shares);
}
END_TEST

static void count_users(void *arg, const struct share_user *user)
{
    unsigned *n = arg;

    ck_assert_uint_eq(user->uid, UINT32_MAX);
    ++*n;
}

START_TEST(who_is_unknown_counts_with_nobody_who_is_known)
{
    struct share_member m[3] = {0};
    unsigned n = 0;

    start(0, 1);
    ck_assert(share_join(shares, UINT32_MAX, &m[0])); /* of no name, but he has said so */
    ck_assert(share_join(shares, SHARE_UNKNOWN, &m[1]));
    ck_assert(!share_join(shares, SHARE_UNKNOWN, &m[2]));
    ck_assert_ptr_ne(m[0].share, m[1].share);
    shares_each(shares, count_users, &n);
    ck_assert_uint_eq(n, 1);
    share_leave(&m[0]);
    share_leave(&m[1]);
    shares_free(shares);
}
END_TEST

START_TEST(requests_have_the_other_half_of_the_memory)
{
    struct share_member m = {0};
    struct share_hold one, two;

    start(200 * KIB, 0);
    ck_assert(share_join(shares, A_USER, &m));
    share_resize(&m, 100 * KIB);
    ck_assert(share_has_room(m.share, 500 * KIB)); /* a single one always has */
    share_begin(&one, m.share, 60 * KIB, 1);
    ck_assert(share_has_room(m.share, 40 * KIB));
    ck_assert(!share_has_room(m.share, 41 * KIB));
    share_begin(&two, m.share, 40 * KIB, 1);
    share_rest(&one); /* it has its memory still */
    ck_assert(!share_has_room(m.share, 1));
    share_end(&one);
    ck_assert(share_has_room(m.share, 60 * KIB));
    share_end(&two);
    share_leave(&m);
    shares_free(shares);
}
END_TEST

START_TEST(work_that_weighs_too_much_keeps_its_user_waiting_and_nobody_else)
{
    struct share_member m[2] = {0};
    struct share_hold heavy, light;

    start(0, 0);
    ck_assert(share_join(shares, A_USER, &m[0]));
    ck_assert(share_join(shares, ANOTHER, &m[1]));
    share_begin(&light, m[0].share, 1, 1);
    share_begin(&heavy, m[0].share, 1, SHARE_WORK);
    ck_assert(!share_may_take(m[0].share));
    ck_assert(share_may_take(m[1].share));
    share_line_up(&m[0]);
    ck_assert_uint_eq(n_rooms, 0);
    ck_assert_ptr_null(shares_next(shares, true));
    share_line_up(&m[1]);
    ck_assert_uint_eq(n_rooms, 1);
    ck_assert_ptr_eq(shares_next(shares, true), &m[1]);
    ck_assert_ptr_null(shares_next(shares, false));
    share_rest(&heavy); /* the first may go on as soon as there is room */
    ck_assert_uint_eq(n_rooms, 2);
    ck_assert_ptr_eq(shares_next(shares, true), &m[0]);
    ck_assert_ptr_null(shares_next(shares, false));
    share_end(&heavy);
    share_end(&light);
    share_leave(&m[0]);
    share_leave(&m[1]);
    shares_free(shares);
}
END_TEST

START_TEST(large_requests_in_work_keep_their_user_waiting)
{
    struct share_member m = {0};
    struct share_hold hold;

    start(0, 0);
    ck_assert(share_join(shares, A_USER, &m));
    share_begin(&hold, m.share, SHARE_WORK_BYTES, 1);
    ck_assert(!share_may_take(m.share));
    share_rest(&hold);
    ck_assert(share_may_take(m.share));
    share_end(&hold);
    share_leave(&m);
    shares_free(shares);
}
END_TEST

START_TEST(who_has_had_his_turn_goes_on_in_the_next)
{
    struct share_member m[3] = {0};

    start(0, 0);
    for (int i = 0; i < 3; i++)
        ck_assert(share_join(shares, i < 2 ? A_USER : ANOTHER, &m[i]));
    for (int i = 0; i < SHARE_TURN; i++) {
        ck_assert(share_may_take(m[0].share));
        share_took(m[0].share, 1);
    }
    ck_assert(!share_may_take(m[0].share));
    ck_assert(share_may_take(m[2].share));
    for (int i = 0; i < 3; i++)
        share_line_up(&m[i]);
    ck_assert_uint_gt(n_rooms, 0);
    ck_assert_ptr_eq(shares_next(shares, true), &m[0]); /* users in turn, each his first */
    ck_assert_ptr_eq(shares_next(shares, false), &m[2]);
    ck_assert_ptr_eq(shares_next(shares, false), &m[1]);
    ck_assert_ptr_null(shares_next(shares, false));
    for (int i = 0; i < 3; i++)
        share_leave(&m[i]);
    shares_free(shares);
}
END_TEST

START_TEST(those_whose_turn_is_used_up_are_not_forgotten)
{
    struct share_member m[2] = {0};

    start(0, 0);
    ck_assert(share_join(shares, A_USER, &m[0]));
    ck_assert(share_join(shares, A_USER, &m[1]));
    share_line_up(&m[0]);
    share_line_up(&m[1]);
    share_line_up(&m[1]); /* once is enough */
    ck_assert_ptr_eq(shares_next(shares, true), &m[0]);
    share_took(m[0].share, SHARE_TURN);
    n_rooms = 0;
    ck_assert_ptr_null(shares_next(shares, false));
    ck_assert_uint_gt(n_rooms, 0);
    ck_assert_ptr_eq(shares_next(shares, true), &m[1]);
    ck_assert_ptr_null(shares_next(shares, false));
    share_leave(&m[0]);
    share_leave(&m[1]);
    shares_free(shares);
}
END_TEST

START_TEST(a_request_may_outlive_its_connection_and_the_endpoint)
{
    struct share_member m[2] = {0};
    struct share_hold hold, late;

    start(200 * KIB, 0);
    ck_assert(share_join(shares, A_USER, &m[0]));
    share_begin(&hold, m[0].share, 90 * KIB, SHARE_WORK);
    share_begin(&late, m[0].share, KIB, 1);
    share_leave(&m[0]);
    ck_assert(share_join(shares, A_USER, &m[1])); /* what went on is still his */
    ck_assert(!share_may_take(m[1].share));
    ck_assert(!share_has_room(m[1].share, 10 * KIB));
    share_line_up(&m[1]);
    share_end(&hold);
    ck_assert_uint_eq(n_rooms, 1);
    share_leave(&m[1]);
    shares_free(shares);
    share_end(&late);
    share_end(&late); /* over already */
}
END_TEST

START_TEST(requests_of_nobody_are_not_counted)
{
    struct share_hold hold;

    share_begin(&hold, NULL, 1, 1);
    ck_assert(share_has_room(NULL, SIZE_MAX));
    share_rest(&hold);
    share_end(&hold);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("share");
    TCase *t = tcase_create("share");

    tcase_add_test(t, a_user_has_no_more_connections_than_allowed);
    tcase_add_test(t, root_and_the_daemons_user_have_any_number);
    tcase_add_test(t, who_has_most_memory_is_named_when_all_have_too_much);
    tcase_add_loop_test(t, of_those_with_as_much_memory_one_is_named, 0, 2);
    tcase_add_test(t, who_is_unknown_counts_with_nobody_who_is_known);
    tcase_add_test(t, requests_have_the_other_half_of_the_memory);
    tcase_add_test(t, work_that_weighs_too_much_keeps_its_user_waiting_and_nobody_else);
    tcase_add_test(t, large_requests_in_work_keep_their_user_waiting);
    tcase_add_test(t, who_has_had_his_turn_goes_on_in_the_next);
    tcase_add_test(t, those_whose_turn_is_used_up_are_not_forgotten);
    tcase_add_test(t, a_request_may_outlive_its_connection_and_the_endpoint);
    tcase_add_test(t, requests_of_nobody_are_not_counted);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
