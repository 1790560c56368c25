/*
 * utf8.h - bytes of jobs (arguments, output) as text that JSON and terminals can take.
 */
#ifndef AWCTL_UTF8_H
#define AWCTL_UTF8_H

#include "proto/base.h"

/* Well-formed by RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool utf8_valid(const char *text, size_t len);

/* A copy in which each wrong byte is U+FFFD; malloc'ed, NUL-terminated. NULL: out of memory. */
char *utf8_clean(const char *text, size_t len, size_t *ret_len);

/* RFC 4648, with padding; malloc'ed, NUL-terminated. NULL: out of memory. */
char *base64_encode(const void *data, size_t len);

#endif
