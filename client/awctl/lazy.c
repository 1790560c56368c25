#include "client/awctl/lazy.h"

#include <dlfcn.h>

#include "client/awctl/awctl.h"

#define LAZY_DEFINE(f) __typeof__(f) *lazy_##f;
LAZY_JANSSON(LAZY_DEFINE)
LAZY_SMARTCOLS(LAZY_DEFINE)

struct symbol {
    const char *name;
    void **to;
};

#define LAZY_SYMBOL(f) {#f, (void **)&lazy_##f},
static const struct symbol jansson_symbols[] = {LAZY_JANSSON(LAZY_SYMBOL)};
static const struct symbol smartcols_symbols[] = {LAZY_SMARTCOLS(LAZY_SYMBOL)};

static bool load(const char *file, const char *what, const struct symbol *symbols, size_t n)
{
    void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    for (size_t i = 0; lib && i < n; i++) {
        *symbols[i].to = dlsym(lib, symbols[i].name);
        if (!*symbols[i].to)
            lib = NULL;
    }
    if (!lib)
        complain("%s: %s; it is needed for %s", file, dlerror(), what);
    return lib != NULL;
}

bool lazy_jansson(void)
{
    return lazy_json_object ||
           load("libjansson.so.4", "JSON", jansson_symbols, ARRAY_SIZE(jansson_symbols));
}

bool lazy_smartcols(void)
{
    return lazy_scols_new_table ||
           load("libsmartcols.so.1", "tables", smartcols_symbols, ARRAY_SIZE(smartcols_symbols));
}
