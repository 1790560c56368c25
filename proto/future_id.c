#include "proto/future_id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

bool future_tag_valid(struct bytes tag)
{
    const char *p = tag.data;

    if (tag.len != AW_TAG_LEN)
        return false;
    for (size_t i = 0; i < tag.len; i++)
        if (!p[i] || !strchr(alphabet, p[i]))
            return false;
    return true;
}

static bool number_parse(const char *p, size_t len, uint64_t *ret)
{
    uint64_t n = 0;

    if (len == 0 || len > 19 || *p == '0')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(p[i] - '0');
    }
    if (n > INT64_MAX)
        return false;
    *ret = n;
    return true;
}

enum aw_err future_id_parse(struct bytes text, struct future_id *ret, struct aw_error *err)
{
    const char *p = text.data;
    const char *dash = text.len ? memchr(p, '-', text.len) : NULL;
    size_t skip = dash ? (size_t)(dash - p) + 1 : 0;
    uint64_t number;

    if ((dash && !future_tag_valid(bytes_of(p, skip - 1))) ||
        !number_parse(p + skip, text.len - skip, &number))
        return aw_fail(err, AW_ERR_INVALID,
                       "'%.*s' is no future ID (one looks like k3f9q-1042, or 1042)",
                       (int)MIN(text.len, (size_t)80), p ? p : "");
    *ret = (struct future_id){.number = number};
    if (dash)
        memcpy(ret->tag, p, AW_TAG_LEN);
    return AW_OK;
}

size_t future_id_format(char buf[AW_MAX_ID], const char *tag, uint64_t number)
{
    char digits[20];
    size_t n = sizeof(digits), len = 0;

    /* By hand: this runs for every job of every reply, and snprintf is ten times slower. */
    do
        digits[--n] = (char)('0' + number % 10);
    while (number /= 10);
    while (len < AW_TAG_LEN && tag[len]) {
        buf[len] = tag[len];
        len++;
    }
    buf[len++] = '-';
    memcpy(buf + len, digits + n, sizeof(digits) - n);
    len += sizeof(digits) - n;
    buf[len] = '\0';
    return len;
}

enum aw_err future_tag_make(char ret_tag[AW_TAG_LEN + 1], struct aw_error *err)
{
    unsigned char random[AW_TAG_LEN];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return aw_fail(err, AW_ERR_SYSTEM, "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < AW_TAG_LEN; i++)
        ret_tag[i] = alphabet[random[i] % 32];
    ret_tag[AW_TAG_LEN] = '\0';
    return AW_OK;
}
