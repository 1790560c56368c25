/*
 * clone_into.h - a child that begins its life in a control group.
 *
 * A child that moves itself, by writing to cgroup.procs, makes the kernel wait for all processors
 * to take note: 10 ms and more, for which the runner would stand still. One that is born there
 * costs nothing of that. The C library has no function for it.
 */
#ifndef AW_RUNNER_CLONE_INTO_H
#define AW_RUNNER_CLONE_INTO_H

#include <sys/types.h>

#include "proto/base.h"

/*
 * Like clone(): the child runs fn(arg) and ends with what that returns. `cgroup_fd` is the group's
 * directory. With a stack (16-byte aligned, `size` bytes) the child borrows the caller's memory, as
 * by CLONE_VM and CLONE_VFORK; without one, NULL, it gets a copy.
 * -1 with errno; ENOSYS: not on this machine, and *never* on it.
 */
pid_t clone_into(int (*fn)(void *arg), void *stack, size_t size, int cgroup_fd, void *arg);

#endif
