#include "tests/unit/fake_world_private.h"

#include <stdlib.h>
#include <time.h>

int64_t world_clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

void *world_zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p)
        abort();
    return p;
}

/* ---- Parked requests --------------------------------------------------------------------- */

bool world_parked_answer(struct world *w, struct parked *p, bool now)
{
    bool answered =
        p->op == OP_WAIT ? world_wait_answer(w, p, now) : world_read_answer(w, p, 0, now);

    if (answered)
        free(p->numbers);
    return answered;
}

void world_parked_review(struct world *w)
{
    int64_t now = world_clock_us();
    size_t kept = 0;

    for (size_t i = 0; i < w->n_parked; i++)
        if (!world_parked_answer(w, &w->parked[i], now >= w->parked[i].end_us))
            w->parked[kept++] = w->parked[i];
    w->n_parked = kept;
}

void world_park(struct world *w, const struct parked *p)
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
        world_parked_review(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void world_job_end(struct world *w, unsigned number, enum aw_state state)
{
    w->jobs[number].state = state;
    for (size_t i = 0; i < MAX_SETS; i++)
        if (w->sets[i].name[0] && w->sets[i].member[number])
            world_set_complete(w, &w->sets[i], number);
}

/* ---- The handler ------------------------------------------------------------------------- */

static void answer(struct world *w, struct fake_request *rq)
{
    switch (rq->op) {
    case OP_SUBMIT:
        world_answer_submit(w, rq);
        break;
    case OP_STATUS:
        world_answer_statuses(w, rq);
        break;
    case OP_WAIT:
        world_answer_wait(w, rq);
        break;
    case OP_RESULT:
        world_answer_result(w, rq);
        break;
    case OP_CANCEL:
        world_answer_cancel(w, rq);
        break;
    case OP_SET_ADD:
        world_answer_set_add(w, rq);
        break;
    case OP_SET_READ:
        world_answer_set_read(w, rq);
        break;
    case OP_SET_MEMBERS:
        world_answer_set_members(w, rq);
        break;
    case OP_SET_FORGET:
        world_answer_set_forget(w, rq);
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
    struct world *w = world_zeroed(1, sizeof(*w));
    pthread_condattr_t attr;

    w->n_jobs = n_jobs;
    w->jobs = world_zeroed(n_jobs + 1, sizeof(*w->jobs));
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
        world_set_free(w, &w->sets[i]);
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
        world_job_end(w, number, state);
    world_parked_review(w);
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
            world_set_free(w, &w->sets[i]);
    pthread_mutex_unlock(&w->lock);
}

void world_set(struct world *w, const char *name, unsigned first, unsigned last, bool closed)
{
    struct world_set *set;

    pthread_mutex_lock(&w->lock);
    set = world_set_find(w, bytes_str(name));
    if (!set)
        set = world_set_make(w, bytes_str(name));
    for (unsigned number = first; number <= last; number++)
        world_set_join(w, set, number);
    set->closed = closed;
    world_parked_review(w);
    pthread_mutex_unlock(&w->lock);
}

uint64_t world_cursor(struct world *w, const char *consumer)
{
    uint64_t at;

    pthread_mutex_lock(&w->lock);
    at = *world_cursor_of(w, bytes_str(consumer));
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
