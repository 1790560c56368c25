/*
 * private_dir.h - a directory of a test's own, and what is in it.
 */
#ifndef AW_PRIVATE_DIR_H
#define AW_PRIVATE_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <check.h>

#define PRIVATE_PATH 512

static char private_dir[PRIVATE_PATH / 2];

static inline void private_dir_make_in(const char *tmp)
{
    snprintf(private_dir, sizeof(private_dir), "%s/awd-test-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(private_dir));
}

static inline void private_dir_make(void)
{
    private_dir_make_in(getenv("TMPDIR"));
}

/* In memory, for what is not about the disk: syncs cost nothing there. On a disk if $TMPDIR says
 * so, or memory has not this much room. */
static inline void private_dir_make_quick(unsigned long need_mib)
{
    const char *tmp = getenv("TMPDIR"), *memory = "/dev/shm";
    struct statvfs fs;

    if (!tmp && access(memory, W_OK) == 0 && statvfs(memory, &fs) == 0 &&
        fs.f_bavail >= (need_mib << 20) / fs.f_frsize)
        tmp = memory;
    private_dir_make_in(tmp);
}

/* The path of a name in it, in buf. */
static inline const char *private_path(char buf[PRIVATE_PATH], const char *name)
{
    ck_assert_int_lt(snprintf(buf, PRIVATE_PATH, "%s/%s", private_dir, name), PRIVATE_PATH);
    return buf;
}

/* With the plain files and empty directories in it. */
static inline void private_dir_remove(void)
{
    DIR *dir = opendir(private_dir);
    const struct dirent *entry;
    char path[PRIVATE_PATH];

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            remove(private_path(path, entry->d_name));
    if (dir)
        closedir(dir);
    rmdir(private_dir);
}

#endif
