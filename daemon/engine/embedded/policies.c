#include "daemon/engine/embedded/policies.h"

#include "proto/codec.h"

static bool policy_read(struct bytes spec, struct job_policy *ret)
{
    struct codec_doc doc = {0};
    struct job job;
    bool ok = codec_open(spec.data, spec.len, &doc, NULL) == AW_OK &&
              codec_read(&doc, &job_schema, &job, NULL) == AW_OK;

    if (ok)
        job_policy_of(&job, ret);
    codec_close(&doc);
    return ok;
}

void policies_add(struct numtable *policies, const struct claimed *c)
{
    struct policy *p = calloc(1, sizeof(*p));

    if (!p || !policy_read(c->spec, &p->policy)) {
        free(p);
        return;
    }
    p->node.number = c->number;
    p->overall_us = c->overall_us;
    p->uncounted = c->uncounted;
    numtable_insert(policies, &p->node);
}

const struct policy *policies_find(const struct numtable *policies, uint64_t number)
{
    return numtable_entry(numtable_find(policies, number), struct policy, node);
}

void policies_remove(struct numtable *policies, uint64_t number)
{
    struct policy *p = numtable_entry(numtable_find(policies, number), struct policy, node);

    if (p)
        numtable_remove(policies, &p->node);
    free(p);
}

static void policy_free(void *arg, struct numnode *node)
{
    (void)arg;
    free(numtable_entry(node, struct policy, node));
}

void policies_free_all(struct numtable *policies)
{
    if (policies->segments)
        numtable_each(policies, policy_free, NULL);
    numtable_done(policies);
}
