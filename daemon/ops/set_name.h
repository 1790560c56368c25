/*
 * set_name.h - the name of a set that may be made by being named.
 */
#ifndef AW_OPS_SET_NAME_H
#define AW_OPS_SET_NAME_H

#include "proto/messages.h"

/* No name at all will do; and one with '~', as the engine makes no set that is called so. */
AW_MUSTCHECK static inline enum aw_err set_name_check(struct bytes name, struct aw_error *err)
{
    if (!name.data || (name.len && *(const char *)name.data == '~'))
        return AW_OK;
    return name_check(name, "set", err);
}

#endif
