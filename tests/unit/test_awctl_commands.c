/* awctl's commands against a daemon that does what the test says: answers and exit codes. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>

#include "tests/unit/awctl_rig.h"

/* ---- The daemon --------------------------------------------------------------------------- */

/*
 * Job 1 succeeded, 2 failed with 3, 3 was killed by signal 9, 4 runs, 5 was cancelled; 404 is
 * unknown, 410 expired.
 */
static void status_of(struct bytes id, struct job_status *s)
{
    static const struct {
        const char *id;
        enum aw_err err;
        enum aw_state state;
        enum aw_class class;
        int exit_code, signal;
    } jobs[] = {
        {"1", 0, AW_SUCCEEDED, AW_CLASS_NONE, 0, 0},
        {"2", 0, AW_FAILED, AW_CLASS_EXIT, 3, 0},
        {"3", 0, AW_FAILED, AW_CLASS_SIGNAL, -1, 9},
        {"4", 0, AW_RUNNING, AW_CLASS_NONE, -1, 0},
        {"5", 0, AW_CANCELLED, AW_CLASS_NONE, -1, 0},
        {"404", AW_ERR_UNKNOWN_ID, AW_SCHEDULED, AW_CLASS_NONE, -1, 0},
        {"410", AW_ERR_EXPIRED_ID, AW_SCHEDULED, AW_CLASS_NONE, -1, 0},
    };

    codec_defaults(&job_status_schema, s);
    s->id = id;
    s->command = bytes_str("tar\x1b[31m -cf \xff");
    s->created_us = s->started_us = 1767225600000000;
    for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
        if (bytes_eq(id, bytes_str(jobs[i].id))) {
            s->err = jobs[i].err;
            s->state = jobs[i].state;
            s->class = jobs[i].class;
            s->exit_code = jobs[i].exit_code;
            s->signal = (uint64_t)jobs[i].signal;
        }
}

/* `n` and `first_error` as in a wait for some of them. */
static void answer_statuses(struct fake_request *rq, const struct strv *ids, uint64_t n,
                            bool first_error)
{
    struct job_status jobs[16];
    struct wait_rep wait = {0};
    struct status_rep status = {0};

    for (size_t i = 0; i < ids->n; i++) {
        status_of(ids->v[i], &jobs[i]);
        wait.n_ended += jobs[i].err || jobs[i].state >= AW_SUCCEEDED;
        wait.n_failed += jobs[i].err || jobs[i].state > AW_SUCCEEDED;
    }
    wait.done = wait.n_ended >= (n ? n : ids->n) || (first_error && wait.n_failed);
    status.jobs.v = jobs;
    status.jobs.n = ids->n;
    if (wait.done) {
        wait.jobs.v = jobs;
        wait.jobs.n = ids->n;
    }
    fake_reply(rq, rq->op == OP_WAIT ? (void *)&wait : (void *)&status);
}

static void answer_submit(struct fake_request *rq, void *arg)
{
    static char text[AW_MAX_JOBS_PER_SUBMIT][AW_MAX_ID];
    struct bytes ids[AW_MAX_JOBS_PER_SUBMIT];
    struct submit_req req;
    unsigned *n_jobs = arg;
    struct submit_rep rep = {0};

    fake_read(rq, &req);
    for (size_t i = 0; i < req.jobs.n; i++) {
        snprintf(text[i], sizeof(text[i]), "k3f9q-%u", ++*n_jobs);
        ids[i] = bytes_str(text[i]);
    }
    rep.ids = (struct strv){ids, req.jobs.n};
    fake_reply(rq, &rep);
}

/* The output of every job: 200,000 numbered lines. */
#define LINE_LEN 8
#define N_LINES  200000

static void answer_logs(struct fake_request *rq)
{
    static char output[N_LINES * LINE_LEN + 1];
    struct logs_req req;
    struct logs_rep rep = {.size = sizeof(output) - 1, .state = AW_SUCCEEDED};
    bool to_stderr;

    fake_read(rq, &req);
    for (int i = 0; !output[0] || i < N_LINES; i++) {
        if (i == 0 && output[0])
            break;
        sprintf(output + i * LINE_LEN, "%07d\n", i);
    }
    to_stderr = bytes_eq(req.stream, bytes_str("stderr"));
    if (to_stderr) {
        rep.size = 5;
        rep.data = bytes_str("oops\n");
        rep.eof = true;
    } else {
        rep.offset = req.offset < 0 ? rep.size - MIN((uint64_t)-req.offset, rep.size)
                                    : MIN((uint64_t)req.offset, rep.size);
        rep.data = bytes_of(output + rep.offset,
                            (size_t)MIN(rep.size - rep.offset, (uint64_t)AW_MAX_CHUNK));
        rep.eof = rep.offset + rep.data.len == rep.size;
    }
    fake_reply(rq, &rep);
}

static void daemon_of_jobs(struct fake_request *rq, void *arg)
{
    struct status_req status;
    struct wait_req wait;

    switch (rq->op) {
    case OP_SUBMIT:
        answer_submit(rq, arg);
        break;
    case OP_STATUS:
        fake_read(rq, &status);
        answer_statuses(rq, &status.ids, 0, false);
        break;
    case OP_WAIT:
        fake_read(rq, &wait);
        answer_statuses(rq, &wait.ids, wait.n, wait.first_error);
        break;
    case OP_LOGS:
        answer_logs(rq);
        break;
    default:
        fake_error(rq, AW_ERR_UNKNOWN_OP, "the fake does not know this");
    }
}

/* One for each test: they run in processes of their own. */
static struct fake *fake;
static unsigned n_jobs;

static void setup(void)
{
    n_jobs = 0;
    fake = fake_start(daemon_of_jobs, &n_jobs);
}

static void teardown(void)
{
    fake_stop(fake);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

START_TEST(submit_prints_the_bare_id)
{
    struct outcome o = awctl(fake, "submit -n x -- true --help");

    ck_assert_int_eq(o.code, 0);
    ck_assert_str_eq(o.out, "k3f9q-1\n");
    ck_assert_str_eq(o.err, "");
}
END_TEST

START_TEST(a_batch_is_submitted_in_messages_and_printed_in_order)
{
    static char in[200000];
    struct outcome o;
    size_t n = 0;

    for (int i = 0; i < 2500; i++)
        n += (size_t)snprintf(in + n, sizeof(in) - n, "{\"argv\": [\"true\"], \"name\": \"%d\"}\n",
                              i);
    o = awctl_in(fake, in, "submit --clean-env --batch -");
    ck_assert_int_eq(o.code, 0);
    ck_assert_uint_eq(n_jobs, 2500);
    fake_await_requests(fake, 3);
    ck_assert_uint_eq(fake_requests(fake), 3);
    ck_assert_ptr_nonnull(strstr(o.out, "k3f9q-1\nk3f9q-2\n"));
    ck_assert_str_eq(o.out + strlen(o.out) - 11, "k3f9q-2500\n");
}
END_TEST

START_TEST(a_wrong_line_in_a_batch_is_named)
{
    static const char *const cases[][2] = {
        {"{\"argv\": [\"true\"]}\n{\"argv\": 1}\n", "line 2: argv: must be an array of strings"},
        {"\n{\"name\": true}", "line 2: name: must be a string"},
        {"{\"argv\": [\"a\"], \"nice\": 30}", "line 1: nice: must be an integer from -20 to 19"},
        {"{\"argv\": [\"a\"], \"env\": {\"A\": 1}}", "line 1: env: must be an object of strings"},
        {"{\"cmd\": \"ls\"}", "line 1: a job has no member 'cmd'"},
        {"[1]", "line 1: must be a JSON object"},
        {"{oops}", "line 1: no JSON"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o = awctl_in(fake, cases[i][0], "submit --batch -");

        ck_assert_int_eq(o.code, 2);
        ck_assert_msg(strstr(o.err, cases[i][1]) != NULL, "%s", o.err);
        ck_assert_str_eq(o.out, "");
    }
    ck_assert_uint_eq(n_jobs, 0);
}
END_TEST

START_TEST(wait_says_by_its_exit_code_what_became_of_all)
{
    static const struct {
        const char *line;
        int code;
    } cases[] = {
        {"wait 1", 0},
        {"wait 1 1", 0},
        {"wait 2", 1},
        {"wait 1 2", 1},
        {"wait 5 1", 1},
        {"wait 404", 4},
        {"wait 410 1", 4},
        {"wait 1 404 2", 4},
        {"wait 2 404", 4},
        {"wait --timeout 0 4", 124},
        {"wait --timeout 0.05 1 4", 124},
        {"wait --exit-status 2", 3},
        {"wait -x 3", 137},
        {"wait -x 1 2", 3},
        {"wait -x 1", 0},
        {"wait --any 1 4", 0},
        {"wait --any 4 2", 1},
        {"wait --any 4 --timeout 0", 124},
        {"wait -n 2 4 1 1", 0},
        {"wait -n 2 4 1 2", 1},
        {"wait -n 2 1 4 --timeout 0", 124},
        {"wait -n 9 1 1", 0},
        {"wait --first-error 4 1 2", 1},
        {"wait --first-error 4 1 --timeout 0", 124},
        {"wait --first-error 1 1", 0},
        {"wait --any 4 2 -x", 3},
        {"wait --any -n 2 1", 2},
        {"wait -n 0 1", 2},
        {"wait --set x 1", 2},
        {"wait nonsense", 2},
        {"wait", 2},
        {"wait --timeout soon 1", 2},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o = awctl(fake, cases[i].line);

        ck_assert_msg(o.code == cases[i].code, "%s: %d, not %d", cases[i].line, o.code,
                      cases[i].code);
        ck_assert_str_eq(o.out, "");
    }
}
END_TEST

START_TEST(a_wait_for_some_shows_all_but_names_those_that_ended)
{
    struct outcome o = awctl(fake, "wait --any 4 2");

    ck_assert_str_eq(o.err, "awctl: 2 failed: exit code 3\n");
    o = awctl(fake, "wait --any --json 4 2");
    ck_assert_ptr_nonnull(strstr(o.out, "\"id\":\"4\""));
    ck_assert_ptr_nonnull(strstr(o.out, "\"state\":\"running\""));
    ck_assert_ptr_nonnull(strstr(o.out, "\"id\":\"2\""));
}
END_TEST

START_TEST(wait_takes_ids_from_standard_input)
{
    struct outcome o = awctl_in(fake, "1\n2 1\n\n", "wait -");

    ck_assert_int_eq(o.code, 1);
    ck_assert_str_eq(o.err, "awctl: 2 failed: exit code 3\n");
}
END_TEST

START_TEST(status_exits_with_0_for_any_job_that_exists)
{
    ck_assert_int_eq(awctl(fake, "status 2").code, 0);
    ck_assert_int_eq(awctl(fake, "status 4").code, 0);
    ck_assert_int_eq(awctl(fake, "status 404").code, 4);
    ck_assert_int_eq(awctl(fake, "status 1 2 404").code, 4);
}
END_TEST

START_TEST(what_jobs_are_called_cannot_drive_the_terminal)
{
    struct outcome one = awctl(fake, "status 1"), many = awctl(fake, "status 1 2 3");

    ck_assert_ptr_nonnull(strstr(one.out, "tar?[31m -cf ?"));
    ck_assert_ptr_null(strchr(one.out, 033));
    ck_assert_ptr_nonnull(strstr(many.out, "tar?[31m -cf ?"));
    ck_assert_ptr_null(strchr(many.out, 033));
}
END_TEST

START_TEST(json_has_all_members_and_is_valid_text)
{
    struct outcome o = awctl(fake, "--json status 3 404");
    char *second = strchr(o.out, '\n');

#define MEMBER(T, KIND, name, sub, need, min, max, def, text) \
    ck_assert_ptr_nonnull(strstr(o.out, "\"" #name "\":"));   \
    ck_assert_ptr_nonnull(strstr(second, "\"" #name "\":"));
    JOB_STATUS_FIELDS(MEMBER, _)
#undef MEMBER
    ck_assert_ptr_nonnull(strcasestr(o.out, "\"command\":\"tar\\u001b[31m -cf \xef\xbf\xbd\""));
    ck_assert_ptr_nonnull(strstr(o.out, "\"class\":\"signal\""));
    ck_assert_ptr_nonnull(strstr(second, "\"state\":null"));
    ck_assert_ptr_nonnull(strstr(second, "\"error\":\"unknown\""));
    ck_assert_int_eq(o.code, 4);
}
END_TEST

START_TEST(logs_prints_all_or_the_last_lines)
{
    struct outcome o = awctl(fake, "logs -n 3 1");

    ck_assert_str_eq(o.out, "0199997\n0199998\n0199999\n");
    o = awctl(fake, "logs -n 0 1");
    ck_assert_str_eq(o.out, "");
    o = awctl(fake, "logs --stderr 1");
    ck_assert_str_eq(o.out, "oops\n");
    o = awctl(fake, "logs -n 100000 1");
    ck_assert_int_eq(strncmp(o.out, "0100000\n0100001\n", 16), 0);
    o = awctl(fake, "logs -n 5000000 1");
    ck_assert_int_eq(strncmp(o.out, "0000000\n0000001\n", 16), 0);
}
END_TEST

/* A job that writes to both streams and fails: in no time, or not. */
struct failing {
    unsigned n_jobs, n_logs;
    bool slow;
};

/* What awctl waits for a moment only is not over by then. */
static bool too_early(struct fake_request *rq)
{
    struct wait_rep early = {.n_total = 1};
    struct wait_req wait;

    fake_read(rq, &wait);
    if (wait.timeout_ms > 1000)
        return false;
    fake_reply(rq, &early);
    return true;
}

static void answer_failed(struct fake_request *rq)
{
    struct job_status job;
    struct wait_rep rep = {.done = true, .n_ended = 1, .n_failed = 1, .jobs = {&job, 1}};

    status_of(bytes_str("2"), &job);
    job.stdout_size = job.stderr_size = strlen("to stdout\n");
    fake_reply(rq, &rep);
}

static void runs_and_fails(struct fake_request *rq, void *arg)
{
    struct failing *s = arg;
    struct logs_req req;
    struct logs_rep rep = {.eof = true, .state = AW_FAILED};

    switch (rq->op) {
    case OP_LOGS:
        s->n_logs++;
        fake_read(rq, &req);
        if (req.stream.len == 0 || bytes_eq(req.stream, bytes_str("stdout")))
            rep.data = bytes_str("to stdout\n");
        else
            rep.data = bytes_str("to stderr\n");
        rep.size = rep.data.len;
        fake_reply(rq, &rep);
        break;
    case OP_WAIT:
        if (!s->slow || !too_early(rq))
            answer_failed(rq);
        break;
    default:
        daemon_of_jobs(rq, &s->n_jobs);
    }
}

START_TEST(run_passes_both_streams_and_the_exit_code_on)
{
    for (int slow = 0; slow < 2; slow++) {
        struct failing state = {.slow = slow};
        struct fake *f = fake_start(runs_and_fails, &state);
        struct outcome o = awctl(f, "run -- make");

        ck_assert_int_eq(o.code, 3);
        ck_assert_str_eq(o.out, "to stdout\n");
        ck_assert_str_eq(o.err, "to stderr\n");
        ck_assert_uint_eq(state.n_logs, 2);
        fake_stop(f);
    }
}
END_TEST

/* Logs are parked until the job is cancelled. */
struct interrupted {
    unsigned n_jobs, n_parked;
    bool cancelled;
    int fd[2];
    uint32_t id[2];
};

static void runs_until_cancelled(struct fake_request *rq, void *arg)
{
    struct logs_rep ended = {.eof = true, .state = AW_CANCELLED};
    struct interrupted *s = arg;
    struct cancel_req cancel;
    struct id_result result;
    struct cancel_rep rep = {.jobs = {&result, 1}};
    struct bytes five = bytes_str("5");

    switch (rq->op) {
    case OP_LOGS:
        if (s->cancelled) {
            fake_reply(rq, &ended);
            break;
        }
        s->fd[s->n_parked] = rq->fd;
        s->id[s->n_parked++] = rq->id;
        break;
    case OP_CANCEL:
        fake_read(rq, &cancel);
        codec_defaults(&id_result_schema, &result);
        result.id = cancel.ids.v[0];
        result.state = AW_RUNNING;
        fake_reply(rq, &rep);
        s->cancelled = true;
        for (unsigned i = 0; i < s->n_parked; i++)
            fake_reply_to(s->fd[i], s->id[i], OP_LOGS, &ended);
        break;
    case OP_WAIT:
        if (!too_early(rq))
            answer_statuses(rq, &(struct strv){&five, 1}, 0, false);
        break;
    default:
        daemon_of_jobs(rq, &s->n_jobs);
    }
}

START_TEST(an_interrupted_run_cancels_its_job)
{
    struct interrupted state = {0};
    struct fake *f = fake_start(runs_until_cancelled, &state);
    FILE *out = tmpfile(), *err = tmpfile();
    pid_t pid = awctl_start(f, "", "run -- sleep 1000", fileno(out), fileno(err));
    char text[4096];

    fake_await_requests(f, 2); /* the submit, and the first wait */
    kill(pid, SIGINT);
    ck_assert_int_eq(awctl_end(pid), 130);
    awctl_text(err, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "cancelling k3f9q-1"));
    fclose(out);
    fake_stop(f);
}
END_TEST

static void refuses(struct fake_request *rq, void *arg)
{
    fake_error(rq, *(enum aw_err *)arg, "no");
}

START_TEST(what_the_daemon_refuses_becomes_the_exit_code_of_the_table)
{
    static const struct {
        enum aw_err err;
        int code;
    } cases[] = {{AW_ERR_QUEUE_FULL, 6},    {AW_ERR_DISK_FULL, 6}, {AW_ERR_DRAINING, 6},
                 {AW_ERR_NOT_PERMITTED, 5}, {AW_ERR_INVALID, 2},   {AW_ERR_BAD_VERSION, 2}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        enum aw_err err = cases[i].err;
        struct fake *f = fake_start(refuses, &err);
        struct outcome o = awctl(f, "submit true");

        ck_assert_int_eq(o.code, cases[i].code);
        ck_assert_str_eq(o.out, "");
        fake_stop(f);
    }
}
END_TEST

START_TEST(an_unreachable_daemon_is_exit_3_with_advice)
{
    struct outcome o = awctl(NULL, "--connect-timeout 0 submit true");

    ck_assert_int_eq(o.code, 3);
    ck_assert_str_eq(o.err, "awctl: no daemon at /nonexistent/awd.sock (no such socket); is it "
                            "running? try: systemctl start awd, or awd --dir DIR\n");
    ck_assert_int_eq(awctl(NULL, "wait --timeout 0 1").code, 3);
}
END_TEST

START_TEST(usage_errors_are_exit_2_and_say_where_help_is)
{
    static const char *const lines[] = {"",
                                        "sumbit",
                                        "submit",
                                        "submit --nosuch true",
                                        "list --state x",
                                        "slots many",
                                        "shutdown --drain --kill",
                                        "set",
                                        "set ad",
                                        "set add",
                                        "set show a b",
                                        "queue nosuch",
                                        "queue set slow",
                                        "queue add slow --rate often",
                                        "change 1",
                                        "as-completed",
                                        "as-completed --after 3 1",
                                        "gather --cancel-rest 1",
                                        "help set ad",
                                        "help list x",
                                        "ping 1"};

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct outcome o = awctl(fake, lines[i]);

        ck_assert_msg(o.code == 2, "%s: %d", lines[i], o.code);
        ck_assert_str_eq(o.out, "");
        ck_assert_uint_gt(strlen(o.err), 10);
    }
    ck_assert_ptr_nonnull(strstr(awctl(fake, "sumbit").err, "did you mean submit?"));
    ck_assert_ptr_nonnull(strstr(awctl(fake, "set ad").err, "'set ad'; did you mean add?"));
    ck_assert_ptr_nonnull(
        strstr(awctl(fake, "queue -j nosuch").err, "awctl help queue lists them"));
}
END_TEST

START_TEST(a_group_has_help_for_itself_and_for_each_of_its_commands)
{
    ck_assert_ptr_nonnull(strstr(awctl(NULL, "help set").out, "\n  members "));
    ck_assert_str_eq(awctl(NULL, "help set").out, awctl(NULL, "set --help").out);
    ck_assert_ptr_nonnull(strstr(awctl(NULL, "help queue drain").out, "awctl queue drain [--off]"));
    ck_assert_ptr_nonnull(strstr(awctl(NULL, "queue drain -h").out, "awctl queue drain [--off]"));
    ck_assert_ptr_nonnull(strstr(awctl(NULL, "--json help set").out, "\"command\":\"set add\""));
}
END_TEST

static Suite *commands_suite(void)
{
    Suite *s = suite_create("awctl commands");
    TCase *t = tcase_create("commands");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, submit_prints_the_bare_id);
    tcase_add_test(t, a_batch_is_submitted_in_messages_and_printed_in_order);
    tcase_add_test(t, a_wrong_line_in_a_batch_is_named);
    tcase_add_test(t, wait_says_by_its_exit_code_what_became_of_all);
    tcase_add_test(t, a_wait_for_some_shows_all_but_names_those_that_ended);
    tcase_add_test(t, wait_takes_ids_from_standard_input);
    tcase_add_test(t, status_exits_with_0_for_any_job_that_exists);
    tcase_add_test(t, what_jobs_are_called_cannot_drive_the_terminal);
    tcase_add_test(t, json_has_all_members_and_is_valid_text);
    tcase_add_test(t, logs_prints_all_or_the_last_lines);
    tcase_add_test(t, run_passes_both_streams_and_the_exit_code_on);
    tcase_add_test(t, an_interrupted_run_cancels_its_job);
    tcase_add_test(t, what_the_daemon_refuses_becomes_the_exit_code_of_the_table);
    tcase_add_test(t, an_unreachable_daemon_is_exit_3_with_advice);
    tcase_add_test(t, usage_errors_are_exit_2_and_say_where_help_is);
    tcase_add_test(t, a_group_has_help_for_itself_and_for_each_of_its_commands);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(commands_suite());
}
