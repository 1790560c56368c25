#include "daemon/memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <event2/event.h>

#define LARGE  (512 << 10) /* a block of its own, which goes when it is freed */
#define KEEP   (4 << 20)   /* free memory that is not worth a look */
#define NOTED  (1 << 20)   /* nor is less than this that was let go of */
#define FAULTS 256         /* pages: fewer are not worth a look either */
#define LOOK_S 10

struct memory {
    struct event *timer;
    size_t noted; /* bytes, since the last look */
    long faults;  /* of pages, as many as there were the last time */
};

/* The one of the program; NULL: there is none yet. */
static struct memory *the_memory;

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
static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct memory *memory = arg;
    long faults = page_faults();

    (void)fd, (void)what;
    memory->noted = 0;
    if (faults - memory->faults < FAULTS || mallinfo2().fordblks < KEEP)
        return;
    malloc_trim(0);
    memory->faults = faults;
}

void memory_note(size_t bytes)
{
    static const struct timeval soon = {.tv_sec = LOOK_S};
    struct memory *memory = the_memory;

    if (!memory || memory->noted >= NOTED)
        return; /* a look is due already */
    memory->noted += bytes;
    if (memory->noted >= NOTED && event_add(memory->timer, &soon) < 0)
        memory->noted = 0;
}

struct memory *memory_new(struct event_base *base)
{
    struct memory *memory = calloc(1, sizeof(*memory));

    if (memory)
        memory->timer = event_new(base, -1, 0, on_look, memory);
    if (memory && memory->timer)
        return the_memory = memory;
    memory_free(memory);
    return NULL;
}

void memory_free(struct memory *memory)
{
    the_memory = NULL;
    if (memory && memory->timer)
        event_free(memory->timer);
    free(memory);
}
