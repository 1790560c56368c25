/* awctl's commands on sets and queues, and those that read many jobs, against a fake daemon. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "tests/unit/awctl_daemon.h"
#include "tests/unit/awctl_rig.h"

static struct daemon state;
static struct fake *fake;

static void setup(void)
{
    state = (struct daemon){.n_members = 3, .n_ended = 3, .closed = true, .page = AW_MAX_PAGE};
    fake = fake_start(daemon_serve, &state);
}

static void teardown(void)
{
    fake_stop(fake);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- as-completed ------------------------------------------------------------------------- */

START_TEST(completions_are_lines_with_place_id_state_and_time)
{
    struct outcome o = awctl(fake, "as-completed --set wanted");

    ck_assert_str_eq(o.out, "1 k3f9q-1 succeeded 1.5s\n"
                            "2 k3f9q-2 failed 1.5s failed: exit code 3\n"
                            "3 k3f9q-3 succeeded 1.5s\n");
    ck_assert_str_eq(o.err, "");
    ck_assert_int_eq(o.code, 1);
    ck_assert_uint_eq(state.cursor, 3);
    ck_assert_str_eq(state.consumer, "");
}
END_TEST

START_TEST(a_consumer_goes_on_where_it_was_or_where_it_says)
{
    struct outcome o;

    state.cursor = 2;
    o = awctl(fake, "as-completed --set wanted --consumer me");
    ck_assert_str_eq(o.out, "3 k3f9q-3 succeeded 1.5s\n");
    ck_assert_int_eq(o.code, 0);
    ck_assert_str_eq(state.consumer, "me");
    o = awctl(fake, "as-completed --set wanted --after 1");
    ck_assert_str_eq(o.out, "2 k3f9q-2 failed 1.5s failed: exit code 3\n"
                            "3 k3f9q-3 succeeded 1.5s\n");
    o = awctl(fake, "as-completed --set wanted");
    ck_assert_str_eq(o.out, "");
    ck_assert_int_eq(o.code, 0);
}
END_TEST

START_TEST(ids_come_as_they_complete_and_missing_ones_first)
{
    struct outcome o = awctl(fake, "as-completed k3f9q-1 k3f9q-2 k3f9q-3 k3f9q-9");

    ck_assert_str_eq(o.out, "0 k3f9q-9 unknown - unknown: no future with this ID was ever issued\n"
                            "1 k3f9q-1 succeeded 1.5s\n"
                            "2 k3f9q-2 failed 1.5s failed: exit code 3\n"
                            "3 k3f9q-3 succeeded 1.5s\n");
    ck_assert_int_eq(o.code, 4);
}
END_TEST

START_TEST(output_comes_behind_its_line_and_looks_like_no_other)
{
    struct outcome o = awctl(fake, "as-completed --output --set wanted --after 2");

    ck_assert_str_eq(o.out, "3 k3f9q-3 succeeded 1.5s\n\tfirst of 3\n\tlast\n");
    o = awctl(fake, "--json as-completed -o --set wanted --after 2");
    ck_assert(has(o.out, "\"stdout\":\"first of 3\\nlast\",\"stdout_base64\":null"));
    ck_assert_uint_eq(state.n_statuses, 0); /* a result says how it ended, too */
}
END_TEST

START_TEST(completions_in_json_have_all_members)
{
    struct outcome o = awctl(fake, "--json as-completed --set wanted --after 2");

#define MEMBER(T, KIND, name, sub, need, min, max, def, text) \
    ck_assert(has(o.out, "\"" #name "\":"));
    JOB_STATUS_FIELDS(MEMBER, _)
#undef MEMBER
    ck_assert(has(o.out, "\"place\":3,\"ended\":true,\"stdout\":null,\"stdout_base64\":null,"
                         "\"stdout_truncated\":false}\n"));
    ck_assert_ptr_eq(strchr(o.out, '\n') + 1, o.out + strlen(o.out));
}
END_TEST

START_TEST(what_has_not_ended_in_time_is_named)
{
    struct outcome o;

    state.n_ended = 1;
    o = awctl(fake, "as-completed --set wanted --timeout 0.05");
    ck_assert_int_eq(o.code, 124);
    ck_assert_str_eq(o.out, "1 k3f9q-1 succeeded 1.5s\n");
    ck_assert(has(o.err, "awctl: k3f9q-2 has not ended (running)\n"));
    ck_assert(has(o.err, "awctl: k3f9q-3 has not ended (running)\n"));
    ck_assert_uint_eq(state.cursor, 1);
    o = awctl(fake, "--json as-completed --set wanted --after 0 --timeout 0.05");
    ck_assert_int_eq(o.code, 124);
    ck_assert(has(o.out, "\"place\":0,\"ended\":false"));
    ck_assert(has(o.out, "\"place\":1,\"ended\":true"));
}
END_TEST

START_TEST(what_could_not_be_written_is_not_acknowledged)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    FILE *err = tmpfile();
    char text[4096];

    ck_assert_int_ge(full, 0);
    ck_assert_int_eq(
        awctl_end(awctl_start(fake, "", "as-completed --set wanted", full, fileno(err))), 6);
    close(full);
    awctl_text(err, text, sizeof(text));
    ck_assert(has(text, "standard output"));
    ck_assert_uint_eq(state.cursor, 0);
}
END_TEST

/* All that comes from there. */
static size_t read_lines(int fd, char *last, size_t size)
{
    FILE *f = fdopen(fd, "r");
    size_t n = 0;

    while (fgets(last, (int)size, f))
        n++;
    fclose(f);
    return n;
}

/* A pipe that is full keeps it in the middle of a page. */
START_TEST(a_signal_leaves_it_at_a_clean_place)
{
    static const int signals[] = {SIGINT, SIGTERM};

    for (size_t i = 0; i < 2; i++) {
        struct pollfd readable;
        FILE *err = tmpfile();
        char last[256], want[64];
        int fds[2];
        size_t n;
        pid_t pid;

        state.n_members = state.n_ended = 1000;
        state.cursor = 0;
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_ge(fcntl(fds[0], F_SETPIPE_SZ, 4096), 0);
        pid = awctl_start(fake, "", "as-completed --set wanted", fds[1], fileno(err));
        close(fds[1]);
        readable = (struct pollfd){fds[0], POLLIN, 0};
        ck_assert_int_eq(poll(&readable, 1, 60000), 1);
        kill(pid, signals[i]);
        n = read_lines(fds[0], last, sizeof(last));
        ck_assert_int_eq(awctl_end(pid), 130);
        ck_assert_uint_ge(n, 1);
        ck_assert_uint_eq(state.cursor, n);
        snprintf(want, sizeof(want), "%zu k3f9q-%zu ", n, n);
        ck_assert_int_eq(strncmp(last, want, strlen(want)), 0);
        ck_assert_int_eq(last[strlen(last) - 1], '\n');
        fclose(err);
    }
}
END_TEST

START_TEST(a_signal_ends_a_wait_for_the_next_one)
{
    FILE *out = tmpfile(), *err = tmpfile();
    char text[4096];
    pid_t pid;

    state.parks = true;
    state.n_ended = 2;
    pid = awctl_start(fake, "", "as-completed --set wanted", fileno(out), fileno(err));
    fake_await_requests(fake, 2); /* with the completions; and for the one behind them */
    kill(pid, SIGTERM);
    ck_assert_int_eq(awctl_end(pid), 130);
    awctl_text(out, text, sizeof(text));
    ck_assert_str_eq(text, "1 k3f9q-1 succeeded 1.5s\n"
                           "2 k3f9q-2 failed 1.5s failed: exit code 3\n");
    awctl_text(err, text, sizeof(text));
    ck_assert_str_eq(text, "");
    ck_assert_uint_eq(state.cursor, 2);
}
END_TEST

/* ---- gather, wait --------------------------------------------------------------------------- */

START_TEST(outputs_are_gathered_in_the_order_of_the_ids)
{
    struct outcome o = awctl(fake, "gather k3f9q-3 k3f9q-1");

    ck_assert_str_eq(o.out, "first of 3\nlastfirst of 1\nlast");
    ck_assert_str_eq(o.err, "");
    ck_assert_int_eq(o.code, 0);
    o = awctl(fake, "gather k3f9q-3 k3f9q-2 k3f9q-9");
    ck_assert_str_eq(o.out, "first of 3\nlastfirst of 2\nlast");
    ck_assert(has(o.err, "awctl: k3f9q-2 failed: exit code 3\n"));
    ck_assert(has(o.err, "awctl: k3f9q-9 unknown: "));
    ck_assert_int_eq(o.code, 4);
}
END_TEST

START_TEST(a_strict_gather_prints_all_or_nothing)
{
    struct outcome o = awctl(fake, "gather --strict k3f9q-1 k3f9q-2 k3f9q-3");

    ck_assert_str_eq(o.out, "");
    ck_assert_str_eq(o.err, "awctl: k3f9q-2 failed: exit code 3\n");
    ck_assert_int_eq(o.code, 1);
}
END_TEST

START_TEST(a_gather_that_is_over_prints_what_there_is)
{
    struct outcome o;

    state.n_ended = 1;
    o = awctl(fake, "gather --timeout 0.05 k3f9q-1 k3f9q-2");
    ck_assert_str_eq(o.out, "first of 1\nlast");
    ck_assert(has(o.err, "awctl: k3f9q-2 has not ended (running)\n"));
    ck_assert_int_eq(o.code, 124);
    o = awctl(fake, "--json gather --set wanted --timeout 0.05");
    ck_assert(has(o.out, "\"ended\":true,\"stdout\":\"first of 1\\nlast\""));
    ck_assert(has(o.out, "\"ended\":false,\"stdout\":null"));
    ck_assert_int_eq(o.code, 124);
}
END_TEST

START_TEST(a_set_is_gathered_and_waited_for)
{
    struct outcome o = awctl(fake, "gather --set wanted");

    ck_assert_str_eq(o.out, "first of 1\nlastfirst of 2\nlastfirst of 3\nlast");
    ck_assert_int_eq(o.code, 1);
    o = awctl(fake, "wait --set wanted");
    ck_assert_int_eq(o.code, 1);
    ck_assert_str_eq(o.err, "awctl: k3f9q-2 failed: exit code 3\n");
    o = awctl(fake, "set wait wanted");
    ck_assert_int_eq(o.code, 1);
    ck_assert_str_eq(o.err, "awctl: set wanted: 1 of 3 did not succeed\n");
    state.n_ended = 1;
    ck_assert_int_eq(awctl(fake, "wait --set wanted --any").code, 0);
    ck_assert_int_eq(awctl(fake, "wait --set wanted -n 2 --timeout 0").code, 124);
    ck_assert_int_eq(awctl(fake, "set wait wanted --timeout 0").code, 124);
}
END_TEST

/* ---- set, queue, change, explain ------------------------------------------------------------ */

START_TEST(sets_are_made_listed_shown_closed_cancelled_and_forgotten)
{
    struct outcome o;

    state.closed = false;
    o = awctl(fake, "set add wanted k3f9q-1 k3f9q-9");
    ck_assert_int_eq(o.code, 4);
    ck_assert(has(o.err, "awctl: k3f9q-9 unknown: "));
    ck_assert(!state.closed);
    ck_assert_int_eq(awctl_in(fake, "1 2", "set add --close wanted -").code, 0);
    ck_assert(state.closed);
    o = awctl(fake, "set list");
    ck_assert(has(o.out, "wanted complete"));
    o = awctl(fake, "set show wanted");
    ck_assert(has(o.out, "members    3: 3 ended, 1 of them failed\n"));
    ck_assert(has(o.out, "first end  after 98ms\n"));
    ck_assert(has(o.out, "p50 1.00ms, p95 2.00ms, p99 3.00ms, max 4.0s (of 4)\n"));
    o = awctl(fake, "--json set show wanted");
    ck_assert(has(o.out, "\"n_failed\":1"));
    ck_assert(has(o.out, "\"run\":{\"count\":4,\"p50_us\":1000,\"p95_us\":2000,\"p99_us\":3000,"
                         "\"max_us\":4000000}"));
    ck_assert(has(o.out, "\"queue_wait\":{\"count\":0,"));
    ck_assert_str_eq(awctl(fake, "set members -q wanted").out, "k3f9q-1\nk3f9q-2\nk3f9q-3\n");
    state.closed = false;
    ck_assert_int_eq(awctl(fake, "set close wanted").code, 0);
    ck_assert(state.closed);
    ck_assert_str_eq(awctl(fake, "--json set cancel wanted").out,
                     "{\"cancelled\":2,\"stopping\":1}\n");
    ck_assert(state.cancelled);
    ck_assert_str_eq(awctl(fake, "--json set forget --jobs wanted").out,
                     "{\"set\":\"wanted\",\"jobs\":true}\n");
}
END_TEST

START_TEST(queues_are_listed_shown_and_changed)
{
    struct outcome o = awctl(fake, "queue list");

    ck_assert(has(o.out, "slow"));
    ck_assert(has(o.out, "10/m"));
    o = awctl(fake, "queue show slow");
    ck_assert(has(o.out, "state      paused\n"));
    ck_assert(has(o.out, "slots      3 of its own\n"));
    ck_assert_int_eq(awctl(fake, "queue show nosuch").code, 4);
    ck_assert_int_eq(awctl(fake, "queue add slow --rate 100/1m --slots 3 -p -2").code, 0);
    ck_assert(state.queue.create && state.queue.set_priority);
    ck_assert_int_eq(state.queue.rate, 100);
    ck_assert_uint_eq(state.queue.rate_ms, 60000);
    ck_assert_int_eq(state.queue.slots, 3);
    ck_assert_int_eq(state.queue.limit, -1);
    ck_assert_int_eq(state.queue.priority, -2);
    ck_assert_int_eq(awctl(fake, "queue set --limit 0 slow").code, 0);
    ck_assert(!state.queue.create && !state.queue.set_priority);
    ck_assert_int_eq(state.queue.limit, 0);
    ck_assert_int_eq(awctl(fake, "queue pause slow").code, 0);
    ck_assert_int_eq(state.queue.paused, 1);
    ck_assert_int_eq(awctl(fake, "queue resume slow").code, 0);
    ck_assert_int_eq(state.queue.paused, 0);
    ck_assert_int_eq(awctl(fake, "queue drain slow").code, 0);
    ck_assert_int_eq(state.queue.draining, 1);
    ck_assert_int_eq(awctl(fake, "queue drain --off slow").code, 0);
    ck_assert_int_eq(state.queue.draining, 0);
    ck_assert_int_eq(state.queue.paused, -1);
    o = awctl(fake, "submit --queue slow -- true");
    ck_assert(has(o.err, "takes no new jobs now; awctl queue drain --off slow ends that\n"));
    ck_assert_int_eq(o.code, 6);
}
END_TEST

START_TEST(jobs_that_wait_are_changed_renewed_and_explained)
{
    struct outcome o;

    state.n_ended = 1;
    ck_assert_int_eq(awctl(fake, "change --priority 3 k3f9q-2").code, 0);
    ck_assert_int_eq(awctl(fake, "change --now k3f9q-2 k3f9q-1").code, 0);
    o = awctl(fake, "change --now -p 3 k3f9q-2 k3f9q-1");
    ck_assert_str_eq(o.err, "awctl: k3f9q-1 wrong-state: it has ended\n");
    ck_assert_int_eq(o.code, 1);
    ck_assert_int_eq(awctl(fake, "renew k3f9q-2").code, 0);
    ck_assert_int_eq(awctl(fake, "renew k3f9q-1").code, 1);
    o = awctl(fake, "explain 7");
    ck_assert(has(o.out, "id         k3f9q-7\n"));
    ck_assert(has(o.out, "queue      slow\n"));
    ck_assert(has(o.out, "reason     slots\n           all 4 slots are taken\n"));
    ck_assert(has(o.out, "before it  1000 or more: k3f9q-5 k3f9q-6 ...\n"));
    o = awctl(fake, "--json explain 7");
    ck_assert_str_eq(
        o.out, "{\"id\":\"k3f9q-7\",\"state\":\"queued\",\"reason\":\"slots\",\"text\":\"all 4 "
               "slots are taken\",\"queue\":\"slow\",\"due_us\":0,\"n_before\":1000,"
               "\"more_before\":true,\"before\":[\"k3f9q-5\",\"k3f9q-6\"],\"n_parents\":0,"
               "\"parents\":[]}\n");
    o = awctl(fake, "explain 8");
    ck_assert(has(o.out, "reason     ended\n"));
    ck_assert(!has(o.out, "queue"));
}
END_TEST

static Suite *sets_suite(void)
{
    Suite *s = suite_create("awctl sets");
    TCase *t = tcase_create("sets");

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, completions_are_lines_with_place_id_state_and_time);
    tcase_add_test(t, a_consumer_goes_on_where_it_was_or_where_it_says);
    tcase_add_test(t, ids_come_as_they_complete_and_missing_ones_first);
    tcase_add_test(t, output_comes_behind_its_line_and_looks_like_no_other);
    tcase_add_test(t, completions_in_json_have_all_members);
    tcase_add_test(t, what_has_not_ended_in_time_is_named);
    tcase_add_test(t, what_could_not_be_written_is_not_acknowledged);
    tcase_add_test(t, a_signal_leaves_it_at_a_clean_place);
    tcase_add_test(t, a_signal_ends_a_wait_for_the_next_one);
    tcase_add_test(t, outputs_are_gathered_in_the_order_of_the_ids);
    tcase_add_test(t, a_strict_gather_prints_all_or_nothing);
    tcase_add_test(t, a_gather_that_is_over_prints_what_there_is);
    tcase_add_test(t, a_set_is_gathered_and_waited_for);
    tcase_add_test(t, sets_are_made_listed_shown_closed_cancelled_and_forgotten);
    tcase_add_test(t, queues_are_listed_shown_and_changed);
    tcase_add_test(t, jobs_that_wait_are_changed_renewed_and_explained);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(sets_suite());
}
