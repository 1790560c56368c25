/*
 * cgroup_find.h - where the runner may make control groups.
 *
 * systemd marks a directory that it hands over with an extended attribute; without that mark a
 * directory is somebody else's, however writable, and is left alone. No state, no threads.
 */
#ifndef AW_RUNNER_CGROUP_FIND_H
#define AW_RUNNER_CGROUP_FIND_H

#include "proto/base.h"

/*
 * The cgroup v2 group in a text like /proc/PID/cgroup, to `buf`, cut nowhere: "/" or "/a/b". False:
 * there is none, or no room for it.
 */
AW_MUSTCHECK bool cgroup_path_parse(const char *text, char *buf, size_t size);

/*
 * Where a group lies in the file system, by a text like /proc/self/mountinfo, to `buf`. False: it
 * is not mounted, or no room.
 */
AW_MUSTCHECK bool cgroup_mount_find(const char *mountinfo, const char *path, char *buf,
                                    size_t size);

/* The group that a process (0: ourselves) is in. False: there is none, or no such process. */
AW_MUSTCHECK bool cgroup_of(pid_t pid, char *buf, size_t size);

/* The directory of our own group, if it is ours alone. False: `why` says why not. */
AW_MUSTCHECK bool cgroup_find_delegated(char *buf, size_t size, char *why, size_t why_size);

/* Whether the group of this directory has no process in it but us. */
AW_MUSTCHECK bool cgroup_is_free(int dir_fd);

#endif
