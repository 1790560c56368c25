/* Who a certificate says its owner is: what cannot be told surely is not told. */
#include "daemon/transports/peer_name.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>

#include "tests/unit/unit.h"

struct part {
    int nid, type;
    const char *bytes;
    int len;
    bool joined; /* to the one before, as two attributes of one part */
};

#define MAX_PARTS 4

static void read_parts(const struct part *parts, struct peer_name *ret)
{
    X509_NAME *subject = X509_NAME_new();

    for (int i = 0; i < MAX_PARTS && parts[i].nid; i++)
        ck_assert_int_eq(X509_NAME_add_entry_by_NID(subject, parts[i].nid, parts[i].type,
                                                    (const unsigned char *)parts[i].bytes,
                                                    parts[i].len, -1, parts[i].joined ? -1 : 0),
                         1);
    memset(ret, 'x', sizeof(*ret));
    peer_name_read(subject, ret);
    X509_NAME_free(subject);
}

#define UTF8(nid_, text_)                                                \
    {                                                                    \
        NID_##nid_, V_ASN1_UTF8STRING, (text_), sizeof(text_) - 1, false \
    }
#define JOINED(nid_, text_)                                             \
    {                                                                   \
        NID_##nid_, V_ASN1_UTF8STRING, (text_), sizeof(text_) - 1, true \
    }
#define TYPED(nid_, type_, text_)                                     \
    {                                                                 \
        NID_##nid_, V_ASN1_##type_, (text_), sizeof(text_) - 1, false \
    }

static const struct {
    struct part parts[MAX_PARTS];
    const char *subject, *cn;
} told[] = {
    {{UTF8(countryName, "DE"), UTF8(organizationName, "Example"), UTF8(commonName, "build")},
     "C=DE, O=Example, CN=build",
     "build"},
    {{TYPED(commonName, PRINTABLESTRING, "build"), TYPED(pkcs9_emailAddress, IA5STRING, "a@b")},
     "CN=build, emailAddress=a@b",
     "build"},
    {{UTF8(commonName, "bücher")}, "CN=bücher", "bücher"},
    {{UTF8(commonName, "a"), JOINED(organizationalUnitName, "b")}, "CN=a, OU=b", "a"},
    {{UTF8(organizationName, "a, CN=root"), UTF8(commonName, "a+b=c\\")},
     "O=a\\, CN\\=root, CN=a\\+b\\=c\\\\",
     "a+b=c\\"},
    {{UTF8(commonName, "a"), UTF8(commonName, "root")}, "CN=a, CN=root", ""},
    {{UTF8(commonName, "a"), JOINED(commonName, "root")}, "CN=a, CN=root", ""},
    {{UTF8(organizationName, "Example")}, "O=Example", ""},
};

START_TEST(names_are_told_as_they_stand_there)
{
    struct peer_name name;

    read_parts(told[_i].parts, &name);
    ck_assert_str_eq(name.subject, told[_i].subject);
    ck_assert_str_eq(name.cn, told[_i].cn);
}
END_TEST

static const struct part untold[][MAX_PARTS] = {
    {{0}}, /* none at all */
    {UTF8(commonName, "")},
    {UTF8(commonName, "root\0.example.org")},
    {UTF8(commonName, "root\n")},
    {UTF8(commonName, "\x1b[2Jroot")},
    {UTF8(commonName, "root\x7f")},
    {UTF8(commonName, "root"), UTF8(organizationName, "a\0b")},
    {TYPED(commonName, BMPSTRING, "\0r\0o\0o\0t")},
    {TYPED(commonName, UNIVERSALSTRING, "\0\0\0r")},
    {TYPED(commonName, T61STRING, "root")},
    {UTF8(commonName, "root"), TYPED(organizationName, BMPSTRING, "\0a")},
};

START_TEST(what_cannot_be_told_is_nobody)
{
    struct peer_name name;

    read_parts(untold[_i], &name);
    ck_assert_str_eq(name.subject, "");
    ck_assert_str_eq(name.cn, "");
}
END_TEST

START_TEST(an_attribute_without_a_name_is_nobody)
{
    ASN1_OBJECT *object = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    X509_NAME *subject = X509_NAME_new();
    struct peer_name name;

    ck_assert_int_eq(X509_NAME_add_entry_by_NID(subject, NID_commonName, V_ASN1_UTF8STRING,
                                                (const unsigned char *)"root", -1, -1, 0),
                     1);
    ck_assert_int_eq(X509_NAME_add_entry_by_OBJ(subject, object, V_ASN1_UTF8STRING,
                                                (const unsigned char *)"a", -1, -1, 0),
                     1);
    peer_name_read(subject, &name);
    ck_assert_str_eq(name.subject, "");
    ck_assert_str_eq(name.cn, "");
    X509_NAME_free(subject);
    ASN1_OBJECT_free(object);
}
END_TEST

/* A name that is cut off would be another one's. */
START_TEST(a_name_is_told_whole_or_not_at_all)
{
    static const int fits = PEER_NAME - 1 - 3; /* "CN=" */
    char bytes[PEER_NAME];
    struct part parts[MAX_PARTS] = {{NID_commonName, V_ASN1_UTF8STRING, bytes, fits, false}};
    struct peer_name name;

    memset(bytes, 'a', sizeof(bytes));
    read_parts(parts, &name);
    ck_assert_uint_eq(strlen(name.subject), PEER_NAME - 1);
    ck_assert_uint_eq(strlen(name.cn), (size_t)fits);
    parts[0].len++;
    read_parts(parts, &name);
    ck_assert_str_eq(name.subject, "");
    ck_assert_str_eq(name.cn, "");
    bytes[fits - 1] = ','; /* takes two */
    parts[0].len--;
    read_parts(parts, &name);
    ck_assert_str_eq(name.subject, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peer_name");
    TCase *tc = tcase_create("peer_name");

    tcase_add_loop_test(tc, names_are_told_as_they_stand_there, 0, ARRAY_SIZE(told));
    tcase_add_loop_test(tc, what_cannot_be_told_is_nobody, 0, ARRAY_SIZE(untold));
    tcase_add_test(tc, an_attribute_without_a_name_is_nobody);
    tcase_add_test(tc, a_name_is_told_whole_or_not_at_all);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
