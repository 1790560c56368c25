/* libaw's plain calls on sets, queues and jobs that wait, against a daemon of the test's own. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>

#include "client/aw.h"
#include "tests/unit/fake_daemon.h"

static struct fake *fake;
static struct aw_client *client;

static void start(fake_handler handler, void *arg)
{
    struct aw_client_config config;

    fake = fake_start(handler, arg);
    aw_client_config_init(&config);
    config.url = fake_path(fake);
    ck_assert_int_eq(aw_client_open(&config, &client, NULL), AW_OK);
}

static void stop(void)
{
    aw_client_close(client);
    fake_stop(fake);
}

static struct bytes text_of(char *buf, size_t size, const char *what, uint64_t n)
{
    snprintf(buf, size, "%s%llu", what, (unsigned long long)n);
    return bytes_str(buf);
}

/* IDs "1", "2", ... */
#define N_IDS 25000
static const char *ids[N_IDS];

static void ids_make(void)
{
    static char text[N_IDS][8];

    for (size_t i = 0; i < N_IDS; i++) {
        snprintf(text[i], sizeof(text[i]), "%zu", i + 1);
        ids[i] = text[i];
    }
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

/* ---- Queues ------------------------------------------------------------------------------- */

/* Gives the request back as the queue that it asks for, and keeps it. */
static void sets_queues(struct fake_request *rq, void *arg)
{
    struct queue_status queues[2];
    struct queue_list_rep list = {.queues = {queues, 2}};
    struct queue_set_req *req = arg;
    struct queue_set_rep rep;

    for (int i = 0; i < 2; i++)
        codec_defaults(&queue_status_schema, &queues[i]);
    queues[0].name = bytes_str("default");
    queues[1].name = bytes_str("slow");
    queues[1].slots = 3;
    queues[1].priority = -2;
    queues[1].paused = true;
    queues[1].rate = 10;
    queues[1].rate_ms = 60000;
    queues[1].waiting = 7;
    if (rq->op == OP_QUEUE_LIST) {
        fake_reply(rq, &list);
        return;
    }
    fake_read(rq, req);
    rep.queue = queues[1];
    fake_reply(rq, &rep);
}

START_TEST(queues_are_listed)
{
    struct queue_set_req req;
    struct aw_queues *list;
    const struct aw_queue *q;

    start(sets_queues, &req);
    ck_assert_int_eq(aw_queue_list(client, &list, NULL), AW_OK);
    ck_assert_uint_eq(aw_queues_count(list), 2);
    ck_assert_str_eq(aw_queues_at(list, 0)->name, "default");
    q = aw_queues_at(list, 1);
    ck_assert_str_eq(q->name, "slow");
    ck_assert_uint_eq(q->slots, 3);
    ck_assert_int_eq(q->priority, -2);
    ck_assert(q->paused && !q->draining);
    ck_assert_uint_eq(q->rate, 10);
    ck_assert_int_eq(q->rate_ms, 60000);
    ck_assert_uint_eq(q->waiting, 7);
    ck_assert_ptr_null(aw_queues_at(list, 2));
    aw_queues_free(list);
    stop();
}
END_TEST

START_TEST(a_change_of_a_queue_leaves_what_it_does_not_name)
{
    struct aw_queue_change change;
    struct queue_set_req req;
    struct aw_queues *list;

    start(sets_queues, &req);
    aw_queue_change_init(&change);
    ck_assert_int_eq(aw_queue_set(client, "slow", &change, NULL, NULL), AW_OK);
    ck_assert(!req.create && !req.set_priority);
    ck_assert_int_eq(req.slots, -1);
    ck_assert_int_eq(req.limit, -1);
    ck_assert_int_eq(req.paused, -1);
    ck_assert_int_eq(req.draining, -1);
    ck_assert_int_eq(req.rate, -1);
    change.create = true;
    change.slots = 0;
    change.limit = 4;
    change.priority = 0;
    change.paused = 0;
    change.draining = 1;
    change.rate = 100;
    change.rate_ms = 60000;
    ck_assert_int_eq(aw_queue_set(client, "slow", &change, &list, NULL), AW_OK);
    ck_assert(req.create && req.set_priority);
    ck_assert_int_eq(req.slots, 0);
    ck_assert_int_eq(req.limit, 4);
    ck_assert_int_eq(req.priority, 0);
    ck_assert_int_eq(req.paused, 0);
    ck_assert_int_eq(req.draining, 1);
    ck_assert_int_eq(req.rate, 100);
    ck_assert_uint_eq(req.rate_ms, 60000);
    ck_assert_uint_eq(aw_queues_count(list), 1);
    ck_assert_str_eq(aw_queues_at(list, 0)->name, "slow");
    aw_queues_free(list);
    stop();
}
END_TEST

/* ---- Jobs that wait ------------------------------------------------------------------------ */

struct changes {
    size_t n_priority, n_now, n_renew;
};

static void changes_jobs(struct fake_request *rq, void *arg)
{
    static struct id_result results[AW_MAX_IDS];
    struct change_rep rep = {.jobs = {results, 0}};
    struct changes *c = arg;
    struct change_req req;

    fake_read(rq, &req);
    ck_assert_int_eq(req.set_priority + req.now + req.renew, 1);
    ck_assert_int_eq(req.priority, req.set_priority ? -7 : 0);
    c->n_priority += req.set_priority ? req.ids.n : 0;
    c->n_now += req.now ? req.ids.n : 0;
    c->n_renew += req.renew ? req.ids.n : 0;
    for (size_t i = 0; i < req.ids.n; i++) {
        codec_defaults(&id_result_schema, &results[i]);
        results[i].id = req.ids.v[i];
        if (bytes_eq(req.ids.v[i], bytes_str("2"))) {
            results[i].err = AW_ERR_WRONG_STATE;
            results[i].message = bytes_str("it has ended");
        }
    }
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
}

START_TEST(jobs_that_wait_are_changed)
{
    struct changes changes = {0};
    struct aw_outcomes *list;

    ids_make();
    start(changes_jobs, &changes);
    ck_assert_int_eq(aw_set_priority(client, ids, N_IDS, -7, &list, NULL), AW_OK);
    ck_assert_uint_eq(changes.n_priority, N_IDS);
    ck_assert_uint_eq(aw_outcomes_count(list), N_IDS);
    ck_assert_int_eq(aw_outcomes_at(list, 1)->err, AW_ERR_WRONG_STATE);
    ck_assert_str_eq(aw_outcomes_at(list, 1)->message, "it has ended");
    aw_outcomes_free(list);
    ck_assert_int_eq(aw_start_now(client, ids, 2, &list, NULL), AW_OK);
    ck_assert_uint_eq(changes.n_now, 2);
    aw_outcomes_free(list);
    ck_assert_int_eq(aw_renew(client, ids, 3, &list, NULL), AW_OK);
    ck_assert_uint_eq(changes.n_renew, 3);
    aw_outcomes_free(list);
    stop();
}
END_TEST

static void explains(struct fake_request *rq, void *arg)
{
    struct bytes before[] = {bytes_str("k3f9q-5"), bytes_str("k3f9q-6")};
    struct bytes parents[] = {bytes_str("k3f9q-1")};
    struct explain_rep rep = {.state = AW_QUEUED,
                              .reason = bytes_str("slots"),
                              .text = bytes_str("all 4 slots are taken"),
                              .queue = bytes_str("slow"),
                              .due_us = 99,
                              .n_before = 1000,
                              .more_before = true,
                              .before = {before, 2},
                              .n_parents = 12,
                              .parents = {parents, 1}};
    struct explain_req req;

    fake_read(rq, &req);
    if (*(bool *)arg)
        rep = (struct explain_rep){
            .state = AW_RUNNING, .reason = bytes_str("running"), .text = bytes_str("it runs")};
    ck_assert_bytes_eq(req.id, "7");
    fake_reply(rq, &rep);
}

START_TEST(an_explanation_comes_with_all_its_lists)
{
    struct aw_explanation *why;
    bool plain = false;

    start(explains, &plain);
    ck_assert_int_eq(aw_explain(client, "7", &why, NULL), AW_OK);
    ck_assert_int_eq(why->state, AW_QUEUED);
    ck_assert_str_eq(why->reason, "slots");
    ck_assert_str_eq(why->message, "all 4 slots are taken");
    ck_assert_str_eq(why->queue, "slow");
    ck_assert_int_eq(why->due_us, 99);
    ck_assert_uint_eq(why->n_before, 1000);
    ck_assert(why->more_before);
    ck_assert_str_eq(why->before[0], "k3f9q-5");
    ck_assert_str_eq(why->before[1], "k3f9q-6");
    ck_assert_ptr_null(why->before[2]);
    ck_assert_uint_eq(why->n_parents, 12);
    ck_assert_str_eq(why->parents[0], "k3f9q-1");
    ck_assert_ptr_null(why->parents[1]);
    aw_explanation_free(why);
    plain = true;
    ck_assert_int_eq(aw_explain(client, "7", &why, NULL), AW_OK);
    ck_assert_str_eq(why->queue, "");
    ck_assert_ptr_null(why->before[0]);
    ck_assert_ptr_null(why->parents[0]);
    aw_explanation_free(why);
    stop();
}
END_TEST

static void has_stats(struct fake_request *rq, void *arg)
{
    struct stats_rep rep;

    (void)arg;
    codec_defaults(&stats_rep_schema, &rep);
    rep.daemon = bytes_str("awd 0");
    rep.tag = bytes_str("k3f9q");
    rep.sets = 3;
    rep.first_result = (struct latency){1, 2, 3, 4, 5};
    rep.run = (struct latency){6, 7, 8, 9, 10};
    fake_reply(rq, &rep);
}

START_TEST(stats_have_latencies)
{
    struct aw_stats *stats;

    start(has_stats, NULL);
    ck_assert_int_eq(aw_stats(client, &stats, NULL), AW_OK);
    ck_assert_uint_eq(stats->sets, 3);
    ck_assert_uint_eq(stats->first_result.count, 1);
    ck_assert_int_eq(stats->first_result.p99_us, 4);
    ck_assert_uint_eq(stats->queue_wait.count, 0);
    ck_assert_int_eq(stats->run.max_us, 10);
    aw_stats_free(stats);
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
    tcase_add_test(t, queues_are_listed);
    tcase_add_test(t, a_change_of_a_queue_leaves_what_it_does_not_name);
    tcase_add_test(t, jobs_that_wait_are_changed);
    tcase_add_test(t, an_explanation_comes_with_all_its_lists);
    tcase_add_test(t, stats_have_latencies);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(sets_suite());
}
