/* The embedded engine's call that records jobs. */
#include "daemon/engine/embedded/embedded_private.h"

#include <inttypes.h>

#include "daemon/engine/embedded/store_sql.h"

struct submit_call {
    struct store_submit op;
    struct embedded *em;
    engine_submit_fn done;
    void *arg;
    struct submitted *submitted;
    struct live **live; /* made beforehand, so that what is recorded has its place in memory */
    struct dep_child **waits; /* those of jobs with parents, too; NULL: there are none */
    struct parent *parents;   /* copies, of all jobs */
    bool *open;               /* for each of them */
    struct account *account;  /* of the user */
    struct set *head;         /* of the set, in case that it is made; NULL: without one */
    bool ahead;               /* they are claimed with it */
    struct store_row rows[]; /* and behind these, in the same block: submitted, op.births, live, and
                                copies of keys, specifications and heads */
};

static void submit_free(struct submit_call *call)
{
    for (size_t i = 0; i < call->op.n; i++)
        sched_discard(call->em->sched, call->live[i]);
    for (size_t i = 0; call->waits && i < call->op.n; i++)
        deps_discard(call->em->deps, call->waits[i]);
    accounts_release(embedded_accounts(call->em), call->account);
    free(call->waits);
    free(call->parents);
    free(call->open);
    set_free(call->head);
    store_effects_free(&call->op.effects);
    free(call);
}

/* What was recorded takes its place in memory, unless it has ended with that. */
static void row_settle(struct submit_call *call, size_t i)
{
    struct embedded *em = call->em;
    enum aw_state born = call->op.births[i].state;
    struct live *job;

    em->counts.submitted++;
    if (born == AW_FAILED)
        return;
    job = take_ptr(call->live[i]);
    sched_insert(em->sched, job);
    if (call->ahead)
        sched_take(em->sched, job);
    if (call->rows[i].n_parents == 0)
        return;
    if (born == AW_BLOCKED)
        deps_insert(em->deps, take_ptr(call->waits[i]), call->rows[i].open);
    else
        (void)!sched_apply(em->sched, job, born == AW_QUEUED ? JOB_EV_UNBLOCKED : JOB_EV_DEFER);
}

/* Its parents had ended, and not as it needs. Told once it is known that it exists. */
static void tell_stillborn(struct submit_call *call)
{
    struct embedded *em = call->em;

    embedded_prune_at(em, call->op.expires_us);
    for (size_t i = 0; i < call->op.n; i++) {
        struct live *job = call->live[i];

        if (call->submitted[i].deduplicated || call->op.births[i].state != AW_FAILED)
            continue;
        call->live[i] = NULL;
        sched_insert(em->sched, job);
        embedded_job_ended(em, job, AW_FAILED);
    }
}

static uint64_t bytes_of_all(const struct submit_call *call)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < call->op.n; i++)
        bytes += call->rows[i].spec.len + call->rows[i].head.len;
    return bytes;
}

/* The store knows no more than that it is full. (If it is not, what is full is the set.) */
static void full_tell(struct submit_call *call)
{
    const struct refusal refusal = {
        .full = call->op.over,
        .account = call->account,
        .n = call->op.n,
        .bytes = bytes_of_all(call),
        .has_bytes = call->op.has_bytes,
    };

    embedded_refuse(call->em, &refusal, &call->op.op.error);
}

static void submit_done(struct store_op *op)
{
    struct submit_call *call = (struct submit_call *)op;
    struct embedded *em = call->em;

    em->pending -= call->op.n;
    em->pending_ahead -= call->ahead ? call->op.n : 0;
    if (op->error.code == AW_ERR_QUEUE_FULL)
        full_tell(call);
    if (!op->error.code)
        embedded_account(em, &call->op.effects);
    for (size_t i = 0; !op->error.code && i < call->op.n; i++) {
        if (call->op.repeated || call->submitted[i].deduplicated) {
            em->counts.deduplicated++;
            continue;
        }
        row_settle(call, i);
    }
    call->done(call->arg, op_error(op), call->submitted, call->op.n);
    if (!op->error.code && !call->op.repeated && call->op.expires_us)
        tell_stillborn(call);
    if (!op->error.code)
        embedded_tell(em, &call->op.effects, &call->head);
    submit_free(call);
    embedded_clock_set(em);
    embedded_runnable(em);
}

static size_t text_size(const struct new_job *jobs, size_t n)
{
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += jobs[i].spec.len + jobs[i].head.len + jobs[i].job->key.len + jobs[i].job->queue.len;
    return size;
}

static struct store_row row_of(struct embedded *em, const struct new_job *new, int64_t now,
                               char **text)
{
    const struct job *job = new->job;
    enum aw_err refused = AW_OK;
    const struct queue *q = embedded_queue_of(em, job, &refused);
    int64_t due = 0;

    if (job->delay_ms)
        due = now + (int64_t)job->delay_ms * 1000;
    else if ((int64_t)job->not_before_us > now)
        due = (int64_t)job->not_before_us;
    return (struct store_row){
        .number = em->next_number++,
        .state = due ? AW_SCHEDULED : AW_QUEUED,
        .priority = (int)job->priority,
        .flags = job->max_attempts > 1 || job->on_interrupt.data ? STORE_POLICY : 0,
        .due_us = due,
        .deadline_us = job->queue_timeout_ms ? now + (int64_t)job->queue_timeout_ms * 1000 : 0,
        .overall_us = job->total_timeout_ms ? now + (int64_t)job->total_timeout_ms * 1000 : 0,
        .retention_ms = (int64_t)job->retention_ms,
        .retry_of = new->retry_of,
        .queue = q ? q->id : STORE_DEFAULT_QUEUE,
        .refused = refused,
        .queue_name = job->queue.len ? bytes_put(text, job->queue) : bytes_str("default"),
        .key = bytes_put(text, job->key),
        .spec = bytes_put(text, new->spec),
        .head = bytes_put(text, new->head),
        .cache_ttl_ms = (int64_t)job->cache_ttl_ms,
        .cache_failed = job->cache_failed,
        .abandon_ms = (int64_t)job->abandon_ms,
    };
}

/* The job's place in memory. NULL: out of memory. */
static struct live *live_of(struct embedded *em, uint32_t uid, const struct store_row *row)
{
    bool overall = row->overall_us && (!row->deadline_us || row->overall_us < row->deadline_us);
    struct live *job = sched_make(
        em->sched, row->number, row->n_parents ? AW_BLOCKED : (enum aw_state)row->state,
        queues_find_id(sched_queues(em->sched), row->queue), uid, row->priority, row->due_us,
        overall ? row->overall_us : row->deadline_us, row->flags & STORE_POLICY);

    if (job)
        job->flags =
            (uint8_t)((row->flags & STORE_POLICY ? LIVE_POLICY : 0) | (overall ? LIVE_OVERALL : 0));
    return job;
}

/* Copies of all parents, and room for their edges. */
static bool parents_make(struct submit_call *call, const struct new_job *jobs)
{
    struct embedded *em = call->em;
    size_t total = 0, at = 0;

    for (size_t i = 0; i < call->op.n; i++)
        total += jobs[i].n_parents;
    if (total == 0)
        return true;
    call->parents = calloc(total, sizeof(*call->parents));
    call->open = calloc(total, sizeof(*call->open));
    call->waits = calloc(call->op.n, sizeof(struct dep_child *));
    if (!call->parents || !call->open || !call->waits)
        return false;
    for (size_t i = 0; i < call->op.n; i++) {
        struct store_row *row = &call->rows[i];

        if (jobs[i].n_parents == 0)
            continue;
        memcpy(&call->parents[at], jobs[i].parents, jobs[i].n_parents * sizeof(*jobs[i].parents));
        row->n_parents = deps_sort(&call->parents[at], jobs[i].n_parents);
        row->parents = &call->parents[at];
        row->open = &call->open[at];
        at += row->n_parents;
        call->waits[i] =
            deps_make(em->deps, row->number, row->parents, row->n_parents, &call->account->n_edges);
        if (!call->waits[i])
            return false;
    }
    return true;
}

/* Room for n jobs, zeroed, and for what they point to, at *ret_text. */
static struct submit_call *call_make(const struct new_job *jobs, size_t n, char **ret_text)
{
    struct submit_call *call;
    size_t size = sizeof(*call) + n * (sizeof(*call->rows) + sizeof(*call->submitted) +
                                       sizeof(*call->op.births) + sizeof(struct live *));

    call = malloc(size + text_size(jobs, n));
    if (!call)
        return NULL;
    memset(call, 0, size);
    call->op.n = n;
    call->submitted = (struct submitted *)(call->rows + n);
    call->op.births = (struct store_birth *)(call->submitted + n);
    call->live = (struct live **)(call->op.births + n);
    *ret_text = (char *)call + size;
    return call;
}

/* Whatever a submit needs in memory, before anything is recorded. */
static bool rows_make(struct submit_call *call, const struct new_job *jobs, char *text)
{
    size_t n = call->op.n;

    for (size_t i = 0; i < n; i++)
        call->rows[i] = row_of(call->em, &jobs[i], call->op.now_us, &text);
    if (!parents_make(call, jobs))
        return false;
    for (size_t i = 0; i < n; i++) {
        call->live[i] = live_of(call->em, call->op.uid, &call->rows[i]);
        if (!call->live[i])
            return false;
    }
    return true;
}

/* The set that they become members of, if any. */
static bool head_make(struct submit_call *call, struct bytes name)
{
    if (name.len == 0)
        return true;
    call->head = set_new(name);
    if (call->head)
        call->op.set = call->head->info.status.name;
    return call->head;
}

static struct submit_call *submit_make(struct embedded *em, const struct submit *submit)
{
    char *text;
    struct submit_call *call = call_make(submit->jobs, submit->n, &text);

    if (!call)
        return NULL;
    call->em = em;
    call->op.now_us = now_us();
    call->op.uid = submit->uid;
    call->account = accounts_hold(embedded_accounts(em), submit->uid);
    if (call->account && rows_make(call, submit->jobs, text) && head_make(call, submit->set))
        return call;
    submit_free(call);
    return NULL;
}

/* What there is room for. */
static void limits_set(struct submit_call *call)
{
    const struct embedded *em = call->em;
    struct user_limits user = embedded_limits_of(em, call->op.uid);

    call->op.full = embedded_submit_full(em, call->account, call->op.n, call->waits);
    call->op.max_bytes = em->config.max_bytes;
    call->op.max_user_bytes = user.max_bytes;
    call->op.max_sets = user.max_sets;
}

void embedded_submit(struct engine *e, const struct submit *submit, engine_submit_fn done,
                     void *arg)
{
    struct embedded *em = embedded_of(e);
    size_t n = submit->n;
    struct submit_call *call = submit_make(em, submit);

    if (!call) {
        done(arg, &embedded_no_memory, NULL, 0);
        return;
    }
    limits_set(call);
    if (!call->op.full)
        embedded_make_room(em, call->account, bytes_of_all(call));
    call->done = done;
    call->arg = arg;
    call->op.gid = submit->gid;
    call->op.admin = submit->admin;
    call->op.tag = em->tag;
    call->op.default_retention_ms = em->config.retention_ms;
    call->op.has_request = submit->request.len == sizeof(call->op.request);
    if (call->op.has_request)
        memcpy(call->op.request, submit->request.data, sizeof(call->op.request));
    call->op.rows = call->rows;
    call->op.submitted = call->submitted;
    call->op.op.done = submit_done;
    store_submit_init(&call->op);
    store_push(em->store, &call->op.op);
    call->ahead = embedded_claim_ahead(em, call->rows, call->live, n);
    em->pending += n;
    em->pending_ahead += call->ahead ? n : 0;
}
