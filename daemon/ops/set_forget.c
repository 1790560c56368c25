/*
 * set-forget: remove a set, and if asked the records of its members, which must have ended. The
 * set goes last, so that the same request, sent again, takes up where an earlier one broke off.
 */
#include "daemon/ops/set_walk.h"

enum { FORGOTTEN, LEFT };

struct removal {
    struct exchange *x;
    uint64_t forgotten;
};

/* Those who wait for the set have been told by the event. */
static void removed(void *arg, const struct aw_error *err)
{
    struct removal *rm = arg;
    struct set_forget_rep rep = {.forgotten = rm->forgotten};

    if (err)
        exchange_fail(rm->x, err);
    else
        exchange_reply(rm->x, &rep);
    free(rm);
}

static void set_remove(struct exchange *x, uint64_t forgotten)
{
    const struct set_forget_req *req = x->args;
    struct removal *rm = malloc(sizeof(*rm));

    if (!rm) {
        exchange_failf(x, AW_ERR_NO_MEMORY, "set-forget: out of memory");
        return;
    }
    *rm = (struct removal){x, forgotten};
    engine_set_forget(x->srv->engine, exchange_uid(x), req->set, removed, rm);
}

/* ---- The members' records, too --------------------------------------------------------------- */

static bool wants(const struct found *f)
{
    return !f->err;
}

static void forgotten(void *arg, const struct aw_error *err, const struct job_result *jobs,
                      size_t n)
{
    struct set_walk *w = arg;

    if (err) {
        set_walk_fail(w, err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (jobs[i].err != AW_ERR_EXPIRED_ID)
            w->counts[jobs[i].err ? LEFT : FORGOTTEN]++;
    set_walk_next(w);
}

static void act(struct set_walk *w)
{
    engine_forget(w->x->srv->engine, w->numbers, w->n, forgotten, w);
}

static void done(struct set_walk *w)
{
    struct exchange *x = w->x;
    uint64_t n = w->counts[FORGOTTEN], left = w->counts[LEFT];
    struct bytes name = w->name;

    set_walk_free(w);
    if (left)
        exchange_failf(x, AW_ERR_WRONG_STATE,
                       "set %.*s: %llu of its members have not ended, or other jobs are just "
                       "being told of their end; the set stays",
                       (int)name.len, (const char *)name.data, (unsigned long long)left);
    else
        set_remove(x, n);
}

/* Nothing is removed while a member has not ended. */
static void checked(void *arg, const struct aw_error *err, const struct set_info *set)
{
    struct exchange *x = arg;
    const struct set_forget_req *req = x->args;

    if (err)
        exchange_fail(x, err);
    else if (set->status.n_ended < set->status.n_members)
        exchange_failf(x, AW_ERR_WRONG_STATE,
                       "set %.*s: %llu of its %llu members have not ended; cancel them first",
                       (int)req->set.len, (const char *)req->set.data,
                       (unsigned long long)(set->status.n_members - set->status.n_ended),
                       (unsigned long long)set->status.n_members);
    else
        set_walk_begin(x, req->set, &(struct set_walk){.wants = wants, .act = act, .done = done});
}

void op_set_forget(struct exchange *x)
{
    const struct set_forget_req *req = x->args;

    if (req->jobs)
        engine_set_get(x->srv->engine, exchange_uid(x), req->set, checked, x);
    else
        set_remove(x, 0);
}
