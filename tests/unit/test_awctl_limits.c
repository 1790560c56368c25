/* awctl's limits on what jobs may use: options, batches and texts, against a fake daemon. */
#include "tests/unit/unit.h"

#include <inttypes.h>

#include "tests/unit/awctl_rig.h"

/* What was asked for last. */
static struct {
    struct job jobs[2];
    size_t n_jobs, n_requests;
    struct queue_set_req change;
    char only[128]; /* the names of limits, a space behind each */
    struct limits limits;
} asked;

static struct fake *fake;

static void submit_answer(struct fake_request *rq)
{
    static struct bytes ids[2];
    struct submit_rep rep;
    struct submit_req req;

    fake_read(rq, &req);
    codec_defaults(&submit_rep_schema, &rep);
    asked.n_jobs = MIN(req.jobs.n, ARRAY_SIZE(asked.jobs));
    for (size_t i = 0; i < asked.n_jobs; i++) {
        asked.jobs[i] = req.jobs.v[i];
        ids[i] = bytes_str("k3f9q-1");
    }
    rep.ids.v = ids;
    rep.ids.n = asked.n_jobs;
    fake_reply(rq, &rep);
}

static void status_answer(struct fake_request *rq)
{
    struct job_status job;
    struct status_rep rep = {.jobs = {&job, 1}};

    codec_defaults(&job_status_schema, &job);
    job.id = bytes_str("k3f9q-1");
    job.state = AW_QUEUED;
    job.limits = asked.limits;
    fake_reply(rq, &rep);
}

static struct queue_status the_queue(void)
{
    struct queue_status q;

    codec_defaults(&queue_status_schema, &q);
    q.name = bytes_str("q");
    q.limits = asked.limits;
    return q;
}

static void queue_set_answer(struct fake_request *rq)
{
    struct queue_set_rep rep = {.queue = the_queue()};
    size_t len = 0;

    fake_read(rq, &asked.change);
    *asked.only = '\0';
    for (size_t i = 0; i < asked.change.only_limits.n; i++)
        len += (size_t)snprintf(asked.only + len, sizeof(asked.only) - len, "%.*s ",
                                (int)asked.change.only_limits.v[i].len,
                                (const char *)asked.change.only_limits.v[i].data);
    fake_reply(rq, &rep);
}

static void serve(struct fake_request *rq, void *arg)
{
    struct queue_status q = the_queue();
    struct queue_list_rep list = {.queues = {&q, 1}};

    (void)arg;
    asked.n_requests++;
    if (rq->op == OP_SUBMIT)
        submit_answer(rq);
    else if (rq->op == OP_STATUS)
        status_answer(rq);
    else if (rq->op == OP_QUEUE_SET)
        queue_set_answer(rq);
    else if (rq->op == OP_QUEUE_LIST)
        fake_reply(rq, &list);
    else
        fake_error(rq, AW_ERR_INTERNAL, "not in this test");
}

static void setup(void)
{
    memset(&asked, 0, sizeof(asked));
    fake = fake_start(serve, NULL);
}

static void teardown(void)
{
    fake_stop(fake);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static const struct limits all = {
    .memory = UINT64_C(3) << 29,
    .cpu = 150,
    .cpu_time_ms = 90000,
    .processes = 12,
    .files = 64,
    .file_size = 1000,
    .nice = 7,
    .io_priority = 9,
};

static void assert_limits(const struct limits *have, struct limits want)
{
#define X(T, KIND, name, sub, need, min, max, def, text)                                      \
    ck_assert_msg(have->name == want.name, #name " is %" PRIu64 ", not %" PRIu64, have->name, \
                  want.name);
    LIMITS_FIELDS(X, _)
#undef X
}

/* ---- Jobs ------------------------------------------------------------------------------------ */

START_TEST(a_job_brings_the_limits_of_its_options)
{
    struct limits want = all;

    want.nice = 0; /* a job has a niceness, and needs no limit on it */
    ck_assert_int_eq(awctl(fake, "submit --memory 1.5G --cpu 150% --cpu-time 1.5m --processes 12 "
                                 "--open-files 64 --file-size 1000 --io-priority idle --nice 7 "
                                 "-- true")
                         .code,
                     0);
    assert_limits(&asked.jobs[0].limits, want);
    ck_assert_int_eq(asked.jobs[0].nice, 7);
    ck_assert_int_eq(awctl(fake, "submit true").code, 0);
    assert_limits(&asked.jobs[0].limits, (struct limits){0});
}
END_TEST

START_TEST(none_is_no_limit_and_priorities_count_from_0)
{
    ck_assert_int_eq(awctl(fake, "submit --memory 5 --memory none --cpu none true").code, 0);
    assert_limits(&asked.jobs[0].limits, (struct limits){0});
    ck_assert_int_eq(awctl(fake, "submit --io-priority 0 true").code, 0);
    assert_limits(&asked.jobs[0].limits, (struct limits){.io_priority = 1});
    ck_assert_int_eq(awctl(fake, "submit --io-priority 7 true").code, 0);
    assert_limits(&asked.jobs[0].limits, (struct limits){.io_priority = 8});
}
END_TEST

START_TEST(what_is_no_limit_is_refused_before_the_daemon_is_asked)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"submit --memory 0 true", "--memory: '0' would leave it nothing"},
        {"submit --memory -1 true", "--memory: '-1' is no size"},
        {"submit --memory 1Z true", "--memory: '1Z' is no size"},
        {"submit --cpu 150 true", "--cpu: '150' is no share of processors"},
        {"submit --cpu 0% true", "--cpu: '0%' is no share of processors"},
        {"submit --cpu 1.5% true", "--cpu: '1.5%' is no share of processors"},
        {"submit --cpu 409601% true", "--cpu: '409601%' is no share of processors"},
        {"submit --cpu-time soon true", "--cpu-time: 'soon' is no duration"},
        {"submit --cpu-time 0 true", "--cpu-time: '0' would leave it nothing"},
        {"submit --processes 0 true", "--processes: '0' is neither a number from 1 to 4194304"},
        {"submit --processes +1 true", "--processes: '+1' is neither a number from 1 to 4194304"},
        {"submit --open-files 1073741817 true", "--open-files: '1073741817' is neither a number"},
        {"submit --open-files 99999999999999999999 true", "--open-files: '9999999999999999999"},
        {"submit --io-priority 8 true", "--io-priority: '8' is neither 0 to 7 nor idle"},
        {"submit --io-priority  true", "--io-priority: 'true' is neither 0 to 7 nor idle"},
        {"submit --memory 1G --noop", "only a command has limits"},
        {"submit --processes 5 --http http://a/", "only a command has limits"},
        {"queue set q --nice 20", "--nice: '20' is neither a number from 0 to 19 nor none"},
        {"queue add q --nice -1", "--nice: '-1' is neither a number from 0 to 19 nor none"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o = awctl(fake, cases[i].line);

        ck_assert_msg(o.code == 2 && has(o.err, cases[i].says), "%s: %d, %s", cases[i].line, o.code,
                      o.err);
    }
    ck_assert_uint_eq(asked.n_requests, 0);
}
END_TEST

START_TEST(a_batch_has_limits_of_its_own_upon_those_of_the_options)
{
    struct outcome o =
        awctl_in(fake,
                 "{\"argv\": [\"true\"], \"limits\": {\"memory\": 5, \"files\": 0, \"nice\": 3}}\n"
                 "{\"argv\": [\"true\"]}\n",
                 "submit --memory 1K --open-files 9 --cpu 50% --batch -");

    ck_assert_int_eq(o.code, 0);
    ck_assert_uint_eq(asked.n_jobs, 2);
    assert_limits(&asked.jobs[0].limits, (struct limits){.memory = 5, .cpu = 50, .nice = 3});
    assert_limits(&asked.jobs[1].limits, (struct limits){.memory = 1024, .cpu = 50, .files = 9});
}
END_TEST

START_TEST(wrong_limits_in_a_batch_are_named)
{
    static const char *const cases[][2] = {
        {"{\"limits\": 5}", "line 1: limits: must be an object of limits"},
        {"{\"limits\": {\"mem\": 5}}", "line 1: limits: there is no limit 'mem'"},
        {"{\"limits\": {\"cpu\": 409601}}", "limits.cpu: must be an integer from 0 to 409600"},
        {"{\"limits\": {\"cpu\": -1}}", "limits.cpu: must be an integer from 0 to 409600"},
        {"{\"limits\": {\"nice\": \"5\"}}", "limits.nice: must be an integer from 0 to 19"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o = awctl_in(fake, cases[i][0], "submit --batch -");

        ck_assert_msg(o.code == 2 && has(o.err, cases[i][1]), "%s: %s", cases[i][0], o.err);
    }
    ck_assert_uint_eq(asked.n_jobs, 0);
}
END_TEST

/* ---- As text --------------------------------------------------------------------------------- */

#define ALL_AS_TEXT                                                                       \
    "memory 1536M, cpu 150%, cpu-time 90s, processes 12, open-files 64, file-size 1000, " \
    "nice 7, io-priority idle"

START_TEST(status_and_queues_show_limits_as_options_have_them)
{
    asked.limits = all;
    ck_assert(has(awctl(fake, "status k3f9q-1").out, "\nlimits     " ALL_AS_TEXT "\n"));
    ck_assert(has(awctl(fake, "queue show q").out, "\nlimits     " ALL_AS_TEXT "\n"));
    ck_assert(has(awctl(fake, "queue list").out, ALL_AS_TEXT "\n"));
    asked.limits = (struct limits){.io_priority = 1, .cpu_time_ms = 1500, .memory = 1 << 30};
    ck_assert(has(awctl(fake, "status k3f9q-1").out,
                  "\nlimits     memory 1G, cpu-time 1500ms, io-priority 0\n"));
    asked.limits = (struct limits){0};
    ck_assert(!has(awctl(fake, "status k3f9q-1").out, "limits"));
    ck_assert(!has(awctl(fake, "queue show q").out, "limits"));
}
END_TEST

START_TEST(json_has_all_limits_as_the_protocol_has_them)
{
    static const char want[] =
        "\"limits\":{\"memory\":1610612736,\"cpu\":150,\"cpu_time_ms\":90000,"
        "\"processes\":12,\"files\":64,\"file_size\":1000,\"nice\":7,"
        "\"io_priority\":9}";

    asked.limits = all;
    ck_assert(has(awctl(fake, "--json status k3f9q-1").out, want));
    ck_assert(has(awctl(fake, "--json queue list").out, want));
    ck_assert(has(awctl(fake, "--json queue set q --cpu 5%").out, want));
}
END_TEST

/* ---- Queues ---------------------------------------------------------------------------------- */

START_TEST(a_queue_is_told_those_limits_that_change)
{
    ck_assert_int_eq(awctl(fake, "queue set q --memory 1G --nice 5").code, 0);
    ck_assert(asked.change.set_limits);
    ck_assert_str_eq(asked.only, "memory nice ");
    assert_limits(&asked.change.limits, (struct limits){.memory = 1 << 30, .nice = 5});
    ck_assert_int_eq(awctl(fake, "queue set q --processes none").code, 0);
    ck_assert_str_eq(asked.only, "processes ");
    assert_limits(&asked.change.limits, (struct limits){0});
    ck_assert_int_eq(awctl(fake, "queue add q --io-priority 3 --slots 2").code, 0);
    ck_assert(asked.change.create);
    ck_assert_int_eq(asked.change.slots, 2);
    ck_assert_str_eq(asked.only, "io_priority ");
    assert_limits(&asked.change.limits, (struct limits){.io_priority = 4});
    ck_assert_int_eq(awctl(fake, "queue set q --slots 2").code, 0);
    ck_assert(!asked.change.set_limits);
    ck_assert_int_eq(awctl(fake, "queue set q --memory 1 --cpu 1% --cpu-time 1 --processes 1 "
                                 "--open-files 1 --file-size 1 --nice 0 --io-priority none")
                         .code,
                     0);
    ck_assert_uint_eq(asked.change.only_limits.n, N_LIMITS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("awctl_limits");
    TCase *t = tcase_create("limits");

    suite_add_tcase(suite, t);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_job_brings_the_limits_of_its_options);
    tcase_add_test(t, none_is_no_limit_and_priorities_count_from_0);
    tcase_add_test(t, what_is_no_limit_is_refused_before_the_daemon_is_asked);
    tcase_add_test(t, a_batch_has_limits_of_its_own_upon_those_of_the_options);
    tcase_add_test(t, wrong_limits_in_a_batch_are_named);
    tcase_add_test(t, status_and_queues_show_limits_as_options_have_them);
    tcase_add_test(t, json_has_all_limits_as_the_protocol_has_them);
    tcase_add_test(t, a_queue_is_told_those_limits_that_change);
    return unit_run(suite);
}
