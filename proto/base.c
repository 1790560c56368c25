#include "proto/base.h"

#include <stdio.h>
#include <time.h>

enum aw_err aw_failv(struct aw_error *err, enum aw_err code, const char *fmt, va_list ap)
{
    if (err) {
        err->code = code;
        err->retry_after_ms = 0;
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
    }
    return code;
}

enum aw_err(aw_fail)(struct aw_error *err, enum aw_err code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    aw_failv(err, code, fmt, ap);
    va_end(ap);
    return code;
}

const char *aw_state_name(enum aw_state state)
{
    switch (state) {
#define X(NAME, num, name, text) \
    case AW_##NAME:              \
        return name;
        AW_STATE_MAP(X)
#undef X
    }
    return "?";
}

const char *aw_class_name(enum aw_class class)
{
    switch (class) {
#define X(NAME, num, name, text) \
    case AW_CLASS_##NAME:        \
        return name;
        AW_CLASS_MAP(X)
#undef X
    }
    return "?";
}

struct err_entry {
    enum aw_err code;
    const char *name, *text;
    bool retryable;
    int exit_code;
};

static const struct err_entry *err_find(enum aw_err code)
{
    static const struct err_entry table[] = {
#define X(NAME, num, name, text, retryable, exit_code) \
    {AW_ERR_##NAME, name, text, retryable, exit_code},
        AW_ERR_MAP(X)
#undef X
    };
    static const struct err_entry none = {AW_ERR_PROTOCOL, "?", "an unknown error", false, 3};

    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].code == code)
            return &table[i];
    return &none;
}

const char *aw_err_name(enum aw_err code)
{
    return err_find(code)->name;
}

const char *aw_err_text(enum aw_err code)
{
    return err_find(code)->text;
}

bool aw_err_retryable(enum aw_err code)
{
    return err_find(code)->retryable;
}

int aw_err_exit_code(enum aw_err code)
{
    return err_find(code)->exit_code;
}

bool aw_state_parse(struct bytes name, enum aw_state *ret)
{
#define X(NAME, num, text, meaning)        \
    if (bytes_eq(name, bytes_str(text))) { \
        *ret = AW_##NAME;                  \
        return true;                       \
    }
    AW_STATE_MAP(X)
#undef X
    return false;
}

bool aw_class_parse(struct bytes name, enum aw_class *ret)
{
#define X(NAME, num, text, meaning)        \
    if (bytes_eq(name, bytes_str(text))) { \
        *ret = AW_CLASS_##NAME;            \
        return true;                       \
    }
    AW_CLASS_MAP(X)
#undef X
    return false;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int64_t boottime_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}
