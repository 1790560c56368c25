/* Lists as tables. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "client/awctl/lazy.h"
#include "client/awctl/limit_opts.h"
#include "client/awctl/print.h"
#include "proto/text.h"

/* Where a terminal is narrow, columns with SCOLS_FL_TRUNC give way: never what a command takes. */
struct column {
    const char *name;
    double width;
    int flags;
};

/* NULL, having said so, when there can be none; *ret_code is the exit code then. */
static struct libscols_table *table_new(const struct column *columns, size_t n, int *ret_code)
{
    const char *no_color = getenv("NO_COLOR");
    struct libscols_table *table;

    *ret_code = aw_err_exit_code(AW_ERR_SYSTEM);
    if (!lazy_smartcols())
        return NULL;
    table = lazy_scols_new_table();
    if (!table) {
        complain("table: out of memory");
        *ret_code = aw_err_exit_code(AW_ERR_NO_MEMORY);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        lazy_scols_table_new_column(table, columns[i].name, columns[i].width, columns[i].flags);
    lazy_scols_table_enable_colors(table, isatty(STDOUT_FILENO) && !(no_color && *no_color));
    return table;
}

/* Prints it, and says if it is not whole, for want of memory. Returns the exit code. */
static int table_print(struct libscols_table *table, bool whole)
{
    whole &= lazy_scols_print_table(table) == 0;
    lazy_scols_unref_table(table);
    if (whole)
        return 0;
    complain("table: out of memory");
    return aw_err_exit_code(AW_ERR_NO_MEMORY);
}

/* A row, from texts. NULL: out of memory. */
static struct libscols_line *row_add(struct libscols_table *table, const char *const *texts,
                                     size_t n)
{
    struct libscols_line *row = lazy_scols_table_new_line(table, NULL);

    for (size_t i = 0; row && i < n; i++)
        if (lazy_scols_line_set_data(row, i, texts[i]) != 0)
            return NULL;
    return row;
}

static const char *age_text(int64_t us, char buf[TEXT_SMALL])
{
    duration_format(buf, TEXT_SMALL, MAX((now_us() - us) / 1000, INT64_C(0)));
    return buf;
}

static const char *number_text(int64_t v, char buf[TEXT_SMALL])
{
    snprintf(buf, TEXT_SMALL, "%" PRId64, v);
    return buf;
}

/* ---- Jobs --------------------------------------------------------------------------------- */

enum { COL_ID, COL_STATE, COL_CODE, COL_AGE, COL_RAN, COL_NAME, COL_COMMAND, N_COLS };

static const struct column columns[N_COLS] = {
    [COL_ID] = {"ID", 8, 0},
    [COL_STATE] = {"STATE", 9, 0},
    [COL_CODE] = {"EXIT", 4, SCOLS_FL_RIGHT},
    [COL_AGE] = {"AGE", 6, SCOLS_FL_RIGHT},
    [COL_RAN] = {"RAN", 6, SCOLS_FL_RIGHT},
    [COL_NAME] = {"NAME", 0.1, SCOLS_FL_TRUNC},
    [COL_COMMAND] = {"COMMAND", 0.5, SCOLS_FL_TRUNC | SCOLS_FL_NOEXTREMES},
};

static const char *state_color(const struct aw_status *s)
{
    if (s->err || s->state == AW_FAILED)
        return "red";
    switch (s->state) {
    case AW_SUCCEEDED:
        return "green";
    case AW_RUNNING:
        return "cyan";
    case AW_CANCELLED:
        return "yellow";
    default:
        return NULL;
    }
}

static void code_text(const struct aw_status *s, char buf[TEXT_SMALL])
{
    const char *name = s->signal ? sigabbrev_np(s->signal) : NULL;

    *buf = '\0';
    if (name)
        snprintf(buf, TEXT_SMALL, "%s", name);
    else if (s->signal)
        snprintf(buf, TEXT_SMALL, "sig%d", s->signal);
    else if (s->exit_code >= 0)
        snprintf(buf, TEXT_SMALL, "%d", s->exit_code);
}

/* False: out of memory. */
static bool table_row(struct libscols_table *table, const struct aw_status *s)
{
    char code[TEXT_SMALL] = "", age[TEXT_SMALL] = "", ran[TEXT_SMALL] = "", name[1024] = "",
         command[1024] = "";
    const char *texts[N_COLS] = {
        [COL_ID] = s->id,
        [COL_STATE] = s->err ? aw_err_name(s->err) : aw_state_name(s->state),
        [COL_CODE] = code,
        [COL_AGE] = age,
        [COL_RAN] = ran,
        [COL_NAME] = name,
        [COL_COMMAND] = command,
    };
    const char *color = state_color(s);
    struct libscols_line *row;

    if (!s->err) {
        code_text(s, code);
        duration_format(age, sizeof(age), MAX((now_us() - s->created_us) / 1000, INT64_C(0)));
        run_text(s, ran);
        clean_text(s->name, name, sizeof(name));
        clean_text(*s->command ? s->command : s->type, command, sizeof(command));
    }
    row = row_add(table, texts, N_COLS);
    if (row && color)
        lazy_scols_cell_set_color(lazy_scols_line_get_cell(row, COL_STATE), color);
    return row != NULL;
}

int print_table(const struct aw_statuses *list)
{
    size_t n = aw_statuses_count(list);
    bool whole = true;
    int code;
    struct libscols_table *table = table_new(columns, N_COLS, &code);

    if (!table)
        return code;
    for (size_t i = 0; i < n; i++)
        whole &= table_row(table, aw_statuses_at(list, i));
    return table_print(table, whole);
}

/* ---- Sets --------------------------------------------------------------------------------- */

int print_sets(const struct aw_sets *list)
{
    static const struct column cols[] = {
        {"SET", 1, 0},
        {"STATE", 8, SCOLS_FL_TRUNC},
        {"MEMBERS", 7, SCOLS_FL_RIGHT},
        {"ENDED", 6, SCOLS_FL_RIGHT},
        {"FAILED", 6, SCOLS_FL_RIGHT},
        {"AGE", 6, SCOLS_FL_RIGHT},
    };
    char name[1024], members[TEXT_SMALL], ended[TEXT_SMALL], failed[TEXT_SMALL], age[TEXT_SMALL];
    bool whole = true;
    int code;
    struct libscols_table *table = table_new(cols, ARRAY_SIZE(cols), &code);

    if (!table)
        return code;
    for (size_t i = 0; i < aw_sets_count(list); i++) {
        const struct aw_set *s = aw_sets_at(list, i);
        const char *texts[] = {name,
                               set_state(s),
                               number_text((int64_t)s->n_members, members),
                               number_text((int64_t)s->n_ended, ended),
                               number_text((int64_t)s->n_failed, failed),
                               age_text(s->created_us, age)};

        clean_text(s->name, name, sizeof(name));
        whole &= row_add(table, texts, ARRAY_SIZE(texts)) != NULL;
    }
    return table_print(table, whole);
}

/* ---- Queues ------------------------------------------------------------------------------- */

/* Slots of its own, or, with a sign before it, how many of the daemon's it may take. */
static const char *slots_text(const struct aw_queue *q, char buf[TEXT_SMALL])
{
    if (q->slots)
        return number_text(q->slots, buf);
    snprintf(buf, TEXT_SMALL, q->limit ? "<=%" PRIu32 : "", q->limit);
    return buf;
}

int print_queues(const struct aw_queues *list)
{
    static const struct column cols[] = {
        {"QUEUE", 1, 0},
        {"STATE", 6, SCOLS_FL_TRUNC},
        {"SLOTS", 5, SCOLS_FL_RIGHT},
        {"PRIORITY", 4, SCOLS_FL_RIGHT},
        {"RATE", 6, SCOLS_FL_RIGHT},
        {"RUNNING", 6, SCOLS_FL_RIGHT},
        {"QUEUED", 6, SCOLS_FL_RIGHT},
        {"WAITING", 6, SCOLS_FL_RIGHT},
        {"LIMITS", 0.2, SCOLS_FL_TRUNC},
    };
    char name[1024], text[6][TEXT_SMALL], limits[LIMITS_TEXT];
    bool whole = true;
    int code;
    struct libscols_table *table = table_new(cols, ARRAY_SIZE(cols), &code);

    if (!table)
        return code;
    for (size_t i = 0; i < aw_queues_count(list); i++) {
        const struct aw_queue *q = aw_queues_at(list, i);
        const char *texts[] = {name,
                               queue_state(q),
                               slots_text(q, text[0]),
                               number_text(q->priority, text[1]),
                               rate_text(q, text[2]),
                               number_text((int64_t)q->running, text[3]),
                               number_text((int64_t)q->queued, text[4]),
                               number_text((int64_t)q->waiting, text[5]),
                               limits_text(&q->limits, limits)};

        clean_text(q->name, name, sizeof(name));
        whole &= row_add(table, texts, ARRAY_SIZE(texts)) != NULL;
    }
    return table_print(table, whole);
}

/* ---- Users -------------------------------------------------------------------------------- */

/* "12", or "12/100" where there is a limit. */
static const char *share_text(const char *has, const char *most, char buf[TEXT_SMALL * 2])
{
    snprintf(buf, TEXT_SMALL * 2, "%s%s%s", has, *most ? "/" : "", most);
    return buf;
}

static const char *count_share(uint64_t has, uint64_t most, char buf[TEXT_SMALL * 2])
{
    char a[TEXT_SMALL], b[TEXT_SMALL] = "";

    return share_text(number_text((int64_t)has, a), most ? number_text((int64_t)most, b) : b, buf);
}

static const char *size_share(uint64_t has, uint64_t most, char buf[TEXT_SMALL * 2])
{
    char a[TEXT_SMALL], b[TEXT_SMALL] = "";

    return share_text(size_text(has, a), most ? size_text(most, b) : b, buf);
}

/* False: out of memory. */
static bool user_row(struct libscols_table *table, const struct aw_user *u)
{
    char name[256], running[TEXT_SMALL], text[6][TEXT_SMALL * 2];
    const char *texts[] = {
        user_text(u->uid, name, sizeof(name)),
        number_text((int64_t)u->running, running),
        count_share(u->waiting + u->running, u->max_queued, text[0]),
        count_share(u->kept, u->max_kept, text[1]),
        size_share(u->bytes, u->max_bytes, text[2]),
        count_share(u->sets, u->max_sets, text[3]),
        count_share(u->dependencies, u->max_dependencies, text[4]),
        count_share(u->connections, u->max_connections, text[5]),
    };

    return row_add(table, texts, ARRAY_SIZE(texts)) != NULL;
}

int print_users(const struct aw_users *list)
{
    static const struct column cols[] = {
        {"USER", 1, 0},
        {"RUNNING", 6, SCOLS_FL_RIGHT},
        {"JOBS", 6, SCOLS_FL_RIGHT},
        {"KEPT", 6, SCOLS_FL_RIGHT},
        {"BYTES", 6, SCOLS_FL_RIGHT},
        {"SETS", 6, SCOLS_FL_RIGHT},
        {"DEPENDENCIES", 6, SCOLS_FL_RIGHT},
        {"CONNECTIONS", 6, SCOLS_FL_RIGHT},
    };
    bool whole = true;
    int code;
    struct libscols_table *table = table_new(cols, ARRAY_SIZE(cols), &code);

    if (!table)
        return code;
    for (size_t i = 0; i < aw_users_count(list); i++)
        whole &= user_row(table, aw_users_at(list, i));
    return table_print(table, whole);
}
