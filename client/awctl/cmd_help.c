/* help and version: what awctl knows without a daemon. */
#include <stdio.h>

#include "client/awctl/awctl.h"

static void list_print(const struct command *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("  %-13s %s\n", command_word(list[i]), list[i]->help);
}

static void list_json(const struct command *const *list, size_t n)
{
    static const char *const specs[] = {"command:s", "usage:s", "help:s"};

    for (size_t i = 0; i < n; i++)
        JSON_LINE(specs, list[i]->name, list[i]->usage, list[i]->help);
}

static int help_all(const struct awctl *ctl)
{
    if (ctl->json) {
        list_json(commands, n_commands);
        return output_code(0);
    }
    puts("Usage: awctl [OPTION...] COMMAND [ARG...]\n"
         "Submit jobs to awd, and do things with their futures.\n");
    list_print(commands, n_commands);
    puts("\nOptions for all commands");
    options_help(common_opts, n_common_opts);
    puts("\n`awctl help COMMAND` says more about one; awctl(1) says all.");
    return output_code(0);
}

int command_help_print(const struct command *c)
{
    printf("Usage: awctl %s %s\n%c%s.\n", c->name, c->usage, c->help[0] & ~0x20, c->help + 1);
    if (c->notes)
        printf("\n%s\n", c->notes);
    if (c->subs) {
        puts("\nCommands");
        list_print(c->subs, c->n_subs);
    }
    if (c->n_opts) {
        puts("\nOptions");
        options_help(c->opts, c->n_opts);
    }
    puts("\nOptions for all commands");
    options_help(common_opts, n_common_opts);
    if (c->subs)
        printf("\n`awctl help %s COMMAND` says more about one.\n", c->name);
    return output_code(0);
}

static int run_help(struct awctl *ctl, int argc, char **argv)
{
    const struct command *c;

    if (ctl->json && !json_ready())
        return aw_err_exit_code(AW_ERR_SYSTEM);
    if (argc == 0)
        return help_all(ctl);
    c = command_find(NULL, argv[0]);
    if (c && argc > 1 && !c->subs)
        return bad_usage("help", "%s has no commands of its own", c->name);
    if (c && argc > 1)
        c = command_find(c, argv[1]);
    if (!c)
        return EXIT_BAD_USAGE;
    if (ctl->json && c->subs) {
        list_json(c->subs, c->n_subs);
        return output_code(0);
    }
    return command_help_print(c);
}

const struct command command_help = {
    .name = "help",
    .usage = "[COMMAND [COMMAND]]",
    .help = "say what awctl, or one of its commands, can do",
    .max_args = 2,
    .run = run_help,
};

static int run_version(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"awctl:s"};

    (void)argc;
    (void)argv;
    if (ctl->json && !json_ready())
        return aw_err_exit_code(AW_ERR_SYSTEM);
    if (ctl->json)
        JSON_LINE(specs, aw_version());
    else
        printf("awctl %s\n", aw_version());
    return output_code(0);
}

const struct command command_version = {
    .name = "version",
    .usage = "",
    .help = "print the version of awctl (ping says the daemon's)",
    .run = run_version,
};
