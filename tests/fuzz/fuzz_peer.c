/*
 * A hostile awd: what aw-runner's side of their connection makes of it, over many connections.
 *
 * peer.c is the real one, and so are the jobs and their records. The input is a script: packets of
 * any bytes with any descriptors, messages as they should be but for when they come, connections
 * that end and are made anew; and attempts that grow and end meanwhile. Nothing is spawned and
 * nobody is killed: this has supervise.c's functions itself.
 *
 * Whatever comes: what the runner says are messages that a runner may send, about attempts that
 * it holds. To each HELLO it says WELCOME, then all that it holds, then READY; the end of an
 * attempt once in each connection, until it was acknowledged. No descriptor stays open.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/log.h"
#include "daemon/runner/runner.h"
#include "daemon/runner/supervise.h"

#define N_CLAIMS  8 /* of those that the script makes; raw bytes may name any */
#define MAX_READS 1000
#define MAX_CHUNK AW_INLINE_OUTPUT

static struct runner runner;
static struct sockaddr_un address;
static socklen_t address_len;
static int awd = -1; /* its end of the connection */

/* What awd was told in this connection. */
static bool greeted, welcomed, ready;
static size_t n_told_live, n_told_ended;
static size_t n_held_live, n_held_ended; /* at the HELLO */

/* ---- In place of supervise.c ----------------------------------------------------------------- */

static void strings_check(struct runner_strings block)
{
    const char *s = block.data;

    for (size_t i = 0; i < block.n; i++)
        s = runner_strings_next(s);
    fuzz_check(s == block.data + block.len, "%zu strings are not the whole block", block.n);
}

bool supervise_start(struct runner *r, const struct runner_start *start, int stdin_fd)
{
    struct job *job;

    fuzz_check(r == &runner && r->peer.greeted, "START without HELLO");
    fuzz_check((stdin_fd >= 0) == (start->stdin_kind == RUNNER_STDIN_FD), "descriptor %d",
               stdin_fd);
    fuzz_check(stdin_fd < 0 || fcntl(stdin_fd, F_GETFD) & FD_CLOEXEC, "it is for others, too");
    fuzz_check(start->id.len < AW_MAX_ID && start->argv.n > 0, "START");
    strings_check(start->argv);
    strings_check(start->env);
    if (job_by_claim(&r->jobs, start->claim))
        return true;
    job = job_new(&r->jobs, start);
    fuzz_check(job != NULL, "no memory");
    job->runner = r;
    job_set_pid(&r->jobs, job, (pid_t)(1 + job->serial % INT32_MAX));
    job->started_us = 1;
    peer_tell(r, job, TELL_STARTED);
    return true;
}

static void job_end(struct job *job)
{
    if (job->state == JOB_ENDED)
        return;
    job->ended_us = 2;
    job_judge(job);
    job_move(&runner.jobs, job, JOB_ENDED);
    peer_tell(&runner, job, TELL_EXITED);
}

void supervise_stop(struct runner *r, struct job *job, uint64_t grace_ms)
{
    fuzz_check(job_by_claim(&r->jobs, job->claim) == job, "no such job");
    if (job->state != JOB_ENDED)
        job->reason = REASON_STOP;
    if (grace_ms == 0)
        job_end(job);
}

void supervise_watch(struct runner *r, struct job *job)
{
    if (job->state == JOB_ENDED)
        return;
    job->watched = true;
    for (int i = 0; i < RUNNER_STREAMS; i++)
        job->out[i].told = UINT64_MAX;
    peer_tell(r, job, TELL_GROWN);
}

/* It writes: what fits is kept here, more would be in a file. */
static void job_grow(struct job *job, int stream, size_t n)
{
    struct stream *s = &job->out[stream].stream;

    if (job->state == JOB_ENDED)
        return;
    if (!s->data)
        s->data = calloc(1, MAX_CHUNK);
    fuzz_check(s->data != NULL, "no memory");
    s->spooled = s->size + n > MAX_CHUNK;
    s->size += n;
    if (job->watched)
        peer_tell(&runner, job, TELL_GROWN);
}

/* ---- What awd hears -------------------------------------------------------------------------- */

static void greeting_check(enum runner_msg_type type)
{
    fuzz_check(greeted || type == RUNNER_WELCOME, "%s before HELLO", runner_msg_name(type));
    fuzz_check(welcomed == (type != RUNNER_WELCOME), "%s", runner_msg_name(type));
    if (type == RUNNER_WELCOME)
        welcomed = true;
    if (type != RUNNER_READY)
        return;
    fuzz_check(!ready, "READY twice");
    fuzz_check(n_told_live + n_told_ended >= n_held_live + n_held_ended,
               "%zu and %zu attempts are held, %zu and %zu were told", n_held_live, n_held_ended,
               n_told_live, n_told_ended);
    ready = true;
}

static void message_check(const struct runner_msg *msg)
{
    fuzz_check(!runner_msg_from_awd(msg->type), "%s", runner_msg_name(msg->type));
    greeting_check(msg->type);
    n_told_live += msg->type == RUNNER_RUNNING;
    n_told_ended += msg->type == RUNNER_EXITED;
    if (msg->type == RUNNER_EXITED)
        fuzz_check(msg->exited.message.len < AW_MAX_MESSAGE_TEXT, "an endless message");
}

static void hang_up(void)
{
    if (awd >= 0)
        close(take_fd(awd));
}

static void hear(void)
{
    static unsigned char buf[RUNNER_MAX_PACKET];
    struct aw_error err = {.text = ""};
    int fds[RUNNER_MAX_FDS];
    size_t len, n_fds = 0;
    enum aw_err e;

    while (awd >= 0 && !(e = runner_recv(awd, buf, &len, fds, &n_fds, &err))) {
        struct bytes rest = bytes_of(buf, len);

        fuzz_check(n_fds == 0, "a runner sends no descriptors");
        while (rest.len) {
            struct runner_msg msg;

            fuzz_check(!runner_msg_get(&rest, &msg, &err), "%s", err.text);
            message_check(&msg);
        }
    }
    if (awd >= 0 && e == AW_ERR_UNREACHABLE)
        hang_up();
}

static void turn(void)
{
    reactor_turn(&runner.reactor, 0);
    peer_flush(&runner);
}

/* ---- What awd says --------------------------------------------------------------------------- */

static void dial(void)
{
    hang_up();
    greeted = welcomed = ready = false;
    n_told_live = n_told_ended = 0;
    awd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fuzz_check(awd >= 0 && connect(awd, (struct sockaddr *)&address, address_len) == 0, "%s",
               strerror(errno));
    turn();
}

static void say(const void *data, size_t len, const int *fds, size_t n_fds)
{
    if (awd >= 0 && len)
        (void)!runner_send(awd, data, len, fds, n_fds, NULL);
}

static void say_message(const struct runner_msg *msg)
{
    static struct runner_packet packet;

    packet.len = 0;
    if (runner_packet_add(&packet, msg))
        say(packet.data, packet.len, NULL, 0);
}

static void say_hello(void)
{
    const struct runner_msg msg = {.type = RUNNER_HELLO, .hello = {RUNNER_WIRE_VERSION}};

    turn();
    hear();
    if (!greeted) {
        n_held_live = runner.jobs.n_live;
        n_held_ended = runner.jobs.n_ended;
    }
    greeted = true;
    say_message(&msg);
    turn();
}

/* A START of this claim, in a memfd of which it is told if `big`. */
static void say_start(uint64_t claim, bool big, bool has_stdin, struct bytes arg)
{
    struct bytes argv[] = {bytes_str("true"), arg};
    struct runner_start start = {.claim = claim,
                                 .number = claim,
                                 .attempt = 1,
                                 .umask = -1,
                                 .id = bytes_str("k3f9q-1"),
                                 .cwd = bytes_str("/"),
                                 .stdin_file = bytes_str(""),
                                 .stdin_kind = has_stdin ? RUNNER_STDIN_FD : RUNNER_STDIN_NULL};
    struct runner_msg msg = {.type = RUNNER_START_FD, .start_fd = {claim, has_stdin}};
    static struct runner_packet packet;
    _cleanup_free_ void *data = NULL;
    _cleanup_close_ int memfd = -1;
    size_t len;

    if (runner_start_new(&start, (struct strv){argv, 2}, (struct strv){NULL, 0}, &data, &len, NULL))
        return; /* there is a NUL in it */
    if (!big) {
        say(data, len, &runner.null_fd, has_stdin);
        return;
    }
    packet.len = 0;
    fuzz_check(runner_packet_add(&packet, &msg), "START_FD");
    fuzz_check(!runner_memfd_new("start", bytes_of(data, len), &memfd, NULL), "no memfd");
    say(packet.data, packet.len, (int[]){memfd, runner.null_fd}, 1 + has_stdin);
}

/* START_FD with a memfd of any bytes, sealed or not. */
static void say_memfd(uint64_t claim, bool sealed, struct bytes content)
{
    const struct runner_msg msg = {.type = RUNNER_START_FD, .start_fd = {claim, false}};
    static struct runner_packet packet;
    _cleanup_close_ int fd = -1;

    if (sealed) {
        if (runner_memfd_new("start", content, &fd, NULL))
            return;
    } else {
        fd = memfd_create("start", MFD_CLOEXEC);
        fuzz_check(fd >= 0 && write(fd, content.data, content.len) == (ssize_t)content.len,
                   "no memfd");
    }
    packet.len = 0;
    if (runner_packet_add(&packet, &msg))
        say(packet.data, packet.len, &fd, 1);
}

static void say_of(uint8_t what, uint64_t claim, uint8_t arg)
{
    static const enum runner_msg_type types[] = {RUNNER_STOP, RUNNER_ACK, RUNNER_WATCH,
                                                 RUNNER_CLEAN, RUNNER_RELEASE};
    struct runner_msg msg = {.type = types[what % ARRAY_SIZE(types)]};

    if (msg.type == RUNNER_STOP)
        msg.stop = (struct runner_stop){claim, arg & 1};
    else if (msg.type == RUNNER_CLEAN)
        msg.clean = (struct runner_clean){claim, 1, arg, bytes_str("k3f9q-1")};
    else
        msg.claim.claim = claim;
    say_message(&msg);
}

/* ---- The script ------------------------------------------------------------------------------ */

/* Nobody is looked for among the processes of this machine: it is said to have been done. */
static void clean_all(uint8_t n_left)
{
    struct clean_task *task;

    while ((task = TAILQ_FIRST(&runner.cleaner.tasks))) {
        TAILQ_REMOVE(&runner.cleaner.tasks, task, link);
        task->n_left = n_left;
        TAILQ_INSERT_TAIL(&runner.cleaner.done, task, link);
    }
}

static void meanwhile(uint8_t what, uint64_t claim, uint8_t arg)
{
    struct job *job = job_by_claim(&runner.jobs, claim);

    if (what & 1)
        clean_all(arg);
    else if (job && what & 2)
        job_grow(job, what >> 2 & 1, (size_t)arg << 8);
    else if (job)
        job_end(job);
}

static void raw(struct input *in, uint8_t n_fds)
{
    const int fds[] = {runner.null_fd, runner.null_fd};
    struct bytes b = input_take(in, input_u16(in));

    say(b.data, MIN(b.len, (size_t)RUNNER_MAX_PACKET), fds, n_fds % 3);
}

static void step(struct input *in)
{
    uint8_t what = input_byte(in), more = what >> 4;
    uint64_t claim = input_byte(in) % (N_CLAIMS + 1);

    switch (what & 7) {
    case 0:
        say_hello();
        break;
    case 1:
        raw(in, more);
        break;
    case 2:
        say_start(claim, more & 1, more & 2, input_take(in, input_byte(in)));
        break;
    case 3:
        say_memfd(claim, more & 1, input_take(in, input_u16(in)));
        break;
    case 4:
        say_of(more, claim, input_byte(in));
        break;
    case 5:
        meanwhile(more, claim, input_byte(in));
        break;
    case 6:
        if (more & 1)
            dial();
        else
            hang_up();
        break;
    case 7:
        hear();
        break;
    }
    if (what & 8)
        turn();
}

static void start(void)
{
    struct aw_error err = {.text = ""};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    log_set_level(LOG_CRIT);
    address.sun_family = AF_UNIX;
    address_len = sizeof(address);
    fuzz_check(listener >= 0 && !bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) &&
                   !listen(listener, 4) &&
                   !getsockname(listener, (struct sockaddr *)&address, &address_len),
               "no socket");
    runner.peer.source.fd = -1;
    runner.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    jobs_init(&runner.jobs);
    clean_init(&runner.cleaner);
    fuzz_check(runner.null_fd >= 0 && !reactor_open(&runner.reactor, &err) &&
                   !peer_open(&runner, listener, &err),
               "%s", err.text);
}

/* A good awd comes at last: it hears of all, and of each end once. */
static void hear_all(void)
{
    size_t n_ended, n_live;

    dial();
    n_ended = runner.jobs.n_ended; /* an acknowledgement by the connection before has come now */
    n_live = runner.jobs.n_live;
    say_hello();
    for (int i = 0; i < MAX_READS && !ready; i++) {
        hear();
        turn();
    }
    hear();
    fuzz_check(ready && n_told_live == n_live && n_told_ended == n_ended,
               "%zu and %zu attempts are held, %zu and %zu were told", n_live, n_ended, n_told_live,
               n_told_ended);
}

static void forget_all(void)
{
    struct job *job;

    while ((job = TAILQ_FIRST(&runner.jobs.live)))
        job_move(&runner.jobs, job, JOB_ENDED);
    hang_up();
    for (int i = 0; i < MAX_READS && peer_connected(&runner.peer); i++)
        turn(); /* it reads one packet in each */
    fuzz_check(!peer_connected(&runner.peer), "it is connected still");
    while ((job = TAILQ_FIRST(&runner.jobs.ended)))
        job_free(&runner.jobs, job);
    clean_close(&runner.cleaner);
    clean_init(&runner.cleaner);
    runner.peer.out.len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    int next_fd, after;

    if (!runner.peer.runner)
        start();
    next_fd = dup(runner.null_fd);
    close(next_fd);
    dial();
    while (in.left)
        step(&in);
    hear_all();
    forget_all();
    after = dup(runner.null_fd);
    close(after);
    fuzz_check(after == next_fd, "descriptor %d is open still", next_fd);
    return 0;
}
