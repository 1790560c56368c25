/*
 * options.h - options of a command as a table: parsing, checking and help all follow from it.
 */
#ifndef AWCTL_OPTIONS_H
#define AWCTL_OPTIONS_H

#include "proto/base.h"

/* Most options of one command, those that all commands have included. */
#define MAX_OPTS 64

enum opt_kind {
    OPT_FLAG,     /* bool: true when given */
    OPT_TEXT,     /* const char * */
    OPT_TEXTS,    /* struct texts: may be given again */
    OPT_DURATION, /* int64_t: milliseconds */
    OPT_SIZE,     /* int64_t: bytes */
    OPT_INT,      /* int64_t, min to max */
    OPT_OCTAL,    /* int64_t, 0 to max */
    OPT_TIME,     /* int64_t: microseconds since 1970 UTC */
    OPT_LIMIT,    /* struct limit_values (limit_opts.h): the one that `min` says */
};

struct texts {
    const char **v;
    size_t n;
};

struct opt {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum opt_kind kind;
    const char *arg; /* what its argument is called in help; NULL: it has none */
    const char *help;
    size_t offset; /* in the struct of values */
    int64_t min, max;
};

/* Two tables are parsed as one: those of a command, and those that all commands have. */
struct opt_set {
    const struct opt *opts;
    size_t n;
    void *values;
};

/*
 * Parses the options of argv[1..] into the sets' values. *ret_first is the index of the first
 * operand; operands are moved behind the options unless `stop` says that options end at the first
 * of them. AW_ERR_USAGE, with a sentence that may hold a suggestion.
 */
AW_MUSTCHECK enum aw_err options_parse(const struct opt_set *sets, size_t n_sets, int argc,
                                       char **argv, bool stop, int *ret_first,
                                       struct aw_error *err);

/* One option's argument into its place. */
AW_MUSTCHECK enum aw_err option_set(const struct opt *opt, void *values, const char *text,
                                    struct aw_error *err);

/* Lines of help, on stdout. */
void options_help(const struct opt *opts, size_t n);

/* "14:30", "2025-12-31 14:30[:59][Z]", "@1767225600". */
AW_MUSTCHECK enum aw_err time_parse(const char *text, int64_t *ret_us, struct aw_error *err);

#endif
