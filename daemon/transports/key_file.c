#include "daemon/transports/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>

enum aw_err key_file_check(const char *name, const char *path, struct aw_error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    mode_t others;

    if (fd < 0 || fstat(fd, &st) < 0)
        return aw_fail(err, AW_ERR_INVALID, "%s %s: %m", name, path);
    if (!S_ISREG(st.st_mode))
        return aw_fail(err, AW_ERR_INVALID, "%s %s is not a regular file", name, path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s %s holds a private key and belongs to uid %u, neither root nor the "
                       "daemon's (%u): chown it",
                       name, path, st.st_uid, geteuid());
    others = st.st_mode & (st.st_uid == 0 ? 037 : 077);
    if (others)
        return aw_fail(err, AW_ERR_NOT_PERMITTED,
                       "%s %s holds a private key, and others may read or change it (mode %04o): "
                       "chmod %s it",
                       name, path, st.st_mode & 07777, st.st_uid == 0 ? "0640" : "0600");
    return AW_OK;
}
