/*
 * bar.h - a line of progress on stderr, where that is a terminal; nothing anywhere else.
 *
 *     [########------] 45/100, 2 failed, 4 running, 55 left, first after 98ms, 12s
 *
 * It is drawn anew four times a second at most, never wider than the terminal, without colours if
 * NO_COLOR is set. Whoever writes to the same terminal clears it first. One thread at a time.
 */
#ifndef AWCTL_BAR_H
#define AWCTL_BAR_H

#include "client/awctl/awctl.h"

#define BAR_EVERY_MS 250
#define BAR_TEXT     512

struct bar_state {
    uint64_t n, n_ended, n_failed;
    int64_t n_running; /* -1: not known */
    int64_t first_us;  /* from the start to the first end, microseconds; 0: none yet, or unknown */
    bool open;         /* a set's that may get more members */
};

struct bar {
    bool on, color, drawn;
    int64_t start_us, drawn_us;
};

void bar_init(struct bar *bar);
void bar_draw(struct bar *bar, const struct bar_state *state);
void bar_clear(struct bar *bar);

/* The line itself, of at most `width` columns, in `buf`. */
void bar_text(char buf[BAR_TEXT], const struct bar_state *state, int64_t elapsed_us, unsigned width,
              bool color);

#endif
