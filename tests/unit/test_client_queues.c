/* libaw's plain calls on queues, jobs that wait and figures, against a daemon of the test's own. */
#include "tests/unit/unit.h"

#include "tests/unit/sets_rig.h"

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

static const struct aw_limits some = {
    .memory = UINT64_C(1) << 40,
    .cpu = 150,
    .cpu_time_ms = 1500,
    .processes = 7,
    .files = 64,
    .file_size = 4096,
    .nice = 5,
    .io_priority = 9,
};

static void assert_limits(const struct limits *have, const struct aw_limits *want)
{
#define X(T, KIND, name, sub, need, min, max, def, text) \
    ck_assert_uint_eq(have->name, (uint64_t)want->name);
    LIMITS_FIELDS(X, _)
#undef X
}

START_TEST(limits_of_a_queue_change_when_they_are_named)
{
    static const char *const only[] = {"memory", "io_priority", NULL};
    struct aw_queue_change change;
    struct queue_set_req req;

    start(sets_queues, &req);
    aw_queue_change_init(&change);
    ck_assert_int_eq(aw_queue_set(client, "slow", &change, NULL, NULL), AW_OK);
    ck_assert(!req.set_limits);
    change.limits = &some;
    ck_assert_int_eq(aw_queue_set(client, "slow", &change, NULL, NULL), AW_OK);
    ck_assert(req.set_limits);
    ck_assert_uint_eq(req.only_limits.n, 0);
    assert_limits(&req.limits, &some);
    change.only_limits = only;
    ck_assert_int_eq(aw_queue_set(client, "slow", &change, NULL, NULL), AW_OK);
    ck_assert_uint_eq(req.only_limits.n, 2);
    stop();
}
END_TEST

/* As the daemon does it. */
static void refuses(struct fake_request *rq, void *arg)
{
    struct queue_set_req req;
    struct aw_error err;

    (void)arg;
    ck_assert_int_eq(codec_read(&rq->doc, &queue_set_req_schema, &req, &err), AW_ERR_INVALID);
    fake_error(rq, err.code, err.text);
}

START_TEST(more_names_than_there_are_limits_are_one_too_many)
{
    static const char *const only[] = {"memory", "memory", "memory", "memory", "memory", "memory",
                                       "memory", "memory", "memory", "memory", NULL};
    struct aw_queue_change change;
    struct aw_error err;

    start(refuses, NULL);
    aw_queue_change_init(&change);
    change.limits = &some;
    change.only_limits = only;
    ck_assert_int_eq(aw_queue_set(client, "slow", &change, NULL, &err), AW_ERR_INVALID);
    ck_assert_msg(strstr(err.text, "only_limits") != NULL, "%s", err.text);
    stop();
}
END_TEST

/* Takes the job's limits, and gives them back with its status. */
static void keeps_limits(struct fake_request *rq, void *arg)
{
    struct limits *kept = arg;
    struct bytes id = bytes_str("k3f9q-1");
    struct submit_rep submitted = {.ids = {&id, 1}};
    struct job_status job;
    struct status_rep status = {.jobs = {&job, 1}};
    struct submit_req req;

    if (rq->op == OP_SUBMIT) {
        fake_read(rq, &req);
        *kept = req.jobs.v[0].limits;
        fake_reply(rq, &submitted);
        return;
    }
    codec_defaults(&job_status_schema, &job);
    job.id = id;
    job.limits = *kept;
    fake_reply(rq, &status);
}

START_TEST(a_job_brings_its_limits_and_its_status_shows_them)
{
    static char program[] = "true";
    char *argv[] = {program, NULL};
    const char *id = "k3f9q-1";
    struct limits kept;
    struct aw_statuses *list;
    struct aw_future *future;
    struct aw_job job;

    start(keeps_limits, &kept);
    aw_job_init(&job);
    job.argv = argv;
    job.limits = some;
    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    assert_limits(&kept, &some);
    ck_assert_int_eq(aw_status(client, &id, 1, &list, NULL), AW_OK);
    assert_limits(&kept, &aw_statuses_at(list, 0)->limits);
    aw_statuses_free(list);
    aw_future_unref(future);
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
    rep.loop = (struct latency){11, 12, 13, 14, 15};
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
    ck_assert_uint_eq(stats->loop.count, 11);
    ck_assert_int_eq(stats->loop.max_us, 15);
    aw_stats_free(stats);
    stop();
}
END_TEST

/* Three users, in pages of two; or pages that never end. */
static void serves_users(struct fake_request *rq, void *arg)
{
    static const uint64_t uids[] = {0, 1000, UINT32_MAX};
    struct user_status users[3];
    struct users_rep rep = {.users = {users, 0}, .next = -1};
    const bool *endless = arg;
    struct users_req req;

    fake_read(rq, &req);
    for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
        if ((int64_t)uids[i] <= req.after || rep.users.n == 2)
            continue;
        codec_defaults(&user_status_schema, &users[rep.users.n]);
        users[rep.users.n].uid = uids[i];
        users[rep.users.n].bytes = 100 + i;
        users[rep.users.n++].max_sets = 7;
    }
    if (req.after < 0)
        rep.next = 1000;
    else if (*endless)
        rep.next = req.after;
    fake_reply(rq, &rep);
}

START_TEST(users_are_listed_page_by_page)
{
    bool endless = false;
    struct aw_users *list;

    start(serves_users, &endless);
    ck_assert_int_eq(aw_user_list(client, &list, NULL), AW_OK);
    ck_assert_uint_eq(aw_users_count(list), 3);
    ck_assert_uint_eq(aw_users_at(list, 0)->uid, 0);
    ck_assert_uint_eq(aw_users_at(list, 2)->uid, UINT32_MAX);
    ck_assert_uint_eq(aw_users_at(list, 2)->bytes, 102);
    ck_assert_uint_eq(aw_users_at(list, 1)->max_sets, 7);
    ck_assert_ptr_null(aw_users_at(list, 3));
    aw_users_free(list);
    endless = true;
    ck_assert_int_eq(aw_user_list(client, &list, NULL), AW_ERR_PROTOCOL);
    stop();
}
END_TEST

static Suite *queues_suite(void)
{
    Suite *s = suite_create("client queues");
    TCase *t = tcase_create("queues");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, queues_are_listed);
    tcase_add_test(t, a_change_of_a_queue_leaves_what_it_does_not_name);
    tcase_add_test(t, limits_of_a_queue_change_when_they_are_named);
    tcase_add_test(t, more_names_than_there_are_limits_are_one_too_many);
    tcase_add_test(t, a_job_brings_its_limits_and_its_status_shows_them);
    tcase_add_test(t, jobs_that_wait_are_changed);
    tcase_add_test(t, an_explanation_comes_with_all_its_lists);
    tcase_add_test(t, stats_have_latencies);
    tcase_add_test(t, users_are_listed_page_by_page);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(queues_suite());
}
