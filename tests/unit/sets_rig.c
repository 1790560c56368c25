#include "tests/unit/sets_rig.h"

#include <stdio.h>

#include "tests/unit/client_rig.h"

struct fake *fake;
struct aw_client *client;
const char *ids[N_IDS];

void start(fake_handler handler, void *arg)
{
    fake = fake_start(handler, arg);
    client = client_at(fake_path(fake));
}

void stop(void)
{
    aw_client_close(client);
    fake_stop(fake);
}

void ids_make(void)
{
    static char text[N_IDS][8];

    for (size_t i = 0; i < N_IDS; i++) {
        snprintf(text[i], sizeof(text[i]), "%zu", i + 1);
        ids[i] = text[i];
    }
}
