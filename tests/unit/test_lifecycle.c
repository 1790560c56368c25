#include "tests/unit/unit.h"

#include "proto/lifecycle.h"

/*
 * The whole table once more, as a picture that was drawn by hand: rows are states, columns events,
 * a letter is the state that follows, a dot means impossible. Both have to be changed on purpose.
 */
static const char picture[N_JOB_STATES][N_JOB_EVENTS + 1] = {
    /*  due, unblocked, defer, claim, release, backoff, succeed, fail, expire, cancel */
    [AW_SCHEDULED] = "q.......fc", [AW_BLOCKED] = ".qd....ffc",   [AW_QUEUED] = "...r....fc",
    [AW_RUNNING] = "....qdsf.c",   [AW_SUCCEEDED] = "..........", [AW_FAILED] = "..........",
    [AW_CANCELLED] = "..........",
};

static enum aw_state state_of(char letter)
{
    switch (letter) {
    case 'q':
        return AW_QUEUED;
    case 'r':
        return AW_RUNNING;
    case 'd':
        return AW_SCHEDULED;
    case 's':
        return AW_SUCCEEDED;
    case 'f':
        return AW_FAILED;
    case 'c':
        return AW_CANCELLED;
    }
    ck_abort_msg("the picture holds a '%c'", letter);
}

START_TEST(every_event_in_every_state_does_what_the_picture_says)
{
    for (int state = 0; state < N_JOB_STATES; state++)
        for (int event = 0; event < N_JOB_EVENTS; event++) {
            enum aw_state to = (enum aw_state)99;
            bool possible = job_transition((enum aw_state)state, (enum job_event)event, &to);
            char want = picture[state][event];

            ck_assert_msg(possible == (want != '.'), "%s in %s", job_event_name(event),
                          aw_state_name(state));
            ck_assert_int_eq(to, possible ? state_of(want) : (enum aw_state)99);
        }
}
END_TEST

START_TEST(nothing_leaves_a_final_state)
{
    for (int state = 0; state < N_JOB_STATES; state++)
        for (int event = 0; event < N_JOB_EVENTS; event++) {
            enum aw_state to;

            if (aw_state_is_final((enum aw_state)state))
                ck_assert(!job_transition((enum aw_state)state, (enum job_event)event, &to));
        }
}
END_TEST

START_TEST(whatever_has_not_ended_can_be_cancelled)
{
    for (int state = 0; state < N_JOB_STATES; state++) {
        enum aw_state to = AW_QUEUED;

        if (aw_state_is_final((enum aw_state)state))
            continue;
        ck_assert(job_transition((enum aw_state)state, JOB_EV_CANCEL, &to));
        ck_assert_int_eq(to, AW_CANCELLED);
    }
}
END_TEST

START_TEST(only_a_claim_makes_a_job_run)
{
    for (int state = 0; state < N_JOB_STATES; state++)
        for (int event = 0; event < N_JOB_EVENTS; event++) {
            enum aw_state to;

            if (job_transition((enum aw_state)state, (enum job_event)event, &to) &&
                to == AW_RUNNING)
                ck_assert_int_eq(event, JOB_EV_CLAIM);
        }
}
END_TEST

START_TEST(numbers_outside_the_tables_are_impossible)
{
    enum aw_state to = AW_RUNNING;

    ck_assert(!job_transition((enum aw_state)N_JOB_STATES, JOB_EV_CANCEL, &to));
    ck_assert(!job_transition((enum aw_state) - 1, JOB_EV_CANCEL, &to));
    ck_assert(!job_transition(AW_QUEUED, N_JOB_EVENTS, &to));
    ck_assert(!job_transition(AW_QUEUED, (enum job_event) - 1, &to));
    ck_assert_int_eq(to, AW_RUNNING);
}
END_TEST

START_TEST(every_event_has_a_name_of_its_own)
{
    for (int i = 0; i < N_JOB_EVENTS; i++) {
        ck_assert_str_ne(job_event_name((enum job_event)i), "?");
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(job_event_name((enum job_event)i), job_event_name((enum job_event)j));
    }
    ck_assert_str_eq(job_event_name(N_JOB_EVENTS), "?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *tc = tcase_create("the transition table");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, every_event_in_every_state_does_what_the_picture_says);
    tcase_add_test(tc, nothing_leaves_a_final_state);
    tcase_add_test(tc, whatever_has_not_ended_can_be_cancelled);
    tcase_add_test(tc, only_a_claim_makes_a_job_run);
    tcase_add_test(tc, numbers_outside_the_tables_are_impossible);
    tcase_add_test(tc, every_event_has_a_name_of_its_own);
    return unit_run(suite);
}
