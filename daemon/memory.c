#include "daemon/memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <event2/event.h>

#define LARGE   (512 << 10) /* a block of its own, which goes when it is freed */
#define KEEP    (4 << 20)   /* free memory that is not worth a look */
#define FAULTS  256         /* pages: fewer are not worth a look either */
#define CHECK_S 10

struct memory {
    struct event *timer;
    long faults; /* of pages, as many as there were the last time */
};

void memory_settle(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE);
    mallopt(M_TRIM_THRESHOLD, KEEP);
}

static long page_faults(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) < 0 ? 0 : usage.ru_minflt;
}

/* What was given back before is used again page by page: without faults there is nothing new. */
static void on_check(evutil_socket_t fd, short what, void *arg)
{
    struct memory *memory = arg;
    long faults = page_faults();

    (void)fd, (void)what;
    if (faults - memory->faults < FAULTS || mallinfo2().fordblks < KEEP)
        return;
    malloc_trim(0);
    memory->faults = faults;
}

struct memory *memory_new(struct event_base *base)
{
    static const struct timeval often = {.tv_sec = CHECK_S};
    struct memory *memory = calloc(1, sizeof(*memory));

    if (memory)
        memory->timer = event_new(base, -1, EV_PERSIST, on_check, memory);
    if (memory && memory->timer && event_add(memory->timer, &often) == 0)
        return memory;
    memory_free(memory);
    return NULL;
}

void memory_free(struct memory *memory)
{
    if (memory && memory->timer)
        event_free(memory->timer);
    free(memory);
}
