#include "tests/unit/fake_world.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "proto/future_id.h"

#define MAX_SETS      32
#define MAX_PARKED    256
#define MAX_CONSUMERS 8
#define TAG           "k3f9q"

struct world_job {
    enum aw_state state;
    bool pruned;
};

struct world_set {
    char name[64]; /* "": none */
    bool temporary, closed;
    bool *member;    /* by number */
    unsigned *order; /* completions; order[0] is place 1 */
    unsigned n_members, n_ended, n_failed;
};

struct world_cursor {
    char consumer[AW_MAX_CONSUMER + 1];
    uint64_t at;
};

/* A request that has not been answered. */
struct parked {
    int fd;
    uint32_t id;
    enum op op;
    int64_t end_us;
    struct world_set *set; /* set-read */
    uint64_t after, limit;
    uint64_t want; /* wait */
    bool first_error;
    unsigned *numbers; /* 0: none such */
    size_t n_numbers;
};

struct world {
    struct fake *fake;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* requests were counted, something was parked, or it ends */
    pthread_t timer;
    bool over;
    unsigned n_jobs, n_made, n_submitted;
    struct world_job *jobs; /* by number */
    struct world_set sets[MAX_SETS];
    struct world_cursor cursors[MAX_CONSUMERS];
    struct parked parked[MAX_PARKED];
    size_t n_parked;
    unsigned count[N_OPS], lose[N_OPS], fail[N_OPS];
    enum aw_err code[N_OPS];
};

static int64_t clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void *zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p)
        abort();
    return p;
}

/* ---- Jobs -------------------------------------------------------------------------------- */

/* 0: there is no such job. */
static unsigned number_of(const struct world *w, struct bytes id)
{
    struct future_id parsed;

    if (future_id_parse(id, &parsed, NULL) || parsed.number > w->n_jobs ||
        (parsed.tag[0] && strcmp(parsed.tag, TAG) != 0))
        return 0;
    return (unsigned)parsed.number;
}

static bool is_ended(const struct world *w, unsigned number)
{
    return number == 0 || w->jobs[number].pruned || aw_state_is_final(w->jobs[number].state);
}

static bool is_failed(const struct world *w, unsigned number)
{
    return number == 0 || w->jobs[number].pruned ||
           (is_ended(w, number) && w->jobs[number].state != AW_SUCCEEDED);
}

static enum aw_err error_of(const struct world *w, unsigned number)
{
    if (number == 0)
        return AW_ERR_UNKNOWN_ID;
    return w->jobs[number].pruned ? AW_ERR_EXPIRED_ID : AW_OK;
}

/* Texts of replies live in here until the next reply. */
static char texts[AW_MAX_IDS][AW_MAX_ID];

/* What a job has written: nothing, if it was cancelled. Returns the length. */
static size_t output_of(const struct world *w, unsigned number, char buf[32])
{
    *buf = '\0';
    if (!is_ended(w, number) || w->jobs[number].state == AW_CANCELLED)
        return 0;
    return (size_t)snprintf(buf, 32, "output of %u", number);
}

static void status_fill(const struct world *w, struct job_status *job, unsigned number,
                        struct bytes id, size_t i)
{
    char output[32];

    codec_defaults(&job_status_schema, job);
    job->id = id;
    job->err = error_of(w, number);
    if (job->err)
        job->message = bytes_str("no such future");
    if (number == 0)
        return;
    future_id_format(texts[i], TAG, number);
    job->id = bytes_str(texts[i]);
    job->state = w->jobs[number].state;
    job->class = job->state == AW_FAILED ? AW_CLASS_EXIT : AW_CLASS_NONE;
    job->stdout_size = output_of(w, number, output);
}

static void answer_statuses(struct world *w, struct fake_request *rq)
{
    struct job_status *jobs;
    struct status_req req;
    struct status_rep rep = {0};

    fake_read(rq, &req);
    jobs = zeroed(req.ids.n, sizeof(*jobs));
    for (size_t i = 0; i < req.ids.n; i++)
        status_fill(w, &jobs[i], number_of(w, req.ids.v[i]), req.ids.v[i], i);
    rep.jobs.v = jobs;
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
    free(jobs);
}

/* The next ones of the jobs, which run already. */
static void answer_submit(struct world *w, struct fake_request *rq)
{
    struct submit_req req;
    struct submit_rep rep = {0};
    struct bytes *ids;

    fake_read(rq, &req);
    ids = zeroed(req.jobs.n, sizeof(*ids));
    for (size_t i = 0; i < req.jobs.n; i++)
        ids[i] = bytes_of(texts[i], future_id_format(texts[i], TAG, ++w->n_submitted));
    rep.ids = (struct strv){ids, req.jobs.n};
    fake_reply(rq, &rep);
    free(ids);
}

static void answer_result(struct world *w, struct fake_request *rq)
{
    struct result_req req;
    struct result_rep rep = {0};
    char data[32];
    unsigned number;

    fake_read(rq, &req);
    number = number_of(w, req.id);
    if (!is_ended(w, number) || error_of(w, number)) {
        fake_error(rq, number ? AW_ERR_WRONG_STATE : AW_ERR_UNKNOWN_ID, "no result");
        return;
    }
    status_fill(w, &rep.job, number, req.id, 0);
    rep.size = output_of(w, number, data);
    rep.data = bytes_of(data + MIN(req.offset, rep.size),
                        MIN((size_t)req.max, (size_t)(rep.size - MIN(req.offset, rep.size))));
    rep.eof = req.offset + rep.data.len == rep.size;
    fake_reply(rq, &rep);
}

/* ---- Parked requests --------------------------------------------------------------------- */

static void set_status_fill(struct set_status *to, const struct world_set *set)
{
    codec_defaults(&set_status_schema, to);
    to->name = bytes_str(set->name);
    to->closed = set->closed;
    to->temporary = set->temporary;
    to->n_members = set->n_members;
    to->n_ended = set->n_ended;
    to->n_failed = set->n_failed;
    to->created_us = 1000;
    to->first_us = set->n_ended ? 3000 : 0;
}

static uint64_t *cursor_of(struct world *w, struct bytes consumer)
{
    for (size_t i = 0; i < MAX_CONSUMERS; i++) {
        struct world_cursor *c = &w->cursors[i];

        if (!c->at)
            snprintf(c->consumer, sizeof(c->consumer), "%.*s", (int)consumer.len,
                     (const char *)consumer.data);
        if (bytes_eq(bytes_str(c->consumer), consumer))
            return &c->at;
    }
    abort();
}

static bool read_answer(struct world *w, const struct parked *p, uint64_t cursor, bool now)
{
    const struct world_set *set = p->set;
    uint64_t n = set->n_ended > p->after ? MIN(set->n_ended - p->after, p->limit) : 0;
    bool done = set->closed && set->n_ended == set->n_members && p->after + n == set->n_ended;
    struct set_read_rep rep = {.first = p->after + 1, .cursor = cursor, .done = done};
    struct job_status *jobs;

    if (n == 0 && !done && !now)
        return false;
    set_status_fill(&rep.set, set);
    jobs = zeroed(n + 1, sizeof(*jobs));
    for (uint64_t i = 0; i < n; i++)
        status_fill(w, &jobs[i], set->order[p->after + i], bytes_of(NULL, 0), i);
    rep.jobs.v = jobs;
    rep.jobs.n = n;
    fake_reply_to(p->fd, p->id, OP_SET_READ, &rep);
    free(jobs);
    return true;
}

static bool wait_answer(struct world *w, const struct parked *p, bool now)
{
    struct job_status *jobs = zeroed(p->n_numbers, sizeof(*jobs));
    struct wait_rep rep = {0};

    for (size_t i = 0; i < p->n_numbers; i++) {
        rep.n_ended += is_ended(w, p->numbers[i]);
        rep.n_failed += is_failed(w, p->numbers[i]);
        status_fill(w, &jobs[i], p->numbers[i], bytes_str("unknown"), i);
    }
    rep.done = rep.n_ended >= (p->want ? p->want : p->n_numbers) || rep.n_ended == p->n_numbers ||
               (p->first_error && rep.n_failed > 0);
    if (rep.done) {
        rep.jobs.v = jobs;
        rep.jobs.n = p->n_numbers;
    }
    if (rep.done || now)
        fake_reply_to(p->fd, p->id, OP_WAIT, &rep);
    free(jobs);
    return rep.done || now;
}

static bool parked_answer(struct world *w, struct parked *p, bool now)
{
    bool answered = p->op == OP_WAIT ? wait_answer(w, p, now) : read_answer(w, p, 0, now);

    if (answered)
        free(p->numbers);
    return answered;
}

/* Answers those that have something now, or whose time is over. */
static void parked_review(struct world *w)
{
    int64_t now = clock_us();
    size_t kept = 0;

    for (size_t i = 0; i < w->n_parked; i++)
        if (!parked_answer(w, &w->parked[i], now >= w->parked[i].end_us))
            w->parked[kept++] = w->parked[i];
    w->n_parked = kept;
}

static void park(struct world *w, const struct parked *p)
{
    if (w->n_parked == MAX_PARKED)
        abort();
    w->parked[w->n_parked++] = *p;
    pthread_cond_broadcast(&w->changed);
}

static void *timer_main(void *arg)
{
    struct world *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->over) {
        int64_t end = INT64_MAX;
        struct timespec until;

        for (size_t i = 0; i < w->n_parked; i++)
            end = MIN(end, w->parked[i].end_us);
        until = (struct timespec){end / 1000000, end % 1000000 * 1000};
        if (end == INT64_MAX)
            pthread_cond_wait(&w->changed, &w->lock);
        else
            pthread_cond_timedwait(&w->changed, &w->lock, &until);
        parked_review(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void answer_wait(struct world *w, struct fake_request *rq)
{
    struct parked p = {.fd = rq->fd, .id = rq->id, .op = OP_WAIT};
    struct wait_req req;

    fake_read(rq, &req);
    p.end_us = clock_us() + (int64_t)req.timeout_ms * 1000;
    p.want = req.n;
    p.first_error = req.first_error;
    p.n_numbers = req.ids.n;
    p.numbers = zeroed(req.ids.n, sizeof(*p.numbers));
    for (size_t i = 0; i < req.ids.n; i++)
        p.numbers[i] = number_of(w, req.ids.v[i]);
    if (!parked_answer(w, &p, req.timeout_ms == 0))
        park(w, &p);
}

/* ---- Sets -------------------------------------------------------------------------------- */

static struct world_set *set_find(struct world *w, struct bytes name)
{
    for (size_t i = 0; i < MAX_SETS; i++)
        if (name.len && bytes_eq(bytes_str(w->sets[i].name), name))
            return &w->sets[i];
    return NULL;
}

static void set_free(struct world *w, struct world_set *set)
{
    for (size_t i = 0; i < w->n_parked; i++)
        if (w->parked[i].set == set) {
            struct reply no = {.err = AW_ERR_NO_SET, .error = bytes_str("no-set")};
            struct codec_buf buf = {0};

            if (codec_write(&buf, &(struct codec_part){&reply_schema, &no}, 1))
                abort();
            fake_body(w->parked[i].fd, w->parked[i].id, buf.data, buf.len);
            codec_buf_done(&buf);
            w->parked[i--] = w->parked[--w->n_parked];
        }
    free(set->member);
    free(set->order);
    *set = (struct world_set){0};
}

static struct world_set *set_make(struct world *w, struct bytes name)
{
    for (size_t i = 0; i < MAX_SETS; i++) {
        struct world_set *set = &w->sets[i];

        if (set->name[0])
            continue;
        if (name.len)
            snprintf(set->name, sizeof(set->name), "%.*s", (int)name.len, (const char *)name.data);
        else
            snprintf(set->name, sizeof(set->name), "~%u", ++w->n_made);
        set->temporary = !name.len;
        set->member = zeroed(w->n_jobs + 1, sizeof(*set->member));
        set->order = zeroed(w->n_jobs + 1, sizeof(*set->order));
        return set;
    }
    abort();
}

static void set_complete(const struct world *w, struct world_set *set, unsigned number)
{
    set->order[set->n_ended++] = number;
    set->n_failed += is_failed(w, number);
}

static void set_join(const struct world *w, struct world_set *set, unsigned number)
{
    if (set->member[number])
        return;
    set->member[number] = true;
    set->n_members++;
    if (is_ended(w, number))
        set_complete(w, set, number);
}

/* Ends a job, everywhere. Who waits is told by parked_review(). */
static void job_end(struct world *w, unsigned number, enum aw_state state)
{
    w->jobs[number].state = state;
    for (size_t i = 0; i < MAX_SETS; i++)
        if (w->sets[i].name[0] && w->sets[i].member[number])
            set_complete(w, &w->sets[i], number);
}

static void answer_cancel(struct world *w, struct fake_request *rq)
{
    struct cancel_req req;
    struct cancel_rep rep = {0};
    struct id_result *jobs;

    fake_read(rq, &req);
    jobs = zeroed(req.ids.n, sizeof(*jobs));
    for (size_t i = 0; i < req.ids.n; i++) {
        unsigned number = number_of(w, req.ids.v[i]);

        codec_defaults(&id_result_schema, &jobs[i]);
        jobs[i].id = req.ids.v[i];
        jobs[i].state = AW_CANCELLED;
        if (is_ended(w, number))
            jobs[i].err = AW_ERR_WRONG_STATE;
        else
            job_end(w, number, AW_CANCELLED);
    }
    rep.jobs.v = jobs;
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
    free(jobs);
    parked_review(w);
}

static void answer_set_add(struct world *w, struct fake_request *rq)
{
    struct world_set *set;
    struct set_add_req req;
    struct set_add_rep rep = {0};
    struct id_result *jobs;

    fake_read(rq, &req);
    set = set_find(w, req.set);
    if (!set && req.set.len && *(const char *)req.set.data == '~') {
        fake_error(rq, AW_ERR_NO_SET, "there is no such set");
        return;
    }
    if (!set)
        set = set_make(w, req.set);
    jobs = zeroed(req.ids.n + 1, sizeof(*jobs));
    for (size_t i = 0; i < req.ids.n; i++) {
        unsigned number = number_of(w, req.ids.v[i]);

        codec_defaults(&id_result_schema, &jobs[i]);
        jobs[i].id = req.ids.v[i];
        jobs[i].err = error_of(w, number);
        if (jobs[i].err)
            continue;
        jobs[i].state = w->jobs[number].state;
        set_join(w, set, number);
    }
    set->closed = set->closed || req.close;
    set_status_fill(&rep.set, set);
    rep.jobs.v = jobs;
    rep.jobs.n = req.ids.n;
    fake_reply(rq, &rep);
    free(jobs);
    parked_review(w);
}

static void answer_set_read(struct world *w, struct fake_request *rq)
{
    struct parked p = {.fd = rq->fd, .id = rq->id, .op = OP_SET_READ};
    struct set_read_req req;
    uint64_t *cursor;

    fake_read(rq, &req);
    p.set = set_find(w, req.set);
    if (!p.set) {
        fake_error(rq, AW_ERR_NO_SET, "there is no such set");
        return;
    }
    cursor = p.set->temporary ? &(uint64_t){0} : cursor_of(w, req.consumer);
    *cursor = MAX(*cursor, req.ack);
    p.after = req.after < 0 ? *cursor : (uint64_t)req.after;
    p.limit = req.limit;
    p.end_us = clock_us() + (int64_t)req.timeout_ms * 1000;
    if (!read_answer(w, &p, *cursor, req.timeout_ms == 0))
        park(w, &p);
}

static void answer_set_members(struct world *w, struct fake_request *rq)
{
    struct job_status *jobs = zeroed(w->n_jobs + 1, sizeof(*jobs));
    struct set_members_rep rep = {0};
    struct set_members_req req;
    struct world_set *set;

    fake_read(rq, &req);
    set = set_find(w, req.set);
    for (unsigned i = 1; set && i <= w->n_jobs; i++) {
        if (!set->member[i])
            continue;
        status_fill(w, &jobs[rep.jobs.n], i, bytes_of(NULL, 0), rep.jobs.n);
        rep.jobs.n++;
    }
    rep.jobs.v = jobs;
    fake_reply(rq, &rep);
    free(jobs);
}

static void answer_set_forget(struct world *w, struct fake_request *rq)
{
    struct set_forget_rep rep = {0};
    struct set_forget_req req;
    struct world_set *set;

    fake_read(rq, &req);
    set = set_find(w, req.set);
    if (!set) {
        fake_error(rq, AW_ERR_NO_SET, "there is no such set");
        return;
    }
    set_free(w, set);
    fake_reply(rq, &rep);
}

/* ---- The handler ------------------------------------------------------------------------- */

static void answer(struct world *w, struct fake_request *rq)
{
    switch (rq->op) {
    case OP_SUBMIT:
        answer_submit(w, rq);
        break;
    case OP_STATUS:
        answer_statuses(w, rq);
        break;
    case OP_WAIT:
        answer_wait(w, rq);
        break;
    case OP_RESULT:
        answer_result(w, rq);
        break;
    case OP_CANCEL:
        answer_cancel(w, rq);
        break;
    case OP_SET_ADD:
        answer_set_add(w, rq);
        break;
    case OP_SET_READ:
        answer_set_read(w, rq);
        break;
    case OP_SET_MEMBERS:
        answer_set_members(w, rq);
        break;
    case OP_SET_FORGET:
        answer_set_forget(w, rq);
        break;
    default:
        fake_error(rq, AW_ERR_UNKNOWN_OP, "the fake does not know this");
    }
}

static void serve(struct fake_request *rq, void *arg)
{
    struct world *w = arg;

    pthread_mutex_lock(&w->lock);
    w->count[rq->op]++;
    if (w->lose[rq->op] > 0) {
        w->lose[rq->op]--;
        fake_hang_up(rq);
    } else if (w->fail[rq->op] > 0) {
        w->fail[rq->op]--;
        fake_error(rq, w->code[rq->op], "not this time");
    } else {
        answer(w, rq);
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* Nobody waits for an answer any more. */
static void connection_closed(int fd, void *arg)
{
    struct world *w = arg;
    size_t kept = 0;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n_parked; i++) {
        if (w->parked[i].fd == fd)
            free(w->parked[i].numbers);
        else
            w->parked[kept++] = w->parked[i];
    }
    w->n_parked = kept;
    pthread_mutex_unlock(&w->lock);
}

/* ---- For tests --------------------------------------------------------------------------- */

struct world *world_start(unsigned n_jobs)
{
    struct world *w = zeroed(1, sizeof(*w));
    pthread_condattr_t attr;

    w->n_jobs = n_jobs;
    w->jobs = zeroed(n_jobs + 1, sizeof(*w->jobs));
    for (unsigned i = 0; i <= n_jobs; i++)
        w->jobs[i].state = AW_RUNNING;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&w->timer, NULL, timer_main, w) != 0)
        abort();
    w->fake = fake_start(serve, w);
    fake_on_close(w->fake, connection_closed);
    return w;
}

void world_stop(struct world *w)
{
    fake_stop(w->fake);
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->timer, NULL);
    for (size_t i = 0; i < MAX_SETS; i++)
        set_free(w, &w->sets[i]);
    free(w->jobs);
    free(w);
}

const char *world_path(const struct world *w)
{
    return fake_path(w->fake);
}

void world_down(struct world *w)
{
    fake_down(w->fake);
}

void world_up(struct world *w)
{
    fake_up(w->fake);
}

void world_end(struct world *w, unsigned first, unsigned last, enum aw_state state)
{
    pthread_mutex_lock(&w->lock);
    for (unsigned number = first; number <= last; number++)
        job_end(w, number, state);
    parked_review(w);
    pthread_mutex_unlock(&w->lock);
}

void world_prune(struct world *w, unsigned first, unsigned last)
{
    pthread_mutex_lock(&w->lock);
    for (unsigned number = first; number <= last; number++)
        w->jobs[number].pruned = true;
    pthread_mutex_unlock(&w->lock);
}

void world_forget_sets(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < MAX_SETS; i++)
        if (w->sets[i].temporary)
            set_free(w, &w->sets[i]);
    pthread_mutex_unlock(&w->lock);
}

void world_set(struct world *w, const char *name, unsigned first, unsigned last, bool closed)
{
    struct world_set *set;

    pthread_mutex_lock(&w->lock);
    set = set_find(w, bytes_str(name));
    if (!set)
        set = set_make(w, bytes_str(name));
    for (unsigned number = first; number <= last; number++)
        set_join(w, set, number);
    set->closed = closed;
    parked_review(w);
    pthread_mutex_unlock(&w->lock);
}

uint64_t world_cursor(struct world *w, const char *consumer)
{
    uint64_t at;

    pthread_mutex_lock(&w->lock);
    at = *cursor_of(w, bytes_str(consumer));
    pthread_mutex_unlock(&w->lock);
    return at;
}

void world_lose(struct world *w, enum op op, unsigned n)
{
    pthread_mutex_lock(&w->lock);
    w->lose[op] = n;
    pthread_mutex_unlock(&w->lock);
}

void world_fail(struct world *w, enum op op, enum aw_err code, unsigned n)
{
    pthread_mutex_lock(&w->lock);
    w->fail[op] = n;
    w->code[op] = code;
    pthread_mutex_unlock(&w->lock);
}

unsigned world_count(struct world *w, enum op op)
{
    unsigned n;

    pthread_mutex_lock(&w->lock);
    n = w->count[op];
    pthread_mutex_unlock(&w->lock);
    return n;
}

void world_await(struct world *w, enum op op, unsigned n)
{
    pthread_mutex_lock(&w->lock);
    while (w->count[op] < n)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

unsigned world_sets(struct world *w)
{
    unsigned n = 0;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < MAX_SETS; i++)
        n += w->sets[i].name[0] != '\0';
    pthread_mutex_unlock(&w->lock);
    return n;
}
