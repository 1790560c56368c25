#include "daemon/runner/cgroup_find.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/xattr.h>

/* ---- Texts of the kernel -------------------------------------------------------------------- */

/* All of a file; NULL: it cannot be read. */
static char *file_read(const char *path)
{
    _cleanup_free_ char *text = NULL;
    size_t cap = 0;
    FILE *f = fopen(path, "re");

    if (!f)
        return NULL;
    if (getdelim(&text, &cap, '\0', f) < 0) {
        fclose(f);
        return NULL;
    }
    fclose(f);
    return take_ptr(text);
}

static const char *line_next(const char *line)
{
    line += strcspn(line, "\n");
    return *line ? line + 1 : line;
}

bool cgroup_path_parse(const char *text, char *buf, size_t size)
{
    for (; *text; text = line_next(text)) {
        size_t len;

        if (strncmp(text, "0::/", 4) != 0)
            continue;
        text += 3;
        len = strcspn(text, "\n");
        /* "/../a" lies outside of what we can see. */
        if (len >= size || strncmp(text, "/..", 3) == 0)
            return false;
        memcpy(buf, text, len);
        buf[len] = '\0';
        return true;
    }
    return false;
}

/* Copies a field of mountinfo, in which \040 is a space, and the like. */
static bool field_copy(const char *field, char *buf, size_t size)
{
    size_t n = 0;

    for (; *field && *field != ' ' && *field != '\n'; field++) {
        char c = *field;

        if (n + 1 >= size)
            return false;
        if (c == '\\' && strspn(field + 1, "01234567") >= 3) {
            c = (char)((field[1] - '0') << 6 | (field[2] - '0') << 3 | (field[3] - '0'));
            field += 3;
        }
        buf[n++] = c;
    }
    buf[n] = '\0';
    return true;
}

static const char *field_next(const char *field)
{
    field += strcspn(field, " \n");
    return *field == ' ' ? field + 1 : field;
}

/* What is left of `path` below `root`, which is "/" or has no slash at its end; NULL: nothing. */
static const char *path_below(const char *path, const char *root)
{
    size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

    return strncmp(path, root, len) == 0 && (path[len] == '/' || !path[len]) ? path + len : NULL;
}

/* A line is "36 35 98:0 /root /where options [tags...] - type source options". */
static bool mount_take(const char *line, const char *path, char *buf, size_t size)
{
    char root[PATH_MAX], where[PATH_MAX], type[32] = "";
    const char *field = line, *below;

    for (int i = 0; i < 3; i++)
        field = field_next(field);
    if (!field_copy(field, root, sizeof(root)))
        return false;
    field = field_next(field);
    if (!field_copy(field, where, sizeof(where)))
        return false;
    while (*field && *field != '\n' && strncmp(field, "- ", 2) != 0)
        field = field_next(field);
    if (!*field || !field_copy(field_next(field), type, sizeof(type)) ||
        strcmp(type, "cgroup2") != 0)
        return false;
    below = path_below(path, root);
    if (!below)
        return false;
    return (size_t)snprintf(buf, size, "%s%s", where, strcmp(below, "/") == 0 ? "" : below) < size;
}

bool cgroup_mount_find(const char *mountinfo, const char *path, char *buf, size_t size)
{
    for (; *mountinfo; mountinfo = line_next(mountinfo))
        if (mount_take(mountinfo, path, buf, size))
            return true;
    return false;
}

bool cgroup_of(pid_t pid, char *buf, size_t size)
{
    _cleanup_free_ char *text = NULL;
    char path[32] = "/proc/self/cgroup";

    if (pid)
        snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    text = file_read(path);
    return text && cgroup_path_parse(text, buf, size);
}

/* ---- Our own group -------------------------------------------------------------------------- */

bool cgroup_is_free(int dir_fd)
{
    _cleanup_close_ int fd = openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    char buf[64], own[32];
    ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : -1;

    if (n < 0)
        return false;
    buf[n] = '\0';
    snprintf(own, sizeof(own), "%d\n", (int)getpid());
    return n == 0 || strcmp(buf, own) == 0;
}

/* systemd sets the second one so that those can see it, too, who are not root. */
static bool is_delegated(const char *dir)
{
    static const char *const names[] = {"trusted.delegate", "user.delegate"};
    char value[2];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (getxattr(dir, names[i], value, sizeof(value)) == 1 && value[0] == '1')
            return true;
    return false;
}

static bool is_writable(const char *dir)
{
    static const char *const names[] = {"", "/cgroup.procs", "/cgroup.subtree_control"};
    char path[PATH_MAX + 32];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(path, sizeof(path), "%s%s", dir, names[i]);
        if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
            return false;
    }
    return true;
}

/* Where systemd was told to put us into a group `runner` (DelegateSubgroup=), it is the one above
 * that it has delegated. */
static bool find_mark(char *dir)
{
    char *end = strrchr(dir, '/');

    if (is_delegated(dir))
        return true;
    if (!end || strcmp(end, "/runner") != 0)
        return false;
    *end = '\0';
    return is_delegated(dir);
}

bool cgroup_find_delegated(char *buf, size_t size, char *why, size_t why_size)
{
    _cleanup_free_ char *mountinfo = file_read("/proc/self/mountinfo");
    char path[PATH_MAX], dir[PATH_MAX];

    if (!mountinfo || !cgroup_of(0, path, sizeof(path)) ||
        !cgroup_mount_find(mountinfo, path, dir, sizeof(dir)))
        snprintf(why, why_size, "no cgroup v2 is mounted that the runner is in");
    else if (!find_mark(dir))
        snprintf(why, why_size, "the runner's cgroup %.100s is not delegated to it", path);
    else if (!is_writable(dir))
        snprintf(why, why_size, "the runner may not write to its cgroup %.100s", path);
    else if ((size_t)snprintf(buf, size, "%s", dir) >= size)
        snprintf(why, why_size, "the path of its cgroup is too long");
    else
        return true;
    return false;
}
