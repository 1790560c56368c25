#include "tests/bench/table.h"

#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* ---- Printing ------------------------------------------------------------------------------- */

static const char *number(double v, char text[32])
{
    snprintf(text, 32, v >= 1e6 ? "%.3g" : v >= 1000 ? "%.0f" : v >= 10 ? "%.1f" : "%.3g", v);
    return text;
}

/* Three digits of a large number say enough: 123,000. */
static const char *figure(double v, const char *unit, char text[64])
{
    long rounded = v >= 1e5 ? (long)(v / 1000 + 0.5) * 1000 : (long)(v + 0.5);
    char digits[32];

    if (v >= 1e6)
        snprintf(text, 64, "%ld,%03ld,%03ld %s", rounded / 1000000, rounded / 1000 % 1000,
                 rounded % 1000, unit);
    else if (v >= 1000)
        snprintf(text, 64, "%ld,%03ld %s", rounded / 1000, rounded % 1000, unit);
    else
        snprintf(text, 64, "%s %s", number(v, digits), unit);
    return text;
}

static void goal_text(const struct table_row *row, double ratio, char text[64])
{
    bool met = row->goal == GOAL_AT_MOST ? ratio <= row->limit : ratio >= row->limit;

    if (row->goal == GOAL_NONE)
        snprintf(text, 64, "-");
    else
        snprintf(text, 64, "%s %.4g: %s", row->goal == GOAL_AT_MOST ? "at most" : "at least",
                 row->limit, met ? "met" : "**not met**");
}

static double median(const double *v, size_t n)
{
    double sorted[BENCH_MAX_ROUNDS];

    memcpy(sorted, v, n * sizeof(*v));
    return bench_quantile(sorted, n, 0.5);
}

/* Median, smallest and largest. */
static const char *spread(const double *v, size_t n, char text[64])
{
    double low = v[0], high = v[0];

    for (size_t i = 1; i < n; i++) {
        low = MIN(low, v[i]);
        high = MAX(high, v[i]);
    }
    snprintf(text, 64, "%.3g (%.3g to %.3g)", median(v, n), low, high);
    return text;
}

void table_head_print(bool against)
{
    if (against)
        printf("| what | new | old | new/old (median, min to max) | processor time, new/old |\n");
    else
        printf("| what | awd | beside it | awd/beside (median, min to max) | goal |\n");
    printf("|---|---|---|---|---|\n");
    fflush(stdout);
}

void table_row_print(const struct table_row *row, bool against)
{
    char awd[64], other[64], ratio[64], last[64];

    if (row->no) {
        printf("| %s | - | %s: %s | - | - |\n", row->text, row->beside, row->no);
        fflush(stdout);
        return;
    }
    figure(median(row->awd, row->n), row->unit, awd);
    figure(median(row->other, row->n), row->unit, other);
    spread(row->ratio, row->n, ratio);
    if (against)
        printf("| %s | %s | %s | %s | %s |\n", row->text, awd, other, ratio,
               spread(row->cpu, row->n, last));
    else {
        goal_text(row, median(row->ratio, row->n), last);
        printf("| %s | %s | %s: %s | %s | %s |\n", row->text, awd, row->beside, other, ratio, last);
    }
    fflush(stdout);
}

/* ---- JSON lines ----------------------------------------------------------------------------- */

static double load_now(void)
{
    double load = 0;

    (void)getloadavg(&load, 1);
    return load;
}

struct table_run table_run_now(double scale)
{
    const char *commit = getenv("BENCH_COMMIT");

    return (struct table_run){.commit = commit ? commit : "",
                              .time_s = (long long)time(NULL),
                              .load = load_now(),
                              .scale = scale};
}

static json_t *list_json(const double *v, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_real(v[i]));
    return list;
}

static const char *goal_name(enum bench_goal goal)
{
    static const char *const names[] = {
        [GOAL_NONE] = "none", [GOAL_AT_MOST] = "at most", [GOAL_AT_LEAST] = "at least"};

    return names[goal];
}

void table_row_write(FILE *out, struct table_run *run, const struct table_row *row)
{
    struct utsname machine;
    json_t *line;

    if (uname(&machine) < 0)
        bench_die("uname");
    line = json_pack("{ss ss ss ss ss sf sI ss si sf sf ss sf}", "name", row->name, "text",
                     row->text, "unit", row->unit, "beside_name", row->beside, "commit",
                     run->commit, "scale", run->scale, "run", (json_int_t)run->time_s, "kernel",
                     machine.release, "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "load", run->load,
                     "load_now", load_now(), "goal", goal_name(row->goal), "limit", row->limit);
    if (!line)
        bench_fail("%s: no line of JSON", row->name);
    if (row->no)
        json_object_set_new(line, "no", json_string(row->no));
    else {
        json_object_set_new(line, "awd", list_json(row->awd, row->n));
        json_object_set_new(line, "beside", list_json(row->other, row->n));
        json_object_set_new(line, "ratio", list_json(row->ratio, row->n));
    }
    if (json_dumpf(line, out, JSON_COMPACT | JSON_REAL_PRECISION(6)) < 0 || fputc('\n', out) < 0)
        bench_die("JSON");
    json_decref(line);
    fflush(out);
}

/* ---- From JSON lines to Markdown ------------------------------------------------------------ */

static size_t list_read(const json_t *line, const char *name, double v[BENCH_MAX_ROUNDS])
{
    const json_t *list = json_object_get(line, name);
    size_t n = MIN(json_array_size(list), (size_t)BENCH_MAX_ROUNDS);

    for (size_t i = 0; i < n; i++)
        v[i] = json_number_value(json_array_get(list, i));
    return n;
}

static const char *string_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));

    return text ? text : "";
}

static void line_print(const json_t *line)
{
    struct table_row row = {.name = string_of(line, "name"),
                            .text = string_of(line, "text"),
                            .unit = string_of(line, "unit"),
                            .beside = string_of(line, "beside_name"),
                            .limit = json_number_value(json_object_get(line, "limit")),
                            .no = json_string_value(json_object_get(line, "no"))};

    for (enum bench_goal g = GOAL_NONE; g <= GOAL_AT_LEAST; g++)
        if (strcmp(string_of(line, "goal"), goal_name(g)) == 0)
            row.goal = g;
    row.n = list_read(line, "awd", row.awd);
    if (!row.no && (row.n == 0 || list_read(line, "beside", row.other) != row.n ||
                    list_read(line, "ratio", row.ratio) != row.n))
        bench_fail("%s: a line with other figures than this program writes", row.name);
    table_row_print(&row, false);
}

static json_int_t run_of(const json_t *line)
{
    return json_integer_value(json_object_get(line, "run"));
}

/* All lines of the last run; the caller's. */
static json_t *last_run(const char *path)
{
    FILE *in = fopen(path, "re");
    json_t *all = json_array(), *line;
    json_error_t error;

    if (!in)
        bench_die(path);
    while ((line = json_loadf(in, JSON_DISABLE_EOF_CHECK, &error))) {
        if (run_of(line) != run_of(json_array_get(all, 0)))
            json_array_clear(all);
        json_array_append_new(all, line);
    }
    fclose(in);
    if (json_array_size(all) == 0)
        bench_fail("%s: no run in it", path);
    return all;
}

static void about_print(const json_t *all)
{
    const json_t *first = json_array_get(all, 0), *line;
    time_t time_s = (time_t)run_of(first);
    double low = 1e9, high = 0, figures[BENCH_MAX_ROUNDS];
    size_t i, n_rounds = 0;
    char date[32];
    struct tm tm;

    json_array_foreach(all, i, line)
    {
        double load = json_number_value(json_object_get(line, "load_now"));

        low = MIN(low, load);
        high = MAX(high, load);
        n_rounds = MAX(n_rounds, list_read(line, "awd", figures));
    }
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", gmtime_r(&time_s, &tm));
    printf(
        "Measured at commit %s, %s: Linux %s, %lld processors, load average %.1f before, %.1f to "
        "%.1f meanwhile; %zu rounds at scale %.3g.\n\n",
        string_of(first, "commit"), date, string_of(first, "kernel"),
        (long long)json_integer_value(json_object_get(first, "cpus")),
        json_number_value(json_object_get(first, "load")), low, high, n_rounds,
        json_number_value(json_object_get(first, "scale")));
}

void table_markdown(const char *path)
{
    json_t *all = last_run(path), *line;
    size_t i;

    about_print(all);
    table_head_print(false);
    json_array_foreach(all, i, line)
    {
        line_print(line);
    }
    json_decref(all);
}
