#include "tests/unit/faulty_alloc.h"

#include <errno.h>
#include <stddef.h>

/* The names are the linker's. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static _Thread_local unsigned calls_left;

void faulty_alloc_at(unsigned nth)
{
    calls_left = nth;
}

void *__wrap_calloc(size_t n, size_t size)
{
    if (calls_left && --calls_left == 0) {
        errno = ENOMEM;
        return NULL;
    }
    return __real_calloc(n, size);
}
