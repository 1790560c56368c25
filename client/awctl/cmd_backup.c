/* backup: has the daemon copy its store into a file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/awctl/awctl.h"
#include "proto/limits.h"

/* The daemon is somewhere else: a relative path means our directory. NULL: it cannot be said. */
static char *absolute(const char *path)
{
    char cwd[AW_MAX_PATH + 1], *joined;

    if (*path == '/')
        return strdup(path);
    if (!getcwd(cwd, sizeof(cwd)) || asprintf(&joined, "%s/%s", cwd, path) < 0)
        return NULL;
    return joined;
}

static int run_backup(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"file:s", "size:i"};
    _cleanup_free_ char *file = NULL;
    struct aw_backup *backup;
    struct aw_error err;
    int code;

    if (argc) {
        if (!*argv[0])
            return bad_usage("backup", "the name of the file is empty");
        file = absolute(argv[0]);
        if (!file) {
            complain("%s: %s", argv[0], strerror(errno));
            return aw_err_exit_code(AW_ERR_SYSTEM);
        }
    }
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (aw_backup(ctl->client, file, &backup, &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, backup->file, (int64_t)backup->size);
    else
        printf("%s\n", backup->file);
    aw_backup_free(backup);
    return output_code(0);
}

const struct command command_backup = {
    .name = "backup",
    .usage = "[FILE]",
    .help = "copy the daemon's store into a file, while everything goes on",
    .notes =
        "The daemon makes FILE, as its own user; without one, it takes a new name in its state\n"
        "directory. awd --restore FILE makes it the store again.",
    .max_args = 1,
    .run = run_backup,
};
