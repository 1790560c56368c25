/* slots: how many jobs run at once: ask or set. */
#include "daemon/dispatch.h"

#include "daemon/log.h"

void op_slots(struct exchange *x)
{
    const struct slots_req *req = x->args;
    struct running *running = x->srv->running;
    struct slots_rep rep;

    if (req->slots >= 0 && (unsigned)req->slots != running_slots(running)) {
        log_msg(LOG_NOTICE, "slots: %u, were %u", (unsigned)req->slots, running_slots(running));
        running_set_slots(running, (unsigned)req->slots);
    }
    rep = (struct slots_rep){.slots = running_slots(running),
                             .running = running_count(running) - running_held(running)};
    exchange_reply(x, &rep);
}
