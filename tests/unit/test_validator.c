#include "tests/unit/unit.h"

#include "proto/codec.h"
#include "proto/limits.h"
#include "tests/unit/pack.h"

/* In a block of its own size, so that a sanitizer sees one byte too far. */
static enum aw_err validate(const void *bytes, size_t len, struct aw_error *err)
{
    void *copy = calloc(1, len ? len : 1);
    enum aw_err e;

    if (len)
        memcpy(copy, bytes, len);
    e = codec_validate(copy, len, err);
    free(copy);
    return e;
}

START_TEST(every_type_of_value_is_walked_over)
{
    static const struct {
        const char *bytes;
        size_t len;
    } whole[] = {
/* clang-format off */
#define V(s) {s, sizeof(s) - 1}
        V("\x00"), V("\x7f"), V("\xe0"), V("\xff"), V("\xc0"), V("\xc2"), V("\xc3"), V("\x80"),
        V("\x81\x01\x02"), V("\x90"), V("\x92\x01\x02"), V("\xa0"), V("\xa2xy"), V("\xc4\x01x"),
        V("\xc5\x00\x01x"), V("\xc6\x00\x00\x00\x01x"), V("\xc7\x01\x05x"),
        V("\xc8\x00\x01\x05x"), V("\xc9\x00\x00\x00\x01\x05x"), V("\xca...."), V("\xcb........"),
        V("\xcc."), V("\xcd.."), V("\xce...."), V("\xcf........"), V("\xd0."), V("\xd1.."),
        V("\xd2...."), V("\xd3........"), V("\xd4t."), V("\xd5t.."), V("\xd6t...."),
        V("\xd7t........"), V("\xd8t................"), V("\xd9\x01x"), V("\xda\x00\x01x"),
        V("\xdb\x00\x00\x00\x01x"), V("\xdc\x00\x01\x01"), V("\xdd\x00\x00\x00\x01\x01"),
        V("\xde\x00\x01\x01\x02"), V("\xdf\x00\x00\x00\x01\x01\x02"),
#undef V
        /* clang-format on */
    };

    for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
        struct aw_error err = {0};
        char longer[64] = {0};

        ck_assert_msg(validate(whole[i].bytes, whole[i].len, &err) == AW_OK, "%zu: %s", i,
                      err.text);
        for (size_t cut = 0; cut < whole[i].len; cut++)
            ck_assert_msg(validate(whole[i].bytes, cut, &err) == AW_ERR_MALFORMED, "%zu at %zu", i,
                          cut);
        memcpy(longer, whole[i].bytes, whole[i].len);
        ck_assert_int_eq(validate(longer, whole[i].len + 1, &err), AW_ERR_MALFORMED);
        ck_assert_ptr_nonnull(strstr(err.text, "1 bytes behind"));
    }
}
END_TEST

START_TEST(the_one_byte_that_msgpack_never_uses_is_refused)
{
    ck_assert_int_eq(validate("\xc1", 1, NULL), AW_ERR_MALFORMED);
    ck_assert_int_eq(validate("\x91\xc1", 2, NULL), AW_ERR_MALFORMED);
}
END_TEST

START_TEST(nothing_is_no_message)
{
    ck_assert_int_eq(validate("", 0, NULL), AW_ERR_MALFORMED);
}
END_TEST

/* Five bytes that make an unguarded decoder allocate gigabytes. */
START_TEST(a_size_without_the_bytes_behind_it_is_refused)
{
    static const uint8_t types[] = {0xc6, 0xc9, 0xdb, 0xdd, 0xdf};

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        for (int nested = 0; nested < 2; nested++) {
            uint8_t bytes[] = {0x91, types[i], 0xff, 0xff, 0xff, 0xff, 0, 0, 0};
            struct aw_error err = {0};

            ck_assert_int_eq(validate(bytes + !nested, sizeof(bytes) - !nested, &err),
                             AW_ERR_MALFORMED);
            ck_assert_msg(strstr(err.text, "announces more") != NULL, "%s", err.text);
        }
}
END_TEST

START_TEST(sixteen_levels_are_allowed_and_no_more)
{
    uint8_t bytes[AW_MAX_DEPTH + 2];
    struct aw_error err = {0};

    memset(bytes, 0x91, sizeof(bytes));
    bytes[AW_MAX_DEPTH] = 0;
    ck_assert_int_eq(validate(bytes, AW_MAX_DEPTH + 1, &err), AW_OK);
    bytes[AW_MAX_DEPTH] = 0x91;
    bytes[AW_MAX_DEPTH + 1] = 0;
    ck_assert_int_eq(validate(bytes, AW_MAX_DEPTH + 2, &err), AW_ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.text, "deeper than 16"));
}
END_TEST

START_TEST(a_million_open_arrays_cost_nothing)
{
    size_t len = 1 << 20;
    uint8_t *bytes = malloc(len);

    memset(bytes, 0x91, len);
    ck_assert_int_eq(codec_validate(bytes, len, NULL), AW_ERR_TOO_LARGE);
    memset(bytes, 0x81, len);
    ck_assert_int_eq(codec_validate(bytes, len, NULL), AW_ERR_TOO_LARGE);
    free(bytes);
}
END_TEST

START_TEST(values_are_counted)
{
    struct pack k = {0};
    struct aw_error err = {0};

    pack_array(&k, AW_MAX_ELEMENTS - 1);
    for (int i = 1; i < AW_MAX_ELEMENTS; i++)
        pack_nil(&k);
    ck_assert_int_eq(codec_validate(k.p, k.len, &err), AW_OK);
    k.len = 0;
    pack_array(&k, AW_MAX_ELEMENTS);
    for (int i = 0; i < AW_MAX_ELEMENTS; i++)
        pack_nil(&k);
    ck_assert_int_eq(codec_validate(k.p, k.len, &err), AW_ERR_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(err.text, "524288"));
    pack_done(&k);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("validator");
    TCase *tc = tcase_create("validator");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, every_type_of_value_is_walked_over);
    tcase_add_test(tc, the_one_byte_that_msgpack_never_uses_is_refused);
    tcase_add_test(tc, nothing_is_no_message);
    tcase_add_test(tc, a_size_without_the_bytes_behind_it_is_refused);
    tcase_add_test(tc, sixteen_levels_are_allowed_and_no_more);
    tcase_add_test(tc, a_million_open_arrays_cost_nothing);
    tcase_add_test(tc, values_are_counted);
    return unit_run(suite);
}
