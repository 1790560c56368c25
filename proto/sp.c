#include "proto/sp.h"

#include <inttypes.h>

#include "proto/limits.h"

void sp_handshake_write(uint8_t out[SP_HANDSHAKE_LEN], enum sp_protocol self)
{
    const uint8_t bytes[SP_HANDSHAKE_LEN] = {0, 'S', 'P', 0, 0, (uint8_t)self, 0, 0};

    memcpy(out, bytes, sizeof(bytes));
}

enum aw_err sp_handshake_check(const uint8_t in[SP_HANDSHAKE_LEN], enum sp_protocol peer,
                               struct aw_error *err)
{
    uint8_t want[SP_HANDSHAKE_LEN];

    sp_handshake_write(want, peer);
    if (memcmp(in, want, sizeof(want)) != 0)
        return aw_fail(err, AW_ERR_PROTOCOL,
                       "the peer's first bytes are %02x%02x%02x%02x %02x%02x%02x%02x, not those of "
                       "SP protocol 0x%02x",
                       in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7], peer);
    return AW_OK;
}

static void put_be(uint8_t *out, uint64_t v, size_t n)
{
    while (n--) {
        out[n] = (uint8_t)v;
        v >>= 8;
    }
}

static uint64_t get_be(const uint8_t *in, size_t n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *in++;
    return v;
}

void sp_ipc_header_write(uint8_t out[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN], uint32_t request_id,
                         size_t len)
{
    out[0] = 1;
    put_be(out + 1, len + SP_REQUEST_ID_LEN, 8);
    put_be(out + SP_IPC_HEADER_LEN, request_id | SP_REQUEST_BIT, SP_REQUEST_ID_LEN);
}

enum aw_err sp_ipc_header_read(const uint8_t in[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN],
                               uint32_t *ret_request_id, size_t *ret_len, struct aw_error *err)
{
    uint64_t len = get_be(in + 1, 8);
    uint32_t id = (uint32_t)get_be(in + SP_IPC_HEADER_LEN, SP_REQUEST_ID_LEN);

    if (in[0] != 1)
        return aw_fail(err, AW_ERR_PROTOCOL, "message of type %u; only type 1 exists", in[0]);
    if (len < SP_REQUEST_ID_LEN || len - SP_REQUEST_ID_LEN > AW_MAX_MESSAGE)
        return aw_fail(err, AW_ERR_PROTOCOL, "message of %" PRIu64 " bytes; must be %d to %u", len,
                       SP_REQUEST_ID_LEN, AW_MAX_MESSAGE + SP_REQUEST_ID_LEN);
    if (!(id & SP_REQUEST_BIT))
        return aw_fail(err, AW_ERR_PROTOCOL, "request id %08x lacks its highest bit", id);
    *ret_request_id = id;
    *ret_len = (size_t)len - SP_REQUEST_ID_LEN;
    return AW_OK;
}
