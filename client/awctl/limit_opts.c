#include "client/awctl/limit_opts.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/text.h"

#define IO_LEVELS 8 /* 1 to 8 in the protocol, and then idle */
#define IO_IDLE   (IO_LEVELS + 1)

/* ---- As numbers ---------------------------------------------------------------------------- */

static uint64_t value_of(const struct aw_limits *limits, enum limit which)
{
    switch (which) {
#define X(T, KIND, name, sub, need, min, max, def, text) \
    case LIMIT_##name:                                   \
        return (uint64_t)limits->name;
        LIMITS_FIELDS(X, _)
#undef X
    case N_LIMITS:
        break;
    }
    return 0;
}

bool limit_set(enum limit which, uint64_t value, struct limit_values *to)
{
    if (value > (uint64_t)limits_schema.fields[which].max)
        return false;
    switch (which) {
#define X(T, KIND, name, sub, need, min, max, def, text)      \
    case LIMIT_##name:                                        \
        to->limits.name = (__typeof__(to->limits.name))value; \
        break;
        LIMITS_FIELDS(X, _)
#undef X
    case N_LIMITS:
        return false;
    }
    to->mask |= 1u << which;
    return true;
}

void limit_names(unsigned mask, const char *ret[N_LIMITS + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < N_LIMITS; i++)
        if (mask & 1u << i)
            ret[n++] = limits_schema.fields[i].name;
    ret[n] = NULL;
}

/* ---- As text ------------------------------------------------------------------------------- */

static bool count_parse(const char *text, const char *end, uint64_t *ret)
{
    char *rest;
    unsigned long long v = strtoull(text, &rest, 10);

    if (*text < '0' || *text > '9' || strcmp(rest, end) != 0)
        return false;
    *ret = v; /* what is too large for it is so for every limit */
    return true;
}

static bool io_parse(const char *text, uint64_t *ret)
{
    if (!strcmp(text, "idle")) {
        *ret = IO_IDLE;
        return true;
    }
    if (!count_parse(text, "", ret) || *ret >= IO_LEVELS)
        return false;
    ++*ret;
    return true;
}

static enum aw_err count_wrong(enum limit which, const char *text, struct aw_error *err)
{
    const struct field *field = &limits_schema.fields[which];

    switch (which) {
    case LIMIT_cpu:
        return aw_fail(err, AW_ERR_INVALID,
                       "'%.40s' is no share of processors (50%% and 150%% are; at most %" PRId64
                       "%%)",
                       text, field->max);
    case LIMIT_io_priority:
        return aw_fail(err, AW_ERR_INVALID, "'%.40s' is neither 0 to %d nor idle", text,
                       IO_LEVELS - 1);
    default:
        return aw_fail(err, AW_ERR_INVALID,
                       "'%.40s' is neither a number from %d to %" PRId64 " nor none", text,
                       which != LIMIT_nice, field->max);
    }
}

/* 0 would limit nothing: who means that says none. */
static enum aw_err amount_check(const char *text, int64_t amount, uint64_t *ret,
                                struct aw_error *err)
{
    if (amount == 0)
        return aw_fail(err, AW_ERR_INVALID,
                       "'%.40s' would leave it nothing; none takes the limit away", text);
    *ret = (uint64_t)amount;
    return AW_OK;
}

static enum aw_err value_parse(enum limit which, const char *text, uint64_t *ret,
                               struct aw_error *err)
{
    int64_t amount;
    bool ok;

    switch (which) {
    case LIMIT_memory:
    case LIMIT_file_size:
        return size_parse(text, &amount, err) ? AW_ERR_INVALID
                                              : amount_check(text, amount, ret, err);
    case LIMIT_cpu_time_ms:
        return duration_parse(text, &amount, err) ? AW_ERR_INVALID
                                                  : amount_check(text, amount, ret, err);
    case LIMIT_io_priority:
        ok = io_parse(text, ret);
        break;
    default:
        ok = count_parse(text, which == LIMIT_cpu ? "%" : "", ret) &&
             (*ret > 0 || which == LIMIT_nice);
    }
    return ok ? AW_OK : count_wrong(which, text, err);
}

enum aw_err limit_parse(enum limit which, const char *text, struct limit_values *to,
                        struct aw_error *err)
{
    uint64_t value = 0;
    enum aw_err e = strcmp(text, "none") != 0 ? value_parse(which, text, &value, err) : AW_OK;

    if (e)
        return e;
    return limit_set(which, value, to) ? AW_OK : count_wrong(which, text, err);
}

struct unit {
    uint64_t size;
    const char *name;
};

/* In the largest unit that it is a whole number of: nothing is rounded. */
static void whole_text(uint64_t value, const struct unit *units, char *buf, size_t size)
{
    while (value % units->size)
        units++;
    snprintf(buf, size, "%" PRIu64 "%s", value / units->size, units->name);
}

static void limit_text(enum limit which, uint64_t value, char *buf, size_t size)
{
    static const struct unit sizes[] = {{UINT64_C(1) << 40, "T"},
                                        {UINT64_C(1) << 30, "G"},
                                        {UINT64_C(1) << 20, "M"},
                                        {UINT64_C(1) << 10, "K"},
                                        {1, ""}};
    static const struct unit times[] = {
        {86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

    if (which == LIMIT_memory || which == LIMIT_file_size)
        whole_text(value, sizes, buf, size);
    else if (which == LIMIT_cpu_time_ms)
        whole_text(value, times, buf, size);
    else if (which == LIMIT_io_priority && value == IO_IDLE)
        snprintf(buf, size, "idle");
    else
        snprintf(buf, size, "%" PRIu64 "%s", value - (which == LIMIT_io_priority),
                 which == LIMIT_cpu ? "%" : "");
}

const char *limits_text(const struct aw_limits *limits, char buf[LIMITS_TEXT])
{
    static const char *const names[N_LIMITS] = {
        [LIMIT_memory] = "memory",
        [LIMIT_cpu] = "cpu",
        [LIMIT_cpu_time_ms] = "cpu-time",
        [LIMIT_processes] = "processes",
        [LIMIT_files] = "open-files",
        [LIMIT_file_size] = "file-size",
        [LIMIT_nice] = "nice",
        [LIMIT_io_priority] = "io-priority",
    };
    size_t len = 0;

    *buf = '\0';
    for (enum limit i = 0; i < N_LIMITS; i++) {
        uint64_t value = value_of(limits, i);
        char text[32];

        if (!value)
            continue;
        limit_text(i, value, text, sizeof(text));
        len += (size_t)snprintf(buf + len, LIMITS_TEXT - len, "%s%s %s", len ? ", " : "", names[i],
                                text);
    }
    return buf;
}
