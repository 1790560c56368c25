/* help and version: what awctl knows without a daemon. */
#include <stdio.h>

#include "client/awctl/awctl.h"

static int help_all(const struct awctl *ctl)
{
    static const char *const specs[] = {"command:s", "usage:s", "help:s"};

    if (ctl->json) {
        for (size_t i = 0; i < n_commands; i++)
            JSON_LINE(specs, commands[i]->name, commands[i]->usage, commands[i]->help);
        return output_code(0);
    }
    puts("Usage: awctl [OPTION...] COMMAND [ARG...]\n"
         "Submit jobs to awd, and do things with their futures.\n");
    for (size_t i = 0; i < n_commands; i++)
        printf("  %-10s %s\n", commands[i]->name, commands[i]->help);
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
    if (c->n_opts) {
        puts("\nOptions");
        options_help(c->opts, c->n_opts);
    }
    puts("\nOptions for all commands");
    options_help(common_opts, n_common_opts);
    return output_code(0);
}

static int run_help(struct awctl *ctl, int argc, char **argv)
{
    const struct command *c;

    if (ctl->json && !json_ready())
        return aw_err_exit_code(AW_ERR_SYSTEM);
    if (argc == 0)
        return help_all(ctl);
    c = command_find(argv[0]);
    return c ? command_help_print(c) : EXIT_BAD_USAGE;
}

const struct command command_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .help = "say what awctl, or one of its commands, can do",
    .max_args = 1,
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
