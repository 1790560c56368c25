#include "daemon/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define MAX_LINE LOG_MAX_LINE

enum target { TERMINAL, PREFIXED, JOURNAL };

static _Atomic int log_level = LOG_INFO;
static enum target target;
static log_send_fn journal; /* NULL: there is no way but by stderr */
static pthread_once_t target_once = PTHREAD_ONCE_INIT;

static const struct {
    const char *name;
    int level;
} levels[] = {
    {"err", LOG_ERR},   {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
    {"info", LOG_INFO}, {"debug", LOG_DEBUG},
};

void log_set_journal(log_send_fn send)
{
    journal = send;
}

void log_set_level(int level)
{
    atomic_store(&log_level, level);
}

bool log_level_parse(const char *name, int *ret_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (!strcmp(name, levels[i].name)) {
            *ret_level = levels[i].level;
            return true;
        }
    return false;
}

/* ---- A line that is being made ------------------------------------------------------------- */

struct line {
    char text[MAX_LINE];
    size_t len;
};

static void line_char(struct line *line, char c)
{
    /* Always room for the line's end. */
    if (line->len < sizeof(line->text) - 1)
        line->text[line->len++] = c;
}

static void line_text(struct line *line, const char *s)
{
    while (*s)
        line_char(line, *s++);
}

/* What could end a line, move the cursor or close a quote comes out as an escape. */
static void line_escaped(struct line *line, const char *s, bool quoted)
{
    static const char hex[] = "0123456789abcdef";

    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c < 0x20 || c == 0x7f) {
            line_text(line, "\\x");
            line_char(line, hex[c >> 4]);
            line_char(line, hex[c & 15]);
        } else {
            if (quoted && (c == '"' || c == '\\'))
                line_char(line, '\\');
            line_char(line, (char)c);
        }
    }
}

static void line_field(struct line *line, const struct log_field *field)
{
    const char *value = field->value ? field->value : "";
    bool quote = !*value || strpbrk(value, " \t\"\\=") != NULL;

    line_char(line, ' ');
    line_text(line, field->key);
    line_char(line, '=');
    if (quote)
        line_char(line, '"');
    line_escaped(line, value, quote);
    if (quote)
        line_char(line, '"');
}

/* ---- Where it goes ------------------------------------------------------------------------- */

/* systemd names the stream that it gave us: stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static void find_target(void)
{
    if (isatty(STDERR_FILENO))
        target = TERMINAL;
    else
        target = PREFIXED;
    if (journal && stderr_is_journal())
        target = JOURNAL; /* otherwise, <priority> prefixes are understood there, too */
}

static void write_line(int level, const char *message, const struct log_field *fields,
                       size_t n_fields)
{
    struct line line = {.len = 0};
    char head[32];
    time_t now = time(NULL);
    struct tm tm;

    if (target == TERMINAL && localtime_r(&now, &tm))
        strftime(head, sizeof(head), "%H:%M:%S ", &tm);
    else
        snprintf(head, sizeof(head), "<%d>", level);
    line_text(&line, head);
    line_escaped(&line, message, false);
    for (size_t i = 0; i < n_fields; i++)
        line_field(&line, &fields[i]);
    line.text[line.len++] = '\n';
    /* One write: lines of several threads and processes stay whole. There is no one to tell. */
    if (write(STDERR_FILENO, line.text, line.len) < 0)
        return;
}

void log_event(int level, const struct log_field *fields, size_t n_fields, const char *fmt, ...)
{
    char message[MAX_LINE];
    int saved = errno;
    va_list ap;

    if (level > atomic_load(&log_level))
        return;
    pthread_once(&target_once, find_target);
    errno = saved; /* for %m */
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    n_fields = MIN(n_fields, (size_t)LOG_MAX_FIELDS);
    if (target != JOURNAL || !journal(level, message, fields, n_fields))
        write_line(level, message, fields, n_fields);
    errno = saved;
}
