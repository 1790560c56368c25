#include "proto/codec.h"

#include <inttypes.h>
#include <stdio.h>

#include <msgpack.h>

#include "proto/limits.h"
#include "proto/values.h"

/* ---- Opening ---------------------------------------------------------------------------- */

enum aw_err codec_validate(const void *body, size_t len, struct aw_error *err)
{
    struct values_found found;

    return values_check(body, len, &found, err);
}

enum aw_err codec_open(const void *body, size_t len, struct codec_doc *ret_doc,
                       struct aw_error *err)
{
    struct values_found found;
    struct value top;
    enum aw_err e;

    if (len > AW_MAX_MESSAGE)
        return aw_fail(err, AW_ERR_TOO_LARGE, "message of %zu bytes; at most %u", len,
                       AW_MAX_MESSAGE);
    e = values_check(body, len, &found, err);
    if (e)
        return e;
    value_read(body, &top);
    if (top.kind != VALUE_MAP)
        return aw_fail(err, AW_ERR_MALFORMED, "message is not a map");
    *ret_doc = (struct codec_doc){.root = body, .n_values = found.n_values};
    memcpy(ret_doc->ends, found.ends, sizeof(ret_doc->ends));
    return AW_OK;
}

/* Memory of a document: chunks that are freed together. */
struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t memory[];
};

#define CHUNK_MIN (1000 - sizeof(struct chunk)) /* with one job: malloc() has such at hand */
#define CHUNK_MAX (64u << 10)

void *codec_alloc(struct codec_doc *doc, size_t size)
{
    struct chunk *c = doc->chunks;
    size_t room = c ? MIN(2 * c->size, (size_t)CHUNK_MAX) : CHUNK_MIN;
    void *p;

    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (!c || c->size - c->used < size) {
        room = MAX(room, size);
        c = malloc(sizeof(*c) + room);
        if (!c)
            return NULL;
        *c = (struct chunk){doc->chunks, 0, room};
        doc->chunks = c;
    }
    p = (char *)c->memory + c->used;
    c->used += size;
    return p;
}

void codec_close(struct codec_doc *doc)
{
    struct chunk *c;

    while ((c = doc->chunks)) {
        doc->chunks = c->next;
        free(c);
    }
    *doc = (struct codec_doc){0};
}

/* ---- Reading ---------------------------------------------------------------------------- */

static void *member(const struct field *f, const void *obj)
{
    return (char *)obj + f->offset;
}

void codec_defaults(const struct schema *schema, void *obj)
{
    memset(obj, 0, schema->size);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];

        if (f->def == 0 && f->kind != FIELD_OBJ)
            continue;
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

/*
 * Goes through the message once, from value to value. A value that holds others is handed on with
 * `p` at the first of them, and whoever reads it leaves `p` behind the last.
 */
struct reader {
    const uint8_t *p;
    struct codec_doc *doc;
    struct aw_error *err;
};

static enum aw_err read_map(struct reader *r, const struct value *v, const struct schema *schema,
                            void *obj, const struct path *path);
static enum aw_err read_object(struct reader *r, const struct value *v, const struct schema *schema,
                               void *obj, const struct path *path);

static enum aw_err read_int(struct reader *r, const struct value *v, const struct field *f,
                            int64_t *ret, const struct path *path)
{
    if (v->kind != VALUE_UINT && v->kind != VALUE_INT)
        return invalid(path, r->err, "must be an integer");
    if (v->kind == VALUE_UINT && v->u > INT64_MAX)
        return invalid(path, r->err, "%" PRIu64 " is too large", v->u);
    if (v->i < f->min || v->i > f->max)
        return invalid(path, r->err, "%" PRId64 " is not within %" PRId64 " and %" PRId64, v->i,
                       f->min, f->max);
    *ret = v->i;
    return AW_OK;
}

static enum aw_err read_str(struct reader *r, const struct value *v, bool binary, int64_t min,
                            int64_t max, struct bytes *ret, const struct path *path)
{
    if (v->kind != VALUE_STR && v->kind != VALUE_BIN)
        return invalid(path, r->err, "must be a %s", binary ? "binary" : "string");
    if ((int64_t)v->n < min || (int64_t)v->n > max)
        return invalid(path, r->err, "%zu bytes; must be %" PRId64 " to %" PRId64, v->n, min, max);
    if (!binary && memchr(v->data, 0, v->n))
        return invalid(path, r->err, "must not hold a NUL byte");
    *ret = bytes_of(v->data, v->n);
    return AW_OK;
}

static enum aw_err read_item(struct reader *r, const struct field *f, void *to,
                             const struct path *path)
{
    struct value item;

    r->p = value_read(r->p, &item);
    if (f->kind == FIELD_STRV)
        return read_str(r, &item, false, 0, AW_MAX_ARG, to, path);
    if (f->kind == FIELD_OBJV)
        return read_object(r, &item, f->sub, to, path);
    if (item.kind != VALUE_UINT)
        return invalid(path, r->err, "must be an unsigned integer");
    *(uint64_t *)to = item.u;
    return AW_OK;
}

/* Defaults of n objects: to find them out takes longer than to copy them. */
static void defaults_of_all(const struct schema *schema, char *objs, size_t n)
{
    codec_defaults(schema, objs);
    for (size_t i = 1; i < n; i++)
        memcpy(objs + i * schema->size, objs, schema->size);
}

/* Reads each element of an array into its place; `size` is what one takes in memory. */
static enum aw_err read_array(struct reader *r, const struct value *array, const struct field *f,
                              size_t size, struct anyv *ret, const struct path *path)
{
    struct path at = {path, NULL, 0};
    enum aw_err e = AW_OK;
    char *v;

    if (array->kind != VALUE_ARRAY)
        return invalid(path, r->err, "must be an array");
    if ((int64_t)array->n < f->min || (int64_t)array->n > f->max)
        return invalid(path, r->err, "%zu items; must be %" PRId64 " to %" PRId64, array->n, f->min,
                       f->max);
    if (array->n == 0) {
        *ret = (struct anyv){0};
        return AW_OK;
    }
    v = codec_alloc(r->doc, array->n * size);
    if (!v)
        return aw_fail(r->err, AW_ERR_NO_MEMORY, "message: out of memory");
    if (f->kind == FIELD_OBJV)
        defaults_of_all(f->sub, v, array->n);
    for (; !e && at.index < (ssize_t)array->n; at.index++)
        e = read_item(r, f, v + (size_t)at.index * size, &at);
    if (!e)
        *ret = (struct anyv){v, array->n};
    return e;
}

static enum aw_err read_field(struct reader *r, const struct value *v, const struct field *f,
                              void *to, const struct path *path)
{
    struct bytes name = {0};
    enum aw_err e;

    switch (f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        return read_int(r, v, f, to, path);
    case FIELD_BOOL:
        if (v->kind != VALUE_BOOL)
            return invalid(path, r->err, "must be true or false");
        *(bool *)to = v->u != 0;
        return AW_OK;
    case FIELD_STR:
    case FIELD_BIN:
        return read_str(r, v, f->kind == FIELD_BIN, f->min, f->max, to, path);
    case FIELD_STATE:
        e = read_str(r, v, false, 1, 32, &name, path);
        if (e)
            return e;
        return aw_state_parse(name, to) ? AW_OK : invalid(path, r->err, "is no state's name");
    case FIELD_CLASS:
        e = read_str(r, v, false, 1, 32, &name, path);
        if (e)
            return e;
        return aw_class_parse(name, to) ? AW_OK : invalid(path, r->err, "is no error class's name");
    case FIELD_STRV:
        return read_array(r, v, f, sizeof(struct bytes), to, path);
    case FIELD_U64V:
        return read_array(r, v, f, sizeof(uint64_t), to, path);
    case FIELD_OBJ:
        return read_map(r, v, f->sub, to, path);
    case FIELD_OBJV:
        return read_array(r, v, f, f->sub->size, to, path);
    }
    return aw_fail(r->err, AW_ERR_INTERNAL, "field of unknown kind");
}

/*
 * Finds a key among the fields. Writers follow the schema's order, so the search starts behind
 * the last hit and is as a rule one comparison.
 */
static const struct field *field_find(const struct schema *schema, const struct value *key,
                                      size_t *hint)
{
    size_t at = *hint;

    if (key->kind != VALUE_STR)
        return NULL;
    for (size_t n = schema->n_fields; n > 0; n--, at++) {
        const struct field *f;

        if (at >= schema->n_fields)
            at = 0;
        f = &schema->fields[at];
        if (f->name_len == key->n && !memcmp(f->name, key->data, f->name_len)) {
            *hint = at + 1;
            return f;
        }
    }
    return NULL;
}

/*
 * Passes over the i-th member of a map, of which nothing is wanted. In the message's own map it is
 * known where that ends: the envelope is read without a look at what is in it.
 */
static const uint8_t *member_skip(const struct reader *r, const struct path *path, size_t i,
                                  const uint8_t *value)
{
    if (!path->up && i < VALUES_MARKS)
        return (const uint8_t *)r->doc->root + r->doc->ends[i];
    return value_skip(value);
}

static enum aw_err read_members(struct reader *r, size_t n, const struct schema *schema, void *obj,
                                uint64_t *seen, const struct path *path)
{
    size_t hint = 0;

    for (size_t i = 0; i < n; i++) {
        struct value key, v;
        const uint8_t *value;
        const struct field *f;
        enum aw_err e;

        value = value_read(r->p, &key);
        f = field_find(schema, &key, &hint);
        if (key.kind == VALUE_ARRAY || key.kind == VALUE_MAP)
            value = value_skip(r->p);
        r->p = value_read(value, &v);
        if (!f || v.kind == VALUE_NIL) {
            r->p = member_skip(r, path, i, value);
            continue;
        }
        struct path at = {path, f->name, -1};
        uint64_t bit = UINT64_C(1) << (f - schema->fields);

        if (*seen & bit)
            return invalid(&at, r->err, "given twice");
        *seen |= bit;
        e = read_field(r, &v, f, member(f, obj), &at);
        if (e)
            return e;
    }
    return AW_OK;
}

/* Into an object that has its defaults. */
static enum aw_err read_object(struct reader *r, const struct value *v, const struct schema *schema,
                               void *obj, const struct path *path)
{
    uint64_t seen = 0;
    enum aw_err e;

    if (v->kind != VALUE_MAP)
        return invalid(path, r->err, "must be a map");
    e = read_members(r, v->n, schema, obj, &seen, path);
    if (e)
        return e;
    for (size_t i = 0; i < schema->n_fields; i++)
        if (schema->fields[i].required && !(seen >> i & 1)) {
            struct path at = {path, schema->fields[i].name, -1};
            return invalid(&at, r->err, "missing");
        }
    return AW_OK;
}

static enum aw_err read_map(struct reader *r, const struct value *v, const struct schema *schema,
                            void *obj, const struct path *path)
{
    codec_defaults(schema, obj);
    return read_object(r, v, schema, obj, path);
}

enum aw_err codec_read(struct codec_doc *doc, const struct schema *schema, void *obj,
                       struct aw_error *err)
{
    struct path top = {NULL, NULL, -1};
    struct reader r = {.doc = doc, .err = err};
    struct value map;

    r.p = value_read(doc->root, &map);
    return read_map(&r, &map, schema, obj, &top);
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

static bool field_is_written(const struct field *f, const void *obj)
{
    const char *at = (const char *)obj + f->test_at;
    int64_t wide;
    int32_t narrow;

    if (f->test_size == sizeof(wide)) {
        memcpy(&wide, at, sizeof(wide));
        return wide != f->def || f->required;
    }
    if (f->test_size == sizeof(narrow)) {
        memcpy(&narrow, at, sizeof(narrow));
        return narrow != f->def || f->required;
    }
    return f->test_size == 0 || *at != f->def || f->required;
}

/* The fields that are written, bit by bit. */
static uint64_t fields_written(const struct codec_part *part)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < part->schema->n_fields; i++)
        bits |= (uint64_t)field_is_written(&part->schema->fields[i], part->obj) << i;
    return bits;
}

static void write_str(msgpack_packer *pk, struct bytes b)
{
    msgpack_pack_str(pk, b.len);
    msgpack_pack_str_body(pk, b.data ? b.data : "", b.len);
}

static void write_fields(msgpack_packer *pk, const struct codec_part *part, uint64_t bits);

static void write_map(msgpack_packer *pk, const void *obj, const struct schema *schema)
{
    const struct codec_part part = {schema, obj};
    uint64_t bits = fields_written(&part);

    msgpack_pack_map(pk, (size_t)__builtin_popcountll(bits));
    write_fields(pk, &part, bits);
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
        write_map(pk, at, f->sub);
        break;
    case FIELD_OBJV:
        msgpack_pack_array(pk, many->n);
        for (size_t i = 0; i < many->n; i++)
            write_map(pk, (const char *)many->v + i * f->sub->size, f->sub);
        break;
    }
}

static void write_fields(msgpack_packer *pk, const struct codec_part *part, uint64_t bits)
{
    for (; bits; bits &= bits - 1) {
        const struct field *f = &part->schema->fields[__builtin_ctzll(bits)];

        write_str(pk, bytes_of(f->name, f->name_len));
        write_value(pk, f, member(f, part->obj));
    }
}

/* One map of all parts, in which there is room for so many more fields. */
static void write_parts(msgpack_packer *pk, const struct codec_part *parts, size_t n_parts,
                        size_t n_more)
{
    size_t n = n_more;

    for (size_t p = 0; p < n_parts; p++)
        n += (size_t)__builtin_popcountll(fields_written(&parts[p]));
    msgpack_pack_map(pk, n);
    for (size_t p = 0; p < n_parts; p++)
        write_fields(pk, &parts[p], fields_written(&parts[p]));
}

enum aw_err codec_write(struct codec_buf *buf, const struct codec_part *parts, size_t n_parts)
{
    msgpack_packer pk;

    msgpack_packer_init(&pk, buf, buf_append);
    if (n_parts == 1)
        write_map(&pk, parts[0].obj, parts[0].schema);
    else
        write_parts(&pk, parts, n_parts, 0);
    return buf->failed;
}

enum aw_err codec_write_array(struct codec_buf *buf, const struct codec_part *parts, size_t n_parts,
                              const struct codec_array *array)
{
    msgpack_packer pk;

    msgpack_packer_init(&pk, buf, buf_append);
    write_parts(&pk, parts, n_parts, 1);
    write_str(&pk, bytes_str(array->name));
    msgpack_pack_array(&pk, array->n);
    if (array->elements.len)
        buf_append(buf, array->elements.data, array->elements.len);
    return buf->failed;
}
