/*
 * schema.h - what a message looks like, as a table.
 *
 * Each message (and each part of one) is an X-macro list of fields, in messages.h. From such a
 * list come the C struct (SCHEMA_STRUCT) and the schema (SCHEMA_DEFINE) by which codec.h reads
 * and writes it. A field's line in a list of (F, T) is
 *
 *     F(T, KIND, name, sub, REQ|OPT, min, max, default, "meaning")
 *
 *   KIND  on the wire                 in the struct             min, max            default
 *   U64   unsigned integer            uint64_t                  of the value        integer
 *   I64   integer                     int64_t                   of the value        integer
 *   BOOL  boolean                     bool                      -                   integer
 *   STR   string                      struct bytes              of its length       absent: NULL, 0
 *   BIN   binary (or string)          struct bytes              of its length       absent: NULL, 0
 *   STATE string, a state's name      enum aw_state             -                   integer
 *   CLASS string, a class's name      enum aw_class             -                   integer
 *   STRV  array of strings            {struct bytes *v; n;}     of the count        empty
 *   U64V  array of unsigned integers  {uint64_t *v; n;}         of the count        empty
 *   OBJ   map                         struct sub                -                   all its
 * defaults OBJV  array of maps               {struct sub *v; n;}       of the count        empty
 *
 * `sub` names the schema of the maps (`_` elsewhere). A field that has its default is left out
 * when written. Unknown fields are ignored when read; one given twice is an error.
 */
#ifndef AW_SCHEMA_H
#define AW_SCHEMA_H

#include "proto/base.h"

enum field_kind {
    FIELD_U64,
    FIELD_I64,
    FIELD_BOOL,
    FIELD_STR,
    FIELD_BIN,
    FIELD_STATE,
    FIELD_CLASS,
    FIELD_STRV,
    FIELD_U64V,
    FIELD_OBJ,
    FIELD_OBJV,
};

struct strv {
    struct bytes *v;
    size_t n;
};

struct u64v {
    uint64_t *v;
    size_t n;
};

/* What every {v, n} member looks like to the codec. */
struct anyv {
    void *v;
    size_t n;
};

struct schema;

struct field {
    const char *name;
    const struct schema *sub;
    int64_t min, max;
    int64_t def;
    size_t offset;
    /* What tells whether it has its default: an integer of that many bytes, there; 0: nothing. */
    unsigned short test_at;
    unsigned char test_size;
    unsigned char name_len;
    enum field_kind kind;
    bool required;
};

struct schema {
    const char *name;
    const struct field *fields;
    size_t n_fields; /* 64 at most */
    size_t size;     /* of the struct */
};

/* clang-format off */
#define SCHEMA_MEMBER_U64(name, sub)   uint64_t name;
#define SCHEMA_MEMBER_I64(name, sub)   int64_t name;
#define SCHEMA_MEMBER_BOOL(name, sub)  bool name;
#define SCHEMA_MEMBER_STR(name, sub)   struct bytes name;
#define SCHEMA_MEMBER_BIN(name, sub)   struct bytes name;
#define SCHEMA_MEMBER_STATE(name, sub) enum aw_state name;
#define SCHEMA_MEMBER_CLASS(name, sub) enum aw_class name;
#define SCHEMA_MEMBER_STRV(name, sub)  struct strv name;
#define SCHEMA_MEMBER_U64V(name, sub)  struct u64v name;
#define SCHEMA_MEMBER_OBJ(name, sub)   struct sub name;
#define SCHEMA_MEMBER_OBJV(name, sub)  struct { struct sub *v; size_t n; } name;
/* clang-format on */

#define SCHEMA_REQ true
#define SCHEMA_OPT false

#define SCHEMA_SUB_U64(sub)   NULL
#define SCHEMA_SUB_I64(sub)   NULL
#define SCHEMA_SUB_BOOL(sub)  NULL
#define SCHEMA_SUB_STR(sub)   NULL
#define SCHEMA_SUB_BIN(sub)   NULL
#define SCHEMA_SUB_STATE(sub) NULL
#define SCHEMA_SUB_CLASS(sub) NULL
#define SCHEMA_SUB_STRV(sub)  NULL
#define SCHEMA_SUB_U64V(sub)  NULL
#define SCHEMA_SUB_OBJ(sub)   &sub##_schema
#define SCHEMA_SUB_OBJV(sub)  &sub##_schema

/* In a slice the pointer tells, and in an array the count. */
#define SCHEMA_TEST_U64   0, 8
#define SCHEMA_TEST_I64   0, 8
#define SCHEMA_TEST_BOOL  0, sizeof(bool)
#define SCHEMA_TEST_STR   offsetof(struct bytes, data), sizeof(void *)
#define SCHEMA_TEST_BIN   offsetof(struct bytes, data), sizeof(void *)
#define SCHEMA_TEST_STATE 0, sizeof(enum aw_state)
#define SCHEMA_TEST_CLASS 0, sizeof(enum aw_class)
#define SCHEMA_TEST_STRV  offsetof(struct anyv, n), sizeof(size_t)
#define SCHEMA_TEST_U64V  offsetof(struct anyv, n), sizeof(size_t)
#define SCHEMA_TEST_OBJ   0, 0
#define SCHEMA_TEST_OBJV  offsetof(struct anyv, n), sizeof(size_t)

#define SCHEMA_TEST_AT(at, size)   (at)
#define SCHEMA_TEST_SIZE(at, size) (size)
#define SCHEMA_TEST(part, ...)     SCHEMA_TEST_##part(__VA_ARGS__)

#define SCHEMA_MEMBER(T, KIND, name, sub, need, min, max, def, text) SCHEMA_MEMBER_##KIND(name, sub)

/* Declares struct TYPE and TYPE_schema from the list LIST. */
#define SCHEMA_STRUCT(TYPE, LIST) \
    struct TYPE {                 \
        LIST(SCHEMA_MEMBER, TYPE) \
    };                            \
    extern const struct schema TYPE##_schema;

#define SCHEMA_FIELD(T, KIND, fname, part, need, lo, hi, dflt, text)             \
    {.name = #fname,                                                             \
     .sub = SCHEMA_SUB_##KIND(part),                                             \
     .min = (lo),                                                                \
     .max = (hi),                                                                \
     .def = (dflt),                                                              \
     .offset = offsetof(struct T, fname),                                        \
     .test_at = offsetof(struct T, fname) + SCHEMA_TEST(AT, SCHEMA_TEST_##KIND), \
     .test_size = SCHEMA_TEST(SIZE, SCHEMA_TEST_##KIND),                         \
     .kind = FIELD_##KIND,                                                       \
     .name_len = sizeof(#fname) - 1,                                             \
     .required = SCHEMA_##need},

/* Defines what SCHEMA_STRUCT declared. */
#define SCHEMA_DEFINE(TYPE, LIST)                                                         \
    static const struct field TYPE##_fields[] = {LIST(SCHEMA_FIELD, TYPE)};               \
    _Static_assert(ARRAY_SIZE(TYPE##_fields) <= 64, "the reader's bit mask has 64 bits"); \
    const struct schema TYPE##_schema = {#TYPE, TYPE##_fields, ARRAY_SIZE(TYPE##_fields), \
                                         sizeof(struct TYPE)};

#endif
