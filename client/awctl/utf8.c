#include "client/awctl/utf8.h"

/* Bytes of the well-formed character at `p`, or 0. */
static size_t character(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char first, last, second_min, second_max;
        size_t len;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        if (*p < forms[i].first || *p > forms[i].last)
            continue;
        if (left < forms[i].len)
            return 0;
        if (forms[i].len > 1 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
            return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].len;
    }
    return 0;
}

bool utf8_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0; i < len;) {
        size_t n = character(p + i, len - i);

        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

char *utf8_clean(const char *text, size_t len, size_t *ret_len)
{
    char *out = malloc(len * 3 + 1);
    size_t to = 0;

    if (!out)
        return NULL;
    for (size_t i = 0; i < len;) {
        size_t n = character((const unsigned char *)text + i, len - i);

        memcpy(out + to, n ? text + i : "\xef\xbf\xbd", n ? n : 3);
        to += n ? n : 3;
        i += n ? n : 1;
    }
    out[to] = '\0';
    *ret_len = to;
    return out;
}

char *base64_encode(const void *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = data;
    char *out = malloc((len + 2) / 3 * 4 + 1), *to = out;

    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = MIN(len - i, (size_t)3);
        unsigned v =
            (unsigned)p[i] << 16 | (n > 1 ? (unsigned)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0u);

        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = n > 1 ? digits[v >> 6 & 63] : '=';
        *to++ = n > 2 ? digits[v & 63] : '=';
    }
    *to = '\0';
    return out;
}
