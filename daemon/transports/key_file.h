/*
 * key_file.h - whether a file is fit to hold a private key.
 *
 * The rule is PostgreSQL's for its ssl_key_file: the file is ours and nobody else may read it
 * (mode 0600 or less), or it is root's, who may let a group read it (0640 or less).
 */
#ifndef AW_KEY_FILE_H
#define AW_KEY_FILE_H

#include "proto/base.h"

/*
 * AW_ERR_NOT_PERMITTED: it is somebody else's, or others may read or change it. AW_ERR_INVALID: it
 * is not there, cannot be opened, or is no regular file. The sentence begins with `name`.
 */
AW_MUSTCHECK enum aw_err key_file_check(const char *name, const char *path, struct aw_error *err);

#endif
