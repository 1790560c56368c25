#include "tests/unit/awctl_rig.h"

#include <sys/wait.h>

#include "tests/unit/unit.h"

size_t awctl_text(FILE *f, char *buf, size_t size)
{
    size_t n;

    rewind(f);
    n = fread(buf, 1, size - 1, f);
    buf[n] = '\0';
    fclose(f);
    return n;
}

pid_t awctl_start(const struct fake *fake, const char *in, const char *line, int out, int err)
{
    static char text[4096], name[] = "awctl";
    char *argv[64] = {name}, *save = NULL;
    FILE *input = tmpfile();
    int argc = 1;
    pid_t pid;

    fputs(in, input);
    rewind(input);
    snprintf(text, sizeof(text), "%s", line);
    for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    setenv("AWD_SOCKET", fake ? fake_path(fake) : "/nonexistent/awd.sock", 1);
    fake_meet();
    pid = fork();
    if (pid == 0) {
        dup2(fileno(input), STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        execv(AWCTL_BUILT, argv);
        _exit(99);
    }
    fclose(input);
    return pid;
}

int awctl_end(pid_t pid)
{
    int status;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    fake_meet();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct outcome awctl_in(const struct fake *fake, const char *in, const char *line)
{
    FILE *out = tmpfile(), *err = tmpfile();
    static struct outcome o;
    pid_t pid = awctl_start(fake, in, line, fileno(out), fileno(err));

    o.code = awctl_end(pid);
    awctl_text(out, o.out, sizeof(o.out));
    awctl_text(err, o.err, sizeof(o.err));
    return o;
}

struct outcome awctl(const struct fake *fake, const char *line)
{
    return awctl_in(fake, "", line);
}
