#include "daemon/giveback.h"

#include <inttypes.h>

#include "daemon/log.h"

void giveback_init(struct giveback *g, struct engine *const *engine)
{
    *g = (struct giveback){.engine = engine};
    for (size_t i = 0; i < ENGINE_CLAIM_MAX; i++)
        g->entries[i].owner = g;
}

void giveback_add(struct giveback *g, uint64_t number, uint64_t claim)
{
    for (size_t i = 0; i < ENGINE_CLAIM_MAX; i++) {
        struct giveback_entry *e = &g->entries[i];

        if (e->claim)
            continue;
        e->number = number;
        e->claim = claim;
        g->n++;
        return;
    }
}

static void released(void *arg, const struct aw_error *err)
{
    struct giveback_entry *e = arg;

    e->asking = false;
    if (err && err->code != AW_ERR_WRONG_STATE) {
        log_msg(LOG_WARNING, "job %" PRIu64 " cannot be given back yet: %s", e->number, err->text);
        return;
    }
    e->claim = 0;
    e->owner->n--;
}

void giveback_try(struct giveback *g)
{
    for (size_t i = 0; g->n && i < ENGINE_CLAIM_MAX; i++) {
        struct giveback_entry *e = &g->entries[i];

        if (!e->claim || e->asking)
            continue;
        e->asking = true;
        engine_release(*g->engine, e->number, e->claim, released, e);
    }
}
