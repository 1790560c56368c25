/*
 * Small texts that people and messages hold: IDs, durations, sizes, addresses, names, lists.
 *
 * The input is any number of lines. Each goes through every parser; what one accepts is checked
 * against what it means, worked out in another way.
 */
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>

#include "daemon/addresses.h"
#include "proto/codec.h"
#include "proto/future_id.h"
#include "proto/http_job.h"
#include "proto/messages.h"
#include "proto/text.h"

/* ---- IDs and names --------------------------------------------------------------------------- */

static void future_ids(struct bytes text)
{
    struct future_id id;
    struct aw_error err = {.text = ""};
    char again[AW_MAX_ID];
    size_t len;

    if (future_id_parse(text, &id, &err)) {
        fuzz_check(err.text[0], "no reason was given");
        return;
    }
    fuzz_check(id.number >= 1 && id.number <= INT64_MAX, "%llu", (unsigned long long)id.number);
    len = future_id_format(again, id.tag, id.number);
    fuzz_check(len < sizeof(again) && strlen(again) == len, "%zu bytes", len);
    /* Without a tag it starts with the dash. */
    fuzz_check(bytes_eq(text, bytes_of(again + !id.tag[0], len - !id.tag[0])), "'%s'", again);
}

static void names(struct bytes text)
{
    enum aw_class class;
    enum aw_state state;
    enum op op;
    int code = 0;

    if (name_check(text, "name", NULL) == AW_OK)
        fuzz_check(text.len && !memchr(text.data, ' ', text.len), "a name with spaces");
    if (retry_on_parse(text, &class, &code))
        fuzz_check(class != AW_CLASS_NONE && (code == -1 || (code >= 1 && code <= 255)), "%d",
                   code);
    if (aw_state_parse(text, &state))
        fuzz_check(bytes_eq(text, bytes_str(aw_state_name(state))), "state %d", state);
    if (op_parse(text, &op))
        fuzz_check(bytes_eq(text, bytes_str(op_info(op)->name)), "operation %d", op);
    if (future_tag_valid(text))
        fuzz_check(text.len == AW_TAG_LEN, "%zu bytes", text.len);
}

/* ---- Durations and sizes --------------------------------------------------------------------- */

/* What the C library makes of the number in front. */
static double number_of(const char *text, const char **unit)
{
    char *end;
    double v = strtod(text, &end);

    *unit = end;
    return v;
}

static bool near(double got, double want)
{
    return fabs(got - want) <= 1 + want * 1e-9;
}

static void durations(const char *text)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"", 1e3},   {"ms", 1},    {"s", 1e3},   {"m", 60e3},
                 {"h", 36e5}, {"d", 864e5}, {"w", 6048e5}};
    const char *unit;
    double number;
    char buf[32];
    int64_t ms;

    if (duration_parse(text, &ms, NULL))
        return;
    fuzz_check(ms >= 0 && ms <= AW_MAX_DURATION_MS, "'%s': %lld", text, (long long)ms);
    fuzz_check(duration_format(buf, sizeof(buf), ms) < sizeof(buf), "'%s'", text);
    number = number_of(text, &unit);
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (!strcmp(unit, units[i].unit)) {
            fuzz_check(near((double)ms, number * units[i].ms), "'%s': %lld", text, (long long)ms);
            return;
        }
    fuzz_check(false, "'%s': no such unit", text);
}

static void sizes(const char *text)
{
    static const char units[] = "KMGT";
    const char *unit, *at;
    double number;
    int64_t bytes;

    if (size_parse(text, &bytes, NULL))
        return;
    number = number_of(text, &unit);
    at = *unit ? strchr(units, *unit) : NULL;
    fuzz_check(!*unit || (at && !unit[1]), "'%s': no such unit", text);
    number = ldexp(number, at ? 10 * (int)(at - units + 1) : 0);
    fuzz_check(bytes >= 0 && near((double)bytes, number), "'%s': %lld", text, (long long)bytes);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* The address in "ADDRESS" or "ADDRESS/BITS". */
static bool address_of(const char *entry, struct sockaddr_storage *ret)
{
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    char host[INET6_ADDRSTRLEN + 1];
    size_t len = strcspn(entry, "/");

    if (len >= sizeof(host))
        return false;
    memcpy(host, entry, len);
    host[len] = '\0';
    memset(ret, 0, sizeof(*ret));
    ret->ss_family = AF_INET;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1)
        return true;
    ret->ss_family = AF_INET6;
    return inet_pton(AF_INET6, host, &six->sin6_addr) == 1;
}

static void addresses(const char *text)
{
    char *entries[] = {(char *)text};
    struct sockaddr_storage address;
    struct address_set *set;
    struct aw_error err = {.text = ""};
    char shown[ADDRESS_TEXT];

    if (address_set_new(entries, 1, &set, &err)) {
        fuzz_check(err.text[0], "no reason was given");
        return;
    }
    if (address_of(text, &address)) {
        fuzz_check(address_set_has(set, (struct sockaddr *)&address), "'%s' is not in itself",
                   text);
        fuzz_check(address_text((struct sockaddr *)&address, shown)[0] != '?', "'%s'", text);
    }
    address_set_free(set);
}

/* ---- Expected statuses ----------------------------------------------------------------------- */

static unsigned status_of(const char *s, char **end)
{
    return (unsigned)MIN(strtoul(s, end, 10), 100000ul);
}

/* Of a list that was accepted. */
static bool has_status(const char *list, unsigned status)
{
    bool has = false;

    while (*list) {
        char *end;
        unsigned low = status_of(list, &end), high = low;

        if (*end == '-')
            high = status_of(end + 1, &end);
        has |= low <= status && status <= high;
        list = end + (*end == ',');
    }
    return has;
}

static void expect_lists(const char *text)
{
    struct job job;

    codec_defaults(&job_schema, &job);
    job.url = bytes_str("http://localhost/");
    job.expect = bytes_str(text);
    if (!*text || http_job_check(&job, NULL))
        return;
    fuzz_check(strspn(text, "0123456789-,") == strlen(text), "'%s' is no list", text);
    for (unsigned status = 0; status < 1100; status += status < 90 ? 90 : 7)
        fuzz_check(http_status_expected(job.expect, status) == has_status(text, status), "'%s': %u",
                   text, status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    while (in.left) {
        struct bytes line = input_line(&in);
        _cleanup_free_ char *text = fuzz_copy(line, true);
        _cleanup_free_ char *exact = fuzz_copy(line, false);

        future_ids(bytes_of(exact, line.len));
        names(bytes_of(exact, line.len));
        if (strlen(text) != line.len)
            continue; /* the others take C strings */
        durations(text);
        sizes(text);
        addresses(text);
        expect_lists(text);
    }
    return 0;
}
