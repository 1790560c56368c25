/* The table, for people and as JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/ecomarket/dashboard.h"

/* ---- JSON ------------------------------------------------------------------------------------ */

void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            printf("\\u%04x", *text);
        else
            printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('"');
}

void print_json_ms(const char *key, int64_t us)
{
    if (us < 0)
        printf("\"%s\":null", key);
    else
        printf("\"%s\":%" PRId64 ".%03" PRId64, key, us / 1000, us % 1000);
}

static void print_json_section(const char *name, const struct section *s)
{
    printf("\"%s\":{\"state\":\"%s\",\"class\":\"%s\",\"place\":%u,", name, aw_state_name(s->state),
           aw_class_name(s->error_class), s->place);
    print_json_ms("at_ms", s->place ? s->at_us : -1);
    printf(",\"message\":");
    print_json_text(s->message);
    printf(",\"text\":");
    print_json_text(s->text);
    putchar('}');
}

static void print_json_load(const struct strategy *strategy, const struct load *load)
{
    printf("{\"strategy\":\"%s\",", strategy->name);
    print_json_ms("total_ms", load->total_us);
    putchar(',');
    print_json_ms("first_ms", load_first_us(load));
    printf(",\"succeeded\":%u,\"rate\":%u", load_n_data(load),
           100 * load_n_data(load) / N_SECTIONS);
    for (int i = 0; i < N_SECTIONS; i++) {
        putchar(',');
        print_json_section(section_names[i], &load->sections[i]);
    }
    printf("}\n");
}

/* ---- For people ------------------------------------------------------------------------------ */

static const char *seconds(int64_t us, char *buf, size_t size)
{
    if (us < 0)
        snprintf(buf, size, "never");
    else
        snprintf(buf, size, "%.3f s", (double)us / 1e6);
    return buf;
}

void print_table_head(const struct shop *shop)
{
    static const char *const what[N_FAULTS] = {"hang", "refuse connections", "answer 500",
                                               "are fine"};

    if (shop->json)
        return;
    printf("The recommendations %s; ", what[shop->fault]);
    if (shop->timeout_ms)
        printf("a timeout of %g s for each section.\n\n", (double)shop->timeout_ms / 1000);
    else
        printf("no timeouts.\n\n");
    printf("| strategy         | total time | first datum | successes | success rate |\n"
           "|------------------|-----------:|------------:|:---------:|-------------:|\n");
}

void print_load(const struct shop *shop, const struct strategy *strategy, const struct load *load)
{
    unsigned n = load_n_data(load);
    char total[32], first[32];

    if (shop->json)
        print_json_load(strategy, load);
    else
        printf("| %-16s | %10s | %11s |  %u of %d   | %10u %% |\n", strategy->title,
               seconds(load->total_us, total, sizeof(total)),
               seconds(load_first_us(load), first, sizeof(first)), n, N_SECTIONS,
               100 * n / N_SECTIONS);
    fflush(stdout);
}

/* What the sections that are not there say; after a table all loads had the same fault. */
void print_table_foot(const struct shop *shop, const struct load *last)
{
    for (int i = 0; i < N_SECTIONS && !shop->json; i++) {
        const struct section *s = &last->sections[i];

        if (s->state == AW_FAILED)
            printf("\n%s: %s: %s\n", section_names[i], aw_class_name(s->error_class), s->message);
    }
}
