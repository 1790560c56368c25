#include "client/awctl/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "client/awctl/awctl.h"
#include "client/awctl/limit_opts.h"
#include "proto/text.h"

#define HELP_WIDTH 26  /* of names; longer ones have a line of their own */
#define FIRST_LONG 256 /* options are numbered from here, so that no letter gets in the way */

struct parser {
    const struct opt *opt[MAX_OPTS];
    void *values[MAX_OPTS];
    struct option longs[MAX_OPTS + 1];
    char letters[2 * MAX_OPTS + 4];
    size_t n;
};

static void parser_fill(struct parser *p, const struct opt_set *sets, size_t n_sets, bool stop)
{
    char *letter = p->letters;

    memset(p, 0, sizeof(*p));
    *letter++ = stop ? '+' : '-';
    if (!stop)
        letter--; /* the default: operands are moved to the end */
    *letter++ = ':';
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; i < sets[s].n && p->n < MAX_OPTS; i++) {
            const struct opt *opt = &sets[s].opts[i];

            p->opt[p->n] = opt;
            p->values[p->n] = sets[s].values;
            p->longs[p->n] = (struct option){opt->name, opt->arg ? required_argument : no_argument,
                                             NULL, FIRST_LONG + (int)p->n};
            if (opt->letter)
                *letter++ = opt->letter;
            if (opt->letter && opt->arg)
                *letter++ = ':';
            p->n++;
        }
}

static enum aw_err integer_parse(const struct opt *opt, const char *text, int base, int64_t *ret,
                                 struct aw_error *err)
{
    char *end;
    long long v = strtoll(text, &end, base);

    if (end == text || *end || v < opt->min || v > opt->max)
        return aw_fail(err, AW_ERR_USAGE,
                       base == 8 ? "'%.80s' is no octal number from %" PRIo64 " to %" PRIo64
                                 : "'%.80s' is no number from %" PRId64 " to %" PRId64,
                       text, opt->min, opt->max);
    *ret = v;
    return AW_OK;
}

static enum aw_err texts_add(struct texts *list, const char *text, struct aw_error *err)
{
    const char **v = realloc(list->v, (list->n + 1) * sizeof(*v));

    if (!v)
        return aw_fail(err, AW_ERR_NO_MEMORY, "options: out of memory");
    v[list->n++] = text;
    list->v = v;
    return AW_OK;
}

enum aw_err option_set(const struct opt *opt, void *values, const char *text, struct aw_error *err)
{
    void *to = (char *)values + opt->offset;

    switch (opt->kind) {
    case OPT_FLAG:
        *(bool *)to = true;
        return AW_OK;
    case OPT_TEXT:
        *(const char **)to = text;
        return AW_OK;
    case OPT_TEXTS:
        return texts_add(to, text, err);
    case OPT_DURATION:
        return duration_parse(text, to, err);
    case OPT_SIZE:
        return size_parse(text, to, err);
    case OPT_INT:
        return integer_parse(opt, text, 10, to, err);
    case OPT_OCTAL:
        return integer_parse(opt, text, 8, to, err);
    case OPT_TIME:
        return time_parse(text, to, err);
    case OPT_LIMIT:
        return limit_parse((enum limit)opt->min, text, to, err);
    }
    return aw_fail(err, AW_ERR_INTERNAL, "option of unknown kind");
}

static enum aw_err unknown_option(const struct parser *p, const char *word, struct aw_error *err)
{
    const char *names[MAX_OPTS];
    char name[64];
    const char *meant;

    if (optopt > 0 && optopt < FIRST_LONG)
        return aw_fail(err, AW_ERR_USAGE, "there is no option -%c", optopt);
    if (optopt)
        return aw_fail(err, AW_ERR_USAGE, "option --%s takes no value",
                       p->opt[optopt - FIRST_LONG]->name);
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
    for (size_t i = 0; i < p->n; i++)
        names[i] = p->opt[i]->name;
    meant = suggest(name, names, p->n);
    if (meant)
        return aw_fail(err, AW_ERR_USAGE, "there is no option --%s; did you mean --%s?", name,
                       meant);
    return aw_fail(err, AW_ERR_USAGE, "there is no option --%s", name);
}

static enum aw_err missing_value(const struct parser *p, struct aw_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        if (optopt == FIRST_LONG + (int)i || optopt == p->opt[i]->letter)
            return aw_fail(err, AW_ERR_USAGE, "option --%s needs a value: %s", p->opt[i]->name,
                           p->opt[i]->arg);
    return aw_fail(err, AW_ERR_USAGE, "an option needs a value");
}

/* The index of the option that getopt found, by letter or number. */
static size_t found(const struct parser *p, int c)
{
    if (c >= FIRST_LONG)
        return (size_t)(c - FIRST_LONG);
    for (size_t i = 0; i < p->n; i++)
        if (p->opt[i]->letter == c)
            return i;
    return p->n;
}

enum aw_err options_parse(const struct opt_set *sets, size_t n_sets, int argc, char **argv,
                          bool stop, int *ret_first, struct aw_error *err)
{
    struct parser p;
    int c;

    parser_fill(&p, sets, n_sets, stop);
    opterr = 0;
    optind = 0; /* GNU's way to start afresh */
    while ((c = getopt_long(argc, argv, p.letters, p.longs, NULL)) != -1) {
        struct aw_error why;
        size_t i;

        if (c == ':')
            return missing_value(&p, err);
        i = found(&p, c);
        if (c == '?' || i >= p.n)
            return unknown_option(&p, argv[optind - 1], err);
        if (option_set(p.opt[i], p.values[i], optarg, &why))
            return aw_fail(err, AW_ERR_USAGE, "--%s: %.200s", p.opt[i]->name, why.text);
    }
    *ret_first = optind;
    return AW_OK;
}

void options_help(const struct opt *opts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char left[64];

        snprintf(left, sizeof(left), "%c%c%s --%s%s%s", opts[i].letter ? '-' : ' ',
                 opts[i].letter ? opts[i].letter : ' ', opts[i].letter ? "," : " ", opts[i].name,
                 opts[i].arg ? " " : "", opts[i].arg ? opts[i].arg : "");
        if (strlen(left) > HELP_WIDTH)
            printf("  %s\n  %-*s %s\n", left, HELP_WIDTH, "", opts[i].help);
        else
            printf("  %-*s %s\n", HELP_WIDTH, left, opts[i].help);
    }
}
