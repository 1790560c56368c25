/* ping, stats, slots, drain and shutdown: what concerns the daemon and no job. */
#include <inttypes.h>
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "proto/limits.h"

/* ---- ping ----------------------------------------------------------------------------------- */

static int run_ping(struct awctl *ctl, int argc, char **argv)
{
    char address[AW_MAX_PATH + 1];
    struct aw_hello *hello;
    struct aw_error err;
    int64_t start;
    int code = awctl_prepare(ctl);

    (void)argc;
    (void)argv;
    if (code)
        return code;
    start = boottime_us();
    if (aw_hello(ctl->client, &hello, &err))
        return awctl_fail(&err);
    start = boottime_us() - start;
    aw_client_address(ctl->client, address, sizeof(address));
    if (ctl->json)
        json_hello(hello, address, start);
    else
        printf("%s (pid %d, store %s) at %s answered in %" PRId64 ".%02" PRId64 " ms\n",
               hello->daemon, (int)hello->pid, hello->tag, address, start / 1000,
               start % 1000 / 10);
    aw_hello_free(hello);
    return output_code(0);
}

const struct command command_ping = {
    .name = "ping",
    .usage = "",
    .help = "ask whether the daemon is there",
    .run = run_ping,
};

/* ---- stats ---------------------------------------------------------------------------------- */

static int run_stats(struct awctl *ctl, int argc, char **argv)
{
    struct aw_stats *stats;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    (void)argv;
    if (code)
        return code;
    if (aw_stats(ctl->client, &stats, &err))
        return awctl_fail(&err);
    if (ctl->json)
        json_stats(stats);
    else
        print_stats(stats);
    aw_stats_free(stats);
    return output_code(0);
}

const struct command command_stats = {
    .name = "stats",
    .usage = "",
    .help = "print the daemon's counters",
    .run = run_stats,
};

/* ---- slots ---------------------------------------------------------------------------------- */

static int run_slots(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"slots:i", "running:i"};
    static const struct opt number = {"slots", 0, OPT_INT, "N", "", 0, 0, AW_MAX_SLOTS};
    int64_t wanted = -1;
    uint64_t running;
    unsigned slots;
    struct aw_error err;
    int code;

    if (argc && option_set(&number, &wanted, argv[0], &err))
        return bad_usage("slots", "%s", err.text);
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (aw_slots(ctl->client, (int)wanted, &slots, &running, &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, (int64_t)slots, (int64_t)running);
    else
        printf("%u\n", slots);
    return output_code(0);
}

const struct command command_slots = {
    .name = "slots",
    .usage = "[N]",
    .help = "print, or set, how many jobs run at once (0: start none)",
    .max_args = 1,
    .run = run_slots,
};

/* ---- drain ---------------------------------------------------------------------------------- */

static struct drain_values {
    bool off;
} drain_values;

static const struct opt drain_opts[] = {
    {"off", 0, OPT_FLAG, NULL, "accept new jobs again", offsetof(struct drain_values, off), 0, 0},
};

static int run_drain(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"draining:b", "unfinished:i"};
    uint64_t unfinished;
    struct aw_error err;
    int code = awctl_prepare(ctl);

    (void)argc;
    (void)argv;
    if (code)
        return code;
    if (aw_drain(ctl->client, !drain_values.off, &unfinished, &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, (int)!drain_values.off, (int64_t)unfinished);
    else
        printf("%" PRIu64 "\n", unfinished);
    return output_code(0);
}

const struct command command_drain = {
    .name = "drain",
    .usage = "[--off]",
    .help = "accept no new jobs; print how many have not ended",
    .opts = drain_opts,
    .n_opts = ARRAY_SIZE(drain_opts),
    .values = &drain_values,
    .run = run_drain,
};

/* ---- shutdown ------------------------------------------------------------------------------- */

static struct shutdown_values {
    bool drain, kill;
} shutdown_values;

static const struct opt shutdown_opts[] = {
    {"drain", 0, OPT_FLAG, NULL, "once the running jobs have ended",
     offsetof(struct shutdown_values, drain), 0, 0},
    {"kill", 0, OPT_FLAG, NULL, "end the running jobs first",
     offsetof(struct shutdown_values, kill), 0, 0},
};

static int run_shutdown(struct awctl *ctl, int argc, char **argv)
{
    static const char *const specs[] = {"running:i"};
    enum aw_shutdown_mode mode = shutdown_values.drain  ? AW_SHUTDOWN_DRAIN
                                 : shutdown_values.kill ? AW_SHUTDOWN_KILL
                                                        : AW_SHUTDOWN_LEAVE;
    uint64_t running;
    struct aw_error err;
    int code;

    (void)argc;
    (void)argv;
    if (shutdown_values.drain && shutdown_values.kill)
        return bad_usage("shutdown", "--drain and --kill exclude each other");
    code = awctl_prepare(ctl);
    if (code)
        return code;
    if (aw_shutdown(ctl->client, mode, &running, &err))
        return awctl_fail(&err);
    if (ctl->json)
        JSON_LINE(specs, (int64_t)running);
    else if (running && mode == AW_SHUTDOWN_LEAVE)
        complain("%" PRIu64 " jobs go on running", running);
    return output_code(0);
}

const struct command command_shutdown = {
    .name = "shutdown",
    .usage = "[--drain | --kill]",
    .help = "end the daemon; running jobs go on, unless an option says otherwise",
    .opts = shutdown_opts,
    .n_opts = ARRAY_SIZE(shutdown_opts),
    .values = &shutdown_values,
    .run = run_shutdown,
};
