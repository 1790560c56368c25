/*
 * power_facts.h - what was told, when, and so what must be found after the power went.
 *
 * A fact has a name ("job 17") and a value, both text, and a history: "none" at first, then each
 * value that it was told to have. A telling has two times, places in the record of the disk
 * (powerloss_vfs.h): `from`, before which nothing of it can have been written, and `told`, when it
 * was said to be durable. If the power goes at `cut`, the value may be that of the last telling
 * with told <= cut, or any of the later ones with from <= cut.
 *
 * Values that one call brings are told with the call's number: they must be found all, or none.
 *
 * All of it is global: a test has one history. What is wrong is counted, and printed.
 */
#ifndef AW_POWER_FACTS_H
#define AW_POWER_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#define FACT_NONE "none"

/* Nothing was ever told. */
void facts_reset(void);

struct span {
    size_t from, told;
};

/* The name of a fact, as text that is valid until the fourth call from here. */
__attribute__((format(printf, 1, 2))) const char *fact_name(const char *format, ...);

__attribute__((format(printf, 4, 5))) void fact_tell(const char *name, struct span when,
                                                     unsigned call, const char *format, ...);
/* Tells each fact whose name begins so that it is none. */
void fact_tell_none(const char *prefix, struct span when, unsigned call);

/* The value as it was told last. */
const char *fact_last(const char *name);

/* The power went: what can be true now? Later tellings belong to a new record. */
void facts_cut(size_t cut);

/* ---- After a cut ------------------------------------------------------------------------------
 */

/* This is what was found. Wrong if it cannot be; if it can, it is from now on what is true. */
__attribute__((format(printf, 2, 3))) void fact_found(const char *name, const char *format, ...);
/* The same, of what is not always told: it may be anything if the last that was told is none. */
__attribute__((format(printf, 3, 4))) void fact_learned(const char *name, size_t now,
                                                        const char *format, ...);
/* Whether it can be so now. */
bool fact_can_be(const char *name, const char *value);
/* Whether it was ever told before the cut, or found, to be anything but none. */
bool fact_was(const char *name);

/* Each fact with one of these prefixes that was not found is none, and that may be wrong. Then
 * looks whether each call is there as a whole. */
void facts_found_all(const char *const prefixes[], size_t n);

/* Calls that were under way when the power went: how many are there, how many are not. */
void facts_in_doubt(size_t *ret_there, size_t *ret_missing);

/* ---- What is wrong ----------------------------------------------------------------------------
 */

__attribute__((format(printf, 1, 2))) void flaw(const char *format, ...);
int flaws(void);
/* Whether each is printed, as it should be unless it is expected. */
void flaws_quiet(bool quiet);

#endif
