/* What bad clients write. The codec writes nothing wrong, so this has a small writer of its own. */
#include "tests/fault/hostile.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>

#include "proto/sp.h"

#define MAX_WRONG 16384

void script_raw(struct script *s, const void *data, size_t len)
{
    if (s->len + len > s->cap) {
        s->cap = (s->len + len) * 2;
        s->data = realloc(s->data, s->cap);
        if (!s->data)
            die("memory");
    }
    if (len)
        memcpy(s->data + s->len, data, len);
    s->len += len;
}

void script_handshake(struct script *s)
{
    uint8_t hello[SP_HANDSHAKE_LEN];

    sp_handshake_write(hello, SP_REQ);
    script_raw(s, hello, sizeof(hello));
}

void script_announce(struct script *s, uint64_t len)
{
    uint8_t head[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN];

    sp_ipc_header_write(head, (uint32_t)s->n_requests, len);
    script_raw(s, head, sizeof(head));
}

void script_request(struct script *s, const void *body, size_t len, const char *name)
{
    script_announce(s, len);
    script_raw(s, body, len);
    if (name && s->names && s->n_requests < MAX_WRONG)
        s->names[s->n_requests] = name;
    s->n_requests++;
}

void script_op(struct script *s, enum op op, const void *req)
{
    struct request head = {bytes_str(op_info(op)->name), AW_PROTO_VERSION};
    struct codec_part parts[] = {{&request_schema, &head}, {op_info(op)->req, req}};
    struct codec_buf buf = {0};

    if (codec_write(&buf, parts, 2))
        die("codec");
    script_request(s, buf.data, buf.len, NULL);
    codec_buf_done(&buf);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static void put_head(struct script *s, uint8_t type, uint32_t n)
{
    uint32_t be = htonl(n);

    script_raw(s, &type, 1);
    script_raw(s, &be, sizeof(be));
}

static void put_str(struct script *s, const char *text)
{
    put_head(s, 0xdb, (uint32_t)strlen(text));
    script_raw(s, text, strlen(text));
}

/* A string of `len` characters. */
static void put_long_str(struct script *s, size_t len)
{
    char *text = malloc(len + 1);

    if (!text)
        die("memory");
    memset(text, 'x', len);
    put_head(s, 0xdb, (uint32_t)len);
    script_raw(s, text, len);
    free(text);
}

static void put_int(struct script *s, int64_t v)
{
    uint8_t type = v < 0 ? 0xd3 : 0xcf;
    uint64_t be = htobe64((uint64_t)v);

    script_raw(s, &type, 1);
    script_raw(s, &be, sizeof(be));
}

static void put_uint(struct script *s, uint64_t v)
{
    uint64_t be = htobe64(v);

    script_raw(s, "\xcf", 1);
    script_raw(s, &be, sizeof(be));
}

/* Values of each type there is. */
enum wrong_type { V_INT, V_BOOL, V_FLOAT, V_STR, V_ARRAY, V_MAP, V_EXT, V_NUL, N_VALUES };

static void put_value(struct script *s, enum wrong_type type)
{
    static const struct {
        const char *data;
        size_t len;
    } values[] = {
        [V_INT] = {"\x07", 1},
        [V_BOOL] = {"\xc3", 1},
        [V_FLOAT] = {"\xca\x3f\xc0\0\0", 5},
        [V_STR] = {"\xa1y", 2},
        [V_ARRAY] = {"\x91\xc2", 2},
        [V_MAP] = {"\x81\xa1z\x01", 4},
        [V_EXT] = {"\xd4\x05\0", 3},
        [V_NUL] = {"\xa3x\0y", 4},
    };

    script_raw(s, values[type].data, values[type].len);
}

static bool is_array(const struct field *f)
{
    return f->kind == FIELD_STRV || f->kind == FIELD_U64V || f->kind == FIELD_OBJV;
}

static bool is_number(const struct field *f)
{
    return f->kind == FIELD_U64 || f->kind == FIELD_I64;
}

static bool is_text(const struct field *f)
{
    return f->kind == FIELD_STR || f->kind == FIELD_BIN;
}

/* Whether a value of this type is wrong there. An array of `false` is wrong in each array. */
static bool value_is_wrong(const struct field *f, enum wrong_type type)
{
    switch (type) {
    case V_INT:
        return !is_number(f);
    case V_BOOL:
        return f->kind != FIELD_BOOL;
    case V_STR:
        return !is_text(f);
    case V_NUL:
        return f->kind != FIELD_BIN;
    case V_MAP:
        return f->kind != FIELD_OBJ;
    default:
        return true;
    }
}

static void put_good(struct script *s, const struct field *f);

/* A map with all fields that must be there, and of those that need not `extra`. */
static void put_good_map(struct script *s, const struct schema *schema)
{
    uint32_t n = 0;

    for (size_t i = 0; i < schema->n_fields; i++)
        n += schema->fields[i].required;
    put_head(s, 0xdf, n);
    for (size_t i = 0; i < schema->n_fields; i++)
        if (schema->fields[i].required) {
            put_str(s, schema->fields[i].name);
            put_good(s, &schema->fields[i]);
        }
}

static void put_good(struct script *s, const struct field *f)
{
    if (is_number(f)) {
        put_int(s, f->min);
    } else if (is_text(f)) {
        put_long_str(s, (size_t)MAX(f->min, 1));
    } else if (f->kind == FIELD_BOOL) {
        put_value(s, V_BOOL);
    } else if (f->kind == FIELD_STATE) {
        put_str(s, aw_state_name(AW_QUEUED));
    } else if (f->kind == FIELD_CLASS) {
        put_str(s, aw_class_name(AW_CLASS_EXIT));
    } else if (f->kind == FIELD_OBJ) {
        put_good_map(s, f->sub);
    } else {
        put_head(s, 0xdd, 1);
        if (f->kind == FIELD_OBJV)
            put_good_map(s, f->sub);
        else if (f->kind == FIELD_STRV)
            put_str(s, "x");
        else
            put_int(s, 1);
    }
}

/* ---- Requests with one thing wrong ----------------------------------------------------------- */

/* How a field is wrong; the first N_VALUES are values of a type that it does not have. */
enum wrong {
    W_TYPES = N_VALUES,
    W_BELOW = W_TYPES, /* a smaller number, a shorter string, fewer elements than may be */
    W_ABOVE,
    W_HUGE,
    W_MISSING,
    W_TWICE,
    N_WRONGS
};

static const char *const wrong_names[] = {
    [V_INT] = "is a number",         [V_BOOL] = "is a boolean", [V_FLOAT] = "is a float",
    [V_STR] = "is a string",         [V_ARRAY] = "is an array", [V_MAP] = "is a map",
    [V_EXT] = "is an extension",     [V_NUL] = "has a NUL",     [W_BELOW] = "is below its least",
    [W_ABOVE] = "is above its most", [W_HUGE] = "is 2^64 - 1",  [W_MISSING] = "is missing",
    [W_TWICE] = "is there twice",
};

/* How many elements may not be there; a message could not hold them if there were too many. */
static bool can_exceed(const struct field *f)
{
    if (is_number(f))
        return f->max < INT64_MAX;
    return (is_text(f) || is_array(f)) && f->max < AW_MAX_MESSAGE / 2;
}

static bool applies(const struct field *f, enum wrong wrong)
{
    switch (wrong) {
    case W_BELOW:
        return is_number(f) ? f->min > INT64_MIN : (is_text(f) || is_array(f)) && f->min > 0;
    case W_ABOVE:
        return can_exceed(f);
    case W_HUGE:
        return is_number(f);
    case W_MISSING:
        return f->required;
    case W_TWICE:
        return true;
    default:
        return value_is_wrong(f, (enum wrong_type)wrong);
    }
}

static void put_bad(struct script *s, const struct field *f, enum wrong wrong)
{
    int64_t size = wrong == W_BELOW ? f->min - 1 : f->max + 1;

    if (wrong < W_TYPES) {
        put_value(s, (enum wrong_type)wrong);
    } else if (wrong == W_HUGE) {
        put_uint(s, UINT64_MAX);
    } else if (is_number(f)) {
        put_int(s, size);
    } else if (is_text(f)) {
        put_long_str(s, (size_t)size);
    } else {
        put_head(s, 0xdd, (uint32_t)size);
        for (int64_t i = 0; i < size; i++)
            put_value(s, V_STR);
    }
}

/*
 * A map of this schema in which `bad` is wrong. `outer` is the field whose map has the wrong one:
 * then that is the map which is written in its place.
 */
struct mistake {
    const struct schema *schema;
    const struct field *outer; /* NULL: `bad` is in the request itself */
    const struct field *bad;
    enum wrong wrong;
};

static void put_field(struct script *s, const struct field *f, const struct mistake *m)
{
    put_str(s, f->name);
    if (m->wrong == W_TWICE)
        put_good(s, f);
    else
        put_bad(s, f, m->wrong);
}

/* Fields of `schema` that must be there, and the bad one; how many that are goes before them. */
static void put_bad_map(struct script *s, const struct schema *schema, const struct mistake *m,
                        const char *op)
{
    const struct field *stranger = m->outer && schema != m->outer->sub ? m->outer : m->bad;
    struct script fields = {0};
    uint32_t n = 0;

    if (op) {
        put_str(&fields, "op");
        put_str(&fields, op);
        n++;
    }
    for (size_t i = 0; i < schema->n_fields; i++)
        if (schema->fields[i].required && &schema->fields[i] != stranger) {
            put_str(&fields, schema->fields[i].name);
            put_good(&fields, &schema->fields[i]);
            n++;
        }
    if (stranger != m->bad) {
        put_str(&fields, stranger->name);
        if (stranger->kind == FIELD_OBJV)
            put_head(&fields, 0xdd, 1);
        put_bad_map(&fields, stranger->sub, m, NULL);
        n++;
    } else if (m->wrong != W_MISSING) {
        for (int i = 0; i < (m->wrong == W_TWICE ? 2 : 1); i++, n++)
            put_field(&fields, m->bad, m);
    }
    put_head(s, 0xdf, n);
    script_raw(s, fields.data, fields.len);
    free(fields.data);
}

static void add_mistake(struct script *s, const char *op, const struct mistake *m)
{
    struct script body = {0};
    char *name;

    if (asprintf(&name, "%s: %s%s%s %s", op ? op : "request", m->outer ? m->outer->name : "",
                 m->outer ? "." : "", m->bad->name, wrong_names[m->wrong]) < 0)
        die("memory");
    put_bad_map(&body, m->schema, m, op);
    if (body.len <= AW_MAX_MESSAGE)
        script_request(s, body.data, body.len, name);
    free(body.data);
}

static void add_mistakes(struct script *s, const char *op, const struct schema *schema,
                         const struct field *outer)
{
    const struct schema *inner = outer ? outer->sub : schema;

    for (size_t i = 0; i < inner->n_fields; i++) {
        const struct field *f = &inner->fields[i];
        struct mistake m = {schema, outer, f, W_TYPES};

        for (unsigned wrong = 0; wrong < N_WRONGS; wrong++) {
            m.wrong = (enum wrong)wrong;
            if (applies(f, m.wrong))
                add_mistake(s, op, &m);
        }
        if (f->sub && !outer)
            add_mistakes(s, op, schema, f);
    }
}

/* Bodies that are no requests at all. */
static void add_nonsense(struct script *s)
{
    static const struct {
        const char *data;
        size_t len;
        const char *name;
    } bodies[] = {
        {"", 0, "nothing"},
        {"\xc0", 1, "nil"},
        {"\xc1", 1, "a byte that is never used"},
        {"\x81", 1, "half a map"},
        {"\xdf\xff\xff\xff\xff", 5, "a map of 2^32 - 1"},
        {"\xdd\xff\xff\xff\xff", 5, "an array of 2^32 - 1"},
        {"\xc6\xff\xff\xff\xff", 5, "bytes of 4 GB"},
        {"\x80", 1, "no operation"},
        {"\x81\xa2op\xa4"
         "fly!",
         9, "an operation that there is not"},
        {"\x82\xa2op\xa5hello\xa1v\xcd\x03\xe7", 15, "another version"},
        {"\x81\xa2op\xa5hello\xc0", 11, "something behind it"},
    };
    static uint8_t deep[1u << 16];

    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
        script_request(s, bodies[i].data, bodies[i].len, bodies[i].name);
    memset(deep, 0x91, sizeof(deep)); /* an array in an array ... */
    script_request(s, deep, sizeof(deep), "arrays 65,536 deep");
    for (size_t i = 0; i + 3 <= sizeof(deep); i += 3)
        memcpy(deep + i, "\x81\xa1x", 3);
    script_request(s, deep, sizeof(deep), "maps 21,845 deep");
}

void script_wrong(struct script *s)
{
    s->names = calloc(MAX_WRONG, sizeof(*s->names));
    if (!s->names)
        die("memory");
    add_nonsense(s);
    add_mistakes(s, NULL, &request_schema, NULL);
    for (enum op op = 0; op < N_OPS; op++)
        add_mistakes(s, op_info(op)->name, op_info(op)->req, NULL);
}
