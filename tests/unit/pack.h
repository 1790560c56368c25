/*
 * pack.h - msgpack bytes made by hand, so that the codec is not tested with itself, and so that
 * messages can be wrong.
 */
#ifndef AW_PACK_H
#define AW_PACK_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct pack {
    uint8_t *p;
    size_t len, cap;
};

static inline void pack_raw(struct pack *k, const void *data, size_t len)
{
    if (k->len + len > k->cap) {
        k->cap = 2 * k->cap + len;
        k->p = realloc(k->p, k->cap);
        if (!k->p)
            abort();
    }
    if (len)
        memcpy(k->p + k->len, data, len);
    k->len += len;
}

/* A type byte and a big-endian number of n bytes. */
static inline void pack_head(struct pack *k, uint8_t type, uint64_t number, size_t n)
{
    uint8_t out[9] = {type};

    for (size_t i = n; i > 0; i--) {
        out[i] = (uint8_t)number;
        number >>= 8;
    }
    pack_raw(k, out, n + 1);
}

static inline void pack_map(struct pack *k, uint32_t n)
{
    pack_head(k, 0xdf, n, 4);
}

static inline void pack_array(struct pack *k, uint32_t n)
{
    pack_head(k, 0xdd, n, 4);
}

static inline void pack_uint(struct pack *k, uint64_t v)
{
    pack_head(k, 0xcf, v, 8);
}

static inline void pack_int(struct pack *k, int64_t v)
{
    pack_head(k, 0xd3, (uint64_t)v, 8);
}

static inline void pack_bool(struct pack *k, int v)
{
    pack_head(k, v ? 0xc3 : 0xc2, 0, 0);
}

static inline void pack_nil(struct pack *k)
{
    pack_head(k, 0xc0, 0, 0);
}

static inline void pack_strn(struct pack *k, const char *s, size_t len)
{
    pack_head(k, 0xdb, len, 4);
    pack_raw(k, s, len);
}

static inline void pack_str(struct pack *k, const char *s)
{
    pack_strn(k, s, strlen(s));
}

static inline void pack_bin(struct pack *k, const void *data, size_t len)
{
    pack_head(k, 0xc6, len, 4);
    pack_raw(k, data, len);
}

/* A string (or a binary) of len times the letter x. */
static inline void pack_xs(struct pack *k, int binary, size_t len)
{
    char block[4096];

    memset(block, 'x', sizeof(block));
    pack_head(k, binary ? 0xc6 : 0xdb, len, 4);
    for (; len > sizeof(block); len -= sizeof(block))
        pack_raw(k, block, sizeof(block));
    pack_raw(k, block, len);
}

static inline void pack_done(struct pack *k)
{
    free(k->p);
    *k = (struct pack){0};
}

#endif
