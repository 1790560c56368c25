/*
 * values.h - msgpack values as they lie in a message: looked at, walked over, never copied.
 *
 * values_check() is for bytes of which nothing is known. Everything else trusts that it has said
 * yes, and looks at no more than the one value that it is given: there is no tree of objects, and
 * nothing is allocated.
 *
 * For codec.c alone. No state.
 */
#ifndef AW_VALUES_H
#define AW_VALUES_H

#include "proto/base.h"

enum value_kind {
    VALUE_NIL,
    VALUE_BOOL,  /* u: 0 or 1 */
    VALUE_UINT,  /* u; whatever is not negative, in any width */
    VALUE_INT,   /* i; negative */
    VALUE_STR,   /* data, n bytes */
    VALUE_BIN,   /* the same */
    VALUE_ARRAY, /* n values follow */
    VALUE_MAP,   /* n keys, each with its value, follow */
    VALUE_OTHER, /* a float, or an extension */
};

struct value {
    enum value_kind kind;
    size_t n;
    union {
        uint64_t u;
        int64_t i;
        const uint8_t *data;
    };
};

/* So many members of a message's map are known by where they end. */
#define VALUES_MARKS 16

struct values_found {
    size_t n_values; /* maps, arrays, keys and what they hold */
    /* If it is a map: where its first members end, from the message's beginning. */
    uint32_t ends[VALUES_MARKS];
};

/*
 * Whether the `len` bytes at `body` are one whole value, nothing behind it, no deeper and no more
 * of them than limits.h allows, and every count backed by bytes that are there.
 * AW_ERR_MALFORMED, AW_ERR_TOO_LARGE.
 */
AW_MUSTCHECK enum aw_err values_check(const void *body, size_t len, struct values_found *ret,
                                      struct aw_error *err);

/* The value at `p`. Returns where the next one begins: of an array or a map, the first in it. */
const uint8_t *value_read(const uint8_t *p, struct value *ret);

/* Where the value at `p` ends, with all that is in it. */
const uint8_t *value_skip(const uint8_t *p);

#endif
