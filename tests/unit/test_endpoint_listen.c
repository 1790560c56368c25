/* Where the endpoint listens and where not; and nng's own client, over each transport. */
#include "tests/unit/tls_client.h"

#include <dlfcn.h>
#include <netdb.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>
#include <sys/wait.h>

static struct aw_error error;

static void on_call(void *arg, struct call *call, const void *body, size_t len)
{
    (void)arg;
    call_reply(call, body, len);
}

static void on_gone(void *arg, struct call *call)
{
    (void)arg, (void)call;
}

static void start(const struct endpoint_config *config)
{
    server_dir();
    base = event_base_new();
    ck_assert_int_eq(endpoint_new(base, config, on_call, on_gone, NULL, &endpoint, NULL), AW_OK);
}

static void setup(void)
{
    struct endpoint_config config = default_config();

    start(&config);
}

static void teardown(void)
{
    char command[100];

    endpoint_free(endpoint);
    event_base_free(base);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static enum aw_err listen_on(const char *url)
{
    error.text[0] = '\0';
    return endpoint_listen(endpoint, url, &error);
}

static enum aw_err listen_on_path(void)
{
    char url[128];

    snprintf(url, sizeof(url), "ipc://%s", socket_path);
    return listen_on(url);
}

static void *ask(void *arg)
{
    (void)arg;
    return (void *)(uintptr_t)server_is_well();
}

/* ---- URLs ---------------------------------------------------------------------------------- */

static const struct {
    const char *url, *says;
} refused[] = {
    {"http://127.0.0.1:80", "begins with ipc://"},
    {"/run/awd.sock", "begins with ipc://"},
    {"", "begins with ipc://"},
    {"unix:///run/awd.sock", "begins with ipc://"},
    {"ipc://awd.sock", "must be absolute"},
    {"ipc://", "must be absolute"},
    {"tcp://0.0.0.0:5000", "for this machine alone"},
    {"tcp://*:5000", "for this machine alone"},
    {"tcp://:5000", "for this machine alone"},
    {"tcp://localhost:5000", "for this machine alone"},
    {"tcp://127.0.0.1", "for this machine alone"},
    {"tcp://127.0.0.1:", "for this machine alone"},
    {"tcp://128.0.0.1:5000", "for this machine alone"},
    {"tcp://127.0.0.1.example.org:5000", "for this machine alone"},
    {"tcp://[::2]:5000", "for this machine alone"},
    {"tcp://::1:5000", "for this machine alone"},
    {"tls+tcp://0.0.0.0:5000", "tls_cert"},
};

START_TEST(other_urls_are_refused_with_the_reason)
{
    ck_assert_int_eq(listen_on(refused[_i].url), AW_ERR_INVALID);
    ck_assert_msg(strstr(error.text, refused[_i].says) != NULL, "'%s'", error.text);
    ck_assert_ptr_nonnull(strstr(error.text, refused[_i].url));
}
END_TEST

START_TEST(plain_tcp_must_be_permitted)
{
    struct endpoint_config config = default_config();

    config.allow_plain_tcp = false;
    ck_assert_int_eq(endpoint_check_url(&config, "tcp://127.0.0.1:5000", &error), AW_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "allow_plain_tcp"));
    config.allow_plain_tcp = true;
    ck_assert_int_eq(endpoint_check_url(&config, "tcp://127.0.0.1:5000", &error), AW_OK);
    ck_assert_int_eq(endpoint_check_url(&config, "tcp://[::1]:5000", &error), AW_OK);
}
END_TEST

START_TEST(a_port_that_is_taken_is_an_error)
{
    char url[64];

    snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", tcp_port);
    ck_assert_int_eq(listen_on(url), AW_OK);
    ck_assert_int_eq(listen_on(url), AW_ERR_SYSTEM);
    ck_assert_msg(strstr(error.text, "in use") != NULL, "%s", error.text);
}
END_TEST

/* ---- Socket files -------------------------------------------------------------------------- */

START_TEST(the_socket_has_its_mode_and_goes_at_the_end)
{
    struct endpoint_config config = default_config();
    struct stat st;

    endpoint_free(endpoint);
    config.socket_mode = 0660;
    umask(0);
    ck_assert_int_eq(endpoint_new(base, &config, on_call, on_gone, NULL, &endpoint, NULL), AW_OK);
    ck_assert_int_eq(listen_on_path(), AW_OK);
    ck_assert_int_eq(stat(socket_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0660);
    endpoint_quiet(endpoint);
    ck_assert_int_ne(stat(socket_path, &st), 0);
}
END_TEST

/* As a killed daemon leaves it. */
static void leave_stale_socket(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    close(fd);
}

START_TEST(a_stale_socket_is_replaced)
{
    leave_stale_socket();
    ck_assert_msg(listen_on_path() == AW_OK, "%s", error.text);
    ck_assert(run_beside(ask, NULL));
}
END_TEST

START_TEST(a_file_in_the_sockets_place_is_left_alone)
{
    FILE *file = fopen(socket_path, "w");
    struct stat st;

    fclose(file);
    ck_assert_int_eq(listen_on_path(), AW_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "not a socket"));
    ck_assert_int_eq(stat(socket_path, &st), 0);
}
END_TEST

static void *try_to_listen_too(void *arg)
{
    struct endpoint_config config = default_config();
    struct event_base *other_base = event_base_new();
    struct endpoint *other;
    char url[128];
    enum aw_err e;

    snprintf(url, sizeof(url), "ipc://%s", socket_path);
    e = endpoint_new(other_base, &config, on_call, on_gone, NULL, &other, NULL);
    if (!e)
        e = endpoint_listen(other, url, arg);
    endpoint_free(other);
    event_base_free(other_base);
    return (void *)(uintptr_t)(e == AW_ERR_SYSTEM && server_is_well());
}

START_TEST(a_socket_in_use_is_not_taken_and_does_not_suffer)
{
    ck_assert_int_eq(listen_on_path(), AW_OK);
    ck_assert(run_beside(try_to_listen_too, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "another process listens"));
}
END_TEST

START_TEST(what_somebody_else_put_there_meanwhile_stays)
{
    struct stat st;

    ck_assert_int_eq(listen_on_path(), AW_OK);
    ck_assert_int_eq(unlink(socket_path), 0);
    leave_stale_socket();
    endpoint_quiet(endpoint);
    ck_assert_int_eq(stat(socket_path, &st), 0);
}
END_TEST

START_TEST(a_path_that_is_too_long_or_not_there_is_an_error)
{
    char url[200] = "ipc:///";

    memset(url + 7, 'x', 120);
    ck_assert_int_eq(listen_on(url), AW_ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(error.text, "at most 107 bytes"));
    ck_assert_int_eq(listen_on("ipc:///nowhere/at/all.sock"), AW_ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
}
END_TEST

START_TEST(a_directory_that_anybody_may_write_to_is_refused)
{
    char below[100], there[140];

    snprintf(below, sizeof(below), "%s/open", dir);
    snprintf(there, sizeof(there), "ipc://%s/sock", below);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    ck_assert_int_eq(chmod(below, 0777), 0);
    ck_assert_int_eq(listen_on(there), AW_ERR_NOT_PERMITTED);
    ck_assert_msg(strstr(error.text, "0777") != NULL, "%s", error.text);
    ck_assert_int_eq(chmod(below, 01777), 0);
    ck_assert_msg(listen_on(there) == AW_OK, "%s", error.text);
    endpoint_quiet(endpoint);
    ck_assert_int_eq(rmdir(below), 0);
}
END_TEST

START_TEST(several_urls_are_served_at_once)
{
    char url[64];

    ck_assert_int_eq(listen_on_path(), AW_OK);
    snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", tcp_port);
    ck_assert_int_eq(listen_on(url), AW_OK);
    use_tcp = false;
    ck_assert(run_beside(ask, NULL));
    use_tcp = true;
    ck_assert(run_beside(ask, NULL));
}
END_TEST

/* ---- nng's client -------------------------------------------------------------------------- */

/* Asks twice over one socket. */
static bool nng_asks(const char *url, nng_tls_config *tls)
{
    nng_socket socket;
    nng_dialer dialer;
    char *answer;
    size_t len;
    bool good;

    if (nng_req0_open(&socket) || nng_dialer_create(&dialer, socket, url))
        return false;
    nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 10000);
    nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, 10000);
    if (tls)
        nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, tls);
    good = nng_dialer_start(dialer, 0) == 0;
    for (int i = 0; good && i < 2; i++) {
        good = !nng_send(socket, (void *)"from nng", 8, 0) &&
               !nng_recv(socket, &answer, &len, NNG_FLAG_ALLOC);
        if (good) {
            good = len == 8 && !memcmp(answer, "from nng", 8);
            nng_free(answer, len);
        }
    }
    nng_close(socket);
    return good;
}

static void *nng_asks_plainly(void *arg)
{
    return (void *)(uintptr_t)nng_asks(arg, NULL);
}

START_TEST(nngs_own_client_is_served_over_ipc_and_tcp)
{
    char url[128];

    ck_assert_int_eq(listen_on_path(), AW_OK);
    snprintf(url, sizeof(url), "ipc://%s", socket_path);
    ck_assert(run_beside(nng_asks_plainly, url));
    snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", tcp_port);
    ck_assert_int_eq(listen_on(url), AW_OK);
    ck_assert(run_beside(nng_asks_plainly, url));
}
END_TEST

static void *nng_asks_by_tls(void *arg)
{
    nng_tls_config *tls;
    char url[64];
    bool good;

    snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", tcp_port);
    nng_tls_config_alloc(&tls, NNG_TLS_MODE_CLIENT);
    nng_tls_config_ca_file(tls, in_certs("ours.pem"));
    nng_tls_config_server_name(tls, "localhost");
    if (arg)
        nng_tls_config_cert_key_file(tls, in_certs(arg), NULL);
    good = nng_asks(url, tls);
    nng_tls_config_free(tls);
    return (void *)(uintptr_t)good;
}

/* Neither a scan, nor plain tcp, nor a client of somebody else's switches the listener off. */
static void *abuse_tls(void *arg)
{
    for (int i = 0; i < 60; i++) {
        struct linger at_once = {.l_onoff = 1};
        int fd = client_dial();

        if (i % 4 == 1)
            client_write(fd, "\0SP\0\0\x30\0\0", 8);
        if (i % 4 == 2)
            client_write(fd, "\x16\x03\x01\x00\x05hello", 10);
        if (i % 4 == 3)
            shutdown(fd, SHUT_WR);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(fd);
    }
    return arg;
}

/* False: it cannot be done here. */
static bool listen_by_tls(const char *host)
{
    struct endpoint_config config = default_config();
    char cert[100], ca[100], url[64];

    if (!certificates_make())
        return false;
    snprintf(cert, sizeof(cert), "%s", in_certs("server.pem"));
    snprintf(ca, sizeof(ca), "%s", in_certs("ours.pem"));
    config.tls_cert_key_file = cert;
    config.tls_ca_file = ca;
    endpoint_free(endpoint);
    ck_assert_int_eq(endpoint_new(base, &config, on_call, on_gone, NULL, &endpoint, NULL), AW_OK);
    snprintf(url, sizeof(url), "tls+tcp://%s:%d", host, tcp_port);
    ck_assert_msg(listen_on(url) == AW_OK, "%s", error.text);
    use_tcp = true;
    return true;
}

START_TEST(by_tls_only_clients_with_a_certificate_of_ours_are_served)
{
    if (!listen_by_tls("127.0.0.1"))
        return;
    ck_assert(run_beside(nng_asks_by_tls, (void *)"client.pem"));
    ck_assert(!run_beside(nng_asks_by_tls, NULL));
    ck_assert(!run_beside(nng_asks_by_tls, (void *)"alien.pem"));
    run_beside(abuse_tls, NULL);
    ck_assert(run_beside(nng_asks_by_tls, (void *)"client.pem"));
    ck_assert(certificates_remove());
}
END_TEST

typedef int (*getaddrinfo_fn)(const char *host, const char *port, const struct addrinfo *hints,
                              struct addrinfo **ret);

/* The name "twice" is in two lines of /etc/hosts. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    getaddrinfo_fn real;
    int rc;

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!host || strcmp(host, "twice") != 0)
        return real(host, port, hints, ret);
    rc = real("127.0.0.1", port, hints, ret);
    return rc ? rc : real("127.0.0.1", port, hints, &(*ret)->ai_next);
}

START_TEST(an_address_that_a_name_has_twice_is_listened_on_once)
{
    if (!listen_by_tls("twice"))
        return;
    ck_assert(run_beside(nng_asks_by_tls, (void *)"client.pem"));
    ck_assert(certificates_remove());
}
END_TEST

/* An endpoint whose key is in a file of that text. */
static const char *key_file(const char *text, mode_t mode)
{
    static char cert[100];
    struct endpoint_config config = default_config();
    FILE *file;

    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    file = fopen(cert, "w");
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(chmod(cert, mode), 0);
    config.tls_cert_key_file = config.tls_ca_file = cert;
    endpoint_free(endpoint);
    ck_assert_int_eq(endpoint_new(base, &config, on_call, on_gone, NULL, &endpoint, NULL), AW_OK);
    return cert;
}

START_TEST(certificates_that_are_none_are_named)
{
    const char *cert = key_file("nothing of that kind\n", 0600);

    ck_assert_int_eq(listen_on("tls+tcp://127.0.0.1:1"), AW_ERR_INVALID);
    ck_assert_msg(strstr(error.text, cert) != NULL, "%s", error.text);
}
END_TEST

static const mode_t open_modes[] = {0644, 0604, 0666, 0620, 0601};

START_TEST(a_key_that_others_can_read_is_refused)
{
    const char *cert = key_file("secret\n", open_modes[_i]);
    char mode[8];

    snprintf(mode, sizeof(mode), "%04o", open_modes[_i]);
    ck_assert_int_eq(listen_on("tls+tcp://127.0.0.1:1"), AW_ERR_NOT_PERMITTED);
    ck_assert_msg(strstr(error.text, cert) && strstr(error.text, mode), "%s", error.text);
}
END_TEST

START_TEST(a_key_of_root_may_be_read_by_a_group)
{
    key_file("nothing of that kind\n", 0640);
    ck_assert_int_eq(listen_on("tls+tcp://127.0.0.1:1"),
                     geteuid() == 0 ? AW_ERR_INVALID : AW_ERR_NOT_PERMITTED);
    ck_assert_int_eq(geteuid() == 0, strstr(error.text, "no PEM file") != NULL);
}
END_TEST

START_TEST(a_key_of_somebody_else_is_refused)
{
    const char *cert = key_file("secret\n", 0600);

    if (chown(cert, 65534, 65534) != 0)
        return; /* only root can make such a file */
    ck_assert_int_eq(listen_on("tls+tcp://127.0.0.1:1"), AW_ERR_NOT_PERMITTED);
    ck_assert_msg(strstr(error.text, "65534") != NULL, "%s", error.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endpoint_listen");
    TCase *tc = tcase_create("listen");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, other_urls_are_refused_with_the_reason, 0, ARRAY_SIZE(refused));
    tcase_add_test(tc, plain_tcp_must_be_permitted);
    tcase_add_test(tc, a_port_that_is_taken_is_an_error);
    tcase_add_test(tc, the_socket_has_its_mode_and_goes_at_the_end);
    tcase_add_test(tc, a_stale_socket_is_replaced);
    tcase_add_test(tc, a_file_in_the_sockets_place_is_left_alone);
    tcase_add_test(tc, a_socket_in_use_is_not_taken_and_does_not_suffer);
    tcase_add_test(tc, what_somebody_else_put_there_meanwhile_stays);
    tcase_add_test(tc, a_path_that_is_too_long_or_not_there_is_an_error);
    tcase_add_test(tc, a_directory_that_anybody_may_write_to_is_refused);
    tcase_add_test(tc, several_urls_are_served_at_once);
    tcase_add_test(tc, nngs_own_client_is_served_over_ipc_and_tcp);
    tcase_add_test(tc, by_tls_only_clients_with_a_certificate_of_ours_are_served);
    tcase_add_test(tc, an_address_that_a_name_has_twice_is_listened_on_once);
    tcase_add_test(tc, certificates_that_are_none_are_named);
    tcase_add_loop_test(tc, a_key_that_others_can_read_is_refused, 0, ARRAY_SIZE(open_modes));
    tcase_add_test(tc, a_key_of_root_may_be_read_by_a_group);
    tcase_add_test(tc, a_key_of_somebody_else_is_refused);
    suite_add_tcase(suite, tc);
    return unit_run(suite);
}
