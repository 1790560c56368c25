#include "daemon/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define BYTES     16
#define V4_OFFSET 12

/* All addresses are kept as IPv6 ones, those of IPv4 as ::ffff:a.b.c.d. */
struct block {
    unsigned char prefix[BYTES];
    unsigned bits;
};

struct address_set {
    struct block *v;
    size_t n;
};

static const unsigned char mapped[V4_OFFSET] = {[10] = 0xff, [11] = 0xff};
static const unsigned char nat64[V4_OFFSET] = {0x00, 0x64, 0xff, 0x9b};
static const unsigned char zeros[BYTES];

static const struct {
    const char *name;
    const char *blocks;
} names[] = {
#define X(name, blocks, text) {name, blocks},
    ADDRESS_NAME_MAP(X)
#undef X
};

/* ---- Making -------------------------------------------------------------------------------- */

static bool bits_read(const char *text, unsigned max, unsigned *ret)
{
    unsigned v = 0;

    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || v > max)
            return false;
        v = v * 10 + (unsigned)(*p - '0');
    }
    *ret = v;
    return *text && v <= max;
}

/* "address" or "address/bits". */
static bool block_read(const char *text, size_t len, struct block *ret)
{
    char buf[ADDRESS_TEXT], *slash;
    bool v4;

    if (len >= sizeof(buf))
        return false;
    memcpy(buf, text, len);
    buf[len] = '\0';
    slash = strchr(buf, '/');
    if (slash)
        *slash = '\0';
    memcpy(ret->prefix, mapped, V4_OFFSET);
    v4 = inet_pton(AF_INET, buf, ret->prefix + V4_OFFSET) == 1;
    if (!v4 && inet_pton(AF_INET6, buf, ret->prefix) != 1)
        return false;
    ret->bits = v4 ? 32 : 128;
    if (slash && !bits_read(slash + 1, ret->bits, &ret->bits))
        return false;
    ret->bits += v4 ? 8 * V4_OFFSET : 0;
    return true;
}

static enum aw_err add_block(struct address_set *set, const char *text, size_t len,
                             struct aw_error *err)
{
    struct block block, *grown;

    if (!block_read(text, len, &block))
        return aw_fail(err, AW_ERR_INVALID,
                       "'%.*s' is no address, no ADDRESS/BITS, and none of "
                       "none, all, metadata, loopback, private",
                       (int)MIN(len, 60u), text);
    grown = reallocarray(set->v, set->n + 1, sizeof(*grown));
    if (!grown)
        return aw_fail(err, AW_ERR_NO_MEMORY, "addresses: out of memory");
    set->v = grown;
    set->v[set->n++] = block;
    return AW_OK;
}

static enum aw_err add_blocks(struct address_set *set, const char *list, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    while (!e && *list) {
        size_t len = strcspn(list, " ");

        e = add_block(set, list, len, err);
        list += len + strspn(list + len, " ");
    }
    return e;
}

static enum aw_err add_entry(struct address_set *set, const char *entry, struct aw_error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(entry, names[i].name) == 0)
            return add_blocks(set, names[i].blocks, err);
    return add_block(set, entry, strlen(entry), err);
}

enum aw_err address_set_new(char *const *entries, size_t n, struct address_set **ret,
                            struct aw_error *err)
{
    struct address_set *set = calloc(1, sizeof(*set));
    enum aw_err e = AW_OK;

    if (!set)
        return aw_fail(err, AW_ERR_NO_MEMORY, "addresses: out of memory");
    for (size_t i = 0; !e && i < n; i++)
        e = add_entry(set, entries[i], err);
    if (e)
        address_set_free(set);
    else
        *ret = set;
    return e;
}

void address_set_free(struct address_set *set)
{
    if (!set)
        return;
    free(set->v);
    free(set);
}

/* ---- Asking -------------------------------------------------------------------------------- */

static bool block_has(const struct block *block, const unsigned char *address)
{
    size_t whole = block->bits / 8;
    unsigned rest = block->bits % 8;

    if (memcmp(block->prefix, address, whole) != 0)
        return false;
    return rest == 0 || ((block->prefix[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

static bool set_has(const struct address_set *set, const unsigned char *address)
{
    for (size_t i = 0; i < set->n; i++)
        if (block_has(&set->v[i], address))
            return true;
    return false;
}

static bool set_has_v4(const struct address_set *set, const unsigned char *v4)
{
    static const unsigned char loopback[] = {127, 0, 0, 1};
    unsigned char address[BYTES];

    memcpy(address, mapped, V4_OFFSET);
    memcpy(address + V4_OFFSET, v4, 4);
    if (set_has(set, address))
        return true;
    memcpy(address + V4_OFFSET, loopback, 4);
    return memcmp(v4, zeros, 4) == 0 && set_has(set, address);
}

static bool set_has_v6(const struct address_set *set, const unsigned char *v6)
{
    static const unsigned char loopback[BYTES] = {[BYTES - 1] = 1};
    bool v4_inside = memcmp(v6, mapped, V4_OFFSET) == 0 || memcmp(v6, nat64, V4_OFFSET) == 0;

    return set_has(set, v6) || (memcmp(v6, zeros, BYTES) == 0 && set_has(set, loopback)) ||
           (v4_inside && set_has_v4(set, v6 + V4_OFFSET));
}

bool address_set_has(const struct address_set *set, const struct sockaddr *address)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&in, address, sizeof(in));
        return set_has_v4(set, (const unsigned char *)&in.sin_addr);
    case AF_INET6:
        memcpy(&in6, address, sizeof(in6));
        return set_has_v6(set, in6.sin6_addr.s6_addr);
    default:
        return true;
    }
}

const char *address_text(const struct sockaddr *address, char buf[ADDRESS_TEXT])
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    buf[0] = '\0';
    if (address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof(in));
        inet_ntop(AF_INET, &in.sin_addr, buf, ADDRESS_TEXT);
    } else if (address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof(in6));
        inet_ntop(AF_INET6, &in6.sin6_addr, buf, ADDRESS_TEXT);
    }
    if (!buf[0])
        snprintf(buf, ADDRESS_TEXT, "?");
    return buf;
}
