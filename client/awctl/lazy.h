/*
 * lazy.h - libjansson and libsmartcols, loaded when something is to be printed by them.
 *
 * The commands that scripts call thousands of times, submit and wait, use neither; linked in, the
 * two cost them a sixth of their time (0.12 of 0.7 ms where it was measured; `true` takes 0.5).
 * Functions are called by their own names with lazy_ before.
 */
#ifndef AWCTL_LAZY_H
#define AWCTL_LAZY_H

#include <jansson.h>
#include <libsmartcols.h>

#include "proto/base.h"

#define LAZY_JANSSON(X)            \
    X(json_object)                 \
    X(json_array)                  \
    X(json_stringn_nocheck)        \
    X(json_integer)                \
    X(json_true)                   \
    X(json_false)                  \
    X(json_null)                   \
    X(json_object_set_new_nocheck) \
    X(json_array_append_new)       \
    X(json_dumpf)                  \
    X(json_delete)                 \
    X(json_loadb)                  \
    X(json_object_iter)            \
    X(json_object_iter_next)       \
    X(json_object_iter_key)        \
    X(json_object_iter_value)      \
    X(json_object_size)            \
    X(json_array_size)             \
    X(json_array_get)              \
    X(json_string_value)           \
    X(json_string_length)          \
    X(json_integer_value)

#define LAZY_SMARTCOLS(X)            \
    X(scols_new_table)               \
    X(scols_unref_table)             \
    X(scols_table_new_column)        \
    X(scols_table_new_line)          \
    X(scols_table_enable_colors)     \
    X(scols_table_enable_noheadings) \
    X(scols_line_set_data)           \
    X(scols_line_get_cell)           \
    X(scols_cell_set_color)          \
    X(scols_print_table)

#define LAZY_DECLARE(f) extern __typeof__(f) *lazy_##f;
LAZY_JANSSON(LAZY_DECLARE)
LAZY_SMARTCOLS(LAZY_DECLARE)
#undef LAZY_DECLARE

/* Load the one or the other; false, having said so on stderr, when it is not there. */
AW_MUSTCHECK bool lazy_jansson(void);
AW_MUSTCHECK bool lazy_smartcols(void);

#endif
