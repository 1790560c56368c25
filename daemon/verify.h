/*
 * verify.h - `awd --verify`, `awd --verify-file`: looks at a store and its spool, and says what is
 * wrong.
 *
 * Nothing is changed, and nothing repaired: not even what the next start would put right. No
 * daemon may be at work there.
 */
#ifndef AW_VERIFY_H
#define AW_VERIFY_H

#include "daemon/config.h"

/*
 * Looks at config->target, a backup, or if that is NULL, at the store of the daemon that the
 * configuration is of, and its spool. What is wrong goes to stdout, a line each; what kept it from
 * looking, to stderr. Lines that begin with "remark: " tell of what a crash leaves behind and the
 * next start puts right; that is not wrong. Returns the exit code: 0 all is well, 1 something is
 * wrong, 3 it could not be looked at.
 */
int verify_run(const struct config *config);

/* Looks at a file, quietly; *ret_wrong: how many things are. As offline_open() otherwise. */
AW_MUSTCHECK enum aw_err verify_file(const char *path, uint64_t *ret_wrong, struct aw_error *err);

#endif
