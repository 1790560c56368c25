/* awctl's options, IDs, times and suggestions: everything before a daemon is asked. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "client/awctl/awctl.h"
#include "client/awctl/jobspec.h"

struct values {
    bool flag;
    const char *text;
    struct texts texts;
    int64_t duration_ms, size, number, octal;
};

static const struct opt opts[] = {
    {"flag", 'f', OPT_FLAG, NULL, "", offsetof(struct values, flag), 0, 0},
    {"text", 't', OPT_TEXT, "TEXT", "", offsetof(struct values, text), 0, 0},
    {"env", 'E', OPT_TEXTS, "TEXT", "", offsetof(struct values, texts), 0, 0},
    {"duration", 'd', OPT_DURATION, "TIME", "", offsetof(struct values, duration_ms), 0, 0},
    {"size", 0, OPT_SIZE, "SIZE", "", offsetof(struct values, size), 0, 0},
    {"number", 'n', OPT_INT, "N", "", offsetof(struct values, number), -5, 5},
    {"umask", 0, OPT_OCTAL, "MODE", "", offsetof(struct values, octal), 0, 0777},
};

/* Splits a line at its spaces, and parses it behind a program's name. */
static enum aw_err parse(const char *line, bool stop, struct values *v, char *ret_rest,
                         struct aw_error *err)
{
    struct opt_set set = {opts, ARRAY_SIZE(opts), v};
    static char text[512], name[] = "awctl";
    char *argv[32] = {name}, *save = NULL;
    int argc = 1, first;
    enum aw_err e;

    snprintf(text, sizeof(text), "%s", line);
    for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save))
        argv[argc++] = p;
    e = options_parse(&set, 1, argc, argv, stop, &first, err);
    *ret_rest = '\0';
    for (int i = first; !e && i < argc; i++)
        sprintf(ret_rest + strlen(ret_rest), "%s%s", i > first ? " " : "", argv[i]);
    return e;
}

START_TEST(options_of_every_kind_are_understood)
{
    struct values v = {0};
    char rest[512];

    ck_assert_int_eq(parse("-f --text=a b -E A=1 -EB=2 --duration 1.5m --size 64K -n -3 "
                           "--umask 022 c",
                           false, &v, rest, NULL),
                     AW_OK);
    ck_assert(v.flag);
    ck_assert_str_eq(v.text, "a");
    ck_assert_uint_eq(v.texts.n, 2);
    ck_assert_str_eq(v.texts.v[1], "B=2");
    ck_assert_int_eq(v.duration_ms, 90000);
    ck_assert_int_eq(v.size, 65536);
    ck_assert_int_eq(v.number, -3);
    ck_assert_int_eq(v.octal, 022);
    ck_assert_str_eq(rest, "b c");
    free(v.texts.v);
}
END_TEST

START_TEST(where_a_command_follows_its_own_options_are_left_alone)
{
    struct values v = {0};
    char rest[512];

    ck_assert_int_eq(parse("-n 2 ls -f --text x", true, &v, rest, NULL), AW_OK);
    ck_assert_str_eq(rest, "ls -f --text x");
    ck_assert(!v.flag);
    ck_assert_int_eq(parse("-f -- -n 1", true, &v, rest, NULL), AW_OK);
    ck_assert_str_eq(rest, "-n 1");
}
END_TEST

START_TEST(wrong_options_are_named)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"--nmuber 1", "there is no option --nmuber; did you mean --number?"},
        {"--qqqqqqq", "there is no option --qqqqqqq"},
        {"-x", "there is no option -x"},
        {"--text", "option --text needs a value: TEXT"},
        {"-n", "option --number needs a value: N"},
        {"--flag=1", "option --flag takes no value"},
        {"-n 6", "--number: '6' is no number from -5 to 5"},
        {"-n 1x", "--number: '1x' is no number from -5 to 5"},
        {"--umask 8", "--umask: '8' is no octal number from 0 to 777"},
        {"-d soon", "--duration: 'soon' is no duration (90, 1.5s, 250ms, 5m, 2h and 1d are)"},
        {"--size big", "--size: 'big' is no size (4096, 64K, 10M and 2G are)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct values v = {0};
        struct aw_error err = {0};
        char rest[512];

        ck_assert_int_eq(parse(cases[i].line, false, &v, rest, &err), AW_ERR_USAGE);
        ck_assert_str_eq(err.text, cases[i].says);
    }
}
END_TEST

START_TEST(a_mistyped_word_suggests_the_nearest_name)
{
    static const char *const names[] = {"submit", "status", "stats", "slots", "wait", "list"};
    static const struct {
        const char *word, *meant;
    } cases[] = {
        {"sumbit", "submit"}, {"statsu", "status"}, {"stat", "stats"}, {"waits", "wait"},
        {"lsit", "list"},     {"slot", "slots"},    {"xyzzy", NULL},   {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *got = suggest(cases[i].word, names, ARRAY_SIZE(names));

        if (cases[i].meant)
            ck_assert_str_eq(got, cases[i].meant);
        else
            ck_assert_ptr_null(got);
    }
}
END_TEST

static void options_are_clear(const struct command *c)
{
    ck_assert_uint_le(c->n_opts + n_common_opts, MAX_OPTS);
    for (size_t k = 0; k < c->n_opts; k++) {
        const struct opt *opt = &c->opts[k];

        for (size_t i = 0; i < n_common_opts; i++) {
            ck_assert_str_ne(opt->name, common_opts[i].name);
            ck_assert(!opt->letter || opt->letter != common_opts[i].letter);
        }
        for (size_t i = 0; i < k; i++) {
            ck_assert_str_ne(opt->name, c->opts[i].name);
            ck_assert(!opt->letter || opt->letter != c->opts[i].letter);
        }
    }
}

static void commands_are_clear(const struct command *group, const struct command *const *list,
                               size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_ptr_eq(command_find(group, command_word(list[i])), list[i]);
        ck_assert(strlen(list[i]->help) > 10);
        ck_assert_int_eq(list[i]->run != NULL, list[i]->subs == NULL);
        options_are_clear(list[i]);
        if (!list[i]->subs)
            continue;
        ck_assert_ptr_null(list[i]->opts);
        commands_are_clear(list[i], list[i]->subs, list[i]->n_subs);
    }
}

START_TEST(every_command_has_help_and_a_name_of_its_own)
{
    commands_are_clear(NULL, commands, n_commands);
}
END_TEST

START_TEST(rates_may_be_written_in_several_ways)
{
    static const struct {
        const char *text;
        int rate;
        int64_t ms;
    } good[] = {{"10/s", 10, 1000}, {"100/1m", 100, 60000}, {"5/500ms", 5, 500},
                {"3/10", 3, 10000}, {"7/h", 7, 3600000},    {"0", 0, 1000},
                {"0/s", 0, 1000},   {"1/ms", 1, 1},         {"1000000/1.5s", 1000000, 1500}};
    static const char *const bad[] = {
        "",     "10",   "/s",    "10/",       "10/0",
        "10/x", "-1/s", "10/s ", "1000001/s", "10/10000000000000000000000000000000000s"};

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        int rate = -1;
        int64_t ms = -1;

        ck_assert_int_eq(rate_parse(good[i].text, &rate, &ms, NULL), AW_OK);
        ck_assert_int_eq(rate, good[i].rate);
        ck_assert_int_eq(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct aw_error err = {0};
        int64_t ms;
        int rate;

        ck_assert_msg(rate_parse(bad[i], &rate, &ms, &err) == AW_ERR_USAGE, "%s", bad[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "is no rate"));
    }
}
END_TEST

START_TEST(ids_are_checked_before_the_daemon_is_asked)
{
    char good[] = "k3f9q-1042", bare[] = "7", bad[] = "l0ng-ag0";
    struct aw_error err = {0};
    struct ids ids = {0};

    ck_assert_int_eq(ids_parse(2, (char *[]){good, bare}, &ids, NULL), AW_OK);
    ck_assert_uint_eq(ids.n, 2);
    ck_assert_str_eq(ids.v[1], "7");
    ids_done(&ids);
    ck_assert_int_eq(ids_parse(2, (char *[]){good, bad}, &ids, &err), AW_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "k3f9q-1042"));
    ck_assert_int_eq(ids_parse(0, NULL, &ids, NULL), AW_ERR_USAGE);
}
END_TEST

START_TEST(times_may_be_written_in_several_ways)
{
    int64_t us = 0, now = now_us();

    setenv("TZ", "Europe/Berlin", 1);
    ck_assert_int_eq(time_parse("@1767225600", &us, NULL), AW_OK);
    ck_assert_int_eq(us, INT64_C(1767225600000000));
    ck_assert_int_eq(time_parse("2026-01-01T00:00:00Z", &us, NULL), AW_OK);
    ck_assert_int_eq(us, INT64_C(1767225600000000));
    ck_assert_int_eq(time_parse("2026-01-01 00:00Z", &us, NULL), AW_OK);
    ck_assert_int_eq(us, INT64_C(1767225600000000));
    ck_assert_int_eq(time_parse("2026-01-01 01:00", &us, NULL), AW_OK);
    ck_assert_int_eq(us, INT64_C(1767225600000000));
    ck_assert_int_eq(time_parse("2026-01-01", &us, NULL), AW_OK);
    ck_assert_int_eq(us, INT64_C(1767222000000000));
    ck_assert_int_eq(time_parse("12:34", &us, NULL), AW_OK);
    ck_assert(us > now && us <= now + INT64_C(26) * 3600 * 1000000);
    ck_assert_int_eq(time_parse("noon", &us, NULL), AW_ERR_USAGE);
    ck_assert_int_eq(time_parse("25:00", &us, NULL), AW_ERR_USAGE);
    ck_assert_int_eq(time_parse("12:34x", &us, NULL), AW_ERR_USAGE);
    ck_assert_int_eq(time_parse("@", &us, NULL), AW_ERR_USAGE);
    ck_assert_int_eq(time_parse("2300-01-01", &us, NULL), AW_ERR_USAGE);
}
END_TEST

/* ---- Jobs from options ------------------------------------------------------------------- */

static const struct jobspec plain = {JOBSPEC_DEFAULTS};

START_TEST(a_job_takes_our_directory_and_environment_along)
{
    char ls[] = "ls", l[] = "-l", here[AW_MAX_PATH];
    struct madejob m;
    bool found = false;

    setenv("AWCTL_TEST", "yes", 1);
    ck_assert_int_eq(jobspec_make(&plain, 2, (char *[]){ls, l}, true, &m, NULL), AW_OK);
    ck_assert_str_eq(m.job.argv[1], "-l");
    ck_assert_ptr_null(m.job.argv[2]);
    ck_assert_str_eq(m.job.cwd, getcwd(here, sizeof(here)));
    for (char *const *e = m.job.env; *e; e++)
        found = found || !strcmp(*e, "AWCTL_TEST=yes");
    ck_assert(found);
    madejob_done(&m);
}
END_TEST

START_TEST(given_variables_replace_captured_ones)
{
    const char *env[] = {"PATH=/x", "NEW=1", "HOME", "NOT_SET_AT_ALL"};
    struct jobspec spec = plain;
    char ls[] = "ls";
    struct madejob m;

    setenv("HOME", "/home/me", 1);
    spec.clean_env = true;
    spec.env = (struct texts){env, 4};
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_OK);
    ck_assert_str_eq(m.job.env[0], "PATH=/x");
    ck_assert_str_eq(m.job.env[1], "NEW=1");
    ck_assert_str_eq(m.job.env[2], "HOME=/home/me");
    ck_assert_ptr_null(m.job.env[3]);
    madejob_done(&m);
    spec.clean_env = false;
    setenv("PATH", "/bin", 1);
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_OK);
    for (char *const *e = m.job.env; *e; e++)
        ck_assert_str_ne(*e, "PATH=/bin");
    madejob_done(&m);
}
END_TEST

START_TEST(a_shell_command_gets_its_operands_as_parameters)
{
    struct jobspec spec = plain;
    char a[] = "a";
    struct madejob m;

    spec.shell = "echo $1";
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){a}, true, &m, NULL), AW_OK);
    ck_assert_str_eq(m.job.argv[0], "/bin/sh");
    ck_assert_str_eq(m.job.argv[1], "-c");
    ck_assert_str_eq(m.job.argv[2], "echo $1");
    ck_assert_str_eq(m.job.argv[4], "a");
    madejob_done(&m);
}
END_TEST

START_TEST(a_request_is_made_from_its_options)
{
    const char *lines[] = {"A: 1", "B: 2"};
    struct jobspec spec = plain;
    struct madejob m;

    spec.http = "http://a/";
    spec.data = "text";
    spec.expect = "200";
    spec.follow = 3;
    spec.headers.v = lines;
    spec.headers.n = 2;
    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, NULL), AW_OK);
    ck_assert_str_eq(m.job.type, "http");
    ck_assert_str_eq(m.job.url, "http://a/");
    ck_assert_ptr_null(m.job.method);
    ck_assert_uint_eq(m.job.body_len, 4);
    ck_assert(!memcmp(m.job.body, "text", 4));
    ck_assert_str_eq(m.job.expect, "200");
    ck_assert_int_eq(m.job.follow, 3);
    ck_assert_str_eq(m.job.headers[1], "B: 2");
    ck_assert_ptr_null(m.job.headers[2]);
    ck_assert_ptr_null(m.job.argv);
    ck_assert_ptr_null(m.job.env);
    madejob_done(&m);
}
END_TEST

START_TEST(what_a_request_sends_may_come_from_a_file)
{
    struct jobspec spec = plain;
    char path[] = "@/tmp/awd-test-XXXXXX";
    int fd = mkstemp(path + 1);
    struct madejob m;
    struct aw_error err;

    ck_assert_int_eq(write(fd, "a\0b", 3), 3);
    close(fd);
    spec.http = "http://a/";
    spec.data = path;
    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, NULL), AW_OK);
    ck_assert_uint_eq(m.job.body_len, 3);
    ck_assert(!memcmp(m.job.body, "a\0b", 3));
    madejob_done(&m);
    unlink(path + 1);
    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, &err), AW_ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(err.text, path + 1));
}
END_TEST

START_TEST(parents_are_lists_of_ids_and_may_be_given_again)
{
    const char *twice[] = {"1,k3f9q-2", "3"}, *once[] = {"4"}, *wrong[] = {"5,me"};
    struct jobspec spec = plain;
    struct aw_error err = {0};
    struct madejob m;

    spec.noop = true;
    spec.after = (struct texts){twice, 2};
    spec.after_fail = (struct texts){once, 1};
    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, NULL), AW_OK);
    ck_assert_str_eq(m.job.after[0], "1");
    ck_assert_str_eq(m.job.after[1], "k3f9q-2");
    ck_assert_str_eq(m.job.after[2], "3");
    ck_assert_ptr_null(m.job.after[3]);
    ck_assert_ptr_null(m.job.after_any);
    ck_assert_str_eq(m.job.after_fail[0], "4");
    ck_assert_ptr_null(m.job.after_fail[1]);
    madejob_done(&m);
    spec.after_any = (struct texts){wrong, 1};
    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, &err), AW_ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "--after-any"));
}
END_TEST

START_TEST(options_that_exclude_each_other_are_refused)
{
    struct jobspec spec = plain;
    char ls[] = "ls";
    struct madejob m;

    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, NULL), AW_ERR_USAGE);
    spec.noop = true;
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_ERR_USAGE);
    spec.sleep_ms = 5;
    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, NULL), AW_ERR_USAGE);
    spec = plain;
    spec.delay_ms = 1;
    spec.at_us = 1;
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_ERR_USAGE);
    spec = plain;
    spec.stdin_bytes = true;
    spec.stdin_file = "/x";
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_ERR_USAGE);
    spec = plain;
    spec.cache_ttl_ms = 1000;
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_ERR_USAGE);
    spec.key = "k";
    spec.cache_ttl_ms = 0;
    spec.cache_failed = true;
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_ERR_USAGE);
    spec = plain;
    spec.method = "GET";
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_ERR_USAGE);
    spec.http = "http://a/";
    ck_assert_int_eq(jobspec_make(&spec, 1, (char *[]){ls}, true, &m, NULL), AW_ERR_USAGE);
    spec.data = "x";
    spec.stdin_bytes = true;
    ck_assert_int_eq(jobspec_make(&spec, 0, NULL, true, &m, NULL), AW_ERR_USAGE);
}
END_TEST

static Suite *args_suite(void)
{
    Suite *s = suite_create("awctl args");
    TCase *t = tcase_create("args");

    tcase_add_test(t, options_of_every_kind_are_understood);
    tcase_add_test(t, where_a_command_follows_its_own_options_are_left_alone);
    tcase_add_test(t, wrong_options_are_named);
    tcase_add_test(t, a_mistyped_word_suggests_the_nearest_name);
    tcase_add_test(t, every_command_has_help_and_a_name_of_its_own);
    tcase_add_test(t, rates_may_be_written_in_several_ways);
    tcase_add_test(t, ids_are_checked_before_the_daemon_is_asked);
    tcase_add_test(t, times_may_be_written_in_several_ways);
    tcase_add_test(t, a_job_takes_our_directory_and_environment_along);
    tcase_add_test(t, given_variables_replace_captured_ones);
    tcase_add_test(t, a_shell_command_gets_its_operands_as_parameters);
    tcase_add_test(t, a_request_is_made_from_its_options);
    tcase_add_test(t, what_a_request_sends_may_come_from_a_file);
    tcase_add_test(t, parents_are_lists_of_ids_and_may_be_given_again);
    tcase_add_test(t, options_that_exclude_each_other_are_refused);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    return unit_run(args_suite());
}
