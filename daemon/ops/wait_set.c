/*
 * wait, for a set: its counts come with each event, so nothing is read but once at the start.
 */
#include "daemon/ops/set_watch.h"
#include "daemon/ops/wait.h"

struct wait_set {
    struct parked_set parked; /* first */
    struct wait_goal goal;
    struct wait_rep rep; /* as far as it is known */
    char name[];
};

static struct wait_set *wait_of(struct parked_set *p)
{
    return (struct wait_set *)p;
}

static void take_in(struct wait_set *w, const struct set_status *set)
{
    w->rep.n_ended = set->n_ended;
    w->rep.n_failed = set->n_failed;
    w->rep.n_total = set->n_members;
    w->rep.done = wait_goal_met(&w->goal, set->n_ended, set->n_failed, set_is_complete(set));
}

static void changed(struct parked_set *p, const struct set_info *set)
{
    struct wait_set *w = wait_of(p);

    take_in(w, &set->status);
    if (w->rep.done)
        parked_set_reply(p, &w->rep);
}

static void timeout(struct parked_set *p)
{
    parked_set_reply(p, &wait_of(p)->rep);
}

static void got(void *arg, const struct aw_error *err, const struct set_info *set)
{
    struct wait_set *w = arg;
    struct parked_set *p = &w->parked;
    struct aw_error no_memory;

    if (!parked_set_back(p))
        return;
    if (err) {
        parked_set_fail(p, err);
        return;
    }
    take_in(w, &set->status);
    if (!parked_set_watch(p, set->id)) {
        aw_fail(&no_memory, AW_ERR_NO_MEMORY, "wait: out of memory");
        parked_set_fail(p, &no_memory);
    } else if (w->rep.done || p->over) {
        parked_set_reply(p, &w->rep);
    }
}

void wait_for_set(struct exchange *x, const struct wait_req *req)
{
    int64_t timeout_ms = (int64_t)req->timeout_ms;
    struct bytes name = req->set;
    struct wait_set *w = calloc(1, sizeof(*w) + name.len);

    if (!w) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "wait: out of memory");
        return;
    }
    memcpy(w->name, name.data, name.len);
    w->goal = (struct wait_goal){req->n, req->first_error};
    w->parked.changed = changed;
    w->parked.timeout = timeout;
    parked_set_init(&w->parked, x, timeout_ms);
    w->parked.reading = true;
    engine_set_get(x->srv->engine, exchange_uid(x), bytes_of(w->name, name.len), got, w);
}
