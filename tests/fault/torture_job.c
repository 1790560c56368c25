/*
 * The job of torture.test: says in a journal that it runs, and that it ends.
 *
 *     torture_job JOURNAL MS CODES BYTES [FLAGS]
 *
 * Runs for MS milliseconds, prints its ID and attempt and BYTES more, and exits with the code of
 * its attempt: CODES is a list like 1,1,0 whose last one counts for all further attempts. FLAGS: t
 * ignores SIGTERM; c leaves a child behind, in a session of its own.
 *
 * Each line of the journal is one write at its end: S (start) or E (end), ID, attempt, claim, time
 * (microseconds of CLOCK_MONOTONIC), and pid, or how it ends. What is between the two did run; one
 * that was killed has no E.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "?";
}

static void note(const char *journal, const char *what, long value)
{
    struct timespec now;
    char line[256];
    int fd, len;

    clock_gettime(CLOCK_MONOTONIC, &now);
    len = snprintf(line, sizeof(line), "%s %s %s %s %lld %ld\n", what, variable("AWD_JOB_ID"),
                   variable("AWD_ATTEMPT"), variable("AWD_CLAIM"),
                   (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000, value);
    fd = open(journal, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, line, (size_t)len) != len)
        exit(99);
    close(fd);
}

static void print(long bytes)
{
    static char block[4096];

    memset(block, 'x', sizeof(block));
    printf("%s %s\n", variable("AWD_JOB_ID"), variable("AWD_ATTEMPT"));
    for (; bytes > 0; bytes -= (long)sizeof(block))
        fwrite(block, 1, (size_t)(bytes < (long)sizeof(block) ? bytes : (long)sizeof(block)),
               stdout);
    if (fflush(stdout))
        exit(98);
}

static void leave_a_child(void)
{
    pid_t pid = fork();

    if (pid)
        return;
    setsid();
    for (;;)
        pause();
}

/* True when a SIGTERM has come before the time was over. */
static int told_to_stop(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    sigset_t term;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    return sigtimedwait(&term, NULL, &left) == SIGTERM;
}

static long code_of(const char *codes, long attempt)
{
    const char *next;

    while (attempt-- > 1 && (next = strchr(codes, ',')))
        codes = next + 1;
    return strtol(codes, NULL, 10);
}

int main(int argc, char **argv)
{
    const char *flags = argc > 5 ? argv[5] : "";
    sigset_t term;
    long code;

    if (argc < 5)
        return 97;
    note(argv[1], "S", getpid());
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    if (strchr(flags, 'c'))
        leave_a_child();
    print(strtol(argv[4], NULL, 10));
    if (strchr(flags, 't')) {
        struct timespec left = {.tv_sec = strtol(argv[2], NULL, 10) / 1000,
                                .tv_nsec = strtol(argv[2], NULL, 10) % 1000 * 1000000};

        while (nanosleep(&left, &left) && errno == EINTR)
            ;
    } else if (told_to_stop(strtol(argv[2], NULL, 10))) {
        note(argv[1], "E", -1);
        sigprocmask(SIG_UNBLOCK, &term, NULL);
        raise(SIGTERM);
    }
    code = code_of(argv[3], strtol(variable("AWD_ATTEMPT"), NULL, 10));
    note(argv[1], "E", code);
    return (int)code;
}
