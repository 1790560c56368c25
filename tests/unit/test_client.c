/* libaw against a daemon that does what the test says: calls, futures, output, limits. */
#include "tests/unit/unit.h"

#include "proto/future_id.h"
#include "tests/unit/client_rig.h"

/* ---- Submitting -------------------------------------------------------------------------- */

START_TEST(a_submit_gives_one_future_for_each_job_in_their_order)
{
    struct store store = {0};
    struct fake *fake = fake_start(well_behaved, &store);
    struct aw_client *client = client_at(fake_path(fake));
    struct aw_job jobs[3] = {echo_job(), echo_job(), echo_job()};
    struct aw_future *futures[3];

    ck_assert_int_eq(aw_submit(client, jobs, 3, futures, NULL), AW_OK);
    ck_assert_str_eq(aw_future_id(futures[0]), "k3f9q-1");
    ck_assert_str_eq(aw_future_id(futures[2]), "k3f9q-3");
    ck_assert(!aw_future_deduplicated(futures[1]));
    for (int i = 0; i < 3; i++)
        aw_future_unref(futures[i]);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static void check_job_arrives(struct fake_request *rq, void *arg)
{
    struct submit_req req;
    struct job *job;

    fake_read(rq, &req);
    job = &req.jobs.v[0];
    ck_assert_bytes_eq(job->argv.v[1], "hello");
    ck_assert_uint_eq(job->argv.n, 2);
    ck_assert_bytes_eq(job->cwd, "/srv");
    ck_assert_bytes_eq(job->env.v[0], "A=1");
    ck_assert_uint_eq(job->stdin.len, 4);
    ck_assert_int_eq(memcmp(job->stdin.data, "a\0b", 4), 0);
    ck_assert(job->merge_stderr);
    ck_assert_int_eq(job->umask, 022);
    ck_assert_int_eq(job->nice, 5);
    ck_assert_int_eq(job->priority, -3);
    ck_assert_bytes_eq(job->key, "nightly");
    ck_assert_uint_eq(job->delay_ms, 1500);
    ck_assert_uint_eq(job->timeout_ms, 60000);
    ck_assert_uint_eq(job->grace_ms, 0);
    ck_assert_uint_eq(job->queue_timeout_ms, 7);
    ck_assert_uint_eq(job->output_limit, 4096);
    ck_assert_uint_eq(job->retention_ms, 9);
    ck_assert_bytes_eq(job->on_interrupt, "retry");
    ck_assert_bytes_eq(job->name, "n");
    answer_submit(rq, arg);
}

START_TEST(every_field_of_a_job_arrives)
{
    struct store store = {0};
    struct fake *fake = fake_start(check_job_arrives, &store);
    struct aw_client *client = client_at(fake_path(fake));
    char *env[] = {(char *)"A=1", NULL};
    struct aw_job job = echo_job();
    struct aw_future *future;

    job.cwd = "/srv";
    job.env = env;
    job.stdin_data = "a\0b";
    job.stdin_len = 4;
    job.merge_stderr = true;
    job.umask = 022;
    job.nice = 5;
    job.name = "n";
    job.priority = -3;
    job.key = "nightly";
    job.delay_ms = 1500;
    job.timeout_ms = 60000;
    job.grace_ms = 0;
    job.queue_timeout_ms = 7;
    job.output_limit = 4096;
    job.retention_ms = 9;
    job.on_interrupt = "retry";
    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    aw_future_unref(future);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

START_TEST(a_job_that_cannot_be_right_is_refused_before_it_is_sent)
{
    struct aw_client *client = client_at("/nonexistent/awd.sock");
    struct aw_job jobs[2] = {echo_job(), echo_job()};
    struct aw_future *futures[2] = {NULL, NULL};
    struct aw_error err = {0};

    jobs[1].cwd = "relative";
    ck_assert_int_eq(aw_submit(client, jobs, 2, futures, &err), AW_ERR_INVALID);
    ck_assert_str_eq(err.text, "jobs[1].cwd: must be an absolute path");
    ck_assert_ptr_null(futures[0]);
    ck_assert_int_eq(aw_submit(client, jobs, 0, futures, &err), AW_ERR_USAGE);
    ck_assert_int_eq(aw_submit(client, jobs, 1001, futures, &err), AW_ERR_USAGE);
    jobs[0].size = 3;
    ck_assert_int_eq(aw_submit(client, jobs, 2, futures, &err), AW_ERR_USAGE);
    aw_client_close(client);
}
END_TEST

START_TEST(a_request_beyond_the_limit_is_refused_before_it_is_sent)
{
    struct aw_client *client = client_at("/nonexistent/awd.sock");
    struct aw_job jobs[3] = {echo_job(), echo_job(), echo_job()};
    struct aw_future *futures[3];
    struct aw_error err = {0};
    size_t len = 3 << 20;
    char *bytes = calloc(1, len);

    for (int i = 0; i < 3; i++) {
        jobs[i].stdin_data = bytes;
        jobs[i].stdin_len = len;
    }
    ck_assert_int_eq(aw_submit(client, jobs, 3, futures, &err), AW_ERR_TOO_LARGE);
    free(bytes);
    aw_client_close(client);
}
END_TEST

/* A caller that was compiled with an older, shorter struct. */
START_TEST(a_shorter_struct_of_an_older_caller_is_understood)
{
    struct store store = {0};
    struct fake *fake = fake_start(well_behaved, &store);
    struct aw_client *client = client_at(fake_path(fake));
    size_t old = offsetof(struct aw_job, sleep_ms);
    char *jobs = malloc(2 * old);
    char **argv = echo_argv;
    struct aw_future *futures[2];

    for (size_t i = 0; i < 2; i++) {
        aw_job_init_sized((struct aw_job *)(jobs + i * old), old);
        memcpy(jobs + i * old + offsetof(struct aw_job, argv), &argv, sizeof(argv));
    }
    ck_assert_int_eq(aw_submit(client, (struct aw_job *)jobs, 2, futures, NULL), AW_OK);
    free(jobs);
    ck_assert_uint_eq(store.n_jobs, 2);
    aw_future_unref(futures[0]);
    aw_future_unref(futures[1]);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

/* ---- Futures ----------------------------------------------------------------------------- */

START_TEST(a_future_that_has_ended_answers_without_asking_again)
{
    struct store store = {0};
    struct fake *fake = fake_start(well_behaved, &store);
    struct aw_client *client = client_at(fake_path(fake));
    struct aw_job job = echo_job();
    struct aw_future *future;
    enum aw_state state;
    bool done;

    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    ck_assert_int_eq(aw_future_wait(future, AW_FOREVER, NULL), AW_OK);
    fake_down(fake);
    ck_assert_int_eq(aw_future_state(future, &state, NULL), AW_OK);
    ck_assert_int_eq(state, AW_SUCCEEDED);
    ck_assert_int_eq(aw_future_done(future, &done, NULL), AW_OK);
    ck_assert(done);
    ck_assert_int_eq(aw_future_wait(future, 0, NULL), AW_OK);
    aw_future_unref(future);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

START_TEST(looking_up_an_unknown_id_gives_the_daemons_reason)
{
    struct fake *fake = fake_start(well_behaved, NULL);
    struct aw_client *client = client_at(fake_path(fake));
    struct aw_future *future = NULL;
    struct aw_error err;

    ck_assert_int_eq(aw_lookup(client, "404", &future, &err), AW_ERR_UNKNOWN_ID);
    ck_assert_str_eq(err.text, "no future 404 was ever issued");
    ck_assert_ptr_null(future);
    ck_assert_int_eq(aw_lookup(client, "k3f9q-5", &future, &err), AW_OK);
    ck_assert_str_eq(aw_future_id(future), "k3f9q-5");
    aw_future_unref(future);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

START_TEST(a_future_outlives_its_client)
{
    struct store store = {0};
    struct fake *fake = fake_start(well_behaved, &store);
    struct aw_client *client = client_at(fake_path(fake));
    struct aw_job job = echo_job();
    struct aw_future *future;

    ck_assert_int_eq(aw_submit(client, &job, 1, &future, NULL), AW_OK);
    aw_client_close(client);
    ck_assert_str_eq(aw_future_id(future), "k3f9q-1");
    ck_assert_int_eq(aw_future_wait(future, AW_FOREVER, NULL), AW_ERR_CLOSED);
    aw_future_unref(future);
    fake_stop(fake);
}
END_TEST

static void not_yet(struct fake_request *rq, void *arg)
{
    struct wait_req wait;

    (void)arg;
    fake_read(rq, &wait);
    answer_wait(rq->fd, rq->id, &wait.ids, AW_RUNNING);
}

START_TEST(a_wait_without_time_asks_once)
{
    struct fake *fake = fake_start(not_yet, NULL);
    struct aw_client *client = client_at(fake_path(fake));
    const char *ids[] = {"k3f9q-1", "k3f9q-2"};
    struct aw_progress progress = {9, 9};
    struct aw_statuses *list = NULL;

    ck_assert_int_eq(aw_wait(client, ids, 2, 0, &progress, &list, NULL), AW_ERR_TIMED_OUT);
    ck_assert_uint_eq(progress.n_ended, 0);
    ck_assert_ptr_null(list);
    fake_await_requests(fake, 1);
    ck_assert_uint_eq(fake_requests(fake), 1);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

START_TEST(many_ids_are_asked_for_in_pieces)
{
    enum { N = 4500 };
    struct fake *fake = fake_start(well_behaved, NULL);
    struct aw_client *client = client_at(fake_path(fake));
    static char text[N][AW_MAX_ID];
    static const char *ids[N];
    struct aw_statuses *list;
    struct aw_progress progress;

    for (size_t i = 0; i < N; i++) {
        future_id_format(text[i], "k3f9q", i + 1);
        ids[i] = text[i];
    }
    ck_assert_int_eq(aw_wait(client, ids, N, AW_FOREVER, &progress, &list, NULL), AW_OK);
    ck_assert_uint_eq(aw_statuses_count(list), N);
    ck_assert_uint_eq(progress.n_ended, N);
    ck_assert_str_eq(aw_statuses_at(list, 0)->id, "k3f9q-1");
    ck_assert_str_eq(aw_statuses_at(list, N - 1)->id, "k3f9q-4500");
    ck_assert_ptr_null(aw_statuses_at(list, N));
    aw_statuses_free(list);
    ck_assert_int_eq(aw_status(client, ids, N, &list, NULL), AW_OK);
    ck_assert_uint_eq(aw_statuses_count(list), N);
    ck_assert_str_eq(aw_statuses_at(list, 3000)->name, "backup");
    aw_statuses_free(list);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

/* ---- Output ------------------------------------------------------------------------------ */

#define OUTPUT_SIZE 2500000

static void answer_result(struct fake_request *rq, void *arg)
{
    const char *output = arg;
    struct result_req req;
    struct result_rep rep = {0};
    struct wait_req wait;

    if (rq->op == OP_WAIT) {
        fake_read(rq, &wait);
        answer_wait(rq->fd, rq->id, &wait.ids, AW_SUCCEEDED);
        return;
    }
    fake_read(rq, &req);
    codec_defaults(&job_status_schema, &rep.job);
    rep.job.id = req.id;
    rep.job.state = AW_SUCCEEDED;
    rep.data =
        bytes_of(output + req.offset, MIN(OUTPUT_SIZE - (size_t)req.offset, (size_t)AW_MAX_CHUNK));
    rep.size = OUTPUT_SIZE;
    rep.eof = req.offset + rep.data.len == OUTPUT_SIZE;
    fake_reply(rq, &rep);
}

static void status_and_lookup(struct fake_request *rq, void *arg)
{
    if (rq->op == OP_STATUS)
        answer_status(rq, AW_RUNNING);
    else
        answer_result(rq, arg);
}

START_TEST(a_result_is_fetched_whole_however_many_replies_it_takes)
{
    char *output = malloc(OUTPUT_SIZE);
    struct aw_result *result;
    struct aw_future *future;
    struct aw_client *client;
    struct fake *fake;

    for (size_t i = 0; i < OUTPUT_SIZE; i++)
        output[i] = (char)(i * 31 >> 3);
    fake = fake_start(status_and_lookup, output);
    client = client_at(fake_path(fake));
    ck_assert_int_eq(aw_lookup(client, "k3f9q-1", &future, NULL), AW_OK);
    ck_assert_int_eq(aw_future_result(future, AW_FOREVER, &result, NULL), AW_OK);
    ck_assert_uint_eq(result->len, OUTPUT_SIZE);
    ck_assert_int_eq(memcmp(result->data, output, OUTPUT_SIZE), 0);
    ck_assert_int_eq(result->data[OUTPUT_SIZE], 0);
    ck_assert(result->eof);
    ck_assert_int_eq(result->status->state, AW_SUCCEEDED);
    aw_result_free(result);
    aw_future_unref(future);
    aw_client_close(client);
    fake_stop(fake);
    free(output);
}
END_TEST

/* A job that writes nothing at first: the long polls come back empty. */
static void slow_logs(struct fake_request *rq, void *arg)
{
    struct logs_req req;
    struct logs_rep rep = {.offset = 90, .size = 90, .state = AW_RUNNING};

    (void)arg;
    fake_read(rq, &req);
    ck_assert_int_eq(req.offset, rq->n == 0 ? -10 : 90);
    if (rq->n == 2) {
        rep.data = bytes_str("at last");
        rep.size = 97;
    }
    fake_reply(rq, &rep);
}

START_TEST(logs_wait_for_output_at_the_place_where_they_began)
{
    struct fake *fake = fake_start(slow_logs, NULL);
    struct aw_client *client = client_at(fake_path(fake));
    struct aw_chunk *chunk;

    ck_assert_int_eq(aw_logs(client, "1", AW_STDOUT, -10, AW_FOREVER, &chunk, NULL), AW_OK);
    ck_assert_str_eq(chunk->data, "at last");
    ck_assert_uint_eq(chunk->offset, 90);
    ck_assert(!chunk->eof);
    aw_chunk_free(chunk);
    aw_client_close(client);
    fake_stop(fake);
}
END_TEST

static Suite *client_suite(void)
{
    Suite *s = suite_create("client");
    TCase *t = tcase_create("calls");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_submit_gives_one_future_for_each_job_in_their_order);
    tcase_add_test(t, every_field_of_a_job_arrives);
    tcase_add_test(t, a_job_that_cannot_be_right_is_refused_before_it_is_sent);
    tcase_add_test(t, a_request_beyond_the_limit_is_refused_before_it_is_sent);
    tcase_add_test(t, a_shorter_struct_of_an_older_caller_is_understood);
    tcase_add_test(t, a_future_that_has_ended_answers_without_asking_again);
    tcase_add_test(t, looking_up_an_unknown_id_gives_the_daemons_reason);
    tcase_add_test(t, a_future_outlives_its_client);
    tcase_add_test(t, a_wait_without_time_asks_once);
    tcase_add_test(t, many_ids_are_asked_for_in_pieces);
    tcase_add_test(t, a_result_is_fetched_whole_however_many_replies_it_takes);
    tcase_add_test(t, logs_wait_for_output_at_the_place_where_they_began);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(client_suite());
}
