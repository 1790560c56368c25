/*
 * The page as somebody sees it who waits for it. Here libaw is driven by us: callbacks say what has
 * ended, and a clock ticks meanwhile.
 */
#include <stdio.h>
#include <unistd.h>

#include "tests/ecomarket/dashboard.h"

#define TICK_MS 100

struct view {
    struct aw_future *futures[N_SECTIONS];
    struct load load;
    bool in_place; /* draws over what it has drawn before */
    bool drawn;
    bool changed;
};

static void draw_section(const char *name, const struct section *s)
{
    printf("  %-16s ", name);
    if (!s->place)
        printf("... pending");
    else if (section_has_datum(s))
        printf("%s (%.2f s)", s->text, (double)s->at_us / 1e6);
    else
        printf("not there: %s, %s (%.2f s)", aw_class_name(s->error_class), s->message,
               (double)s->at_us / 1e6);
}

static void draw(struct view *view)
{
    const char *begin = view->in_place ? "\r\033[K" : "";

    if (view->drawn)
        printf(view->in_place ? "\033[%dA" : "\n", N_SECTIONS + 1);
    printf("%sEcoMarket after %.1f s\n", begin, (double)(now_us() - view->load.begin_us) / 1e6);
    for (int i = 0; i < N_SECTIONS; i++) {
        fputs(begin, stdout);
        draw_section(section_names[i], &view->load.sections[i]);
        putchar('\n');
    }
    fflush(stdout);
    view->drawn = true;
    view->changed = false;
}

static void on_done(struct aw_future *future, const struct aw_status *status, void *arg)
{
    struct view *view = arg;
    struct aw_result *result = NULL;
    struct aw_error err;
    int i = 0;

    while (view->futures[i] != future)
        i++;
    if (status->state == AW_SUCCEEDED)
        must(aw_future_result(future, 0, &result, &err), &err, "result");
    section_came(&view->load.sections[i], &view->load, status, result ? result->data : NULL);
    aw_result_free(result);
    view->changed = true;
}

void page_show_progressively(const struct shop *shop)
{
    struct view view = {.in_place = isatty(STDOUT_FILENO)};
    size_t n_pending = N_SECTIONS;
    struct aw_error err;

    page_submit(shop, view.futures, &view.load);
    for (int i = 0; i < N_SECTIONS; i++)
        must(aw_future_on_done(view.futures[i], on_done, &view, &err), &err, "callback");
    draw(&view);
    while (n_pending) {
        must(aw_client_process(shop->client, TICK_MS, &n_pending, &err), &err, "process");
        if (view.changed || view.in_place)
            draw(&view);
    }
    page_leave(shop, view.futures);
}
