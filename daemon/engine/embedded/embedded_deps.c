/* The embedded engine's dependencies: what follows from the end of a job for those that wait. */
#include "daemon/engine/embedded/embedded_private.h"

/*
 * One batch is under way at a time: while it is, more parents end, and share the next. Its
 * children are busy until it is on disk, and if there is no room, until there is.
 *
 * Large, for jobs with many parents: their edges stand far apart in the index over children, so
 * that a batch of a thousand writes nearly as many pages as one of ten thousand.
 */
#define RESOLVE_MAX 10000

struct resolve_call {
    struct store_resolve op;
    struct embedded *em;
    bool stalled;
    enum aw_state *to; /* behind the pairs */
    struct dep_pair pairs[];
};

/* With room for n pairs, which are not set. NULL: out of memory. */
static struct resolve_call *resolve_make(struct embedded *em, size_t n)
{
    struct resolve_call *call =
        malloc(sizeof(*call) + n * (sizeof(*call->pairs) + sizeof(*call->to)));

    if (!call)
        return NULL;
    *call = (struct resolve_call){.em = em, .to = (enum aw_state *)(call->pairs + n)};
    call->op.pairs = call->pairs;
    call->op.to = call->to;
    return call;
}

static void resolve_apply(struct embedded *em, const struct dep_pair *pair, enum aw_state to)
{
    struct live *job = sched_find(em->sched, pair->child);
    bool settled = deps_settle(em->deps, pair);

    if (!job)
        return; /* cancelled meanwhile, or failed by an earlier pair */
    if (to == AW_FAILED) {
        embedded_job_ended(em, job, AW_FAILED);
        return;
    }
    if (to != AW_BLOCKED) {
        deps_remove(em->deps, pair->child);
        (void)!sched_apply(em->sched, job, to == AW_QUEUED ? JOB_EV_UNBLOCKED : JOB_EV_DEFER);
    }
    if (!settled)
        return;
    sched_set_busy(em->sched, job, false);
    if (job->flags & LIVE_CANCEL_REQUESTED)
        embedded_cancel_quietly(em, &pair->child, 1);
}

static void resolve_done(struct store_op *op)
{
    struct resolve_call *call = (struct resolve_call *)op;
    struct embedded *em = call->em;
    bool passes = op->error.code == AW_ERR_DISK_FULL || op->error.code == AW_ERR_NO_MEMORY;

    if (passes && !em->closing) {
        call->stalled = true;
        embedded_retry_later(em);
        return;
    }
    /* Otherwise the store is down, or we are about to be: they are found when it is opened. */
    if (!op->error.code) {
        embedded_account(em, &call->op.effects);
        embedded_prune_at(em, call->op.expires_us);
        for (size_t i = 0; i < call->op.n; i++)
            resolve_apply(em, &call->pairs[i], call->to[i]);
        embedded_tell(em, &call->op.effects, NULL);
        embedded_clock_set(em);
        embedded_runnable(em);
    }
    em->resolving = NULL;
    if (!op->error.code)
        embedded_resolve(em);
    store_effects_free(&call->op.effects);
    free(call);
}

void embedded_resolve(struct embedded *em)
{
    struct resolve_call *call;
    size_t max;

    if (em->resolving || em->closing || !deps_pending(em->deps))
        return;
    max = (size_t)MIN(deps_edges(em->deps), (uint64_t)RESOLVE_MAX); /* no more pairs than edges */
    call = resolve_make(em, max);
    if (!call) {
        embedded_retry_later(em);
        return;
    }
    call->op.n = deps_take(em->deps, call->pairs, max);
    call->op.tag = em->tag;
    call->op.now_us = now_us();
    call->op.default_retention_ms = em->config.retention_ms;
    call->op.op.done = resolve_done;
    store_resolve_init(&call->op);
    for (size_t i = 0; i < call->op.n; i++)
        if (call->pairs[i].first)
            sched_set_busy(em->sched, sched_find(em->sched, call->pairs[i].child), true);
    em->resolving = call;
    store_push(em->store, &call->op.op);
}

void embedded_resolve_retry(struct embedded *em)
{
    if (em->resolving && em->resolving->stalled) {
        em->resolving->stalled = false;
        store_push(em->store, &em->resolving->op.op);
    } else {
        embedded_resolve(em);
    }
}

/* ---- When the store is opened -----------------------------------------------------------------
 */

/*
 * Nothing of ours leaves edges of a child that does not wait. In a damaged store they move nobody;
 * verify finds them.
 */
static enum aw_err edges_insert(struct embedded *em)
{
    static const bool all_open[AW_MAX_PARENTS] = {[0 ... AW_MAX_PARENTS - 1] = true};
    struct dep_load *load = &em->dep_load;
    const struct live *job;
    struct dep_child *child;

    sched_load_end(em->sched); /* all jobs are read before the first edge */
    job = sched_find(em->sched, load->child);
    if (!job || job->state != AW_BLOCKED)
        load->n = 0;
    if (load->n == 0)
        return AW_OK;
    child = deps_make(em->deps, load->child, load->parents, load->n,
                      &embedded_account_of(em, job)->n_edges);
    if (!child)
        return AW_ERR_NO_MEMORY;
    deps_insert(em->deps, child, all_open);
    load->n = 0;
    return AW_OK;
}

/* All edges of a child come together. */
enum aw_err embedded_on_dep(void *arg, const struct store_dep *row)
{
    struct embedded *em = arg;
    struct dep_load *load = &em->dep_load;

    if (!load->parents)
        load->parents = calloc(AW_MAX_PARENTS, sizeof(*load->parents));
    if (!load->parents)
        return AW_ERR_NO_MEMORY;
    if ((load->child != row->child || load->n == AW_MAX_PARENTS) && edges_insert(em))
        return AW_ERR_NO_MEMORY;
    load->child = row->child;
    load->parents[load->n++] = row->parent;
    return AW_OK;
}

/* We went down between its end and what follows from that. */
enum aw_err embedded_on_ended_parent(void *arg, const struct ended *parent)
{
    struct embedded *em = arg;
    enum aw_err e = edges_insert(em);

    if (!e)
        deps_parent_ended(em->deps, parent->number, parent->state);
    return e;
}

enum aw_err embedded_deps_loaded(struct embedded *em)
{
    enum aw_err e = edges_insert(em);

    free(em->dep_load.parents);
    em->dep_load = (struct dep_load){0};
    return e;
}
