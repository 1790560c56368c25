#include "daemon/config_value.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <syslog.h>

#include "tests/unit/unit.h"

static char dir[64], file[100];
static struct config config;
static struct aw_error error;

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/awd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof(file), "%s/awd.conf", dir);
    unsetenv("STATE_DIRECTORY");
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("CONFIGURATION_DIRECTORY");
    error = (struct aw_error){0};
}

static void teardown(void)
{
    config_done(&config);
    unlink(file);
    rmdir(dir);
}

static void write_file(const char *text)
{
    FILE *out = fopen(file, "w");

    ck_assert_int_ge(fputs(text, out), 0);
    fclose(out);
}

/* `awd` and the flags, up to a NULL. */
static enum aw_err load(const char **argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return config_load(argc, (char **)argv, &config, &error);
}

#define LOAD(...) load((const char *[]){"awd", __VA_ARGS__, NULL})
#define LOAD_OK(...) \
    ck_assert_msg(LOAD("--dir", dir, ##__VA_ARGS__) == AW_OK, "refused: %s", error.text)
#define ck_error_has(part) \
    ck_assert_msg(strstr(error.text, part) != NULL, "'%s' lacks '%s'", error.text, (part))

START_TEST(without_file_and_flags_the_table_holds)
{
    LOAD_OK();
    ck_assert_int_eq(config.action, CONFIG_RUN);
    ck_assert_ptr_null(config.file);
    ck_assert_int_eq(config.max_queued, 1000000);
    ck_assert_int_eq(config.max_inflight, 20000);
    ck_assert_int_eq(config.max_connections, 4000);
    ck_assert_int_eq(config.max_kept, 1000000);
    ck_assert_int_eq(config.retention_ms, INT64_C(7) * 86400 * 1000);
    ck_assert_int_eq(config.output_limit, 1 << 30);
    ck_assert_int_eq(config.log_level, LOG_INFO);
    ck_assert(!config.allow_plain_tcp);
    ck_assert_str_eq(config.runner_path, AW_RUNNER_PATH);
    ck_assert_ptr_null(config.tls_cert);
    ck_assert_uint_eq(config.http_deny.n, 1);
    ck_assert_str_eq(config.http_deny.v[0], "metadata");
}
END_TEST

START_TEST(a_list_that_is_given_replaces_the_default_one)
{
    write_file("http_deny = private\nhttp_deny = 192.0.2.0/24\n");
    LOAD_OK();
    ck_assert_uint_eq(config.http_deny.n, 2);
    ck_assert_str_eq(config.http_deny.v[0], "private");
    config_done(&config);
    LOAD_OK("--http-deny", "none");
    ck_assert_uint_eq(config.http_deny.n, 1);
    ck_assert_str_eq(config.http_deny.v[0], "none");
}
END_TEST

START_TEST(dir_keeps_everything_in_one_place)
{
    char want[100];

    LOAD_OK();
    ck_assert_str_eq(config.state_dir, dir);
    ck_assert_str_eq(config.run_dir, dir);
    ck_assert_uint_eq(config.listen.n, 1);
    snprintf(want, sizeof(want), "ipc://%s/awd.sock", dir);
    ck_assert_str_eq(config.listen.v[0], want);
    snprintf(want, sizeof(want), "%s/runner.sock", dir);
    ck_assert_str_eq(config.runner_socket, want);
    ck_assert_int_eq(config.socket_mode, 0600);
    ck_assert(!config.system);
}
END_TEST

START_TEST(a_relative_dir_is_made_absolute)
{
    char want[100];

    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(LOAD("--dir=sub"), AW_OK);
    snprintf(want, sizeof(want), "%s/sub", dir);
    ck_assert_str_eq(config.state_dir, want);
}
END_TEST

START_TEST(slots_are_the_cpus_unless_said_otherwise)
{
    cpu_set_t set;

    ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
    LOAD_OK();
    ck_assert_int_eq(config.slots, CPU_COUNT(&set));
    config_done(&config);
    LOAD_OK("--slots", "0");
    ck_assert_int_eq(config.slots, 0);
    config_done(&config);
    LOAD_OK("--slots=auto");
    ck_assert_int_eq(config.slots, CPU_COUNT(&set));
}
END_TEST

START_TEST(the_file_is_read_key_by_key)
{
    write_file("# a comment\n"
               "listen = ipc:///run/one.sock\n"
               "listen = ipc:///run/two.sock ; and another\n"
               "  slots = 3\n"
               "max_queued=17\n"
               "retention = 90s\n"
               "output_limit = 64K\n"
               "socket_mode = 0660\n"
               "runner_path = none\n"
               "allow_plain_tcp = yes\n"
               "log_level = debug\n");
    LOAD_OK();
    ck_assert_str_eq(config.file, file);
    ck_assert_uint_eq(config.listen.n, 2);
    ck_assert_str_eq(config.listen.v[1], "ipc:///run/two.sock");
    ck_assert_int_eq(config.slots, 3);
    ck_assert_int_eq(config.max_queued, 17);
    ck_assert_int_eq(config.retention_ms, 90000);
    ck_assert_int_eq(config.output_limit, 65536);
    ck_assert_int_eq(config.socket_mode, 0660);
    ck_assert_str_eq(config.runner_path, "none");
    ck_assert(config.allow_plain_tcp);
    ck_assert_int_eq(config.log_level, LOG_DEBUG);
}
END_TEST

START_TEST(flags_go_before_the_file)
{
    write_file("slots = 3\nlisten = ipc:///run/one.sock\nmax_kept = 5\n");
    LOAD_OK("--slots", "4", "--listen", "ipc:///a", "--listen=ipc:///b", "--allow-plain-tcp",
            "--max-queued=9");
    ck_assert_int_eq(config.slots, 4);
    ck_assert_int_eq(config.max_kept, 5);
    ck_assert_int_eq(config.max_queued, 9);
    ck_assert_uint_eq(config.listen.n, 2);
    ck_assert_str_eq(config.listen.v[0], "ipc:///a");
    ck_assert(config.allow_plain_tcp);
}
END_TEST

static const struct {
    const char *text, *says[3];
} wrong_files[] = {
    {"slots = many\n", {"awd.conf line 1", "slots = many", "0 to 4096, or auto"}},
    {"\n\nslots = 5000\n", {"line 3", "0 to 4096", "slots"}},
    {"slots = -1\n", {"line 1", "0 to 4096", "slots"}},
    {"max_queued = 0\n", {"1 to 100000000", "line 1", "max_queued"}},
    {"max_queued = auto\n", {"1 to 100000000", "line 1", "max_queued"}},
    {"slot = 1\n", {"line 1", "no such key 'slot'", "did you mean 'slots'"}},
    {"max-qeued = 1\n", {"line 1", "no such key 'max-qeued'", "did you mean 'max_queued'"}},
    {"nonsense = 1\n", {"line 1", "no such key 'nonsense'", "awd --help"}},
    {"slots = 1\nslots = 2\n", {"line 2", "slots", "twice"}},
    {"slots =\n", {"line 1", "slots", "no value"}},
    {"slots = ; three\n", {"line 1", "slots", "no value"}},
    {"slots =;3\n", {"line 1", "slots has no value", "';' begins a comment"}},
    {"\ntls_user=;\n", {"line 2", "tls_user has no value", "';' begins a comment"}},
    {"# fine\nslots\n", {"awd.conf line 2", "key = value", "line"}},
    {"[jobs]\nslots = 1\n", {"line 2", "sections", "[jobs]"}},
    {"retention = soon\n", {"line 1", "retention", "90s"}},
    {"retention = 10ms\n", {"line 1", "retention", "from 1.0s"}},
    {"output_limit = big\n", {"line 1", "output_limit", "64K"}},
    {"socket_mode = 0999\n", {"line 1", "socket_mode", "octal"}},
    {"allow_plain_tcp = maybe\n", {"line 1", "allow_plain_tcp", "yes or no"}},
    {"log_level = loud\n", {"line 1", "log_level", "warning"}},
    {"state_dir = here\n", {"line 1", "state_dir", "absolute path"}},
    {"runner_path = me\n", {"line 1", "runner_path", "or none"}},
    {"http_deny = 10.0.0.0/33\n", {"http_deny", "10.0.0.0/33", "metadata"}},
    {"http_deny = example.org\n", {"http_deny", "example.org", "ADDRESS/BITS"}},
    {"listen = http://x\n", {"http://x", "ipc://", "tls+tcp://"}},
    {"listen = tcp://127.0.0.1:1\n", {"tcp://127.0.0.1:1", "allow_plain_tcp", "jobs"}},
    {"listen = tls+tcp://0.0.0.0:1\n", {"tls+tcp://0.0.0.0:1", "tls_cert", "tls_ca"}},
};

START_TEST(what_is_wrong_in_the_file_is_named_with_its_line)
{
    write_file(wrong_files[_i].text);
    ck_assert_int_eq(LOAD("--dir", dir), AW_ERR_INVALID);
    for (int i = 0; i < 3; i++)
        ck_error_has(wrong_files[_i].says[i]);
}
END_TEST

START_TEST(a_line_that_is_too_long_is_refused_not_cut)
{
    char text[600];

    snprintf(text, sizeof(text), "# %0500d\nslots = 3\n", 0);
    write_file(text);
    ck_assert_int_eq(LOAD("--dir", dir), AW_ERR_INVALID);
    ck_error_has("line 1");
    ck_error_has("longer than");
}
END_TEST

static const struct {
    const char *argv[4];
    const char *says[2];
} wrong_flags[] = {
    {{"awd", "--slots", "x"}, {"--slots x", "0 to 4096"}},
    {{"awd", "--slots"}, {"--slots needs an argument", "N"}},
    {{"awd", "--slots="}, {"--slots needs an argument", "N"}},
    {{"awd", "--slos", "1"}, {"no such flag '--slos'", "did you mean '--slots'"}},
    {{"awd", "--max-conections=1"}, {"no such flag", "did you mean '--max-connections'"}},
    {{"awd", "--nonsense"}, {"no such flag '--nonsense'", "awd --help"}},
    {{"awd", "-x"}, {"no such flag '-x'", "awd --help"}},
    {{"awd", "start"}, {"'start' is no flag", "nothing else"}},
    {{"awd", "--"}, {"no such flag '--'", "awd --help"}},
    {{"awd", "--check-config=yes"}, {"--check-config", "no argument"}},
    {{"awd", "--dir"}, {"--dir needs an argument", "DIR"}},
};

START_TEST(what_is_wrong_with_a_flag_is_named)
{
    const char *argv[] = {"awd", "--dir", dir, wrong_flags[_i].argv[1], wrong_flags[_i].argv[2],
                          NULL};
    enum aw_err e = load(argv);

    ck_assert(e == AW_ERR_USAGE || e == AW_ERR_INVALID);
    ck_error_has(wrong_flags[_i].says[0]);
    ck_error_has(wrong_flags[_i].says[1]);
}
END_TEST

START_TEST(a_file_that_anybody_may_write_to_is_refused)
{
    write_file("slots = 7\n");
    ck_assert_int_eq(chmod(file, 0646), 0);
    ck_assert_int_eq(LOAD("--dir", dir), AW_ERR_NOT_PERMITTED);
    ck_error_has("0646");
    ck_error_has(file);
    ck_assert_int_eq(chmod(file, 0664), 0);
    LOAD_OK();
    if (geteuid() != 0)
        return; /* nobody else's file can be made */
    config_done(&config);
    ck_assert_int_eq(chown(file, 65534, 65534), 0);
    ck_assert_int_eq(LOAD("--dir", dir), AW_ERR_NOT_PERMITTED);
    ck_error_has("uid 65534");
    config = (struct config){0};
}
END_TEST

START_TEST(a_file_that_was_asked_for_must_be_there)
{
    ck_assert_int_eq(LOAD("--dir", dir, "--config", "/nowhere/awd.conf"), AW_ERR_SYSTEM);
    ck_error_has("/nowhere/awd.conf");
    ck_error_has("No such file");
    write_file("slots = 7\n");
    ck_assert_int_eq(LOAD("--config", file, "--dir", "/tmp"), AW_OK);
    ck_assert_int_eq(config.slots, 7);
}
END_TEST

START_TEST(actions_are_told_apart)
{
    ck_assert_int_eq(LOAD("--help", "--nonsense"), AW_OK);
    ck_assert_int_eq(config.action, CONFIG_HELP);
    config_done(&config);
    ck_assert_int_eq(LOAD("-V"), AW_OK);
    ck_assert_int_eq(config.action, CONFIG_VERSION);
    config_done(&config);
    LOAD_OK("--check-config");
    ck_assert_int_eq(config.action, CONFIG_CHECK);
}
END_TEST

START_TEST(systemd_says_where_things_are)
{
    setenv("STATE_DIRECTORY", "/var/lib/awd:/var/lib/other", 1);
    setenv("RUNTIME_DIRECTORY", "/run/awd", 1);
    setenv("CONFIGURATION_DIRECTORY", dir, 1);
    write_file("slots = 6\n");
    ck_assert_msg(LOAD("--max-kept=1") == AW_OK, "%s", error.text);
    ck_assert_str_eq(config.state_dir, "/var/lib/awd");
    ck_assert_str_eq(config.run_dir, "/run/awd");
    ck_assert_str_eq(config.file, file);
    ck_assert_int_eq(config.slots, 6);
    ck_assert(config.system);
    ck_assert_int_eq(config.socket_mode, 0660);
}
END_TEST

/* As `make distcheck` by root and by others: the effective user decides. */
START_TEST(a_user_has_his_own_places)
{
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    setenv("XDG_STATE_HOME", "/home/u/state", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    setenv("XDG_CONFIG_HOME", "/home/u/conf", 1);
    ck_assert_msg(LOAD("--max-kept=1") == AW_OK, "%s", error.text);
    ck_assert_str_eq(config.state_dir, "/home/u/state/awd");
    ck_assert_str_eq(config.run_dir, "/run/user/7/awd");
    ck_assert_int_eq(config.socket_mode, 0600);
    config_done(&config);
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/home/u", 1);
    ck_assert_int_eq(LOAD("--max-kept=1"), AW_OK);
    ck_assert_str_eq(config.state_dir, "/home/u/.local/state/awd");
    config_done(&config);
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(LOAD("--max-kept=1"), AW_ERR_INVALID);
    ck_error_has("XDG_RUNTIME_DIR");
    ck_error_has("--dir");
    config = (struct config){0};
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(a_reload_changes_what_may_change_and_names_the_rest)
{
    char restart[100];

    write_file("slots = 3\nmax_kept = 5\n");
    LOAD_OK("--max-queued=9");
    write_file("slots = 4\nlog_level = err\nmax_queued = 10\nmax_connections = 11\n"
               "listen = ipc:///x\nretention = 1h\n");
    ck_assert_int_eq(config_reload(&config, restart, sizeof(restart), &error), AW_OK);
    ck_assert_int_eq(config.slots, 4);
    ck_assert_int_eq(config.log_level, LOG_ERR);
    ck_assert_int_eq(config.retention_ms, 3600000);
    ck_assert_int_eq(config.max_kept, 1000000);
    ck_assert_int_eq(config.max_queued, 9);
    ck_assert_int_eq(config.max_connections, 4000);
    ck_assert_str_eq(restart, "listen, max_connections");
    write_file("");
    ck_assert_int_eq(config_reload(&config, restart, sizeof(restart), &error), AW_OK);
    ck_assert_str_eq(restart, "");
}
END_TEST

START_TEST(a_reload_of_a_wrong_file_changes_nothing)
{
    char restart[100] = "untouched";

    write_file("slots = 3\n");
    LOAD_OK();
    write_file("slots = 4\nlog_level = loud\n");
    ck_assert_int_eq(config_reload(&config, restart, sizeof(restart), &error), AW_ERR_INVALID);
    ck_error_has("line 2");
    ck_assert_int_eq(config.slots, 3);
    ck_assert_str_eq(restart, "untouched");
}
END_TEST

static char *printed(void (*print)(FILE *))
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (print)
        print(out);
    else
        config_print(&config, out);
    fclose(out);
    return text;
}

START_TEST(what_is_printed_says_the_same_when_it_is_read)
{
    char *first, *second;

    LOAD_OK("--slots=3", "--retention=90s", "--listen=ipc:///a", "--listen=ipc:///b",
            "--socket-mode=0640", "--allow-plain-tcp=yes", "--tls-ca=/x", "--log-level=warning");
    first = printed(NULL);
    ck_assert_ptr_nonnull(strstr(first, "\nretention = 90s\n"));
    ck_assert_ptr_nonnull(strstr(first, "\noutput_limit = 1G\n"));
    config_done(&config);
    write_file(first);
    ck_assert_msg(LOAD("--config", file) == AW_OK, "%s\n%s", error.text, first);
    free(take_ptr(config.file)); /* its name is in the heading */
    second = printed(NULL);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

static bool is_text(const struct config_key *key)
{
    return key->kind == CONFIG_PATH || key->kind == CONFIG_NAME || key->kind == CONFIG_LIST;
}

/* The line that has this text as the key's value. */
static char *printed_text(const struct config_key *key, const char *text)
{
    struct config with = {0};
    char *line;
    size_t len;
    FILE *out = open_memstream(&line, &len);

    ck_assert_msg(value_set(key, &with, text, &error) == AW_OK, "%s: %s", key->name, error.text);
    value_print(key, &with, out);
    fclose(out);
    value_clear(key, &with);
    return line;
}

/* That what is printed is read as the same, or else as nothing at all, and says so. */
static void check_printed(const struct config_key *key, const char *text, bool sayable)
{
    _cleanup_free_ char *line = printed_text(key, text);
    struct config want = {0}, got = {0};
    bool seen[64] = {false};

    ck_assert_msg(!strstr(line, "no line can say this") == sayable, "%s", line);
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    if (sayable)
        ck_assert_int_eq(value_set(key, &want, text, &error), AW_OK);
    write_file(line);
    ck_assert_msg(config_file_read(file, &got, seen, &error) == AW_OK, "%s: %s", line, error.text);
    ck_assert_msg(value_same(key, &want, &got), "%s", line);
    value_clear(key, &want);
    value_clear(key, &got);
}

static const struct {
    const char *text;
    bool sayable;
} texts[] = {
    {"x", true},
    {"x;y", true},
    {"x #y", true},
    {"x = y : z", true},
    {"x \"y\" 'z'", true},
    {"x\\", true},
    {"x\ty\rz", true},
    {"x\xc3\xa4\xc2\xa0", true},
    {"x ;y", false},
    {"x\t;", false},
    {"x ", false},
    {"x\r", false},
    {"x\n", false},
    {"x\nslots = 1", false},
    /* no paths */
    {"#x", true},
    {"=x", true},
    {"[x]", true},
    {"\"x\"", true},
    {";", false},
    {";x", false},
    {" x", false},
    {"\t", false},
};

START_TEST(any_text_is_printed_so_that_it_is_read_as_the_same_or_not_at_all)
{
    const char *text = texts[_i].text;

    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];
        char path[32];

        snprintf(path, sizeof(path), "/%s", text);
        if (key->kind == CONFIG_PATH && *text == 'x')
            check_printed(key, path, texts[_i].sayable);
        else if (is_text(key) && key->kind != CONFIG_PATH)
            check_printed(key, text, texts[_i].sayable);
    }
}
END_TEST

START_TEST(a_text_that_no_line_has_room_for_is_not_cut)
{
    char text[CONFIG_MAX_LINE + 1];

    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];
        int room = CONFIG_MAX_LINE - (int)strlen(key->name) - 1;

        if (!is_text(key) || key->kind == CONFIG_NAME) /* which has room always */
            continue;
        for (int n = room - 2; n <= room + 1; n++) {
            snprintf(text, sizeof(text), "/%0*d", n - 1, 0);
            check_printed(key, text, n <= room);
        }
    }
}
END_TEST

START_TEST(the_name_of_the_file_stays_in_its_comment)
{
    char *text;

    LOAD_OK();
    free(config.file);
    config.file = strdup("/tmp/a\nslots = 4096");
    text = printed(NULL);
    ck_assert_ptr_eq(strstr(text, "# from /tmp/a?slots = 4096, and the flags\n"), text);
    free(text);
}
END_TEST

START_TEST(help_has_every_key_as_a_flag)
{
    char *text = printed(config_help);
#define X(KIND, member, key, def, min, max, when, arg, meaning) key,
    const char *const keys[] = {CONFIG_MAP(X)};
#undef X

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        char flag[64];

        snprintf(flag, sizeof(flag), "--%s", keys[i]);
        for (char *p = flag; *p; p++)
            *p = *p == '_' ? '-' : *p;
        ck_assert_msg(strstr(text, flag) != NULL, "--help lacks %s", flag);
    }
    ck_assert_ptr_nonnull(strstr(text, "--check-config"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tc = tcase_create("config");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, without_file_and_flags_the_table_holds);
    tcase_add_test(tc, a_list_that_is_given_replaces_the_default_one);
    tcase_add_test(tc, dir_keeps_everything_in_one_place);
    tcase_add_test(tc, a_relative_dir_is_made_absolute);
    tcase_add_test(tc, slots_are_the_cpus_unless_said_otherwise);
    tcase_add_test(tc, the_file_is_read_key_by_key);
    tcase_add_test(tc, flags_go_before_the_file);
    tcase_add_loop_test(tc, what_is_wrong_in_the_file_is_named_with_its_line, 0,
                        ARRAY_SIZE(wrong_files));
    tcase_add_test(tc, a_line_that_is_too_long_is_refused_not_cut);
    tcase_add_loop_test(tc, what_is_wrong_with_a_flag_is_named, 0, ARRAY_SIZE(wrong_flags));
    tcase_add_test(tc, a_file_that_anybody_may_write_to_is_refused);
    tcase_add_test(tc, a_file_that_was_asked_for_must_be_there);
    tcase_add_test(tc, actions_are_told_apart);
    tcase_add_test(tc, systemd_says_where_things_are);
    tcase_add_test(tc, a_user_has_his_own_places);
    tcase_add_test(tc, a_reload_changes_what_may_change_and_names_the_rest);
    tcase_add_test(tc, a_reload_of_a_wrong_file_changes_nothing);
    tcase_add_test(tc, what_is_printed_says_the_same_when_it_is_read);
    tcase_add_loop_test(tc, any_text_is_printed_so_that_it_is_read_as_the_same_or_not_at_all, 0,
                        ARRAY_SIZE(texts));
    tcase_add_test(tc, a_text_that_no_line_has_room_for_is_not_cut);
    tcase_add_test(tc, the_name_of_the_file_stays_in_its_comment);
    tcase_add_test(tc, help_has_every_key_as_a_flag);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
