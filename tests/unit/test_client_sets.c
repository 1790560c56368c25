/* libaw's plain calls on sets, against a daemon of the test's own. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

#include "tests/unit/sets_rig.h"

static struct bytes text_of(char *buf, size_t size, const char *what, uint64_t n)
{
    snprintf(buf, size, "%s%llu", what, (unsigned long long)n);
    return bytes_str(buf);
}

/* ---- Submitting -------------------------------------------------------------------------- */

static void takes_two_jobs(struct fake_request *rq, void *arg)
{
    struct bytes v[] = {bytes_str("k3f9q-1"), bytes_str("k3f9q-2")};
    uint64_t both[] = {0, 1, 99}, second[] = {1, 99};
    struct submit_rep rep = {.ids = {v, 2}, .deduplicated = {both, 3}, .cached = {second, 2}};
    struct submit_req req;
    const struct job *job;

    (void)arg;
    fake_read(rq, &req);
    ck_assert_uint_eq(req.jobs.n, 2);
    ck_assert_bytes_eq(req.set, "wanted");
    job = &req.jobs.v[0];
    ck_assert_bytes_eq(job->queue, "slow");
    ck_assert_uint_eq(job->after.n, 2);
    ck_assert_bytes_eq(job->after.v[1], "2");
    ck_assert_uint_eq(job->after_any.n, 1);
    ck_assert_bytes_eq(job->after_any.v[0], "3");
    ck_assert_uint_eq(job->after_fail.n, 1);
    ck_assert_bytes_eq(job->after_fail.v[0], "4");
    ck_assert_uint_eq(job->cache_ttl_ms, 3600000);
    ck_assert(job->cache_failed);
    ck_assert_uint_eq(job->abandon_ms, 30000);
    job = &req.jobs.v[1];
    ck_assert_uint_eq(job->queue.len, 0);
    ck_assert_uint_eq(job->after.n + job->after_any.n + job->after_fail.n, 0);
    ck_assert(!job->cache_failed);
    fake_reply(rq, &rep);
}

START_TEST(a_submit_to_a_set_says_which_and_whose_results_are_there)
{
    char one[] = "1", two[] = "2", three[] = "3", four[] = "4";
    char *after[] = {one, two, NULL}, *after_any[] = {three, NULL}, *after_fail[] = {four, NULL};
    struct aw_job jobs[2];
    struct aw_future *f[2];

    start(takes_two_jobs, NULL);
    aw_job_init(&jobs[0]);
    aw_job_init(&jobs[1]);
    jobs[0].type = jobs[1].type = "noop";
    jobs[0].queue = "slow";
    jobs[0].key = "k";
    jobs[0].after = after;
    jobs[0].after_any = after_any;
    jobs[0].after_fail = after_fail;
    jobs[0].cache_ttl_ms = 3600000;
    jobs[0].cache_failed = true;
    jobs[0].abandon_ms = 30000;
    ck_assert_int_eq(aw_submit_to_set(client, "wanted", jobs, 2, f, NULL), AW_OK);
    ck_assert(aw_future_deduplicated(f[0]) && !aw_future_cached(f[0]));
    ck_assert(aw_future_deduplicated(f[1]) && aw_future_cached(f[1]));
    aw_future_unref(f[0]);
    aw_future_unref(f[1]);
    ck_assert_int_eq(aw_submit_to_set(client, "", jobs, 2, f, NULL), AW_ERR_USAGE);
    ck_assert_int_eq(aw_submit_to_set(client, NULL, jobs, 2, f, NULL), AW_ERR_USAGE);
    ck_assert_uint_eq(fake_requests(fake), 1);
    stop();
}
END_TEST

/* ---- Sets -------------------------------------------------------------------------------- */

struct adding {
    size_t n_ids;
    unsigned n_closes;
    bool closed;
};

static void takes_members(struct fake_request *rq, void *arg)
{
    static struct id_result results[AW_MAX_IDS];
    struct set_add_rep rep;
    struct set_add_req req;
    struct adding *a = arg;

    fake_read(rq, &req);
    ck_assert_bytes_eq(req.set, "wanted");
    ck_assert(!a->closed); /* nothing comes behind the one that closes */
    codec_defaults(&set_add_rep_schema, &rep);
    rep.set.name = req.set;
    for (size_t i = 0; i < req.ids.n; i++) {
        codec_defaults(&id_result_schema, &results[i]);
        results[i].id = req.ids.v[i];
        if (bytes_eq(req.ids.v[i], bytes_str("20404")))
            results[i].err = AW_ERR_UNKNOWN_ID;
    }
    rep.jobs.v = results;
    rep.jobs.n = req.ids.n;
    a->n_ids += req.ids.n;
    a->n_closes += req.close;
    a->closed = req.close;
    fake_reply(rq, &rep);
}

START_TEST(thousands_of_members_are_added_in_pieces_and_the_last_one_closes)
{
    struct adding adding = {0};
    struct aw_outcomes *list;

    ids_make();
    start(takes_members, &adding);
    ck_assert_int_eq(aw_set_add(client, "wanted", ids, N_IDS, true, &list, NULL), AW_OK);
    ck_assert_uint_eq(adding.n_ids, N_IDS);
    ck_assert_uint_eq(adding.n_closes, 1);
    ck_assert_uint_eq(aw_outcomes_count(list), N_IDS);
    ck_assert_str_eq(aw_outcomes_at(list, N_IDS - 1)->id, "25000");
    ck_assert_int_eq(aw_outcomes_at(list, 20403)->err, AW_ERR_UNKNOWN_ID);
    ck_assert_int_eq(aw_outcomes_at(list, 20404)->err, AW_OK);
    fake_await_requests(fake, 3);
    ck_assert_uint_eq(fake_requests(fake), 3);
    aw_outcomes_free(list);
    stop();
}
END_TEST

START_TEST(a_set_is_made_without_members_but_not_without_a_name)
{
    struct adding adding = {0};

    start(takes_members, &adding);
    ck_assert_int_eq(aw_set_add(client, "wanted", NULL, 0, false, NULL, NULL), AW_OK);
    ck_assert_uint_eq(adding.n_closes, 0);
    ck_assert_int_eq(aw_set_add(client, "", NULL, 0, false, NULL, NULL), AW_ERR_USAGE);
    ck_assert_int_eq(aw_set_add(client, NULL, NULL, 0, false, NULL, NULL), AW_ERR_USAGE);
    fake_await_requests(fake, 1);
    ck_assert_uint_eq(fake_requests(fake), 1);
    stop();
}
END_TEST

/* 2,500 sets or members, in pages of 1,000; `stuck`: the second page again and again. */
struct pages {
    unsigned n;
    bool stuck;
};

static void lists_sets(struct fake_request *rq, void *arg)
{
    static struct set_status sets[AW_MAX_PAGE];
    static char names[AW_MAX_PAGE][16];
    struct pages *pages = arg;
    struct set_list_rep rep = {.sets = {sets, 0}};
    unsigned from = pages->stuck && pages->n ? 1000 : 1000 * pages->n;
    struct set_list_req req;
    char after[16];

    fake_read(rq, &req);
    ck_assert_bytes_eq(req.name, "s");
    if (pages->n == 0)
        ck_assert_uint_eq(req.after.len, 0);
    else if (!pages->stuck)
        ck_assert_bytes_eq(req.after, (snprintf(after, sizeof(after), "s%04u", from), after));
    for (size_t i = 0; i < MIN(2500 - from, 1000u); i++) {
        codec_defaults(&set_status_schema, &sets[i]);
        snprintf(names[i], sizeof(names[i]), "s%04u", from + (unsigned)i + 1);
        sets[i].name = bytes_str(names[i]);
        sets[i].n_members = from + i;
        rep.sets.n++;
    }
    if (rep.sets.n == 1000)
        rep.next = sets[999].name;
    pages->n++;
    fake_reply(rq, &rep);
}

START_TEST(sets_are_listed_page_after_page)
{
    struct pages pages = {0};
    struct aw_sets *list;

    start(lists_sets, &pages);
    ck_assert_int_eq(aw_set_list(client, "s", &list, NULL), AW_OK);
    ck_assert_uint_eq(aw_sets_count(list), 2500);
    ck_assert_str_eq(aw_sets_at(list, 0)->name, "s0001");
    ck_assert_str_eq(aw_sets_at(list, 2499)->name, "s2500");
    ck_assert_uint_eq(aw_sets_at(list, 2499)->n_members, 2499);
    ck_assert_ptr_null(aw_sets_at(list, 2500));
    aw_sets_free(list);
    stop();
}
END_TEST

START_TEST(pages_that_do_not_come_to_an_end_are_an_error)
{
    struct pages pages = {.stuck = true};
    struct aw_sets *list;

    start(lists_sets, &pages);
    ck_assert_int_eq(aw_set_list(client, "s", &list, NULL), AW_ERR_PROTOCOL);
    stop();
}
END_TEST

static void lists_members(struct fake_request *rq, void *arg)
{
    static struct job_status jobs[AW_MAX_PAGE];
    static char names[AW_MAX_PAGE][16];
    struct set_members_rep rep = {.jobs = {jobs, 0}};
    struct pages *pages = arg;
    struct set_members_req req;

    fake_read(rq, &req);
    ck_assert_uint_eq(req.after, 1000 * pages->n);
    for (size_t i = 0; i < MIN(2500 - req.after, (uint64_t)1000); i++) {
        codec_defaults(&job_status_schema, &jobs[i]);
        jobs[i].id = text_of(names[i], sizeof(names[i]), "", req.after + i + 1);
        jobs[i].queue = bytes_str("slow");
        jobs[i].abandon_ms = 5;
        rep.jobs.n++;
    }
    rep.next = rep.jobs.n == 1000 ? req.after + 1000 : 0;
    pages->n++;
    fake_reply(rq, &rep);
}

START_TEST(members_are_listed_page_after_page)
{
    struct pages pages = {0};
    struct aw_statuses *list;

    start(lists_members, &pages);
    ck_assert_int_eq(aw_set_members(client, "wanted", &list, NULL), AW_OK);
    ck_assert_uint_eq(aw_statuses_count(list), 2500);
    ck_assert_str_eq(aw_statuses_at(list, 2499)->id, "2500");
    ck_assert_str_eq(aw_statuses_at(list, 2499)->queue, "slow");
    ck_assert_int_eq(aw_statuses_at(list, 2499)->abandon_ms, 5);
    aw_statuses_free(list);
    stop();
}
END_TEST

static void shows_a_set(struct fake_request *rq, void *arg)
{
    struct set_show_rep rep;

    (void)arg;
    codec_defaults(&set_show_rep_schema, &rep);
    rep.set.name = bytes_str("wanted");
    rep.set.closed = true;
    rep.set.n_members = 3;
    rep.set.n_ended = 2;
    rep.set.n_failed = 1;
    rep.set.first_us = 77;
    rep.queue_wait = (struct latency){2, 10, 20, 30, 40};
    rep.total = (struct latency){2, 11, 21, 31, 41};
    fake_reply(rq, &rep);
}

START_TEST(a_set_is_shown_with_what_took_how_long)
{
    struct aw_set_info *info;

    start(shows_a_set, NULL);
    ck_assert_int_eq(aw_set_show(client, "wanted", &info, NULL), AW_OK);
    ck_assert_str_eq(info->set->name, "wanted");
    ck_assert(info->set->closed && !info->set->temporary);
    ck_assert_uint_eq(info->set->n_members, 3);
    ck_assert_uint_eq(info->set->n_ended, 2);
    ck_assert_uint_eq(info->set->n_failed, 1);
    ck_assert_int_eq(info->set->first_us, 77);
    ck_assert_uint_eq(info->queue_wait.count, 2);
    ck_assert_int_eq(info->queue_wait.p50_us, 10);
    ck_assert_int_eq(info->queue_wait.max_us, 40);
    ck_assert_uint_eq(info->run.count, 0);
    ck_assert_int_eq(info->total.p95_us, 21);
    ck_assert_int_eq(info->total.p99_us, 31);
    aw_set_info_free(info);
    stop();
}
END_TEST

/* ---- Waiting for a set -------------------------------------------------------------------- */

struct waiting {
    unsigned n_before; /* so many answers are "not yet" */
    bool parks;        /* the first is parked instead, until the daemon goes down */
    uint64_t n;        /* what was asked for */
    bool first_error;
    uint64_t timeout_ms;
    bool open;
};

static void answers_waits(struct fake_request *rq, void *arg)
{
    struct wait_rep rep = {.n_ended = 2, .n_failed = 1, .n_total = 3};
    struct waiting *w = arg;
    struct wait_req req;

    fake_read(rq, &req);
    ck_assert_bytes_eq(req.set, "wanted");
    ck_assert_uint_eq(req.ids.n, 0);
    w->n = req.n;
    w->first_error = req.first_error;
    w->timeout_ms = req.timeout_ms;
    if (w->parks && rq->n == 0)
        return;
    rep.done = rq->n >= w->n_before;
    rep.n_ended = rep.done || w->open ? 3 : 2;
    fake_reply(rq, &rep);
}

START_TEST(a_set_is_waited_for_in_as_many_polls_as_it_takes)
{
    struct waiting w = {.n_before = 3};
    struct aw_progress progress = {0, 0};

    start(answers_waits, &w);
    ck_assert_int_eq(aw_set_wait(client, "wanted", NULL, AW_FOREVER, &progress, NULL), AW_OK);
    ck_assert_uint_eq(progress.n_ended, 3);
    ck_assert_uint_eq(progress.n_failed, 1);
    fake_await_requests(fake, 4);
    ck_assert_uint_eq(w.n, 0);
    ck_assert(!w.first_error);
    ck_assert_uint_eq(w.timeout_ms, AW_LONG_POLL_MS);
    stop();
}
END_TEST

START_TEST(a_wait_for_a_set_says_until_when)
{
    struct waiting w = {0};
    struct aw_until until = {.size = sizeof(until), .n_ended = 2, .first_error = true};

    start(answers_waits, &w);
    ck_assert_int_eq(aw_set_wait(client, "wanted", &until, 5000, NULL, NULL), AW_OK);
    ck_assert_uint_eq(w.n, 2);
    ck_assert(w.first_error);
    ck_assert_uint_le(w.timeout_ms, 5000);
    stop();
}
END_TEST

START_TEST(a_wait_that_is_over_says_what_is_missing)
{
    struct waiting w = {.n_before = 1000};
    struct aw_progress progress = {0, 0};
    struct aw_error err;

    start(answers_waits, &w);
    ck_assert_int_eq(aw_set_wait(client, "wanted", NULL, 0, &progress, &err), AW_ERR_TIMED_OUT);
    ck_assert_uint_eq(progress.n_ended, 2);
    ck_assert_str_eq(err.text, "set wanted: 1 of 3 have not ended yet");
    w.open = true;
    ck_assert_int_eq(aw_set_wait(client, "wanted", NULL, 0, &progress, &err), AW_ERR_TIMED_OUT);
    ck_assert_str_eq(err.text, "set wanted: more members may come, it has not been closed");
    stop();
}
END_TEST

static void *wait_thread(void *arg)
{
    *(enum aw_err *)arg = aw_set_wait(client, "wanted", NULL, AW_FOREVER, NULL, NULL);
    return NULL;
}

START_TEST(a_wait_for_a_set_goes_on_when_the_daemon_is_back)
{
    struct waiting w = {.parks = true};
    enum aw_err e = AW_ERR_INTERNAL;
    pthread_t thread;

    start(answers_waits, &w);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_thread, &e), 0);
    fake_await_requests(fake, 1);
    fake_down(fake);
    fake_up(fake);
    pthread_join(thread, NULL);
    ck_assert_int_eq(e, AW_OK);
    stop();
}
END_TEST

/* Those from 1,001 on have ended, every tenth of them without success. */
static void knows_of_thousands(struct fake_request *rq, void *arg)
{
    struct wait_rep rep = {0};
    struct wait_req req;

    (void)arg;
    fake_read(rq, &req);
    for (size_t i = 0; i < req.ids.n; i++) {
        char text[16];
        unsigned long number;

        snprintf(text, sizeof(text), "%.*s", (int)req.ids.v[i].len,
                 (const char *)req.ids.v[i].data);
        number = strtoul(text, NULL, 10);
        rep.n_ended += number > 1000;
        rep.n_failed += number > 1000 && number % 10 == 0;
    }
    rep.n_total = req.ids.n;
    rep.done = rep.n_ended == rep.n_total;
    if (!rep.done) {
        fake_reply(rq, &rep);
        return;
    }
    rep.jobs.n = req.ids.n;
    rep.jobs.v = calloc(req.ids.n + 1, sizeof(*rep.jobs.v));
    for (size_t i = 0; i < req.ids.n; i++) {
        codec_defaults(&job_status_schema, &rep.jobs.v[i]);
        rep.jobs.v[i].id = req.ids.v[i];
    }
    fake_reply(rq, &rep);
    free(rep.jobs.v);
}

START_TEST(a_wait_for_thousands_that_is_over_has_counted_them_all)
{
    struct aw_progress progress = {0, 0};
    struct aw_statuses *list;
    struct aw_error err;

    ids_make();
    start(knows_of_thousands, NULL);
    ck_assert_int_eq(aw_wait(client, ids, 5000, 0, &progress, &list, &err), AW_ERR_TIMED_OUT);
    ck_assert_uint_eq(progress.n_ended, 4000);
    ck_assert_uint_eq(progress.n_failed, 400);
    ck_assert_str_eq(err.text, "1000 of 5000 jobs have not ended yet");
    stop();
}
END_TEST

/* ---- close, cancel, forget ---------------------------------------------------------------- */

static void ends_sets(struct fake_request *rq, void *arg)
{
    struct set_close_rep close_rep;
    struct set_cancel_rep cancel_rep = {.cancelled = 5, .stopping = 2};
    struct set_cancel_req cancel_req;

    switch (rq->op) {
    case OP_SET_CLOSE:
        codec_defaults(&set_close_rep_schema, &close_rep);
        close_rep.set.name = bytes_str("wanted");
        fake_reply(rq, &close_rep);
        break;
    case OP_SET_CANCEL:
        fake_read(rq, &cancel_req);
        ck_assert_int_eq(cancel_req.grace_ms, *(int *)arg);
        fake_reply(rq, &cancel_rep);
        break;
    default:
        fake_hang_up(rq);
    }
}

START_TEST(a_set_is_closed_and_cancelled)
{
    uint64_t cancelled = 0, stopping = 0;
    int grace_ms = 50;

    start(ends_sets, &grace_ms);
    ck_assert_int_eq(aw_set_close(client, "wanted", NULL), AW_OK);
    ck_assert_int_eq(aw_set_cancel(client, "wanted", 50, &cancelled, &stopping, NULL), AW_OK);
    ck_assert_uint_eq(cancelled, 5);
    ck_assert_uint_eq(stopping, 2);
    grace_ms = -1;
    ck_assert_int_eq(aw_set_cancel(client, "wanted", -1, NULL, NULL, NULL), AW_OK);
    stop();
}
END_TEST

START_TEST(what_must_not_happen_twice_is_not_sent_twice)
{
    struct aw_queue_change change;

    start(ends_sets, NULL);
    ck_assert_int_eq(aw_set_forget(client, "wanted", true, NULL), AW_ERR_IN_DOUBT);
    ck_assert_int_eq(aw_queue_remove(client, "slow", NULL), AW_ERR_IN_DOUBT);
    aw_queue_change_init(&change);
    change.create = true;
    ck_assert_int_eq(aw_queue_set(client, "slow", &change, NULL, NULL), AW_ERR_IN_DOUBT);
    fake_await_requests(fake, 3);
    ck_assert_uint_eq(fake_requests(fake), 3);
    stop();
}
END_TEST

static Suite *sets_suite(void)
{
    Suite *s = suite_create("client sets");
    TCase *t = tcase_create("sets");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_submit_to_a_set_says_which_and_whose_results_are_there);
    tcase_add_test(t, thousands_of_members_are_added_in_pieces_and_the_last_one_closes);
    tcase_add_test(t, a_set_is_made_without_members_but_not_without_a_name);
    tcase_add_test(t, sets_are_listed_page_after_page);
    tcase_add_test(t, pages_that_do_not_come_to_an_end_are_an_error);
    tcase_add_test(t, members_are_listed_page_after_page);
    tcase_add_test(t, a_set_is_shown_with_what_took_how_long);
    tcase_add_test(t, a_set_is_waited_for_in_as_many_polls_as_it_takes);
    tcase_add_test(t, a_wait_for_a_set_says_until_when);
    tcase_add_test(t, a_wait_that_is_over_says_what_is_missing);
    tcase_add_test(t, a_wait_for_a_set_goes_on_when_the_daemon_is_back);
    tcase_add_test(t, a_wait_for_thousands_that_is_over_has_counted_them_all);
    tcase_add_test(t, a_set_is_closed_and_cancelled);
    tcase_add_test(t, what_must_not_happen_twice_is_not_sent_twice);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(sets_suite());
}
