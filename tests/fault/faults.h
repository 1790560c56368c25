/*
 * faults.h - calls of the C library that fail when somebody says so: the page by which a program
 * that was started with faults.so is told what, and tells what it did.
 *
 * faults.so stands before the C library (LD_PRELOAD) and counts calls by kind. It is made this way,
 * and not by linking variants of awd and aw-runner with -Wl,--wrap, because
 *
 *  - what is tested is the very file that is installed, not a relative of it;
 *  - the allocations and system calls of libevent, SQLite, msgpack and libcurl are made in
 *    shared libraries, where --wrap does not reach; setting their allocators (sqlite3_config(),
 *    event_set_mem_functions()) would have to be compiled into the programs;
 *  - it stands before the sanitizers as well, whose malloc() is then the one behind ours.
 *
 * A failure is made of a call of one kind by its number, or by its chain: a hash of who called,
 * which counts the frames that are in the program itself and the innermost one of a library. A
 * program that comes by the same place ten thousand times has one chain for that.
 *
 * Only calls that a program or one of its own libraries makes count: what the C library, the
 * dynamic linker and TLS do among themselves does not.
 *
 * All is in one file that both sides map (FAULTS_PAGE; FAULTS_PROGRAM is whom it is meant for, by
 * the name of the executable). faults.py has the same layout.
 */
#ifndef AW_TEST_FAULTS_H
#define AW_TEST_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What may fail; the order is faults.py's. */
#define FAULT_MAP(X)                               \
    X(ALLOC) /* malloc() and all that allocates */ \
    X(OPEN)  /* of files, and directories */       \
    X(WRITE) /* to files and pipes */              \
    X(READ)  /* of regular files */                \
    X(SYNC)                                        \
    X(SOCKET) /* making, connecting, accepting */  \
    X(SEND)                                        \
    X(RECEIVE)                                     \
    X(FD)    /* other descriptors; epoll_ctl() */  \
    X(SPAWN) /* processes and threads */           \
    X(DIR)   /* names: mkdir, unlink, rename... */ \
    X(MAP)   /* mmap() */

enum fault_kind {
#define X(NAME) FAULT_##NAME,
    FAULT_MAP(X)
#undef X
        N_FAULTS
};

#define FAULTS_MAGIC  0x464c5453u
#define FAULTS_CHAINS 16384

struct fault_chain {
    _Atomic uint64_t hash; /* 0: free */
    _Atomic uint32_t kind, count;
};

struct faults_page {
    uint32_t magic, size;
    /* By the driver: */
    _Atomic uint32_t armed;   /* otherwise calls are counted only */
    _Atomic uint32_t kind;    /* that fails */
    _Atomic int32_t error;    /* errno */
    _Atomic uint32_t record;  /* fill `chains` */
    _Atomic uint64_t from;    /* the first one that fails, from 1: of the kind, or of the chain */
    _Atomic uint64_t to;      /* the last one */
    _Atomic uint64_t chain;   /* 0: all of the kind count */
    _Atomic int64_t clock_us; /* by which CLOCK_REALTIME was set forward */
    /* By the program: */
    _Atomic uint64_t matched; /* calls that counted */
    _Atomic uint64_t failed;
    _Atomic uint64_t calls[16]; /* by kind */
    char where[1024];           /* the first failure: function, then objects and offsets */
    struct fault_chain chains[FAULTS_CHAINS];
};

/* Counts a call; true: it is to fail, and errno is set. */
bool fault(enum fault_kind kind, const char *function);

/* The function behind ours. */
void *fault_real(void *_Atomic *slot, const char *function);

/* NULL: this program is left alone. */
struct faults_page *faults_page(void);

#endif
