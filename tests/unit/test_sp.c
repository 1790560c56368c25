#include "tests/unit/unit.h"

#include "proto/limits.h"
#include "proto/sp.h"

#define HEADER_LEN (SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN)

START_TEST(a_handshake_is_the_eight_bytes_that_nng_sends)
{
    static const uint8_t req[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    static const uint8_t rep[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t out[SP_HANDSHAKE_LEN];

    sp_handshake_write(out, SP_REQ);
    ck_assert_mem_eq(out, req, sizeof(req));
    sp_handshake_write(out, SP_REP);
    ck_assert_mem_eq(out, rep, sizeof(rep));
}
END_TEST

START_TEST(a_handshake_with_any_wrong_byte_is_refused)
{
    uint8_t in[SP_HANDSHAKE_LEN];

    sp_handshake_write(in, SP_REP);
    ck_assert_int_eq(sp_handshake_check(in, SP_REP, NULL), AW_OK);
    for (size_t i = 0; i < sizeof(in); i++)
        for (int bit = 0; bit < 8; bit++) {
            struct aw_error err = {0};

            in[i] ^= (uint8_t)(1 << bit);
            ck_assert_int_eq(sp_handshake_check(in, SP_REP, &err), AW_ERR_PROTOCOL);
            ck_assert_ptr_nonnull(strstr(err.text, "0x31"));
            in[i] ^= (uint8_t)(1 << bit);
        }
}
END_TEST

START_TEST(a_client_is_no_server)
{
    uint8_t in[SP_HANDSHAKE_LEN];

    sp_handshake_write(in, SP_REQ);
    ck_assert_int_eq(sp_handshake_check(in, SP_REP, NULL), AW_ERR_PROTOCOL);
}
END_TEST

START_TEST(a_header_counts_the_request_id_and_marks_it)
{
    static const uint8_t want[] = {1, 0, 0, 0, 0, 0, 0, 1, 6, 0x80, 0, 0, 42};
    uint8_t out[HEADER_LEN];

    sp_ipc_header_write(out, 42, 258);
    ck_assert_mem_eq(out, want, sizeof(want));
    sp_ipc_header_write(out, 42 | SP_REQUEST_BIT, 258);
    ck_assert_mem_eq(out, want, sizeof(want));
}
END_TEST

START_TEST(a_written_header_reads_back_the_same)
{
    static const size_t lengths[] = {0, 1, 255, 256, 65536, AW_MAX_MESSAGE};

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        uint8_t bytes[HEADER_LEN];
        uint32_t id = 0;
        size_t len = 77;

        sp_ipc_header_write(bytes, 0x7fffffff, lengths[i]);
        ck_assert_int_eq(sp_ipc_header_read(bytes, &id, &len, NULL), AW_OK);
        ck_assert_uint_eq(id, UINT32_MAX);
        ck_assert_uint_eq(len, lengths[i]);
    }
}
END_TEST

static void refused(const uint8_t bytes[HEADER_LEN], const char *because)
{
    struct aw_error err = {0};
    uint32_t id = 5;
    size_t len = 6;

    ck_assert_int_eq(sp_ipc_header_read(bytes, &id, &len, &err), AW_ERR_PROTOCOL);
    ck_assert_msg(strstr(err.text, because) != NULL, "%s", err.text);
    ck_assert_uint_eq(id, 5);
    ck_assert_uint_eq(len, 6);
}

START_TEST(a_header_of_another_type_is_refused)
{
    uint8_t bytes[HEADER_LEN];

    sp_ipc_header_write(bytes, 1, 10);
    for (int type = 0; type < 256; type++) {
        bytes[0] = (uint8_t)type;
        if (type != 1)
            refused(bytes, "type");
    }
}
END_TEST

START_TEST(a_header_that_announces_too_little_or_too_much_is_refused)
{
    uint8_t bytes[HEADER_LEN];

    sp_ipc_header_write(bytes, 1, 0);
    bytes[8] = 3; /* less than the request id */
    refused(bytes, "3 bytes");
    sp_ipc_header_write(bytes, 1, (size_t)AW_MAX_MESSAGE + 1);
    refused(bytes, "bytes; must be");
    memset(bytes + 1, 0xff, 8); /* 2^64 - 1, and nothing wraps around */
    refused(bytes, "18446744073709551615 bytes");
}
END_TEST

START_TEST(a_request_id_without_its_highest_bit_is_refused)
{
    uint8_t bytes[HEADER_LEN];

    sp_ipc_header_write(bytes, 1, 10);
    bytes[SP_IPC_HEADER_LEN] &= 0x7f;
    refused(bytes, "00000001");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sp");
    TCase *tc = tcase_create("framing");

    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_handshake_is_the_eight_bytes_that_nng_sends);
    tcase_add_test(tc, a_handshake_with_any_wrong_byte_is_refused);
    tcase_add_test(tc, a_client_is_no_server);
    tcase_add_test(tc, a_header_counts_the_request_id_and_marks_it);
    tcase_add_test(tc, a_written_header_reads_back_the_same);
    tcase_add_test(tc, a_header_of_another_type_is_refused);
    tcase_add_test(tc, a_header_that_announces_too_little_or_too_much_is_refused);
    tcase_add_test(tc, a_request_id_without_its_highest_bit_is_refused);
    return unit_run(suite);
}
