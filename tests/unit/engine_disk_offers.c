/* The embedded engine: slots that are offered to what is submitted, also on a disk that is full. */
#include "tests/unit/engine_disk.h"

#include "tests/unit/faulty_vfs.h"

#define N_ENDS 32

static struct offered {
    struct engine_offer offer;
    int times;
    uint64_t claims[8], numbers[8];
    size_t n;
    size_t n_notes; /* of the rig, when it was called */
} offered;

static void on_offered(void *arg, const struct aw_error *err, const struct claimed *claims,
                       size_t n)
{
    ck_assert_ptr_eq(arg, &offered);
    ck_assert(!err || n == 0);
    offered.times++;
    offered.n_notes = rig.n_notes;
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(claims[i].attempt, 1);
        ck_assert_uint_gt(claims[i].spec.len, 0);
        ck_assert(!claims[i].own_slot);
        offered.numbers[offered.n] = claims[i].number;
        offered.claims[offered.n++] = claims[i].claim;
    }
}

static void offer(size_t slots)
{
    offered = (struct offered){.offer = {slots, 0, on_offered, &offered}};
    engine_offer(rig.e, &offered.offer);
}

/* Submits, and sees to it that everything which that may have begun is over. */
static struct answer *submit(struct want want)
{
    struct answer *r = rig_submit(&want, 1);

    while (offered.offer.n_taken)
        rig_turn();
    return r;
}

START_TEST(one_that_finds_a_free_slot_is_claimed_in_one_commit)
{
    struct claimed c = {.attempt = 1};
    struct answer *r;
    uint64_t commits;

    rig_await_first_look();
    commits = rig_stats().commits;
    offer(2);
    r = submit(WANT(.name = "a"));
    ck_assert_ok(r);
    ck_assert_uint_eq(rig_stats().commits, commits + 1);
    ck_assert_uint_eq(offered.n, 1);
    ck_assert_uint_eq(offered.numbers[0], r->submitted[0].number);
    ck_assert_uint_gt(offered.n_notes, (size_t)rig_reply_at(r));
    ck_assert_int_eq(rig_note_at(NOTE_RUNNABLE, 0), -1);
    ck_assert_state(offered.numbers[0], AW_RUNNING);
    ck_assert_uint_eq(rig_claim(5)->n, 0);
    c.number = offered.numbers[0];
    c.claim = offered.claims[0];
    rig_exit(&c, 0);
    ck_assert_state(c.number, AW_SUCCEEDED);
}
END_TEST

START_TEST(one_that_runs_by_an_offer_is_recovered_after_a_restart)
{
    struct answer *r;

    offer(1);
    submit(WANT(.name = "a"));
    rig_reopen();
    r = rig_recover();
    ck_assert_uint_eq(r->n, 1);
    ck_assert_uint_eq(r->claims[0].number, offered.numbers[0]);
    ck_assert_uint_eq(r->claims[0].claim, offered.claims[0]);
}
END_TEST

START_TEST(who_waits_already_is_not_overtaken)
{
    uint64_t numbers[2];

    numbers[0] = rig_queue(WANT(.priority = -5));
    offer(2);
    numbers[1] = submit(WANT(.priority = 5))->submitted[0].number;
    ck_assert_int_eq(offered.times, 0);
    rig_assert_claims(rig_claim(5), (uint64_t[]){numbers[1], numbers[0]}, 2);
}
END_TEST

START_TEST(nor_is_who_is_on_the_way)
{
    struct want want = {.name = "a"};
    struct answer *first, *second;

    offer(0);
    faulty_vfs_hold();
    first = start_submit(&want, 1);
    disk_await_held();
    offered.offer.slots = 1;
    second = start_submit(&want, 1);
    faulty_vfs_go();
    rig_await(second);
    ck_assert_uint_eq(offered.offer.n_taken, 0);
    rig_assert_claims(rig_claim(1), &first->submitted[0].number, 1);
}
END_TEST

START_TEST(no_slot_is_given_twice)
{
    struct want want = {.name = "a"};
    struct answer *first, *second, *claim;

    offer(1);
    faulty_vfs_hold();
    first = start_submit(&want, 1);
    disk_await_held();
    ck_assert_uint_eq(offered.offer.n_taken, 1);
    second = start_submit(&want, 1);
    ck_assert_uint_eq(offered.offer.n_taken, 1);
    faulty_vfs_go();
    rig_await(second);
    ck_assert_uint_eq(offered.n, 1);
    ck_assert_uint_eq(offered.numbers[0], first->submitted[0].number);
    offered.offer.slots = 2;
    faulty_vfs_hold();
    claim = start_claim(1);
    disk_await_held();
    offered.offer.slots = 1; /* as long as the claim is not answered, its slot is in it */
    start_submit(&want, 1);
    ck_assert_uint_eq(offered.offer.n_taken, 0);
    faulty_vfs_go();
    rig_await(claim);
    rig_assert_claims(claim, &second->submitted[0].number, 1);
}
END_TEST

START_TEST(a_submit_that_makes_no_job_takes_no_slot)
{
    struct claimed c;
    struct answer *r;

    rig_queue(WANT(.key = "k", .request = "0123456789abcdef"));
    c = rig_claim_one();
    offer(1);
    r = submit(WANT(.key = "k"));
    ck_assert(r->submitted[0].deduplicated);
    r = submit(WANT(.key = "k", .request = "0123456789abcdef"));
    ck_assert_uint_eq(r->submitted[0].number, c.number);
    ck_assert_int_eq(offered.times, 2);
    ck_assert_uint_eq(offered.n, 0);
    ck_assert_uint_eq(offered.offer.n_taken, 0);
    rig_exit(&c, 0);
    submit(WANT(.name = "next"));
    ck_assert_uint_eq(offered.n, 1);
}
END_TEST

START_TEST(one_that_must_wait_for_something_else_waits)
{
    uint64_t parent = rig_queue(WANT(.name = "parent"));
    struct claimed c = rig_claim_one();
    struct want three[] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};

    rig_queue_add("paused", QUEUE_CHANGE(to.paused = 1));
    rig_queue_add("limit", QUEUE_CHANGE(to.limit = 1));
    rig_queue_add("rate", QUEUE_CHANGE(to.rate = 1, to.rate_ms = 3600000));
    offer(2);
    ck_assert_ok(submit(WANT(.delay_ms = 3600000)));
    ck_assert_ok(submit(WANT(AFTER(parent, PARENT_SUCCEEDED))));
    ck_assert_ok(submit(WANT(.queue = "paused")));
    ck_assert_ok(submit(WANT(.queue = "limit")));
    ck_assert_uint_eq(rig_claim(5)->n, 1);
    ck_assert_ok(submit(WANT(.queue = "rate")));
    ck_assert_uint_eq(rig_claim(5)->n, 1);
    ck_assert_ok(rig_submit(three, 3)); /* the most urgent of them come first: by a claim */
    ck_assert_int_eq(offered.times, 0);
    ck_assert_uint_eq(rig_claim(5)->n, 3);
    rig_exit(&c, 0);
}
END_TEST

/* Each in a turn of the loop of its own: together they are only because they wait. */
START_TEST(ends_that_may_wait_are_recorded_together_and_at_once_when_asked_for)
{
    const struct outcome exit_0 = outcome_exit(0);
    uint64_t numbers[N_ENDS], commits;
    struct claimed claims[N_ENDS];
    struct answer *ends[N_ENDS];

    for (size_t i = 0; i < N_ENDS; i++) {
        numbers[i] = rig_queue(WANT(.name = "a"));
        claims[i] = rig_claim_one();
    }
    offer(0);
    offered.offer.ends_may_wait = true;
    commits = rig_stats().commits;
    for (size_t i = 0; i < N_ENDS - 1; i++) {
        ends[i] = start_finish(&claims[i], &exit_0);
        rig_turn_now();
    }
    rig_await(ends[N_ENDS - 2]); /* nothing else is asked of the engine */
    for (size_t i = 0; i < N_ENDS - 1; i++)
        ck_assert_ok(ends[i]);
    ck_assert_uint_lt(rig_stats().commits, commits + N_ENDS / 2);
    ends[N_ENDS - 1] = start_finish(&claims[N_ENDS - 1], &exit_0);
    for (size_t i = 0; i < N_ENDS; i++)
        ck_assert_state(numbers[i], AW_SUCCEEDED);
    ck_assert_ok(ends[N_ENDS - 1]);
}
END_TEST

/* Whatever of it finds room: what was accepted runs in the end, and no slot is lost. */
START_TEST(an_offer_on_a_full_disk_loses_neither_job_nor_slot)
{
    size_t n_accepted = 0, n_claimed = 0;

    for (int room = 0; room < 60000; room += 700) {
        struct answer *r;

        offer(1);
        faulty_vfs_set_room(room);
        r = submit(WANT(.name = "a"));
        faulty_vfs_set_room(-1);
        ck_assert_uint_eq(offered.offer.n_taken, 0);
        offered.offer.slots = 0;
        n_accepted += !r->err.code;
        n_claimed += offered.n;
        if (r->err.code) {
            ck_assert_err(r, AW_ERR_DISK_FULL);
            ck_assert_uint_eq(offered.n, 0);
        } else if (offered.n == 0) {
            rig_await_note(NOTE_RUNNABLE, 0);
            while (rig_claim(1)->n == 0)
                rig_turn();
            n_claimed++;
        }
        rig_forget_notes();
    }
    ck_assert_uint_gt(n_accepted, 0);
    ck_assert_uint_eq(n_accepted, n_claimed);
    ck_assert_uint_eq(rig_stats().live[AW_RUNNING], n_claimed);
}
END_TEST

void disk_offers_add(TCase *tc)
{
    tcase_add_test(tc, one_that_finds_a_free_slot_is_claimed_in_one_commit);
    tcase_add_test(tc, one_that_runs_by_an_offer_is_recovered_after_a_restart);
    tcase_add_test(tc, who_waits_already_is_not_overtaken);
    tcase_add_test(tc, nor_is_who_is_on_the_way);
    tcase_add_test(tc, no_slot_is_given_twice);
    tcase_add_test(tc, ends_that_may_wait_are_recorded_together_and_at_once_when_asked_for);
    tcase_add_test(tc, a_submit_that_makes_no_job_takes_no_slot);
    tcase_add_test(tc, one_that_must_wait_for_something_else_waits);
    tcase_add_test(tc, an_offer_on_a_full_disk_loses_neither_job_nor_slot);
}
