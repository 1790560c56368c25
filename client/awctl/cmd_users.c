/* users: what each has, and may have. */
#include "client/awctl/awctl.h"

static int users_print(const struct awctl *ctl, const struct aw_users *list)
{
    if (!ctl->json)
        return print_users(list);
    for (size_t i = 0; i < aw_users_count(list); i++)
        json_user(aw_users_at(list, i));
    return 0;
}

static int run(struct awctl *ctl, int argc, char **argv)
{
    struct aw_users *list;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    (void)argv;
    if (code)
        return code;
    if (aw_user_list(ctl->client, &list, &err))
        return awctl_fail(&err);
    code = users_print(ctl, list);
    aw_users_free(list);
    return output_code(code);
}

const struct command command_users = {
    .name = "users",
    .usage = "",
    .help = "list what each user has, and may have",
    .run = run,
};
