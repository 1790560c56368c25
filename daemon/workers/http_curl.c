#include "daemon/workers/http_curl.h"

#include <dlfcn.h>

#define LIBRARY "libcurl.so.4"

#define LAZY_DEFINE(f) __typeof__(f) *lazy_##f;
LAZY_CURL(LAZY_DEFINE)

#define LAZY_SYMBOL(f) {#f, (void **)&lazy_##f},
static const struct {
    const char *name;
    void **to;
} symbols[] = {LAZY_CURL(LAZY_SYMBOL)};

static bool load(void)
{
    void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    for (size_t i = 0; lib && i < ARRAY_SIZE(symbols); i++) {
        *symbols[i].to = dlsym(lib, symbols[i].name);
        if (!*symbols[i].to)
            lib = NULL;
    }
    return lib;
}

enum aw_err http_curl_use(struct aw_error *err)
{
    if (!load())
        return aw_fail(err, AW_ERR_SYSTEM, "jobs of type http need " LIBRARY ": %s", dlerror());
    if (lazy_curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return aw_fail(err, AW_ERR_SYSTEM, "jobs of type http: " LIBRARY " cannot be used");
    return AW_OK;
}

void http_curl_done(void)
{
    lazy_curl_global_cleanup();
}
