#include "daemon/runner/clone_into.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>

#if defined(SYS_clone3) && defined(CLONE_INTO_CGROUP)

#ifdef __x86_64__
/*
 * With a stack of its own the child cannot return from the function that made the call: it has to
 * go on right here. The kernel leaves all registers but rax, rcx and r11 as they are.
 */
static long clone_on_stack(struct clone_args *args, int (*fn)(void *arg), void *arg)
{
    register int (*fn_reg)(void *) __asm__("r8") = fn;
    register void *arg_reg __asm__("r9") = arg;
    long ret = SYS_clone3;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movq %%r9, %%rdi\n\t"
                     "callq *%%r8\n\t"
                     "movl %%eax, %%edi\n\t"
                     "movl %[number], %%eax\n\t"
                     "syscall\n\t"
                     "hlt\n"
                     "1:"
                     : "+a"(ret)
                     : "D"(args), "S"(sizeof(*args)), "r"(fn_reg),
                       "r"(arg_reg), [number] "i"(SYS_exit_group)
                     : "rcx", "r11", "cc", "memory");
    return ret;
}
#else
/* Elsewhere the child moves itself. */
static long clone_on_stack(struct clone_args *args, int (*fn)(void *arg), void *arg)
{
    (void)args;
    (void)fn;
    (void)arg;
    return -ENOSYS;
}
#endif

pid_t clone_into(int (*fn)(void *arg), void *stack, size_t size, int cgroup_fd, void *arg)
{
    struct clone_args args = {
        .flags = CLONE_INTO_CGROUP,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)cgroup_fd,
    };
    long pid;

    if (stack) {
        args.flags |= CLONE_VM | CLONE_VFORK;
        args.stack = (uint64_t)(uintptr_t)stack;
        args.stack_size = size;
        pid = clone_on_stack(&args, fn, arg);
        if (pid < 0)
            errno = (int)-pid;
    } else {
        pid = syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0)
            _exit(fn(arg));
    }
    /* Kernels that do not know the flag or the call, and filters that do not. */
    if (pid < 0 && (errno == EINVAL || errno == E2BIG || errno == EPERM))
        errno = ENOSYS;
    return pid < 0 ? -1 : (pid_t)pid;
}

#else

pid_t clone_into(int (*fn)(void *arg), void *stack, size_t size, int cgroup_fd, void *arg)
{
    (void)fn;
    (void)stack;
    (void)size;
    (void)cgroup_fd;
    (void)arg;
    errno = ENOSYS;
    return -1;
}

#endif
