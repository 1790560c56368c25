/*
 * job.h - one attempt at a job, as the runner holds it, and the tables to find it by.
 *
 *      start --> RUNNING -- main process ended --> LEFTOVERS -- nothing left of its tree --+
 *                                                                                          v
 *      freed <-- acknowledged by awd -- ENDED <-- its pipes are closed (or given up) -- DRAINING
 *
 * A job is on the list of its state; the three before ENDED share one, `live`, in the order in
 * which they were started. An attempt that could not be started goes to ENDED at once. Once ENDED
 * it is a record: nothing of it changes any more.
 */
#ifndef AW_RUNNER_JOB_H
#define AW_RUNNER_JOB_H

#include <sys/queue.h>

#include "daemon/runner/cgroup.h"
#include "daemon/runner/output.h"
#include "daemon/runner/reactor.h"
#include "proto/runner_wire.h"

enum job_state { JOB_RUNNING, JOB_LEFTOVERS, JOB_DRAINING, JOB_ENDED };

/* Why the runner ends it; the first reason stays. */
enum job_reason { REASON_NONE, REASON_STOP, REASON_TIMEOUT, REASON_OUTPUT, REASON_SHUTDOWN };

/* How far the runner has gone in ending it. */
enum job_phase { PHASE_NONE, PHASE_TERM, PHASE_KILL };

/* What awd is to be told of it; see peer.h. */
enum {
    TELL_STARTED = 1 << 0,
    TELL_RUNNING = 1 << 1,
    TELL_EXITED = 1 << 2,
    TELL_GROWN = 1 << 3,
};

struct orphan;
struct report;
struct runner;

struct job_stream {
    struct source source; /* in the reactor only when the job is not young any more */
    struct stream stream;
    uint64_t told; /* the size that awd knows of */
    struct job *job;
};

struct job {
    struct runner *runner;
    uint64_t claim;
    uint64_t serial; /* rises from job to job */
    char id[AW_MAX_ID];
    enum job_state state;
    TAILQ_ENTRY(job) link;
    LIST_ENTRY(job) by_claim;

    /* The process, and what else was found of its tree. */
    pid_t pid; /* 0: none */
    LIST_ENTRY(job) by_pid;
    LIST_HEAD(, orphan) orphans;
    struct report *report; /* spawn.h: to be asked when it has ended; NULL: no need */

    struct cgroup *cgroup; /* NULL: it has none, any more */
    struct source group;   /* in the reactor while only the cgroup says that something is left */

    /* Ending it. */
    enum job_reason reason;
    enum job_phase phase;
    int64_t due_us;        /* since boot: when something is to be done; INT64_MAX: never */
    int64_t give_up_us;    /* when to stop killing what is left */
    int64_t kill_again_us; /* how long after the last SIGKILL comes the next */
    uint64_t timeout_ms, grace_ms;
    bool gave_up; /* on a process that would not die, or on a pipe that stayed open */

    struct limits limits;

    /* Output. */
    uint64_t output_limit; /* 0: none */
    bool watched;
    struct job_stream out[RUNNER_STREAMS];

    TAILQ_ENTRY(job) leftovers_link;

    /* Young jobs: see supervise.h. */
    bool young;
    int64_t young_until_us;
    TAILQ_ENTRY(job) young_link;

    /* The outcome. */
    int64_t started_us, ended_us;
    int status; /* as from wait() */
    uint64_t cpu_user_us, cpu_sys_us, max_rss_kib;
    uint64_t main_cpu_us; /* of the main process, and those it has waited for */
    struct cgroup_events events;
    enum aw_class class;
    char message[AW_MAX_MESSAGE_TEXT];

    /* What awd does not know yet. */
    unsigned tell;
    TAILQ_ENTRY(job) tell_link;
};

TAILQ_HEAD(job_list, job);

#define JOB_BUCKETS 1024

struct jobs {
    struct job_list live, ended;
    struct job_list leftovers; /* the live ones in that state */
    struct job_list young;     /* the live ones that are young, the oldest first */
    size_t n_live, n_ended;
    size_t n_mains;    /* live ones in state RUNNING: each has a child process */
    size_t held_bytes; /* output in the memory of ended ones */
    uint64_t serial;
    LIST_HEAD(, job) by_claim[JOB_BUCKETS];
    LIST_HEAD(, job) by_pid[JOB_BUCKETS];
};

void jobs_init(struct jobs *jobs);

/* A new one, live, with no process yet. NULL: out of memory. */
struct job *job_new(struct jobs *jobs, const struct runner_start *start);
/* Whatever state it is in. Its sources must be out of the reactor. */
void job_free(struct jobs *jobs, struct job *job);

/* It has a process now. */
void job_set_pid(struct jobs *jobs, struct job *job, pid_t pid);
/* The only way from one state to another; only forward, but any number of steps. */
void job_move(struct jobs *jobs, struct job *job, enum job_state state);

struct job *job_by_claim(struct jobs *jobs, uint64_t claim);
/* A live one whose main process has, or had, this number. */
struct job *job_by_pid(struct jobs *jobs, pid_t pid);

/* Fills in class and message from all that is known. */
void job_judge(struct job *job);
/* An attempt that never had a process. */
void job_judge_unstarted(struct job *job, enum aw_class class, const char *why);

/* The messages about it. What they point to belongs to the job. */
void job_exited_msg(const struct job *job, struct runner_msg *ret);
void job_running_msg(const struct job *job, enum runner_msg_type type, struct runner_msg *ret);

#endif
