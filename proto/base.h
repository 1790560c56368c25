/*
 * base.h - the few idioms that all parts share: byte slices, errors, cleanup, clocks.
 *
 * No state, no threads: everything here may be called from anywhere.
 */
#ifndef AW_BASE_H
#define AW_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/aw_codes.h"

#define AW_MUSTCHECK        __attribute__((warn_unused_result))
#define AW_PRINTF(fmt, arg) __attribute__((format(printf, fmt, arg)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* Some bytes that belong to somebody else. Text in one is UTF-8 by custom, never NUL-terminated. */
struct bytes {
    const void *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){data, len};
}

static inline struct bytes bytes_str(const char *s)
{
    return (struct bytes){s, s ? strlen(s) : 0};
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/*
 * Fills *err (if there is one) with a code and a sentence, and returns the code, so that a
 * function can say `return aw_fail(err, AW_ERR_INVALID, "...")`.
 */
enum aw_err aw_fail(struct aw_error *err, enum aw_err code, const char *fmt, ...) AW_PRINTF(3, 4);
enum aw_err aw_failv(struct aw_error *err, enum aw_err code, const char *fmt, va_list ap)
    AW_PRINTF(3, 0);
#ifdef __clang_analyzer__
/* It looks at one file at a time: this tells it which code comes back. */
#define aw_fail(err, code, ...) (aw_fail((err), (code), __VA_ARGS__), (code))
#endif

/*
 * Names of the tables in aw_codes.h; "?" for a number that is in none. libaw exports these six
 * (aw.h declares them again).
 */
#pragma GCC visibility push(default)
const char *aw_state_name(enum aw_state state);
const char *aw_class_name(enum aw_class class);
const char *aw_err_name(enum aw_err code);
const char *aw_err_text(enum aw_err code);
bool aw_err_retryable(enum aw_err code);
int aw_err_exit_code(enum aw_err code);
#pragma GCC visibility pop

/* The reverse; false, and *ret untouched, when there is no such name. */
AW_MUSTCHECK bool aw_state_parse(struct bytes name, enum aw_state *ret);
AW_MUSTCHECK bool aw_class_parse(struct bytes name, enum aw_class *ret);

static inline bool aw_state_is_final(enum aw_state state)
{
    return state >= AW_SUCCEEDED;
}

/* Now: microseconds since 1970 UTC (may jump), and since boot, suspend included (never jumps). */
int64_t now_us(void);
int64_t boottime_us(void);

/* Cleanup by scope: `_cleanup_free_ char *p = NULL;`, handed on by `return take_ptr(p);` */
static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

#define _cleanup_free_  __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_close)))

#define take_ptr(p)                 \
    ({                              \
        __typeof__(p) taken_ = (p); \
        (p) = NULL;                 \
        taken_;                     \
    })
#define take_fd(fd)        \
    ({                     \
        int taken_ = (fd); \
        (fd) = -1;         \
        taken_;            \
    })

#endif
