#include "proto/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "proto/limits.h"

struct unit {
    const char *name;
    double factor;
};

/* A decimal number (no sign, no exponent, no "inf") and the unit behind it. */
static bool scaled_parse(const char *text, const struct unit *units, size_t n_units, double *ret)
{
    size_t digits = strspn(text, "0123456789");
    size_t fraction = text[digits] == '.' ? 1 + strspn(text + digits + 1, "0123456789") : 0;
    char number[32];

    if (digits == 0 || fraction == 1 || digits + fraction >= sizeof(number))
        return false;
    memcpy(number, text, digits + fraction);
    number[digits + fraction] = '\0';
    for (size_t i = 0; i < n_units; i++)
        if (!strcmp(text + digits + fraction, units[i].name)) {
            /* The locale's decimal point must not matter, so no strtod on the fraction. */
            double whole = 0, scale = 1;

            for (const char *p = number; *p; p++) {
                if (*p == '.') {
                    scale = 0.1;
                } else if (scale < 1) {
                    whole += (*p - '0') * scale;
                    scale /= 10;
                } else {
                    whole = whole * 10 + (*p - '0');
                }
            }
            *ret = whole * units[i].factor;
            return true;
        }
    return false;
}

enum aw_err duration_parse(const char *text, int64_t *ret_ms, struct aw_error *err)
{
    static const struct unit units[] = {{"", 1e3},   {"ms", 1},    {"s", 1e3},   {"m", 60e3},
                                        {"h", 36e5}, {"d", 864e5}, {"w", 6048e5}};
    double ms;

    if (!scaled_parse(text, units, ARRAY_SIZE(units), &ms))
        return aw_fail(err, AW_ERR_INVALID,
                       "'%.80s' is no duration (90, 1.5s, 250ms, 5m, 2h and 1d are)", text);
    if (ms > (double)AW_MAX_DURATION_MS)
        return aw_fail(err, AW_ERR_INVALID, "'%.80s' is too long a time; at most 3650d", text);
    *ret_ms = (int64_t)(ms + 0.5);
    return AW_OK;
}

size_t duration_format(char *buf, size_t size, int64_t ms)
{
    int64_t s = (ms + 500) / 1000;
    int n;

    if (ms < 1000)
        n = snprintf(buf, size, "%" PRId64 "ms", ms);
    else if (ms < 10000)
        n = snprintf(buf, size, "%.1fs", (double)ms / 1000);
    else if (s < 60)
        n = snprintf(buf, size, "%" PRId64 "s", s);
    else if (s < 3600)
        n = snprintf(buf, size, "%" PRId64 "m%02" PRId64 "s", s / 60, s % 60);
    else if (s < 86400)
        n = snprintf(buf, size, "%" PRId64 "h%02" PRId64 "m", s / 3600, s / 60 % 60);
    else
        n = snprintf(buf, size, "%" PRId64 "d%02" PRId64 "h", s / 86400, s / 3600 % 24);
    return n < 0 ? 0 : (size_t)n;
}

enum aw_err size_parse(const char *text, int64_t *ret_bytes, struct aw_error *err)
{
    static const struct unit units[] = {
        {"", 1}, {"K", 1024.0}, {"M", 1048576.0}, {"G", 1073741824.0}, {"T", 1099511627776.0}};
    double bytes;

    if (!scaled_parse(text, units, ARRAY_SIZE(units), &bytes))
        return aw_fail(err, AW_ERR_INVALID, "'%.80s' is no size (4096, 64K, 10M and 2G are)", text);
    if (bytes > 4e18)
        return aw_fail(err, AW_ERR_INVALID, "'%.80s' is too large a size", text);
    *ret_bytes = (int64_t)(bytes + 0.5);
    return AW_OK;
}
