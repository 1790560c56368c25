#include "proto/codec.h"

#include <inttypes.h>
#include <stdio.h>

#include <msgpack.h>

#include "proto/limits.h"

/* ---- The validator ---------------------------------------------------------------------- */

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

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

static enum aw_err validate(const void *body, size_t len, size_t *ret_n_values,
                            struct aw_error *err)
{
    const uint8_t *p = body, *end = p + len;
    uint64_t open[AW_MAX_DEPTH + 1] = {1}; /* values still due at each depth */
    size_t depth = 0, elements = 0;

    for (;;) {
        struct header h;

        while (open[depth] == 0) {
            if (depth == 0) {
                if (p != end)
                    return aw_fail(err, AW_ERR_MALFORMED, "%zu bytes behind the message's map",
                                   (size_t)(end - p));
                *ret_n_values = elements;
                return AW_OK;
            }
            depth--;
        }
        open[depth]--;
        if (p == end || !header_read(p, (size_t)(end - p), &h))
            return aw_fail(err, AW_ERR_MALFORMED, "message is not msgpack, or cut off, at byte %zu",
                           (size_t)(p - (const uint8_t *)body));
        p += h.len;
        if (h.payload > (uint64_t)(end - p) || h.values > (uint64_t)(end - p))
            return aw_fail(err, AW_ERR_MALFORMED,
                           "message announces more than it holds at byte %zu",
                           (size_t)(p - (const uint8_t *)body));
        p += h.payload;
        if (++elements > AW_MAX_ELEMENTS)
            return aw_fail(err, AW_ERR_TOO_LARGE, "message has over %d values", AW_MAX_ELEMENTS);
        if (h.values) {
            if (++depth > AW_MAX_DEPTH)
                return aw_fail(err, AW_ERR_TOO_LARGE, "message is nested deeper than %d",
                               AW_MAX_DEPTH);
            open[depth] = h.values;
        }
    }
}

enum aw_err codec_validate(const void *body, size_t len, struct aw_error *err)
{
    size_t n_values;

    return validate(body, len, &n_values, err);
}

/* ---- Reading ---------------------------------------------------------------------------- */

enum aw_err codec_open(const void *body, size_t len, struct codec_doc *ret_doc,
                       struct aw_error *err)
{
    msgpack_unpacked unpacked;
    msgpack_object *root;
    size_t off = 0, n_values;
    enum aw_err e;

    if (len > AW_MAX_MESSAGE)
        return aw_fail(err, AW_ERR_TOO_LARGE, "message of %zu bytes; at most %u", len,
                       AW_MAX_MESSAGE);
    e = validate(body, len, &n_values, err);
    if (e)
        return e;
    msgpack_unpacked_init(&unpacked);
    /* It is whole and right, we have just seen that: nothing but memory can be missing. */
    if (msgpack_unpack_next(&unpacked, body, len, &off) != MSGPACK_UNPACK_SUCCESS || off != len) {
        msgpack_unpacked_destroy(&unpacked);
        return aw_fail(err, AW_ERR_NO_MEMORY, "message: out of memory");
    }
    if (unpacked.data.type != MSGPACK_OBJECT_MAP) {
        msgpack_unpacked_destroy(&unpacked);
        return aw_fail(err, AW_ERR_MALFORMED, "message is not a map");
    }
    if (!unpacked.zone)
        unpacked.zone = msgpack_zone_new(256);
    root = unpacked.zone ? msgpack_zone_malloc(unpacked.zone, sizeof(*root)) : NULL;
    if (!root) {
        msgpack_unpacked_destroy(&unpacked);
        return aw_fail(err, AW_ERR_NO_MEMORY, "message: out of memory");
    }
    *root = unpacked.data;
    ret_doc->root = root;
    ret_doc->zone = msgpack_unpacked_release_zone(&unpacked);
    ret_doc->n_values = n_values;
    return AW_OK;
}

void codec_close(struct codec_doc *doc)
{
    if (doc->zone)
        msgpack_zone_free(doc->zone);
    *doc = (struct codec_doc){0};
}

static void *member(const struct field *f, const void *obj)
{
    return (char *)obj + f->offset;
}

void codec_defaults(const struct schema *schema, void *obj)
{
    memset(obj, 0, schema->size);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];

        switch (f->kind) {
        case FIELD_U64:
        case FIELD_I64:
            *(int64_t *)member(f, obj) = f->def;
            break;
        case FIELD_BOOL:
            *(bool *)member(f, obj) = f->def;
            break;
        case FIELD_STATE:
            *(enum aw_state *)member(f, obj) = (enum aw_state)f->def;
            break;
        case FIELD_CLASS:
            *(enum aw_class *)member(f, obj) = (enum aw_class)f->def;
            break;
        case FIELD_OBJ:
            codec_defaults(f->sub, member(f, obj));
            break;
        default: /* slices and arrays: empty is all zeroes */
            break;
        }
    }
}

/* Where in the message we are, for sentences: a chain on the stack, printed on failure only. */
struct path {
    const struct path *up;
    const char *name;
    ssize_t index; /* -1: not in an array */
};

static size_t path_print(const struct path *path, char *buf, size_t size)
{
    size_t n = path->up ? path_print(path->up, buf, size) : 0;

    if (n >= size)
        return n;
    if (path->name)
        n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? "." : "", path->name);
    if (path->index >= 0 && n < size)
        n += (size_t)snprintf(buf + n, size - n, "[%zd]", path->index);
    return n;
}

static enum aw_err invalid(const struct path *path, struct aw_error *err, const char *fmt, ...)
    AW_PRINTF(3, 4);
static enum aw_err invalid(const struct path *path, struct aw_error *err, const char *fmt, ...)
{
    char where[96] = "", what[144];
    va_list ap;

    path_print(path, where, sizeof(where));
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return aw_fail(err, AW_ERR_INVALID, "%s: %s", where, what);
}

struct reader {
    msgpack_zone *zone;
    struct aw_error *err;
};

static enum aw_err read_map(struct reader *r, const msgpack_object *o, const struct schema *schema,
                            void *obj, const struct path *path);

static enum aw_err read_int(struct reader *r, const msgpack_object *o, const struct field *f,
                            int64_t *ret, const struct path *path)
{
    int64_t v;

    if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
        if (o->via.u64 > INT64_MAX)
            return invalid(path, r->err, "%" PRIu64 " is too large", o->via.u64);
        v = (int64_t)o->via.u64;
    } else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        v = o->via.i64;
    } else {
        return invalid(path, r->err, "must be an integer");
    }
    if (v < f->min || v > f->max)
        return invalid(path, r->err, "%" PRId64 " is not within %" PRId64 " and %" PRId64, v,
                       f->min, f->max);
    *ret = v;
    return AW_OK;
}

static enum aw_err read_str(struct reader *r, const msgpack_object *o, bool binary, int64_t min,
                            int64_t max, struct bytes *ret, const struct path *path)
{
    struct bytes b;

    if (o->type == MSGPACK_OBJECT_STR)
        b = bytes_of(o->via.str.ptr, o->via.str.size);
    else if (o->type == MSGPACK_OBJECT_BIN)
        b = bytes_of(o->via.bin.ptr, o->via.bin.size);
    else
        return invalid(path, r->err, "must be a %s", binary ? "binary" : "string");
    if ((int64_t)b.len < min || (int64_t)b.len > max)
        return invalid(path, r->err, "%zu bytes; must be %" PRId64 " to %" PRId64, b.len, min, max);
    if (!binary && memchr(b.data, 0, b.len))
        return invalid(path, r->err, "must not hold a NUL byte");
    *ret = b;
    return AW_OK;
}

/* Reads each element of an array into its place; `size` is what one takes in memory. */
static enum aw_err read_array(struct reader *r, const msgpack_object *o, const struct field *f,
                              size_t size, struct anyv *ret, const struct path *path)
{
    struct path at = {path, NULL, 0};
    char *v;

    if (o->type != MSGPACK_OBJECT_ARRAY)
        return invalid(path, r->err, "must be an array");
    if (o->via.array.size < f->min || o->via.array.size > f->max)
        return invalid(path, r->err, "%" PRIu32 " items; must be %" PRId64 " to %" PRId64,
                       o->via.array.size, f->min, f->max);
    if (o->via.array.size == 0) {
        *ret = (struct anyv){0};
        return AW_OK;
    }
    v = msgpack_zone_malloc(r->zone, o->via.array.size * size);
    if (!v)
        return aw_fail(r->err, AW_ERR_NO_MEMORY, "message: out of memory");
    for (; at.index < (ssize_t)o->via.array.size; at.index++) {
        const msgpack_object *item = &o->via.array.ptr[at.index];
        void *to = v + (size_t)at.index * size;
        enum aw_err e;

        if (f->kind == FIELD_STRV) {
            e = read_str(r, item, false, 0, AW_MAX_ARG, to, &at);
        } else if (f->kind == FIELD_OBJV) {
            e = read_map(r, item, f->sub, to, &at);
        } else if (item->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
            *(uint64_t *)to = item->via.u64;
            e = AW_OK;
        } else {
            e = invalid(&at, r->err, "must be an unsigned integer");
        }
        if (e)
            return e;
    }
    *ret = (struct anyv){v, o->via.array.size};
    return AW_OK;
}

static enum aw_err read_field(struct reader *r, const msgpack_object *o, const struct field *f,
                              void *to, const struct path *path)
{
    struct bytes name = {0};
    enum aw_err e;

    switch (f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        return read_int(r, o, f, to, path);
    case FIELD_BOOL:
        if (o->type != MSGPACK_OBJECT_BOOLEAN)
            return invalid(path, r->err, "must be true or false");
        *(bool *)to = o->via.boolean;
        return AW_OK;
    case FIELD_STR:
    case FIELD_BIN:
        return read_str(r, o, f->kind == FIELD_BIN, f->min, f->max, to, path);
    case FIELD_STATE:
        e = read_str(r, o, false, 1, 32, &name, path);
        if (e)
            return e;
        return aw_state_parse(name, to) ? AW_OK : invalid(path, r->err, "is no state's name");
    case FIELD_CLASS:
        e = read_str(r, o, false, 1, 32, &name, path);
        if (e)
            return e;
        return aw_class_parse(name, to) ? AW_OK : invalid(path, r->err, "is no error class's name");
    case FIELD_STRV:
        return read_array(r, o, f, sizeof(struct bytes), to, path);
    case FIELD_U64V:
        return read_array(r, o, f, sizeof(uint64_t), to, path);
    case FIELD_OBJ:
        return read_map(r, o, f->sub, to, path);
    case FIELD_OBJV:
        return read_array(r, o, f, f->sub->size, to, path);
    }
    return aw_fail(r->err, AW_ERR_INTERNAL, "field of unknown kind");
}

/*
 * Finds a key among the fields. Writers follow the schema's order, so the search starts behind
 * the last hit and is as a rule one comparison.
 */
static const struct field *field_find(const struct schema *schema, const msgpack_object *key,
                                      size_t *hint)
{
    size_t at = *hint;

    if (key->type != MSGPACK_OBJECT_STR)
        return NULL;
    for (size_t n = schema->n_fields; n > 0; n--, at++) {
        const struct field *f;

        if (at >= schema->n_fields)
            at = 0;
        f = &schema->fields[at];
        if (f->name_len == key->via.str.size && !memcmp(f->name, key->via.str.ptr, f->name_len)) {
            *hint = at + 1;
            return f;
        }
    }
    return NULL;
}

static enum aw_err read_map(struct reader *r, const msgpack_object *o, const struct schema *schema,
                            void *obj, const struct path *path)
{
    uint64_t seen = 0;
    size_t hint = 0;

    if (o->type != MSGPACK_OBJECT_MAP)
        return invalid(path, r->err, "must be a map");
    codec_defaults(schema, obj);
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        const struct field *f = field_find(schema, &kv->key, &hint);
        struct path at = {path, f ? f->name : NULL, -1};
        uint64_t bit;
        enum aw_err e;

        if (!f || kv->val.type == MSGPACK_OBJECT_NIL)
            continue;
        bit = UINT64_C(1) << (f - schema->fields);
        if (seen & bit)
            return invalid(&at, r->err, "given twice");
        seen |= bit;
        e = read_field(r, &kv->val, f, member(f, obj), &at);
        if (e)
            return e;
    }
    for (size_t i = 0; i < schema->n_fields; i++)
        if (schema->fields[i].required && !(seen >> i & 1)) {
            struct path at = {path, schema->fields[i].name, -1};
            return invalid(&at, r->err, "missing");
        }
    return AW_OK;
}

enum aw_err codec_read(struct codec_doc *doc, const struct schema *schema, void *obj,
                       struct aw_error *err)
{
    struct reader r = {doc->zone, err};
    struct path top = {NULL, NULL, -1};

    return read_map(&r, doc->root, schema, obj, &top);
}

/* ---- Writing ---------------------------------------------------------------------------- */

void codec_buf_reset(struct codec_buf *buf)
{
    buf->len = 0;
    buf->failed = AW_OK;
}

void codec_buf_done(struct codec_buf *buf)
{
    free(buf->data);
    *buf = (struct codec_buf){0};
}

static int buf_append(void *arg, const char *data, size_t len)
{
    struct codec_buf *buf = arg;

    if (buf->failed)
        return -1;
    if (len > AW_MAX_MESSAGE - buf->len) {
        buf->failed = AW_ERR_TOO_LARGE;
        return -1;
    }
    if (buf->len + len > buf->cap) {
        size_t cap = MAX(MAX(buf->cap * 2, buf->len + len), (size_t)512);
        char *grown = realloc(buf->data, cap);

        if (!grown) {
            buf->failed = AW_ERR_NO_MEMORY;
            return -1;
        }
        buf->data = grown;
        buf->cap = cap;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return 0;
}

static bool field_is_default(const struct field *f, const void *at)
{
    switch (f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        return *(const int64_t *)at == f->def;
    case FIELD_BOOL:
        return *(const bool *)at == (f->def != 0);
    case FIELD_STATE:
        return *(const enum aw_state *)at == (enum aw_state)f->def;
    case FIELD_CLASS:
        return *(const enum aw_class *)at == (enum aw_class)f->def;
    case FIELD_STR:
    case FIELD_BIN:
        return ((const struct bytes *)at)->data == NULL;
    case FIELD_STRV:
    case FIELD_U64V:
    case FIELD_OBJV:
        return ((const struct anyv *)at)->n == 0;
    case FIELD_OBJ:
        return false;
    }
    return false;
}

static bool field_is_written(const struct field *f, const void *obj)
{
    return f->required || !field_is_default(f, member(f, obj));
}

static void write_str(msgpack_packer *pk, struct bytes b)
{
    msgpack_pack_str(pk, b.len);
    msgpack_pack_str_body(pk, b.data ? b.data : "", b.len);
}

static void write_fields(msgpack_packer *pk, const struct schema *schema, const void *obj);

static void write_map(msgpack_packer *pk, const struct codec_part *parts, size_t n_parts)
{
    size_t n = 0;

    for (size_t p = 0; p < n_parts; p++)
        for (size_t i = 0; i < parts[p].schema->n_fields; i++)
            n += field_is_written(&parts[p].schema->fields[i], parts[p].obj);
    msgpack_pack_map(pk, n);
    for (size_t p = 0; p < n_parts; p++)
        write_fields(pk, parts[p].schema, parts[p].obj);
}

static void write_value(msgpack_packer *pk, const struct field *f, const void *at)
{
    const struct anyv *many = at;

    switch (f->kind) {
    case FIELD_U64:
        msgpack_pack_uint64(pk, *(const uint64_t *)at);
        break;
    case FIELD_I64:
        msgpack_pack_int64(pk, *(const int64_t *)at);
        break;
    case FIELD_BOOL:
        if (*(const bool *)at)
            msgpack_pack_true(pk);
        else
            msgpack_pack_false(pk);
        break;
    case FIELD_STR:
        write_str(pk, *(const struct bytes *)at);
        break;
    case FIELD_BIN: {
        const struct bytes *b = at;

        msgpack_pack_bin(pk, b->len);
        msgpack_pack_bin_body(pk, b->data ? b->data : "", b->len);
        break;
    }
    case FIELD_STATE:
        write_str(pk, bytes_str(aw_state_name(*(const enum aw_state *)at)));
        break;
    case FIELD_CLASS:
        write_str(pk, bytes_str(aw_class_name(*(const enum aw_class *)at)));
        break;
    case FIELD_STRV:
        msgpack_pack_array(pk, many->n);
        for (size_t i = 0; i < many->n; i++)
            write_str(pk, ((const struct bytes *)many->v)[i]);
        break;
    case FIELD_U64V:
        msgpack_pack_array(pk, many->n);
        for (size_t i = 0; i < many->n; i++)
            msgpack_pack_uint64(pk, ((const uint64_t *)many->v)[i]);
        break;
    case FIELD_OBJ:
        write_map(pk, &(struct codec_part){f->sub, at}, 1);
        break;
    case FIELD_OBJV:
        msgpack_pack_array(pk, many->n);
        for (size_t i = 0; i < many->n; i++)
            write_map(pk, &(struct codec_part){f->sub, (char *)many->v + i * f->sub->size}, 1);
        break;
    }
}

static void write_fields(msgpack_packer *pk, const struct schema *schema, const void *obj)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];

        if (!field_is_written(f, obj))
            continue;
        write_str(pk, bytes_of(f->name, f->name_len));
        write_value(pk, f, member(f, obj));
    }
}

enum aw_err codec_write(struct codec_buf *buf, const struct codec_part *parts, size_t n_parts)
{
    msgpack_packer pk;

    msgpack_packer_init(&pk, buf, buf_append);
    write_map(&pk, parts, n_parts);
    return buf->failed;
}
