/*
 * Messages: the validator, the codec, and every schema.
 *
 * The input is one message. The operation that its `op` names says by which schemas it is read: as
 * a request and as a reply of that operation, and as both envelopes. What can be read must come
 * out of writing and reading again as it was.
 */
#include "tests/fuzz/fuzz.h"

#include "proto/codec.h"
#include "proto/http_job.h"
#include "proto/messages.h"

/* ---- Two values of a schema ------------------------------------------------------------------ */

static bool struct_same(const struct schema *schema, const void *a, const void *b);

/* An absent string is something else than an empty one. */
static bool bytes_same(const struct bytes *a, const struct bytes *b)
{
    return !a->data == !b->data && bytes_eq(*a, *b);
}

static size_t item_size(const struct field *f)
{
    return f->kind == FIELD_STRV   ? sizeof(struct bytes)
           : f->kind == FIELD_U64V ? sizeof(uint64_t)
                                   : f->sub->size;
}

static bool array_same(const struct field *f, const struct anyv *a, const struct anyv *b)
{
    size_t size = item_size(f);

    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const void *x = (char *)a->v + i * size, *y = (char *)b->v + i * size;

        if (f->kind == FIELD_STRV   ? !bytes_eq(*(const struct bytes *)x, *(const struct bytes *)y)
            : f->kind == FIELD_U64V ? *(const uint64_t *)x != *(const uint64_t *)y
                                    : !struct_same(f->sub, x, y))
            return false;
    }
    return true;
}

static bool field_same(const struct field *f, const void *a, const void *b)
{
    switch (f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        return *(const int64_t *)a == *(const int64_t *)b;
    case FIELD_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case FIELD_STATE:
        return *(const enum aw_state *)a == *(const enum aw_state *)b;
    case FIELD_CLASS:
        return *(const enum aw_class *)a == *(const enum aw_class *)b;
    case FIELD_STR:
    case FIELD_BIN:
        return bytes_same(a, b);
    case FIELD_STRV:
    case FIELD_U64V:
    case FIELD_OBJV:
        return array_same(f, a, b);
    case FIELD_OBJ:
        return struct_same(f->sub, a, b);
    }
    return false;
}

static bool struct_same(const struct schema *schema, const void *a, const void *b)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        size_t at = schema->fields[i].offset;

        if (!field_same(&schema->fields[i], (const char *)a + at, (const char *)b + at))
            return false;
    }
    return true;
}

/* ---- There and back -------------------------------------------------------------------------- */

static void *struct_new(const struct schema *schema)
{
    void *obj = calloc(1, schema->size + 1);

    fuzz_check(obj != NULL, "no memory");
    return obj;
}

static void write_again(const struct schema *schema, const void *obj)
{
    struct codec_part part = {schema, obj};
    struct codec_buf first = {0}, second = {0};
    void *again = struct_new(schema);
    struct codec_doc doc;
    struct aw_error err = {0};

    fuzz_check(codec_write(&first, &part, 1) == AW_OK, "%s: cannot be written", schema->name);
    fuzz_check(codec_open(first.data, first.len, &doc, &err) == AW_OK, "%s: %s", schema->name,
               err.text);
    fuzz_check(codec_read(&doc, schema, again, &err) == AW_OK, "%s: %s", schema->name, err.text);
    fuzz_check(struct_same(schema, obj, again), "%s: another value", schema->name);
    part.obj = again;
    fuzz_check(codec_write(&second, &part, 1) == AW_OK, "%s", schema->name);
    fuzz_check(first.len == second.len && !memcmp(first.data, second.data, first.len),
               "%s: other bytes", schema->name);
    codec_close(&doc);
    codec_buf_done(&first);
    codec_buf_done(&second);
    free(again);
}

/* The struct, to be freed; NULL when the message is none by that schema. */
static void *read_as(struct codec_doc *doc, const struct schema *schema)
{
    void *obj = struct_new(schema);
    struct aw_error err = {.text = ""};
    enum aw_err e = codec_read(doc, schema, obj, &err);

    if (e) {
        fuzz_check(err.code == e && err.text[0], "%s: no reason was given", schema->name);
        free(obj);
        return NULL;
    }
    write_again(schema, obj);
    return obj;
}

/* What is checked of a job beyond its schema. */
static void jobs_check(const struct submit_req *req)
{
    for (size_t i = 0; i < req->jobs.n; i++) {
        const struct job *job = &req->jobs.v[i];
        struct aw_error err = {.text = ""};

        if (job_check(job, &err))
            fuzz_check(err.text[0], "no reason was given");
        else if (job->type.data && bytes_eq(job->type, bytes_str("http")))
            fuzz_check(http_host(job->url).len > 0, "an http job without a host");
    }
}

static void read_op(struct codec_doc *doc, enum op op)
{
    void *req = read_as(doc, op_info(op)->req);

    if (req && op == OP_SUBMIT)
        jobs_check(req);
    free(req);
    free(read_as(doc, op_info(op)->rep));
}

static bool begins_map(const uint8_t *data)
{
    return (*data & 0xf0) == 0x80 || *data == 0xde || *data == 0xdf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum aw_err valid = codec_validate(data, size, NULL);
    struct codec_doc doc;
    struct request *request;
    enum op op;

    if (codec_open(data, size, &doc, NULL)) {
        /* msgpack must not be stricter than the validator, or the two disagree on lengths. */
        fuzz_check(valid || !begins_map(data), "valid, and yet not to be opened");
        return 0;
    }
    fuzz_check(valid == AW_OK, "opened, and yet not valid");
    request = read_as(&doc, &request_schema);
    free(read_as(&doc, &reply_schema));
    if (request && op_parse(request->op, &op))
        read_op(&doc, op);
    free(request);
    codec_close(&doc);
    return 0;
}
