#include "daemon/config.h"

#include <errno.h>

#include "daemon/access.h"
#include "daemon/addresses.h"
#include "daemon/config_value.h"
#include "daemon/endpoint.h"

#define N_KEYS 64 /* room for the table */

_Static_assert(sizeof((const char[]){
#define X(KIND, member, key, def, min, max, when, arg, text) 0,
                   CONFIG_MAP(X)
#undef X
               }) <= N_KEYS,
               "make N_KEYS larger");

/* Flags that are no keys. X(NAME, "name", 'letter' or 0, "ARGUMENT" or NULL, "meaning") */
#define FLAG_MAP(X)                                                                        \
    X(DIR, "dir", 0, "DIR", "keep everything in DIR: store, output, sockets, lock")        \
    X(CONFIG, "config", 0, "FILE", "read FILE, not the usual configuration file")          \
    X(CHECK, "check-config", 0, NULL, "say what the configuration comes to, and end")      \
    X(VERIFY, "verify", 0, NULL, "say what is wrong with store and output files, and end") \
    X(VERIFY_FILE, "verify-file", 0, "FILE", "say what is wrong with a backup, and end")   \
    X(RESTORE, "restore", 0, "FILE", "make a backup the store, and end")                   \
    X(FORCE, "force", 0, NULL, "with --restore: move a store that is there aside")         \
    X(HOLD, "hold", 0, NULL, "with --restore: pause all queues")                           \
    X(HELP, "help", 'h', NULL, "show this, and end")                                       \
    X(VERSION, "version", 'V', NULL, "show the version, and end")

#define X(NAME, name, letter, arg, text) FLAG_##NAME,
enum flag { FLAG_MAP(X) N_FLAGS };
#undef X

static const struct {
    const char *name;
    char letter;
    const char *argument;
    const char *text;
} flags[] = {
#define X(NAME, name, letter, arg, text) {name, letter, arg, text},
    FLAG_MAP(X)
#undef X
};

/* ---- The command line ---------------------------------------------------------------------- */

/* A walk over argv. */
struct args {
    int argc, i;
    char **argv;
    const char *name; /* of the present flag, without dashes */
    size_t name_len;
    const char *value; /* behind its '='; NULL: no '=' */
};

/* False: no more. An argument that is no flag has name NULL. */
static bool args_next(struct args *a)
{
    const char *arg;

    if (++a->i >= a->argc)
        return false;
    arg = a->argv[a->i];
    a->name = a->value = NULL;
    if (strncmp(arg, "--", 2) != 0 || !arg[2])
        return true;
    a->name = arg + 2;
    a->name_len = strcspn(a->name, "=");
    if (a->name[a->name_len] == '=')
        a->value = a->name + a->name_len + 1;
    return true;
}

/* The flag's argument, behind '=' or as the next word. */
static enum aw_err args_value(struct args *a, const char *argument, const char **ret,
                              struct aw_error *err)
{
    if (!a->value && a->i + 1 < a->argc)
        a->value = a->argv[++a->i];
    if (!a->value || !*a->value)
        return aw_fail(err, AW_ERR_USAGE, "--%.*s needs an argument: %s", (int)a->name_len, a->name,
                       argument);
    *ret = a->value;
    return AW_OK;
}

static int flag_find(const struct args *a)
{
    const char *arg = a->argv[a->i];

    for (int f = 0; f < N_FLAGS; f++) {
        if (a->name && strlen(flags[f].name) == a->name_len &&
            !memcmp(flags[f].name, a->name, a->name_len))
            return f;
        if (!a->name && arg[0] == '-' && arg[1] && arg[1] == flags[f].letter && !arg[2])
            return f;
    }
    return N_FLAGS;
}

static enum aw_err unknown_flag(const struct args *a, struct aw_error *err)
{
    const struct config_key *near = a->name ? config_key_near(a->name, a->name_len) : NULL;
    char flag[64];

    if (near) {
        snprintf(flag, sizeof(flag), "%s", near->name);
        for (char *p = flag; *p; p++)
            *p = *p == '_' ? '-' : *p;
        return aw_fail(err, AW_ERR_USAGE, "no such flag '%.60s'; did you mean '--%s'?",
                       a->argv[a->i], flag);
    }
    if (a->argv[a->i][0] != '-')
        return aw_fail(err, AW_ERR_USAGE, "'%.60s' is no flag; awd takes nothing else",
                       a->argv[a->i]);
    return aw_fail(err, AW_ERR_USAGE, "no such flag '%.60s'; awd --help lists them", a->argv[a->i]);
}

static char *absolute(const char *path)
{
    char cwd[AW_MAX_PATH + 1], *joined;

    if (*path == '/')
        return strdup(path);
    if (!getcwd(cwd, sizeof(cwd)) || asprintf(&joined, "%s/%s", cwd, path) < 0)
        return NULL;
    return joined;
}

static enum aw_err flag_path(struct args *a, const char *argument, char **ret, struct aw_error *err)
{
    const char *value = "";
    enum aw_err e = args_value(a, argument, &value, err);
    char *path;

    if (e)
        return e;
    path = absolute(value);
    if (!path)
        return aw_fail(err, AW_ERR_SYSTEM, "--%.*s %.100s: %s", (int)a->name_len, a->name, value,
                       strerror(errno));
    free(*ret);
    *ret = path;
    return AW_OK;
}

static enum aw_err flag_apply(struct config *config, enum flag flag, struct args *a,
                              struct aw_error *err)
{
    switch (flag) {
    case FLAG_DIR:
        return flag_path(a, flags[flag].argument, &config->dir, err);
    case FLAG_CONFIG:
        return flag_path(a, flags[flag].argument, &config->file, err);
    case FLAG_CHECK:
        config->action = CONFIG_CHECK;
        break;
    case FLAG_VERIFY:
        config->action = CONFIG_VERIFY;
        break;
    case FLAG_VERIFY_FILE:
        config->action = CONFIG_VERIFY;
        return flag_path(a, flags[flag].argument, &config->target, err);
    case FLAG_RESTORE:
        config->action = CONFIG_RESTORE;
        return flag_path(a, flags[flag].argument, &config->target, err);
    case FLAG_FORCE:
        config->force = true;
        break;
    case FLAG_HOLD:
        config->hold = true;
        break;
    case FLAG_HELP:
        config->action = CONFIG_HELP;
        break;
    case FLAG_VERSION:
        config->action = CONFIG_VERSION;
        break;
    case N_FLAGS:
        break;
    }
    if (a->name && a->value)
        return aw_fail(err, AW_ERR_USAGE, "--%s takes no argument", flags[flag].name);
    return AW_OK;
}

/* --key VALUE; a yes-or-no key alone means yes. */
static enum aw_err key_value(struct args *a, const struct config_key *key, const char **ret,
                             struct aw_error *err)
{
    if ((key->kind == CONFIG_BOOL || key->kind == CONFIG_SWITCH) && !a->value) {
        *ret = "yes";
        return AW_OK;
    }
    return args_value(a, key->argument, ret, err);
}

static enum aw_err key_apply(struct config *config, const struct config_key *key, bool *seen,
                             const char *value, struct aw_error *err)
{
    bool *first = &seen[key - config_keys];
    struct aw_error why;
    enum aw_err e;

    if (!*first)
        value_clear(key, config); /* a list from the file gives way */
    *first = true;
    e = value_set(key, config, value, &why);
    return e ? aw_fail(err, e, "--%s %.60s: %s", key->name, value, why.text) : AW_OK;
}

/* Twice: first for the flags that say where the file is, then, over the file, for the keys. */
static enum aw_err args_read(struct config *config, bool keys, struct aw_error *err)
{
    struct args a = {.argc = config->argc, .argv = config->argv};
    bool seen[N_KEYS] = {false};
    enum aw_err e = AW_OK;

    while (!e && args_next(&a)) {
        const struct config_key *key = a.name ? config_key_find(a.name, a.name_len) : NULL;
        int flag = flag_find(&a);
        const char *value = NULL;

        if (flag < N_FLAGS) {
            e = flag_apply(config, (enum flag)flag, &a, err);
        } else if (key) {
            e = key_value(&a, key, &value, err);
            if (!e && keys)
                e = key_apply(config, key, seen, value, err);
        } else {
            e = unknown_flag(&a, err);
        }
        if (config->action == CONFIG_HELP || config->action == CONFIG_VERSION)
            break;
    }
    return e;
}

/* ---- Loading ------------------------------------------------------------------------------- */

static enum aw_err set_defaults(struct config *config, struct aw_error *err)
{
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < config_n_keys; i++)
        e = value_set(&config_keys[i], config, config_keys[i].def, err);
    return e;
}

/* Run by root, or by systemd for the system's own user, and not told otherwise. */
static bool is_system(const struct config *config)
{
    const char *state = getenv("STATE_DIRECTORY");

    return !config->dir && (geteuid() == 0 || (state && !strncmp(state, "/var/lib/", 9)));
}

static enum aw_err read_file(struct config *config, struct aw_error *err)
{
    bool seen[N_KEYS] = {false};

    if (!config->file) {
        config->file = config_default_file(config);
        if (!config->file || access(config->file, F_OK) < 0) {
            free(take_ptr(config->file)); /* nobody has to write one */
            return AW_OK;
        }
    }
    return config_file_read(config->file, config, seen, err);
}

static enum aw_err check_urls(const struct config *config, struct aw_error *err)
{
    struct endpoint_config endpoint = {
        .tls_cert_key_file = config->tls_cert,
        .tls_ca_file = config->tls_ca,
        .allow_plain_tcp = config->allow_plain_tcp,
    };
    enum aw_err e = AW_OK;

    for (size_t i = 0; !e && i < config->listen.n; i++)
        e = endpoint_check_url(&endpoint, config->listen.v[i], err);
    return e;
}

static enum aw_err check_addresses(const struct config *config, struct aw_error *err)
{
    struct address_set *set = NULL;
    struct aw_error why;
    enum aw_err e = address_set_new(config->http_deny.v, config->http_deny.n, &set, &why);

    address_set_free(set);
    return e ? aw_fail(err, e, "http_deny: %s", why.text) : AW_OK;
}

static enum aw_err check_access(const struct config *config, struct aw_error *err)
{
    struct access *access = NULL;
    enum aw_err e = access_new(config, &access, err);

    access_free(access);
    return e;
}

static enum aw_err load(struct config *config, struct aw_error *err)
{
    enum aw_err e = set_defaults(config, err);

    if (!e)
        e = args_read(config, false, err);
    if (!e && (config->force || config->hold) && config->action != CONFIG_RESTORE &&
        config->action != CONFIG_HELP && config->action != CONFIG_VERSION)
        e = aw_fail(err, AW_ERR_USAGE, "--force and --hold go with --restore only");
    if (e || config->action == CONFIG_HELP || config->action == CONFIG_VERSION)
        return e;
    config->system = is_system(config);
    e = read_file(config, err);
    if (!e)
        e = args_read(config, true, err);
    if (!e)
        e = config_fill(config, err);
    if (!e)
        e = check_urls(config, err);
    if (!e)
        e = check_addresses(config, err);
    if (!e)
        e = check_access(config, err);
    return e;
}

enum aw_err config_load(int argc, char **argv, struct config *ret, struct aw_error *err)
{
    struct config config = {.argc = argc, .argv = argv};
    enum aw_err e = load(&config, err);

    if (e)
        config_done(&config);
    else
        *ret = config;
    return e;
}

enum aw_err config_reload(struct config *config, char *ret_restart, size_t size,
                          struct aw_error *err)
{
    struct config new;
    enum aw_err e = config_load(config->argc, config->argv, &new, err);
    size_t len = 0;

    if (e)
        return e;
    ret_restart[0] = '\0';
    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];

        if (key->reload)
            value_swap(key, config, &new);
        else if (!value_same(key, config, &new) && len < size)
            len +=
                (size_t)snprintf(ret_restart + len, size - len, "%s%s", len ? ", " : "", key->name);
    }
    config_done(&new);
    return AW_OK;
}

void config_done(struct config *config)
{
    for (size_t i = 0; i < config_n_keys; i++)
        value_clear(&config_keys[i], config);
    free(take_ptr(config->target));
    free(take_ptr(config->dir));
    free(take_ptr(config->file));
}

/* ---- Telling ------------------------------------------------------------------------------- */

static void help_flag(FILE *out, char letter, const char *name, const char *argument,
                      const char *text)
{
    char left[64];
    int n = letter ? snprintf(left, sizeof(left), "  -%c, --", letter)
                   : snprintf(left, sizeof(left), "      --");

    for (const char *p = name; *p && n < 40; p++)
        left[n++] = *p == '_' ? '-' : *p;
    snprintf(left + n, sizeof(left) - (size_t)n, "%s%s", argument && *argument != '[' ? " " : "",
             argument ? argument : "");
    fprintf(out, "%-32s %s", left, text);
}

void config_help(FILE *out)
{
    fputs("Usage: awd [FLAG]...\n\n"
          "Runs jobs, and keeps what became of them. awctl talks to it.\n\n"
          "What to do:\n",
          out);
    for (int f = 0; f < N_FLAGS; f++) {
        help_flag(out, flags[f].letter, flags[f].name, flags[f].argument, flags[f].text);
        fputc('\n', out);
    }
    fputs(
        "\nKeys, here and in the configuration file (there with _ for -). Those with a * are read\n"
        "again on SIGHUP:\n",
        out);
    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];

        help_flag(out, 0, key->name,
                  key->kind == CONFIG_BOOL || key->kind == CONFIG_SWITCH ? "[=yes|no]"
                                                                         : key->argument,
                  key->text);
        if (*key->def)
            fprintf(out, " [%s]", key->def);
        fputs(key->reload ? " *\n" : "\n", out);
    }
}

void config_print(const struct config *config, FILE *out)
{
    if (config->file) {
        fputs("# from ", out);
        comment_print(config->file, out);
        fputs(", and the flags\n", out);
    }
    for (size_t i = 0; i < config_n_keys; i++)
        value_print(&config_keys[i], config, out);
}
