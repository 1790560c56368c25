#include "client/awctl/awctl.h"

/* In the order of `awctl help`. */
#define COMMAND_MAP(X) \
    X(submit)          \
    X(run)             \
    X(status)          \
    X(explain)         \
    X(wait)            \
    X(as_completed)    \
    X(gather)          \
    X(result)          \
    X(logs)            \
    X(cancel)          \
    X(change)          \
    X(renew)           \
    X(retry)           \
    X(list)            \
    X(forget)          \
    X(set)             \
    X(queue)           \
    X(users)           \
    X(stats)           \
    X(slots)           \
    X(drain)           \
    X(backup)          \
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

const char *command_word(const struct command *c)
{
    const char *space = strrchr(c->name, ' ');

    return space ? space + 1 : c->name;
}

const struct command *command_find(const struct command *group, const char *name)
{
    const struct command *const *list = group ? group->subs : commands;
    size_t n = group ? group->n_subs : n_commands;
    const char *names[ARRAY_SIZE(commands)];
    const char *of = group ? group->name : "", *space = group ? " " : "", *meant;

    for (size_t i = 0; i < n; i++) {
        names[i] = command_word(list[i]);
        if (!strcmp(names[i], name))
            return list[i];
    }
    meant = suggest(name, names, n);
    if (meant)
        complain("there is no command '%s%s%s'; did you mean %s?", of, space, name, meant);
    else
        complain("there is no command '%s%s%s'; awctl help%s%s lists them", of, space, name, space,
                 of);
    return NULL;
}
