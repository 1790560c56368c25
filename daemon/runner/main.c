/*
 * aw-runner: options, and the socket to listen on. What it does is told in runner.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "config.h"
#include "daemon/log.h"
#include "daemon/runner/runner.h"

#define DEFAULT_IDLE_S 60
#define EXIT_USAGE     2
#define BACKLOG        16

static const char usage_text[] =
    "usage: aw-runner --spool DIR [--socket PATH | --listen-fd FD] [OPTION...]\n"
    "Runs the jobs of awd, and goes on while awd is away. Started by awd, or by systemd.\n"
    "\n"
    "  --spool DIR      where output goes that is too much to keep in memory\n"
    "  --socket PATH    listen there (a Unix SOCK_SEQPACKET socket, mode 0600)\n"
    "  --listen-fd FD   listen on this open socket; without either of the two on the one\n"
    "                   that systemd passes\n"
    "  --idle SECONDS   end after being alone and without jobs for so long (default: 60)\n"
    "  --allow-uid UID  this user may connect too, not only root and our own; repeatable\n"
    "  --cgroup WHERE   where jobs get control groups: a DIRECTORY that is the runner's alone;\n"
    "                   auto: its own group, if that was delegated to it (default); none\n"
    "  --jobs-as WHOM   submitter: each job as the user who submitted it; self: all as the\n"
    "                   runner's user; auto: the former if it has the capabilities (default)\n"
    "  --allow-root-jobs   jobs that root submitted run as root; else they are refused\n"
    "  --allow-setuid      jobs may run programs that give privileges, such as sudo\n"
    "  --version        print the version, and end\n"
    "  --help           print this, and end\n";

struct options {
    struct runner_config config;
    const char *socket_path;
};

static bool number_parse(const char *text, long max, long *ret)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < 0 || v > max)
        return false;
    *ret = v;
    return true;
}

static bool jobs_as_parse(const char *text, enum jobs_as *ret)
{
    static const char *const names[] = {
        [JOBS_AS_SELF] = "self", [JOBS_AS_SUBMITTER] = "submitter", [JOBS_AS_AUTO] = "auto"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum jobs_as)i;
            return true;
        }
    return false;
}

static bool option_take(struct options *options, int c, const char *arg)
{
    struct runner_config *config = &options->config;
    long v;

    switch (c) {
    case 'd':
        config->spool_dir = arg;
        return true;
    case 's':
        options->socket_path = arg;
        return true;
    case 'f':
        return number_parse(arg, 1 << 20, &v) && (config->listen_fd = (int)v) >= 0;
    case 'i':
        return number_parse(arg, 1000000, &v) && (config->idle_us = v * 1000000) >= 0;
    case 'u':
        if (config->n_allow_uids == RUNNER_MAX_UIDS || !number_parse(arg, UINT32_MAX, &v))
            return false;
        config->allow_uids[config->n_allow_uids++] = (uid_t)v;
        return true;
    case 'c':
        config->cgroup = arg;
        return true;
    case 'a':
        return jobs_as_parse(arg, &config->identity.jobs_as);
    case 'R':
        return config->identity.allow_root = true;
    case 'S':
        return config->identity.allow_setuid = true;
    }
    return false;
}

/* -1: go on; else the exit status. */
static int options_parse(struct options *options, int argc, char **argv)
{
    static const struct option table[] = {
        {"spool", required_argument, NULL, 'd'},
        {"socket", required_argument, NULL, 's'},
        {"listen-fd", required_argument, NULL, 'f'},
        {"idle", required_argument, NULL, 'i'},
        {"allow-uid", required_argument, NULL, 'u'},
        {"cgroup", required_argument, NULL, 'c'},
        {"jobs-as", required_argument, NULL, 'a'},
        {"allow-root-jobs", no_argument, NULL, 'R'},
        {"allow-setuid", no_argument, NULL, 'S'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (c == 'h' || c == 'v') {
            fputs(c == 'h' ? usage_text : "aw-runner " PACKAGE_VERSION "\n", stdout);
            return EXIT_SUCCESS;
        }
        if (c == '?')
            return EXIT_USAGE;
        if (!option_take(options, c, optarg)) {
            fprintf(stderr, "aw-runner: '%s' is not a value that this option takes\n", optarg);
            return EXIT_USAGE;
        }
    }
    if (optind == argc && options->config.spool_dir)
        return -1;
    fputs(usage_text, stderr);
    return EXIT_USAGE;
}

/* Descriptors 0 to 2 must be something, or a pipe of a job would get their numbers. */
static bool stdio_open(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The first socket that systemd passes (sd_listen_fds(3)); -1: none. */
static int activated_fd(void)
{
    const char *pid = getenv("LISTEN_PID"), *n_fds = getenv("LISTEN_FDS");
    long v;

    if (!pid || !n_fds || !number_parse(pid, INT32_MAX, &v) || v != getpid())
        return -1;
    return number_parse(n_fds, 1024, &v) && v > 0 ? 3 : -1;
}

static bool somebody_listens(const struct sockaddr_un *addr)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN;
}

static enum aw_err socket_listen(const char *path, int *ret_fd, struct aw_error *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    mode_t mask;
    int failed;

    if (strlen(path) >= sizeof(addr.sun_path))
        return aw_fail(err, AW_ERR_INVALID, "socket %s: the path is too long", path);
    memcpy(addr.sun_path, path, strlen(path));
    if (somebody_listens(&addr))
        return aw_fail(err, AW_ERR_SYSTEM, "socket %s: another runner listens there", path);
    unlink(path);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    mask = umask(077);
    failed = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
    umask(mask); /* jobs inherit it */
    if (failed || listen(fd, BACKLOG) < 0)
        return aw_fail(err, AW_ERR_SYSTEM, "socket %s: %s", path, strerror(errno));
    *ret_fd = take_fd(fd);
    return AW_OK;
}

static enum aw_err listen_somewhere(struct options *options, struct aw_error *err)
{
    int type = 0;
    socklen_t len = sizeof(type);

    if (options->socket_path)
        return socket_listen(options->socket_path, &options->config.listen_fd, err);
    if (options->config.listen_fd < 0)
        options->config.listen_fd = activated_fd();
    if (options->config.listen_fd < 0)
        return aw_fail(err, AW_ERR_INVALID, "no socket was passed: --socket or --listen-fd");
    if (getsockopt(options->config.listen_fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        type != SOCK_SEQPACKET)
        return aw_fail(err, AW_ERR_INVALID, "descriptor %d is not a SOCK_SEQPACKET socket",
                       options->config.listen_fd);
    return AW_OK;
}

int main(int argc, char **argv)
{
    static struct runner runner;
    struct options options = {.config = {.listen_fd = -1,
                                         .idle_us = (int64_t)DEFAULT_IDLE_S * 1000000,
                                         .cgroup = "auto",
                                         .identity.jobs_as = JOBS_AS_AUTO}};
    struct aw_error err;
    int status = options_parse(&options, argc, argv);

    if (status >= 0)
        return status;
    if (!stdio_open())
        return EXIT_FAILURE;
    if (listen_somewhere(&options, &err) != AW_OK ||
        runner_open(&options.config, &runner, &err) != AW_OK) {
        log_msg(LOG_ERR, "%s", err.text);
        return EXIT_FAILURE;
    }
    (void)!chdir("/"); /* so as to keep no file system busy; everything is open by now */
    runner_run(&runner);
    runner_close(&runner);
    return EXIT_SUCCESS;
}
