/*
 * awctl_rig.h - awctl as it was built, called with a fake daemon as its daemon.
 */
#ifndef AW_AWCTL_RIG_H
#define AW_AWCTL_RIG_H

#include <stdio.h>
#include <sys/types.h>

#include "tests/unit/fake_daemon.h"

/* What a call of awctl printed, and how it ended: an exit code, or a signal's number, negative. */
struct outcome {
    int code;
    char out[65536], err[4096];
};

/* Runs a command line (words at single spaces); `in` is its standard input. NULL: no daemon. */
struct outcome awctl(const struct fake *fake, const char *line);
struct outcome awctl_in(const struct fake *fake, const char *in, const char *line);

/* Starts one, whose output goes to these files. */
pid_t awctl_start(const struct fake *fake, const char *in, const char *line, int out, int err);

/* Waits for its end, and gives what is `code` above. */
int awctl_end(pid_t pid);

/* All that is in the file, which is closed. */
size_t awctl_text(FILE *f, char *buf, size_t size);

#endif
