/* Other programs that do such things, where they are installed. */
#include <errno.h>
#include <string.h>

#include "tests/bench/peers.h"
#include "tests/bench/rig.h"

#define PATIENCE_MS 10000

bool peer_can_run(const char *path, char why[128])
{
    bool can = access(path, X_OK) == 0;

    if (!can)
        snprintf(why, 128, "%s: %s", path, strerror(errno));
    return can;
}

void peer_dir_make(const struct bench *b, const char *name, char ret[PEER_DIR_SIZE])
{
    snprintf(ret, PEER_DIR_SIZE, "%s/%s-XXXXXX", b->dir, name);
    if (!mkdtemp(ret))
        bench_die(ret);
}

struct peer_server peer_start(struct bench *b, const char *name, const char *const *argv,
                              const struct wire_addr *addr)
{
    struct peer_server server = {.addr = *addr};
    char log[300];

    snprintf(log, sizeof(log), "%s/%s.log", b->dir, name);
    server.pid = rig_start(argv, log);
    for (int ms = 0; !wire_connects(addr); ms++) {
        if (ms == PATIENCE_MS || rig_has_ended(server.pid))
            bench_fail("%s has not come up", name);
        bench_rest(0.001);
    }
    return server;
}

void peer_stop(struct peer_server *server)
{
    rig_end(server->pid);
}

/* ---- Lists ---------------------------------------------------------------------------------- */

#define REDIS      "redis, appendfsync always"
#define BEANSTALKD "beanstalkd -f0"
#define GEARMAND   "gearmand, libsqlite3"

const struct bench_peer submit_one_peers[] = {
    {"a server that only syncs, and waits for it", GOAL_NONE, 0, synced_can, synced_open,
     synced_p50, synced_close},
    {"the same, whose sync is another thread's", GOAL_NONE, 0, synced_can, synced_open,
     synced_by_thread_p50, synced_close},
    {REDIS, GOAL_NONE, 0, redis_can, redis_open, redis_submit_p50, redis_close},
    {BEANSTALKD, GOAL_NONE, 0, beanstalkd_can, beanstalkd_open, beanstalkd_submit_p50,
     beanstalkd_close},
    {GEARMAND, GOAL_NONE, 0, gearmand_can_sqlite, gearmand_open_sqlite, gearmand_submit_p50,
     gearmand_close},
    {0},
};

const struct bench_peer submit_64_peers[] = {
    {REDIS ", 64 connections", GOAL_AT_LEAST, 1, redis_can, redis_open, redis_submit_64,
     redis_close},
    {REDIS ", one connection", GOAL_NONE, 0, redis_can, redis_open, redis_pipelined_64,
     redis_close},
    {BEANSTALKD ", 64 connections", GOAL_AT_LEAST, 10, beanstalkd_can, beanstalkd_open,
     beanstalkd_submit_64, beanstalkd_close},
    {GEARMAND ", 64 connections", GOAL_NONE, 0, gearmand_can_sqlite, gearmand_open_sqlite,
     gearmand_submit_64, gearmand_close},
    {0},
};

const struct bench_peer submit_clients_peers[] = {
    {REDIS, GOAL_AT_LEAST, 1, redis_can, redis_open, redis_submit_64, redis_close},
    {0},
};

const struct bench_peer submit_256_peers[] = {
    {REDIS ", 256 connections", GOAL_AT_LEAST, 1.2, redis_can, redis_open, redis_submit_256,
     redis_close},
    {0},
};

const struct bench_peer submit_1024_peers[] = {
    {REDIS ", 1,024 connections", GOAL_AT_LEAST, 1.4, redis_can, redis_open, redis_submit_1024,
     redis_close},
    {0},
};

const struct bench_peer submit_hundreds_peers[] = {
    {REDIS ", 64 connections pipelined by 100", GOAL_NONE, 0, redis_can, redis_open,
     redis_submit_hundreds, redis_close},
    {0},
};

const struct bench_peer trip_peers[] = {
    {"a server that only syncs, by another thread, twice", GOAL_NONE, 0, synced_can, synced_open,
     synced_by_thread_twice_p50, synced_close},
    {"gearmand in the foreground, in memory", GOAL_NONE, 0, gearmand_can, gearmand_open_worker,
     gearmand_trip_p50, gearmand_close},
    {BEANSTALKD ", put, reserve and delete", GOAL_NONE, 0, beanstalkd_can, beanstalkd_open,
     beanstalkd_trip_p50, beanstalkd_close},
    {0},
};

const struct bench_peer trips_64_peers[] = {
    {"gearmand in the foreground, in memory", GOAL_AT_LEAST, 2.36, gearmand_can,
     gearmand_open_worker, gearmand_trips_64, gearmand_close},
    {0},
};

const struct bench_peer true_peers[] = {
    {"xargs -P2", GOAL_AT_LEAST, 1, xargs_can, tools_open, xargs_true, tools_close},
    {"gearmand in memory, two of `gearman -w`", GOAL_AT_LEAST, 1, gearmand_can_programs,
     gearmand_open_programs, gearmand_programs, gearmand_close},
    {"task-spooler", GOAL_AT_LEAST, 1, tsp_can, tools_open, tsp_true, tools_close},
    {"nq, two queues", GOAL_AT_LEAST, 1, nq_can, tools_open, nq_true, tools_close},
    {"GNU parallel -j2", GOAL_AT_LEAST, 1, parallel_can, tools_open, parallel_true, tools_close},
    {0},
};

const struct bench_peer awctl_submit_peers[] = {
    {"task-spooler", GOAL_AT_MOST, 1, tsp_can, tools_open, tsp_submit, tools_close},
    {0},
};

const struct bench_peer awctl_run_peers[] = {
    {"task-spooler", GOAL_AT_MOST, 0.5, tsp_can, tools_open, tsp_run, tools_close},
    {0},
};

const struct bench_peer memory_peers[] = {
    {"redis", GOAL_NONE, 0, redis_can, redis_open_filled, redis_memory, redis_close},
    {"beanstalkd", GOAL_NONE, 0, beanstalkd_can, beanstalkd_open_filled, beanstalkd_memory,
     beanstalkd_close},
    {"gearmand", GOAL_NONE, 0, gearmand_can, gearmand_open_filled, gearmand_memory, gearmand_close},
    {0},
};

const struct bench_peer restart_peers[] = {
    {"redis", GOAL_NONE, 0, redis_can, redis_open_filled, redis_restart, redis_close},
    {"beanstalkd", GOAL_NONE, 0, beanstalkd_can, beanstalkd_open_filled, beanstalkd_restart,
     beanstalkd_close},
    {0},
};
