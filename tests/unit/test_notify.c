#include "daemon/notify.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/unit.h"

static char path[64];
static int fd;

/* What systemd would listen on. */
static void setup(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    snprintf(path, sizeof(path), "/tmp/awd-notify-%d", (int)getpid());
    unlink(path);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    setenv("NOTIFY_SOCKET", path, 1);
}

static void teardown(void)
{
    close(fd);
    unlink(path);
}

static const char *heard(void)
{
    static char text[1024];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

#ifdef HAVE_LIBSYSTEMD

START_TEST(systemd_hears_each_state)
{
    notify_ready();
    ck_assert_str_eq(heard(), "READY=1");
    notify_status("%d jobs run\nSTOPPING=1", 3);
    ck_assert_str_eq(heard(), "STATUS=3 jobs run STOPPING=1");
    notify_watchdog();
    ck_assert_str_eq(heard(), "WATCHDOG=1");
    notify_stopping();
    ck_assert_str_eq(heard(), "STOPPING=1");
    notify_reloading();
    ck_assert_int_eq(strncmp(heard(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
}
END_TEST

START_TEST(the_watchdog_is_ours_or_none)
{
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_uint_eq(notify_watchdog_us(), 30000000);
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_uint_eq(notify_watchdog_us(), 0);
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    ck_assert_uint_eq(notify_watchdog_us(), 0);
}
END_TEST

#endif

START_TEST(without_systemd_nothing_is_said)
{
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    notify_status("fine");
    ck_assert_str_eq(heard(), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify");
    TCase *tc = tcase_create("notify");

    tcase_add_checked_fixture(tc, setup, teardown);
#ifdef HAVE_LIBSYSTEMD
    tcase_add_test(tc, systemd_hears_each_state);
    tcase_add_test(tc, the_watchdog_is_ours_or_none);
#endif
    tcase_add_test(tc, without_systemd_nothing_is_said);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
