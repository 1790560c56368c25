/*
 * addresses.h - a set of IP addresses: blocks like 10.0.0.0/8 or fe80::/10, and names for some.
 *
 * An address is in the set if any way to write it is: an IPv4 address inside of an IPv6 one
 * (::ffff:a.b.c.d, 64:ff9b::a.b.c.d) counts as the IPv4 address too, and the unspecified address,
 * to which one can connect, as the loopback that it leads to.
 *
 * Immutable once made: any thread may ask.
 */
#ifndef AW_ADDRESSES_H
#define AW_ADDRESSES_H

#include "proto/base.h"

/*
 * The names: X("name", "blocks", "what they are").
 * metadata is what a program on a cloud's machine should never be talked into asking: link-local
 * addresses, and those where Amazon (IPv6), Alibaba, Azure and Oracle have the same service.
 */
#define ADDRESS_NAME_MAP(X)                                                               \
    X("none", "", "no address")                                                           \
    X("all", "0.0.0.0/0 ::/0", "every address")                                           \
    X("metadata",                                                                         \
      "169.254.0.0/16 fe80::/10 fd00:ec2::254 100.100.100.200 168.63.129.16 192.0.0.192", \
      "link-local addresses and the metadata services of clouds")                         \
    X("loopback", "127.0.0.0/8 ::1", "this machine")                                      \
    X("private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7", "inner networks")

struct address_set;
struct sockaddr;

/*
 * Makes the union of `n` entries: each a name, an address, or address/bits.
 * AW_ERR_INVALID: an entry is none of these; the sentence says which. AW_ERR_NO_MEMORY.
 */
AW_MUSTCHECK enum aw_err address_set_new(char *const *entries, size_t n, struct address_set **ret,
                                         struct aw_error *err);
void address_set_free(struct address_set *set);

/* What is neither IPv4 nor IPv6 is in every set. */
AW_MUSTCHECK bool address_set_has(const struct address_set *set, const struct sockaddr *address);

/* "10.0.0.1", "fe80::1"; "?" for what is neither. Returns buf. */
#define ADDRESS_TEXT 64
const char *address_text(const struct sockaddr *address, char buf[ADDRESS_TEXT]);

#endif
