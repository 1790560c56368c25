/*
 * peers.h - other programs that do such things, for the cases that they can be compared in.
 *
 * Each list belongs to one case of ours and is what stands in its `peers`. Servers are started in
 * the case's own directory, on a unix socket or on loopback, and are ended with it; none is
 * configured to be slower than it can be. Jobs have 200 bytes everywhere.
 */
#ifndef AW_BENCH_PEERS_H
#define AW_BENCH_PEERS_H

#include "tests/bench/bench.h"
#include "tests/bench/wire.h"

#define PEER_JOB_SIZE 200
#define PEER_DIR_SIZE 300
#define PEER_FILL     64 /* outstanding when a million jobs are submitted beforehand */

/* cases_peers.c */
extern const struct bench_peer submit_one_peers[], submit_64_peers[], submit_clients_peers[],
    submit_256_peers[], submit_1024_peers[], submit_hundreds_peers[], trip_peers[],
    trips_64_peers[], true_peers[], awctl_submit_peers[], awctl_run_peers[], memory_peers[],
    restart_peers[];

/* ---- What the peers' files have in common (cases_peers.c) ------------------------------------ */

/* A server that listens. */
struct peer_server {
    pid_t pid;
    struct wire_addr addr;
};

/* Whether a program is there. If it is not, a sentence says so. */
bool peer_can_run(const char *path, char why[128]);
/* A new directory for it in the case's own. */
void peer_dir_make(const struct bench *b, const char *name, char ret[PEER_DIR_SIZE]);
/* Starts it and waits until it can be connected to. Its log is name.log in the case's directory. */
struct peer_server peer_start(struct bench *b, const char *name, const char *const *argv,
                              const struct wire_addr *addr);
void peer_stop(struct peer_server *server);

/* ---- redis (peer_redis.c): jobs are values in a list, the file is synced before an answer -----
 */

bool redis_can(char why[128]);
void *redis_open(struct bench *b);
void *redis_open_filled(struct bench *b);
void redis_close(void *state);
double redis_submit_p50(struct bench *b, void *state);
double redis_submit_64(struct bench *b, void *state);
double redis_submit_256(struct bench *b, void *state);
double redis_submit_1024(struct bench *b, void *state);
/* All on one connection, as awd's client has it. */
double redis_pipelined_64(struct bench *b, void *state);
/* 64 connections that write a hundred at once, then wait for a hundred answers. */
double redis_submit_hundreds(struct bench *b, void *state);
double redis_memory(struct bench *b, void *state);
double redis_restart(struct bench *b, void *state);

/* ---- A server of ours that does nothing but sync a page before it answers (peer_synced.c) ----
 */

bool synced_can(char why[128]);
void *synced_open(struct bench *b);
void synced_close(void *state);
/* Its one thread waits for the disk. */
double synced_p50(struct bench *b, void *state);
/* Another thread does. */
double synced_by_thread_p50(struct bench *b, void *state);
double synced_by_thread_twice_p50(struct bench *b, void *state);

/* ---- beanstalkd (peer_beanstalkd.c): with its log of writes -----------------------------------
 */

bool beanstalkd_can(char why[128]);
void *beanstalkd_open(struct bench *b);        /* synced before each answer */
void *beanstalkd_open_filled(struct bench *b); /* synced each 50 ms */
void beanstalkd_close(void *state);
double beanstalkd_submit_p50(struct bench *b, void *state);
double beanstalkd_submit_64(struct bench *b, void *state);
double beanstalkd_trip_p50(struct bench *b, void *state); /* put, reserve, delete */
double beanstalkd_memory(struct bench *b, void *state);
double beanstalkd_restart(struct bench *b, void *state);

/* ---- gearmand (peer_gearmand.c) ---------------------------------------------------------------
 */

bool gearmand_can(char why[128]);
bool gearmand_can_sqlite(char why[128]);
bool gearmand_can_programs(char why[128]);     /* needs its tools */
void *gearmand_open_sqlite(struct bench *b);   /* jobs are kept in SQLite */
void *gearmand_open_worker(struct bench *b);   /* in memory, with a worker that does nothing */
void *gearmand_open_programs(struct bench *b); /* in memory, with two that run `true` */
void *gearmand_open_filled(struct bench *b);   /* in memory */
void gearmand_close(void *state);
double gearmand_submit_p50(struct bench *b, void *state);
double gearmand_submit_64(struct bench *b, void *state);
double gearmand_trip_p50(struct bench *b, void *state); /* in the foreground */
double gearmand_trips_64(struct bench *b, void *state);
double gearmand_programs(struct bench *b, void *state);
double gearmand_memory(struct bench *b, void *state);

/* ---- Programs that run programs (peer_tools.c) ------------------------------------------------
 */

bool xargs_can(char why[128]);
bool parallel_can(char why[128]);
bool tsp_can(char why[128]);
bool nq_can(char why[128]);
void *tools_open(struct bench *b);
void tools_close(void *state);
double xargs_true(struct bench *b, void *state);
double parallel_true(struct bench *b, void *state);
double tsp_true(struct bench *b, void *state);
double nq_true(struct bench *b, void *state);
double tsp_submit(struct bench *b, void *state);
double tsp_run(struct bench *b, void *state);

#endif
