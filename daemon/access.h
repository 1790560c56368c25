/*
 * access.h - who may come in, and as which user: what the configuration says of groups and users.
 *
 *   ipc://      the kernel says who it is. Root, the daemon's own user and the members of
 *               admin_group are administrators.
 *   tcp://      tcp_user, or nobody. A user's own or a private daemon takes its own user without
 *               being told to.
 *   tls+tcp://  whom tls_user names for the certificate's subject, or nobody. A line's subject with
 *               a `=` in it is the whole one, as subject_text() of transports/peer_name.h writes
 *               it; else it is the common name; `*` is any that has no other line.
 *
 * Names are looked up when it is made, and after that nothing is. Immutable: any thread may ask.
 */
#ifndef AW_ACCESS_H
#define AW_ACCESS_H

#include "daemon/config.h"

struct access;

/* As whom somebody acts. */
struct access_user {
    uint32_t uid, gid;
    bool admin; /* a member of admin_group */
};

/*
 * AW_ERR_INVALID: there is no such user or group, or a line of tls_user cannot be understood; the
 * sentence says which. AW_ERR_NO_MEMORY. Looking users up may block.
 */
AW_MUSTCHECK enum aw_err access_new(const struct config *config, struct access **ret,
                                    struct aw_error *err);
/* NULL does nothing. */
void access_free(struct access *access);

/* False: there is no admin_group. */
AW_MUSTCHECK bool access_admin_gid(const struct access *access, uint32_t *ret);

/* As whom who comes by plain tcp acts. AW_ERR_NOT_PERMITTED: nobody may. */
AW_MUSTCHECK enum aw_err access_tcp(const struct access *access, struct access_user *ret,
                                    struct aw_error *err);

/*
 * As whom the holder of a verified certificate acts. `subject` and `cn` are NULL where they cannot
 * be told. AW_ERR_NOT_PERMITTED: the configuration has no line for them.
 */
AW_MUSTCHECK enum aw_err access_tls(const struct access *access, const char *subject,
                                    const char *cn, struct access_user *ret, struct aw_error *err);

#endif
