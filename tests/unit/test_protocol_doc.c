/*
 * Holds proto/PROTOCOL.md against the code: whatever can travel has to be described there, in its
 * own section, with the type, the limits and the default that the code has.
 */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/codec.h"
#include "proto/lifecycle.h"
#include "proto/messages.h"
#include "proto/sp.h"

static char *doc;

static char *file_read(const char *name)
{
    const char *top = getenv("srcdir");
    char path[4096];
    char *text = NULL;
    size_t len = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", top ? top : ".", name);
    f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s cannot be read; is srcdir set?", path);
    ck_assert_int_gt(getdelim(&text, &len, '\0', f), 0);
    fclose(f);
    return text;
}

static void doc_open(void)
{
    doc = file_read("proto/PROTOCOL.md");
}

static void doc_close(void)
{
    free(doc);
}

/*
 * The text from the heading that starts so to the next heading of its level or above. To be freed.
 */
static char *section(const char *heading)
{
    size_t level = strspn(heading, "#");
    char start[128];
    const char *from, *to;

    snprintf(start, sizeof(start), "\n%s", heading);
    from = strstr(doc, start);
    ck_assert_msg(from != NULL, "PROTOCOL.md has no section '%s'", heading);
    for (to = from + 1; (to = strstr(to, "\n#")) != NULL; to++)
        if (strspn(to + 1, "#") <= level)
            break;
    return strndup(from, to ? (size_t)(to - from) : strlen(from));
}

/* The section has a line that starts so. */
static void has_line(const char *text, const char *heading, const char *fmt, ...) AW_PRINTF(3, 4);
static void has_line(const char *text, const char *heading, const char *fmt, ...)
{
    char line[512] = "\n";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line + 1, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    ck_assert_msg(strstr(text, line) != NULL, "PROTOCOL.md, '%s', lacks the line: %s ...", heading,
                  line + 1);
}

/* ---- Fields --------------------------------------------------------------------------------- */

static const char *number(char buf[32], int64_t v)
{
    if (v == INT64_MAX)
        return "2^63-1";
    if (v == INT64_MIN)
        return "-2^63";
    if (v == UINT32_MAX)
        return "2^32-1";
    if (v == INT32_MAX)
        return "2^31-1";
    snprintf(buf, 32, "%" PRId64, v);
    return buf;
}

static bool ends_in(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);

    return a >= b && !strcmp(text + a - b, end);
}

static const char *unit(const struct field *f)
{
    return ends_in(f->name, "_ms")    ? " ms"
           : ends_in(f->name, "_us")  ? " us"
           : ends_in(f->name, "_kib") ? " KiB"
                                      : "";
}

static void type_text(const struct field *f, char buf[96])
{
    static const char *const names[] = {
        [FIELD_U64] = "uint",          [FIELD_I64] = "int",
        [FIELD_BOOL] = "bool",         [FIELD_STR] = "string",
        [FIELD_BIN] = "binary",        [FIELD_STATE] = "state",
        [FIELD_CLASS] = "class",       [FIELD_STRV] = "array of string",
        [FIELD_U64V] = "array of uint"};

    if (f->kind == FIELD_OBJ)
        snprintf(buf, 96, "map `%s`", f->sub->name);
    else if (f->kind == FIELD_OBJV)
        snprintf(buf, 96, "array of `%s`", f->sub->name);
    else
        snprintf(buf, 96, "%s", names[f->kind]);
}

static void limits_text(const struct field *f, char buf[96])
{
    char lo[32], hi[32];
    const char *min = number(lo, f->min), *max = number(hi, f->max);

    switch (f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        snprintf(buf, 96, "%s to %s%s", min, max, unit(f));
        break;
    case FIELD_STR:
    case FIELD_BIN:
        if (f->min == f->max)
            snprintf(buf, 96, "%s bytes", max);
        else
            snprintf(buf, 96, "%s to %s bytes", min, max);
        break;
    case FIELD_STRV:
    case FIELD_U64V:
    case FIELD_OBJV:
        snprintf(buf, 96, "%s to %s items", min, max);
        break;
    case FIELD_BOOL:
    case FIELD_STATE:
    case FIELD_CLASS:
    case FIELD_OBJ:
        snprintf(buf, 96, "-");
        break;
    }
}

static void default_text(const struct field *f, char buf[96])
{
    char def[32];

    if (f->required) {
        snprintf(buf, 96, "required");
        return;
    }
    switch (f->kind) {
    case FIELD_U64:
    case FIELD_I64:
        snprintf(buf, 96, "%s", number(def, f->def));
        break;
    case FIELD_BOOL:
        snprintf(buf, 96, "%s", f->def ? "true" : "false");
        break;
    case FIELD_STATE:
        snprintf(buf, 96, "`%s`", aw_state_name((enum aw_state)f->def));
        break;
    case FIELD_CLASS:
        snprintf(buf, 96, "`%s`", aw_class_name((enum aw_class)f->def));
        break;
    case FIELD_STR:
    case FIELD_BIN:
        snprintf(buf, 96, "absent");
        break;
    case FIELD_STRV:
    case FIELD_U64V:
    case FIELD_OBJV:
        snprintf(buf, 96, "empty");
        break;
    case FIELD_OBJ:
        snprintf(buf, 96, "-");
        break;
    }
}

static void has_fields(const char *text, const char *heading, const struct schema *schema)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct field *f = &schema->fields[i];
        char type[96], limits[96], def[96];

        type_text(f, type);
        limits_text(f, limits);
        default_text(f, def);
        has_line(text, heading, "| `%s` | %s | %s | %s | ", f->name, type, limits, def);
    }
}

/* No row describes a field that does not exist (any more). */
static void has_no_others(const char *text, const char *heading, const struct schema *schema)
{
    for (const char *p = text; (p = strstr(p, "\n| `")) != NULL;) {
        size_t len;
        bool known = false;

        p += 4;
        len = strcspn(p, "`");
        for (size_t i = 0; i < schema->n_fields; i++)
            known |= bytes_eq(bytes_of(p, len), bytes_str(schema->fields[i].name));
        ck_assert_msg(known, "PROTOCOL.md, '%s', describes `%.*s`, which does not exist", heading,
                      (int)len, p);
    }
}

START_TEST(every_field_of_every_part_is_described_as_it_is)
{
    static const struct schema *const parts[] = {
        &request_schema,      &reply_schema,          &job_schema,     &job_status_schema,
        &id_result_schema,    &attempt_status_schema, &latency_schema, &set_status_schema,
        &queue_status_schema, &user_status_schema,    &limits_schema};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        char heading[64];
        char *text;

        snprintf(heading, sizeof(heading), "### `%s`", parts[i]->name);
        text = section(heading);
        has_fields(text, heading, parts[i]);
        has_no_others(text, heading, parts[i]);
        free(text);
    }
}
END_TEST

/* Those of the request between "Request:" and "Reply:", those of the reply behind it. */
START_TEST(every_field_of_every_operation_is_described_as_it_is)
{
    for (enum op op = 0; op < N_OPS; op++) {
        const struct op_info *info = op_info(op);
        char heading[64];
        char *text, *request, *reply;

        snprintf(heading, sizeof(heading), "### `%s`", info->name);
        text = section(heading);
        request = strstr(text, "\nRequest:");
        reply = strstr(text, "\nReply:");
        ck_assert_msg(request && reply && request < reply, "%s: no Request: and Reply:", heading);
        *reply++ = '\0';
        has_fields(request, heading, info->req);
        has_no_others(request, heading, info->req);
        has_fields(reply, heading, info->rep);
        has_no_others(reply, heading, info->rep);
        free(text);
    }
}
END_TEST

START_TEST(every_operation_is_in_the_list_with_who_may_use_it)
{
    char *text = section("## Operations");

    for (enum op op = 0; op < N_OPS; op++) {
        const struct op_info *info = op_info(op);

        has_line(text, "## Operations", "| [`%s`](#%s) | %s | %s |", info->name, info->name,
                 info->text, info->admin ? "administrators" : "everybody");
    }
    free(text);
}
END_TEST

/* ---- Names and numbers ---------------------------------------------------------------------- */

START_TEST(every_error_is_in_the_table_with_its_number)
{
    char *text = section("## Errors");

#define X(NAME, num, name, meaning, retryable, exit_code)                                        \
    has_line(text, "## Errors", "| %d | `%s` | %s | %d | ", num, name, retryable ? "yes" : "no", \
             exit_code);
    AW_ERR_MAP(X)
#undef X
    free(text);
}
END_TEST

START_TEST(every_state_and_class_is_in_its_table)
{
    char *text = section("## Futures");

#define X(NAME, num, name, meaning) has_line(text, "## Futures", "| `%s` | %d | ", name, num);
    AW_STATE_MAP(X)
    AW_CLASS_MAP(X)
#undef X
    free(text);
}
END_TEST

START_TEST(every_transition_is_in_the_table_and_no_other)
{
    char *text = section("## Futures");
    size_t n_known = 0, n_rows = 0;

#define X(FROM, EVENT, TO)                                                         \
    has_line(text, "## Futures", "| `%s` | %s | `%s` |", aw_state_name(AW_##FROM), \
             job_event_name(JOB_EV_##EVENT), aw_state_name(AW_##TO));              \
    n_known++;
    JOB_TRANSITION_MAP(X)
#undef X
#define X(NAME, name, meaning) has_line(text, "## Futures", "| %s | ", name);
    JOB_EVENT_MAP(X)
#undef X
    for (const char *p = strstr(text, "| From |"); p && strncmp(p, "\n\n", 2) != 0; p++)
        n_rows += !strncmp(p, "\n| `", 4);
    ck_assert_uint_eq(n_rows, n_known);
    free(text);
}
END_TEST

/* ---- Limits --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int64_t value;
} limits[] = {
#define L(name)                \
    {                          \
#name, (int64_t)(name) \
    }
    L(AW_PROTO_VERSION),
    L(AW_MAX_MESSAGE),
    L(AW_MAX_DEPTH),
    L(AW_MAX_ELEMENTS),
    L(AW_MAX_JOBS_PER_SUBMIT),
    L(AW_MAX_IDS),
    L(AW_MAX_PAGE),
    L(AW_MAX_CHUNK),
    L(AW_MAX_ID),
    L(AW_TAG_LEN),
    L(AW_MAX_NAME),
    L(AW_MAX_KEY),
    L(AW_MAX_PATH),
    L(AW_MAX_ARGS),
    L(AW_MAX_ARG),
    L(AW_MAX_ARGSIZE),
    L(AW_MAX_STDIN),
    L(AW_MAX_URL),
    L(AW_MAX_METHOD),
    L(AW_MAX_HEADERS),
    L(AW_MAX_HEADERSIZE),
    L(AW_MAX_BODY),
    L(AW_MAX_EXPECT),
    L(AW_MAX_REDIRECTS),
    L(AW_MAX_COMMAND),
    L(AW_MAX_MESSAGE_TEXT),
    L(AW_MAX_ATTEMPTS),
    L(AW_MAX_ATTEMPTS_SHOWN),
    L(AW_MAX_RETRY_ON),
    L(AW_MAX_QUEUES),
    L(AW_MAX_QUEUE_NAME),
    L(AW_MAX_RATE),
    L(AW_MAX_PARENTS),
    L(AW_MAX_EDGES),
    L(AW_MAX_SETS),
    L(AW_MAX_SETS_OF_JOB),
    L(AW_MAX_SET_NAME),
    L(AW_MAX_MEMBERS),
    L(AW_MAX_CONSUMERS),
    L(AW_MAX_CONSUMER),
    L(AW_SET_IDLE_MS),
    L(AW_MAX_CPU),
    L(AW_MAX_PROCESSES),
    L(AW_MAX_FILES),
    L(AW_MAX_LIMITS),
    L(AW_MAX_EXPLAINED),
    L(AW_MAX_PRIORITY),
    L(AW_MIN_PRIORITY),
    L(AW_MAX_SLOTS),
    L(AW_MAX_DURATION_MS),
    L(AW_LONG_POLL_MS),
    L(AW_INLINE_OUTPUT),
#undef L
};

START_TEST(every_limit_is_in_the_table_with_its_value)
{
    char *text = section("## Limits");

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        has_line(text, "## Limits", "| `%s` | %" PRId64 " | ", limits[i].name, limits[i].value);
    free(text);
}
END_TEST

/* So that a limit which is added to the header cannot be forgotten here, and so not there. */
START_TEST(every_limit_of_the_header_is_known_to_this_test)
{
    char *header = file_read("proto/limits.h");

    for (const char *p = header; (p = strstr(p, "\n#define AW_")) != NULL; p++) {
        const char *name = p + strlen("\n#define ");
        size_t len = strcspn(name, " \n");
        bool known = len == strlen("AW_LIMITS_H") && !strncmp(name, "AW_LIMITS_H", len);

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
            known |= bytes_eq(bytes_of(name, len), bytes_str(limits[i].name));
        ck_assert_msg(known, "add %.*s to the limits of this test and of PROTOCOL.md", (int)len,
                      name);
    }
    free(header);
}
END_TEST

/* ---- Examples ------------------------------------------------------------------------------- */

/* The bytes of one ```hex block: pairs of digits, up to two spaces, on each line. */
static size_t example_bytes(const char *p, const char *end, uint8_t *out, size_t max)
{
    size_t n = 0;

    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        unsigned byte;

        while (sscanf(p, "%2x", &byte) == 1 && n < max) {
            out[n++] = (uint8_t)byte;
            p += 2;
            if (*p == '\n' || !strncmp(p, "  ", 2))
                break;
            p++;
        }
        p = eol ? eol + 1 : end;
    }
    return n;
}

/* Reads a body as the request that it is, or as a reply to the operation before. */
static void check_body(const uint8_t *body, size_t len, enum op *last)
{
    union {
        struct request request;
        struct reply reply;
        char any[4096];
    } u;
    struct aw_error err = {0};
    struct codec_doc parsed;

    ck_assert_msg(codec_open(body, len, &parsed, &err) == AW_OK, "%s", err.text);
    if (codec_read(&parsed, &request_schema, &u.request, NULL) == AW_OK) {
        ck_assert(op_parse(u.request.op, last));
        if (codec_read(&parsed, op_info(*last)->req, &u, &err))
            ck_assert_str_eq(err.text, "ids: 0 items; must be 1 to 10000"); /* the one wrong one */
    } else {
        ck_assert_msg(codec_read(&parsed, &reply_schema, &u.reply, &err) == AW_OK, "%s", err.text);
        if (u.reply.err == 0)
            ck_assert_msg(codec_read(&parsed, op_info(*last)->rep, &u, &err) == AW_OK, "%s",
                          err.text);
        else
            ck_assert_bytes_eq(u.reply.error, aw_err_name((enum aw_err)u.reply.err));
    }
    codec_close(&parsed);
}

START_TEST(the_bytes_of_the_examples_are_those_of_real_messages)
{
    enum op last = OP_HELLO;
    size_t n = 0;

    for (const char *p = doc; (p = strstr(p, "\n```hex\n")) != NULL; n++) {
        const char *start = p + strlen("\n```hex\n");
        const char *end = strstr(start, "\n```");
        struct aw_error err = {0};
        uint8_t bytes[1024];
        uint32_t id;
        size_t len, got;

        ck_assert_ptr_nonnull(end);
        got = example_bytes(start, end + 1, bytes, sizeof(bytes));
        ck_assert_uint_ge(got, SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN);
        ck_assert_msg(sp_ipc_header_read(bytes, &id, &len, &err) == AW_OK, "%s", err.text);
        ck_assert_uint_eq(len, got - SP_IPC_HEADER_LEN - SP_REQUEST_ID_LEN);
        check_body(bytes + SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN, len, &last);
        p = end;
    }
    ck_assert_uint_ge(n, 11);
}
END_TEST

START_TEST(the_handshakes_are_those_that_are_sent)
{
    char *text = section("## Framing");

    ck_assert_ptr_nonnull(strstr(text, "`00 53 50 00 00 31 00 00`"));
    ck_assert_ptr_nonnull(strstr(text, "`00 30` from the client, `00 31` from the daemon"));
    free(text);
    text = section("## A session, byte by byte");
    ck_assert_ptr_nonnull(strstr(text, "\n00 53 50 00 00 30 00 00 "));
    ck_assert_ptr_nonnull(strstr(text, "\n00 53 50 00 00 31 00 00 "));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("PROTOCOL.md");
    TCase *tc = tcase_create("in step with the code");

    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(tc, doc_open, doc_close);
    tcase_add_test(tc, every_field_of_every_part_is_described_as_it_is);
    tcase_add_test(tc, every_field_of_every_operation_is_described_as_it_is);
    tcase_add_test(tc, every_operation_is_in_the_list_with_who_may_use_it);
    tcase_add_test(tc, every_error_is_in_the_table_with_its_number);
    tcase_add_test(tc, every_state_and_class_is_in_its_table);
    tcase_add_test(tc, every_transition_is_in_the_table_and_no_other);
    tcase_add_test(tc, every_limit_is_in_the_table_with_its_value);
    tcase_add_test(tc, every_limit_of_the_header_is_known_to_this_test);
    tcase_add_test(tc, the_bytes_of_the_examples_are_those_of_real_messages);
    tcase_add_test(tc, the_handshakes_are_those_that_are_sent);
    return unit_run(suite);
}
