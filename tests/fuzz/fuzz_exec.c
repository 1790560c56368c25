/*
 * A hostile runner: what the exec worker makes of what aw-runner says, whole attempts long.
 *
 * The input is a script: what the host wants of the worker, and what the runner sends. The worker
 * finds its runner at the end of a socketpair, as often as it looks for one. Every attempt that was
 * given to it must be told to have ended once, at the latest when its runner says so at last; and
 * what it tells the runner must be messages that awd may send, about attempts that there are.
 */
#include "tests/fuzz/fuzz.h"

#include <event2/event.h>
#include <sys/socket.h>

#include "daemon/log.h"
#include "daemon/workers/exec.h"
#include "daemon/workers/runner_start.h"
#include "proto/codec.h"
#include "proto/runner_wire.h"

#define N_CLAIMS 8

static struct event_base *base;
static struct worker *worker;
static int runner = -1; /* its end of the connection */

static struct claim {
    bool given, ended, recorded;
} claims[N_CLAIMS + 1]; /* [0] is never given */

/* ---- In place of runner_start.c -------------------------------------------------------------- */

struct runner_starter *runner_starter_new(struct event_base *loop, const struct exec_config *config)
{
    (void)loop, (void)config;
    return malloc(1);
}

void runner_starter_free(struct runner_starter *starter)
{
    free(starter);
}

static void runner_leave(void)
{
    if (runner >= 0)
        close(take_fd(runner));
}

enum aw_err runner_starter_connect(struct runner_starter *starter, int *ret_sock,
                                   struct aw_error *err)
{
    int pair[2];

    (void)starter, (void)err;
    runner_leave();
    fuzz_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
               "no socket");
    runner = pair[1];
    *ret_sock = pair[0];
    return AW_OK;
}

/* ---- The host -------------------------------------------------------------------------------- */

static struct claim *claim_of(uint64_t number)
{
    fuzz_check(number <= N_CLAIMS && claims[number].given, "claim %llu was not given",
               (unsigned long long)number);
    return &claims[number];
}

static void on_started(void *arg, uint64_t claim, pid_t pid, int64_t started_us)
{
    (void)arg;
    fuzz_check(!claim_of(claim)->ended && pid > 0 && started_us >= 0, "started");
}

static void on_grown(void *arg, uint64_t claim, int stream, uint64_t size)
{
    (void)arg;
    fuzz_check(!claim_of(claim)->ended && stream >= 0 && stream < N_STREAMS && size <= INT64_MAX,
               "grown");
}

static void on_ended(void *arg, uint64_t claim, const struct outcome *outcome)
{
    (void)arg;
    fuzz_check(!claim_of(claim)->ended, "claim %u ended twice", (unsigned)claim);
    fuzz_check(memchr(outcome->message, 0, sizeof(outcome->message)), "an endless message");
    claims[claim].ended = true;
}

static const struct worker_host host = {on_started, on_grown, on_ended};

static void give(uint64_t claim, bool adopt, bool big)
{
    static char long_arg[RUNNER_MAX_INLINE_START + 1];
    struct bytes argv[] = {bytes_str("true"), bytes_of(long_arg, sizeof(long_arg) - 1)};
    struct job job;
    struct work work = {.claim = claim,
                        .number = claim,
                        .attempt = 1,
                        .id = "k3f9q-1",
                        .job = &job,
                        .started_us = adopt ? 1000 : 0};

    if (claim == 0 || claims[claim].given)
        return;
    claims[claim].given = true;
    memset(long_arg, 'x', sizeof(long_arg) - 1);
    codec_defaults(&job_schema, &job);
    job.argv = (struct strv){argv, big ? 2 : 1};
    if (big)
        job.stdin = bytes_str("input");
    (adopt ? worker->ops->adopt : worker->ops->start)(worker, &work);
}

static void record(uint64_t claim)
{
    if (!claims[claim].ended || claims[claim].recorded)
        return;
    claims[claim].recorded = true;
    worker->ops->recorded(worker, claim);
}

/* ---- The runner ------------------------------------------------------------------------------ */

static void send_message(const struct runner_msg *msg)
{
    static struct runner_packet packet;

    packet.len = 0;
    if (runner >= 0 && runner_packet_add(&packet, msg))
        (void)!runner_send(runner, packet.data, packet.len, NULL, 0, NULL);
}

/* A message as it should be, but for when it comes. */
static void say(uint8_t type, uint64_t claim, uint8_t what)
{
    static const enum runner_msg_type types[] = {RUNNER_WELCOME, RUNNER_RUNNING, RUNNER_STARTED,
                                                 RUNNER_EXITED,  RUNNER_READY,   RUNNER_GROWN,
                                                 RUNNER_CLEANED};
    struct runner_msg msg = {.type = types[type % ARRAY_SIZE(types)]};

    switch (msg.type) {
    case RUNNER_WELCOME:
        msg.welcome = (struct runner_welcome){RUNNER_WIRE_VERSION, 7, what, what & 3};
        break;
    case RUNNER_RUNNING:
    case RUNNER_STARTED:
        msg.running = (struct runner_running){claim, what, 77};
        break;
    case RUNNER_EXITED:
        msg.exited.claim = claim;
        msg.exited.exit_code = what;
        break;
    case RUNNER_GROWN:
        msg.grown = (struct runner_grown){claim, what & 1, what};
        break;
    case RUNNER_CLEANED:
        msg.cleaned = (struct runner_cleaned){claim, what & 1};
        break;
    default:
        break;
    }
    send_message(&msg);
}

static void message_check(const struct runner_msg *msg)
{
    fuzz_check(runner_msg_from_awd(msg->type), "%s", runner_msg_name(msg->type));
    if (msg->type == RUNNER_START)
        claim_of(msg->start.claim);
    else if (msg->type == RUNNER_CLEAN)
        claim_of(msg->clean.claim);
}

/* Reads what awd has said. */
static void hear(void)
{
    static unsigned char buf[RUNNER_MAX_PACKET];
    struct aw_error err = {.text = ""};
    int fds[RUNNER_MAX_FDS];
    size_t len, n_fds = 0;

    while (runner >= 0 && !runner_recv(runner, buf, &len, fds, &n_fds, NULL)) {
        struct bytes rest = bytes_of(buf, len);

        for (size_t i = 0; i < n_fds; i++)
            close(fds[i]);
        while (rest.len) {
            struct runner_msg msg;

            fuzz_check(!runner_msg_get(&rest, &msg, &err), "%s", err.text);
            message_check(&msg);
        }
        n_fds = 0;
    }
}

static void turn(void)
{
    fuzz_check(event_base_loop(base, EVLOOP_NONBLOCK) >= 0, "the loop failed");
    hear();
}

/* ---- The script ------------------------------------------------------------------------------ */

static void raw(struct input *in)
{
    struct bytes b = input_take(in, input_byte(in));

    if (runner >= 0 && b.len)
        (void)!runner_send(runner, b.data, b.len, NULL, 0, NULL);
}

static void step(struct input *in)
{
    uint8_t what = input_byte(in), arg = input_byte(in);
    uint64_t claim = arg % (N_CLAIMS + 1);

    switch (what & 7) {
    case 0:
        give(claim, what & 8, what & 16);
        break;
    case 1:
        worker->ops->stop(worker, claim, (what >> 3) - 1);
        break;
    case 2:
        record(claim);
        break;
    case 3:
        worker->ops->watch(worker, claim);
        break;
    case 4:
        raw(in);
        break;
    case 5:
        runner_leave();
        break;
    case 6:
        say(what >> 3, claim, input_byte(in));
        break;
    case 7:
        break;
    }
    if (what & 128 || what == 7)
        turn();
}

/* With a runner that is there, and says of each attempt that it has ended, all have. */
static void end_all(void)
{
    turn();
    turn();
    if (worker_exec_runner_pid(worker) == 0)
        return; /* it looks for another one a little later */
    say(4, 0, 0);
    turn();
    for (uint64_t claim = 1; claim <= N_CLAIMS; claim++)
        if (claims[claim].given && !claims[claim].ended)
            say(3, claim, 0);
    turn();
    turn();
    for (uint64_t claim = 1; claim <= N_CLAIMS; claim++) {
        fuzz_check(claims[claim].given == claims[claim].ended, "claim %u has not ended",
                   (unsigned)claim);
        record(claim);
    }
    turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct exec_config config = {.socket_path = "/nowhere", .spool_dir = "/nowhere"};
    struct input in = {data, size};

    log_set_level(LOG_CRIT);
    memset(claims, 0, sizeof(claims));
    base = event_base_new();
    worker = base ? worker_exec_new(base, &config, &host, NULL) : NULL;
    fuzz_check(worker, "no memory");
    while (in.left && in.p < data + size && *in.p & 8 && !(*in.p & 7)) /* adopted ones come first */
        step(&in);
    worker_exec_adopted_all(worker);
    while (in.left)
        step(&in);
    end_all();
    worker_exec_release(worker);
    hear();
    worker->ops->free(worker);
    event_base_free(base);
    runner_leave();
    return 0;
}
