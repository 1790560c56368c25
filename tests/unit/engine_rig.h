/*
 * engine_rig.h - an engine under test: made by a factory, on an event loop, with a memory for all
 * that it says.
 *
 * Each test has one rig (the global below), made and cleared by rig_setup() and rig_teardown(),
 * which are checked fixtures. Calls come in two forms: start_*() only makes the call, and its
 * struct answer is filled when the engine calls back; the form without start_ turns the loop until
 * then. What the engine passes is copied, and lives as long as the rig.
 */
#ifndef AW_ENGINE_RIG_H
#define AW_ENGINE_RIG_H

#include "tests/unit/unit.h"

#include "daemon/engine/engine.h"

struct event_base;

struct engine_limits {
    uint64_t max_queued, max_kept;
    uint64_t max_bytes; /* 0: no limit */
    struct user_limits user;
    int64_t retention_ms;
    int64_t set_idle_ms; /* 0: as it is for users */
};

/* How a kind of engine is made. */
struct engine_factory {
    void (*prepare)(void); /* a place for a test, empty */
    void (*clean)(void);
    struct engine *(*open)(struct event_base *base, const struct engine_limits *limits,
                           const struct engine_events *events, void *arg);
};

/* What came from the engine, in order. */
enum note_kind {
    NOTE_RUNNABLE,
    NOTE_ENDED,
    NOTE_SET,
    NOTE_STOP,
    NOTE_GONE,
    NOTE_DOWN,
    NOTE_REPLY,
};

struct answer;

struct note {
    enum note_kind kind;
    uint64_t number;
    enum aw_state state;  /* ENDED, SET */
    struct set_info set;  /* SET: number is that of the member that ended, or 0 */
    uint64_t place;       /* SET */
    uint64_t claim;       /* STOP */
    int64_t grace_ms;     /* STOP */
    struct gone gone;     /* GONE */
    struct answer *reply; /* REPLY */
    enum aw_err err;      /* DOWN */
    size_t at;            /* what the rig's clock said; 0: it has none */
};

struct answer {
    struct answer *before; /* private */
    int times;             /* how often it was called back: 1 is right */
    size_t at;             /* as in struct note */
    struct aw_error err;
    size_t n;
    uint64_t next;
    struct bytes data;
    struct submitted *submitted;
    struct found *found;
    struct record *records;
    struct claimed *claims;
    struct queue_status *queues;
    struct explanation why;
    struct job_result *results;
    struct set_info set;
    struct set_info *sets;
    bool more;
    struct set_page page; /* its jobs: page.jobs, n of them */
    struct set_show_rep show;
    uint64_t *ids;
};

struct kept;

struct rig {
    const struct engine_factory *factory;
    struct engine_limits limits;
    struct event_base *base;
    struct engine *e;
    struct note *notes;
    size_t n_notes, room_notes;
    void (*on_runnable)(void); /* called from the event of that name, after it was noted */
    void (*on_ended)(uint64_t number);
    size_t (*clock)(void);  /* each note says when it came */
    struct answer *replies; /* all of them, the last first */
    struct kept *kept;
};

extern struct rig rig;

/* Before each test: an empty place, an engine opened on it, with wide limits. */
void rig_setup(const struct engine_factory *factory);
void rig_teardown(void);

/* Closes the engine; opens it again with the rig's limits. */
void rig_close(void);
void rig_open(void);
void rig_reopen(void);

/* One turn of the loop, which waits for something to happen. */
void rig_turn(void);
void rig_turn_now(void); /* does not wait */
void rig_await(const struct answer *reply);
/* Until such a note is there (about that job, if number is not 0); returns it. */
const struct note *rig_await_note(enum note_kind kind, uint64_t number);
/* Place of the first such note; -1: none. */
int rig_note_at(enum note_kind kind, uint64_t number);
int rig_reply_at(const struct answer *reply);
int rig_count(enum note_kind kind);
void rig_forget_notes(void);

/* ---- Jobs ----------------------------------------------------------------------------------- */

struct want {
    const char *name;
    const char *key;
    int priority;
    uint64_t delay_ms, not_before_us, queue_timeout_ms, retention_ms, retry_of;
    bool retry_interrupted;
    uint64_t max_attempts; /* 0: 1 */
    uint64_t backoff_ms;   /* exact: without jitter */
    uint64_t total_timeout_ms;
    const char *retry_on;
    const char *queue;
    bool apart; /* with a head that is shorter than the specification */
    const struct parent *parents;
    size_t n_parents;
    uint64_t cache_ttl_ms, abandon_ms;
    bool cache_failed;
    uint32_t uid; /* read from the first of several, as are those below */
    bool admin;
    const char *request;
    const char *set;
};

#define WANT(...) ((struct want){__VA_ARGS__})
/* Inside WANT(): one parent. */
#define AFTER(number_, kind_) .parents = &(struct parent){(number_), (kind_)}, .n_parents = 1

/* The specification that rig_submit() makes of a wish. */
struct bytes rig_spec(const struct want *want);
struct bytes rig_head(const struct want *want);

struct answer *start_submit(const struct want *wants, size_t n);
struct answer *rig_submit(const struct want *wants, size_t n);
/* What is remembered of a submit: its `submitted`, n of them. */
struct answer *start_recall(const char *request, uint32_t uid);
struct answer *rig_recall(const char *request, uint32_t uid);
/* One job that must be accepted; its number. */
uint64_t rig_queue(struct want want);

struct answer *start_claim(size_t max);
struct answer *rig_claim(size_t max);
/* One job that must be there to be claimed. */
struct claimed rig_claim_one(void);

struct answer *start_finish(const struct claimed *c, const struct outcome *outcome);
struct answer *rig_finish(const struct claimed *c, const struct outcome *outcome);
struct answer *start_release(const struct claimed *c);
struct answer *rig_release(const struct claimed *c);
struct answer *start_cancel(const uint64_t *numbers, size_t n, int64_t grace_ms);
struct answer *rig_cancel(const uint64_t *numbers, size_t n, int64_t grace_ms);
/* One job, and the reason. */
struct answer *start_cancel_why(uint64_t number, const char *why);
struct answer *start_forget(const uint64_t *numbers, size_t n);
struct answer *rig_forget(const uint64_t *numbers, size_t n);
struct answer *start_get(const uint64_t *numbers, size_t n, unsigned what);
struct answer *rig_get(const uint64_t *numbers, size_t n, unsigned what);
struct answer *rig_list(struct list_filter filter);
struct answer *rig_recover(void);
struct answer *rig_output(uint64_t number, uint64_t attempt, int stream, uint64_t offset,
                          size_t max);

/* ---- Sets of user 0, except as said (engine_rig_sets.c) -------------------------------------- */

struct answer *start_set_add(struct set_add add);
/* Adds jobs to a set that is named, or gets a name. */
struct answer *rig_set_add(const char *name, const uint64_t *numbers, size_t n);
struct answer *rig_set_make(struct set_add add);
struct answer *rig_set_get(const char *name);
struct answer *rig_set_close(const char *name);
struct answer *rig_set_forget(const char *name);
struct answer *rig_set_list(struct set_list_filter filter);
struct answer *start_set_show(const char *name);
struct answer *rig_set_show(const char *name);
struct answer *rig_set_members(const char *name, uint64_t after, size_t limit);
/* Completions behind the consumer's cursor. */
struct reading {
    struct bytes name; /* of the set */
    const char *consumer;
    uint64_t ack;
    size_t limit; /* 0: AW_MAX_PAGE */
};
struct answer *rig_set_read(struct reading reading);
struct answer *rig_read(struct reading reading); /* must succeed */
/* Completions behind a place. */
struct answer *rig_set_read_at(const char *name, uint64_t after, size_t limit);
struct answer *rig_sets_of(uint64_t number);
struct answer *start_set_close(const char *name);
struct answer *start_set_forget(const char *name);
struct answer *start_set_read(struct reading reading);
/* How a set that must be there stands. */
struct set_status rig_set_status(const char *name);
/* Three jobs in the set "s" that run; the claim at i is that of numbers[i]. */
struct claimed *rig_three_running(uint64_t numbers[3]);
/* All completions of the set "s", and nothing else, in this order. */
void rig_assert_completions(const uint64_t *numbers, size_t n);

/* ---- Queues, and places in them (engine_rig_queues.c) ---------------------------------------- */

/* A change of what is assigned, as in QUEUE_CHANGE(to.slots = 3, to.limit = 4). */
#define QUEUE_CHANGE(...)                                                                       \
    ({                                                                                          \
        struct queue_change to = {                                                              \
            .slots = -1, .limit = -1, .paused = -1, .draining = -1, .rate = -1, .rate_ms = -1}; \
        (void)0, ##__VA_ARGS__;                                                                 \
        to;                                                                                     \
    })

struct answer *start_queue_set(const char *name, struct queue_change change);
struct answer *rig_queue_set(const char *name, struct queue_change change);
/* Makes one, or changes one, which must succeed. */
void rig_queue_add(const char *name, struct queue_change change);
void rig_queue_change(const char *name, struct queue_change change);
struct answer *rig_queue_list(void);
/* How a queue that must be there stands. */
struct queue_status rig_queue_status(const char *name);
struct answer *start_queue_remove(const char *name);
struct answer *rig_queue_remove(const char *name);
struct answer *start_change(const uint64_t *numbers, size_t n, struct job_change change);
struct answer *rig_change(const uint64_t *numbers, size_t n, struct job_change change);
/* What became of one job: its new priority, or that it shall start now. */
struct job_result rig_set_priority(uint64_t number, int priority);
struct job_result rig_start_now(uint64_t number);
struct answer *rig_explain(uint64_t number);
/* Of a job that must be there. */
struct explanation rig_why(uint64_t number);

/* ---- Short ----------------------------------------------------------------------------------- */

/* The record of a job that must be there. */
struct record rig_record(uint64_t number);
/* AW_OK, AW_ERR_UNKNOWN_ID, AW_ERR_EXPIRED_ID. */
enum aw_err rig_lookup(uint64_t number);
enum aw_state rig_state(uint64_t number);
struct engine_stats rig_stats(void);
/* An engine that was just opened looks once, a moment later, whether there is something to prune.
 * After this it commits what it is asked for and nothing else. */
void rig_await_first_look(void);

/* Outcomes: an exit with a code, killed by an interruption, stopped on request. */
struct outcome outcome_exit(int code);
struct outcome outcome_interrupted(void);
struct outcome outcome_stopped(void);

/* Ends a claim by an exit, which must be recorded. */
void rig_exit(const struct claimed *c, int code);
/* That these were claimed, and nothing else, in this order. */
void rig_assert_claims(const struct answer *r, const uint64_t *numbers, size_t n);
/* A job that has run and ended with code 0. */
uint64_t rig_run_one(struct want want);

#define ck_assert_ok(reply) \
    ck_assert_msg((reply)->err.code == AW_OK, "refused: %s", (reply)->err.text)
#define ck_assert_err(reply, want_code)                                    \
    ck_assert_msg((reply)->err.code == (want_code), "'%s' (%s), not '%s'", \
                  aw_err_name((reply)->err.code), (reply)->err.text, aw_err_name(want_code))
#define ck_assert_state(number, want_state) \
    ck_assert_str_eq(aw_state_name(rig_state(number)), aw_state_name(want_state))

#endif
