/*
 * codec_rig.h - schemas with a field of each kind, so that tests of the codec need no real message.
 */
#ifndef AW_CODEC_RIG_H
#define AW_CODEC_RIG_H

#include "proto/codec.h"

/* clang-format off */
#define INNER_FIELDS(F, T) \
    F(T, STR,   word,   _, REQ, 1, 5, 0, "-") \
    F(T, U64,   count,  _, OPT, 0, 100, 7, "-")
#define OUTER_FIELDS(F, T) \
    F(T, U64,   u,      _, OPT, 0, INT64_MAX, 3, "-") \
    F(T, I64,   i,      _, OPT, -5, 5, -1, "-") \
    F(T, BOOL,  b,      _, OPT, 0, 0, 1, "-") \
    F(T, STR,   s,      _, OPT, 0, 10, 0, "-") \
    F(T, BIN,   bin,    _, OPT, 0, 10, 0, "-") \
    F(T, STATE, state,  _, OPT, 0, 0, AW_QUEUED, "-") \
    F(T, CLASS, class,  _, OPT, 0, 0, AW_CLASS_NONE, "-") \
    F(T, STRV,  strv,   _, OPT, 0, 3, 0, "-") \
    F(T, U64V,  u64v,   _, OPT, 0, 3, 0, "-") \
    F(T, OBJ,   obj, inner, OPT, 0, 0, 0, "-") \
    F(T, OBJV,  objv, inner, OPT, 0, 3, 0, "-")
#define NEEDY_FIELDS(F, T) \
    F(T, STR,   must,   _, REQ, 1, 5, 0, "-")
/* clang-format on */

SCHEMA_STRUCT(inner, INNER_FIELDS)
SCHEMA_STRUCT(outer, OUTER_FIELDS)
SCHEMA_STRUCT(needy, NEEDY_FIELDS)

#endif
