#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "client/awctl/lazy.h"
#include "client/awctl/utf8.h"
#include "proto/messages.h"

bool json_ready(void)
{
    return lazy_jansson();
}

/* ---- Values. Out of memory gives NULL, which the next function up passes on. -------------- */

static atomic_bool is_short; /* of memory: something is missing in what was written so far */

static void note_short(void)
{
    if (!atomic_exchange(&is_short, true))
        complain("JSON: out of memory; something is missing");
}

bool json_whole(void)
{
    return !is_short;
}

static json_t *text_json(const char *text, size_t len)
{
    _cleanup_free_ char *clean = NULL;

    if (utf8_valid(text, len))
        return lazy_json_stringn_nocheck(text, len);
    clean = utf8_clean(text, len, &len);
    return clean ? lazy_json_stringn_nocheck(clean, len) : NULL;
}

static json_t *bool_json(bool v)
{
    return v ? lazy_json_true() : lazy_json_false();
}

static void put(json_t *obj, const char *key, json_t *value)
{
    if (!value || !obj)
        note_short();
    if (obj && lazy_json_object_set_new_nocheck(obj, key, value ? value : lazy_json_null()) != 0)
        note_short();
}

static void put_text(json_t *obj, const char *key, const char *text)
{
    put(obj, key, text_json(text, strlen(text)));
}

/* Text as it is where it is text; other bytes in base64, and null where the text would be. */
static void put_data(json_t *obj, const char *key, const char *key64, const char *data, size_t len)
{
    bool text = utf8_valid(data, len);
    _cleanup_free_ char *encoded = text ? NULL : base64_encode(data, len);

    put(obj, key, text ? lazy_json_stringn_nocheck(data, len) : lazy_json_null());
    if (encoded)
        put(obj, key64, lazy_json_stringn_nocheck(encoded, strlen(encoded)));
    else
        put(obj, key64, text ? lazy_json_null() : NULL);
}

/* Writes the object on a line of its own and frees it. A stream that fails is said at the end. */
static void emit_to(FILE *to, json_t *obj)
{
    if ((!obj || lazy_json_dumpf(obj, to, JSON_COMPACT) != 0) && !ferror(to))
        note_short();
    putc('\n', to);
    if (obj)
        lazy_json_delete(obj);
}

static void emit(json_t *obj)
{
    emit_to(stdout, obj);
}

static json_t *texts_json(const char *const *list)
{
    json_t *array = lazy_json_array();

    for (; array && *list; list++) {
        json_t *text = text_json(*list, strlen(*list));

        if (!text || lazy_json_array_append_new(array, text) != 0)
            note_short();
    }
    return array;
}

static json_t *latency_json(const struct aw_latency *l)
{
    json_t *obj = lazy_json_object();

    put(obj, "count", lazy_json_integer((json_int_t)l->count));
    put(obj, "p50_us", lazy_json_integer(l->p50_us));
    put(obj, "p95_us", lazy_json_integer(l->p95_us));
    put(obj, "p99_us", lazy_json_integer(l->p99_us));
    put(obj, "max_us", lazy_json_integer(l->max_us));
    return obj;
}

static json_t *limits_json(const struct aw_limits *l)
{
    json_t *obj = lazy_json_object();

#define X(T, KIND, name, sub, need, min, max, def, text) \
    put(obj, #name, lazy_json_integer((json_int_t)l->name));
    LIMITS_FIELDS(X, _)
#undef X
    return obj;
}

/* ---- Structs, by the protocol's own lists of fields --------------------------------------- */

#define JSON_U64(obj, from, name, sub)  put(obj, #name, lazy_json_integer((json_int_t)(from)->name));
#define JSON_I64(obj, from, name, sub)  put(obj, #name, lazy_json_integer((json_int_t)(from)->name));
#define JSON_BOOL(obj, from, name, sub) put(obj, #name, bool_json((from)->name));
#define JSON_STR(obj, from, name, sub)  put_text(obj, #name, (from)->name);
#define JSON_STATE(obj, from, name, sub)                                                      \
    put(obj, #name,                                                                           \
        (from)->err && !((from)->err == AW_ERR_EXPIRED_ID && aw_state_is_final((from)->name)) \
            ? lazy_json_null()                                                                \
            : text_json(aw_state_name((from)->name), strlen(aw_state_name((from)->name))));
#define JSON_OBJ(obj, from, name, sub)   put(obj, #name, sub##_json(&(from)->name));
#define JSON_CLASS(obj, from, name, sub) put_text(obj, #name, aw_class_name((from)->error_class));

#define JSON_FIELD(from, KIND, name, sub, need, min, max, def, text) \
    JSON_##KIND(obj, from, name, sub)

static json_t *status_object(const struct aw_status *s)
{
    json_t *obj = lazy_json_object();

    JOB_STATUS_FIELDS(JSON_FIELD, s)
    put_text(obj, "error", s->err ? aw_err_name(s->err) : "");
    return obj;
}

/* As in a result; without one, nulls. */
static void put_output(json_t *obj, const struct aw_result *r)
{
    bool known = r && !r->status->err && aw_state_is_final(r->status->state);

    if (known) {
        put_data(obj, "stdout", "stdout_base64", r->data, r->len);
    } else {
        put(obj, "stdout", lazy_json_null());
        put(obj, "stdout_base64", lazy_json_null());
    }
    put(obj, "stdout_truncated", bool_json(known && r->len < r->size));
}

void json_attempt(const char *id, const struct aw_attempt *a)
{
    json_t *obj = lazy_json_object();

    put_text(obj, "id", id);
    ATTEMPT_STATUS_FIELDS(JSON_FIELD, a)
    emit(obj);
}

void json_status(const struct aw_status *status)
{
    emit(status_object(status));
}

void json_statuses(const struct aw_statuses *list)
{
    size_t n = aw_statuses_count(list);

    for (size_t i = 0; i < n; i++)
        json_status(aw_statuses_at(list, i));
}

void json_result(const struct aw_status *status, const char *data, size_t len, uint64_t size)
{
    json_t *obj = status_object(status);

    put_data(obj, "stdout", "stdout_base64", data, len);
    put(obj, "stdout_truncated", bool_json(len < size));
    emit(obj);
}

void json_gathered(const struct aw_status *status, const struct aw_result *result)
{
    json_t *obj = status_object(status);

    put(obj, "ended", bool_json(verdict_known(status)));
    put_output(obj, result);
    emit(obj);
}

void json_completed(FILE *to, uint64_t place, const struct aw_status *status,
                    const struct aw_result *result)
{
    json_t *obj = status_object(status);

    put(obj, "place", lazy_json_integer((json_int_t)place));
    put(obj, "ended", bool_json(verdict_known(status)));
    put_output(obj, result);
    emit_to(to, obj);
}

void json_chunk(const char *id, const char *stream, const struct aw_chunk *chunk)
{
    json_t *obj = lazy_json_object();

    put_text(obj, "id", id);
    put_text(obj, "stream", stream);
    put(obj, "offset", lazy_json_integer((json_int_t)chunk->offset));
    put_data(obj, "data", "data_base64", chunk->data, chunk->len);
    put(obj, "eof", bool_json(chunk->eof));
    emit(obj);
}

void json_outcome(const struct aw_outcome *o)
{
    json_t *obj = lazy_json_object();

    ID_RESULT_FIELDS(JSON_FIELD, o)
    put_text(obj, "error", o->err ? aw_err_name(o->err) : "");
    emit(obj);
}

static json_t *set_object(const struct aw_set *set)
{
    json_t *obj = lazy_json_object();

    SET_STATUS_FIELDS(JSON_FIELD, set)
    return obj;
}

void json_set(const struct aw_set *set)
{
    emit(set_object(set));
}

void json_set_info(const struct aw_set_info *info)
{
    json_t *obj = set_object(info->set);

    put(obj, "queue_wait", latency_json(&info->queue_wait));
    put(obj, "run", latency_json(&info->run));
    put(obj, "total", latency_json(&info->total));
    emit(obj);
}

void json_queue(const struct aw_queue *queue)
{
    json_t *obj = lazy_json_object();

    QUEUE_STATUS_FIELDS(JSON_FIELD, queue)
    emit(obj);
}

void json_user(const struct aw_user *user)
{
    json_t *obj = lazy_json_object();

    USER_STATUS_FIELDS(JSON_FIELD, user)
    emit(obj);
}

void json_explanation(const char *id, const struct aw_explanation *why)
{
    json_t *obj = lazy_json_object();

    put_text(obj, "id", id);
    put_text(obj, "state", aw_state_name(why->state));
    put_text(obj, "reason", why->reason);
    put_text(obj, "text", why->message);
    put_text(obj, "queue", why->queue);
    put(obj, "due_us", lazy_json_integer(why->due_us));
    put(obj, "n_before", lazy_json_integer((json_int_t)why->n_before));
    put(obj, "more_before", bool_json(why->more_before));
    put(obj, "before", texts_json(why->before));
    put(obj, "n_parents", lazy_json_integer((json_int_t)why->n_parents));
    put(obj, "parents", texts_json(why->parents));
    emit(obj);
}

void json_stats(const struct aw_stats *stats)
{
    json_t *obj = lazy_json_object();

    STATS_REP_FIELDS(JSON_FIELD, stats)
    emit(obj);
}

void json_hello(const struct aw_hello *hello, const char *address, int64_t rtt_us)
{
    json_t *obj = lazy_json_object();

    put_text(obj, "address", address);
    put(obj, "rtt_us", lazy_json_integer(rtt_us));
    HELLO_REP_FIELDS(JSON_FIELD, hello)
    emit(obj);
}

void json_line(const char *const *specs, size_t n, ...)
{
    json_t *obj = lazy_json_object();
    va_list ap;

    va_start(ap, n);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(specs[i]);
        char key[32];

        snprintf(key, sizeof(key), "%.*s", (int)len - 2, specs[i]);
        if (specs[i][len - 1] == 's')
            put_text(obj, key, va_arg(ap, const char *));
        else if (specs[i][len - 1] == 'b')
            put(obj, key, bool_json(va_arg(ap, int)));
        else
            put(obj, key, lazy_json_integer(va_arg(ap, int64_t)));
    }
    va_end(ap);
    emit(obj);
}
