/* The engine's contract: submit, keys, names of requests, numbers. */
#include "tests/unit/engine_contract.h"

#define REQUEST_1 "0123456789abcdef"
#define REQUEST_2 "fedcba9876543210"

static void limit_queue(uint64_t max)
{
    rig.limits.max_queued = max;
    rig_reopen();
}

START_TEST(numbers_start_at_1_and_rise)
{
    uint64_t last = 0;

    for (int i = 0; i < 10; i++) {
        uint64_t number = rig_queue(WANT(.name = "x"));

        ck_assert_uint_gt(number, last);
        last = number;
    }
}
END_TEST

START_TEST(a_batch_is_answered_in_its_order)
{
    struct want wants[100] = {0};
    struct answer *r;

    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        wants[i].priority = (int)(i % 3);
    r = rig_submit(wants, ARRAY_SIZE(wants));
    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, ARRAY_SIZE(wants));
    for (size_t i = 0; i < r->n; i++) {
        ck_assert(!r->submitted[i].deduplicated);
        ck_assert(i == 0 || r->submitted[i].number > r->submitted[i - 1].number);
        ck_assert_int_eq(rig_record(r->submitted[i].number).priority, wants[i].priority);
    }
}
END_TEST

START_TEST(what_was_submitted_is_on_record)
{
    int64_t before = now_us();
    uint64_t first = rig_queue(WANT(.name = "first"));
    struct want want = {.name = "second", .key = "k", .priority = -7, .retry_of = first, .uid = 7};
    struct record r = rig_record(rig_queue(want));

    ck_assert_int_eq(r.state, AW_QUEUED);
    ck_assert_int_eq(r.class, AW_CLASS_NONE);
    ck_assert_uint_eq(r.flags & RECORD_CANCEL_REQUESTED, 0);
    ck_assert_int_eq(r.exit_code, NO_EXIT_CODE);
    ck_assert_int_eq(r.priority, -7);
    ck_assert_uint_eq(r.attempt, 0);
    ck_assert_uint_eq(r.claim, 0);
    ck_assert_uint_eq(r.uid, 7);
    ck_assert_uint_eq(r.gid, 8);
    ck_assert_int_ge(r.created_us, before);
    ck_assert_int_le(r.created_us, now_us());
    ck_assert_int_eq(r.due_us, 0);
    ck_assert_int_eq(r.started_us, 0);
    ck_assert_int_eq(r.ended_us, 0);
    ck_assert_int_eq(r.expires_us, 0);
    ck_assert_uint_eq(r.retry_of, first);
    ck_assert_bytes_eq(r.key, "k");
    ck_assert_uint_eq(r.message.len, 0);
    ck_assert(bytes_eq(r.spec, rig_spec(&want)));
}
END_TEST

START_TEST(many_submits_under_way_are_each_answered_once_and_in_order)
{
    struct answer *replies[200];
    uint64_t last = 0;

    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        replies[i] = start_submit(&WANT(.name = "x"), 1);
    rig_await(replies[ARRAY_SIZE(replies) - 1]);
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        ck_assert_int_eq(replies[i]->times, 1);
        ck_assert_ok(replies[i]);
        ck_assert_uint_gt(replies[i]->submitted[0].number, last);
        last = replies[i]->submitted[0].number;
        ck_assert(i == 0 || rig_reply_at(replies[i]) > rig_reply_at(replies[i - 1]));
    }
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], ARRAY_SIZE(replies));
}
END_TEST

/* What becomes of the i-th of many submits in one turn. */
static struct want mixed_want(int i, const struct parent *parent)
{
    static const char *const names[] = {"plain", "of several", "one more"};
    struct want want = {.name = names[i % 3], .priority = i % 10};

    if (i % 23 == 20)
        want.queue = "nowhere";
    else if (i % 23 == 21)
        want.key = "k";
    else if (i % 23 == 22)
        want = (struct want){
            .name = "waits", .priority = i % 10, .parents = parent, .n_parents = 1, .apart = true};
    else
        want.apart = i % 5 == 0;
    return want;
}

START_TEST(submits_of_all_kinds_in_one_turn_are_recorded_or_refused_each_by_itself)
{
    const struct parent parent = {rig_queue(WANT(.name = "parent")), PARENT_ENDED};
    struct answer *replies[100];
    int n = ARRAY_SIZE(replies);

    for (int i = 0; i < n; i++) {
        struct want want = mixed_want(i, &parent);

        replies[i] = start_submit(&want, 1);
    }
    rig_await(replies[n - 1]);
    rig_reopen();
    for (int i = 0; i < n; i++) {
        struct want want = mixed_want(i, &parent);
        struct record r;

        if (want.queue) {
            ck_assert_err(replies[i], AW_ERR_NO_QUEUE);
            continue;
        }
        ck_assert_ok(replies[i]);
        r = rig_record(replies[i]->submitted[0].number);
        ck_assert_int_eq(r.priority, want.key ? 21 % 10 : i % 10);
        ck_assert_int_eq(r.state, want.n_parents ? AW_BLOCKED : AW_QUEUED);
        if (!want.key)
            ck_assert(bytes_eq(r.spec, want.apart ? rig_head(&want) : rig_spec(&want)));
    }
}
END_TEST

START_TEST(one_among_many_that_are_alike_has_what_it_was_given)
{
    const uint64_t first = rig_queue(WANT(.name = "first"));
    const struct want odd[] = {{.name = "odd", .priority = 3},   {.name = "odd", .uid = 7},
                               {.name = "odd", .apart = true},   {.name = "odd", .retry_of = first},
                               {.name = "odd", .delay_ms = 1e6}, {.name = "odd"}};
    const size_t each = 16;
    struct answer *replies[ARRAY_SIZE(odd) * 16];

    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        replies[i] =
            start_submit(i % each == i / each ? &odd[i / each] : &WANT(.name = "alike"), 1);
    rig_await(replies[ARRAY_SIZE(replies) - 1]);
    rig_reopen();
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        struct want want = i % each == i / each ? odd[i / each] : WANT(.name = "alike");
        struct record r;

        ck_assert_ok(replies[i]);
        r = rig_record(replies[i]->submitted[0].number);
        ck_assert_int_eq(r.priority, want.priority);
        ck_assert_uint_eq(r.uid, want.uid);
        ck_assert_uint_eq(r.retry_of, want.retry_of);
        ck_assert(want.delay_ms ? r.due_us > r.created_us : r.due_us == 0);
        ck_assert(bytes_eq(r.spec, want.apart ? rig_head(&want) : rig_spec(&want)));
    }
}
END_TEST

START_TEST(something_to_claim_is_announced)
{
    rig_queue(WANT(.name = "x"));
    rig_await_note(NOTE_RUNNABLE, 0);
}
END_TEST

/* ---- Refused ----------------------------------------------------------------------------------
 */

START_TEST(a_batch_that_does_not_fit_leaves_nothing_behind)
{
    struct want three[3] = {{.key = "a"}, {.key = "b"}, {.key = "c"}};
    struct answer *r;
    uint64_t first;

    limit_queue(3);
    first = rig_queue(WANT(.name = "x"));
    r = rig_submit(three, 3);
    ck_assert_err(r, AW_ERR_QUEUE_FULL);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 1);
    ck_assert_uint_eq(rig_list((struct list_filter){.uid = -1, .limit = 10})->n, 1);
    ck_assert_ok(rig_cancel(&first, 1, -1));
    r = rig_submit(three, 3);
    ck_assert_ok(r);
    for (int i = 0; i < 3; i++)
        ck_assert(!r->submitted[i].deduplicated);
}
END_TEST

START_TEST(jobs_on_their_way_to_the_disk_count_as_queued)
{
    struct answer *replies[4];

    limit_queue(2);
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        replies[i] = start_submit(&WANT(.name = "x"), 1);
    rig_await(replies[3]);
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        ck_assert_err(replies[i], i < 2 ? AW_OK : AW_ERR_QUEUE_FULL);
}
END_TEST

START_TEST(a_full_queue_takes_again_when_a_job_has_ended)
{
    limit_queue(1);
    rig_run_one(WANT(.name = "x"));
    rig_run_one(WANT(.name = "y"));
}
END_TEST

/* ---- Keys -------------------------------------------------------------------------------------
 */

START_TEST(a_key_gives_the_same_job_again)
{
    uint64_t number = rig_queue(WANT(.key = "k", .name = "one"));
    struct answer *r = rig_submit(&WANT(.key = "k", .name = "another"), 1);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->submitted[0].number, number);
    ck_assert(r->submitted[0].deduplicated);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 1);
    ck_assert_uint_eq(rig_stats().submitted, 1);
    ck_assert_uint_eq(rig_stats().deduplicated, 1);
}
END_TEST

START_TEST(a_key_is_the_users_own)
{
    uint64_t mine = rig_queue(WANT(.key = "k", .uid = 1));

    ck_assert_uint_ne(rig_queue(WANT(.key = "k", .uid = 2)), mine);
    ck_assert_uint_eq(rig_queue(WANT(.key = "k", .uid = 1)), mine);
}
END_TEST

START_TEST(a_key_given_twice_in_one_batch_makes_one_job)
{
    struct want wants[] = {{.key = "k"}, {.key = "other"}, {.key = "k"}};
    struct answer *r = rig_submit(wants, 3);

    ck_assert_ok(r);
    ck_assert(!r->submitted[0].deduplicated);
    ck_assert(!r->submitted[1].deduplicated);
    ck_assert(r->submitted[2].deduplicated);
    ck_assert_uint_eq(r->submitted[2].number, r->submitted[0].number);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 2);
}
END_TEST

START_TEST(two_submits_with_one_key_under_way_make_one_job)
{
    struct answer *a = start_submit(&WANT(.key = "k"), 1);
    struct answer *b = start_submit(&WANT(.key = "k"), 1);

    rig_await(b);
    ck_assert_ok(a);
    ck_assert_ok(b);
    ck_assert_uint_eq(a->submitted[0].number, b->submitted[0].number);
    ck_assert(!a->submitted[0].deduplicated);
    ck_assert(b->submitted[0].deduplicated);
    ck_assert_uint_eq(rig_claim(10)->n, 1);
}
END_TEST

START_TEST(a_key_outlives_the_engine_and_its_jobs_end)
{
    uint64_t number = rig_run_one(WANT(.key = "k"));
    struct answer *r;

    rig_reopen();
    r = rig_submit(&WANT(.key = "k"), 1);
    ck_assert_uint_eq(r->submitted[0].number, number);
    ck_assert(r->submitted[0].deduplicated);
    ck_assert_uint_eq(rig_claim(1)->n, 0);
}
END_TEST

START_TEST(a_key_is_free_again_once_its_record_is_gone)
{
    uint64_t number = rig_run_one(WANT(.key = "k"));
    struct answer *r;

    ck_assert_ok(rig_forget(&number, 1));
    r = rig_submit(&WANT(.key = "k"), 1);
    ck_assert_uint_gt(r->submitted[0].number, number);
    ck_assert(!r->submitted[0].deduplicated);
}
END_TEST

START_TEST(a_known_key_is_answered_even_when_the_queue_is_full)
{
    struct want wants[] = {{.key = "k"}, {.key = "new"}};
    uint64_t number;
    struct answer *r;

    limit_queue(1);
    number = rig_queue(wants[0]);
    r = rig_submit(wants, 1);
    ck_assert_ok(r);
    ck_assert_uint_eq(r->submitted[0].number, number);
    ck_assert_err(rig_submit(wants, 2), AW_ERR_QUEUE_FULL);
}
END_TEST

/* ---- Requests that come again -----------------------------------------------------------------
 */

static struct answer *submit_two(const char *request, uint32_t uid)
{
    struct want wants[2] = {{.request = request, .uid = uid}, {.name = "second"}};

    return rig_submit(wants, 2);
}

static void assert_same_answer(const struct answer *a, const struct answer *b)
{
    ck_assert_ok(a);
    ck_assert_ok(b);
    ck_assert_uint_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        ck_assert_uint_eq(a->submitted[i].number, b->submitted[i].number);
        ck_assert(a->submitted[i].deduplicated == b->submitted[i].deduplicated);
    }
}

START_TEST(a_request_sent_again_gets_the_same_answer)
{
    struct answer *first = submit_two(REQUEST_1, 0), *again = submit_two(REQUEST_1, 0);

    assert_same_answer(again, first);
    for (size_t i = 0; i < 2; i++) {
        ck_assert(!first->submitted[i].repeated);
        ck_assert(again->submitted[i].repeated);
    }
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 2);
    ck_assert_uint_gt(submit_two(REQUEST_2, 0)->submitted[0].number, first->submitted[1].number);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 4);
}
END_TEST

START_TEST(a_request_sent_again_while_the_first_is_under_way_gets_the_same_answer)
{
    struct answer *a = start_submit(&WANT(.request = REQUEST_1), 1);
    struct answer *b = start_submit(&WANT(.request = REQUEST_1), 1);

    rig_await(b);
    assert_same_answer(a, b);
    ck_assert_uint_eq(rig_claim(10)->n, 1);
}
END_TEST

START_TEST(a_request_is_remembered_across_a_restart_and_the_end_of_its_jobs)
{
    struct answer *first = submit_two(REQUEST_1, 0);
    uint64_t numbers[] = {first->submitted[0].number, first->submitted[1].number};

    ck_assert_ok(rig_cancel(numbers, 2, -1));
    ck_assert_ok(rig_forget(numbers, 2));
    rig_reopen();
    assert_same_answer(submit_two(REQUEST_1, 0), first);
    ck_assert_uint_eq(rig_claim(10)->n, 0);
}
END_TEST

START_TEST(a_request_sent_again_is_answered_even_when_the_queue_is_full)
{
    struct answer *first;

    limit_queue(2);
    first = submit_two(REQUEST_1, 0);
    assert_same_answer(submit_two(REQUEST_1, 0), first);
    ck_assert_err(submit_two(REQUEST_2, 0), AW_ERR_QUEUE_FULL);
}
END_TEST

START_TEST(a_refused_request_may_be_sent_again_and_then_be_taken)
{
    uint64_t number;

    limit_queue(2);
    number = rig_queue(WANT(.name = "x"));
    ck_assert_err(submit_two(REQUEST_1, 0), AW_ERR_QUEUE_FULL);
    ck_assert_ok(rig_cancel(&number, 1, -1));
    ck_assert_ok(submit_two(REQUEST_1, 0));
}
END_TEST

START_TEST(a_request_name_is_the_users_own)
{
    struct answer *mine = submit_two(REQUEST_1, 1);

    ck_assert_uint_gt(submit_two(REQUEST_1, 2)->submitted[0].number, mine->submitted[1].number);
}
END_TEST

/* For whoever does not know any more what it was about. */
START_TEST(the_answer_to_a_request_can_be_recalled_without_its_jobs)
{
    struct answer *first, *none = rig_recall(REQUEST_1, 0);
    uint64_t numbers[2];

    ck_assert_ok(none);
    ck_assert_uint_eq(none->n, 0);
    first = start_submit(&WANT(.request = REQUEST_2), 1);
    rig_await(first);
    first = submit_two(REQUEST_1, 0);
    for (size_t i = 0; i < 2; i++)
        numbers[i] = first->submitted[i].number;
    assert_same_answer(rig_recall(REQUEST_1, 0), first);
    ck_assert_ok(rig_cancel(numbers, 2, -1));
    ck_assert_ok(rig_forget(numbers, 2));
    rig_reopen();
    assert_same_answer(rig_recall(REQUEST_1, 0), first);
    ck_assert(rig_recall(REQUEST_1, 0)->submitted[1].repeated);
    ck_assert_uint_eq(rig_recall(REQUEST_2, 0)->n, 1);
    ck_assert_uint_eq(rig_recall(REQUEST_1, 1)->n, 0);
}
END_TEST

START_TEST(a_request_that_is_recalled_after_it_was_sent_is_found)
{
    struct answer *first = start_submit(&WANT(.request = REQUEST_1), 1);
    struct answer *again = start_recall(REQUEST_1, 0);

    rig_await(again);
    assert_same_answer(again, first);
}
END_TEST

START_TEST(a_request_with_another_number_of_jobs_is_refused)
{
    struct answer *first = submit_two(REQUEST_1, 0);

    ck_assert_err(rig_submit(&WANT(.request = REQUEST_1), 1), AW_ERR_INVALID);
    ck_assert_uint_eq(rig_stats().live[AW_QUEUED], 2);
    assert_same_answer(submit_two(REQUEST_1, 0), first);
}
END_TEST

START_TEST(a_request_that_was_deduplicated_by_key_says_so_again)
{
    uint64_t number = rig_queue(WANT(.key = "k"));
    struct answer *a = rig_submit(&WANT(.key = "k", .request = REQUEST_1), 1);

    ck_assert_uint_eq(a->submitted[0].number, number);
    ck_assert(a->submitted[0].deduplicated);
    assert_same_answer(rig_submit(&WANT(.key = "k", .request = REQUEST_1), 1), a);
}
END_TEST

/* ---- Numbers ----------------------------------------------------------------------------------
 */

START_TEST(numbers_go_on_after_a_restart)
{
    uint64_t number = rig_queue(WANT(.name = "x"));

    rig_reopen();
    ck_assert_uint_gt(rig_queue(WANT(.name = "y")), number);
}
END_TEST

START_TEST(the_number_of_the_newest_job_is_not_given_out_again_after_it_is_gone)
{
    uint64_t number = 0;

    for (int i = 0; i < 3; i++)
        number = rig_run_one(WANT(.name = "x"));
    ck_assert_ok(rig_forget(&number, 1));
    rig_reopen();
    ck_assert_int_eq(rig_lookup(number), AW_ERR_EXPIRED_ID);
    ck_assert_uint_gt(rig_queue(WANT(.name = "y")), number);
}
END_TEST

START_TEST(the_tag_stays)
{
    char tag[AW_TAG_LEN + 2];

    ck_assert_uint_eq(strlen(rig.e->tag), AW_TAG_LEN);
    memcpy(tag, rig.e->tag, AW_TAG_LEN + 1);
    rig_reopen();
    ck_assert_str_eq(rig.e->tag, tag);
}
END_TEST

START_TEST(what_is_under_way_when_the_engine_is_closed_is_answered_and_kept)
{
    struct answer *r = start_submit(&WANT(.name = "x"), 1);

    rig_close();
    ck_assert_int_eq(r->times, 1);
    ck_assert_ok(r);
    rig_open();
    ck_assert_state(r->submitted[0].number, AW_QUEUED);
}
END_TEST

void contract_submit_add(TCase *tc)
{
    tcase_add_test(tc, numbers_start_at_1_and_rise);
    tcase_add_test(tc, a_batch_is_answered_in_its_order);
    tcase_add_test(tc, what_was_submitted_is_on_record);
    tcase_add_test(tc, many_submits_under_way_are_each_answered_once_and_in_order);
    tcase_add_test(tc, submits_of_all_kinds_in_one_turn_are_recorded_or_refused_each_by_itself);
    tcase_add_test(tc, one_among_many_that_are_alike_has_what_it_was_given);
    tcase_add_test(tc, something_to_claim_is_announced);
    tcase_add_test(tc, a_batch_that_does_not_fit_leaves_nothing_behind);
    tcase_add_test(tc, jobs_on_their_way_to_the_disk_count_as_queued);
    tcase_add_test(tc, a_full_queue_takes_again_when_a_job_has_ended);
    tcase_add_test(tc, a_key_gives_the_same_job_again);
    tcase_add_test(tc, a_key_is_the_users_own);
    tcase_add_test(tc, a_key_given_twice_in_one_batch_makes_one_job);
    tcase_add_test(tc, two_submits_with_one_key_under_way_make_one_job);
    tcase_add_test(tc, a_key_outlives_the_engine_and_its_jobs_end);
    tcase_add_test(tc, a_key_is_free_again_once_its_record_is_gone);
    tcase_add_test(tc, a_known_key_is_answered_even_when_the_queue_is_full);
    tcase_add_test(tc, a_request_sent_again_gets_the_same_answer);
    tcase_add_test(tc, a_request_sent_again_while_the_first_is_under_way_gets_the_same_answer);
    tcase_add_test(tc, a_request_is_remembered_across_a_restart_and_the_end_of_its_jobs);
    tcase_add_test(tc, a_request_sent_again_is_answered_even_when_the_queue_is_full);
    tcase_add_test(tc, a_refused_request_may_be_sent_again_and_then_be_taken);
    tcase_add_test(tc, a_request_name_is_the_users_own);
    tcase_add_test(tc, the_answer_to_a_request_can_be_recalled_without_its_jobs);
    tcase_add_test(tc, a_request_that_is_recalled_after_it_was_sent_is_found);
    tcase_add_test(tc, a_request_with_another_number_of_jobs_is_refused);
    tcase_add_test(tc, a_request_that_was_deduplicated_by_key_says_so_again);
    tcase_add_test(tc, numbers_go_on_after_a_restart);
    tcase_add_test(tc, the_number_of_the_newest_job_is_not_given_out_again_after_it_is_gone);
    tcase_add_test(tc, the_tag_stays);
    tcase_add_test(tc, what_is_under_way_when_the_engine_is_closed_is_answered_and_kept);
}
