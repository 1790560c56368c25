/*
 * The configuration file.
 *
 * The input is the file. One that is accepted, printed as --check-config does it, must read as the
 * same configuration again.
 */
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/addresses.h"
#include "daemon/config_value.h"
#include "daemon/endpoint.h"

#define PATH 64

/*
 * A file with these bytes, at `path` for as long as the descriptor is open. One that others may
 * write to would be refused unread.
 */
static int file_new(const void *data, size_t size, char path[PATH])
{
    int fd = memfd_create("awd.conf", MFD_CLOEXEC);

    fuzz_check(fd >= 0 && (!size || write(fd, data, size) == (ssize_t)size), "memfd");
    fuzz_check(fchmod(fd, 0600) == 0, "fchmod");
    snprintf(path, PATH, "/proc/self/fd/%d", fd);
    return fd;
}

static void config_clear(struct config *config)
{
    for (size_t i = 0; i < config_n_keys; i++)
        value_clear(&config_keys[i], config);
}

static enum aw_err read_bytes(const void *data, size_t size, struct config *config,
                              struct aw_error *err)
{
    bool seen[64] = {false};
    char path[PATH];
    int fd = file_new(data, size, path);
    enum aw_err e = AW_OK;

    fuzz_check(config_n_keys <= ARRAY_SIZE(seen), "%zu keys", config_n_keys);
    memset(config, 0, sizeof(*config));
    for (size_t i = 0; !e && i < config_n_keys; i++)
        e = value_set(&config_keys[i], config, config_keys[i].def, err);
    if (!e)
        e = config_file_read(path, config, seen, err);
    close(fd);
    return e;
}

/* "auto" is worked out elsewhere. */
static void settle(struct config *config)
{
    if (config->slots == CONFIG_AUTO)
        config->slots = 1;
    if (config->socket_mode == CONFIG_AUTO)
        config->socket_mode = 0600;
    if (config->root_jobs == CONFIG_AUTO)
        config->root_jobs = 0;
}

static void print_and_read(const struct config *config)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct aw_error err = {.text = ""};
    struct config again;

    fuzz_check(out != NULL, "no memory");
    for (size_t i = 0; i < config_n_keys; i++)
        value_print(&config_keys[i], config, out);
    fclose(out);
    fuzz_check(read_bytes(text, len, &again, &err) == AW_OK, "%s in:\n%s", err.text, text);
    for (size_t i = 0; i < config_n_keys; i++)
        fuzz_check(value_same(&config_keys[i], config, &again), "%s is another in:\n%s",
                   config_keys[i].name, text);
    config_clear(&again);
    free(text);
}

/* Whether config.c goes on to accept what is in the lists. */
static bool lists_good(const struct config *config)
{
    struct endpoint_config endpoint = {.allow_plain_tcp = config->allow_plain_tcp,
                                       .tls_cert_key_file = config->tls_cert,
                                       .tls_ca_file = config->tls_ca};
    struct address_set *set;

    for (size_t i = 0; i < config->listen.n; i++)
        if (endpoint_check_url(&endpoint, config->listen.v[i], NULL))
            return false;
    if (address_set_new(config->http_deny.v, config->http_deny.n, &set, NULL))
        return false;
    address_set_free(set);
    return true;
}

/* If this is refused, so is everything, and nothing is tested. */
static void accept_a_good_one(void)
{
    static const char good[] = "slots = 2\n";
    static bool accepted;
    struct aw_error err = {.text = ""};
    struct config config;

    if (accepted)
        return;
    fuzz_check(read_bytes(good, strlen(good), &config, &err) == AW_OK, "%s", err.text);
    config_clear(&config);
    accepted = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct aw_error err = {.text = ""};
    struct config config;

    accept_a_good_one();
    if (read_bytes(data, size, &config, &err)) {
        fuzz_check(err.text[0], "no reason was given");
    } else if (lists_good(&config)) {
        settle(&config);
        print_and_read(&config);
    }
    config_clear(&config);
    return 0;
}
