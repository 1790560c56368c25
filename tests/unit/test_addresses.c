#include "daemon/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tests/unit/unit.h"

#define MAX_ENTRIES 4

static struct address_set *set_of(const char *const *entries, size_t n)
{
    char *v[MAX_ENTRIES];
    struct address_set *set = NULL;
    struct aw_error err = {.text = ""};

    for (size_t i = 0; i < n; i++)
        v[i] = (char *)entries[i];
    ck_assert_msg(address_set_new(v, n, &set, &err) == AW_OK, "%s", err.text);
    return set;
}
#define SET(...) \
    set_of((const char *const[]){__VA_ARGS__}, ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static bool has(const struct address_set *set, const char *text)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = {.sin_family = AF_INET};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_set_has(set, (struct sockaddr *)&in);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_set_has(set, (struct sockaddr *)&in6);
}

START_TEST(a_block_has_its_first_and_last_address_and_not_those_beside)
{
    struct address_set *set = SET("10.1.128.0/17", "fd00:1::/33");

    ck_assert(has(set, "10.1.128.0"));
    ck_assert(has(set, "10.1.255.255"));
    ck_assert(!has(set, "10.1.127.255"));
    ck_assert(!has(set, "10.2.0.0"));
    ck_assert(has(set, "fd00:1::"));
    ck_assert(has(set, "fd00:1:7fff:ffff:ffff:ffff:ffff:ffff"));
    ck_assert(!has(set, "fd00:1:8000::"));
    ck_assert(!has(set, "fd00::ffff:ffff:ffff:ffff"));
    address_set_free(set);
}
END_TEST

START_TEST(an_address_alone_is_just_that)
{
    struct address_set *set = SET("192.0.2.1", "2001:db8::1");

    ck_assert(has(set, "192.0.2.1"));
    ck_assert(!has(set, "192.0.2.0"));
    ck_assert(!has(set, "192.0.2.2"));
    ck_assert(has(set, "2001:db8::1"));
    ck_assert(!has(set, "2001:db8::2"));
    address_set_free(set);
}
END_TEST

START_TEST(metadata_is_link_local_and_what_clouds_use)
{
    struct address_set *set = SET("metadata");

    ck_assert(has(set, "169.254.169.254"));
    ck_assert(has(set, "169.254.170.2"));
    ck_assert(has(set, "fe80::a9fe:a9fe"));
    ck_assert(has(set, "fd00:ec2::254"));
    ck_assert(has(set, "100.100.100.200"));
    ck_assert(has(set, "168.63.129.16"));
    ck_assert(!has(set, "127.0.0.1"));
    ck_assert(!has(set, "10.0.0.1"));
    ck_assert(!has(set, "93.184.216.34"));
    ck_assert(!has(set, "::1"));
    address_set_free(set);
}
END_TEST

START_TEST(names_and_blocks_add_up)
{
    struct address_set *set = SET("loopback", "private", "198.51.100.0/24");

    ck_assert(has(set, "127.3.2.1"));
    ck_assert(has(set, "::1"));
    ck_assert(has(set, "172.31.255.255"));
    ck_assert(has(set, "198.51.100.7"));
    ck_assert(!has(set, "172.32.0.0"));
    ck_assert(!has(set, "169.254.169.254"));
    address_set_free(set);
}
END_TEST

START_TEST(all_is_everything_and_none_is_nothing)
{
    struct address_set *all = SET("all"), *none = SET("none");

    ck_assert(has(all, "1.2.3.4"));
    ck_assert(has(all, "2001:db8::1"));
    ck_assert(!has(none, "1.2.3.4"));
    ck_assert(!has(none, "::1"));
    address_set_free(all);
    address_set_free(none);
}
END_TEST

START_TEST(an_ipv4_address_inside_of_an_ipv6_one_is_found)
{
    struct address_set *set = SET("169.254.0.0/16");

    ck_assert(has(set, "::ffff:169.254.169.254"));
    ck_assert(has(set, "64:ff9b::169.254.169.254"));
    ck_assert(!has(set, "::ffff:169.253.169.254"));
    ck_assert(!has(set, "64:ff9b:1::169.254.169.254"));
    address_set_free(set);
}
END_TEST

START_TEST(the_unspecified_address_is_loopback)
{
    struct address_set *set = SET("loopback"), *other = SET("metadata");

    ck_assert(has(set, "0.0.0.0"));
    ck_assert(has(set, "::"));
    ck_assert(has(set, "::ffff:0.0.0.0"));
    ck_assert(!has(other, "0.0.0.0"));
    ck_assert(!has(other, "::"));
    address_set_free(set);
    address_set_free(other);
}
END_TEST

START_TEST(the_unspecified_address_is_itself_too)
{
    struct address_set *set = SET("0.0.0.0/8", "::");

    ck_assert(has(set, "0.0.0.0"));
    ck_assert(has(set, "::"));
    ck_assert(has(set, "::ffff:0.0.0.0"));
    ck_assert(!has(set, "127.0.0.1"));
    address_set_free(set);
}
END_TEST

START_TEST(what_is_no_ip_address_is_in_every_set)
{
    struct address_set *set = SET("none");
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x"};

    ck_assert(address_set_has(set, (struct sockaddr *)&un));
    address_set_free(set);
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
    static const char *const wrong[] = {
        "",          "10.0.0.0/33",    "10.0.0.0/",     "10.0.0/8",          "fe80::/129",
        "metadata ", "10.0.0.0/-1",    "10.0.0.0/8/8",  "10.0.0.0/99999999", "localhost",
        "fe80::1%1", "10.0.0.0/8 ::1", "example.org/8",
    };

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char *entry = (char *)wrong[i];
        struct address_set *set = NULL;
        struct aw_error err;

        ck_assert_msg(address_set_new(&entry, 1, &set, &err) == AW_ERR_INVALID, "'%s'", entry);
        ck_assert_ptr_null(set);
        ck_assert_ptr_nonnull(strstr(err.text, "is no address"));
    }
}
END_TEST

START_TEST(addresses_can_be_shown)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char buf[ADDRESS_TEXT];

    ck_assert_str_eq(address_text((struct sockaddr *)&in, buf), "10.0.0.1");
    ck_assert_str_eq(address_text((struct sockaddr *)&in6, buf), "::1");
    ck_assert_str_eq(address_text((struct sockaddr *)&un, buf), "?");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("addresses");
    TCase *t = tcase_create("addresses");

    tcase_add_test(t, a_block_has_its_first_and_last_address_and_not_those_beside);
    tcase_add_test(t, an_address_alone_is_just_that);
    tcase_add_test(t, metadata_is_link_local_and_what_clouds_use);
    tcase_add_test(t, names_and_blocks_add_up);
    tcase_add_test(t, all_is_everything_and_none_is_nothing);
    tcase_add_test(t, an_ipv4_address_inside_of_an_ipv6_one_is_found);
    tcase_add_test(t, the_unspecified_address_is_loopback);
    tcase_add_test(t, the_unspecified_address_is_itself_too);
    tcase_add_test(t, what_is_no_ip_address_is_in_every_set);
    tcase_add_test(t, what_is_no_address_is_refused);
    tcase_add_test(t, addresses_can_be_shown);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
