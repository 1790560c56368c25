#include "daemon/config_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/log.h"
#include "proto/text.h"

#define RELOAD  true
#define RESTART false

const struct config_key config_keys[] = {
#define X(KIND, member, key, dflt, lo, hi, when, arg, meaning) \
    {.name = (key),                                            \
     .def = (dflt),                                            \
     .argument = (arg),                                        \
     .text = (meaning),                                        \
     .min = (lo),                                              \
     .max = (hi),                                              \
     .offset = offsetof(struct config, member),                \
     .kind = CONFIG_##KIND,                                    \
     .reload = (when)},
    CONFIG_MAP(X)
#undef X
};
const size_t config_n_keys = ARRAY_SIZE(config_keys);

/* ---- Names --------------------------------------------------------------------------------- */

static char plain(char c)
{
    return c == '-' ? '_' : c;
}

static bool name_is(const struct config_key *key, const char *name, size_t len)
{
    if (strlen(key->name) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (plain(name[i]) != key->name[i])
            return false;
    return true;
}

const struct config_key *config_key_find(const char *name, size_t len)
{
    for (size_t i = 0; i < config_n_keys; i++)
        if (name_is(&config_keys[i], name, len))
            return &config_keys[i];
    return NULL;
}

/* Levenshtein's distance: characters to insert, remove or replace. `a` has at most 32 of them. */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t row[33];

    for (size_t i = 0; i <= a_len; i++)
        row[i] = i;
    for (size_t j = 1; *b; j++, b++) {
        size_t diagonal = row[0];

        row[0] = j;
        for (size_t i = 1; i <= a_len; i++) {
            size_t changed = diagonal + (plain(a[i - 1]) != *b);

            diagonal = row[i];
            row[i] = MIN(changed, 1 + MIN(row[i], row[i - 1]));
        }
    }
    return row[a_len];
}

const struct config_key *config_key_near(const char *name, size_t len)
{
    const struct config_key *best = NULL;
    size_t least = 3; /* three characters off is another word */

    if (len > 32)
        return NULL;
    for (size_t i = 0; i < config_n_keys; i++) {
        size_t d = distance(name, len, config_keys[i].name);

        if (d < least) {
            least = d;
            best = &config_keys[i];
        }
    }
    return best;
}

/* ---- Text to value ------------------------------------------------------------------------- */

#define MEMBER(key, config, type) ((type *)((char *)(config) + (key)->offset))

static enum aw_err number_set(const struct config_key *key, struct config *config, const char *text,
                              struct aw_error *err)
{
    int base = key->kind == CONFIG_MODE ? 8 : 10;
    bool may_auto = key->kind != CONFIG_INT;
    char *end;
    long long n;

    if (may_auto && !strcmp(text, "auto")) {
        *MEMBER(key, config, int64_t) = CONFIG_AUTO;
        return AW_OK;
    }
    errno = 0;
    n = strtoll(text, &end, base);
    if (errno || end == text || *end || strspn(text, "0123456789") != strlen(text) ||
        n < key->min || n > key->max)
        return aw_fail(err, AW_ERR_INVALID,
                       base == 8 ? "must be an octal mode from 0%" PRIo64 " to 0%" PRIo64 "%s"
                                 : "must be a number from %" PRId64 " to %" PRId64 "%s",
                       key->min, key->max, may_auto ? ", or auto" : "");
    *MEMBER(key, config, int64_t) = n;
    return AW_OK;
}

static enum aw_err duration_set(const struct config_key *key, struct config *config,
                                const char *text, struct aw_error *err)
{
    char min[32], max[32];
    int64_t ms;

    if (duration_parse(text, &ms, NULL) || ms < key->min || ms > key->max) {
        duration_format(min, sizeof(min), key->min);
        duration_format(max, sizeof(max), key->max);
        return aw_fail(err, AW_ERR_INVALID, "must be a time from %s to %s, as in 90s, 5m or 7d",
                       min, max);
    }
    *MEMBER(key, config, int64_t) = ms;
    return AW_OK;
}

static enum aw_err size_set(const struct config_key *key, struct config *config, const char *text,
                            struct aw_error *err)
{
    int64_t bytes;

    if (size_parse(text, &bytes, NULL) || bytes < key->min || bytes > key->max)
        return aw_fail(err, AW_ERR_INVALID,
                       "must be a size from %" PRId64 " to %" PRId64 " bytes, as in 64K, 10M or 1G",
                       key->min, key->max);
    *MEMBER(key, config, int64_t) = bytes;
    return AW_OK;
}

/* 0, 1; -1: neither yes nor no. */
static int yes_or_no(const char *text)
{
    static const char *const names[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(text, names[i]))
            return i & 1;
    return -1;
}

static enum aw_err bool_set(const struct config_key *key, struct config *config, const char *text,
                            struct aw_error *err)
{
    int value = yes_or_no(text);

    if (value < 0)
        return aw_fail(err, AW_ERR_INVALID, "must be yes or no");
    *MEMBER(key, config, bool) = value;
    return AW_OK;
}

static enum aw_err switch_set(const struct config_key *key, struct config *config, const char *text,
                              struct aw_error *err)
{
    int value = yes_or_no(text);

    if (value < 0 && strcmp(text, "auto") != 0)
        return aw_fail(err, AW_ERR_INVALID, "must be yes, no or auto");
    *MEMBER(key, config, int64_t) = value < 0 ? CONFIG_AUTO : value;
    return AW_OK;
}

static enum aw_err path_set(const struct config_key *key, struct config *config, const char *text,
                            struct aw_error *err)
{
    bool may_none = key->offset == offsetof(struct config, runner_path);
    char *copy = NULL;

    if (*text && *text != '/' && !(may_none && !strcmp(text, "none")))
        return aw_fail(err, AW_ERR_INVALID, "must be an absolute path%s",
                       may_none ? ", or none" : "");
    if (strlen(text) > AW_MAX_PATH)
        return aw_fail(err, AW_ERR_INVALID, "must have at most %d bytes", AW_MAX_PATH);
    if (*text && !(copy = strdup(text)))
        return aw_fail(err, AW_ERR_NO_MEMORY, "out of memory");
    free(*MEMBER(key, config, char *));
    *MEMBER(key, config, char *) = copy;
    return AW_OK;
}

static enum aw_err name_set(const struct config_key *key, struct config *config, const char *text,
                            struct aw_error *err)
{
    char *copy = NULL;

    if (strlen(text) > AW_MAX_NAME)
        return aw_fail(err, AW_ERR_INVALID, "must have at most %d bytes", AW_MAX_NAME);
    if (*text && !(copy = strdup(text)))
        return aw_fail(err, AW_ERR_NO_MEMORY, "out of memory");
    free(*MEMBER(key, config, char *));
    *MEMBER(key, config, char *) = copy;
    return AW_OK;
}

static enum aw_err list_add(const struct config_key *key, struct config *config, const char *text,
                            struct aw_error *err)
{
    struct config_list *list = MEMBER(key, config, struct config_list);
    char **v;

    if (!*text)
        return AW_OK;
    v = reallocarray(list->v, list->n + 1, sizeof(*v));
    if (v)
        list->v = v;
    if (!v || !(v[list->n] = strdup(text)))
        return aw_fail(err, AW_ERR_NO_MEMORY, "out of memory");
    list->n++;
    return AW_OK;
}

enum aw_err value_set(const struct config_key *key, struct config *config, const char *text,
                      struct aw_error *err)
{
    switch (key->kind) {
    case CONFIG_INT:
    case CONFIG_SLOTS:
    case CONFIG_MODE:
        return number_set(key, config, text, err);
    case CONFIG_DURATION:
        return duration_set(key, config, text, err);
    case CONFIG_SIZE:
        return size_set(key, config, text, err);
    case CONFIG_BOOL:
        return bool_set(key, config, text, err);
    case CONFIG_SWITCH:
        return switch_set(key, config, text, err);
    case CONFIG_NAME:
        return name_set(key, config, text, err);
    case CONFIG_LEVEL:
        if (log_level_parse(text, MEMBER(key, config, int)))
            return AW_OK;
        return aw_fail(err, AW_ERR_INVALID, "must be err, warning, notice, info or debug");
    case CONFIG_PATH:
        return path_set(key, config, text, err);
    case CONFIG_LIST:
        return list_add(key, config, text, err);
    }
    return aw_fail(err, AW_ERR_INTERNAL, "no such kind");
}

void value_clear(const struct config_key *key, struct config *config)
{
    struct config_list *list;

    if (key->kind == CONFIG_PATH || key->kind == CONFIG_NAME) {
        free(take_ptr(*MEMBER(key, config, char *)));
    } else if (key->kind == CONFIG_LIST) {
        list = MEMBER(key, config, struct config_list);
        for (size_t i = 0; i < list->n; i++)
            free(list->v[i]);
        free(list->v);
        *list = (struct config_list){0};
    }
}

/* ---- Value to text ------------------------------------------------------------------------- */

static const char *level_name(int level)
{
    static const char *const names[] = {"err", "warning", "notice", "info", "debug"};
    int parsed;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (log_level_parse(names[i], &parsed) && parsed == level)
            return names[i];
    return "?";
}

struct unit {
    const char *name;
    int64_t factor;
};

/* In the largest unit in which it is whole: what is read again is the same. */
static void print_in_units(const struct config_key *key, int64_t value, const struct unit *unit,
                           FILE *out)
{
    while (unit->factor > 1 && value % unit->factor)
        unit++;
    fprintf(out, "%s = %" PRId64 "%s\n", key->name, value / unit->factor, unit->name);
}

static const struct unit times[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {
    {"T", INT64_C(1) << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};

/* Whether a line that has it as its value is read as the same text: what inih strips and skips. */
static bool reads_as_it_is(const char *text)
{
    for (const char *p = text; *p; p++) {
        bool behind_space = p == text || isspace((unsigned char)p[-1]);

        if (*p == '\n' || (*p == ';' && behind_space))
            return false;
        if (isspace((unsigned char)*p) && (p == text || !p[1]))
            return false;
    }
    return *text;
}

void comment_print(const char *text, FILE *out)
{
    for (size_t i = 0; i < 100 && text[i]; i++)
        fputc(iscntrl((unsigned char)text[i]) ? '?' : text[i], out);
}

/* Flags and the environment can say what no line can: it must not be read as something else. */
static void text_print(const struct config_key *key, const char *text, FILE *out)
{
    size_t len = strlen(key->name) + strlen("=") + strlen(text);

    if (reads_as_it_is(text) && len <= CONFIG_MAX_LINE) {
        fprintf(out, len + 2 > CONFIG_MAX_LINE ? "%s=%s" : "%s = %s", key->name, text);
    } else {
        fprintf(out, "# no line can say this: %s = ", key->name);
        comment_print(text, out);
    }
    fputc('\n', out);
}

static void list_print(const struct config_key *key, const struct config_list *list, FILE *out)
{
    for (size_t i = 0; i < list->n; i++)
        text_print(key, list->v[i], out);
}

void value_print(const struct config_key *key, const struct config *config, FILE *out)
{
    const char *path;

    switch (key->kind) {
    case CONFIG_INT:
    case CONFIG_SLOTS:
        fprintf(out, "%s = %" PRId64 "\n", key->name, *MEMBER(key, config, const int64_t));
        break;
    case CONFIG_MODE:
        fprintf(out, "%s = 0%" PRIo64 "\n", key->name, *MEMBER(key, config, const int64_t));
        break;
    case CONFIG_DURATION:
        print_in_units(key, *MEMBER(key, config, const int64_t), times, out);
        break;
    case CONFIG_SIZE:
        print_in_units(key, *MEMBER(key, config, const int64_t), sizes, out);
        break;
    case CONFIG_BOOL:
        fprintf(out, "%s = %s\n", key->name, *MEMBER(key, config, const bool) ? "yes" : "no");
        break;
    case CONFIG_SWITCH:
        fprintf(out, "%s = %s\n", key->name, *MEMBER(key, config, const int64_t) ? "yes" : "no");
        break;
    case CONFIG_LEVEL:
        fprintf(out, "%s = %s\n", key->name, level_name(*MEMBER(key, config, const int)));
        break;
    case CONFIG_PATH:
    case CONFIG_NAME:
        path = *MEMBER(key, config, char *const);
        if (path)
            text_print(key, path, out);
        else
            fprintf(out, "# %s = (none)\n", key->name);
        break;
    case CONFIG_LIST:
        list_print(key, MEMBER(key, config, const struct config_list), out);
        break;
    }
}

/* ---- Two values ---------------------------------------------------------------------------- */

static bool list_same(const struct config_list *a, const struct config_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    return true;
}

static bool path_same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

bool value_same(const struct config_key *key, const struct config *a, const struct config *b)
{
    switch (key->kind) {
    case CONFIG_BOOL:
        return *MEMBER(key, a, const bool) == *MEMBER(key, b, const bool);
    case CONFIG_LEVEL:
        return *MEMBER(key, a, const int) == *MEMBER(key, b, const int);
    case CONFIG_PATH:
    case CONFIG_NAME:
        return path_same(*MEMBER(key, a, char *const), *MEMBER(key, b, char *const));
    case CONFIG_LIST:
        return list_same(MEMBER(key, a, const struct config_list),
                         MEMBER(key, b, const struct config_list));
    default:
        return *MEMBER(key, a, const int64_t) == *MEMBER(key, b, const int64_t);
    }
}

static void swap(void *a, void *b, size_t size)
{
    char keep[sizeof(struct config_list)];

    memcpy(keep, a, size);
    memcpy(a, b, size);
    memcpy(b, keep, size);
}

void value_swap(const struct config_key *key, struct config *a, struct config *b)
{
    static const size_t lengths[] = {
        [CONFIG_INT] = sizeof(int64_t),
        [CONFIG_SLOTS] = sizeof(int64_t),
        [CONFIG_MODE] = sizeof(int64_t),
        [CONFIG_DURATION] = sizeof(int64_t),
        [CONFIG_SIZE] = sizeof(int64_t),
        [CONFIG_BOOL] = sizeof(bool),
        [CONFIG_SWITCH] = sizeof(int64_t),
        [CONFIG_LEVEL] = sizeof(int),
        [CONFIG_NAME] = sizeof(char *),
        [CONFIG_PATH] = sizeof(char *),
        [CONFIG_LIST] = sizeof(struct config_list),
    };

    swap(MEMBER(key, a, char), MEMBER(key, b, char), lengths[key->kind]);
}
