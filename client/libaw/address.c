#include "client/libaw/address.h"

#include <errno.h>
#include <stdio.h>

#define SYSTEM_SOCKET "/run/awd/awd.sock"

static bool address_add(struct address *a, char *address)
{
    if (!address)
        return false;
    a->v[a->n++] = address;
    return true;
}

static char *absolute(const char *path)
{
    _cleanup_free_ char *cwd = NULL;
    char *text = NULL;

    if (*path == '/')
        return strdup(path);
    cwd = getcwd(NULL, 0);
    if (!cwd || asprintf(&text, "%s/%s", cwd, path) < 0)
        return NULL;
    return text;
}

static enum aw_err address_from_url(struct address *a, const char *url, struct aw_error *err)
{
    bool ok;

    if (!*url)
        return aw_fail(err, AW_ERR_USAGE, "the daemon's address is empty");
    if (!strncmp(url, "ipc://", 6) && url[6] != '/')
        return aw_fail(err, AW_ERR_USAGE, "'%.120s': ipc:// needs an absolute path behind it", url);
    if (!strncmp(url, "ipc://", 6))
        ok = address_add(a, strdup(url + 6));
    else if (strstr(url, "://"))
        ok = address_add(a, strdup(url));
    else
        ok = address_add(a, absolute(url));
    return ok ? AW_OK : aw_fail(err, AW_ERR_NO_MEMORY, "address: %s", strerror(errno));
}

static enum aw_err address_discover(struct address *a, struct aw_error *err)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    char *user = NULL;

    if (runtime && *runtime == '/') {
        if (asprintf(&user, "%s/awd/awd.sock", runtime) < 0)
            return aw_fail(err, AW_ERR_NO_MEMORY, "address: out of memory");
        address_add(a, user);
    }
    if (!address_add(a, strdup(SYSTEM_SOCKET)))
        return aw_fail(err, AW_ERR_NO_MEMORY, "address: out of memory");
    return AW_OK;
}

enum aw_err address_init(struct address *a, const char *url, struct aw_error *err)
{
    enum aw_err e;

    *a = (struct address){0};
    if (!url) {
        url = secure_getenv("AWD_SOCKET");
        if (url && !*url)
            url = NULL;
    }
    e = url ? address_from_url(a, url, err) : address_discover(a, err);
    if (e)
        address_done(a);
    return e;
}

void address_done(struct address *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->v[i]);
    *a = (struct address){0};
}
