#include "client/awctl/awctl.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/limits.h"
#include "proto/text.h"

#define ADVICE_TEXT (AW_MAX_QUEUE_NAME + 64)

#define HASTE_MS 1000

const struct opt common_opts[] = {
    {"socket", 'S', OPT_TEXT, "ADDRESS", "where awd listens: a path or URL (else $AWD_SOCKET)",
     offsetof(struct awctl, socket), 0, 0},
    {"json", 'j', OPT_FLAG, NULL, "print JSON, one object a line", offsetof(struct awctl, json), 0,
     0},
    {"tls-ca", 0, OPT_TEXT, "FILE", "tls+tcp: who signs the daemon's certificate (PEM)",
     offsetof(struct awctl, tls_ca), 0, 0},
    {"tls-cert", 0, OPT_TEXT, "FILE", "tls+tcp: our certificate and its key (PEM)",
     offsetof(struct awctl, tls_cert), 0, 0},
    {"connect-timeout", 0, OPT_DURATION, "TIME", "how long to try when awd is not there (1s)",
     offsetof(struct awctl, retry_ms), 0, 0},
    {"help", 'h', OPT_FLAG, NULL, "say what it does", offsetof(struct awctl, help), 0, 0},
};
const size_t n_common_opts = ARRAY_SIZE(common_opts);

/* ---- Messages ------------------------------------------------------------------------------ */

void complain(const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fprintf(stderr, "awctl: %s\n", text);
}

int bad_usage(const char *name, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    complain("%s (see: awctl help%s%s)", text, name ? " " : "", name ? name : "");
    return EXIT_BAD_USAGE;
}

/* The sentence is about a queue, or about the daemon as a whole. */
static const char *drain_advice(const char *text, char buf[ADVICE_TEXT])
{
    const char *name = strstr(text, "queue '"), *end = name ? strstr(name, "' takes") : NULL;

    if (!end)
        return "; awctl drain --off ends that";
    name += strlen("queue '");
    snprintf(buf, ADVICE_TEXT, "; awctl queue drain --off %.*s ends that", (int)(end - name), name);
    return buf;
}

static const char *wait_advice(unsigned ms, char buf[ADVICE_TEXT])
{
    char text[32];

    if (!ms)
        return NULL;
    duration_format(text, sizeof(text), ms);
    snprintf(buf, ADVICE_TEXT, "; there may be room in %s", text);
    return buf;
}

/* What to do about it; NULL when the sentence says all. */
static const char *advice(const struct aw_error *err, char buf[ADVICE_TEXT])
{
    switch (err->code) {
    case AW_ERR_UNREACHABLE:
        return strstr(err->text, "no daemon at")
                   ? "; is it running? try: systemctl start awd, or awd --dir DIR"
                   : NULL;
    case AW_ERR_NOT_PERMITTED:
        return strstr(err->text, "certificate") ? "; --tls-ca and --tls-cert name them" : NULL;
    case AW_ERR_FOREIGN_ID:
        return "; look at the part before the dash, or use --socket for another daemon";
    case AW_ERR_DRAINING:
        return drain_advice(err->text, buf);
    case AW_ERR_QUEUE_FULL:
    case AW_ERR_QUOTA:
        return wait_advice(err->retry_after_ms, buf);
    case AW_ERR_IN_DOUBT:
        return "; awctl list shows what is there";
    default:
        return NULL;
    }
}

int awctl_fail(const struct aw_error *err)
{
    char buf[ADVICE_TEXT];
    const char *more = advice(err, buf);

    complain("%s%s", err->text, more ? more : "");
    return aw_err_exit_code(err->code);
}

/* ---- The client ---------------------------------------------------------------------------- */

static void notice(void *arg, enum aw_err code, const char *text)
{
    (void)arg;
    /* On a terminal a line of progress may be there. */
    complain("%s%s%s", isatty(STDERR_FILENO) ? "\r\033[K" : "", text, code ? "; trying on" : "");
}

static struct aw_client_config config_of(const struct awctl *ctl)
{
    struct aw_client_config config;

    aw_client_config_init(&config);
    config.url = ctl->socket;
    config.retry_ms = ctl->retry_ms;
    config.tls_ca_file = ctl->tls_ca ? ctl->tls_ca : getenv("AWD_TLS_CA");
    config.tls_cert_key_file = ctl->tls_cert ? ctl->tls_cert : getenv("AWD_TLS_CERT");
    return config;
}

int awctl_prepare(struct awctl *ctl)
{
    struct aw_client_config config = config_of(ctl);
    struct aw_error err;

    if (ctl->json && !json_ready())
        return aw_err_exit_code(AW_ERR_SYSTEM);
    config.notice = notice;
    return aw_client_open(&config, &ctl->client, &err) ? awctl_fail(&err) : 0;
}

struct aw_client *awctl_hasty_client(const struct awctl *ctl)
{
    struct aw_client_config config = config_of(ctl);
    struct aw_client *client;

    config.retry_ms = 0;
    config.answer_ms = HASTE_MS;
    return aw_client_open(&config, &client, NULL) ? NULL : client;
}

/* ---- From main() to a command --------------------------------------------------------------- */

static int command_run(struct awctl *ctl, const struct command *c, int argc, char **argv);

/* The options before the name of one of its commands are those that all commands have. */
static int group_run(struct awctl *ctl, const struct command *group, int argc, char **argv)
{
    struct opt_set set = {common_opts, n_common_opts, ctl};
    const struct command *c;
    struct aw_error err;
    int first;

    if (options_parse(&set, 1, argc, argv, true, &first, &err))
        return bad_usage(group->name, "%s", err.text);
    if (ctl->help)
        return command_help_print(group);
    if (first == argc)
        return bad_usage(group->name, "%s needs %s", group->name, group->usage);
    c = command_find(group, argv[first]);
    return c ? command_run(ctl, c, argc - first, argv + first) : EXIT_BAD_USAGE;
}

static int command_run(struct awctl *ctl, const struct command *c, int argc, char **argv)
{
    struct opt_set sets[] = {{c->opts, c->n_opts, c->values}, {common_opts, n_common_opts, ctl}};
    struct aw_error err;
    int first, n;

    if (c->subs)
        return group_run(ctl, c, argc, argv);
    if (options_parse(sets, ARRAY_SIZE(sets), argc, argv, c->command_follows, &first, &err))
        return bad_usage(c->name, "%s", err.text);
    if (ctl->help)
        return command_help_print(c);
    n = argc - first;
    if (n < c->min_args)
        return bad_usage(c->name, "%s needs %s", c->name, c->usage);
    if (c->max_args >= 0 && n > c->max_args)
        return bad_usage(c->name, "%s: '%s' is too much", c->name, argv[first + c->max_args]);
    return c->run(ctl, n, argv + first);
}

int awctl_main(int argc, char **argv)
{
    struct awctl ctl = {.retry_ms = 1000};
    struct opt_set set = {common_opts, n_common_opts, &ctl};
    const struct command *c;
    struct aw_error err;
    int first, code;

    if (options_parse(&set, 1, argc, argv, true, &first, &err))
        return bad_usage(NULL, "%s", err.text);
    if (ctl.help && first == argc)
        return command_find(NULL, "help")->run(&ctl, 0, NULL);
    if (first == argc)
        return bad_usage(NULL, "no command was given");
    c = command_find(NULL, argv[first]);
    if (!c)
        return EXIT_BAD_USAGE;
    code = command_run(&ctl, c, argc - first, argv + first);
    aw_client_close(ctl.client);
    return code;
}
