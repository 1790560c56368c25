/*
 * How many `true` a second the runner runs, two at a time, against the floor measured in the same
 * run: a loop of posix_spawn() and waitpid() that captures nothing.
 *
 * Both are measured in turn, round by round, so that a machine whose speed drifts harms neither.
 * Prints the medians and their ratio. Run it on an idle machine.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "daemon/workers/exec.h"

#define N_ROUNDS 9
#define N_JOBS   1000
#define N_FLIGHT 2
#define PROGRAM  "/bin/true"

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- The floor ------------------------------------------------------------------------------ */

static void bare_spawn(const posix_spawn_file_actions_t *actions)
{
    char *const argv[] = {(char *)"true", NULL};
    char *const env[] = {(char *)"PATH=/usr/bin:/bin", NULL};
    pid_t pid;

    if (posix_spawn(&pid, PROGRAM, actions, NULL, argv, env))
        die("posix_spawn");
}

static double bare_round(const posix_spawn_file_actions_t *actions)
{
    int64_t start_us = boottime_us();

    for (int i = 0; i < N_FLIGHT; i++)
        bare_spawn(actions);
    for (int n_ended = 0; n_ended < N_JOBS; n_ended++) {
        if (wait(NULL) < 0)
            die("wait");
        if (n_ended + N_FLIGHT < N_JOBS)
            bare_spawn(actions);
    }
    return N_JOBS * 1e6 / (double)(boottime_us() - start_us);
}

/* ---- The runner ----------------------------------------------------------------------------- */

struct bench {
    struct event_base *base;
    struct worker *worker;
    uint64_t claim;
    int n_started, n_ended;
};

static void bench_start(struct bench *bench)
{
    struct bytes argv[] = {bytes_str(PROGRAM)}, env[] = {bytes_str("PATH=/usr/bin:/bin")};
    struct job job = {.argv = {argv, 1}, .env = {env, 1}, .umask = -1, .grace_ms = 5000};
    struct work work = {.number = ++bench->claim, .attempt = 1, .id = "bench-1", .job = &job};

    work.claim = bench->claim;
    bench->n_started++;
    bench->worker->ops->start(bench->worker, &work);
}

static void on_started(void *arg, uint64_t claim, pid_t pid, int64_t started_us)
{
    (void)arg;
    (void)claim;
    (void)pid;
    (void)started_us;
}

static void on_ended(void *arg, uint64_t claim, const struct outcome *outcome)
{
    struct bench *bench = arg;

    if (outcome->class != AW_CLASS_NONE) {
        fprintf(stderr, "%s\n", outcome->message);
        exit(1);
    }
    bench->worker->ops->recorded(bench->worker, claim);
    bench->n_ended++;
    if (bench->n_started < N_JOBS)
        bench_start(bench);
    else if (bench->n_ended == N_JOBS)
        event_base_loopbreak(bench->base);
}

static double runner_round(struct bench *bench)
{
    int64_t start_us = boottime_us();

    bench->n_started = bench->n_ended = 0;
    for (int i = 0; i < N_FLIGHT; i++)
        bench_start(bench);
    event_base_dispatch(bench->base);
    return N_JOBS * 1e6 / (double)(boottime_us() - start_us);
}

/* What the runner itself has used so far: microseconds of processor, and waits. */
struct usage {
    double cpu_us;
    long n_waits;
};

static struct usage runner_usage(pid_t pid)
{
    struct usage usage = {0};
    unsigned long long ns = 0;
    char path[64], line[128];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    f = fopen(path, "re");
    if (f && fscanf(f, "%llu", &ns) == 1)
        usage.cpu_us = (double)ns / 1000;
    if (f)
        fclose(f);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &usage.n_waits) == 1)
            break;
    if (f)
        fclose(f);
    return usage;
}

/* ---- Both ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v)
{
    qsort(v, N_ROUNDS, sizeof(*v), by_value);
    return v[N_ROUNDS / 2];
}

int main(void)
{
    static const struct worker_host host = {.started = on_started, .ended = on_ended};
    char dir[] = "/tmp/awd-bench-XXXXXX", sock[64], spool[64];
    double bare[N_ROUNDS], runner[N_ROUNDS], floor;
    struct usage before, after;
    posix_spawn_file_actions_t actions;
    struct bench bench = {.base = event_base_new()};
    const char *path = getenv("AW_RUNNER_UNDER_TEST");
    struct exec_config config = {.socket_path = sock,
                                 .runner_path = path ? path : AW_RUNNER_BUILT,
                                 .spool_dir = spool,
                                 .root_jobs = true};

    if (!mkdtemp(dir))
        die("mkdtemp");
    snprintf(sock, sizeof(sock), "%s/runner.sock", dir);
    snprintf(spool, sizeof(spool), "%s/spool", dir);
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    bench.worker = worker_exec_new(bench.base, &config, &host, &bench);
    worker_exec_adopted_all(bench.worker);
    runner_round(&bench); /* starts the runner, too */
    before = runner_usage(worker_exec_runner_pid(bench.worker));
    for (int i = 0; i < N_ROUNDS; i++) {
        bare[i] = bare_round(&actions);
        runner[i] = runner_round(&bench);
    }
    floor = median(bare);
    printf("bare spawn    %6.0f/s\n", floor);
    printf("aw-runner     %6.0f/s   %.2f of that\n", median(runner), median(runner) / floor);
    after = runner_usage(worker_exec_runner_pid(bench.worker));
    printf("  a job costs the runner %.0f us of processor and %.1f waits\n",
           (after.cpu_us - before.cpu_us) / N_ROUNDS / N_JOBS,
           (double)(after.n_waits - before.n_waits) / N_ROUNDS / N_JOBS);

    worker_exec_release(bench.worker);
    bench.worker->ops->free(bench.worker);
    event_base_free(bench.base);
    posix_spawn_file_actions_destroy(&actions);
    unlink(sock);
    rmdir(spool);
    rmdir(dir);
    return 0;
}
