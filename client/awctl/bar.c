#include "client/awctl/bar.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "proto/text.h"

#define WIDTH_MIN 10 /* of the drawing; where there is less room, there is none */
#define WIDTH_MAX 40
#define GREEN     "\033[32m"
#define RED       "\033[31m"
#define PLAIN     "\033[0m"

void bar_init(struct bar *bar)
{
    const char *no_color = getenv("NO_COLOR");

    *bar = (struct bar){
        .on = isatty(STDERR_FILENO),
        .color = !(no_color && *no_color),
        .start_us = boottime_us(),
    };
}

/* What is said in words: as much of it, part by part, as there is room for. */
static size_t words(char *buf, size_t size, const struct bar_state *s, int64_t elapsed_us)
{
    char parts[6][48], time[32];
    size_t n = 0, len = 0;

    snprintf(parts[n++], sizeof(parts[0]), "%" PRIu64 "/%" PRIu64 "%s", s->n_ended, s->n,
             s->open ? "+" : "");
    if (s->n_failed)
        snprintf(parts[n++], sizeof(parts[0]), ", %" PRIu64 " failed", s->n_failed);
    if (s->n_running >= 0)
        snprintf(parts[n++], sizeof(parts[0]), ", %" PRId64 " running", s->n_running);
    snprintf(parts[n++], sizeof(parts[0]), ", %" PRIu64 " left", s->n - MIN(s->n_ended, s->n));
    if (s->first_us > 0) {
        duration_format(time, sizeof(time), s->first_us / 1000);
        snprintf(parts[n++], sizeof(parts[0]), ", first after %s", time);
    }
    duration_format(time, sizeof(time), elapsed_us / 1000);
    snprintf(parts[n++], sizeof(parts[0]), ", %s", time);
    *buf = '\0';
    for (size_t i = 0; i < n && len + strlen(parts[i]) < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s", parts[i]);
    return len;
}

/* "[####--]": ends that were a success, and, in red if there are colours, those that were none. */
static size_t drawing(char *buf, size_t size, const struct bar_state *s, size_t width, bool color)
{
    uint64_t total = MAX(s->n, (uint64_t)1);
    size_t ended = (size_t)(MIN(s->n_ended, total) * width / total);
    size_t failed = (size_t)(MIN(s->n_failed, s->n_ended) * width / total);
    char good[WIDTH_MAX + 1], bad[WIDTH_MAX + 1], rest[WIDTH_MAX + 1];

    failed = MIN(failed, ended);
    memset(good, '#', sizeof(good));
    memset(bad, 'x', sizeof(bad));
    memset(rest, '-', sizeof(rest));
    return (size_t)snprintf(buf, size, "[%s%.*s%s%.*s%s%.*s] ", color ? GREEN : "",
                            (int)(ended - failed), good, color ? RED : "", (int)failed, bad,
                            color ? PLAIN : "", (int)(width - ended), rest);
}

void bar_text(char buf[BAR_TEXT], const struct bar_state *state, int64_t elapsed_us, unsigned width,
              bool color)
{
    char said[256];
    size_t room = MIN((size_t)width + 1, sizeof(said));
    size_t used = words(said, room, state, elapsed_us) + strlen("[] ");
    size_t len = 0;

    if (used + WIDTH_MIN <= width)
        len = drawing(buf, BAR_TEXT, state, MIN(width - used, (size_t)WIDTH_MAX), color);
    snprintf(buf + len, BAR_TEXT - len, "%s", said);
}

static unsigned terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

void bar_draw(struct bar *bar, const struct bar_state *state)
{
    int64_t now = boottime_us();
    char text[BAR_TEXT], line[BAR_TEXT + 8];
    int len;

    if (!bar->on || now - bar->drawn_us < BAR_EVERY_MS * INT64_C(1000))
        return;
    /* The last column stays free: some terminals go on to the next line from there. */
    bar_text(text, state, now - bar->start_us, terminal_width() - 1, bar->color);
    len = snprintf(line, sizeof(line), "\r%s\033[K", text);
    bar->drawn = write_all(STDERR_FILENO, line, (size_t)len);
    bar->drawn_us = now;
}

void bar_clear(struct bar *bar)
{
    if (bar->drawn)
        bar->drawn = !write_all(STDERR_FILENO, "\r\033[K", 4);
}
