/*
 * text.h - numbers as people write them: durations and sizes.
 */
#ifndef AW_TEXT_H
#define AW_TEXT_H

#include "proto/base.h"

/*
 * "90", "1.5s", "250ms", "5m", "2h", "1d", "1w" to milliseconds; seconds when there is no unit.
 * AW_ERR_INVALID for anything else and for more than AW_MAX_DURATION_MS.
 */
AW_MUSTCHECK enum aw_err duration_parse(const char *text, int64_t *ret_ms, struct aw_error *err);

/* Such a text for people, rounded: "850ms", "1.5s", "12s", "3m20s", "2h01m", "1d00h". */
size_t duration_format(char *buf, size_t size, int64_t ms);

/* "4096", "64K", "10M", "2G", "1T" (powers of 1,024) to bytes. */
AW_MUSTCHECK enum aw_err size_parse(const char *text, int64_t *ret_bytes, struct aw_error *err);

#endif
