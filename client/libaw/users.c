#include "client/libaw/call.h"
#include "client/libaw/copy.h"
#include "client/libaw/copy_fields.h"

DEFINE_COPY(user, user_status, aw_user, USER_STATUS_FIELDS)
DEFINE_LIST(users, user, user, user_status)

/* One page. *ret_next is where the next one starts; -1: that was the last. */
static enum aw_err users_page(struct aw_client *client, int64_t after, struct aw_users **ret,
                              int64_t *ret_next, struct aw_error *err)
{
    _cleanup_answer_ struct answer answer = {0};
    struct users_req req = {.after = after, .limit = AW_MAX_PAGE};
    struct call call = {.op = OP_USERS, .req = &req, .deadline_us = NEVER_US};
    struct users_rep rep;
    struct aw_users *list;
    enum aw_err e = call_make(client, &call, &rep, &answer, err);

    if (e)
        return e;
    /* A daemon that never comes to an end must not keep us for ever. */
    if (rep.next >= 0 && rep.next <= after)
        return aw_fail(err, AW_ERR_PROTOCOL,
                       "the daemon's pages of users do not go on from where they ended");
    list = users_make(rep.users.v, rep.users.n, 0, NULL);
    if (!list)
        return list_failed(call.op, err);
    *ret = list;
    *ret_next = rep.next;
    return AW_OK;
}

enum aw_err aw_user_list(struct aw_client *client, struct aw_users **ret, struct aw_error *err)
{
    _hold_client_(client);
    struct aw_users *list = NULL, **end = &list;
    int64_t after = -1;
    enum aw_err e;

    do {
        e = users_page(client, after, end, &after, err);
        if (e)
            break;
        end = &(*end)->next;
    } while (after >= 0);
    if (e)
        aw_users_free(list);
    else
        *ret = list;
    return e;
}
