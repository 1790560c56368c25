/* Which calls fail. faults.h says how it works, faults_calls.c has the calls. */
#include "tests/fault/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_OBJECTS 128
#define MAX_FRAMES  48
#define CHAIN_LEN   7

/* A part of a program that can be executed. */
struct object {
    uintptr_t from, to, base;
    char name[40];
    bool is_program, counts;
};

static struct faults_page *page;
static pid_t owner; /* a child that shares our memory is no business of ours */
static struct object objects[MAX_OBJECTS];
static size_t n_objects;
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

struct faults_page *faults_page(void)
{
    return page;
}

/* ---- Who calls ------------------------------------------------------------------------------- */

static bool object_counts(const char *name)
{
    static const char *const theirs[] = {"libevent", "libsqlite3", "libmsgpack",
                                         "libcurl",  "libinih",    "libsystemd"};

    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
        if (strncmp(name, theirs[i], strlen(theirs[i])) == 0)
            return true;
    return false;
}

static int object_add(struct dl_phdr_info *info, size_t size, void *arg)
{
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash ? slash + 1 : info->dlpi_name;

    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum && n_objects < MAX_OBJECTS; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        struct object *o = &objects[n_objects];

        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        o->from = info->dlpi_addr + p->p_vaddr;
        o->to = o->from + p->p_memsz;
        o->base = info->dlpi_addr;
        o->is_program = !*name;
        o->counts = o->is_program || object_counts(name);
        snprintf(o->name, sizeof(o->name), "%s", *name ? name : program_invocation_short_name);
        n_objects++;
    }
    return 0;
}

static const struct object *object_of(uintptr_t at)
{
    for (size_t i = 0; i < n_objects; i++)
        if (at >= objects[i].from && at < objects[i].to)
            return &objects[i];
    return NULL;
}

/* The callers that matter, the innermost first, from who called the C library; 0: not ours. */
static size_t chain_find(uintptr_t ret[CHAIN_LEN])
{
    void *frames[MAX_FRAMES];
    int n = backtrace(frames, MAX_FRAMES), i = 0;
    const struct object *own = object_of((uintptr_t)&chain_find), *o = NULL;
    size_t len = 0;

    /* The innermost may be a sanitizer's, which stands before backtrace(); then come ours. */
    while (i < n && object_of((uintptr_t)frames[i]) != own)
        i++;
    while (i < n && object_of((uintptr_t)frames[i]) == own)
        i++;
    o = i < n ? object_of((uintptr_t)frames[i]) : NULL;
    if (!o || !o->counts)
        return 0;
    ret[len++] = (uintptr_t)frames[i++];
    for (; i < n && len < CHAIN_LEN; i++)
        if ((o = object_of((uintptr_t)frames[i])) && o->is_program)
            ret[len++] = (uintptr_t)frames[i];
    return len;
}

/* The same in each run, wherever things are loaded. */
static uint64_t chain_hash(enum fault_kind kind, const uintptr_t *chain, size_t len)
{
    uint64_t hash = 1469598103934665603u ^ kind;

    for (size_t i = 0; i < len; i++) {
        const struct object *o = object_of(chain[i]);

        for (const char *s = o->name; *s; s++)
            hash = (hash ^ (uint8_t)*s) * 1099511628211u;
        hash = (hash ^ (chain[i] - o->base)) * 1099511628211u;
    }
    return hash ? hash : 1;
}

static void where_note(const char *function, const uintptr_t *chain, size_t len)
{
    size_t at = (size_t)snprintf(page->where, sizeof(page->where), "%s", function);

    for (size_t i = 0; i < len && at < sizeof(page->where); i++) {
        const struct object *o = object_of(chain[i]);

        at += (size_t)snprintf(page->where + at, sizeof(page->where) - at, " %s+0x%lx", o->name,
                               (unsigned long)(chain[i] - o->base - 1));
    }
}

/* ---- Counting -------------------------------------------------------------------------------- */

static void chain_record(enum fault_kind kind, uint64_t hash)
{
    for (size_t n = 0, i = hash % FAULTS_CHAINS; n < FAULTS_CHAINS; n++) {
        struct fault_chain *c = &page->chains[i];
        uint64_t was = 0;

        if (atomic_compare_exchange_strong(&c->hash, &was, hash) || was == hash) {
            atomic_store(&c->kind, kind);
            atomic_fetch_add(&c->count, 1);
            return;
        }
        i = (i + 1) % FAULTS_CHAINS;
    }
}

static bool is_due(enum fault_kind kind, const char *function)
{
    uintptr_t chain[CHAIN_LEN];
    size_t len = chain_find(chain);
    uint64_t hash, n;

    if (len == 0)
        return false;
    hash = chain_hash(kind, chain, len);
    atomic_fetch_add(&page->calls[kind], 1);
    if (atomic_load(&page->record))
        chain_record(kind, hash);
    if (!atomic_load(&page->armed) || kind != atomic_load(&page->kind) ||
        (atomic_load(&page->chain) && hash != atomic_load(&page->chain)))
        return false;
    n = atomic_fetch_add(&page->matched, 1) + 1;
    if (n < atomic_load(&page->from) || n > atomic_load(&page->to))
        return false;
    if (atomic_fetch_add(&page->failed, 1) == 0)
        where_note(function, chain, len);
    return true;
}

bool fault(enum fault_kind kind, const char *function)
{
    int saved = errno;
    bool due;

    if (!page || inside || (!atomic_load(&page->record) && kind != atomic_load(&page->kind)) ||
        syscall(SYS_getpid) != owner)
        return false;
    inside = true;
    due = is_due(kind, function);
    inside = false;
    errno = due ? atomic_load(&page->error) : saved;
    return due;
}

/* ---- The beginning --------------------------------------------------------------------------- */

static bool is_for_us(void)
{
    const char *program = getenv("FAULTS_PROGRAM");
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    const char *slash;

    if (!program || n <= 0)
        return false;
    path[n] = '\0';
    slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, program) == 0;
}

static void page_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *p =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED || ((struct faults_page *)p)->magic != FAULTS_MAGIC ||
        ((struct faults_page *)p)->size != sizeof(*page)) {
        fprintf(stderr, "faults.so: %s is not a page\n", path);
        _exit(99);
    }
    page = p;
}

__attribute__((constructor)) static void faults_start(void)
{
    const char *path = getenv("FAULTS_PAGE");
    void *frames[2];

    if (!path || !is_for_us())
        return;
    inside = true;
    backtrace(frames, 2); /* loads what it needs */
    dl_iterate_phdr(object_add, NULL);
    owner = getpid();
    page_open(path);
    inside = false;
}

void *fault_real(void *_Atomic *slot, const char *function)
{
    void *real = atomic_load(slot);
    bool was = inside;

    if (real)
        return real;
    inside = true;
    real = dlsym(RTLD_NEXT, function);
    inside = was;
    if (!real)
        _exit(98);
    atomic_store(slot, real);
    return real;
}
