#include "client/libaw/stream.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>

static bool has_scheme(const char *address, const char *scheme)
{
    return !strncmp(address, scheme, strlen(scheme));
}

/*
 * Stays loaded for ever: nng has threads that run its code. dlopen() itself sees to it that two
 * threads at once get the same module. $AWD_MODULE_DIR is for builds that are not installed.
 */
static enum aw_err module_load(const struct stream_ops **ret, struct aw_error *err)
{
    const char *dir = secure_getenv("AWD_MODULE_DIR");
    char path[PATH_MAX];
    void *module;
    const struct stream_ops *ops;

    snprintf(path, sizeof(path), "%s/%s", dir ? dir : AW_PKGLIBDIR, STREAM_MODULE_FILE);
    module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!module)
        return aw_fail(err, AW_ERR_SYSTEM, "tcp needs a module that cannot be loaded: %s",
                       dlerror());
    ops = dlsym(module, STREAM_MODULE_SYMBOL);
    if (!ops)
        return aw_fail(err, AW_ERR_SYSTEM, "%s is of another version of libaw", path);
    *ret = ops;
    return AW_OK;
}

enum aw_err stream_ops_find(const char *address, const struct stream_ops **ret,
                            struct aw_error *err)
{
    if (address[0] == '/') {
        *ret = &stream_ipc_ops;
        return AW_OK;
    }
    if (has_scheme(address, "tcp://") || has_scheme(address, "tls+tcp://"))
        return module_load(ret, err);
    return aw_fail(err, AW_ERR_USAGE,
                   "'%.120s' is no address of a daemon (/path, ipc:///path, tcp://host:port and "
                   "tls+tcp://host:port are)",
                   address);
}
