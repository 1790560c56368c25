/*
 * exec_rig.h - the exec worker and a real aw-runner, with a host that only takes notes.
 *
 * With AWD_TEST_CGROUP in the environment, a cgroup v2 directory without processes in it, each
 * rig's runner makes control groups, in a directory of its own there; without it, none.
 *
 * Everything is in a private directory; the rig's end ends the runner and all of its jobs. Waiting
 * is running the loop until something is so, for half a minute at most.
 */
#ifndef AW_EXEC_RIG_H
#define AW_EXEC_RIG_H

#include "daemon/spool.h"
#include "daemon/workers/exec.h"
#include "proto/future_id.h"
#include "tests/unit/unit.h"

#define RIG_MAX_JOBS 512
#define RIG_MAX_ARGS 16

/* What the host heard of an attempt, and what it is. */
struct rig_job {
    uint64_t number;
    unsigned n_started, n_ended, n_grown;
    pid_t pid;
    int64_t started_us;
    uint64_t grown[N_STREAMS];
    struct outcome outcome; /* with no data: */
    char *data[N_STREAMS];
};

struct rig {
    struct event_base *base;
    struct worker *worker;
    struct spool spool;
    char dir[64];
    /* Another one for each rig: a runner ends what is left of a job wherever it finds its ID. */
    char tag[AW_TAG_LEN + 1];
    char socket_path[96], spool_dir[96];
    const char *runner_path;
    const char *real_runner_path;
    char runner_script[96]; /* starts it with --cgroup */
    char cgroup_dir[160];   /* empty: its runner has none */
    bool leave_unrecorded;  /* the host does not call recorded() by itself */
    uint64_t n_claims;
    struct rig_job jobs[RIG_MAX_JOBS]; /* by claim */
};

/* A directory and a worker, which is connected (or about to be). */
struct rig *rig_new(void);
/* A directory, and no worker yet. */
struct rig *rig_new_bare(void);
/* For a bare one: its runner is to make no control groups, or (true) to make some. */
void rig_use_cgroups(struct rig *rig, bool use);
/* Ends the runner, with -9, and removes everything. */
void rig_free(struct rig *rig);

void rig_worker_new(struct rig *rig);
void rig_worker_free(struct rig *rig);

/* A job that runs these arguments, up to a NULL; PATH and D, the directory, are its environment. */
void rig_job_init(const struct rig *rig, struct job *job, const char *const *argv);
#define RIG_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define RIG_SH(text)  RIG_ARGV("/bin/sh", "-c", (text))
/* For a shell: waits until there is a file called go. */
#define UNTIL_GO "while [ ! -e $D/go ]; do sleep 0.01; done; "

/* Each returns the claim of a new attempt. */
uint64_t rig_start(struct rig *rig, const struct job *job);
uint64_t rig_start_limited(struct rig *rig, const struct job *job, uint64_t output_limit);
uint64_t rig_sh(struct rig *rig, const char *text);

/* For a worker that was made after this attempt had begun. */
void rig_adopt(struct rig *rig, uint64_t claim, const struct job *job, int64_t claimed_us);

/* Runs the loop until the attempt has ended, and returns how. */
const struct outcome *rig_ended(struct rig *rig, uint64_t claim);
/* The same until it has a process, which is returned. */
pid_t rig_started(struct rig *rig, uint64_t claim);

/* Runs the loop until fn() says so; the test fails if that takes half a minute. */
void rig_until(struct rig *rig, bool (*fn)(struct rig *rig, const void *arg), const void *arg);
/* For so long. Only for showing that something does not happen. */
void rig_run_ms(struct rig *rig, int ms);
/* Until the process is gone, or only waits to be reaped by somebody. */
void rig_until_gone(struct rig *rig, pid_t pid);
/* Until there is such a file in the rig's directory that ends with a newline; its number. */
long rig_until_number(struct rig *rig, const char *name);
/* Until the worker is connected. */
pid_t rig_until_connected(struct rig *rig);

bool process_runs(pid_t pid);

/* Writes a file in the rig's directory. */
void rig_write(const struct rig *rig, const char *name, const char *text);

/* All output of a stream, from the outcome or from the spool file; the caller frees it. */
char *rig_output(struct rig *rig, uint64_t claim, int stream, size_t *ret_len);
/* Fails unless that is the output. */
void rig_check_output(struct rig *rig, uint64_t claim, int stream, const char *want);

/* Adds a case of these tests, with the test program's own setup() and teardown(). */
#define RIG_SUITE_ADD(suite, name, ...)                     \
    do {                                                    \
        const TTest *const tests_[] = {__VA_ARGS__};        \
        TCase *tcase_ = tcase_create(name);                 \
                                                            \
        tcase_add_checked_fixture(tcase_, setup, teardown); \
        tcase_set_timeout(tcase_, 60);                      \
        for (size_t i_ = 0; i_ < ARRAY_SIZE(tests_); i_++)  \
            tcase_add_test(tcase_, tests_[i_]);             \
        suite_add_tcase((suite), tcase_);                   \
    } while (0)

#endif
