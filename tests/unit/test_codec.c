/* What the codec takes and what it refuses, and what it says then. */
#include "tests/unit/unit.h"

#include "proto/limits.h"
#include "tests/unit/codec_rig.h"
#include "tests/unit/pack.h"

/* Opens and reads a message; what came out stays valid until doc is closed. */
static enum aw_err read_outer(const struct pack *k, struct codec_doc *doc, struct outer *ret,
                              struct aw_error *err)
{
    enum aw_err e = codec_open(k->p, k->len, doc, err);

    return e ? e : codec_read(doc, &outer_schema, ret, err);
}

/* ---- Opening ---------------------------------------------------------------------------- */

START_TEST(only_a_map_is_a_message)
{
    static const char *const others[] = {"\x01", "\xc0", "\x90", "\xa1x", "\x92\x80\x80"};
    struct aw_error err = {0};
    struct codec_doc doc;

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        ck_assert_int_eq(codec_open(others[i], MAX(strlen(others[i]), (size_t)1), &doc, &err),
                         AW_ERR_MALFORMED);
        ck_assert_msg(strstr(err.text, "not a map") != NULL, "%s", err.text);
    }
    ck_assert_int_eq(codec_open("\x80", 1, &doc, &err), AW_OK);
    codec_close(&doc);
}
END_TEST

START_TEST(a_message_over_the_limit_is_refused_unseen)
{
    size_t len = (size_t)AW_MAX_MESSAGE + 1;
    struct aw_error err = {0};
    struct codec_doc doc;
    struct pack k = {0};

    pack_map(&k, 1);
    pack_str(&k, "x");
    pack_xs(&k, true, AW_MAX_MESSAGE - k.len - 5);
    ck_assert_uint_eq(k.len, AW_MAX_MESSAGE);
    ck_assert_int_eq(codec_open(k.p, k.len, &doc, &err), AW_OK);
    codec_close(&doc);
    ck_assert_int_eq(codec_open(k.p, len, &doc, &err), AW_ERR_TOO_LARGE);
    pack_done(&k);
}
END_TEST

START_TEST(closing_is_harmless_twice_and_on_nothing)
{
    struct codec_doc doc = {0};

    codec_close(&doc);
    ck_assert_int_eq(codec_open("\x80", 1, &doc, NULL), AW_OK);
    codec_close(&doc);
    codec_close(&doc);
    ck_assert_ptr_null(doc.root);
}
END_TEST

/* ---- Reading ---------------------------------------------------------------------------- */

static void is_default(const struct outer *o)
{
    ck_assert_uint_eq(o->u, 3);
    ck_assert_int_eq(o->i, -1);
    ck_assert(o->b);
    ck_assert_ptr_null(o->s.data);
    ck_assert_ptr_null(o->bin.data);
    ck_assert_int_eq(o->state, AW_QUEUED);
    ck_assert_int_eq(o->class, AW_CLASS_NONE);
    ck_assert_uint_eq(o->strv.n + o->u64v.n + o->objv.n, 0);
    ck_assert_uint_eq(o->obj.count, 7);
}

START_TEST(what_is_absent_or_nil_has_its_default)
{
    static const char *const names[] = {"u",     "i",    "b",    "s",    "bin",
                                        "state", "strv", "u64v", "objv", "obj"};
    struct codec_doc doc;
    struct pack k = {0};
    struct outer o;

    memset(&o, 0xee, sizeof(o));
    pack_map(&k, 0);
    ck_assert_int_eq(read_outer(&k, &doc, &o, NULL), AW_OK);
    is_default(&o);
    codec_close(&doc);

    k.len = 0;
    memset(&o, 0xee, sizeof(o));
    pack_map(&k, ARRAY_SIZE(names));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        pack_str(&k, names[i]);
        pack_nil(&k);
    }
    ck_assert_int_eq(read_outer(&k, &doc, &o, NULL), AW_OK);
    is_default(&o);
    codec_close(&doc);

    memset(&o, 0xee, sizeof(o));
    codec_defaults(&outer_schema, &o);
    is_default(&o);
    pack_done(&k);
}
END_TEST

/* {name: value}, the value packed by the caller. */
static void one(struct pack *k, const char *name)
{
    k->len = 0;
    pack_map(k, 1);
    pack_str(k, name);
}

static void accepted(const struct pack *k, struct outer *ret)
{
    struct aw_error err = {0};
    struct codec_doc doc;

    ck_assert_msg(read_outer(k, &doc, ret, &err) == AW_OK, "%s", err.text);
    codec_close(&doc);
}

static void refused(const struct pack *k, const char *sentence)
{
    struct aw_error err = {0};
    struct codec_doc doc;
    struct outer o;

    ck_assert_int_eq(read_outer(k, &doc, &o, &err), AW_ERR_INVALID);
    ck_assert_str_eq(err.text, sentence);
    codec_close(&doc);
}

START_TEST(integers_are_taken_in_any_width)
{
    static const struct {
        const char *bytes;
        size_t len;
        int64_t value;
    } cases[] = {{"\x05", 1, 5},
                 {"\xcc\x05", 2, 5},
                 {"\xcd\x00\x05", 3, 5},
                 {"\xce\x00\x00\x00\x05", 5, 5},
                 {"\xcf\x00\x00\x00\x00\x00\x00\x00\x05", 9, 5},
                 {"\xd0\x05", 2, 5},
                 {"\xd3\x00\x00\x00\x00\x00\x00\x00\x05", 9, 5},
                 {"\xfb", 1, -5},
                 {"\xd0\xfb", 2, -5},
                 {"\xd1\xff\xfb", 3, -5},
                 {"\xd2\xff\xff\xff\xfb", 5, -5}};
    struct pack k = {0};
    struct outer o;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        one(&k, "i");
        pack_raw(&k, cases[i].bytes, cases[i].len);
        accepted(&k, &o);
        ck_assert_int_eq(o.i, cases[i].value);
    }
    one(&k, "u");
    pack_uint(&k, INT64_MAX);
    accepted(&k, &o);
    ck_assert_uint_eq(o.u, INT64_MAX);
    pack_done(&k);
}
END_TEST

START_TEST(integers_out_of_range_or_of_another_type_are_refused)
{
    struct pack k = {0};

    one(&k, "i");
    pack_int(&k, 6);
    refused(&k, "i: 6 is not within -5 and 5");
    one(&k, "i");
    pack_int(&k, -6);
    refused(&k, "i: -6 is not within -5 and 5");
    one(&k, "u");
    pack_int(&k, -1);
    refused(&k, "u: -1 is not within 0 and 9223372036854775807");
    one(&k, "u");
    pack_uint(&k, UINT64_C(1) << 63);
    refused(&k, "u: 9223372036854775808 is too large");
    one(&k, "u");
    pack_str(&k, "1");
    refused(&k, "u: must be an integer");
    one(&k, "u");
    pack_raw(&k, "\xcb\x3f\xf0\0\0\0\0\0\0", 9); /* 1.0 */
    refused(&k, "u: must be an integer");
    one(&k, "b");
    pack_uint(&k, 1);
    refused(&k, "b: must be true or false");
    pack_done(&k);
}
END_TEST

START_TEST(strings_are_measured_and_hold_no_nul)
{
    struct pack k = {0};
    struct outer o;

    one(&k, "s");
    pack_strn(&k, "0123456789", 10);
    accepted(&k, &o);
    ck_assert_uint_eq(o.s.len, 10);
    one(&k, "s");
    pack_str(&k, "");
    accepted(&k, &o);
    ck_assert_ptr_nonnull(o.s.data);
    one(&k, "s");
    pack_strn(&k, "0123456789x", 11);
    refused(&k, "s: 11 bytes; must be 0 to 10");
    one(&k, "s");
    pack_strn(&k, "a\0b", 3);
    refused(&k, "s: must not hold a NUL byte");
    one(&k, "s");
    pack_uint(&k, 5);
    refused(&k, "s: must be a string");
    pack_done(&k);
}
END_TEST

START_TEST(a_binary_may_hold_anything_and_come_as_a_string)
{
    struct codec_doc doc;
    struct pack k = {0};
    struct outer o;

    one(&k, "bin");
    pack_bin(&k, "a\0b", 3);
    ck_assert_int_eq(read_outer(&k, &doc, &o, NULL), AW_OK);
    ck_assert(bytes_eq(o.bin, bytes_of("a\0b", 3)));
    codec_close(&doc);
    one(&k, "bin");
    pack_strn(&k, "a\0b", 3);
    accepted(&k, &o);
    one(&k, "bin");
    pack_xs(&k, true, 11);
    refused(&k, "bin: 11 bytes; must be 0 to 10");
    one(&k, "bin");
    pack_bool(&k, true);
    refused(&k, "bin: must be a binary");
    pack_done(&k);
}
END_TEST

START_TEST(states_and_classes_travel_by_name)
{
    struct pack k = {0};
    struct outer o;

    one(&k, "state");
    pack_str(&k, "running");
    accepted(&k, &o);
    ck_assert_int_eq(o.state, AW_RUNNING);
    one(&k, "state");
    pack_str(&k, "walking");
    refused(&k, "state: is no state's name");
    one(&k, "state");
    pack_uint(&k, 3);
    refused(&k, "state: must be a string");
    one(&k, "class");
    pack_str(&k, "output-limit");
    accepted(&k, &o);
    ck_assert_int_eq(o.class, AW_CLASS_OUTPUT_LIMIT);
    one(&k, "class");
    pack_str(&k, "first");
    refused(&k, "class: is no error class's name");
    pack_done(&k);
}
END_TEST

START_TEST(items_of_arrays_are_counted_and_named_in_errors)
{
    struct codec_doc doc;
    struct pack k = {0};
    struct outer o;

    one(&k, "strv");
    pack_array(&k, 3);
    pack_str(&k, "a");
    pack_str(&k, "");
    pack_str(&k, "ccc");
    ck_assert_int_eq(read_outer(&k, &doc, &o, NULL), AW_OK);
    ck_assert_uint_eq(o.strv.n, 3);
    ck_assert_bytes_eq(o.strv.v[2], "ccc");
    codec_close(&doc);

    one(&k, "strv");
    pack_array(&k, 4);
    for (int i = 0; i < 4; i++)
        pack_str(&k, "a");
    refused(&k, "strv: 4 items; must be 0 to 3");
    one(&k, "strv");
    pack_array(&k, 2);
    pack_str(&k, "a");
    pack_uint(&k, 1);
    refused(&k, "strv[1]: must be a string");
    one(&k, "strv");
    pack_str(&k, "a");
    refused(&k, "strv: must be an array");
    one(&k, "u64v");
    pack_array(&k, 1);
    pack_int(&k, -1);
    refused(&k, "u64v[0]: must be an unsigned integer");
    pack_done(&k);
}
END_TEST

START_TEST(an_argument_may_be_as_long_as_the_kernel_allows)
{
    struct pack k = {0};
    struct outer o;

    one(&k, "strv");
    pack_array(&k, 1);
    pack_xs(&k, false, AW_MAX_ARG);
    accepted(&k, &o);
    one(&k, "strv");
    pack_array(&k, 1);
    pack_xs(&k, false, AW_MAX_ARG + 1);
    refused(&k, "strv[0]: 131072 bytes; must be 0 to 131071");
    pack_done(&k);
}
END_TEST

START_TEST(maps_in_arrays_are_read_and_named_in_errors)
{
    struct codec_doc doc;
    struct pack k = {0};
    struct outer o;

    one(&k, "objv");
    pack_array(&k, 2);
    pack_map(&k, 1);
    pack_str(&k, "word");
    pack_str(&k, "ab");
    pack_map(&k, 2);
    pack_str(&k, "count");
    pack_uint(&k, 9);
    pack_str(&k, "word");
    pack_str(&k, "cd");
    ck_assert_int_eq(read_outer(&k, &doc, &o, NULL), AW_OK);
    ck_assert_uint_eq(o.objv.n, 2);
    ck_assert_bytes_eq(o.objv.v[0].word, "ab");
    ck_assert_uint_eq(o.objv.v[0].count, 7);
    ck_assert_bytes_eq(o.objv.v[1].word, "cd");
    ck_assert_uint_eq(o.objv.v[1].count, 9);
    codec_close(&doc);

    one(&k, "objv");
    pack_array(&k, 2);
    pack_map(&k, 1);
    pack_str(&k, "word");
    pack_str(&k, "ab");
    pack_map(&k, 0);
    refused(&k, "objv[1].word: missing");
    one(&k, "objv");
    pack_array(&k, 1);
    pack_uint(&k, 1);
    refused(&k, "objv[0]: must be a map");
    one(&k, "obj");
    pack_map(&k, 1);
    pack_str(&k, "word");
    pack_str(&k, "sixsix");
    refused(&k, "obj.word: 6 bytes; must be 1 to 5");
    pack_done(&k);
}
END_TEST

START_TEST(a_field_given_twice_is_refused)
{
    struct pack k = {0};

    pack_map(&k, 2);
    pack_str(&k, "u");
    pack_uint(&k, 1);
    pack_str(&k, "u");
    pack_uint(&k, 1);
    refused(&k, "u: given twice");
    pack_done(&k);
}
END_TEST

START_TEST(a_required_field_has_to_be_there_and_not_nil)
{
    struct aw_error err = {0};
    struct codec_doc doc;
    struct pack k = {0};
    struct needy n;

    ck_assert_int_eq(codec_open("\x80", 1, &doc, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&doc, &needy_schema, &n, &err), AW_ERR_INVALID);
    ck_assert_str_eq(err.text, "must: missing");
    codec_close(&doc);
    one(&k, "must");
    pack_nil(&k);
    ck_assert_int_eq(codec_open(k.p, k.len, &doc, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&doc, &needy_schema, &n, &err), AW_ERR_INVALID);
    codec_close(&doc);
    pack_done(&k);
}
END_TEST

/* So that a client of tomorrow can talk to a daemon of today, and the other way round. */
START_TEST(unknown_fields_and_keys_of_other_types_are_ignored)
{
    struct pack k = {0};
    struct outer o;

    pack_map(&k, 5);
    pack_str(&k, "tomorrow");
    pack_array(&k, 1);
    pack_map(&k, 0);
    pack_uint(&k, 7);
    pack_uint(&k, 8);
    pack_nil(&k);
    pack_nil(&k);
    pack_str(&k, "tomorrow");
    pack_bool(&k, true);
    pack_str(&k, "u");
    pack_uint(&k, 12);
    accepted(&k, &o);
    ck_assert_uint_eq(o.u, 12);
    pack_done(&k);
}
END_TEST

START_TEST(fields_may_come_in_any_order)
{
    struct pack k = {0};
    struct outer o;

    pack_map(&k, 3);
    pack_str(&k, "class");
    pack_str(&k, "exit");
    pack_str(&k, "i");
    pack_int(&k, 2);
    pack_str(&k, "u");
    pack_uint(&k, 12);
    accepted(&k, &o);
    ck_assert_uint_eq(o.u, 12);
    ck_assert_int_eq(o.i, 2);
    ck_assert_int_eq(o.class, AW_CLASS_EXIT);
    pack_done(&k);
}
END_TEST

START_TEST(several_structs_read_from_one_map)
{
    struct codec_doc doc;
    struct pack k = {0};
    struct outer o;
    struct needy n;

    pack_map(&k, 2);
    pack_str(&k, "must");
    pack_str(&k, "one");
    pack_str(&k, "u");
    pack_uint(&k, 2);
    ck_assert_int_eq(codec_open(k.p, k.len, &doc, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&doc, &needy_schema, &n, NULL), AW_OK);
    ck_assert_int_eq(codec_read(&doc, &outer_schema, &o, NULL), AW_OK);
    ck_assert_bytes_eq(n.must, "one");
    ck_assert_uint_eq(o.u, 2);
    codec_close(&doc);
    pack_done(&k);
}
END_TEST

START_TEST(a_sentence_about_a_deep_field_fits_whatever_the_message_says)
{
    struct pack k = {0};
    struct aw_error err;
    struct codec_doc doc;
    struct outer o;

    one(&k, "objv");
    pack_array(&k, 1);
    pack_map(&k, 1);
    pack_xs(&k, false, 5000);
    pack_nil(&k);
    ck_assert_int_eq(read_outer(&k, &doc, &o, &err), AW_ERR_INVALID);
    ck_assert_str_eq(err.text, "objv[0].word: missing");
    codec_close(&doc);
    pack_done(&k);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("codec");
    TCase *opening = tcase_create("opening"), *reading = tcase_create("reading");

    suite_add_tcase(suite, opening);
    tcase_add_test(opening, only_a_map_is_a_message);
    tcase_add_test(opening, a_message_over_the_limit_is_refused_unseen);
    tcase_add_test(opening, closing_is_harmless_twice_and_on_nothing);
    suite_add_tcase(suite, reading);
    tcase_add_test(reading, what_is_absent_or_nil_has_its_default);
    tcase_add_test(reading, integers_are_taken_in_any_width);
    tcase_add_test(reading, integers_out_of_range_or_of_another_type_are_refused);
    tcase_add_test(reading, strings_are_measured_and_hold_no_nul);
    tcase_add_test(reading, a_binary_may_hold_anything_and_come_as_a_string);
    tcase_add_test(reading, states_and_classes_travel_by_name);
    tcase_add_test(reading, items_of_arrays_are_counted_and_named_in_errors);
    tcase_add_test(reading, an_argument_may_be_as_long_as_the_kernel_allows);
    tcase_add_test(reading, maps_in_arrays_are_read_and_named_in_errors);
    tcase_add_test(reading, a_field_given_twice_is_refused);
    tcase_add_test(reading, a_required_field_has_to_be_there_and_not_nil);
    tcase_add_test(reading, unknown_fields_and_keys_of_other_types_are_ignored);
    tcase_add_test(reading, fields_may_come_in_any_order);
    tcase_add_test(reading, several_structs_read_from_one_map);
    tcase_add_test(reading, a_sentence_about_a_deep_field_fits_whatever_the_message_says);
    return unit_run(suite);
}
