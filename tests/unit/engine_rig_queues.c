/* The rig's calls on queues, and on the place of jobs in them. */
#include "tests/unit/engine_rig_private.h"

static void replied_done(void *arg, const struct aw_error *err)
{
    rig_replied(arg, err, 0);
}

static void replied_queues(void *arg, const struct aw_error *err, const struct queue_status *queues,
                           size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (err)
        return;
    r->queues = rig_keep(queues, n * sizeof(*queues));
    for (size_t i = 0; i < n; i++)
        r->queues[i].name = rig_keep_bytes(queues[i].name);
}

static void replied_results(void *arg, const struct aw_error *err, const struct job_result *jobs,
                            size_t n)
{
    struct answer *r = rig_replied(arg, err, n);

    if (!err)
        r->results = rig_keep(jobs, n * sizeof(*jobs));
}

static void replied_explain(void *arg, const struct aw_error *err, const struct explanation *why)
{
    struct answer *r = rig_replied(arg, err, 0);

    if (err)
        return;
    r->why = *why;
    r->why.queue.name = rig_keep_bytes(why->queue.name);
}

struct answer *start_queue_set(const char *name, struct queue_change change)
{
    struct answer *r = rig_answer_new();
    int priority = change.priority ? *change.priority : 0;
    struct limits limits = change.limits ? *change.limits : (struct limits){0};
    char copy[AW_MAX_QUEUE_NAME + 1] = {0};

    memcpy(copy, name, strnlen(name, AW_MAX_QUEUE_NAME));
    if (change.priority)
        change.priority = &priority;
    if (change.limits)
        change.limits = &limits;
    engine_queue_set(rig.e, bytes_str(copy), &change, replied_queues, r);
    /* What a call is given is copied: it may go at once. */
    memset(copy, 'x', AW_MAX_QUEUE_NAME);
    priority = 99;
    memset(&limits, 'x', sizeof(limits));
    return r;
}

struct answer *rig_queue_set(const char *name, struct queue_change change)
{
    return rig_awaited(start_queue_set(name, change));
}

void rig_queue_change(const char *name, struct queue_change change)
{
    struct answer *r = rig_queue_set(name, change);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 1);
    ck_assert_bytes_eq(r->queues[0].name, name);
}

void rig_queue_add(const char *name, struct queue_change change)
{
    change.create = true;
    rig_queue_change(name, change);
}

struct answer *rig_queue_list(void)
{
    struct answer *r = rig_answer_new();

    engine_queue_list(rig.e, replied_queues, r);
    return rig_awaited(r);
}

struct queue_status rig_queue_status(const char *name)
{
    struct answer *r = rig_queue_list();

    ck_assert_ok(r);
    for (size_t i = 0; i < r->n; i++)
        if (bytes_eq(r->queues[i].name, bytes_str(name)))
            return r->queues[i];
    ck_abort_msg("there is no queue %s", name);
}

struct answer *start_queue_remove(const char *name)
{
    struct answer *r = rig_answer_new();

    engine_queue_remove(rig.e, bytes_str(name), replied_done, r);
    return r;
}

struct answer *rig_queue_remove(const char *name)
{
    return rig_awaited(start_queue_remove(name));
}

struct answer *start_change(const uint64_t *numbers, size_t n, struct job_change change)
{
    struct answer *r = rig_answer_new();

    engine_change(rig.e, numbers, n, &change, replied_results, r);
    return r;
}

struct answer *rig_change(const uint64_t *numbers, size_t n, struct job_change change)
{
    return rig_awaited(start_change(numbers, n, change));
}

static struct job_result change_one(uint64_t number, struct job_change change)
{
    struct answer *r = rig_change(&number, 1, change);

    ck_assert_ok(r);
    ck_assert_uint_eq(r->n, 1);
    ck_assert_uint_eq(r->results[0].number, number);
    return r->results[0];
}

struct job_result rig_set_priority(uint64_t number, int priority)
{
    return change_one(number, (struct job_change){.priority = &priority});
}

struct job_result rig_start_now(uint64_t number)
{
    return change_one(number, (struct job_change){.now = true});
}

struct answer *rig_explain(uint64_t number)
{
    struct answer *r = rig_answer_new();

    engine_explain(rig.e, number, replied_explain, r);
    return rig_awaited(r);
}

struct explanation rig_why(uint64_t number)
{
    struct answer *r = rig_explain(number);

    ck_assert_ok(r);
    return r->why;
}
