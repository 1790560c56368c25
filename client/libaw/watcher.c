#include "client/libaw/watcher.h"

#include "client/libaw/copy.h"
#include "client/libaw/watcher_table.h"

#define ASK_AT_ONCE 1000
#define PAUSE_MS    50 /* after a call that failed, doubled from one to the next */
#define PAUSE_MAX   5000

/* The set is left for a new one when so many of its completions, and most of them, are read. */
#define SET_READ_MIN  20000
#define SET_READ_MOST 4

struct watcher {
    pthread_mutex_t lock;
    bool closed, entered;
    bool calling; /* a callback runs, on that thread */
    pthread_t caller;
    pthread_cond_t called;
    struct watch_table table;
    struct watch_list fresh;   /* to be added to the set */
    struct watch_list adding;  /* by the set-add that is under way, in its order */
    struct watch_list members; /* of the set */
    struct watch_list ended;   /* to be asked for */
    struct watch_list asking;  /* by the status that is under way, in its order */

    /* Of the thread that has entered. */
    char set[AW_MAX_SET_NAME + 1]; /* "": none */
    uint64_t place;                /* up to which it is read */
    int64_t used_us;               /* when the daemon knew it last */
    bool named;                    /* the set-add that is under way is for it, not for a new one */
    int64_t retry_us;              /* start no calls before */
    unsigned pause_ms;
    struct async_call add, read, ask, forget;
};

static void cleanup_unlock(pthread_mutex_t **lock)
{
    pthread_mutex_unlock(*lock);
}

#define _locked_(w)                                                                           \
    __attribute__((cleanup(cleanup_unlock), unused)) pthread_mutex_t *locked_ = (&(w)->lock); \
    pthread_mutex_lock(locked_)

struct watcher *watcher_new(void)
{
    struct watcher *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->called, NULL);
    watch_list_init(&w->fresh);
    watch_list_init(&w->adding);
    watch_list_init(&w->members);
    watch_list_init(&w->ended);
    watch_list_init(&w->asking);
    w->pause_ms = PAUSE_MS;
    return w;
}

void watcher_free(struct watcher *w)
{
    if (!w)
        return;
    call_abandon(&w->add);
    call_abandon(&w->read);
    call_abandon(&w->ask);
    call_abandon(&w->forget);
    free(w->table.buckets);
    pthread_cond_destroy(&w->called);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* Takes all watches out, for watcher_close() to free them when the lock is free: see there. */
static void all_detach(struct watcher *w, struct watch_list *to)
{
    struct watch_list *from[] = {&w->fresh, &w->adding, &w->members, &w->ended, &w->asking};
    struct watch *watch;

    watch_list_init(to);
    for (size_t i = 0; i < ARRAY_SIZE(from); i++)
        watch_move_all(from[i], to);
    TAILQ_FOREACH (watch, &to->head, link)
        LIST_REMOVE(watch, bucket);
    w->table.n = w->table.n_calls = 0;
}

void watcher_close(struct watcher *w, bool ours)
{
    struct watch_list all;
    struct watch *watch;

    /* A child has no other threads: if the lock is taken there, it is for ever. */
    if (!ours && pthread_mutex_trylock(&w->lock) != 0)
        return;
    if (ours)
        pthread_mutex_lock(&w->lock);
    w->closed = true;
    all_detach(w, &all);
    while (ours && w->calling && !pthread_equal(w->caller, pthread_self()))
        pthread_cond_wait(&w->called, &w->lock);
    pthread_mutex_unlock(&w->lock);
    while ((watch = TAILQ_FIRST(&all.head))) {
        TAILQ_REMOVE(&all.head, watch, link);
        watch_free(watch);
    }
}

enum aw_err watcher_add(struct aw_future *future, aw_done_fn done, void *arg, struct aw_error *err)
{
    struct watcher *w = future->client->watcher;
    struct watch *watch;
    bool is_new;

    {
        _locked_(w);
        if (w->closed)
            return aw_fail(err, AW_ERR_CLOSED, "the client was closed");
        if (!watch_add(&w->table, future, done, arg, &watch, &is_new))
            return aw_fail(err, AW_ERR_NO_MEMORY, "callback: out of memory");
        if (is_new)
            watch_move(watch, future_has_ended(future) ? &w->ended : &w->fresh);
    }
    mux_loop_ask(&future->client->mux, 0);
    return AW_OK;
}

size_t watcher_pending(struct watcher *w)
{
    _locked_(w);
    return w->table.n_calls;
}

bool watcher_enter(struct watcher *w)
{
    _locked_(w);
    if (w->entered)
        return false;
    w->entered = true;
    return true;
}

void watcher_leave(struct watcher *w)
{
    _locked_(w);
    w->entered = false;
}

/* ---- Calling back ------------------------------------------------------------------------ */

/* False: the client was closed meanwhile. */
static bool call_begin(struct watcher *w)
{
    _locked_(w);
    if (w->closed)
        return false;
    w->table.n_calls--;
    w->calling = true;
    w->caller = pthread_self();
    return true;
}

static void call_over(struct watcher *w)
{
    _locked_(w);
    w->calling = false;
    pthread_cond_broadcast(&w->called);
}

/* All callbacks of one future, which is known no more. Takes the watch. */
static size_t call_back(struct watcher *w, struct watch *watch, const struct aw_status *status)
{
    struct watch_call *call;
    size_t n = 0;

    while (watch->calls && call_begin(w)) {
        call = watch_call_next(watch);
        future_learn(call->future, status);
        call->done(call->future, status, call->arg);
        call_over(w);
        aw_future_unref(call->future);
        free(call);
        n++;
    }
    watch_free(watch);
    return n;
}

static struct watch *watch_take(struct watcher *w, const char *id)
{
    _locked_(w);
    struct watch *watch = w->closed ? NULL : watch_find(&w->table, bytes_str(id));

    if (watch)
        watch_detach(&w->table, watch);
    return watch;
}

/*
 * Calls back for those of the jobs that are waited for and have ended, or are missing. False, and
 * nothing has happened: out of memory.
 */
static bool deliver(struct watcher *w, const struct job_status *jobs, size_t n, size_t *n_called)
{
    struct aw_statuses *list = statuses_copy(jobs, n, bytes_of(NULL, 0), NULL);

    if (!list)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct aw_status *status = aw_statuses_at(list, i);
        struct watch *watch = NULL;

        if (status->err || aw_state_is_final(status->state))
            watch = watch_take(w, status->id);
        if (watch)
            *n_called += call_back(w, watch, status);
    }
    aw_statuses_free(list);
    return true;
}

static struct job_status job_missing(struct bytes id, enum aw_err code, struct bytes message)
{
    struct job_status job;

    codec_defaults(&job_status_schema, &job);
    job.id = id;
    job.err = code;
    job.message = message;
    return job;
}

/* What is wrong is wrong with all on this list: they call back with the error. */
static bool deliver_error(struct watcher *w, struct watch_list *list, const struct aw_error *why,
                          size_t *n_called)
{
    for (;;) {
        char id[AW_MAX_ID];
        struct job_status job;

        {
            _locked_(w);
            if (list->n == 0)
                return true;
            memcpy(id, TAILQ_FIRST(&list->head)->id, sizeof(id));
        }
        job = job_missing(bytes_str(id), why->code, bytes_str(why->text));
        if (!deliver(w, &job, 1, n_called))
            return false;
    }
}

/* ---- Calls that fail --------------------------------------------------------------------- */

static void pause_begin(struct watcher *w, const struct aw_error *why)
{
    unsigned ms = MAX(w->pause_ms, MIN(why->retry_after_ms, (unsigned)PAUSE_MAX));

    w->retry_us = mono_us() + ms * INT64_C(1000);
    w->pause_ms = MIN(w->pause_ms * 2, (unsigned)PAUSE_MAX);
}

/* Errors that will be the same the next time. */
static bool is_final(enum aw_err e)
{
    return e == AW_ERR_MALFORMED || e == AW_ERR_UNKNOWN_OP || e == AW_ERR_BAD_VERSION ||
           e == AW_ERR_TOO_LARGE || e == AW_ERR_INVALID || e == AW_ERR_NOT_PERMITTED ||
           e == AW_ERR_USAGE || e == AW_ERR_LIMIT;
}

/*
 * The set is gone, or to be left: all that have not ended become members of another. Places count
 * within a set: a read of this one must not come back when there is the other.
 */
static void set_leave(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    _locked_(w);

    call_drop(client, &w->read);
    w->set[0] = '\0';
    w->place = 0;
    watch_move_all(&w->members, &w->fresh);
}

/*
 * A call about those on `list` failed: they are `to` be tried again, or called back with the error
 * if that is of no use. Returns how many were called.
 */
static size_t call_failed(struct watcher *w, struct watch_list *list, struct watch_list *to,
                          const struct aw_error *why)
{
    size_t n_called = 0;

    if (!is_final(why->code) || !deliver_error(w, list, why, &n_called)) {
        pause_begin(w, why);
        _locked_(w);
        watch_move_all(list, to);
    }
    return n_called;
}

/* Those that an answer should have dealt with, and did not. */
static void leftovers(struct watcher *w, struct watch_list *list, enum op op)
{
    struct aw_error why;
    _locked_(w);

    if (list->n == 0)
        return;
    aw_fail(&why, AW_ERR_PROTOCOL, "the daemon's answer to %s leaves %zu jobs open",
            op_info(op)->name, list->n);
    pause_begin(w, &why);
    watch_move_all(list, &w->fresh);
}

static const struct aw_error no_memory = {.code = AW_ERR_NO_MEMORY};

/* ---- set-add ----------------------------------------------------------------------------- */

/* The first of one list, at most `max`, as a request names them; they go to another list. */
static struct strv ids_take(struct watch_list *from, struct watch_list *to, size_t max)
{
    struct strv ids = {NULL, MIN(from->n, max)};

    ids.v = calloc(ids.n + 1, sizeof(*ids.v));
    for (size_t i = 0; ids.v && i < ids.n; i++) {
        struct watch *watch = TAILQ_FIRST(&from->head);

        ids.v[i] = bytes_str(watch->id);
        watch_move(watch, to);
    }
    return ids;
}

static enum aw_err add_start(struct aw_client *client, struct aw_error *err)
{
    struct watcher *w = client->watcher;
    struct call call = {.op = OP_SET_ADD, .deadline_us = NEVER_US};
    struct set_add_req req = {.set = bytes_or_none(w->set)};
    enum aw_err e;

    req.ids = ids_take(&w->fresh, &w->adding, AW_MAX_IDS);
    if (!req.ids.v)
        return aw_fail(err, AW_ERR_NO_MEMORY, "callbacks: out of memory");
    w->named = w->set[0] != '\0';
    call.req = &req;
    e = call_start(client, &w->add, &call, err);
    if (e)
        watch_move_all(&w->adding, &w->fresh);
    free(req.ids.v);
    return e;
}

/*
 * Those that are members now; and those that had ended before, whose completion may have been read
 * already, unless the set is a new one. The missing are put into `missing`; the count comes back.
 */
static size_t members_sort(struct watcher *w, const struct set_add_rep *rep,
                           struct job_status *missing)
{
    _locked_(w);
    size_t n = 0;

    for (size_t i = 0; i < rep->jobs.n && w->adding.n > 0; i++) {
        const struct id_result *job = &rep->jobs.v[i];
        struct watch *watch = TAILQ_FIRST(&w->adding.head);

        if (job->err)
            missing[n++] = job_missing(job->id, (enum aw_err)job->err, job->message);
        if (w->named && !job->err && aw_state_is_final(job->state))
            watch_move(watch, &w->ended);
        else
            watch_move(watch, &w->members);
    }
    return n;
}

static size_t add_done(struct aw_client *client, const struct set_add_rep *rep)
{
    struct watcher *w = client->watcher;
    _cleanup_free_ struct job_status *missing = calloc(rep->jobs.n + 1, sizeof(*missing));
    size_t n_called = 0, n;

    if (!missing)
        return call_failed(w, &w->adding, &w->fresh, &no_memory);
    if (!w->named) {
        memcpy(w->set, rep->set.name.data, rep->set.name.len);
        w->set[rep->set.name.len] = '\0';
        w->place = 0;
    }
    w->used_us = mono_us();
    n = members_sort(w, rep, missing);
    if (!deliver(w, missing, n, &n_called)) {
        /* They are no members, whatever list they are on: all are added once more. */
        pause_begin(w, &no_memory);
        set_leave(client);
    }
    leftovers(w, &w->adding, OP_SET_ADD);
    return n_called;
}

static size_t add_take(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    _cleanup_answer_ struct answer answer = {0};
    struct set_add_rep rep;
    struct aw_error why;
    enum aw_err e = call_end(client, &w->add, &rep, &answer, &why);

    if (w->named && (e == AW_ERR_NO_SET || e == AW_ERR_WRONG_STATE || e == AW_ERR_INVALID)) {
        set_leave(client);
        _locked_(w);
        watch_move_all(&w->adding, &w->fresh);
        return 0;
    }
    if (e)
        return call_failed(w, &w->adding, &w->fresh, &why);
    w->pause_ms = PAUSE_MS;
    return add_done(client, &rep);
}

/* ---- set-read ---------------------------------------------------------------------------- */

static enum aw_err read_start(struct aw_client *client, struct aw_error *err)
{
    struct watcher *w = client->watcher;
    struct set_read_req req;
    struct call call = {
        .op = OP_SET_READ, .req = &req, .hold_ms = AW_LONG_POLL_MS, .deadline_us = NEVER_US};

    codec_defaults(&set_read_req_schema, &req);
    req.set = bytes_str(w->set);
    req.after = (int64_t)w->place;
    req.ack = w->place;
    return call_start(client, &w->read, &call, err);
}

static size_t read_take(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    _cleanup_answer_ struct answer answer = {0};
    struct set_read_rep rep;
    struct aw_error why;
    size_t n_called = 0;
    enum aw_err e = call_end(client, &w->read, &rep, &answer, &why);

    if (e == AW_ERR_NO_SET) {
        set_leave(client);
        return 0;
    }
    if (e)
        return call_failed(w, &w->members, &w->members, &why);
    w->used_us = mono_us();
    w->pause_ms = PAUSE_MS;
    if (rep.jobs.n == 0)
        return 0;
    if (deliver(w, rep.jobs.v, rep.jobs.n, &n_called))
        w->place = rep.first + rep.jobs.n - 1;
    else
        pause_begin(w, &no_memory);
    return n_called;
}

/* ---- status ------------------------------------------------------------------------------ */

static enum aw_err ask_start(struct aw_client *client, struct aw_error *err)
{
    struct watcher *w = client->watcher;
    struct status_req req = {.ids = ids_take(&w->ended, &w->asking, ASK_AT_ONCE)};
    struct call call = {.op = OP_STATUS, .req = &req, .deadline_us = NEVER_US};
    enum aw_err e;

    if (!req.ids.v)
        return aw_fail(err, AW_ERR_NO_MEMORY, "callbacks: out of memory");
    e = call_start(client, &w->ask, &call, err);
    if (e)
        watch_move_all(&w->asking, &w->ended);
    free(req.ids.v);
    return e;
}

static size_t ask_take(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    _cleanup_answer_ struct answer answer = {0};
    struct status_rep rep;
    struct aw_error why;
    size_t n_called = 0;
    enum aw_err e = call_end(client, &w->ask, &rep, &answer, &why);

    if (e)
        return call_failed(w, &w->asking, &w->ended, &why);
    w->pause_ms = PAUSE_MS;
    if (!deliver(w, rep.jobs.v, rep.jobs.n, &n_called))
        return call_failed(w, &w->asking, &w->ended, &no_memory);
    leftovers(w, &w->asking, OP_STATUS);
    return n_called;
}

void watcher_farewell(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    _locked_(w);
    struct set_forget_req req = {.set = bytes_str(w->set)};
    struct call call = {.op = OP_SET_FORGET, .req = &req};

    /* The set belongs to the thread that has entered: that may be us, in a callback. */
    if (w->set[0] && (!w->entered || (w->calling && pthread_equal(w->caller, pthread_self()))))
        call_tell(client, &call);
}

/* ---- What comes next --------------------------------------------------------------------- */

/* Best effort: the daemon forgets it by itself when nobody reads it. */
static void forget_start(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    struct set_forget_req req = {.set = bytes_str(w->set)};
    struct call call = {.op = OP_SET_FORGET, .req = &req, .deadline_us = NEVER_US};
    struct aw_error err;

    if (!w->forget.busy && call_start(client, &w->forget, &call, &err))
        return;
}

static void forget_take(struct aw_client *client)
{
    _cleanup_answer_ struct answer answer = {0};
    struct set_forget_rep rep;

    if (call_end(client, &client->watcher->forget, &rep, &answer, NULL))
        return; /* it may well be gone already */
}

/* Whether the set is better left: it is mostly past, or the daemon may have forgotten it. */
static void set_review(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    bool old, full;

    {
        _locked_(w);
        full = w->place >= SET_READ_MIN && w->place / SET_READ_MOST >= w->table.n;
        old = w->table.n == w->fresh.n + w->ended.n && !w->read.busy &&
              mono_us() - w->used_us > AW_SET_IDLE_MS * INT64_C(1000) / 2;
    }
    if (!w->set[0] || w->add.busy || !(full || old))
        return;
    forget_start(client);
    set_leave(client);
}

static enum aw_err start_all(struct aw_client *client, struct aw_error *err)
{
    struct watcher *w = client->watcher;
    _locked_(w);
    enum aw_err e = AW_OK;

    if (w->closed)
        return AW_OK;
    if (w->fresh.n > 0 && !w->add.busy)
        e = add_start(client, err);
    if (!e && w->ended.n > 0 && !w->ask.busy)
        e = ask_start(client, err);
    if (!e && w->members.n > 0 && w->set[0] && !w->read.busy)
        e = read_start(client, err);
    return e;
}

void watcher_step(struct aw_client *client)
{
    struct watcher *w = client->watcher;
    struct aw_error why;

    if (mono_us() >= w->retry_us) {
        set_review(client);
        if (start_all(client, &why))
            pause_begin(w, &why);
    }
    if (mono_us() < w->retry_us)
        mux_loop_ask(&client->mux, w->retry_us);
}

size_t watcher_take(struct aw_client *client, struct exchange *x)
{
    struct watcher *w = client->watcher;

    if (x == &w->add.x)
        return add_take(client);
    if (x == &w->read.x)
        return read_take(client);
    if (x == &w->ask.x)
        return ask_take(client);
    forget_take(client);
    return 0;
}
