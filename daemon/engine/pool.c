#include "daemon/engine/pool.h"

#include <sys/mman.h>

/* A block begins at a multiple of its size, so that what is in it says which one it is. */
#define BLOCK_SIZE  ((size_t)256 << 10)
#define HEADER_SIZE ((size_t)64)

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ /* as gcc says it */
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

/* One that was given back. */
struct hole {
    struct hole *next;
};

struct pool_block {
    LIST_ENTRY(pool_block) all, roomy; /* roomy: if something can be taken from it */
    struct hole *holes;
    uint32_t n;     /* in use */
    uint32_t fresh; /* of these and all behind nothing was ever taken: pages without memory */
};

_Static_assert(sizeof(struct pool_block) <= HEADER_SIZE, "what a block begins with");

static uint32_t capacity(const struct pool *p)
{
    return (uint32_t)((BLOCK_SIZE - HEADER_SIZE) / p->size);
}

static void *place(const struct pool *p, struct pool_block *b, uint32_t i)
{
    return (char *)b + HEADER_SIZE + i * p->size;
}

static struct pool_block *block_of(void *thing)
{
    return (struct pool_block *)((char *)thing - (uintptr_t)thing % BLOCK_SIZE);
}

/* Twice as much is asked for, and what stands over before and behind is given back. */
static struct pool_block *block_map(void)
{
    char *at =
        mmap(NULL, 2 * BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before;

    if (at == MAP_FAILED)
        return NULL;
    before = (BLOCK_SIZE - (uintptr_t)at % BLOCK_SIZE) % BLOCK_SIZE;
    if (before)
        munmap(at, before);
    munmap(at + before + BLOCK_SIZE, BLOCK_SIZE - before);
    return (struct pool_block *)(at + before);
}

static struct pool_block *block_make(struct pool *p)
{
    struct pool_block *b = block_map();

    if (!b)
        return NULL;
    ASAN_POISON_MEMORY_REGION((char *)b + HEADER_SIZE, BLOCK_SIZE - HEADER_SIZE);
    LIST_INSERT_HEAD(&p->all, b, all);
    LIST_INSERT_HEAD(&p->roomy, b, roomy);
    p->n_empty++;
    return b;
}

static void block_free(struct pool_block *b)
{
    ASAN_UNPOISON_MEMORY_REGION((char *)b + HEADER_SIZE, BLOCK_SIZE - HEADER_SIZE);
    munmap(b, BLOCK_SIZE);
}

void pool_init(struct pool *p, size_t size)
{
    *p = (struct pool){.size = size};
    LIST_INIT(&p->all);
    LIST_INIT(&p->roomy);
}

void pool_done(struct pool *p)
{
    struct pool_block *b;

    while ((b = LIST_FIRST(&p->all))) {
        LIST_REMOVE(b, all);
        block_free(b);
    }
    LIST_INIT(&p->roomy);
    p->n_empty = 0;
}

void *pool_take(struct pool *p)
{
    struct pool_block *b = LIST_FIRST(&p->roomy);
    struct hole *hole;

    if (!b)
        b = block_make(p);
    if (!b)
        return NULL;
    hole = b->holes ? b->holes : place(p, b, b->fresh);
    ASAN_UNPOISON_MEMORY_REGION(hole, p->size);
    if (b->holes)
        b->holes = hole->next;
    else
        b->fresh++;
    p->n_empty -= b->n++ == 0;
    if (b->n == capacity(p))
        LIST_REMOVE(b, roomy);
    return memset(hole, 0, p->size);
}

void pool_give(struct pool *p, void *thing)
{
    struct pool_block *b;
    struct hole *hole = thing;

    if (!thing)
        return;
    b = block_of(thing);
    hole->next = b->holes;
    b->holes = hole;
    ASAN_POISON_MEMORY_REGION(hole, p->size);
    if (b->n-- == capacity(p))
        LIST_INSERT_HEAD(&p->roomy, b, roomy);
    if (b->n > 0 || p->n_empty++ == 0)
        return;
    p->n_empty--;
    LIST_REMOVE(b, all);
    LIST_REMOVE(b, roomy);
    block_free(b);
}
