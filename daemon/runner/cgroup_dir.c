#include "daemon/runner/cgroup_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "daemon/runner/cgroup_find.h"
#include "daemon/runner/proc.h"

#define MAX_DEPTH 64 /* of groups below groups: both walks are recursive */

bool cgroup_dir_write(int dir_fd, const char *file, const char *text)
{
    size_t len = strlen(text);
    _cleanup_close_ int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, len) == (ssize_t)len;
}

bool cgroup_dir_read(int dir_fd, const char *file, char *buf, size_t size)
{
    _cleanup_close_ int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, size) : -1;

    if (n >= 0 && (size_t)n == size)
        errno = EFBIG;
    if (n < 0 || (size_t)n == size)
        return false;
    buf[n] = '\0';
    return true;
}

uint64_t cgroup_value(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        if (strncmp(text, name, len) == 0 && text[len] == ' ')
            return strtoull(text + len, NULL, 10);
    return 0;
}

/* ---- Its processes -------------------------------------------------------------------------- */

bool cgroup_path_has(const char *path, pid_t pid)
{
    char found[PATH_MAX];
    size_t len = strlen(path);

    return cgroup_of(pid, found, sizeof(found)) && strncmp(found, path, len) == 0 &&
           (found[len] == '/' || !found[len]);
}

/* Those of the group itself; a 0 is one that lives in a PID namespace of which we see nothing. */
static bool members_read(int dir_fd, struct pids *ret)
{
    int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC), pid;
    FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
    bool good = true;

    if (!f) {
        cleanup_close(&fd);
        return false;
    }
    while (good && fscanf(f, "%d", &pid) == 1)
        good = pid == 0 || pids_add(ret, pid);
    fclose(f);
    return good;
}

static void members_signal(int dir_fd, const char *path, int sig)
{
    struct pids pids = {0};

    (void)members_read(dir_fd, &pids); /* those that there is memory for */
    for (size_t i = 0; i < pids.n; i++)
        proc_signal_if(pids.v[i], cgroup_path_has, path, sig);
    for (size_t i = 0; sig == SIGTERM && i < pids.n; i++)
        proc_signal_if(pids.v[i], cgroup_path_has, path, SIGCONT);
    pids_done(&pids);
}

/* ---- The groups below it -------------------------------------------------------------------- */

/* Each group has two links, and one more for each group in it. */
bool cgroup_dir_has_children(int dir_fd)
{
    struct stat st;

    return fstat(dir_fd, &st) == 0 && st.st_nlink > 2;
}

/* Calls fn() for each group in one; its descriptor is fn's only until it returns. */
static void children_each(int dir_fd, void (*fn)(int parent_fd, const char *name, void *arg),
                          void *arg)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir) {
        cleanup_close(&fd);
        return;
    }
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0)
            fn(fd, entry->d_name, arg);
    closedir(dir);
}

struct signal_walk {
    const char *path;
    int sig;
    unsigned depth;
};

static void signal_child(int parent_fd, const char *name, void *arg)
{
    struct signal_walk *walk = arg;
    _cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || walk->depth >= MAX_DEPTH)
        return;
    walk->depth++;
    members_signal(fd, walk->path, walk->sig);
    if (cgroup_dir_has_children(fd))
        children_each(fd, signal_child, walk);
    walk->depth--;
}

void cgroup_dir_signal(int dir_fd, const char *path, int sig)
{
    struct signal_walk walk = {.path = path, .sig = sig};

    members_signal(dir_fd, path, sig);
    if (cgroup_dir_has_children(dir_fd))
        children_each(dir_fd, signal_child, &walk);
}

static void remove_child(int parent_fd, const char *name, void *arg)
{
    unsigned *depth = arg;

    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || *depth >= MAX_DEPTH)
        return;
    _cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !cgroup_dir_has_children(fd))
        return;
    ++*depth;
    children_each(fd, remove_child, depth);
    --*depth;
    (void)unlinkat(parent_fd, name, AT_REMOVEDIR);
}

bool cgroup_dir_remove(int parent_fd, const char *name)
{
    unsigned depth = 0;

    remove_child(parent_fd, name, &depth);
    return faccessat(parent_fd, name, F_OK, 0) < 0 && errno == ENOENT;
}
