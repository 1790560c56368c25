/*
 * sp.h - the framing that nng speaks on a stream socket (SP, "scalability protocols").
 *
 * Either side first sends 8 bytes: 00 'S' 'P' 00, its protocol number (16 bits), 00 00. REQ is
 * 0x30, REP is 0x31. Then messages follow. Over ipc each begins with the byte 01 and the length
 * (64 bits); over tcp with the length alone. REQ and REP put a request id (32 bits, highest bit
 * set) before the body. All numbers are big-endian. PROTOCOL.md, "Framing", says the same.
 *
 * Pure functions on the caller's memory.
 */
#ifndef AW_SP_H
#define AW_SP_H

#include "proto/base.h"

#define SP_HANDSHAKE_LEN  8
#define SP_IPC_HEADER_LEN 9
#define SP_REQUEST_ID_LEN 4
#define SP_REQUEST_BIT    UINT32_C(0x80000000)

enum sp_protocol { SP_REQ = 0x30, SP_REP = 0x31 };

void sp_handshake_write(uint8_t out[SP_HANDSHAKE_LEN], enum sp_protocol self);

/* AW_ERR_PROTOCOL, with what was found there, when the peer is not the protocol expected. */
AW_MUSTCHECK enum aw_err sp_handshake_check(const uint8_t in[SP_HANDSHAKE_LEN],
                                            enum sp_protocol peer, struct aw_error *err);

/* The 13 bytes that go before a body of `len` bytes on ipc: message header and request id. */
void sp_ipc_header_write(uint8_t out[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN], uint32_t request_id,
                         size_t len);

/*
 * Reads those 13 bytes: the request id, and the length of the body behind them.
 * AW_ERR_PROTOCOL when they are none or announce more than AW_MAX_MESSAGE.
 */
AW_MUSTCHECK enum aw_err sp_ipc_header_read(const uint8_t in[SP_IPC_HEADER_LEN + SP_REQUEST_ID_LEN],
                                            uint32_t *ret_request_id, size_t *ret_len,
                                            struct aw_error *err);

#endif
