/* shutdown: end the daemon. */
#include "daemon/dispatch.h"

static bool mode_parse(struct bytes text, enum stop_mode *ret)
{
    static const struct {
        const char *name;
        enum stop_mode mode;
    } modes[] = {{"leave", STOP_LEAVE}, {"drain", STOP_DRAIN}, {"kill", STOP_KILL}};

    if (!text.data)
        text = bytes_str("leave");
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (bytes_eq(text, bytes_str(modes[i].name))) {
            *ret = modes[i].mode;
            return true;
        }
    return false;
}

void op_shutdown(struct exchange *x)
{
    const struct shutdown_req *req = x->args;
    struct server *srv = x->srv;
    struct shutdown_rep rep = {.running = running_count(srv->running) - running_held(srv->running)};
    enum stop_mode mode = STOP_NOT;

    if (!mode_parse(req->mode, &mode)) {
        exchange_failf(x, AW_ERR_INVALID, "mode: must be leave, drain or kill");
        return;
    }
    exchange_reply(x, &rep);
    server_stop(srv, mode);
}
