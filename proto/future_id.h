/*
 * future_id.h - the text of a future ID: "k3f9q-1042".
 *
 * The tag (five characters of a base32 alphabet without i, l, o and u) is made once for each
 * store; the number counts from 1 and is never given out twice. People may leave the tag out.
 */
#ifndef AW_FUTURE_ID_H
#define AW_FUTURE_ID_H

#include "proto/base.h"
#include "proto/limits.h"

struct future_id {
    char tag[AW_TAG_LEN + 1]; /* "" when the text had none */
    uint64_t number;          /* 1 to INT64_MAX */
};

/* AW_ERR_INVALID, with a sentence that says what an ID looks like, when the text is none. */
AW_MUSTCHECK enum aw_err future_id_parse(struct bytes text, struct future_id *ret,
                                         struct aw_error *err);

/* Writes "tag-number" and a NUL; returns the length without it. */
size_t future_id_format(char buf[AW_MAX_ID], const char *tag, uint64_t number);

/* Makes a new tag from the system's random numbers. */
AW_MUSTCHECK enum aw_err future_tag_make(char ret_tag[AW_TAG_LEN + 1], struct aw_error *err);

AW_MUSTCHECK bool future_tag_valid(struct bytes tag);

#endif
