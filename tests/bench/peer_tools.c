#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/bench/peers.h"

#define XARGS    "/usr/bin/xargs"
#define PARALLEL "/usr/bin/parallel"
#define TSP      "/usr/bin/tsp"
#define NQ       "/usr/bin/nq"
#define TRUE     "/bin/true"
#define N_TRUE   2000.0 /* programs in a round */

struct tools {
    char dir[PEER_DIR_SIZE];
    char home[PEER_DIR_SIZE + 8], tmp[PEER_DIR_SIZE + 8], socket[PEER_DIR_SIZE + 16];
    char queues[2][PEER_DIR_SIZE + 16];
    bool tsp_runs;
};

bool xargs_can(char why[128])
{
    return peer_can_run(XARGS, why);
}

bool parallel_can(char why[128])
{
    return peer_can_run(PARALLEL, why);
}

bool tsp_can(char why[128])
{
    return peer_can_run(TSP, why);
}

bool nq_can(char why[128])
{
    return peer_can_run(NQ, why);
}

void *tools_open(struct bench *b)
{
    struct tools *t = calloc(1, sizeof(*t));

    if (!t)
        bench_die("tools");
    peer_dir_make(b, "tools", t->dir);
    snprintf(t->home, sizeof(t->home), "HOME=%s", t->dir);
    snprintf(t->tmp, sizeof(t->tmp), "TMPDIR=%s", t->dir);
    snprintf(t->socket, sizeof(t->socket), "TS_SOCKET=%s/s", t->dir);
    for (size_t i = 0; i < ARRAY_SIZE(t->queues); i++)
        snprintf(t->queues[i], sizeof(t->queues[i]), "NQDIR=%s/%zu", t->dir, i);
    return t;
}

/* ---- Programs ------------------------------------------------------------------------------- */

/* Runs a program to its end, with this on its stdin and one more variable. */
static void run(const struct tools *t, const char *const *argv, const char *in,
                const char *variable)
{
    const char *const env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", t->home, t->tmp, t->socket,
                               "TS_SLOTS=2",         variable,   NULL};
    posix_spawn_file_actions_t actions;
    int error, status;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, in, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    error = posix_spawn(&pid, argv[0], &actions, NULL, (char **)argv, (char **)env);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        bench_fail("%s: %s", argv[0], strerror(error));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            bench_die("waitpid");
    if (status)
        bench_fail("%s ended with status %d", argv[0], status);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ; /* what it left behind */
}

void tools_close(void *state)
{
    static const char *const stop[] = {TSP, "-K", NULL};
    struct tools *t = state;

    if (t->tsp_runs)
        run(t, stop, "/dev/null", NULL);
    free(t);
}

/* ---- `true`, two at a time ------------------------------------------------------------------ */

static double run_lines(struct bench *b, const struct tools *t, const char *const *argv)
{
    size_t n = bench_count(b, N_TRUE);
    char path[PEER_DIR_SIZE + 16];
    double start_us;
    FILE *f;

    snprintf(path, sizeof(path), "%s/lines", t->dir);
    f = fopen(path, "we");
    if (!f)
        bench_die(path);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%zu\n", i);
    if (fclose(f))
        bench_die(path);
    start_us = bench_now_us();
    run(t, argv, path, NULL);
    return (double)n * 1e6 / (bench_now_us() - start_us);
}

double xargs_true(struct bench *b, void *state)
{
    static const char *const argv[] = {XARGS, "-P2", "-n1", TRUE, NULL};

    return run_lines(b, state, argv);
}

double parallel_true(struct bench *b, void *state)
{
    static const char *const argv[] = {PARALLEL, "--will-cite", "-j2", TRUE, NULL};

    return run_lines(b, state, argv);
}

double tsp_true(struct bench *b, void *state)
{
    static const char *const submit[] = {TSP, TRUE, NULL}, *const wait[] = {TSP, "-w", NULL};
    size_t n = bench_count(b, N_TRUE);
    struct tools *t = state;
    double start_us = bench_now_us();

    t->tsp_runs = true;
    for (size_t i = 0; i < n; i++)
        run(t, submit, "/dev/null", NULL);
    run(t, wait, "/dev/null", NULL);
    return (double)n * 1e6 / (bench_now_us() - start_us);
}

double nq_true(struct bench *b, void *state)
{
    static const char *const submit[] = {NQ, "-c", "-q", TRUE, NULL}, *const wait[] = {NQ, "-w",
                                                                                       NULL};
    size_t n = bench_count(b, N_TRUE / 2);
    const struct tools *t = state;
    double start_us = bench_now_us();

    for (size_t i = 0; i < n; i++)
        run(t, submit, "/dev/null", t->queues[i % 2]);
    for (size_t i = 0; i < MIN(n, (size_t)2); i++)
        run(t, wait, "/dev/null", t->queues[i]);
    return (double)n * 1e6 / (bench_now_us() - start_us);
}

/* ---- The whole process ---------------------------------------------------------------------- */

static double run_p50(struct bench *b, struct tools *t, const char *const *argv)
{
    struct samples s = {0};

    t->tsp_runs = true;
    run(t, argv, "/dev/null", NULL); /* the server is there from now on */
    for (size_t n = bench_count(b, 500); n > 0; n--) {
        double start_us = bench_now_us();

        run(t, argv, "/dev/null", NULL);
        samples_add(&s, bench_now_us() - start_us);
    }
    return samples_p50(&s);
}

double tsp_submit(struct bench *b, void *state)
{
    static const char *const argv[] = {TSP, TRUE, NULL};

    return run_p50(b, state, argv);
}

double tsp_run(struct bench *b, void *state)
{
    static const char *const argv[] = {TSP, "-f", TRUE, NULL};

    return run_p50(b, state, argv);
}
