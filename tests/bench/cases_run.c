/* Jobs that run: in the loop, as programs, and from the command line. */
#include "tests/bench/bench.h"
#include "tests/bench/peers.h"
#include "tests/bench/rig.h"
#include "tests/bench/work.h"

#define N_SLOTS "2"

struct state {
    struct daemon awd;
    struct codec_buf buf;
    struct bytes body;
};

static void open_slots(struct bench *b)
{
    static const char *const flags[] = {"--slots", N_SLOTS, NULL};
    struct state *s = b->state = calloc(1, sizeof(*s));

    if (!s)
        bench_die("run");
    daemon_start(b, &s->awd, "awd", flags);
    s->body = work_submit_body(&s->buf, 1, "noop", NULL);
    (void)work_programs(s->awd.socket, "/bin/true", 10); /* the runner is there from now on */
}

static void close_all(struct bench *b)
{
    struct state *s = b->state;

    daemon_stop(&s->awd);
    codec_buf_done(&s->buf);
    free(s);
}

static void trip_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;
    double sync = floor_fdatasync(b->dir, bench_count(b, 1000));

    *ret_awd = work_round_trips(s->awd.socket, "noop", 1, bench_count(b, 2000)).p50_us;
    *ret_floor = sync + floor_fdatasync(b->dir, bench_count(b, 1000)) +
                 floor_echo(bench_count(b, 2000), s->body.len);
}

static void trips_64_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;

    *ret_floor = 25000;
    *ret_awd = work_round_trips(s->awd.socket, "noop", 64, bench_count(b, 10000)).per_s;
}

static void true_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    struct state *s = b->state;

    *ret_floor = floor_spawn(bench_count(b, 2000));
    *ret_awd = work_programs(s->awd.socket, "/bin/true", bench_count(b, 3000));
}

/* awctl's wall-clock time from fork to exit, with this daemon. */
static double awctl_p50(struct bench *b, const char *command, size_t n)
{
    const char *const argv[] = {b->programs->awctl, command, "--", "true", NULL};
    struct state *s = b->state;

    if (setenv("AWD_SOCKET", s->awd.socket, 1) < 0)
        bench_die("setenv");
    return floor_program(argv, n);
}

static void awctl_submit_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    static const char *const bare[] = {"/bin/true", NULL};
    struct state *s = b->state;

    *ret_floor = floor_program(bare, bench_count(b, 500)) +
                 work_submit_p50(s->awd.socket, s->body, bench_count(b, 500));
    *ret_awd = awctl_p50(b, "submit", bench_count(b, 500));
}

static void awctl_run_round(struct bench *b, double *ret_awd, double *ret_floor)
{
    static const char *const bare[] = {"/bin/true", NULL};

    *ret_floor = 2 * floor_program(bare, bench_count(b, 500));
    *ret_awd = awctl_p50(b, "run", bench_count(b, 500));
}

const struct bench_case run_cases[] = {
    {"noop-trip", "submit, run a noop, and its end told to who waits", "us",
     "2 fdatasync + an echo", GOAL_AT_MOST, 1.5, open_slots, trip_round, close_all, trip_peers},
    {"noop-trips-64", "the same by 64 clients", "/s", "the goal", GOAL_AT_LEAST, 1, open_slots,
     trips_64_round, close_all, trips_64_peers},
    {"true", "`true` as a job, " N_SLOTS " slots", "/s", "bare posix_spawn, two at a time",
     GOAL_AT_LEAST, 0.9, open_slots, true_round, close_all, true_peers},
    {"awctl-submit", "`awctl submit -- true`, the whole process", "us",
     "`true`, and a submit by a client that is there", GOAL_AT_MOST, 1.3, open_slots,
     awctl_submit_round, close_all, awctl_submit_peers},
    {"awctl-run", "`awctl run -- true`, the whole process", "us", "`true` twice", GOAL_NONE, 0,
     open_slots, awctl_run_round, close_all, awctl_run_peers},
    {0},
};
