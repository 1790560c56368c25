/*
 * cgroup_dir.h - the files of a control group's directory: read, written, gone through.
 *
 * A group may have groups below it that its processes have made; what is said of a group here goes
 * for those, too. No state, no threads.
 */
#ifndef AW_RUNNER_CGROUP_DIR_H
#define AW_RUNNER_CGROUP_DIR_H

#include "proto/base.h"

/* False, with errno. */
AW_MUSTCHECK bool cgroup_dir_write(int dir_fd, const char *file, const char *text);
/* The text of a small file. False, with errno: it cannot be read, or is longer. */
AW_MUSTCHECK bool cgroup_dir_read(int dir_fd, const char *file, char *buf, size_t size);

/* The number on the line "name number" of a text; 0: there is no such line. */
uint64_t cgroup_value(const char *text, const char *name);

/*
 * Signals every process in a group, if it still is in the group `path` (as in /proc/PID/cgroup) or
 * below it by then. Each once, but for those that are made meanwhile. SIGTERM is followed by
 * SIGCONT, so that stopped ones get to see it.
 */
void cgroup_dir_signal(int dir_fd, const char *path, int sig);

/* Whether the process is in the group `path`, or below it. */
bool cgroup_path_has(const char *path, pid_t pid);

/* Whether there are groups below it. */
bool cgroup_dir_has_children(int dir_fd);

/* Removes a group. False: there are processes in it, or it cannot be removed. */
bool cgroup_dir_remove(int parent_fd, const char *name);

#endif
