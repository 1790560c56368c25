#include "tests/unit/queues_rig.h"

#include "tests/unit/unit.h"

struct sched *s;
struct queues *qs;

void queues_setup(void)
{
    s = sched_new();
    ck_assert_ptr_nonnull(s);
    qs = sched_queues(s);
    queues_tick(qs, START);
}

void queues_teardown(void)
{
    sched_free(s);
}

struct queue *queue_add(const char *name, struct queue_settings set)
{
    struct queue *q = queue_make((int)qs->n + 1, name, &set);

    ck_assert_ptr_nonnull(q);
    ck_assert(queues_insert(qs, q));
    return q;
}

uint64_t next(bool shared)
{
    const struct live *job = queues_next(qs, shared);

    return job ? job->node.number : 0;
}
