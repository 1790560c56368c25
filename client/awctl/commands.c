#include "client/awctl/awctl.h"

/* In the order of `awctl help`. */
#define COMMAND_MAP(X) \
    X(submit)          \
    X(run)             \
    X(status)          \
    X(wait)            \
    X(result)          \
    X(logs)            \
    X(cancel)          \
    X(retry)           \
    X(list)            \
    X(forget)          \
    X(stats)           \
    X(slots)           \
    X(drain)           \
    X(shutdown)        \
    X(ping)            \
    X(version)         \
    X(help)

#define X(name) extern const struct command command_##name;
COMMAND_MAP(X)
#undef X

#define X(name) &command_##name,
const struct command *const commands[] = {COMMAND_MAP(X)};
#undef X

const size_t n_commands = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
    const char *names[ARRAY_SIZE(commands)];
    const char *meant;

    for (size_t i = 0; i < n_commands; i++) {
        if (!strcmp(commands[i]->name, name))
            return commands[i];
        names[i] = commands[i]->name;
    }
    meant = suggest(name, names, n_commands);
    if (meant)
        complain("there is no command '%s'; did you mean %s?", name, meant);
    else
        complain("there is no command '%s'; awctl help lists them", name);
    return NULL;
}
