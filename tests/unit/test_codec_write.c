/* Messages as the codec writes them, and bytes that no codec has written. */
#include "tests/unit/unit.h"

#include "proto/limits.h"
#include "tests/unit/codec_rig.h"

/* ---- Writing ---------------------------------------------------------------------------- */

START_TEST(defaults_are_not_written)
{
    struct codec_buf buf = {0};
    struct outer o;

    codec_defaults(&outer_schema, &o);
    o.obj.word = bytes_str("w");
    ck_assert_int_eq(codec_write(&buf, &(struct codec_part){&outer_schema, &o}, 1), AW_OK);
    ck_assert_uint_eq(buf.len, 13);
    ck_assert_mem_eq(buf.data, "\x81\xa3obj\x81\xa4word\xa1w", 13);
    codec_buf_done(&buf);
}
END_TEST

START_TEST(parts_become_one_map)
{
    struct codec_buf buf = {0};
    struct needy n = {bytes_str("a")};
    struct inner i = {bytes_str("b"), 1};

    ck_assert_int_eq(
        codec_write(&buf, (struct codec_part[]){{&needy_schema, &n}, {&inner_schema, &i}}, 2),
        AW_OK);
    ck_assert_uint_eq(buf.len, 1 + 5 + 2 + 5 + 2 + 6 + 1);
    ck_assert_mem_eq(buf.data,
                     "\x83\xa4must\xa1"
                     "a\xa4word\xa1"
                     "b\xa5"
                     "count\x01",
                     buf.len);
    codec_buf_done(&buf);
}
END_TEST

START_TEST(an_array_can_be_written_before_what_it_is_in)
{
    struct codec_buf buf = {0}, elements = {0}, whole = {0};
    struct needy n = {bytes_str("a")};
    struct inner inner[3] = {{bytes_str("b"), 1}, {bytes_str("c"), 2}, {bytes_str("d"), 3}};
    const struct codec_part part = {&needy_schema, &n};

    for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
        ck_assert_int_eq(codec_write(&elements, &(struct codec_part){&inner_schema, &inner[i]}, 1),
                         AW_OK);
    ck_assert_int_eq(
        codec_write_array(&buf, &part, 1,
                          &(struct codec_array){"many", 3, bytes_of(elements.data, elements.len)}),
        AW_OK);
    ck_assert_uint_eq(buf.len, 1 + 5 + 2 + 5 + 1 + 3 * (1 + 5 + 2 + 6 + 1));
    ck_assert_mem_eq(buf.data,
                     "\x82\xa4must\xa1"
                     "a\xa4many\x93",
                     14);
    ck_assert_mem_eq(buf.data + 14, elements.data, elements.len);
    ck_assert_int_eq(codec_validate(buf.data, buf.len, NULL), AW_OK);
    ck_assert_int_eq(codec_write_array(&whole, &part, 1, &(struct codec_array){"none", 0, {0}}),
                     AW_OK);
    ck_assert_mem_eq(whole.data + 8, "\xa4none\x90", 6);
    ck_assert_uint_eq(whole.len, 14);
    codec_buf_done(&elements);
    codec_buf_done(&whole);
    codec_buf_done(&buf);
}
END_TEST

START_TEST(a_buffer_can_be_used_again)
{
    struct codec_buf buf = {0};
    struct needy n = {bytes_str("a")};
    const struct codec_part part = {&needy_schema, &n};
    size_t len;

    ck_assert_int_eq(codec_write(&buf, &part, 1), AW_OK);
    len = buf.len;
    codec_buf_reset(&buf);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_int_eq(codec_write(&buf, &part, 1), AW_OK);
    ck_assert_uint_eq(buf.len, len);
    codec_buf_done(&buf);
    codec_buf_done(&buf);
}
END_TEST

START_TEST(a_message_that_grows_too_large_fails_and_stays_failed)
{
    struct codec_buf buf = {0};
    size_t len = (size_t)AW_MAX_MESSAGE - 64;
    const struct needy small = {bytes_str("a")};
    char *big = calloc(1, len);
    struct outer o;

    codec_defaults(&outer_schema, &o);
    o.bin = bytes_of(big, len);
    ck_assert_int_eq(codec_write(&buf, &(struct codec_part){&outer_schema, &o}, 1), AW_OK);
    ck_assert_int_eq(codec_write(&buf, &(struct codec_part){&outer_schema, &o}, 1),
                     AW_ERR_TOO_LARGE);
    ck_assert_uint_le(buf.len, AW_MAX_MESSAGE);
    ck_assert_int_eq(codec_write(&buf, &(struct codec_part){&needy_schema, &small}, 1),
                     AW_ERR_TOO_LARGE);
    codec_buf_reset(&buf);
    ck_assert_int_eq(codec_write(&buf, &(struct codec_part){&outer_schema, &o}, 1), AW_OK);
    codec_buf_done(&buf);
    free(big);
}
END_TEST

/* ---- Hostile bytes ---------------------------------------------------------------------- */

/* A message with a field of each kind. */
static void full_message(struct codec_buf *buf)
{
    struct bytes words[] = {bytes_str("a"), bytes_str("bcd")};
    uint64_t numbers[] = {1, 1000, UINT64_C(1) << 40};
    struct inner inner[] = {{bytes_str("x"), 1}, {bytes_str("yy"), 2}};
    struct outer o = {.u = 9,
                      .i = -5,
                      .s = bytes_str("string"),
                      .bin = bytes_of("\0\1\2", 3),
                      .state = AW_RUNNING,
                      .class = AW_CLASS_SIGNAL,
                      .strv = {words, 2},
                      .u64v = {numbers, 3},
                      .obj = {bytes_str("zz"), 3},
                      .objv = {inner, 2}};

    ck_assert_int_eq(codec_write(buf, &(struct codec_part){&outer_schema, &o}, 1), AW_OK);
}

START_TEST(a_message_cut_off_anywhere_is_refused)
{
    struct codec_buf buf = {0};

    full_message(&buf);
    for (size_t len = 0; len < buf.len; len++) {
        char *cut = malloc(len ? len : 1);
        struct codec_doc doc;

        memcpy(cut, buf.data, len);
        ck_assert_int_eq(codec_open(cut, len, &doc, NULL), AW_ERR_MALFORMED);
        free(cut);
    }
    codec_buf_done(&buf);
}
END_TEST

/* Nothing is asserted about what comes out; that nothing breaks is for the sanitizers to see. */
START_TEST(any_byte_may_have_any_other_value)
{
    struct codec_buf buf = {0};
    size_t n_read = 0, n_refused = 0;

    full_message(&buf);
    for (size_t at = 0; at < buf.len; at++) {
        char saved = buf.data[at];

        for (int value = 0; value < 256; value++) {
            struct codec_doc doc;
            struct outer o;

            buf.data[at] = (char)value;
            if (codec_open(buf.data, buf.len, &doc, NULL)) {
                n_refused++;
                continue;
            }
            if (codec_read(&doc, &outer_schema, &o, NULL))
                n_refused++;
            else
                n_read++;
            codec_close(&doc);
        }
        buf.data[at] = saved;
    }
    ck_assert_uint_gt(n_read, buf.len); /* the right byte at least, each time */
    ck_assert_uint_gt(n_refused, buf.len);
    codec_buf_done(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec write");
    TCase *writing = tcase_create("writing"), *hostile = tcase_create("hostile bytes");

    suite_add_tcase(suite, writing);
    tcase_add_test(writing, defaults_are_not_written);
    tcase_add_test(writing, parts_become_one_map);
    tcase_add_test(writing, an_array_can_be_written_before_what_it_is_in);
    tcase_add_test(writing, a_buffer_can_be_used_again);
    tcase_add_test(writing, a_message_that_grows_too_large_fails_and_stays_failed);
    suite_add_tcase(suite, hostile);
    tcase_add_test(hostile, a_message_cut_off_anywhere_is_refused);
    tcase_add_test(hostile, any_byte_may_have_any_other_value);
    return unit_run(suite);
}
