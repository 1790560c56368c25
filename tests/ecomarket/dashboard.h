/*
 * dashboard.h - the dashboard of a shop, loaded by awd: four sections, each one http job.
 *
 * A program that uses libaw and nothing else of awd; so it is an example, too. It has one thread.
 * What it cannot go on without ends it (must()).
 */
#ifndef AW_TESTS_ECOMARKET_DASHBOARD_H
#define AW_TESTS_ECOMARKET_DASHBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/aw.h"

/* The sections, in the order in which the page is written. */
enum section_no { CATEGORIES, OFFERS, PRODUCTS, RECOMMENDATIONS, N_SECTIONS };
extern const char *const section_names[N_SECTIONS];

/* What is wrong with the recommendations. */
enum fault { FAULT_HANG, FAULT_REFUSED, FAULT_500, FAULT_NONE, N_FAULTS };
extern const char *const fault_names[N_FAULTS];

/* Where the shop is, and how its page is to be loaded. */
struct shop {
    struct aw_client *client;
    const char *url;    /* http://127.0.0.1:1234 */
    const char *closed; /* the same, where nobody listens: for FAULT_REFUSED */
    const char *queue;
    enum fault fault;
    int64_t timeout_ms; /* of each section; 0: none */
    bool backwards;     /* submits the last section first */
    bool priorities;    /* offers and products go before the others */
    bool json;
};

/* What came of one section. */
struct section {
    enum aw_state state;
    enum aw_class error_class;
    char message[256]; /* why there is no datum */
    char text[128];    /* the datum, or its beginning; "" without one */
    int64_t at_us;     /* from before the submit to when it was in hand, or known to have failed */
    unsigned place;    /* 1: the first one; 0: it was not waited for */
};

/* What came of the page. */
struct load {
    int64_t begin_us, total_us;
    unsigned n_came;
    struct section sections[N_SECTIONS];
};

/* ---- load.c ---------------------------------------------------------------------------------- */

/* Microseconds of a clock that only goes forward. */
int64_t now_us(void);

/* Ends the program unless e is AW_OK: "dashboard: WHAT: sentence", and awctl's exit codes. */
void must(enum aw_err e, const struct aw_error *err, const char *what);

/* The jobs of a page, and the room for their URLs. */
struct page {
    struct aw_job jobs[N_SECTIONS];
    char urls[N_SECTIONS][256];
};
void page_make(const struct shop *shop, struct page *ret);

/*
 * Submits the page; ret_futures are in the order of the sections, whichever was submitted first.
 * Sets the beginning of `load`, which it clears.
 */
void page_submit(const struct shop *shop, struct aw_future *ret_futures[N_SECTIONS],
                 struct load *load);

/* Cancels what still runs, waits until nothing does, and lets go of the futures. */
void page_leave(const struct shop *shop, struct aw_future *futures[N_SECTIONS]);

/* A section has ended; `text` is its datum (NULL: there is none), of which one line is kept. */
void section_came(struct section *section, struct load *load, const struct aw_status *status,
                  const char *text);

/* How it stands, of one that was not waited for. */
void section_stands(struct section *section, const struct aw_status *status);

bool section_has_datum(const struct section *section);

/* The first datum in microseconds from before the submit; -1: there was none. */
int64_t load_first_us(const struct load *load);
unsigned load_n_data(const struct load *load);

/* ---- strategies.c ---------------------------------------------------------------------------- */

/* A way to wait for a page. */
struct strategy {
    const char *name;  /* for --strategy */
    const char *title; /* for people */
    void (*wait)(const struct shop *shop, const char *const ids[N_SECTIONS], struct load *load);
};
#define N_STRATEGIES 5
extern const struct strategy strategies[N_STRATEGIES];
const struct strategy *strategy_find(const char *name); /* NULL: there is none such */

/* Submits the page, waits, and leaves nothing behind. */
void page_load(const struct shop *shop, const struct strategy *strategy, struct load *ret);

/* ---- steps.c --------------------------------------------------------------------------------- */

/* A queue with slots of its own, unless it is there already. */
void make_queue(const struct shop *shop, const char *name, int slots);

/* An endpoint that fails twice; categories that are kept; a queue with one slot. */
void step_retry(const struct shop *shop);
void step_cache(const struct shop *shop);
void step_priorities(const struct shop *shop);

/* ---- progressive.c --------------------------------------------------------------------------- */

/* Draws each section once it is there; on a terminal in place. */
void page_show_progressively(const struct shop *shop);

/* ---- print.c --------------------------------------------------------------------------------- */

void print_table_head(const struct shop *shop);
void print_load(const struct shop *shop, const struct strategy *strategy, const struct load *load);
void print_table_foot(const struct shop *shop, const struct load *last);

/* A string of JSON, with its quotes. */
void print_json_text(const char *text);

/* A member of a JSON object: milliseconds; null if there is no time (-1). */
void print_json_ms(const char *key, int64_t us);

#endif
