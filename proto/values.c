#include "proto/values.h"

#include "proto/limits.h"

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* ---- Headers -------------------------------------------------------------------------------- */

/* What a header announces: payload bytes that follow it, and values nested in it. */
struct header {
    size_t len;       /* of the header itself */
    uint64_t payload; /* bytes */
    uint64_t values;  /* a map's keys and values each count one */
};

/* False when the header itself is cut off, or begins with the one byte msgpack never uses. */
static bool header_read(const uint8_t *p, size_t left, struct header *ret)
{
    /* For 0xc4..0xdf: bytes of the count, and what it counts. */
    static const struct {
        uint8_t count_len, fixed, kind;
    } wide[] = {
        {1, 0, 'b'}, {2, 0, 'b'}, {4, 0, 'b'},                        /* c4 bin */
        {1, 1, 'b'}, {2, 1, 'b'}, {4, 1, 'b'},                        /* c7 ext */
        {0, 4, 0},   {0, 8, 0},                                       /* ca float */
        {0, 1, 0},   {0, 2, 0},   {0, 4, 0},   {0, 8, 0},             /* cc uint */
        {0, 1, 0},   {0, 2, 0},   {0, 4, 0},   {0, 8, 0},             /* d0 int */
        {0, 2, 0},   {0, 3, 0},   {0, 5, 0},   {0, 9, 0}, {0, 17, 0}, /* d4 fixext */
        {1, 0, 'b'}, {2, 0, 'b'}, {4, 0, 'b'},                        /* d9 str */
        {2, 0, 'a'}, {4, 0, 'a'},                                     /* dc array */
        {2, 0, 'm'}, {4, 0, 'm'},                                     /* de map */
    };
    uint8_t b = *p;

    *ret = (struct header){.len = 1};
    if (b <= 0x7f || b >= 0xe0 || b == 0xc0 || b == 0xc2 || b == 0xc3)
        return true;
    if (b <= 0x8f) {
        ret->values = 2 * (uint64_t)(b & 0x0f);
    } else if (b <= 0x9f) {
        ret->values = b & 0x0f;
    } else if (b <= 0xbf) {
        ret->payload = b & 0x1f;
    } else if (b == 0xc1) {
        return false;
    } else {
        size_t i = b - 0xc4u;
        uint64_t count;

        if (left < 1u + wide[i].count_len)
            return false;
        ret->len += wide[i].count_len;
        count = big_endian(p + 1, wide[i].count_len);
        ret->payload = wide[i].fixed + (wide[i].kind == 'b' ? count : 0);
        ret->values = wide[i].kind == 'm' ? 2 * count : wide[i].kind == 'a' ? count : 0;
    }
    return true;
}

/* ---- Whole messages ------------------------------------------------------------------------- */

struct walk {
    const uint8_t *body, *p, *end;
    uint64_t open[AW_MAX_DEPTH + 1]; /* values still due at each depth */
    size_t depth;
    uint64_t n_top; /* values in the message's own array or map */
    struct values_found *found;
};

/* The next value, if it is whole. */
static enum aw_err walk_on(struct walk *w, struct aw_error *err)
{
    struct header h;

    w->open[w->depth]--;
    if (w->p == w->end || !header_read(w->p, (size_t)(w->end - w->p), &h))
        return aw_fail(err, AW_ERR_MALFORMED, "message is not msgpack, or cut off, at byte %zu",
                       (size_t)(w->p - w->body));
    w->p += h.len;
    if (h.payload > (uint64_t)(w->end - w->p) || h.values > (uint64_t)(w->end - w->p))
        return aw_fail(err, AW_ERR_MALFORMED, "message announces more than it holds at byte %zu",
                       (size_t)(w->p - w->body));
    w->p += h.payload;
    if (++w->found->n_values > AW_MAX_ELEMENTS)
        return aw_fail(err, AW_ERR_TOO_LARGE, "message has over %d values", AW_MAX_ELEMENTS);
    if (!h.values)
        return AW_OK;
    if (++w->depth > AW_MAX_DEPTH)
        return aw_fail(err, AW_ERR_TOO_LARGE, "message is nested deeper than %d", AW_MAX_DEPTH);
    w->open[w->depth] = h.values;
    if (w->depth == 1)
        w->n_top = h.values;
    return AW_OK;
}

/* A value has ended: of those directly in the message's map, every other one ends a member. */
static void walk_mark(struct walk *w)
{
    uint64_t done = w->n_top - w->open[1];

    if (done && done % 2 == 0 && done / 2 <= VALUES_MARKS)
        w->found->ends[done / 2 - 1] = (uint32_t)(w->p - w->body);
}

enum aw_err values_check(const void *body, size_t len, struct values_found *ret,
                         struct aw_error *err)
{
    struct walk w = {body, body, (const uint8_t *)body + len, {1}, 0, 0, ret};
    enum aw_err e = AW_OK;

    ret->n_values = 0;
    while (!e) {
        while (w.depth > 0 && w.open[w.depth] == 0)
            w.depth--;
        if (w.depth <= 1)
            walk_mark(&w);
        if (w.open[w.depth] == 0)
            break;
        e = walk_on(&w, err);
    }
    if (!e && w.p != w.end)
        e = aw_fail(err, AW_ERR_MALFORMED, "%zu bytes behind the message's map",
                    (size_t)(w.end - w.p));
    return e;
}

/* ---- Single values -------------------------------------------------------------------------- */

static const uint8_t *text(struct value *v, enum value_kind kind, const uint8_t *p, size_t n)
{
    v->kind = kind;
    v->n = n;
    v->data = p;
    return p + n;
}

static const uint8_t *many(struct value *v, enum value_kind kind, const uint8_t *p, size_t n)
{
    v->kind = kind;
    v->n = n;
    return p;
}

static const uint8_t *number(struct value *v, const uint8_t *p, size_t n)
{
    v->kind = VALUE_UINT;
    v->u = big_endian(p, n);
    return p + n;
}

/* Not negative is not signed: 5 is 5, however it was written. */
static const uint8_t *signed_number(struct value *v, const uint8_t *p, size_t n)
{
    unsigned shift = 64 - 8 * (unsigned)n;

    number(v, p, n);
    v->i = (int64_t)(v->u << shift) >> shift;
    if (v->i < 0)
        v->kind = VALUE_INT;
    return p + n;
}

/* Those that begin with 0xc0 to 0xdf. */
static const uint8_t *wide_read(const uint8_t *p, struct value *ret)
{
    uint8_t b = *p;
    struct header h = {0};

    switch (b) {
    case 0xc0:
        ret->kind = VALUE_NIL;
        return p + 1;
    case 0xc2:
    case 0xc3:
        ret->kind = VALUE_BOOL;
        ret->u = b == 0xc3;
        return p + 1;
    case 0xcc ... 0xcf:
        return number(ret, p + 1, (size_t)1 << (b - 0xcc));
    case 0xd0 ... 0xd3:
        return signed_number(ret, p + 1, (size_t)1 << (b - 0xd0));
    default:
        (void)!header_read(p, SIZE_MAX, &h);
        break;
    }
    p += h.len;
    switch (b) {
    case 0xc4 ... 0xc6:
        return text(ret, VALUE_BIN, p, h.payload);
    case 0xd9 ... 0xdb:
        return text(ret, VALUE_STR, p, h.payload);
    case 0xdc ... 0xdd:
        return many(ret, VALUE_ARRAY, p, h.values);
    case 0xde ... 0xdf:
        return many(ret, VALUE_MAP, p, h.values / 2);
    default:
        ret->kind = VALUE_OTHER;
        return p + h.payload;
    }
}

const uint8_t *value_read(const uint8_t *p, struct value *ret)
{
    uint8_t b = *p;

    if (b <= 0x7f)
        return number(ret, p, 1);
    if (b <= 0x8f)
        return many(ret, VALUE_MAP, p + 1, b & 0x0f);
    if (b <= 0x9f)
        return many(ret, VALUE_ARRAY, p + 1, b & 0x0f);
    if (b <= 0xbf)
        return text(ret, VALUE_STR, p + 1, b & 0x1f);
    return b >= 0xe0 ? signed_number(ret, p, 1) : wide_read(p, ret);
}

const uint8_t *value_skip(const uint8_t *p)
{
    for (uint64_t due = 1; due > 0; due--) {
        struct header h = {0};

        (void)!header_read(p, SIZE_MAX, &h);
        p += h.len + h.payload;
        due += h.values;
    }
    return p;
}
