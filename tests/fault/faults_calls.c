/*
 * The calls of the C library that may fail, each in front of the real one. Not among them: what
 * goes to stderr, what cannot fail in earnest (timerfd_settime() of a timer that is there), and
 * read() and write() of anything but a regular file.
 */
#include "tests/fault/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* A call with nothing special about it: fails with `failure`. */
#define CALL(kind, type, failure, name, params, args)           \
    type name params;                                           \
    type name params                                            \
    {                                                           \
        static void *_Atomic slot_;                             \
                                                                \
        if (fault(FAULT_##kind, #name))                         \
            return failure;                                     \
        return ((type(*) params)fault_real(&slot_, #name))args; \
    }

/* The same where the error is returned. */
#define CALL_ERROR(kind, name, params, args)                   \
    int name params;                                           \
    int name params                                            \
    {                                                          \
        static void *_Atomic slot_;                            \
                                                               \
        if (fault(FAULT_##kind, #name))                        \
            return errno;                                      \
        return ((int(*) params)fault_real(&slot_, #name))args; \
    }

/* ---- Memory ---------------------------------------------------------------------------------- */

/* What is allocated while the real functions are being looked for; it is never given back. */
static char early[8192];
static size_t n_early;
static _Thread_local bool searching __attribute__((tls_model("initial-exec")));

static void *early_alloc(size_t size)
{
    void *p = early + n_early;

    n_early += (size + 15) & ~(size_t)15;
    return n_early <= sizeof(early) ? p : NULL;
}

static bool is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

static void *real_of(void *_Atomic *slot, const char *name)
{
    void *real = atomic_load(slot);

    if (real)
        return real;
    searching = true;
    real = fault_real(slot, name);
    searching = false;
    return real;
}

void *malloc(size_t size)
{
    static void *_Atomic slot;

    if (searching)
        return early_alloc(size);
    if (fault(FAULT_ALLOC, "malloc"))
        return NULL;
    return ((void *(*)(size_t))real_of(&slot, "malloc"))(size);
}

void *calloc(size_t n, size_t size)
{
    static void *_Atomic slot;

    if (searching)
        return early_alloc(n * size);
    if (fault(FAULT_ALLOC, "calloc"))
        return NULL;
    return ((void *(*)(size_t, size_t))real_of(&slot, "calloc"))(n, size);
}

void *realloc(void *p, size_t size)
{
    static void *_Atomic slot;

    if (fault(FAULT_ALLOC, "realloc"))
        return NULL;
    return ((void *(*)(void *, size_t))real_of(&slot, "realloc"))(p, size);
}

void free(void *p)
{
    static void *_Atomic slot;

    /* Who looks for free() frees his last error's text: that much is lost. */
    if (p && !is_early(p) && !searching)
        ((void (*)(void *))real_of(&slot, "free"))(p);
}

CALL(ALLOC, void *, NULL, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
CALL(ALLOC, void *, NULL, memalign, (size_t align, size_t size), (align, size))
CALL(ALLOC, void *, NULL, aligned_alloc, (size_t align, size_t size), (align, size))
CALL_ERROR(ALLOC, posix_memalign, (void **ret, size_t align, size_t size), (ret, align, size))
CALL(ALLOC, char *, NULL, strdup, (const char *s), (s))
CALL(ALLOC, char *, NULL, strndup, (const char *s, size_t n), (s, n))

CALL(ALLOC, int, -1, vasprintf, (char **ret, const char *format, va_list ap), (ret, format, ap))

int __vasprintf_chk(char **ret, int flag, const char *format, va_list ap);
CALL(ALLOC, int, -1, __vasprintf_chk, (char **ret, int flag, const char *format, va_list ap),
     (ret, flag, format, ap))

int asprintf(char **ret, const char *format, ...)
{
    static void *_Atomic slot;
    va_list ap;
    int n;

    if (fault(FAULT_ALLOC, "asprintf"))
        return -1;
    va_start(ap, format);
    n = ((int (*)(char **, const char *, va_list))fault_real(&slot, "vasprintf"))(ret, format, ap);
    va_end(ap);
    return n;
}

int __asprintf_chk(char **ret, int flag, const char *format, ...);
int __asprintf_chk(char **ret, int flag, const char *format, ...)
{
    static void *_Atomic slot;
    va_list ap;
    int n;

    (void)flag;
    if (fault(FAULT_ALLOC, "asprintf"))
        return -1;
    va_start(ap, format);
    n = ((int (*)(char **, const char *, va_list))fault_real(&slot, "vasprintf"))(ret, format, ap);
    va_end(ap);
    return n;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static bool is_regular(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

#define OPEN_MODE(flags, mode)               \
    do {                                     \
        va_list ap_;                         \
                                             \
        va_start(ap_, flags);                \
        if (flags & (O_CREAT | __O_TMPFILE)) \
            mode = va_arg(ap_, mode_t);      \
        va_end(ap_);                         \
    } while (0)

#define OPEN_CALL(name)                                                                        \
    int name(const char *path, int flags, ...)                                                 \
    {                                                                                          \
        static void *_Atomic slot;                                                             \
        mode_t mode = 0;                                                                       \
                                                                                               \
        OPEN_MODE(flags, mode);                                                                \
        if (fault(FAULT_OPEN, #name))                                                          \
            return -1;                                                                         \
        return ((int (*)(const char *, int, ...))fault_real(&slot, #name))(path, flags, mode); \
    }

#define OPENAT_CALL(name)                                                                         \
    int name(int dir, const char *path, int flags, ...)                                           \
    {                                                                                             \
        static void *_Atomic slot;                                                                \
        mode_t mode = 0;                                                                          \
                                                                                                  \
        OPEN_MODE(flags, mode);                                                                   \
        if (fault(FAULT_OPEN, #name))                                                             \
            return -1;                                                                            \
        return ((int (*)(int, const char *, int, ...))fault_real(&slot, #name))(dir, path, flags, \
                                                                                mode);            \
    }

OPEN_CALL(open)
OPEN_CALL(open64)
OPENAT_CALL(openat)
OPENAT_CALL(openat64)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
CALL(OPEN, int, -1, __open_2, (const char *path, int flags), (path, flags))
CALL(OPEN, int, -1, __open64_2, (const char *path, int flags), (path, flags))
CALL(OPEN, int, -1, __openat_2, (int dir, const char *path, int flags), (dir, path, flags))
CALL(OPEN, int, -1, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags))
CALL(OPEN, FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
CALL(OPEN, FILE *, NULL, fopen64, (const char *path, const char *mode), (path, mode))
CALL(OPEN, FILE *, NULL, fdopen, (int fd, const char *mode), (fd, mode))
CALL(OPEN, DIR *, NULL, opendir, (const char *path), (path))
CALL(OPEN, DIR *, NULL, fdopendir, (int fd), (fd))

ssize_t write(int fd, const void *data, size_t n)
{
    static void *_Atomic slot;

    if (faults_page() && is_regular(fd) && fd != STDERR_FILENO && fault(FAULT_WRITE, "write"))
        return -1;
    return ((ssize_t(*)(int, const void *, size_t))fault_real(&slot, "write"))(fd, data, n);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    static void *_Atomic slot;

    if (fd != STDERR_FILENO && fault(FAULT_WRITE, "writev"))
        return -1;
    return ((ssize_t(*)(int, const struct iovec *, int))fault_real(&slot, "writev"))(fd, iov, n);
}

CALL(WRITE, ssize_t, -1, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
CALL(WRITE, ssize_t, -1, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at))
CALL(WRITE, int, -1, ftruncate, (int fd, off_t len), (fd, len))
CALL(WRITE, int, -1, ftruncate64, (int fd, off64_t len), (fd, len))
CALL(WRITE, int, -1, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
CALL_ERROR(WRITE, posix_fallocate, (int fd, off_t at, off_t len), (fd, at, len))
CALL_ERROR(WRITE, posix_fallocate64, (int fd, off64_t at, off64_t len), (fd, at, len))

ssize_t read(int fd, void *data, size_t n)
{
    static void *_Atomic slot;

    if (faults_page() && is_regular(fd) && fault(FAULT_READ, "read"))
        return -1;
    return ((ssize_t(*)(int, void *, size_t))fault_real(&slot, "read"))(fd, data, n);
}

CALL(READ, ssize_t, -1, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
CALL(READ, ssize_t, -1, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at))
CALL(SYNC, int, -1, fsync, (int fd), (fd))
CALL(SYNC, int, -1, fdatasync, (int fd), (fd))

/* ---- Names, and memory that is a file -------------------------------------------------------- */

CALL(DIR, int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
CALL(DIR, int, -1, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
CALL(DIR, int, -1, unlink, (const char *path), (path))
CALL(DIR, int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
CALL(DIR, int, -1, rename, (const char *from, const char *to), (from, to))
CALL(DIR, int, -1, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
CALL(DIR, int, -1, link, (const char *from, const char *to), (from, to))
CALL(DIR, int, -1, linkat, (int a, const char *from, int b, const char *to, int flags),
     (a, from, b, to, flags))
CALL(DIR, int, -1, chmod, (const char *path, mode_t mode), (path, mode))
CALL(DIR, int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
CALL(DIR, int, -1, flock, (int fd, int what), (fd, what))
CALL(MAP, void *, MAP_FAILED, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at))
CALL(MAP, void *, MAP_FAILED, mmap64, (void *p, size_t n, int prot, int flags, int fd, off64_t at),
     (p, n, prot, flags, fd, at))

/* ---- Sockets and other descriptors ----------------------------------------------------------- */

CALL(SOCKET, int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
CALL(SOCKET, int, -1, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
CALL(SOCKET, int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALL(SOCKET, int, -1, listen, (int fd, int n), (fd, n))
CALL(SOCKET, int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
CALL(SOCKET, int, -1, accept, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
CALL(SOCKET, int, -1, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags),
     (fd, a, n, flags))
/* A connection that is reset is gone for both sides. */
static bool fault_of_connection(enum fault_kind kind, const char *function, int fd)
{
    if (!fault(kind, function))
        return false;
    if (errno == ECONNRESET) {
        shutdown(fd, SHUT_RDWR);
        errno = ECONNRESET;
    }
    return true;
}

#define CONNECTION_CALL(kind, name, params, args)                  \
    ssize_t name params                                            \
    {                                                              \
        static void *_Atomic slot_;                                \
                                                                   \
        if (fault_of_connection(FAULT_##kind, #name, fd))          \
            return -1;                                             \
        return ((ssize_t(*) params)fault_real(&slot_, #name))args; \
    }

CONNECTION_CALL(SEND, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
CONNECTION_CALL(SEND, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
CONNECTION_CALL(RECEIVE, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
CONNECTION_CALL(RECEIVE, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))

CALL(FD, int, -1, eventfd, (unsigned n, int flags), (n, flags))
CALL(FD, int, -1, timerfd_create, (int clock, int flags), (clock, flags))
CALL(FD, int, -1, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
CALL(FD, int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
CALL(FD, int, -1, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
CALL(FD, int, -1, pipe, (int fds[2]), (fds))
CALL(FD, int, -1, pipe2, (int fds[2], int flags), (fds, flags))
CALL(FD, int, -1, dup, (int fd), (fd))
CALL(FD, int, -1, dup3, (int from, int to, int flags), (from, to, flags))
CALL(FD, int, -1, epoll_create, (int n), (n))
CALL(FD, int, -1, epoll_create1, (int flags), (flags))

/* Only to add something needs memory, and can fail. */
int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
    static void *_Atomic slot;

    if (op == EPOLL_CTL_ADD && fault(FAULT_FD, "epoll_ctl"))
        return -1;
    return ((int (*)(int, int, int, struct epoll_event *))fault_real(&slot, "epoll_ctl"))(
        set, op, fd, event);
}

/* ---- Processes and threads ------------------------------------------------------------------- */

int clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    static void *_Atomic slot;

    if (fault(FAULT_SPAWN, "clone"))
        return -1;
    return ((int (*)(int (*)(void *), void *, int, void *, ...))fault_real(&slot, "clone"))(
        fn, stack, flags, arg);
}

CALL_ERROR(SPAWN, posix_spawn,
           (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
            const posix_spawnattr_t *attr, char *const argv[], char *const env[]),
           (pid, path, actions, attr, argv, env))
CALL_ERROR(SPAWN, pthread_create,
           (pthread_t * thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg),
           (thread, attr, fn, arg))
