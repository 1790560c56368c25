/*
 * What the runner makes of the kernel's texts about control groups, and of limits. The rest, with
 * real groups: test_exec_limits and test_containment.
 */
#include <stdio.h>

#include "daemon/runner/cgroup_dir.h"
#include "daemon/runner/cgroup_find.h"
#include "daemon/runner/rlimits.h"
#include "tests/unit/unit.h"

#define HYBRID                       \
    "5:memory:/other\n"              \
    "1:name=systemd:/user.slice/a\n" \
    "0::/user.slice/b\n"

START_TEST(the_group_of_version_2_is_found)
{
    char buf[64];

    ck_assert(cgroup_path_parse("0::/\n", buf, sizeof(buf)));
    ck_assert_str_eq(buf, "/");
    ck_assert(cgroup_path_parse(HYBRID, buf, sizeof(buf)));
    ck_assert_str_eq(buf, "/user.slice/b");
    ck_assert(cgroup_path_parse("0::/without newline", buf, sizeof(buf)));
    ck_assert_str_eq(buf, "/without newline");
}
END_TEST

START_TEST(without_one_none_is_found)
{
    static const char *const texts[] = {"",      "\n",       "5:memory:/a\n",    "0:name=x:/a\n",
                                        "0::\n", "10::/a\n", "0::/../outside\n", "0::/..\n"};
    char buf[64];

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        ck_assert_msg(!cgroup_path_parse(texts[i], buf, sizeof(buf)), "%s", texts[i]);
    ck_assert(!cgroup_path_parse("0::/12345\n", buf, 6));
    ck_assert(cgroup_path_parse("0::/1234\n", buf, 6));
}
END_TEST

#define LINE(root, where, type) \
    "30 23 0:26 " root " " where " rw,nosuid shared:9 master:2 - " type " cgroup2 rw\n"
#define OTHERS "22 1 8:1 / / rw - ext4 /dev/a rw\n" LINE("/", "/sys/fs/cgroup/memory", "cgroup")

static const struct {
    const char *text, *path, *want; /* NULL: not to be found */
} mounts[] = {
    {OTHERS LINE("/", "/sys/fs/cgroup", "cgroup2"), "/", "/sys/fs/cgroup"},
    {OTHERS LINE("/", "/sys/fs/cgroup", "cgroup2"), "/a/b.slice", "/sys/fs/cgroup/a/b.slice"},
    {LINE("/a", "/cg", "cgroup2"), "/a/b", "/cg/b"},
    {LINE("/a", "/cg", "cgroup2"), "/a", "/cg"},
    {LINE("/a", "/cg", "cgroup2"), "/ab", NULL},
    {LINE("/a", "/cg", "cgroup2"), "/", NULL},
    {LINE("/x", "/no", "cgroup2") LINE("/", "/yes", "cgroup2"), "/a", "/yes/a"},
    {LINE("/", "/a\\040b\\134c", "cgroup2"), "/d", "/a b\\c/d"},
    {"30 23 0:26 / /cg rw - cgroup2 none rw\n", "/a", "/cg/a"}, /* no tags */
    {"30 23 0:26 / /cg rw - cgroup2", "/a", "/cg/a"},
    {OTHERS, "/a", NULL},
    {"", "/a", NULL},
    {"30 23\n30 23 0:26 /\n30 23 0:26 / /cg rw\n30 23 0:26 / /cg rw -\n", "/a", NULL},
};

START_TEST(a_group_is_found_in_the_file_system)
{
    char buf[64];

    for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
        bool found = cgroup_mount_find(mounts[i].text, mounts[i].path, buf, sizeof(buf));

        ck_assert_msg(found == (mounts[i].want != NULL), "%zu", i);
        if (found)
            ck_assert_str_eq(buf, mounts[i].want);
    }
    ck_assert(!cgroup_mount_find(LINE("/", "/cgroup", "cgroup2"), "/abc", buf, 11));
    ck_assert(cgroup_mount_find(LINE("/", "/cgroup", "cgroup2"), "/abc", buf, 12));
}
END_TEST

START_TEST(counters_are_read)
{
    static const char text[] = "low 1\noom 3\noom_kill 17\noom_group_kill 2\n";

    ck_assert_uint_eq(cgroup_value(text, "low"), 1);
    ck_assert_uint_eq(cgroup_value(text, "oom"), 3);
    ck_assert_uint_eq(cgroup_value(text, "oom_kill"), 17);
    ck_assert_uint_eq(cgroup_value(text, "kill"), 0);
    ck_assert_uint_eq(cgroup_value("", "oom"), 0);
    ck_assert_uint_eq(cgroup_value("oom", "oom"), 0);
}
END_TEST

static const struct one_rlimit *one(const struct rlimits *limits, int resource)
{
    for (size_t i = 0; i < limits->n; i++)
        if (limits->v[i].resource == resource)
            return &limits->v[i];
    return NULL;
}

START_TEST(limits_of_processes_are_made)
{
    const struct rlimit nofile = {17, 17};
    struct limits limits = {.cpu_time_ms = 1001, .file_size = 4096, .memory = 8192, .files = 9};
    struct rlimits r;

    rlimits_make(&(struct limits){0}, &nofile, true, &r);
    ck_assert_uint_eq(r.n, 1);
    ck_assert_uint_eq(one(&r, RLIMIT_NOFILE)->limit.rlim_cur, 17);
    rlimits_make(&limits, &nofile, false, &r);
    ck_assert_uint_eq(r.n, 3);
    ck_assert_uint_eq(one(&r, RLIMIT_NOFILE)->limit.rlim_max, 9);
    ck_assert_uint_eq(one(&r, RLIMIT_CPU)->limit.rlim_cur, 2);
    ck_assert_uint_gt(one(&r, RLIMIT_CPU)->limit.rlim_max, 2);
    ck_assert_uint_eq(one(&r, RLIMIT_FSIZE)->limit.rlim_max, 4096);
    rlimits_make(&limits, &nofile, true, &r);
    ck_assert_uint_eq(r.n, RLIMITS_MAX);
    ck_assert_uint_eq(one(&r, RLIMIT_DATA)->limit.rlim_cur, 8192);
}
END_TEST

START_TEST(niceness_only_rises)
{
    static const struct {
        int limit, nice, runners, want;
    } cases[] = {{0, 0, 0, 0},   {0, 5, 0, 5},  {0, -5, 0, -5}, {7, 0, 0, 7}, {7, 5, 0, 7},
                 {7, 12, 0, 12}, {7, -5, 0, 7}, {7, 0, 10, 0},  {7, 0, 3, 7}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        ck_assert_int_eq(rlimits_nice(&(struct limits){.nice = (uint64_t)cases[i].limit},
                                      cases[i].nice, cases[i].runners),
                         cases[i].want);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("runner_cgroup");

    TCase *tcase = tcase_create("runner_cgroup");

    tcase_add_test(tcase, the_group_of_version_2_is_found);
    tcase_add_test(tcase, without_one_none_is_found);
    tcase_add_test(tcase, a_group_is_found_in_the_file_system);
    tcase_add_test(tcase, counters_are_read);
    tcase_add_test(tcase, limits_of_processes_are_made);
    tcase_add_test(tcase, niceness_only_rises);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
