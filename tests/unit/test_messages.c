#include "tests/unit/unit.h"

#include "proto/codec.h"
#include "proto/messages.h"
#include "tests/unit/pack.h"

static const struct schema *const schemas[] = {&request_schema,    &reply_schema,     &job_schema,
                                               &job_status_schema, &id_result_schema,
#define X(NAME, name, wire, who, text) &name##_req_schema, &name##_rep_schema,
                                               OP_MAP(X)
#undef X
};

/* ---- Every schema, generically: each field filled in some way, written, read, compared ------ */

/* What fill() allocates lives until arena_done(). */
static void *arena[100000];
static size_t n_arena;

static void *arena_new(size_t size)
{
    ck_assert_uint_lt(n_arena, ARRAY_SIZE(arena));
    arena[n_arena] = calloc(1, size);
    return arena[n_arena++];
}

static void arena_done(void)
{
    while (n_arena)
        free(arena[--n_arena]);
}

enum how { SMALLEST, LARGEST, ODD, N_HOWS };

#define SANE 2000 /* bytes or items, where the limit is larger: limits have a test of their own */

static int64_t pick(enum how how, int64_t min, int64_t max)
{
    return how == SMALLEST  ? min
           : how == LARGEST ? max
                            : min / 2 + max / 2 + (max / 2 - min / 2 > 1);
}

static struct bytes text(int64_t len, char letter)
{
    char *p = arena_new((size_t)len + 1);

    memset(p, letter, (size_t)len);
    return bytes_of(p, (size_t)len);
}

static void fill(const struct schema *schema, void *obj, enum how how);

static void fill_array(const struct field *f, struct anyv *v, enum how how)
{
    v->n = (size_t)pick(how, MAX(f->min, 1), MIN(f->max, f->kind == FIELD_OBJV ? 3 : SANE));
    switch ((int)f->kind) {
    case FIELD_STRV:
        v->v = arena_new(v->n * sizeof(struct bytes));
        for (size_t i = 0; i < v->n; i++)
            ((struct bytes *)v->v)[i] = text((int64_t)i % 50, 'v');
        break;
    case FIELD_U64V:
        v->v = arena_new(v->n * sizeof(uint64_t));
        for (size_t i = 0; i < v->n; i++)
            ((uint64_t *)v->v)[i] = UINT64_MAX / (i + 1);
        break;
    case FIELD_OBJV:
        v->v = arena_new(v->n * f->sub->size);
        for (size_t i = 0; i < v->n; i++)
            fill(f->sub, (char *)v->v + i * f->sub->size, how);
        break;
    }
}

static void fill(const struct schema *schema, void *obj, enum how how)
{
    codec_defaults(schema, obj);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        void *at = (char *)obj + f->offset;

        switch (f->kind) {
        case FIELD_U64:
        case FIELD_I64:
            *(int64_t *)at = pick(how, f->min, f->max);
            break;
        case FIELD_BOOL:
            *(bool *)at = how != SMALLEST;
            break;
        case FIELD_STR:
        case FIELD_BIN:
            *(struct bytes *)at = text(pick(how, f->min, MIN(f->max, SANE)), 's');
            break;
        case FIELD_STATE:
            *(enum aw_state *)at = (enum aw_state)pick(how, AW_SCHEDULED, AW_CANCELLED);
            break;
        case FIELD_CLASS:
            *(enum aw_class *)at = (enum aw_class)pick(how, AW_CLASS_NONE, AW_CLASS_INTERRUPTED);
            break;
        case FIELD_OBJ:
            fill(f->sub, at, how);
            break;
        case FIELD_STRV:
        case FIELD_U64V:
        case FIELD_OBJV:
            fill_array(f, at, how);
            break;
        }
    }
}

static bool same(const struct schema *schema, const void *a, const void *b);

static bool same_array(const struct field *f, const struct anyv *a, const struct anyv *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (f->kind == FIELD_STRV &&
            !bytes_eq(((const struct bytes *)a->v)[i], ((const struct bytes *)b->v)[i]))
            return false;
        if (f->kind == FIELD_U64V && ((const uint64_t *)a->v)[i] != ((const uint64_t *)b->v)[i])
            return false;
        if (f->kind == FIELD_OBJV && !same(f->sub, (const char *)a->v + i * f->sub->size,
                                           (const char *)b->v + i * f->sub->size))
            return false;
    }
    return true;
}

static bool same_field(const struct field *f, const void *a, const void *b)
{
    switch (f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        return *(const int64_t *)a == *(const int64_t *)b;
    case FIELD_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case FIELD_STATE:
    case FIELD_CLASS:
        return *(const unsigned *)a == *(const unsigned *)b;
    case FIELD_STR:
    case FIELD_BIN:
        return bytes_eq(*(const struct bytes *)a, *(const struct bytes *)b);
    case FIELD_OBJ:
        return same(f->sub, a, b);
    case FIELD_STRV:
    case FIELD_U64V:
    case FIELD_OBJV:
        return same_array(f, a, b);
    }
    return false;
}

static bool same(const struct schema *schema, const void *a, const void *b)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];

        if (!same_field(f, (const char *)a + f->offset, (const char *)b + f->offset)) {
            ck_abort_msg("%s.%s came back changed", schema->name, f->name);
            return false;
        }
    }
    return true;
}

static void round_trip(const struct schema *schema, const void *obj)
{
    struct codec_buf buf = {0};
    struct aw_error err = {0};
    struct codec_doc doc;
    void *back = calloc(1, schema->size + 1);

    ck_assert_int_eq(codec_write(&buf, &(struct codec_part){schema, obj}, 1), AW_OK);
    ck_assert_msg(codec_open(buf.data, buf.len, &doc, &err) == AW_OK, "%s: %s", schema->name,
                  err.text);
    ck_assert_msg(codec_read(&doc, schema, back, &err) == AW_OK, "%s: %s", schema->name, err.text);
    ck_assert(same(schema, obj, back));
    codec_close(&doc);
    codec_buf_done(&buf);
    free(back);
}

START_TEST(every_message_reads_back_as_it_was_written)
{
    for (size_t i = 0; i < ARRAY_SIZE(schemas); i++)
        for (enum how how = SMALLEST; how < N_HOWS; how++) {
            void *obj = arena_new(schemas[i]->size + 1);

            fill(schemas[i], obj, how);
            round_trip(schemas[i], obj);
            arena_done();
        }
}
END_TEST

/* ---- Every limit of every field, with messages that are packed by hand ---------------------- */

static void pack_smallest(struct pack *k, const struct field *f);

/* The required fields of a schema, each as small as may be, and one more field if wanted. */
static void pack_required(struct pack *k, const struct schema *schema, const struct field *but,
                          const struct pack *value)
{
    uint32_t n = but != NULL;

    for (size_t i = 0; i < schema->n_fields; i++)
        n += schema->fields[i].required && &schema->fields[i] != but;
    pack_map(k, n);
    if (but) {
        pack_str(k, but->name);
        pack_raw(k, value->p, value->len);
    }
    for (size_t i = 0; i < schema->n_fields; i++)
        if (schema->fields[i].required && &schema->fields[i] != but) {
            pack_str(k, schema->fields[i].name);
            pack_smallest(k, &schema->fields[i]);
        }
}

static void pack_items(struct pack *k, const struct field *f, int64_t n)
{
    pack_array(k, (uint32_t)n);
    for (int64_t i = 0; i < n; i++)
        if (f->kind == FIELD_OBJV)
            pack_required(k, f->sub, NULL, NULL);
        else if (f->kind == FIELD_STRV)
            pack_str(k, "");
        else
            pack_uint(k, 0);
}

/* A value that is `n` large: the number itself, so many bytes, so many items. */
static void pack_sized(struct pack *k, const struct field *f, int64_t n)
{
    switch ((int)f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        pack_int(k, n);
        break;
    case FIELD_STR:
    case FIELD_BIN:
        pack_xs(k, f->kind == FIELD_BIN, (size_t)n);
        break;
    case FIELD_STRV:
    case FIELD_U64V:
    case FIELD_OBJV:
        pack_items(k, f, n);
        break;
    }
}

static void pack_smallest(struct pack *k, const struct field *f)
{
    switch ((int)f->kind) {
    case FIELD_BOOL:
        pack_bool(k, false);
        break;
    case FIELD_STATE:
        pack_str(k, "queued");
        break;
    case FIELD_CLASS:
        pack_str(k, "none");
        break;
    case FIELD_OBJ:
        pack_required(k, f->sub, NULL, NULL);
        break;
    default:
        pack_sized(k, f, f->min);
    }
}

static enum aw_err read_with(const struct schema *schema, const struct field *f, int64_t n,
                             struct aw_error *err)
{
    struct pack value = {0}, k = {0};
    void *obj = calloc(1, schema->size + 1);
    struct codec_doc doc = {0};
    enum aw_err e;

    pack_sized(&value, f, n);
    pack_required(&k, schema, f, &value);
    e = codec_open(k.p, k.len, &doc, err);
    if (!e)
        e = codec_read(&doc, schema, obj, err);
    codec_close(&doc);
    pack_done(&value);
    pack_done(&k);
    free(obj);
    return e;
}

static bool has_size(const struct field *f)
{
    return f->kind != FIELD_BOOL && f->kind != FIELD_STATE && f->kind != FIELD_CLASS &&
           f->kind != FIELD_OBJ;
}

static void check_limits(const struct schema *schema, const struct field *f)
{
    bool number = f->kind == FIELD_U64 || f->kind == FIELD_I64;
    struct aw_error err = {0};

    ck_assert_msg(read_with(schema, f, f->min, &err) == AW_OK, "%s.%s at its least: %s",
                  schema->name, f->name, err.text);
    ck_assert_msg(read_with(schema, f, f->max, &err) == AW_OK, "%s.%s at its most: %s",
                  schema->name, f->name, err.text);
    if (f->min > (number ? INT64_MIN : 0)) {
        ck_assert_msg(read_with(schema, f, f->min - 1, &err) == AW_ERR_INVALID, "%s.%s too small",
                      schema->name, f->name);
        ck_assert_ptr_nonnull(strstr(err.text, f->name));
    }
    if (f->max < INT64_MAX) {
        ck_assert_msg(read_with(schema, f, f->max + 1, &err) == AW_ERR_INVALID, "%s.%s too large",
                      schema->name, f->name);
        ck_assert_ptr_nonnull(strstr(err.text, f->name));
    }
}

START_TEST(every_field_keeps_its_limits_and_says_so)
{
    for (size_t i = 0; i < ARRAY_SIZE(schemas); i++)
        for (size_t n = 0; n < schemas[i]->n_fields; n++)
            if (has_size(&schemas[i]->fields[n]))
                check_limits(schemas[i], &schemas[i]->fields[n]);
}
END_TEST

START_TEST(every_required_field_is_missed)
{
    for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
        bool needs = false;
        void *obj = calloc(1, schemas[i]->size + 1);
        struct codec_doc doc;

        for (size_t n = 0; n < schemas[i]->n_fields; n++)
            needs |= schemas[i]->fields[n].required;
        ck_assert_int_eq(codec_open("\x80", 1, &doc, NULL), AW_OK);
        ck_assert_int_eq(codec_read(&doc, schemas[i], obj, NULL), needs ? AW_ERR_INVALID : AW_OK);
        codec_close(&doc);
        free(obj);
    }
}
END_TEST

START_TEST(a_default_is_within_its_own_limits)
{
    for (size_t i = 0; i < ARRAY_SIZE(schemas); i++)
        for (size_t n = 0; n < schemas[i]->n_fields; n++) {
            const struct field *f = &schemas[i]->fields[n];

            if (f->required || (f->kind != FIELD_U64 && f->kind != FIELD_I64))
                continue;
            ck_assert_msg(f->def >= f->min && f->def <= f->max, "%s.%s", schemas[i]->name, f->name);
        }
}
END_TEST

START_TEST(an_envelope_shares_no_field_with_what_it_carries)
{
    for (enum op op = 0; op < N_OPS; op++) {
        const struct op_info *info = op_info(op);

        for (size_t i = 0; i < info->req->n_fields; i++)
            for (size_t n = 0; n < request_schema.n_fields; n++)
                ck_assert_str_ne(info->req->fields[i].name, request_schema.fields[n].name);
        for (size_t i = 0; i < info->rep->n_fields; i++)
            for (size_t n = 0; n < reply_schema.n_fields; n++)
                ck_assert_str_ne(info->rep->fields[i].name, reply_schema.fields[n].name);
    }
}
END_TEST

/* ---- Operations ---------------------------------------------------------------------------- */

START_TEST(every_operation_has_a_name_that_leads_back_to_it)
{
    for (enum op op = 0; op < N_OPS; op++) {
        enum op back = N_OPS;

        ck_assert(op_parse(bytes_str(op_info(op)->name), &back));
        ck_assert_int_eq(back, op);
        ck_assert_str_ne(op_info(op)->text, "");
    }
}
END_TEST

START_TEST(an_operation_of_another_name_leaves_the_output_untouched)
{
    static const char *const wrong[] = {"", "Submit", "submi", "submit ", "submitt"};
    enum op op = OP_LIST;

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert(!op_parse(bytes_str(wrong[i]), &op));
    ck_assert(!op_parse(bytes_of("submit\0", 7), &op));
    ck_assert_int_eq(op, OP_LIST);
}
END_TEST

START_TEST(what_concerns_everybody_is_for_admins_only)
{
    for (enum op op = 0; op < N_OPS; op++)
        ck_assert_int_eq(op_info(op)->admin, op == OP_SLOTS || op == OP_DRAIN || op == OP_BACKUP ||
                                                 op == OP_SHUTDOWN || op == OP_QUEUE_SET ||
                                                 op == OP_QUEUE_REMOVE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("messages");
    TCase *fields = tcase_create("fields"), *ops = tcase_create("operations");

    suite_add_tcase(suite, fields);
    tcase_set_timeout(fields, 60); /* for slow machines with sanitizers */
    tcase_add_test(fields, every_message_reads_back_as_it_was_written);
    tcase_add_test(fields, every_field_keeps_its_limits_and_says_so);
    tcase_add_test(fields, every_required_field_is_missed);
    tcase_add_test(fields, a_default_is_within_its_own_limits);
    tcase_add_test(fields, an_envelope_shares_no_field_with_what_it_carries);
    suite_add_tcase(suite, ops);
    tcase_add_test(ops, every_operation_has_a_name_that_leads_back_to_it);
    tcase_add_test(ops, an_operation_of_another_name_leaves_the_output_untouched);
    tcase_add_test(ops, what_concerns_everybody_is_for_admins_only);
    return unit_run(suite);
}
